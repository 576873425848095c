"""Certificates for exercises about chance: counts of samples, standard errors.

Used through `checks`. Taught in *AE-OMT on MNIST*, *AE-OMT on faces* and *Outgrowing one machine*.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import chi2, ncx2

from .verdicts import Check, CheckFailed, finite


def counts(found, masses, *, mass_error: float = 0.0, level: float = 1e-4) -> Check:
    """Check counts of independent samples against the masses of the cells, by a chi-square test.

    `chi^2 = sum_i (c_i - M nu_i)^2 / (M nu_i)` of `M` samples in `n` cells has `n - 1` degrees of
    freedom, and the noncentrality `M delta^2` if the sampled masses are off by `delta`.

    Parameters
    ----------
    found : (n,) int array
        How many samples fell in each cell.
    masses : (n,) array
        Positive, with sum 1.
    mass_error : float
        Largest relative error `delta = (sum_i (w_i - nu_i)^2 / nu_i)^(1/2)` that is granted.
    level : float
        Chance that a right sampler is refused, on either side.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts(np.bincount(rng.integers(6, size=600), minlength=6), np.full(6, 1 / 6))
    OK: 600 samples in 6 cells, chi^2 = 5.2, expected at most 25.7.
    >>> counts(3 * np.bincount(rng.integers(6, size=200), minlength=6), np.full(6, 1 / 6))
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: all counts are multiples of 3: were the same samples
    counted 3 times? Give every process a seed of its own.
    """
    masses = np.asarray(masses, dtype=float)
    found, n = _counts(found, len(masses)), len(masses)
    total = found.sum()
    expected = total * masses
    empty = np.flatnonzero((found == 0) & (expected >= 10))
    if len(empty):
        raise CheckFailed(
            f"{len(empty)} of {n} cells have no sample, cell {empty[0]} first; it should have "
            f"about {expected[empty[0]]:.0f}. Are the heights in the score?"
        )
    common = int(np.gcd.reduce(found))
    if common > 1 and (found > 0).sum() > 3:
        raise CheckFailed(
            f"all counts are multiples of {common}: were the same samples counted {common} times? "
            f"Give every process a seed of its own."
        )
    statistic = float(((found - expected) ** 2 / expected).sum())
    noncentral = total * mass_error**2
    law = ncx2(n - 1, noncentral) if noncentral else chi2(n - 1)
    if chi2.cdf(statistic, n - 1) < level:
        raise CheckFailed(
            f"chi^2 = {statistic:.1f}, and independent samples give about {n - 1}: the counts are "
            f"too even for chance. Were they computed from the masses?"
        )
    allowed = law.isf(level)
    if statistic > allowed:
        error = np.sqrt(max(statistic - (n - 1), 0) / total)
        k = int(((found - expected) ** 2 / expected).argmax())
        raise CheckFailed(
            f"chi^2 = {statistic:.1f}, expected at most {allowed:.1f}: the masses are off by about "
            f"{error:.2g}, most of all in cell {k}, with {found[k]} samples instead of "
            f"{expected[k]:.0f}. Are the heights right, and the samples independent?"
        )
    return Check(
        f"{total} samples in {n} cells, chi^2 = {statistic:.1f}, expected at most {allowed:.1f}"
    )


def _counts(found, n):
    """Return counts as integers, or fail with a sentence."""
    found = finite("the counts", found)
    if found.shape != (n,):
        hint = " Is `minlength` missing in `bincount`?" if found.ndim == 1 else ""
        if found.ndim == 1 and len(found) > 3 * n:
            hint = " These look like the cells of the samples: count them by `bincount`."
        raise CheckFailed(f"the counts have shape {found.shape}, expected ({n},).{hint}")
    if found.min() < 0:
        raise CheckFailed(f"a count is not negative; cell {found.argmin()} has {found.min():.3g}.")
    if (found != found.round()).any():
        hint = " Their sum is 1: give the counts, not the shares." if found.sum() < 2 else ""
        raise CheckFailed(f"counts are whole numbers; the largest is {found.max():.6g}.{hint}")
    if not found.any():
        raise CheckFailed("no sample was counted.")
    return found.astype(np.int64)


def standard_error(
    value: float,
    sample,
    *,
    rng: np.random.Generator,
    statistic: Callable = np.mean,
    n_resamples: int = 1000,
    tol: float = 0.1,
) -> Check:
    """Check the standard error of a statistic by drawing from the sample with replacement.

    Parameters
    ----------
    value : float
        The answer.
    sample : (n,) or (n, d) array
        Independent observations.
    rng : numpy.random.Generator
    statistic : callable
        Of an array like `sample`, a number.
    n_resamples : int
        A thousand give the deviation to about 2 %.
    tol : float
        Largest relative error.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> x, rng = np.random.default_rng(0).normal(size=400), np.random.default_rng(1)
    >>> standard_error(x.std() / 20, x, rng=rng)
    OK: the standard error 0.0498 agrees with 1000 resamples of 400 to 0.0029.
    >>> standard_error(x.std(), x, rng=rng)
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: 0.995 is the deviation of one observation; divide it by
    the root of n = 400.
    """
    value, sample = float(finite("the standard error", value)), np.asarray(sample)
    n = len(sample)
    drawn = [statistic(sample[rng.integers(n, size=n)]) for _ in range(n_resamples)]
    deviation = float(np.std(drawn))
    if deviation == 0:
        raise CheckFailed("every resample has the same value: the sample is constant.")

    def near(v):
        return abs(v / deviation - 1) <= tol

    if near(value):
        return Check(
            f"the standard error {value:.3g} agrees with {n_resamples} resamples of {n} to "
            f"{abs(value / deviation - 1):.2g}"
        )
    slips = {
        f"the deviation of one observation; divide it by the root of n = {n}": value / n**0.5,
        "the variance; take its root": np.sqrt(abs(value)),
        f"divided by n = {n}; divide by its root": value * n**0.5,
        "half the width of a 95 % interval; divide it by 1.96": value / 1.96,
        "in per cent; the sample is not": value / 100,
    }
    for slip, v in slips.items():
        if near(v):
            raise CheckFailed(f"{value:.3g} is {slip}.")
    raise CheckFailed(
        f"the standard error is {value:.3g}; {n_resamples} resamples of the {n} observations "
        f"deviate by {deviation:.3g}."
    )
