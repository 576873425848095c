"""The exact critic: closed forms, slope 1 everywhere, certificates, refusals."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from omt_course.transport.rubinstein import rubinstein


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_translation_costs_its_length(rng, d):
    x = rng.normal(size=(60, d))
    shift = np.arange(1.0, d + 1)
    f = rubinstein(x, x + shift)
    assert f.w1 == pytest.approx(np.linalg.norm(shift), rel=1e-12)
    assert abs(f.gap) < 1e-12 * f.w1


def test_moving_outwards_costs_the_mean_distance_moved(rng):
    """If every point moves away from 0 on its ray, |z| is a potential, whatever the factors."""
    x = rng.normal(size=(80, 3))
    factors = 1 + rng.random(80)[:, None]
    f = rubinstein(x, factors * x)
    assert f.w1 == pytest.approx(((factors[:, 0] - 1) * np.linalg.norm(x, axis=1)).mean(), 1e-12)


def test_the_line_with_unequal_masses(rng):
    x, y, a, b = rng.normal(size=30), rng.normal(size=20), rng.random(30), rng.random(20)
    a, b = a / a.sum(), b / b.sum()
    f = rubinstein(x[:, None], y[:, None], a, b)
    assert f.w1 == pytest.approx(wasserstein_distance(x, y, a, b), rel=1e-10)
    assert f.plan.marginal_error < 1e-12


def test_slope_one_everywhere_and_tight_along_the_plan(rng):
    x, y = rng.normal(size=(70, 2)), 2 * rng.normal(size=(50, 2))
    f = rubinstein(x, y)
    z = np.concatenate([x, y, 4 * rng.normal(size=(300, 2))])
    values = f(z)
    difference, distance = np.abs(values[:, None] - values), cdist(z, z)
    assert (difference <= distance + 1e-12).all()
    i, j = f.plan.support().T
    moved = np.linalg.norm(x[i] - y[j], axis=1)
    assert np.allclose(f(y[j]) - f(x[i]), moved, atol=1e-12)
    middle = (x[i] + y[j]) / 2  # on a transport ray the slope is 1, in its direction
    assert np.allclose(f(middle) - f(x[i]), moved / 2, atol=1e-12)
    assert abs(f(y).mean() - f(x).mean() - f.w1) < 1e-12 and abs(f(x).mean()) < 1e-12


def test_the_gradient_is_the_difference_quotient(rng):
    f = rubinstein(rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + [2.0, 0.0])
    z = 3 * rng.normal(size=(200, 2))
    g, step = f.gradient(z), 1e-6
    steps = step * np.eye(2)
    quotient = np.column_stack([(f(z + e) - f(z - e)) / (2 * step) for e in steps])
    assert np.allclose(np.linalg.norm(g, axis=1), 1)
    smooth = np.abs(np.linalg.norm(quotient, axis=1) - 1) < 1e-4  # else two sources tie there
    assert smooth.mean() > 0.95 and np.allclose(g[smooth], quotient[smooth], atol=1e-3)
    assert not f.gradient(f.x).any()  # a source attains the minimum at itself


def test_fresh_points_bound_the_distance_from_below(rng):
    """Any function of slope 1 does: W1 of the laws N(0, I) and N(0, 4 I) is E|X|."""
    truth = np.sqrt(np.pi / 2)
    f = rubinstein(rng.normal(size=(100, 2)), 2 * rng.normal(size=(100, 2)))
    x, y = rng.normal(size=(20_000, 2)), 2 * rng.normal(size=(20_000, 2))
    assert f(y).mean() - f(x).mean() < truth + 0.03
    assert f.w1 > f(y).mean() - f(x).mean()


def test_many_points_are_evaluated_in_blocks(rng, monkeypatch):
    f = rubinstein(rng.normal(size=(30, 2)), rng.normal(size=(30, 2)))
    z = rng.normal(size=(101, 2))
    whole = f(z)
    monkeypatch.setattr("omt_course.transport.rubinstein._BLOCK", 300)
    assert np.array_equal(f(z), whole)


def test_bad_input_is_refused():
    x = np.zeros((3, 2))
    cases = [
        (lambda: rubinstein(x, np.zeros((3, 1))), "y: expected points of dimension 2"),
        (lambda: rubinstein(x, x * np.nan), "y: expected finite numbers"),
        (lambda: rubinstein(x, x, [1.0, 1.0, 1.0]), "a: expected masses of sum 1"),
        (lambda: rubinstein(x, x, None, [0.5, 0.5]), "b: expected shape"),
        (lambda: rubinstein(x, x)(np.zeros((1, 3))), "z: expected shape"),
        (lambda: rubinstein(x, x).gradient(np.zeros(2)), "z: expected a non-empty 2-d array"),
    ]
    for call, words in cases:
        with pytest.raises(ValueError, match=words):
            call()
