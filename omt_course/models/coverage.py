"""Quality and variety apart: whether samples lie where data lie, and data near samples.

Both questions are asked of balls: around each point of a set, one that just reaches its k-th
nearest neighbour in that set. The union of the balls stands for the support. Taught in
*AE-OMT on MNIST*.
"""

from dataclasses import dataclass

import numpy as np

from omt_course.models.classifier import Features

__all__ = ["Supports", "compare_supports", "expected_coverage", "neighbour_radii"]

_SPARE = 4  # neighbours more than wanted, whose distances are computed again without cancellation


@dataclass(frozen=True)
class Supports:
    """How the supports of generated and real items overlap.

    Attributes
    ----------
    precision : float
        Share of generated items that lie in a ball of a real one.
    recall : float
        Share of real items that lie in a ball of a generated one.
    density : float
        Mean number of real balls over a generated item, divided by k: about 1 for two samples of
        one law, and not spoilt by a single large ball as precision is.
    coverage : float
        Share of real balls that hold a generated item; for two samples of one law, see
        `expected_coverage`.
    k : int
    n : (int, int)
        Real and generated items.
    features : str
        Name of the features.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    n: tuple[int, int]
    features: str


def compare_supports(
    real: Features | np.ndarray, made: Features | np.ndarray, *, k: int = 5, chunk: int = 1000
) -> Supports:
    """Compare the supports of two samples by balls that reach the k-th nearest neighbour.

    Balls are closed. All pairs are looked at, so the cost is the product of the sizes; pairs on
    the rim of a ball, up to round-off, are decided by their differences.

    Parameters
    ----------
    real, made : Features, or (n, d) and (m, d) float array
        More than `k` rows each.
    k : int
    chunk : int
        Rows handled at once; memory grows with ``chunk`` times the larger size.

    Returns
    -------
    Supports

    Raises
    ------
    ValueError
        If shapes do not agree, values are not finite, or the features are of different networks.

    Notes
    -----
    Source: Kynkaanniemi, Karras, Laine, Lehtinen, Aila, NeurIPS 2019 (precision, recall); Naeem,
    Oh, Uh, Choi, Yoo, ICML 2020 (density, coverage).

    Examples
    --------
    >>> real, made = np.arange(10.0)[:, None], np.arange(5.0)[:, None]
    >>> found = compare_supports(real, made, k=1)
    >>> found.precision, found.recall, found.density, found.coverage
    (1.0, 0.6, 2.8, 0.6)
    """
    names = {x.name for x in (real, made) if isinstance(x, Features)}
    if len(names) > 1:
        raise ValueError(
            f"made: expected features of one network; got {' and '.join(sorted(names))}"
        )
    a, b = (x.values if isinstance(x, Features) else x for x in (real, made))
    a, b = _checked("real", a, k), _checked("made", b, k)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"made: expected {a.shape[1]} columns as in real; got {b.shape[1]}")
    of_real, of_made = (neighbour_radii(x, k=k, chunk=chunk) for x in (a, b))
    over_made = np.zeros(len(b), dtype=int)  # real balls over each generated item
    over_real = np.zeros(len(a), dtype=bool)  # whether a generated ball lies over the item
    filled = np.zeros(len(a), dtype=bool)  # whether a generated item lies in the ball
    centre = a.mean(axis=0)
    for rows in _chunks(len(a), chunk):
        table = _squared_table(a[rows] - centre, b - centre)
        inside = _inside(table, a[rows], b, of_real[rows, None] ** 2)
        over_made += inside.sum(axis=0)
        filled[rows] = inside.any(axis=1)
        over_real[rows] = _inside(table, a[rows], b, of_made[None] ** 2).any(axis=1)
    return Supports(
        precision=float((over_made > 0).mean()),
        recall=float(over_real.mean()),
        density=float(over_made.mean() / k),
        coverage=float(filled.mean()),
        k=k,
        n=(len(a), len(b)),
        features=names.pop() if names else "features given as arrays",
    )


def neighbour_radii(points: np.ndarray, *, k: int, chunk: int = 1000) -> np.ndarray:
    """Return the distance of each point to the k-th nearest of the others.

    Parameters
    ----------
    points : (n, d) float array
        More than `k` rows.
    k : int
    chunk : int
        Rows handled at once.

    Returns
    -------
    radii : (n,) float64 array

    Examples
    --------
    >>> neighbour_radii(np.array([[0.0], [1.0], [3.0], [7.0]]), k=2)
    array([3., 2., 3., 6.])
    """
    points = _checked("points", points, k)
    centred = points - points.mean(axis=0)
    radii = np.empty(len(points))
    for rows in _chunks(len(points), chunk):
        table = _squared_table(centred[rows], centred)
        own = np.arange(len(points))[rows]
        table[np.arange(len(own)), own] = np.inf
        last = min(k + _SPARE, len(points) - 1)
        near = np.argpartition(table, last - 1, axis=1)[:, :last]
        exact = ((points[rows, None] - points[near]) ** 2).sum(axis=2)  # (rows, last)
        radii[rows] = np.sqrt(np.sort(exact, axis=1)[:, k - 1])
    return radii


def expected_coverage(n_real: int, n_made: int, *, k: int) -> float:
    """Return the mean coverage of two samples of one law without ties, whatever the law.

    ``1 - prod_{j=1..k} (n_real - j) / (n_real + n_made - j)``.

    Notes
    -----
    Source: Naeem, Oh, Uh, Choi, Yoo, ICML 2020. The ball of a real item is empty if its
    k nearest among all other items, real and made, are real.

    Examples
    --------
    >>> expected_coverage(2, 1, k=1)
    0.5
    """
    j = np.arange(1, k + 1)
    return float(1 - np.prod((n_real - j) / (n_real + n_made - j)))


def _squared_table(a, b):
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


def _inside(table, a, b, squared_radii):
    """Return whether |a_i - b_j|^2 is at most the squared radius; the rim is decided exactly."""
    gap = table - squared_radii
    inside = gap <= 0
    # Round-off of the table is far below this share of the largest square.
    rim = np.abs(gap) <= 1e-11 * max(np.abs(table).max(), 1e-300)
    i, j = np.nonzero(rim)
    exact = np.sqrt(((a[i] - b[j]) ** 2).sum(axis=1))
    radii = np.sqrt(np.broadcast_to(squared_radii, table.shape)[i, j])
    inside[i, j] = exact <= radii * (1 + 1e-14)  # a neighbour at the radius itself is inside
    return inside


def _chunks(n, chunk):
    return [slice(start, min(start + chunk, n)) for start in range(0, n, chunk)]


def _checked(name, values, k):
    array = np.asarray(values, dtype=np.float64)
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k: expected a positive integer; got {k!r}")
    if array.ndim != 2 or len(array) <= k:
        raise ValueError(f"{name}: expected shape (n, d) with n > {k}; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
    return array
