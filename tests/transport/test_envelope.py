"""Edges of the dual hull against Delaunay's triangulation and against the planes themselves."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from omt_course.transport.envelope import difference, dual_lines


def dual(points, heights):
    y = points - points.mean(axis=0)
    return y, dual_lines(y, np.asarray(heights, dtype=np.longdouble), 1.0)


@pytest.mark.parametrize("n", [3, 4, 10, 200])
def test_edges_are_delaunays_for_voronoi_heights(n):
    points = np.random.default_rng(n).random((n, 2))
    y = points - points.mean(axis=0)
    pairs, *_ = dual_lines(y, (-(y**2).sum(axis=1) / 2).astype(np.longdouble), 1.0)
    triangles = np.sort(Delaunay(y).simplices, axis=1)
    expected = {tuple(t[[i, j]].tolist()) for t in triangles for i, j in ((0, 1), (0, 2), (1, 2))}
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} == expected
    assert len(pairs) == len(expected)


@pytest.mark.parametrize("seed", range(5))
def test_both_planes_are_on_top_along_their_segment_and_nowhere_beyond(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 2))
    heights = -(points**2).sum(axis=1) / 2 + 0.3 * rng.random(40)  # some points are hidden
    y, (pairs, foot, direction, low, high) = dual(points, heights)
    assert (low < high).all()
    for (i, j), p, d, a, b in zip(pairs, foot, direction, low, high, strict=True):
        a, b = max(a, -50), min(b, 50)
        inside = p + np.linspace(a, b, 7)[1:-1, None] * d
        score = inside @ y.T + heights
        np.testing.assert_allclose(score[:, i], score[:, j], atol=1e-12)
        np.testing.assert_allclose(score[:, i], score.max(axis=1), atol=1e-10)
        for t in (a - 0.01, b + 0.01):
            if abs(t) < 50:
                score = (p + t * d) @ y.T + heights
                assert score[i] < score.max() - 1e-9
    assert len(set(pairs.ravel().tolist())) < 40
    assert np.linalg.norm(direction, axis=1) == pytest.approx(1)
    # A convex gradient turns with its edge: `direction` is `y_j - y_i` turned left.
    step = y[pairs[:, 1]] - y[pairs[:, 0]]
    np.testing.assert_allclose(
        step[:, 0] * direction[:, 1] - step[:, 1] * direction[:, 0],
        np.linalg.norm(step, axis=1),
    )
    np.testing.assert_allclose((step * direction).sum(axis=1), 0, atol=1e-12)


def test_rim_of_the_hull_goes_to_infinity():
    points = np.random.default_rng(0).random((30, 2))
    y, (pairs, _, _, low, high) = dual(points, -(points**2).sum(axis=1) / 2)
    unbounded = np.isinf(low) | np.isinf(high)
    rim = {tuple(sorted(edge)) for edge in Delaunay(y).convex_hull.tolist()}
    assert {tuple(sorted(pair)) for pair in pairs[unbounded].tolist()} == rim
    assert (np.isfinite(low) | np.isfinite(high)).all()


def test_three_planes_and_planes_through_one_point():
    for n in (3, 4, 17):
        angle = 2 * np.pi * np.arange(n) / n
        y, (pairs, foot, direction, low, high) = dual(
            np.column_stack([np.cos(angle), np.sin(angle)]), np.zeros(n)
        )
        sides = {tuple(sorted((i, (i + 1) % n))) for i in range(n)}
        ends = np.isinf(low) | np.isinf(high)
        assert {tuple(sorted(pair)) for pair in pairs[ends].tolist()} == sides
        start = np.where(np.isinf(low), high, low)[ends]
        np.testing.assert_allclose(foot[ends] + start[:, None] * direction[ends], 0, atol=1e-14)


def test_difference_keeps_what_double_precision_loses():
    h = np.array([1.0, 1.0], dtype=np.longdouble)
    h[0] += np.longdouble(2) ** -60
    if np.finfo(np.longdouble).eps < 1e-17:
        assert difference(h, np.array([0]), np.array([1]))[0] == 2.0**-60
    assert difference(h, np.array([1]), np.array([1]))[0] == 0
