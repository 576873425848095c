"""Whether a piecewise linear map from a surface to the plane is one to one: folds and boundary.

The map is given by codes ``uv`` at the vertices of a mesh and is linear on triangles.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from omt_course.geometry import meshes

_BOUND = 4e-16  # relative error of a 2 x 2 determinant of differences, rounded up
_CHUNK = 2_000_000  # pairs of sides looked at in one piece


@dataclass(frozen=True)
class PlanarMap:
    """What a piecewise linear map of a surface to the plane does, exactly.

    Attributes
    ----------
    orientation : int
        That of the larger part of the surface: 1 keeps it, -1 turns the whole surface over.
    folded : (k,) int array
        Triangles whose image has the other orientation.
    collapsed : (l,) int array
        Triangles whose image has no area.
    folded_area : float
        Their share, folded and collapsed, of the area of the surface.
    crossings : (c, 2) int array
        Pairs of sides of the boundary whose images meet where they should not; sides are counted
        along the boundary curves one after another.
    is_disk : bool
        Whether the surface is a topological disk.
    """

    orientation: int
    folded: np.ndarray
    collapsed: np.ndarray
    folded_area: float
    crossings: np.ndarray
    is_disk: bool

    @property
    def injective(self):
        """Whether the map is one to one, proven; None where the theorem does not decide.

        A disk is mapped one to one if and only if no triangle is folded or collapsed and its
        boundary goes to a simple curve. With a fold no connected surface is.
        """
        if len(self.folded) or len(self.collapsed):
            return False
        if self.is_disk:
            return len(self.crossings) == 0
        return False if len(self.crossings) else None


def planar_map(V, F, uv):
    """Judge a piecewise linear map of a connected surface to the plane.

    Parameters
    ----------
    V : (n, 3) float array
        The surface; only its areas enter.
    F : (m, 3) int array
        An oriented, connected surface.
    uv : (n, 2) float array
        Images of the vertices.

    Returns
    -------
    found : PlanarMap

    Raises
    ------
    ValueError
        If the mesh is not one oriented surface, or the codes do not fit it.

    Notes
    -----
    Signs are exact: doubtful determinants are computed again in rational arithmetic. Source: the
    theorem and its proof are on the page ``learning-a-surface``, which teaches this.

    Examples
    --------
    >>> V = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    >>> F = np.array([[0, 1, 2], [0, 2, 3]])
    >>> planar_map(V, F, V[:, :2]).injective
    True
    >>> fold = planar_map(V, F, [[0, 0], [1, 0], [1, 1], [0.9, 0.1]])
    >>> fold.injective, len(fold.folded), fold.folded_area
    (False, 1, 0.5)
    """
    V, F = meshes.check(V, F)
    found = meshes.inspect(V, F)
    if found.components != 1:
        raise ValueError(f"mesh: expected one component; got {found.components}")
    uv = checked_codes(uv, len(V))
    signs = orientations(uv, F)
    area = meshes.triangle_areas(V, F)
    orientation = 1 if (signs * area).sum() >= 0 else -1
    folded, collapsed = np.flatnonzero(signs == -orientation), np.flatnonzero(signs == 0)
    lost = area[folded].sum() + area[collapsed].sum()
    crossings = boundary_crossings(uv, meshes.boundary_loops(F))
    share = float(lost / area.sum())
    return PlanarMap(orientation, folded, collapsed, share, crossings, found.is_disk)


def orientations(uv, F):
    """Return the exact orientation of planar triangles.

    Parameters
    ----------
    uv : (n, 2) float array
    F : (m, 3) int array

    Returns
    -------
    signs : (m,) int array
        1 counterclockwise, -1 clockwise, 0 without area.

    Examples
    --------
    >>> uv = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.5, 0.1]])
    >>> orientations(uv, np.array([[0, 3, 1], [0, 1, 3]])).tolist()
    [1, -1]
    """
    uv = np.asarray(uv, dtype=float)
    a, b, c = np.moveaxis(uv[np.asarray(F)], 1, 0)
    return _orient(a, b, c)


def boundary_crossings(uv, loops):
    """Return the pairs of boundary sides whose images meet, other than neighbours at their corner.

    Parameters
    ----------
    uv : (n, 2) float array
    loops : list of int arrays
        Vertices of each boundary curve in order.

    Returns
    -------
    pairs : (c, 2) int array
        Numbers of sides, counted along the curves one after another; empty if the curves are
        simple and disjoint.

    Examples
    --------
    >>> bow = np.array([[0, 0], [1, 1], [1, 0], [0, 1.0]])
    >>> boundary_crossings(bow, [np.arange(4)]).tolist()
    [[0, 2]]
    """
    uv = np.asarray(uv, dtype=float)
    if len(loops) == 0:
        return np.zeros((0, 2), dtype=int)
    start = np.concatenate(loops)
    end = np.concatenate([np.roll(loop, -1) for loop in loops])
    low, high = np.minimum(uv[start], uv[end]), np.maximum(uv[start], uv[end])
    found, n = [], len(start)
    step = max(1, _CHUNK // n)
    for first in range(0, n, step):
        block = slice(first, first + step)
        near = (low[block, None] <= high).all(axis=2) & (low <= high[block, None]).all(axis=2)
        i, j = np.nonzero(near)
        i = i + first
        i, j = i[i < j], j[i < j]
        found.append(np.column_stack([i, j])[_meet(uv, start, end, i, j)])
    return np.concatenate(found)


def checked_codes(uv, n):
    """Return one finite code for each of n vertices as an (n, 2) float array."""
    uv = np.asarray(uv, dtype=float)
    if uv.shape != (n, 2):
        raise ValueError(f"uv: expected one code a vertex, shape ({n}, 2); got {uv.shape}")
    bad = int((~np.isfinite(uv).all(axis=1)).sum())
    if bad:
        raise ValueError(f"uv: expected finite codes; got {bad} with NaN or infinity")
    return uv


def _orient(a, b, c):
    """Return the exact signs of the areas of triangles with corners (k, 2)."""
    u, v = b - a, c - a
    left, right = u[:, 0] * v[:, 1], u[:, 1] * v[:, 0]
    signs = np.sign(left - right).astype(int)
    doubtful = np.abs(left - right) <= _BOUND * (np.abs(left) + np.abs(right)) + 1e-290
    for k in np.flatnonzero(doubtful):
        (ax, ay), (bx, by), (cx, cy) = (map(Fraction, p[k].tolist()) for p in (a, b, c))
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        signs[k] = (area > 0) - (area < 0)
    return signs


def _meet(uv, start, end, i, j):
    """Whether sides i and j have a point in common other than the corner that neighbours share."""
    a, b, c, d = uv[start[i]], uv[end[i]], uv[start[j]], uv[end[j]]
    abc, abd, cda, cdb = _orient(a, b, c), _orient(a, b, d), _orient(c, d, a), _orient(c, d, b)
    meet = (abc * abd <= 0) & (cda * cdb <= 0)  # their boxes meet: right for collinear sides too
    first, second = end[i] == start[j], end[j] == start[i]
    corner = np.where(first[:, None], b, a)
    before, after = np.where(first[:, None], a, b), np.where(first[:, None], d, c)
    back = ((before - corner) * (after - corner)).sum(axis=1) > 0
    return np.where(first | second, (abc == 0) & (abd == 0) & back, meet)
