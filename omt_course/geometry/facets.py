"""Facets of `{x : <n_i, x> <= h_i}` read off the dual hull: areas, edges, and their derivative.

With the origin inside, the polytope is dual to the convex hull of the points `n_i / h_i`: a corner
of the hull is a facet, an edge of the hull an edge, a triangle of the hull a vertex. Nothing here
builds a polygon: areas come from the edges alone. Taught in *The Minkowski problem*.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

ROUNDING = 1e-13  # of the size: balls and edges below it are rounding


class Unbounded(ValueError):
    """The half-spaces have no bounded intersection with interior points."""


@dataclass(frozen=True, eq=False)
class Facets:
    """The facets of a polytope, `m` vertices counted once per dual triangle.

    Attributes
    ----------
    normals : (n, 3) float array
        Outward unit normals.
    triangles : (m, 3) int array
        The three facets that meet in a vertex, counter-clockwise seen from outside.
    neighbors : (m, 3) int array
        The vertex at the other end of the edge that leaves the facet of the same column.
    vertices : (m, 3) float array
        Where the three planes meet. Vertices of more than three facets are repeated.
    pairs : (3m/2, 2) int array
        Facets `i, j` that share an edge; edges of length zero included.
    lengths : (3m/2,) float array
        Lengths of these edges, never negative.
    sines, cosines : (3m/2,) float arrays
        Of the angle between the two normals.
    areas : (n,) float array
        Zero for a facet that is cut off.
    """

    normals: np.ndarray
    triangles: np.ndarray
    neighbors: np.ndarray
    vertices: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    sines: np.ndarray
    cosines: np.ndarray
    areas: np.ndarray

    def derivative(self) -> sp.csc_matrix:
        """Return `dA_i / dh_j`, (n, n) sparse and symmetric: the Hessian of the volume.

        `len_ij / sin(theta_ij)` off the diagonal and `-sum_j len_ij cot(theta_ij)` on it.
        """
        n, (i, j) = len(self.normals), self.pairs.T
        across = self.lengths / self.sines
        back = np.bincount(
            np.concatenate([i, j]), weights=np.tile(across * self.cosines, 2), minlength=n
        )
        every = np.arange(n)
        rows, columns = np.concatenate([i, j, every]), np.concatenate([j, i, every])
        return sp.csc_matrix((np.concatenate([across, across, -back]), (rows, columns)), (n, n))


def cut(normals: np.ndarray, support: np.ndarray) -> Facets:
    """Cut the facets of `{x : <n_i, x> <= h_i}` with the origin inside.

    Parameters
    ----------
    normals : (n, 3) float array
        Unit vectors.
    support : (n,) float array
        Positive support numbers `h_i`.

    Returns
    -------
    Facets

    Raises
    ------
    Unbounded
        If the origin is not inside or the intersection is not bounded.

    Examples
    --------
    >>> cube = cut(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
    >>> cube.areas
    array([1., 1., 1., 1., 1., 1.])
    """
    if not support.min() > 0:
        raise Unbounded(f"support: expected positive numbers, got {support.min():.3g}")
    dual = normals / support[:, None]
    try:
        hull = ConvexHull(dual)
    except QhullError as error:
        raise Unbounded("normals: expected vectors that span space, got a flat set") from error
    if not hull.equations[:, 3].max() < 0:
        raise Unbounded("normals: expected no closed half-space that holds them all")
    triangles, neighbors = hull.simplices.astype(np.int64), hull.neighbors.astype(np.int64)
    a, b, c = (normals[k] for k in triangles.T)
    ab, ac = b - a, c - a  # differences first: neighbouring normals are close, and exact so
    across = np.cross(ab, ac)
    p, q, r = (dual[k] for k in triangles.T)
    inward = np.einsum("mk,mk->m", np.cross(q - p, r - p), hull.equations[:, :3]) < 0
    vertices = _meeting_points(a, ab, ac, across, support, triangles, hull.equations)
    for array in (triangles, neighbors):
        array[inward, 1:] = array[inward, :0:-1]
    return _with_edges(normals, support, triangles, neighbors, vertices)


def _meeting_points(a, ab, ac, across, support, triangles, equations):
    """Solve `<n, v> = h` for the three planes of every dual triangle."""
    h0, h1, h2 = support[triangles].T
    det = np.einsum("mk,mk->m", a, across)
    vertices = h0[:, None] * across
    vertices += (h1 - h0)[:, None] * np.cross(ac, a) + (h2 - h0)[:, None] * np.cross(a, ab)
    # Of many planes through a vertex Qhull may take three in a pencil: its own plane is better.
    thin = np.abs(det) <= 1e-9 * np.linalg.norm(ab, axis=1) * np.linalg.norm(ac, axis=1)
    vertices /= np.where(thin, 1.0, det)[:, None]
    vertices[thin] = -equations[thin, :3] / equations[thin, 3:]
    return vertices


def _with_edges(normals, support, triangles, neighbors, vertices):
    m, n = len(triangles), len(normals)
    row, column = np.nonzero(neighbors > np.arange(m)[:, None])
    other = neighbors[row, column]
    i, j = triangles[row, (column + 1) % 3], triangles[row, (column + 2) % 3]
    ni, nj = normals[i], normals[j]
    turn = np.cross(ni, nj - ni)
    sines = np.linalg.norm(turn, axis=1)
    cosines = np.einsum("ek,ek->e", ni, nj)
    # Counter-clockwise round facet i, the edge towards j runs along n_i x n_j.
    along = np.einsum("ek,ek->e", vertices[row] - vertices[other], turn) / sines
    lengths = np.maximum(along, 0.0)
    # Area = sum over edges of half the length times the distance from a fixed point of the facet:
    # its first vertex, so that small facets do not drown in the rounding of large distances.
    first = np.empty(n, dtype=np.int64)
    first[triangles[::-1].ravel()] = np.repeat(np.arange(m)[::-1], 3)
    first[np.setdiff1d(np.arange(n), triangles)] = 0
    areas = np.zeros(n)
    for one, sign in ((i, 1.0), (j, -1.0)):
        base = vertices[first[one]]
        start, end = vertices[row] - base, vertices[other] - base
        wedge = np.einsum("ek,ek->e", np.cross(end, start), normals[one])
        areas += np.bincount(one, weights=sign * wedge / 2, minlength=n)
    return Facets(
        normals, triangles, neighbors, vertices, np.column_stack([i, j]), lengths, sines, cosines,
        np.maximum(areas, 0.0),
    )  # fmt: skip


def interior_point(normals: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the centre of the largest ball inside `{x : <n_i, x> <= h_i}`, (3,) float array.

    Raises
    ------
    Unbounded
        If there is no interior point, or there are arbitrarily large balls.

    Examples
    --------
    >>> interior_point(np.vstack([np.eye(3), -np.eye(3)]), np.array([3, 1, 1, -1, 1, 1.0]))
    array([2., 0., 0.])
    """
    center, left = np.zeros(3), support
    constraints = np.column_stack([normals, np.ones(len(normals))])
    for _ in range(3):  # linprog is right to 1e-7 of the numbers it sees, so look again from there
        scale = np.abs(left).max() or 1.0
        found = linprog(
            [0.0, 0.0, 0.0, -1.0],
            A_ub=constraints,
            b_ub=left / scale,
            bounds=[(None, None)] * 3 + [(0, None)],
            method="highs",
        )
        if found.status in (3, 4):
            raise Unbounded("normals: expected no closed half-space that holds them all")
        if found.status != 0:
            break
        center = center + scale * found.x[:3]
        left = support - normals @ center
        if left.min() > max(1e-3 * np.abs(left).max(), ROUNDING * np.abs(support).max()):
            return center + 0.0
    if not left.min() > ROUNDING * np.abs(support).max():
        raise Unbounded("support: expected half-spaces with common interior points, found none")
    return center + 0.0
