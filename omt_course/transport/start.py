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

    For a symmetric positive definite `B` the function `<c, y - m> + <y - m, B (y - m)> / 2` is
    convex with gradient `c + B (y - m)`; let `-h_i` be its value at `y_i`. Then the plane of `i` is
    on top at `x_i = c + B (y_i - m)`, so cell `i` is not empty if that lies in the domain. Points
    that fill the domain are taken as they are (`B = I`: Voronoi cells). Others get the `B` that
    carries a normal law with the spread of the points to one with the spread of the domain, cut
    down to fit: cells do not change when `x` is mapped by a matrix and `y` by its inverse
    transposed, so thin domains and thin clouds cost nothing.

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
    around = points - middle
    sites = points if place is None else points + place
    if _scale_to_fit(domain, around) <= 1 and domain.contains(sites).all():
        return -(sites**2).sum(axis=1) / 2
    moved = around @ _between_spreads(points, domain.vertices)
    origins = (moved.min(axis=0) + moved.max(axis=0)) / 2, moved.mean(axis=0)
    origin = max(origins, key=lambda origin: _scale_to_fit(domain, moved - origin))
    scale = _scale_to_fit(domain, moved - origin)
    site = domain.center - scale * origin  # where the plane of a point at `middle` is on top
    return -(around @ site) - scale * (around * moved).sum(axis=1) / 2


def _between_spreads(source, target):
    """Return the matrix of the optimal map between normal laws with the covariances of both."""
    values, vectors = np.linalg.eigh(np.cov(source.T))
    values = np.maximum(values, 1e-20 * values[-1])  # nearly flat clouds, at rounding's mercy
    root, inverse = ((vectors * values**p) @ vectors.T for p in (0.5, -0.5))
    values, vectors = np.linalg.eigh(root @ np.cov(target.T) @ root)
    return inverse @ (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T @ inverse


def _scale_to_fit(domain: Box | Polygon | Polyhedron, shape: np.ndarray) -> float:
    """Return the largest factor, less 5 %, by which `center + factor * shape` stays inside.

    0 if the origin is not inside the shape, so that on some side all of it lies beyond. Sides
    along which the shape has no extent do not count.
    """
    normals, offsets = halfplanes(domain) if domain.dimension == 2 else boundary(domain)[:2]
    room = offsets - normals @ domain.center
    reach = (shape @ normals.T).max(axis=0)
    least = 1e-9 * reach.max()
    if (reach < -least).any():
        return 0.0
    return 0.95 * float((room[reach > least] / reach[reach > least]).min())
