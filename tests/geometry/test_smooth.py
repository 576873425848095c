"""Truths about smooth surfaces, each found once more by another route."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad, solve_ivp

from omt_course.geometry import meshes
from omt_course.geometry.sampling import spread
from omt_course.geometry.smooth import (
    Sphere,
    Torus,
    lantern,
    lantern_area,
    lantern_distance,
)

SURFACES = [Sphere(1.7), Torus(1.3, 0.5)]


@pytest.mark.parametrize("surface", SURFACES)
def test_samples_lie_on_the_surface_and_follow_area(surface):
    x = surface.sample(8192, rng=np.random.default_rng(0))
    assert np.abs(surface.level(x)).max() < 1e-12
    assert np.allclose(surface.project(1.1 * x), surface.project(surface.project(1.1 * x)))
    # int z^2 dA / area: R^2 / 3 on the sphere, r^2 / 2 on the torus
    expected = 1.7**2 / 3 if isinstance(surface, Sphere) else 0.5**2 / 2
    assert np.mean(x[:, 2] ** 2) == pytest.approx(expected, rel=2e-3)
    if isinstance(surface, Torus):
        rho = np.hypot(x[:, 0], x[:, 1])  # int rho dA / area = R + r^2 / (2 R)
        assert rho.mean() == pytest.approx(1.3 + 0.25 / 2.6, rel=1e-3)


@pytest.mark.parametrize("surface", SURFACES)
def test_level_is_the_signed_distance_and_normal_its_gradient(surface):
    rng = np.random.default_rng(1)
    x = surface.sample(64, rng=rng) + 0.1 * rng.normal(size=(64, 3))
    assert np.allclose(np.linalg.norm(x - surface.project(x), axis=1), np.abs(surface.level(x)))
    h = 1e-6
    steps = [(surface.level(x + h * e) - surface.level(x - h * e)) / (2 * h) for e in np.eye(3)]
    assert np.allclose(np.transpose(steps), surface.normal(x), atol=1e-8)


def test_curvature_of_caps_by_quadrature():
    torus, angle = SURFACES[1], 0.9
    w = lambda t: torus.R + torus.r * np.cos(t)  # noqa: E731
    gauss = dblquad(lambda t, _: np.cos(t), 0, 2 * np.pi, -angle, angle)[0]
    mean = quad(lambda t: np.pi * torus.r * w(t) * (1 / torus.r + np.cos(t) / w(t)), -angle, angle)
    assert torus.curvature(angle) == pytest.approx((gauss, mean[0]))
    assert torus.area == pytest.approx(quad(lambda t: 2 * np.pi * torus.r * w(t), 0, 2 * np.pi)[0])
    theta = np.linspace(-3, 3, 50)
    inside = torus.cap(angle)(torus.point(theta, theta)) > 0
    assert np.array_equal(inside, np.abs(theta) < angle)
    sphere = SURFACES[0]
    assert sphere.curvature(np.pi) == pytest.approx((4 * np.pi, 4 * np.pi * 1.7))


def test_torus_eigenvalues_by_shooting():
    torus = Torus(1.0, 0.4)
    values = torus.eigenvalues(40)
    assert np.allclose(values, torus.eigenvalues(40, n_fourier=90), atol=1e-9)
    assert np.all(np.diff(values) >= 0) and abs(values[0]) < 1e-9

    def slope(lam, m, even):
        """w f' at theta = pi for the even, f there for the odd solution: zero at an eigenvalue."""

        def field(t, y):
            w = 1 + 0.4 * np.cos(t)
            return [y[1] / w, 0.16 * (m**2 / w - lam * w) * y[0]]

        start = [1.0, 0.0] if even else [0.0, 1.0]
        end = solve_ivp(field, (0, np.pi), start, rtol=1e-11, atol=1e-12).y[:, -1]
        return end[1] if even else end[0]

    # the smallest nonzero ones: m = 1 and m = 2 even; the first odd one of m = 0
    for lam, m, even in ((values[1], 1, True), (values[3], 2, True), (values[5], 0, False)):
        assert abs(slope(lam, m, even)) < 1e-6 < abs(slope(lam + 0.01, m, even))


def test_thin_torus_approaches_the_flat_cylinder():
    R, r = 1.0, 0.02  # f(theta) g(phi): k^2 / r^2 + m^2 / R^2
    assert np.allclose(Torus(R, r).eigenvalues(7), [0, 1, 1, 4, 4, 9, 9], atol=2e-2)


def test_sphere_eigenvalues_have_their_multiplicity():
    assert Sphere(2.0).eigenvalues(10).tolist() == [0, 0.5, 0.5, 0.5] + [1.5] * 5 + [3.0]


def test_bad_surfaces_are_refused():
    with pytest.raises(ValueError, match="r: expected 0 < r < R = 1.0, got 1.2"):
        Torus(1.0, 1.2)
    with pytest.raises(ValueError, match="k: expected 1 to n_fourier = 48, got 49"):
        Torus().eigenvalues(49)
    with pytest.raises(ValueError, match="n: expected a positive number of points, got 0"):
        Sphere().sample(0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="n, m: expected n >= 3 and m >= 1, got n = 2 and m = 1"):
        lantern(2, 1)


def test_sphere_distances():
    x = np.eye(3) * 2
    assert np.allclose(Sphere(2.0).geodesic_distance(x[0], x), [0, np.pi, np.pi])
    assert Sphere(2.0).geodesic_distance(x[0], -x[:1])[0] == pytest.approx(2 * np.pi)


# --- Schwarz's lantern ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(3, 1), (6, 5), (8, 64), (20, 400)])
def test_the_lantern_has_its_area_normals_and_distance(n, m):
    V, F = lantern(n, m)
    assert len(F) == 2 * n * m and meshes.inspect(V, F).boundaries == 2
    assert meshes.triangle_areas(V, F).sum() == pytest.approx(lantern_area(n, m), rel=1e-12)
    assert np.allclose(np.hypot(V[:, 0], V[:, 1]), 1)
    normals = meshes.triangle_normals(V, F)
    assert (np.einsum("md,md->m", normals[:, :2], V[F].mean(axis=1)[:, :2]) > 0).all()
    assert np.allclose(np.abs(normals[:, 2] / np.hypot(*normals[:, :2].T)), m * lantern_distance(n))
    middle = (V[F] + np.roll(V[F], 1, axis=1)).reshape(-1, 3) / 2
    tested = np.vstack([middle, spread(V, F, 0.05)])
    inside = 1 - np.hypot(tested[:, 0], tested[:, 1])
    assert inside.max() == pytest.approx(lantern_distance(n), rel=1e-12)
    assert inside.min() > -1e-12  # whatever m is
