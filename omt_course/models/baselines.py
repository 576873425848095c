"""Laws fitted to codes: what transport is compared with, in the latent space of one autoencoder.

A mixture of normal laws, of which one normal law is the smallest; and a continuous network, taught
by optimal plans of small batches. Each is fitted to (n, d) codes and has ``sample(n, generator=)``,
which returns (n, d) codes; `Decoded` puts a decoder behind it. Compared in *AE-OMT on MNIST*.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.mixture import GaussianMixture
from torch import nn

from omt_course.models import autoencoder as autoencoders
from omt_course.models.autoencoder import Autoencoder
from omt_course.models.training import seeded, train
from omt_course.transport.counting import draw


class Sampler(Protocol):
    """What every baseline can do."""

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return n independent draws."""


@dataclass(frozen=True, eq=False)
class NormalMixture:
    """A mixture of normal laws on R^d; make one with `fit_mixture`.

    Attributes
    ----------
    weights : (k,) float array
        Positive, summing to 1.
    means : (k, d) float array
    factors : (k, d, d) float array
        Lower triangular, ``factors[i] @ factors[i].T`` is a covariance.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return `n` independent codes, (n, d) float32 tensor."""
        _check_count(n)
        which = torch.multinomial(torch.as_tensor(self.weights), n, True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], dtype=torch.float64, generator=generator)
        codes = torch.empty_like(noise)
        for k, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            of_k = which == k
            codes[of_k] = torch.as_tensor(mean) + noise[of_k] @ torch.as_tensor(factor).T
        return codes.float()


def fit_mixture(
    codes: np.ndarray, n_components: int = 1, *, generator: torch.Generator
) -> NormalMixture:
    """Fit normal laws with full covariances: one in closed form, several by the EM algorithm.

    Parameters
    ----------
    codes : (n, d) float array
    n_components : int
        At most n - 1.
    generator : torch.Generator
        Rules where EM starts.

    Returns
    -------
    NormalMixture

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Source: Dempster, Laird, Rubin, J. R. Stat. Soc. B 39, 1977 (EM); the program is
    scikit-learn's. A millionth of the codes' mean variance is added to every covariance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = np.concatenate([rng.normal(size=(300, 2)) - 5, rng.normal(size=(100, 2)) + 5])
    >>> law = fit_mixture(codes, 2, generator=torch.Generator().manual_seed(0))
    >>> sorted(law.weights.round(2).tolist())
    [0.25, 0.75]
    >>> tuple(law.sample(5, generator=torch.Generator().manual_seed(1)).shape)
    (5, 2)
    """
    codes = _check_codes(codes)
    if not (isinstance(n_components, int) and 1 <= n_components < len(codes)):
        raise ValueError(
            f"n_components: expected an integer from 1 to {len(codes) - 1}; got {n_components!r}"
        )
    seed = torch.randint(2**31, (), generator=generator).item()
    model = GaussianMixture(
        n_components,
        reg_covar=1e-6 * codes.var(axis=0).mean(),
        max_iter=300,
        random_state=seed,
    ).fit(codes)
    return NormalMixture(
        weights=model.weights_ / model.weights_.sum(),
        means=model.means_,
        factors=np.linalg.cholesky(model.covariances_),
    )


@dataclass(frozen=True, eq=False)
class ContinuousMap:
    """A network that moves a source onto codes, with no tear in it; make one with `fit_map`.

    Attributes
    ----------
    network : torch.nn.Module
    source : {"cube", "ball", "gaussian"}
    mean, scale : (d,) float tensor
        What the network makes is scaled and shifted by them.
    unit : float
        The source is multiplied by it, to have variance 1 in each coordinate.
    """

    network: nn.Module
    source: str
    mean: torch.Tensor
    scale: torch.Tensor
    unit: float

    @torch.no_grad()
    def map(self, x: torch.Tensor) -> torch.Tensor:
        """Move points of the source, (n, d) float tensor, to codes, (n, d) float32 tensor."""
        return self.mean + self.scale * self.network(self.unit * x.float())

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return `n` independent codes, (n, d) float32 tensor."""
        _check_count(n)
        return self.map(draw(self.source, n, len(self.mean), generator).cpu())


def fit_map(
    codes: np.ndarray,
    *,
    generator: torch.Generator,
    source: str = "cube",
    hidden: int = 256,
    epochs: int = 60,
    batch_size: int = 256,
    lr: float = 2e-3,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> ContinuousMap:
    """Train a network of three hidden layers on optimal plans between small batches.

    Each step draws as many points of the source as the batch has codes, solves the assignment
    problem of these two clouds, and makes one step of the regression of the assigned codes on the
    points. The minimiser of this loss is the conditional mean of the batch plans, which are blurred
    for finite batches; and a network is continuous, so it has to lead over the gaps between
    clusters.

    Parameters
    ----------
    codes : (n, d) float array
        Vary in every coordinate.
    generator : torch.Generator
        Rules the weights, the order of the codes and the points of the source.
    source : {"cube", "ball", "gaussian"}
    hidden : int
        Units of each hidden layer.
    epochs, batch_size, lr : as for `omt_course.models.training.train`
    checkpoint : path, optional
        Written after every epoch, resumed from if it exists.
    progress : bool

    Returns
    -------
    ContinuousMap

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Source: Fatras, Zine, Flamary, Gribonval, Courty, AISTATS 2020, for plans of minibatches and
    their bias.

    Examples
    --------
    >>> codes = 3 * torch.randn(512, 2, generator=torch.Generator().manual_seed(0)).numpy() + 1
    >>> law = fit_map(codes, generator=torch.Generator().manual_seed(1), epochs=3, progress=False)
    >>> tuple(law.sample(4, generator=torch.Generator().manual_seed(2)).shape)
    (4, 2)
    """
    codes = torch.as_tensor(_check_codes(codes), dtype=torch.float32)
    mean, scale = codes.mean(dim=0), codes.std(dim=0, correction=0)
    if not (scale > 0).all():
        raise ValueError(
            f"codes: expected codes that vary in every coordinate; coordinate "
            f"{int(scale.argmin())} is constant"
        )
    d = codes.shape[1]
    unit = 1 / float(draw(source, 4096, d, generator).std())
    with seeded(generator):
        network = nn.Sequential(
            nn.Linear(d, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, d),
        )

    def loss(model, batch, generator):
        x = unit * draw(source, len(batch), d, generator).float()
        return ((model(x) - batch[optimal_partners(x, batch)]) ** 2).sum(dim=1).mean()

    train(
        network,
        loss,
        (codes - mean) / scale,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        generator=generator,
        checkpoint=checkpoint,
        progress=progress,
        label="continuous map",
    )
    return ContinuousMap(network, source, mean, scale, unit)


def optimal_partners(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the permutation `p` that minimises `sum_i |x_i - y_p(i)|^2`.

    Parameters
    ----------
    x, y : (n, d) float tensor

    Examples
    --------
    >>> optimal_partners(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[9.0], [7.0], [8.0]]))
    tensor([1, 2, 0])
    """
    _, partner = linear_sum_assignment(torch.cdist(x, y).square().double().numpy())
    return torch.as_tensor(partner)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A law of codes with a decoder behind it: a law of images."""

    law: Sampler
    autoencoder: Autoencoder

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return `n` images, (n, 1, 28, 28) float tensor in (0, 1)."""
        codes = self.law.sample(n, generator=generator)
        return autoencoders.decode_in_batches(self.autoencoder, codes)


def _check_codes(codes):
    codes = np.asarray(codes, dtype=np.float64)
    if codes.ndim != 2 or len(codes) < 2:
        raise ValueError(f"codes: expected shape (n, d) with n >= 2; got {codes.shape}")
    if not np.isfinite(codes).all():
        raise ValueError("codes: expected finite numbers; got NaN or infinity")
    return codes


def _check_count(n):
    if n < 1:
        raise ValueError(f"n: expected a positive number of samples; got {n}")
