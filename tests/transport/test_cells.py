"""The compiled cells against the NumPy path, cell by cell, and against polygons cut by hand."""

import numpy as np
import pytest
from generators import integrals, laguerre_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from omt_course.transport.cells import CellCutter
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.laguerre import laguerre_diagram

CHECKED = settings(max_examples=40, deadline=None, derandomize=True, database=None)
SQUARE = Box([-0.5, -0.5], [0.5, 0.5])


def voronoi(points):
    return -(points**2).sum(axis=1) / 2


def about(points):
    return points - points.mean(axis=0)


def polygon(rng):
    corners = rng.uniform(-1, 1, (8, 2)) * rng.uniform(0.1, 2, 2)
    corners = corners[ConvexHull(corners).vertices]
    domain = Polygon(corners)
    return domain.moved(-domain.center)


def check_same(compiled, plain, *, tol=1e-12, wall=1e-9):
    """Masses, moments and walls of both paths, in units of the whole."""
    size = np.abs(plain.domain.vertices).max() + np.abs(plain.points).max()
    volume = plain.domain.volume
    assert np.abs(compiled.masses - plain.masses).max() <= tol * volume
    assert np.abs(compiled.first_moments - plain.first_moments).max() <= tol * volume * size
    assert np.abs(compiled.second_moments - plain.second_moments).max() <= tol * volume * size**2
    walls = []
    for diagram in (compiled, plain):
        pairs = [tuple(sorted(pair)) for pair in diagram.pairs.tolist()]
        assert len(set(pairs)) == len(pairs)
        walls.append(dict(zip(pairs, diagram.lengths, strict=True)))
    # A wall may be missing on one side where four planes all but meet: then it has no length.
    for pair in walls[0].keys() | walls[1].keys():
        a, b = (wall.get(pair, 0.0) for wall in walls)
        assert abs(a - b) <= wall * size, pair


def check_pieces(diagram):
    """The boundary pieces of each cell close up, and integrate to its area (Green's theorem)."""
    n = len(diagram.points)
    cross = diagram.start[:, 0] * diagram.end[:, 1] - diagram.start[:, 1] * diagram.end[:, 0]
    area = np.bincount(diagram.owner, cross, n) / 2
    assert np.abs(area - diagram.masses).max() <= 1e-12 * diagram.domain.volume
    for k in (0, 1):
        gap = np.bincount(diagram.owner, (diagram.end - diagram.start)[:, k], n)
        assert np.abs(gap).max() <= 1e-9 * np.abs(diagram.domain.vertices).max()


def check_against_polygons(diagram):
    cells = laguerre_cells(diagram.domain, diagram.points, diagram.heights)
    for i, (cell, y) in enumerate(zip(cells, diagram.points, strict=True)):
        mass, first, second = integrals(cell, y)
        assert diagram.masses[i] == pytest.approx(mass, abs=1e-12 * diagram.domain.volume)
        assert diagram.first_moments[i] == pytest.approx(first, abs=1e-11)
        assert diagram.second_moments[i] == pytest.approx(second, abs=1e-11)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 60),
    outside=st.sampled_from([0.5, 1.0, 3.0]),
    noise=st.sampled_from([0.0, 1e-3, 1e-2]),
)
@CHECKED
def test_random_points_over_random_polygons(seed, n, outside, noise):
    rng = np.random.default_rng(seed)
    domain = polygon(rng)
    points = about(rng.uniform(-1, 1, (n, 2)) * outside)
    cut = CellCutter(domain, points)
    heights = voronoi(points) + noise * rng.uniform(-1, 1, n)
    diagram = cut(heights)
    if diagram is not None:
        check_same(diagram, laguerre_diagram(domain, points, heights))
        check_pieces(diagram)
        check_against_polygons(diagram)


@given(seed=st.integers(0, 10**6), n=st.integers(4, 200))
@CHECKED
def test_a_walk_of_heights_stays_with_the_plain_path(seed, n):
    """One vector of heights after another, repaired each time, accepted or not."""
    rng = np.random.default_rng(seed)
    domain = SQUARE if seed % 2 else polygon(rng)
    points = about(rng.uniform(-0.5, 0.5, (n, 2)))
    cut, heights = CellCutter(domain, points), voronoi(points)
    for step in range(6):
        diagram = cut(heights)
        plain = laguerre_diagram(domain, points, heights)
        if diagram is None:
            assert (plain.masses <= 1e-14).any()  # said to be empty, and it is
            heights = voronoi(points)
        else:
            check_same(diagram, plain)
            if step % 2:
                cut.accept()
        heights = heights + rng.choice([0.1, 1.0, 10.0]) / n**2 * rng.uniform(-1, 1, n)


@pytest.mark.parametrize("k", [2, 3, 4, 7, 16, 32])
@pytest.mark.parametrize("domain", [SQUARE, Box([-1, -1], [1, 1]), disk(0.7, 40), disk(1, 6)])
@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4])
def test_lattices(domain, k, angle):
    """Everywhere four planes meet in one point; turned, they do so up to rounding."""
    points = np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2) / k
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = about(points) @ turn.T
    points = about(points)
    diagram = CellCutter(domain, points)(voronoi(points))
    check_same(diagram, laguerre_diagram(domain, points, voronoi(points)))
    check_pieces(diagram)
    inner = np.abs(points @ turn).max(axis=1) < 0.5 - 1.5 / k
    if domain is SQUARE and angle == 0:
        assert np.allclose(diagram.masses, 1 / k**2, rtol=1e-13)
    elif domain.volume > 1.5:
        assert np.allclose(diagram.masses[inner], 1 / k**2, rtol=1e-12)


@pytest.mark.parametrize("n", [3, 4, 5, 6, 12, 100])
def test_cocircular_points_and_flat_heights(n):
    """All planes meet in the middle: `n` sectors, by symmetry of equal mass."""
    angle = 2 * np.pi * np.arange(n) / n
    points = about(np.column_stack([np.cos(angle), np.sin(angle)]))
    domain = disk(1.0, 4 * n)
    diagram = CellCutter(domain, points)(np.zeros(n))
    check_same(diagram, laguerre_diagram(domain, points, np.zeros(n)))
    assert np.allclose(diagram.masses, domain.volume / n, rtol=1e-12)


@pytest.mark.parametrize("width", [1e-2, 1e-5, 1e-8])
def test_nearly_collinear_points_give_strips(width):
    n = 9
    line = np.linspace(-0.4, 0.4, n)
    points = about(np.column_stack([line, width * np.cos(7 * line)]))
    diagram = CellCutter(SQUARE, points)(voronoi(points))
    check_same(diagram, laguerre_diagram(SQUARE, points, voronoi(points)))
    assert np.allclose(diagram.masses[1:-1], 0.1, atol=10 * width)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_near_duplicates(gap):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.5, 0.5, (20, 2))
    points = about(np.vstack([points, points + gap * rng.normal(size=(20, 2))]))
    # Rounding moves a wall by 1e-17 / gap at least, even with the heights in their longer digits.
    heights = voronoi(points.astype(np.longdouble))
    diagram = CellCutter(SQUARE, points)(heights)
    check_same(
        diagram, laguerre_diagram(SQUARE, points, heights), tol=1e-14 + 1e-17 / gap, wall=1e-7
    )
    both = diagram.masses[:20] + diagram.masses[20:]
    merged = about(points[:20] + 0.0)
    single = CellCutter(SQUARE, merged)(voronoi(merged))
    # Twins share the cell that one of them would have (whose mean has moved by about the gap).
    assert np.abs(both - single.masses).max() < 10 * gap


@pytest.mark.parametrize("far", [3.0, 100.0, 1e4])
def test_points_far_outside_the_domain(far):
    """Planes steep against the domain: all edges leave it, few cells are met."""
    rng = np.random.default_rng(2)
    points = about(rng.uniform(-far, far, (30, 2)))
    heights = voronoi(points) / (2 * far)  # Voronoi cells of the points shrunk into the square
    diagram = CellCutter(SQUARE, points)(heights)
    check_same(diagram, laguerre_diagram(SQUARE, points, heights))
    assert (diagram.masses > 0).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e3, 1e9])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(3)
    points = about(rng.uniform(-0.5, 0.5, (50, 2)))
    heights = voronoi(points) + 1e-4 * rng.uniform(-1, 1, 50)
    one = CellCutter(SQUARE, points)(heights)
    big = Box(scale * SQUARE.lower, scale * SQUARE.upper)
    two = CellCutter(big, scale * points)(scale**2 * heights)
    assert np.allclose(two.masses, scale**2 * one.masses, rtol=1e-10)
    assert np.allclose(two.second_moments, scale**4 * one.second_moments, rtol=1e-10)


def test_a_cell_that_vanishes_is_none_after_the_first_time():
    rng = np.random.default_rng(4)
    points = about(rng.uniform(-0.5, 0.5, (40, 2)))
    cut = CellCutter(SQUARE, points)
    assert cut(voronoi(points)) is not None
    cut.accept()
    heights = voronoi(points)
    heights[7] -= 1.0
    assert cut(heights) is None
    # And nothing is spoilt by it.
    check_same(cut(voronoi(points)), laguerre_diagram(SQUARE, points, voronoi(points)))
    # At the very first call a diagram with an empty cell comes back: the caller sees the mass.
    fresh = CellCutter(SQUARE, points)(heights)
    assert fresh.masses[7] == 0


def test_a_trial_that_is_not_accepted_leaves_no_trace():
    rng = np.random.default_rng(5)
    points = about(rng.uniform(-0.5, 0.5, (100, 2)))
    heights = voronoi(points)
    a, b = CellCutter(SQUARE, points), CellCutter(SQUARE, points)
    for cut in (a, b):
        cut(heights)
        cut.accept()
    a(heights + 1e-3 * rng.uniform(-1, 1, 100))  # a wild trial, turned down
    small = heights + 1e-6 * rng.uniform(-1, 1, 100)
    assert (a(small).masses == b(small).masses).all()


def test_three_points_and_one_that_takes_all():
    points = about(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    cut = CellCutter(SQUARE, points)
    check_same(cut(np.zeros(3)), laguerre_diagram(SQUARE, points, np.zeros(3)))
    heights = np.array([10.0, 0.0, 0.0])
    diagram = cut(heights)
    if diagram is not None:
        assert diagram.masses == pytest.approx([1, 0, 0], abs=1e-15)
