"""Uniform, farthest-point and epsilon-net samples: laws of chance, Gonzalez's bounds, bad input."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import chisquare

from omt_course.geometry import meshes, nets, sampling
from omt_course.geometry.smooth import Sphere, lantern


def test_uniform_points_lie_in_their_triangles_and_follow_area():
    V, F = lantern(5, 3)
    V = V * [1, 1, 4]
    found = sampling.uniform(V, F, 40_000, rng=np.random.default_rng(0))
    assert found.barycentric.min() >= 0
    assert np.allclose(found.barycentric.sum(axis=1), 1)
    again = np.einsum("nk,nkd->nd", found.barycentric, V[F[found.triangles]])
    assert np.allclose(again, found.points)
    count = np.bincount(found.triangles, minlength=len(F))
    area = meshes.triangle_areas(V, F)
    assert chisquare(count, len(found.points) * area / area.sum()).pvalue > 1e-3


def test_uniform_points_are_uniform_inside_a_triangle():
    V, F = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    x = sampling.uniform(V, F, 50_000, rng=np.random.default_rng(1)).points
    # E x = 1/3, E x^2 = 1/6, E x y = 1/12 for the uniform law; the naive weights fail the second
    moments = [x[:, 0].mean(), x[:, 1].mean(), (x[:, 0] ** 2).mean(), (x[:, 0] * x[:, 1]).mean()]
    assert np.allclose(moments, [1 / 3, 1 / 3, 1 / 6, 1 / 12], atol=5e-3)


def test_spread_leaves_no_point_of_the_mesh_farther_than_the_spacing():
    V, F = lantern(3, 2)
    rng = np.random.default_rng(2)
    x = sampling.uniform(V, F, 3000, rng=rng).points
    for spacing in (0.7, 0.2, 0.05):
        net = sampling.spread(V, F, spacing)
        assert cdist(x, net).min(axis=1).max() <= spacing
        assert len(np.unique(net.round(9), axis=0)) < 40 / spacing**2  # and is no denser than due


@pytest.mark.parametrize("geodesic", [False, True])
def test_farthest_points_have_the_radii_and_cells_they_say(geodesic):
    V, F = lantern(9, 6)
    D = cdist(V, V)
    options = {}
    if geodesic:
        D = np.array([meshes.geodesic_distance(V, F, k) for k in range(len(V))])
        options["distance"] = lambda i: meshes.geodesic_distance(V, F, i)
    found = sampling.farthest_point(V, 20, first=4, **options)
    assert found.order[0] == 4 and len(set(found.order.tolist())) == 20
    for k in range(1, 21):
        assert np.isclose(found.radii[k - 1], D[found.order[:k]].min(axis=0).max())
    assert (np.diff(found.radii) <= 1e-12).all()
    assert np.allclose(found.distance, D[found.order].min(axis=0))
    assert np.allclose(D[found.order[found.nearest], np.arange(len(V))], found.distance)
    apart = D[np.ix_(found.order, found.order)][np.triu_indices(20, 1)].min()
    assert apart >= found.radii[18] - 1e-9 >= found.radii[19] - 1e-9


def test_farthest_points_until_eps_are_an_epsilon_net():
    x = Sphere().sample(4000, rng=np.random.default_rng(3))
    for eps in (0.5, 0.2, 0.1):
        found = sampling.farthest_point(x, eps=eps)
        net = nets.epsilon_net(x[found.order], x, eps)
        assert net.is_net and net.covering == pytest.approx(found.radii[-1])
        assert net.separation == pytest.approx(pdist(x[found.order]).min())
        assert net.separation > eps >= net.covering


def test_farthest_points_are_within_twice_the_best_covering():
    rng = np.random.default_rng(4)
    for _ in range(20):
        x = rng.normal(size=(11, 3))
        D = cdist(x, x)
        for k in (2, 3, 4):
            best = min(D[list(c)].min(axis=0).max() for c in combinations(range(11), k))
            assert sampling.farthest_point(x, k).radii[-1] <= 2 * best + 1e-12


def test_farthest_points_stop_when_all_candidates_are_taken():
    x = np.repeat(np.eye(3), 2, axis=0)
    found = sampling.farthest_point(x, 6)
    assert len(found.order) == 3 and found.radii[-1] == 0


X = np.zeros((4, 3)) + np.arange(4)[:, None]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sampling.farthest_point(X), "n, eps: expected at least one"),
        (lambda: sampling.farthest_point(X, 5), "n: expected 1 to 4, .* got 5"),
        (lambda: sampling.farthest_point(X, 0), "n: expected 1 to 4, .* got 0"),
        (lambda: sampling.farthest_point(X, eps=0.0), "eps: expected a positive"),
        (lambda: sampling.farthest_point(X, 2, first=9), "first: expected an index below 4, got 9"),
        (lambda: sampling.farthest_point(X * np.nan, 2), "points: .* 4 rows that are not finite"),
        (lambda: sampling.spread(np.eye(3), np.array([[0, 1, 2]]), 0), "spacing: expected"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence), np.errstate(invalid="ignore"):
        call()


def test_a_mesh_without_area_cannot_be_sampled():
    with pytest.raises(ValueError, match="V, F: expected a mesh with area, got 0.0 in 1 triangles"):
        sampling.uniform(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, rng=np.random.default_rng())
    with pytest.raises(ValueError, match="n: expected zero or more points, got -1"):
        sampling.uniform(np.eye(3), np.array([[0, 1, 2]]), -1, rng=np.random.default_rng())
