"""From discrete to smooth: quantise a target, solve, and measure the distance to the exact map.

A closed-form map `T` sends the uniform density of a planar domain to a measure `nu`. Voronoi
cells `C_i` of sites `s_i` in the domain quantise it: `nu_N = sum_i |C_i| delta_{T s_i}`, with exact
masses. The errors of the polyhedron that solves the discrete problem are integrals over its cells.
Taught in *From discrete to smooth*.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from .closed_form import Torn
from .domains import Box, Polygon
from .inputs import check_spanning_points
from .laguerre import laguerre_diagram
from .quadrature import cell_quadrature
from .semidiscrete import SemidiscreteResult


@dataclass(frozen=True, eq=False)
class Quantisation:
    """A measure `nu = T_# mu` replaced by points, each with the mass of its cell `T C_i`.

    Attributes
    ----------
    sites : (n, 2) float array
        `s_i` in the domain.
    points : (n, 2) float array
        `y_i = T s_i`.
    masses : (n,) float array
        `nu_i = nu(T C_i) = |C_i|`, exact.
    w2 : float
        `(int |T x - y_i(x)|^2 dx)^(1/2)`, the cost of moving every cell to its point: an upper
        bound of `W2(nu, nu_N)`.
    radius : float
        Largest `|T x - y_i|` over the corners of a cell `C_i`: its covering radius, which is exact
        for an affine map.
    """

    sites: np.ndarray
    points: np.ndarray
    masses: np.ndarray
    w2: float
    radius: float


def quantise(exact: Any, domain: Box | Polygon, sites: np.ndarray) -> Quantisation:
    """Quantise `T_# mu` by the images of the Voronoi cells of sites in the domain.

    A map that is torn along a line (`Torn`) gets cells that end there, so that no cell `T C_i` is
    in two pieces.

    Parameters
    ----------
    exact : Affine, Radial, Product or Torn
        The map, planar.
    domain : Box or Polygon
        Density 1.
    sites : (n, 2) float array
        Distinct points of the domain, none on the tear; at least three on either side of it.

    Returns
    -------
    Quantisation

    Raises
    ------
    ValueError
        If a site lies outside the domain or on the tear, or too few on one side.

    Examples
    --------
    >>> from omt_course.transport.closed_form import Affine
    >>> sites = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]])
    >>> q = quantise(Affine(2 * np.eye(2), [0, 0]), Box([0, 0], [2, 2]), sites)
    >>> q.masses.round(12).tolist(), round(q.w2**2, 12)    # four squares of side 2: 2 * 2^2 / 12
    ([1.0, 1.0, 1.0, 1.0], 2.666666666667)
    """
    sites = check_spanning_points(sites)
    if not domain.contains(sites).all():
        k = int(np.argmin(domain.contains(sites)))
        raise ValueError(
            f"sites: expected points of the domain, got {sites[k].tolist()} in row {k}"
        )
    masses = np.empty(len(sites))
    corners: list = [None] * len(sites)
    for part, rows in _sides(exact, domain, sites):
        near = sites[rows] - part.center
        diagram = laguerre_diagram(
            part, sites[rows], -(near**2).sum(axis=1) / 2 - sites[rows] @ part.center
        )
        masses[rows] = diagram.masses
        for k, polygon in zip(rows, diagram.cell_polygons(), strict=True):
            corners[k] = polygon
    points = exact.transport(sites)
    owner, x, weight = cell_quadrature(corners, exact)
    w2 = float(np.sqrt(weight @ ((exact.transport(x) - points[owner]) ** 2).sum(axis=1)))
    return Quantisation(sites, points, masses, w2, _radius(exact, corners, sites, points))


def net(domain: Box | Polygon, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` well spread sites in a box or a disk-like polygon: a scrambled Sobol net.

    For a polygon about the origin, the net on the square goes to the polar coordinates with equal
    areas, scaled to the polygon's boundary.

    Parameters
    ----------
    domain : Box or Polygon
        A polygon must hold the origin.
    n : int
        A power of two.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If `n` is not a power of two, or the polygon does not hold the origin.

    Examples
    --------
    >>> net(Box([0, 0], [1, 1]), 4, np.random.default_rng(0)).shape
    (4, 2)
    """
    if n < 4 or n & (n - 1):
        raise ValueError(f"n: expected a power of two, at least 4, got {n}")
    t = qmc.Sobol(2, seed=rng).random_base2(int(n).bit_length() - 1)
    if isinstance(domain, Box):
        return domain.lower + t * (domain.upper - domain.lower)
    if not domain.contains(np.zeros(2))[0]:
        raise ValueError("domain: expected a polygon that holds the origin, got one that does not")
    return _polar(domain, t)


def map_error(exact: Any, result: SemidiscreteResult) -> float:
    """Return `(int |T_N x - T x|^2 dx)^(1/2)` over the domain, density 1.

    Examples
    --------
    >>> from omt_course.transport import semidiscrete
    >>> from omt_course.transport.closed_form import Affine
    >>> points = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    >>> result = semidiscrete.solve(Box([0, 0], [1, 1]), points)
    >>> round(map_error(Affine(np.eye(2), [0, 0]), result) ** 2, 12)    # 2 (1/2)^2 / 12
    0.041666666667
    """
    return float(np.sqrt(cell_errors(exact, result).sum()))


def cell_errors(exact: Any, result: SemidiscreteResult) -> np.ndarray:
    """Return `int_{W_i} |y_i - T x|^2 dx` for every cell, (n,) float array."""
    owner, x, weight = cell_quadrature(result.cell_polygons(), exact)
    squared = ((exact.transport(x) - result.points[owner]) ** 2).sum(axis=1)
    return np.bincount(owner, weight * squared, len(result.points))


def potential_error(exact: Any, result: SemidiscreteResult) -> float:
    """Return `min_c (int |u_N - u - c|^2 dx)^(1/2)`: potentials are compared up to a constant."""
    owner, x, weight = cell_quadrature(result.cell_polygons(), exact)
    gap = (x * result.points[owner]).sum(axis=1) + result.heights[owner] - exact.potential(x)
    gap -= weight @ gap / weight.sum()
    return float(np.sqrt(weight @ gap**2))


def _sides(exact, domain, sites):
    """Return the parts of the domain on which the map is continuous, with the sites in each."""
    if not isinstance(exact, Torn):
        return [(domain, np.arange(len(sites)))]
    level = sites @ exact.direction - exact.offset
    if (level == 0).any():
        raise ValueError(f"sites: expected none on the tear, got row {int(np.argmin(abs(level)))}")
    parts = []
    for sign in (-1, 1):
        rows = np.nonzero(sign * level > 0)[0]
        if len(rows) < 3:
            raise ValueError(f"sites: expected three or more on either side, got {len(rows)}")
        half = _half(domain.vertices, sign * exact.direction, sign * exact.offset)
        parts.append((Polygon(half), rows))
    return parts


def _half(v, direction, offset):
    """Keep the part of a convex polygon where `<x, direction> >= offset`."""
    level = v @ direction - offset
    ahead, following = np.roll(v, -1, axis=0), np.roll(level, -1)
    kept = []
    for k in range(len(v)):
        if level[k] >= 0:
            kept.append(v[k])
        if level[k] * following[k] < 0:
            kept.append(v[k] + (ahead[k] - v[k]) * level[k] / (level[k] - following[k]))
    return np.array(kept)


def _polar(domain, t):
    """Send the unit square to a polygon about the origin, areas of sectors and rings kept."""
    v = domain.vertices
    ahead = np.roll(v, -1, axis=0)
    area = np.concatenate([[0], np.cumsum(v[:, 0] * ahead[:, 1] - v[:, 1] * ahead[:, 0])])
    k = np.searchsorted(area, t[:, 0] * area[-1], side="right") - 1
    share = (t[:, 0] * area[-1] - area[k]) / (area[k + 1] - area[k])
    edge = v[k] + share[:, None] * (ahead[k] - v[k])
    return np.sqrt(t[:, 1])[:, None] * edge


def _radius(exact, corners, sites, points):
    sizes = [len(p) for p in corners]
    owner = np.repeat(np.arange(len(corners)), sizes)
    x = np.concatenate(corners)
    # A corner on the tear belongs to both sides: step a little towards its own site.
    image = exact.transport(x + 1e-9 * (sites[owner] - x))
    return float(np.sqrt(((image - points[owner]) ** 2).sum(axis=1)).max())
