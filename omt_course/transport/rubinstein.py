"""Potentials for the cost `|x - y|`: the exact critic between two samples, defined everywhere.

`W1(a, b) = max { f(b) - f(a) : |f(x) - f(y)| <= |x - y| }`, where `f(a)` is the mean of `f` over
`a` (Kantorovich and Rubinstein). The dual of the discrete problem gives the values at the sources,
and the largest function of slope 1 through them is an optimal `f` on all of space. Taught in
*WGAN is transport*.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import cdist

from .costs import cost_matrix, finite_array
from .discrete import DiscretePlan, plan

_BLOCK = 4_000_000  # distances held at a time


@dataclass(frozen=True, eq=False)
class RubinsteinPotential:
    """A function `f(z) = min_i |z - x_i| + f_i` of Lipschitz constant 1, with its evidence.

    Attributes
    ----------
    x : (n, d) float array
        The sources.
    values : (n,) float array
        `f_i = f(x_i)`, of mean zero over the sources.
    w1 : float
        `f(b) - f(a)`, the distance between the two samples: no plan costs less.
    plan : DiscretePlan
        The optimal plan for `|x - y|`.
    """

    x: np.ndarray
    values: np.ndarray
    w1: float
    plan: DiscretePlan = field(repr=False)

    @property
    def gap(self) -> float:
        """Cost of the plan less `w1`, zero up to rounding: both are then optimal."""
        return self.plan.primal - self.w1

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Evaluate `f` at the rows of `z`, (m, d) float array: (m,) float array."""
        return self._nearest(z)[1]

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """Return the gradient of `f` at the rows of `z`, (m, d): unit vectors, (m, d).

        It points away from the source that attains the minimum; zero at that source itself.
        """
        z = finite_array("z", z, 2)
        away = z - self.x[self._nearest(z)[0]]
        length = np.linalg.norm(away, axis=1, keepdims=True)
        return away / np.where(length > 0, length, 1)

    def _nearest(self, z):
        z = finite_array("z", z, 2)
        if z.shape[1] != self.x.shape[1]:
            raise ValueError(f"z: expected shape (m, {self.x.shape[1]}), got {z.shape}")
        index, value = np.empty(len(z), dtype=np.int64), np.empty(len(z))
        rows = max(1, _BLOCK // len(self.x))
        for k in range(0, len(z), rows):
            through = cdist(z[k : k + rows], self.x) + self.values
            index[k : k + rows], value[k : k + rows] = through.argmin(axis=1), through.min(axis=1)
        return index, value


def rubinstein(
    x: np.ndarray, y: np.ndarray, a: np.ndarray | None = None, b: np.ndarray | None = None
) -> RubinsteinPotential:
    """Compute `W1` between two weighted samples and a potential that proves it.

    Parameters
    ----------
    x, y : (n, d) and (m, d) float arrays
        Sources and targets; the potential rises from the first to the second.
    a, b : (n,) and (m,) float arrays, optional
        Masses of sum 1; equal by default.

    Returns
    -------
    RubinsteinPotential

    Raises
    ------
    ValueError
        If an argument cannot be used.
    NotOptimal
        If the network simplex leaves a gap.

    Notes
    -----
    Villani, Topics in Optimal Transportation (2003), theorem 1.14. From any dual pair
    `phi_i + psi_j <= |x_i - y_j|` the function `f(z) = min_i |z - x_i| - phi_i` has
    `f(x_i) <= -phi_i` and `f(y_j) >= psi_j`, so it is worth at least as much.

    Examples
    --------
    >>> f = rubinstein([[0.0], [1.0]], [[2.0], [3.0]])
    >>> f.w1, f([[0.0], [10.0]]).tolist()
    (2.0, [-0.5, 9.5])
    """
    cost = cost_matrix(x, y, p=1)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    masses = [
        np.full(n, 1 / n) if given is None else finite_array(name, given, 1)
        for name, given, n in (("a", a, len(x)), ("b", b, len(y)))
    ]
    for name, given in zip("ab", masses, strict=True):
        if abs(given.sum() - 1) > 1e-9:
            raise ValueError(f"{name}: expected masses of sum 1, got {given.sum():.12g}")
    best = plan(*masses, cost)
    raised = RubinsteinPotential(x, -best.phi, 0.0, best)
    values = raised(x)  # of slope 1 among the sources too
    values -= masses[0] @ values
    return RubinsteinPotential(
        x, values, float(masses[1] @ RubinsteinPotential(x, values, 0.0, best)(y)), best
    )
