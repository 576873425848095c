"""How good are generated images: what is measured in the features of a named network.

A Frechet distance means nothing without its features; here it carries their name, and features of
two different networks cannot be compared by mistake.
"""

from dataclasses import dataclass

import numpy as np

from omt_course.models.classifier import (
    Features,
    LeNet,
    as_tensor,
    features,
    probabilities,
    train_classifier,
)

__all__ = [
    "Features",
    "FrechetDistance",
    "LeNet",
    "ambiguous_share",
    "as_tensor",
    "class_shares",
    "features",
    "frechet_distance",
    "memorised_share",
    "nearest_distances",
    "probabilities",
    "train_classifier",
]


@dataclass(frozen=True)
class FrechetDistance:
    """A squared Frechet distance between two Gaussians, with what it rests on.

    Attributes
    ----------
    value : float
        ``mean_part + covariance_part``; ``float(...)`` returns it.
    features : str
        Name of the features.
    mean_part, covariance_part : float
    n : tuple of int
        Sizes of the two samples.
    ranks : tuple of int
        Ranks of the two covariances.
    dimension : int
        Number of features. A rank below it comes from features that never vary, or, when ``n`` is
        not larger, from too few samples: ``undersampled`` tells the second case.
    """

    value: float
    features: str
    mean_part: float
    covariance_part: float
    n: tuple
    ranks: tuple
    dimension: int

    @property
    def undersampled(self):
        """Whether a sample is too small for its covariance to have full rank."""
        return min(self.n) <= self.dimension

    def __float__(self):
        return self.value

    def __str__(self):
        return f"{self.value:.3g} (Frechet distance, {self.features})"


def frechet_distance(a, b):
    """Return the squared 2-Wasserstein distance of the Gaussians fitted to two samples.

    ``|m_a - m_b|^2 + tr(S_a) + tr(S_b) - 2 tr (S_a^(1/2) S_b S_a^(1/2))^(1/2)``. With
    ``S = R^T R`` for the triangular factor R of the centred sample, the last trace is the sum of
    the singular values of ``R_a R_b^T``: no square root of a matrix, and no trouble where a
    covariance is singular. The covariances have denominator n - 1. The estimate is biased upwards,
    more for smaller samples, so compare only values from samples of one size.

    Parameters
    ----------
    a, b : Features, or (n, d) float array
        At least two rows each.

    Returns
    -------
    distance : FrechetDistance

    Raises
    ------
    ValueError
        If shapes do not agree, values are not finite, or the features are of different networks.

    Notes
    -----
    Source: Dowson, Landau, J. Multivariate Anal. 12(3), 1982. Taught on the page
    ``ae-omt-mnist``.

    Examples
    --------
    >>> x = np.array([[-1.0], [1.0]])
    >>> round(float(frechet_distance(x, 3 * x + 1)), 12)  # 1 + (sqrt 2 - 3 sqrt 2)^2
    9.0
    """
    names = {x.name for x in (a, b) if isinstance(x, Features)}
    if len(names) > 1:
        raise ValueError(f"b: expected features of one network; got {' and '.join(sorted(names))}")
    a, b = (
        _checked(name, x.values if isinstance(x, Features) else x)
        for name, x in (("a", a), ("b", b))
    )
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"b: expected {a.shape[1]} columns as in a; got {b.shape[1]}")
    factors = [np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (a, b)]
    overlap = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    mean_part = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    covariance_part = float(sum((factor**2).sum() for factor in factors) - 2 * overlap)
    covariance_part = max(covariance_part, 0.0)  # >= 0 in exact arithmetic: this is round-off
    return FrechetDistance(
        value=mean_part + covariance_part,
        features=names.pop() if names else "features given as arrays",
        mean_part=mean_part,
        covariance_part=covariance_part,
        n=(len(a), len(b)),
        ranks=tuple(int(np.linalg.matrix_rank(factor)) for factor in factors),
        dimension=a.shape[1],
    )


def ambiguous_share(probabilities, *, threshold=0.9):
    """Return the share of rows whose largest probability is below the threshold.

    Parameters
    ----------
    probabilities : (n, n_classes) float array
        Rows that sum to 1; anything else is a ValueError.
    threshold : float

    Returns
    -------
    share : float

    Examples
    --------
    >>> ambiguous_share([[0.95, 0.05], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]])
    0.5
    """
    rows = _checked_probabilities(probabilities)
    return float((rows.max(1) < threshold).mean())


def class_shares(probabilities):
    """Return the share of rows in which each class has the largest probability.

    Parameters
    ----------
    probabilities : (n, n_classes) float array
        Rows that sum to 1; anything else is a ValueError.

    Returns
    -------
    shares : (n_classes,) float64 array

    Examples
    --------
    >>> class_shares([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [1.0, 0.0]])
    array([0.75, 0.25])
    """
    rows = _checked_probabilities(probabilities)
    return np.bincount(rows.argmax(1), minlength=rows.shape[1]) / len(rows)


def nearest_distances(samples, training=None, *, chunk=512):
    """Return the distance of each sample to the nearest training item, exactly.

    Parameters
    ----------
    samples : (n, ...) array
    training : (m, ...) array, optional
        Without it, each sample's distance to the nearest *other* sample.
    chunk : int
        Samples handled at once; memory grows with ``chunk * m``.

    Returns
    -------
    distances : (n,) float64 array

    Raises
    ------
    ValueError
        If shapes do not agree, values are not finite, or a single sample is given alone.

    Notes
    -----
    The nearest item is found by matrix products, of cost ``n * m`` times the size of an item; its
    distance is then computed from the difference, so that a copy is at distance 0.

    Examples
    --------
    >>> nearest_distances([[0.0, 0.0], [5.0, 5.0]], [[3.0, 4.0], [5.0, 5.0]])
    array([5., 0.])
    >>> nearest_distances([[0.0], [1.0], [3.0]])
    array([1., 1., 2.])
    """
    within = training is None
    a = _flat("samples", samples)
    b = a if within else _flat("training", training)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"training: expected {a.shape[1]} numbers an item; got {b.shape[1]}")
    if within and len(a) < 2:
        raise ValueError("samples: expected at least two; got 1")
    centre = b.mean(0)  # away from the origin the scores below would cancel
    a, b = a - centre, b - centre
    half_norms = 0.5 * (b**2).sum(1)
    nearest = np.empty(len(a), dtype=int)
    for start in range(0, len(a), chunk):
        scores = a[start : start + chunk] @ b.T - half_norms  # largest where the distance is least
        if within:
            rows = np.arange(len(scores))
            scores[rows, start + rows] = -np.inf
        nearest[start : start + chunk] = scores.argmax(1)
    return np.sqrt(((a - b[nearest]) ** 2).sum(1))


def memorised_share(samples, training, *, threshold=None):
    """Return the share of samples that lie closer to a training item than ``threshold``.

    Parameters
    ----------
    samples : (n, ...) array
    training : (m, ...) array
        Images or codes, whatever the samples are.
    threshold : float, optional
        By default the median distance of a training item to the nearest other one.

    Returns
    -------
    share : float

    Raises
    ------
    ValueError
        If shapes do not agree, values are not finite, or the threshold is negative.

    Notes
    -----
    About half of fresh samples of the training items' own law lie below the default threshold, so
    a share of one half is no sign of memory; a share near 1 is. Taught on the page
    ``ae-omt-mnist``.

    Examples
    --------
    >>> memorised_share([[0.4], [2.0], [7.5], [9.0]], [[0.0], [1.0], [4.0], [8.0], [9.0]])
    0.75
    """
    if threshold is None:
        threshold = np.median(nearest_distances(training))
    elif not threshold >= 0:
        raise ValueError(f"threshold: expected a number >= 0; got {threshold!r}")
    return float((nearest_distances(samples, training) < threshold).mean())


def _checked(name, values):
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2:
        raise ValueError(f"{name}: expected shape (n, d) with n >= 2; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
    return array


def _checked_probabilities(values):
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"probabilities: expected shape (n, n_classes); got {array.shape}")
    if not (array.min() >= 0 and np.allclose(array.sum(1), 1, atol=1e-6)):
        raise ValueError("probabilities: expected rows >= 0 that sum to 1; got others")
    return array


def _flat(name, values):
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or len(array) == 0:
        raise ValueError(f"{name}: expected shape (n, ...); got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
    return array.reshape(len(array), -1)
