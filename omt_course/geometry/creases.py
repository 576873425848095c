"""Narrow creases of a surface: how far apart two near points are along it, and creases opened."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from omt_course.geometry import meshes

_NEAR = 0.02  # of the diagonal: pairs of vertices closer than this are looked at


@dataclass(frozen=True)
class Distortion:
    """Two points of a surface that are near in space and far apart along it.

    Attributes
    ----------
    value : float
        Distance along the surface over distance in space; a lower bound of its supremum.
    pair : (2,) int array
        The two vertices.
    """

    value: float
    pair: np.ndarray


def distortion(V, F, *, n_sources=8):
    """Search a surface for the largest ratio of geodesic to straight distance of two vertices.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    n_sources : int
        Vertices from which exact geodesics are computed: those nearest to a vertex whose normal
        points the other way, where a crease may be; evenly spread ones where such do not exist.

    Returns
    -------
    found : Distortion

    Raises
    ------
    ValueError
        If the mesh has defects, or ``n_sources`` is not positive.

    Notes
    -----
    Source: Gromov, Metric Structures, 1999, chapter 1: the distortion of an embedding. Taught on
    the page ``learning-a-surface``.

    Examples
    --------
    >>> V = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    >>> round(distortion(V, np.array([[0, 1, 2], [0, 2, 3]])).value, 9)
    1.0
    """
    V, F = meshes.check(V, F)
    if n_sources < 1:
        raise ValueError(f"n_sources: expected a positive number; got {n_sources}")
    normals = meshes.vertex_normals(V, F)
    pairs = cKDTree(V).query_pairs(_NEAR * meshes.diagonal(V), output_type="ndarray")
    i, j = pairs[(normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(axis=1) < 0].T
    order = np.argsort(np.linalg.norm(V[i] - V[j], axis=1))
    sources = list(dict.fromkeys(i[order].tolist()))[:n_sources]
    if len(sources) < n_sources:
        sources += np.linspace(0, len(V) - 1, n_sources - len(sources)).astype(int).tolist()
    best = Distortion(1.0, np.zeros(2, dtype=int))
    for source in sources:
        straight = np.linalg.norm(V - V[source], axis=1)
        straight[source] = np.inf
        along = meshes.geodesic_distance(V, F, source)
        ratio = np.where(np.isfinite(along), along, 0) / straight
        far = int(ratio.argmax())
        if ratio[far] > best.value:
            best = Distortion(float(ratio[far]), np.array([source, far]))
    return best


def opened(V, F, radius):
    """Smooth a surface by one implicit step of its heat flow, the boundary held in place.

    Solves ``(M + radius^2 L) X = M V`` with the vertex areas ``M`` and the cotangent Laplacian
    ``L``: details narrower than the radius go, creases open.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    radius : float
        A length, in the units of ``V``.

    Returns
    -------
    X : (n, 3) float array

    Raises
    ------
    ValueError
        If the mesh has defects or the radius is negative.

    Notes
    -----
    Source: Desbrun, Meyer, Schroeder, Barr, SIGGRAPH 1999. Taught on the page
    ``learning-a-surface``.

    Examples
    --------
    >>> V = np.array([[-1.0, 0, 0], [0, -1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> F = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    >>> opened(V, F, 0.0)[4].tolist(), bool(opened(V, F, 1.0)[4, 2] < 0.5)
    ([0.0, 0.0, 1.0], True)
    """
    V, F = meshes.check(V, F)
    if not radius >= 0:
        raise ValueError(f"radius: expected a length >= 0; got {radius!r}")
    L = meshes.cotangent_laplacian(V, F)
    M = sparse.diags_array(meshes.vertex_areas(V, F))
    A = (M + radius**2 * L).tocsc()
    rim = np.concatenate([[], *meshes.boundary_loops(F)]).astype(int)
    inner = np.setdiff1d(np.arange(len(V)), rim)
    X = V.copy()
    if len(inner):
        known = (M @ V)[inner] - A[inner][:, rim] @ V[rim]
        X[inner] = splu(A[inner][:, inner].tocsc()).solve(known)
    return X


def self_crossings(V, F):
    """Find the edges of a surface that pass through one of its triangles.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array

    Returns
    -------
    edge, triangle : (k, 2) and (k,) int arrays
        Pairs that cross, inside both, without a common vertex; signs in double precision. Empty
        for a surface that does not pass through itself.

    Raises
    ------
    ValueError
        If the mesh has defects.

    Notes
    -----
    Where a surface crosses itself two of its points have one position, and every encoder that
    reads positions gives them one code. Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> V = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0.5, 0.5, -1], [0.5, 0.5, 1], [3, 3, 0.0]])
    >>> edge, triangle = self_crossings(V, np.array([[0, 1, 2], [3, 4, 5]]))
    >>> edge.tolist(), triangle.tolist()
    ([[1, 2], [3, 4]], [1, 0])
    """
    V, F = meshes.check(V, F)
    sides = meshes.edges(F)
    middle, centre = V[sides].mean(axis=1), V[F].mean(axis=1)
    half = np.linalg.norm(V[sides[:, 0]] - V[sides[:, 1]], axis=1) / 2
    reach = np.linalg.norm(V[F] - centre[:, None], axis=2).max(axis=1)
    size = np.ceil(np.log2(reach))
    found = []
    for scale in np.unique(size):  # triangles of like size: few candidates that are too far
        some = np.flatnonzero(size == scale)
        near = cKDTree(centre[some]).query_ball_point(middle, half + 2.0**scale)
        e = np.repeat(np.arange(len(sides)), [len(one) for one in near])
        f = some[np.fromiter((t for one in near for t in one), dtype=int, count=len(e))]
        found.append((e, f))
    e, f = (np.concatenate(part) for part in zip(*found, strict=True))
    close = np.linalg.norm(middle[e] - centre[f], axis=1) <= half[e] + reach[f]
    apart = (sides[e][:, :, None] != F[f][:, None, :]).all(axis=(1, 2))
    e, f = e[close & apart], f[close & apart]
    p, q = V[sides[e, 0]], V[sides[e, 1]]
    a, b, c = np.moveaxis(V[F[f]], 1, 0)
    through = [np.sign(_volume(p, q, x, y)) for x, y in ((a, b), (b, c), (c, a))]
    crossed = (_volume(a, b, c, p) * _volume(a, b, c, q) < 0) & (
        np.abs(np.sum(through, axis=0)) == 3
    )
    e, f = e[crossed], f[crossed]
    order = np.lexsort((f, e))
    return sides[e[order]], f[order]


def _volume(a, b, c, d):
    """Six times the signed volumes of tetrahedra."""
    return np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)
