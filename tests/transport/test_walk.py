import numpy as np
import pytest
from scipy.spatial import Delaunay

from omt_course.transport.density import TriangulatedDensity
from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.laplacian import energy_hessian
from omt_course.transport.semidiscrete import load, solve
from omt_course.transport.walk import DensityCutter

from .test_density import HALVES, SQUARE, ramp

UNIT = Box([0, 0], [1, 1])


def uniform(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


def triangulated_square(n=40, seed=4, values=None):
    """The unit square cut into random triangles, with a density that is 1 or as given."""
    inner = 0.05 + 0.9 * uniform(n, seed)
    v = np.vstack([SQUARE, inner])
    triangles = Delaunay(v).simplices
    a, b, c = v[triangles].transpose(1, 0, 2)
    turn = np.cross(np.c_[b - a, 0 * a[:, 0]], np.c_[c - a, 0 * a[:, 0]])[:, 2]
    triangles[turn < 0] = triangles[turn < 0][:, ::-1]
    return TriangulatedDensity(v, triangles, np.ones(len(v)) if values is None else values(v))


def annulus():
    """Density on [0, 3]^2: 1 on the rim, 0 on [1, 2]^2, linear on 18 triangles."""
    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0), indexing="ij"), -1).reshape(-1, 2)
    values = np.where(((grid >= 1) & (grid <= 2)).all(axis=1), 0.0, 1.0)
    corner = (4 * np.arange(3)[:, None] + np.arange(3)).ravel()
    lower = np.column_stack([corner, corner + 4, corner + 5])
    upper = np.column_stack([corner, corner + 5, corner + 1])
    return TriangulatedDensity(grid, np.vstack([lower, upper]), values)


@pytest.mark.parametrize("n", [3, 10, 500])
def test_constant_density_gives_the_cells_of_the_square(n):
    y = uniform(n) - 0.5
    h = -(y**2).sum(axis=1) / 2 + 1e-3 / n * np.random.default_rng(1).standard_normal(n)
    density = triangulated_square().moved(np.array([-0.5, -0.5]))
    cells, square = DensityCutter(density, y)(h), laguerre_diagram(Box([-0.5] * 2, [0.5] * 2), y, h)
    np.testing.assert_allclose(cells.masses, square.masses, atol=1e-14)
    np.testing.assert_allclose(cells.first_moments, square.first_moments, atol=1e-14)
    np.testing.assert_allclose(cells.second_moments, square.second_moments, atol=1e-14)
    a, b = energy_hessian(cells).toarray(), energy_hessian(square).toarray()
    np.testing.assert_allclose(a, b, atol=1e-9)
    area = sum(
        0.5 * np.abs(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)))
        for _, p in cells.cell_pieces()
    )
    assert area == pytest.approx(1, rel=1e-12)


def test_integrals_of_a_linear_density_by_many_small_squares():
    """Midpoints of a fine grid, assigned by brute force: second order but for the boundaries."""
    density = triangulated_square(values=lambda v: 1 + 3 * v[:, 0] - v[:, 1])
    y = uniform(12, 3)
    h = -(y**2).sum(axis=1) / 2
    middle, mean = density.center, y.mean(axis=0)
    cutter = DensityCutter(density.moved(-middle), y - mean)
    shifted = h + (y - mean) @ middle
    diagram = cutter(shifted - shifted.mean())
    side = (np.arange(1500) + 0.5) / 1500
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    owner = (x @ y.T + h).argmax(axis=1)
    rho = (1 + 3 * x[:, 0] - x[:, 1]) / 1500**2
    np.testing.assert_allclose(diagram.masses, np.bincount(owner, rho), atol=2e-5)
    cost = np.bincount(owner, rho * ((x - y[owner]) ** 2).sum(axis=1))
    moved = diagram.moved(density, y, h, middle, mean)
    np.testing.assert_allclose(moved.second_moments, cost, atol=1e-5)


def test_hessian_by_finite_differences():
    density = annulus().moved(np.array([-1.5, -1.5]))
    y = 3 * (uniform(25, 2) - 0.5)
    h = -(y**2).sum(axis=1) / 2
    cutter = DensityCutter(density, y)
    hessian, step = energy_hessian(cutter(h)).toarray(), 1e-6
    for i in range(0, 25, 4):
        e = np.zeros(25)
        e[i] = step
        slope = (cutter(h + e).masses - cutter(h - e).masses) / (2 * step)
        np.testing.assert_allclose(hessian[:, i], slope, atol=1e-7)


def test_a_ramp_onto_a_grid_has_a_product_map():
    """Under `2 x` on the square the first coordinate splits at `sqrt(k / p)`, the second evenly."""
    rng = np.random.default_rng(6)
    a, b = np.sort(rng.random(4)), np.sort(rng.random(5))
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    result = solve(ramp(), grid)
    cuts = np.sqrt(np.arange(5) / 4)
    s, t = cuts[:-1], cuts[1:]
    # int_s^t (x - a)^2 2 x dx = [x^4/2 - 4 a x^3/3 + a^2 x^2]
    part = [x**4 / 2 - 4 * a * x**3 / 3 + a**2 * x**2 for x in (s, t)]
    s, t = np.arange(5) / 5 - b, np.arange(1, 6) / 5 - b
    expected = (part[1] - part[0]).sum() + ((t**3 - s**3) / 3).sum()
    assert result.w2_squared == pytest.approx(expected, rel=1e-10)
    assert result.bracket.lower <= expected <= result.bracket.upper
    np.testing.assert_allclose(result.masses, 1 / 20)


def test_a_density_with_a_hole_is_reached_through_mixtures():
    density = annulus()
    side = 3 * (np.arange(30) + 0.5) / 30
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    result = solve(density, grid, tol=1e-12)
    assert result.max_relative_error <= 1e-12
    shares = [step.share for step in result.history]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert result.n_iter <= 25  # what the theory's authors need without mixtures
    steps = [step.iteration for step in result.history]
    assert steps == sorted(steps) and steps[-1] == result.n_iter
    # Referee: mass of random points in each of 9 blocks of cells.
    x = density.sample(50_000, np.random.default_rng(0))
    block = (result.assign(x) // 30) // 10 * 3 + result.assign(x) % 30 // 10
    shares = np.bincount(block, minlength=9) / len(x)
    assert (np.abs(shares - 1 / 9) < 5 * np.sqrt(1 / 9 / len(x))).all()


def test_domains_that_are_not_convex():
    """An L: three quarters of a square. By symmetry about its diagonal."""
    v = [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1], [0, 2], [1, 2]]
    squares = [[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6]]
    triangles = [t for a, b, c, d in squares for t in ([a, b, c], [a, c, d])]
    density = TriangulatedDensity(v, triangles, np.ones(8))
    half = 2 * uniform(20, 9)
    half = half[half[:, 0] > half[:, 1]]
    points = np.vstack([half, half[:, ::-1]])
    result = solve(density, points)
    k = len(half)
    np.testing.assert_allclose(result.heights[:k], result.heights[k:], atol=1e-9)
    assert result.max_relative_error <= 1e-10
    x = density.sample(40_000, np.random.default_rng(1))
    shares = np.bincount(result.assign(x), minlength=2 * k) / len(x)
    assert (np.abs(shares - 1 / (2 * k)) < 5 * np.sqrt(1 / (2 * k) / len(x))).all()


def test_a_result_is_read_back_bit_for_bit(tmp_path):
    result = solve(ramp(), uniform(20))
    result.save(tmp_path / "ramp.npz")
    back = load(tmp_path / "ramp.npz")
    np.testing.assert_array_equal(back.diagram.corners, result.diagram.corners)
    np.testing.assert_array_equal(back.domain.triangles, np.array(HALVES))
    assert back.w2_squared == result.w2_squared and back.bracket == result.bracket
