"""Entropic optimal transport: plans, divergences and maps blurred by `eps`, with a closed form.

`solve` blurs the plan so that two alternating updates find it; `divergence` takes the bias of the
blur out of the value; `entropic_map` is the map that the blurred potential gives, and `gaussian`
the answer for normal laws, against which all of this can be tested. Values are in the unit of the
cost `|x - y|^2 / 2`. Taught in the chapter *Entropic transport*.
"""

from dataclasses import dataclass

import numpy as np

from . import closed_form
from .costs import cost_matrix, finite_array
from .entropic_plan import EntropicPlan, round_to_plan
from .sinkhorn import check_eps, soft_c_transform, solve, solve_symmetric

__all__ = [
    "Divergence",
    "EntropicGaussian",
    "EntropicPlan",
    "divergence",
    "entropic_map",
    "gaussian",
    "round_to_plan",
    "soft_c_transform",
    "solve",
    "solve_symmetric",
]


@dataclass(frozen=True)
class Divergence:
    """`value = cross - (self_x + self_y) / 2`, in the unit of the cost; all three terms kept.

    Attributes
    ----------
    value : float
        Tends to `W2^2 / 2` as `eps` falls to 0, to half the squared distance of the means as it
        grows.
    cross, self_x, self_y : EntropicPlan
    """

    value: float
    cross: EntropicPlan
    self_x: EntropicPlan
    self_y: EntropicPlan


def divergence(
    x: np.ndarray,
    a: np.ndarray,
    y: np.ndarray,
    b: np.ndarray,
    *,
    eps: float,
    eps_start: float | None = None,
    tol: float = 1e-9,
    max_iter: int = 10_000,
) -> Divergence:
    """Return the Sinkhorn divergence of two probability clouds, zero if and only if they are equal.

    `S(a, b) = OT(a, b) - (OT(a, a) + OT(b, b)) / 2` for the cost `|x - y|^2 / 2`.

    Parameters
    ----------
    x, y : (n, d) and (m, d) float arrays
    a, b : (n,) and (m,) float arrays
        Non-negative, each of sum 1.
    eps, eps_start, tol, max_iter
        As in `solve`.

    Raises
    ------
    ValueError, NotOptimal
        As in `solve`.

    Notes
    -----
    Genevay, Peyre, Cuturi (2018); Feydy et al. (2019), theorem 1.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0]])
    >>> round(divergence(x, [0.5, 0.5], x + 3, [0.5, 0.5], eps=1.0).value, 9)    # a shift: 3^2/2
    4.5
    """
    a, b = finite_array("a", a, 1), finite_array("b", b, 1)
    for name, masses in (("a", a), ("b", b)):
        if abs(masses.sum() - 1) > 1e-9:
            raise ValueError(f"{name}: expected masses of sum 1, got {masses.sum():.12g}")
    stop = {"eps": eps, "tol": tol, "max_iter": max_iter}
    cross = solve(a, b, cost_matrix(x, y), eps_start=eps_start, **stop)
    self_x = solve_symmetric(a, cost_matrix(x, x), **stop)
    self_y = solve_symmetric(b, cost_matrix(y, y), **stop)
    value = cross.dual - (self_x.dual + self_y.dual) / 2
    return Divergence(value, cross, self_x, self_y)


def entropic_map(
    x: np.ndarray, y: np.ndarray, b: np.ndarray, g_ab: np.ndarray, *, eps: float
) -> np.ndarray:
    """Send points, old or new, to the mean of where the entropic plan sends their mass.

    `T(x) = sum_j w_j(x) y_j` with `w_j(x) ~ b_j exp((g_j - |x - y_j|^2 / 2) / eps)`: the gradient
    of the softened maximum `eps log sum_j b_j exp((<x, y_j> + g_j - |y_j|^2 / 2) / eps)`.

    Parameters
    ----------
    x : (k, d) float array
    y : (m, d) float array
    b, g_ab : (m,) float arrays
        Masses and potential of the targets.
    eps : float
        The one that `g_ab` was solved for.

    Returns
    -------
    (k, d) float array

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Pooladian and Niles-Weed, arXiv:2109.12004 (2021).

    Examples
    --------
    >>> entropic_map([[0.0], [9.0]], [[-1.0], [1.0]], [0.5, 0.5], [0.0, 0.0], eps=1.0).round(6)
    array([[0.],
           [1.]])
    """
    eps = check_eps(eps)
    y, b, g = finite_array("y", y, 2), finite_array("b", b, 1), finite_array("g_ab", g_ab, 1)
    for name, value in (("b", b), ("g_ab", g)):
        if value.shape != (len(y),):
            raise ValueError(f"{name}: expected shape ({len(y)},), got {value.shape}")
    if (b < 0).any() or not b.any():
        raise ValueError(f"b: expected non-negative masses, not all zero, got {b.min():.3g}")
    some = b > 0
    exponent = (g - cost_matrix(x, y))[:, some] / eps  # (k, m)
    weights = b[some] * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return weights @ y[some] / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class EntropicGaussian:
    """The entropic plan between two normal laws, itself a normal law.

    Attributes
    ----------
    value : float
        `<c, pi> + eps KL(pi | mu x nu)`.
    cost : float
        `<c, pi>` alone.
    covariance : (d, d) float array
        Of `X` and `Y` under the plan, rows for `X`.
    slope : (d, d) float array
        The barycentric map is `x -> mean_1 + slope (x - mean_0)`.
    """

    value: float
    cost: float
    covariance: np.ndarray
    slope: np.ndarray


def gaussian(
    mean_0: np.ndarray, cov_0: np.ndarray, mean_1: np.ndarray, cov_1: np.ndarray, *, eps: float
) -> EntropicGaussian:
    """Return the entropic plan between two normal laws in closed form.

    With `S = cov_0^(1/2)` and `D = (4 S cov_1 S + eps^2 I)^(1/2)` the covariance of `X` and `Y` is
    `C = (S D S^-1 - eps I) / 2`, and twice the value is `|mean_0 - mean_1|^2 + tr(cov_0 + cov_1 -
    D) + eps (d (1 - log(2 eps)) + log det(D + eps I))`.

    Parameters
    ----------
    mean_0, mean_1 : (d,) float array
    cov_0, cov_1 : (d, d) float array
        Symmetric and positive definite.
    eps : float

    Returns
    -------
    EntropicGaussian

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Janati, Muzellec, Peyre, Cuturi (2020), theorem 1, there for `|x - y|^2` and `2 sigma^2`: here
    half of everything, with `eps = sigma^2`.

    Examples
    --------
    >>> plan = gaussian([0.0], [[1.0]], [3.0], [[4.0]], eps=1e-6)
    >>> round(plan.cost, 5), plan.slope.round(5).tolist()     # (3^2 + (2 - 1)^2) / 2
    (5.0, [[2.0]])
    """
    eps = check_eps(eps)
    exact, _ = closed_form.gaussian(mean_0, cov_0, mean_1, cov_1)  # refuses what is no normal law
    mean_0, mean_1 = np.asarray(mean_0, dtype=float), np.asarray(mean_1, dtype=float)
    cov_0, cov_1 = np.asarray(cov_0, dtype=float), np.asarray(cov_1, dtype=float)
    d = exact.dimension
    root, inverse = _powers(cov_0)
    values, vectors = np.linalg.eigh(root @ cov_1 @ root)
    D = np.sqrt(4 * np.maximum(values, 0) + eps**2)
    # (D - eps) / 2 without cancellation: 2 s / (D + eps).
    covariance = root @ (vectors * (2 * values / (D + eps))) @ vectors.T @ inverse
    shift = ((mean_0 - mean_1) ** 2).sum()
    spread = np.trace(cov_0) + np.trace(cov_1)
    entropy = d * (1 - np.log(2 * eps)) + np.log(D + eps).sum()
    return EntropicGaussian(
        value=float(shift + spread - D.sum() + eps * entropy) / 2,
        cost=float(shift + spread) / 2 - float(np.trace(covariance)),
        covariance=covariance,
        slope=covariance.T @ inverse @ inverse,
    )


def _powers(covariance):
    """Return `S` and `S^-1` with `S^2` the matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
