"""Laguerre cells of a convex solid, exactly: neighbours from tetrahedra, cells by clipping.

A cell deep inside is read off the tetrahedra about its point: their dual corners, in a ring about
each edge, are a facet. A cell that reaches the boundary is the domain cut by the half-space of
each neighbour. Compiled with numba. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection

from .clipping3d import cut_cells
from .diagram import Diagram
from .domains import Box
from .polyhedron import Polyhedron, boundary
from .tetrahedra import GHOSTS, Tetrahedra
from .triangulation import DONE, HIDDEN


@dataclass(frozen=True, eq=False)
class SolidDiagram(Diagram):
    """The cells of `u_h` in a convex solid.

    Attributes
    ----------
    areas : (m,) float array
        Area of the common facet of each of `pairs`.
    """

    areas: np.ndarray

    @property
    def facets(self) -> np.ndarray:
        """Measures of the common boundaries of `pairs`, here `areas`: (m,) float array."""
        return self.areas

    def cell_vertices(self, i: int) -> np.ndarray:
        """Return the corners of cell `i`, (k, 3) array in no order; their hull is the cell."""
        normals, offsets, _ = boundary(self.domain)
        near = np.concatenate(
            [self.pairs[self.pairs[:, 0] == i, 1], self.pairs[self.pairs[:, 1] == i, 0]]
        )
        rows = np.vstack(
            [
                np.column_stack([normals, -offsets]),
                np.column_stack(
                    [self.points[near] - self.points[i], self.heights[near] - self.heights[i]]
                ),
            ]
        )
        return HalfspaceIntersection(rows, self.centroids[i]).intersections


class SolidCutter:
    """Cuts the cells of the same points in a solid at one vector of heights after another.

    Parameters
    ----------
    domain : Box or Polyhedron
        Solid about the origin.
    points : (n, 3) float array
        Points about the origin, distinct, not all in a plane.
    """

    def __init__(self, domain: Box | Polyhedron, points: np.ndarray):
        self.domain, self.points = domain, points
        self.normals, self.offsets, faces = boundary(domain)
        self.starts = np.concatenate([[0], np.cumsum([len(face) for face in faces])])
        self.corners = domain.vertices[np.concatenate(faces)]
        reach = float(np.linalg.norm(domain.vertices, axis=1).max())
        self.tetrahedra = Tetrahedra(points, reach)
        self.started = False

    def __call__(self, heights: np.ndarray) -> SolidDiagram | None:
        """Return the diagram at these heights, or None if some cell is sure to be empty."""
        heights = heights - heights.mean()
        status = self.tetrahedra.update(heights)
        if status == HIDDEN and self.started:
            return None
        if status == DONE:
            diagram = self._cut(heights, self.tetrahedra.corners, self.tetrahedra.across)
            if self._fills(diagram):
                return diagram
        diagram = self.by_qhull(heights)
        if not self._fills(diagram):
            raise ArithmeticError(
                f"the cells fill {diagram.masses.sum():.9g} of the domain's "
                f"{self.domain.volume:.9g}; the points are too close for double precision"
            )
        return diagram

    def accept(self) -> None:
        """Note that a diagram without empty cells has been seen."""
        self.started = True

    def _fills(self, diagram):
        return abs(diagram.masses.sum() - self.domain.volume) <= 1e-8 * self.domain.volume

    def _cut(self, heights, corners, across):
        high, low = self.tetrahedra.split(heights)
        pairs, areas, masses, first, second = cut_cells(
            corners, across, self.tetrahedra.points, high, low,
            self.normals, self.offsets, self.starts, self.corners,
        )  # fmt: skip
        return SolidDiagram(
            domain=self.domain,
            points=self.points,
            heights=heights,
            pairs=pairs,
            areas=areas,
            masses=masses,
            first_moments=first,
            second_moments=second,
        )

    def by_qhull(self, heights: np.ndarray) -> SolidDiagram:
        """Return the diagram with neighbours from Qhull's lower hull in four dimensions.

        Every cell is cut out of the domain by the half-spaces of its neighbours: slower, and
        independent of the kept tetrahedra.
        """
        y = self.tetrahedra.points
        n = len(y) - GHOSTS
        high, low = self.tetrahedra.split(heights)
        size = np.abs(y[:n]).max()
        lifted = np.column_stack([y / size, -(high + low) / (size * self.tetrahedra.reach)])
        lifted = np.vstack([lifted, [0, 0, 0, lifted[:, 3].max() + 1]])
        hull = ConvexHull(lifted)
        lower = hull.equations[:, 3] < -1e-13
        corners = hull.simplices[lower].astype(np.int32)
        return self._cut(heights, corners, np.full_like(corners, -1))
