"""Potentials and gradients of a result: inequalities, closed forms, finite differences."""

import numpy as np
import pytest
from generators import product, ring

from omt_course.transport.domains import Box, disk
from omt_course.transport.semidiscrete import solve

SQUARE = Box([0, 0], [1, 1])


def uniform(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


CASES = {
    "square": lambda: (SQUARE, uniform(80), None),
    "outside": lambda: (SQUARE, 3 + 2 * uniform(20, 1), None),
    "unequal": lambda: (SQUARE, uniform(30, 2), np.random.default_rng(2).dirichlet(np.ones(30))),
    "disk": lambda: (disk(0.6, 24), uniform(25, 3), None),
    "far": lambda: (Box([1e3, 0], [1e3 + 1, 1]), uniform(15, 4) + [1e3, 0], None),
    "space": lambda: (Box([0, 0, 0], [1, 1, 1]), np.random.default_rng(5).random((12, 3)), None),
}


@pytest.mark.parametrize("case", CASES)
def test_potentials_are_feasible_and_tight_on_cells(case):
    """`phi(x) + psi_i <= |x - y_i|^2 / 2`, with equality for the `i` that `x` is sent to."""
    domain, points, masses = CASES[case]()
    result = solve(domain, points, masses)
    d = domain.dimension
    x = domain.center + np.random.default_rng(0).uniform(-0.3, 0.3, (500, d))
    size = (points**2).sum(axis=1).max() + 1
    slack = ((x[:, None] - points) ** 2).sum(axis=2) / 2 - result.psi - result.phi(x)[:, None]
    assert slack.min() >= -1e-14 * size
    assert np.abs(slack[np.arange(500), result.assign(x)]).max() <= 1e-14 * size
    assert (slack.argmin(axis=1) == result.assign(x)).all()
    assert result.phi(x[0]) == pytest.approx(result.phi(x)[0], rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_potentials_add_up_to_the_distance(case):
    """`2 int phi dmu + 2 sum nu psi = W2^2`; the integral is exact at the cells' centres.

    On cell `i`, `phi = |x - y_i|^2 / 2 - psi_i`, and second moments are what the cost sums.
    """
    result = solve(*CASES[case]())
    on_cells = result.diagram.second_moments / 2 - result.psi * result.cell_masses
    total = 2 * on_cells.sum() + 2 * result.masses @ result.psi
    scale = np.finfo(float).eps * np.abs(result.psi).max() * result.domain.volume
    assert total == pytest.approx(result.w2_squared, rel=1e-9, abs=100 * scale)
    # phi itself, by the midpoint rule over the domain, is no other function.
    if case == "square":
        t = (np.arange(400) + 0.5) / 400
        x = np.stack(np.meshgrid(t, t), -1).reshape(-1, 2)
        assert result.phi(x).mean() == pytest.approx(on_cells.sum(), abs=2e-6)


@pytest.mark.parametrize("case", ["square", "outside", "unequal", "disk", "space"])
def test_gradient_with_respect_to_points(case):
    domain, points, masses = CASES[case]()
    result = solve(domain, points, masses, tol=1e-12)
    rng = np.random.default_rng(6)
    t = 1e-5
    for _ in range(3):
        v = rng.normal(size=points.shape)
        ends = [solve(domain, points + s * t * v, masses, tol=1e-12).w2_squared for s in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * t) == pytest.approx(
            (result.points_gradient * v).sum(), rel=1e-5, abs=1e-7
        )
    # And one number by hand: 2 nu_i (y_i - b_i).
    by_hand = 2 * result.masses[:, None] * (points - result.centroids)
    assert np.abs(result.points_gradient - by_hand).max() < 1e-10 * np.abs(by_hand).max()


@pytest.mark.parametrize("case", ["square", "outside", "unequal", "disk", "space"])
def test_gradient_with_respect_to_masses(case):
    domain, points, masses = CASES[case]()
    n = len(points)
    masses = np.full(n, domain.volume / n) if masses is None else masses
    result = solve(domain, points, masses, tol=1e-12)
    rng = np.random.default_rng(7)
    for _ in range(3):
        v = masses * rng.uniform(-1, 1, n)
        v -= masses * (v.sum() / masses.sum())  # the sum of the masses stays
        t = 1e-3
        ends = [solve(domain, points, masses + s * t * v, tol=1e-12).w2_squared for s in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * t) == pytest.approx(
            result.masses_gradient @ v, rel=1e-4, abs=1e-8
        )


def test_gradients_of_two_closed_forms():
    """Two boxes: `W2^2 = int_0^m x^2 + int_m^1 (1 - x)^2 + 1/12`, so the derivative is `2m - 1`."""
    m = 0.3
    problem = product([m, 1 - m], [0.4, 0.6], [0.0, 1.0], [0.2, 0.7])
    result = solve(problem.domain, problem.points, problem.masses)
    v = np.array([0.4, 0.6, -0.4, -0.6])  # dm, along the second axis in proportion
    # d/dm [m^3/3 + (1-m)^3/3] = m^2 - (1-m)^2 = 2m - 1.
    assert result.masses_gradient @ v == pytest.approx(2 * m - 1, abs=1e-9)
    # In a ring symmetry pushes the middle point nowhere, and the others along their rays.
    problem = ring(6, 0.4, 0.9)
    result = solve(problem.domain, problem.points, problem.masses)
    assert np.abs(result.points_gradient[0]).max() < 1e-9
    along = problem.points[1:] / 0.9
    across = (
        result.points_gradient[1:] - (result.points_gradient[1:] * along).sum(1)[:, None] * along
    )
    assert np.abs(across).max() < 1e-9


def test_gradient_vanishes_where_points_are_centroids():
    """Lloyd's iteration with masses fixed ends where the gradient says."""
    points = uniform(12, 8)
    costs = []
    for _ in range(200):
        result = solve(SQUARE, points)
        costs.append(result.w2_squared)
        points = result.centroids
    assert (np.diff(costs) <= 1e-12).all()
    assert np.abs(solve(SQUARE, points).points_gradient).max() < 1e-4
    assert costs[-1] < 0.5 * costs[0]
