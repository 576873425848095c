"""Heights at which no cell is empty, to start Newton's method from.

Taught in *Alexandrov and Brenier*.
"""

import numpy as np

from .domains import Box, Polygon, halfplanes
from .polyhedron import Polyhedron, boundary


def starting_heights(
    domain: Box | Polygon | Polyhedron,
    points: np.ndarray,
    place: np.ndarray | None = None,
) -> np.ndarray:
    """Return heights at which no cell is empty.

    If `a y + b` maps the points into the domain, then `h_i = -|a y_i + b|^2 / (2 a)` gives cell
    `i` as the Voronoi cell of `a y_i + b`, since
    `|x - a y - b|^2 = |x|^2 - 2 a (<x, y> + h) - 2 <x, b>`; and each of those holds its own site.
    Points that fill the domain are taken as they are, others are shrunk or blown up to fit.

    Parameters
    ----------
    domain : Box, Polygon or Polyhedron
    points : (n, d) float array
    place : (d,) float array, optional
        Where the origin of the points lies in the coordinates of the domain.

    Returns
    -------
    (n,) float array
    """
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    scale = _scale_to_fit(domain, points - middle)
    sites = points if place is None else points + place
    if scale <= 1 and domain.contains(sites).all():
        return -(sites**2).sum(axis=1) / 2
    inside = domain.center + scale * (points - middle)
    return -(inside**2).sum(axis=1) / (2 * scale)


def _scale_to_fit(domain: Box | Polygon | Polyhedron, shape: np.ndarray) -> float:
    """Return the largest factor, less 5 %, by which `center + factor * shape` stays inside."""
    normals, offsets = halfplanes(domain) if domain.dimension == 2 else boundary(domain)[:2]
    room = offsets - normals @ domain.center
    return 0.95 * float((room / (shape @ normals.T).max(axis=0)).min())
