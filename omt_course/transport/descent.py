"""The iteration of Monte-Carlo transport: its state, one step of it, and the file that keeps it.

Taught in *Transport in a hundred dimensions*.
"""

import hashlib
import io
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from omt_course.files import write_atomically

from .counting import CellCounter, Sampler, draw
from .mass_error import MassError, estimate_mass_error
from .ranks import Ranks, SharedCounter

# The average weights an iterate by the samples drawn up to it, to this power: enough to forget
# the start, at the price of a factor 4/3 in variance.
AVERAGING = 1.0
# A batch is this share of the samples before it: few steps at the end, many at the start.
GROWTH = 1 / 40
# Seconds between two checkpoints, those at a look apart.
SAVE_EVERY = 20.0

_FORMAT = "omt_course.montecarlo/1"


@dataclass(frozen=True)
class MonteCarloStep:
    """One look at the averaged heights: samples used so far, seconds, measured error."""

    n_samples: int
    seconds: float
    error: MassError


@dataclass
class Descent:
    """State of a run; `step` changes it in place.

    Attributes
    ----------
    heights, average : (n,) float array
        The last iterate, and the average of all.
    weight : float
        Sum of the weights in the average.
    used, steps : int
        Samples and steps so far.
    density : float
        Of the gap between best and second-best score, at 0.
    refresh : int
        The step at which it is estimated anew.
    next_look : int
        Samples at which the average is tested.
    seconds : float
        Time so far, that before an interruption included.
    history : list of MonteCarloStep
    """

    heights: np.ndarray
    average: np.ndarray
    next_look: int
    weight: float = 0.0
    used: int = 0
    steps: int = 0
    density: float = 1.0
    refresh: int = 0
    seconds: float = 0.0
    history: list[MonteCarloStep] = field(default_factory=list)

    def step(self, counter: CellCounter | SharedCounter, masses: np.ndarray, batch: int) -> None:
        """Draw at least `batch` fresh samples, move the heights, update the average."""
        counter.batch = max(batch, int(GROWTH * self.used))
        if self.steps == self.refresh:
            self.density = gap_density(counter.gaps(self.heights, 4096))
            self.refresh = 8 * self.refresh + 8
        self.steps += 1
        # Steps of constant length would leave a bias in the average; the square root is theirs.
        step = min(1.0, 2 / np.sqrt(self.steps))
        step = step * (counter(self.heights) / counter.batch / masses - 1)
        # Far from the answer a cell may hold many times its mass; a full step would throw it out.
        # The bound is lifted as steps shrink: kept, it would favour cells of little mass for good.
        self.heights = self.heights - np.minimum(step, 2.0) / self.density
        self.used += counter.batch
        gain = counter.batch * self.used**AVERAGING
        self.weight += gain
        self.average += (gain / self.weight) * (self.heights - self.average)

    def look(
        self,
        judge: CellCounter | SharedCounter,
        masses: np.ndarray,
        target_error: float,
        batch: int,
        *,
        last: bool,
    ) -> None:
        """Measure the error of the average, in batches of `batch`, and say when to look again."""
        judge.batch = batch
        error = estimate_mass_error(judge, self.average, masses, max(self.used // 16, 100_000))
        if error.value <= 0.88 * target_error or error.high <= target_error or last:
            # Looking often and stopping at a good moment is optimistic: the second look, at
            # fresh samples, is the one that is reported. It is as long as it takes to make the
            # interval's half-width a fifth of the squared target, judged by the first.
            n_test = int(error.n_samples * 10 * error.squared_spread / target_error**2)
            n_test = int(np.clip(n_test, 100_000, self.used))
            error = estimate_mass_error(judge, self.average, masses, n_test)
        self.history.append(MonteCarloStep(self.used, self.seconds, error))
        growth = (error.value / (0.85 * target_error)) ** 2
        self.next_look = int(self.used * np.clip(growth, 1.15, 4.0))

    def save(self, path: str | Path, settings: dict, states: list[torch.Tensor]) -> None:
        """Write the state to `path`, with the random generators' states of all ranks."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        history = [asdict(step) for step in self.history]
        text = json.dumps(
            {"format": _FORMAT, "settings": settings, "numbers": numbers, "history": history}
        )
        buffer = io.BytesIO()
        np.savez(
            buffer,
            text=np.array(text),
            heights=self.heights,
            average=self.average,
            states=np.stack([state.cpu().numpy() for state in states]),
        )
        write_atomically(path, lambda stream: stream.write(buffer.getvalue()))


_NUMBERS = ("next_look", "weight", "used", "steps", "density", "refresh", "seconds")


def load(path: str | Path, settings: dict) -> tuple[Descent, list[torch.Tensor]]:
    """Read a state that `Descent.save` wrote, and check that it continues this very run.

    Raises
    ------
    ValueError
        If the file is damaged or something else, or of a run with other settings.
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stored = json.loads(str(arrays["text"]))
        if stored["format"] != _FORMAT:
            raise ValueError(f"it has the format {stored['format']}")
        states = [torch.from_numpy(state.copy()) for state in arrays["states"]]
        history = [
            MonteCarloStep(**{**step, "error": MassError(**step["error"])})
            for step in stored["history"]
        ]
        state = Descent(arrays["heights"], arrays["average"], **stored["numbers"], history=history)
    except Exception as why:  # damage shows itself in many ways
        raise ValueError(
            f"checkpoint: expected a file written by montecarlo.solve; {path} is damaged or "
            f"something else ({why}); delete it to start over"
        ) from why
    for name, value in settings.items():
        if stored["settings"].get(name) != value:
            raise ValueError(
                f"checkpoint: {path} is of a run with other {name}: it has "
                f"{stored['settings'].get(name)}, this run {value}; pass resume=False to start over"
            )
    return state, states


def digest(array: np.ndarray) -> str:
    """Return a short name for the shape and content of an array."""
    content = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
    return f"{'x'.join(map(str, array.shape))}:{content[:16]}"


def keep(path, state: Descent, settings: dict, generator, ranks: Ranks | None) -> None:
    """Save the state with the generators of all ranks; the first rank writes."""
    states = [generator.get_state()] if ranks is None else ranks.gather(generator.get_state())
    if ranks is None or ranks.rank == 0:
        state.save(path, settings, states)


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


def start(source: str | Sampler, points: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Return the heights of the linear map that would carry the source's covariance to the points'.

    If `y = A (x - m)` with `A` symmetric is that map, `u(x) = <x - m, A (x - m)> / 2` and
    `h_i = -u*(y_i) = -<y_i, A^-1 y_i> / 2 - <m, y_i>`. The source's covariance is taken as a
    multiple of the identity.

    Parameters
    ----------
    source : str or callable
    points : (n, d) float array
        With mean 0.
    generator : torch.Generator

    Returns
    -------
    (n,) float array
    """
    x = draw(source, 4096, points.shape[1], generator).cpu().numpy().astype(float)
    variance, axes = np.linalg.eigh(np.cov(points.T).reshape(points.shape[1], -1))
    along = points @ axes
    flat = np.maximum(variance, 1e-6 * variance.max())
    sigma = np.sqrt(x.var(axis=0).mean())
    return -(along**2 * (sigma / np.sqrt(flat))).sum(axis=1) / 2 - points @ x.mean(axis=0)


class Clock:
    """Seconds of a run over its interruptions, and when to save next."""

    def __init__(self, before: float):
        self.began = time.perf_counter() - before
        self.saved = before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return time.perf_counter() - self.began

    def save_is_due(self) -> bool:
        """Return whether `SAVE_EVERY` seconds have passed since it last said so."""
        due = self.seconds() - self.saved >= SAVE_EVERY
        if due:
            self.saved = self.seconds()
        return due
