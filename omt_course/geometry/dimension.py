"""Intrinsic dimension of a sample, from the distances of each point to its nearest neighbours.

On a `d`-dimensional manifold the number of sample points within distance `t` of a point grows like
`t^d`. With `T_1 <= ... <= T_k` the distances of a point to its `k` nearest neighbours, the `k - 1`
numbers `log T_k / T_j` are then independent and exponential with rate `d`, in random order. Both
estimators here read `d` from that one law. Taught in *Two laws of data*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

_TREE = 12  # largest ambient dimension in which a tree is faster than all distances


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A dimension by maximum likelihood, and what it was made of.

    Attributes
    ----------
    value : float
        `(n (k - 1) - 1) / sum_i S_i`: inverse estimates averaged, and the bias taken out.
    log_sums : (n,) float array
        `S_i = sum_{j < k} log T_k / T_j` at every point.
    k : int
        Neighbours used at every point: the scale.
    """

    value: float
    log_sums: np.ndarray
    k: int

    @property
    def standard_error(self) -> float:
        """`value / sqrt(n (k - 1))`, as if neighbourhoods did not overlap.

        They do: on uniform points of a torus in two to five dimensions the scatter is up to 1.4
        times as large.
        """
        return float(self.value / np.sqrt(len(self.log_sums) * (self.k - 1)))

    @property
    def local(self) -> np.ndarray:
        """The unbiased estimate `(k - 2) / S_i` at every point, (n,) float array; for `k >= 3`."""
        if self.k < 3:
            raise ValueError(f"k: expected at least 3 neighbours for local estimates, got {self.k}")
        if (flat := int((self.log_sums == 0).sum())) > 0:
            raise ValueError(
                f"distances: expected T_1 < T_k at every point, got {flat} points with all k equal"
            )
        return (self.k - 2) / self.log_sums


@dataclass(frozen=True, eq=False)
class TwoNearest:
    """A dimension from the ratio of the second nearest distance to the nearest.

    Attributes
    ----------
    value : float
        Slope of the line through the origin and the first `n_kept` points `(x, y)`.
    x : (n,) float array
        `log T_2 / T_1`, sorted.
    y : (n,) float array
        `-log(1 - i / n)` for `i = 1 .. n`; the last is infinite.
    n_kept : int
    """

    value: float
    x: np.ndarray
    y: np.ndarray
    n_kept: int


def nearest_distances(X: np.ndarray, k: int) -> np.ndarray:
    """Return the distances of every point to its `k` nearest neighbours, itself left out.

    Parameters
    ----------
    X : (n, D) float array
        Distinct points; images are flattened first.
    k : int
        From 1 to `n - 1`.

    Returns
    -------
    (n, k) float array
        Rows increase.

    Raises
    ------
    ValueError
        If a coordinate is not finite, points coincide, or `k` is out of range.

    Notes
    -----
    In more than 12 dimensions all distances are computed, block by block: time grows like
    `n^2 D`. The chosen neighbours are then measured again from differences, so that close points
    far from the origin keep their digits.

    Examples
    --------
    >>> nearest_distances([[0.0], [1.0], [3.0]], 2).tolist()
    [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]]
    """
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"X: expected shape (n, D), got {X.shape}")
    if (bad := int((~np.isfinite(X)).any(axis=1).sum())) > 0:
        raise ValueError(f"X: expected finite numbers, got {bad} of {len(X)} points with others")
    if not 1 <= k < len(X):
        raise ValueError(f"k: expected 1 to {len(X) - 1} for {len(X)} points, got {k}")
    if X.shape[1] <= _TREE:
        distances, index = cKDTree(X).query(X, k + 1)
        own = index == np.arange(len(X))[:, None]
        own[:, -1] |= ~own.any(axis=1)  # among points that coincide it may be missing
        distances = distances[~own].reshape(len(X), k)
    else:
        distances = _by_blocks(X, k)
    if (twins := int((distances[:, 0] == 0).sum())) > 0:
        raise ValueError(
            f"X: expected distinct points, got {twins} of {len(X)} that coincide with another; "
            "numpy.unique(X, axis=0) keeps one of each"
        )
    return distances


def maximum_likelihood(distances: np.ndarray) -> Likelihood:
    """Estimate the dimension by maximum likelihood over all points and all their neighbours.

    `(n (k - 1) - 1) / sum_i sum_{j < k} log(T_k(i) / T_j(i))`.

    Parameters
    ----------
    distances : (n, k) float array
        Positive, rows increase, as from `nearest_distances`; ``distances[:, :k]`` takes a smaller
        `k` of at least 2.

    Returns
    -------
    Likelihood

    Raises
    ------
    ValueError
        If the array is not as above, or in every row all distances are equal.

    Notes
    -----
    Levina and Bickel (2004) average the estimates of all points. Here, as MacKay and Ghahramani
    (2005) advise, their inverses are averaged: that is the maximum of the joint likelihood if
    neighbourhoods are independent. The sum is then a Gamma variable of shape `n (k - 1)` and rate
    `d`, and the `- 1` makes the estimate unbiased.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> flat = rng.random((2000, 2)) @ rng.normal(size=(2, 50))  # a plane in fifty dimensions
    >>> round(maximum_likelihood(nearest_distances(flat, 10)).value, 1)
    2.0
    """
    distances = _check(distances)
    n, k = distances.shape
    log_sums = np.log(distances[:, -1:] / distances[:, :-1]).sum(axis=1)
    total = log_sums.sum()
    if total == 0:
        raise ValueError(f"distances: expected T_1 < T_k somewhere, got {n} rows of equal entries")
    return Likelihood(float((n * (k - 1) - 1) / total), log_sums, k)


def two_nearest(distances: np.ndarray, *, discard: float = 0.1) -> TwoNearest:
    """Estimate the dimension from the two nearest neighbours only, by a line through the origin.

    The ratio `T_2 / T_1` has the law `P(T_2 / T_1 <= r) = 1 - r^-d`, so `-log(1 - F)` against its
    logarithm is a line of slope `d`.

    Parameters
    ----------
    distances : (n, k) float array
        As in `maximum_likelihood`; the first two columns are used.
    discard : float
        Share of the largest ratios left out of the fit: outliers live there.

    Returns
    -------
    TwoNearest

    Raises
    ------
    ValueError
        If the array cannot be used, or fewer than two points are left.

    Notes
    -----
    Facco, d'Errico, Rodriguez, Laio, Scientific Reports 7 (2017).

    Examples
    --------
    >>> X = np.random.default_rng(0).random((5000, 2))
    >>> round(two_nearest(nearest_distances(X, 2)).value, 1)
    2.0
    """
    distances = _check(distances)
    n = len(distances)
    if not 0 <= discard < 1:
        raise ValueError(f"discard: expected a share from 0 to less than 1, got {discard}")
    n_kept = min(int(n * (1 - discard)), n - 1)  # the last ordinate is infinite
    if n_kept < 2:
        raise ValueError(f"distances: expected at least 2 points in the fit, got {n_kept} of {n}")
    x = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    if x[n_kept - 1] == 0:
        raise ValueError(f"distances: expected T_1 < T_2 somewhere, got {n_kept} equal pairs")
    with np.errstate(divide="ignore"):
        y = -np.log1p(-np.arange(1, n + 1) / n)
    a, b = x[:n_kept], y[:n_kept]
    return TwoNearest(float(a @ b / (a @ a)), x, y, n_kept)


def swiss_roll(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw uniform points of a rolled-up rectangle: a flat surface that no plane holds.

    The spiral `(t cos t, t sin t)`, `3 pi / 2 <= t <= 9 pi / 2`, times an interval of length 21.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    X : (n, 3) float array
    flat : (n, 2) float array
        The same points unrolled: arc length and width. Distances along the surface are distances
        here.

    Examples
    --------
    >>> X, flat = swiss_roll(1000, np.random.default_rng(0))
    >>> X.shape, flat.max(axis=0).round().tolist()
    ((1000, 3), [89.0, 21.0])
    """
    ends = 1.5 * np.pi, 4.5 * np.pi
    start, end = map(_spiral_length, ends)
    flat = rng.random((n, 2)) * [end - start, 21.0]
    grid = np.linspace(*ends, 200)
    t = np.interp(flat[:, 0], _spiral_length(grid) - start, grid)
    for _ in range(3):  # Newton's method: exact to rounding
        t -= (_spiral_length(t) - start - flat[:, 0]) / np.sqrt(1 + t**2)
    return np.column_stack([t * np.cos(t), t * np.sin(t), flat[:, 1]]), flat


def _spiral_length(t):
    """Length of the spiral from its centre to the angle `t`."""
    return (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2


def _by_blocks(X, k):
    """Distances to the nearest neighbours from all pairs, a block of rows at a time."""
    X = X - X.mean(axis=0)
    square = (X**2).sum(axis=1)
    n, rows = len(X), max(1, 2**22 // len(X))
    distances = np.empty((n, k))
    for start in range(0, n, rows):
        block = X[start : start + rows]
        score = square - 2 * block @ X.T  # the squared distance, less |x|^2 of the row
        score[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        index = np.argpartition(score, k - 1, axis=1)[:, :k]
        for j in range(k):
            gap = X[index[:, j]] - block
            distances[start : start + rows, j] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
    return np.sort(distances, axis=1)


def _check(distances):
    """Return positive increasing rows, or say what is wrong with them."""
    distances = np.asarray(distances, dtype=float)
    if distances.ndim != 2 or distances.shape[1] < 2 or len(distances) < 2:
        raise ValueError(
            f"distances: expected shape (n, k) with n >= 2 and k >= 2, got {distances.shape}"
        )
    good = np.isfinite(distances).all(axis=1) & (distances > 0).all(axis=1)
    if not good.all():
        raise ValueError(
            f"distances: expected positive finite numbers, got {int((~good).sum())} of "
            f"{len(good)} rows with others"
        )
    if (bad := int((np.diff(distances, axis=1) < 0).any(axis=1).sum())) > 0:
        raise ValueError(f"distances: expected rows that increase, got {bad} that do not")
    return distances
