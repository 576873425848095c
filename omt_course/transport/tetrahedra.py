"""Regular tetrahedralisations of points in space: the lower hull of the lifted points.

Points are added one after another along a curve; the tetrahedra whose hyperplane passes above the
new lifted point are taken out, and the hole is filled from it (Bowyer 1981, Watson 1981, with
heights in place of `|y|^2`). Compiled with numba. Taught in *Alexandrov and Brenier*.
"""

import numpy as np
from numba import njit
from scipy.spatial import KDTree

from .triangulation import DONE, HIDDEN, STUCK, along_a_curve

GHOSTS = 4
# Heights are shaken where only signs are asked for, so that points on one sphere leave no ties,
# by this share of what they differ between neighbours: their distance times the width of a cell.
SHAKE = 1e-9
FLAT = 1e-13
_TABLE = 1 << 13


class Tetrahedra:
    """Four points each, with the neighbours across; the last four points are ghosts.

    The ghosts are corners of a large tetrahedron about all points, with planes so low that their
    cells stay outside the ball of radius `reach` about the origin.

    Attributes
    ----------
    points : (n + 4, 3) float array
    corners, across : (t, 4) int32 arrays
        Positively oriented; `across[t, k]` is the tetrahedron beyond the face opposite corner `k`.
    """

    def __init__(self, points: np.ndarray, reach: float):
        ghosts = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
        self.points = np.vstack([points, 12 * np.abs(points).max() * ghosts])
        self.reach = reach
        self.order = along_a_curve(points)
        gap = KDTree(points).query(points, k=2)[0][:, 1] * reach * len(points) ** (-1 / 3)
        shake = np.random.default_rng(0).standard_normal(len(points)) * SHAKE * gap
        self.shake = np.append(shake, np.zeros(GHOSTS))
        self.corners = self.across = np.zeros((0, 4), dtype=np.int32)

    def split(self, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return heights, ghosts included, as sums of two doubles each: (n + 4,) float arrays."""
        n = len(self.points) - GHOSTS
        top = int(np.argmax(heights))
        apart = np.linalg.norm(self.points[n:] - self.points[top], axis=1)
        heights = np.concatenate([heights, heights[top] - 1.5 * self.reach * apart])
        high = heights.astype(float)
        return high, (heights - high).astype(float)

    def update(self, heights: np.ndarray) -> int:
        """Make this the regular one at new heights; return DONE, HIDDEN or STUCK.

        Unless DONE, nothing changes.

        Examples
        --------
        >>> points = np.random.default_rng(0).random((50, 3)) - 0.5
        >>> tetrahedra = Tetrahedra(points, 1.0)
        >>> tetrahedra.update(-(points**2).sum(axis=1) / 2) == DONE
        True
        """
        high, low = self.split(heights)
        low = low + self.shake
        if len(self.corners) and _regular(self.points, high, low, self.corners, self.across):
            return DONE
        status, corners, across = _insert_all(self.points, high, low, self.order)
        if status == DONE:
            self.corners, self.across = corners, across
        return status


@njit(cache=True)
def _volume(y, a, b, c, d):
    """Return six times the signed volume of a tetrahedron, 0 if rounding hides it everywhere."""
    volume = _volume_from(y, a, b, c, d)
    volume = volume if volume != 0 else _volume_from(y, b, a, d, c)
    volume = volume if volume != 0 else _volume_from(y, c, d, a, b)
    return volume if volume != 0 else _volume_from(y, d, c, b, a)


@njit(cache=True)
def _volume_from(y, a, b, c, d):
    bx, by, bz = y[b, 0] - y[a, 0], y[b, 1] - y[a, 1], y[b, 2] - y[a, 2]
    cx, cy, cz = y[c, 0] - y[a, 0], y[c, 1] - y[a, 1], y[c, 2] - y[a, 2]
    dx, dy, dz = y[d, 0] - y[a, 0], y[d, 1] - y[a, 1], y[d, 2] - y[a, 2]
    p, q, r = cy * dz - cz * dy, cz * dx - cx * dz, cx * dy - cy * dx
    volume = bx * p + by * q + bz * r
    terms = abs(bx) * (abs(cy * dz) + abs(cz * dy)) + abs(by) * (abs(cz * dx) + abs(cx * dz))
    terms += abs(bz) * (abs(cx * dy) + abs(cy * dx))
    if abs(volume) <= FLAT * terms:
        return 0.0
    return volume


@njit(cache=True)
def _sees(y, corners, t, k, p):
    """Return the volume of tetrahedron `t` with its corner `k` replaced by the point `p`."""
    a, b, c, d = corners[t, 0], corners[t, 1], corners[t, 2], corners[t, 3]
    if k == 0:
        a = p
    elif k == 1:
        b = p
    elif k == 2:
        c = p
    else:
        d = p
    return _volume(y, a, b, c, d)


@njit(cache=True)
def _above(y, high, low, corners, t, p, slack):
    """Tell if the hyperplane of the lifted corners of `t` passes above the lifted point `p`.

    By more than the share `slack` of the terms of the determinant.
    """
    a, b, c, d = corners[t, 0], corners[t, 1], corners[t, 2], corners[t, 3]
    xa, ya, za = y[a, 0] - y[p, 0], y[a, 1] - y[p, 1], y[a, 2] - y[p, 2]
    wa = (high[p] - high[a]) + (low[p] - low[a])
    xb, yb, zb = y[b, 0] - y[p, 0], y[b, 1] - y[p, 1], y[b, 2] - y[p, 2]
    wb = (high[p] - high[b]) + (low[p] - low[b])
    xc, yc, zc = y[c, 0] - y[p, 0], y[c, 1] - y[p, 1], y[c, 2] - y[p, 2]
    wc = (high[p] - high[c]) + (low[p] - low[c])
    xd, yd, zd = y[d, 0] - y[p, 0], y[d, 1] - y[p, 1], y[d, 2] - y[p, 2]
    wd = (high[p] - high[d]) + (low[p] - low[d])
    xy01 = xa * yb - xb * ya
    xy02 = xa * yc - xc * ya
    xy03 = xa * yd - xd * ya
    xy12 = xb * yc - xc * yb
    xy13 = xb * yd - xd * yb
    xy23 = xc * yd - xd * yc
    zw01 = za * wb - zb * wa
    zw02 = za * wc - zc * wa
    zw03 = za * wd - zd * wa
    zw12 = zb * wc - zc * wb
    zw13 = zb * wd - zd * wb
    zw23 = zc * wd - zd * wc
    volume = xy01 * zw23 - xy02 * zw13 + xy03 * zw12 + xy12 * zw03 - xy13 * zw02 + xy23 * zw01
    if slack == 0.0 or volume >= 0:
        return volume < 0
    terms = abs(xy01 * zw23) + abs(xy02 * zw13) + abs(xy03 * zw12)
    terms += abs(xy12 * zw03) + abs(xy13 * zw02) + abs(xy23 * zw01)
    return volume < -slack * terms


@njit(cache=True)
def _regular(y, high, low, corners, across):
    """Tell if no lifted point is below the hyperplane of a neighbour: then this is the hull."""
    for t in range(len(corners)):
        for k in range(4):
            s = across[t, k]
            if s > t:
                for m in range(4):
                    if across[s, m] == t and _above(y, high, low, corners, t, corners[s, m], FLAT):
                        return False
    return True


@njit(cache=True)
def _locate(y, corners, across, t, p):
    """Walk from tetrahedron `t` to one that holds the point `p`; -1 if the walk goes astray."""
    for step in range(100_000):
        moved = False
        for i in range(4):
            k = (i + step) % 4
            if _sees(y, corners, t, k, p) < 0:
                if across[t, k] < 0:
                    return -1
                t = across[t, k]
                moved = True
                break
        if not moved:
            return t
    return -1


@njit(cache=True)
def _insert_all(y, high, low, order):
    n = len(order)
    size = 8 * n + 200
    corners = np.empty((size, 4), dtype=np.int32)
    across = np.empty((size, 4), dtype=np.int32)
    corners[0, 0], corners[0, 1], corners[0, 2], corners[0, 3] = n, n + 1, n + 2, n + 3
    if _volume(y, n, n + 1, n + 2, n + 3) < 0:
        corners[0, 0], corners[0, 1] = n + 1, n
    across[0, :] = -1
    mark = np.full(size, -1, dtype=np.int32)  # the insertion whose hole a tetrahedron is in
    free = np.empty(size, dtype=np.int32)
    n_free, used = 0, 1
    hole = np.empty(size, dtype=np.int32)
    key = np.empty(_TABLE, dtype=np.int64)
    stamp = np.full(_TABLE, -1, dtype=np.int64)
    slot = np.empty(_TABLE, dtype=np.int64)
    rim = np.empty((_TABLE // 4, 2), dtype=np.int64)
    t = 0
    for number in range(n):
        p = order[number]
        t = _locate(y, corners, across, t, p)
        if t < 0:
            return STUCK, corners[:0], across[:0]
        if not _above(y, high, low, corners, t, p, 0.0):
            return HIDDEN, corners[:0], across[:0]
        hole[0], n_hole, at = t, 1, 0
        mark[t] = number
        while at < n_hole:
            s = hole[at]
            at += 1
            for k in range(4):
                o = across[s, k]
                if o >= 0 and mark[o] != number and _above(y, high, low, corners, o, p, 0.0):
                    mark[o] = number
                    hole[n_hole] = o
                    n_hole += 1
        # The rim of the hole: faces with the hole on one side. Rounding may leave a face that
        # the new point does not see; what is behind it stays out of the hole.
        n_rim, again, tries = 0, True, 0
        while again:
            again = False
            tries += 1
            if tries > 50:
                return STUCK, corners[:0], across[:0]
            n_rim = 0
            for at in range(n_hole):
                s = hole[at]
                if mark[s] != number:
                    continue
                for k in range(4):
                    o = across[s, k]
                    if o >= 0 and mark[o] == number:
                        continue
                    if _sees(y, corners, s, k, p) <= 0:
                        if s == t:
                            return STUCK, corners[:0], across[:0]
                        mark[s] = -1
                        again = True
                        break
                    if n_rim == len(rim):
                        return STUCK, corners[:0], across[:0]
                    rim[n_rim, 0], rim[n_rim, 1] = s, k
                    n_rim += 1
                if again:
                    break
        # One tetrahedron for each face of the rim; two of them meet at each edge of the rim.
        for r in range(n_rim):
            s, k = rim[r]
            if n_free > 0:
                n_free -= 1
                new = free[n_free]
            else:
                new = used
                used += 1
                if used >= size:
                    return STUCK, corners[:0], across[:0]
            for d in range(4):
                corners[new, d] = corners[s, d]
                across[new, d] = -1
            corners[new, k] = p
            mark[new] = -1
            o = across[s, k]
            across[new, k] = o
            if o >= 0:
                for m in range(4):
                    if across[o, m] == s:
                        across[o, m] = new
            rim[r, 0] = new
        for r in range(n_rim):
            new, k = rim[r]
            for d in range(4):
                if d == k:
                    continue
                lo, hi = -1, -1  # the edge of the rim opposite `d`
                for m in range(4):
                    if m != k and m != d:
                        v = corners[new, m]
                        lo, hi = (v, hi) if lo < 0 else (min(lo, v), max(lo, v))
                edge = np.int64(lo) * len(y) + hi
                place = (edge * 2654435761) & (_TABLE - 1)
                while stamp[place] == number and key[place] != edge:
                    place = (place + 1) & (_TABLE - 1)
                if stamp[place] != number:
                    stamp[place], key[place] = number, edge
                    slot[place] = 4 * np.int64(new) + d
                else:
                    other = slot[place]
                    across[new, d] = other // 4
                    across[other // 4, other % 4] = new
        for at in range(n_hole):
            if mark[hole[at]] == number:
                free[n_free] = hole[at]
                n_free += 1
                corners[hole[at], 0] = -1
        t = rim[0, 0]
    # Close the gaps.
    place = np.full(used, -1, dtype=np.int32)
    count = 0
    for s in range(used):
        if corners[s, 0] >= 0:
            place[s] = count
            count += 1
    kept, beyond = np.empty((count, 4), dtype=np.int32), np.empty((count, 4), dtype=np.int32)
    for s in range(used):
        if place[s] >= 0:
            for d in range(4):
                kept[place[s], d] = corners[s, d]
                beyond[place[s], d] = place[across[s, d]] if across[s, d] >= 0 else -1
    # A later point may have swallowed an earlier one, with all tetrahedra about it.
    alive = np.zeros(len(y), dtype=np.bool_)
    for s in range(count):
        for d in range(4):
            alive[kept[s, d]] = True
    if not alive.all():
        return HIDDEN, corners[:0], across[:0]
    if not _regular(y, high, low, kept, beyond):
        return STUCK, corners[:0], across[:0]
    return DONE, kept, beyond
