"""Source densities that are linear on every triangle of a triangulation.

Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .domains import Polygon, _finite_array


@dataclass(frozen=True, eq=False)
class TriangulatedDensity:
    """A density on a union of triangles, linear on each; the union need not be convex.

    Parameters
    ----------
    vertices : (k, 2) float array
    triangles : (m, 3) int array
        Corners of each triangle, counter-clockwise; triangles may share sides and not overlap.
    values : (k,) float array
        Density at the vertices, zero or more, not all zero.

    Raises
    ------
    ValueError
        If a shape is wrong, a value negative, a triangle clockwise or flat, or a side shared by
        two triangles on the same side of it.

    Examples
    --------
    A ramp on the unit square, from 0 on the left to 2 on the right:

    >>> corners = [[0, 0], [1, 0], [1, 1], [0, 1]]
    >>> ramp = TriangulatedDensity(corners, [[0, 1, 2], [0, 2, 3]], [0, 2, 2, 0])
    >>> round(ramp.volume, 12), ramp.center.round(12).tolist()
    (1.0, [0.666666666667, 0.5])
    """

    vertices: np.ndarray
    triangles: np.ndarray
    values: np.ndarray

    def __post_init__(self):
        v = _finite_array("vertices", self.vertices, 2, "(k, 2)")
        values = _finite_array("values", self.values, 1, "(k,)")
        triangles = np.array(self.triangles)
        if v.shape[1] != 2:
            raise ValueError(f"vertices: expected shape (k, 2), got {v.shape}")
        if values.shape != v.shape[:1]:
            raise ValueError(
                f"values: expected one for each of {len(v)} vertices, got {values.shape}"
            )
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
            raise ValueError(
                f"triangles: expected whole numbers of shape (m, 3), got {triangles.dtype} of "
                f"shape {triangles.shape}"
            )
        if len(triangles) == 0 or triangles.min() < 0 or triangles.max() >= len(v):
            raise ValueError(
                f"triangles: expected indices from 0 to {len(v) - 1} of at least one triangle"
            )
        if (values < 0).any():
            k = int(np.argmin(values))
            raise ValueError(
                f"values: expected a density of zero or more, got {values[k]} at vertex {k}"
            )
        area = _areas(v, triangles)
        size = np.ptp(v[triangles], axis=1).max(axis=1)
        bad = area <= 1e-13 * size**2
        if bad.any():
            k = int(np.argmax(bad))
            what = "flat" if area[k] > -1e-13 * size[k] ** 2 else "clockwise"
            raise ValueError(
                f"triangles: expected counter-clockwise triangles, got a {what} one in row {k}: "
                f"{triangles[k].tolist()} ({int(bad.sum())} such rows)"
            )
        sides = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
        _, first, count = np.unique(sides, axis=0, return_index=True, return_counts=True)
        if (count > 1).any():
            side = sides[first[np.argmax(count > 1)]].tolist()
            raise ValueError(
                f"triangles: expected triangles that do not overlap, got two on the same side of "
                f"the edge {side}"
            )
        if not values[triangles].any():
            raise ValueError("values: expected some density above zero, got zero on every triangle")
        triangles.setflags(write=False)
        object.__setattr__(self, "vertices", v)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "triangles", triangles)

    @property
    def dimension(self) -> int:
        """Always 2."""
        return 2

    @cached_property
    def triangle_masses(self) -> np.ndarray:
        """Mass of each triangle, (m,) float array."""
        return _areas(self.vertices, self.triangles) * self.values[self.triangles].mean(axis=1)

    @property
    def heaviest_triangle(self) -> Polygon:
        """The triangle of largest mass, as a convex domain."""
        return Polygon(self.vertices[self.triangles[np.argmax(self.triangle_masses)]])

    @property
    def volume(self) -> float:
        """Mass of the density."""
        return float(self.triangle_masses.sum())

    @cached_property
    def center(self) -> np.ndarray:
        """Centre of mass, (2,) float array."""
        area = _areas(self.vertices, self.triangles)
        v, r = self.vertices[self.triangles], self.values[self.triangles]
        moments = (v.sum(axis=1) * r.sum(axis=1)[:, None] + (v * r[:, :, None]).sum(axis=1)) / 12
        return area @ moments / self.volume

    def density(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the density at the rows of `x`, (n, 2): (n,) float array, 0 outside."""
        x = np.atleast_2d(np.asarray(x, dtype=float))
        result = np.zeros(len(x))
        for triangle in self.triangles:
            a, b, c = self.vertices[triangle]
            weights = np.linalg.solve(np.column_stack([b - a, c - a]), (x - a).T).T
            weights = np.column_stack([1 - weights.sum(axis=1), weights])
            inside = (weights >= -1e-12).all(axis=1)
            result[inside] = weights[inside] @ self.values[triangle]
        return result

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which rows of `x`, (n, 2), lie where the density is above zero: (n,) bool array."""
        return self.density(x) > 0

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` independent points from the density, (n, 2) float array."""
        masses = self.triangle_masses
        k = rng.choice(len(masses), size=n, p=masses / masses.sum())
        r = self.values[self.triangles[k]]
        # The density is a mixture of three, each proportional to one barycentric coordinate:
        # Dirichlet's with a 2 in that place.
        which = (rng.random((n, 1)) * r.sum(axis=1, keepdims=True) > np.cumsum(r, axis=1)).sum(
            axis=1
        )
        weights = rng.standard_gamma(1 + (np.arange(3) == which[:, None]))
        weights /= weights.sum(axis=1, keepdims=True)
        return (weights[:, :, None] * self.vertices[self.triangles[k]]).sum(axis=1)

    def mixed(self, share: float) -> "TriangulatedDensity":
        """Return `(1 - share) constant + share density`, of the same mass."""
        constant = self.volume / _areas(self.vertices, self.triangles).sum()
        values = (1 - share) * constant + share * self.values
        return TriangulatedDensity(self.vertices, self.triangles, values)

    def moved(self, shift: np.ndarray) -> "TriangulatedDensity":
        """Return the density translated by `shift`, (2,) float array."""
        return TriangulatedDensity(self.vertices + shift, self.triangles, self.values)


def _areas(v, triangles):
    a, b, c = v[triangles[:, 0]], v[triangles[:, 1]], v[triangles[:, 2]]
    ab, ac = b - a, c - a
    return (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]) / 2
