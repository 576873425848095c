"""Optimal transport on the line: quantiles are matched with quantiles.

For every cost `c(x - y)` with `c` convex the monotone rearrangement is optimal, so
`W2^2 = int_0^1 |F^-1(t) - G^-1(t)|^2 dt`, without a search. Taught in *Monge and Kantorovich* and
*From discrete to smooth*.
"""

from collections.abc import Callable

import numpy as np
from scipy.integrate import quad

from .costs import finite_array


def w2_squared_samples(
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray | None = None,
    b: np.ndarray | None = None,
) -> float:
    """Return `W2^2` between two weighted samples on the line.

    Both quantile functions are steps; between two neighbouring jumps the integrand is constant.

    Parameters
    ----------
    x, y : (n,) and (m,) float arrays
        Places, in any order.
    a, b : (n,) and (m,) float arrays, optional
        Masses, not negative, with one sum (to 1e-9 of it); `1/n` and `1/m` when left out.

    Returns
    -------
    float
        `int |x - y|^2 dpi` for the optimal plan, without a half.

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it.

    Notes
    -----
    Villani (2003), theorem 2.18.

    Examples
    --------
    >>> w2_squared_samples([0, 1], [3, 2])
    4.0
    >>> w2_squared_samples([0], [-1, 1], b=[0.25, 0.75], a=[1])
    1.0
    """
    x, a = _weighted("x", x, "a", a)
    y, b = _weighted("y", y, "b", b)
    if abs(a.sum() - b.sum()) > 1e-9 * a.sum():
        raise ValueError(f"b: expected masses that sum to {a.sum():.12g}, got {b.sum():.12g}")
    total = a.sum()
    rows, columns = np.argsort(x), np.argsort(y)
    x, a = x[rows], np.cumsum(a[rows]) / total
    y, b = y[columns], np.cumsum(b[columns]) / b.sum()
    jumps = np.union1d(a, b)
    level = (np.concatenate([[0.0], jumps[:-1]]) + jumps) / 2
    i = np.minimum(np.searchsorted(a, level), len(x) - 1)
    j = np.minimum(np.searchsorted(b, level), len(y) - 1)
    return float(total * np.diff(jumps, prepend=0.0) @ (x[i] - y[j]) ** 2)


def w2_squared_quantiles(
    quantile_0: Callable[[np.ndarray], np.ndarray],
    quantile_1: Callable[[np.ndarray], np.ndarray],
    *,
    tol: float = 1e-10,
) -> float:
    """Return `W2^2` between two probability laws on the line, given by their quantile functions.

    Parameters
    ----------
    quantile_0, quantile_1 : callable
        `t -> F^-1(t)` on the open interval (0, 1), arrays to arrays; for instance the `ppf` of a
        frozen law of `scipy.stats`. Both laws need finite second moments.
    tol : float
        Error accepted, as a share of the result or absolute, whichever is larger.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the adaptive rule does not reach the tolerance, as for an infinite moment.

    Notes
    -----
    `t = (1 - cos(pi s)) / 2` first: it draws both ends out, where quantiles may be infinite.

    Examples
    --------
    >>> from scipy.stats import norm, uniform
    >>> round(w2_squared_quantiles(norm(1, 2).ppf, norm(4, 6).ppf), 8)   # (4-1)^2 + (6-2)^2
    25.0
    >>> round(w2_squared_quantiles(uniform(0, 1).ppf, uniform(0, 3).ppf), 8)   # int 4 t^2
    1.33333333
    """
    if not tol > 0:
        raise ValueError(f"tol: expected a positive number, got {tol}")

    def integrand(s):
        t = np.sin(np.pi * s / 2) ** 2
        gap = float(quantile_1(t)) - float(quantile_0(t))
        return gap**2 * np.pi / 2 * np.sin(np.pi * s)

    value, error = quad(integrand, 0.0, 1.0, epsabs=tol, epsrel=tol, limit=2000, full_output=1)[:2]
    if not (np.isfinite(value) and error <= 10 * tol * max(1.0, value)):
        raise ValueError(
            f"quantile_0, quantile_1: expected laws with finite second moments, got an integral "
            f"that does not settle: {value:.6g} with an error of {error:.1e}"
        )
    return float(value)


def monotone_map(
    cdf_0: Callable[[np.ndarray], np.ndarray], quantile_1: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the optimal map `T = F_1^-1 o F_0` from an atomless law on the line to another.

    Parameters
    ----------
    cdf_0 : callable
        Distribution function `F_0` of the source, continuous.
    quantile_1 : callable
        Quantile function of the target.

    Examples
    --------
    >>> from scipy.stats import expon, uniform
    >>> T = monotone_map(expon.cdf, uniform(0, 2).ppf)
    >>> round(float(T(np.log(2))), 12)
    1.0
    """
    return lambda x: quantile_1(cdf_0(np.asarray(x, dtype=float)))


def _weighted(name, places, mass_name, masses):
    places = finite_array(name, places, 1)
    if places.size == 0:
        raise ValueError(f"{name}: expected at least one point, got none")
    if masses is None:
        return places, np.full(len(places), 1 / len(places))
    masses = finite_array(mass_name, masses, 1)
    if masses.shape != places.shape or (masses < 0).any() or not masses.sum() > 0:
        raise ValueError(
            f"{mass_name}: expected {len(places)} masses, not negative and not all zero, "
            f"got shape {masses.shape}, smallest {masses.min(initial=0.0)}, sum {masses.sum()}"
        )
    return places, masses
