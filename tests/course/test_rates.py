"""Exponents of synthetic errors whose law is known."""

import numpy as np
import pytest

from omt_course.course.rates import exponent


def noisy(p, seeds, sizes, rng):
    h = 2.0 ** -np.arange(sizes)
    return h, 3 * h**p * np.exp(0.1 * rng.normal(size=(seeds, sizes)))


def test_the_regression_agrees_with_polyfit():
    h, errors = noisy(0.7, 6, 9, np.random.default_rng(0))
    found = exponent(h, errors, rng=np.random.default_rng(1))
    x = np.tile(np.log(h), 6)
    slope, covariance = np.polyfit(x, np.log(errors).ravel(), 1, cov=True)
    assert found.value == pytest.approx(slope[0])
    assert found.standard_error == pytest.approx(np.sqrt(covariance[0, 0]))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits, errors_of_se = 0, []
    for _ in range(400):
        h, errors = noisy(1.0, 10, 6, rng)
        found = exponent(h, errors, rng=rng, n_boot=400)
        hits += found.low <= 1.0 <= found.high
        errors_of_se.append((found.value - 1) / found.standard_error)
    assert 0.86 < hits / 400 < 0.97  # a bootstrap over ten seeds is a little short
    assert np.std(errors_of_se) == pytest.approx(1, abs=0.12)


def test_one_seed_has_a_point_interval_and_two_numbers_no_standard_error():
    one = exponent(np.array([1, 0.5]), np.array([[1, 0.25]]), rng=np.random.default_rng(0))
    assert one.value == one.low == one.high == pytest.approx(2)
    assert np.isnan(one.standard_error)
    assert "2.000" in str(one)


@pytest.mark.parametrize(
    "h, errors, words",
    [
        ([1, 0.5], [1, 2], "errors: expected shape"),
        ([1, 0.5], [[1, 0]], "errors: expected positive"),
        ([1, -1], [[1, 1]], "h: expected positive"),
        ([1, 1], [[1, 1]], "h: expected at least two"),
    ],
)
def test_bad_input_is_refused(h, errors, words):
    with pytest.raises(ValueError, match=words):
        exponent(h, errors, rng=np.random.default_rng(0))
