"""Creases: distortion of surfaces where geodesics are known, and the implicit step of heat."""

import numpy as np
import pytest

from omt_course.geometry import creases, meshes


def folded_sheet(gap, n=24):
    """A strip bent into a U: two squares at a distance, joined by a straight bridge at x = 0."""
    s = np.concatenate([np.linspace(-1, 0, n + 1) - gap / 2, np.linspace(0, 1, n + 1) + gap / 2])
    t = np.linspace(0, 1, n + 1)
    S, T = np.meshgrid(s, t)
    x, z = np.maximum(np.abs(S) - gap / 2, 0).ravel(), np.clip(S, -gap / 2, gap / 2).ravel()
    V = np.column_stack([x, T.ravel(), z])
    rows, columns = S.shape
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    F = np.concatenate(
        [
            np.column_stack([a, a + 1, a + columns + 1]),
            np.column_stack([a, a + columns + 1, a + columns]),
        ]
    )
    return V, F


def test_two_sheets_have_the_distortion_of_a_slit():
    gap = 0.02
    V, F = folded_sheet(gap)
    found = creases.distortion(V, F, n_sources=60)
    i, j = found.pair
    along = meshes.geodesic_distance(V, F, int(i))[j]
    assert found.value == pytest.approx(along / np.linalg.norm(V[i] - V[j]))
    assert found.value <= (2 + gap) / gap + 1e-9  # from edge to edge, around the bend
    assert found.value > 5


def test_the_flat_square_has_distortion_one():
    x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
    V = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
    a = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    F = np.concatenate([np.column_stack([a, a + 1, a + 10]), np.column_stack([a, a + 10, a + 9])])
    assert creases.distortion(V, F).value == pytest.approx(1)


def test_opened_solves_its_equation_and_keeps_the_boundary():
    V, F = folded_sheet(0.1, n=8)
    radius = 0.2
    X = creases.opened(V, F, radius)
    rim = meshes.boundary_loops(F)[0]
    assert np.array_equal(X[rim], V[rim])
    L, M = meshes.cotangent_laplacian(V, F), meshes.vertex_areas(V, F)[:, None]
    left = M * X + radius**2 * (L @ X) - M * V
    assert np.abs(np.delete(left, rim, axis=0)).max() < 1e-12


def test_a_closed_surface_shrinks_about_its_centre_of_mass():
    V = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    F = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    X = creases.opened(V, F, 0.5)
    # an octahedron: V is an eigenvector of M^-1 L, so the step only scales
    L, M = meshes.cotangent_laplacian(V, F), meshes.vertex_areas(V, F)
    value = (L @ V)[0, 0] / M[0]
    assert np.allclose(X, V / (1 + 0.25 * value))


def test_a_larger_radius_opens_more():
    V, F = folded_sheet(0.04, n=16)
    values = [creases.distortion(creases.opened(V, F, r), F).value for r in (0.0, 0.1, 0.3)]
    assert values[0] > values[1] > values[2]


def test_two_plates_that_cross_are_found_and_parallel_ones_are_not():
    V, F = folded_sheet(0.5, n=6)
    assert all(len(found) == 0 for found in creases.self_crossings(V, F))
    bent = V.copy()
    upper = V[:, 2] > 0
    bent[upper, 2] -= 2 * 0.5 * V[upper, 0]  # the upper sheet dips through the lower one
    edge, triangle = creases.self_crossings(bent, F)
    # they meet where 0.25 - x = -0.25: x = 0.5, a line of the grid; move it off the vertices
    bent[upper, 2] += 0.03
    edge, triangle = creases.self_crossings(bent, F)
    assert len(edge) > 0
    assert np.allclose(bent[edge].mean(axis=1)[:, 0], 0.53, atol=0.15)
    assert np.allclose(bent[F[triangle]].mean(axis=1)[:, 0], 0.53, atol=0.15)


def test_bad_input_is_named():
    V, F = folded_sheet(0.1, n=2)
    with pytest.raises(ValueError, match="radius: expected a length >= 0; got -1"):
        creases.opened(V, F, -1)
    with pytest.raises(ValueError, match="n_sources: expected a positive number; got 0"):
        creases.distortion(V, F, n_sources=0)
    with pytest.raises(ValueError, match="mesh"):
        creases.opened(V, np.concatenate([F, F[:1]]), 0.1)
