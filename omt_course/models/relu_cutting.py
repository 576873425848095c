"""Polygons that share their sides, cut by the zero lines of affine functions, compiled with numba.

The polygons are loops of half-edges: half-edge `h` runs from vertex `origin[h]` to the origin of
`following[h]`, along the boundary of polygon `cell[h]` (-1 outside), and `twin[h]` is its other
side. Cutting a side puts one new vertex on both of its half-edges, so neighbours always share their
vertices, exactly. Taught in *Cells of a ReLU network*.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def cut(points, values, tolerance, origin, twin, following, cell, label, first, first_label):
    """Cut all cells by the zero lines of all columns of `values`, one column after another.

    Parameters
    ----------
    points : (n, d) float array
        Vertices.
    values : (n, w) float array
        What the functions are at the vertices; each is affine on each cell and continuous.
    tolerance : (w,) float array
        Values of this size are zero.
    origin, twin, following, cell, label : (h,) int arrays
        Half-edges; `label` is the number of the function that made them, -1 at the start.
    first : (c,) int array
        A half-edge of each cell.
    first_label : int
        Label of column 0.

    Returns
    -------
    points, values, origin, twin, following, cell, label, first : the new complex
    root : (c',) int array
        The old cell in which each new one lies.
    n_kept : int
        Cells left whole although a sign changes in them: slivers as thin as rounding.
    """
    n, w = values.shape
    d = points.shape[1]
    n_half, n_cells, n_kept = len(origin), len(first), 0
    root = np.arange(n_cells)
    sign = np.empty(n, dtype=np.int8)
    for j in range(w):
        sign = room(sign, 0, n)
        for v in range(n):
            if abs(values[v, j]) <= tolerance[j]:
                values[v, j] = 0.0
            sign[v] = 1 if values[v, j] > 0 else (-1 if values[v, j] < 0 else 0)
        for h in range(n_half):  # a vertex on every side whose ends differ in sign
            g = twin[h]
            if g < h:
                continue
            a, b = origin[h], origin[g]
            if sign[a] * sign[b] >= 0:
                continue
            points, values, sign = room(points, n, 1), room(values, n, 1), room(sign, n, 1)
            t = values[a, j] / (values[a, j] - values[b, j])
            for k in range(d):
                points[n, k] = points[a, k] + t * (points[b, k] - points[a, k])
            for k in range(w):
                values[n, k] = values[a, k] + t * (values[b, k] - values[a, k])
            values[n, j], sign[n] = 0.0, 0
            origin, twin = room(origin, n_half, 2), room(twin, n_half, 2)
            following, cell = room(following, n_half, 2), room(cell, n_half, 2)
            label = room(label, n_half, 2)
            hh, gg = n_half, n_half + 1  # h: a -> new, hh: new -> b, g: b -> new, gg: new -> a
            origin[hh], origin[gg] = n, n
            twin[h], twin[gg], twin[g], twin[hh] = gg, h, hh, g
            following[hh], following[h] = following[h], hh
            following[gg], following[g] = following[g], gg
            cell[hh], cell[gg] = cell[h], cell[g]
            label[hh], label[gg] = label[h], label[g]
            n, n_half = n + 1, n_half + 2
        for c in range(n_cells):  # a chord through every cell in which both signs occur
            h, before = first[c], -1
            rises = falls = sinks = emerges = 0
            up = down = low = high = ahead_up = ahead_low = -1
            while True:
                h_next = following[h]
                s, s_next = sign[origin[h]], sign[origin[h_next]]
                if s <= 0 and s_next > 0:
                    rises, up, ahead_up = rises + 1, h, before
                if s > 0 and s_next <= 0:
                    falls, down = falls + 1, h
                if s >= 0 and s_next < 0:
                    sinks, low, ahead_low = sinks + 1, h, before
                if s < 0 and s_next >= 0:
                    emerges, high = emerges + 1, h
                before, h = h, h_next
                if h == first[c]:
                    break
            if rises == 0 or sinks == 0:
                continue
            if rises == 1 and falls == 1:
                enter, leave, ahead = up, down, ahead_up
            elif sinks == 1 and emerges == 1:
                enter, leave, ahead = low, high, ahead_low
            else:
                n_kept += 1
                continue
            if ahead < 0:  # the loop began with `enter`
                ahead = before
            origin, twin = room(origin, n_half, 2), room(twin, n_half, 2)
            following, cell = room(following, n_half, 2), room(cell, n_half, 2)
            label, first = room(label, n_half, 2), room(first, n_cells, 1)
            root = room(root, n_cells, 1)
            inner, outer, after = n_half, n_half + 1, following[leave]
            origin[inner], origin[outer] = origin[after], origin[enter]
            twin[inner], twin[outer] = outer, inner
            label[inner], label[outer] = first_label + j, first_label + j
            following[leave], following[inner] = inner, enter
            following[ahead], following[outer] = outer, after
            cell[outer] = c
            h = enter
            while True:
                cell[h] = n_cells
                h = following[h]
                if h == enter:
                    break
            first[c], first[n_cells], root[n_cells] = outer, inner, root[c]
            n_half, n_cells = n_half + 2, n_cells + 1
    return (
        points[:n], values[:n], origin[:n_half], twin[:n_half], following[:n_half],
        cell[:n_half], label[:n_half], first[:n_cells], root[:n_cells], n_kept,
    )  # fmt: skip


@njit(cache=True)
def room(array, used, more):
    """Return the array, or a copy twice as long, with room for `more` rows after those used."""
    if used + more <= len(array):
        return array
    bigger = np.empty((max(2 * len(array), used + more),) + array.shape[1:], array.dtype)
    bigger[:used] = array[:used]
    return bigger


@njit(cache=True)
def active(values, origin, following, first):
    """Tell for each cell and column whether the largest value in size at its corners is positive.

    Returns
    -------
    (c, w) bool array
    """
    w = values.shape[1]
    found = np.zeros((len(first), w), dtype=np.bool_)
    high, low = np.empty(w), np.empty(w)
    for c in range(len(first)):
        high[:], low[:] = 0.0, 0.0
        h = first[c]
        while True:
            for k in range(w):
                high[k] = max(high[k], values[origin[h], k])
                low[k] = min(low[k], values[origin[h], k])
            h = following[h]
            if h == first[c]:
                break
        for k in range(w):
            found[c, k] = high[k] > -low[k]
    return found


@njit(cache=True)
def loops(origin, following, first):
    """Return the corners of all cells, one after another, and where each cell begins, (c + 1,)."""
    corners, start = np.empty(len(origin), dtype=np.int64), np.zeros(len(first) + 1, dtype=np.int64)
    n = 0
    for c in range(len(first)):
        h = first[c]
        while True:
            corners[n] = origin[h]
            n, h = n + 1, following[h]
            if h == first[c]:
                break
        start[c + 1] = n
    return corners[:n], start
