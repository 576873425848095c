"""Problems with known answers, and plain reference computations that share no code with the solver.

Cells come from cutting a polygon by half-planes one at a time (Sutherland and Hodgman), integrals
over them from Green's theorem.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay

from omt_course.transport.domains import Box, Polygon, disk


def clip(polygon, normal, offset):
    """Cut a convex polygon (k, 2) by the half-plane `<normal, x> <= offset`."""
    kept = []
    excess = polygon @ normal - offset
    for k in range(len(polygon)):
        a, b = polygon[k - 1], polygon[k]
        if (excess[k - 1] <= 0) != (excess[k] <= 0):
            kept.append(a + (b - a) * excess[k - 1] / (excess[k - 1] - excess[k]))
        if excess[k] <= 0:
            kept.append(b)
    return np.array(kept).reshape(-1, 2)


def laguerre_cells(domain, points, heights):
    """Corners of all cells of `max_i <x, y_i> + h_i`, each cut by its most violated neighbour."""
    points, heights = np.asarray(points, dtype=float), np.asarray(heights, dtype=float)
    middle = domain.vertices.mean(axis=0)
    heights = heights + points @ middle
    cells = []
    for i in range(len(points)):
        cell = domain.vertices - middle
        normals, offsets = points - points[i], heights[i] - heights
        norms = np.maximum(np.linalg.norm(normals, axis=1), 1e-300)
        used = {i}
        while len(cell):
            excess = ((cell @ normals.T - offsets) / norms).max(axis=0)
            excess[list(used)] = -1.0
            worst = int(np.argmax(excess))
            if excess[worst] <= 0:
                break
            used.add(worst)
            cell = clip(cell, normals[worst], offsets[worst])
        cells.append(cell + middle)
    return cells


def area(polygon):
    """Signed area of a polygon, positive when counter-clockwise (shoelace formula)."""
    return integrals(polygon, polygon[0] if len(polygon) else np.zeros(2))[0]


def integrals(polygon, about):
    """Return `int 1`, `int (x - about)` and `int |x - about|^2` over a polygon."""
    if len(polygon) < 3:
        return 0.0, np.zeros(2), 0.0
    corner = polygon[0]
    a = polygon - corner
    b = np.roll(a, -1, axis=0)
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    mass = cross.sum() / 2
    first = cross @ (a + b) / 6
    second = float(cross @ (a**2 + a * b + b**2).sum(axis=1)) / 12
    shift = corner - about  # parallel axes: x - about = (x - corner) + shift
    return mass, first + mass * shift, second + 2 * first @ shift + mass * (shift @ shift)


def cost(cells, points):
    """Return `sum_i int_{cell_i} |x - y_i|^2`."""
    return sum(integrals(cell, y)[2] for cell, y in zip(cells, points, strict=True))


@dataclass(frozen=True)
class Problem:
    """A transport problem whose optimal cells are known."""

    domain: Box | Polygon
    points: np.ndarray
    masses: np.ndarray
    cells: list
    w2_squared: float


def product(x_masses, y_masses, x_points, y_points, lower=(0.0, 0.0), upper=(1.0, 1.0)):
    """Two problems on a line at once: cells are rectangles between quantiles.

    Masses are shares that sum to 1 along each axis, points increase along each axis.
    """
    lower, upper = np.array(lower, dtype=float), np.array(upper, dtype=float)
    size = upper - lower
    cuts = [
        lower[k] + size[k] * np.concatenate([[0.0], np.cumsum(shares)[:-1], [1.0]])
        for k, shares in enumerate((x_masses, y_masses))
    ]
    points, masses, cells = [], [], []
    line_cost = [
        sum(
            ((cut[i + 1] - p[i]) ** 3 - (cut[i] - p[i]) ** 3) / 3 for i in range(len(p))
        )  # int (x - p)^2 dx between the quantiles
        for cut, p in zip(cuts, (x_points, y_points), strict=True)
    ]
    for i in range(len(x_points)):
        for j in range(len(y_points)):
            (a, c), (b, d) = cuts[0][i : i + 2], cuts[1][j : j + 2]
            points.append([x_points[i], y_points[j]])
            masses.append((c - a) * (d - b))
            cells.append(np.array([[a, b], [c, b], [c, d], [a, d]]))
    total = line_cost[0] * size[1] + line_cost[1] * size[0]
    return Problem(Box(lower, upper), np.array(points), np.array(masses), cells, float(total))


def ring(k, core, distance, radius=1.0, sides_per_point=8):
    """One point in the middle of a disk and `k` around it: a regular polygon and `k` sectors.

    `core` is the apothem of the middle cell, `distance` that of the points from the middle.
    """
    domain = disk(radius, k * sides_per_point)
    angle = 2 * np.pi * np.arange(k) / k
    unit = np.column_stack([np.cos(angle), np.sin(angle)])
    corner = (
        core
        / np.cos(np.pi / k)
        * np.column_stack([np.cos(angle + np.pi / k), np.sin(angle + np.pi / k)])
    )
    cells = [corner]
    for j in range(k):
        piece = clip(domain.vertices, -unit[j], -core)
        for side in (-1, 1):
            ray = angle[j] + side * np.pi / k
            piece = clip(piece, side * np.array([-np.sin(ray), np.cos(ray)]), 0.0)
        cells.append(piece)
    points = np.vstack([np.zeros((1, 2)), distance * unit])
    middle = k * core**2 * np.tan(np.pi / k)
    n_sides = k * sides_per_point
    around = n_sides / 2 * radius**2 * np.sin(2 * np.pi / n_sides) - middle
    masses = np.concatenate([[middle], np.full(k, around / k)])
    return Problem(domain, points, masses, cells, cost(cells, points))


def manufactured(domain, points, heights):
    """Any heights solve the problem that has the masses of their own cells, if none is empty."""
    points = np.asarray(points, dtype=float)
    cells = laguerre_cells(domain, points, heights)
    masses = np.array([area(cell) for cell in cells])
    return Problem(domain, points, masses, cells, cost(cells, points))


def sunflower(n):
    """A disk mesh of radius 1: n inner vertices on a sunflower spiral, then a rim; V (., 2), F."""
    k = np.arange(n) + 0.5
    radius, turn = np.sqrt(k / n) * (1 - n**-0.5), np.pi * (1 + 5**0.5) * k
    n_rim = int(2 * np.sqrt(np.pi * n))
    turn = np.concatenate([turn, 2 * np.pi * np.arange(n_rim) / n_rim])
    radius = np.concatenate([radius, np.ones(n_rim)])
    xy = np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])
    F = Delaunay(xy).simplices.astype(np.int64)
    u, v = xy[F[:, 1]] - xy[F[:, 0]], xy[F[:, 2]] - xy[F[:, 0]]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    F[area < 0] = F[area < 0][:, ::-1]
    return xy, F[np.abs(area) > 1e-12]


def dome(n, angle):
    """A cap of the unit sphere up to a polar angle, meshed by `sunflower`: V (., 3), F."""
    xy, F = sunflower(n)
    radius = np.linalg.norm(xy, axis=1)
    theta = angle * radius
    return np.column_stack([xy * (np.sin(theta) / radius)[:, None], np.cos(theta)]), F
