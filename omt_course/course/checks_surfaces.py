"""Certificates for exercises about surfaces: nets, closed meshes, maps to the plane.

Used through `checks`. Taught in *Sampling a surface*, *Learning a surface* and *Two encodings of a
face*.
"""

import numpy as np
from scipy.spatial import cKDTree

from ..geometry import disk_maps, meshes
from ..geometry.nets import epsilon_net
from .verdicts import Check, CheckFailed, finite


def net(points, surface, eps: float, *, resolution: float = 0.0) -> Check:
    """Check that points are an epsilon-net of a surface: they cover it, and keep apart.

    Parameters
    ----------
    points : (n, 3) array
        The answer.
    surface : (N, 3) array
        Tested points of the surface.
    eps : float
    resolution : float
        Every point of the surface has a tested point within it; part of `eps` is left for it.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> line = np.column_stack([np.linspace(0, 1, 101), np.zeros(101), np.zeros(101)])
    >>> net(line[::20], line, 0.155)
    OK: an epsilon-net of 6 points: covering radius 0.1, separation 0.2.
    >>> net(line[::50], line, 0.155)
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: 38 of 101 tested points have no sample within 0.155; the
    farthest, at [0.25, 0.0, 0.0], is 0.25 away. Its covering radius is right for eps = 0.25.
    """
    points = finite("points", points)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise CheckFailed(f"points have shape {points.shape}, expected (n, 3): one row a sample.")
    surface = np.asarray(surface, dtype=float)
    found = epsilon_net(points, surface, eps - resolution)
    off = cKDTree(surface).query(points)[0].max()
    if off > eps:
        raise CheckFailed(f"a sample lies {off:.3g} away from the surface: are these its points?")
    if not found.covers:
        raise CheckFailed(
            f"{len(found.far)} of {len(surface)} tested points have no sample within "
            f"{eps - resolution:.4g}; the farthest, at {found.place.round(4).tolist()}, is "
            f"{found.covering:.4g} away. Its covering radius is right for eps = "
            f"{found.covering + resolution:.4g}."
        )
    if found.separation <= eps - resolution:
        i, j = found.close[0]
        raise CheckFailed(
            f"the points cover, but {len(found.close)} pairs are not more than "
            f"{eps - resolution:.4g} apart, {i} and {j} first: a net has no point to spare."
        )
    return Check(
        f"an epsilon-net of {len(points)} points: covering radius {found.covering:.4g}, "
        f"separation {found.separation:.4g}"
    )


def closed_surface(V, F, *, genus: int) -> Check:
    """Check that a mesh is one closed surface of a genus, and turned outward.

    Parameters
    ----------
    V : (n, 3) array
    F : (m, 3) int array
    genus : int
        Number of handles.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> octahedron = np.vstack([np.eye(3), -np.eye(3)])
    >>> F = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2]])
    >>> closed_surface(octahedron, np.vstack([F, np.where(F == 2, 5, F)[:, ::-1]]), genus=0)
    OK: a closed surface of genus 0 with 6 vertices and 8 triangles, normals outward.
    """
    try:
        V, F = meshes.check(V, F, closed=True)
    except ValueError as error:
        raise CheckFailed(f"{error}.") from error
    found = meshes.inspect(V, F)
    if found.genus != genus:
        raise CheckFailed(
            f"the surface has {found.n_vertices} vertices, {found.n_edges} edges and "
            f"{found.n_triangles} triangles: Euler number {found.euler}, genus {found.genus}, "
            f"expected {genus}."
        )
    a, b, c = np.moveaxis(V[F] - V.mean(axis=0), 1, 0)
    if np.einsum("md,md->", np.cross(a, b), c) < 0:
        raise CheckFailed("every triangle runs clockwise as seen from outside: swap two corners.")
    return Check(
        f"a closed surface of genus {genus} with {found.n_vertices} vertices and "
        f"{found.n_triangles} triangles, normals outward"
    )


def unfolded(uv, F) -> Check:
    """Check that a piecewise linear map of a mesh to the plane folds no triangle.

    Parameters
    ----------
    uv : (n, 2) array
        The answer: images of the vertices.
    F : (m, 3) int array

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> unfolded([[0, 0], [1, 0], [0, 1]], np.array([[0, 1, 2]]))
    OK: no triangle of 1 is folded.
    >>> unfolded([[0, 0], [0, 1], [1, 0]], np.array([[0, 1, 2]]))
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: all 1 triangles are turned over: the map is a mirror
    image; swap the two coordinates.
    """
    uv, F = finite("uv", uv), np.asarray(F)
    if uv.ndim != 2 or uv.shape[1] != 2 or len(uv) <= F.max():
        raise CheckFailed(f"uv has shape {uv.shape}, expected (n, 2): one row a vertex.")
    area = meshes.signed_areas(uv, F)
    if (area > 0).all():
        return Check(f"no triangle of {len(F)} is folded")
    if (area < 0).all():
        raise CheckFailed(
            f"all {len(F)} triangles are turned over: the map is a mirror image; swap the two "
            "coordinates."
        )
    flipped, flat = int((area < 0).sum()), int((area == 0).sum())
    few = min(flipped, len(F) - flat - flipped)
    raise CheckFailed(
        f"{few} of {len(F)} triangles are folded over and {flat} have no area, triangle "
        f"{int(np.argmin(area) if few == flipped else np.argmax(area))} worst."
    )


def areas_kept(V, F, uv, *, tol: float = 0.03) -> Check:
    """Check that a map of a mesh to the plane keeps the proportions of areas, and folds nothing.

    Parameters
    ----------
    V : (n, 3) array
    F : (m, 3) int array
    uv : (n, 2) array
        The answer: images of the vertices.
    tol : float
        Largest root mean square, over the surface, of the area stretch minus 1.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> areas_kept(square, np.array([[0, 1, 2], [0, 2, 3]]), 2 * square)
    OK: areas keep their proportions to 0 in the root mean square, no triangle of 2 is folded.
    """
    unfolded(uv, F)
    stretch = disk_maps.area_stretch(V, F, np.asarray(uv, dtype=float))
    areas = meshes.triangle_areas(V, F)
    off = float(np.sqrt(np.average((stretch - 1) ** 2, weights=areas)))
    if off > tol:
        hint = ""
        if disk_maps.angle_distortion(V, F, uv).mean() < 2:
            hint = " Angles are kept: is it the conformal map you began with?"
        raise CheckFailed(
            f"areas are off by {off:.2g} in the root mean square; triangle {np.argmax(stretch)} "
            f"has {stretch.max():.2g} times its share.{hint}"
        )
    return Check(
        f"areas keep their proportions to {off:.2g} in the root mean square, no triangle of "
        f"{len(F)} is folded"
    )
