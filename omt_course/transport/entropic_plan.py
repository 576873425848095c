"""The result of an entropic solver: a plan given by two potentials, and what it proves.

Whatever the solver did, the plan can be repaired to one with exact marginals, and the potentials to
a pair that is feasible without `eps`. So every result brackets two minima: the regularised one,
`gap`, and the one of the linear program, `bracket`. Taught in *Entropic transport*.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .costs import c_transform, finite_array
from .discrete import _masses


@dataclass(frozen=True, eq=False)
class EntropicPlan:
    """Two potentials, the plan they give, and what it proves.

    Attributes
    ----------
    a, b : (n,) and (m,) float arrays
        Masses, of the same sum.
    cost : (n, m) float array
    eps : float
    f_ba, g_ab : (n,) and (m,) float arrays
        Potentials of sources and targets, finite also where there is no mass.
    errors : (k,) float array
        Mass in wrong columns (the sum of all errors over the total) before each iteration.
    levels : (k,) float array
        The `eps` of each iteration: not constant if it was lowered step by step.
    converged : bool
    """

    a: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    eps: float
    f_ba: np.ndarray
    g_ab: np.ndarray
    errors: np.ndarray
    levels: np.ndarray
    converged: bool

    @cached_property
    def plan(self) -> np.ndarray:
        """`a_i b_j exp((f_i + g_j - c_ij) / eps)` over the total mass, (n, m) float array."""
        off = self.a[:, None] * self.b == 0  # there the exponent may be anything
        exponent = np.where(off, 0.0, (self.f_ba[:, None] + self.g_ab - self.cost) / self.eps)
        return self.a[:, None] * self.b / self.a.sum() * np.exp(exponent)

    @cached_property
    def rounded(self) -> np.ndarray:
        """The plan with its last marginal errors repaired, (n, m) float array."""
        return round_to_plan(self.plan, self.a, self.b)

    @cached_property
    def primal(self) -> float:
        """`<c, pi> + eps KL(pi | a b^T / total)` of the rounded plan: never below the minimum."""
        some = self.rounded > 0
        reference = (self.a[:, None] * self.b / self.a.sum())[some]
        ratio = self.rounded[some] / reference
        entropy = self.rounded[some] @ np.log(ratio)
        return float(np.vdot(self.cost, self.rounded) + self.eps * entropy)

    @cached_property
    def dual(self) -> float:
        """`<f, a> + <g, b> - eps (mass of the plan - total)`: never above the minimum."""
        excess = self.plan.sum() - self.a.sum()
        return float(self.f_ba @ self.a + self.g_ab @ self.b - self.eps * excess)

    @property
    def gap(self) -> float:
        """`primal - dual`, a certificate for the regularised problem."""
        return self.primal - self.dual

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Two numbers with the *unregularised* least cost between them.

        Below, a c-transform of `g_ab` makes a feasible pair; above is the cost of the rounded plan.
        """
        rows, columns = self.a > 0, self.b > 0
        cost = self.cost[rows][:, columns]
        phi = c_transform(self.g_ab[columns], cost)
        psi = c_transform(phi, cost.T)
        phi = phi - max(0.0, float((phi[:, None] + psi - cost).max()))  # rounding
        lower = float(phi @ self.a[rows] + psi @ self.b[columns])
        return lower, float(np.vdot(self.cost, self.rounded))


def round_to_plan(matrix: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Turn a non-negative matrix into a plan near it, with row sums `a` and column sums `b`.

    Rows, then columns that hold too much are scaled down; what is missing is added as a product.
    The plan differs from the matrix by at most twice the error of its marginals, summed.

    Parameters
    ----------
    matrix : (n, m) float array
    a, b : (n,) and (m,) float arrays
        Non-negative, of the same sum.

    Returns
    -------
    (n, m) float array

    Notes
    -----
    Altschuler, Weed, Rigollet (2017), algorithm 2.

    Examples
    --------
    >>> round_to_plan(np.array([[0.5, 0.0], [0.5, 0.0]]), [0.5, 0.5], [0.5, 0.5]).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    a, b, matrix = problem(a, b, matrix, name="matrix")
    if (matrix < 0).any():
        raise ValueError(f"matrix: expected no negative entry, got {matrix.min():.3g}")
    sums = matrix.sum(axis=1)
    matrix = matrix * np.minimum(1.0, a / np.where(sums > 0, sums, 1.0))[:, None]
    sums = matrix.sum(axis=0)
    matrix *= np.minimum(1.0, b / np.where(sums > 0, sums, 1.0))
    rows, columns = a - matrix.sum(axis=1), b - matrix.sum(axis=0)
    rows, columns = np.maximum(rows, 0.0), np.maximum(columns, 0.0)  # rounding
    return matrix + rows[:, None] * columns / (rows.sum() or 1.0)


def problem(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, *, name: str = "cost"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return masses and the matrix `name` as arrays that fit, both sums of masses made equal."""
    cost = finite_array(name, cost, 2)
    a, b = _masses("a", a, cost.shape[0]), _masses("b", b, cost.shape[1])
    if abs(b.sum() - a.sum()) > 1e-9 * a.sum():
        raise ValueError(
            f"b: expected the total mass of a, {a.sum():.12g}, got {b.sum():.12g}; transport moves "
            f"mass and makes none, so normalise both (a / a.sum(), b / b.sum()) if that is meant"
        )
    return a, b * (a.sum() / b.sum()), cost
