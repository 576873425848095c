"""Radial maps in closed form: every point moves along its ray from the origin.

A disk goes to a disk with another radial density, or to an annulus. The rest of the closed forms
are in `transport.closed_form`. Taught in *From discrete to smooth*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import gamma, pi

import numpy as np
from scipy.integrate import quad

from .closed_form import check_increasing, rows


@dataclass(frozen=True, eq=False)
class Radial:
    """The map `T x = phi(|x|) x / |x|`, gradient of `u(x) = Phi(|x|)` with `Phi' = phi`.

    It is optimal if `phi` is not negative and does not decrease, which is checked on 1,000 radii.
    If `phi(0) > 0` the map is torn at the origin; there `T 0 = 0` by agreement.

    Parameters
    ----------
    profile, antiderivative, slope : callable
        `phi`, `Phi` and `phi'` on `[0, radius]`, arrays to arrays.
    radius : float
        Where the profile is used: sources lie in the ball of this radius about the origin.
    dimension : int

    Raises
    ------
    ValueError
        If `phi` is negative or decreases somewhere, or the radius or dimension is not positive.

    Examples
    --------
    >>> T = Radial(np.square, lambda r: r**3 / 3, lambda r: 2 * r)
    >>> T.transport([[0, 0.5]]).tolist(), round(T.w2_squared(), 6)    # 2 pi int r (r - r^2)^2
    ([[0.0, 0.25]], 0.10472)
    """

    profile: Callable[[np.ndarray], np.ndarray]
    antiderivative: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    radius: float = 1.0
    dimension: int = 2

    def __post_init__(self):
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"radius: expected a positive number, got {self.radius}")
        if not (self.dimension >= 1 and self.dimension % 1 == 0):
            raise ValueError(f"dimension: expected a positive whole number, got {self.dimension}")
        check_increasing("profile", self.profile, 0.0, self.radius)
        if not self.profile(np.zeros(1))[0] >= 0:
            raise ValueError(
                f"profile: expected phi(0) >= 0, got {self.profile(np.zeros(1))[0]:.6g}"
            )

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x`, (m, d): (m, d) float array."""
        x = rows(x, self.dimension)
        r = self._radii(x)
        return x * (self.profile(r) / np.where(r > 0, r, 1.0))[:, None]

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `u` at the rows of `x`, (m, d): (m,) float array."""
        return self.antiderivative(self._radii(rows(x, self.dimension)))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `det D2u = phi'(r) (phi(r) / r)^(d-1)` at the rows of `x`: (m,) float array."""
        r = self._radii(rows(x, self.dimension))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(r > 0, self.profile(r) / r, self.slope(r))
        return self.slope(r) * ratio ** (self.dimension - 1)

    def w2_squared(self) -> float:
        """Return `int |x - T x|^2 dx` over the ball of that radius, density 1."""
        d = self.dimension

        def shell(r):
            return r ** (d - 1) * (r - float(self.profile(np.array([r]))[0])) ** 2

        sphere = 2 * pi ** (d / 2) / gamma(d / 2)
        return sphere * quad(shell, 0.0, self.radius, epsabs=1e-13, epsrel=1e-12, limit=200)[0]

    def _radii(self, x):
        r = np.linalg.norm(x, axis=1)
        if r.max(initial=0.0) > self.radius * (1 + 1e-12):
            raise ValueError(f"x: expected rows of norm at most {self.radius}, got {r.max():.6g}")
        return np.minimum(r, self.radius)


def annulus(inner: float, outer: float, radius: float = 1.0) -> Radial:
    """Return the map from the uniform disk to the uniform annulus about the same centre.

    Areas inside a radius keep their share: `phi(r)^2 = inner^2 + (outer^2 - inner^2) r^2/radius^2`.
    For `inner > 0` the map is torn at the centre, which is spread over the inner circle.

    Raises
    ------
    ValueError
        If not `0 <= inner < outer`.

    Examples
    --------
    >>> T = annulus(1.0, 2.0)
    >>> T.transport([[0, 1], [0, 1e-9]]).round(6).tolist()
    [[0.0, 2.0], [0.0, 1.0]]
    >>> T.jacobian([[0.3, 0.1], [0.5, 0.5]]).round(12).tolist()
    [3.0, 3.0]
    """
    if not 0 <= inner < outer < np.inf:
        raise ValueError(f"inner, outer: expected 0 <= inner < outer, got {inner} and {outer}")
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"radius: expected a positive number, got {radius}")
    a, k = inner, (outer**2 - inner**2) / radius**2

    def profile(r):
        return np.sqrt(a**2 + k * r**2)

    def antiderivative(r):
        rest = a**2 * np.arcsinh(np.sqrt(k) * r / a) / np.sqrt(k) if a > 0 else 0.0
        return (r * profile(r) + rest) / 2

    def slope(r):
        return k * r / profile(r) if a > 0 else np.full_like(r, np.sqrt(k))

    return Radial(profile, antiderivative, slope, radius)
