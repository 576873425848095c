"""Intrinsic dimension: exact laws on the sphere and the torus, another library, bad input."""

import numpy as np
import pytest
import skdim
from scipy import stats
from scipy.integrate import quad
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from omt_course.geometry.dimension import (
    maximum_likelihood,
    nearest_distances,
    swiss_roll,
    two_nearest,
)


def sphere(n, rng):
    """Uniform points of the unit sphere: `P(|X - x| <= t) = t^2 / 4` exactly, for t up to 2."""
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def torus_distances(n, d, k, rng):
    """Distances in the flat torus of side 1: volumes of balls are exact up to radius 1/2."""
    return cKDTree(x := rng.random((n, d)), boxsize=1.0).query(x, k + 1)[0][:, 1:]


def one_point(n, d, k, n_runs, rng):
    """Distances of one point of the torus to its neighbours, in independent runs."""
    rows = []
    for _ in range(n_runs):
        gap = np.abs(rng.random((n, d)) - 0.5)
        rows.append(np.sort(np.linalg.norm(gap, axis=1))[:k])  # of the centre: no wrapping
    rows = np.array(rows)
    assert rows[:, -1].max() < 0.5
    return rows


def test_neighbours_against_all_pairs():
    rng = np.random.default_rng(0)
    for D in (1, 3, 12, 13, 40):
        X = rng.normal(size=(200, D))
        expected = np.sort(cdist(X, X), axis=1)[:, 1:8]
        np.testing.assert_allclose(nearest_distances(X, 7), expected, rtol=1e-13)
        full = nearest_distances(X, 199)
        np.testing.assert_allclose(full, np.sort(cdist(X, X), axis=1)[:, 1:], rtol=1e-13)


@pytest.mark.parametrize("D", [3, 30])
def test_close_points_far_from_the_origin_keep_their_digits(D):
    X = np.random.default_rng(1).integers(0, 2**20, size=(300, D)) / 2.0**20
    near = nearest_distances(X, 5)
    far = nearest_distances(X + 2.0**20, 5)  # exact in double precision
    np.testing.assert_allclose(far, near, rtol=1e-13)
    pair = np.vstack([X, X[:1] + 2.0**-30])
    assert nearest_distances(pair, 1)[-1, 0] == pytest.approx(2.0**-30 * np.sqrt(D), rel=1e-12)


def test_blocks_of_rows_do_not_show():
    X = np.random.default_rng(2).normal(size=(3000, 13))  # more than one block
    np.testing.assert_allclose(
        nearest_distances(X, 4), cKDTree(X).query(X, 5)[0][:, 1:], rtol=1e-12
    )


@pytest.mark.parametrize("k", [2, 5, 30])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_sums_of_logarithms_have_their_gamma_law(d, k):
    rows = one_point(400 if d == 3 else 100, d, k, 1500, np.random.default_rng(10 * d + k))
    sums = maximum_likelihood(rows).log_sums
    assert stats.kstest(sums, stats.gamma(k - 1, scale=1 / d).cdf).pvalue > 1e-3
    assert stats.kstest(sums, stats.gamma(k - 1, scale=1 / (1.4 * d)).cdf).pvalue < 1e-3


@pytest.mark.parametrize("d", [1, 2, 3])
def test_local_estimates_are_unbiased_with_the_variance_of_the_theorem(d):
    k, runs = 10, 4000
    local = maximum_likelihood(one_point(400, d, k, runs, np.random.default_rng(d))).local
    sd = d / np.sqrt(k - 3)
    assert abs(local.mean() - d) < 4 * sd / np.sqrt(runs)
    assert abs(local.std() / sd - 1) < 0.15  # its fourth moment is large
    with_bias = local.mean() * (k - 1) / (k - 2)  # Levina and Bickel's, averaged
    assert abs(with_bias - d) > 8 * sd / np.sqrt(runs)


def test_on_the_sphere_the_law_is_exact_for_every_k():
    rng = np.random.default_rng(3)
    n = 60
    for k in (3, 20, n - 1):  # the last one sees the whole sphere
        sums = [
            maximum_likelihood(nearest_distances(sphere(n, rng), k)).log_sums[0] for _ in range(800)
        ]
        assert stats.kstest(sums, stats.gamma(k - 1, scale=1 / 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_ratio_of_two_distances_has_a_pareto_law(d):
    rows = one_point(200, d, 2, 2000, np.random.default_rng(20 + d))
    found = two_nearest(rows, discard=0.0)
    assert stats.kstest(np.exp(found.x), stats.pareto(d).cdf).pvalue > 1e-3
    assert abs(found.value - d) < 5 * d / np.sqrt(2000)
    assert found.y[-1] == np.inf and found.n_kept == 1999


@pytest.mark.parametrize("d", [2, 3, 5])
def test_pooled_estimates_on_the_torus(d):
    rng = np.random.default_rng(30 + d)
    runs = [maximum_likelihood(torus_distances(500, d, 10, rng)) for _ in range(60)]
    values = np.array([run.value for run in runs])
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean() - d) < 4 * error
    scatter = values.std() / runs[0].standard_error
    assert 0.9 < scatter < 1.65  # the factor that the docstring names, with its noise
    two = [two_nearest(torus_distances(500, d, 2, rng)).value for _ in range(60)]
    assert abs(np.mean(two) / d - 1) < 0.06


def test_against_scikit_dimension():
    rng = np.random.default_rng(4)
    for X in (rng.normal(size=(300, 6)), rng.random((300, 30)), swiss_roll(300, rng)[0]):
        for k in (3, 10, 25):
            ours = maximum_likelihood(nearest_distances(X, k))
            theirs = skdim.id.MLE(unbiased=True).fit(X, n_neighbors=k)
            np.testing.assert_allclose(ours.local, theirs.dimension_pw_, rtol=1e-9)
            plain = skdim.id.MLE().fit(X, n_neighbors=k).dimension_
            n = len(X) * (k - 1)
            assert ours.value == pytest.approx(plain * (n - 1) / n, rel=1e-10)
        for discard in (0.1, 0.3):
            found = two_nearest(nearest_distances(X, 2), discard=discard)
            theirs = skdim.id.TwoNN(discard_fraction=discard).fit(X)
            assert found.value == pytest.approx(theirs.dimension_, rel=1e-9)
        with np.errstate(divide="ignore"):  # it takes the logarithm of 1 - F at the last point
            theirs = skdim.id.TwoNN(method="mle", discard_fraction=0).fit(X).dimension_
        two = maximum_likelihood(nearest_distances(X, 2)).value  # two neighbours: the same law
        assert two == pytest.approx(theirs, rel=1e-9)


def test_what_must_not_matter_does_not():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 3))
    turn = np.linalg.qr(rng.normal(size=(50, 3)))[0]  # three orthonormal columns
    moved = 1e-3 * (X[rng.permutation(400)] @ turn.T) + 7
    a, b = (maximum_likelihood(nearest_distances(Z, 8)).value for Z in (X, moved))
    assert a == pytest.approx(b, rel=1e-9)
    a, b = (two_nearest(nearest_distances(Z, 2)).value for Z in (X, moved))
    assert a == pytest.approx(b, rel=1e-9)


def test_a_power_of_the_distance_divides_the_dimension():
    distances = nearest_distances(sphere(2000, np.random.default_rng(6)), 10)
    snow = maximum_likelihood(distances**0.5).value  # edges that move: chapter 1
    assert snow == pytest.approx(2 * maximum_likelihood(distances).value, rel=1e-12)
    assert snow == pytest.approx(4, abs=0.2)


def test_the_swiss_roll_is_uniform_and_isometric():
    X, flat = swiss_roll(4000, np.random.default_rng(7))
    a, b = 1.5 * np.pi, 4.5 * np.pi
    length = quad(lambda t: np.sqrt(1 + t * t), a, b)[0]
    assert stats.kstest(flat[:, 0] / length, "uniform").pvalue > 1e-3
    assert stats.kstest(flat[:, 1] / 21, "uniform").pvalue > 1e-3
    t = np.hypot(X[:, 0], X[:, 1])  # the radius of the spiral is its angle
    assert a <= t.min() and t.max() <= b
    arc = [quad(lambda s: np.sqrt(1 + s * s), a, end)[0] for end in t[:20]]
    np.testing.assert_allclose(flat[:20, 0], arc, rtol=1e-9)
    pairs = cKDTree(flat).query_pairs(0.5, output_type="ndarray")
    i, j = pairs.T
    along = np.linalg.norm(flat[i] - flat[j], axis=1)
    across = np.linalg.norm(X[i] - X[j], axis=1)
    assert (across <= along * (1 + 1e-12)).all() and (across >= 0.998 * along).all()


def test_twins_pull_the_reading_down_at_every_k():
    """A larger k dilutes the error, and leaving the nearest neighbour out helps only if it is one.

    Without twins the shortest of `k - 1` distances is missed: the sum keeps the mean
    `(k - 1 - H) / d` of order statistics, with `H` the harmonic number of `k - 1`.
    """
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 10))
    aside = rng.normal(size=x.shape)
    aside *= 0.05 / np.linalg.norm(aside, axis=1, keepdims=True)
    twins = nearest_distances(np.concatenate([x, x + aside]), 40)
    once = maximum_likelihood(nearest_distances(x, 10)).value
    read = [maximum_likelihood(twins[:, :k]).value for k in (10, 20, 40)]
    assert read[0] < read[1] < read[2] < 0.8 * once
    assert abs(maximum_likelihood(twins[:, 1:10]).value / once - 1) < 0.25
    flat = torus_distances(4000, 2, 10, rng)
    harmonic = (1 / np.arange(1, 10)).sum()
    assert abs(maximum_likelihood(flat[:, 1:]).value / (2 * 8 / (9 - harmonic)) - 1) < 0.03


def test_noise_in_the_ambient_space_is_read_as_dimension():
    rng = np.random.default_rng(8)
    X, _ = swiss_roll(2000, rng)
    noisy = np.column_stack([X, np.zeros((2000, 17))]) + 0.5 * rng.normal(size=(2000, 20))
    clean = maximum_likelihood(nearest_distances(X, 10)).value
    assert abs(clean - 2) < 0.15
    assert maximum_likelihood(nearest_distances(noisy, 10)).value > 5


GOOD = np.array([[1.0, 2.0, 3.0], [1.0, 1.5, 2.0]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nearest_distances(np.zeros(5), 1), r"X: expected shape \(n, D\), got \(5,\)"),
        (lambda: nearest_distances([[0.0], [np.nan], [np.inf]], 1), "got 2 of 3 points"),
        (lambda: nearest_distances(np.eye(4), 4), "k: expected 1 to 3 for 4 points, got 4"),
        (lambda: nearest_distances(np.eye(4), 0), "k: expected 1 to 3"),
        (lambda: nearest_distances([[0.0], [1], [1], [2]], 2), "got 2 of 4 that coincide"),
        (lambda: nearest_distances(np.zeros((30, 2)), 2), "got 30 of 30 that coincide"),
        (
            lambda: nearest_distances(np.repeat(np.eye(20), [2] + [1] * 19, axis=0), 3),
            "got 2 of 21 that coincide",
        ),
        (lambda: maximum_likelihood(GOOD[:, :1]), r"k >= 2, got \(2, 1\)"),
        (lambda: maximum_likelihood(GOOD - 1), "got 2 of 2 rows"),
        (lambda: maximum_likelihood([[1, np.nan], [1, 2]]), "got 1 of 2 rows"),
        (lambda: maximum_likelihood(GOOD[:, ::-1]), "rows that increase, got 2"),
        (lambda: maximum_likelihood(np.ones((5, 3))), "got 5 rows of equal entries"),
        (lambda: maximum_likelihood(GOOD[:, :2]).local, "k: expected at least 3 .* got 2"),
        (
            lambda: maximum_likelihood([[1.0, 1, 1], [1, 2, 3]]).local,
            "got 1 points with all k equal",
        ),
        (lambda: two_nearest(GOOD, discard=1.0), "discard: expected a share .* got 1.0"),
        (lambda: two_nearest(GOOD), "at least 2 points in the fit, got 1 of 2"),
        (lambda: two_nearest(np.ones((5, 2))), "got 4 equal pairs"),
    ],
)
def test_bad_input_is_named_and_counted(call, words):
    with pytest.raises(ValueError, match=words):
        call()
