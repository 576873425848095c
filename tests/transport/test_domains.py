"""Boxes and convex polygons against formulas, and every bad one refused by name."""

import dataclasses

import numpy as np
import pytest
from generators import area, clip, integrals
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.stats import chi2, kstest

from omt_course.transport.domains import Box, Polygon, disk, halfplanes

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]
PENTAGON = [[np.cos(2 * np.pi * k / 5), np.sin(2 * np.pi * k / 5)] for k in range(5)]


def random_polygon(seed, size=1.0, place=(0.0, 0.0)):
    points = np.random.default_rng(seed).normal(size=(12, 2))
    return Polygon(size * points[ConvexHull(points).vertices] + place)


# Boxes


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_box_measures(d):
    rng = np.random.default_rng(d)
    lower = rng.normal(size=d)
    size = rng.uniform(0.1, 2, d)
    box = Box(lower, lower + size)
    assert box.dimension == d
    assert box.volume == pytest.approx(np.prod(size), rel=1e-12)
    assert box.center == pytest.approx(lower + size / 2)
    assert box.vertices.shape == (2**d, d)
    assert len(np.unique(box.vertices, axis=0)) == 2**d
    assert box.vertices.min(axis=0) == pytest.approx(box.lower)
    assert box.vertices.max(axis=0) == pytest.approx(box.upper)


def test_planar_box_runs_counter_clockwise():
    box = Box([-1, 2], [4, 2.5])
    assert area(box.vertices) == pytest.approx(2.5, rel=1e-14)
    assert box.vertices[0].tolist() == [-1, 2]


def test_box_contains_its_boundary_and_nothing_beyond():
    box = Box([0, 0], [1, 2])
    assert box.contains(box.vertices).all()
    assert not box.contains([[-1e-15, 1], [1 + 1e-12, 1], [0.5, 2.1], [0.5, -1]]).any()
    assert box.contains([0.5, 0.5]).shape == (1,)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_box_samples_are_uniform(d):
    box = Box(np.arange(d), np.arange(d) + 3.0)
    x = box.sample(4000, np.random.default_rng(1))
    assert x.shape == (4000, d)
    assert box.contains(x).all()
    for k in range(d):
        assert kstest(x[:, k], "uniform", args=(k, 3)).pvalue > 1e-3


@pytest.mark.parametrize(
    "lower, upper, named, why",
    [
        ([0, np.nan], [1, 1], "lower", "finite numbers, got nan at index (1,)"),
        ([0, 0], [1, np.inf], "upper", "finite numbers, got inf"),
        ([0, 0], [1], "upper", "as many coordinates"),
        ([], [], "upper", "at least one"),
        ([[0, 0]], [[1, 1]], "lower", r"shape (d,), got (1, 2)"),
        (0, 1, "lower", "shape (d,), got ()"),
        ([0, 0], [1, 0], "upper", "got lower = 0.0, upper = 0.0 in coordinate 1"),
        ([2, 0], [1, 1], "upper", "got lower = 2.0, upper = 1.0 in coordinate 0"),
        (["a", "b"], [1, 1], "lower", "numbers"),
        ([0, 0], [1j, 1], "upper", "numbers"),
        ([0, [0]], [1, 1], "lower", "numbers"),
    ],
)
def test_bad_box_is_refused_by_name(lower, upper, named, why):
    with pytest.raises(ValueError) as error:
        Box(lower, upper)
    assert str(error.value).startswith(f"{named}: expected")
    assert why in str(error.value)


# Polygons


@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_polygon_measures_match_greens_theorem(seed, size):
    polygon = random_polygon(seed, size, place=(3 * size, -2 * size))
    mass, first, _ = integrals(polygon.vertices, polygon.vertices.mean(axis=0))
    assert polygon.volume == pytest.approx(mass, rel=1e-12)
    assert polygon.volume == pytest.approx(ConvexHull(polygon.vertices).volume, rel=1e-10)
    expected = polygon.vertices.mean(axis=0) + first / mass
    np.testing.assert_allclose(polygon.center, expected, atol=1e-12 * size)


@given(seed=st.integers(0, 10**6), turn=st.integers(0, 11), flip=st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_start_and_order_of_corners_do_not_matter(seed, turn, flip):
    polygon = random_polygon(seed)
    corners = np.roll(polygon.vertices, turn, axis=0)
    again = Polygon(corners[::-1] if flip else corners)
    assert area(again.vertices) == pytest.approx(polygon.volume, rel=1e-12)
    assert {tuple(v) for v in again.vertices} == {tuple(v) for v in polygon.vertices}


def test_clockwise_corners_are_turned():
    clockwise = Polygon(SQUARE[::-1])
    assert clockwise.volume == 1
    assert area(clockwise.vertices) == 1


def test_corners_on_a_straight_side_are_dropped():
    square = Polygon([[0, 0], [0.3, 0], [0.7, 0], [1, 0], [1, 1], [0, 1], [0, 0.5]])
    assert {tuple(v) for v in square.vertices} == {(0, 0), (1, 0), (1, 1), (0, 1)}
    third = np.linspace(0, 1, 4)[:, None]
    side = (1 - third) * np.array([0.1, 0.2]) + third * np.array([0.7, 0.5])  # rounded on purpose
    assert len(Polygon([*side, [0, 3]]).vertices) == 3


def test_polygon_contains_its_boundary():
    polygon = random_polygon(5, size=7.0, place=(100, 50))
    v = polygon.vertices
    middle = (v + np.roll(v, -1, axis=0)) / 2
    assert polygon.contains(v).all()
    assert polygon.contains(middle).all()
    out = 1e-9 * (middle - polygon.center)
    assert not polygon.contains(middle + out).any()
    assert polygon.contains(middle - out).all()


@pytest.mark.parametrize("domain", [Polygon([[0, 0], [3, 0], [0, 1]]), random_polygon(2), disk()])
def test_polygon_samples_are_uniform(domain):
    x = domain.sample(20_000, np.random.default_rng(3))
    assert domain.contains(x).all()
    # Counts in the parts cut by two lines through the centre, chi-square at 1 in 1000.
    normals = np.array([[0.8, 0.6], [-0.3, 1.0]])
    above = (x - domain.center) @ normals.T > 0
    statistic = 0.0
    for first in (0, 1):
        for second in (0, 1):
            part = domain.vertices
            for k, up in enumerate((first, second)):
                sign = -1 if up else 1
                part = clip(part, sign * normals[k], sign * normals[k] @ domain.center)
            expected = len(x) * area(part) / domain.volume
            seen = ((above[:, 0] == first) & (above[:, 1] == second)).sum()
            statistic += (seen - expected) ** 2 / expected
    assert statistic < chi2(3).ppf(0.999)


def test_samples_repeat_with_their_generator():
    a = disk().sample(10, np.random.default_rng(0))
    b = disk().sample(10, np.random.default_rng(0))
    assert (a == b).all()
    assert disk().sample(0, np.random.default_rng(0)).shape == (0, 2)


PENTAGRAM = [PENTAGON[k] for k in (0, 2, 4, 1, 3)]


@pytest.mark.parametrize(
    "vertices, why",
    [
        ([[0, 0], [2, 0], [0.5, 0.5], [0, 2]], "a turn the other way at corner 2"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "crosses itself"),
        (PENTAGRAM, "crosses itself (it turns +2.00 times)"),
        (PENTAGRAM[::-1], "crosses itself (it turns -2.00 times)"),
        (SQUARE + SQUARE, "crosses itself"),
        ([[0, 0], [1, 0], [1, 0], [0, 1]], "distinct corners, got corner 1 twice"),
        ([*SQUARE, SQUARE[0]], "distinct corners, got corner 4 twice"),
        ([[0, 0], [1, 0], [2, 0]], "convex"),
        ([[0, 0], [1, 0], [2, 0], [1, 1], [3, 0]], "convex"),
        ([[0, 0], [2, 0], [1, 0], [1, 1]], "turns back on itself at corner 1"),
        ([[0, 0], [0, 0], [0, 0]], "distinct corners"),
        ([[0, 0], [1, 0]], "k >= 3, got (2, 2)"),
        (np.zeros((0, 2)), "k >= 3, got (0, 2)"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "k >= 3, got (3, 3)"),
        ([0, 1, 2, 3], "shape (k, 2), got (4,)"),
        ([[0, 0], [1, np.nan], [0, 1]], "finite numbers, got nan at index (1, 1)"),
        ([[0, 0], [np.inf, 0], [0, 1]], "finite numbers, got inf at index (1, 0)"),
        ([["a", "b"], ["c", "d"], ["e", "f"]], "numbers of shape (k, 2)"),
        ([[0, 0], [1], [0, 1]], "numbers of shape (k, 2)"),
        ([[0, 0], [1j, 0], [0, 1]], "numbers of shape (k, 2)"),
        (None, "numbers of shape (k, 2), got None"),
    ],
)
def test_bad_polygon_is_refused_by_name(vertices, why):
    with pytest.raises(ValueError) as error:
        Polygon(vertices)
    assert str(error.value).startswith("vertices: expected")
    assert why in str(error.value)


@given(seed=st.integers(0, 10**6), push=st.floats(0.05, 0.9), flip=st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_a_corner_pushed_inside_is_noticed(seed, push, flip):
    polygon = random_polygon(seed)
    v = polygon.vertices
    # A new corner in the middle of side 0, moved towards the opposite side.
    dent = (1 - push) * (v[0] + v[1]) / 2 + push * polygon.center
    corners = np.insert(v, 1, dent, axis=0)
    with pytest.raises(ValueError, match="turn the other way at corner"):
        Polygon(corners[::-1] if flip else corners)


def test_domains_cannot_be_changed():
    given_corners = np.array(SQUARE, dtype=float)
    square, box = Polygon(given_corners), Box(given_corners[0], given_corners[2])
    given_corners[:] = 7
    assert square.volume == box.volume == 1
    for array in (square.vertices, box.lower, box.upper):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        square.vertices = given_corners
    with pytest.raises(dataclasses.FrozenInstanceError):
        box.lower = given_corners[0]


# Half-planes and disks


@pytest.mark.parametrize("domain", [Box([-1, 2], [4, 2.5]), random_polygon(8), disk(2.0, 17)])
def test_halfplanes_touch_their_sides_from_inside(domain):
    normals, offsets = halfplanes(domain)
    v = domain.vertices
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-14)
    on_side = (normals * v).sum(axis=1), (normals * np.roll(v, -1, axis=0)).sum(axis=1)
    np.testing.assert_allclose(on_side, [offsets, offsets], atol=1e-13 * np.abs(v).max())
    assert (v @ normals.T <= offsets + 1e-12).all()
    assert (domain.center @ normals.T < offsets).all()


@pytest.mark.parametrize("n_sides", [3, 4, 255, 256])
def test_disk_is_the_inscribed_regular_polygon(n_sides):
    polygon = disk(2.5, n_sides)
    assert len(polygon.vertices) == n_sides
    assert np.linalg.norm(polygon.vertices, axis=1) == pytest.approx(2.5)
    turn = 2 * np.pi / n_sides
    assert polygon.volume == pytest.approx(n_sides / 2 * 2.5**2 * np.sin(turn), rel=1e-12)
    np.testing.assert_allclose(polygon.center, 0, atol=1e-14)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((0,), "radius"),
        ((-1.0,), "radius"),
        ((np.nan,), "radius"),
        ((np.inf,), "radius"),
        ((1, 2), "n_sides"),
        ((1, 3.5), "n_sides"),
        ((1, np.nan), "n_sides"),
        ((1, np.inf), "n_sides"),
        ((1, -4), "n_sides"),
    ],
)
def test_bad_disk_is_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        disk(*arguments)
