"""Facets of Laguerre cells in space as rings of dual corners, compiled.

The tetrahedra about an edge `(i, j)` have dual corners that go once round the common facet of cells
`i` and `j`. Taught in *Alexandrov and Brenier*.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def dual_corners(corners, across, y, high, low, normals, offsets, n):
    """Return the points where four planes meet, and whether they lie inside the domain."""
    corner = np.zeros((len(corners), 3))
    inside = np.zeros(len(corners), dtype=np.bool_)
    m = np.empty((3, 3))
    r = np.empty(3)
    for t in range(len(corners)):
        a = corners[t, 0]
        whole = across[t, 0] >= 0
        for k in range(3):
            b = corners[t, k + 1]
            for d in range(3):
                m[k, d] = y[b, d] - y[a, d]
            r[k] = (high[a] - high[b]) + (low[a] - low[b])
        for k in range(4):
            whole = whole and corners[t, k] < n
        if not whole:
            continue
        p0 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
        p1 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
        p2 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
        det = m[0, 0] * p0 + m[0, 1] * p1 + m[0, 2] * p2
        terms = abs(m[0, 0] * p0) + abs(m[0, 1] * p1) + abs(m[0, 2] * p2)
        if abs(det) <= 1e-10 * terms:
            continue  # cells about a sliver are clipped
        for d in range(3):
            e, f = (d + 1) % 3, (d + 2) % 3
            c0 = m[1, e] * m[2, f] - m[1, f] * m[2, e]
            c1 = m[2, e] * m[0, f] - m[2, f] * m[0, e]
            c2 = m[0, e] * m[1, f] - m[0, f] * m[1, e]
            corner[t, d] = (r[0] * c0 + r[1] * c1 + r[2] * c2) / det
        for k in range(len(offsets)):
            room = offsets[k]
            for d in range(3):
                room -= normals[k, d] * corner[t, d]
            whole = whole and room > 0
        inside[t] = whole
    return corner, inside


@njit(cache=True)
def ring_facets(
    corners, across, corner, rim, y, high, low, star_start, star,
    masses, first, second, pairs, areas,
):  # fmt: skip
    """Facets between cells of which one at least is deep inside, and the measures of those."""
    n = len(rim)
    count = 0
    seen = np.full(n, -1, dtype=np.int64)
    ring = np.empty((len(corner) + 1, 3))
    for i in range(n):
        if rim[i]:
            continue
        apex = corner[star[star_start[i]]]
        for place in range(star_start[i], star_start[i + 1]):
            t = star[place]
            for k in range(4):
                j = corners[t, k]
                if j == i or seen[j] == i:
                    continue
                seen[j] = i
                # Walk about the edge (i, j): always leave by the face opposite the old corner.
                size, s, turn = 0, t, -1
                for m in range(4):
                    if corners[t, m] != i and corners[t, m] != j:
                        turn = m
                while True:
                    ring[size] = corner[s]
                    size += 1
                    o = across[s, turn]
                    stay = -1  # the corner that both share besides i and j
                    for m in range(4):
                        v = corners[s, m]
                        if v != i and v != j and m != turn:
                            stay = v
                    s = o
                    if s == t or size == len(ring):
                        break
                    for m in range(4):
                        if corners[s, m] == stay:
                            turn = m
                ux, uy, uz = y[j, 0] - y[i, 0], y[j, 1] - y[i, 1], y[j, 2] - y[i, 2]
                gap = np.sqrt(ux * ux + uy * uy + uz * uz)
                drop = (high[i] - high[j]) + (low[i] - low[j])
                to = (drop - apex[0] * ux - apex[1] * uy - apex[2] * uz) / gap
                area = 0.0
                for m in range(1, size - 1):
                    area += _wedge(ring[0], ring[m], ring[m + 1], ux, uy, uz) / gap
                sign = _sense(corners, t, i, j, y)
                for m in range(1, size - 1):
                    part = sign * _wedge(ring[0], ring[m], ring[m + 1], ux, uy, uz) / gap
                    add_tetrahedron(
                        masses,
                        first,
                        second,
                        i,
                        y,
                        part * to / 3,
                        apex,
                        ring[0],
                        ring[m],
                        ring[m + 1],
                    )
                if j > i or rim[j]:
                    pairs[count, 0], pairs[count, 1] = i, j
                    areas[count] = sign * area
                    count += 1
    return count


@njit(cache=True)
def _sense(corners, t, i, j, y):
    """Return +1 if the ring from `t` runs counter-clockwise about the direction `y_j - y_i`.

    It leaves `t` by the face opposite the last corner that is neither `i` nor `j`.
    """
    p = q = -1
    for m in range(4):
        v = corners[t, m]
        if v != i and v != j:
            p, q = q, v  # q is turned away from, p stays
    ax, ay, az = y[q, 0] - y[i, 0], y[q, 1] - y[i, 1], y[q, 2] - y[i, 2]
    bx, by, bz = y[p, 0] - y[i, 0], y[p, 1] - y[i, 1], y[p, 2] - y[i, 2]
    ux, uy, uz = y[j, 0] - y[i, 0], y[j, 1] - y[i, 1], y[j, 2] - y[i, 2]
    volume = ux * (ay * bz - az * by) + uy * (az * bx - ax * bz) + uz * (ax * by - ay * bx)
    return 1.0 if volume > 0 else -1.0


@njit(cache=True)
def _wedge(a, b, c, ux, uy, uz):
    """Return `<u, (b - a) x (c - a)> / 2`."""
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    cx, cy, cz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return (ux * (by * cz - bz * cy) + uy * (bz * cx - bx * cz) + uz * (bx * cy - by * cx)) / 2


@njit(cache=True)
def add_tetrahedron(masses, first, second, i, y, volume, a, b, c, e):
    """Add a tetrahedron; the mean of `|x|^2` is `(|sum|^2 + sum of squares) / 20`."""
    masses[i] += volume
    for d in range(3):
        s, t, u, v = a[d] - y[i, d], b[d] - y[i, d], c[d] - y[i, d], e[d] - y[i, d]
        total = s + t + u + v
        first[i, d] += volume * total / 4
        second[i] += volume * (total * total + s * s + t * t + u * u + v * v) / 20
