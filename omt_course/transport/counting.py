"""Count how many samples of a source fall into each cell of `u_h`, in any dimension.

The slow part of Monte-Carlo transport is `argmax_i <x, y_i> + h_i` for millions of `x`. A product
source splits: with `x = (a, b)` the score is `(<a, y'_i> + h_i) + <b, y''_i>`, so `K` halves of
each kind give `K^2` samples for the inner products of `2 K`. What remains, an addition and a
comparison for each sample and cell, is compiled, and a bound skips the cells that cannot win.
Taught in *Transport in a hundred dimensions*.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch

from .scoring import CHUNK, Scorer

# Samples counted with the same heights, until the solver asks for more.
BATCH = 2**14
# Independent samples drawn at a time.
ROWS = 2**16

Sampler = Callable[[int, int, torch.Generator], torch.Tensor]


def draw(source: str | Sampler, n: int, d: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `n` independent points of a source in dimension `d`.

    Parameters
    ----------
    source : {"cube", "ball", "gaussian"} or callable
        Uniform on `[-1/2, 1/2]^d`, uniform on the unit ball, standard normal, or a sampler
        `f(n, d, generator) -> (n, d) float tensor`.
    n, d : int
        Number and dimension.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    (n, d) float32 tensor

    Raises
    ------
    ValueError
        If the source is unknown or a sampler returns something else.

    Examples
    --------
    >>> x = draw("ball", 1000, 3, torch.Generator().manual_seed(0))
    >>> bool((x.norm(dim=1) <= 1).all())
    True
    """
    options = {"generator": generator, "device": generator.device}
    if source == "cube":
        return torch.rand(n, d, **options) - 0.5
    if source == "gaussian":
        return torch.randn(n, d, **options)
    if source == "ball":
        x = torch.randn(n, d, **options)
        radius = torch.rand(n, 1, **options) ** (1 / d)
        return x * (radius / x.norm(dim=1, keepdim=True))
    if not callable(source):
        raise ValueError(
            f"source: expected 'cube', 'ball', 'gaussian' or a sampler f(n, d, generator), "
            f"got {source!r}"
        )
    x = source(n, d, generator)
    if not isinstance(x, torch.Tensor) or x.shape != (n, d):
        got = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"source: expected the sampler to return a tensor ({n}, {d}), got {got}")
    if not torch.isfinite(x).all():
        raise ValueError("source: expected the sampler to return finite numbers, got nan or inf")
    return x.to(torch.float32)


def grid_side(n: int) -> int:
    """Return how many halves of each kind a grid has, for `n` cells.

    More make a sample cheaper and the samples of a grid more alike, the less so the more cells
    there are. Variance times time, measured: least at 48 for 5,000 cells in 32 dimensions (a third
    more at 32, a sixth more at 64), at 64 or above for 20,000 in 16 (a third more at 32).

    Examples
    --------
    >>> [grid_side(n) for n in (100, 5_000, 60_000)]
    [32, 48, 64]
    """
    return 32 if n < 2_000 else 48 if n < 20_000 else 64


class CellCounter:
    """Counts samples per cell for fixed points, heights changing from call to call.

    Memory: two tables of `side * n` scores for each thread on a grid, else `chunk` scores.

    Parameters
    ----------
    source : str or callable
        As for `draw`.
    points : (n, d) float array
        Slopes `y_i`.
    generator : torch.Generator
        Its device decides where the scores are computed.
    precision, chunk
        As for `omt_course.transport.scoring.Scorer`; grids are counted in float32 only.
    """

    def __init__(
        self,
        source: str | Sampler,
        points: np.ndarray,
        generator: torch.Generator,
        *,
        precision: str = "float32",
        chunk: int = CHUNK,
    ):
        self.source, self.generator = source, generator
        self.n, self.d = points.shape
        self.on_grid = (
            source in ("cube", "gaussian")
            and self.d >= 2
            and generator.device.type == "cpu"
            and precision == "float32"
        )
        self.side = grid_side(self.n)
        # Short codes first: they win most often, so the bound gets sharp early.
        self.order = np.argsort((points**2).sum(axis=1), kind="stable")
        y = torch.as_tensor(points[self.order], dtype=torch.float32).to(generator.device)
        self.scorer = Scorer(y, precision=precision, chunk=chunk)
        self.batch = BATCH

    @property
    def y(self) -> torch.Tensor:
        """The points, shortest first, (n, d) float32 tensor."""
        return self.scorer.exact

    @property
    def batch(self) -> int:
        """Samples in a call; when set, rounded up to whole grids."""
        return self._batch

    @batch.setter
    def batch(self, size: int):
        self._batch = -(-size // self.side**2) * self.side**2 if self.on_grid else size

    def __call__(self, heights: np.ndarray) -> np.ndarray:
        """Return the cell counts of `batch` fresh samples, (n,) int64 array."""
        h = self._sorted(heights)
        if self.on_grid:
            counts = self._grid(h)
        else:
            counts = self._rows(h)
        back = np.empty(self.n, dtype=np.int64)
        back[self.order] = counts
        return back

    def _sorted(self, heights):
        h = torch.as_tensor(heights[self.order] - heights.max(), dtype=torch.float32)
        return h.to(self.y.device)

    def _rows(self, h: torch.Tensor) -> np.ndarray:
        counts = torch.zeros(self.n, dtype=torch.int64, device=h.device)
        for done in range(0, self.batch, ROWS):  # ROWS, not the chunk, decides what is drawn
            x = draw(self.source, min(ROWS, self.batch - done), self.d, self.generator)
            counts += torch.bincount(self.scorer.winners(h, x), minlength=self.n)
        return counts.cpu().numpy()

    def _grid(self, h: torch.Tensor) -> np.ndarray:
        side, m = self.side, self.d // 2
        grids = self.batch // side**2
        a = draw(self.source, grids * side, m, self.generator)
        b = draw(self.source, grids * side, self.d - m, self.generator)
        # The height is one more coordinate of the first half.
        a = torch.cat([a, torch.ones(len(a), 1)], dim=1).split(side)
        first = torch.cat([self.y[:, :m], h[:, None]], dim=1).T
        # Tables are made again and again in the same memory: new pages would cost more than sums.
        threads = min(grids, torch.get_num_threads())
        tables = [(torch.empty(side, self.n), torch.empty(self.n, side)) for _ in range(threads)]
        counts = np.zeros(self.n, dtype=np.int64)
        with ThreadPoolExecutor(threads) as pool:
            for done in range(0, grids, threads):
                jobs = tables[: grids - done]
                for k, (left, right) in enumerate(jobs, start=done):
                    torch.mm(a[k], first, out=left)
                    torch.mm(self.y[:, m:], b[k * side : (k + 1) * side].T, out=right)
                arrays = [(left.numpy(), right.numpy()) for left, right in jobs]
                counts += sum(pool.map(lambda job: count_pairs(*job), arrays))
        return counts

    def gaps(self, heights: np.ndarray, n: int) -> np.ndarray:
        """Return best less second-best score for `n` fresh samples, (n,) float array."""
        x = draw(self.source, n, self.d, self.generator)
        top = self.scorer.reduce(
            self._sorted(heights), x, lambda scores: scores.topk(2, dim=1).values
        )
        return (top[:, 0] - top[:, 1]).cpu().numpy().astype(float)

    def misranked(self, heights: np.ndarray, n: int) -> float:
        """Return the share of `n` fresh samples whose cell is another in float64."""
        x = draw(self.source, n, self.d, self.generator)
        return self.scorer.misranked(heights[self.order] - heights.max(), x)


@numba.njit(fastmath=True, nogil=True, cache=True)
def count_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count `argmax_i a[k, i] + b[i, l]` over all pairs `(k, l)`.

    A cell can win a pair of row `k` only if `a[k, i] + max_l b[i, l]` exceeds the least of the
    best scores so far. One pass over a block of cells lists those that can; a second compares them.

    Parameters
    ----------
    a : (K, n) float32 array
    b : (n, L) float32 array

    Returns
    -------
    (n,) int64 array
        Counts, summing to `K L`. Of equal scores the first wins.

    Examples
    --------
    >>> a = np.array([[0, 1, 2]], dtype=np.float32)
    >>> b = np.array([[3, 0], [0, 0], [0, 0]], dtype=np.float32)
    >>> count_pairs(a, b).tolist()
    [1, 0, 1]
    """
    n, n_columns = b.shape
    counts = np.zeros(n, np.int64)
    top = np.empty(n, np.float32)
    for i in range(n):
        highest = b[i, 0]
        for c in range(1, n_columns):
            highest = b[i, c] if b[i, c] > highest else highest
        top[i] = highest
    best = np.full((a.shape[0], n_columns), np.float32(-3e38))
    winner = np.zeros((a.shape[0], n_columns), np.int32)
    reached = np.full(a.shape[0], np.float32(-3e38))
    able = np.empty(256, np.int32)
    for first in range(0, n, 256):  # block by block, so that its part of b stays in the cache
        last = min(first + 256, n)
        for k in range(a.shape[0]):
            m, lowest = 0, reached[k]
            for i in range(first, last):  # no branch: what is not kept is written over
                able[m] = i
                m += 1 if a[k, i] + top[i] > lowest else 0
            if m == 0:
                continue
            for i in able[:m]:
                x = a[k, i]
                for c in range(n_columns):  # vectorised: an addition and two selects
                    v = x + b[i, c]
                    wins = v > best[k, c]
                    best[k, c] = v if wins else best[k, c]
                    winner[k, c] = i if wins else winner[k, c]
            lowest = best[k, 0]
            for c in range(1, n_columns):
                lowest = best[k, c] if best[k, c] < lowest else lowest
            reached[k] = lowest
    for k in range(a.shape[0]):
        for c in range(n_columns):
            counts[winner[k, c]] += 1
    return counts
