"""Starting heights: no cell is empty, whatever the place, the size and the shape of the points."""

import numpy as np
import pytest
from generators import area, laguerre_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.polyhedron import Polyhedron
from omt_course.transport.solid import SolidCutter
from omt_course.transport.start import starting_heights

CHECKED = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def random_polygon(rng):
    corners = rng.uniform(-1, 1, (7, 2)) * 10 ** rng.uniform(-2, 2, 2) + rng.uniform(-3, 3, 2)
    return Polygon(corners[ConvexHull(corners).vertices])


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 30),
    size=st.sampled_from([1e-6, 0.1, 1.0, 50.0, 1e6]),
    place=st.sampled_from([0.0, 1.0, 1e3]),
)
@CHECKED
def test_no_cell_is_empty(seed, n, size, place):
    rng = np.random.default_rng(seed)
    domain = random_polygon(rng)
    points = size * (rng.normal(size=(n, 2)) + place * rng.uniform(-1, 1, 2))
    # The solver gives points about their mean and says where it lies.
    mean = points.mean(axis=0)
    centered = domain.moved(-domain.center)
    heights = starting_heights(centered, points - mean, mean - domain.center)
    cells = laguerre_cells(centered, points - mean, heights)
    assert min(area(cell) if len(cell) > 2 else 0.0 for cell in cells) > 0


def test_points_that_fill_the_domain_give_voronoi_cells():
    """A shaken lattice inside the square: its own Voronoi diagram, which is a good start."""
    domain = Box([0, 0], [1, 1])
    points = np.random.default_rng(0).random((200, 2))
    heights = starting_heights(domain, points)
    gap = heights + (points**2).sum(axis=1) / 2
    assert np.ptp(gap) < 1e-12


def test_each_cell_holds_its_site():
    """`-h` is a convex quadratic function of `y`; its gradient at `y_i` lies in cell `i`."""
    domain = disk(0.3, 12)
    points = 50 * np.random.default_rng(1).normal(size=(40, 2))
    heights = starting_heights(domain, points)
    x, y = points.T
    design = np.column_stack([x**2 / 2, x * y, y**2 / 2, x, y, np.ones(40)])
    fit, *_ = np.linalg.lstsq(design, -heights, rcond=None)
    a, b, c, d, e, _ = fit
    assert np.abs(design @ fit + heights).max() < 1e-9 * np.abs(heights).max()
    sites = points @ np.array([[a, b], [b, c]]) + [d, e]
    assert a > 0 and a * c > b * b
    assert domain.contains(sites).all()
    assert ((sites @ points.T + heights).argmax(axis=1) == np.arange(40)).all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_in_space(size):
    rng = np.random.default_rng(2)
    domain = Polyhedron(np.vstack([np.zeros(3), np.eye(3)]))
    domain = domain.moved(-domain.center)
    points = size * rng.normal(size=(30, 3))
    heights = starting_heights(domain, points)
    diagram = SolidCutter(domain, points)(heights)
    assert diagram.masses.min() > 0
