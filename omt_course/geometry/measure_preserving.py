"""Maps of a topological disk to the unit disk that keep areas: an encoding with uniform codes.

Exact semi-discrete transport sends the uniform measure of the disk to the images of the vertices,
each with a third of the area of its triangles. The vertex moves to the centroid of its cell. Cells
then have the right area; triangles nearly so, with a few folds. Newton's method in its
Levenberg-Marquardt form on the signed areas of the triangles takes out the rest.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from omt_course.geometry import disk_maps, meshes
from omt_course.geometry.location import pull_back as pull_back
from omt_course.transport import domains, semidiscrete
from omt_course.transport.result import SemidiscreteResult

GOOD_ENOUGH = 0.02  # root mean square of the relative area errors: matching may stop


@dataclass(frozen=True)
class Match:
    """How well triangle areas match: root mean square relative error, smallest ratio, folds."""

    rms: float
    smallest: float
    folds: int


@dataclass(frozen=True, eq=False)
class Matching:
    """A map whose areas were matched.

    Attributes
    ----------
    uv : (n, 2) float array
        The best map seen: fewest folds, then least error. Its boundary is on the unit circle.
    history : tuple of Match
        Before the first step, and after each.
    reached : Match
        How well `uv` does.
    converged : bool
        No folds, and the error within the tolerance.
    """

    uv: np.ndarray
    history: tuple
    reached: Match
    converged: bool


class AreasNotMatched(RuntimeError):
    """Areas were not matched to the tolerance; `matching` is the best map so far."""

    def __init__(self, message, matching):
        super().__init__(message)
        self.matching = matching


@dataclass(frozen=True, eq=False)
class MeasurePreservingMap:
    """A map that keeps areas, and the steps to it.

    Attributes
    ----------
    start : (n, 2) float array
        The map it began with: the points of the transport problem.
    transport : SemidiscreteResult
        From the uniform disk to the vertices of `start`, with its mass error.
    centroids : (n, 2) float array
        Centroid of each vertex' cell.
    matching : Matching
        Areas of triangles matched, from the centroids on.
    """

    start: np.ndarray
    transport: SemidiscreteResult = field(repr=False)
    centroids: np.ndarray
    matching: Matching = field(repr=False)

    @property
    def uv(self):
        """The map, (n, 2) float array: the boundary lies on the unit circle."""
        return self.matching.uv


def measure_preserving(
    V, F, *, start=None, density=None, n_sides=512, tol=1e-9, area_tol=GOOD_ENOUGH, strict=True
):
    """Map a surface to the unit disk so that areas, or a density's masses, keep their proportions.

    Parameters
    ----------
    V : (n, 3) or (n, 2) float array
    F : (m, 3) int array
        A topological disk.
    start : (n, 2) float array, optional
        A map to the unit disk; the conformal one by default. It decides the result: of the many
        maps that keep areas transport gives the nearest one.
    density : (n,) float array, optional
        Positive values at the vertices of a density on the surface, relative to area.
    n_sides : int
        Sides of the polygon that stands for the disk in the transport problem.
    tol : float
        Largest relative error of a cell's area.
    area_tol : float
        Root mean square of the triangles' relative area errors at which `match_areas` stops.
    strict : bool
        Raise when transport or `match_areas` does not reach its tolerance, or return all the same.

    Returns
    -------
    MeasurePreservingMap

    Raises
    ------
    ValueError
        If the mesh is no disk, `start` has a wrong shape or vertices outside the disk, or a density
        is not positive.
    omt_course.transport.newton.NotConverged
        If the transport problem was not solved to `tol`.
    AreasNotMatched
        If areas of triangles were not matched.

    Notes
    -----
    Source: Gu, Luo, Sun, Yau, Asian J. Math. 20(2), 2016, for the transport. Taught on the page
    ``measure-preserving-maps``.

    Examples
    --------
    >>> V = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0.3, 0.2, 1]])
    >>> F = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    >>> found = measure_preserving(V, F)
    >>> disk_maps.area_stretch(V, F, found.uv).round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    V, F = meshes.check(V, F, disk=True)
    start = disk_maps.conformal(V, F) if start is None else np.asarray(start, dtype=float)
    result = transport_to_vertices(
        V, F, start, density=density, n_sides=n_sides, tol=tol, strict=strict
    )
    matching = match_areas(V, F, result.centroids, density=density, tol=area_tol, strict=strict)
    return MeasurePreservingMap(start, result, result.centroids, matching)


def transport_to_vertices(V, F, start, *, density=None, n_sides=512, tol=1e-9, strict=True):
    """Transport the uniform disk to the vertices of a map, each with a third of its triangles.

    Parameters and errors are those of `measure_preserving`, whose first half this is; `start` has
    to be given.

    Returns
    -------
    SemidiscreteResult
        Its ``centroids`` are the new places of the vertices.
    """
    V, F = meshes.check(V, F, disk=True)
    start = np.asarray(start, dtype=float)
    if start.shape != (len(V), 2):
        raise ValueError(f"start: expected shape ({len(V)}, 2); got {start.shape}")
    beyond = np.sum(~(np.linalg.norm(start, axis=1) < 1 + 1e-6))
    if beyond:
        raise ValueError(f"start: expected a map to the unit disk; got {beyond} vertices outside")
    disk = domains.disk(n_sides=n_sides)
    third = np.repeat(_shares(V, F, density) / 3, 3)
    masses = np.bincount(F.ravel(), weights=third, minlength=len(V))
    masses = masses * (disk.volume / masses.sum())
    return semidiscrete.solve(disk, start, masses, tol=tol, strict=strict)


def match_areas(V, F, uv, *, density=None, max_steps=60, tol=GOOD_ENOUGH, strict=True):
    """Move the vertices of a map to the disk little, until triangles have their share of the area.

    Minimises ``sum_t a_t (s_t / a_t - 1)^2``, ``a_t`` the triangle's share of the surface (of its
    mass, if there is a density) and ``s_t`` its signed share of the image. Signed areas are
    quadratic in the positions, folded or not, so folds are no obstacle. Steps are smooth on the
    surface: their Dirichlet energy is the term that keeps each small. Boundary vertices stay on
    the circle.

    Parameters
    ----------
    V : (n, 3) or (n, 2) float array
    F : (m, 3) int array
    uv : (n, 2) float array
        Near a map that keeps areas. Its boundary is moved along the rays to the unit circle first.
    density : (n,) float array, optional
        As for `measure_preserving`.
    max_steps : int
    tol : float
        Stop when the relative errors' root mean square over triangles is below, without folds.

    strict : bool
        Raise when the tolerance is not met, or return with ``converged=False``.

    Returns
    -------
    Matching

    Raises
    ------
    ValueError
        If `uv` has a wrong shape, or a boundary vertex lies at the origin.
    AreasNotMatched
        If areas are not matched to `tol` and `strict` is true; carries the best map.

    Notes
    -----
    Source: Levenberg, Quart. Appl. Math. 2, 1944; Marquardt, SIAM J. Appl. Math. 11, 1963.
    """
    V, F = meshes.check(V, F, disk=True)
    uv = np.array(uv, dtype=float)
    if uv.shape != (len(V), 2):
        raise ValueError(f"uv: expected shape ({len(V)}, 2); got {uv.shape}")
    rim = meshes.boundary_loops(F)[0]
    radius = np.linalg.norm(uv[rim], axis=1)
    if not np.all(radius > 0):
        raise ValueError(f"uv: expected a boundary around 0; got {np.sum(~(radius > 0))} there")
    uv[rim] /= radius[:, None]
    share = _shares(V, F, density)
    smooth = sparse.block_diag([meshes.cotangent_laplacian(V, F)] * 2, format="csr")
    history = [_match(uv, F, share)]
    best, least = uv, history[0]
    damping = 1e-3
    for _ in range(max_steps):
        if least.folds == 0 and least.rms <= tol:
            break
        uv, damping = _step(uv, F, rim, share, smooth, damping)
        if uv is None:
            break
        history.append(_match(uv, F, share))
        if (history[-1].folds, history[-1].rms) < (least.folds, least.rms):
            best, least = uv, history[-1]
    matching = Matching(best, tuple(history), least, least.folds == 0 and least.rms <= tol)
    if strict and not matching.converged:
        raise AreasNotMatched(
            f"after {len(history) - 1} steps {least.folds} triangles are folded and areas are off "
            f"by {least.rms:.2g} in the root mean square, tol = {tol:g}: ask for more steps, or "
            "strict=False for the best map so far",
            matching,
        )
    return matching


def _shares(V, F, density):
    """Share of each triangle in the surface's area, or in the mass of a density; sum 1."""
    areas = meshes.triangle_areas(V, F)
    if density is not None:
        density = np.asarray(density, dtype=float)
        if density.shape != (len(V),) or not np.all(density > 0):
            raise ValueError(
                f"density: expected {len(V)} positive numbers; got shape {density.shape}, "
                f"{np.sum(~(density > 0))} of them not positive"
            )
        areas = areas * density[F].mean(axis=1)
    return areas / areas.sum()


def _match(uv, F, share):
    image = meshes.signed_areas(uv, F)
    ratio = image / image.sum() / share
    rms = np.sqrt(np.mean((ratio - 1) ** 2))
    return Match(float(rms), float(ratio.min()), int((ratio <= 0).sum()))


def _residual(uv, F, share):
    image = meshes.signed_areas(uv, F)
    return (image / image.sum() - share) / np.sqrt(share)


def _step(uv, F, rim, share, smooth, damping):
    """Return the map after one step that lowers the error (None if there is none), next damping.

    Damping halves after a step, quarters after a good one, and is four times as much after one
    that failed. Less caution lets folds in thin triangles come and go (measured on five surfaces).
    """
    n, inner = len(uv), np.setdiff1d(np.arange(len(uv)), rim)
    k, tangent = len(inner), np.column_stack([-uv[rim, 1], uv[rim, 0]])
    rows = np.concatenate([inner, inner + n, rim, rim + n])
    columns = np.concatenate([np.arange(2 * k), *[2 * k + np.arange(len(rim))] * 2])
    values = np.concatenate([np.ones(2 * k), *tangent.T])
    free = sparse.csr_array((values, (rows, columns)), shape=(2 * n, 2 * k + len(rim)))
    total = meshes.signed_areas(uv, F).sum()
    J = sparse.diags_array(1 / (np.sqrt(share) * total)) @ _area_gradient(uv, F) @ free
    before = _residual(uv, F, share)
    normal, stiff, slope = J.T @ J, free.T @ smooth @ free, J.T @ before
    while damping < 1e8:
        system = (normal + damping * stiff).tocsc()
        move = -splu(system, permc_spec="MMD_AT_PLUS_A", **disk_maps.SYMMETRIC).solve(slope)
        new = uv.copy()
        new[inner] += move[: 2 * k].reshape(2, k).T
        turn = np.arctan2(uv[rim, 1], uv[rim, 0]) + move[2 * k :]
        new[rim] = np.column_stack([np.cos(turn), np.sin(turn)])
        after = _residual(new, F, share)
        left = (after @ after) / (before @ before)
        if left < 1:
            return new, damping * (0.25 if left < 0.5 else 0.5)
        damping *= 4
    return None, damping


def _area_gradient(uv, F):
    """Return the derivative of signed areas by all first, then all second coordinates."""
    n, m = len(uv), len(F)
    opposite = uv[np.roll(F, 1, axis=1)] - uv[np.roll(F, -1, axis=1)]  # (m, 3, 2), turned below
    values = 0.5 * np.concatenate([-opposite[:, :, 1], opposite[:, :, 0]], axis=1)
    columns = np.concatenate([F, F + n], axis=1)
    rows = np.repeat(np.arange(m), 6)
    return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(m, 2 * n))
