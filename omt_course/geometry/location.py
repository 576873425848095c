"""Which triangle of a planar mesh holds a point: a uniform grid of buckets, compiled search."""

import numba
import numpy as np

_INSIDE = -1e-12  # barycentric coordinates above this count as inside: points on shared edges


class Locator:
    """Finds triangles around points of the plane, for many points on one mesh.

    Parameters
    ----------
    uv : (n, 2) float array
    F : (m, 3) int array
    """

    def __init__(self, uv, F):
        self.corners = np.ascontiguousarray(np.asarray(uv, dtype=float)[np.asarray(F)])  # (m, 3, 2)
        low, high = self.corners.min(axis=(0, 1)), self.corners.max(axis=(0, 1))
        cells = max(1, int(np.sqrt(len(self.corners))))
        self.low, self.step = low, np.maximum((high - low) / cells, 1e-300)
        self.cells = cells
        first = self._bucket(self.corners.min(axis=1))
        last = self._bucket(self.corners.max(axis=1))
        self.start, self.members = _fill(first, last, cells)

    def locate(self, points):
        """Return the triangle of each point and its barycentric coordinates.

        Parameters
        ----------
        points : (k, 2) float array

        Returns
        -------
        triangle : (k,) int array, -1 outside
        weights : (k, 3) float array
        """
        points = np.ascontiguousarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"points: expected shape (k, 2); got {points.shape}")
        beyond = ~np.isfinite(points).all(axis=1)
        if beyond.any():
            raise ValueError(f"points: expected finite numbers; got others in {beyond.sum()} rows")
        return _search(
            points, self._bucket(points), self.cells, self.start, self.members, self.corners
        )

    def _bucket(self, xy):
        place = np.floor((xy - self.low) / self.step)
        return np.clip(place, 0, self.cells - 1).astype(np.int64)


def locate(uv, F, points):
    """Find the triangle of a planar mesh around each point.

    Parameters
    ----------
    uv : (n, 2) float array
        Corners of a mesh in the plane without folds.
    F : (m, 3) int array
    points : (k, 2) float array

    Returns
    -------
    triangle : (k,) int array
        -1 for a point outside the mesh; on a common edge, one of the two.
    weights : (k, 3) float array
        Barycentric coordinates, non-negative with sum 1; zero outside.

    Examples
    --------
    >>> corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    >>> triangle, weights = locate(corners, np.array([[0, 1, 2]]), np.array([[0.25, 0.5], [2, 2]]))
    >>> triangle.tolist(), weights[0].tolist()
    ([0, -1], [0.25, 0.25, 0.5])
    """
    return Locator(uv, F).locate(points)


def pull_back(V, F, uv, points):
    """Carry points of the plane to the surface by the inverse of a piecewise linear map.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    uv : (n, 2) float array
        The map, without folds.
    points : (k, 2) float array

    Returns
    -------
    x : (k, 3) float array
        Points of the surface; NaN where the image of the surface does not reach.
    triangle : (k,) int array
        Their triangles, -1 there.

    Examples
    --------
    >>> V = np.array([[0.0, 0, 5], [2, 0, 5], [0, 2, 5]])
    >>> x, _ = pull_back(V, np.array([[0, 1, 2]]), V[:, :2] / 2, np.array([[0.25, 0.5]]))
    >>> x.tolist()
    [[0.5, 1.0, 5.0]]
    """
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    triangle, weights = Locator(uv, F).locate(points)
    x = np.einsum("kc,kcd->kd", weights, V[F[triangle]])
    x[triangle < 0] = np.nan
    return x, triangle


@numba.njit(cache=True)
def _fill(first, last, cells):
    """List the triangles whose boxes meet each bucket, one after the other."""
    start = np.zeros(cells * cells + 1, np.int64)
    for t in range(len(first)):
        for i in range(first[t, 0], last[t, 0] + 1):
            for j in range(first[t, 1], last[t, 1] + 1):
                start[i * cells + j + 1] += 1
    for k in range(cells * cells):
        start[k + 1] += start[k]
    members = np.empty(start[-1], np.int64)
    at = start[:-1].copy()
    for t in range(len(first)):
        for i in range(first[t, 0], last[t, 0] + 1):
            for j in range(first[t, 1], last[t, 1] + 1):
                members[at[i * cells + j]] = t
                at[i * cells + j] += 1
    return start, members


@numba.njit(cache=True)
def _search(points, bucket, cells, start, members, corners):
    """For every point, the triangle of its bucket in which it lies deepest."""
    triangle = np.full(len(points), -1, np.int64)
    weights = np.zeros((len(points), 3))
    for p in range(len(points)):
        x, y = points[p, 0], points[p, 1]
        k = bucket[p, 0] * cells + bucket[p, 1]
        best = _INSIDE
        for q in range(start[k], start[k + 1]):
            a, b, c = corners[members[q]]
            double = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            if double == 0.0:
                continue
            wb = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / double
            wc = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / double
            wa = 1.0 - wb - wc
            deepest = min(wa, min(wb, wc))
            if deepest >= best:
                best = deepest
                triangle[p] = members[q]
                weights[p, 0], weights[p, 1], weights[p, 2] = wa, wb, wc
                if deepest > 0.0:
                    break
        if triangle[p] >= 0:
            total = 0.0
            for c in range(3):
                weights[p, c] = max(weights[p, c], 0.0)
                total += weights[p, c]
            weights[p] /= total
    return triangle, weights
