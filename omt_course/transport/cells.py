"""Cells cut from a kept triangulation, compiled: the fast path of `laguerre_diagram`.

The same segments, boundary pieces and signed triangles as in `laguerre`, edge after edge in a
compiled loop; a test holds both paths to the same answer. Taught in *Alexandrov and Brenier*.
"""

import numpy as np
from numba import njit

from .clipping import cut_sides
from .domains import Box, Polygon, halfplanes
from .laguerre import LaguerreDiagram, laguerre_diagram
from .triangulation import DONE, HIDDEN, Triangulation, triangulate


class CellCutter:
    """Cuts the cells of the same points at one vector of heights after another.

    The triangulation of the last accepted heights is the start of the next one's; where flips
    cannot reach it, Qhull and NumPy take over, for good if the points are at fault.

    Parameters
    ----------
    domain : Box or Polygon
        Planar domain about the origin.
    points : (n, 2) float array
        Points about the origin, distinct, not all on a line.
    """

    def __init__(self, domain: Box | Polygon, points: np.ndarray):
        self.domain, self.points = domain, points
        self.corners = domain.vertices
        self.normals, self.offsets = halfplanes(domain)
        self.triangulation: Triangulation | None = None
        self.candidate: Triangulation | None = None
        self.compiled = True

    def __call__(self, heights: np.ndarray) -> LaguerreDiagram | None:
        """Return the diagram at these heights, or None if some cell is sure to be empty."""
        heights = heights - heights.mean()
        if self.compiled:
            if self.triangulation is None:
                reach = np.linalg.norm(self.corners, axis=1).max()
                kept, status = triangulate(self.points, heights, float(reach))
            else:
                kept, status = self.triangulation.repaired(heights)
            if status == HIDDEN and self.triangulation is not None:
                return None
            if status == DONE:
                diagram = self._cut(kept, heights)
                if diagram is not None:
                    self.candidate = kept
                    return diagram
            if self.triangulation is None:
                self.compiled = False
        self.candidate = None
        return laguerre_diagram(self.domain, self.points, heights)

    def accept(self) -> None:
        """Start from the last diagram's triangulation from now on."""
        if self.candidate is not None:
            self.triangulation = self.candidate

    def _cut(self, kept: Triangulation, heights: np.ndarray) -> LaguerreDiagram | None:
        high, low = kept.split(heights)
        n = len(self.points)
        count, pairs, p, q, lengths, clipped = _segments(
            kept.origin, kept.twin, kept.points, high, low, self.normals, self.offsets
        )
        if count < 0:
            return None
        pairs, p, q, lengths = pairs[:count], p[:count], q[:count], lengths[:count]
        near = np.flatnonzero(clipped[:count])
        on_side, owner, start, end, side = cut_sides(
            self.corners,
            self.normals,
            self.offsets,
            self.points,
            high[:n],
            pairs[near],
            p[near],
            q[near],
            np.ones(len(near), dtype=bool),
        )
        if on_side.any():
            pairs, p, q, lengths = (
                np.delete(a, near[on_side], axis=0) for a in (pairs, p, q, lengths)
            )
        masses, first, second = _integrate(
            pairs, p, q, lengths, self.points, high, low,
            owner, start, end, side, self.normals, self.offsets,
        )  # fmt: skip
        volume = self.domain.volume
        if not abs(masses.sum() - volume) <= 1e-8 * volume:
            return None
        i, j = pairs.T
        return LaguerreDiagram(
            domain=self.domain,
            points=self.points,
            heights=heights,
            pairs=pairs,
            lengths=lengths,
            owner=np.concatenate([i, j, owner]),
            start=np.concatenate([p, q, start]),
            end=np.concatenate([q, p, end]),
            masses=masses,
            first_moments=first,
            second_moments=second,
        )


@njit(cache=True)
def _segments(origin, twin, y, high, low, normals, offsets):
    """Return the edges of the cells inside the domain: pairs, end points, lengths, if clipped.

    A count of -1 says that some corner is lost to rounding.
    """
    n = len(y) - 4
    n_triangles = len(origin) // 3
    corner = np.empty((n_triangles, 2))
    lost = np.zeros(n_triangles, dtype=np.bool_)
    for t in range(n_triangles):
        a, b, c = origin[3 * t], origin[3 * t + 1], origin[3 * t + 2]
        bx, by = y[b, 0] - y[a, 0], y[b, 1] - y[a, 1]
        cx, cy = y[c, 0] - y[a, 0], y[c, 1] - y[a, 1]
        rb = (high[a] - high[b]) + (low[a] - low[b])
        rc = (high[a] - high[c]) + (low[a] - low[c])
        det = bx * cy - by * cx
        lost[t] = abs(det) <= 1e-13 * (max(abs(bx), abs(by)) * max(abs(cx), abs(cy)))
        if not lost[t]:
            corner[t, 0] = (rb * cy - rc * by) / det
            corner[t, 1] = (rc * bx - rb * cx) / det
    radius2 = ((1 - 1e-9) * offsets.min()) ** 2
    pairs = np.empty((3 * (n + 4), 2), dtype=np.int64)
    p = np.empty((3 * (n + 4), 2))
    q = np.empty((3 * (n + 4), 2))
    lengths = np.empty(3 * (n + 4))
    clipped = np.zeros(3 * (n + 4), dtype=np.bool_)
    count = 0
    for e in range(len(origin)):
        f = twin[e]
        if f < e:
            continue
        i, j = origin[e], origin[f]
        if i >= n or j >= n:
            continue
        if lost[e // 3] or lost[f // 3]:
            return -1, pairs, p, q, lengths, clipped
        ux, uy = y[j, 0] - y[i, 0], y[j, 1] - y[i, 1]
        gap = np.sqrt(ux * ux + uy * uy)
        ux, uy = ux / gap, uy / gap
        shift = ((high[i] - high[j]) + (low[i] - low[j])) / gap
        t1 = -uy * corner[e // 3, 0] + ux * corner[e // 3, 1]
        t0 = -uy * corner[f // 3, 0] + ux * corner[f // 3, 1]
        # Where four planes all but meet the edge may run backwards, by a rounding error; it
        # stays, with a negative length, and closes the cells.
        backwards = t0 > t1
        if backwards:
            t0, t1 = t1, t0
        if max(t0 * t0, t1 * t1) + shift * shift >= radius2:
            clipped[count] = True
            for k in range(len(offsets)):  # Liang, Barsky
                slope = -uy * normals[k, 0] + ux * normals[k, 1]
                room = offsets[k] - shift * (ux * normals[k, 0] + uy * normals[k, 1])
                if slope > 0:
                    t1 = min(t1, room / slope)
                elif slope < 0:
                    t0 = max(t0, room / slope)
                elif room < 0:
                    t1 = -np.inf
        if not t1 > t0:
            clipped[count] = False
            continue
        if backwards:
            t0, t1 = t1, t0
        pairs[count, 0], pairs[count, 1] = i, j
        p[count, 0], p[count, 1] = shift * ux - t0 * uy, shift * uy + t0 * ux
        q[count, 0], q[count, 1] = shift * ux - t1 * uy, shift * uy + t1 * ux
        lengths[count] = t1 - t0
        count += 1
    return count, pairs, p, q, lengths, clipped


@njit(cache=True)
def _integrate(
    pairs, p, q, lengths, y, high, low, owner, start, end, side, normals, offsets
):  # fmt: skip
    """Return areas, first and second moments of the cells, as fans about the mean of their ends."""
    n = len(y)
    apex = np.zeros((n, 2))
    pieces = np.zeros(n)
    for k in range(len(pairs)):
        i, j = pairs[k]
        for d in range(2):
            apex[i, d] += p[k, d]
            apex[j, d] += q[k, d]
        pieces[i] += 1
        pieces[j] += 1
    for k in range(len(owner)):
        for d in range(2):
            apex[owner[k], d] += start[k, d]
        pieces[owner[k]] += 1
    for i in range(n):
        for d in range(2):
            apex[i, d] /= max(pieces[i], 1)
    masses, first, second = np.zeros(n), np.zeros((n, 2)), np.zeros(n)
    for k in range(len(pairs)):
        i, j = pairs[k]
        ux, uy = y[j, 0] - y[i, 0], y[j, 1] - y[i, 1]
        gap = np.sqrt(ux * ux + uy * uy)
        drop = (high[i] - high[j]) + (low[i] - low[j])
        to_i = (drop - apex[i, 0] * ux - apex[i, 1] * uy) / gap
        to_j = (apex[j, 0] * ux + apex[j, 1] * uy - drop) / gap
        _add(masses, first, second, i, y, lengths[k] * to_i / 2, p[k], q[k], apex)
        _add(masses, first, second, j, y, lengths[k] * to_j / 2, q[k], p[k], apex)
    for k in range(len(owner)):
        i, s = owner[k], side[k]
        base = np.hypot(end[k, 0] - start[k, 0], end[k, 1] - start[k, 1])
        to_b = offsets[s] - normals[s, 0] * apex[i, 0] - normals[s, 1] * apex[i, 1]
        _add(masses, first, second, i, y, base * to_b / 2, start[k], end[k], apex)
    return masses, first, second


@njit(cache=True)
def _add(masses, first, second, i, y, area, a, b, apex):
    """Add a triangle; the mean of `|x|^2` on it is `(|a+b+c|^2 + |a|^2 + |b|^2 + |c|^2) / 12`."""
    masses[i] += area
    for d in range(2):
        u, v, w = a[d] - y[i, d], b[d] - y[i, d], apex[i, d] - y[i, d]
        total = u + v + w
        first[i, d] += area * total / 3
        second[i] += area * (total * total + u * u + v * v + w * w) / 12
