"""Smooth surfaces on which everything is known: the sphere, the torus, and Schwarz's lanterns.

Area, distance, curvature measures and Laplace-Beltrami eigenvalues have a closed form or a rapidly
convergent one. They are the truths that meshes are measured against in *Sampling a surface*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigvalsh
from scipy.stats import qmc

from . import torus_geodesics
from .reconstruction import Reconstruction, convex_position, restricted_delaunay


@dataclass(frozen=True)
class Sphere:
    """The sphere about the origin.

    Attributes
    ----------
    radius : float

    Examples
    --------
    >>> round(Sphere(2.0).area, 6)
    50.265482
    >>> Sphere().eigenvalues(5).tolist()
    [0.0, 2.0, 2.0, 2.0, 6.0]
    """

    radius: float = 1.0

    @property
    def area(self) -> float:
        """Area, `4 pi radius^2`."""
        return float(4 * np.pi * self.radius**2)

    @property
    def reach(self) -> float:
        """Distance to the medial axis, the same at every point."""
        return self.radius

    def level(self, x: np.ndarray) -> np.ndarray:
        """Signed distance of (n, 3) points, positive outside."""
        return np.linalg.norm(x, axis=1) - self.radius

    def normal(self, x: np.ndarray) -> np.ndarray:
        """Outward unit normal at the point of the surface nearest to each of (n, 3) points."""
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    def project(self, x: np.ndarray) -> np.ndarray:
        """Nearest point of the surface to each of (n, 3) points."""
        return self.radius * self.normal(x)

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """Return `n` points spread evenly by area, (n, 3), from a scrambled Sobol sequence."""
        z, turn = _sobol(n, rng).T
        z, turn = 2 * z - 1, 2 * np.pi * turn
        flat = np.sqrt(1 - z**2)
        return self.radius * np.column_stack([flat * np.cos(turn), flat * np.sin(turn), z])

    def geodesic_distance(self, source: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the lengths of the shortest paths from a point (3,) to points (n, 3)."""
        cross = np.linalg.norm(np.cross(source, x), axis=1)
        return self.radius * np.arctan2(cross, x @ source)

    def triangulate(self, points: np.ndarray, *, strict: bool = True) -> Reconstruction:
        """Return the Delaunay triangulation of samples (n, 3), restricted to the sphere."""
        return convex_position(points, strict=strict)

    def cap(self, angle: float):
        """Return the level function of the cap round the pole: positive where colatitude < angle.

        It is `<x, e_3> - radius cos(angle)`, a half-space.
        """
        return lambda x: x[:, 2] - self.radius * np.cos(angle)

    def curvature(self, angle: float) -> tuple[float, float]:
        """Return the integrals of Gauss and mean curvature over `cap(angle)`."""
        solid = 2 * np.pi * (1 - np.cos(angle))
        return float(solid), float(self.radius * solid)

    def eigenvalues(self, k: int) -> np.ndarray:
        """Return the `k` smallest Laplace-Beltrami eigenvalues: `l (l + 1)`, `2 l + 1` times."""
        degree = np.arange(int(np.sqrt(k)) + 1)
        return np.repeat(degree * (degree + 1), 2 * degree + 1)[:k] / self.radius**2


@dataclass(frozen=True)
class Torus:
    """The torus of revolution about the third axis.

    The point of angles (theta, phi) is `((R + r cos theta) cos phi, (R + r cos theta) sin phi,
    r sin theta)`; theta = 0 is the outer equator.

    Attributes
    ----------
    R, r : float
        Radius of the core circle and of the tube, `0 < r < R`.

    Raises
    ------
    ValueError
        If the radii are not as above.

    Examples
    --------
    >>> torus = Torus(1.0, 0.4)
    >>> round(torus.area / np.pi**2, 9)
    1.6
    >>> gauss, mean = torus.curvature(np.pi)  # all of it: Gauss-Bonnet
    >>> round(gauss, 12)
    0.0
    """

    R: float = 1.0
    r: float = 0.4

    def __post_init__(self):
        if not 0 < self.r < self.R:
            raise ValueError(f"r: expected 0 < r < R = {self.R}, got {self.r}")

    @property
    def area(self) -> float:
        """Area, `4 pi^2 R r`."""
        return float(4 * np.pi**2 * self.R * self.r)

    @property
    def reach(self) -> float:
        """Distance to the medial axis (the core circle and the axis), where it is least."""
        return min(self.r, self.R - self.r)

    def point(self, theta, phi) -> np.ndarray:
        """Return the points of given angles, (n, 3)."""
        w = self.R + self.r * np.cos(theta)
        return np.column_stack([w * np.cos(phi), w * np.sin(phi), self.r * np.sin(theta)])

    def angles(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return theta and phi of the surface points nearest to (n, 3) points."""
        rho = np.hypot(x[:, 0], x[:, 1])
        return np.arctan2(x[:, 2], rho - self.R), np.arctan2(x[:, 1], x[:, 0])

    def level(self, x: np.ndarray) -> np.ndarray:
        """Signed distance of (n, 3) points, positive outside."""
        return np.hypot(np.hypot(x[:, 0], x[:, 1]) - self.R, x[:, 2]) - self.r

    def normal(self, x: np.ndarray) -> np.ndarray:
        """Outward unit normal at the point of the surface nearest to each of (n, 3) points."""
        theta, phi = self.angles(x)
        w = np.cos(theta)
        return np.column_stack([w * np.cos(phi), w * np.sin(phi), np.sin(theta)])

    def project(self, x: np.ndarray) -> np.ndarray:
        """Nearest point of the surface to each of (n, 3) points."""
        return self.point(*self.angles(x))

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """Return `n` points spread evenly by area, (n, 3), from a scrambled Sobol sequence."""
        share, turn = _sobol(n, rng).T
        goal = 2 * np.pi * share  # theta + (r / R) sin(theta), increasing
        theta = goal
        for _ in range(60):  # Newton, safe by bisection of the bracket goal +- r / R
            value = theta + self.r / self.R * np.sin(theta) - goal
            theta = theta - value / (1 + self.r / self.R * np.cos(theta))
            theta = np.clip(theta, goal - self.r / self.R, goal + self.r / self.R)
        return self.point(theta, 2 * np.pi * turn)

    def geodesic_distance(self, source: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the lengths of the shortest paths from a point (3,) to points (n, 3).

        By shooting geodesics, see `torus_geodesics.distances`; correct to about 1e-10.
        """
        theta, phi = self.angles(np.vstack([source, x]))
        return torus_geodesics.distances(
            self.R, self.r, float(theta[0]), theta[1:], phi[1:] - phi[0]
        )

    def triangulate(self, points: np.ndarray, *, strict: bool = True) -> Reconstruction:
        """Return the Delaunay triangulation of samples (n, 3), restricted to the torus."""
        return restricted_delaunay(points, self.level, strict=strict)

    def cap(self, angle: float):
        """Return the level function of the outer band `|theta| < angle`.

        It is `rho - R - r cos(angle)` with the distance `rho` to the axis.
        """
        return lambda x: np.hypot(x[:, 0], x[:, 1]) - self.R - self.r * np.cos(angle)

    def curvature(self, angle: float) -> tuple[float, float]:
        """Return the integrals of Gauss and mean curvature over `cap(angle)`."""
        gauss = 4 * np.pi * np.sin(angle)
        mean = 2 * np.pi * (angle * self.R + 2 * self.r * np.sin(angle))
        return float(gauss), float(mean)

    def eigenvalues(self, k: int, *, n_fourier: int = 48) -> np.ndarray:
        """Return the `k` smallest Laplace-Beltrami eigenvalues, (k,).

        Functions `f(theta) exp(i m phi)` separate the equation; the ordinary one in theta is
        `-(w f')' / r^2 + m^2 f / w = lambda w f` with `w = R + r cos(theta)`, solved with
        trigonometric functions up to order `n_fourier`: the error falls faster than any power.

        Raises
        ------
        ValueError
            If `k` exceeds `n_fourier`.
        """
        n = 2 * n_fourier + 1  # odd: an even grid has a sawtooth whose derivative it calls zero
        if not 1 <= k <= n_fourier:
            raise ValueError(f"k: expected 1 to n_fourier = {n_fourier}, got {k}")
        theta = 2 * np.pi * np.arange(n) / n
        w = self.R + self.r * np.cos(theta)
        steps = np.arange(1, n)
        column = np.concatenate([[0.0], 0.5 * (-1.0) ** steps / np.sin(np.pi * steps / n)])
        D = column[(np.arange(n)[:, None] - np.arange(n)) % n]  # Fourier differentiation
        stiff = D.T @ (w[:, None] * D) / self.r**2
        found: list[float] = []
        for m in range(k + 1):
            values = eigvalsh(stiff + np.diag(m**2 / w), np.diag(w))[:k]
            if len(found) >= k and values[0] > sorted(found)[k - 1]:
                break
            found += list(np.repeat(values, 1 if m == 0 else 2))
        return np.maximum(np.array(sorted(found)[:k]), 0.0)


def lantern(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Schwarz's lantern: a mesh with its vertices on the cylinder of radius and height 1.

    Parameters
    ----------
    n : int
        Vertices on each circle, at least 3.
    m : int
        Bands, at least 1; every other circle is turned by half a step.

    Returns
    -------
    V : ((m + 1) n, 3) float array
    F : (2 m n, 3) int array
        Normals outward.

    Raises
    ------
    ValueError
        If `n` or `m` is too small.

    Examples
    --------
    >>> V, F = lantern(6, 4)
    >>> V.shape, F.shape
    ((30, 3), (48, 3))
    """
    if n < 3 or m < 1:
        raise ValueError(f"n, m: expected n >= 3 and m >= 1, got n = {n} and m = {m}")
    band, k = np.divmod(np.arange((m + 1) * n), n)
    turn = 2 * np.pi * (k + 0.5 * (band % 2)) / n
    V = np.column_stack([np.cos(turn), np.sin(turn), band / m])
    F = []
    k = np.arange(n)
    for j in range(m):
        low, high = j * n, (j + 1) * n
        here, after = k, (k + 1) % n
        if j % 2 == 0:  # the upper circle is half a step ahead
            F += [np.column_stack([low + here, low + after, high + here])]
            F += [np.column_stack([low + after, high + after, high + here])]
        else:
            F += [np.column_stack([low + here, high + after, high + here])]
            F += [np.column_stack([low + here, low + after, high + after])]
    return V, np.vstack(F)


def lantern_area(n, m):
    """Return the area `2 n sin(pi/n) sqrt(1 + m^2 (1 - cos(pi/n))^2)` of `lantern(n, m)`.

    Examples
    --------
    >>> bool(lantern_area(10, 1) < 2 * np.pi < lantern_area(10, 1000))
    True
    """
    return 2 * n * np.sin(np.pi / n) * np.hypot(1, m * lantern_distance(n))


def lantern_distance(n):
    """Return `1 - cos(pi/n)`: the Hausdorff distance of `lantern(n, m)` from its cylinder."""
    return 2 * np.sin(np.pi / (2 * n)) ** 2


def _sobol(n, rng):
    if n < 1:
        raise ValueError(f"n: expected a positive number of points, got {n}")
    return qmc.Sobol(2, rng=rng).random_base2(int(np.ceil(np.log2(n))))[:n]
