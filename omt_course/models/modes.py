"""Are all kinds of images there? Samples counted by the classes of a judge.

Taught in *AE-OMT on MNIST*.
"""

from dataclasses import dataclass

import numpy as np

from omt_course.models.metrics import class_shares

__all__ = ["Modes", "count_modes"]


@dataclass(frozen=True)
class Modes:
    """How often each mode was made, against how often it should be.

    Attributes
    ----------
    shares : (k,) float array
        Share of the samples in each mode.
    expected : (k,) float array
        Share of the data in each mode.
    """

    shares: np.ndarray
    expected: np.ndarray

    @property
    def n_found(self) -> int:
        """Number of modes with at least one sample."""
        return int((self.shares > 0).sum())

    @property
    def missed_share(self) -> float:
        """Share of the data that lie in modes without any sample."""
        return float(self.expected[self.shares == 0].sum())

    @property
    def n_faded(self) -> int:
        """Number of modes that have less than a tenth of their share, the missed ones included."""
        return int((self.shares < 0.1 * self.expected).sum())

    @property
    def smallest(self) -> float:
        """Share of the rarest mode among the samples."""
        return float(self.shares.min())

    @property
    def distance(self) -> float:
        """Total variation distance of the two laws on modes: half the sum of the differences."""
        return float(np.abs(self.shares - self.expected).sum() / 2)


def count_modes(probabilities: np.ndarray, expected: np.ndarray | None = None) -> Modes:
    """Count samples by the class to which a judge gives the largest probability.

    Parameters
    ----------
    probabilities : (n, k) float array
        Rows that sum to 1.
    expected : (k,) float array, optional
        Positive, summing to 1; equal shares when left out.

    Returns
    -------
    Modes

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Examples
    --------
    >>> table = np.eye(4)[[0] * 60 + [1] * 39 + [2]]
    >>> found = count_modes(table)
    >>> found.n_found, found.n_faded, found.missed_share, found.smallest
    (3, 2, 0.25, 0.0)
    """
    shares = class_shares(probabilities)
    k = len(shares)
    expected = np.full(k, 1 / k) if expected is None else np.asarray(expected, dtype=float)
    if expected.shape != (k,) or not ((expected > 0).all() and np.isclose(expected.sum(), 1)):
        raise ValueError(f"expected: expected {k} positive shares that sum to 1; got {expected}")
    return Modes(shares=shares, expected=expected)
