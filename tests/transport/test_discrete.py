"""Discrete transport: every answer is held against a closed form, an enumeration or its dual."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from omt_course.transport import discrete
from omt_course.transport.costs import Monotonicity
from omt_course.transport.discrete import (
    NotOptimal,
    assignment,
    c_transform,
    cost_matrix,
    cyclic_monotonicity,
    one_dimensional,
    plan,
)


def random_problem(seed, n, m, *, d=2, zeros=False):
    """Points and masses of total 1; with `zeros`, some points have no mass."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    if zeros:
        a[rng.random(n) < 0.3], b[rng.random(m) < 0.3] = 0, 0
        a[0] = b[0] = 1.0
    return rng.normal(size=(n, d)), a / a.sum(), rng.normal(size=(m, d)), b / b.sum()


def generic_lp(a, b, cost):
    """Optimal value by SciPy's HiGHS, which knows nothing of transport."""
    n, m = cost.shape
    sums = sp.vstack([sp.kron(sp.eye(n), np.ones((1, m))), sp.kron(np.ones((1, n)), sp.eye(m))])
    answer = linprog(cost.ravel(), A_eq=sums.tocsr(), b_eq=np.r_[a, b], method="highs")
    assert answer.status == 0
    return answer.fun


def assert_certified(result, *, tol=1e-9):
    """What a reader would check by hand, without the properties of the result."""
    assert result.plan.min() >= 0
    np.testing.assert_allclose(result.plan.sum(axis=1), result.a, atol=1e-12 * result.a.sum())
    np.testing.assert_allclose(result.plan.sum(axis=0), result.b, atol=1e-12 * result.a.sum())
    scale = np.abs(result.cost).max()
    assert (result.phi[:, None] + result.psi - result.cost).max() <= 1e-15 * scale
    primal = (result.cost * result.plan).sum()
    dual = (result.phi * result.a).sum() + (result.psi * result.b).sum()
    assert abs(primal - dual) <= tol * max(primal, 1e-6 * scale)


# --- costs and transforms ---------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2, 3, 1.5])
def test_cost_is_the_pth_power_over_p(p):
    x, _, y, _ = random_problem(0, 4, 3, d=3)
    expected = [[sum((u - v) ** 2) ** (p / 2) / p for v in y] for u in x]
    np.testing.assert_allclose(cost_matrix(x, y, p=p), expected, rtol=1e-13)


def test_costs_far_from_the_origin_keep_their_digits():
    x, _, y, _ = random_problem(1, 5, 5)
    x, y = x.round(2), y.round(2)  # on a grid that survives the shift
    far = 2.0**24
    near = cost_matrix(x, y)
    np.testing.assert_allclose(cost_matrix(x + far, y + far), near, atol=1e-7)


@given(st.integers(0, 10**6))
def test_c_transform_is_feasible_and_the_third_equals_the_first(seed):
    rng = np.random.default_rng(seed)
    cost, psi = rng.normal(size=(4, 6)), rng.normal(size=6)
    phi = c_transform(psi, cost)
    assert (phi[:, None] + psi <= cost + 1e-15).all()
    assert np.isclose(phi[:, None] + psi, cost).any(axis=1).all()  # tight in every row
    better = c_transform(phi, cost.T)
    assert (better >= psi - 1e-15).all()
    np.testing.assert_allclose(c_transform(better, cost), phi, atol=1e-14)


# --- plans ------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_plan_is_certified_and_agrees_with_a_generic_lp(seed, n, m, zeros):
    x, a, y, b = random_problem(seed, n, m, zeros=zeros)
    cost = cost_matrix(x, y)
    best = plan(a, b, cost)
    assert_certified(best)
    assert best.primal == pytest.approx(generic_lp(a, b, cost), rel=1e-7)
    assert cyclic_monotonicity(best.support(), cost).monotone


@pytest.mark.parametrize("seed", range(5))
def test_assignment_is_the_best_permutation_and_no_plan_is_better(seed):
    x, _, y, _ = random_problem(seed, 6, 6)
    cost = cost_matrix(x, y)
    least = min(cost[range(6), s].sum() for s in itertools.permutations(range(6))) / 6
    best = assignment(cost)
    assert_certified(best)
    assert best.primal == pytest.approx(least, rel=1e-13)
    equal = np.full(6, 1 / 6)
    assert plan(equal, equal, cost).primal == pytest.approx(least, rel=1e-12)  # Birkhoff


def test_translation_costs_its_square_and_moves_every_point():
    x = np.random.default_rng(2).normal(size=(200, 3))
    shift = np.array([1.0, -2, 0.5])
    best = assignment(cost_matrix(x, x + shift))
    assert best.as_map().tolist() == list(range(200))
    assert 2 * best.primal == pytest.approx(shift @ shift, rel=1e-12)


def test_gradient_of_a_convex_function_is_optimal():
    """Brenier: `y = A x` with `A` symmetric positive definite cannot be improved."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 2))
    y = x @ np.array([[2.0, 0.7], [0.7, 0.5]])
    cost = cost_matrix(x, y)
    assert assignment(cost).as_map().tolist() == list(range(80))
    identity = np.column_stack([np.arange(80)] * 2)
    assert cyclic_monotonicity(identity, cost).monotone
    turned = x @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # monotone in no direction: not a gradient
    assert not cyclic_monotonicity(identity, cost_matrix(x, turned)).monotone


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
@pytest.mark.parametrize("mass", [1e-9, 1.0, 1e9])
def test_units_of_cost_and_mass_do_not_matter(scale, mass):
    x, a, y, b = random_problem(4, 30, 25)
    cost = cost_matrix(x, y)
    one, other = plan(a, b, cost), plan(mass * a, mass * b, scale * cost)
    assert_certified(other)
    assert other.primal == pytest.approx(scale * mass * one.primal, rel=1e-10)
    assert other.relative_gap == pytest.approx(0, abs=1e-10)


def test_negative_costs_and_constant_shifts():
    x, a, y, b = random_problem(5, 10, 12)
    cost = cost_matrix(x, y)
    best = plan(a, b, cost - 100)
    assert best.primal == pytest.approx(plan(a, b, cost).primal - 100, rel=1e-12)
    assert abs(best.gap) <= 1e-9 * 100


def test_ties_on_a_grid_leave_a_gap_of_rounding():
    side = np.arange(6.0)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    best = assignment(cost_matrix(grid, grid + [1, 0]))
    assert_certified(best)
    assert 2 * best.primal == pytest.approx(1.0, rel=1e-12)
    equal = np.full(36, 1 / 36)
    assert_certified(plan(equal, equal, cost_matrix(grid, grid + [1, 0])))


def test_equal_measures_cost_nothing():
    x, a, _, _ = random_problem(6, 9, 9)
    best = plan(a, a, cost_matrix(x, x))
    assert best.primal == best.relative_gap == 0


def test_integer_masses_are_not_truncated():
    best = plan([1, 1], [2, 0], [[1, 5], [2, 5]])  # POT alone would cast the plan to integers
    np.testing.assert_allclose(best.plan, [[1, 0], [1, 0]])
    best = plan([3, 1], [1.5, 2.5], [[0, 1], [1, 0]])
    np.testing.assert_allclose(best.plan, [[1.5, 1.5], [0, 1]])


def test_stopping_early_is_an_error_that_carries_the_gap():
    x, a, y, b = random_problem(7, 60, 60)
    with pytest.raises(NotOptimal, match="numItermax") as caught:
        plan(a, b, cost_matrix(x, y), max_iter=5)
    best = plan(a, b, cost_matrix(x, y)).primal
    assert caught.value.result.dual <= best


def test_a_gap_above_the_tolerance_is_an_error(monkeypatch):
    """A solver that returns a bad plan and says nothing is caught by the certificate."""
    import ot.lp

    def lazy(a, b, cost, **_):
        return np.outer(a, b), {"v": np.zeros(len(b)), "warning": None}

    monkeypatch.setattr(ot.lp, "emd", lazy)
    x, a, y, b = random_problem(8, 5, 5)
    with pytest.raises(NotOptimal, match="expected a gap") as caught:
        plan(a, b, cost_matrix(x, y))
    assert caught.value.result.gap > 0.01


def test_a_plan_that_misses_its_marginals_is_an_error(monkeypatch):
    import ot.lp

    def leaky(a, b, cost, **_):
        return np.diag(0.5 * a), {"v": np.zeros(len(b)), "warning": None}

    monkeypatch.setattr(ot.lp, "emd", leaky)
    with pytest.raises(NotOptimal, match="misses its marginals by 2.5e-01"):
        plan([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]])


def test_support_and_map():
    best = plan([0.5, 0.5], [0.25, 0.75], [[0.0, 1.0], [1.0, 0.0]])
    assert best.support().tolist() == [[0, 0], [0, 1], [1, 1]]
    with pytest.raises(ValueError, match="one target a source, got 2 for source 0"):
        best.as_map()


# --- the line ---------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 10), st.booleans())
@settings(max_examples=60, deadline=None)
def test_order_is_optimal_on_the_line(seed, n, m, zeros):
    x, a, y, b = random_problem(seed, n, m, d=1, zeros=zeros)
    for p in (1, 2, 3):
        best = one_dimensional(x[:, 0], a, y[:, 0], b, p=p)
        assert_certified(best)
        assert best.primal == pytest.approx(plan(a, b, cost_matrix(x, y, p=p)).primal, rel=1e-9)


def test_quantile_formula():
    """Uniform on [0, 1] to uniform on [2, 5], cell by cell: `W2^2 = int (2 + 2 t)^2 dt`."""
    n = 400
    t = (np.arange(n) + 0.5) / n
    equal = np.full(n, 1 / n)
    best = one_dimensional(t[::-1], equal, 2 + 3 * t, equal)
    assert 2 * best.primal == pytest.approx(((2 + 2 * t) ** 2).mean(), rel=1e-12)
    assert 2 * best.primal == pytest.approx(28 / 3, rel=1e-5)


def test_repeated_places_and_equal_masses():
    best = one_dimensional([1, 1, 0, 0], np.ones(4), [2, 2, 3, 3], np.ones(4))
    assert_certified(best)
    assert 2 * best.primal == pytest.approx(4 * 4)


# --- cyclic monotonicity ----------------------------------------------------------------------


def test_a_three_cycle_that_no_swap_improves():
    cost = np.array([[1.0, 0, 9], [9, 1, 0], [0, 9, 1]])
    found = cyclic_monotonicity([[0, 0], [1, 1], [2, 2]], cost)
    assert not found.monotone
    assert found.gain == 3.0
    sources, targets = found.cycle.T
    old, new = cost[sources, targets].sum(), cost[sources, np.roll(targets, -1)].sum()
    assert old - new == found.gain  # the cycle does what its documentation says
    assert len(found.cycle) == 3


@given(st.integers(0, 10**6), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_monotone_exactly_when_optimal(seed, n):
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 4, size=(n, n)).astype(float)  # many ties
    permutation = rng.permutation(n)
    pairs = np.column_stack([np.arange(n), permutation])
    least = min(cost[range(n), s].sum() for s in itertools.permutations(range(n)))
    found = cyclic_monotonicity(pairs, cost)
    assert found.monotone == (cost[range(n), permutation].sum() == least)
    if found.monotone:
        tight = found.phi[pairs[:, 0]] + found.psi[pairs[:, 1]]
        np.testing.assert_allclose(tight, cost[tuple(pairs.T)], atol=1e-12)
        assert (found.phi[:, None] + found.psi <= cost + 1e-12).all()
    else:
        sources, targets = found.cycle.T
        saved = cost[sources, targets].sum() - cost[sources, np.roll(targets, -1)].sum()
        assert saved == pytest.approx(found.gain) and found.gain > 0


def test_pairs_that_share_a_target_or_repeat():
    cost = cost_matrix([[0.0], [1.0], [2.0]], [[0.5], [3.0]])
    found = cyclic_monotonicity([[0, 0], [1, 0], [1, 1], [2, 1], [2, 1]], cost)
    assert isinstance(found, Monotonicity) and found.monotone
    assert found.cycle.shape == (0, 2)


# --- bad input --------------------------------------------------------------------------------

HALF, C2 = [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]]
BAD = [
    ("b: expected the total mass of a, 1, got 2", lambda: plan(HALF, [1, 1], C2)),
    ("a: expected shape", lambda: plan([1.0], HALF, C2)),
    ("a: expected non-negative", lambda: plan([1.5, -0.5], HALF, C2)),
    ("b: expected non-negative", lambda: plan(HALF, [0, 0], C2)),
    ("a: expected finite", lambda: plan([np.nan, 1], HALF, C2)),
    ("cost: expected finite", lambda: plan(HALF, HALF, [[0, np.inf], [1, 0]])),
    ("cost: expected a non-empty 2-d", lambda: plan(HALF, HALF, [0.0, 1.0])),
    ("cost: expected an array of numbers", lambda: plan(HALF, HALF, [["a", "b"]])),
    ("cost: expected a square", lambda: assignment([[1.0, 2.0]])),
    ("x: expected a non-empty", lambda: cost_matrix(np.empty((0, 2)), [[0, 0]])),
    ("y: expected points of dimension 2, got 3", lambda: cost_matrix([[0, 0]], [[0, 0, 0]])),
    ("p: expected a number at least 1", lambda: cost_matrix([[0.0]], [[0.0]], p=0.5)),
    ("p: expected", lambda: one_dimensional([0], [1], [0], [1], p=np.nan)),
    ("b: expected the total", lambda: one_dimensional([0], [1], [0], [2])),
    ("b: expected shape", lambda: one_dimensional([0], [1], [0], [0.5, 0.5])),
    ("psi: expected shape", lambda: c_transform([0.0], C2)),
    ("pairs: expected shape", lambda: cyclic_monotonicity(np.empty((0, 2), int), C2)),
    ("pairs: expected row and column", lambda: cyclic_monotonicity([[0, 2]], C2)),
    ("pairs: expected row and column", lambda: cyclic_monotonicity([[0.5, 1]], C2)),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_names_the_argument(message, call):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


def test_importing_the_module_brings_neither_torch_nor_matplotlib():
    code = (
        "import sys, omt_course.transport.discrete\n"
        "print([m for m in ('torch', 'matplotlib', 'ot') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert discrete.plan is plan
