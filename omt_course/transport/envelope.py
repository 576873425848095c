"""The upper envelope of planes and its Legendre dual, the lower hull of lifted points.

`u_h(x) = max_i <x, y_i> + h_i` has the conjugate `u*` with `u*(y_i) <= -h_i`: the lower convex
hull of the points `(y_i, -h_i)`. Vertices, edges and faces of the one are faces, edges and
vertices of the other. Taught in *Alexandrov and Brenier*.
"""

import numpy as np
from scipy.spatial import ConvexHull


def dual_lines(y: np.ndarray, h: np.ndarray, size: float) -> tuple[np.ndarray, ...]:
    """Return the edges of the lower hull of `(y, -h)` and the lines dual to them.

    A dual line is `foot + t * direction`, `t` from `low` to `high` (infinite at the hull's rim);
    `direction` is `y_j - y_i` turned left, along which `t` grows because the gradient of a convex
    function is monotone; the triangle on the left of the edge gives `high`.
    """
    spread = np.abs(y).max()
    lifted = -(h / (spread * size)).astype(float)
    # One more point, far above all others and in their midst, makes a hull with the same lower
    # side of three planes too, and of any number of planes through one point.
    apex = [0.0, 0.0, lifted.max() + 1]
    hull = ConvexHull(np.vstack([np.column_stack([y / spread, lifted]), apex]))
    lower = hull.equations[:, 2] < -1e-13
    tri = hull.simplices[lower]
    equation = hull.equations[lower]
    # Corners where three planes meet, from the planes themselves: Qhull's normals carry fewer
    # digits. Slivers left over from coplanar facets have no such corner; theirs is the normal's.
    a, b, c = y[tri[:, 0]], y[tri[:, 1]], y[tri[:, 2]]
    ab, ac = b - a, c - a
    det = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    rb, rc = difference(h, tri[:, 0], tri[:, 1]), difference(h, tri[:, 0], tri[:, 2])
    sliver = np.abs(det) <= 1e-13 * (np.abs(ab).max(axis=1) * np.abs(ac).max(axis=1))
    safe = np.where(sliver, 1.0, det)
    corner = np.column_stack([rb * ac[:, 1] - rc * ab[:, 1], rc * ab[:, 0] - rb * ac[:, 0]])
    corner /= safe[:, None]
    corner[sliver] = -equation[sliver, :2] / equation[sliver, 2:3] * size
    # Counter-clockwise seen from above, asked in space: a facet at the rim may be vertical.
    a, b, c = hull.points[tri.T]
    flip = (np.cross(b - a, c - a) * equation[:, :3]).sum(axis=1) > 0
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
    foot = unit * (difference(h, i, j) / gap)[:, None]
    high = (corner[face] * direction).sum(axis=1)
    low = np.where(beyond < 0, -np.inf, (corner[beyond] * direction).sum(axis=1))
    pairs = np.column_stack([i, j])
    return pairs, foot, direction, low, high


def difference(h: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return `h_i - h_j`, subtracted in extended precision."""
    return (h[i] - h[j]).astype(float)
