"""Alexandrov's problem: the open convex surface with given normals and projected areas.

The surface over a planar domain is closed to a polytope by the walls of the domain and a lid. Walls
and lid are held, the lower facets move, and the derivative of their projected areas is that of
polytope areas, from edge lengths and dihedral angles. The surface is the graph of Brenier's
potential; no Laguerre cell is cut here. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import splu

from ..transport.domains import Box, Polygon
from ..transport.inputs import check_masses, check_spanning_points
from ..transport.newton import EmptyFace, NewtonStep, NotConverged, damped_newton
from .facets import Facets, Unbounded, cut
from .inputs import check_normals
from .polytope import assemble, export_mesh


@dataclass(frozen=True, eq=False)
class AlexandrovResult:
    """The convex surface `z = u(x)`, `u(x) = max_i <x, y_i> + b_i`, over a planar domain.

    Attributes
    ----------
    domain : Box or Polygon
    normals : (n, 3) float array
        Downward unit normals.
    slopes : (n, 2) float array
        `y_i = -(n_x, n_y) / n_z`, the gradient of `u` on facet `i`: Brenier's target points.
    target : (n,) float array
        The projected areas asked for.
    heights : (n,) float array
        `b_i`, mean zero; the heights of the semi-discrete problem.
    projected_areas : (n,) float array
        Those of the surface.
    areas : (n,) float array
        Areas of the facets in space.
    vertices : (m, 3) float array
    facets : tuple of n int arrays
        Vertices of each facet, counter-clockwise seen from below, that is from outside.
    max_relative_error : float
        `max_i |w_i - nu_i| / nu_i`.
    n_iter : int
    history : tuple of NewtonStep
    converged : bool
    message : str
        Empty, or why it did not converge.
    """

    domain: Box | Polygon
    normals: np.ndarray
    slopes: np.ndarray
    target: np.ndarray
    heights: np.ndarray
    projected_areas: np.ndarray
    areas: np.ndarray
    vertices: np.ndarray
    facets: tuple[np.ndarray, ...]
    max_relative_error: float
    n_iter: int
    history: tuple[NewtonStep, ...]
    converged: bool
    message: str

    def to_trimesh(self):
        """Return the surface, without walls and lid, as a `trimesh.Trimesh`."""
        import trimesh

        F = [np.column_stack([np.full(len(f) - 2, f[0]), f[1:-1], f[2:]]) for f in self.facets]
        return trimesh.Trimesh(self.vertices, np.concatenate(F), process=False)

    def export(self, path: str | Path) -> None:
        """Write the surface in the format that the ending of `path` names."""
        export_mesh(self.to_trimesh(), path)


def solve(
    domain: Box | Polygon,
    normals: np.ndarray,
    projected_areas: np.ndarray | None = None,
    *,
    tol: float = 1e-10,
    max_iter: int = 200,
    callback: Callable[[NewtonStep, np.ndarray, Facets], None] | None = None,
    strict: bool = True,
) -> AlexandrovResult:
    """Find the convex surface over a domain with given normals and projected areas.

    Parameters
    ----------
    domain : Box or Polygon
        Planar convex domain.
    normals : (n, 3) float array
        At least three unit normals that point down, `n_z < 0`: the outward normals of the body
        above the surface. Their slopes `-(n_x, n_y) / n_z` are distinct and not all on a line.
    projected_areas : (n,) float array, optional
        Positive, summing to the domain's area. Equal ones when left out.
    tol : float
        Largest `max_i |w_i - nu_i| / nu_i` accepted.
    max_iter : int
        Newton steps allowed.
    callback : callable, optional
        Called with `(step, heights, facets)` at the start and after every accepted step, facets
        and heights in the scaled coordinates of the computation.
    strict : bool
        Raise when the tolerance is not met (default), or return with `converged=False`.

    Returns
    -------
    AlexandrovResult

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it, what was expected and what came.
    NotConverged
        If the tolerance is not met and `strict` is true.

    Notes
    -----
    Alexandrov (2005); the variational proof is that of Gu, Luo, Sun, Yau (2016).

    Examples
    --------
    >>> import numpy as np
    >>> slopes = np.array([[1, 0], [-1, 0], [0, 1], [0, -1.0]])
    >>> normals = np.column_stack([slopes, -np.ones(4)]) / np.sqrt(2)
    >>> roof = solve(Box([-1, -1], [1, 1]), normals)
    >>> roof.heights.round(12) + 0.0
    array([0., 0., 0., 0.])
    >>> len(roof.vertices)
    5
    """
    if not isinstance(domain, Box | Polygon) or domain.dimension != 2:
        raise ValueError(f"domain: expected a Box or Polygon in the plane, got {domain!r}")
    if not tol > 0:
        raise ValueError(f"tol: expected a positive number, got {tol}")
    if not max_iter >= 0:
        raise ValueError(f"max_iter: expected zero or more, got {max_iter}")
    normals = check_normals(normals)
    if not normals[:, 2].max() < 0:
        row = int(normals[:, 2].argmax())
        raise ValueError(
            f"normals: expected all to point down, n_z < 0, got {normals[row].tolist()} in row "
            f"{row}; walls belong to the domain"
        )
    slopes = -normals[:, :2] / normals[:, 2:]
    rtol = min(1e-9, max(tol / 2, 1e-14))
    try:
        check_spanning_points(slopes)
        areas = check_masses(projected_areas, len(normals), domain.volume, rtol=rtol)
    except ValueError as error:  # the same conditions, in the words of this problem
        words = str(error).replace("points:", "normals: as slopes,").replace("points", "slopes")
        words = words.replace("masses:", "projected_areas:").replace("masses", "areas")
        raise ValueError(words) from error

    body = _Body(domain, slopes)
    target = areas * (domain.volume / areas.sum() / body.size**2)
    try:
        heights, facets, history, message = damped_newton(
            body.evaluate,
            body.newton_step,
            -(body.slopes**2).sum(axis=1) / 2,  # Voronoi cells of points inside the domain
            target,
            tol=tol,
            max_iter=max_iter,
            callback=callback,
        )
    except EmptyFace as error:
        raise ValueError(
            f"normals: expected slopes further apart than rounding; {error}"
        ) from error
    message = message.replace("mass error", "area error").replace("masses", "areas")
    if message and strict:
        raise NotConverged(message, history, body.original(heights))
    return _result(body, normals, areas, heights, facets, history, message)


class _Body:
    """The body above the surface, between walls and under a lid, in good coordinates.

    The linear map `z -> (z - <x, middle>) / scale` carries surfaces to surfaces and keeps what
    projects to the plane. It is chosen so that the slopes, taken as points, lie in the domain.
    """

    def __init__(self, domain, slopes):
        self.domain = domain
        corners = domain.vertices
        edge = np.roll(corners, -1, axis=0) - corners
        outward = np.column_stack([edge[:, 1], -edge[:, 0]])
        outward /= np.linalg.norm(edge, axis=1, keepdims=True)
        self.center = corners.mean(axis=0)
        self.size = float(np.linalg.norm(corners - self.center, axis=1).max())
        self.corners = (corners - self.center) / self.size
        walls = np.einsum("kd,kd->k", outward, self.corners)
        self.middle = (slopes.min(axis=0) + slopes.max(axis=0)) / 2
        away = np.linalg.norm(slopes - self.middle, axis=1).max()
        self.scale = float(away / (0.9 * walls.min()))
        self.slopes = (slopes - self.middle) / self.scale
        self.length = np.sqrt(1 + (self.slopes**2).sum(axis=1))
        self.walls = walls
        n, k = len(slopes), len(walls)
        self.normals = np.zeros((n + k + 1, 3))
        self.normals[:n] = np.column_stack([self.slopes, -np.ones(n)]) / self.length[:, None]
        self.normals[n : n + k, :2] = outward
        self.normals[-1, 2] = 1

    def support(self, heights):
        """Support numbers about a point between surface and lid, and its height."""
        top = (self.corners @ self.slopes.T + heights).max()
        start = heights.max() + 1.0
        lid = max(top, start) + 1.0
        lower = (start - heights) / self.length
        return np.concatenate([lower, self.walls, [lid - start]]), start

    def evaluate(self, heights):
        """Projected areas of the lower facets, and the facets of the body."""
        try:
            facets = cut(self.normals, self.support(heights)[0])
        except Unbounded:  # so long a step that rounding leaves nothing of the body
            return np.zeros(len(heights)), None
        return facets.areas[: len(heights)] / self.length, facets

    def newton_step(self, facets, error):
        """Solve `dw step = -error`; a constant changes nothing, so one height is held.

        With `w_i = A_i / l_i` and `h_i = const - b_i / l_i` the derivative `dw_i / db_j` is
        `-(dA_i / dh_j) / (l_i l_j)`: symmetric, and rows sum to zero, as raising all does nothing.
        """
        n = len(error)
        down = 1 / self.length
        matrix = -facets.derivative()[:n, :n].multiply(down[:, None]).multiply(down).tocsc()
        free = np.arange(n) != int(facets.areas[:n].argmax())
        factors = splu(
            matrix[free][:, free],
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        step = np.zeros(n)
        step[free] = -factors.solve(error[free])
        return step - step.mean()

    def original(self, heights):
        """Heights for the slopes and the domain that were given, mean zero."""
        raised = self._raised(heights)
        return raised - raised.mean()

    def _raised(self, heights):
        return self.scale * (self.size * heights - self.slopes @ self.center)

    def surface(self, heights, facets):
        """Vertices of the surface in the coordinates given, and the loops of its facets."""
        support, start = self.support(heights)
        closed = assemble(facets, support)
        loops = closed.facets[: len(heights)]
        used, place = np.unique(np.concatenate(loops), return_inverse=True)
        x = self.center + self.size * closed.vertices[used, :2]
        z = self.scale * self.size * (closed.vertices[used, 2] + start) + x @ self.middle
        z -= self._raised(heights).mean()
        ends = np.cumsum([len(loop) for loop in loops])[:-1]
        return np.column_stack([x, z]), tuple(np.split(place, ends))


def _result(body, normals, areas, heights, facets, history, message):
    slopes = -normals[:, :2] / normals[:, 2:]
    projected = facets.areas[: len(normals)] / body.length * body.size**2
    vertices, loops = body.surface(heights, facets)
    return AlexandrovResult(
        domain=body.domain,
        normals=normals,
        slopes=slopes,
        target=areas,
        heights=body.original(heights),
        projected_areas=projected,
        areas=projected / -normals[:, 2],
        vertices=vertices,
        facets=loops,
        max_relative_error=float(np.abs(projected / areas - 1).max()),
        n_iter=len(history) - 1,
        history=history,
        converged=not message,
        message=message,
    )
