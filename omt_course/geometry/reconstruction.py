"""A mesh from samples of a surface: the Delaunay triangulation restricted to the surface.

The cells of the samples, cut with the surface, are their *restricted Voronoi cells*. Three samples
make a triangle when their cells meet at a point of the surface. The surface is given by a level
function, or by a fine mesh. Taught in *Sampling a surface*.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, Delaunay, QhullError

from . import meshes
from .nets import check_cloud
from .topology import Topology


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Triangles on samples, and how well founded they are.

    Attributes
    ----------
    F : (m, 3) int array
        Triangles of samples, counterclockwise from outside.
    topology : Topology
        Counts of the mesh, and of its defects.
    doubled : int
        Dual edges (or corners of cells) by which the surface passes more than once. None, where
        the sample is dense enough for the theorem.
    """

    F: np.ndarray
    topology: Topology
    doubled: int


def restricted_delaunay(
    points: np.ndarray,
    level: Callable[[np.ndarray], np.ndarray],
    *,
    inner_sites: np.ndarray | None = None,
    probes: int = 8,
    strict: bool = True,
) -> Reconstruction:
    """Keep the Delaunay triangles whose dual Voronoi edge crosses the surface `level = 0`.

    The ends of the edge dual to a triangle are the centres of the spheres round the two tetrahedra
    beside it, or one of them and infinity. The triangle is kept when `level` has different signs
    there: the edge crosses an odd number of times.

    Parameters
    ----------
    points : (n, 3) float array
        Samples of a closed surface.
    level : callable
        `(k, 3) -> (k,)`, negative inside, positive outside.
    inner_sites : (k, 3) float array, optional
        Further Delaunay sites away from the surface. They change nothing where every point of the
        surface has a sample nearer than any of them, and they make the tetrahedra of samples on one
        sphere well defined. A triangle that uses one is an error.
    probes : int
        Values of `level` along every dual edge that is not kept, to see it crossed twice.
    strict : bool
        Raise when the triangles are not a closed surface through all points, or a dual edge crosses
        it more than once (default), or return.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        If the points cannot be used, or (`strict`) are too sparse: with the defects, counted.

    Notes
    -----
    Closed ball property: Edelsbrunner and Shah, Int. J. Comput. Geom. Appl. 7 (1997). Samples dense
    enough: Amenta and Bern, Discrete Comput. Geom. 22 (1999). By construction every edge has an
    even number of triangles, since they bound the tetrahedra with centres inside.

    Examples
    --------
    >>> corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    >>> rng = np.random.default_rng(0)
    >>> points = np.vstack([corners, rng.normal(size=(40, 3))])
    >>> points = points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> sphere = lambda x: np.linalg.norm(x, axis=1) - 1
    >>> found = restricted_delaunay(points, sphere, inner_sites=np.zeros((1, 3)))
    >>> found.topology.is_closed, found.topology.genus, len(found.F)
    (True, 0, 92)
    """
    points = check_cloud(points, "points")
    n = len(points)
    more = np.zeros((0, 3)) if inner_sites is None else np.asarray(inner_sites, dtype=float)
    sites = np.vstack([points, more])
    try:
        complex_ = Delaunay(sites)
    except (QhullError, ValueError) as error:
        raise ValueError(
            f"points: expected at least four that are not in one plane, got {n} points "
            f"({str(error).splitlines()[0]})"
        ) from error
    tetrahedra, neighbours = complex_.simplices, complex_.neighbors
    centres = _circumcentres(sites[tetrahedra])
    value = level(centres)
    value = np.append(np.where(np.isfinite(value), value, np.inf), np.inf)  # -1 is infinity

    t, k = np.nonzero((value[:-1, None] < 0) & (value[neighbours] >= 0))
    F = _facing_away(sites, tetrahedra, t, k)
    used = np.unique(F)
    if used.size and used[-1] >= n:
        raise ValueError(
            "points: expected samples nearer to the surface than the inner sites; got "
            f"{int((F >= n).any(axis=1).sum())} triangles on inner sites: too few points, {n}"
        )
    doubled = _crossed_twice(sites, tetrahedra, neighbours, centres, value, level, probes)
    if len(F) == 0:
        raise ValueError(f"points: expected samples of a surface, got {n} and no triangle")
    found = meshes.inspect(points, F)
    if strict:
        _check(found, doubled)
    return Reconstruction(F, found, doubled)


def convex_position(points: np.ndarray, *, strict: bool = True) -> Reconstruction:
    """Return the Delaunay triangulation of samples of a sphere, restricted to the sphere.

    All Voronoi cells meet in the centre of the sphere, and a Voronoi edge that leaves it is the ray
    through the circumcentre of a face of the convex hull: the triangulation *is* the hull. The
    tetrahedra are not unique, so `restricted_delaunay` needs `inner_sites` there and is slow.

    Parameters
    ----------
    points : (n, 3) float array
        Samples of a sphere with its centre inside their hull.
    strict : bool
        Raise when a point is not a corner of the hull (default), or return.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        If the points lie in one plane, or (`strict`) are not all on the hull.

    Examples
    --------
    >>> octahedron = np.vstack([np.eye(3), -np.eye(3)])
    >>> len(convex_position(octahedron).F)
    8
    """
    points = check_cloud(points, "points")
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError) as error:
        raise ValueError(
            f"points: expected at least four that are not in one plane, got {len(points)} points "
            f"({str(error).splitlines()[0]})"
        ) from error
    F = hull.simplices.astype(np.int64)
    a, b, c = np.moveaxis(points[F], 1, 0)
    inward = np.einsum("td,td->t", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    F[inward] = F[inward][:, [0, 2, 1]]
    found = meshes.inspect(points, F)
    if strict:
        _check(found)
    return Reconstruction(F, found, 0)


def dual_of_cells(V: np.ndarray, F: np.ndarray, samples: np.ndarray, nearest: np.ndarray):
    """Return the mesh of samples whose cells on a fine mesh meet, triangle by triangle.

    Every fine triangle whose corners belong to three different cells is a corner of the diagram,
    and gives a triangle of samples. Works for surfaces with boundary and for any distance; where
    the fine mesh is too coarse for the samples, `doubled` counts the triangles found twice.

    Parameters
    ----------
    V : (v, 3) float array
    F : (m, 3) int array
        A fine mesh of the surface.
    samples : (n,) int array
        Vertices that are samples: `order` of `sampling.farthest_point`.
    nearest : (v,) int array
        Place in `samples` of the sample nearest to every vertex: `nearest` of the same.

    Returns
    -------
    Reconstruction
        Its triangles refer to `V[samples]`, and run round as those of the fine mesh.

    Raises
    ------
    ValueError
        If the shapes do not fit or no three cells meet.

    Notes
    -----
    Peyre and Cohen, Int. J. Comput. Vis. 69 (2006): geodesic remeshing.

    Examples
    --------
    >>> V = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    >>> F = np.array([[0, 1, 2], [1, 3, 2]])
    >>> dual_of_cells(V, F, np.arange(3), np.array([0, 1, 2, 2])).F.tolist()
    [[0, 1, 2]]
    """
    F, nearest = np.asarray(F), np.asarray(nearest)
    if nearest.shape != (len(V),):
        raise ValueError(f"nearest: expected shape ({len(V)},), one a vertex; got {nearest.shape}")
    cells = nearest[F]
    three = (cells != np.roll(cells, 1, axis=1)).all(axis=1)
    if not three.any():
        raise ValueError(f"samples: expected three cells that meet, got {len(samples)} samples")
    corners = cells[three]
    turn = corners.argmin(axis=1)[:, None]
    corners = np.take_along_axis(corners, (turn + np.arange(3)) % 3, axis=1)  # least first
    unique, count = np.unique(corners, axis=0, return_counts=True)
    triangles = unique[np.lexsort(unique.T[::-1])]
    found = meshes.inspect(np.asarray(V)[samples], triangles)
    return Reconstruction(triangles, found, int((count > 1).sum()))


def _circumcentres(corners):
    """Centres of the spheres through four points each, (t, 4, 3) -> (t, 3)."""
    base = corners[:, 0]
    a, b, c = np.moveaxis(corners[:, 1:] - base[:, None], 1, 0)
    cross_bc, cross_ca, cross_ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    volume = np.einsum("td,td->t", a, cross_bc)
    square = [np.einsum("td,td->t", x, x)[:, None] for x in (a, b, c)]
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = (square[0] * cross_bc + square[1] * cross_ca + square[2] * cross_ab) / (
            2 * volume[:, None]
        )
    return base + np.where(np.isfinite(offset), offset, 1e100)


def _facing_away(sites, tetrahedra, t, k):
    """Faces opposite corner k of tetrahedra t, counterclockwise seen from outside of them."""
    faces = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[k]
    F = np.take_along_axis(tetrahedra[t], faces, axis=1).astype(np.int64)
    a, b, c = np.moveaxis(sites[F], 1, 0)
    apex = sites[tetrahedra[t, k]]
    inward = np.einsum("td,td->t", np.cross(b - a, c - a), apex - a) > 0
    F[inward] = F[inward][:, [0, 2, 1]]
    return F


def _crossed_twice(sites, tetrahedra, neighbours, centres, value, level, probes):
    """Count dual edges with equal signs at their ends and another sign between."""
    t, k = np.nonzero((value[:-1, None] < 0) == (value[neighbours] < 0))
    other = neighbours[t, k]
    once = (other > t) | (other < 0)
    t, k, other = t[once], k[once], other[once]
    size = np.linalg.norm(np.ptp(sites, axis=0))
    inside = np.linalg.norm(centres - sites.mean(axis=0), axis=1) < 1e3 * size
    keep = inside[t] & ((other < 0) | inside[other])
    t, k, other = t[keep], k[keep], other[keep]
    end = centres[other]
    open_ = other < 0
    F = _facing_away(sites, tetrahedra, t[open_], k[open_])
    a, b, c = np.moveaxis(sites[F], 1, 0)
    out = np.cross(b - a, c - a)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    end[open_] = centres[t[open_]] + 2 * size * out
    sign, crossed = value[t] < 0, np.zeros(len(t), dtype=bool)
    for share in np.arange(1, probes + 1) / (probes + 1):
        crossed |= (level((1 - share) * centres[t] + share * end) < 0) != sign
    return int(crossed.sum())


def _check(found, doubled=0):
    wrong = found.defects()
    if doubled:
        wrong.append(f"{doubled} Voronoi edges that cross it more than once")
    if found.components != 1:
        wrong.append(f"{found.components} components")
    if found.boundaries:
        wrong.append(f"{found.boundaries} boundary curves")
    if wrong:
        raise ValueError(
            "points: expected samples dense enough for a closed surface through all of them; got "
            + ", ".join(wrong)
        )
