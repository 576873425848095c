"""Samples of a surface: uniform by area, spread over a mesh, and by farthest points.

Whether a sample is dense enough is tested in `nets`. Taught in *Sampling a surface*.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from . import meshes


@dataclass(frozen=True, eq=False)
class MeshSample:
    """Points on a mesh.

    Attributes
    ----------
    points : (n, 3) float array
    triangles : (n,) int array
        The triangle of each.
    barycentric : (n, 3) float array
        Its weights of the corners.
    """

    points: np.ndarray
    triangles: np.ndarray
    barycentric: np.ndarray


@dataclass(frozen=True, eq=False)
class FarthestPoints:
    """A sequence of points, each as far as possible from those before it.

    Attributes
    ----------
    order : (k,) int array
        Indices of the points taken, in order.
    radii : (k,) float array
        Covering radius of the first 1, 2, ..., k points. It never grows. Point j + 1 was
        `radii[j]` away from all before it, so any two of the first k are at least `radii[k - 2]`
        apart.
    nearest : (n,) int array
        Place in `order` of the point nearest to each candidate: the discrete Voronoi cells.
    distance : (n,) float array
        Distance of each candidate to it.
    """

    order: np.ndarray
    radii: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray


def uniform(V: np.ndarray, F: np.ndarray, n: int, *, rng: np.random.Generator) -> MeshSample:
    """Draw `n` independent points of a mesh, uniform by area.

    Parameters
    ----------
    V : (v, 3) float array
    F : (m, 3) int array
    n : int
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If `n` is negative or the mesh has no area.

    Notes
    -----
    A triangle by its area, then `(1 - sqrt(a), sqrt(a) (1 - b), sqrt(a) b)` with `a, b` uniform:
    the square root makes the strips parallel to a side equally likely by area.

    Examples
    --------
    >>> V, F = np.eye(3), np.array([[0, 1, 2]])
    >>> uniform(V, F, 4, rng=np.random.default_rng(0)).points.sum(axis=1).round(12)
    array([1., 1., 1., 1.])
    """
    if n < 0:
        raise ValueError(f"n: expected zero or more points, got {n}")
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    areas = meshes.triangle_areas(V, F)
    total = areas.sum()
    if not (np.isfinite(total) and total > 0):
        raise ValueError(f"V, F: expected a mesh with area, got {total} in {len(F)} triangles")
    triangles = rng.choice(len(F), size=n, p=areas / total)
    root, b = np.sqrt(rng.random(n)), rng.random(n)
    weights = np.column_stack([1 - root, root * (1 - b), root * b])
    points = np.einsum("nk,nkd->nd", weights, V[F[triangles]])
    return MeshSample(points, triangles, weights)


def spread(V: np.ndarray, F: np.ndarray, spacing: float) -> np.ndarray:
    """Return points of a mesh such that every point of it is within `spacing` of one.

    Each triangle is cut into `k^2` similar ones, whose corners are taken. A point of a triangle
    with longest side `l` is within `l / sqrt(3)` of a corner.

    Raises
    ------
    ValueError
        If `spacing` is not positive.

    Examples
    --------
    >>> len(spread(np.eye(3), np.array([[0, 1, 2]]), 0.5))
    6
    """
    if not spacing > 0:
        raise ValueError(f"spacing: expected a positive length, got {spacing}")
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    corners = V[F]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    pieces = np.maximum(np.ceil(longest / (np.sqrt(3) * spacing)), 1).astype(int)
    parts = []
    for k in np.unique(pieces):
        i, j = np.divmod(np.arange((k + 1) ** 2), k + 1)
        inside = i + j <= k
        weights = np.column_stack([k - i - j, i, j])[inside] / k
        parts.append((weights @ corners[pieces == k]).reshape(-1, 3))
    return np.vstack(parts)


def farthest_point(
    points: np.ndarray,
    n: int | None = None,
    *,
    eps: float | None = None,
    first: int = 0,
    distance: Callable[[int], np.ndarray] | None = None,
) -> FarthestPoints:
    """Take points one after another, each the farthest from those already taken.

    Parameters
    ----------
    points : (N, d) float array
        Candidates: a fine sample of the surface, or the vertices of a mesh.
    n : int, optional
        How many to take.
    eps : float, optional
        Stop as soon as every candidate is within `eps`; the result is then an epsilon-net of the
        candidates. At least one of `n` and `eps` is needed; the first that is reached stops.
    first : int
        Index of the first point.
    distance : callable, optional
        `distance(i)` returns the (N,) distances from candidate i; Euclidean by default. With
        ``lambda i: meshes.geodesic_distance(V, F, i)`` the sample is geodesic.

    Returns
    -------
    FarthestPoints

    Raises
    ------
    ValueError
        If neither `n` nor `eps` is given, or an argument is out of range.

    Notes
    -----
    Gonzalez, Theor. Comput. Sci. 38 (1985): the covering radius of the first k points is at most
    twice the least possible for k points. Taught in *Sampling a surface*.

    Examples
    --------
    >>> line = np.linspace(0, 1, 9)[:, None]
    >>> found = farthest_point(line, 5)
    >>> found.order.tolist(), found.radii.tolist()
    ([0, 8, 4, 2, 6], [1.0, 0.5, 0.25, 0.25, 0.125])
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or len(points) == 0 or not np.isfinite(points).all():
        bad = 0 if points.ndim != 2 else int((~np.isfinite(points)).any(axis=1).sum())
        raise ValueError(
            f"points: expected finite numbers of shape (N, d), got shape {points.shape} with {bad} "
            "rows that are not finite"
        )
    if n is None and eps is None:
        raise ValueError("n, eps: expected at least one of the two, got none")
    n = len(points) if n is None else n
    if not 1 <= n <= len(points):
        raise ValueError(f"n: expected 1 to {len(points)}, the number of candidates, got {n}")
    if eps is not None and not eps > 0:
        raise ValueError(f"eps: expected a positive length, got {eps}")
    if not 0 <= first < len(points):
        raise ValueError(f"first: expected an index below {len(points)}, got {first}")
    tree = cKDTree(points) if distance is None else None
    best, nearest = np.full(len(points), np.inf), np.zeros(len(points), dtype=int)
    order, radii, at = [], [], first
    while True:
        if tree is None:
            where, new = slice(None), np.asarray(distance(at), dtype=float)
        else:  # only candidates closer than the covering radius can change
            reach = radii[-1] * (1 + 1e-12) if radii else np.inf
            where = np.asarray(tree.query_ball_point(points[at], reach) if radii else tree.indices)
            new = np.linalg.norm(points[where] - points[at], axis=1)
        nearer = new < best[where]
        nearest[where] = np.where(nearer, len(order), nearest[where])
        best[where] = np.where(nearer, new, best[where])
        order.append(at)
        at = int(best.argmax())
        radii.append(float(best[at]))
        if len(order) >= n or radii[-1] == 0 or (eps is not None and radii[-1] <= eps):
            return FarthestPoints(np.array(order), np.array(radii), nearest, best)
