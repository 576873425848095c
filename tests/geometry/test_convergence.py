"""Errors of a mesh against a smooth surface: rates, and the covering radius by a dense sample."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from omt_course.geometry import meshes
from omt_course.geometry.convergence import covering_radius, errors, true_distances
from omt_course.geometry.sampling import farthest_point
from omt_course.geometry.smooth import Sphere, Torus

from .test_curvature import samples


@pytest.mark.parametrize("surface", [Sphere(), Torus()])
def test_everything_converges_at_its_rate(surface):
    V = samples(surface, 1600)
    pairs = true_distances(surface, V, [0], 40)
    found = [errors(surface, V[:n], surface.triangulate(V[:n]).F, pairs) for n in (200, 1600)]
    ratio = np.log(found[0].covering / found[1].covering)

    def order(key):
        return np.log(getattr(found[0], key) / getattr(found[1], key)) / ratio

    assert all(one.aligned for one in found)
    for key in ("hausdorff", "area", "geodesic", "eigenvalues"):
        assert 1.7 < order(key) < 2.5, (key, order(key))
    assert 0.75 < order("normal") < 1.4
    assert order("gauss") > 0.8 and order("mean") > 0.8
    assert found[1].spectrum.shape == (10,)


def test_covering_radius_agrees_with_a_dense_sample():
    torus = Torus()
    V = samples(torus, 200)
    F = torus.triangulate(V).F
    dense = torus.sample(2**16, rng=np.random.default_rng(5))

    measured = cKDTree(V).query(dense)[0].max()
    exact = covering_radius(torus, V, F)
    assert measured <= exact + 1e-12 and exact - measured < 0.01


def test_a_net_of_candidates_covers_the_surface_up_to_their_resolution():
    torus = Torus()
    fine = torus.sample(4096, rng=np.random.default_rng(2))
    found = farthest_point(fine, eps=0.2)
    net = fine[found.order]
    true = covering_radius(torus, net, torus.triangulate(net).F)
    resolution = covering_radius(torus, fine, torus.triangulate(fine, strict=False).F)
    assert found.radii[-1] <= 0.2 < true < found.radii[-1] + resolution


def test_errors_of_a_scaled_sphere_have_closed_forms():
    V = 1.1 * samples(Sphere(), 1500)  # a sphere that is too large by a tenth
    F = Sphere().triangulate(V).F
    exact = np.full(2, np.pi / 2)
    far = np.array([1, 2])
    found = errors(Sphere(), V, F, [(0, far, exact)])
    assert found.hausdorff == pytest.approx(0.1, abs=1e-9)  # at the vertices
    assert found.area == pytest.approx(1.1**2 - 1, abs=0.01)
    assert np.allclose(found.spectrum, 1 / 1.21 - 1, atol=0.02)
    length = meshes.geodesic_distance(V, F, 0)[far]
    assert found.geodesic == pytest.approx(np.sqrt(np.mean((length / exact - 1) ** 2)))
    assert not errors(Sphere(), V, F[:, ::-1], [(0, far, exact)]).aligned


def test_true_distances_are_those_of_the_surface():
    V = samples(Sphere(), 40)
    ((source, targets, exact),) = true_distances(Sphere(), V, [3], 10)
    assert source == 3 and targets.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert np.allclose(exact, np.arccos(V[targets] @ V[3]))
