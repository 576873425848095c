"""Wasserstein distances between the classes of a labelled sample, and a test that they matter.

Two samples of one law are not at distance zero. So every class is cut in two halves `A_i`, `B_i` of
one size: `W2^2(A_i, B_i)` says how far two samples of the same class are, and is what `W2^2(A_i,
B_j)` has to be compared with. Taught in *Two laws of data*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .costs import finite_array


@dataclass(frozen=True, eq=False)
class ClassDistances:
    """Squared Wasserstein distances between halves of classes.

    Attributes
    ----------
    classes : (c,) array
        The labels, sorted.
    w2_squared : (c, c) float array
        Off the diagonal the mean of `W2^2(A_i, B_j)` and `W2^2(A_j, B_i)`, on it `W2^2(A_i, B_i)`.
    size : int
        Points in a half.
    """

    classes: np.ndarray
    w2_squared: np.ndarray
    size: int

    @property
    def within(self) -> np.ndarray:
        """Distance of the two halves of each class, (c,) float array."""
        return np.diag(self.w2_squared)

    @property
    def corrected(self) -> np.ndarray:
        """`W2^2` less the mean of what the two classes show within, (c, c) float array.

        Its expectation is zero for two classes with one law, and exactly `W2^2` for two laws that
        are translates of each other. Single entries may be negative.
        """
        return self.w2_squared - (self.within[:, None] + self.within) / 2

    @property
    def statistic(self) -> float:
        """Mean distance between classes less mean distance within."""
        c = len(self.classes)
        return float(self.corrected.sum() / (c * (c - 1)))


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """A statistic beside its values under random labels.

    Attributes
    ----------
    statistic : float
    null : (b,) float array
    p_value : float
        `(1 + #{null >= statistic}) / (1 + b)`: valid for every number of permutations.
    """

    statistic: float
    null: np.ndarray
    p_value: float


def w2_squared(x: np.ndarray, y: np.ndarray) -> float:
    """Return `W2^2` between two samples of one size, every point of mass `1/n`.

    Parameters
    ----------
    x, y : (n, d) float arrays

    Raises
    ------
    ValueError
        If the shapes differ or a number is not finite.

    Examples
    --------
    >>> w2_squared([[0.0], [1.0]], [[3.0], [2.0]])
    4.0
    """
    x, y = finite_array("x", x, 2), finite_array("y", y, 2)
    if x.shape != y.shape:
        raise ValueError(f"y: expected the shape of x, {x.shape}, got {y.shape}")
    return _matched(cdist(x, y, "sqeuclidean"))


def class_distances(
    x: np.ndarray, labels: np.ndarray, *, size: int, rng: np.random.Generator
) -> ClassDistances:
    """Draw two halves of every class at random and return all distances between them.

    Parameters
    ----------
    x : (n, d) float array
        Codes, or any other coordinates.
    labels : (n,) int array
    size : int
        Points in a half; every class needs twice as many.
    rng : numpy.random.Generator
        Draws the halves, without replacement.

    Returns
    -------
    ClassDistances

    Raises
    ------
    ValueError
        If the shapes do not fit, there is one class only, or a class is too small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 2))
    >>> labels = np.repeat([0, 1], 200)
    >>> x[labels == 1] += [3.0, 0.0]  # W2^2 = 9
    >>> class_distances(x, labels, size=100, rng=rng).corrected.round(1).tolist()
    [[0.0, 9.3], [9.3, 0.0]]
    """
    x, labels = _check(x, labels)
    classes, halves = _halves(labels, size, rng)
    cost = _squared(x[halves[:, 0].ravel()], x[halves[:, 1].ravel()])
    order = np.arange(len(classes) * size).reshape(-1, size)
    return ClassDistances(classes, _matrix(cost, order, order), size)


def permutation_test(
    x: np.ndarray,
    labels: np.ndarray,
    *,
    size: int,
    n_permutations: int,
    rng: np.random.Generator,
) -> PermutationTest:
    """Test whether all classes have one law, by giving their labels out at random.

    The statistic is `ClassDistances.statistic`. If all points are independent draws from one law,
    whatever their label, then labels in random order give the same law of the statistic, and
    `P(p_value <= t) <= t` for every `t`.

    Parameters
    ----------
    x, labels, size, rng
        As in `class_distances`. The points of the halves are drawn once, their labels permuted.
    n_permutations : int

    Returns
    -------
    PermutationTest

    Raises
    ------
    ValueError
        As in `class_distances`, or if there are no permutations.

    Notes
    -----
    Phipson and Smyth (2010) on why the count is raised by one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(size=(40, 3)), 2 + rng.normal(size=(40, 3))])
    >>> permutation_test(x, np.repeat([0, 1], 40), size=20, n_permutations=99, rng=rng).p_value
    0.01
    """
    x, labels = _check(x, labels)
    if n_permutations < 1:
        raise ValueError(f"n_permutations: expected at least 1, got {n_permutations}")
    classes, halves = _halves(labels, size, rng)
    points = x[halves.ravel()]
    cost = _squared(points, points)

    def statistic(order):
        order = order.reshape(len(classes), 2, size)
        matrix = _matrix(cost, order[:, 0], order[:, 1])
        return ClassDistances(classes, matrix, size).statistic

    observed = statistic(np.arange(len(points)))
    null = np.array([statistic(rng.permutation(len(points))) for _ in range(n_permutations)])
    # Sums in another order differ by rounding: a tie counts against us.
    reached = null >= observed - 1e-12 * abs(observed)
    return PermutationTest(observed, null, float((1 + reached.sum()) / (1 + n_permutations)))


def _squared(x, y):
    """All squared distances by one product of matrices: pixels have hundreds of coordinates."""
    middle = x.mean(axis=0)  # near the origin few digits are lost
    x, y = x - middle, y - middle
    square = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    return np.maximum(square, 0)


def _matched(cost):
    return float(cost[linear_sum_assignment(cost)].mean())


def _matrix(cost, first, second):
    """All distances between halves, made symmetric; `first[i]`, `second[i]` are rows, columns."""
    w = np.array([[_matched(cost[np.ix_(a, b)]) for b in second] for a in first])
    return (w + w.T) / 2


def _halves(labels, size, rng):
    """Return the classes and the indices of two halves of each, (c, 2, size) int array."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"labels: expected at least two classes, got {len(classes)}")
    if not size >= 1:
        raise ValueError(f"size: expected a positive number, got {size}")
    if counts.min() < 2 * size:
        k = int(counts.argmin())
        raise ValueError(
            f"size: expected at most half of every class, got {size} for class {classes[k]} with "
            f"{counts[k]} points"
        )
    drawn = [rng.choice(np.flatnonzero(labels == c), 2 * size, replace=False) for c in classes]
    return classes, np.array(drawn).reshape(len(classes), 2, size)


def _check(x, labels):
    x, labels = finite_array("x", x, 2), np.asarray(labels)
    if labels.shape != (len(x),):
        raise ValueError(f"labels: expected shape ({len(x)},), got {labels.shape}")
    return x, labels
