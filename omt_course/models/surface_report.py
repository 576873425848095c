"""Whether an autoencoder's chart of a surface is one to one, and its surface the surface.

Two maps are judged. The *latent mesh* is linear on the triangles, between the codes of vertices.
The *network itself* bends inside triangles; with ReLU it is linear on smaller pieces, all of which
are found.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from omt_course.geometry import meshes
from omt_course.geometry.injectivity import PlanarMap, boundary_crossings, planar_map
from omt_course.geometry.preimages import Overlap, overlap
from omt_course.geometry.sampling import spread
from omt_course.models.relu_cells import cells_on_mesh
from omt_course.models.relu_paths import along

_CHUNK = 4000  # triangles cut at once


@dataclass(frozen=True)
class NetworkMap:
    """The encoder on a surface, piece by piece.

    Attributes
    ----------
    n_pieces : int
        Flat pieces of the surface on each of which the network is one affine map.
    turned : (k,) int array
        Triangles with a piece whose image has the wrong orientation or no area.
    turned_area : float
        Share of the area of the surface in such pieces.
    n_crossings : int
        Pairs of sides of the boundary's image that meet where they should not.
    is_disk : bool
        Whether the surface is a topological disk.
    """

    n_pieces: int
    turned: np.ndarray
    turned_area: float
    n_crossings: int
    is_disk: bool

    @property
    def injective(self):
        """As of `PlanarMap`, in double precision."""
        if len(self.turned):
            return False
        if self.is_disk:
            return self.n_crossings == 0
        return False if self.n_crossings else None


@dataclass(frozen=True)
class Report:
    """What `examine` finds. Lengths on the surface are in percent of its diagonal.

    Attributes
    ----------
    chart : PlanarMap
        The latent mesh: folds, collapsed triangles, boundary; exact.
    overlap : Overlap
        Share of the surface with a partner of the same code in the latent mesh, and the largest
        distance of partners, here in percent.
    network : NetworkMap or None
        The encoder inside the triangles; None for other activations than ReLU.
    mean_error, largest_error : float
        Distance of a vertex to its reconstruction.
    there, back : float
        Largest distance of the reconstruction to the surface, and of the surface to it: between
        the meshes, each tested at points as dense as `slack`.
    slack : float
        What the two may be too small by.
    returning : float
        Largest distance of a code to the code of its decoding, in percent of the latent mesh's
        diagonal.
    """

    chart: PlanarMap
    overlap: Overlap
    network: NetworkMap | None
    mean_error: float
    largest_error: float
    there: float
    back: float
    slack: float
    returning: float

    @property
    def hausdorff(self):
        """Hausdorff distance of the surface and its reconstruction, in percent."""
        return max(self.there, self.back)


def examine(model, V, F, *, rng, seen=None, spacing=0.002, pieces=True):
    """Judge an autoencoder on a surface.

    Parameters
    ----------
    model : SurfaceAutoencoder
    V : (n, 3) float array
    F : (m, 3) int array
        A connected oriented surface.
    rng : numpy.random.Generator
    seen : (n, 3) float array, optional
        Where the encoder sees the vertices, as in `fit`.
    spacing : float
        Of the points at which the Hausdorff distance is tested, as a share of the diagonal.
    pieces : bool
        Whether to cut the triangles into the pieces on which a ReLU network is affine.

    Returns
    -------
    report : Report

    Raises
    ------
    ValueError
        If the mesh has defects or several components.

    Notes
    -----
    Taught on the page ``learning-a-surface``.
    """
    V, F = meshes.check(V, F)
    seen = V if seen is None else np.asarray(seen, dtype=float)
    percent = 100 / meshes.diagonal(V)
    uv = model.codes_of(seen)
    W = model.points_of(uv)
    error = np.linalg.norm(W - V, axis=1) * percent
    found = overlap(V, F, uv, rng=rng)
    found = Overlap(found.share, found.error, found.distance * percent, found.pair)
    there, back = _hausdorff((W, F), (V, F), spacing * meshes.diagonal(V))
    again = model.codes_of(W) if seen is V else uv
    returning = np.linalg.norm(again - uv, axis=1).max() / meshes.diagonal(uv)
    relu = model.config["activation"] == "relu"
    return Report(
        chart=planar_map(V, F, uv),
        overlap=found,
        network=network_map(model, V, F, seen=seen) if relu and pieces else None,
        mean_error=float(error.mean()),
        largest_error=float(error.max()),
        there=there * percent,
        back=back * percent,
        slack=100 * spacing,
        returning=100 * float(returning),
    )


def _hausdorff(A, B, spacing):
    """Return both one-sided distances of two meshes, as `geometry.distances.hausdorff` does.

    Distances to a cloud of points are cheap and at most `spacing` too large. So exact distances,
    to triangles, are needed only of the points that may be the farthest.
    """
    import trimesh

    clouds = [np.unique(spread(*one, spacing), axis=0) for one in (A, B)]
    found = []
    for points, cloud, mesh in ((clouds[0], clouds[1], B), (clouds[1], clouds[0], A)):
        near = cKDTree(cloud).query(points)[0]
        farthest = points[near >= near.max() - spacing]
        surface = trimesh.Trimesh(*mesh, process=False)
        found.append(float(trimesh.proximity.closest_point(surface, farthest)[1].max()))
    return found


def network_map(model, V, F, *, seen=None):
    """Cut a surface where the encoder bends, and look at the orientation of every piece.

    Parameters
    ----------
    model : SurfaceAutoencoder
        With ReLU activations.
    V : (n, 3) float array
    F : (m, 3) int array
    seen : (n, 3) float array, optional
        Where the encoder sees the vertices; linear in between.

    Returns
    -------
    found : NetworkMap

    Raises
    ------
    ValueError
        If the mesh has defects, or the network other activations.

    Notes
    -----
    The pieces are those of `omt_course.models.relu_cells`, found in double precision with a
    relative tolerance of 1e-12. Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> import torch
    >>> from omt_course.models.surface_autoencoder import SurfaceAutoencoder
    >>> model = SurfaceAutoencoder((3, 2, 2), generator=torch.Generator().manual_seed(0))
    >>> for layer, weight in zip(model.encoder[::2], ([[1, 0, 0], [-1, 0, 0]], [[1, 1], [0, 0]])):
    ...     _ = layer.weight.data.copy_(torch.tensor(weight)), layer.bias.data.zero_()
    >>> V = np.array([[-1, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    >>> network_map(model, V, np.array([[0, 1, 2]])).turned_area  # (|x|, 0) has no area
    1.0
    """
    V, F = meshes.check(V, F)
    seen = V if seen is None else np.asarray(seen, dtype=float)
    x = (seen - model.centre.numpy()) / model.scale.item()
    share = meshes.triangle_areas(V, F)
    share = share / share.sum()
    owners, signed, weights = [], [], []
    for first in range(0, len(F), _CHUNK):
        part = F[first : first + _CHUNK]
        soup = x[part].reshape(-1, 3)  # triangles apart: a part of a surface may be no surface
        cut = cells_on_mesh(model.encoder, soup, np.arange(len(soup)).reshape(-1, 3))
        A, _ = cut.affine  # (c, 2, 3)
        corners = soup.reshape(-1, 3, 3)
        u, v = (corners[:, k] - corners[:, 0] for k in (1, 2))
        Au, Av = ((A * side[cut.face][:, None]).sum(axis=2) for side in (u, v))
        whole = np.linalg.norm(np.cross(u, v), axis=1) / 2
        owners.append(first + cut.face)
        signed.append(Au[:, 0] * Av[:, 1] - Au[:, 1] * Av[:, 0])
        weights.append(share[owners[-1]] * cut.areas / whole[cut.face])
    owner, signed, weight = map(np.concatenate, (owners, signed, weights))
    orientation = 1 if (np.sign(signed) * weight).sum() >= 0 else -1
    wrong = signed * orientation <= 0
    rims, start = [], 0
    images = []
    for loop in meshes.boundary_loops(F):
        images.append(along(model.encoder, x[np.append(loop, loop[0])]).values[:-1])
        rims.append(start + np.arange(len(images[-1])))
        start += len(images[-1])
    crossings = boundary_crossings(np.concatenate(images), rims) if rims else ()
    return NetworkMap(
        n_pieces=len(owner),
        turned=np.unique(owner[wrong]),
        turned_area=float(weight[wrong].sum()),
        n_crossings=len(crossings),
        is_disk=meshes.inspect(V, F).is_disk,
    )
