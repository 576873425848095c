"""Metrics against closed forms and brute force."""

import numpy as np
import pytest
from scipy import linalg, spatial

from omt_course.models.metrics import (
    Features,
    ambiguous_share,
    class_shares,
    frechet_distance,
    memorised_share,
    nearest_distances,
)


def with_moments(rng, n, mean, covariance_root):
    """Return a sample with exactly this mean and covariance A A^T."""
    d = covariance_root.shape[1]
    x = rng.standard_normal((n, d))
    q = np.linalg.qr(x - x.mean(0))[0] * np.sqrt(n - 1)  # mean 0, covariance the identity
    return mean + q @ covariance_root.T


def closed_form(mean_a, cov_a, mean_b, cov_b):
    """Return the distance by eigenvalues, another road than the module's."""
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross


def test_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2."""
    rng = np.random.default_rng(0)
    a = with_moments(rng, 50, 2.0, np.array([[3.0]]))
    b = with_moments(rng, 70, -1.0, np.array([[0.5]]))
    found = frechet_distance(a, b)
    assert found.value == pytest.approx(9 + 2.5**2, rel=1e-12)
    assert found.mean_part == pytest.approx(9) and float(found) == found.value
    assert found.n == (50, 70) and found.ranks == (1, 1) and not found.undersampled


def test_commuting_covariances():
    """Common axes: the distance is the sum over axes of squared differences."""
    rng = np.random.default_rng(1)
    axes = linalg.qr(rng.standard_normal((5, 5)))[0]
    s, t = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 2, 0.1, 7, 5])
    a = with_moments(rng, 200, np.zeros(5), axes * s)
    b = with_moments(rng, 300, np.ones(5), axes * t)
    assert frechet_distance(a, b).value == pytest.approx(5 + ((s - t) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_general_covariances(seed):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, 6, 6))
    means = rng.standard_normal((2, 6))
    a, b = (with_moments(rng, 40, m, r) for m, r in zip(means, roots, strict=True))
    covariances = [r @ r.T for r in roots]
    expected = closed_form(means[0], covariances[0], means[1], covariances[1])
    assert frechet_distance(a, b).value == pytest.approx(expected, rel=1e-10)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    again = ((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b).value == pytest.approx(again, rel=1e-6)


def test_an_affine_image_of_itself():
    """x -> x + 3 (x - m) + s: the optimal map is known, so is its cost."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((100, 4)) @ rng.standard_normal((4, 4))
    b = 4 * a - 3 * a.mean(0) + np.array([1.0, 2, 3, 4])
    expected = 30 + 9 * a.var(0, ddof=1).sum()
    assert frechet_distance(a, b).value == pytest.approx(expected, rel=1e-12)


def test_singular_covariances_on_orthogonal_lines():
    """Rank one each, on orthogonal axes: the overlap is nothing."""
    t = np.linspace(-1, 1, 21)
    zero = np.zeros_like(t)
    a, b = np.stack([2 * t, zero, zero], 1), np.stack([zero, 3 * t, zero], 1)
    found = frechet_distance(a, b)
    assert found.value == pytest.approx(13 * t.var(ddof=1), rel=1e-12)
    assert found.ranks == (1, 1) and found.dimension == 3 and not found.undersampled


def test_fewer_samples_than_features():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((6, 20)), rng.standard_normal((9, 20)) + 1
    found = frechet_distance(a, b)
    expected = closed_form(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.ranks == (5, 8) and found.undersampled


def test_distance_properties():
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((30, 5)), 2 * rng.standard_normal((40, 5)) + 1
    rotation = linalg.qr(rng.standard_normal((5, 5)))[0]
    value = frechet_distance(a, b).value
    assert frechet_distance(a, a[::-1]).value == pytest.approx(0, abs=1e-12)
    assert frechet_distance(b, a).value == pytest.approx(value, rel=1e-12)
    moved = frechet_distance(a @ rotation + 7, b @ rotation + 7).value
    assert moved == pytest.approx(value, rel=1e-10)
    assert frechet_distance(10 * a, 10 * b).value == pytest.approx(100 * value, rel=1e-10)


def test_features_carry_their_name():
    a = np.random.default_rng(5).standard_normal((20, 3))
    found = frechet_distance(Features(a, "net one"), Features(a + 1, "net one"))
    assert found.features == "net one" and str(found) == "3 (Frechet distance, net one)"
    with pytest.raises(ValueError, match="one network; got net one and net two"):
        frechet_distance(Features(a, "net one"), Features(a, "net two"))
    assert "arrays" in frechet_distance(a, a).features


@pytest.mark.parametrize(
    "a, b, message",
    [
        (np.zeros((5, 2)), np.zeros((5, 3)), "b: expected 2 columns as in a; got 3"),
        (np.zeros((1, 2)), np.zeros((5, 2)), "a: expected shape .* n >= 2"),
        (np.zeros((5, 2)), np.full((5, 2), np.nan), "b: expected finite"),
        (np.zeros(5), np.zeros((5, 1)), "a: expected shape"),
    ],
)
def test_bad_features_are_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)


def test_shares_of_a_known_table():
    table = np.array([[0.89, 0.11, 0], [0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0], [0.4, 0.3, 0.3]])
    assert ambiguous_share(table) == 0.6
    assert ambiguous_share(table, threshold=0.5) == 0.2
    assert class_shares(table).tolist() == [0.6, 0.4, 0.0]


@pytest.mark.parametrize("bad", [[0.5, 0.5], [[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1]], [[]]])
def test_tables_that_are_no_probabilities_are_refused(bad):
    for function in (ambiguous_share, class_shares):
        with pytest.raises(ValueError, match="probabilities: expected"):
            function(bad)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_nearest_distances_are_those_of_brute_force(chunk):
    rng = np.random.default_rng(6)
    samples, training = rng.random((50, 4, 5)), rng.random((33, 4, 5))
    table = spatial.distance.cdist(samples.reshape(50, -1), training.reshape(33, -1))
    assert np.allclose(nearest_distances(samples, training, chunk=chunk), table.min(1), rtol=1e-14)
    table = spatial.distance.squareform(spatial.distance.pdist(training.reshape(33, -1)))
    np.fill_diagonal(table, np.inf)
    assert np.allclose(nearest_distances(training, chunk=chunk), table.min(1), rtol=1e-14)


def test_copies_are_at_distance_zero_however_far_from_the_origin():
    rng = np.random.default_rng(7)
    training = 1e6 + rng.random((40, 3))
    assert nearest_distances(training[::-1], training).max() == 0  # not rounded: the very pair
    assert nearest_distances(np.concatenate([training, training])).max() == 0


def test_memorised_share():
    training = np.arange(11.0)[:, None] * 2  # each nearest neighbour at distance 2
    samples = np.array([[0.0], [1.0], [21.9], [22.0], [30.0]])
    assert memorised_share(training, training) == 1
    assert memorised_share(samples, training) == 0.6  # 22.0 is at distance 2, not closer
    assert memorised_share(samples, training, threshold=0.5) == 0.2
    assert memorised_share(samples, training, threshold=0) == 0


def test_fresh_samples_of_the_same_law_are_not_called_memorised_more_than_chance():
    """By exchangeability about half of fresh samples lie below the median distance."""
    rng = np.random.default_rng(8)
    share = memorised_share(rng.standard_normal((4000, 3)), rng.standard_normal((4000, 3)))
    assert 0.45 < share < 0.55


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: memorised_share(np.zeros((3, 2)), np.zeros((3, 4))), "training: expected 2 numb"),
        (lambda: memorised_share(np.zeros((3, 2)), np.zeros((1, 2))), "samples: expected at least"),
        (lambda: memorised_share(np.zeros((3, 2)), np.full((3, 2), np.inf)), "expected finite"),
        (lambda: memorised_share(np.zeros(3), np.zeros((3, 1))), r"samples: expected shape"),
        (
            lambda: memorised_share(np.zeros((3, 1)), np.zeros((3, 1)), threshold=-1),
            "threshold: expected a number >= 0; got -1",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
