"""Mass in the gap: how much a map sends between clusters, and how much a continuous one must.

Let `A_i` be closed sets at mutual distance at least `gap`, and `a_i = mu(T^-1 A_i)`. If `mu` has
the isoperimetric profile `I` (a set of mass `s` has perimeter at least `I(s)`, `I` concave), then
any locally Lipschitz `T` satisfies, by the coarea formula for the distances to the `A_i`,

`int_G |DT| dmu >= (gap / 2) sum_i min(I(a_i), I(1 - sum_{j != i} a_j))`,

`G` being where `T` lands in none of the `A_i`. Taught in *Where maps must tear*.
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtri

from .costs import finite_array


def share_between(images: np.ndarray, points: np.ndarray, threshold: float) -> float:
    """Return the share of images that are farther than `threshold` from every target point.

    Parameters
    ----------
    images : (n, d) float array
        Images `T(x)` of a sample of the source.
    points : (m, d) float array
        The target.
    threshold : float
        Positive; a quarter of the distance between clusters in this course.

    Raises
    ------
    ValueError
        If the shapes do not fit or the threshold is not positive.

    Examples
    --------
    >>> share_between([[0.0], [0.5], [0.9], [1.0]], [[0.0], [1.0]], 0.25)
    0.25
    """
    images, points = finite_array("images", images, 2), finite_array("points", points, 2)
    if images.shape[1] != points.shape[1] or not len(images) or not len(points):
        raise ValueError(f"points: expected shape (m, {images.shape[1]}), got {points.shape}")
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold: expected a positive number, got {threshold}")
    return float((cKDTree(points).query(images)[0] > threshold).mean())


def gaussian_profile(s: np.ndarray) -> np.ndarray:
    """Return the least perimeter `density(quantile(s))` of a set of mass `s`, standard normal law.

    Half spaces reach it, in every dimension (Borell 1975; Sudakov and Tsirelson 1978).

    Examples
    --------
    >>> gaussian_profile(np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [0.0, 0.398942, 0.0]
    """
    return np.exp(-(ndtri(_share(s)) ** 2) / 2) / np.sqrt(2 * np.pi)


def convex_profile(s: np.ndarray, diameter: float) -> np.ndarray:
    """Return `4 s (1 - s) / diameter`: no set of mass `s` in a convex body has less perimeter.

    The law is uniform on the body, and perimeter is measured inside it, over its volume.

    Notes
    -----
    From `int |f - mean f| <= (diameter / 2) int |grad f|` (Acosta and Duran 2004).

    Examples
    --------
    >>> float(convex_profile(0.5, 2.0))       # the disk; its diameter, 2 / pi, is shortest
    0.5
    """
    if not 0 < diameter < np.inf:
        raise ValueError(f"diameter: expected a positive number, got {diameter}")
    s = _share(s)
    return 4 * s * (1 - s) / diameter


def gap_bound(
    masses: np.ndarray, gap: float, steepness: float, profile: Callable[[np.ndarray], np.ndarray]
) -> float:
    """Return a lower bound for the share that a map sends into the gap.

    Parameters
    ----------
    masses : (m,) float array
        Shares `a_i` that reach each of the sets; sum at most 1.
    gap : float
        Least distance between two of the sets.
    steepness : float
        A Lipschitz constant of `T`, or the mean of `|DT|` over what lands in the gap.
    profile : callable
        `gaussian_profile`, or `convex_profile` with its diameter.

    Raises
    ------
    ValueError
        If the masses are negative or exceed 1 together, or a number is not positive.

    Examples
    --------
    >>> bound = gap_bound(np.array([0.5, 0.5]), 1.0, 10.0, gaussian_profile)
    >>> round(bound, 6)       # two half spaces: 0.398942 / 10
    0.039894
    """
    a = finite_array("masses", masses, 1)
    if len(a) < 1 or a.min() < 0 or a.sum() > 1 + 1e-9:
        raise ValueError(f"masses: expected shares of sum at most 1, got the sum {a.sum():.6g}")
    for name, value in (("gap", gap), ("steepness", steepness)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name}: expected a positive number, got {value}")
    most = np.clip(1 - (a.sum() - a), a, 1)  # what is not in the others
    least = np.minimum(profile(np.clip(a, 0, 1)), profile(most))
    return float(gap / 2 * least.sum() / steepness)


def _share(s):
    s = np.asarray(s, dtype=float)
    if not ((s >= 0) & (s <= 1)).all():
        raise ValueError(f"s: expected shares in [0, 1], got {s.min():.6g} to {s.max():.6g}")
    return s
