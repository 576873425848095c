"""Semi-discrete optimal transport in any dimension, by Monte-Carlo on the heights.

The energy `E(h) = int u_h dmu - sum_i nu_i h_i` has the gradient `w(h) - nu`, and `w` is a
probability that samples can estimate. Every step draws fresh samples, the answer is an average of
the iterates, and the error that is reported is measured on samples the solver never saw.
Taught in *Transport in a hundred dimensions*.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
import torch

from .counting import CellCounter, Sampler, draw
from .inputs import check_masses, check_points
from .mass_error import MassError, estimate_mass_error
from .newton import NotConverged

# The average weights an iterate by the samples drawn up to it, to this power: enough to forget
# the start, at the price of a factor 4/3 in variance.
AVERAGING = 1.0


@dataclass(frozen=True)
class MonteCarloStep:
    """One look at the averaged heights: samples used so far, seconds, measured error."""

    n_samples: int
    seconds: float
    error: MassError


@dataclass(frozen=True, eq=False)
class MonteCarloResult:
    """Heights in dimension `d` and the evidence for them.

    Attributes
    ----------
    source : str or callable
    points : (n, d) float array
    masses : (n,) float array
        Sum to 1: a source is a probability.
    heights : (n,) float array
        Averaged heights, mean zero.
    mass_error : float
        RMS relative mass error on held-out samples, debiased.
    mass_error_interval : (float, float)
        95 % confidence interval of `mass_error`.
    n_samples : int
        Samples used for the heights.
    converged : bool
        Whether the upper end of the interval is at most `target_error`.
    history : tuple of MonteCarloStep
    message : str
    """

    source: str | Sampler
    points: np.ndarray
    masses: np.ndarray
    heights: np.ndarray
    mass_error: float
    mass_error_interval: tuple[float, float]
    n_samples: int
    converged: bool
    history: tuple[MonteCarloStep, ...] = field(repr=False)
    message: str

    def assign(self, x: np.ndarray | torch.Tensor) -> np.ndarray:
        """Return the cell of each row of `x`, (m, d): (m,) int array."""
        x = torch.as_tensor(x, dtype=torch.float64)
        if x.ndim != 2 or x.shape[1] != self.points.shape[1]:
            raise ValueError(f"x: expected (m, {self.points.shape[1]}), got {tuple(x.shape)}")
        y, h = torch.tensor(self.points), torch.tensor(self.heights)
        rows = max(1, 4_000_000 // len(y))
        return torch.cat([torch.addmm(h, part, y.T).argmax(1) for part in x.split(rows)]).numpy()

    def transport(self, x: np.ndarray | torch.Tensor) -> np.ndarray:
        """Move the rows of `x`, (m, d), to the points of their cells: (m, d) float array."""
        return self.points[self.assign(x)]


def solve(
    source: str | Sampler,
    points: np.ndarray,
    masses: np.ndarray | None = None,
    *,
    target_error: float,
    generator: torch.Generator,
    device: str = "auto",
    max_samples: int = 2**31,
    max_seconds: float | None = None,
    callback: Callable[[MonteCarloStep], None] | None = None,
    strict: bool = True,
) -> MonteCarloResult:
    """Transport a source onto weighted points until the mass error is certified.

    Step `t` is `h_i -= min(1, 2 / sqrt(t)) (w_i / nu_i - 1) / g`, where `g` is the density at 0 of
    the gap between the best and the second-best score: `g` is the trace of the Hessian, so the
    mean of `dw_i/dh_i / nu_i`, and the first steps are Newton's with a diagonal Hessian; no
    learning rate is left to choose. Heights are averaged (Polyak), and the average is tested on
    fresh samples.

    Parameters
    ----------
    source : {"cube", "ball", "gaussian"} or callable
        Uniform on `[-1/2, 1/2]^d`, uniform on the unit ball, standard normal, or a sampler
        `f(n, d, generator) -> (n, d) float tensor`. Cube and normal are sampled on grids, which
        is several times faster.
    points : (n, d) float array
        At least three distinct targets.
    masses : (n,) float array, optional
        Positive, summing to 1. Equal when left out.
    target_error : float
        RMS relative mass error to certify, with 95 % confidence.
    generator : torch.Generator
        Source of randomness; on CPU the same seed and thread count give the same heights.
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda", ... On a GPU a generator there is seeded
        from `generator`.
    max_samples : int
        Samples allowed for the heights.
    max_seconds : float, optional
        Seconds allowed for the heights; one last held-out check comes on top.
    callback : callable, optional
        Called with every `MonteCarloStep`.
    strict : bool
        Raise when the error is not certified in time (default), or return with
        `converged=False`.

    Returns
    -------
    MonteCarloResult

    Raises
    ------
    ValueError
        If an argument cannot be used.
    NotConverged
        If the error is not certified within the budget and `strict` is true.

    Notes
    -----
    Averaging: Polyak, Juditsky (1992); Genevay, Cuturi, Peyre, Bach (2016) for the stochastic
    semi-dual. In low dimension the Hessian is badly conditioned and this crawls: use
    `omt_course.transport.semidiscrete` in the plane.

    Examples
    --------
    >>> import numpy as np, torch
    >>> points = np.random.default_rng(0).normal(size=(50, 8))
    >>> result = solve("cube", points, target_error=0.05,
    ...                generator=torch.Generator().manual_seed(0), device="cpu")
    >>> result.converged, result.mass_error_interval[1] <= 0.05
    (True, True)
    """
    points = check_points(points)
    if len(points) < 3:
        raise ValueError(f"points: expected at least three points, got {len(points)}")
    masses = check_masses(masses, len(points), 1.0)
    if not (isinstance(target_error, Real) and 0 < target_error < 1):
        raise ValueError(f"target_error: expected a number between 0 and 1, got {target_error!r}")
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator: expected a torch.Generator, got {type(generator).__name__}")
    if not max_samples >= 1:
        raise ValueError(f"max_samples: expected at least one sample, got {max_samples}")
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"max_seconds: expected a positive number, got {max_seconds}")
    generator = _generator_on(device, generator)
    # A constant added to all points changes no cell; about their mean, float32 scores hold best.
    centered = points - points.mean(axis=0)
    if len(np.unique(centered.astype(np.float32), axis=0)) < len(points):
        raise ValueError("points: expected points that float32 can tell apart; merge the nearest")
    counter = CellCounter(source, centered, generator)
    heights = _start(source, centered, generator)
    began = time.perf_counter()
    average, weight, used = heights.copy(), 0.0, 0
    history: list[MonteCarloStep] = []
    next_look = max(int(len(points) / target_error**2), 20 * counter.batch)
    steps, refresh = 0, 0
    while True:
        if steps == refresh:
            density, refresh = gap_density(counter.gaps(heights, 4096)), 8 * refresh + 8
        steps += 1
        # Steps of constant length would leave a bias in the average; the square root is theirs.
        step = min(1.0, 2 / np.sqrt(steps)) * (counter(heights) / counter.batch / masses - 1)
        # Far from the answer a cell may hold many times its mass; a full step would throw it out.
        # The bound is lifted as steps shrink: kept, it would favour cells of little mass for good.
        heights = heights - np.minimum(step, 2.0) / density
        used += counter.batch
        gain = used**AVERAGING
        weight += gain
        average += (gain / weight) * (heights - average)
        seconds = time.perf_counter() - began
        out = used >= max_samples or (max_seconds is not None and seconds >= max_seconds)
        if used < next_look and not out:
            continue
        error = estimate_mass_error(counter, average, masses, max(used // 16, 100_000))
        good = error.value <= 0.88 * target_error or error.high <= target_error
        if good or out:
            # Looking often and stopping at a good moment is optimistic: the second look, at
            # fresh samples, is the one that is reported. It is as long as it takes to make the
            # interval's half-width a fifth of the squared target, judged by the first.
            n_test = int(error.n_samples * 10 * error.squared_spread / target_error**2)
            n_test = int(np.clip(n_test, 100_000, used))
            error = estimate_mass_error(counter, average, masses, n_test)
        history.append(MonteCarloStep(used, seconds, error))
        if callback is not None:
            callback(history[-1])
        if error.high <= target_error or out:
            break
        growth = (error.value / (0.85 * target_error)) ** 2
        next_look = int(used * np.clip(growth, 1.15, 4.0))

    message = ""
    if error.high > target_error:
        message = (
            f"mass error {error.value:.3g} (at most {error.high:.3g} with 95 % confidence) after "
            f"{used:,} samples and {seconds:.1f} s, target_error = {target_error:.3g}; "
            f"allow more samples or seconds, or ask for less"
        )
    if message and strict:
        raise NotConverged(f"montecarlo.solve: {message}", tuple(history), average)
    return MonteCarloResult(
        source=source,
        points=points,
        masses=masses,
        heights=average - average.mean(),
        mass_error=error.value,
        mass_error_interval=(error.low, error.high),
        n_samples=used,
        converged=not message,
        history=tuple(history),
        message=message,
    )


def gap_density(gaps: np.ndarray) -> float:
    """Estimate the density at 0 of positive gaps, (n,) float array, from their lowest twentieth.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> abs(gap_density(rng.exponential(0.5, size=20_000)) - 2) < 0.2
    True
    """
    k = max(1, len(gaps) // 20)
    low = float(np.partition(gaps, k)[k])
    if not low > 0:
        raise ValueError("source: expected a density, got samples that lie between two cells")
    return k / (len(gaps) * low)


def _start(source, points, generator):
    """Heights of the linear map that would carry the source's covariance to the points'.

    If `y = A (x - m)` with `A` symmetric is that map, `u(x) = <x - m, A (x - m)> / 2` and
    `h_i = -u*(y_i) = -<y_i, A^-1 y_i> / 2 - <m, y_i>`. The source's covariance is taken as a
    multiple of the identity.
    """
    x = draw(source, 4096, points.shape[1], generator).cpu().numpy().astype(float)
    variance, axes = np.linalg.eigh(np.cov(points.T).reshape(points.shape[1], -1))
    along = points @ axes
    flat = np.maximum(variance, 1e-6 * variance.max())
    sigma = np.sqrt(x.var(axis=0).mean())
    return -(along**2 * (sigma / np.sqrt(flat))).sum(axis=1) / 2 - points @ x.mean(axis=0)


def _generator_on(device: str, generator: torch.Generator) -> torch.Generator:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
        if wanted.type == generator.device.type:
            return generator
        moved = torch.Generator(wanted)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device: expected 'auto' or a device torch has, got {device!r}"
        ) from error
    return moved.manual_seed(int(torch.randint(2**62, (), generator=generator).item()))
