"""Wasserstein GAN with gradient penalty: a critic estimates `W1`, a generator lowers the estimate.

For functions of Lipschitz constant 1, `W1(mu, nu) = sup_f int f dnu - int f dmu` (Kantorovich and
Rubinstein). The critic is a network for `f`, held near the constraint by a penalty on
`(|grad f| - 1)^2`; the generator is a network whose images of normal noise are `mu`. Both may have
any architecture and the data any shape. Taught in *WGAN is transport*.
"""

import math
import time
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from omt_course.models import checkpoints
from omt_course.models.critic import (
    check_counts,
    check_data,
    check_run,
    critic_step,
    device_of,
    diverged,
    draw,
    history_of,
    mlp,
    values_of,
)
from omt_course.models.training import seeded

__all__ = ["mlp", "sample", "train_wgan_gp"]


def train_wgan_gp(
    generator_network,
    critic,
    data,
    *,
    latent_dim,
    steps,
    batch_size,
    n_critic=5,
    penalty=10.0,
    one_sided=False,
    lr=1e-4,
    betas=(0.0, 0.9),
    generator,
    checkpoint=None,
    checkpoint_every=200,
    resume=True,
    progress=True,
    label="WGAN-GP",
    callback=None,
):
    """Train generator and critic in turn, `n_critic` updates of the critic to one of the generator.

    Given both networks' weights and the generator's state, the result on a CPU is the same, bit
    for bit, whether the run was interrupted and resumed or not.

    Parameters
    ----------
    generator_network : torch.nn.Module
        (b, latent_dim) noise to (b, ...) images of the shape of the data. Trained in place, left
        in evaluation mode.
    critic : torch.nn.Module
        (b, ...) to (b,) or (b, 1). Without batch normalisation: the penalty is on the gradient at
        each image alone.
    data : (n, ...) float tensor
    latent_dim : int
        The noise is standard normal in this dimension.
    steps, batch_size, n_critic : int
        Batches are drawn with replacement.
    penalty, one_sided
        As in `critic.train_critic`.
    lr : float
    betas : pair of float
        Rates of both Adam optimisers.
    generator : torch.Generator on the CPU
        Rules batches, noise, and the randomness of layers.
    checkpoint : path, optional
        File written every `checkpoint_every` steps and at the end: aside, then renamed, so that
        an interrupted write never harms the last good one.
    resume : bool
        Continue from ``checkpoint`` if it exists; with False, start over and overwrite it.
    progress : bool
        Show a progress bar on stderr.
    label : str
        Text before the progress bar.
    callback : callable, optional
        ``callback(step)`` after every step, counted from 1.

    Returns
    -------
    history : WGANHistory

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not fit, or the checkpoint is damaged, of other
        networks, or of a run with other settings.
    TrainingDivergedError
        If the critic's loss is not finite.

    Notes
    -----
    Source: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, Improved training of Wasserstein GANs,
    NeurIPS 2017, algorithm 1.
    Taught on the page ``wasserstein-gan``.

    Examples
    --------
    >>> chance = torch.Generator().manual_seed(0)
    >>> maker, critic = mlp([2, 2], generator=chance), mlp([2, 16, 1], generator=chance)
    >>> data = torch.tensor([3.0, 0.0]) + torch.randn(256, 2, generator=chance)
    >>> history = train_wgan_gp(maker, critic, data, latent_dim=2, steps=150, batch_size=64,
    ...                         n_critic=2, lr=2e-2, generator=chance, progress=False)
    >>> made = sample(maker, 1000, latent_dim=2, generator=chance)
    >>> bool((made.mean(dim=0) - data.mean(dim=0)).norm() < 1)       # it was 3
    True
    """
    began = time.perf_counter()
    check_counts(latent_dim=latent_dim, checkpoint_every=checkpoint_every, n_critic=n_critic)
    check_run(steps, batch_size, penalty, lr, betas)
    check_data("data", data)
    settings = {"n": len(data), "batch_size": batch_size, "latent_dim": latent_dim}
    settings |= {"n_critic": n_critic, "penalty": penalty, "one_sided": one_sided}
    settings |= {"lr": lr, "betas": list(betas)}
    both = nn.ModuleDict({"generator": generator_network, "critic": critic})
    adam_g = torch.optim.Adam(generator_network.parameters(), lr=lr, betas=betas)
    adam_f = torch.optim.Adam(critic.parameters(), lr=lr, betas=betas)
    device, rows = device_of(critic), []
    if checkpoint is not None and resume and Path(checkpoint).exists():
        stored = checkpoints.load(checkpoint, both, settings)
        both.load_state_dict(stored["model"])
        adam_g.load_state_dict(stored["adam_g"])
        adam_f.load_state_dict(stored["adam_f"])
        generator.set_state(stored["random_state"])
        rows = [tuple(row) for row in stored["rows"]]
    resumed_from = len(rows)
    if resumed_from > steps:
        raise ValueError(f"steps: expected at least {resumed_from} as in {checkpoint}; got {steps}")

    def images():
        z = torch.randn(batch_size, latent_dim, generator=generator).to(device)
        made = generator_network(z)
        if made.shape[1:] != data.shape[1:]:
            raise ValueError(
                f"generator_network: expected images of shape {tuple(data.shape[1:])} like the "
                f"data's; got {tuple(made.shape[1:])}"
            )
        return made

    both.train()
    with tqdm(total=steps, initial=resumed_from, desc=label, disable=not progress) as bar:
        while len(rows) < steps:
            with seeded(generator):
                for _ in range(n_critic):
                    with torch.no_grad():
                        made = images()
                    real = draw(data, batch_size, generator).to(device)
                    row = critic_step(critic, adam_f, made, real, penalty, one_sided, generator)
                    if not math.isfinite(row[0]):
                        history = history_of(rows, resumed_from, began)
                        raise diverged(row[0], len(rows) + 1, lr, history)
                critic.requires_grad_(False)
                loss = -values_of(critic, images()).mean()
                adam_g.zero_grad()
                loss.backward()
                adam_g.step()
                critic.requires_grad_(True)
            rows.append(row)
            if checkpoint is not None and (len(rows) % checkpoint_every == 0 or len(rows) == steps):
                checkpoints.save(
                    checkpoint,
                    settings=settings,
                    model=both.state_dict(),
                    adam_g=adam_g.state_dict(),
                    adam_f=adam_f.state_dict(),
                    random_state=generator.get_state(),
                    rows=rows,
                )
            if callback is not None:
                callback(len(rows))
            bar.set_postfix(W=f"{row[1]:.4g}", refresh=False)
            bar.update()
    both.eval()
    return history_of(rows, resumed_from, began)


@torch.no_grad()
def sample(generator_network, n, *, latent_dim, generator, batch_size=1000):
    """Return `n` images of standard normal noise, (n, ...) tensor on the CPU."""
    check_counts(n=n, latent_dim=latent_dim)
    z, device = torch.randn(n, latent_dim, generator=generator), device_of(generator_network)
    return torch.cat([generator_network(part.to(device)).cpu() for part in z.split(batch_size)])
