"""The test that a sample of a surface is an epsilon-net, and where it is not.

A set is an *epsilon-net* of a surface when every point of the surface is within epsilon of it and
any two of its points are more than epsilon apart. Taught in *Sampling a surface*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True, eq=False)
class EpsilonNet:
    """Whether points are an epsilon-net of a surface, and where they are not.

    Attributes
    ----------
    eps : float
    covering : float
        Largest distance of a tested point of the surface to its nearest sample.
    separation : float
        Least distance of two samples; infinite for one.
    far : (k,) int array
        Tested points with no sample within `eps`, the farthest first.
    close : (p, 2) int array
        Pairs of samples not more than `eps` apart.
    place : (3,) float array
        The tested point farthest from all samples.
    """

    eps: float
    covering: float
    separation: float
    far: np.ndarray
    close: np.ndarray
    place: np.ndarray

    @property
    def covers(self) -> bool:
        """Whether every tested point has a sample within `eps`."""
        return len(self.far) == 0

    @property
    def is_net(self) -> bool:
        """Whether the samples cover and no two are within `eps`."""
        return self.covers and len(self.close) == 0


def epsilon_net(points: np.ndarray, surface: np.ndarray, eps: float) -> EpsilonNet:
    """Test whether points are an epsilon-net of a surface given by a fine sample of it.

    Parameters
    ----------
    points : (n, 3) float array
        The samples.
    surface : (N, 3) float array
        Tested points of the surface. If every point of the surface is within `delta` of one of
        them (see `spread`), the true covering radius exceeds the measured one by at most `delta`.
    eps : float

    Returns
    -------
    EpsilonNet

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Examples
    --------
    >>> line = np.column_stack([np.linspace(0, 1, 101), np.zeros(101), np.zeros(101)])
    >>> found = epsilon_net(line[[0, 25, 50, 60]], line, 0.215)
    >>> found.covering, len(found.far), found.close.tolist()
    (0.4, 19, [[2, 3]])
    """
    points, surface = check_cloud(points, "points"), check_cloud(surface, "surface")
    if not eps > 0:
        raise ValueError(f"eps: expected a positive length, got {eps}")
    tree = cKDTree(points)
    distance = tree.query(surface)[0]
    separation = tree.query(points, k=2)[0][:, 1].min() if len(points) > 1 else np.inf
    far = np.flatnonzero(distance > eps)
    return EpsilonNet(
        eps=float(eps),
        covering=float(distance.max()),
        separation=float(separation),
        far=far[np.argsort(-distance[far], kind="stable")],
        close=tree.query_pairs(eps, output_type="ndarray").astype(int),
        place=surface[int(distance.argmax())],
    )


def check_covering(points: np.ndarray, surface: np.ndarray, eps: float) -> EpsilonNet:
    """Return the test of `epsilon_net`, or say where the points are too sparse for `eps`.

    Raises
    ------
    ValueError
        That says how much of the surface has no sample within `eps`, and where the largest gap is.

    Examples
    --------
    >>> line = np.column_stack([np.linspace(0, 1, 101), np.zeros(101), np.zeros(101)])
    >>> check_covering(line[[0, 25, 50, 60]], line, 0.215)
    Traceback (most recent call last):
    ...
    ValueError: points: expected a sample within eps = 0.215 of every point of the surface; got 19
    of 101 tested points farther (covering radius 0.4, at [1.0, 0.0, 0.0])
    """
    found = epsilon_net(points, surface, eps)
    if not found.covers:
        raise ValueError(
            f"points: expected a sample within eps = {eps:.4g} of every point of the surface; got "
            f"{len(found.far)} of {len(surface)} tested points farther (covering radius "
            f"{found.covering:.4g}, at {found.place.round(4).tolist()})"
        )
    return found


def check_cloud(points, name):
    """Return (n, 3) finite points as a float array, or say what is wrong with them."""
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"{name}: expected shape (n, 3), got {points.shape}")
    bad = int((~np.isfinite(points)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{name}: expected finite numbers, got others in {bad} rows")
    return points
