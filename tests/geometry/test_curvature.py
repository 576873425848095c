"""Curvature measures and Laplace-Beltrami eigenvalues: Gauss-Bonnet, polyhedra, closed forms."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull, SphericalVoronoi

from omt_course.geometry import curvature, meshes
from omt_course.geometry.reconstruction import convex_position
from omt_course.geometry.sampling import farthest_point
from omt_course.geometry.smooth import Sphere, Torus, lantern

EVERYWHERE = lambda x: np.ones(len(x))  # noqa: E731
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)


def samples(surface, n, seed=0):
    x = surface.sample(32 * n, rng=np.random.default_rng(seed))
    return x[farthest_point(x, n).order]


def test_gauss_bonnet_on_closed_surfaces_and_with_boundary():
    for surface, euler in ((Sphere(), 2), (Torus(), 0)):
        V = samples(surface, 150)
        F = surface.triangulate(V).F
        assert curvature.angle_defects(V, F).sum() == pytest.approx(2 * np.pi * euler, abs=1e-9)
        rough = V + 0.02 * np.random.default_rng(0).normal(size=V.shape)  # whatever the shape
        assert curvature.angle_defects(rough, F).sum() == pytest.approx(2 * np.pi * euler, abs=1e-9)
    V, F = lantern(7, 4)
    assert curvature.angle_defects(V, F).sum() == pytest.approx(0, abs=1e-9)
    assert curvature.gauss_measure(V, F, EVERYWHERE) == pytest.approx(
        curvature.angle_defects(V, F)[7:-7].sum()
    )


def test_defects_on_the_sphere_are_areas_of_voronoi_cells():
    # the normals of the triangles are the corners of the cells: the Gauss image of a vertex
    V = samples(Sphere(), 300)
    defects = curvature.angle_defects(V, Sphere().triangulate(V).F)
    assert np.abs(defects - SphericalVoronoi(V).calculate_areas()).max() < 1e-10


def test_unions_of_triangles_have_too_little_curvature_caps_scatter():
    V, cap = samples(Sphere(), 1600), Sphere().cap(1.0)
    F = Sphere().triangulate(V).F
    inside = (cap(V) >= 0)[F].all(axis=1)
    inner = np.ones(len(V), dtype=bool)
    inner[F[~inside]] = False
    cells = SphericalVoronoi(V).calculate_areas()
    union = lambda x: np.where(inner, 1.0, -1.0)  # noqa: E731
    assert curvature.gauss_measure(V, F, union) == pytest.approx(cells[inner].sum())
    exact = Sphere().curvature(1.0)[0]
    assert curvature.gauss_measure(V, F, union) < 0.9 * exact
    assert curvature.gauss_measure(V, F, cap) == pytest.approx(exact, rel=0.03)


def test_measures_of_a_cube():
    F = convex_position(CUBE, strict=False).F
    assert np.allclose(curvature.angle_defects(CUBE, F), np.pi / 2)
    # twelve edges of length 2 and angle pi / 2: sum / 2 = 6 pi; the half z >= 0 has 4 + 4 halves
    assert curvature.mean_measure(CUBE, F, EVERYWHERE) == pytest.approx(6 * np.pi)
    assert curvature.mean_measure(CUBE, F, lambda x: x[:, 2]) == pytest.approx(3 * np.pi)
    assert curvature.mean_measure(CUBE, F, lambda x: x[:, 2] - 0.5) == pytest.approx(2.5 * np.pi)
    assert curvature.gauss_measure(CUBE, F, lambda x: x[:, 2]) == pytest.approx(2 * np.pi)
    assert curvature.mean_measure(CUBE, F[:, ::-1], EVERYWHERE) == pytest.approx(-6 * np.pi)


def test_steiner_volume_of_a_parallel_body():
    # Steiner: vol(P + t B) = V + t A + t^2 (int H) + 4/3 pi t^3, here by the mean width instead:
    # int H = 2 pi * mean width for every convex body
    rng = np.random.default_rng(1)
    V = rng.normal(size=(30, 3))
    V = V[ConvexHull(V).vertices]
    F = convex_position(V).F
    u = Sphere().sample(65536, rng=rng)
    width = (u @ V.T).max(axis=1) - (u @ V.T).min(axis=1)
    assert curvature.mean_measure(V, F, EVERYWHERE) == pytest.approx(
        2 * np.pi * width.mean(), rel=1e-3
    )


def test_mass_matrix_integrates_products_of_linear_functions():
    V = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    M = curvature.mass_matrix(V, np.array([[0, 1, 2]]))
    x, y = V[:, 0], V[:, 1]
    assert [x @ M @ x, x @ M @ y, x @ M @ np.ones(3)] == pytest.approx([1 / 12, 1 / 24, 1 / 6])
    V, F = lantern(6, 3)
    M = curvature.mass_matrix(V, F)
    assert np.allclose(M.sum(axis=1), meshes.vertex_areas(V, F))


def test_eigenvalues_of_a_rectangle_with_free_boundary():
    n = 30
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 2, 2 * n - 1), indexing="ij")
    V = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    i = (np.arange(n - 1)[:, None] * (2 * n - 1) + np.arange(2 * n - 2)).ravel()
    j = i + 2 * n - 1
    F = np.vstack([np.column_stack([i, j, j + 1]), np.column_stack([i, j + 1, i + 1])])
    exact = np.sort([p**2 + (q / 2) ** 2 for p in range(4) for q in range(7)])[:8] * np.pi**2
    found = curvature.laplace_eigenvalues(V, F, 8)
    assert np.allclose(found, exact, rtol=1e-2, atol=1e-9)
    assert (found >= exact - 1e-9).all()  # Rayleigh and Ritz: the mesh is flat
    lumped = curvature.laplace_eigenvalues(V, F, 8, lumped=True)
    assert np.allclose(lumped, exact, rtol=1e-2, atol=1e-9) and (lumped <= found + 1e-9).all()


def test_eigenvalues_scale_and_count_components():
    V = samples(Sphere(), 200)
    F = convex_position(V).F
    one = curvature.laplace_eigenvalues(V, F, 6)
    assert np.allclose(curvature.laplace_eigenvalues(3 * V, F, 6), one / 9, atol=1e-9)
    two = curvature.laplace_eigenvalues(np.vstack([V, V + 5]), np.vstack([F, F + 200]), 4)
    assert np.allclose(two, [0, 0, one[1], one[1]], atol=1e-8) or np.abs(two[:2]).max() < 1e-8
    with pytest.raises(ValueError, match="k: expected 1 to 199, fewer than vertices, got 200"):
        curvature.laplace_eigenvalues(V, F, 200)
