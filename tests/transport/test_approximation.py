"""Quantised targets and errors of semi-discrete maps, against closed forms and brute force."""

import json
from pathlib import Path

import numpy as np
import pytest
from generators import area, clip, laguerre_cells
from scipy.spatial.distance import cdist

from omt_course.transport import semidiscrete
from omt_course.transport.approximation import (
    cell_errors,
    map_error,
    net,
    potential_error,
    quantise,
)
from omt_course.transport.closed_form import Affine, Product, Torn
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.pairs import pairs
from omt_course.transport.quadrature import cell_quadrature
from omt_course.transport.radial import Radial, annulus

ROOT = Path(__file__).resolve().parents[2]
SQUARE = Box([-1, -1], [1, 1])
IDENTITY = Affine(np.eye(2), [0, 0])


def lattice(k):
    side = (2 * np.arange(k) + 1) / k - 1
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


# The rule


def test_the_rule_is_exact_up_to_its_degree_on_any_cells():
    """Monomials up to degree 9 over power cells add up to those over the square."""
    points = np.random.default_rng(0).random((40, 2))
    cells = laguerre_cells(SQUARE, points, -(points**2).sum(axis=1) / 2)
    _, x, weight = cell_quadrature(cells, order=5)
    for p in range(10):
        for q in range(10 - p):
            exact = (1 + (-1) ** p) / (p + 1) * (1 + (-1) ** q) / (q + 1)
            assert weight @ (x[:, 0] ** p * x[:, 1] ** q) == pytest.approx(exact, abs=1e-13)


def test_areas_of_cells_and_empty_cells():
    owner, _, weight = cell_quadrature([np.zeros((0, 2)), SQUARE.vertices, np.zeros((2, 2))])
    assert np.bincount(owner, weight, 3) == pytest.approx([0, 4, 0])


def test_a_jump_is_integrated_exactly_where_the_map_is_torn():
    """Any triangle meets any line: side areas against a polygon clipped by other code."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        triangle = Polygon(rng.normal(size=(3, 2))).vertices
        torn = Torn(rng.normal(size=2), rng.normal() / 2, 1.0)
        _, x, weight = cell_quadrature([triangle], torn)
        right = x @ torn.direction > torn.offset
        kept = clip(triangle, -torn.direction, -torn.offset)
        expected = area(kept) if len(kept) >= 3 else 0.0
        assert weight @ right == pytest.approx(expected, abs=1e-13)
        assert weight.sum() == pytest.approx(area(triangle))


def test_a_cell_that_holds_the_tip_of_a_cone_is_integrated_along_its_rays():
    """`int |x|` over the unit square about the origin is (sqrt 2 + log(1 + sqrt 2)) / 6."""
    cell = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    exact = (np.sqrt(2) + np.log(1 + np.sqrt(2))) / 6
    parts = [clip(cell, [1, 0], 0.2), clip(cell, [-1, 0], -0.2)]  # the tip in one part, off centre
    for cells in ([cell], parts):
        _, x, weight = cell_quadrature(cells, order=20)
        assert weight @ np.linalg.norm(x, axis=1) == pytest.approx(exact, abs=1e-8)


# Quantisation


def test_masses_are_exact_and_the_bound_holds():
    rng = np.random.default_rng(2)
    T = Affine([[1.5, 0.5], [0.5, 0.8]], [0.2, -0.1])
    q = quantise(T, SQUARE, net(SQUARE, 64, rng))
    cells = laguerre_cells(SQUARE, q.sites, -(q.sites**2).sum(axis=1) / 2)
    assert q.masses == pytest.approx([area(cell) for cell in cells])
    reach = max(cdist(T.transport(c), [y]).max() for c, y in zip(cells, q.points, strict=True))
    assert q.radius == pytest.approx(reach, abs=1e-7)
    x = lattice(600)
    nearest = cdist(x, q.sites).argmin(axis=1)
    moved = ((T.transport(x) - q.points[nearest]) ** 2).sum(axis=1).mean() * 4
    assert q.w2**2 == pytest.approx(moved, rel=1e-3)
    assert q.w2 <= q.radius * 2


def test_cells_of_a_torn_map_end_at_the_tear():
    sites = np.random.default_rng(3).uniform(-1, 1, (50, 2))
    torn = Torn([1, 1], 0.0, 0.7)
    q = quantise(torn, SQUARE, sites)
    left = sites.sum(axis=1) < 0
    assert q.masses[left].sum() == pytest.approx(2.0) and q.masses.sum() == pytest.approx(4.0)
    whole = quantise(IDENTITY, SQUARE, sites)
    assert abs(whole.masses[left].sum() - 2) > 1e-3  # cells that know no tear do not balance
    assert q.radius < 1.0


def test_nets_are_balanced_and_fill_the_domain():
    rng = np.random.default_rng(4)
    x = net(SQUARE, 256, rng)
    for k in (0, 1):
        assert np.array_equal(np.histogram(x[:, k], 16, (-1, 1))[0], np.full(16, 16))
    polygon = disk(1.0, 64)
    x = net(polygon, 1024, rng)
    assert polygon.contains(x).all()
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    assert (radius < np.sqrt(0.5)).mean() == pytest.approx(0.5, abs=0.01)
    assert np.array_equal(np.histogram(angle % (2 * np.pi), 8, (0, 2 * np.pi))[0], np.full(8, 128))


# Errors


def test_errors_of_a_lattice_are_those_of_small_squares():
    """T = id on k x k squares of side s: int |y - x|^2 = 4 s^2 / 6, potentials likewise by hand."""
    for k in (4, 10):
        result = semidiscrete.solve(SQUARE, lattice(k))
        s = 2 / k
        assert map_error(IDENTITY, result) == pytest.approx(np.sqrt(4 * s**2 / 6), rel=1e-8)
        # On a square u - u_N = |x - y|^2 / 2 + const, whose variance is 2 (s/2)^4 (1/5 - 1/9) / 4.
        variance = 2 * (s / 2) ** 4 * (1 / 5 - 1 / 9) / 4
        assert potential_error(IDENTITY, result) == pytest.approx(np.sqrt(4 * variance), rel=1e-8)


@pytest.mark.parametrize(
    "exact, domain",
    [
        (Torn([1, 0.3], 0.0, 0.5), SQUARE),
        (annulus(0.6, 1.2), disk(1.0, 64)),
        (Radial(np.square, lambda r: r**3 / 3, lambda r: 2 * r), disk(1.0, 64)),
    ],
)
def test_errors_against_a_mean_over_many_points(exact, domain):
    rng = np.random.default_rng(5)
    q = quantise(exact, domain, net(domain, 64, rng))
    result = semidiscrete.solve(domain, q.points, q.masses)
    x = domain.sample(1_000_000, rng)
    squared = ((result.transport(x) - exact.transport(x)) ** 2).sum(axis=1) * domain.volume
    error = 5 * squared.std() / 1000
    assert abs(map_error(exact, result) ** 2 - squared.mean()) < error < 0.05 * squared.mean()
    gap = result.potential(x) - exact.potential(x)
    found = potential_error(exact, result)
    assert found == pytest.approx(gap.std() * np.sqrt(domain.volume), rel=0.01)
    assert cell_errors(exact, result).sum() == pytest.approx(map_error(exact, result) ** 2)


def test_a_finer_rule_gives_the_same_error():
    """The quadrature error is far below the error it measures, at a singular point too."""
    exacts = {
        "product": (
            Product([np.exp] * 2, [np.exp] * 2, [np.exp] * 2, SQUARE),
            SQUARE,
        ),
        "annulus": (annulus(0.6, 1.2), disk(1.0, 64)),
    }
    for name, (exact, domain) in exacts.items():
        q = quantise(exact, domain, net(domain, 64, np.random.default_rng(6)))
        result = semidiscrete.solve(domain, q.points, q.masses)
        owner, x, weight = cell_quadrature(result.cell_polygons(), exact, order=12)
        finer = weight @ ((exact.transport(x) - result.points[owner]) ** 2).sum(axis=1)
        assert map_error(exact, result) ** 2 == pytest.approx(finer, rel=1e-4), name


def test_the_map_error_lies_between_its_bounds():
    """`W2(nu, nu_N) <= |T_N - T| <= sqrt(L / lambda) W2(nu, nu_N)` with eigenvalues 1/2 and 2."""
    T = Affine([[1.25, 0.75], [0.75, 1.25]], [0, 0])
    for seed in range(5):
        q = quantise(T, SQUARE, net(SQUARE, 32, np.random.default_rng(seed)))
        assert map_error(T, semidiscrete.solve(SQUARE, q.points, q.masses)) <= 2 * q.w2


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: quantise(IDENTITY, SQUARE, [[0, 0], [2, 0], [0, 0.5]]), "sites: expected points"),
        (
            lambda: quantise(Torn([1, 0], 0, 1), SQUARE, [[0, 0], [0.5, 0], [0, 0.5]]),
            "sites: expected none on the tear",
        ),
        (
            lambda: quantise(Torn([1, 0], 0.9, 1), SQUARE, [[0, 0], [0.5, 0], [0, 0.5]]),
            "sites: expected three or more on either side",
        ),
        (lambda: net(SQUARE, 100, np.random.default_rng(0)), "n: expected a power of two"),
        (
            lambda: net(Polygon([[1, 1], [2, 1], [1, 2]]), 64, np.random.default_rng(0)),
            "domain: expected a polygon that holds the origin",
        ),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# The pairs


@pytest.mark.parametrize("name", pairs())
def test_the_eigenvalues_of_a_pair_lie_between_its_bounds(name):
    pair = pairs()[name]
    x = 0.98 * net(pair.domain, 256, np.random.default_rng(7))
    step = 1e-5
    columns = [pair.exact.transport(x + s * step * e) for e in np.eye(2) for s in (1, -1)]
    derivative = np.stack([columns[0] - columns[1], columns[2] - columns[3]], axis=-1) / (2 * step)
    values = np.linalg.eigvalsh(derivative[np.abs(x[:, 0]) > 2 * step])
    assert values.min() >= pair.convexity - 1e-6 and values.max() <= pair.lipschitz + 1e-6
    if pair.lipschitz < np.inf:
        assert values.max() > 0.9 * pair.lipschitz and values.min() < pair.convexity + 0.1


def test_the_exact_distances_of_the_pairs():
    every = pairs()
    assert every["affine"].w2_squared == pytest.approx(every["affine"].exact.w2_squared(SQUARE))
    assert every["product"].w2_squared == pytest.approx(every["product"].exact.w2_squared())
    for name in ("radial", "power", "annulus"):  # a polygon of 256 sides is not the disk
        assert every[name].w2_squared == pytest.approx(every[name].exact.w2_squared(), rel=1e-3)


# The record


@pytest.mark.parametrize("name", ["affine", "annulus", "torn"])
def test_the_record_of_exponents_can_be_made_again(name):
    """First seeds and sizes of `monge-ampere-rates.json`, and an exponent from its errors."""
    record = json.loads((ROOT / "data/records/monge-ampere-rates.json").read_text())["values"]
    pair, errors = pairs()[name], record["errors"][name]
    for seed, column in ((0, 0), (1, 2), (2, 4)):
        n = record["n"][column]
        q = quantise(pair.exact, pair.domain, net(pair.domain, n, np.random.default_rng([seed, n])))
        result = semidiscrete.solve(pair.domain, q.points, q.masses, tol=record["tolerance"])
        assert map_error(pair.exact, result) == pytest.approx(errors["map"][seed][column], rel=1e-3)
        found = potential_error(pair.exact, result)
        assert found == pytest.approx(errors["potential"][seed][column], rel=1e-3)
    x, y = np.log(errors["h"]), np.log(errors["map"])
    slope = np.polyfit(np.tile(x, len(y)), y.ravel(), 1)[0]
    assert slope == pytest.approx(record["exponents"][name]["map"]["value"], abs=1e-3)
