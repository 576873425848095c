"""Lines and sides cut against each other: the diagram meets the boundary of its domain.

Taught in *Alexandrov and Brenier*.
"""

import numpy as np

# Relative to the domain's size: closer to the boundary than this counts as on it.
BOUNDARY_TOLERANCE = 1e-12


def clip_lines(
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


def cut_sides(
    corners: np.ndarray,
    normals: np.ndarray,
    offsets: np.ndarray,
    y: np.ndarray,
    h: np.ndarray,
    pairs: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    clipped: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut every side of the domain where the edges `p, q` between cells `pairs` meet it.

    Returns
    -------
    on_side : (m,) bool array
        Edges that lie in a side; they bound nothing, since the cell beyond is empty.
    owner : (s,) int array
        Cell that owns each piece of the boundary.
    start, end : (s, 2) float array
        Its end points, counter-clockwise.
    side : (s,) int array
        The side it lies in.
    """
    depth = BOUNDARY_TOLERANCE * np.abs(corners).max()
    n_sides = len(corners)
    along = np.roll(corners, -1, axis=0) - corners
    extent = np.linalg.norm(along, axis=1)
    along = along / extent[:, None]

    # Cuts, as (side, place along it, the two cells that meet there): ends of edges ...
    on_side = np.zeros(len(pairs), dtype=bool)
    ends = np.flatnonzero(clipped)
    hits, sides, spots = [], [], []
    for k in range(n_sides):
        at_p = p[ends] @ normals[k] >= offsets[k] - depth
        at_q = q[ends] @ normals[k] >= offsets[k] - depth
        on_side[ends[at_p & at_q]] = True
        for at, tip in ((at_p & ~at_q, p), (at_q & ~at_p, q)):
            hit = ends[at]
            hits.append(hit)
            spots.append((tip[hit] - corners[k]) @ along[k])
            sides.append(np.full(len(hit), k))
    # ... and the corners, which belong to whoever is on top there.
    top = np.array([np.argmax(y @ corner + h) for corner in corners * (1 - 1e-12)])
    last = np.roll(top, -1)
    meeting = np.concatenate([pairs[np.concatenate(hits)], np.stack([top, top], 1)])
    meeting = np.concatenate([meeting, np.stack([last, last], 1)])
    side = np.concatenate([*sides, np.arange(n_sides), np.arange(n_sides)])
    spot = np.concatenate([*spots, np.zeros(n_sides), extent])
    order = np.lexsort((spot, side))
    meeting, side, spot = meeting[order], side[order], spot[order]

    # Between two cuts one cell owns the side, and it is one of those that meet at the cuts.
    # Which, is asked a hair inside, so that edges dropped above cannot change the answer.
    piece = np.flatnonzero((side[:-1] == side[1:]) & (spot[:-1] < spot[1:]))
    side, s, t = side[piece], spot[piece], spot[piece + 1]
    start = corners[side] + s[:, None] * along[side]
    end = corners[side] + t[:, None] * along[side]
    some = np.concatenate([meeting[piece], meeting[piece + 1]], axis=1)
    inside = (start + end) / 2 - 2 * depth * normals[side]
    score = (y[some] * inside[:, None]).sum(axis=2) + h[some]
    owner = some[np.arange(len(some)), score.argmax(axis=1)]
    return on_side, owner, start, end, side
