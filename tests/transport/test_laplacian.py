"""Linear systems of graph Laplacians: multigrid, factors and dense algebra agree."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from omt_course.transport import laplacian
from omt_course.transport.domains import Box
from omt_course.transport.laplacian import LaplacianSolver, graph_laplacian
from omt_course.transport.semidiscrete import solve


def mesh(n, seed=0, spread=0.0):
    """Edges of a Delaunay triangulation with weights that spread over decades."""
    rng = np.random.default_rng(seed)
    tri = Delaunay(rng.random((n, 2))).simplices
    edges = np.unique(np.sort(np.vstack([tri[:, :2], tri[:, 1:], tri[:, ::2]]), axis=1), axis=0)
    return edges, 10 ** (spread * rng.uniform(-1, 1, len(edges)))


def right_side(n, seed=1):
    b = np.random.default_rng(seed).normal(size=n)
    return b - b.mean()


@pytest.mark.parametrize("n", [3, 20, 300])
def test_entries_against_the_quadratic_form(n):
    """`x H x = sum over edges of weight (x_i - x_j)^2`, and constants are in the kernel."""
    pairs, weights = mesh(n, spread=1)
    matrix = graph_laplacian(pairs, weights, n)
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=n)
        expected = (weights * (x[pairs[:, 0]] - x[pairs[:, 1]]) ** 2).sum()
        assert x @ (matrix @ x) == pytest.approx(expected, rel=1e-12)
    assert np.abs(matrix @ np.ones(n)).max() < 1e-12 * weights.max()
    dense = matrix.toarray()
    assert (dense == dense.T).all()
    assert (np.linalg.eigvalsh(dense)[1:] > 0).all()


def test_order_within_a_pair_does_not_matter_and_isolated_vertices_are_zero_rows():
    a = graph_laplacian(np.array([[0, 1], [2, 1]]), np.array([1.0, 3.0]), 4).toarray()
    b = graph_laplacian(np.array([[1, 0], [1, 2]]), np.array([1.0, 3.0]), 4).toarray()
    assert (a == b).all()
    assert (a[3] == 0).all()


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("n, spread", [(4, 0), (50, 2), (400, 3)])
def test_factors_against_dense_algebra(n, spread, dimension):
    pairs, weights = mesh(n, spread=spread)
    matrix, b = graph_laplacian(pairs, weights, n), right_side(n)
    x = LaplacianSolver(dimension).solve(matrix, b, np.ones(n), 1e-12)
    expected = np.linalg.lstsq(matrix.toarray(), b, rcond=None)[0]
    assert x[-1] == 0
    assert np.abs(x - (expected - expected[-1])).max() <= 1e-8 * np.abs(x).max()


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_multigrid_is_factorisation(spread, monkeypatch):
    n = 3000
    pairs, weights = mesh(n, spread=spread)
    matrix, b = graph_laplacian(pairs, weights, n), right_side(n)
    scale = np.full(n, np.abs(b).max())
    direct = LaplacianSolver(2).solve(matrix, b, scale, 1e-10)
    monkeypatch.setattr(laplacian, "MULTIGRID_FROM", {2: 100, 3: 100})
    iterated = LaplacianSolver(2)
    x = iterated.solve(matrix, b, scale, 1e-10)
    assert iterated.preconditioner is not None
    assert (np.abs(matrix @ x - b) / scale).max() <= 1e-9
    assert np.abs(x - direct).max() <= 1e-6 * np.abs(direct).max()
    # Another matrix on the same graph, with the hierarchy that is there.
    kept = iterated.preconditioner
    other = graph_laplacian(pairs, weights * np.linspace(1, 2, len(weights)), n)
    x = iterated.solve(other, b, scale, 1e-10)
    assert (np.abs(other @ x - b) / scale).max() <= 1e-9
    if spread == 0:
        assert iterated.preconditioner is kept


def test_a_hierarchy_that_no_longer_serves_is_replaced(monkeypatch):
    monkeypatch.setattr(laplacian, "MULTIGRID_FROM", {2: 100, 3: 100})
    n = 3000
    pairs, weights = mesh(n)
    solver = LaplacianSolver(2)
    b, scale = right_side(n), np.ones(n)
    solver.solve(graph_laplacian(pairs, weights, n), b, scale, 1e-8)
    kept = solver.preconditioner
    other = graph_laplacian(pairs, mesh(n, seed=7, spread=4)[1][: len(weights)], n)
    x = solver.solve(other, b, scale, 1e-8)
    assert (np.abs(other @ x - b) / scale).max() <= 1e-7
    assert solver.preconditioner is not kept


@pytest.mark.parametrize("n", [50, 3000])
def test_nothing_to_do_is_done(n, monkeypatch):
    """Right-hand side zero: the answer is zero, and no quotient of zeros."""
    monkeypatch.setattr(laplacian, "MULTIGRID_FROM", {2: 100, 3: 100})
    pairs, weights = mesh(n)
    x = LaplacianSolver(2).solve(graph_laplacian(pairs, weights, n), np.zeros(n), np.ones(n), 1e-8)
    assert (x == 0).all()


@pytest.mark.parametrize("unit", [1e-18, 1e18])
def test_units_do_not_matter(unit, monkeypatch):
    monkeypatch.setattr(laplacian, "MULTIGRID_FROM", {2: 100, 3: 100})
    n = 1000
    pairs, weights = mesh(n)
    b = right_side(n)
    one = LaplacianSolver(2).solve(graph_laplacian(pairs, weights, n), b, np.ones(n), 1e-9)
    two = LaplacianSolver(2).solve(
        graph_laplacian(pairs, weights, n), unit * b, np.full(n, unit), 1e-9
    )
    assert np.allclose(two, unit * one, rtol=1e-6, atol=1e-6 * unit * np.abs(one).max())


@pytest.mark.parametrize("kind", ["uniform", "clusters", "outside"])
def test_solver_finds_the_same_heights_by_multigrid_and_by_factors(kind, monkeypatch):
    rng = np.random.default_rng(11)
    points = rng.random((800, 2))
    if kind == "clusters":
        points = rng.random((3, 2))[rng.integers(0, 3, 800)] + 0.02 * rng.normal(size=(800, 2))
    elif kind == "outside":
        points = 3 + 2 * points
    masses = rng.dirichlet(np.full(800, 2.0)) + 1e-5
    masses /= masses.sum()
    square = Box([0, 0], [1, 1])
    by_factors = solve(square, points, masses)
    monkeypatch.setattr(laplacian, "MULTIGRID_FROM", {2: 100, 3: 100})
    by_multigrid = solve(square, points, masses)
    size = np.ptp(by_factors.heights)
    assert np.abs(by_multigrid.heights - by_factors.heights).max() <= 1e-9 * size
    assert by_multigrid.w2_squared == pytest.approx(by_factors.w2_squared, rel=1e-9)
    assert by_multigrid.bracket.relative_width <= 1e-7
