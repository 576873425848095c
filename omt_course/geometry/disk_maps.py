"""Maps of a topological disk to the unit disk or to the plane: harmonic and conformal.

All three rest on one matrix, the cotangent Laplacian. A *harmonic* map minimises the Dirichlet
energy with the boundary fixed on the circle, spaced by arc length. A *conformal* map of the disk is
harmonic too; its boundary is spaced by harmonic measure. With a *free boundary* the conformal
energy, Dirichlet energy minus area, decides where the boundary goes.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from omt_course.geometry import meshes

WEIGHTS = ("cotangent", "mean value")
LEAST_STEP = 0.05  # of an edge's share of the length: what harmonic measure it has at least


def harmonic(V, F, *, weights="cotangent"):
    """Map a surface to the unit disk harmonically, the boundary to the circle by arc length.

    Each coordinate minimises ``int |grad u|^2`` among the piecewise linear functions with the given
    boundary values. With the mean-value weights every inner vertex is a convex combination of its
    neighbours instead, whatever the triangles look like, and the map has no folds (Tutte).

    Parameters
    ----------
    V : (n, 3) or (n, 2) float array
    F : (m, 3) int array
        A topological disk.
    weights : {"cotangent", "mean value"}

    Returns
    -------
    uv : (n, 2) float array
        The boundary runs counterclockwise, its first vertex at (1, 0).

    Raises
    ------
    ValueError
        If the mesh is no disk, with each defect and its count; or the weights are not known.

    Notes
    -----
    Source: Pinkall, Polthier, Experimental Mathematics 2(1), 1993; Floater, CAGD 20(1), 2003;
    Tutte, Proc. London Math. Soc. 13, 1963. Taught on the page ``measure-preserving-maps``.

    Examples
    --------
    >>> V = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0.3, 0.2, 1]])
    >>> F = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    >>> uv = harmonic(V, F)
    >>> np.linalg.norm(uv, axis=1)[:4].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    V, F = meshes.check(V, F, disk=True)
    if weights not in WEIGHTS:
        raise ValueError(f"weights: expected one of {', '.join(WEIGHTS)}; got {weights!r}")
    rim = meshes.boundary_loops(F)[0]
    L = meshes.cotangent_laplacian(V, F) if weights == "cotangent" else _mean_value(V, F)
    length = np.linalg.norm(V[np.roll(rim, -1)] - V[rim], axis=1)
    start = np.cumsum(length) - length
    return _extended(_Dirichlet(L, rim, weights == "cotangent"), start / length.sum())


def conformal(V, F, *, centre=None):
    """Map a surface to the unit disk conformally, a vertex to the origin: Riemann's map.

    The image of a piece of the boundary is an arc whose length is ``2 pi`` times its harmonic
    measure from the centre. So the Green's function of the centre gives the boundary values, and
    the harmonic map with these values is the conformal one.

    Parameters
    ----------
    V : (n, 3) or (n, 2) float array
    F : (m, 3) int array
        A topological disk.
    centre : int, optional
        An inner vertex; by default the one that the harmonic map puts nearest to the origin.

    Returns
    -------
    uv : (n, 2) float array
        Conformal up to the size of the triangles; the boundary's first vertex at (1, 0).

    Raises
    ------
    ValueError
        If the mesh is no disk, or the centre is no inner vertex.

    Notes
    -----
    Source: Ahlfors, Conformal Invariants, 1973, chapter 3 (harmonic measure).
    Taught on the page ``measure-preserving-maps``.
    """
    V, F = meshes.check(V, F, disk=True)
    rim = meshes.boundary_loops(F)[0]
    length = np.linalg.norm(V[np.roll(rim, -1)] - V[rim], axis=1)
    inner = np.setdiff1d(np.arange(len(V)), rim)
    if centre is None:
        centre = inner[np.argmin(np.sum(harmonic(V, F)[inner] ** 2, axis=1))]
    if centre not in inner:
        raise ValueError(f"centre: expected one of {len(inner)} inner vertices; got {centre}")
    problem = _Dirichlet(meshes.cotangent_laplacian(V, F), rim)
    flux = problem.harmonic_measure(centre)
    step = (flux + np.roll(flux, -1)) / 2
    # Between thin triangles a step can come out below zero; the boundary may not turn back.
    step = np.maximum(step, LEAST_STEP * length / length.sum())
    return _extended(problem, (np.cumsum(step) - step) / step.sum())


def free_conformal(V, F):
    """Map a surface to the plane conformally, the boundary where it likes.

    Minimises the conformal energy, Dirichlet energy minus signed area, which is zero exactly for
    conformal maps, among maps whose boundary vertices have mean 0 and mean square 1.

    Parameters
    ----------
    V : (n, 3) or (n, 2) float array
    F : (m, 3) int array
        A topological disk.

    Returns
    -------
    uv : (n, 2) float array
        The boundary's mean is 0, its mean square 1; the image may overlap itself.

    Raises
    ------
    ValueError
        If the mesh is no disk, with each defect and its count.

    Notes
    -----
    Source: Mullen, Tong, Alliez, Desbrun, Spectral conformal parameterization, Computer Graphics
    Forum 27(5), 2008. Taught on the page ``measure-preserving-maps``.
    """
    V, F = meshes.check(V, F, disk=True)
    n, rim = len(V), meshes.boundary_loops(F)[0]
    L, after = meshes.cotangent_laplacian(V, F), np.roll(rim, -1)
    cross = sparse.csc_array((np.full(len(rim), 0.5), (rim, after)), shape=(n, n))
    cross = cross - cross.T  # u @ cross @ v is the area inside the boundary
    energy = sparse.block_array([[L, -cross], [-cross.T, L]], format="csc")
    on_rim = np.zeros(2 * n)
    on_rim[rim] = on_rim[n + rim] = 1.0
    shift = 1e-8 * sparse.diags_array(on_rim)  # moves the kernel, the translations, off zero
    solve = splu((energy + shift).tocsc(), permc_spec="MMD_AT_PLUS_A", **SYMMETRIC).solve
    x = np.concatenate(harmonic(V, F).T)
    for _ in range(50):  # inverse iteration; the next eigenvalue is far from the smallest
        before = x = _centred(x, rim, n)
        x = solve(on_rim * x)
        x = _centred(x, rim, n)
        if np.abs(x - before).max() < 1e-12:
            break
    return np.stack([x[:n], x[n:]], axis=1)


def angle_distortion(V, F, uv):
    """Return how far each angle of a map's image is from the surface's, degrees, (m, 3) array."""
    return np.rad2deg(np.abs(meshes.angles(uv, F) - meshes.angles(V, F)))


def area_stretch(V, F, uv):
    """Return each triangle's share of the image's area over its share of the surface's, (m,) array.

    Signed: negative where the map folds. All ones for a measure-preserving map.

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> area_stretch(square, np.array([[0, 1, 2], [0, 2, 3]]), 3 * square)
    array([1., 1.])
    """
    image, surface = meshes.signed_areas(uv, F), meshes.triangle_areas(V, F)
    return (image / image.sum()) / (surface / surface.sum())


SYMMETRIC = {
    "diag_pivot_thresh": 0.0,
    "relax": 1,
    "panel_size": 1,
    "options": {"SymmetricMode": True},
}


class _Dirichlet:
    """The boundary value problem of a Laplacian: one factorisation for every right-hand side."""

    def __init__(self, L, rim, symmetric=True):
        self.rim, self.n = rim, L.shape[0]
        inside = np.ones(self.n, dtype=bool)
        inside[rim] = False
        self.inner = np.flatnonzero(inside)
        rows = L.tocsr()[self.inner]
        self.to_rim = rows[:, rim]
        order = SYMMETRIC if symmetric else {}
        kind = "MMD_AT_PLUS_A" if symmetric else "COLAMD"
        self.factor = splu(rows[:, self.inner].tocsc(), permc_spec=kind, **order)

    def extend(self, values):
        """Return the solution with the given boundary values, one column each."""
        whole = np.empty((self.n, values.shape[1]))
        whole[self.rim] = values
        whole[self.inner] = self.factor.solve(-(self.to_rim @ values))
        return whole

    def harmonic_measure(self, pole):
        """Return the share of Brownian paths from an inner vertex that end at each rim vertex."""
        source = np.zeros(len(self.inner))
        source[np.searchsorted(self.inner, pole)] = 1.0
        return -(self.to_rim.T @ self.factor.solve(source))


def _extended(problem, share):
    """Harmonic map whose rim lies on the circle at the given shares of a full turn."""
    turn = 2 * np.pi * share
    return problem.extend(np.column_stack([np.cos(turn), np.sin(turn)]))


def _mean_value(V, F):
    """Floater's mean-value weights: row i holds minus the weights of i's neighbours."""
    angle = meshes.angles(V, F)
    side = np.linalg.norm(V[np.roll(F, -1, axis=1)] - V[F], axis=2)  # from each corner on
    half = np.tan(angle / 2)
    at, ahead, behind = F, np.roll(F, -1, axis=1), np.roll(F, 1, axis=1)
    rows = np.concatenate([at.ravel(), at.ravel()])
    columns = np.concatenate([ahead.ravel(), behind.ravel()])
    w = np.concatenate([(half / side).ravel(), (half / np.roll(side, 1, axis=1)).ravel()])
    W = sparse.csr_array((w, (rows, columns)), shape=(len(V), len(V)))
    return (sparse.diags_array(W.sum(axis=1)) - W).tocsc()


def _centred(x, rim, n):
    """Shift and scale so that the rim has mean 0 and mean square 1."""
    x = x.copy()
    x[:n] -= x[rim].mean()
    x[n:] -= x[n + rim].mean()
    return x / np.sqrt(np.mean(x[rim] ** 2 + x[n + rim] ** 2))
