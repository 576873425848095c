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
    hausdorff : float
        Largest distance of a tested point of the mesh from the surface. It is the two-sided
        distance when `aligned`: the nearest-point projection is then open, so it is onto.
    normal : float
        Largest angle between a triangle's normal and the surface's at a tested point, radians.
    area, gauss, mean : float
        Relative error of the area and of the two curvatures of the cap, absolute values.
    geodesic : float
        Root mean square of the relative errors of the distances asked for.
    eigenvalues : float
        Mean relative error of the first ten that are not zero.
    spectrum : (10,) float array
        Relative error of each, with its sign.
    aligned : bool
        Whether all normals are within a right angle of the surface's.
    """

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
    angle: float = np.pi / 3,
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
    angle : float
        The cap on which curvatures are compared.
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
    gauss, mean = surface.curvature(angle)
    cap = surface.cap(angle)
    off = []
    for source, targets, exact in pairs:
        off.append(meshes.geodesic_distance(V, F, source)[targets] / exact - 1)
    truth = surface.eigenvalues(11)[1:]
    spectrum = curvature.laplace_eigenvalues(V, F, 11)[1:] / truth - 1
    return Errors(
        hausdorff=float(np.abs(surface.level(flat)).max()),
        normal=float(tilt.max()),
        area=float(abs(meshes.triangle_areas(V, F).sum() / surface.area - 1)),
        geodesic=float(np.sqrt(np.mean(np.concatenate(off) ** 2))),
        gauss=float(abs(curvature.gauss_measure(V, F, cap) / gauss - 1)),
        mean=float(abs(curvature.mean_measure(V, F, cap) / mean - 1)),
        eigenvalues=float(np.abs(spectrum).mean()),
        spectrum=spectrum,
        aligned=bool(tilt.max() < np.pi / 2),
    )


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
