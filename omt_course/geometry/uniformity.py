"""Is a sample uniform on a surface? The surface cut into patches, and Pearson's chi-square test."""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import KDTree
from scipy.stats import chi2

from omt_course.geometry import meshes

LEAST_EXPECTED = 5  # samples in a patch: below, the law of the statistic is no chi-square


@dataclass(frozen=True)
class Uniformity:
    """What the test found.

    Attributes
    ----------
    statistic : float
        Pearson's ``sum (count - expected)^2 / expected``.
    p_value : float
        Probability of a statistic at least as large if the sample were uniform.
    degrees_of_freedom : int
        Patches minus one.
    ratio : (n_patches,) float array
        Count over expected count of each patch.
    """

    statistic: float
    p_value: float
    degrees_of_freedom: int
    ratio: np.ndarray


def patches(V, F, n_patches, *, rng):
    """Cut a surface into compact patches of about the same area.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    n_patches : int
    rng : numpy.random.Generator

    Returns
    -------
    patch : (m,) int array
        Patch of each triangle: the nearest of `n_patches` centres, the means of a uniform sample.

    Raises
    ------
    ValueError
        If there are more patches than triangles, or fewer than two.

    Notes
    -----
    Taught on the page ``measure-preserving-maps``.
    """
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    if not 2 <= n_patches <= len(F):
        raise ValueError(f"n_patches: expected 2 to {len(F)} (triangles); got {n_patches}")
    areas, middle = meshes.triangle_areas(V, F), V[F].mean(axis=1)
    chosen = middle[rng.choice(len(F), size=40 * n_patches, p=areas / areas.sum())]
    distinct = np.unique(chosen, axis=0)
    first = distinct[rng.choice(len(distinct), size=min(n_patches, len(distinct)), replace=False)]
    centres, _ = kmeans2(chosen, first, iter=10, minit="matrix", missing="raise")
    label = KDTree(centres).query(middle)[1]
    return np.unique(label, return_inverse=True)[1]  # a centre without triangles drops out


def chi_square(triangle, areas, patch):
    """Test whether a sample of a surface is uniform, by counts in patches.

    Parameters
    ----------
    triangle : (k,) int array
        Triangle of every sample.
    areas : (m,) float array
        Areas of the triangles.
    patch : (m,) int array
        Patch of each triangle.

    Returns
    -------
    Uniformity

    Raises
    ------
    ValueError
        If a patch expects fewer than five samples, or a sample has no triangle.

    Notes
    -----
    Source: Pearson, Philosophical Magazine 50, 1900.

    Examples
    --------
    >>> found = chi_square(np.array([0] * 60 + [1] * 40), np.ones(2), np.array([0, 1]))
    >>> found.statistic, round(found.p_value, 4)
    (4.0, 0.0455)
    """
    triangle, areas, patch = np.asarray(triangle), np.asarray(areas, float), np.asarray(patch)
    lost = np.sum((triangle < 0) | (triangle >= len(areas)))
    if lost:
        raise ValueError(f"triangle: expected indices below {len(areas)}; got {lost} others")
    shares = np.bincount(patch, weights=areas) / areas.sum()
    counts = np.bincount(patch[triangle], minlength=len(shares))
    expected = len(triangle) * shares
    if expected.min() < LEAST_EXPECTED:
        raise ValueError(
            f"patch: expected at least {LEAST_EXPECTED} samples in each; "
            f"got fewer in {np.sum(expected < LEAST_EXPECTED)}: take fewer patches"
        )
    statistic = float(np.sum((counts - expected) ** 2 / expected))
    freedom = len(shares) - 1
    return Uniformity(statistic, float(chi2.sf(statistic, freedom)), freedom, counts / expected)
