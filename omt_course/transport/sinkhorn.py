"""Sinkhorn's iteration in logarithms: the entropic plan between two weighted clouds.

The plan minimises `<c, pi> + eps KL(pi | a b^T)` and has the form
`pi_ij = a_i b_j exp((f_i + g_j - c_ij) / eps)`. All updates keep potentials, never their
exponentials, so that a small `eps` costs time but no digits. `f_ba` lives on the sources and is
made from the targets, `g_ab` the other way. Values are in the unit of the cost (with its half).
Taught in the chapter *Entropic transport*.
"""

import numpy as np

from .costs import finite_array
from .discrete import NotOptimal
from .entropic_plan import EntropicPlan, problem

_FAR = 1e10  # scalings beyond this go into the potentials: the kernel is then computed afresh


def solve(
    a: np.ndarray,
    b: np.ndarray,
    cost: np.ndarray,
    *,
    eps: float,
    eps_start: float | None = None,
    tol: float = 1e-9,
    max_iter: int = 10_000,
    strict: bool = True,
) -> EntropicPlan:
    """Minimise `<c, pi> + eps KL(pi | a b^T)` over the plans between `a` and `b`.

    Parameters
    ----------
    a, b : (n,) and (m,) float arrays
        Non-negative masses with the same sum (to 1e-9 of it); that of `b` is made exact. For a
        total mass other than 1 the reference is `a b^T / total`.
    cost : (n, m) float array
    eps : float
        In the unit of the cost.
    eps_start : float, optional
        Begin at this larger value and halve it down to `eps` (annealing).
    tol : float
        Largest share of the mass in wrong columns; rows are exact.
    max_iter : int
        Iterations allowed, all values of `eps` together.
    strict : bool
        Raise when the tolerance is not met (default), or return with `converged=False`.

    Returns
    -------
    EntropicPlan

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it.
    NotOptimal
        If the tolerance is not met and `strict` is true; `result` is the plan it had.

    Notes
    -----
    Cuturi (2013); in logarithms with absorption as in Schmitzer, SIAM J. Sci. Comput. 41 (2019).
    Points without mass take no part; their potentials are soft c-transforms of the others.

    Examples
    --------
    >>> result = solve([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], eps=1.0)
    >>> result.plan.round(6).tolist()      # e / (1 + e) / 2 on the diagonal
    [[0.365529, 0.134471], [0.134471, 0.365529]]
    >>> result.bracket[0] <= 0 <= result.bracket[1], abs(result.gap) < 1e-12
    (True, True)
    """
    a, b, cost = problem(a, b, cost)
    levels = _levels(eps, eps_start)
    _check_stop(tol, max_iter)
    rows, columns = a > 0, b > 0
    p, q, c = a[rows] / a.sum(), b[columns] / a.sum(), cost[rows][:, columns]
    g = np.zeros(len(q))
    errors: list[float] = []
    used: list[float] = []
    for level in levels:
        last = level == levels[-1]
        g, now = _sinkhorn(p, q, c, level, g, tol if last else 1e-3, max_iter - len(errors))
        errors += now
        used += [level] * len(now)
    eps = levels[-1]
    f_ba = soft_c_transform(g, q, cost[:, columns], eps)
    g_ab = soft_c_transform(f_ba[rows], p, cost[rows].T, eps)
    g_ab[columns] = g
    done = bool(errors) and used[-1] == eps and errors[-1] <= tol
    result = EntropicPlan(a, b, cost, eps, f_ba, g_ab, np.array(errors), np.array(used), done)
    return _finish(result, tol, strict)


def solve_symmetric(
    a: np.ndarray,
    cost: np.ndarray,
    *,
    eps: float,
    tol: float = 1e-9,
    max_iter: int = 1000,
    strict: bool = True,
) -> EntropicPlan:
    """Transport a law onto itself: one potential `f`, by `f <- (f + soft c-transform of f) / 2`.

    Parameters
    ----------
    a : (n,) float array
    cost : (n, n) float array
        Symmetric.
    eps, tol, max_iter, strict
        As in `solve`.

    Returns
    -------
    EntropicPlan
        With `f_ba = g_ab`.

    Raises
    ------
    ValueError, NotOptimal
        As in `solve`.

    Notes
    -----
    Feydy et al., AISTATS 2019: averaging converges in a few dozen steps, where plain iteration of
    the transform would alternate between two potentials.

    Examples
    --------
    >>> itself = solve_symmetric([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], eps=1.0)
    >>> round(itself.dual, 6)                   # log(2 e / (1 + e)), not 0: the entropic bias
    0.379885
    """
    cost = finite_array("cost", cost, 2)
    if cost.shape[0] != cost.shape[1]:
        raise ValueError(f"cost: expected a symmetric matrix, got shape {cost.shape}")
    off = np.abs(cost - cost.T).max()
    if off > 1e-9 * np.abs(cost).max():
        raise ValueError(
            f"cost: expected a symmetric matrix, got one off its transpose by {off:.2e}"
        )
    a, _, cost = problem(a, a, cost)
    eps = check_eps(eps)
    _check_stop(tol, max_iter)
    rows = a > 0
    p, c = a[rows] / a.sum(), cost[rows][:, rows]
    f, errors = np.zeros(len(p)), []
    while True:
        other = soft_c_transform(f, p, c, eps)
        errors.append(float(p @ np.abs(np.expm1(np.minimum((f - other) / eps, 700.0)))))
        if errors[-1] <= tol or len(errors) >= max_iter:
            break
        f = (f + other) / 2
    everywhere = soft_c_transform(f, p, cost[:, rows], eps)
    everywhere[rows] = f
    used = np.full(len(errors), eps)
    done = errors[-1] <= tol
    result = EntropicPlan(a, a, cost, eps, everywhere, everywhere, np.array(errors), used, done)
    return _finish(result, tol, strict)


def soft_c_transform(
    potential: np.ndarray, masses: np.ndarray, cost: np.ndarray, eps: float
) -> np.ndarray:
    """Return `f_i = -eps log sum_j b_j exp((g_j - c_ij) / eps)`, a c-transform with a soft minimum.

    Parameters
    ----------
    potential, masses : (m,) float arrays
        `g` and `b`, of sum 1; masses may vanish, not all of them.
    cost : (n, m) float array
        Give ``cost.T`` to transform the other way.
    eps : float

    Returns
    -------
    (n,) float array

    Examples
    --------
    >>> half = np.array([0.5, 0.5])
    >>> soft_c_transform(np.zeros(2), half, np.eye(2), 1e-3).round(6).tolist()  # 0.001 log 2 to 0
    [0.000693, 0.000693]
    """
    some = masses > 0
    exponent = (potential - cost)[:, some] / eps
    highest = exponent.max(axis=1)
    return -eps * (highest + np.log(np.exp(exponent - highest[:, None]) @ masses[some]))


def _sinkhorn(p, q, c, eps, g, tol, budget):
    """Alternate the two updates from `g`; return the last `g` and the column errors on the way.

    One step in logarithms, then steps on scalings `u, v` of a kernel made from the potentials,
    which has row sums 1: nothing in it that matters can underflow. When the scalings
    grow large they are absorbed into the potentials.
    """
    errors = []
    while len(errors) < budget:
        f = soft_c_transform(g, q, c, eps)
        fresh = soft_c_transform(f, p, c.T, eps)
        errors.append(float(q @ np.abs(np.expm1((g - fresh) / eps))))
        if errors[-1] <= tol:
            break
        f, g = soft_c_transform(fresh, q, c, eps), fresh
        kernel = np.exp((f[:, None] + g - c) / eps)  # (n, m), kernel @ q = 1
        u, v = np.ones(len(p)), np.ones(len(q))
        done = False
        while len(errors) < budget:
            density = kernel.T @ (p * u)  # of the columns, before v
            if not 1 / _FAR < density.min() <= density.max() < _FAR:
                break
            errors.append(float(q @ np.abs(v * density - 1)))
            if errors[-1] <= tol:
                done = True
                break
            v = 1 / density
            u = 1 / (kernel @ (q * v))
        g = g + eps * np.log(v)
        if done:
            break
    return g, errors


def check_eps(eps: float) -> float:
    """Return `eps` as a float, or refuse what is not positive and finite."""
    if not (np.ndim(eps) == 0 and np.isfinite(eps) and eps > 0):
        raise ValueError(f"eps: expected a positive number, got {eps}")
    return float(eps)


def _levels(eps, eps_start):
    eps = check_eps(eps)
    if eps_start is None or eps_start == eps:
        return [eps]
    if not eps < eps_start < np.inf:
        raise ValueError(f"eps_start: expected a number above eps = {eps}, got {eps_start}")
    n = int(np.ceil(np.log2(eps_start / eps)))
    return [eps * 2.0**k for k in range(n, -1, -1)]


def _check_stop(tol, max_iter):
    if not tol > 0:
        raise ValueError(f"tol: expected a positive number, got {tol}")
    if not max_iter >= 1:
        raise ValueError(f"max_iter: expected one or more, got {max_iter}")


def _finish(result, tol, strict):
    if strict and not result.converged:
        raise NotOptimal(
            f"entropic: expected an error of at most {tol:.1e}, got {result.errors[-1]:.1e} at "
            f"eps = {result.levels[-1]:.3g} after {len(result.errors)} iterations; allow more "
            f"(max_iter), begin at a larger eps (eps_start), or ask for a larger eps",
            result,
        )
    return result
