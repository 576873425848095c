"""Certificates: every right answer passes, every usual slip fails with its own sentence."""

import numpy as np
import pytest
from refusals import refused

from omt_course.course import checks
from omt_course.transport import discrete, semidiscrete
from omt_course.transport.domains import Box


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    a, b = rng.random(6) + 0.2, rng.random(9) + 0.2
    a, b = a / a.sum(), b / b.sum()
    cost = discrete.cost_matrix(rng.normal(size=(6, 2)), rng.normal(size=(9, 2)))
    return discrete.plan(a, b, cost)


def test_a_check_reads_as_a_sentence():
    answer = checks.marginals([[1.0]], [1.0], [1.0])
    assert str(answer) == repr(answer) == f"OK: {answer.message}."
    assert issubclass(checks.CheckFailed, AssertionError)


# --- marginals --------------------------------------------------------------------------------


def test_every_plan_passes_whatever_its_cost(problem):
    independent = np.outer(problem.a, problem.b)
    for plan in (problem.plan, independent, (problem.plan + independent) / 2):
        assert "transport plan" in checks.marginals(plan, problem.a, problem.b).message
    checks.marginals(1e6 * problem.plan, 1e6 * problem.a, 1e6 * problem.b)


def gibbs(problem):
    return np.exp(-problem.cost / 0.1)


WRONG_PLANS = {
    "did you normalise by rows only": lambda p, k: k / k.sum(1, keepdims=True) * p.a[:, None],
    "did you normalise by columns only": lambda p, k: k / k.sum(0) * p.b,
    "multiply row i by a_i": lambda p, k: p.plan / p.a[:, None],
    "multiply column j by b_j": lambda p, k: p.plan / p.b,
    "holds a mass of 2, not 1": lambda p, k: 2 * p.plan,
    "It looks transposed": lambda p, k: p.plan.T,
    "one row a source": lambda p, k: p.plan[:, 0],
    "entry (0, 2) is -0.9": lambda p, k: p.plan - np.eye(6, 9, 2) * (np.arange(6) == 0)[:, None],
    "expected finite": lambda p, k: p.plan * np.nan,
    "expected numbers": lambda p, k: "plan",
}


@pytest.mark.parametrize("sentence", WRONG_PLANS)
def test_wrong_plans(problem, sentence):
    wrong = WRONG_PLANS[sentence](problem, gibbs(problem))
    assert sentence in refused(checks.marginals, wrong, problem.a, problem.b)


def test_sides_swapped_in_a_square_problem():
    a, b = np.array([0.7, 0.3]), np.array([0.4, 0.6])
    assert "transpose the plan" in refused(checks.marginals, np.outer(b, a), a, b)


def test_a_wrong_row_is_named():
    wrong = np.diag([0.5, 0.25, 0.25])
    sentence = refused(checks.marginals, wrong, np.full(3, 1 / 3), np.diag(wrong))
    assert sentence.startswith("row sums are off by up to 0.17, at row 0. The columns are right")
    nearly = np.full((3, 3), 1 / 9) * (1 + 0.01 * np.array([[1], [-1], [0]]))
    assert "did an iteration stop too early" in refused(
        checks.marginals, nearly, np.full(3, 1 / 3), np.full(3, 1 / 3)
    )


# --- optimality and duality -------------------------------------------------------------------


def test_optimal_plan_needs_no_potentials(problem):
    answer = checks.optimal(problem.plan, problem.a, problem.b, problem.cost)
    assert "optimal plan" in answer.message


def test_product_and_sinkhorn_plans_are_recognised(problem):
    independent = np.outer(problem.a, problem.b)
    sides = problem.a, problem.b, problem.cost
    assert "independent" in refused(checks.optimal, independent, *sides)
    kernel = gibbs(problem)
    for _ in range(2000):
        kernel *= (problem.a / kernel.sum(1))[:, None]
        kernel *= problem.b / kernel.sum(0)
    assert "Sinkhorn" in refused(checks.optimal, kernel, *sides)


def test_a_full_plan_may_be_optimal_where_the_cost_is_flat():
    checks.optimal(np.full((2, 2), 0.25), [0.5, 0.5], [0.5, 0.5], np.ones((2, 2)))


def test_an_improvable_plan_comes_with_its_improvement():
    equal = np.full(3, 1 / 3)
    x = np.array([[0.0], [1.0], [2.0]])
    sentence = refused(
        checks.optimal, np.eye(3)[[1, 0, 2]] / 3, equal, equal, discrete.cost_matrix(x, x)
    )
    assert "can be improved" in sentence and "saves 1 for each" in sentence


def test_right_potentials_pass_up_to_a_constant(problem):
    p = problem
    answer = checks.duality(p.plan, p.phi + 3, p.psi - 3, p.cost, p.a, p.b)
    assert "both are optimal" in answer.message


WRONG_POTENTIALS = {
    "both potentials have the wrong sign": lambda p: (-p.phi, -p.psi),
    "the dual adds them": lambda p: (p.phi, -p.psi),
    "twice what they should be": lambda p: (2 * p.phi, 2 * p.psi),
    "half what they should be": lambda p: (p.phi / 2, p.psi / 2),
    "exceeds c_ij by": lambda p: (p.phi + 0.1, p.psi),
    "would raise it to": lambda p: (p.phi - 0.1, p.psi),
    "the plan is optimal at": lambda p: (discrete.c_transform(0 * p.psi, p.cost), 0 * p.psi),
    "phi lives on the sources": lambda p: (p.psi, p.phi),
    "phi is nan at index (0,)": lambda p: (np.nan * p.phi, p.psi),
}


@pytest.mark.parametrize("sentence", WRONG_POTENTIALS)
def test_wrong_potentials(problem, sentence):
    p = problem
    phi, psi = WRONG_POTENTIALS[sentence](p)
    assert sentence in refused(checks.duality, p.plan, phi, psi, p.cost, p.a, p.b)


def test_right_potentials_of_a_wrong_plan_blame_the_plan(problem):
    p = problem
    wrong = np.outer(p.a, p.b)
    assert "independent" in refused(checks.duality, wrong, p.phi, p.psi, p.cost, p.a, p.b)


# --- cells ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells():
    points = np.random.default_rng(1).random((40, 2))
    return semidiscrete.solve(Box([0, 0], [1, 1]), points)


def test_right_heights_pass_and_a_constant_does_not_matter(cells):
    answer = checks.cell_areas(cells.domain, cells.points, cells.heights + 5)
    assert "all 40 cells" in answer.message


WRONG_HEIGHTS = {
    "wrong sign": lambda r: -r.heights,
    "Kantorovich potentials": lambda r: r.psi,
    "weights of a power diagram": lambda r: 2 * r.psi,
    "half the heights": lambda r: r.heights / 2,
    "cells are empty, cell 7 first": lambda r: r.heights - 9 * (np.arange(40) == 7),
    "cell 3 has area": lambda r: r.heights + 1e-4 * (np.arange(40) == 3),
    "one a point": lambda r: r.heights[1:],
}


@pytest.mark.parametrize("sentence", WRONG_HEIGHTS)
def test_wrong_heights(cells, sentence):
    heights = WRONG_HEIGHTS[sentence](cells)
    assert sentence in refused(checks.cell_areas, cells.domain, cells.points, heights)


def test_a_cell_too_large_is_to_be_lowered(cells):
    heights = cells.heights + 1e-4 * (np.arange(40) == 3)
    sentence = refused(checks.cell_areas, cells.domain, cells.points, heights)
    assert "too large, lower its height" in sentence


def test_masses_that_do_not_fill_the_domain(cells):
    sentence = refused(checks.cell_areas, cells.domain, cells.points, cells.heights, np.ones(40))
    assert "sum to 40" in sentence and "area is 1" in sentence
    larger, points = Box([0, 0], [2, 2]), cells.points
    shares = refused(checks.cell_areas, larger, points, cells.heights, np.full(40, 1 / 40))
    assert "Are they shares? Multiply by the area" in shares


def test_masses_in_another_order(cells):
    nu = np.random.default_rng(3).dirichlet(np.full(40, 20.0))
    found = semidiscrete.solve(cells.domain, cells.points, nu)
    assert "in another order: which cell belongs to y_i" in refused(
        checks.cell_areas, cells.domain, cells.points, found.heights, nu[::-1]
    )


def test_tensors_that_cannot_be_read_as_numbers():
    torch = pytest.importorskip("torch")
    assert "give x.detach().cpu().numpy()" in refused(
        checks.closed_form, torch.ones(3, requires_grad=True), TRUTH
    )
    assert "is a list, [1, [2, 3]], expected numbers" in refused(
        checks.closed_form, [1, [2, 3]], TRUTH
    )


# --- numbers and functions --------------------------------------------------------------------

TRUTH = np.array([1.0, 2.0, 4.0])
WRONG_VALUES = {
    "negative": -TRUTH,
    "twice": 2 * TRUTH,
    "half": TRUTH / 2,
    "square root": np.sqrt(TRUTH),
    "is the square of": TRUTH**2,
    "by a constant": TRUTH + 1,
    "is 5 at index (2,), the formula gives 4": TRUTH + [0, 0, 1],
    "has shape (2,)": TRUTH[:2],
    "expected finite": TRUTH * np.inf,
    "100 times": 100 * TRUTH,
    "is the reciprocal of": 1 / TRUTH,
    "another order": TRUTH[[2, 0, 1]],
    "is 1.7 times what the formula gives, at every index": 1.7 * TRUTH,
    "The number of entries is right: reshape it": TRUTH[:, None],
}


@pytest.mark.parametrize("sentence", WRONG_VALUES)
def test_wrong_values(sentence):
    assert sentence in refused(checks.closed_form, WRONG_VALUES[sentence], TRUTH)


def test_right_values_and_scalars():
    assert "agrees" in checks.closed_form(TRUTH * (1 + 1e-9), TRUTH).message
    checks.closed_form(3.0, 3.0)
    assert refused(checks.closed_form, 3.5, 3.0, name="W2") == "W2 is 3.5, the formula gives 3."


def test_wrong_matrices():
    truth = np.array([[1.0, 2.0], [5.0, 4.0]])
    assert "is the transpose of what the formula gives" in refused(
        checks.closed_form, truth.T, truth
    )
    wide = np.ones((2, 3))
    assert "It looks transposed" in refused(checks.closed_form, wide.T, wide)


def test_the_sentence_says_what_a_value_is_compared_with():
    asked = refused(checks.closed_form, 0.3, 0.2, name="the error", source="the budget asks for")
    assert asked == "the error is 0.3, the budget asks for 0.2."


def test_a_loose_tolerance_is_no_reason_to_suspect_a_slip():
    sentence = refused(checks.closed_form, 0.52, 0.3, tol=0.25)  # near twice, by chance
    assert sentence == "the value is 0.52, the formula gives 0.3."
    assert "twice" in refused(checks.closed_form, 0.6, 0.3, tol=0.25)


def test_values_between_bounds():
    assert checks.between(1.5, 1, 2).message == "the value lies between 1 and 2"
    assert checks.between(1.5, lower=1).message == "the value is at least 1"
    assert checks.between(1.5, upper=2).message == "the value is at most 2"
    assert "at all 3 places" in checks.between(TRUTH, 0, [1, 2, 4]).message
    checks.between(2.01, 1, 2, tol=0.01)
    checks.between(-2.01, -2, 0, tol=0.01)


OUTSIDE = {
    "the value is 0.5, below its lower bound 1.": (0.5, 1, 2),
    "is 4 at index (2,), above its upper bound 3": (TRUTH, 0, 3),
    "Half of it lies between the bounds: is the 1/2": (2.05, 1, 1.1),
    "Twice its value lies between the bounds: is the 1/2": (0.52, 1, 1.1),
    "Its negative lies between": (-1.05, 1, 1.1),
    "Its square lies between": (1.5, 2.2, 2.3),
    "Its square root lies between": (16.0, 3.9, 4.1),
    "Are they swapped": (1.5, 2, 1),
    "a bound of the value is nan": (1.0, np.nan, 2),
    "expected finite": (np.nan, 0, 1),
}


@pytest.mark.parametrize("sentence", OUTSIDE)
def test_values_outside(sentence):
    assert sentence in refused(checks.between, *OUTSIDE[sentence])


def test_a_wide_interval_is_no_reason_to_suspect_a_slip():
    assert refused(checks.between, 3.0, 1, 2).endswith("its upper bound 2.")


def test_every_check_is_exported_and_says_when_it_fails():
    for name in checks.__all__:
        check = getattr(checks, name)
        assert name.startswith("Check") or "CheckFailed" in check.__doc__, name


def test_a_value_that_is_nearly_right_is_not_called_reordered():
    nearly = TRUTH * (1 + 2e-6)  # beyond the tolerance, and close to the truth sorted or not
    assert "another order" not in refused(checks.closed_form, nearly, TRUTH, tol=1e-9)
