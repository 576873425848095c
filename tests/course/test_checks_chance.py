"""Certificates for chance: right answers pass, the usual slips are named."""

import numpy as np
import pytest
from refusals import refused

from omt_course.course import checks

MASSES = np.random.default_rng(0).dirichlet(np.full(20, 5.0))


def drawn(masses, n, seed):
    return np.random.default_rng(seed).multinomial(n, masses)


@pytest.mark.parametrize("seed", range(20))
def test_right_samplers_pass(seed):
    assert "samples in 20 cells" in checks.counts(drawn(MASSES, 5000, seed), MASSES).message


def test_a_granted_mass_error():
    off = MASSES * (1 + 0.2 * np.resize([1, -1], 20))
    off /= off.sum()
    delta = np.sqrt(((off - MASSES) ** 2 / MASSES).sum())
    found = drawn(off, 20_000, 1)
    checks.counts(found, MASSES, mass_error=1.05 * delta)
    sentence = refused(checks.counts, found, MASSES)
    assert f"off by about {delta:.1g}"[:-1] in sentence and "samples instead of" in sentence


RIGHT = drawn(MASSES, 5000, 2)
WRONG_COUNTS = {
    "cell 3 first; it should have about": RIGHT * (np.arange(20) != 3),
    "multiples of 3: were the same samples": 3 * drawn(MASSES, 2000, 3),
    "too even for chance": np.round(5000 * MASSES),
    "give the counts, not the shares": RIGHT / RIGHT.sum(),
    "Is `minlength` missing": RIGHT[:-1],
    "count them by `bincount`": np.repeat(np.arange(20), RIGHT),
    "a count is not negative": RIGHT - 4000,
    "no sample was counted": 0 * RIGHT,
    "the masses are off by about": drawn(np.full(20, 1 / 20), 5000, 4),
    "expected numbers": "many",
}


@pytest.mark.parametrize("sentence", WRONG_COUNTS)
def test_wrong_counts(sentence):
    assert sentence in refused(checks.counts, WRONG_COUNTS[sentence], MASSES)


SAMPLE = 3 * np.random.default_rng(5).exponential(size=900)
ERROR = SAMPLE.std() / 30


def test_standard_error():
    rng = np.random.default_rng(6)
    assert "1000 resamples of 900" in checks.standard_error(ERROR, SAMPLE, rng=rng).message
    q = 0.01
    rare = (np.arange(10_000) < 100).astype(float)
    checks.standard_error(np.sqrt(q * (1 - q) / 10_000), rare, rng=rng)
    pairs = np.random.default_rng(7).normal(size=(400, 2))
    checks.standard_error(
        2**0.5 / 20, pairs, rng=rng, statistic=lambda x: (x[:, 0] + x[:, 1]).mean(), tol=0.2
    )


WRONG_ERRORS = {
    "deviation of one observation; divide it by the root of n = 900": SAMPLE.std(),
    "the variance; take its root": ERROR**2,
    "divided by n = 900; divide by its root": SAMPLE.std() / 900,
    "half the width of a 95 % interval": 1.96 * ERROR,
    "in per cent": 100 * ERROR,
    "900 observations deviate by": 1.3 * ERROR,
}


@pytest.mark.parametrize("sentence", WRONG_ERRORS)
def test_wrong_standard_errors(sentence):
    rng = np.random.default_rng(8)
    assert sentence in refused(checks.standard_error, WRONG_ERRORS[sentence], SAMPLE, rng=rng)


def test_a_constant_sample_has_no_error_to_check():
    rng = np.random.default_rng(9)
    assert "is constant" in refused(checks.standard_error, 0.1, np.ones(9), rng=rng)
