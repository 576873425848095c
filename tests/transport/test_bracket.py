"""The bracket of `W2^2`: it holds at any heights, against values computed in other ways."""

import numpy as np
import pytest
from generators import cost, laguerre_cells, manufactured, product, ring
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from omt_course.transport import bracket as module
from omt_course.transport.bracket import Bracket, bracket
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.semidiscrete import solve

CHECKED = settings(max_examples=30, deadline=None, derandomize=True, database=None)
SQUARE = Box([0, 0], [1, 1])
REFERENCE = {100: 0.0103742323138226, 1000: 0.000956892326587}


def uniform(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


def holds(b, value, digits=1e-13):
    """`digits` is the relative accuracy of the value compared with."""
    return b.lower <= value * (1 + digits) and value * (1 - digits) <= b.upper


def test_reference_values_lie_inside():
    for n, value in REFERENCE.items():
        result = solve(SQUARE, uniform(n))
        assert holds(result.bracket, value)
        assert 0 <= result.bracket.relative_width <= 1e-8


@pytest.mark.parametrize("n", [100, 1000])
def test_it_holds_before_convergence_and_closes(n):
    brackets = [solve(SQUARE, uniform(n), max_iter=k, strict=False).bracket for k in range(6)]
    for b in brackets:
        assert isinstance(b, Bracket) and isinstance(b.lower, float) and isinstance(b.upper, float)
        assert holds(b, REFERENCE[n])
    widths = [b.relative_width for b in brackets]
    assert (np.diff(widths) < 0).all()
    assert widths[0] > 1e-2
    assert widths[5] < 1e-6


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 200])
@pytest.mark.parametrize(
    "problem",
    [
        product([0.1, 0.4, 0.2, 0.3], [0.5, 0.3, 0.2], [-1, 0.2, 0.3, 2], [0, 1, 5]),
        product([1e-3, 0.999], [0.01, 0.99], [0.1, 0.2], [3.0, 3.5]),
        ring(5, 0.3, 0.8),
        ring(7, 0.6, 4.0),
    ],
    ids=["product", "outside", "ring", "far"],
)
def test_closed_forms_with_unequal_masses(problem, steps):
    b = solve(problem.domain, problem.points, problem.masses, max_iter=steps, strict=False).bracket
    assert holds(b, problem.w2_squared, 1e-12)
    if steps == 200:
        assert b.relative_width <= 1e-8


def manufactured_problem(seed, kind):
    """Points with known optimal heights: those from which the masses were made."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 25))
    domain = SQUARE if seed % 2 else disk(0.7, 12)
    points = {
        "inside": lambda: rng.random((n, 2)),
        "outside": lambda: rng.uniform(2, 5, (n, 2)),
        "clusters": lambda: (
            rng.random((3, 2))[rng.integers(0, 3, n)] + rng.normal(scale=1e-3, size=(n, 2))
        ),
    }[kind]()
    middle = points.mean(axis=0)
    shrink = 0.3 / np.abs(points - middle).max()
    sites = domain.center + shrink * (points - middle)
    heights = -(sites**2).sum(axis=1) / (2 * shrink)
    heights += 0.1 * shrink * rng.uniform(-1, 1, n) * np.ptp(heights) / n**2
    return manufactured(domain, points, heights)


@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(0, 4),
    kind=st.sampled_from(["inside", "outside", "clusters"]),
)
@CHECKED
def test_manufactured_problems(seed, steps, kind):
    problem = manufactured_problem(seed, kind)
    if problem.masses.min() < 1e-9:
        return
    masses = problem.masses * (problem.domain.volume / problem.masses.sum())
    result = solve(problem.domain, problem.points, masses, max_iter=steps, strict=False)
    assert holds(result.bracket, problem.w2_squared, 1e-9)


@given(seed=st.integers(0, 10**6), noise=st.sampled_from([1e-9, 1e-4, 1e-2]))
@CHECKED
def test_any_heights_will_do(seed, noise):
    """Not only Newton's iterates: heights at random, masses at random; a finer problem decides.

    The exact value comes from the solver at full convergence, its cost from polygons cut by hand.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 15))
    points = rng.random((n, 2))
    masses = rng.dirichlet(np.full(n, 2.0))
    solved = solve(SQUARE, points, masses)
    exact = cost(laguerre_cells(SQUARE, points, solved.heights), points)
    heights = solved.heights + noise * rng.uniform(-1, 1, n)
    diagram = laguerre_diagram(SQUARE, points, heights)
    if diagram.masses.min() > 0:
        assert holds(bracket(diagram, heights, masses), exact, 1e-10)


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("place", [1e3, 1e6, 1e8])
def test_far_from_the_origin(place, steps):
    """There heights are large numbers and the lower end is a small difference of them."""
    points = place + uniform(100)
    result = solve(
        Box([place] * 2, [place + 1] * 2), points, max_iter=steps, strict=False, tol=1e-7
    )
    exact = solve(SQUARE, points - place).w2_squared  # the same points, to the last bit
    assert result.bracket.lower <= exact <= result.bracket.upper


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e9])
def test_units(unit):
    points = uniform(60)
    one = solve(SQUARE, points, max_iter=2, strict=False).bracket
    two = solve(Box([0, 0], [unit, unit]), unit * points, max_iter=2, strict=False).bracket
    assert two.lower == pytest.approx(unit**4 * one.lower, rel=1e-9)
    assert two.upper == pytest.approx(unit**4 * one.upper, rel=1e-9)


def test_constant_added_to_heights_changes_nothing():
    points, heights = uniform(30), -(uniform(30) ** 2).sum(axis=1) / 2
    masses = np.full(30, 1 / 30)
    a = bracket(laguerre_diagram(SQUARE, points, heights), heights, masses)
    b = bracket(laguerre_diagram(SQUARE, points, heights + 5), heights + 5, masses)
    assert a.lower == pytest.approx(b.lower, rel=1e-12)
    assert a.upper == pytest.approx(b.upper, rel=1e-12)


# The plans that make the upper end


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("plan", ["_even_out", "_flow"])
@pytest.mark.parametrize("seed", range(4))
def test_plans_carry_the_surplus_where_it_is_missing(plan, seed, exact, monkeypatch):
    """What a coupling needs: nothing negative, nobody gives more than it has, all ends meet."""
    if not exact:
        monkeypatch.setattr(module, "EXACT_UP_TO", 0)
    points = uniform(80, seed)
    diagram = laguerre_diagram(SQUARE, points, -(points**2).sum(axis=1) / 2)
    masses = diagram.masses * np.random.default_rng(seed).uniform(0.95, 1.05, 80)
    masses /= masses.sum()
    defect = masses - diagram.masses
    i, j, moved = getattr(module, plan)(diagram, defect)
    assert (moved >= 0).all()
    assert (np.bincount(i, moved, 80) <= diagram.masses).all()
    balance = np.bincount(j, moved, 80) - np.bincount(i, moved, 80)
    assert np.abs(balance - defect).max() < 1e-15
    if plan == "_even_out":
        assert (defect[i] < 0).all() and (defect[j] > 0).all()


def test_a_flow_that_takes_more_than_there_is_does_not_count():
    """Far from the solution neighbours are asked for more than they have: the direct plan stays."""
    points = uniform(80)
    heights = -(points**2).sum(axis=1) / 2
    masses = np.random.default_rng(0).dirichlet(np.full(80, 5.0))
    diagram = laguerre_diagram(SQUARE, points, heights)
    i, _, moved = module._flow(diagram, masses - diagram.masses)
    assert (np.bincount(i, moved, 80) > diagram.masses).any()
    exact = solve(SQUARE, points, masses).w2_squared
    b = bracket(diagram, heights, masses)
    assert np.isfinite(b.upper) and holds(b, exact, 1e-11)


def test_evening_out_is_the_cheapest_way():
    """Against a linear program: among direct plans no other has a lower cost of the coupling."""
    points, masses = uniform(20, 3), np.random.default_rng(3).dirichlet(np.full(20, 4.0))
    diagram = laguerre_diagram(SQUARE, points, -(points**2).sum(axis=1) / 2)
    defect = masses - diagram.masses
    apart = points[:, None] - points[None]
    mean = diagram.first_moments / diagram.masses[:, None]
    price = (apart**2).sum(axis=2) + 2 * (apart * mean[:, None]).sum(axis=2)

    i, j, moved = module._even_out(diagram, defect)
    giving, lacking = np.flatnonzero(defect < 0), np.flatnonzero(defect > 0)
    block = price[np.ix_(giving, lacking)]
    a, b = block.shape
    rows = np.vstack([np.kron(np.eye(a), np.ones(b)), np.kron(np.ones(a), np.eye(b))])
    best = linprog(block.ravel(), A_eq=rows, b_eq=np.append(-defect[giving], defect[lacking]))
    assert moved @ price[i, j] == pytest.approx(best.fun, rel=1e-9)


def test_nothing_to_even_out():
    """Cells that are right to the last bit: a lattice, whose start is the answer."""
    for k in (4, 150):  # 22,500 cells are enough for multigrid
        points = np.stack(np.meshgrid(np.arange(k), np.arange(k)), -1).reshape(-1, 2) + 0.5
        b = solve(Box([0, 0], [k, k]), points).bracket
        assert b.lower <= k * k / 6 * (1 + 1e-12) and k * k / 6 * (1 - 1e-12) <= b.upper
        assert b.relative_width <= 1e-11


def test_masses_in_another_unit_are_scaled():
    points = uniform(10)
    heights = -(points**2).sum(axis=1) / 2
    diagram = laguerre_diagram(SQUARE, points, heights)
    a = bracket(diagram, heights, np.full(10, 0.1))
    b = bracket(diagram, heights, np.full(10, 1.0))
    assert a.lower == pytest.approx(b.lower) and a.upper == pytest.approx(b.upper)


def test_in_a_triangle_far_from_its_points():
    domain = Polygon([[0, 0], [1, 0], [0, 1]])
    points = np.random.default_rng(0).uniform(50, 60, (25, 2))
    exact = solve(domain, points).w2_squared
    for steps in range(4):
        assert holds(solve(domain, points, max_iter=steps, strict=False).bracket, exact, 1e-11)


def test_relative_width():
    assert Bracket(1.0, 2.0).relative_width == 0.5
