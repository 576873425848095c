"""Certificates for networks as maps: right answers pass, the usual slips are named."""

import numpy as np
import pytest
from refusals import refused

from omt_course.course import checks
from omt_course.models.coverage import compare_supports

X = np.random.default_rng(0).uniform(-1, 1, size=(300, 2))


def squares(x):
    return x**2  # steepness at most 2 on the square [-1, 1]^2


def slopes(within):
    apart = np.linalg.norm(X[:, None] - X, axis=2)
    moved = np.linalg.norm(squares(X)[:, None] - squares(X), axis=2)
    i, j = np.nonzero((apart <= within) & (np.arange(300)[:, None] < np.arange(300)))
    return moved[i, j], apart[i, j]


MOVED, APART = slopes(0.2)
SLOPES = MOVED / APART


def test_lipschitz():
    answer = checks.lipschitz(SLOPES.max(), squares, X, within=0.2, upper=2)
    assert f"{len(SLOPES)} pairs" in answer.message and "no pair more than 2" in answer.message
    assert "no pair" not in checks.lipschitz(SLOPES.max(), squares, X, within=0.2).message


WRONG_BOUNDS = {
    "is no lower bound: no pair of points can have more than 2": 2.5,
    "is the mean over the pairs": SLOPES.mean(),
    "is the least slope": SLOPES.min(),
    "is the largest distance of two images": MOVED.max(),
    "is a lower bound, but not the best": 1.5,
    "which two points have more": 1.99,
    "expected finite": np.inf,
}


@pytest.mark.parametrize("sentence", WRONG_BOUNDS)
def test_wrong_lipschitz_bounds(sentence):
    wrong = WRONG_BOUNDS[sentence]
    assert sentence in refused(checks.lipschitz, wrong, squares, X, within=0.2, upper=2)


def test_slopes_squared_or_inverted():
    free = {"within": 0.2, "upper": np.inf}
    assert "take the root" in refused(checks.lipschitz, SLOPES.max() ** 2, squares, X, **free)
    assert "inverse slopes" in refused(checks.lipschitz, 1 / SLOPES.min(), squares, X, **free)


def test_lipschitz_needs_pairs():
    with pytest.raises(ValueError, match="within: expected a distance that some pair is within"):
        checks.lipschitz(1.0, squares, X, within=1e-9)


def test_twins():
    assert "not injective" in checks.twins(squares, [1, 0.5], [-1, 0.5], apart=2).message
    for x, y, sentence in (
        ([1, 0.5], [1, 0.5], "x and y are one point"),
        ([1, 0.5], [1, -0.5], "x and y are 1 apart, expected at least 1.9"),
        ([1, 0.5], [-0.99, 0.5], "improve the pair by a solver"),
        ([1, 0.5], [-1, 0.0], "the images are 0.25 apart, more than 1e-08."),
        ([[1, 0.5]], [[-1, 0.5]], "give two single points"),
    ):
        assert sentence in refused(checks.twins, squares, x, y, apart=1.9)
    assert "is the function odd" in refused(checks.twins, np.sin, [1.0], [-1.0], apart=2)


# --- coverage -----------------------------------------------------------------------------------

RNG = np.random.default_rng(1)
PAIRS = [(RNG.normal(size=(60, 2)), 1.3 * RNG.normal(size=(40, 2))) for _ in range(5)]


def test_coverage():
    def own(real, made, k):
        radius = np.sort(np.linalg.norm(real[:, None] - real, axis=2), axis=1)[:, k]
        across = np.linalg.norm(real[:, None] - made, axis=2)
        return (across <= radius[:, None]).any(axis=1).mean()

    assert "of all 5 pairs" in checks.coverage(own, PAIRS, 3).message


def supports(name, shift=0, swap=False):
    def function(real, made, k):
        sides = (made, real) if swap else (real, made)
        return getattr(compare_supports(*sides, k=k + shift), name)

    return function


WRONG_COVERAGES = {
    "subtract it from 1": lambda r, m, k: 1 - supports("coverage")(r, m, k),
    "balls must be those of the real items": supports("recall"),
    "count real balls, not made items": supports("precision"),
    "a ball counts once": supports("density"),
    "swap the two": supports("coverage", swap=True),
    "right for k = 2: did a point count itself": supports("coverage", -1),
    "right for k = 4: is an index off by one?": supports("coverage", 1),
    "divide by N": lambda r, m, k: 60 * supports("coverage")(r, m, k),
    "5 of 5 pairs are off": lambda r, m, k: 2.0,
    "expected a number": lambda r, m, k: np.zeros(60),
}


@pytest.mark.parametrize("sentence", WRONG_COVERAGES)
def test_wrong_coverages(sentence):
    assert sentence in refused(checks.coverage, WRONG_COVERAGES[sentence], PAIRS, 3)


def test_balls_without_radius():
    def nothing(real, made, k):
        return 0.0

    assert "right for k = 0: did a point count itself" in refused(
        checks.coverage, nothing, PAIRS, 1
    )
