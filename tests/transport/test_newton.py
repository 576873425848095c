"""The damped iteration on small problems solved by hand, and an audit of every step it takes."""

import dataclasses

import numpy as np
import pytest

from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.newton import EmptyFace, NewtonStep, NotConverged, damped_newton
from omt_course.transport.semidiscrete import energy_hessian, solve

HESSIAN = np.array([[3.0, -1, 0], [-1, 4, -2], [0, -2, 5]])


def linear(heights):
    """Measures that depend linearly on the heights: one step solves them."""
    return HESSIAN @ heights, "state"


def linear_direction(state, error):
    return -np.linalg.solve(HESSIAN, error)


def exponential(heights):
    measures = np.exp(heights)
    return measures, measures


def exponential_direction(measures, error):
    return -error / measures


class Recorded:
    """A measure that keeps every trial."""

    def __init__(self, measure):
        self.measure, self.trials = measure, []

    def __call__(self, heights):
        measures, state = self.measure(heights)
        self.trials.append((heights.copy(), measures.copy()))
        return measures, state


def test_linear_problem_takes_one_full_step():
    target = np.array([1.0, 2, 3])
    start = np.linalg.solve(HESSIAN, [3.0, 1, 2])
    heights, state, history, failure = damped_newton(
        linear, linear_direction, start, target, tol=1e-12, max_iter=5
    )
    np.testing.assert_allclose(HESSIAN @ heights, target, atol=1e-12)
    assert (state, failure) == ("state", "")
    assert [step.iteration for step in history] == [0, 1]
    assert [step.n_evaluations for step in history] == [1, 2]
    assert np.isnan(history[0].damping)
    assert history[1].damping == 1
    assert history[0].max_relative_error == pytest.approx(2)  # |3 - 1| / 1
    assert history[0].residual == pytest.approx(np.linalg.norm([2, 0.5, 1 / 3]))
    assert history[0].smallest == pytest.approx(1)


def test_convergence_is_quadratic_and_matches_hand_iteration():
    """`exp(h) = 2` from `h = 1`: `h <- h - 1 + 2 exp(-h)` stays above and never needs damping."""
    target = np.array([2.0, 2.0])
    heights, _, history, failure = damped_newton(
        exponential, exponential_direction, np.array([1.0, 1.0]), target, tol=1e-14, max_iter=20
    )
    assert failure == ""
    np.testing.assert_allclose(heights, np.log(2), atol=1e-14)
    h, expected = 1.0, []
    for _ in history:
        expected.append(abs(np.exp(h) - 2) / 2)
        h += -1 + 2 * np.exp(-h)
    np.testing.assert_allclose(
        [step.max_relative_error for step in history], expected, rtol=1e-6, atol=1e-15
    )
    errors = np.array([e for e in expected if e > 1e-9])
    assert (errors[1:] <= errors[:-1] ** 2).all()


@pytest.mark.parametrize("seed", range(5))
def test_every_step_keeps_the_two_rules(seed):
    """Audit: among the step sizes tried, the accepted one is the first that keeps both rules."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(-3, 6, 8)
    target = np.exp(rng.uniform(-3, 3, 8))
    record = Recorded(exponential)
    heights, _, history, failure = damped_newton(
        record, exponential_direction, start, target, tol=1e-12, max_iter=200
    )
    assert failure == ""
    floor = min(np.exp(start).min(), target.min()) / 2
    assert all(step.smallest >= floor for step in history)

    def residual(measures):
        return np.linalg.norm((measures - target) / target)

    level, here, tried = 0, record.trials[0], iter(record.trials[1:])
    damped = 0
    for before, after in zip(history[:-1], history[1:], strict=True):
        newton = exponential_direction(here[1], here[1] - target)
        level = max(0, level - 2)  # the search starts at four times the last step
        for _ in range(after.n_evaluations - before.n_evaluations):
            trial = next(tried)
            np.testing.assert_allclose(trial[0], here[0] + 2.0**-level * newton)
            good = trial[1].min() >= floor and (
                residual(trial[1]) <= (1 - 2.0 ** -(level + 1)) * residual(here[1])
            )
            level += not good
        assert good
        assert after.damping == 2.0**-level
        assert after.residual == pytest.approx(residual(trial[1]))
        assert after.residual <= (1 - after.damping / 2) * before.residual
        damped += level > 0
        here = trial
    assert next(tried, None) is None
    assert damped > 0
    np.testing.assert_array_equal(here[0], heights)


def test_a_step_that_would_empty_a_face_is_shortened():
    """Measures `h^2`, target small: the rule `w >= eps0` stops steps across zero."""

    def square(heights):
        return np.where(heights > 0, heights**2, 0.0), heights

    def direction(heights, error):
        return -4 * error / (2 * heights)  # four times too far: the full step empties the face

    record = Recorded(square)
    heights, _, history, failure = damped_newton(
        record, direction, np.array([1.0]), np.array([0.25]), tol=1e-9, max_iter=200
    )
    assert failure == ""
    assert record.trials[1][1][0] < 0.125 <= history[1].smallest
    assert history[1].damping < 1
    np.testing.assert_allclose(heights, 0.5, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_units_do_not_matter(scale):
    start, target = np.array([3.0, -2.0, 0.5]), np.array([1.0, 2.0, 0.1])

    def scaled(heights):
        measures = scale * np.exp(heights)
        return measures, measures

    _, _, history, failure = damped_newton(
        scaled, exponential_direction, start, scale * target, tol=1e-12, max_iter=100
    )
    _, _, plain, _ = damped_newton(
        exponential, exponential_direction, start, target, tol=1e-12, max_iter=100
    )
    assert failure == ""
    assert [step.damping for step in history][1:] == [step.damping for step in plain][1:]
    assert history[0].residual == pytest.approx(plain[0].residual)


def test_small_faces_are_not_hidden_by_rounding_of_large_ones():
    """One face of measure 1 whose error never falls below 1e-16, one of 1e-9."""
    target = np.array([1.0, 1e-9])
    noise = np.random.default_rng(0)

    def rounded(heights):
        measures = np.exp(heights)
        measures[0] += noise.choice([-1, 1]) * 2e-16
        return measures, measures

    _, _, history, failure = damped_newton(
        rounded, exponential_direction, np.array([1e-3, np.log(1.2e-9)]), target,
        tol=1e-12, max_iter=50,
    )  # fmt: skip
    assert failure == ""
    assert history[-1].max_relative_error <= 1e-12


def test_tolerance_met_at_the_start_takes_no_step():
    heights = np.log([1.0, 2.0])
    result = damped_newton(
        exponential, exponential_direction, heights, np.array([1.0, 2.0]), tol=1e-14, max_iter=0
    )
    assert result[0] is heights
    assert len(result[2]) == 1
    assert result[3] == ""


@pytest.mark.parametrize("max_iter", [0, 1, 3])
def test_limit_of_steps_is_kept_and_said(max_iter):
    _, _, history, failure = damped_newton(
        exponential, exponential_direction, np.array([5.0]), np.array([1.0]),
        tol=1e-14, max_iter=max_iter,
    )  # fmt: skip
    assert len(history) == max_iter + 1
    assert history[-1].iteration == max_iter
    assert f"max_iter = {max_iter}" in failure
    assert f"{history[-1].max_relative_error:.1e}" in failure
    assert "tol = 1.0e-14" in failure


def test_an_uphill_direction_ends_with_a_reason():
    record = Recorded(exponential)
    heights, _, history, failure = damped_newton(
        record,
        lambda state, error: -exponential_direction(state, error),
        np.array([1.0]),
        np.array([1.0]),
        tol=1e-10,
        max_iter=10,
    )
    assert len(history) == 1
    assert heights.tolist() == [1.0]
    assert "no step reduces the error any more" in failure
    assert "larger tol" in failure
    assert 30 < len(record.trials) < 60  # gives up in finite time


def test_an_empty_face_at_the_start_is_refused():
    with pytest.raises(ValueError, match=r"^heights: expected .* got 2 empty faces of 3"):
        damped_newton(
            lambda h: (np.maximum(h, 0), None),
            lambda state, error: -error,
            np.array([0.0, 1.0, -1.0]),
            np.ones(3),
            tol=1e-3,
            max_iter=3,
        )


def test_callback_sees_the_start_and_every_accepted_step():
    seen = []
    heights, state, history, _ = damped_newton(
        exponential, exponential_direction, np.array([4.0, -1.0]), np.ones(2),
        tol=1e-10, max_iter=50, callback=lambda *arguments: seen.append(arguments),
    )  # fmt: skip
    assert [step for step, _, _ in seen] == list(history)
    assert seen[0][1].tolist() == [4.0, -1.0]
    assert seen[-1][1] is heights
    assert seen[-1][2] is state
    for step, h, measures in seen:
        assert step.smallest == measures.min() == np.exp(h).min()


def test_an_error_in_the_callback_is_not_swallowed():
    def stop(step, heights, state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        damped_newton(
            exponential, exponential_direction, np.zeros(2), np.ones(2),
            tol=1e-3, max_iter=3, callback=stop,
        )  # fmt: skip


def test_start_is_left_alone():
    start = np.array([4.0, -1.0])
    damped_newton(exponential, exponential_direction, start, np.ones(2), tol=1e-10, max_iter=50)
    assert start.tolist() == [4.0, -1.0]


def test_step_is_frozen_and_failure_carries_its_evidence():
    step = NewtonStep(0, 1.0, 1.0, 0.1, np.nan, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.damping = 1.0
    error = NotConverged("why", (step,), np.zeros(2))
    assert isinstance(error, RuntimeError)
    assert (str(error), error.history, error.heights.tolist()) == ("why", (step,), [0, 0])


# Steps on logarithms


def softmax(heights):
    """Total one, and so a Hessian with constants in its kernel, like that of the cells."""
    w = np.exp(heights - heights.max())
    return w / w.sum(), w / w.sum()


def log_norm(measures, target):
    return np.sqrt((target * np.log(measures / target) ** 2).sum() / target.sum())


def softmax_direction(w, error):
    """Solve `(diag(w) - w w') step = -(w F - c w)`: up to a constant, `step = -(F - c)`."""
    return -(error - w * error.sum()) / w


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [1.0, 10.0, 30.0])
def test_logarithms_of_a_softmax_take_one_step(seed, spread):
    """There `log w` is linear in the heights up to a constant: exact at once, however far."""
    rng = np.random.default_rng(seed)
    target = np.exp(spread * rng.uniform(-1, 1, 8))
    target /= target.sum()
    heights, measures, history, failure = damped_newton(
        softmax, softmax_direction, np.zeros(8), target, tol=1e-9, max_iter=20, logarithmic=True
    )
    assert failure == ""
    assert history[0].residual == pytest.approx(log_norm(np.full(8, 1 / 8), target), rel=1e-12)
    assert history[-1].iteration == 1 and history[1].damping == 1
    assert np.abs(measures / target - 1).max() <= 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_derivative_of_the_merit_along_the_step(seed):
    """`d(f^2)/dt = -2 f^2 + 2 c sum(nu F) / sum(nu) <= -2 f^2`, by differences on real cells."""
    rng = np.random.default_rng(seed)
    points, target = rng.random((30, 2)), rng.dirichlet(np.full(30, 2.0))
    square = Box([0, 0], [1, 1])
    heights = -(points**2).sum(axis=1) / 2
    diagram = laguerre_diagram(square, points, heights)
    w = diagram.masses
    logs = np.log(w / target)
    c = (w * logs).sum() / w.sum()
    matrix = energy_hessian(diagram).toarray()
    step = np.linalg.lstsq(matrix, -w * (logs - c), rcond=None)[0]

    def merit(t):
        return log_norm(laguerre_diagram(square, points, heights + t * step).masses, target) ** 2

    f2 = merit(0.0)
    t = 1e-6
    slope = (merit(t) - merit(-t)) / (2 * t)
    predicted = -2 * f2 + 2 * c * (target * logs).sum() / target.sum()
    assert slope == pytest.approx(predicted, rel=1e-5)
    assert c >= 0 and (target * logs).sum() <= 0
    assert slope <= -2 * f2 * (1 - 1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("clusters", [None, 3])
def test_log_residual_decreases_by_the_rule_and_is_a_barrier(seed, clusters):
    """Every accepted step takes its share off the residual, and no cell vanishes."""
    rng = np.random.default_rng(seed)
    points = rng.random((60, 2))
    if clusters:
        points = rng.random((3, 2))[rng.integers(0, 3, 60)] + rng.normal(scale=0.01, size=(60, 2))
    target = rng.dirichlet(np.full(60, 1.0)) + 1e-4
    target /= target.sum()
    seen = []
    result = solve(
        Box([0, 0], [1, 1]),
        points,
        target,
        callback=lambda step, heights, diagram: seen.append((step, diagram.masses.copy())),
    )
    assert result.converged
    for step, w in seen:
        f = log_norm(w, target)
        assert step.residual == pytest.approx(f, rel=1e-6, abs=1e-13)
        assert (w >= target * np.exp(-f / np.sqrt(target)) * (1 - 1e-9)).all()
    for (old, _), (new, _) in zip(seen[:-1], seen[1:], strict=True):
        assert new.residual <= (1 - new.damping / 8) * old.residual
        assert 0 < new.damping <= 1


def test_logarithms_need_no_floor_but_a_positive_start():
    """A face may fall to any small part of its start, and an empty one is still refused."""
    target = np.array([1e-12, 0.5, 0.5 - 1e-12])
    _, w, _, failure = damped_newton(
        softmax, softmax_direction, np.zeros(3), target, tol=1e-6, max_iter=50, logarithmic=True
    )
    assert failure == "" and w == pytest.approx(target, rel=1e-6)
    with pytest.raises(EmptyFace, match="1 empty faces of 3"):
        damped_newton(
            softmax,
            softmax_direction,
            np.array([-1e4, 0, 0]),
            target,
            tol=1e-6,
            max_iter=5,
            logarithmic=True,
        )
