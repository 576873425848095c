"""How far is a mesh from a smooth surface? Every distance that *Sampling a surface* speaks of.

The surface is a `smooth.Sphere` or `smooth.Torus`, on which the truth is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import curvature, meshes
from .smooth import Sphere, Torus

MEASURES = ("hausdorff", "normal", "area", "geodesic", "gauss", "mean", "eigenvalues")


@dataclass(frozen=True, eq=False)
class Errors:
    """Distances of a mesh from the surface it stands for.

    Attributes
    ----------
    covering : float
        The epsilon of the samples, see `covering_radius`.
    hausdorff : float
        Largest distance of a tested point of the mesh from the surface. It is the two-sided
        distance when `aligned`: the nearest-point projection is then open, so it is onto.
    normal : float
        Largest angle between a triangle's normal and the surface's at a tested point, radians.
    area : float
        Relative error of the area.
    geodesic : float
        Root mean square of the relative errors of the distances asked for.
    gauss, mean : float
        Root mean square of the relative errors of the two curvatures, over the caps asked for.
    eigenvalues : float
        Mean relative error of the first ten that are not zero.
    spectrum : (10,) float array
        Relative error of each, with its sign.
    aligned : bool
        Whether all normals are within a right angle of the surface's.
    """

    covering: float
    hausdorff: float
    normal: float
    area: float
    geodesic: float
    gauss: float
    mean: float
    eigenvalues: float
    spectrum: np.ndarray
    aligned: bool


def errors(
    surface: Sphere | Torus,
    V: np.ndarray,
    F: np.ndarray,
    pairs: Sequence[tuple[int, np.ndarray, np.ndarray]],
    *,
    caps: Sequence[float] = tuple(np.linspace(0.5, 1.5, 24).tolist()),
    pieces: int = 4,
) -> Errors:
    """Measure a closed mesh with vertices on a smooth surface.

    Parameters
    ----------
    surface : Sphere or Torus
    V : (n, 3) float array
    F : (m, 3) int array
    pairs : sequence of (source, targets, distances)
        Distances on the surface from one vertex to others, see `true_distances`.
    caps : sequence of float
        Angles of the caps on which curvatures are compared, see `cap` of the surface.
    pieces : int
        Tested points: each triangle is cut into `pieces^2`.

    Returns
    -------
    Errors
    """
    weights = np.array(
        [[pieces - i - j, i, j] for i in range(pieces + 1) for j in range(pieces + 1 - i)]
    )
    x = np.einsum("wk,mkd->mwd", weights / pieces, V[F])  # (m, w, 3)
    flat = x.reshape(-1, 3)
    normals = np.repeat(meshes.triangle_normals(V, F), len(weights), axis=0)
    smooth = surface.normal(flat)
    tilt = np.arctan2(
        np.linalg.norm(np.cross(normals, smooth), axis=1), np.einsum("nd,nd->n", normals, smooth)
    )
    bent = np.array(
        [
            [curvature.gauss_measure(V, F, cap), curvature.mean_measure(V, F, cap)]
            for cap in map(surface.cap, caps)
        ]
    )
    bent = bent / np.array([surface.curvature(angle) for angle in caps]) - 1
    off = []
    for source, targets, exact in pairs:
        off.append(meshes.geodesic_distance(V, F, source)[targets] / exact - 1)
    truth = surface.eigenvalues(11)[1:]
    spectrum = curvature.laplace_eigenvalues(V, F, 11)[1:] / truth - 1
    return Errors(
        covering=covering_radius(surface, V, F),
        hausdorff=float(np.abs(surface.level(flat)).max()),
        normal=float(tilt.max()),
        area=float(abs(meshes.triangle_areas(V, F).sum() / surface.area - 1)),
        geodesic=float(np.sqrt(np.mean(np.concatenate(off) ** 2))),
        gauss=float(np.sqrt(np.mean(bent[:, 0] ** 2))),
        mean=float(np.sqrt(np.mean(bent[:, 1] ** 2))),
        eigenvalues=float(np.abs(spectrum).mean()),
        spectrum=spectrum,
        aligned=bool(tilt.max() < np.pi / 2),
    )


def covering_radius(surface: Sphere | Torus, V: np.ndarray, F: np.ndarray) -> float:
    """Return the largest distance of a point of the surface to its nearest sample, exactly.

    On a restricted Delaunay triangulation of a dense sample the distance to the nearest sample is
    largest at a corner of the restricted Voronoi cells: where the line of points at equal distances
    from the corners of a triangle meets the surface.
    """
    a, b, c = np.moveaxis(V[F], 1, 0)
    u, v = b - a, c - a
    normal = np.cross(u, v)
    square = np.einsum("md,md->m", normal, normal)[:, None]
    uu, vv = (np.einsum("md,md->m", s, s)[:, None] for s in (u, v))
    centre = a + np.cross(uu * v - vv * u, normal) / (2 * square)
    line = normal / np.sqrt(square)
    corner = centre
    for _ in range(30):  # the signed distance changes by nearly the step: a contraction
        corner = corner - surface.level(corner)[:, None] * line
    return float(np.linalg.norm(corner - a, axis=1).max())


def true_distances(
    surface: Sphere | Torus, V: np.ndarray, sources: Sequence[int], n: int
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return the distances on the surface from some vertices to the first `n`, for `errors`.

    The first `n` points of a farthest-point sequence belong to every longer one, so one list serves
    all sizes.
    """
    found = []
    for source in sources:
        targets = np.array([k for k in range(n) if k != source])
        exact = surface.geodesic_distance(V[source], V[targets])
        found.append((int(source), targets, exact))
    return found
