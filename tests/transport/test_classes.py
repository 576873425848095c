"""Distances between classes: exact plans, translates, what chance does, bad input."""

import numpy as np
import pytest
from scipy import stats

from omt_course.transport import discrete
from omt_course.transport.classes import class_distances, permutation_test, w2_squared
from omt_course.transport.costs import cost_matrix


@pytest.mark.parametrize("d", [1, 2, 16])
def test_distance_against_a_certified_plan_and_the_line(d):
    rng = np.random.default_rng(d)
    x, y = rng.normal(size=(60, d)), 1 + 2 * rng.normal(size=(60, d))
    best = discrete.assignment(cost_matrix(x, y))
    assert abs(best.relative_gap) < 1e-9
    assert w2_squared(x, y) == pytest.approx(2 * best.primal, rel=1e-12)
    if d == 1:
        line = ((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2).mean()
        assert w2_squared(x, y) == pytest.approx(line, rel=1e-12)


def test_a_translate_costs_what_the_formula_says():
    rng = np.random.default_rng(0)
    x, y, v = rng.normal(size=(50, 4)), rng.normal(size=(50, 4)), rng.normal(size=4)
    shift = y.mean(axis=0) - x.mean(axis=0)
    expected = w2_squared(x, y) + v @ v + 2 * v @ shift
    assert w2_squared(x, y + v) == pytest.approx(expected, rel=1e-12)


def test_the_matrix_is_made_of_halves_of_each_class():
    rng = np.random.default_rng(1)
    labels = np.repeat(["a", "b", "c"], 10)
    x = rng.normal(size=(30, 2)) + 50 * np.repeat(np.eye(3, 2), 10, axis=0)
    found = class_distances(x, labels, size=5, rng=np.random.default_rng(2))
    assert found.classes.tolist() == ["a", "b", "c"] and found.size == 5
    np.testing.assert_allclose(found.w2_squared, found.w2_squared.T)
    draw = np.random.default_rng(2)  # the same halves, by hand
    halves = [draw.choice(np.flatnonzero(labels == c), 10, replace=False) for c in "abc"]
    a, b = ([h[:5] for h in halves], [h[5:] for h in halves])
    for i in range(3):
        assert found.within[i] == pytest.approx(w2_squared(x[a[i]], x[b[i]]), rel=1e-9)
        for j in range(3):
            both = w2_squared(x[a[i]], x[b[j]]) + w2_squared(x[a[j]], x[b[i]])
            assert found.w2_squared[i, j] == pytest.approx(both / 2, rel=1e-12)
    off = found.w2_squared[~np.eye(3, dtype=bool)].mean()
    assert found.statistic == pytest.approx(off - found.within.mean())


def test_the_correction_is_unbiased_for_translates_and_for_one_law():
    rng = np.random.default_rng(3)
    labels, v = np.repeat([0, 1, 2], 40), np.array([1.0, -0.5, 0, 0, 2.0])
    rows, raw = [], []
    for _ in range(300):
        x = rng.exponential(size=(120, 5))
        x[labels == 2] += v
        found = class_distances(x, labels, size=20, rng=rng)
        rows.append(found.corrected[[0, 0], [1, 2]])
        raw.append(found.w2_squared[0, 2])
    error = np.std(rows, axis=0) / np.sqrt(len(rows))
    assert (np.abs(np.mean(rows, axis=0) - [0, v @ v]) < 4 * error).all()
    assert np.mean(raw) > v @ v + 20 * error[1]  # without it the distance is far too large


def test_p_values_of_one_law_are_uniform():
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], 6)
    p = np.array(
        [
            permutation_test(
                rng.normal(size=(18, 2)), labels, size=3, n_permutations=19, rng=rng
            ).p_value
            for _ in range(400)
        ]
    )
    assert set(np.round(20 * p).astype(int)) <= set(range(1, 21))
    counts = np.bincount(np.round(20 * p).astype(int), minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_p_values_of_two_laws_are_small():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(80, 3))
    x[40:] *= 2.5  # one mean: only the spread differs
    found = permutation_test(x, np.repeat([0, 1], 40), size=20, n_permutations=99, rng=rng)
    assert found.p_value == 0.01 and found.statistic > found.null.max()
    assert found.null.shape == (99,)


def test_ties_count_against_the_claim():
    found = permutation_test(
        np.zeros((12, 2)),
        np.repeat([0, 1], 6),
        size=3,
        n_permutations=9,
        rng=np.random.default_rng(6),
    )
    assert found.p_value == 1.0 and found.statistic == 0.0


X, LABELS, RNG = np.zeros((8, 2)), np.repeat([0, 1], 4), np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: w2_squared(X, X[:4]), r"y: expected the shape of x, \(8, 2\), got \(4, 2\)"),
        (lambda: class_distances(X, LABELS[:3], size=1, rng=RNG), r"labels: expected shape \(8,\)"),
        (lambda: class_distances(X, 0 * LABELS, size=1, rng=RNG), "at least two classes, got 1"),
        (
            lambda: class_distances(X, LABELS, size=3, rng=RNG),
            "half of every class, got 3 for class 0 with 4 points",
        ),
        (lambda: class_distances(X, LABELS, size=0, rng=RNG), "size: expected a positive number"),
        (lambda: class_distances(X + np.nan, LABELS, size=1, rng=RNG), "x: expected finite"),
        (
            lambda: permutation_test(X, LABELS, size=1, n_permutations=0, rng=RNG),
            "n_permutations: expected at least 1, got 0",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
