"""Exact semi-discrete optimal transport: a convex domain, plane or solid, onto weighted points.

Brenier's potential is the convex polyhedron `u_h(x) = max_i <x, y_i> + h_i`; the heights minimise
the convex energy `E(h) = int u_h dmu - sum_i nu_i h_i`, whose gradient is `w - nu` and whose
Hessian is a weighted graph Laplacian of the cells. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from . import storage
from .density import TriangulatedDensity
from .diagram import Diagram
from .domains import Box, Polygon
from .inputs import check_masses, check_spanning_points
from .laplacian import energy_hessian
from .newton import EmptyFace, NewtonStep, NotConverged
from .path import newton_along_path
from .polyhedron import Polyhedron
from .result import SemidiscreteResult
from .triangulation import along_a_curve

__all__ = ["SemidiscreteResult", "energy_hessian", "load", "solve"]


# Relative mass error that rounding of the heights may cause in silence.
LOST_AT_MOST = 1e-7


def solve(
    domain: Box | Polygon | Polyhedron | TriangulatedDensity,
    points: np.ndarray,
    masses: np.ndarray | None = None,
    *,
    tol: float = 1e-10,
    max_iter: int = 200,
    callback: Callable[[NewtonStep, np.ndarray, Diagram], None] | None = None,
    strict: bool = True,
) -> SemidiscreteResult:
    """Transport a density on a domain onto weighted points, exactly.

    Finds heights with `w_i(h) = nu_i` by damped Newton steps over exact Laguerre cells.

    Parameters
    ----------
    domain : Box, Polygon, Polyhedron or TriangulatedDensity
        Convex domain in the plane or in space, density 1, so that its mass is its area or volume;
        or a piecewise linear density in the plane.
    points : (n, d) float array
        More targets than dimensions, distinct, not all on a line (in a plane); they may lie
        outside the domain.
    masses : (n,) float array, optional
        Positive, summing to the domain's mass (to `tol / 2` of it, and to 1e-9). Equal masses
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
    Energy and its convexity: Gu, Luo, Sun, Yau (2016). Damping after Kitagawa, Merigot, Thibert
    (2019), on logarithms of the masses; the page proves that it converges. Points in tight clusters
    start from the cells of the clusters (`clusters`). Under a triangulated density the way leads
    through mixtures with a constant one; `history` has all its steps. The first call after
    installation compiles its loops, some ten seconds in the plane and twice that in space.

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

    def carried_back(heights, diagram):
        back = np.empty_like(heights)
        back[order] = heights - near @ middle
        back = (back - back.mean()).astype(float)
        return back, diagram.renumbered(order).moved(domain, points, back, middle, mean)

    def report(step, heights, diagram):
        if callback is not None:
            callback(step, *carried_back(heights, diagram))

    try:
        heights, diagram, history, failure = newton_along_path(
            centered,
            near,
            target,
            mean - middle,
            tol=max(tol - abs(excess), tol / 4),
            max_iter=max_iter,
            callback=report,
        )
    except (EmptyFace, ArithmeticError) as why:
        closest = KDTree(near).query(near, k=2)[0][:, 1].min()
        raise ValueError(
            f"points: expected points that double precision can tell apart, got two at distance "
            f"{closest:.1e} in a cloud of width {np.ptp(near, axis=0).max():.1e}; merge the "
            f"closest ones and add their masses"
        ) from why
    # What the map loses when heights, about their centre, are kept in double precision.
    lost = (heights.astype(float) - heights).astype(float)
    lost = float(np.abs(energy_hessian(diagram) @ lost / target).max())
    heights, diagram = carried_back(heights, diagram)
    if not failure and lost > max(tol, LOST_AT_MOST):
        failure = (
            f"heights rounded to double precision leave a relative mass error of {lost:.1e}, "
            f"tol = {tol:.1e}; some points are too close to each other: merge them and add their "
            f"masses, or ask for a larger tol"
        )
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


def _check(domain, points, masses, rtol):
    if not isinstance(domain, Box | Polygon | Polyhedron | TriangulatedDensity):
        raise ValueError(
            f"domain: expected a Box, a Polygon, a Polyhedron or a TriangulatedDensity, "
            f"got {type(domain).__name__}"
        )
    if domain.dimension not in (2, 3):
        raise ValueError(
            f"domain: expected a domain in the plane or in space, got dimension "
            f"{domain.dimension}; in higher dimension use omt_course.transport.montecarlo"
        )
    points = check_spanning_points(points, domain.dimension)
    return points, check_masses(masses, len(points), domain.volume, rtol=rtol)
