"""Cost matrices, c-transforms and cyclic monotonicity: the calculus of a cost `c(x, y)`.

A set of pairs can carry an optimal plan exactly if no cyclic exchange of partners is cheaper, and
exactly if potentials exist that are tight on it. Both kinds of evidence come out of one shortest
path computation. Taught in the chapter *Monge and Kantorovich*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist


def cost_matrix(x: np.ndarray, y: np.ndarray, *, p: float = 2) -> np.ndarray:
    """Return the costs `|x_i - y_j|^p / p`: half the squared distance for `p = 2`.

    Differences are taken before they are squared, so that the costs of points far from the origin
    keep their digits.

    Parameters
    ----------
    x, y : (n, d) and (m, d) float arrays
    p : float
        At least 1. `W_p^p` is `p` times the optimal cost.

    Returns
    -------
    (n, m) float array

    Raises
    ------
    ValueError
        If the shapes do not fit, a coordinate is not finite, or `p < 1`.

    Examples
    --------
    >>> cost_matrix([[0, 0]], [[3, 4], [0, 1]]).tolist()
    [[12.5, 0.5]]
    """
    x, y = finite_array("x", x, 2), finite_array("y", y, 2)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: expected points of dimension {x.shape[1]}, got {y.shape[1]}")
    if not p >= 1:
        raise ValueError(f"p: expected a number at least 1, got {p}")
    return cdist(x, y, "sqeuclidean") / 2 if p == 2 else cdist(x, y) ** p / p


def c_transform(psi: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Return `phi_i = min_j c_ij - psi_j`, the largest `phi` with `phi_i + psi_j <= c_ij`.

    Parameters
    ----------
    psi : (m,) float array
    cost : (n, m) float array
        Give ``cost.T`` to transform the other way.

    Returns
    -------
    (n,) float array

    Raises
    ------
    ValueError
        If the shapes do not fit or an entry is not finite.

    Examples
    --------
    >>> c_transform([0.0, 1.0], [[1.0, 3.0], [2.0, 1.0]]).tolist()
    [1.0, 0.0]
    """
    cost, psi = finite_array("cost", cost, 2), finite_array("psi", psi, 1)
    if psi.shape != cost.shape[1:]:
        raise ValueError(f"psi: expected shape ({cost.shape[1]},), got {psi.shape}")
    return (cost - psi).min(axis=1)


@dataclass(frozen=True, eq=False)
class Monotonicity:
    """Evidence for or against the cyclic monotonicity of a set of pairs.

    Attributes
    ----------
    monotone : bool
    cycle : (k, 2) int array
        Pairs `(i, j)`; it is cheaper to send every source to the target of the next pair in the
        list (the last to the first one's). Empty if monotone.
    gain : float
        What that saves for each unit of mass; 0 if monotone.
    phi, psi : (n,) and (m,) float arrays, or None
        Potentials with equality on all pairs, if monotone.
    """

    monotone: bool
    cycle: np.ndarray
    gain: float
    phi: np.ndarray | None
    psi: np.ndarray | None


def cyclic_monotonicity(pairs: np.ndarray, cost: np.ndarray, *, tol: float = 1e-12) -> Monotonicity:
    """Decide whether a set of pairs can be the support of an optimal plan, with evidence.

    The pairs are nodes of a graph, `c(i_l, j_k) - c(i_k, j_k)` is the length of the arc `k -> l`.
    A negative cycle is a cheaper way to pair the same points. If there is none, shortest distances
    `d_k` (Bellman-Ford) give the potentials `phi_i = min_k c(i, j_k) - c(i_k, j_k) + d_k` and its
    c-transform `psi`: a plan on these pairs is then optimal for its own marginals.

    Parameters
    ----------
    pairs : (k, 2) int array
        Pairs `(i, j)`, rows and columns of `cost`.
    cost : (n, m) float array
    tol : float
        Savings below this share of the largest cost count as rounding.

    Returns
    -------
    Monotonicity

    Raises
    ------
    ValueError
        If there is no pair, or one is not an index of `cost`.

    Notes
    -----
    Rockafellar (1966) for the quadratic cost; Villani, Optimal Transport (2009), theorem 5.10.

    Examples
    --------
    >>> cost = cost_matrix([[0.0], [1.0]], [[0.0], [1.0]])
    >>> cyclic_monotonicity([[0, 0], [1, 1]], cost).monotone
    True
    >>> crossed = cyclic_monotonicity([[0, 1], [1, 0]], cost)
    >>> crossed.monotone, sorted(crossed.cycle.tolist()), crossed.gain
    (False, [[0, 1], [1, 0]], 1.0)
    """
    cost = finite_array("cost", cost, 2)
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) == 0:
        raise ValueError(f"pairs: expected shape (k, 2) with k >= 1, got {pairs.shape}")
    if pairs.dtype.kind not in "iu" or (pairs < 0).any() or (pairs >= cost.shape).any():
        raise ValueError(f"pairs: expected row and column indices of a {cost.shape} cost matrix")
    i, j = pairs.T
    length = cost[i][:, j].T - cost[i, j][:, None]  # (k, k), row: from, column: to
    small = tol * (np.abs(cost).max() or 1.0)
    every = np.arange(len(pairs))
    distance, parent = np.zeros(len(pairs)), every.copy()
    while True:
        through = (distance[:, None] + length).argmin(axis=0)
        shorter = distance[through] + length[through, every]
        better = shorter < distance - small
        if not better.any():
            break
        distance[better], parent[better] = shorter[better], through[better]
        ancestor = parent
        for _ in range(len(pairs).bit_length()):  # pointer doubling: the ancestor 2^r above
            ancestor = ancestor[ancestor]
        on_cycle = ancestor[parent[ancestor] != ancestor]  # who never meets a root is on a cycle
        if on_cycle.size:
            walk = [on_cycle[0]]
            while parent[walk[-1]] != walk[0]:
                walk.append(parent[walk[-1]])
            gain = float(cost[i[walk], j[walk]].sum() - cost[i[walk], np.roll(j[walk], -1)].sum())
            return Monotonicity(False, pairs[walk], gain, None, None)
    phi = (cost[:, j] - cost[i, j] + distance).min(axis=1)
    return Monotonicity(True, pairs[:0], 0.0, phi, c_transform(phi, cost.T))


def finite_array(name: str, value, ndim: int) -> np.ndarray:
    """Return a non-empty finite float array of `ndim` axes, or say what is wrong with it."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected an array of numbers, got {value!r}") from error
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name}: expected a non-empty {ndim}-d array, got shape {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}: expected finite numbers, got {array[where]} at index {where}")
    return array
