"""Exponents of convergence with their confidence, from errors at several sizes and seeds."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Exponent:
    """The slope of `log error` against `log h`.

    Attributes
    ----------
    value : float
        Least squares over all seeds and sizes.
    standard_error : float
        Of the regression, all errors taken as independent; nan without a spare degree of freedom.
    low, high : float
        95 % interval of the bootstrap over seeds: whole runs are drawn again, so errors of one seed
        at different sizes need not be independent. Equal to `value` with one seed.
    """

    value: float
    standard_error: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} +- {self.standard_error:.3f} [{self.low:.3f}, {self.high:.3f}]"


def exponent(
    h: np.ndarray, errors: np.ndarray, *, rng: np.random.Generator, n_boot: int = 2000
) -> Exponent:
    """Fit `error = C h^p` and return `p` with its confidence.

    Parameters
    ----------
    h : (k,) float array
        Mesh sizes, positive, at least two different ones.
    errors : (s, k) float array
        Positive errors, a row a seed.
    rng : numpy.random.Generator
        For the bootstrap.
    n_boot : int
        Number of draws.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not positive.

    Examples
    --------
    >>> h = np.array([1, 0.5, 0.25])
    >>> p = exponent(h, np.array([3 * h**2, 5 * h**2]), rng=np.random.default_rng(0))
    >>> round(p.value, 12), round(p.low, 12), round(p.high, 12)
    (2.0, 2.0, 2.0)
    """
    h, errors = np.asarray(h, dtype=float), np.asarray(errors, dtype=float)
    if h.ndim != 1 or errors.ndim != 2 or errors.shape[1:] != h.shape:
        raise ValueError(f"errors: expected shape (s, {h.size}), got {errors.shape}")
    for name, array in (("h", h), ("errors", errors)):
        if not (np.isfinite(array).all() and array.size and array.min() > 0):
            raise ValueError(f"{name}: expected positive finite numbers, got {array.min()}")
    x = np.log(h) - np.log(h).mean()
    if not np.ptp(x) > 0:
        raise ValueError(f"h: expected at least two different sizes, got {h.tolist()}")
    y = np.log(errors)
    slopes = y @ x / (x @ x)  # the slope over all seeds is the mean of theirs
    residual = y - y.mean() - slopes.mean() * x
    spare = y.size - 2
    scatter = np.sqrt((residual**2).sum() / spare / (len(y) * (x @ x))) if spare > 0 else np.nan
    drawn = slopes[rng.integers(len(y), size=(n_boot, len(y)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Exponent(float(slopes.mean()), float(scatter), float(low), float(high))
