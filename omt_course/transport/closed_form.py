"""Optimal maps known in closed form, for the quadratic cost, in any dimension.

The gradient of a convex function is optimal onto whatever it pushes the source to (Brenier). So a
convex `u` written down gives a whole problem with its answer: `T = grad u`, the density
`g(T x) = f(x) / det D2u(x)` of the target, and `W2^2`. Tests and lessons measure solvers against
these. Taught in *From discrete to smooth*; `transport.radial` has the maps that move every point
along its ray, `transport.line` those of the line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad

from .costs import finite_array
from .domains import Box, Polygon


@dataclass(frozen=True, eq=False)
class Affine:
    """The map `T x = A x + b`, gradient of `u = <x, A x>/2 + <b, x>`.

    Parameters
    ----------
    matrix : (d, d) float array
        Symmetric and positive definite: that is what makes `u` convex and `T` one to one.
    shift : (d,) float array

    Raises
    ------
    ValueError
        If the matrix is not symmetric and positive definite, or the shapes do not fit.

    Examples
    --------
    >>> T = Affine([[2, 0], [0, 1]], [1, 0])
    >>> T.transport([[1, 1]]).tolist(), float(T.jacobian([[1, 1]])[0])
    ([[3.0, 1.0]], 2.0)
    >>> T.w2_squared(Box([0, 0], [1, 1]))    # int (x + 1)^2 over [0, 1]
    2.3333333333333335
    """

    matrix: np.ndarray
    shift: np.ndarray

    def __post_init__(self):
        A, b = finite_array("matrix", self.matrix, 2), finite_array("shift", self.shift, 1)
        if A.shape != (len(b), len(b)) or not len(b):
            raise ValueError(f"matrix: expected shape ({len(b)}, {len(b)}), got {A.shape}")
        if np.abs(A - A.T).max() > 1e-12 * np.abs(A).max():
            raise ValueError(
                f"matrix: expected a symmetric matrix (a gradient), got one that differs "
                f"from its transpose by {np.abs(A - A.T).max():.2e}"
            )
        _set(self, matrix=(A + A.T) / 2, shift=b)
        least = np.linalg.eigvalsh(self.matrix)[0]
        if not least > 0:
            raise ValueError(f"matrix: expected positive eigenvalues (u convex), got {least:.6g}")

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.shift)

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x`, (m, d): (m, d) float array."""
        return rows(x, self.dimension) @ self.matrix + self.shift

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `u` at the rows of `x`, (m, d): (m,) float array."""
        x = rows(x, self.dimension)
        return (x * (x @ self.matrix / 2 + self.shift)).sum(axis=1)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `det D2u` at the rows of `x`, (m, d): (m,) float array."""
        return np.full(len(rows(x, self.dimension)), np.linalg.det(self.matrix))

    def w2_squared(self, domain: Box | Polygon) -> float:
        """Return `int |x - T x|^2 dx` over a box or a polygon, from its first two moments."""
        center, covariance = _moments(domain, self.dimension)
        away = self.matrix - np.eye(self.dimension)
        moved = away @ center + self.shift
        return domain.volume * float(np.trace(away @ covariance @ away) + moved @ moved)


def gaussian(
    mean_0: np.ndarray, cov_0: np.ndarray, mean_1: np.ndarray, cov_1: np.ndarray
) -> tuple[Affine, float]:
    """Return the optimal map between two normal laws, and `W2^2` (Bures).

    With `S = cov_0^(1/2)` and `M = (S cov_1 S)^(1/2)` the map is `x -> mean_1 + A (x - mean_0)`,
    `A = S^-1 M S^-1`, and `W2^2 = |mean_0 - mean_1|^2 + tr(cov_0 + cov_1 - 2 M)`.

    Parameters
    ----------
    mean_0, mean_1 : (d,) float array
    cov_0, cov_1 : (d, d) float array
        Symmetric and positive definite.

    Raises
    ------
    ValueError
        If a covariance is not symmetric and positive definite, or the shapes do not fit.

    Notes
    -----
    Peyre and Cuturi (2019), section 2.6.

    Examples
    --------
    >>> T, w2_squared = gaussian([0, 0], np.eye(2), [3, 0], [[4, 0], [0, 1]])
    >>> T.matrix.round(12).tolist(), round(w2_squared, 12)     # 3^2 + (2 - 1)^2
    ([[2.0, 0.0], [0.0, 1.0]], 10.0)
    """
    first, second = _named("cov_0", cov_0, mean_0), _named("cov_1", cov_1, mean_1)
    if first.dimension != second.dimension:
        raise ValueError(f"mean_1: expected {first.dimension} coordinates, got {second.dimension}")
    root = _root(first.matrix)
    middle = _root(root @ second.matrix @ root)
    A = np.linalg.inv(root) @ middle @ np.linalg.inv(root)
    A = (A + A.T) / 2
    gap = first.shift - second.shift
    w2_squared = gap @ gap + np.trace(first.matrix + second.matrix - 2 * middle)
    return Affine(A, second.shift - A @ first.shift), float(w2_squared)


@dataclass(frozen=True, eq=False)
class Product:
    """The map `T x = (T_1(x_1), ..., T_d(x_d))`, gradient of `u(x) = sum_k U_k(x_k)`, `U_k' = T_k`.

    It is optimal if every `T_k` does not decrease, which is checked on 1,000 places.

    Parameters
    ----------
    maps, antiderivatives, slopes : sequences of d callables
        `T_k`, `U_k` and `T_k'` on the sides of the box, arrays to arrays.
    box : Box
        Where the maps are used.

    Raises
    ------
    ValueError
        If a map decreases somewhere, or the lengths do not fit the box.

    Examples
    --------
    >>> T = Product([np.exp, np.square], [np.exp, lambda t: t**3 / 3], [np.exp, lambda t: 2 * t],
    ...             Box([0, 0], [1, 1]))
    >>> T.transport([[0, 0.5]]).tolist(), T.jacobian([[0, 0.5]]).tolist()
    ([[1.0, 0.25]], [1.0])
    """

    maps: Sequence[Callable[[np.ndarray], np.ndarray]]
    antiderivatives: Sequence[Callable[[np.ndarray], np.ndarray]]
    slopes: Sequence[Callable[[np.ndarray], np.ndarray]]
    box: Box

    def __post_init__(self):
        for name in ("maps", "antiderivatives", "slopes"):
            given = tuple(getattr(self, name))
            if len(given) != self.dimension:
                raise ValueError(f"{name}: expected {self.dimension} functions, got {len(given)}")
            _set(self, **{name: given})
        for k, one in enumerate(self.maps):
            check_increasing(f"maps[{k}]", one, self.box.lower[k], self.box.upper[k])

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.box.dimension

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x`, (m, d): (m, d) float array."""
        return self._columns(self.maps, x)

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `u` at the rows of `x`, (m, d): (m,) float array."""
        return self._columns(self.antiderivatives, x).sum(axis=1)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `det D2u`, the product of the slopes, at the rows of `x`: (m,) float array."""
        return self._columns(self.slopes, x).prod(axis=1)

    def w2_squared(self) -> float:
        """Return `int |x - T x|^2 dx` over the box (density 1), side by side."""
        total, accuracy = 0.0, {"epsabs": 1e-13, "epsrel": 1e-12, "limit": 200}
        for one, a, b in zip(self.maps, self.box.lower, self.box.upper, strict=True):

            def squared(t, one=one):
                return (t - float(one(np.array([t]))[0])) ** 2

            total += quad(squared, a, b, **accuracy)[0] * self.box.volume / (b - a)
        return float(total)

    def _columns(self, functions, x):
        x = rows(x, self.dimension)
        return np.column_stack([one(x[:, k]) for k, one in enumerate(functions)])


@dataclass(frozen=True, eq=False)
class Torn:
    """The map that pulls space apart along a hyperplane, `T x = x + gap sign(<x, e> - c) e`.

    It is the gradient of `u = |x|^2/2 + gap |<x, e> - c|`, convex and not differentiable on the
    hyperplane `<x, e> = c`, where `T x = x` by agreement.

    Parameters
    ----------
    direction : (d,) float array
        `e`, scaled to length 1.
    offset : float
        `c`.
    gap : float
        Positive: how far either side moves.

    Raises
    ------
    ValueError
        If the direction vanishes or the gap is not positive.

    Examples
    --------
    >>> T = Torn([1, 0], 0.0, 0.5)
    >>> T.transport([[-1, 0], [1, 0]]).tolist()
    [[-1.5, 0.0], [1.5, 0.0]]
    >>> T.w2_squared(Box([-1, -1], [1, 1]))
    1.0
    """

    direction: np.ndarray
    offset: float
    gap: float

    def __post_init__(self):
        e = finite_array("direction", self.direction, 1)
        if not e.any():
            raise ValueError(f"direction: expected a vector that is not zero, got {e.tolist()}")
        if not 0 < self.gap < np.inf:
            raise ValueError(f"gap: expected a positive number, got {self.gap}")
        _set(self, direction=e / np.linalg.norm(e), offset=float(self.offset))

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.direction)

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x`, (m, d): (m, d) float array."""
        x = rows(x, self.dimension)
        side = np.sign(x @ self.direction - self.offset)
        return x + self.gap * side[:, None] * self.direction

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate `u` at the rows of `x`, (m, d): (m,) float array."""
        x = rows(x, self.dimension)
        return (x**2).sum(axis=1) / 2 + self.gap * np.abs(x @ self.direction - self.offset)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Return `det D2u = 1` off the hyperplane, inf on it: (m,) float array."""
        x = rows(x, self.dimension)
        return np.where(x @ self.direction == self.offset, np.inf, 1.0)

    def w2_squared(self, domain: Box | Polygon) -> float:
        """Return `int |x - T x|^2 dx = gap^2 |domain|`, on any domain."""
        return self.gap**2 * domain.volume


def _moments(domain, dimension):
    """Return the centre and the covariance matrix of a uniform point of a domain."""
    if domain.dimension != dimension:
        raise ValueError(f"domain: expected dimension {dimension}, got {domain.dimension}")
    if isinstance(domain, Box):
        return domain.center, np.diag((domain.upper - domain.lower) ** 2) / 12
    center, v = domain.center, domain.vertices - domain.center
    a, b = v, np.roll(v, -1, axis=0)
    area = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    # A triangle with corners 0, a, b: mean of x x^T = (aa^T + bb^T + (a+b)(a+b)^T) / 12.
    second = sum(np.einsum("k,ki,kj->ij", area, c, c) for c in (a, b, a + b)) / 12
    return center, second / area.sum()


def _root(S):
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    return (vectors * np.sqrt(values)) @ vectors.T


def _named(name, covariance, mean):
    try:
        return Affine(covariance, mean)
    except ValueError as error:
        raise ValueError(str(error).replace("matrix", name)) from None


def check_increasing(name: str, function: Callable, low: float, high: float) -> None:
    """Refuse a function of a real variable that decreases on `[low, high]`."""
    t = np.linspace(low, high, 1000)
    value = np.asarray(function(t), dtype=float)
    if value.shape != t.shape or not np.isfinite(value).all():
        raise ValueError(f"{name}: expected finite values of shape (m,) on [{low:g}, {high:g}]")
    falls = np.diff(value) < -1e-12 * max(1.0, np.abs(value).max())
    if falls.any():
        k = int(falls.argmax())
        raise ValueError(
            f"{name}: expected a function that does not decrease, got {value[k]:.6g} at {t[k]:.4g} "
            f"and {value[k + 1]:.6g} at {t[k + 1]:.4g}"
        )


def rows(x: np.ndarray, dimension: int) -> np.ndarray:
    """Return `x` as an (m, dimension) float array, or say what is wrong with it."""
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[1] != dimension:
        raise ValueError(f"x: expected shape (m, {dimension}), got {x.shape}")
    return x


def _set(frozen, **values):
    for name, value in values.items():
        object.__setattr__(frozen, name, value)
