"""Geodesics of the torus: conserved quantities, closed forms, the metric, a fine mesh."""

import numpy as np
import pytest

from omt_course.geometry import meshes, torus_geodesics
from omt_course.geometry.smooth import Torus


def test_clairaut_speed_and_jacobi_field_along_a_geodesic():
    R, r = 1.0, 0.4
    alpha = np.array([0.3, 1.1, 1.5])
    state = torus_geodesics.shoot(R, r, 0.2, alpha, np.full(3, 6.0), steps=50)
    th, _, dth, dph = np.moveaxis(state[:, :4], 1, 0)
    w = R + r * np.cos(th)
    assert np.abs(w**2 * dph - (w**2 * dph)[0]).max() < 1e-10  # Clairaut's constant
    assert np.abs(r**2 * dth**2 + w**2 * dph**2 - 1).max() < 1e-10
    h = 1e-5
    ends = [torus_geodesics.shoot(R, r, 0.2, alpha + s, np.full(3, 6.0))[0] for s in (h, -h)]
    apart = (ends[0][:2] - ends[1][:2]) / (2 * h)
    end = state[-1]
    across = -w[-1] * end[3] * r * apart[0] + r * end[2] * w[-1] * apart[1]
    assert np.allclose(across, end[4], atol=1e-6)


def test_meridians_and_equators_have_closed_forms():
    torus = Torus(1.0, 0.4)
    theta = np.array([0.4, 1.9, np.pi, 5.0])
    d = torus.geodesic_distance(torus.point(0.0, 0.0)[0], torus.point(theta, 0 * theta))
    assert np.allclose(d, 0.4 * np.minimum(theta, 2 * np.pi - theta), atol=1e-9)
    phi = np.array([0.5, 2.0, 3.0])  # the inner equator is shortest: every path is longer there
    d = torus.geodesic_distance(torus.point(np.pi, 0.0)[0], torus.point(np.full(3, np.pi), phi))
    assert np.allclose(d, 0.6 * phi, atol=1e-9)


def test_distances_are_a_metric_and_do_not_depend_on_the_fan():
    torus = Torus(1.0, 0.4)
    x = torus.sample(4, rng=np.random.default_rng(2))
    D = np.array([torus.geodesic_distance(y, x) for y in x])
    assert np.abs(np.diag(D)).max() == 0 and np.abs(D - D.T).max() < 1e-8
    assert (D[:, None, :] <= D[:, :, None] + D[None] + 1e-8).all()
    assert (D >= np.linalg.norm(x[:, None] - x, axis=2) - 1e-12).all()
    theta, phi = torus.angles(x)
    fine = torus_geodesics.distances(1.0, 0.4, theta[0], theta, phi - phi[0], rays=700, places=400)
    assert np.abs(fine - D[0]).max() < 1e-8


def test_distances_lie_just_below_those_of_a_fine_mesh():
    torus = Torus(1.0, 0.4)
    n, m = 100, 40
    i, j = np.divmod(np.arange(n * m), n)
    V = torus.point(2 * np.pi * i / m, 2 * np.pi * j / n)
    up, right = ((i + 1) % m) * n + j, i * n + (j + 1) % n
    both = ((i + 1) % m) * n + (j + 1) % n
    own = np.arange(n * m)
    F = np.vstack([np.column_stack([own, right, both]), np.column_stack([own, both, up])])
    source = 5 * n
    targets = np.arange(7, n * m, 41)
    exact = torus.geodesic_distance(V[source], V[targets])
    mesh = meshes.geodesic_distance(V, F, source)[targets]
    assert np.abs(mesh - exact).max() < 3e-3  # second order in the mesh size


def test_a_fan_too_coarse_to_reach_a_point_is_refused(monkeypatch):
    monkeypatch.setattr(torus_geodesics, "_fan", _one_ray)
    with pytest.raises(RuntimeError, match="rays: expected a fan that leads to every point, got 1"):
        torus_geodesics.distances(1.0, 0.4, 0.0, np.array([1.0]), np.array([2.0]))


def _one_ray(R, r, theta, farthest, rays, places, width):
    state = torus_geodesics.shoot(R, r, theta, np.zeros(1), np.full(1, farthest), steps=places)
    x = [torus_geodesics._embed(R, r, *one[:2]) for one in state]
    return np.zeros(1), np.array(x)
