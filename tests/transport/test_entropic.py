"""Entropic transport: held against closed forms, linear programs, quadrature, plain iteration."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omt_course.transport import closed_form, discrete, entropic
from omt_course.transport.costs import c_transform, cost_matrix
from omt_course.transport.discrete import NotOptimal
from omt_course.transport.entropic import (
    divergence,
    entropic_map,
    gaussian,
    round_to_plan,
    soft_c_transform,
    solve,
    solve_symmetric,
)


def clouds(seed, n=14, m=11, d=2, zeros=False):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    if zeros:
        a[rng.random(n) < 0.4], b[rng.random(m) < 0.4] = 0, 0
        a[0] = b[0] = 1.0
    return rng.normal(size=(n, d)), a / a.sum(), rng.normal(size=(m, d)) + 1, b / b.sum()


def plainly(a, b, cost, eps, n_iter=5000):
    """Sinkhorn on exponentials, for an eps that allows it."""
    kernel, v = np.exp(-cost / eps), np.ones(len(b))
    for _ in range(n_iter):
        u = a / (kernel @ v)
        v = b / (kernel.T @ u)
    return u[:, None] * kernel * v


def objective(plan, a, b, cost, eps):
    some = plan > 0
    entropy = (plan[some] * np.log(plan[some] / np.outer(a, b)[some])).sum()
    return (cost * plan).sum() + eps * entropy


# --- the plan -----------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.3, 1.0, 10.0])
def test_the_plan_is_that_of_the_plain_iteration(eps):
    x, a, y, b = clouds(0)
    cost = cost_matrix(x, y)
    result = solve(a, b, cost, eps=eps, tol=1e-12)
    np.testing.assert_allclose(result.plan, plainly(a, b, cost, eps), atol=1e-12)
    value = objective(result.plan, a, b, cost, eps)
    assert abs(result.dual - value) < 1e-10 and abs(result.primal - value) < 1e-10
    assert result.converged and result.errors[-1] <= 1e-12 and set(result.levels) == {eps}


def test_two_points_by_hand():
    s, eps = 1.7, 0.4
    result = solve([0.5, 0.5], [0.5, 0.5], [[0, s], [s, 0]], eps=eps, tol=1e-14)
    p = 1 / (1 + np.exp(-s / eps))
    np.testing.assert_allclose(result.plan, [[p / 2, (1 - p) / 2], [(1 - p) / 2, p / 2]])
    assert result.dual == pytest.approx(eps * np.log(2 * p), abs=1e-13)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.03, 0.2, 2.0]), st.booleans())
def test_every_result_certifies_itself(seed, eps, zeros):
    x, a, y, b = clouds(seed, 7, 9, zeros=zeros)
    cost = cost_matrix(x, y)
    result = solve(a, b, cost, eps=eps, eps_start=3.0, tol=1e-5, max_iter=1000, strict=False)
    best = discrete.plan(a, b, cost).primal
    low, high = result.bracket
    assert low <= best + 1e-12 and best <= high + 1e-12
    assert result.dual <= result.primal + 1e-12
    np.testing.assert_allclose(result.plan.sum(axis=1), a, atol=1e-12)  # rows are exact
    wrong = np.abs(result.plan.sum(axis=0) - b).sum()
    assert wrong <= result.errors[-1] + 1e-10  # one update later, if the budget ran out
    assert not result.converged or wrong == pytest.approx(result.errors[-1], abs=1e-10)
    np.testing.assert_allclose(result.rounded.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(result.rounded.sum(axis=0), b, atol=1e-14)
    entropy = min(-(w[w > 0] * np.log(w[w > 0])).sum() for w in (a, b))
    assert result.dual <= best + eps * entropy + 1e-12  # OT_eps <= OT + eps min(H(a), H(b))


def test_the_gap_is_a_relative_entropy():
    x, a, y, b = clouds(3)
    cost, eps = cost_matrix(x, y), 0.5
    rough = solve(a, b, cost, eps=eps, max_iter=3, strict=False)
    assert not rough.converged
    some = discrete.plan(a, b, cost).plan
    positive = some > 0
    kl = (some[positive] * np.log(some[positive] / rough.plan[positive])).sum()
    kl += rough.plan.sum() - some.sum()
    assert objective(some, a, b, cost, eps) - rough.dual == pytest.approx(eps * kl, abs=1e-12)


@pytest.mark.parametrize("start", [None, 5.0])
def test_a_tiny_eps_costs_time_but_no_digits(start):
    x, _, y, _ = clouds(1, 20, 20)
    equal, cost = np.full(20, 1 / 20), cost_matrix(x, y)
    eps = 5e-6 * cost.max()
    assert np.isnan(plainly_quiet(equal, equal, cost, eps)).any()  # where the plain one fails
    result = solve(
        equal, equal, cost, eps=eps, eps_start=start, tol=1e-3, max_iter=4000, strict=False
    )
    best = discrete.plan(equal, equal, cost).primal
    assert np.isfinite(result.plan).all() and np.isfinite(result.f_ba).all()
    assert result.plan.sum() == pytest.approx(1, abs=1e-9)
    assert result.bracket[0] <= best + 1e-12 and best <= result.bracket[1] + 1e-12
    assert result.bracket[0] > (0.99 if start else 0.5) * best


def plainly_quiet(*args):
    with np.errstate(all="ignore"):
        return plainly(*args, n_iter=50)


def test_the_final_rate_is_the_second_singular_value():
    x, a, y, b = clouds(5)
    result = solve(a, b, cost_matrix(x, y), eps=0.7, tol=1e-12)
    errors = result.errors[(result.errors < 1e-4) & (result.errors > 1e-10)]
    rate = (errors[-1] / errors[0]) ** (1 / (len(errors) - 1))
    sigma = np.linalg.svd(result.plan / np.sqrt(np.outer(a, b)), compute_uv=False)
    assert sigma[0] == pytest.approx(1, abs=1e-9) and rate == pytest.approx(sigma[1] ** 2, rel=0.02)
    cost = result.cost
    delta = (cost[:, None, :, None] + cost[None, :, None, :]
             - cost[:, None, None, :] - cost[None, :, :, None]).max() / 0.7  # fmt: skip
    assert sigma[1] <= np.tanh(delta / 4)


@pytest.mark.parametrize("eps", [0.15, 0.3, 1.0])
def test_the_cheapest_exchange_brackets_the_bias(eps):
    rng, n = np.random.default_rng(22), 5
    cost = cost_matrix(rng.normal(size=(n, 2)), rng.normal(size=(n, 2)))
    cost = cost[:, discrete.assignment(cost).as_map()]  # the best matching on the diagonal
    cycles = [
        (cost[loop, np.roll(loop, -1)].sum() - cost[loop, loop].sum(), r)
        for r in range(2, n + 1)
        for loop in map(list, itertools.permutations(range(n), r))
    ]
    delta = min(excess / r for excess, r in cycles)
    assert delta > 0.3
    equal = np.full(n, 1 / n)
    plan = solve(equal, equal, cost, eps=eps, tol=1e-7).plan
    bias = np.vdot(plan, cost) - np.trace(cost) / n
    rate = np.exp(-delta / eps)
    assert np.diag(plan).min() * min(cycles)[0] * rate <= bias + 1e-6
    assert bias <= (n - 1) * max(cycles)[0] * rate + 1e-6


def test_a_soft_minimum_contracts_and_hardens():
    x, a, y, b = clouds(6)
    cost, rng = cost_matrix(x, y), np.random.default_rng(0)
    g, other = rng.normal(size=(2, len(b)))
    for eps in (0.1, 1.0, 20.0):
        delta = max(np.ptp(cost[i] - cost[k]) for i in range(len(a)) for k in range(i)) / eps
        moved = np.ptp(soft_c_transform(g, b, cost, eps) - soft_c_transform(other, b, cost, eps))
        assert moved <= np.tanh(delta / 4) * np.ptp(g - other) + 1e-12
    np.testing.assert_allclose(soft_c_transform(g, b, cost, 1e-6), c_transform(g, cost), atol=1e-4)


def test_units_and_total_mass():
    x, a, y, b = clouds(7)
    cost = cost_matrix(x, y)
    one = solve(a, b, cost, eps=0.5, tol=1e-12)
    scaled = solve(8 * a, 8 * b, 1e-9 * cost, eps=0.5e-9, tol=1e-12)
    np.testing.assert_allclose(scaled.plan, 8 * one.plan, atol=1e-12)
    assert scaled.dual == pytest.approx(8e-9 * one.dual, rel=1e-10)
    assert scaled.primal == pytest.approx(8e-9 * one.primal, rel=1e-10)
    np.testing.assert_allclose(scaled.bracket, 8e-9 * np.array(one.bracket), rtol=1e-8)


def test_annealing_finds_the_same_plan():
    x, a, y, b = clouds(8, 30, 30)
    cost = cost_matrix(x, y)
    cold = solve(a, b, cost, eps=0.1, tol=1e-10)
    warm = solve(a, b, cost, eps=0.1, eps_start=3.0, tol=1e-10)
    np.testing.assert_allclose(warm.plan, cold.plan, atol=1e-9)
    assert warm.levels[0] == pytest.approx(3.2) and warm.levels[-1] == warm.eps == 0.1
    assert np.all(np.diff(warm.levels) <= 0) and len(warm.levels) == len(warm.errors)


# --- no mass ------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.02, 0.5])
def test_zero_weights_take_no_part_and_their_potentials_are_finite(eps):
    x, a, y, b = clouds(9, zeros=True)
    cost = cost_matrix(x, y)
    rows, columns = a > 0, b > 0
    assert not rows.all() and not columns.all()
    result = solve(a, b, cost, eps=eps, tol=1e-10)
    alone = solve(a[rows], b[columns], cost[rows][:, columns], eps=eps, tol=1e-10)
    assert result.plan[~rows].max() == 0 and result.plan[:, ~columns].max() == 0
    assert result.rounded[~rows].max() == 0 and result.rounded[:, ~columns].max() == 0
    np.testing.assert_allclose(result.plan[rows][:, columns], alone.plan, atol=1e-14)
    assert np.isfinite(result.f_ba).all() and np.isfinite(result.g_ab).all()
    assert result.dual == pytest.approx(alone.dual, abs=1e-12)
    # The potential of an empty place is the limit of a small mass there.
    hint = np.where(rows, a, 1e-9)
    hinted = solve(hint / hint.sum(), b, cost, eps=eps, tol=1e-12, max_iter=50_000)
    shift = (hinted.f_ba - result.f_ba)[rows].mean()
    np.testing.assert_allclose(hinted.f_ba, result.f_ba + shift, atol=1e-5)


def test_one_point_on_a_side():
    result = solve([1.0], [0.25, 0.75], [[1.0, 5.0]], eps=0.1)
    np.testing.assert_allclose(result.plan, [[0.25, 0.75]])
    assert result.dual == pytest.approx(4.0) and result.bracket == pytest.approx((4.0, 4.0))


# --- rounding -----------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_rounding_gives_a_plan_as_near_as_promised(seed):
    _, a, _, b = clouds(seed, 6, 5, zeros=True)
    matrix = np.random.default_rng(seed).random((6, 5)) / 20
    rounded = round_to_plan(matrix, a, b)
    assert rounded.min() >= 0
    np.testing.assert_allclose(rounded.sum(axis=1), a, atol=1e-15)
    np.testing.assert_allclose(rounded.sum(axis=0), b, atol=1e-15)
    off = np.abs(matrix.sum(axis=1) - a).sum() + np.abs(matrix.sum(axis=0) - b).sum()
    assert np.abs(rounded - matrix).sum() <= 2 * off + 1e-12  # their lemma 7


def test_rounding_leaves_a_plan_alone():
    _, a, _, b = clouds(2)
    np.testing.assert_allclose(round_to_plan(np.outer(a, b), a, b), np.outer(a, b), atol=1e-16)


# --- the symmetric problem and the divergence ---------------------------------------------------


@pytest.mark.parametrize("zeros", [False, True])
def test_a_law_onto_itself(zeros):
    x, a, _, _ = clouds(11, zeros=zeros)
    cost = cost_matrix(x, x)
    itself, both = solve_symmetric(a, cost, eps=0.2, tol=1e-12), solve(a, a, cost, eps=0.2)
    assert itself.dual == pytest.approx(both.dual, abs=1e-9) and itself.dual > 0.01
    np.testing.assert_allclose(itself.plan, itself.plan.T, atol=1e-16)
    np.testing.assert_allclose(itself.plan, both.plan, atol=1e-8)
    assert np.isfinite(itself.f_ba).all() and -1e-13 < itself.gap < 1e-9


def test_the_divergence_vanishes_at_equality_only():
    x, a, y, b = clouds(12, d=3)
    order = np.random.default_rng(0).permutation(len(a))
    assert abs(divergence(x, a, x[order], a[order], eps=0.3, tol=1e-12).value) < 1e-11
    values = [divergence(x, a, y, b, eps=e, eps_start=60, tol=1e-8).value for e in (0.02, 1, 50)]
    assert min(values) > 0
    assert values[0] == pytest.approx(discrete.plan(a, b, cost_matrix(x, y)).primal, rel=0.02)
    assert values[2] == pytest.approx(((a @ x - b @ y) ** 2).sum() / 2, rel=0.05)


@pytest.mark.parametrize("eps", [0.3, 2.0])
def test_the_divergence_of_a_shift_is_exact(eps):
    x, a, _, _ = clouds(13)
    shift = np.array([2.0, -1.0])
    found = divergence(x, a, x + shift, a, eps=eps, tol=1e-11)
    assert found.value == pytest.approx(2.5, abs=1e-9)
    assert found.cross.dual > 2.5 + 0.5 * eps * 0.1


def test_gradients_are_what_the_maps_say():
    x, a, y, b = clouds(14, 6, 7)
    eps, tight = 0.4, {"eps": 0.4, "tol": 1e-13}
    found = divergence(x, a, y, b, **tight)
    pull = entropic_map(x, y, b, found.cross.g_ab, eps=eps)
    push = entropic_map(x, x, a, found.self_x.f_ba, eps=eps)
    gradient = a[:, None] * (push - pull)
    moved, h = np.zeros_like(x), 1e-5
    for k in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[k] = h
        up, down = (divergence(x + s, a, y, b, **tight).value for s in (step, -step))
        moved[k] = (up - down) / (2 * h)
    np.testing.assert_allclose(moved, gradient, atol=1e-7)


# --- the map ------------------------------------------------------------------------------------


def test_the_map_is_the_barycentre_at_the_sources_and_the_gradient_of_a_softened_maximum():
    x, a, y, b = clouds(15, zeros=True)
    eps = 0.3
    result = solve(a, b, cost_matrix(x, y), eps=eps, tol=1e-12)
    image = entropic_map(x, y, b, result.g_ab, eps=eps)
    mass = a > 0
    np.testing.assert_allclose(image[mass], result.plan[mass] @ y / a[mass, None], atol=1e-12)

    def softened(z):
        scores = (z @ y.T + result.g_ab - (y**2).sum(axis=1) / 2) / eps
        return eps * np.log(np.exp(scores) @ b)

    z, h = np.array([[0.3, -0.2], [1.0, 2.0]]), 1e-5
    for k in range(2):
        e = h * np.eye(2)[k]
        slope = (softened(z + e) - softened(z - e)) / (2 * h)
        np.testing.assert_allclose(
            slope, entropic_map(z, y, b, result.g_ab, eps=eps)[:, k], atol=1e-8
        )


# --- normal laws --------------------------------------------------------------------------------


@pytest.mark.parametrize(("A", "B", "eps"), [(1.0, 0.25, 0.3), (0.5, 2.0, 1.0), (1.0, 1.0, 0.1)])
def test_normal_laws_on_the_line_by_quadrature(A, B, eps):
    grid = np.linspace(-9, 9, 361)
    p, q = (np.exp(-(grid**2) / (2 * v)) for v in (A, B))
    p, q = p / p.sum(), q / q.sum()
    result = solve(p, q, cost_matrix(grid[:, None], grid[:, None]), eps=eps, tol=1e-10)
    truth = gaussian([0.0], [[A]], [0.0], [[B]], eps=eps)
    assert result.dual == pytest.approx(truth.value, abs=1e-6)
    assert np.vdot(result.plan, result.cost) == pytest.approx(truth.cost, abs=1e-6)
    covariance = grid @ result.plan @ grid
    assert covariance == pytest.approx(truth.covariance[0, 0], abs=1e-6)
    image = entropic_map(np.array([[0.7]]), grid[:, None], q, result.g_ab, eps=eps)
    assert image[0, 0] == pytest.approx(0.7 * truth.slope[0, 0], abs=1e-6)


def test_normal_laws_in_space_by_optimality():
    """The joint normal law with this covariance is best among all normal ones, and has the form."""
    rng, eps = np.random.default_rng(16), 0.7
    M, N = rng.normal(size=(2, 3, 3))
    A, B = M @ M.T + 0.2 * np.eye(3), N @ N.T + 0.2 * np.eye(3)
    m0, m1 = rng.normal(size=(2, 3))
    truth = gaussian(m0, A, m1, B, eps=eps)

    def value(C):
        joint = np.block([[A, C], [C.T, B]])
        kl = -(np.linalg.slogdet(joint)[1] - np.linalg.slogdet(A)[1] - np.linalg.slogdet(B)[1]) / 2
        return ((m0 - m1) ** 2).sum() / 2 + np.trace(A + B) / 2 - np.trace(C) + eps * kl

    assert value(truth.covariance) == pytest.approx(truth.value, abs=1e-10)
    for _ in range(20):
        assert value(truth.covariance + 1e-3 * rng.normal(size=(3, 3))) > truth.value
    # The density is a product times exp(<x, y> / eps): the precision's corner is -I / eps.
    joint = np.block([[A, truth.covariance], [truth.covariance.T, B]])
    np.testing.assert_allclose(np.linalg.inv(joint)[:3, 3:], -np.eye(3) / eps, atol=1e-9)


def test_normal_laws_tend_to_the_exact_map_and_the_bias_is_d_eps_over_2():
    A, B = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.4], [-0.4, 0.6]])
    T, w2_squared = closed_form.gaussian([0, 0], A, [1, 1], B)
    for eps in (1e-3, 1e-6):
        near = gaussian([0, 0], A, [1, 1], B, eps=eps)
        assert near.cost - w2_squared / 2 == pytest.approx(eps, rel=2e-3, abs=1e-13)
        np.testing.assert_allclose(near.slope, T.matrix, atol=2 * eps)


def test_the_debiased_value_of_normal_laws_is_right_to_second_order():
    A, B = 1.0, 0.25

    def value(u, v, eps):
        return gaussian([0.0], [[u]], [0.0], [[v]], eps=eps).value

    for eps in (1e-2, 1e-3):
        s = value(A, B, eps) - (value(A, A, eps) + value(B, B, eps)) / 2
        expected = -(eps**2) / 16 * (1 / np.sqrt(A) - 1 / np.sqrt(B)) ** 2
        assert s - (1.0 - 0.5) ** 2 / 2 == pytest.approx(expected, rel=5 * eps)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"eps": 0.0}, "eps: expected a positive number, got 0"),
        ({"eps": np.nan}, "eps: expected a positive"),
        ({"eps": [1.0]}, "eps: expected a positive"),
        ({"eps_start": 0.1}, "eps_start: expected a number above eps = 0.5, got 0.1"),
        ({"tol": 0}, "tol: expected"),
        ({"max_iter": 0}, "max_iter: expected"),
        ({"a": [0.5, 0.6]}, "b: expected the total mass of a, 1.1"),
        ({"a": [1.5, -0.5]}, "a: expected non-negative masses"),
        ({"a": [1.0]}, r"a: expected shape \(2,\)"),
        ({"b": [0, 0]}, "b: expected non-negative masses, not all zero"),
        ({"cost": [[0, np.nan], [1, 0]]}, "cost: expected finite"),
    ],
)
def test_bad_input_is_named(change, sentence):
    given = {"a": [0.5, 0.5], "b": [0.5, 0.5], "cost": np.eye(2), "eps": 0.5} | change
    with pytest.raises(ValueError, match=sentence):
        solve(**given)


def test_other_bad_input_is_named():
    half = [0.5, 0.5]
    with pytest.raises(ValueError, match="cost: expected a symmetric matrix, .* by 1.00e"):
        solve_symmetric(half, [[0, 1], [2, 0]], eps=1.0)
    with pytest.raises(ValueError, match=r"cost: expected a symmetric matrix, got shape \(2, 3\)"):
        solve_symmetric(half, np.ones((2, 3)), eps=1.0)
    with pytest.raises(ValueError, match="a: expected masses of sum 1, got 2"):
        divergence(np.eye(2), [1, 1], np.eye(2), half, eps=1.0)
    with pytest.raises(ValueError, match="matrix: expected no negative entry"):
        round_to_plan(-np.eye(2), half, half)
    with pytest.raises(ValueError, match="matrix: expected finite"):
        round_to_plan([[np.nan, 0], [0, 1]], half, half)
    with pytest.raises(ValueError, match=r"g_ab: expected shape \(2,\)"):
        entropic_map(np.eye(2), np.eye(2), half, [0.0], eps=1.0)
    with pytest.raises(ValueError, match="b: expected non-negative"):
        entropic_map(np.eye(2), np.eye(2), [1.0, -1.0], half, eps=1.0)
    with pytest.raises(ValueError, match="cov_1: expected positive eigenvalues"):
        gaussian([0.0], [[1.0]], [0.0], [[-1.0]], eps=1.0)


def test_stopping_short_is_said_and_carries_the_plan():
    x, a, y, b = clouds(17)
    with pytest.raises(NotOptimal, match="after 4 iterations; allow more") as caught:
        solve(a, b, cost_matrix(x, y), eps=0.01, max_iter=4)
    assert len(caught.value.result.errors) == 4 and not caught.value.result.converged
    with pytest.raises(NotOptimal, match="at eps = 5.12"):
        solve(a, b, cost_matrix(x, y), eps=0.01, eps_start=5.0, tol=1e-12, max_iter=2)


def test_the_import_is_light():
    code = (
        "import sys, omt_course.transport.entropic; "
        "print([name for name in ('torch', 'ot', 'matplotlib') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_module_names_what_it_gives():
    assert set(entropic.__all__) <= set(dir(entropic))
