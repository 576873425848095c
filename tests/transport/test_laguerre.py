"""Cells against polygons cut by hand, Qhull's half-spaces, sample counts and closed forms."""

import numpy as np
import pytest
from generators import area, integrals, laguerre_cells, product, ring
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, HalfspaceIntersection

from omt_course.transport.domains import Box, Polygon, disk, halfplanes
from omt_course.transport.laguerre import laguerre_diagram

SQUARE = Box([0, 0], [1, 1])
TRIANGLE = Polygon([[0, 0], [3, 0.5], [1, 2]])
CHECKED = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def random_domain(rng):
    corners = rng.normal(size=(9, 2))
    return (
        rng.choice([SQUARE, TRIANGLE, disk(), disk(0.7, 5)])
        if rng.random() < 0.5
        else Polygon(corners[ConvexHull(corners).vertices])
    )


def voronoi_heights(points, weights=0.0):
    """Heights whose cells are the power cells `|x - y_i|^2 - weights_i`."""
    return (weights - (points**2).sum(axis=1)) / 2


def check_against_cut_polygons(diagram, *, atol=1e-13):
    """Compare every integral and every cell with cells cut one half-plane at a time."""
    cells = laguerre_cells(diagram.domain, diagram.points, diagram.heights.astype(float))
    size = np.ptp(diagram.domain.vertices, axis=0).max()
    about = diagram.domain.center
    reach = size + np.linalg.norm(diagram.points - about, axis=1)
    for i, (cell, y) in enumerate(zip(cells, diagram.points, strict=True)):
        mass, first, second = integrals(cell, y)
        assert abs(diagram.masses[i] - mass) <= atol * size**2
        assert np.abs(diagram.first_moments[i] - first).max() <= atol * size**2 * reach[i]
        assert abs(diagram.second_moments[i] - second) <= atol * size**2 * reach[i] ** 2
    assert diagram.masses.sum() == pytest.approx(diagram.domain.volume, rel=1e-13)
    return cells


def check_polygons(diagram):
    """Cells drawn must have the areas computed, run counter-clockwise, and lie in the domain."""
    polygons = diagram.cell_polygons()
    assert len(polygons) == len(diagram.points)
    size = np.ptp(diagram.domain.vertices, axis=0).max()
    normals, offsets = halfplanes(diagram.domain)
    for polygon, mass, centroid in zip(polygons, diagram.masses, diagram.centroids, strict=True):
        if mass == 0:
            assert len(polygon) == 0
            continue
        assert abs(area(polygon) - mass) <= 1e-13 * size**2
        assert (polygon @ normals.T <= offsets + 1e-12 * size).all()
        if mass > 1e-6 * size**2:
            np.testing.assert_allclose(integrals(polygon, centroid)[1] / mass, 0, atol=1e-9 * size)


@given(seed=st.integers(0, 10**6), n=st.integers(3, 40), spread=st.sampled_from([0.0, 0.1, 1.0]))
@CHECKED
def test_power_cells_of_random_points(seed, n, spread):
    rng = np.random.default_rng(seed)
    domain = random_domain(rng)
    points = domain.center + rng.uniform(0.2, 2) * rng.normal(size=(n, 2))
    weights = spread * rng.random(n)  # at 1.0 most points are hidden
    diagram = laguerre_diagram(domain, points, voronoi_heights(points, weights))
    check_against_cut_polygons(diagram)
    check_polygons(diagram)


@pytest.mark.parametrize("place", [(0, 0), (1e3, -2e3), (1e6, 1e6)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_cells_do_not_depend_on_place_and_scale(place, scale):
    """`x -> scale x + t` and `y -> y / scale + s` change heights by linear terms only."""
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    heights = voronoi_heights(points) + 0.01 * rng.random(30)
    plain = laguerre_diagram(SQUARE, points, heights)
    offset = np.array(place)
    corners = scale * SQUARE.vertices
    moved = laguerre_diagram(
        Polygon(corners), points / scale + offset, heights - corners[0] @ offset
    )
    # A common shift of the points tilts the potential and leaves the cells alone.
    tolerance = 1e-13 + 1e-15 * np.abs(offset).max() * scale
    np.testing.assert_allclose(moved.masses, scale**2 * plain.masses, atol=tolerance * scale**2)


def test_shift_of_all_heights_changes_nothing():
    rng = np.random.default_rng(1)
    points = rng.random((50, 2))
    heights = voronoi_heights(points)
    a, b = (laguerre_diagram(SQUARE, points, heights + c) for c in (0.0, 3.0))
    np.testing.assert_allclose(a.masses, b.masses, atol=1e-14)


def test_masses_agree_with_qhulls_half_spaces():
    rng = np.random.default_rng(2)
    domain = disk(1.0, 32)
    points = 0.8 * rng.normal(size=(25, 2))
    heights = voronoi_heights(points, 0.1 * rng.random(25))
    diagram = laguerre_diagram(domain, points, heights)
    normals, offsets = halfplanes(domain)
    sides = np.column_stack([normals, -offsets])
    seen = 0
    for i in np.flatnonzero(diagram.masses > 1e-6):
        others = np.arange(25) != i
        cuts = np.column_stack([points - points[i], heights - heights[i]])[others]
        cell = HalfspaceIntersection(np.vstack([cuts, sides]), diagram.centroids[i])
        assert ConvexHull(cell.intersections).volume == pytest.approx(diagram.masses[i], rel=1e-9)
        seen += 1
    assert seen > 10


@pytest.mark.parametrize("domain", [SQUARE, TRIANGLE, disk()])
def test_masses_agree_with_sample_counts(domain):
    rng = np.random.default_rng(3)
    points = domain.sample(12, rng)
    heights = voronoi_heights(points, 0.02 * rng.random(12))
    diagram = laguerre_diagram(domain, points, heights)
    x = domain.sample(200_000, rng)
    score = x @ points.T + heights
    index = score.argmax(axis=1)
    share = diagram.masses / domain.volume
    counts = np.bincount(index, minlength=12)
    deviation = (counts - len(x) * share) / np.sqrt(len(x) * share * (1 - share) + 1)
    assert np.abs(deviation).max() < 4.5
    squares = ((x - points[index]) ** 2).sum(axis=1)
    error = (squares.mean() - diagram.second_moments.sum() / domain.volume) / (
        squares.std() / np.sqrt(len(x))
    )
    assert abs(error) < 4.5
    for i in np.flatnonzero(counts > 1000):
        mine = x[index == i]
        error = (mine.mean(axis=0) - diagram.centroids[i]) / mine.std(axis=0) * len(mine) ** 0.5
        assert np.abs(error).max() < 4.5


# Structure


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_a_cell_close_and_neighbours_agree(seed):
    rng = np.random.default_rng(seed)
    domain = random_domain(rng)
    points = domain.center + rng.normal(size=(20, 2))
    diagram = laguerre_diagram(domain, points, voronoi_heights(points))
    lengths = np.linalg.norm(diagram.end - diagram.start, axis=1)
    around = np.zeros((20, 2))
    np.add.at(around, diagram.owner, diagram.end - diagram.start)
    np.testing.assert_allclose(around, 0, atol=1e-12)
    m = len(diagram.pairs)
    assert (diagram.owner[:m] == diagram.pairs[:, 0]).all()
    assert (diagram.owner[m : 2 * m] == diagram.pairs[:, 1]).all()
    np.testing.assert_allclose(lengths[:m], diagram.lengths, atol=1e-13)
    outline = np.linalg.norm(domain.vertices - np.roll(domain.vertices, 1, axis=0), axis=1).sum()
    assert lengths.sum() - 2 * diagram.lengths.sum() == pytest.approx(outline, rel=1e-12)
    # The two potentials agree along every common edge, and nobody is above them there.
    score = diagram.start[:m] @ points.T + diagram.heights.astype(float)
    pair = np.take_along_axis(score, diagram.pairs, axis=1)
    np.testing.assert_allclose(pair[:, 0], pair[:, 1], atol=1e-12)
    assert (score.max(axis=1) <= pair[:, 0] + 1e-11).all()
    assert len({tuple(sorted(pair)) for pair in diagram.pairs.tolist()}) == m


def test_hidden_points_have_empty_cells():
    points = np.array([[0.2, 0.2], [0.8, 0.2], [0.5, 0.9], [0.5, 0.4], [0.52, 0.41]])
    heights = voronoi_heights(points, np.array([0, 0, 0, -1.0, 0.0]))
    diagram = laguerre_diagram(SQUARE, points, heights)
    assert diagram.masses[3] == 0
    assert (diagram.masses[[0, 1, 2, 4]] > 0).all()
    assert np.isnan(diagram.centroids[3]).all()
    assert diagram.second_moments[3] == 0
    assert not (diagram.pairs == 3).any()
    check_against_cut_polygons(diagram)
    check_polygons(diagram)


def test_one_cell_may_take_all():
    points = np.array([[0, 0], [1, 0], [0, 1.0], [3, 3]])
    diagram = laguerre_diagram(SQUARE, points, np.array([0, -9, -9, -99.0]))
    assert diagram.masses.tolist() == [1, 0, 0, 0]
    assert len(diagram.pairs) == 0
    np.testing.assert_allclose(diagram.centroids[0], [0.5, 0.5])
    check_polygons(diagram)


# Cells in closed form, and the places where rounding decides


def test_cells_of_a_product_are_rectangles():
    problem = product([0.2, 0.5, 0.3], [0.6, 0.4], [-1, 0.5, 3], [0, 0.1], (0, 0), (2, 1))
    assert problem.masses.sum() == pytest.approx(2)
    x_heights = -np.cumsum([0, 0.4 * 1.5, 1.4 * 2.5])  # planes meet at the quantiles .4 and 1.4
    y_heights = -np.cumsum([0, 0.6 * 0.1])
    heights = (x_heights[:, None] + y_heights).ravel()
    diagram = laguerre_diagram(problem.domain, problem.points, heights)
    np.testing.assert_allclose(diagram.masses, problem.masses, atol=1e-15)
    assert diagram.second_moments.sum() == pytest.approx(problem.w2_squared, rel=1e-14)
    np.testing.assert_allclose(
        diagram.centroids, [cell.mean(axis=0) for cell in problem.cells], atol=1e-14
    )
    for cell, polygon in zip(problem.cells, diagram.cell_polygons(), strict=True):
        gap = np.linalg.norm(cell[:, None] - polygon[None], axis=2)
        assert gap.min(axis=1).max() < 1e-14  # every corner is there
        assert gap.min(axis=0).max() < 1e-14  # and nothing else


@pytest.mark.parametrize("k", [3, 5, 8])
def test_cells_of_a_ring_are_a_polygon_and_sectors(k):
    problem = ring(k, core=0.3, distance=0.7)
    heights = np.concatenate([[0.0], np.full(k, -0.3 * 0.7)])
    diagram = laguerre_diagram(problem.domain, problem.points, heights)
    np.testing.assert_allclose(diagram.masses, problem.masses, atol=1e-14)
    assert diagram.second_moments.sum() == pytest.approx(problem.w2_squared, rel=1e-13)
    check_polygons(diagram)


@pytest.mark.parametrize("domain", [SQUARE, Box([-1, -1], [1, 1]), Box([0, 0], [3, 3])])
@pytest.mark.parametrize("k", [2, 3, 4, 7, 10, 24])
def test_lattices(domain, k):
    """All cells are squares, four planes meet at every corner, edges end in the sides."""
    side = np.ptp(domain.vertices[:, 0]) / k
    index = np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2)
    points = domain.lower + (index + 0.5) * side
    diagram = laguerre_diagram(domain, points, voronoi_heights(points))
    np.testing.assert_allclose(diagram.masses, side**2, rtol=1e-11)
    np.testing.assert_allclose(diagram.second_moments, side**4 / 6, rtol=1e-10)
    assert diagram.lengths[diagram.lengths > 1e-9].sum() == pytest.approx(2 * (k - 1) * k * side)
    check_polygons(diagram)


def test_cells_close_where_four_planes_all_but_meet():
    """Heights of a lattice off by rounding: the wrong diagonal must not leave gaps."""
    rng = np.random.default_rng(0)
    points = (np.stack(np.meshgrid(np.arange(32), np.arange(32)), -1).reshape(-1, 2) + 0.5) / 32
    for _ in range(3):
        heights = voronoi_heights(points) + 1e-15 * rng.normal(size=1024)
        diagram = laguerre_diagram(SQUARE, points, heights)
        around = np.zeros((1024, 2))
        np.add.at(around, diagram.owner, diagram.end - diagram.start)
        np.testing.assert_allclose(around, 0, atol=4e-15)
        assert diagram.masses.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("k", [2, 3, 5, 12])
def test_edges_that_fall_on_the_sides(k):
    """Points beyond the square whose bisectors are its sides: they get nothing."""
    inside = (np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2) + 0.5) / k
    beyond = np.vstack([inside + t for t in ([1, 0], [-1, 0], [0, 1], [0, -1])])
    beyond = beyond[((beyond > 0) & (beyond < 1)).sum(axis=1) == 1]
    points = np.vstack([inside, beyond])
    diagram = laguerre_diagram(SQUARE, points, voronoi_heights(points))
    np.testing.assert_allclose(diagram.masses[: k * k], 1 / k**2, rtol=1e-11)
    np.testing.assert_allclose(diagram.masses[k * k :], 0, atol=1e-12)


def test_edges_that_run_through_corners_of_the_domain():
    points = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    for turn in np.linspace(0, np.pi, 9):
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        domain = Polygon(Box([-1, -1], [1, 1]).vertices @ rotation.T + [5, -3])
        heights = -(points @ rotation.T) @ [5, -3]
        diagram = laguerre_diagram(domain, points @ rotation.T, heights)
        np.testing.assert_allclose(diagram.masses, 1, atol=1e-12)
        check_polygons(diagram)


def test_corners_of_cells_on_the_boundary():
    """Three cells meet in the middle of a side, and at a corner."""
    points = np.array([[-1, 1], [0, -2], [1, 1.0]])
    domain = Box([-1, 0], [1, 1])
    heights = np.zeros(3)  # all planes meet at the origin, in the middle of the lower side
    diagram = laguerre_diagram(domain, points, heights)
    np.testing.assert_allclose(diagram.masses, [1, 0, 1], atol=1e-12)
    check_against_cut_polygons(diagram)
    at_corner = laguerre_diagram(domain, points, points @ [1.0, 0.0])  # they meet at (-1, 0)
    assert at_corner.masses.sum() == pytest.approx(2)
    check_against_cut_polygons(at_corner)


@pytest.mark.parametrize("n", [3, 4, 7, 256])
def test_planes_through_one_point(n):
    angle = 2 * np.pi * np.arange(n) / n
    points = np.column_stack([np.cos(angle), np.sin(angle)])
    domain = disk(1.0, 4 * n)
    diagram = laguerre_diagram(domain, points, np.zeros(n))
    np.testing.assert_allclose(diagram.masses, domain.volume / n, rtol=1e-9)
    check_polygons(diagram)


def test_points_on_the_rim_and_between():
    """Corners of the domain and middles of its sides: vertical facets on the dual hull's rim."""
    domain = disk(1.3, 40)
    v = domain.vertices
    points = np.vstack([v, [domain.center], (v + np.roll(v, -1, axis=0)) / 2])
    rng = np.random.default_rng(0)
    for weight in (0.0, 1e-3, 1e-2, 0.1):
        heights = voronoi_heights(points, weight * rng.random(len(points)))
        check_against_cut_polygons(laguerre_diagram(domain, points, heights))


@pytest.mark.parametrize("sigma", [1e-2, 1e-4, 1e-6])
def test_tight_clusters(sigma):
    rng = np.random.default_rng(4)
    points = rng.random((3, 2))[rng.integers(0, 3, 60)] + sigma * rng.normal(size=(60, 2))
    # Heights under which the cluster, magnified, is spread over the square.
    magnified = SQUARE.sample(60, rng)
    base = points.mean(axis=0)
    middle_points = base + sigma * (magnified - 0.5)
    heights = -((magnified**2).sum(axis=1)) * sigma / 2
    diagram = laguerre_diagram(SQUARE, middle_points, heights)
    voronoi = laguerre_diagram(SQUARE, magnified, voronoi_heights(magnified))
    np.testing.assert_allclose(diagram.masses, voronoi.masses, atol=1e-15 / sigma)
    check_against_cut_polygons(
        laguerre_diagram(SQUARE, points, voronoi_heights(points)), atol=1e-13 + 2e-16 / sigma
    )


@pytest.mark.parametrize("width", [1e-3, 1e-6])
def test_thin_domains(width):
    rng = np.random.default_rng(5)
    points = rng.random((40, 2)) * [1, width]
    diagram = laguerre_diagram(Box([0, 0], [1, width]), points, voronoi_heights(points))
    cells = laguerre_cells(diagram.domain, points, diagram.heights.astype(float))
    np.testing.assert_allclose(diagram.masses, [area(cell) for cell in cells], atol=1e-9 * width)


# Refusals


def test_results_do_not_share_memory_with_arguments():
    points, heights = np.random.default_rng(0).random((5, 2)), np.zeros(5)
    before = laguerre_diagram(SQUARE, points, heights).masses.copy()
    diagram = laguerre_diagram(SQUARE, points.tolist(), heights.tolist())
    assert (diagram.masses == before).all()
    with pytest.raises(AttributeError):
        diagram.masses = before


@pytest.mark.parametrize(
    "domain, points, heights, why",
    [
        (SQUARE, np.zeros((4, 3)), np.zeros(4), "points: expected shape (n, 2)"),
        (SQUARE, np.zeros(4), np.zeros(4), "points: expected shape (n, 2)"),
        (Box([0, 0, 0], [1, 1, 1]), np.eye(3), np.zeros(3), "over dimension 3"),
        (SQUARE, [[0, 0], [1, 0], [0, 1]], np.zeros(4), "heights: expected shape (3,), got (4,)"),
        (SQUARE, [[0, 0], [1, 0], [0, 1]], np.zeros((3, 1)), "got (3, 1)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(domain, points, heights, why):
    with pytest.raises(ValueError) as error:
        laguerre_diagram(domain, points, heights)
    assert why in str(error.value)


def test_points_beyond_double_precision_are_refused_not_guessed():
    rng = np.random.default_rng(0)
    points = rng.random((50, 2))
    points = np.vstack([points, points + 1e-13])
    with pytest.raises(ArithmeticError, match="too close to each other"):
        laguerre_diagram(SQUARE, points, voronoi_heights(points))
