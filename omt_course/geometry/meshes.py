"""Triangle meshes: loading and checking, areas, angles, the Laplacian, geodesics, point location.

A mesh is a pair ``V, F``: corners ``V`` in the plane or in space, triangles ``F`` that run
counterclockwise as seen from outside. Functions take the two arrays and never change them.
"""

from pathlib import Path

import numpy as np
from scipy import sparse

from omt_course.geometry import topology
from omt_course.geometry.location import locate
from omt_course.geometry.topology import boundary_loops, edges

__all__ = [
    "angles",
    "boundary_loops",
    "check",
    "cotangent_laplacian",
    "diagonal",
    "edges",
    "geodesic_distance",
    "inspect",
    "load",
    "locate",
    "signed_areas",
    "triangle_areas",
    "triangle_normals",
    "vertex_areas",
    "vertex_normals",
]


def load(path):
    """Load a triangle mesh from a file.

    Parameters
    ----------
    path : path of an ``.npz`` file with arrays ``v, f``, or of a format that trimesh reads
        (OBJ, PLY, OFF, STL, ...)

    Returns
    -------
    V : (n, 3) float array
        Corners in the order of the file. STL has no shared corners: equal ones are merged.
    F : (m, 3) int array

    Raises
    ------
    ValueError
        If the file holds no triangles, or an ``.npz`` file no arrays ``v`` and ``f``.
    FileNotFoundError

    Notes
    -----
    The mesh is not judged: `check` does that. Taught on the page ``sampling-surfaces``.
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            if not {"v", "f"} <= set(stored.files):
                raise ValueError(f"path: expected arrays v and f; got {stored.files} in {path}")
            return stored["v"].astype(float), stored["f"].astype(np.int64)
    import trimesh

    if not path.exists():
        raise FileNotFoundError(f"path: there is no file {path}")
    mesh = trimesh.load_mesh(path, process=False, maintain_order=True)
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise ValueError(f"path: expected a mesh of triangles; got none in {path}")
    if path.suffix.lower() == ".stl":
        mesh.merge_vertices()
    return np.array(mesh.vertices, dtype=float), np.array(mesh.faces, dtype=np.int64)


def inspect(V, F):
    """Count the elements and the defects of a mesh.

    Parameters
    ----------
    V : (n, 2) or (n, 3) float array
    F : (m, 3) int array

    Returns
    -------
    topology : omt_course.geometry.topology.Topology

    Raises
    ------
    ValueError
        If shapes or indices are out of range.

    Examples
    --------
    >>> tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    >>> found = inspect(np.vstack([np.zeros(3), np.eye(3)]), tetrahedron)
    >>> found.euler, found.is_closed, found.genus
    (2, True, 0)
    """
    return topology.topology(*_arrays(V, F))


def check(V, F, *, disk=False, closed=False):
    """Return a mesh as arrays, or say everything that is wrong with it.

    Parameters
    ----------
    V : (n, 2) or (n, 3) float array
    F : (m, 3) int array
        An oriented manifold, connected or not, without defects.
    disk : bool
        Ask for a topological disk.
    closed : bool
        Ask for one surface without boundary.

    Returns
    -------
    V, F : float and int64 arrays

    Raises
    ------
    ValueError
        That lists each kind of defect with the number of elements concerned.

    Examples
    --------
    >>> check(np.eye(3), [[0, 1, 2], [0, 1, 2]])
    Traceback (most recent call last):
    ...
    ValueError: mesh: expected an oriented surface; got 1 triangles on the three vertices of
    another, 3 edges that both triangles run along the same way (turn 1 triangles round)
    """
    V, F = _arrays(V, F)
    found = topology.topology(V, F)
    wrong = found.defects()
    if (disk or closed) and found.components != 1:
        wrong.append(f"{found.components} components")
    if closed and found.boundaries:
        wrong.append(f"{found.boundaries} boundary curves")
    if disk and found.boundaries != 1:
        wrong.append(f"{found.boundaries} boundary curves")
    if disk and found.components == 1 == found.boundaries and found.euler != 1:
        wrong.append(f"Euler number {found.euler}, {(1 - found.euler) // 2} handles")
    if wrong:
        kind = "a disk" if disk else "a closed surface" if closed else "an oriented surface"
        raise ValueError(f"mesh: expected {kind}; got {', '.join(wrong)}")
    return V, F


def diagonal(V):
    """Return the length of the diagonal of the box around V."""
    return float(np.linalg.norm(np.ptp(np.asarray(V, dtype=float), axis=0)))


def triangle_areas(V, F):
    """Return the area of every triangle, an (m,) array.

    Examples
    --------
    >>> triangle_areas(np.array([[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    array([1.])
    """
    V = np.asarray(V, dtype=float)
    if V.shape[1] == 2:
        return np.abs(signed_areas(V, F))
    return 0.5 * np.linalg.norm(_crosses(V, F), axis=1)


def signed_areas(V, F):
    """Return the area of every triangle of a planar mesh, negative where it runs clockwise."""
    a, b, c = np.moveaxis(np.asarray(V, dtype=float)[np.asarray(F)], 1, 0)
    u, v = b - a, c - a
    return 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def vertex_areas(V, F):
    """Return a third of the area of the triangles at each vertex, an (n,) array."""
    share = np.repeat(triangle_areas(V, F) / 3, 3)
    return np.bincount(np.asarray(F).ravel(), weights=share, minlength=len(V))


def triangle_normals(V, F):
    """Return the unit normal of every triangle of a mesh in space, an (m, 3) array."""
    crosses = _crosses(np.asarray(V, dtype=float), F)
    return crosses / np.linalg.norm(crosses, axis=1, keepdims=True)


def vertex_normals(V, F):
    """Return unit normals at the vertices, means over the triangles by area, an (n, 3) array."""
    F, crosses = np.asarray(F), _crosses(np.asarray(V, dtype=float), F)
    sums = np.column_stack(
        [np.bincount(F.ravel(), np.repeat(crosses[:, k], 3), len(V)) for k in range(3)]
    )
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def angles(V, F):
    """Return the three angles of every triangle in radians, an (m, 3) array in F's order.

    Examples
    --------
    >>> right = angles(np.array([[0.0, 0], [1, 0], [0, 1]]), np.array([[0, 1, 2]]))
    >>> np.rad2deg(right).round(9).tolist()
    [[90.0, 45.0, 45.0]]
    """
    double, dots = _corners(V, F)
    return np.arctan2(double[:, None], dots)


def cotangent_laplacian(V, F):
    r"""Return the stiffness matrix of the piecewise linear functions on a mesh.

    For functions ``f`` with one value a vertex, ``f @ L @ f`` is the Dirichlet energy
    ``int |grad f|^2``; entry (i, j) is minus half the sum of the cotangents of the angles opposite
    the edge. ``L`` is symmetric, positive semi-definite, and its rows sum to 0. The operator of
    Laplace and Beltrami with a minus sign is ``inverse(M) @ L``, with `vertex_areas` for ``M``.

    Parameters
    ----------
    V : (n, 2) or (n, 3) float array
    F : (m, 3) int array

    Returns
    -------
    laplacian : (n, n) scipy csc array

    Notes
    -----
    Source: Pinkall, Polthier, Experimental Mathematics 2(1), 1993. Taught on the page
    ``measure-preserving-maps``.

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> L = cotangent_laplacian(square, np.array([[0, 1, 2], [0, 2, 3]]))
    >>> float(square[:, 0] @ L @ square[:, 0])
    1.0
    """
    F = np.asarray(F, dtype=np.int32)
    double, dots = _corners(V, F)
    half_cot = 0.5 * dots / double[:, None]  # at each corner, (m, 3)
    opposite = F[:, [1, 2, 0]].ravel(), F[:, [2, 0, 1]].ravel()  # ends of the edge facing it
    W = sparse.csr_array((half_cot.ravel(), opposite), shape=(len(V), len(V)))
    W = W + W.T
    return (sparse.diags_array(W.sum(axis=1)) - W).tocsc()


def geodesic_distance(V, F, source):
    """Return the length of the shortest path on the mesh from a vertex to every other.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    source : int or sequence of int
        One vertex, or several: the distance to the nearest.

    Returns
    -------
    distance : (n,) array
        Exact on the polyhedron up to rounding; infinite on other components.

    Notes
    -----
    Source: Mitchell, Mount, Papadimitriou, SIAM J. Comput. 16(4), 1987, by the package
    pygeodesic. Taught on the page ``sampling-surfaces``.

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> geodesic_distance(square, np.array([[0, 1, 3], [1, 2, 3]]), 0).round(12)
    array([0.        , 1.        , 1.41421356, 1.        ])
    """
    from pygeodesic.geodesic import PyGeodesicAlgorithmExact

    V, F = _arrays(V, F)
    source = np.atleast_1d(np.asarray(source, dtype=np.int32))
    if source.min() < 0 or source.max() >= len(V):
        raise ValueError(f"source: expected vertices below {len(V)}; got {source.tolist()[:5]}")
    distance, _ = PyGeodesicAlgorithmExact(V, F.astype(np.int32)).geodesicDistances(source)
    return np.where(distance > 1e50, np.inf, distance)  # the package's own infinity is 1e100


def _arrays(V, F):
    """Return V and F as float and int64 arrays of sound shapes and indices."""
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    if V.ndim != 2 or V.shape[1] not in (2, 3):
        raise ValueError(f"V: expected shape (n, 2) or (n, 3); got {V.shape}")
    if F.ndim != 2 or F.shape[1] != 3 or len(F) == 0 or not np.issubdtype(F.dtype, np.integer):
        raise ValueError(f"F: expected integers of shape (m, 3), m > 0; got {F.dtype} {F.shape}")
    beyond = int(((F < 0) | (F >= len(V))).any(axis=1).sum())
    if beyond:
        raise ValueError(f"F: expected indices 0 to {len(V) - 1}; got others in {beyond} triangles")
    return V, F.astype(np.int64)


def _crosses(V, F):
    a, b, c = np.moveaxis(V[np.asarray(F)], 1, 0)
    return _cross(b - a, c - a)


def _cross(u, v):
    """Vector products of the rows; numpy's own takes three times as long."""
    (a, b, c), (x, y, z) = u.T, v.T
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=1)


def _corners(V, F):
    """Twice the area of each triangle (m,), scalar products of the two sides at corners (m, 3)."""
    a, b, c = np.moveaxis(np.asarray(V, dtype=float)[np.asarray(F)], 1, 0)
    u, v, w = b - a, c - b, a - c
    dots = [-np.einsum("ij,ij->i", x, y) for x, y in ((u, w), (v, u), (w, v))]
    if u.shape[1] == 2:
        double = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    else:
        double = np.linalg.norm(_cross(u, v), axis=1)
    return double, np.stack(dots, axis=1)
