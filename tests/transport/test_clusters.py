import numpy as np
import pytest
from generators import area, laguerre_cells

from omt_course.transport.clusters import clustered_start, split
from omt_course.transport.domains import Box, disk
from omt_course.transport.polyhedron import Polyhedron
from omt_course.transport.semidiscrete import solve

CENTRES = np.array([[0.2, 0.25, 0.3], [0.8, 0.3, 0.6], [0.5, 0.82, 0.5]])


def clusters(n, spread, d=2, k=3, seed=0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % k
    return CENTRES[:k, :d][label] + spread * rng.standard_normal((n, d)), label


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("k", [2, 3])
def test_split_finds_the_clusters(d, k):
    points, label = clusters(120, 1e-3, d, k)
    found = split(points - points.mean(axis=0))
    assert found.max() == k - 1
    pairs = {(a, b) for a, b in zip(label.tolist(), found.tolist(), strict=True)}
    assert len(pairs) == k


def test_a_cloud_and_a_lattice_are_not_split():
    for seed in range(5):
        assert split(np.random.default_rng(seed).random((300, 2)) - 0.5) is None
    axis = np.arange(10.0)
    lattice = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert split(lattice - lattice.mean(axis=0)) is None


def test_close_pairs_in_a_cloud_are_no_clusters():
    points = np.random.default_rng(1).random((400, 2)) - 0.5
    assert split(np.vstack([points, points + 1e-7])) is None


@pytest.mark.parametrize("spread", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("k", [2, 3])
def test_the_start_leaves_no_cell_empty(spread, k):
    points, _ = clusters(60, spread, k=k)
    domain, near = Box([-0.5, -0.5], [0.5, 0.5]), points - points.mean(axis=0)

    def roughly(domain, points, masses):
        result = solve(domain, points, masses, tol=0.1) if len(points) > 2 else None
        if result is None:  # two half-planes: by symmetry of the box about its centre
            apart = points[1] - points[0]
            return _halves(domain, points, apart)
        return result.heights, result.diagram

    heights = clustered_start(domain, near, np.full(60, 1 / 60), roughly)
    cells = laguerre_cells(domain, near, heights)
    assert min(area(cell) if len(cell) > 2 else 0 for cell in cells) > 1e-3 / 60


def _halves(domain, points, apart):
    from omt_course.transport.cells import CellCutter

    cut = CellCutter(domain, points)
    heights = np.array([0.0, -(points[1] @ points[1] - points[0] @ points[0]) / 2])
    return heights, cut(heights.astype(np.longdouble))


@pytest.mark.parametrize("domain", [Box([0, 0], [1, 1]), disk(2.0, 30)])
@pytest.mark.parametrize("k", [2, 3])
def test_the_number_of_diagrams_does_not_grow_as_clusters_shrink(domain, k):
    counts = []
    for spread in (1e-2, 1e-4, 1e-6):
        points, _ = clusters(300, spread, k=k)
        result = solve(domain, points, tol=1e-6)
        counts.append(result.history[-1].n_evaluations)
        cells = laguerre_cells(domain, points, result.heights)
        areas = np.array([area(cell) for cell in cells])
        np.testing.assert_allclose(areas, domain.volume / 300, rtol=1e-4)
    assert max(counts) <= 25, counts


def test_clusters_of_clusters():
    rng = np.random.default_rng(3)
    middle = 0.02 * CENTRES[rng.integers(0, 3, 240), :2] + CENTRES[np.arange(240) % 3, :2]
    points = middle + 2e-5 * rng.standard_normal((240, 2))
    masses = rng.exponential(size=240) + 0.1
    result = solve(Box([0, 0], [1, 1]), points, masses / masses.sum(), tol=1e-6)
    assert result.history[-1].n_evaluations <= 40
    assert result.bracket.relative_width < 1e-6


@pytest.mark.parametrize(
    "domain", [Box([0] * 3, [1] * 3), Polyhedron(np.vstack([np.zeros(3), np.eye(3)]))]
)
@pytest.mark.parametrize("k", [2, 3])
def test_in_space(domain, k):
    for spread in (1e-2, 1e-4, 1e-5):
        points, _ = clusters(150, spread, 3, k)
        result = solve(domain, points, tol=1e-6)
        assert result.history[-1].n_evaluations <= 25
        assert result.max_relative_error <= 1e-6
