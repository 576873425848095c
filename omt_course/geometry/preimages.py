"""Points of a surface that a piecewise linear map to the plane sends to one place, by counting."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from omt_course.geometry import meshes
from omt_course.geometry.injectivity import checked_codes

_CHUNK = 2_000_000  # pairs of point and triangle looked at in one piece


def preimages(uv, F, points):
    """Find every triangle whose image holds a point, overlaps included.

    Parameters
    ----------
    uv : (n, 2) float array
    F : (m, 3) int array
    points : (k, 2) float array

    Returns
    -------
    point, triangle : (p,) int arrays
        Pairs, ordered by point. The triangle's image holds the point in its interior, up to
        rounding.
    weights : (p, 3) float array
        Barycentric coordinates of the point in the triangle.

    Examples
    --------
    >>> uv = np.array([[0, 0], [2, 0], [0, 2], [1.5, 1.5]])
    >>> point, triangle, _ = preimages(uv, np.array([[0, 1, 2], [0, 1, 3]]), [[0.8, 0.5]])
    >>> triangle.tolist()
    [0, 1]
    """
    uv, F = np.asarray(uv, dtype=float), np.asarray(F)
    points = np.asarray(points, dtype=float)
    corners = uv[F]  # (m, 3, 2)
    middle = corners.mean(axis=1)
    radius = np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1) * (1 + 1e-12)
    tree = cKDTree(points)
    counts = tree.query_ball_point(middle, radius, return_length=True)
    parts = [np.zeros((0, 2), dtype=int)], [np.zeros((0, 3))]
    for block in _blocks(counts):
        lists = tree.query_ball_point(middle[block], radius[block])
        triangle = np.repeat(block, counts[block])
        point = np.fromiter((p for one in lists for p in one), dtype=int, count=len(triangle))
        a, b, c = np.moveaxis(corners[triangle], 1, 0)
        x = points[point]
        whole = _double(a, b, c)
        parts_of = np.stack([_double(x, b, c), _double(a, x, c), _double(a, b, x)], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = parts_of / whole[:, None]
        inside = (weights > 0).all(axis=1) & (whole != 0)
        parts[0].append(np.column_stack([point, triangle])[inside])
        parts[1].append(weights[inside])
    pairs, weights = np.concatenate(parts[0]), np.concatenate(parts[1])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order, 0], pairs[order, 1], weights[order]


@dataclass(frozen=True)
class Overlap:
    """Where a piecewise linear map to the plane is not one to one, seen by sampling.

    Attributes
    ----------
    share : float
        Share of the area of the surface whose points have a partner: another point with the same
        image.
    error : float
        Standard error of `share`.
    distance : float
        Largest distance found between partners, 0 without any.
    pair : (2, 3) float array or None
        The two partners that are this far from each other.
    """

    share: float
    error: float
    distance: float
    pair: np.ndarray | None


def overlap(V, F, uv, *, rng, n_samples=20_000):
    """Sample a surface uniformly and look for other points with the same image.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    uv : (n, 2) float array
    rng : numpy.random.Generator
    n_samples : int

    Returns
    -------
    found : Overlap

    Examples
    --------
    >>> V = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    >>> F = np.array([[0, 1, 2], [0, 2, 3]])
    >>> both = overlap(V, F, [[0, 0], [1, 0], [1, 1], [1, 0]], rng=np.random.default_rng(0))
    >>> both.share, bool(both.distance > 1.3)
    (1.0, True)
    """
    V, F = meshes.check(V, F)
    uv = checked_codes(uv, len(V))
    area = meshes.triangle_areas(V, F)
    home = rng.choice(len(F), size=n_samples, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), size=n_samples)
    x = np.einsum("ki,kij->kj", weights, V[F[home]])
    z = np.einsum("ki,kij->kj", weights, uv[F[home]])
    point, triangle, inner = preimages(uv, F, z)
    other = triangle != home[point]
    point, triangle, inner = point[other], triangle[other], inner[other]
    partner = np.einsum("ki,kij->kj", inner, V[F[triangle]])
    apart = np.linalg.norm(partner - x[point], axis=1)
    share = len(np.unique(point)) / n_samples
    error = float(np.sqrt(share * (1 - share) / n_samples))
    if len(apart) == 0:
        return Overlap(0.0, error, 0.0, None)
    far = apart.argmax()
    return Overlap(share, error, float(apart[far]), np.stack([x[point[far]], partner[far]]))


def _double(a, b, c):
    """Twice the signed area of triangles."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _blocks(counts):
    """Split the indices with a count into pieces of bounded total."""
    kept = np.flatnonzero(counts)
    if len(kept) == 0:
        return []
    piece = np.cumsum(counts[kept]) // _CHUNK
    return np.split(kept, np.flatnonzero(np.diff(piece)) + 1)
