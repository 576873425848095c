"""Semi-discrete optimal transport in any dimension, by Monte-Carlo on the heights.

The energy `E(h) = int u_h dmu - sum_i nu_i h_i` has the gradient `w(h) - nu`, and `w` is a
probability that samples can estimate. Every step draws fresh samples, the answer is an average of
the iterates, and the error that is reported is measured on samples the solver never saw.
Taught in *Transport in a hundred dimensions*.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path

import numpy as np
import torch

from . import descent
from .counting import BATCH, CellCounter, Sampler
from .descent import Clock, Descent, MonteCarloStep
from .inputs import check_masses, check_points
from .newton import NotConverged
from .ranks import Ranks, SharedCounter
from .scoring import CHUNK, best


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
    misranked : float
        Share of 1,024 fresh samples that float64 scores send to another cell.
    resumed_from : int
        Samples that came from the checkpoint.
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
    misranked: float
    resumed_from: int
    history: tuple[MonteCarloStep, ...] = field(repr=False)
    message: str

    def assign(self, x: np.ndarray | torch.Tensor) -> np.ndarray:
        """Return the cell of each row of `x`, (m, d): (m,) int array."""
        x = torch.as_tensor(x, dtype=torch.float64)
        if x.ndim != 2 or x.shape[1] != self.points.shape[1]:
            raise ValueError(f"x: expected (m, {self.points.shape[1]}), got {tuple(x.shape)}")
        y, h = torch.tensor(self.points), torch.tensor(self.heights)
        rows = max(1, 4_000_000 // len(y))
        return torch.cat([best(torch.addmm(h, part, y.T)) for part in x.split(rows)]).numpy()

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
    precision: str = "float32",
    chunk: int = CHUNK,
    ranks: Ranks | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = True,
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
    precision : {"float32", "tf32", "bfloat16"}
        Of the coordinates in the scores that move the heights. The held-out error is measured in
        float32 whatever it is. Below float32 time is gained on a GPU only.
    chunk : int
        Scores in memory at a time where no grid is used. A GPU that runs out of memory goes on
        with half of them, and a warning.
    ranks : omt_course.transport.ranks.Ranks, optional
        Processes that share the work; each calls `solve` with the same arguments.
    checkpoint : path, optional
        File written at every look and every 20 seconds, aside and renamed. An interrupted run
        continues from it; on a CPU, with the same seed and threads, to the same heights bit for
        bit. (A sampler of your own must then draw from its `generator` alone.)
    resume : bool
        Continue from `checkpoint` if it exists; with False, start over and overwrite it.

    Returns
    -------
    MonteCarloResult

    Raises
    ------
    ValueError
        If an argument cannot be used, differs between ranks, or does not fit the checkpoint.
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
    seed = generator.initial_seed()
    generator = _generator_on(device, generator)
    # A constant added to all points changes no cell; about their mean, float32 scores hold best.
    centered = points - points.mean(axis=0)
    if len(np.unique(centered.astype(np.float32), axis=0)) < len(points):
        raise ValueError("points: expected points that float32 can tell apart; merge the nearest")
    settings = {
        "points": descent.digest(points),
        "masses": descent.digest(masses),
        "source": getattr(source, "__qualname__", source),
        "target_error": float(target_error),
        "seed": seed,
        "device": generator.device.type,
        "precision": precision,
        "ranks": 1 if ranks is None else ranks.size,
    }
    if ranks is not None and ranks.size > 1:
        ranks.check_same(**settings)
        generator = ranks.own_generator(generator)
    else:
        ranks = None
    counter = CellCounter(source, centered, generator, precision=precision, chunk=chunk)
    judge = counter  # of the held-out error: in float32, whatever moves the heights
    if precision != "float32":
        judge = CellCounter(source, centered, generator, chunk=chunk)
    if ranks is not None:
        counter, judge = SharedCounter(counter, ranks), SharedCounter(judge, ranks)
    state = _start_or_resume(
        source, centered, target_error, generator, ranks, checkpoint, settings, resume
    )
    resumed_from, clock = state.used, Clock(state.seconds)
    while True:
        out = state.used >= max_samples or (
            max_seconds is not None and state.seconds >= max_seconds
        )
        if state.history and state.history[-1].n_samples == state.used:
            error = state.history[-1].error
            if error.high <= target_error or out:
                break
        state.step(counter, masses, BATCH)
        state.seconds = _same(ranks, clock.seconds())
        out = state.used >= max_samples or (
            max_seconds is not None and state.seconds >= max_seconds
        )
        if state.used < state.next_look and not out:
            if checkpoint is not None and _same(ranks, clock.save_is_due()):
                descent.keep(checkpoint, state, settings, generator, ranks)
            continue
        state.look(judge, masses, target_error, BATCH, last=out)
        if callback is not None:  # before the file: a crash repeats a look, and misses none
            callback(state.history[-1])
        if checkpoint is not None:
            descent.keep(checkpoint, state, settings, generator, ranks)

    message = ""
    if error.high > target_error:
        message = (
            f"mass error {error.value:.3g} (at most {error.high:.3g} with 95 % confidence) after "
            f"{state.used:,} samples and {state.seconds:.1f} s, target_error = {target_error:.3g}; "
            f"allow more samples or seconds, or ask for less"
        )
    if message and strict:
        raise NotConverged(f"montecarlo.solve: {message}", tuple(state.history), state.average)
    misranked = counter.misranked(state.average, 1024)
    if misranked > max(0.01, target_error):
        warnings.warn(
            f"scores in {precision} send {100 * misranked:.1f} % of the samples to another cell "
            f"than float64: use a higher precision, or scale the points down to what matters",
            RuntimeWarning,
            stacklevel=2,
        )
    return MonteCarloResult(
        source=source,
        points=points,
        masses=masses,
        heights=state.average - state.average.mean(),
        mass_error=error.value,
        mass_error_interval=(error.low, error.high),
        n_samples=state.used,
        converged=not message,
        misranked=misranked,
        resumed_from=resumed_from,
        history=tuple(state.history),
        message=message,
    )


def _start_or_resume(source, points, target_error, generator, ranks, checkpoint, settings, resume):
    """Return the state to begin with, and leave the generator as it was when it was saved."""
    if checkpoint is not None and resume and Path(checkpoint).exists():
        state, states = descent.load(checkpoint, settings)
        generator.set_state(states[0 if ranks is None else ranks.rank])
        return state
    heights = descent.start(source, points, generator)
    if ranks is not None:
        heights = ranks.first(heights)
    next_look = max(int(len(points) / target_error**2), 20 * BATCH)
    return Descent(heights, heights.copy(), next_look)


def _same(ranks, value):
    """Return the first rank's value: a clock must not send ranks different ways."""
    return value if ranks is None else ranks.first(value)


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
