"""Curvature of a mesh as measures, and the eigenvalues of its Laplace-Beltrami operator.

A mesh is flat in its triangles. Its Gauss curvature sits in the vertices, its mean curvature in the
edges, and only their sums over regions can converge. Taught in *Sampling a surface*.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from . import meshes
from .topology import half_edges


def angle_defects(V: np.ndarray, F: np.ndarray) -> np.ndarray:
    """Return `2 pi` minus the angles at every vertex, or `pi` minus them on the boundary, (n,).

    The sum is `2 pi` times the Euler number (Gauss and Bonnet), for every mesh.

    Examples
    --------
    >>> tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    >>> V = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    >>> (angle_defects(V, tetrahedron) / np.pi).round(12)
    array([1., 1., 1., 1.])
    """
    F = np.asarray(F)
    sums = np.bincount(F.ravel(), meshes.angles(V, F).ravel(), minlength=len(V))
    full = np.full(len(V), 2 * np.pi)
    for loop in meshes.boundary_loops(F):
        full[loop] = np.pi
    return full - sums


def gauss_measure(V: np.ndarray, F: np.ndarray, level: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the Gauss curvature of the part of a mesh where `level >= 0`: its angle defects.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    level : callable
        `(k, 3) -> (k,)`; vertices of the boundary do not count.

    Notes
    -----
    Cohen-Steiner and Morvan, SoCG 2003: the normal cycle of a polyhedral surface.
    """
    defects = angle_defects(V, F)
    inner = np.ones(len(V), dtype=bool)
    for loop in meshes.boundary_loops(F):
        inner[loop] = False
    return float(defects[inner & (level(np.asarray(V)) >= 0)].sum())


def mean_measure(V: np.ndarray, F: np.ndarray, level: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the mean curvature of the part of a mesh where `level >= 0`, for `H = (k1 + k2) / 2`.

    Half the sum over edges of length inside times the angle between the normals of the two
    triangles, positive where the mesh is convex. An edge is cut where `level`, taken linear along
    it, is zero.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
        An oriented manifold.
    level : callable
        `(k, 3) -> (k,)`.

    Notes
    -----
    Cohen-Steiner and Morvan, SoCG 2003; they take `k1 + k2`, twice this.

    Examples
    --------
    >>> from omt_course.geometry.smooth import lantern
    >>> V, F = lantern(64, 1)  # a cylinder of radius and height 1: H = 1 / 2, area 2 pi
    >>> round(mean_measure(V, F, lambda x: np.ones(len(x))) / np.pi, 2)
    1.0
    """
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    sides = half_edges(F)
    a, b = np.sort(sides, axis=1).T
    order = np.lexsort((np.repeat(np.arange(len(F)), 3), b, a))
    same = (a[order][1:] == a[order][:-1]) & (b[order][1:] == b[order][:-1])
    first, second = order[:-1][same], order[1:][same]
    normals = meshes.triangle_normals(V, F)
    n1, n2 = normals[first // 3], normals[second // 3]
    p, q = V[sides[first]].transpose(1, 0, 2)  # the edge as the first triangle runs along it
    along = q - p
    length = np.linalg.norm(along, axis=1)
    angle = np.arctan2(
        np.einsum("ed,ed->e", np.cross(n1, n2), along) / length, np.einsum("ed,ed->e", n1, n2)
    )
    u, v = level(p), level(q)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((u >= 0) & (v >= 0), 1.0, np.maximum(u, v) / np.abs(u - v))
    share = np.where((u < 0) & (v < 0), 0.0, share)
    return float(0.5 * (angle * length * share).sum())


def mass_matrix(V: np.ndarray, F: np.ndarray) -> sparse.csc_array:
    """Return the integrals of products of two hat functions, an (n, n) sparse matrix.

    Each triangle gives a sixth of its area to the diagonal and a twelfth to each pair.

    Examples
    --------
    >>> round(float(mass_matrix(np.eye(3), np.array([[0, 1, 2]])).sum()) ** 2, 12)
    0.75
    """
    F, area = np.asarray(F), meshes.triangle_areas(V, F)
    i, j = np.repeat(F, 3, axis=1).ravel(), np.tile(F, (1, 3)).ravel()
    local = (np.ones((3, 3)) + np.eye(3)).ravel() / 12
    values = (area[:, None] * local).ravel()
    return sparse.csc_array((values, (i, j)), shape=(len(V), len(V)))


def laplace_eigenvalues(V: np.ndarray, F: np.ndarray, k: int, *, lumped: bool = False):
    """Return the `k` smallest eigenvalues of minus the Laplace-Beltrami operator of a mesh.

    Piecewise linear finite elements: `L f = lambda M f` with the cotangent matrix `L` and the mass
    matrix `M`. Without boundary conditions: Neumann's on a mesh with boundary.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    k : int
        Less than n.
    lumped : bool
        Take `meshes.vertex_areas` on the diagonal of `M`, and nothing else.

    Returns
    -------
    (k,) float array, increasing; the first is 0 up to rounding for each component

    Raises
    ------
    ValueError
        If `k` is out of range.

    Notes
    -----
    With the consistent mass matrix no eigenvalue is below that of the smooth functions on the same
    mesh (Rayleigh and Ritz). Dziuk, Lecture Notes in Math. 1357 (1988).

    Examples
    --------
    >>> from omt_course.geometry.smooth import Sphere
    >>> x = Sphere().sample(500, rng=np.random.default_rng(0))
    >>> laplace_eigenvalues(x, Sphere().triangulate(x).F, 4).round(1) + 0.0
    array([0., 2., 2., 2.])
    """
    V = np.asarray(V, dtype=float)
    if not 1 <= k < len(V):
        raise ValueError(f"k: expected 1 to {len(V) - 1}, fewer than vertices, got {k}")
    L = meshes.cotangent_laplacian(V, F)
    M = sparse.diags_array(meshes.vertex_areas(V, F)).tocsc() if lumped else mass_matrix(V, F)
    shift = -1.0 / meshes.triangle_areas(V, F).sum()
    start = np.cos(np.arange(len(V), dtype=float))
    values = eigsh(L, k, M, sigma=shift, which="LM", v0=start, return_eigenvectors=False)
    return np.sort(values)
