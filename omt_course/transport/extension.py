"""From a piecewise constant map to a generator: cut along the ridges, interpolate elsewhere.

The semi-discrete map sends a whole cell to one point. Between flat neighbours it should move on
smoothly; across a sharp ridge of Brenier's polyhedron, where the true map is torn, it should not.
Taught in *AE-OMT on MNIST* and *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np

from .inputs import check_points
from .ridges import angle_threshold, ridge_angles, singular_edges, unit_variance

__all__ = [
    "Extended",
    "Extension",
    "angle_threshold",
    "extend",
    "ridge_angles",
    "singular_edges",
    "top_scores",
    "unit_variance",
]


@dataclass(frozen=True)
class Extended:
    """Images of samples under an extended map.

    Attributes
    ----------
    values : (m, d) float array
        Where the samples go.
    cell : (m,) int array
        The cell each sample lies in.
    runner_up : (m,) int array
        The cell with the second-best score.
    ridge_angle : (m,) float array
        Angle between these two faces: of the ridge nearest in score.
    n_used : (m,) float array
        Effective number of points in the mean, `1 / sum_j weight_j^2`: 1 on a face of its own.
    """

    values: np.ndarray
    cell: np.ndarray
    runner_up: np.ndarray
    ridge_angle: np.ndarray
    n_used: np.ndarray


@dataclass(frozen=True, eq=False)
class Extension:
    """A map that is smooth on each flat piece of Brenier's polyhedron and torn between them.

    With scores `s_j(x) = <x, y_j> + h_j`, cell `i = argmax_j s_j` and the flat neighbours
    `J = {j : angle(i, j) <= threshold}`, a sample `x` goes to the mean of the `y_j, j in J`, with
    the weights (barycentric coordinates, where the `y_j` span a simplex)

        exp((s_j - s_i) / softness) / sum_{k in J} exp((s_k - s_i) / softness).

    Without a cut this is the gradient of `softness * log sum_j exp(s_j / softness)`, a smooth
    convex function that exceeds `u_h` by at most `softness * log n`: still a monotone map. As the
    softness goes to 0 it becomes `grad u_h`. With a cut it need not be monotone, but the own code
    is never dropped, so every cell keeps its samples, which it would not if those near a ridge
    were thrown away.

    Attributes
    ----------
    points : (n, d) float array
        Slopes `y_j`.
    heights : (n,) float array
    threshold : float
        Largest angle, in radians of `unit_variance(points)`, of a ridge to cross; `pi` cuts
        nothing.
    softness : float
        In the unit of the scores.
    n_neighbours : int
        Only so many best scores are looked at.
    """

    points: np.ndarray
    heights: np.ndarray
    threshold: float
    softness: float
    n_neighbours: int

    def map(self, x: np.ndarray) -> Extended:
        """Send the rows of `x`, (m, d) float array, through the extended map."""
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.points.shape[1]:
            raise ValueError(f"x: expected shape (m, {self.points.shape[1]}), got {x.shape}")
        # In blocks, since every sample looks at many points at once.
        rows = max(1, 8_000_000 // (self.n_neighbours * self.points.shape[1]))
        blocks = [self._map(x[k : k + rows]) for k in range(0, max(len(x), 1), rows)]
        parts = zip(*(vars(block).values() for block in blocks), strict=True)
        return Extended(*(np.concatenate(part) for part in parts))

    def _map(self, x):
        scores, index = top_scores(self.points, self.heights, x, self.n_neighbours)
        slopes = unit_variance(self.points)
        angles = ridge_angles(slopes, np.broadcast_to(index[:, :1], index.shape), index)
        weights = np.exp((scores - scores[:, :1]) / self.softness)
        weights *= angles <= self.threshold  # the angle of a face with itself is 0: never dropped
        weights /= weights.sum(axis=1, keepdims=True)
        return Extended(
            values=np.einsum("mk,mkd->md", weights, self.points[index]),
            cell=index[:, 0],
            runner_up=index[:, 1],
            ridge_angle=angles[:, 1],
            n_used=1 / (weights**2).sum(axis=1),
        )

    def sample(self, source, n: int, generator) -> Extended:
        """Draw `n` points of a source and map them.

        Parameters
        ----------
        source : Box, Polygon, str or callable
            A domain, with `generator` a `numpy.random.Generator`; or what
            `omt_course.transport.montecarlo.solve` takes, with a `torch.Generator`.
        n : int
        generator : numpy.random.Generator or torch.Generator
        """
        if hasattr(source, "sample"):
            return self.map(source.sample(n, generator))
        from .counting import draw  # torch, which planar problems do without

        return self.map(draw(source, n, self.points.shape[1], generator).cpu().numpy())


def top_scores(
    points: np.ndarray, heights: np.ndarray, x: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` best scores `<x, y_j> + h_j` of each row of `x`, best first.

    Parameters
    ----------
    points : (n, d) float array
    heights : (n,) float array
    x : (m, d) float array
    k : int
        At most `n`.

    Returns
    -------
    scores : (m, k) float array
    index : (m, k) int array

    Examples
    --------
    >>> scores, index = top_scores(np.eye(3), np.zeros(3), np.array([[0.1, 0.3, 0.2]]), 2)
    >>> index.tolist(), scores.tolist()
    ([[1, 2]], [[0.3, 0.2]])
    """
    k = min(k, len(points))
    rows = max(1, 4_000_000 // len(points))
    scores, index = np.empty((len(x), k)), np.empty((len(x), k), dtype=np.int64)
    for start in range(0, len(x), rows):
        block = slice(start, start + rows)
        every = x[block] @ points.T + heights
        best = np.argpartition(every, -k, axis=1)[:, -k:]
        value = np.take_along_axis(every, best, axis=1)
        order = np.argsort(-value, axis=1)
        index[block] = np.take_along_axis(best, order, axis=1)
        scores[block] = np.take_along_axis(value, order, axis=1)
    return scores, index


def extend(
    points: np.ndarray,
    heights: np.ndarray,
    x: np.ndarray,
    *,
    threshold: float | None = None,
    softness: float = 0.5,
    n_neighbours: int = 32,
) -> Extension:
    """Build the extension of `grad u_h` with its two numbers read off samples of the source.

    Parameters
    ----------
    points : (n, d) float array
        Distinct, at least two.
    heights : (n,) float array
        As solved for.
    x : (m, d) float array
        Samples of the source, a few thousand.
    threshold : float, optional
        Angle of the cut in radians. Left out: `angle_threshold` of the ridges nearest to `x`.
    softness : float
        In units of the median gap between the best and the second-best score.
    n_neighbours : int
        Scores looked at for each sample, at least 2.

    Returns
    -------
    Extension

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    The cut by angle is from An et al., AE-OT (ICLR 2020), the softened maximum from entropic
    transport; the threshold from the data is ours.

    Examples
    --------
    >>> from omt_course.transport import semidiscrete
    >>> from omt_course.transport.domains import disk
    >>> rng = np.random.default_rng(0)
    >>> centers = np.array([[2, 0], [-1, 1.7], [-1, -1.7]])
    >>> points = np.repeat(centers, 30, axis=0) + 0.1 * rng.normal(size=(90, 2))
    >>> result = semidiscrete.solve(disk(), points)
    >>> extension = extend(points, result.heights, disk().sample(2000, rng))
    >>> moved = extension.sample(disk(), 1000, rng)
    >>> far = np.linalg.norm(moved.values[:, None] - centers, axis=2).min(axis=1)
    >>> bool((far < 0.5).all())  # nothing lands between the clusters
    True
    """
    points = check_points(points)
    heights = np.asarray(heights, dtype=float)
    if heights.shape != (len(points),) or not np.isfinite(heights).all():
        raise ValueError(f"heights: expected {len(points)} finite numbers, got {heights.shape}")
    if threshold is not None and not 0 <= threshold <= np.pi:
        raise ValueError(f"threshold: expected an angle between 0 and pi, got {threshold}")
    if not (np.isfinite(softness) and softness > 0):
        raise ValueError(f"softness: expected a positive number, got {softness}")
    if n_neighbours < 2 or len(points) < 2:
        raise ValueError(
            f"n_neighbours: expected at least 2 of at least 2 points, "
            f"got {n_neighbours} of {len(points)}"
        )
    scores, index = top_scores(points, heights, np.asarray(x, dtype=float), 2)
    if threshold is None:
        threshold = angle_threshold(ridge_angles(unit_variance(points), index[:, 0], index[:, 1]))
    return Extension(
        points=points,
        heights=heights,
        threshold=float(threshold),
        softness=float(softness * np.median(scores[:, 0] - scores[:, 1])),
        n_neighbours=int(n_neighbours),
    )
