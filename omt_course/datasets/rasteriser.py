"""Which triangle is seen where: a z-buffer over a grid of samples, and the filter back to pixels.

A pixel has `SUPERSAMPLING` by `SUPERSAMPLING` samples; a margin gives the filter all its taps at
the border. Compiled with numba, one thread. Used by `datasets.faces`.
"""

import numpy as np
from numba import njit

SUPERSAMPLING = 3
MARGIN = SUPERSAMPLING // 2


def n_samples(size: int) -> int:
    """Return the side of the grid of samples for an image of `size` pixels.

    Examples
    --------
    >>> n_samples(64)
    194
    """
    return SUPERSAMPLING * size + 2 * MARGIN


@njit(cache=True)
def rasterise(screen: np.ndarray, triangles: np.ndarray, n: int):
    """Find the nearest triangle that faces the viewer at every sample.

    Parameters
    ----------
    screen : (k, 3) float array
        Column and row in samples (sample `(i, j)` lies at column `j`, row `i`), and nearness:
        positive, the larger the nearer, affine on the screen (for a perspective, the inverse of
        the distance).
    triangles : (m, 3) int array
        Counter-clockwise where the outside faces the viewer (rows grow downwards).
    n : int
        Side of the grid.

    Returns
    -------
    seen : (n, n) int32 array
        Index of the triangle, -1 where there is none.
    weight : (n, n, 2) float32 array
        Barycentric coordinates of the second and third corner.
    nearest : (n, n) float64 array
        Nearness of what is seen, 0 where there is nothing.

    Examples
    --------
    >>> corners = np.array([[0.0, 0.0, 1.0], [0.0, 4.0, 1.0], [4.0, 0.0, 1.0]])
    >>> seen, weight, _ = rasterise(corners, np.array([[0, 1, 2]]), 4)
    >>> seen[0].tolist(), seen[3].tolist()
    ([0, 0, 0, 0], [0, 0, -1, -1])
    >>> weight[1, 2].tolist()
    [0.25, 0.5]

    References
    ----------
    J. Pineda, A parallel algorithm for polygon rasterization, SIGGRAPH 1988.
    """
    seen = np.full((n, n), -1, np.int32)
    weight = np.zeros((n, n, 2), np.float32)
    nearest = np.zeros((n, n), np.float64)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
        ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
        vx, vy = screen[c, 0] - ax, screen[c, 1] - ay
        twice = uy * vx - ux * vy
        if twice <= 0:
            continue
        left = max(0, int(np.ceil(ax + min(0.0, ux, vx))))
        right = min(n - 1, int(np.floor(ax + max(0.0, ux, vx))))
        top = max(0, int(np.ceil(ay + min(0.0, uy, vy))))
        bottom = min(n - 1, int(np.floor(ay + max(0.0, uy, vy))))
        uz, vz = screen[b, 2] - az, screen[c, 2] - az
        for i in range(top, bottom + 1):
            y = i - ay
            for j in range(left, right + 1):
                x = j - ax
                p = (y * vx - x * vy) / twice
                q = (x * uy - y * ux) / twice
                if p < 0 or q < 0 or p + q > 1:
                    continue
                z = az + p * uz + q * vz
                if z > nearest[i, j]:
                    nearest[i, j] = z
                    seen[i, j] = t
                    weight[i, j, 0] = p
                    weight[i, j, 1] = q
    return seen, weight, nearest


@njit(cache=True)
def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return vertex normals, the area-weighted mean of the triangles' normals, (k, 3).

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> normals(corners, np.array([[0, 1, 2]]))[0].tolist()
    [0.0, 0.0, 1.0]
    """
    out = np.zeros_like(points)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = (
            points[b, 0] - points[a, 0],
            points[b, 1] - points[a, 1],
            points[b, 2] - points[a, 2],
        )
        vx, vy, vz = (
            points[c, 0] - points[a, 0],
            points[c, 1] - points[a, 1],
            points[c, 2] - points[a, 2],
        )
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            out[v, 0] += x
            out[v, 1] += y
            out[v, 2] += z
    for v in range(len(out)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0:
            out[v] /= length
    return out


@njit(cache=True)
def resolve(samples: np.ndarray, size: int) -> np.ndarray:
    """Filter linear light at the samples to pixels with a tent two pixels wide, encode as sRGB.

    Parameters
    ----------
    samples : (n, n, 3) float array
        Linear light, `n = n_samples(size)`.
    size : int

    Returns
    -------
    image : (size, size, 3) uint8 array

    Examples
    --------
    >>> resolve(np.full((14, 14, 3), 0.2140411), 4)[1, 1].tolist()
    [127, 127, 127]
    """
    s = SUPERSAMPLING
    taps = 2 * s - 1
    n = len(samples)
    rows = np.zeros((size, n, 3))
    for i in range(size):
        for k in range(taps):
            w = (s - abs(k - (s - 1))) / (s * s)
            row = s * i + k
            for j in range(n):
                for c in range(3):
                    rows[i, j, c] += w * samples[row, j, c]
    image = np.empty((size, size, 3), np.uint8)
    for i in range(size):
        for j in range(size):
            for c in range(3):
                v = 0.0
                for k in range(taps):
                    v += (s - abs(k - (s - 1))) / (s * s) * rows[i, s * j + k, c]
                v = min(max(v, 0.0), 1.0)
                v = 12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055
                image[i, j, c] = int(255 * v + 0.5)
    return image
