"""Convex source domains in space, and the half-spaces and faces that cells are cut with.

Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from .domains import Box, _finite_array


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """The convex hull of points in space, with the uniform density 1.

    Parameters
    ----------
    vertices : (k, 3) float array
        At least four points, not all in a plane; only corners of the hull are kept.

    Raises
    ------
    ValueError
        If there are fewer than four points, some are not finite, or they lie in a plane.

    Examples
    --------
    >>> corner = Polyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> round(corner.volume, 12), corner.center.round(12).tolist()
    (0.166666666667, [0.25, 0.25, 0.25])
    """

    vertices: np.ndarray

    def __post_init__(self):
        v = _finite_array("vertices", self.vertices, 2, "(k, 3)")
        if v.shape[1] != 3 or len(v) < 4:
            raise ValueError(f"vertices: expected shape (k, 3) with k >= 4, got {v.shape}")
        middle = v.mean(axis=0)
        spread = np.linalg.svd(v - middle, compute_uv=False)
        if not spread[2] > 1e-10 * spread[0]:
            raise ValueError(
                f"vertices: expected points that are not all in a plane, got a spread of "
                f"{spread[2]:.1e} across it and of {spread[0]:.1e} along it"
            )
        try:
            hull = ConvexHull(v - middle)
        except QhullError as why:
            raise ValueError(f"vertices: expected a solid convex hull; Qhull: {why}") from why
        object.__setattr__(self, "vertices", v[np.sort(hull.vertices)])
        self.vertices.setflags(write=False)

    @property
    def dimension(self) -> int:
        """Always 3."""
        return 3

    @cached_property
    def _hull(self) -> ConvexHull:
        return ConvexHull(self.vertices - self.vertices.mean(axis=0))

    @property
    def volume(self) -> float:
        """Volume, the mass of the uniform density 1."""
        return float(self._tetrahedra[1].sum())

    @cached_property
    def center(self) -> np.ndarray:
        """Centre of mass, (3,) float array."""
        corners, volumes = self._tetrahedra
        return volumes @ corners.mean(axis=1) / volumes.sum()

    @cached_property
    def _tetrahedra(self) -> tuple[np.ndarray, np.ndarray]:
        """Tetrahedra from the mean of the corners to the triangles: (m, 4, 3), volumes (m,)."""
        middle = self.vertices.mean(axis=0)
        triangles = self.vertices[self._hull.simplices]
        apex = np.broadcast_to(middle, (len(triangles), 1, 3))
        edges = triangles - middle
        return np.concatenate([apex, triangles], axis=1), np.abs(np.linalg.det(edges)) / 6

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which rows of `x`, (n, 3) float array, lie in the closed solid: (n,) bool array."""
        normals, offsets, _ = boundary(self)
        slack = np.finfo(float).eps * 8 * np.abs(self.vertices).max()
        return (np.atleast_2d(x) @ normals.T <= offsets + slack).all(axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` independent uniform points, (n, 3) float array."""
        corners, volumes = self._tetrahedra
        k = rng.choice(len(volumes), size=n, p=volumes / volumes.sum())
        weights = rng.dirichlet(np.ones(4), size=n)
        return (weights[:, :, None] * corners[k]).sum(axis=1)

    def moved(self, shift: np.ndarray) -> "Polyhedron":
        """Return the solid translated by `shift`, (3,) float array."""
        return Polyhedron(self.vertices + shift)


def boundary(domain: "Box | Polyhedron") -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return outward unit normals (k, 3), offsets (k,) and faces of a solid.

    The solid is `{x : <normals_k, x> <= offsets_k for all k}`; a face is the index array of its
    corners among `domain.vertices`, counter-clockwise seen from outside.

    Examples
    --------
    >>> normals, offsets, faces = boundary(Box([0, 0, 0], [1, 1, 2]))
    >>> offsets.tolist()
    [-0.0, -0.0, -0.0, 1.0, 1.0, 2.0]
    >>> len(faces), {len(face) for face in faces}
    (6, {4})
    """
    v = domain.vertices
    if isinstance(domain, Box):
        eye = np.eye(domain.dimension)
        normals = np.concatenate([-eye, eye])
        offsets = np.concatenate([-domain.lower, domain.upper])
        on = [
            np.flatnonzero(v @ n >= c - 1e-12 * (1 + abs(c)))
            for n, c in zip(normals, offsets, strict=True)
        ]
        return (
            normals,
            offsets,
            [_counter_clockwise(v, face, n) for face, n in zip(on, normals, strict=True)],
        )
    middle = v.mean(axis=0)
    equations = domain._hull.equations
    # Triangles in one plane are one face.
    group = np.full(len(equations), -1)
    normals, offsets, faces = [], [], []
    size = np.abs(v - middle).max()
    for k in range(len(equations)):
        if group[k] >= 0:
            continue
        n, c = equations[k, :3], -equations[k, 3]
        same = (equations[:, :3] @ n > 1 - 1e-12) & (np.abs(equations[:, 3] + c) < 1e-10 * size)
        group[same] = len(normals)
        corners = np.unique(domain._hull.simplices[same])
        normals.append(n)
        offsets.append(float((v[corners] @ n).max()))
        faces.append(_counter_clockwise(v, corners, n))
    return np.array(normals), np.array(offsets), faces


def _counter_clockwise(v, corners, normal):
    """Order the corners of a convex face as seen against its outward normal."""
    across = np.linalg.svd(normal[None])[2][1:]  # two directions in the plane of the face
    if np.linalg.det(np.vstack([across, normal])) < 0:
        across = across[::-1]
    x, y = across @ (v[corners] - v[corners].mean(axis=0)).T
    return corners[np.argsort(np.arctan2(y, x))]
