"""Polygons in space for matplotlib's pictures beside the figures that turn."""

from collections.abc import Sequence

import numpy as np


def even_loops(polygons: Sequence[np.ndarray]) -> np.ndarray:
    """Return polygons as closed loops of equal length, padded with their first corner.

    Matplotlib 3.11 pads polygons of unequal length in a `Poly3DCollection` with whatever is in
    memory: sides go missing, and now and then a warning of overflow comes up.

    Parameters
    ----------
    polygons : sequence of (k_i, 3) float arrays

    Returns
    -------
    (n, max k_i + 1, 3) float array

    Raises
    ------
    ValueError
        If there is no polygon, or one has no corner or not three coordinates.

    Examples
    --------
    >>> triangle, square = np.eye(3), np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> even_loops([triangle, square]).shape
    (2, 5, 3)
    """
    polygons = [np.asarray(p, dtype=float) for p in polygons]
    if not polygons:
        raise ValueError("polygons: expected at least one, got none")
    for k, p in enumerate(polygons):
        if p.ndim != 2 or p.shape[1] != 3 or len(p) == 0:
            raise ValueError(f"polygons: expected shape (k, 3), got {p.shape} at place {k}")
    longest = max(len(p) for p in polygons) + 1
    return np.array([np.vstack([p, np.repeat(p[:1], longest - len(p), axis=0)]) for p in polygons])
