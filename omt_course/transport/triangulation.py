"""Regular triangulations of the plane that are kept, and repaired by flips as heights change.

The lower hull of the lifted points `(y_i, -h_i)`, seen from above, is a regular triangulation, the
dual of the cells of `u_h`. When heights move a little, a few edges become concave; flipping
them (Lawson 1977) restores the hull in a fraction of the time that a new one takes. Building adds
one point after another (Edelsbrunner, Shah 1996). Compiled with numba; `envelope.lower_hull` finds
the same hull with Qhull. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

# Of the terms of a determinant: rounding in them cannot make a sign beyond this.
ROUNDING = 4e-15
GHOSTS = 4
DONE, HIDDEN, STUCK = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Triangulation:
    """A triangulation of points and four ghosts, as half-edges.

    Half-edge `e` belongs to triangle `e // 3` and leaves vertex `origin[e]`; the triangles are
    counter-clockwise. The ghosts are corners of a square around all points, with planes so low
    that their cells stay outside the domain: so every true point is inside, and no rim needs care.

    Attributes
    ----------
    points : (n + 4, 2) float array
        Points about their mean, then the ghosts.
    origin, twin : (3 t,) int32 arrays
        Vertex that a half-edge leaves; the half-edge across, -1 at the rim.
    reach : float
        Radius about the origin within which the ghosts own nothing.
    """

    points: np.ndarray
    origin: np.ndarray
    twin: np.ndarray
    reach: float

    def repaired(self, heights: np.ndarray) -> "tuple[Triangulation, int]":
        """Return the regular triangulation at new heights, and DONE, HIDDEN or STUCK.

        HIDDEN: a point has no cell at these heights. STUCK: flips do not get there.
        """
        origin, twin = self.origin.copy(), self.twin.copy()
        high, low = self.split(heights)
        status = _repair(self.points, high, low, origin, twin)
        return Triangulation(self.points, origin, twin, self.reach), status

    def split(self, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return heights, ghosts included, as sums of two doubles each: (n + 4,) float arrays."""
        return _split(heights, self.points, self.reach)


def triangulate(points: np.ndarray, heights: np.ndarray, reach: float) -> tuple[Triangulation, int]:
    """Return the regular triangulation of points about their mean, and DONE, HIDDEN or STUCK.

    Examples
    --------
    Five points, four triangles about the one in the middle, and eight more with the ghosts:

    >>> points = np.array([[0, 0], [1, 0.1], [0.1, 1], [-1, -0.1], [-0.1, -1]])
    >>> triangulation, status = triangulate(points, -(points**2).sum(axis=1) / 2, 1.0)
    >>> status == DONE, len(triangulation.origin) // 3
    (True, 12)
    """
    n = len(points)
    spread = 4 * np.abs(points).max()
    ghosts = spread * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    everyone = np.vstack([points, ghosts])
    high, low = _split(heights, everyone, reach)
    origin = np.empty(3 * (2 + 2 * n), dtype=np.int32)
    twin = np.empty_like(origin)
    status = _build(everyone, high, low, along_a_curve(points), origin, twin)
    return Triangulation(everyone, origin, twin, reach), status


def _split(heights, points, reach):
    """Give each ghost a plane below that of the highest point on the disk of radius `reach`.

    With `g` the ghost and `i` the point: `<x, g - y_i> + h_g - h_i < 0` there.
    """
    n = len(points) - GHOSTS
    top = int(np.argmax(heights[:n]))
    apart = np.linalg.norm(points[n:] - points[top], axis=1)
    heights = np.concatenate([heights, heights[top] - 1.5 * reach * apart])
    high = heights.astype(float)
    return high, (heights - high).astype(float)


def along_a_curve(points: np.ndarray) -> np.ndarray:
    """Return an order of the points in which each is near the one before: (n,) int array.

    In the plane along Hilbert's curve, in other dimensions along Morton's.

    Examples
    --------
    >>> along_a_curve(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.9], [0.9, 0.0]])).tolist()
    [0, 2, 1, 3]
    """
    d = points.shape[1]
    bits = min(20, 62 // d)
    extent = np.ptp(points, axis=0).max()
    cell = ((points - points.min(axis=0)) / extent * (2**bits - 1)).astype(np.int64)
    key = np.zeros(len(points), dtype=np.int64)
    if d != 2:
        for level in range(bits - 1, -1, -1):
            for k in range(d):
                key = 2 * key + (cell[:, k] >> level & 1)
        return np.argsort(key, kind="stable")
    x, y = cell.T.copy()
    for level in range(bits - 1, -1, -1):
        side = 1 << level
        right, upper = (x & side) > 0, (y & side) > 0
        key += side * side * ((3 * right) ^ upper)
        mirror = ~upper & right
        x, y = np.where(mirror, side - 1 - x, x), np.where(mirror, side - 1 - y, y)
        x, y = np.where(upper, x, y), np.where(upper, y, x)
        x, y = x & (side - 1), y & (side - 1)
    return np.argsort(key, kind="stable")


@njit(cache=True)
def _next(e):
    return e - 2 if e % 3 == 2 else e + 1


@njit(cache=True)
def _previous(e):
    return e + 2 if e % 3 == 0 else e - 1


@njit(cache=True)
def _turn(y, a, b, c):
    """Return twice the signed area of a triangle, 0 if rounding could have made it."""
    left = (y[a, 0] - y[c, 0]) * (y[b, 1] - y[c, 1])
    right = (y[a, 1] - y[c, 1]) * (y[b, 0] - y[c, 0])
    if abs(left - right) <= ROUNDING * (abs(left) + abs(right)):
        return 0.0
    return left - right


@njit(cache=True)
def _concave(y, high, low, a, b, c, d):
    """Tell if `d`, lifted, lies below the plane of the lifted `a, b, c` (counter-clockwise)."""
    ax, ay = y[a, 0] - y[d, 0], y[a, 1] - y[d, 1]
    bx, by = y[b, 0] - y[d, 0], y[b, 1] - y[d, 1]
    cx, cy = y[c, 0] - y[d, 0], y[c, 1] - y[d, 1]
    az = (high[d] - high[a]) + (low[d] - low[a])
    bz = (high[d] - high[b]) + (low[d] - low[b])
    cz = (high[d] - high[c]) + (low[d] - low[c])
    bc, cb, ca, ac, ab, ba = bx * cy, by * cx, cx * ay, cy * ax, ax * by, ay * bx
    volume = az * (bc - cb) + bz * (ca - ac) + cz * (ab - ba)
    terms = abs(az) * (abs(bc) + abs(cb)) + abs(bz) * (abs(ca) + abs(ac))
    terms += abs(cz) * (abs(ab) + abs(ba))
    return volume > ROUNDING * terms


@njit(cache=True)
def _flip(origin, twin, e):
    """Replace the edge `a-b` between the triangles `abc` and `bad` by `c-d`."""
    f = np.int64(twin[e])
    e1, f1 = _next(e), _next(f)
    across_e, across_f = twin[e1], twin[f1]
    c, d = origin[_previous(e)], origin[_previous(f)]
    origin[e1], origin[f1] = d, c
    twin[e], twin[f] = across_f, across_e
    if across_f >= 0:
        twin[across_f] = e
    if across_e >= 0:
        twin[across_e] = f
    twin[e1], twin[f1] = f1, e1


@njit(cache=True)
def _settle(y, high, low, origin, twin, stack, size, queued, limit):
    """Flip concave edges until none on the stack is left; return DONE, HIDDEN or STUCK."""
    flips = 0
    while size > 0:
        size -= 1
        e = np.int64(stack[size])
        queued[e] = False
        f = np.int64(twin[e])
        if f < 0:
            continue
        a, b = origin[e], origin[f]
        c, d = origin[_previous(e)], origin[_previous(f)]
        if not _concave(y, high, low, a, b, c, d):
            continue
        at_a, at_b = _turn(y, a, d, c), _turn(y, b, c, d)
        if at_a <= 0 or at_b <= 0:
            # A corner that only three triangles share, bent the wrong way, is above its hull.
            if at_a <= 0:
                third = twin[_previous(e)]
                if third >= 0 and origin[_previous(third)] == d:
                    return HIDDEN
            if at_b <= 0:
                third = twin[_previous(f)]
                if third >= 0 and origin[_previous(third)] == c:
                    return HIDDEN
            continue  # comes back when one of the four edges around it is flipped
        flips += 1
        if flips > limit:
            return STUCK
        _flip(origin, twin, e)
        for g in (e, _previous(e), f, _previous(f)):
            if not queued[g] and (twin[g] < 0 or not queued[twin[g]]):
                stack[size] = g
                queued[g] = True
                size += 1
    return DONE


@njit(cache=True)
def _repair(y, high, low, origin, twin):
    stack = np.empty(len(origin), dtype=np.int32)
    queued = np.zeros(len(origin), dtype=np.bool_)
    size = 0
    for e in range(len(origin)):
        f = np.int64(twin[e])
        if f > e and _concave(
            y, high, low, origin[e], origin[f], origin[_previous(e)], origin[_previous(f)]
        ):
            stack[size] = e
            queued[e] = True
            size += 1
    if size == 0:
        return DONE
    status = _settle(y, high, low, origin, twin, stack, size, queued, 30 * len(origin))
    if status != DONE:
        return status
    return _check(y, high, low, origin, twin)


@njit(cache=True)
def _check(y, high, low, origin, twin):
    """Tell if no edge is concave, and so the surface the lower hull."""
    for e in range(len(origin)):
        f = np.int64(twin[e])
        if f > e and _concave(
            y, high, low, origin[e], origin[f], origin[_previous(e)], origin[_previous(f)]
        ):
            return STUCK
    return DONE


@njit(cache=True)
def _build(y, high, low, order, origin, twin):
    """Insert the points in the given order into the ghosts' square; fill `origin` and `twin`."""
    n = len(order)
    for slot, (corner, across) in enumerate(
        ((n, -1), (n + 1, -1), (n + 2, 3), (n, 2), (n + 2, -1), (n + 3, -1))
    ):
        origin[slot], twin[slot] = corner, across
    stack = np.empty(len(origin), dtype=np.int32)
    queued = np.zeros(len(origin), dtype=np.bool_)
    used, t = 6, 0
    for p in order:
        t = _locate(y, origin, twin, t, p, used // 3)
        if t < 0:
            return STUCK
        e0 = 3 * t
        b, c, a = origin[e0 + 1], origin[e0 + 2], origin[e0]
        across_bc, across_ca = twin[e0 + 1], twin[e0 + 2]
        u, w = used, used + 3
        used += 6
        # (a, b, p) in place of (a, b, c), then (b, c, p) and (c, a, p).
        origin[e0 + 2] = p
        origin[u], origin[u + 1], origin[u + 2] = b, c, p
        origin[w], origin[w + 1], origin[w + 2] = c, a, p
        twin[e0 + 1], twin[u + 2] = u + 2, e0 + 1
        twin[u + 1], twin[w + 2] = w + 2, u + 1
        twin[w + 1], twin[e0 + 2] = e0 + 2, w + 1
        twin[u], twin[w] = across_bc, across_ca
        if across_bc >= 0:
            twin[across_bc] = u
        if across_ca >= 0:
            twin[across_ca] = w
        stack[0], stack[1], stack[2] = e0, u, w
        queued[e0] = queued[u] = queued[w] = True
        if _settle(y, high, low, origin, twin, stack, 3, queued, 100 * n + 1000) != DONE:
            return HIDDEN
    return _check(y, high, low, origin, twin)


@njit(cache=True)
def _locate(y, origin, twin, t, p, n_triangles):
    """Walk from triangle `t` to the one that holds point `p`; -1 if the walk goes astray."""
    for step in range(4 * n_triangles + 16):
        moved = False
        for k in range(3):
            e = 3 * t + (k + step) % 3
            if _turn(y, origin[e], origin[_next(e)], p) < 0:
                if twin[e] < 0:
                    return -1
                t = twin[e] // 3
                moved = True
                break
        if not moved:
            return t
    return -1
