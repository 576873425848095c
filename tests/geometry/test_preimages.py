"""Preimages and overlaps: against maps that cover the plane a known number of times."""

import numpy as np
import pytest

from omt_course.geometry import preimages


def grid(n):
    """A unit square of 2 n^2 triangles, as a surface in space."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
    V = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    F = np.concatenate(
        [np.column_stack([a, a + 1, a + n + 2]), np.column_stack([a, a + n + 2, a + n + 1])]
    )
    return V, F


def test_every_triangle_that_holds_a_point_is_found():
    rng = np.random.default_rng(0)
    uv, F = rng.random((60, 2)), rng.integers(0, 60, (150, 3))
    points = rng.random((40, 2))
    point, triangle, weights = preimages.preimages(uv, F, points)
    expected = set()
    for k, p in enumerate(points):
        for t, corners in enumerate(uv[F]):
            matrix = np.vstack([corners.T, np.ones(3)])
            if abs(np.linalg.det(matrix)) > 1e-12:
                inside = np.linalg.solve(matrix, [*p, 1])
                if inside.min() > 0:
                    expected.add((k, t))
    assert set(zip(point.tolist(), triangle.tolist(), strict=True)) == expected
    assert np.allclose(np.einsum("ki,kij->kj", weights, uv[F[triangle]]), points[point])
    assert np.allclose(weights.sum(axis=1), 1)


def test_blocks_do_not_change_the_answer(monkeypatch):
    V, F = grid(8)
    points = np.random.default_rng(1).random((200, 2))
    whole = preimages.preimages(V[:, :2], F, points)
    monkeypatch.setattr(preimages, "_CHUNK", 50)
    for a, b in zip(whole, preimages.preimages(V[:, :2], F, points), strict=True):
        assert np.array_equal(a, b)


def test_a_double_cover_has_two_preimages_with_one_orientation():
    V, F = grid(80)
    angle = 4 * np.pi * V[:, 0]
    uv = np.column_stack([np.cos(angle), np.sin(angle)]) * (1 + V[:, 1:2])
    place = 1.5 * np.column_stack([np.cos([0.3, 2, 4]), np.sin([0.3, 2, 4])])
    point, _, _ = preimages.preimages(uv, F, place)
    assert np.bincount(point).tolist() == [2, 2, 2]


def test_the_overlap_of_a_folded_strip():
    V, F = grid(20)
    uv = np.column_stack([np.minimum(V[:, 0], 1.4 - V[:, 0]), V[:, 1]])  # 0.4 .. 1 lies double
    found = preimages.overlap(V, F, uv, rng=np.random.default_rng(2))
    assert abs(found.share - 0.6) < 5 * found.error
    assert 0.57 < found.distance <= 0.6 + 1e-12
    assert np.linalg.norm(found.pair[0] - found.pair[1]) == pytest.approx(found.distance)
    assert all(0.4 <= x <= 1 for x in found.pair[:, 0])


def test_no_overlap_of_a_homeomorphism():
    V, F = grid(10)
    found = preimages.overlap(V, F, V[:, :2] @ [[2, 1], [0, 1]], rng=np.random.default_rng(3))
    assert found.share == 0 == found.distance and found.pair is None


def test_bad_input_is_named():
    V, F = grid(2)
    with pytest.raises(ValueError, match="uv: expected one code a vertex"):
        preimages.overlap(V, F, V, rng=np.random.default_rng(0))
