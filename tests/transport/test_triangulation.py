"""Kept triangulations against Qhull, against themselves rebuilt, and against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from omt_course.transport.domains import disk
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.triangulation import (
    DONE,
    GHOSTS,
    HIDDEN,
    STUCK,
    along_a_curve,
    triangulate,
)

CHECKED = settings(max_examples=40, deadline=None, derandomize=True, database=None)
REACH = 2.0


def cloud(n, seed, kind="uniform"):
    rng = np.random.default_rng(seed)
    points = {
        "uniform": lambda: rng.uniform(-1, 1, (n, 2)),
        "clusters": lambda: (
            rng.uniform(-1, 1, (3, 2))[rng.integers(0, 3, n)] + rng.normal(scale=1e-3, size=(n, 2))
        ),
        "needle": lambda: rng.uniform(-1, 1, (n, 2)) * [1, 1e-4],
        "curve": lambda: np.column_stack([t := rng.uniform(-1, 1, n), t**2]),
    }[kind]()
    return points - points.mean(axis=0)


def voronoi(points):
    return -(points**2).sum(axis=1) / 2


def triangles(kept):
    """Triangles as a set of sorted triples."""
    return {tuple(sorted(t)) for t in kept.origin.reshape(-1, 3).tolist()}


def exact_volume(points, lifts, a, b, c, d):
    """Six times the signed volume of a lifted tetrahedron, in rational arithmetic."""
    corners = [(*map(Fraction, points[k].tolist()), Fraction(lifts[k])) for k in (a, b, c, d)]
    (ux, uy, uz), (vx, vy, vz), (wx, wy, wz) = (
        tuple(corner[k] - corners[3][k] for k in range(3)) for corner in corners[:3]
    )
    return ux * (vy * wz - vz * wy) - uy * (vx * wz - vz * wx) + uz * (vx * wy - vy * wx)


def check_whole(kept, n):
    """Half-edges fit together, triangles turn left and cover the ghosts' square, no point lost."""
    origin, twin = kept.origin.astype(int), kept.twin.astype(int)
    assert len(origin) == 3 * (2 * n + 2)  # Euler: a square with n points inside
    assert set(origin.tolist()) == set(range(n + GHOSTS))
    edges = np.arange(len(origin))
    following = np.where(edges % 3 == 2, edges - 2, edges + 1)
    inner = twin >= 0
    assert (~inner).sum() == 4
    assert (twin[twin[inner]] == edges[inner]).all()
    assert (origin[twin[inner]] == origin[following[inner]]).all()
    a, b, c = kept.points[origin.reshape(-1, 3).T]
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    side = np.ptp(kept.points[n:, 0])
    assert (turn >= -1e-14 * side**2).all()
    assert turn.sum() / 2 == pytest.approx(side**2, rel=1e-12)


def check_regular(kept, heights):
    """No edge is concave, in rational arithmetic, beyond rounding: so the surface is the hull."""
    high, low = kept.split(heights)
    lifts = [-(Fraction(a) + Fraction(b)) for a, b in zip(high.tolist(), low.tolist(), strict=True)]
    origin, twin = kept.origin, kept.twin
    size = np.abs(kept.points).max() ** 2 * max(abs(float(lift)) for lift in lifts)
    for e in np.flatnonzero(twin > np.arange(len(twin))):
        a, b, c = (origin[3 * (e // 3) + (e + k) % 3] for k in range(3))
        d = origin[3 * (twin[e] // 3) + (twin[e] + 2) % 3]
        # Counter-clockwise a, b, c seen from above: d below their plane makes this positive.
        assert float(exact_volume(kept.points, lifts, a, b, c, d)) <= 1e-13 * size


def hull_triangles(points, heights, reach):
    """Lower facets by Qhull whose dual corner lies within reach, as sorted triples."""
    hull = ConvexHull(np.column_stack([points, -heights]))
    below = hull.equations[:, 2] < -1e-12
    corner = -hull.equations[below, :2] / hull.equations[below, 2:3]
    near = np.linalg.norm(corner, axis=1) < reach
    return {tuple(sorted(t)) for t in hull.simplices[below][near].tolist()}


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(4, 60),
    spread=st.sampled_from([0.0, 0.02]),
    kind=st.sampled_from(["uniform", "clusters", "needle", "curve"]),
)
@CHECKED
def test_built_triangulation_is_whole_and_regular(seed, n, spread, kind):
    points = cloud(n, seed, kind)
    noise = np.random.default_rng(seed + 1).uniform(0, 1, n)
    gap = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = np.partition(gap, 1, axis=1)[:, 1].min()
    heights = voronoi(points) + spread * nearest**2 * noise  # too little to hide a point
    kept, status = triangulate(points, heights, REACH)
    assert status == DONE
    check_whole(kept, n)
    check_regular(kept, heights)


@pytest.mark.parametrize("n", [4, 10, 100, 2000])
@pytest.mark.parametrize("seed", range(3))
def test_qhull_finds_the_same_triangles(n, seed):
    points = cloud(n, seed)
    heights = voronoi(points)
    kept, status = triangulate(points, heights, REACH)
    assert status == DONE
    expected = hull_triangles(points, heights, REACH)
    assert expected <= triangles(kept)
    # And within reach there are no others: the rest have ghosts or corners outside.
    ours = [t for t in triangles(kept) if max(t) < n and t not in expected]
    for a, b, c in ours:
        matrix = np.array([points[b] - points[a], points[c] - points[a]])
        corner = np.linalg.solve(matrix, [heights[a] - heights[b], heights[a] - heights[c]])
        assert np.linalg.norm(corner) >= REACH * (1 - 1e-9)


@given(
    seed=st.integers(0, 10**6), n=st.integers(5, 200), size=st.sampled_from([0.1, 0.3, 1.0, 10.0])
)
@CHECKED
def test_repaired_is_rebuilt_is_qhull(seed, n, size):
    """Heights move far, many edges flip; what is repaired does not remember where it came from."""
    points = cloud(n, seed)
    kept, status = triangulate(points, voronoi(points), REACH)
    assert status == DONE
    noise = np.random.default_rng(seed + 1).uniform(-1, 1, n)
    heights = voronoi(points) + size * noise / n
    repaired, status = kept.repaired(heights)
    rebuilt, status_new = triangulate(points, heights, REACH)
    hull = ConvexHull(np.vstack([np.column_stack([points, -heights]), [0, 0, 1e3]]))
    if len(set(hull.vertices.tolist()) - {n}) < n:
        # A point above the hull has no place in it; it is said, or the flips give up.
        assert status != DONE and status_new != DONE
        return
    # All on the hull, but a cell may be wholly beyond reach, where ghosts rule.
    if (laguerre_diagram(disk(REACH, 64), points, heights).masses > 0).all():
        assert status_new == DONE
    if status_new != DONE:
        return
    if status == DONE:
        assert triangles(repaired) == triangles(rebuilt)
        check_whole(repaired, n)
        assert hull_triangles(points, heights, REACH) <= triangles(repaired)


def grid(k, seed=0, jitter=0.3):
    """A shaken lattice about its mean, spacing `2 / k`: no two points are close."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2)
    points = 2 / k * (points + jitter * rng.uniform(-1, 1, (k * k, 2)))
    return points - points.mean(axis=0)


@pytest.mark.parametrize("seed", range(20))
def test_flips_reach_heights_that_change_much(seed):
    """Flips may get stuck in principle; where no point is hidden they should not, far away too."""
    points = grid(14, seed, jitter=0.1)
    kept, _ = triangulate(points, voronoi(points), REACH)
    noise = np.random.default_rng(seed).uniform(-1, 1, len(points))
    heights = voronoi(points) + 0.1 * (2 / 14) ** 2 * noise
    assert (laguerre_diagram(disk(REACH, 64), points, heights).masses > 0).all()
    repaired, status = kept.repaired(heights)
    assert status == DONE
    assert len(triangles(repaired) - triangles(kept)) > 30
    assert hull_triangles(points, heights, REACH) <= triangles(repaired)


def test_repairing_leaves_the_old_one_alone():
    points = cloud(30, 0)
    kept, _ = triangulate(points, voronoi(points), REACH)
    before = kept.origin.copy(), kept.twin.copy()
    moved, _ = kept.repaired(voronoi(points) + 0.01 * np.random.default_rng(1).random(30))
    assert (kept.origin == before[0]).all() and (kept.twin == before[1]).all()
    assert not (moved.origin == kept.origin).all()
    again, status = moved.repaired(voronoi(points))
    assert status == DONE and triangles(again) == triangles(kept)


@pytest.mark.parametrize("depth", [1e-6, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("n", [1, 5, 50])
def test_a_point_above_the_hull_is_reported_hidden(depth, n):
    """Push one inner point's plane below the envelope of the others, by little or much."""
    corners = [[-1, -1], [1, -1.1], [1.2, 1], [-1, 0.9]]
    points = np.vstack([corners, cloud(n, 3)])
    n, inner = len(points), 4 + int(np.argmin((points[4:] ** 2).sum(axis=1)))
    points -= points[inner]  # in the middle of things
    heights = voronoi(points)
    others = np.delete(np.arange(n), inner)
    hull = ConvexHull(np.column_stack([points[others], -heights[others]]))
    a, b, c, offset = hull.equations[hull.equations[:, 2] < 0].T
    lowest = (-(offset + a * points[inner, 0] + b * points[inner, 1]) / c).max()
    kept, status = triangulate(points, heights, REACH)
    assert status == DONE
    pushed = heights.copy()
    pushed[inner] = -lowest - depth
    assert kept.repaired(pushed)[1] == HIDDEN
    assert triangulate(points, pushed, REACH)[1] in (HIDDEN, STUCK)
    pushed[inner] = -lowest + 1e-6  # and a hair below the others' hull it is there
    assert triangulate(points, pushed, REACH)[1] == DONE


@pytest.mark.parametrize("k", [2, 3, 8, 30])
def test_lattices_have_a_triangulation(k):
    """Four planes through every corner: any diagonal is right, and one must be taken."""
    points = np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2) / k
    points = points - points.mean(axis=0)
    kept, status = triangulate(points, voronoi(points), REACH)
    assert status == DONE
    check_whole(kept, k * k)
    check_regular(kept, voronoi(points))


@pytest.mark.parametrize("n", [3, 4, 5, 16, 101])
def test_points_on_a_circle(n):
    angle = 2 * np.pi * np.arange(n) / n
    points = np.column_stack([np.cos(angle), np.sin(angle)])
    points -= points.mean(axis=0)
    kept, status = triangulate(points, voronoi(points), REACH)
    assert status == DONE
    check_whole(kept, n)
    check_regular(kept, voronoi(points))


def test_ghosts_own_nothing_within_reach():
    points = cloud(40, 5)
    heights = voronoi(points) * 3
    kept, _ = triangulate(points, heights, REACH)
    angle = np.linspace(0, 2 * np.pi, 1000)
    for radius in (0.0, 0.5 * REACH, REACH):
        x = radius * np.column_stack([np.cos(angle), np.sin(angle)])
        high, _ = kept.split(heights)
        assert ((x @ kept.points.T + high).argmax(axis=1) < 40).all()


def test_heights_keep_their_longdouble_digits():
    points = cloud(6, 0)
    heights = voronoi(points).astype(np.longdouble) + np.longdouble(1) / 3
    kept, _ = triangulate(points, voronoi(points), REACH)
    high, low = kept.split(heights)
    assert (high[:6].astype(np.longdouble) + low[:6] == heights).all()
    if np.finfo(np.longdouble).eps < np.finfo(float).eps:
        assert np.abs(low[:6]).max() > 0


@given(seed=st.integers(0, 10**6), n=st.integers(2, 300), d=st.sampled_from([2, 3]))
@CHECKED
def test_order_along_a_curve_is_a_permutation_that_keeps_neighbours_near(seed, n, d):
    points = np.random.default_rng(seed).random((n, d))
    order = along_a_curve(points)
    assert (np.sort(order) == np.arange(n)).all()
    if n >= 100:
        walk = np.linalg.norm(np.diff(points[order], axis=0), axis=1).sum()
        anyhow = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        assert walk < 0.5 * anyhow


def test_hilbert_steps_are_to_neighbours():
    """On a full grid of side `2^k` every step of Hilbert's curve has length one."""
    grid = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2).astype(float)
    steps = np.diff(grid[along_a_curve(grid)], axis=0)
    assert (np.abs(steps).sum(axis=1) == 1).all()
