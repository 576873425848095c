"""A convex solid cut by half-spaces, compiled: the cells of `solid` that reach its boundary.

Taught in *Alexandrov and Brenier*.
"""

import numpy as np
from numba import njit

from .rings import add_tetrahedron, dual_corners, ring_facets
from .tetrahedra import GHOSTS


@njit(cache=True)
def cut_cells(corners, across, y, high, low, normals, offsets, starts, faces):
    """Return pairs, facet areas, volumes, first and second moments of all cells.

    Parameters
    ----------
    corners, across : (t, 4) int arrays
        Regular tetrahedra; an `across` of -1 everywhere makes every cell be clipped.
    y : (n + 4, 3) float array
        Points, then ghosts.
    high, low : (n + 4,) float arrays
        Heights as sums of two doubles.
    normals, offsets : (k, 3), (k,) float arrays
        Half-spaces of the domain.
    starts, faces : (k + 1,) int array, (m, 3) float array
        Corners of face `k` of the domain are `faces[starts[k]:starts[k + 1]]`.
    """
    n = len(y) - GHOSTS
    corner, inside = dual_corners(corners, across, y, high, low, normals, offsets, n)
    rim = np.zeros(n, dtype=np.bool_)  # cells that may reach the boundary
    degree = np.zeros(n + 1, dtype=np.int64)
    for t in range(len(corners)):
        for k in range(4):
            if corners[t, k] < n:
                degree[corners[t, k] + 1] += 1
                if not inside[t]:
                    rim[corners[t, k]] = True
    star_start = np.cumsum(degree)
    star = np.empty(star_start[-1], dtype=np.int64)
    fill = star_start[:-1].copy()
    for t in range(len(corners)):
        for k in range(4):
            i = corners[t, k]
            if i < n:
                star[fill[i]] = t
                fill[i] += 1
    masses, first, second = np.zeros(n), np.zeros((n, 3)), np.zeros(n)
    pairs = np.empty((6 * len(corners) + 8, 2), dtype=np.int64)
    areas = np.empty(6 * len(corners) + 8)
    count = ring_facets(
        corners, across, corner, rim, y, high, low, star_start, star,
        masses, first, second, pairs, areas,
    )  # fmt: skip
    count = _clip_all(
        corners, y, high, low, rim, star_start, star, starts, faces,
        masses, first, second, pairs, areas, count,
    )  # fmt: skip
    return pairs[:count].copy(), areas[:count].copy(), masses, first, second


@njit(cache=True)
def _clip_all(
    corners, y, high, low, rim, star_start, star, starts, faces,
    masses, first, second, pairs, areas, count,
):  # fmt: skip
    """Cut the domain down to each cell on the rim; note the facets between two of those."""
    n = len(rim)
    most = 0
    for i in range(n):
        if rim[i]:
            most = max(most, star_start[i + 1] - star_start[i])
    n_faces = len(starts) - 1
    room_corners = 32
    for k in range(n_faces):
        room_corners = max(room_corners, 2 * (starts[k + 1] - starts[k]))
    seen = np.full(n, -1, dtype=np.int64)
    neighbours = np.empty(3 * most + 4, dtype=np.int64)
    for i in range(n):
        if not rim[i]:
            continue
        size = 0
        for place in range(star_start[i], star_start[i + 1]):
            for k in range(4):
                j = corners[star[place], k]
                if j < n and j != i and seen[j] != i:
                    seen[j] = i
                    neighbours[size] = j
                    size += 1
        while True:
            solid, number, label, used = _clip(
                i, neighbours[:size], y, high, low, starts, faces, size + n_faces + 4, room_corners
            )
            if used >= 0:
                break
            room_corners *= 2
        if used == 0:
            continue
        apex = np.zeros(3)
        total = 0
        for f in range(used):
            for k in range(number[f]):
                for d in range(3):
                    apex[d] += solid[f, k, d]
                total += 1
        apex /= max(total, 1)
        for f in range(used):
            ax = ay = az = 0.0
            for k in range(1, number[f] - 1):
                a, b, c = solid[f, 0], solid[f, k], solid[f, k + 1]
                bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
                cx, cy, cz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
                px, py, pz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
                volume = px * (a[0] - apex[0]) + py * (a[1] - apex[1]) + pz * (a[2] - apex[2])
                add_tetrahedron(masses, first, second, i, y, volume / 6, apex, a, b, c)
                ax, ay, az = ax + px, ay + py, az + pz
            j = label[f]
            if j > i and rim[j] and number[f] > 2:
                pairs[count, 0], pairs[count, 1] = i, j
                areas[count] = np.sqrt(ax * ax + ay * ay + az * az) / 2
                count += 1
    return count


@njit(cache=True)
def _clip(i, neighbours, y, high, low, starts, faces, room_faces, room_corners):
    """Return the faces of cell `i`: corners, their numbers, labels, and how many (-1: no room)."""
    solid = np.empty((room_faces, room_corners, 3))
    number = np.zeros(room_faces, dtype=np.int64)
    label = np.full(room_faces, -1, dtype=np.int64)
    used = len(starts) - 1
    for f in range(used):
        number[f] = starts[f + 1] - starts[f]
        for k in range(number[f]):
            solid[f, k] = faces[starts[f] + k]
    side = np.empty(room_corners)
    kept = np.empty((room_corners, 3))
    cap = np.empty((room_faces, 3))
    angle = np.empty(room_faces)
    for j in neighbours:
        m = y[j] - y[i]
        gap = np.sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2])
        m = m / gap
        c = ((high[i] - high[j]) + (low[i] - low[j])) / gap
        n_cap, alive = 0, 0
        for f in range(used):
            out = False
            for k in range(number[f]):
                p = solid[f, k]
                side[k] = m[0] * p[0] + m[1] * p[1] + m[2] * p[2] - c
                out = out or side[k] > 0
            if out:
                size = 0
                for k in range(number[f]):
                    o = k + 1 if k + 1 < number[f] else 0
                    if side[k] <= 0:
                        if size == room_corners:
                            return solid, number, label, -1
                        kept[size] = solid[f, k]
                        size += 1
                    if (side[k] <= 0) != (side[o] <= 0):
                        if size == room_corners:
                            return solid, number, label, -1
                        if side[k] <= 0:
                            share = side[k] / (side[k] - side[o])
                            kept[size] = solid[f, k] + share * (solid[f, o] - solid[f, k])
                            cap[n_cap] = kept[size]  # where the face leaves the half-space
                            n_cap += 1
                        else:
                            share = side[o] / (side[o] - side[k])
                            kept[size] = solid[f, o] + share * (solid[f, k] - solid[f, o])
                        size += 1
                for k in range(size):
                    solid[f, k] = kept[k]
                number[f] = size
            if number[f] > 0:
                if alive != f:
                    for k in range(number[f]):
                        solid[alive, k] = solid[f, k]
                    number[alive], label[alive] = number[f], label[f]
                alive += 1
        used = alive
        if used == 0:
            return solid, number, label, 0
        if n_cap > 2:
            if n_cap > room_corners or used == room_faces:
                return solid, number, label, -1
            # Two directions in the plane, so that the cap runs counter-clockwise about `m`.
            b = np.zeros(3)
            b[np.argmin(np.abs(m))] = 1.0
            u = np.cross(m, b)
            v = np.cross(m, u)
            mx = my = mz = 0.0
            for k in range(n_cap):
                mx, my, mz = mx + cap[k, 0], my + cap[k, 1], mz + cap[k, 2]
            mx, my, mz = mx / n_cap, my / n_cap, mz / n_cap
            for k in range(n_cap):
                dx, dy, dz = cap[k, 0] - mx, cap[k, 1] - my, cap[k, 2] - mz
                angle[k] = np.arctan2(
                    v[0] * dx + v[1] * dy + v[2] * dz, u[0] * dx + u[1] * dy + u[2] * dz
                )
            order = np.argsort(angle[:n_cap])
            for k in range(n_cap):
                solid[used, k] = cap[order[k]]
            number[used], label[used] = n_cap, j
            used += 1
    return solid, number, label, used
