"""Ridges of Brenier's polyhedron: how sharp they are, and which of them tear the map.

Taught in *AE-OMT on MNIST* and *Alexandrov and Brenier*.
"""

import numpy as np

from .laguerre import LaguerreDiagram


def ridge_angles(points: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the angle between the faces `i`, `j` of `u_h`: that of `(y_i, -1)` and `(y_j, -1)`.

    Parameters
    ----------
    points : (n, d) float array
        Slopes; scale them first (`unit_variance`), since the angle depends on their unit.
    i, j : int arrays of one shape

    Returns
    -------
    float array of that shape
        Radians, 0 for equal slopes, below pi.

    Examples
    --------
    >>> ridge_angles(np.array([[1.0], [-1.0], [1.0]]), [0, 0], [1, 2]).round(6).tolist()
    [1.570796, 0.0]
    """
    normals = np.column_stack([points, -np.ones(len(points))])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    a, b = normals[np.asarray(i)], normals[np.asarray(j)]
    # Half the angle by its sine and cosine: no digits lost where the faces are nearly parallel.
    return 2 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))


def unit_variance(points: np.ndarray) -> np.ndarray:
    """Centre points, (n, d) float array, and divide by one number: the mean variance becomes 1.

    Examples
    --------
    >>> unit_variance(np.array([[0.0], [2.0]])).ravel().tolist()
    [-1.0, 1.0]
    """
    centered = points - points.mean(axis=0)
    return centered / np.sqrt((centered**2).mean())


def angle_threshold(angles: np.ndarray) -> float:
    """Split angles into flat and sharp where the variance between the two groups is largest.

    Parameters
    ----------
    angles : (m,) float array
        At least two different angles.

    Returns
    -------
    float
        Midway between the largest flat and the smallest sharp angle.

    Raises
    ------
    ValueError
        If there are not two different angles.

    Notes
    -----
    Otsu (1979), on the sorted values rather than on a histogram.

    Examples
    --------
    >>> round(angle_threshold(np.array([0.1, 0.2, 0.15, 1.0, 1.2])), 6)
    0.6
    """
    a = np.sort(np.asarray(angles, dtype=float).ravel())
    if len(a) < 2 or not np.isfinite(a).all() or a[0] == a[-1]:
        raise ValueError(f"angles: expected at least two different finite angles, got {len(a)}")
    below = np.arange(1, len(a))
    total = np.cumsum(a)
    mean_below = total[:-1] / below
    mean_above = (total[-1] - total[:-1]) / (len(a) - below)
    between = below * (len(a) - below) * (mean_above - mean_below) ** 2
    between[a[1:] == a[:-1]] = -1.0
    k = int(np.argmax(between))
    return float((a[k] + a[k + 1]) / 2)


def singular_edges(diagram: LaguerreDiagram, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of a planar diagram at which the polyhedron is sharper than a threshold.

    Parameters
    ----------
    diagram : LaguerreDiagram
    threshold : float
        Angle in radians, of slopes scaled to unit variance.

    Returns
    -------
    segments : (m, 2, 2) float array
        End points of the edges.
    angles : (m,) float array

    Examples
    --------
    >>> from omt_course.transport.domains import Box
    >>> from omt_course.transport.laguerre import laguerre_diagram
    >>> points = np.array([[1, 0], [-1, 0], [0, 9.0], [0, -9]])
    >>> d = laguerre_diagram(Box([-1, -1], [1, 1]), points, np.array([8, 8, 0, 0]))
    >>> segments, angles = singular_edges(d, 1.0)
    >>> len(segments), len(d.pairs)
    (4, 5)
    """
    i, j = diagram.pairs.T
    angles = ridge_angles(unit_variance(diagram.points), i, j)
    sharp = angles > threshold
    m = len(diagram.pairs)
    segments = np.stack([diagram.start[:m][sharp], diagram.end[:m][sharp]], axis=1)
    return segments, angles[sharp]
