"""Folds and boundary of piecewise linear maps: against maps whose answer is known."""

from fractions import Fraction

import numpy as np
import pytest

from omt_course.geometry import injectivity, meshes


def grid(n):
    """A unit square of 2 n^2 triangles, as a surface in space."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
    V = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    F = np.concatenate(
        [np.column_stack([a, a + 1, a + n + 2]), np.column_stack([a, a + n + 2, a + n + 1])]
    )
    return V, F


def test_a_homeomorphism_is_recognised():
    V, F = grid(12)
    uv = np.column_stack([np.exp(V[:, 0]) * np.cos(V[:, 1]), np.exp(V[:, 0]) * np.sin(V[:, 1])])
    found = injectivity.planar_map(V, F, uv)
    assert found.injective and found.orientation == 1 and found.folded_area == 0


def test_a_reflection_turns_the_whole_surface_and_folds_nothing():
    V, F = grid(5)
    found = injectivity.planar_map(V, F, V[:, [1, 0]])
    assert found.injective and found.orientation == -1


def test_a_folded_strip_has_the_area_of_the_fold():
    V, F = grid(10)
    uv = np.column_stack([np.minimum(V[:, 0], 1.4 - V[:, 0]), V[:, 1]])
    found = injectivity.planar_map(V, F, uv)
    assert found.folded_area == pytest.approx(0.3)
    assert (V[F[found.folded]][:, :, 0].mean(axis=1) > 0.7).all()
    assert not found.injective


def test_no_fold_but_a_boundary_that_crosses_itself():
    n = 60
    V, F = grid(n)
    angle, radius = 2.5 * np.pi * V[:, 0], 1 + V[:, 1]  # more than once around a ring
    found = injectivity.planar_map(
        V, F, np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    )
    assert len(found.folded) == 0 == len(found.collapsed)
    assert len(found.crossings) > 0 and not found.injective
    less = injectivity.planar_map(
        V, F, np.column_stack([np.cos(0.7 * angle), np.sin(0.7 * angle)]) * radius[:, None]
    )
    assert less.injective


def test_collapsed_triangles_are_counted():
    V, F = grid(3)
    found = injectivity.planar_map(V, F, np.zeros((len(V), 2)))
    assert len(found.collapsed) == len(F) and found.folded_area == 1 and not found.injective


def test_a_closed_surface_is_never_injective_and_an_annulus_is_not_decided():
    V = np.vstack([np.zeros(3), np.eye(3)])
    F = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    found = injectivity.planar_map(V, F, V[:, :2] + 0.1 * V[:, 2:])
    assert not found.is_disk and found.injective is False
    V, F = grid(6)
    hole = (np.abs(V[F].mean(axis=1)[:, :2] - 0.5) > 0.17).any(axis=1)
    kept = np.unique(F[hole])
    ring = np.searchsorted(kept, F[hole])
    assert injectivity.planar_map(V[kept], ring, V[kept, :2]).injective is None


def test_orientations_are_exact_where_floats_are_not():
    rng = np.random.default_rng(0)
    base, step = rng.random((300, 2)), rng.random((300, 2))
    k = rng.integers(2, 9, 300)[:, None]
    uv = np.concatenate(
        [base, base + step, base + step * k + rng.integers(-2, 3, (300, 2)) * 2.0**-53]
    )
    F = np.arange(900).reshape(3, 300).T
    exact = []
    for triangle in F:
        (ax, ay), (bx, by), (cx, cy) = (map(Fraction, uv[v].tolist()) for v in triangle)
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        exact.append((area > 0) - (area < 0))
    assert np.array_equal(injectivity.orientations(uv, F), exact)
    assert len(set(exact)) >= 2


def test_codes_of_single_precision_need_no_rational_numbers():
    rng = np.random.default_rng(1)
    uv = rng.random((300, 2)).astype(np.float32)
    F = rng.permuted(np.tile(np.arange(300), (200, 1)), axis=1)[:, :3]
    assert np.array_equal(injectivity.orientations(uv, F), np.sign(meshes.signed_areas(uv, F)))


@pytest.mark.parametrize(
    ("square", "pairs"),
    [
        ([[0, 0], [1, 0], [1, 1], [0, 1]], []),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], [[0, 2]]),
        (
            [[0, 0], [2, 0], [1, 0], [1, 1]],
            [[0, 1], [0, 2]],
        ),  # turns back, and leaves from the side
        ([[0, 0], [2, 0], [1, 1], [1, 0]], [[0, 2], [0, 3]]),  # touches from inside, runs back
    ],
)
def test_crossings_of_a_quadrilateral(square, pairs):
    found = injectivity.boundary_crossings(np.array(square, dtype=float), [np.arange(4)])
    assert found.tolist() == pairs


def test_crossings_of_two_curves():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    loops = [np.arange(4), np.arange(4, 8)]
    apart = injectivity.boundary_crossings(np.concatenate([square, square + 2]), loops)
    across = injectivity.boundary_crossings(np.concatenate([square, square + 0.5]), loops)
    assert len(apart) == 0 and len(across) == 2


def test_bad_input_is_named():
    V, F = grid(2)
    with pytest.raises(ValueError, match=r"uv: expected one code a vertex, shape \(9, 2\)"):
        injectivity.planar_map(V, F, V)
    uv = V[:, :2].copy()
    uv[3] = np.nan
    with pytest.raises(ValueError, match="uv: expected finite codes; got 1"):
        injectivity.planar_map(V, F, uv)
    two = np.concatenate([V, V + 5]), np.concatenate([F, F + len(V)])
    with pytest.raises(ValueError, match="mesh: expected one component; got 2"):
        injectivity.planar_map(*two, two[0][:, :2])
    with pytest.raises(ValueError, match="mesh"):
        injectivity.planar_map(V, np.concatenate([F, F[:1]]), V[:, :2])
