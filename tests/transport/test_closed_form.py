"""Closed forms against quadrature, discrete transport, finite differences and the exact solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import expon, norm, uniform

from omt_course.course import checks
from omt_course.transport import discrete, semidiscrete
from omt_course.transport.closed_form import Affine, Product, Torn, gaussian
from omt_course.transport.costs import cost_matrix
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.line import monotone_map, w2_squared_quantiles, w2_squared_samples
from omt_course.transport.radial import Radial, annulus

CHECKED = settings(max_examples=25, deadline=None, derandomize=True, database=None)
SQUARE = Box([-1, -1], [1, 1])
PRODUCT = Product(
    [lambda t: t + t**3 / 4, lambda t: np.exp(t) / 2],
    [lambda t: t**2 / 2 + t**4 / 16, lambda t: np.exp(t) / 2],
    [lambda t: 1 + 3 * t**2 / 4, lambda t: np.exp(t) / 2],
    SQUARE,
)
CUBIC = Radial(
    lambda r: r * (1 + r**2) / 2, lambda r: r**2 / 4 + r**4 / 8, lambda r: (1 + 3 * r**2) / 2
)
MAPS = {
    "affine": Affine([[1.5, 0.5], [0.5, 0.8]], [0.2, -0.1]),
    "radial": CUBIC,
    "squared radius": Radial(np.square, lambda r: r**3 / 3, lambda r: 2 * r),
    "annulus": annulus(0.6, 1.2),
    "disk": annulus(0.0, 0.5),
    "product": PRODUCT,
    "torn": Torn([3, 4], 0.1, 0.5),
}
each = pytest.mark.parametrize("name", MAPS)


def inner_points(n=60, seed=0):
    """Points of the unit disk, away from its rim."""
    rng = np.random.default_rng(seed)
    angle, r = 2 * np.pi * rng.random(n), 0.95 * np.sqrt(rng.random(n))
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)])


@each
def test_the_gradient_of_the_potential_is_the_map(name):
    T = MAPS[name]
    for x in inner_points(20):
        checks.gradient(lambda p: T.potential(p[None])[0], lambda p: T.transport(p[None])[0], x)


@each
def test_the_potential_is_convex(name):
    checks.convex(MAPS[name].potential, inner_points(400))


@each
def test_the_determinant_is_that_of_the_derivative_of_the_map(name):
    T, x, step = MAPS[name], inner_points(), 1e-5
    columns = [
        (T.transport(x + step * e) - T.transport(x - step * e)) / (2 * step) for e in np.eye(2)
    ]
    derivative = np.stack(columns, axis=-1)  # (m, 2, 2)
    assert np.abs(derivative - derivative.swapaxes(1, 2)).max() < 1e-6
    assert T.jacobian(x) == pytest.approx(np.linalg.det(derivative), rel=1e-6)


@each
def test_samples_and_their_images_are_matched_optimally(name):
    """An independent solver, on cyclical monotonicity: the identity is the best assignment."""
    x = inner_points(200, seed=1)
    y = MAPS[name].transport(x)
    cost = cdist(x, y, "sqeuclidean")
    rows, columns = linear_sum_assignment(cost)
    assert np.trace(cost) == pytest.approx(cost[rows, columns].sum(), rel=1e-12)


@pytest.mark.parametrize("name", ["affine", "product", "torn"])
def test_w2_against_a_fine_midpoint_rule_on_the_square(name):
    T, k = MAPS[name], 1000
    side = (np.arange(k) + 0.5) / k * 2 - 1
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    expected = ((x - T.transport(x)) ** 2).sum(axis=1).mean() * 4
    found = T.w2_squared() if name == "product" else T.w2_squared(SQUARE)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["radial", "squared radius", "annulus", "disk"])
def test_w2_of_radial_maps_against_the_mean_over_random_points(name):
    T, rng = MAPS[name], np.random.default_rng(2)
    r = np.sqrt((np.arange(200_000) + 0.5) / 200_000)  # radii of equal areas
    angle = 2 * np.pi * rng.random(len(r))
    x = np.column_stack([r * np.cos(angle), r * np.sin(angle)])
    moved = ((x - T.transport(x)) ** 2).sum(axis=1).mean()
    assert T.w2_squared() == pytest.approx(np.pi * moved, rel=1e-6)


def test_radial_maps_in_space():
    T = Radial(lambda r: 2 * r, lambda r: r**2, lambda r: np.full_like(r, 2.0), 1.5, 3)
    assert T.w2_squared() == pytest.approx(4 * np.pi * 1.5**5 / 5)  # int |x|^2 over the ball
    assert T.jacobian(np.array([[0.0, 0, 0], [1, 0, 1]])) == pytest.approx(8)


def test_affine_on_a_triangle():
    triangle = Polygon([[0, 0], [3, 0], [1, 2]])
    T = MAPS["affine"]
    x = triangle.sample(400_000, np.random.default_rng(3))
    moved = ((x - T.transport(x)) ** 2).sum(axis=1)
    error = 5 * moved.std() / np.sqrt(len(x))
    assert abs(T.w2_squared(triangle) / triangle.volume - moved.mean()) < error < 0.01


def test_the_annulus_is_filled_evenly():
    """The image of the uniform disk has constant density: shares of rings are shares of areas."""
    T = MAPS["annulus"]
    r = np.sqrt((np.arange(100_000) + 0.5) / 100_000)
    image = np.linalg.norm(T.transport(np.column_stack([r, 0 * r])), axis=1)
    for cut in (0.7, 0.9, 1.1):
        assert (image < cut).mean() == pytest.approx((cut**2 - 0.36) / (1.44 - 0.36), abs=2e-5)


def test_density_of_the_target_is_the_monge_ampere_equation():
    """Histogram of images of a fine grid against `g = f / det D2u`, integrated over the bin."""
    k = 2000
    side = (np.arange(k) + 0.5) / k * 2 - 1
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    y = PRODUCT.transport(x)
    bins = [np.linspace(-1, 1, 9), np.linspace(0.25, 1.25, 9)]
    share = np.histogram2d(*y.T, bins=bins)[0] * 4 / k**2
    inverse = [
        np.interp(bins[0], PRODUCT.maps[0](side), side),
        np.log(2 * bins[1]),
    ]
    assert share == pytest.approx(np.outer(*map(np.diff, inverse)), rel=0.01)
    middle = np.array([[0.3, 0.2]])
    h = 1e-4
    small = np.prod([(m(z + h) - m(z - h)) for m, z in zip(PRODUCT.maps, middle[0], strict=True)])
    assert 4 * h**2 / small == pytest.approx(1 / PRODUCT.jacobian(middle)[0], rel=1e-6)


def test_the_exact_solver_comes_close():
    """Cell for cell: points are images of centres of squares, W2^2 differs by O(1/n)."""
    side = (np.arange(32) + 0.5) / 16 - 1
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    for name in ("affine", "product"):
        T = MAPS[name]
        exact = T.w2_squared() if name == "product" else T.w2_squared(SQUARE)
        found = semidiscrete.solve(SQUARE, T.transport(x)).w2_squared
        assert found == pytest.approx(exact, abs=0.01) and found != exact


# Normal laws


@CHECKED
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_gaussian_pushes_the_covariance_and_agrees_with_another_formula(seed, d):
    rng = np.random.default_rng(seed)
    m, n = rng.normal(size=(2, d))
    S, R = (A @ A.T + 0.1 * np.eye(d) for A in rng.normal(size=(2, d, d)))
    T, w2_squared = gaussian(m, S, n, R)
    assert T.matrix @ S @ T.matrix == pytest.approx(R, abs=1e-9)
    assert T.transport(m[None])[0] == pytest.approx(n, abs=1e-9)
    away = np.eye(d) - T.matrix
    assert w2_squared == pytest.approx((m - n) @ (m - n) + np.trace(away @ S @ away))
    other = np.trace(S + R - 2 * np.real(sqrtm(S @ R)))  # S R has real positive eigenvalues
    assert w2_squared == pytest.approx((m - n) @ (m - n) + other, abs=1e-6)


def test_gaussian_on_the_line_agrees_with_quantiles():
    _, w2_squared = gaussian([1.0], [[4.0]], [-2.0], [[0.25]])
    assert w2_squared == pytest.approx(3**2 + 1.5**2)
    found = w2_squared_quantiles(norm(1, 2).ppf, norm(-2, 0.5).ppf)
    assert found == pytest.approx(w2_squared, rel=1e-8)


# The line


@CHECKED
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30))
def test_samples_on_the_line_agree_with_the_network_simplex(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=m)
    a, b = rng.random(n) + 0.01, rng.random(m) + 0.01
    a, b = 3 * a / a.sum(), 3 * b / b.sum()
    plan = discrete.plan(a, b, cost_matrix(x[:, None], y[:, None]))
    assert w2_squared_samples(x, y, a, b) == pytest.approx(2 * plan.primal, abs=1e-9)


def test_many_samples_approach_the_quantile_integral():
    t = (np.arange(20_000) + 0.5) / 20_000
    samples = w2_squared_samples(uniform.ppf(t), expon.ppf(t))
    assert w2_squared_quantiles(uniform.ppf, expon.ppf) == pytest.approx(samples, rel=2e-3)
    # int (t + log(1 - t))^2 = 1/3 + 2 - 2 * 3/4
    assert w2_squared_quantiles(uniform.ppf, expon.ppf) == pytest.approx(5 / 6, rel=1e-9)


def test_monotone_map_pushes_one_law_to_the_other():
    T = monotone_map(norm.cdf, expon.ppf)
    x = norm.ppf((np.arange(1000) + 0.5) / 1000)
    assert (np.diff(T(x)) > 0).all()
    assert expon.cdf(T(x)) == pytest.approx(norm.cdf(x))


# Bad input


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda: Affine([[1, 1], [0, 1]], [0, 0]), "matrix: expected a symmetric matrix"),
        (lambda: Affine([[1, 2], [2, 1]], [0, 0]), "matrix: expected positive eigenvalues"),
        (lambda: Affine([[1, 0]], [0, 0]), "matrix: expected shape"),
        (lambda: Affine([[1, np.nan], [0, 1]], [0, 0]), "matrix: expected finite"),
        (lambda: MAPS["affine"].transport(np.zeros(2)), "x: expected shape"),
        (lambda: MAPS["affine"].w2_squared(Box([0], [1])), "domain: expected dimension 2"),
        (lambda: gaussian([0], [[1.0]], [0], [[-1.0]]), "cov_1: expected positive"),
        (lambda: gaussian([0], [[1.0]], [0, 0], np.eye(2)), "mean_1: expected 1 coord"),
        (lambda: Radial(lambda r: 1 - r, np.copy, np.copy), "profile: expected a function that"),
        (lambda: Radial(lambda r: r - 1, np.copy, np.copy), "profile: expected phi"),
        (lambda: Radial(np.copy, np.copy, np.copy, -1.0), "radius: expected"),
        (lambda: Radial(np.copy, np.copy, np.copy, 1.0, 0), "dimension: expected"),
        (lambda: CUBIC.transport(np.array([[2.0, 0]])), "x: expected rows of norm"),
        (lambda: annulus(2, 1), "inner, outer: expected"),
        (lambda: annulus(0, 1, 0), "radius: expected"),
        (lambda: Product([np.negative], [np.copy], [np.copy], Box([0], [1])), r"maps\[0\]: exp"),
        (lambda: Product([], [], [], SQUARE), "maps: expected 2 functions"),
        (lambda: Torn([0, 0], 0, 1), "direction: expected"),
        (lambda: Torn([1, 0], 0, -1), "gap: expected"),
        (lambda: w2_squared_samples([0], [1], [1], [2]), "b: expected masses that sum to 1, got 2"),
        (lambda: w2_squared_samples([0, 1], [1], [1]), "a: expected 2 masses"),
        (lambda: w2_squared_samples([0, 1], [1], [1, -1]), "a: expected 2 masses, not negative"),
        (lambda: w2_squared_samples([np.inf], [1]), "x: expected finite"),
        (lambda: w2_squared_quantiles(np.copy, np.copy, tol=0), "tol: expected"),
        (lambda: w2_squared_quantiles(np.copy, lambda t: 1 / (1 - t)), "expected laws with finite"),
    ],
)
def test_bad_input_is_refused_with_a_reason(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_a_disk_is_close_to_its_polygon():
    polygon = disk(1.0, 4096)
    T = Affine(np.diag([2.0, 1.0]), [0, 0])
    assert T.w2_squared(polygon) == pytest.approx(np.pi / 4, rel=1e-5)  # int x_1^2 over the disk
