"""Cells under a triangulated density, exactly.

A cell meets each triangle in a convex polygon; the polygons are found by walking from cell to
neighbouring cell through the triangle (Merigot 2011), and integrated exactly: the integrands are
cubic. Compiled with numba. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from .density import TriangulatedDensity
from .diagram import Diagram
from .envelope import dual_lines
from .triangulation import DONE, HIDDEN, Triangulation, triangulate

# The rule of degree 3 on a triangle: corners, middles of the sides, centre of mass.
CORNER, MIDDLE, CENTRE = 1 / 20, 2 / 15, 9 / 20


@dataclass(frozen=True, eq=False)
class DensityDiagram(Diagram):
    """The cells of `u_h` under a triangulated density.

    Attributes
    ----------
    weights : (m,) float array
        Integral of the density along the common boundary of each of `pairs`.
    owner, ends : (p,) int arrays
        Cell of each convex piece; where its corners end in `corners`.
    corners : (c, 2) float array
        Corners of the pieces, counter-clockwise, one piece after another.
    """

    weights: np.ndarray
    owner: np.ndarray
    ends: np.ndarray
    corners: np.ndarray

    @property
    def facets(self) -> np.ndarray:
        """Integrals over the common boundaries of `pairs`, here `weights`: (m,) float array."""
        return self.weights

    def cell_pieces(self) -> list[tuple[int, np.ndarray]]:
        """Return every cell's convex pieces, one a triangle: a list of (cell, (k, 2) corners)."""
        pieces = np.split(self.corners, self.ends[:-1])
        return list(zip(self.owner.tolist(), pieces, strict=True))


class DensityCutter:
    """Cuts the cells of the same points under a density at one vector of heights after another.

    Parameters
    ----------
    domain : TriangulatedDensity
        About the origin.
    points : (n, 2) float array
        Points about the origin, distinct, not all on a line.
    """

    def __init__(self, domain: TriangulatedDensity, points: np.ndarray):
        self.domain, self.points = domain, points
        self.reach = float(np.linalg.norm(domain.vertices, axis=1).max())
        self.triangulation: Triangulation | None = None
        self.candidate: Triangulation | None = None

    def __call__(self, heights: np.ndarray) -> DensityDiagram | None:
        """Return the diagram at these heights, or None if some cell is sure to be empty."""
        heights = heights - heights.mean()
        if self.triangulation is None:
            kept, status = triangulate(self.points, heights, self.reach)
        else:
            kept, status = self.triangulation.repaired(heights)
        if status == HIDDEN and self.triangulation is not None:
            return None
        self.candidate = kept if status == DONE else None
        if status == DONE:
            origin = kept.origin.astype(np.int64)
            following = np.arange(len(origin)) + np.tile([1, 1, -2], len(origin) // 3)
            edges = np.column_stack([origin, origin[following]])
        else:
            size = np.abs(self.domain.vertices).max()
            edges = dual_lines(self.points, heights, size)[0]
        return self._cut(heights, edges[(edges < len(self.points)).all(axis=1)])

    def accept(self) -> None:
        """Start from the last diagram's triangulation from now on."""
        if self.candidate is not None:
            self.triangulation = self.candidate

    def _cut(self, heights, edges):
        n = len(self.points)
        edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
        starts = np.searchsorted(edges[:, 0], np.arange(n + 1))
        high = heights.astype(float)
        low = (heights - high).astype(float)
        d = self.domain
        slot, total, masses, first, second, pieces = _walk(
            self.points, high, low, starts, edges[:, 1].copy(), d.vertices, d.triangles, d.values
        )
        owner, ends, corners = pieces
        forward = edges[:, 0] < edges[:, 1]
        met = forward & (slot > 0)
        return DensityDiagram(
            domain=d,
            points=self.points,
            heights=heights,
            pairs=edges[met],
            weights=total[met],
            masses=masses,
            first_moments=first,
            second_moments=second,
            owner=owner,
            ends=ends,
            corners=corners,
        )


@njit(cache=True)
def _walk(y, high, low, starts, neighbours, vertices, triangles, values):
    """Cut all cells by all triangles; see `DensityCutter._cut` for what comes back."""
    n = len(y)
    met = np.zeros(len(neighbours), dtype=np.int64)
    facets = np.zeros(len(neighbours))
    masses, first, second = np.zeros(n), np.zeros((n, 2)), np.zeros(n)
    owner, ends = np.empty(2 * n + 16, dtype=np.int64), np.empty(2 * n + 16, dtype=np.int64)
    corners = np.empty((16 * n + 64, 2))
    n_pieces, n_corners = 0, 0
    most = 0
    for i in range(n):
        most = max(most, starts[i + 1] - starts[i])
    shape = np.empty((2, most + 8, 2))
    label = np.empty((2, most + 8), dtype=np.int64)
    side = np.empty(most + 8)
    seen = np.full(n, -1, dtype=np.int64)
    stack = np.empty(n, dtype=np.int64)
    here = 0
    for t in range(len(triangles)):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        slope, base = _linear(a, b, c, values[triangles[t]])
        here = _owner((a + b + c) / 3, here, y, high, low, starts, neighbours)
        stack[0], size = here, 1
        seen[here] = t
        while size > 0:
            size -= 1
            i = stack[size]
            shape[0, 0], shape[0, 1], shape[0, 2] = a, b, c
            label[0, :3] = -1
            now, count = 0, 3
            for e in range(starts[i], starts[i + 1]):
                count = _cut_once(
                    shape[now], label[now], count, side, shape[1 - now], label[1 - now],
                    y[neighbours[e]] - y[i],
                    (high[i] - high[neighbours[e]]) + (low[i] - low[neighbours[e]]),
                    e,
                )  # fmt: skip
                now = 1 - now
                if count < 3:
                    break
            if count < 3:
                continue
            p = shape[now]
            for k in range(1, count - 1):
                _integrate(masses, first, second, i, y[i], p[0], p[k], p[k + 1], slope, base)
            for k in range(count):
                e = label[now, k]
                if e >= 0:
                    q = p[(k + 1) % count]
                    middle = slope @ (p[k] + q) / 2 + base
                    facets[e] += np.hypot(q[0] - p[k, 0], q[1] - p[k, 1]) * middle
                    met[e] = 1
                    j = neighbours[e]
                    if seen[j] != t:
                        seen[j] = t
                        stack[size] = j
                        size += 1
            if n_pieces == len(owner):
                owner = np.concatenate((owner, np.empty_like(owner)))
                ends = np.concatenate((ends, np.empty_like(ends)))
            if n_corners + count > len(corners):
                corners = np.concatenate((corners, np.empty_like(corners)))
            corners[n_corners : n_corners + count] = p[:count]
            n_corners += count
            owner[n_pieces], ends[n_pieces] = i, n_corners
            n_pieces += 1
    pieces = (owner[:n_pieces].copy(), ends[:n_pieces].copy(), corners[:n_corners].copy())
    return met, facets, masses, first, second, pieces


@njit(cache=True)
def _linear(a, b, c, r):
    """Return slope and value at the origin of the linear function with corner values `r`."""
    ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    det = ux * vy - uy * vx
    slope = np.empty(2)
    slope[0] = ((r[1] - r[0]) * vy - (r[2] - r[0]) * uy) / det
    slope[1] = ((r[2] - r[0]) * ux - (r[1] - r[0]) * vx) / det
    return slope, r[0] - slope[0] * a[0] - slope[1] * a[1]


@njit(cache=True)
def _owner(x, i, y, high, low, starts, neighbours):
    """Climb from cell `i` to the one that holds `x`: of a convex function every top is the top."""
    climbing = True
    while climbing:
        climbing = False
        best, gain = i, 0.0
        for e in range(starts[i], starts[i + 1]):
            j = neighbours[e]
            rise = x[0] * (y[j, 0] - y[i, 0]) + x[1] * (y[j, 1] - y[i, 1])
            rise += (high[j] - high[i]) + (low[j] - low[i])
            if rise > gain:
                best, gain, climbing = j, rise, True
        i = best
    return i


@njit(cache=True)
def _cut_once(shape, label, count, side, out, out_label, u, drop, mark):
    """Cut a polygon by `<x, u> <= drop` into `out`; the new side is labelled `mark`.

    Sides run from corner `k` to `k + 1` and carry the label of `k`. Returns the number of corners.
    """
    for k in range(count):
        side[k] = shape[k, 0] * u[0] + shape[k, 1] * u[1] - drop
    size = 0
    for k in range(count):
        o = k + 1 if k + 1 < count else 0
        if side[k] <= 0:
            out[size] = shape[k]
            out_label[size] = label[k]
            size += 1
            if side[o] > 0:
                share = side[k] / (side[k] - side[o])
                out[size] = shape[k] + share * (shape[o] - shape[k])
                out_label[size] = mark
                size += 1
        elif side[o] <= 0:
            share = side[o] / (side[o] - side[k])
            out[size] = shape[o] + share * (shape[k] - shape[o])
            out_label[size] = label[k]
            size += 1
    return size


@njit(cache=True)
def _integrate(masses, first, second, i, y, a, b, c, slope, base):
    """Add the integrals of the density times 1, `x - y` and `|x - y|^2` over a triangle."""
    area = ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
    for k in range(7):
        if k == 0:
            x, weight = a, CORNER
        elif k == 1:
            x, weight = b, CORNER
        elif k == 2:
            x, weight = c, CORNER
        elif k == 3:
            x, weight = (a + b) / 2, MIDDLE
        elif k == 4:
            x, weight = (b + c) / 2, MIDDLE
        elif k == 5:
            x, weight = (c + a) / 2, MIDDLE
        else:
            x, weight = (a + b + c) / 3, CENTRE
        mass = area * weight * (slope[0] * x[0] + slope[1] * x[1] + base)
        dx, dy = x[0] - y[0], x[1] - y[1]
        masses[i] += mass
        first[i, 0] += mass * dx
        first[i, 1] += mass * dy
        second[i] += mass * (dx * dx + dy * dy)
