"""Laguerre cells (a power diagram) of a planar convex domain, all at once and without polygons.

The potential `u_h(x) = max_i <x, y_i> + h_i` is a convex polyhedron; the cell `W_i` is where plane
`i` is on top. Its faces are dual to the lower convex hull of the lifted points `(y_i, -h_i)`
(Legendre duality), which Qhull finds. An edge of that hull, `(i, j)`, is dual to a segment of the
line `<x, y_i - y_j> = h_j - h_i`; all segments are clipped against the domain at once
(Liang-Barsky), and areas, centroids and second moments are sums over triangles with a cell's
boundary piece as base and its target point as apex. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np

from .clipping import clip_lines, cut_sides
from .diagram import Diagram
from .domains import Box, Polygon, halfplanes
from .envelope import difference, dual_lines


@dataclass(frozen=True, eq=False)
class LaguerreDiagram(Diagram):
    """The cells of `u_h` in a planar domain, as boundary pieces and the integrals made from them.

    Attributes
    ----------
    lengths : (m,) float array
        Length of the common edge of each of `pairs`.
    owner : (p,) int array
        Cell of each boundary piece.
    start, end : (p, 2) float array
        Its end points; the pieces of a cell run counter-clockwise.
    """

    lengths: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def facets(self) -> np.ndarray:
        """Measures of the common boundaries of `pairs`, here `lengths`: (m,) float array."""
        return self.lengths

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

    pairs, foot, direction, low, high = dual_lines(y, h, np.abs(corners).max())
    # Where four planes all but meet, Qhull may take the wrong diagonal; the edge then runs
    # backwards, by a rounding error. It stays, with a negative length, and closes the cells.
    backwards = low > high
    low, high, clipped = clip_lines(
        foot, direction, np.minimum(low, high), np.maximum(low, high), normals, offsets
    )
    keep = high > low
    low[backwards], high[backwards] = high[backwards], low[backwards]
    pairs, foot, direction, clipped = pairs[keep], foot[keep], direction[keep], clipped[keep]
    p = foot + low[keep, None] * direction
    q = foot + high[keep, None] * direction
    lengths = high[keep] - low[keep]

    on_side, owner_b, start_b, end_b, side_b = cut_sides(
        corners, normals, offsets, y, h.astype(float), pairs, p, q, clipped
    )
    pairs, p, q, lengths = pairs[~on_side], p[~on_side], q[~on_side], lengths[~on_side]

    i, j = pairs.T
    owner = np.concatenate([i, j, owner_b])
    start = np.concatenate([p, q, start_b])
    end = np.concatenate([q, p, end_b])
    # A cell is a fan of triangles over its pieces, with their middle as apex. The signed distance
    # from there to the line of a piece comes from the line's equation: no cancellation even where
    # the piece is tiny.
    n = len(points)
    count = np.maximum(np.bincount(owner, minlength=n), 1)
    apex = np.column_stack([np.bincount(owner, start[:, k], n) / count for k in (0, 1)])
    step = y[j] - y[i]
    gap = np.linalg.norm(step, axis=1)
    drop = difference(h, i, j)
    to_i = (drop - (apex[i] * step).sum(axis=1)) / gap
    to_j = ((apex[j] * step).sum(axis=1) - drop) / gap
    to_b = offsets[side_b] - (normals[side_b] * apex[owner_b]).sum(axis=1)
    base = np.concatenate([lengths, lengths, np.linalg.norm(end_b - start_b, axis=1)])
    area = base * np.concatenate([to_i, to_j, to_b]) / 2
    masses, first, second = _moments(owner, area, start, end, apex[owner], y + mean - middle)
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


def _moments(owner, area, a, b, c, origin):
    """Sum areas, first and second moments about `origin[owner]` of triangles with corners a, b, c.

    The mean of `|x|^2` over a triangle is `(|a + b + c|^2 + |a|^2 + |b|^2 + |c|^2) / 12`.
    """
    n = len(origin)
    a, b, c = (corner - origin[owner] for corner in (a, b, c))
    total = a + b + c
    squares = (total**2 + a**2 + b**2 + c**2).sum(axis=1)
    return (
        np.bincount(owner, area, n),
        np.column_stack([np.bincount(owner, area * total[:, k] / 3, n) for k in (0, 1)]),
        np.bincount(owner, area * squares / 12, n),
    )
