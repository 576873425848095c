"""Integrals over convex polygons by Gauss rules on triangles, cut where a map is torn.

Errors of a semi-discrete map against a closed form are sums of such integrals over its cells.
Taught in *From discrete to smooth*.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.special import roots_jacobi

from .closed_form import Torn


def cell_quadrature(
    polygons: list[np.ndarray], exact: Any = None, *, order: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a quadrature rule on convex polygons: exact up to degree `2 order - 1`.

    Each polygon is a fan of triangles about its centre. Where a `Torn` map jumps inside a triangle,
    the triangle is cut there; a cell that holds the origin has it as its apex, so that a radial map
    is smooth along every ray of the rule.

    Parameters
    ----------
    polygons : list of n (k_i, 2) float arrays
        Corners counter-clockwise; fewer than three mean an empty cell.
    exact : closed-form map, optional
        Whose tears the rule respects.
    order : int
        Gauss points a direction.

    Returns
    -------
    owner : (m,) int array
        Polygon of each node.
    x : (m, 2) float array
        Nodes.
    weight : (m,) float array

    Examples
    --------
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    >>> owner, x, weight = cell_quadrature([square])
    >>> round(float(weight @ (x[:, 0] ** 4 * x[:, 1] ** 5)), 14)     # 1/5 * 1/6
    0.03333333333333
    """
    sizes = np.array([len(p) if len(p) >= 3 else 0 for p in polygons])
    owner = np.repeat(np.arange(len(polygons)), sizes)
    a = np.concatenate([p for p in polygons if len(p) >= 3])
    last = np.cumsum(sizes)[sizes > 0] - 1
    follow = np.arange(1, len(a) + 1)
    follow[last] = np.concatenate([[0], last[:-1] + 1])
    b = a[follow]
    count = np.maximum(sizes, 1)
    center = np.column_stack([np.bincount(owner, a[:, k], len(polygons)) / count for k in (0, 1)])
    # The origin lies in a cell if no side has it on its right.
    right = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    center[(np.bincount(owner, right, len(polygons)) == 0) & (sizes > 0)] = 0.0
    triangles = np.stack([center[owner], a, b], axis=1)  # (m, 3, 2)
    if isinstance(exact, Torn):
        owner, triangles = _cut(owner, triangles, exact.direction, exact.offset)
    s, t, w = _rule(order)
    apex, one, two = triangles[:, None, 0], triangles[:, None, 1], triangles[:, None, 2]
    x = apex + s[:, None] * ((1 - t)[:, None] * (one - apex) + t[:, None] * (two - apex))
    p, q = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    weight = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])[:, None] * w
    return np.repeat(owner, len(w)), x.reshape(-1, 2), weight.ravel()


@cache
def _rule(order):
    """Nodes and weights of `int_0^1 int_0^1 s f(s, t) ds dt`: Gauss-Jacobi, Gauss-Legendre."""
    s, u = roots_jacobi(order, 0.0, 1.0)  # weight 1 + s on [-1, 1]
    t, v = np.polynomial.legendre.leggauss(order)
    s, t = np.meshgrid((s + 1) / 2, (t + 1) / 2, indexing="ij")
    return s.ravel(), t.ravel(), np.outer(u / 4, v / 2).ravel()


def _cut(owner, triangles, direction, offset):
    """Cut the triangles that a line crosses into three."""
    level = triangles @ direction - offset  # (m, 3)
    crossed = (level.min(axis=1) < 0) & (level.max(axis=1) > 0)
    whole, level = triangles[crossed], level[crossed]
    # The corner alone on its side of the line comes first.
    side = np.where(level > 0, 1, -1)
    alone = np.argmax(side * side.sum(axis=1)[:, None] < 0, axis=1)
    order = (alone[:, None] + np.arange(3)) % 3
    rows = np.arange(len(whole))[:, None]
    whole, level = whole[rows, order], level[rows, order]
    a, b, c = whole.swapaxes(0, 1)
    ab = a + (b - a) * (level[:, 0] / (level[:, 0] - level[:, 1]))[:, None]
    ac = a + (c - a) * (level[:, 0] / (level[:, 0] - level[:, 2]))[:, None]
    pieces = [np.stack(piece, axis=1) for piece in ((a, ab, ac), (ab, b, c), (ab, c, ac))]
    return (
        np.concatenate([owner[~crossed], np.tile(owner[crossed], 3)]),
        np.concatenate([triangles[~crossed], *pieces]),
    )
