"""Laguerre cells (a power diagram) of a planar convex domain, all at once and without polygons.

The potential `u_h(x) = max_i <x, y_i> + h_i` is a convex polyhedron; the cell `W_i` is where plane
`i` is on top. Its faces are dual to the lower convex hull of the lifted points `(y_i, -h_i)`
(Legendre duality), which Qhull finds. An edge of that hull, `(i, j)`, is dual to a segment of the
line `<x, y_i - y_j> = h_j - h_i`; all segments are clipped against the domain at once
(Liang-Barsky), and areas, centroids and second moments are sums over triangles with a cell's
boundary piece as base and its target point as apex. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull

from .domains import Box, Polygon, halfplanes

# Relative to the domain's size: closer to the boundary than this counts as on it.
BOUNDARY_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class LaguerreDiagram:
    """The cells of `u_h` in a domain, as boundary pieces and the integrals made from them.

    Attributes
    ----------
    domain : Box or Polygon
        The planar domain.
    points : (n, 2) float array
        Slopes `y_i`.
    heights : (n,) float array
        Heights `h_i`.
    pairs : (m, 2) int array
        Neighbouring cells `i, j`.
    lengths : (m,) float array
        Length of the common edge of each pair.
    owner : (p,) int array
        Cell of each boundary piece.
    start, end : (p, 2) float array
        Its end points; the pieces of a cell run counter-clockwise.
    masses : (n,) float array
        Areas `w_i(h)`; 0 for empty cells.
    first_moments : (n, 2) float array
        `int_{W_i} (x - y_i) dx`.
    second_moments : (n,) float array
        `int_{W_i} |x - y_i|^2 dx`.
    """

    domain: Box | Polygon
    points: np.ndarray
    heights: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    end: np.ndarray
    masses: np.ndarray
    first_moments: np.ndarray
    second_moments: np.ndarray

    @cached_property
    def centroids(self) -> np.ndarray:
        """Centres of mass of the cells, (n, 2) float array; nan for empty cells."""
        masses = np.where(self.masses > 0, self.masses, np.nan)
        return self.points + self.first_moments / masses[:, None]

    def cell_polygons(self) -> list[np.ndarray]:
        """Return the corners of every cell counter-clockwise, a list of (k_i, 2) float arrays."""
        middle = (self.start + self.end) / 2 - self.centroids[self.owner]
        order = np.lexsort((np.arctan2(middle[:, 1], middle[:, 0]), self.owner))
        ends = np.searchsorted(self.owner[order], np.arange(len(self.points) + 1))
        return [self.start[order[a:b]] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def laguerre_diagram(
    domain: Box | Polygon, points: np.ndarray, heights: np.ndarray
) -> LaguerreDiagram:
    """Cut a planar convex domain into the cells of `u_h(x) = max_i <x, y_i> + h_i`.

    Parameters
    ----------
    domain : Box or Polygon
        Planar domain.
    points : (n, 2) float array
        At least three points, distinct, not all on a line.
    heights : (n,) float array
        Heights. They are used as `longdouble`: where points almost touch, the place of their
        common edge is a quotient of two small differences, and 64 bits lose it first in `h`.

    Returns
    -------
    LaguerreDiagram

    Raises
    ------
    ValueError
        If the shapes do not fit.
    ArithmeticError
        If the cells found do not fill the domain, which happens only when rounding hides their
        structure (points many orders of magnitude closer than the domain is wide).

    Notes
    -----
    Gu, Luo, Sun, Yau (2016); Aurenhammer (1987) for the lifting.

    Examples
    --------
    Four planes over a square, cut along its diagonals:

    >>> d = laguerre_diagram(Box([-1, -1], [1, 1]), [[1, 0], [-1, 0], [0, 1], [0, -1]], np.zeros(4))
    >>> d.masses.round(12).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    points = np.asarray(points, dtype=float)
    heights = np.asarray(heights, dtype=np.longdouble)
    if domain.dimension != 2 or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"points: expected shape (n, 2) over a planar domain, got {points.shape} "
            f"over dimension {domain.dimension}"
        )
    if heights.shape != (len(points),):
        raise ValueError(f"heights: expected shape ({len(points)},), got {heights.shape}")

    # Cells do not change when a constant is added to the points, and coordinates about the
    # middle of things keep their digits.
    middle, mean = domain.center, points.mean(axis=0)
    y = points - mean
    h = heights + points.astype(np.longdouble) @ middle
    h = h - h.mean()
    corners = domain.vertices - middle
    normals, offsets = halfplanes(domain)
    offsets = offsets - normals @ middle

    pairs, foot, direction, low, high = _dual_lines(y, h, np.abs(corners).max())
    low, high, clipped = _clip(foot, direction, low, high, normals, offsets)
    keep = high > low
    pairs, foot, direction, clipped = pairs[keep], foot[keep], direction[keep], clipped[keep]
    p = foot + low[keep, None] * direction
    q = foot + high[keep, None] * direction
    lengths = high[keep] - low[keep]

    side = _BoundaryCut(corners, normals, offsets, y, h)
    on_side, owner_b, start_b, end_b, side_b = side.cut(pairs, p, q, clipped)
    pairs, p, q, lengths = pairs[~on_side], p[~on_side], q[~on_side], lengths[~on_side]

    i, j = pairs.T
    owner = np.concatenate([i, j, owner_b])
    start = np.concatenate([p, q, start_b])
    end = np.concatenate([q, p, end_b])
    # Signed distance from a cell's own target point to the line of each of its pieces,
    # from the line's equation: no cancellation even where the piece is tiny.
    x0 = y + mean - middle
    step = y[j] - y[i]
    gap = np.linalg.norm(step, axis=1)
    drop = _difference(h, i, j)
    to_i = (drop - (x0[i] * step).sum(axis=1)) / gap
    to_j = ((x0[j] * step).sum(axis=1) - drop) / gap
    to_b = offsets[side_b] - (normals[side_b] * x0[owner_b]).sum(axis=1)
    base = np.concatenate([lengths, lengths, np.linalg.norm(end_b - start_b, axis=1)])
    area = base * np.concatenate([to_i, to_j, to_b]) / 2

    a, b = start - x0[owner], end - x0[owner]
    n = len(points)
    masses = np.bincount(owner, area, n)
    first = np.column_stack([np.bincount(owner, area * (a + b)[:, k] / 3, n) for k in (0, 1)])
    square = ((a + b) ** 2).sum(axis=1) + (a**2).sum(axis=1) + (b**2).sum(axis=1)
    second = np.bincount(owner, area * square / 12, n)
    volume = domain.volume
    if abs(masses.sum() - volume) > 1e-8 * volume:
        raise ArithmeticError(
            f"laguerre_diagram: the cells fill {masses.sum():.9g} of the domain's {volume:.9g}; "
            f"the points are too close to each other for double precision"
        )
    return LaguerreDiagram(
        domain=domain,
        points=points,
        heights=heights,
        pairs=pairs,
        lengths=lengths,
        owner=owner,
        start=start + middle,
        end=end + middle,
        masses=masses,
        first_moments=first,
        second_moments=second,
    )


def _dual_lines(y: np.ndarray, h: np.ndarray, size: float) -> tuple[np.ndarray, ...]:
    """Return the edges of the lower hull of `(y, -h)` and the lines dual to them.

    A dual line is `foot + t * direction`, `t` from `low` to `high` (infinite at the hull's rim);
    `direction` is `y_j - y_i` turned left, along which `t` grows because the gradient of a convex
    function is monotone; the triangle on the left of the edge gives `high`.
    """
    spread = np.abs(y).max()
    lifted = -(h / (spread * size)).astype(float)
    hull = ConvexHull(np.column_stack([y / spread, lifted]))
    lower = hull.equations[:, 2] < -1e-13
    tri = hull.simplices[lower]
    equation = hull.equations[lower]
    # Corners where three planes meet, from the planes themselves: Qhull's normals carry fewer
    # digits. Slivers left over from coplanar facets have no such corner; theirs is the normal's.
    a, b, c = y[tri[:, 0]], y[tri[:, 1]], y[tri[:, 2]]
    ab, ac = b - a, c - a
    det = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    rb, rc = _difference(h, tri[:, 0], tri[:, 1]), _difference(h, tri[:, 0], tri[:, 2])
    sliver = np.abs(det) <= 1e-13 * (np.abs(ab).max(axis=1) * np.abs(ac).max(axis=1))
    safe = np.where(sliver, 1.0, det)
    corner = np.column_stack([rb * ac[:, 1] - rc * ab[:, 1], rc * ab[:, 0] - rb * ac[:, 0]])
    corner /= safe[:, None]
    corner[sliver] = -equation[sliver, :2] / equation[sliver, 2:3] * size
    flip = det < 0
    tri[flip] = tri[flip][:, [0, 2, 1]]

    # Every edge once, seen from one of its triangles; `beyond` is the triangle across, if any.
    number = np.full(len(lower), -1)
    number[lower] = np.arange(len(tri))
    beyond = number[hull.neighbors[lower]]
    beyond[flip] = beyond[flip][:, [0, 2, 1]]
    here = np.arange(len(tri))[:, None]
    face, opposite = np.nonzero((beyond < 0) | (here < beyond))
    beyond = beyond[face, opposite]
    i, j = tri[face, (opposite + 1) % 3], tri[face, (opposite + 2) % 3]
    step = y[j] - y[i]
    gap = np.linalg.norm(step, axis=1)
    unit = step / gap[:, None]
    direction = np.column_stack([-unit[:, 1], unit[:, 0]])
    foot = unit * (_difference(h, i, j) / gap)[:, None]
    high = (corner[face] * direction).sum(axis=1)
    low = np.where(beyond < 0, -np.inf, (corner[beyond] * direction).sum(axis=1))
    pairs = np.column_stack([i, j])
    return pairs, foot, direction, low, high


def _difference(h: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return `h_i - h_j`, subtracted in extended precision."""
    return (h[i] - h[j]).astype(float)


def _clip(
    foot: np.ndarray,
    direction: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    normals: np.ndarray,
    offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip all lines at once against the half-planes (Liang, Barsky 1984)."""
    # Both ends inside the inscribed circle: nothing to do, for most segments.
    radius = (1 - 1e-9) * offsets.min()
    reach = np.maximum(np.abs(low), np.abs(high)) ** 2 + (foot**2).sum(axis=1)
    near = np.flatnonzero(~(reach < radius**2))
    f, d, t0, t1 = foot[near], direction[near], low[near], high[near]
    with np.errstate(divide="ignore", invalid="ignore"):
        for normal, offset in zip(normals, offsets, strict=True):
            slope = d @ normal
            room = offset - f @ normal
            t = room / slope
            t1 = np.where((slope > 0) & (t < t1), t, t1)
            t0 = np.where((slope < 0) & (t > t0), t, t0)
            t1 = np.where((slope == 0) & (room < 0), -np.inf, t1)
    low, high = low.copy(), high.copy()
    low[near], high[near] = t0, t1
    clipped = np.zeros(len(low), dtype=bool)
    clipped[near] = True
    return low, high, clipped


class _BoundaryCut:
    """The domain's sides cut where edges of the diagram meet them."""

    def __init__(self, corners, normals, offsets, y, h):
        self.corners, self.normals, self.offsets = corners, normals, offsets
        self.y, self.h = y, h.astype(float)
        self.depth = BOUNDARY_TOLERANCE * np.abs(corners).max()

    def cut(self, pairs, p, q, clipped):
        """Return which edges lie in a side, and the pieces: owner, start, end, side."""
        ends = np.flatnonzero(clipped)
        on_side = np.zeros(len(pairs), dtype=bool)
        side, place, left, right = [], [], [], []
        owners = self._owner_of(self.corners * (1 - 1e-12))
        for k, (normal, offset) in enumerate(zip(self.normals, self.offsets, strict=True)):
            a = self.corners[k]
            b = self.corners[(k + 1) % len(self.corners)]
            along = (b - a) / np.linalg.norm(b - a)
            near_p = p[ends] @ normal >= offset - self.depth
            near_q = q[ends] @ normal >= offset - self.depth
            # An edge inside a side bounds nothing: the cell on its outer side is empty.
            both = near_p & near_q
            on_side[ends[both]] = True
            hit = np.concatenate([ends[near_p & ~both], ends[near_q & ~both]])
            at = np.concatenate([p[ends[near_p & ~both]], q[ends[near_q & ~both]]])
            place.append(np.concatenate([[0.0], (at - a) @ along, [(b - a) @ along]]))
            first, last = owners[k], owners[(k + 1) % len(self.corners)]
            left.append(np.concatenate([[first], pairs[hit, 0], [last]]))
            right.append(np.concatenate([[first], pairs[hit, 1], [last]]))
            side.append(np.full(len(hit) + 2, k))
        side, place = np.concatenate(side), np.concatenate(place)
        left, right = np.concatenate(left), np.concatenate(right)
        order = np.lexsort((place, side))
        side, place, left, right = side[order], place[order], left[order], right[order]

        a = self.corners[side]
        b = self.corners[(side + 1) % len(self.corners)]
        along = (b - a) / np.linalg.norm(b - a, axis=1)[:, None]
        at = a + place[:, None] * along
        same = side[:-1] == side[1:]
        same &= place[1:] > place[:-1]
        start, end, side_of = at[:-1][same], at[1:][same], side[:-1][same]
        # Between two cuts one cell owns the side, and it is one of those that meet at the cuts.
        # Who, is asked a hair inside, so that edges dropped above cannot change the answer.
        some = np.column_stack([left[:-1], right[:-1], left[1:], right[1:]])[same]
        inside = (start + end) / 2 - 2 * self.depth * self.normals[side_of]
        score = (self.y[some] * inside[:, None]).sum(axis=2) + self.h[some]
        owner = some[np.arange(len(some)), score.argmax(axis=1)]
        return on_side, owner, start, end, side_of

    def _owner_of(self, x):
        return np.array([np.argmax(self.y @ row + self.h) for row in x])
