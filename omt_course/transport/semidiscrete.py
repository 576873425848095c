"""Exact semi-discrete optimal transport in the plane: a convex domain onto weighted points.

Brenier's potential is the convex polyhedron `u_h(x) = max_i <x, y_i> + h_i`; the heights minimise
the convex energy `E(h) = int u_h dmu - sum_i nu_i h_i`, whose gradient is `w - nu` and whose
Hessian is a weighted graph Laplacian of the cells. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from . import storage
from .bracket import Bracket, bracket
from .cells import cell_cutter
from .domains import Box, Polygon
from .inputs import check_masses, check_plane_points
from .laguerre import LaguerreDiagram
from .laplacian import LaplacianSolver, graph_laplacian
from .newton import EmptyFace, NewtonStep, NotConverged, damped_newton
from .start import starting_heights
from .triangulation import along_a_curve


@dataclass(frozen=True, eq=False)
class SemidiscreteResult:
    """The optimal map from the uniform density on a domain onto weighted points.

    Attributes
    ----------
    domain : Box or Polygon
    points : (n, 2) float array
        Targets `y_i`.
    masses : (n,) float array
        Target masses `nu_i`.
    heights : (n,) float array
        Heights `h_i` of the Brenier potential, mean zero.
    cell_masses : (n,) float array
        Masses `w_i(h)` of the cells.
    max_relative_error : float
        `max_i |w_i - nu_i| / nu_i`, the evidence.
    w2_squared : float
        `int |x - T x|^2 dmu`, no factor 1/2: the exact squared distance between `mu` and the
        masses the cells really have.
    dual_value : float
        Kantorovich's dual value in the same unit; never above the squared distance to `nu`.
    n_iter : int
        Newton steps taken.
    history : tuple of NewtonStep
    converged : bool
    message : str
        Empty, or why it did not converge.
    """

    domain: Box | Polygon
    points: np.ndarray
    masses: np.ndarray
    heights: np.ndarray
    cell_masses: np.ndarray
    max_relative_error: float
    w2_squared: float
    dual_value: float
    n_iter: int
    history: tuple[NewtonStep, ...]
    converged: bool
    message: str
    diagram: LaguerreDiagram = field(repr=False)

    @property
    def centroids(self) -> np.ndarray:
        """Centres of mass of the cells, (n, 2) float array."""
        return self.diagram.centroids

    def cell_polygons(self) -> list[np.ndarray]:
        """Return the corners of every cell counter-clockwise, a list of (k_i, 2) float arrays."""
        return self.diagram.cell_polygons()

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate Brenier's potential `u_h` at the rows of `x`, (m, 2): (m,) float array."""
        return self._top(x)[1]

    def assign(self, x: np.ndarray) -> np.ndarray:
        """Return the index of the cell that holds each row of `x`, (m, 2): (m,) int array."""
        return self._top(x)[0]

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x` by `T = grad u_h`, (m, 2): (m, 2) float array."""
        return self.points[self.assign(x)]

    def _top(self, x):
        x = np.asarray(x, dtype=float)
        if x.shape[-1:] != (2,) or x.ndim > 2:
            raise ValueError(f"x: expected shape (m, 2) or (2,), got {x.shape}")
        rows = np.atleast_2d(x)
        index = np.empty(len(rows), dtype=np.int64)
        value = np.empty(len(rows))
        block = max(1, 4_000_000 // len(self.points))
        for k in range(0, len(rows), block):
            score = rows[k : k + block] @ self.points.T + self.heights
            index[k : k + block] = score.argmax(axis=1)
            value[k : k + block] = score.max(axis=1)
        return (index, value) if x.ndim == 2 else (index[0], value[0])

    @cached_property
    def bracket(self) -> Bracket:
        """Two numbers with `W2^2` between them, converged or not."""
        return bracket(self.diagram, self.heights, self.masses)

    def phi(self, x: np.ndarray) -> np.ndarray:
        """Kantorovich potential on the source, `|x|^2/2 - u(x)`, of the rows of `x`: (m,)."""
        x = np.asarray(x, dtype=float)
        return (x**2).sum(axis=-1) / 2 - self.potential(x)

    @property
    def points_gradient(self) -> np.ndarray:
        """Gradient of `W2^2` with respect to the points, `2 w_i (y_i - b_i)`: (n, d) array."""
        return -2 * self.diagram.first_moments

    @property
    def masses_gradient(self) -> np.ndarray:
        """Gradient of `W2^2` with respect to the masses, `2 psi` up to a constant: (n,) array.

        Masses can only change so that their sum stays; the constant has no meaning.
        """
        return 2 * (self.psi - self.psi.mean())

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, aside and then renamed; `load` reads it back."""
        storage.save(self, path)

    @cached_property
    def psi(self) -> np.ndarray:
        """Kantorovich potential on the target, `psi_i = |y_i|^2/2 + h_i`, (n,) float array."""
        return (self.points**2).sum(axis=1) / 2 + self.heights


def solve(
    domain: Box | Polygon,
    points: np.ndarray,
    masses: np.ndarray | None = None,
    *,
    tol: float = 1e-10,
    max_iter: int = 200,
    callback: Callable[[NewtonStep, np.ndarray, LaguerreDiagram], None] | None = None,
    strict: bool = True,
) -> SemidiscreteResult:
    """Transport the uniform density on a planar convex domain onto weighted points, exactly.

    Finds heights with `w_i(h) = nu_i` by damped Newton steps over exact Laguerre cells.

    Parameters
    ----------
    domain : Box or Polygon
        Planar convex domain, density 1, so that its mass is its area.
    points : (n, 2) float array
        At least three targets, distinct, not all on a line; they may lie outside the domain.
    masses : (n,) float array, optional
        Positive, summing to the domain's area (to `tol / 2` of it, and to 1e-9). Equal masses
        when left out.
    tol : float
        Largest `max_i |w_i - nu_i| / nu_i` accepted.
    max_iter : int
        Newton steps allowed.
    callback : callable, optional
        Called with `(step, heights, diagram)` at the start and after every accepted step.
    strict : bool
        Raise when the tolerance is not met (default), or return with `converged=False`.

    Returns
    -------
    SemidiscreteResult

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it, what was expected and what came.
    NotConverged
        If the tolerance is not met and `strict` is true; carries heights and history.

    Notes
    -----
    Energy and its convexity: Gu, Luo, Sun, Yau (2016). Damping and its convergence: Kitagawa,
    Merigot, Thibert (2019), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from omt_course.transport.domains import Box
    >>> points = np.random.default_rng(0).random((100, 2))
    >>> result = solve(Box([0, 0], [1, 1]), points)
    >>> result.max_relative_error <= 1e-10
    True
    >>> round(result.w2_squared, 9)
    0.010374232
    """
    if not tol > 0:
        raise ValueError(f"tol: expected a positive number, got {tol}")
    if not max_iter >= 0:
        raise ValueError(f"max_iter: expected zero or more, got {max_iter}")
    points, masses = _check(domain, points, masses, min(1e-9, max(tol / 2, 1e-14)))

    # About their own centres both sides keep their digits; `<x, y> + h` changes only by terms
    # that no cell depends on if `h' = h + <y, middle>`. In order along a curve neighbours are
    # near in memory too.
    middle, mean = domain.center, points.mean(axis=0)
    order = along_a_curve(points - mean)
    near = (points - mean)[order]
    # Masses may miss the domain's by rounding, cells cannot: they aim at the same, scaled.
    excess = masses.sum() / domain.volume - 1
    excess = 0.0 if abs(excess) <= 1e-14 else excess
    target = masses[order] / (1 + excess)
    centered = domain.moved(-middle)
    cut = cell_cutter(centered, near)
    solver = LaplacianSolver(domain.dimension)

    def evaluate(heights):
        diagram = cut(heights)
        return (np.zeros(len(near)) if diagram is None else diagram.masses), diagram

    # Cells and masses add up to the same, `w log(w / nu)` does not: every cell takes its share of
    # the difference, which leaves all quotients `w_i / nu_i` changed by the same factor.
    def direction(diagram, error):
        cut.accept()
        error = error - diagram.masses * (error.sum() / diagram.masses.sum())
        # As accurate as the step is good: its own error is of second order.
        worst = float(np.abs(error / diagram.masses).max())
        inner = max(min(0.1, 0.1 * worst**2), min(tol, 1e-6) / 4)
        return solver.solve(energy_hessian(diagram), -error, diagram.masses, inner)

    def carried_back(heights, diagram):
        back = np.empty_like(heights)
        back[order] = heights - near @ middle
        back = (back - back.mean()).astype(float)
        return back, diagram.renumbered(order).moved(domain, points, back, middle, mean)

    def report(step, heights, diagram):
        if callback is not None:
            callback(step, *carried_back(heights, diagram))

    try:
        heights, diagram, history, failure = damped_newton(
            evaluate,
            direction,
            starting_heights(centered, near, mean - middle).astype(np.longdouble),
            target,
            tol=max(tol - abs(excess), tol / 4),
            max_iter=max_iter,
            logarithmic=True,
            callback=report,
        )
    except (EmptyFace, ArithmeticError) as why:
        closest = KDTree(near).query(near, k=2)[0][:, 1].min()
        raise ValueError(
            f"points: expected points that double precision can tell apart, got two at distance "
            f"{closest:.1e} in a cloud of width {np.ptp(near, axis=0).max():.1e}; merge the "
            f"closest ones and add their masses"
        ) from why
    heights, diagram = carried_back(heights, diagram)
    if failure and strict:
        raise NotConverged(f"semidiscrete.solve: {failure}", history, heights)
    psi = (points**2).sum(axis=1) + 2 * heights
    cost = float(diagram.second_moments.sum())
    return SemidiscreteResult(
        domain=domain,
        points=points,
        masses=masses,
        heights=heights,
        cell_masses=diagram.masses,
        max_relative_error=(
            float(np.abs(diagram.masses / masses - 1).max())
            if excess
            else history[-1].max_relative_error
        ),
        w2_squared=cost,
        dual_value=cost + float((psi - psi.mean()) @ (masses - diagram.masses)),
        n_iter=history[-1].iteration,
        history=history,
        converged=not failure,
        message=failure,
        diagram=diagram,
    )


def load(path: str | Path) -> SemidiscreteResult:
    """Read what `SemidiscreteResult.save` wrote, bit for bit."""
    return storage.load(path, SemidiscreteResult)


def energy_hessian(diagram: LaguerreDiagram) -> sp.csr_array:
    """Return the Hessian of `E`: `dw_i/dh_j = -facet_ij / |y_i - y_j|`, rows sum to zero.

    Parameters
    ----------
    diagram : LaguerreDiagram
        Cells at the heights in question.

    Returns
    -------
    (n, n) sparse float array

    Examples
    --------
    >>> from omt_course.transport.domains import Box
    >>> from omt_course.transport.laguerre import laguerre_diagram
    >>> points = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    >>> hessian = energy_hessian(laguerre_diagram(Box([-1, -1], [1, 1]), points, np.zeros(4)))
    >>> hessian.toarray().round(12)[0].tolist()
    [2.0, 0.0, -1.0, -1.0]
    """
    i, j = diagram.pairs.T
    gap = np.linalg.norm(diagram.points[j] - diagram.points[i], axis=1)
    return graph_laplacian(diagram.pairs, diagram.facets / gap, len(diagram.points))


def _check(domain, points, masses, rtol):
    if not isinstance(domain, Box | Polygon):
        raise ValueError(f"domain: expected a Box or a Polygon, got {type(domain).__name__}")
    if domain.dimension != 2:
        raise ValueError(
            f"domain: expected a planar domain, got dimension {domain.dimension}; "
            f"in higher dimension use omt_course.transport.montecarlo"
        )
    points = check_plane_points(points)
    return points, check_masses(masses, len(points), domain.volume, rtol=rtol)
