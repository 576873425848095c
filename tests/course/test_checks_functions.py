"""Certificates for functions: right answers pass, the usual slips are named."""

import numpy as np
from refusals import refused

from omt_course.course import checks

X = np.random.default_rng(2).normal(size=(50, 2))


def test_convex_functions_pass():
    for u in (lambda x: (x**2).sum(-1), lambda x: np.abs(x).max(-1), lambda x: x[:, 0]):
        assert "below its chord" in checks.convex(u, X).message


def test_concave_and_crooked_functions_fail():
    assert "concave" in refused(checks.convex, lambda x: -(x**2).sum(-1), X)
    assert "above the chord" in refused(checks.convex, lambda x: np.sin(3 * x[:, 0]), X)
    assert "one value a row" in refused(checks.convex, lambda x: x, X)


def test_gradient():
    def u(x):
        return x[0] ** 3 + np.sin(x[1])

    def du(x):
        return np.array([3 * x[0] ** 2, np.cos(x[1])])

    at = [0.3, -1.2]
    assert "central differences" in checks.gradient(u, du, at).message
    assert "the gradient is the negative" in refused(checks.gradient, u, lambda x: -du(x), at)
    assert "twice" in refused(checks.gradient, u, lambda x: 2 * du(x), at)
    assert "at index (1,)" in refused(checks.gradient, u, lambda x: du(x) * [1, 3], at)
    assert "twice what central differences give" in refused(
        checks.gradient, u, lambda x: 2 * du(x), at
    )


# --- the best of many ---------------------------------------------------------------------------

NUMBERS = np.random.default_rng(3).normal(size=31).cumsum()


def score(k):
    return NUMBERS[int(k)]


def test_the_best_choice_passes_and_may_lie_between_candidates():
    assert "none of the 31" in checks.best(NUMBERS.argmax(), range(31), score).message
    assert checks.best(0.5, [0, 1], lambda x: -((x - 0.5) ** 2))


def test_other_choices():
    worst, beside = NUMBERS.argmin(), NUMBERS.argmax() + 1
    other = np.argsort(NUMBERS)[len(NUMBERS) // 2]
    assert "did you minimise" in refused(checks.best, worst, range(31), score)
    assert "off by one" in refused(checks.best, beside, range(31), score)
    sentence = refused(checks.best, other, range(31), score, name="the threshold")
    assert sentence.startswith("the threshold scores") and sentence.endswith(".")
    assert f"and {NUMBERS.argmax()} scores {NUMBERS.max():.6g}" in sentence
    assert "expected finite" in refused(checks.best, 0, range(3), lambda k: np.nan)


# --- a minimum ----------------------------------------------------------------------------------

M = np.array([[3.0, 1.0], [1.0, 2.0]])


def quadratic(x):
    return x @ M @ x / 2 - x[0]


def test_minimum():
    at = np.linalg.solve(M, [1.0, 0.0])
    assert "150 places" in checks.minimum(quadratic, at, rng=np.random.default_rng(0)).message
    matrix = checks.minimum(
        lambda A: ((A - M) ** 2).sum(), M, rng=np.random.default_rng(0), n=7, name="the loss"
    )
    assert matrix.message == "the loss is not smaller at any of 21 places nearby"


def test_no_minimum():
    rng = np.random.default_rng(0)
    assert "the gradient does not vanish" in refused(checks.minimum, quadratic, np.ones(2), rng=rng)
    assert "Mind the sign" in refused(checks.minimum, lambda x: -(x**2).sum(), np.zeros(2), rng=rng)
    assert "a saddle" in refused(
        checks.minimum, lambda x: x[0] ** 2 - x[1] ** 2, np.zeros(2), rng=rng
    )
    assert "the loss at the answer is nan" in refused(
        checks.minimum, lambda x: np.nan, np.zeros(2), rng=rng, name="the loss"
    )
