"""Critics: networks that estimate `W1` from samples, held near slope 1 by a gradient penalty.

`W1(a, b) = sup f(b) - f(a)` over functions of Lipschitz constant 1, means taken over samples. The
penalty, on `(|grad f| - 1)^2` at random points between the two, lets a critic exceed slope 1 a
little and is not a bound anywhere else: what it finds is an estimate. `wasserstein_gan` trains one
against a generator. Taught in *WGAN is transport*.
"""

import math
import time
from dataclasses import dataclass

import torch
from torch import nn
from tqdm import tqdm

from omt_course.models.training import TrainingDivergedError, seeded


@dataclass(frozen=True)
class WGANHistory:
    """What happened in a run of `train_critic` or `train_wgan_gp`, one number a step.

    With several updates of the critic in a step these are the numbers of the last one.

    Attributes
    ----------
    critic_loss : tuple of float
        Minus the estimate, plus the penalty.
    estimate : tuple of float
        `mean f(data) - mean f(images)` on the batch: `W1` if the critic were the best of
        Lipschitz constant 1.
    gradient_norm : tuple of float
        Mean `|grad f|` where the penalty looked, between data and images.
    resumed_from : int
        Steps that came from the checkpoint.
    seconds : float
        Wall time of this call.
    """

    critic_loss: tuple
    estimate: tuple
    gradient_norm: tuple
    resumed_from: int
    seconds: float

    @property
    def n_steps(self):
        """Number of steps, those of the checkpoint included."""
        return len(self.critic_loss)


def mlp(sizes, *, generator, activation=nn.ReLU):
    """Return a fully connected network, linear at the end.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of inputs, of the units of each hidden layer, of outputs.
    generator : torch.Generator
        Rules the initial weights.
    activation : callable
        Makes the module between two layers.

    Examples
    --------
    >>> critic = mlp([2, 64, 64, 1], generator=torch.Generator().manual_seed(0))
    >>> critic(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """
    if len(sizes) < 2 or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(f"sizes: expected two or more positive integers; got {sizes!r}")
    layers = []
    with seeded(generator):
        for n, m in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(n, m), activation()]
    return nn.Sequential(*layers[:-1])


def train_critic(
    critic,
    a,
    b,
    *,
    steps,
    batch_size,
    penalty=10.0,
    one_sided=False,
    lr=1e-4,
    betas=(0.0, 0.9),
    generator,
    progress=True,
):
    """Train a critic alone, between two fixed samples: high on `b`, low on `a`.

    Parameters
    ----------
    critic : torch.nn.Module
        (n, ...) to (n,) or (n, 1). Trained in place, left in evaluation mode.
    a, b : (n, ...) and (m, ...) float tensors
    steps, batch_size : int
        Batches are drawn with replacement, anew for every step.
    penalty : float
        Weight of the mean of `(|grad f| - 1)^2`.
    one_sided : bool
        Penalise slopes above 1 only. On the line two sides are a trap: a critic that starts with
        the wrong sign has to pass through slope 0, where the penalty is a barrier.
    lr : float
    betas : pair of float
        Rates of Adam.
    generator : torch.Generator on the CPU
    progress : bool

    Returns
    -------
    history : WGANHistory

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not fit.
    TrainingDivergedError
        If the loss is not finite.

    Notes
    -----
    Two sides: Gulrajani et al., NeurIPS 2017. One side: Petzka, Fischer, Lukovnikov, ICLR 2018.
    Taught on the page ``wasserstein-gan``.

    Examples
    --------
    >>> chance = torch.Generator().manual_seed(0)
    >>> a, b = torch.zeros(64, 2), torch.tensor([[2.0, 0.0]])
    >>> critic = mlp([2, 16, 1], generator=chance)
    >>> history = train_critic(critic, a, b, steps=300, batch_size=32, lr=1e-2, generator=chance,
    ...                        progress=False)
    >>> abs(difference(critic, a, b) - 2.2) < 0.2    # W1 = 2; the penalty lets slopes reach 1.1
    True
    """
    began, rows = time.perf_counter(), []
    check_run(steps, batch_size, penalty, lr, betas)
    for name, sample_ in (("a", a), ("b", b)):
        check_data(name, sample_)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"b: expected items of shape {tuple(a.shape[1:])} like a's; got {tuple(b.shape[1:])}"
        )
    adam, device = torch.optim.Adam(critic.parameters(), lr=lr, betas=betas), device_of(critic)
    critic.train()
    with seeded(generator):
        for k in tqdm(range(steps), desc="critic", disable=not progress):
            x, y = (draw(s, batch_size, generator).to(device) for s in (a, b))
            row = critic_step(critic, adam, x, y, penalty, one_sided, generator)
            if not math.isfinite(row[0]):
                raise diverged(row[0], k + 1, lr, history_of(rows, 0, began))
            rows.append(row)
    critic.eval()
    return history_of(rows, 0, began)


@torch.no_grad()
def difference(critic, a, b, *, batch_size=5000):
    """Return `mean f(b) - mean f(a)`: at most `Lip(f) W1(a, b)`, whatever the critic `f`."""
    device, means = device_of(critic), []
    for x in (a, b):
        values = [values_of(critic, part.to(device)) for part in x.split(batch_size)]
        means.append(torch.cat(values).double().mean().item())
    return means[1] - means[0]


def critic_step(critic, adam, made, real, penalty, one_sided, generator):
    """Update the critic once; return its loss, its estimate and the mean norm of its gradient.

    A loss that is not finite is returned, and the critic left as it was.
    """
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator).to(real)
    between = (share * real + (1 - share) * made).requires_grad_()  # line 6 of algorithm 1
    high, low, middle = values_of(critic, torch.cat([real, made, between])).chunk(3)
    (slope,) = torch.autograd.grad(middle.sum(), between, create_graph=True)
    norm = slope.flatten(1).norm(dim=1)  # (b,)
    estimate = high.mean() - low.mean()
    excess = (norm - 1).clamp(min=0) if one_sided else norm - 1
    loss = -estimate + penalty * (excess**2).mean()
    row = loss.item(), estimate.item(), norm.mean().item()
    if math.isfinite(row[0]):
        adam.zero_grad()
        loss.backward()
        adam.step()
    return row


def values_of(critic, x):
    """Return one value an image, (b,)."""
    values = critic(x)
    if values.numel() != len(x):
        raise ValueError(
            f"critic: expected one value an image, shape ({len(x)},) or ({len(x)}, 1); got "
            f"{tuple(values.shape)}"
        )
    return values.reshape(len(x))


def draw(data, n, generator):
    """Return `n` rows, drawn with replacement."""
    return data[torch.randint(len(data), (n,), generator=generator).to(data.device)]


def device_of(network):
    """Return the device of the network's parameters."""
    return next(network.parameters()).device


def history_of(rows, resumed_from, began):
    """Turn the rows of `critic_step` into a `WGANHistory`."""
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return WGANHistory(*map(tuple, columns), resumed_from, time.perf_counter() - began)


def diverged(value, step, lr, history):
    """Return the error of a loss that is not finite."""
    return TrainingDivergedError(
        f"the critic's loss is {value} in step {step}: lower lr ({lr:g}) or scale the data", history
    )


def check_counts(**counts):
    """Refuse what is not a positive integer."""
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a positive integer; got {value!r}")


def check_run(steps, batch_size, penalty, lr, betas):
    """Refuse settings out of range."""
    check_counts(steps=steps, batch_size=batch_size)
    if not (math.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"penalty: expected a number >= 0; got {penalty!r}")
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"lr: expected a positive number; got {lr!r}")
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas: expected two numbers in [0, 1); got {betas!r}")


def check_data(name, data):
    """Refuse data that are not finite floats of shape (n, ...)."""
    if not torch.is_tensor(data) or not data.is_floating_point():
        kind = data.dtype if torch.is_tensor(data) else type(data).__name__
        raise ValueError(f"{name}: expected a float tensor; got {kind}")
    if data.ndim < 2 or 0 in data.shape:
        raise ValueError(f"{name}: expected shape (n, ...), not empty; got {tuple(data.shape)}")
    if not torch.isfinite(data).all():
        raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
