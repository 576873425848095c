"""Compiled loops over triangles: which share an edge, which hang together, which are flat."""

import numba
import numpy as np


@numba.njit(cache=True)
def edges_of_sides(F, n):
    """Return the edge of every side (3 m,), the first side and the number of sides of every edge.

    The edges of each vertex, as the smaller end, wait in a list of their own.
    """
    m = len(F)
    start = np.zeros(n + 1, np.int64)
    for t in range(m):
        for c in range(3):
            start[min(F[t, c], F[t, (c + 1) % 3]) + 1] += 1
    for v in range(n):
        start[v + 1] += start[v]
    filled = start[:-1].copy()
    far, name = np.empty(3 * m, np.int64), np.empty(3 * m, np.int64)
    edge, first = np.empty(3 * m, np.int64), np.empty(3 * m, np.int64)
    counts = np.zeros(3 * m, np.int64)
    n_edges = 0
    for t in range(m):
        for c in range(3):
            a, b = F[t, c], F[t, (c + 1) % 3]
            low, high = min(a, b), max(a, b)
            k = start[low]
            while k < filled[low] and far[k] != high:
                k += 1
            if k == filled[low]:
                filled[low] += 1
                far[k], name[k], first[n_edges] = high, n_edges, 3 * t + c
                n_edges += 1
            edge[3 * t + c] = name[k]
            counts[name[k]] += 1
    return edge, first[:n_edges], counts[:n_edges]


@numba.njit(cache=True)
def components(n, left, right):
    """Return how many components a graph on n vertices has, and the smallest vertex of each's."""
    root = np.arange(n)
    for k in range(len(left)):
        a, b = left[k], right[k]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        root[max(a, b)] = min(a, b)
    count = 0
    for v in range(n):
        root[v] = root[root[v]]
        count += root[v] == v
    return count, root


@numba.njit(cache=True)
def flatness(V, F):
    """Return twice the area of each triangle over its longest side squared, 0 for a point."""
    ratio = np.zeros(len(F))
    for t in range(len(F)):
        a, b, c = V[F[t, 0]], V[F[t, 1]], V[F[t, 2]]
        u0, u1, u2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        v0, v1, v2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        w0, w1, w2 = v0 - u0, v1 - u1, v2 - u2
        x, y, z = u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0
        uu, vv = u0 * u0 + u1 * u1 + u2 * u2, v0 * v0 + v1 * v1 + v2 * v2
        wide = max(uu, vv, w0 * w0 + w1 * w1 + w2 * w2)
        if wide > 0.0:
            ratio[t] = np.sqrt(x * x + y * y + z * z) / wide
    return ratio
