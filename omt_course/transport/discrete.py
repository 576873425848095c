"""Discrete optimal transport: plans between weighted points, with the evidence that they are best.

A plan `pi >= 0` has row sums `a` and column sums `b`; it costs `sum c_ij pi_ij`. Potentials with
`phi_i + psi_j <= c_ij` bound every plan from below by `sum phi_i a_i + sum psi_j b_j`. Each solver
here returns both, so that the gap between the two is a certificate anyone can check.
Taught in the chapter *Monge and Kantorovich*.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from .costs import c_transform, cost_matrix, cyclic_monotonicity, finite_array

_ROUNDING = 64 * np.finfo(float).eps


class NotOptimal(RuntimeError):
    """A solver stopped short of its tolerance; `result` is the plan it had, with its gap."""

    def __init__(self, message: str, result: "DiscretePlan"):
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, eq=False)
class DiscretePlan:
    """A transport plan and a pair of potentials; each certifies how good the other is.

    Attributes
    ----------
    a, b : (n,) and (m,) float arrays
        Source and target masses.
    cost : (n, m) float array
    plan : (n, m) float array
        Mass sent from each source to each target.
    phi, psi : (n,) and (m,) float arrays
        Kantorovich potentials, `phi_i + psi_j <= c_ij`, with equality where mass moves if the
        plan is optimal.
    """

    a: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    plan: np.ndarray
    phi: np.ndarray
    psi: np.ndarray

    @cached_property
    def primal(self) -> float:
        """Cost of the plan, `sum c_ij pi_ij`: never below the optimum."""
        return float(np.vdot(self.cost, self.plan))

    @cached_property
    def dual(self) -> float:
        """Value of the potentials, `sum phi_i a_i + sum psi_j b_j`: never above the optimum."""
        return float(self.phi @ self.a + self.psi @ self.b)

    @property
    def gap(self) -> float:
        """`primal - dual`: the plan costs at most this much more than the best one."""
        return self.primal - self.dual

    @property
    def relative_gap(self) -> float:
        """The gap over the cost of the plan."""
        return self.gap / abs(self.primal) if self.primal else float(np.inf if self.gap else 0)

    @cached_property
    def slack(self) -> np.ndarray:
        """`c_ij - phi_i - psi_j`, (n, m) float array: non-negative up to rounding."""
        return self.cost - self.phi[:, None] - self.psi

    @cached_property
    def marginal_error(self) -> float:
        """Largest absolute error of a row sum or a column sum."""
        rows = np.abs(self.plan.sum(axis=1) - self.a).max()
        return float(max(rows, np.abs(self.plan.sum(axis=0) - self.b).max()))

    def support(self, *, threshold: float = 1e-12) -> np.ndarray:
        """Return the pairs `(i, j)` that exchange more than `threshold` of all mass, (k, 2) int."""
        return np.argwhere(self.plan > threshold * self.a.sum())

    def as_map(self) -> np.ndarray:
        """Return the target of every source, (n,) int array, or refuse if a source is split.

        Raises
        ------
        ValueError
            If a source sends its mass to no target or to more than one: the plan is not a map.
        """
        pairs = self.support()
        count = np.bincount(pairs[:, 0], minlength=len(self.a))
        if (count != 1).any():
            i = int(np.argmax(count != 1))
            raise ValueError(f"plan: expected one target a source, got {count[i]} for source {i}")
        return pairs[:, 1]


def plan(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, *, tol: float = 1e-9, max_iter: int = 10**7
) -> DiscretePlan:
    """Solve the Kantorovich problem exactly by POT's network simplex.

    Parameters
    ----------
    a, b : (n,) and (m,) float arrays
        Non-negative masses with the same sum (to 1e-9 of it); that of `b` is made exact.
    cost : (n, m) float array
    tol : float
        Largest gap accepted, as a share of the plan's cost.
    max_iter : int
        Pivots allowed.

    Returns
    -------
    DiscretePlan
        Its potentials are c-transforms of each other.

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it.
    NotOptimal
        If the simplex stops early or its gap exceeds the tolerance.

    Notes
    -----
    Bonneel, van de Panne, Paris, Heidrich (2011); Flamary et al., POT, JMLR 22 (2021).

    Examples
    --------
    >>> best = plan([0.5, 0.5], [0.25, 0.75], [[0.0, 1.0], [1.0, 0.0]])
    >>> best.plan.tolist()
    [[0.25, 0.25], [0.0, 0.5]]
    >>> best.primal, best.dual
    (0.25, 0.25)
    """
    cost = finite_array("cost", cost, 2)
    a, b = _masses("a", a, cost.shape[0]), _masses("b", b, cost.shape[1])
    total = a.sum()
    if abs(b.sum() - total) > 1e-9 * total:
        raise ValueError(
            f"b: expected the total mass of a, {total:.12g}, got {b.sum():.12g}; transport moves "
            f"mass and makes none, so normalise both (a / a.sum(), b / b.sum()) if that is meant"
        )
    from ot.lp import emd  # here: importing POT imports torch where it is installed

    b = b * (total / b.sum())
    scale = np.abs(cost).max() or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # POT only warns; below we raise
        # POT's tolerances are absolute in places, so both sides are brought to size 1.
        matrix, log = emd(
            a / total, b / total, cost / scale, numItermax=max_iter, log=True, center_dual=False
        )
    return _certify(a, b, cost, total * matrix, scale * log["v"], tol, log["warning"])


def assignment(cost: np.ndarray, *, tol: float = 1e-9) -> DiscretePlan:
    """Match `n` sources with `n` targets of equal mass `1/n`, one to one, at the least cost.

    Parameters
    ----------
    cost : (n, n) float array
    tol : float
        Largest gap accepted, as a share of the plan's cost.

    Returns
    -------
    DiscretePlan
        ``as_map()`` is the permutation; the potentials come from `cyclic_monotonicity`.

    Raises
    ------
    ValueError
        If `cost` is not a finite square matrix.
    NotOptimal
        If the gap exceeds the tolerance.

    Notes
    -----
    SciPy's `linear_sum_assignment`: Crouse, IEEE Trans. Aerosp. Electron. Syst. 52(4), 2016.

    Examples
    --------
    >>> best = assignment([[4.0, 1.0], [2.0, 3.0]])
    >>> best.as_map().tolist(), best.primal
    ([1, 0], 1.5)
    """
    cost = finite_array("cost", cost, 2)
    n = len(cost)
    if cost.shape != (n, n):
        raise ValueError(f"cost: expected a square matrix, got shape {cost.shape}")
    pairs = np.column_stack(linear_sum_assignment(cost))
    matrix = np.zeros((n, n))
    matrix[tuple(pairs.T)] = 1 / n
    masses = np.full(n, 1 / n)
    psi = cyclic_monotonicity(pairs, cost).psi
    message = "the assignment is not cyclically monotone" if psi is None else None
    return _certify(
        masses, masses, cost, matrix, cost.min(axis=0) if message else psi, tol, message
    )


def one_dimensional(
    x: np.ndarray, a: np.ndarray, y: np.ndarray, b: np.ndarray, *, p: float = 2
) -> DiscretePlan:
    """Return the plan on the line that keeps the order: optimal for `|x - y|^p / p`, `p >= 1`.

    It matches quantiles, `W_p^p = int_0^1 |F^-1(t) - G^-1(t)|^p dt`: sort both sides and fill the
    plan from its north-west corner. The potentials follow the staircase it leaves.

    Parameters
    ----------
    x, y : (n,) and (m,) float arrays
        Places on the line, in any order.
    a, b : (n,) and (m,) float arrays
        Non-negative masses with the same sum (to 1e-9 of it).
    p : float

    Returns
    -------
    DiscretePlan

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Santambrogio, Optimal Transport for Applied Mathematicians (2015), section 2.2.

    Examples
    --------
    >>> best = one_dimensional([0, 1], [0.5, 0.5], [3, 2], [0.5, 0.5])
    >>> best.plan.tolist(), 2 * best.primal
    ([[0.0, 0.5], [0.5, 0.0]], 4.0)
    """
    x, y = finite_array("x", x, 1), finite_array("y", y, 1)
    a, b = _masses("a", a, len(x)), _masses("b", b, len(y))
    if abs(b.sum() - a.sum()) > 1e-9 * a.sum():
        raise ValueError(f"b: expected the total mass of a, {a.sum():.12g}, got {b.sum():.12g}")
    b = b * (a.sum() / b.sum())
    cost = cost_matrix(x[:, None], y[:, None], p=p)
    rows, columns = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    matrix, psi = np.zeros(cost.shape), np.zeros(len(y))
    i, j = 0, 0
    left, room = a[rows[0]], b[columns[0]]
    phi = cost[rows[0], columns[0]]
    while True:
        moved = min(left, room)
        matrix[rows[i], columns[j]] += moved
        left, room = left - moved, room - moved
        if i + 1 < len(x) and (left <= room or j + 1 == len(y)):
            i += 1  # one step at a time: each new entry shares a row or column with the last
            left = a[rows[i]]
            phi = cost[rows[i], columns[j]] - psi[columns[j]]
        elif j + 1 < len(y):
            j += 1
            room = b[columns[j]]
            psi[columns[j]] = cost[rows[i], columns[j]] - phi
        else:
            return _certify(a, b, cost, matrix, psi, 1e-9, None)


def _certify(a, b, cost, matrix, psi, tol, problem) -> DiscretePlan:
    """Make the potentials feasible, so that the gap can be believed, and hold it to `tol`."""
    phi = c_transform(psi[b > 0], cost[:, b > 0])
    psi = c_transform(phi, cost.T)
    phi = phi - max(0.0, float((phi[:, None] + psi - cost).max()))  # rounding may break it again
    shift = (phi @ a - psi @ b) / (2 * a.sum())  # equal halves: least cancellation in their sum
    result = DiscretePlan(a, b, cost, matrix, phi - shift, psi + shift)
    total = a.sum()
    allowed = tol * max(abs(result.primal), abs(result.dual)) + _ROUNDING * total * abs(cost).max()
    if not problem and result.gap > allowed:
        problem = f"expected a gap of at most {allowed:.1e}"
    if not problem and result.marginal_error > 1e-9 * total:
        problem = f"the plan misses its marginals by {result.marginal_error:.1e}"
    if problem:
        raise NotOptimal(
            f"plan: {problem}; got cost {result.primal:.6g}, lower bound {result.dual:.6g}", result
        )
    return result


def _masses(name: str, value, n: int) -> np.ndarray:
    """Return `n` non-negative masses, not all zero, or say what is wrong with them."""
    masses = finite_array(name, value, 1)
    if masses.shape != (n,):
        raise ValueError(f"{name}: expected shape ({n},), got {masses.shape}")
    if (masses < 0).any() or not masses.any():
        k = int(np.argmin(masses))
        raise ValueError(
            f"{name}: expected non-negative masses, not all zero, got {masses[k]} at index {k}"
        )
    return masses
