"""Precision, recall, density and coverage against known configurations and brute force."""

import numpy as np
import pytest
from scipy import spatial

from omt_course.models.classifier import Features
from omt_course.models.coverage import compare_supports, expected_coverage, neighbour_radii


def brute_force(real, made, k):
    """Return the four numbers straight from their definitions, with all distances in a table."""
    radius = [
        np.sort(spatial.distance.cdist(x, x), axis=1)[:, k]  # column 0 is the point itself
        for x in (real, made)
    ]
    table = spatial.distance.cdist(real, made)
    in_real, in_made = table <= radius[0][:, None], table <= radius[1][None]
    return (
        in_real.any(axis=0).mean(),
        in_made.any(axis=1).mean(),
        in_real.sum(axis=0).mean() / k,
        in_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 5])
def test_definitions(seed, k):
    rng = np.random.default_rng(seed)
    real, made = rng.normal(size=(90, 4)), 0.7 * rng.normal(size=(70, 4)) + 0.3
    found = compare_supports(real, made, k=k)
    expected = brute_force(real, made, k)
    four = found.precision, found.recall, found.density, found.coverage
    assert four == pytest.approx(expected, abs=1e-12)
    assert found.n == (90, 70) and found.k == k


def test_a_set_and_itself():
    """Each item lies in its own ball, and in the balls of those whose neighbour it is."""
    x = np.random.default_rng(0).normal(size=(200, 6))
    found = compare_supports(x, x, k=5)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # Of every ball: the centre and five neighbours, the fifth one on the rim.
    assert found.density == pytest.approx(6 / 5, abs=1e-12)


def test_sets_far_apart():
    x = np.random.default_rng(1).normal(size=(60, 3))
    found = compare_supports(x, x + 100, k=3)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_a_collapse_keeps_precision_and_loses_the_rest():
    """One of two clusters is never made."""
    rng = np.random.default_rng(2)
    real = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(100, 2)) + 50])
    found = compare_supports(real, real[:150] + 1e-9, k=5)
    assert found.precision == 1 and found.recall <= 0.75 and found.coverage <= 0.75
    assert compare_supports(real, real[::2] + 1e-9, k=5).coverage > 0.95


def test_an_outlier_spoils_precision_and_hardly_density():
    """A single far item has a ball over everything; density counts it as one of many."""
    rng = np.random.default_rng(3)
    real = np.concatenate([rng.normal(size=(200, 2)), [[60.0, 0.0]]])
    made = rng.normal(size=(200, 2)) + np.array([30.0, 0.0])
    found = compare_supports(real, made, k=5)
    assert found.precision == 1
    assert found.density == pytest.approx(1 / 5, abs=1e-12)
    assert found.coverage == pytest.approx(1 / 201, abs=1e-12)


def test_copies_on_the_rim():
    """Integer points: half of all distances tie with a radius."""
    real = np.arange(30.0)[:, None] + 1e6  # far from the origin
    made = np.arange(0.0, 30, 2)[:, None] + 1e6
    found = compare_supports(real, made, k=2)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # Ball i reaches 1 (2 at both ends) and holds the even numbers among i - 1, i, i + 1.
    count = sum(
        sum(abs(i - j) <= (2 if i in (0, 29) else 1) for i in range(30)) for j in range(0, 30, 2)
    )
    assert found.density == pytest.approx(count / 15 / 2, abs=1e-12)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_change_nothing(chunk):
    rng = np.random.default_rng(4)
    real, made = rng.normal(size=(40, 3)), rng.normal(size=(33, 3))
    assert compare_supports(real, made, k=3, chunk=chunk) == compare_supports(real, made, k=3)


def test_radii_with_copies():
    points = np.array([[0.0], [0.0], [0.0], [2.0], [5.0]])
    assert neighbour_radii(points, k=2).tolist() == [0, 0, 0, 2, 5]
    assert neighbour_radii(points, k=4).tolist() == [5, 5, 5, 3, 5]


def test_two_samples_of_one_law():
    """Mean coverage has a closed form for any law; mean density is one."""
    rng = np.random.default_rng(5)
    found = [
        compare_supports(rng.normal(size=(60, 3)), rng.normal(size=(40, 3)), k=3)
        for _ in range(300)
    ]
    coverage = np.array([f.coverage for f in found])
    density = np.array([f.density for f in found])
    for values, mean in ((coverage, expected_coverage(60, 40, k=3)), (density, 1.0)):
        assert abs(values.mean() - mean) < 4 * values.std() / np.sqrt(len(values))
    assert expected_coverage(10_000, 10_000, k=5) == pytest.approx(1 - 2.0**-5, abs=1e-3)


def test_features_of_two_networks_are_not_compared():
    x = np.random.default_rng(6).normal(size=(20, 2))
    assert compare_supports(Features(x, "one"), Features(x, "one"), k=1).features == "one"
    with pytest.raises(ValueError, match="made: expected features of one network"):
        compare_supports(Features(x, "one"), Features(x, "two"), k=1)


@pytest.mark.parametrize(
    "real, made, k, message",
    [
        (np.zeros((5, 2)), np.zeros((5, 3)), 1, "made: expected 2 columns as in real; got 3"),
        (np.zeros((5, 2)), np.zeros((3, 2)), 3, "made: expected shape .* n > 3"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), 1, "real: expected finite"),
        (np.zeros(5), np.zeros((5, 1)), 1, "real: expected shape"),
        (np.zeros((5, 2)), np.zeros((5, 2)), 0, "k: expected a positive integer; got 0"),
    ],
)
def test_bad_input_is_named(real, made, k, message):
    with pytest.raises(ValueError, match=message):
        compare_supports(real, made, k=k)
