"""Convex source domains: boxes in any dimension and convex polygons in the plane.

A domain carries the uniform density 1, so its mass is its volume. Taught in the chapter
*Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np


def _finite_array(name: str, value: object, ndim: int, shape: str) -> np.ndarray:
    try:
        array = np.asarray(value).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected numbers of shape {shape}, got {value!r}") from error
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}: expected finite numbers, got {array[where]} at index {where}")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Box:
    """The box `prod_k [lower_k, upper_k]`.

    Parameters
    ----------
    lower, upper : (d,) float array
        Opposite corners, `lower < upper` in every coordinate.

    Raises
    ------
    ValueError
        If the corners are not finite, differ in length, or are not in order.

    Examples
    --------
    >>> square = Box([0, 0], [1, 2])
    >>> square.volume
    2.0
    >>> square.vertices.tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]
    """

    lower: np.ndarray
    upper: np.ndarray

    def __post_init__(self):
        lower = _finite_array("lower", self.lower, 1, "(d,)")
        upper = _finite_array("upper", self.upper, 1, "(d,)")
        if lower.shape != upper.shape or lower.size == 0:
            raise ValueError(
                f"upper: expected as many coordinates as lower, at least one; "
                f"got lower {lower.shape}, upper {upper.shape}"
            )
        if not (lower < upper).all():
            k = int(np.argmin(lower < upper))
            raise ValueError(
                f"upper: expected upper > lower in every coordinate, "
                f"got lower = {lower[k]}, upper = {upper[k]} in coordinate {k}"
            )
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    @property
    def dimension(self) -> int:
        """Number of coordinates `d`."""
        return self.lower.size

    @property
    def volume(self) -> float:
        """Volume, the mass of the uniform density 1."""
        return float(np.prod(self.upper - self.lower))

    @property
    def center(self) -> np.ndarray:
        """Midpoint of the box, (d,) float array."""
        return (self.lower + self.upper) / 2

    @property
    def vertices(self) -> np.ndarray:
        """Corners; in the plane counter-clockwise from `lower`, (2^d, d) float array."""
        if self.dimension == 2:
            (a, b), (c, d) = self.lower, self.upper
            return np.array([[a, b], [c, b], [c, d], [a, d]])
        axes = zip(self.lower, self.upper, strict=True)
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.dimension)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which rows of `x`, (n, d) float array, lie in the closed box: (n,) bool array."""
        x = np.atleast_2d(x)
        return ((x >= self.lower) & (x <= self.upper)).all(axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` independent uniform points, (n, d) float array."""
        return rng.uniform(self.lower, self.upper, size=(n, self.dimension))

    def moved(self, shift: np.ndarray) -> "Box":
        """Return the box translated by `shift`, (d,) float array."""
        return Box(self.lower + shift, self.upper + shift)


@dataclass(frozen=True, eq=False)
class Polygon:
    """A convex polygon in the plane.

    Parameters
    ----------
    vertices : (k, 2) float array
        Corners in order along the boundary, clockwise or counter-clockwise; kept
        counter-clockwise. Corners in the middle of a straight side are dropped.

    Raises
    ------
    ValueError
        If there are fewer than three corners, a corner is not finite or repeated, the boundary
        crosses itself, or the polygon is not convex.

    Examples
    --------
    >>> Polygon([[0, 0], [2, 0], [0, 2]]).volume
    2.0
    >>> Polygon([[0, 0], [2, 0], [0.5, 0.5], [0, 2]])
    Traceback (most recent call last):
    ...
    ValueError: vertices: expected a convex polygon, got a turn the other way at corner 2 ...
    """

    vertices: np.ndarray

    def __post_init__(self):
        v = _finite_array("vertices", self.vertices, 2, "(k, 2)")
        if v.shape[1] != 2 or len(v) < 3:
            raise ValueError(f"vertices: expected shape (k, 2) with k >= 3, got {v.shape}")
        object.__setattr__(self, "vertices", _convex_boundary(v))
        self.vertices.setflags(write=False)

    @property
    def dimension(self) -> int:
        """Always 2."""
        return 2

    @property
    def volume(self) -> float:
        """Area (shoelace formula about the first corner), the mass of the uniform density 1."""
        return float(self._fan_areas().sum())

    @property
    def center(self) -> np.ndarray:
        """Centre of mass, (2,) float array."""
        v, areas = self.vertices, self._fan_areas()
        return (areas @ (v[0] + v[1:-1] + v[2:])) / (3 * areas.sum())

    def _fan_areas(self) -> np.ndarray:
        a, b = self.vertices[1:-1] - self.vertices[0], self.vertices[2:] - self.vertices[0]
        return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which rows of `x`, (n, 2) float array, lie in the closed polygon: (n,) bool."""
        normals, offsets = halfplanes(self)
        slack = np.finfo(float).eps * 8 * np.abs(self.vertices).max()
        return (np.atleast_2d(x) @ normals.T <= offsets + slack).all(axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` independent uniform points, (n, 2) float array."""
        areas = self._fan_areas()
        k = rng.choice(len(areas), size=n, p=areas / areas.sum())
        s, t = np.sqrt(rng.random((n, 1))), rng.random((n, 1))
        a, b, c = self.vertices[0], self.vertices[1 + k], self.vertices[2 + k]
        return (1 - s) * a + s * (1 - t) * b + s * t * c

    def moved(self, shift: np.ndarray) -> "Polygon":
        """Return the polygon translated by `shift`, (2,) float array."""
        return Polygon(self.vertices + shift)


def _convex_boundary(v: np.ndarray) -> np.ndarray:
    """Return the corners counter-clockwise without straight ones, or say why they won't do."""
    scale = np.ptp(v, axis=0).max()
    side = np.roll(v, -1, axis=0) - v
    length = np.linalg.norm(side, axis=1)
    if (length <= 1e-14 * scale).any() or scale == 0:
        k = int(np.argmin(length))
        raise ValueError(f"vertices: expected distinct corners, got corner {k} twice: {v[k]}")
    before = np.roll(side, 1, axis=0)
    cross = before[:, 0] * side[:, 1] - before[:, 1] * side[:, 0]
    turn = np.arctan2(cross, (before * side).sum(axis=1))
    turn[np.abs(turn) < 1e-12] = 0.0
    winding = turn.sum() / (2 * np.pi)
    reversing = np.isclose(np.abs(turn), np.pi)
    if reversing.any():
        raise ValueError(
            f"vertices: expected a convex polygon, got a boundary that turns back on itself "
            f"at corner {int(np.argmax(reversing))}"
        )
    if not np.isclose(abs(winding), 1.0):
        raise ValueError(
            f"vertices: expected a boundary that goes round once, got one that crosses itself "
            f"(it turns {winding:+.2f} times)"
        )
    wrong = turn * np.sign(winding) < 0
    if wrong.any():
        k = int(np.argmax(wrong))
        raise ValueError(
            f"vertices: expected a convex polygon, got a turn the other way at corner {k} {v[k]}"
        )
    corners = v[turn != 0]
    return corners if winding > 0 else corners[::-1].copy()


def halfplanes(domain: Box | Polygon) -> tuple[np.ndarray, np.ndarray]:
    """Return outward unit normals (k, 2) and offsets (k,) of a planar domain's sides.

    Side `k` runs from vertex `k` to vertex `k + 1`; the domain is
    `{x : <normals_k, x> <= offsets_k for all k}`.

    Examples
    --------
    >>> normals, offsets = halfplanes(Box([0, 0], [1, 2]))
    >>> offsets.tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    v = domain.vertices
    side = np.roll(v, -1, axis=0) - v
    normals = np.column_stack([side[:, 1], -side[:, 0]])
    normals /= np.linalg.norm(side, axis=1)[:, None]
    return normals, (normals * v).sum(axis=1) + 0.0


def disk(radius: float = 1.0, n_sides: int = 256) -> Polygon:
    """Return the regular polygon inscribed in the circle of the given radius about the origin.

    Its area falls short of the disk's by the factor `sin(t)/t`, `t = 2 pi / n_sides`:
    1.0e-4 of the area at 256 sides.

    Parameters
    ----------
    radius : float
        Radius, positive.
    n_sides : int
        Number of sides, at least 3.

    Raises
    ------
    ValueError
        If the radius is not positive and finite or `n_sides < 3`.

    Examples
    --------
    >>> round(disk().volume / np.pi, 4)
    0.9999
    """
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"radius: expected a positive number, got {radius}")
    if not (n_sides >= 3 and n_sides % 1 == 0):
        raise ValueError(f"n_sides: expected a whole number, at least 3, got {n_sides}")
    angle = 2 * np.pi * np.arange(int(n_sides)) / n_sides
    return Polygon(radius * np.column_stack([np.cos(angle), np.sin(angle)]))
