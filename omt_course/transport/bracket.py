"""A two-sided bracket of `W2^2` from cells at any heights, converged or not.

Below: Kantorovich's dual value, with exact cells. Above: the cost of a coupling that can be had.
Every cell sends its mass to its own point, except for its surplus, which goes on, spread evenly
over the cell, to points that lack mass. Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass

import numpy as np

from .diagram import Diagram
from .laplacian import LaplacianSolver, graph_laplacian
from .triangulation import along_a_curve

# Surplus times deficit cells up to which the best way to even them out is computed.
EXACT_UP_TO = 1_000_000
ROUNDING = 1e-13


@dataclass(frozen=True)
class Bracket:
    """Two numbers with `lower <= W2^2 <= upper`.

    Attributes
    ----------
    lower, upper : float
        In the unit of `W2^2`, no factor 1/2.
    """

    lower: float
    upper: float

    @property
    def relative_width(self) -> float:
        """`(upper - lower) / upper`."""
        return (self.upper - self.lower) / self.upper


def bracket(diagram: Diagram, heights: np.ndarray, masses: np.ndarray) -> Bracket:
    """Bracket `W2^2` between the density of the diagram and the points with their masses.

    Parameters
    ----------
    diagram : Diagram
        Cells at `heights`, none empty.
    heights : (n,) float array
    masses : (n,) float array
        Target masses.

    Returns
    -------
    Bracket
        Widened by 1e-13 of its upper end for the rounding of the sums, and by what rounding of
        the potential can do to the lower end.

    Notes
    -----
    Lower end: weak duality. Upper end: the smaller of the cost of the coupling above and of
    `(W2(mu, T#mu) + W2(T#mu, nu))^2`, where the first is exact, because `T` is the gradient of a
    convex function and so optimal onto its own image, and the second is bounded by the same plan
    between surplus and deficit. Two plans are tried: from surplus to deficit at once, and from
    cell to neighbouring cell, by the flow `facet_ij / |y_i - y_j| (x_i - x_j)` with `H x` the
    surplus, which is Newton's step.

    Examples
    --------
    >>> from omt_course.transport.domains import Box
    >>> from omt_course.transport.laguerre import laguerre_diagram
    >>> points = np.array([[0.2, 0.5], [0.5, 0.6], [0.9, 0.5]])
    >>> heights = -(points**2).sum(axis=1) / 2
    >>> cells = laguerre_diagram(Box([0, 0], [1, 1]), points, heights)
    >>> b = bracket(cells, heights, np.full(3, 1 / 3))
    >>> b.lower < b.upper, round(b.relative_width, 2)
    (True, 0.07)
    """
    points, w = diagram.points, diagram.masses
    cost = float(diagram.second_moments.sum())
    masses = masses * (w.sum() / masses.sum())
    psi = (points**2).sum(axis=1) + 2 * heights
    psi = psi - psi.mean()
    defect = masses - w
    lower = cost + float(psi @ defect)

    upper = np.inf
    for plan in (_even_out, _flow):
        i, j, moved = plan(diagram, defect)
        if len(i) and (np.bincount(i, moved, len(w)) > w).any():
            continue  # some cell would give more than it has
        apart = points[i] - points[j]
        squares = (apart**2).sum(axis=1)
        through = 2 * (apart * diagram.first_moments[i]).sum(axis=1) / w[i]
        detour = cost + float(moved @ (squares + through))
        triangle = (np.sqrt(cost) + np.sqrt(float(moved @ squares))) ** 2
        upper = min(upper, detour, triangle)
    # Rounding of the cells' masses, and of `psi`: far from the origin a small difference of large
    # numbers, the heights among them.
    size = (points**2).sum(axis=1) + 2 * np.abs(heights)
    doubt = np.finfo(float).eps * float(np.abs(psi) @ w + 8 * size @ np.abs(defect))
    margin = ROUNDING * upper
    return Bracket(float(lower - margin - doubt), float(upper + margin))


def _even_out(diagram, defect):
    """Return a plan from cells with too much to points with too little: `(i, j, mass)`."""
    points, w, first = diagram.points, diagram.masses, diagram.first_moments
    giving, lacking = np.flatnonzero(defect < 0), np.flatnonzero(defect > 0)
    if len(giving) == 0 or len(lacking) == 0:
        none = np.zeros(0, dtype=int)
        return none, none, np.zeros(0)
    surplus, deficit = -defect[giving], defect[lacking]
    total = surplus.sum()
    surplus, deficit = surplus / total, deficit / deficit.sum()
    if len(giving) * len(lacking) <= EXACT_UP_TO:
        import ot  # the network simplex; slow to import, and needed here only

        centre = points[giving] + first[giving] / w[giving, None]
        cost = (points[lacking] ** 2).sum(axis=1) - 2 * centre @ points[lacking].T
        plan = ot.emd(surplus, deficit, np.ascontiguousarray(cost - cost.min()))
        a, b = np.nonzero(plan)
        return giving[a], lacking[b], total * plan[a, b]
    # Along a curve that keeps neighbours together, first come, first served.
    rank = np.empty(len(points), dtype=int)
    rank[along_a_curve(points)] = np.arange(len(points))
    give, lack = np.argsort(rank[giving]), np.argsort(rank[lacking])
    given, taken = np.cumsum(surplus[give]), np.cumsum(deficit[lack])
    cuts = np.union1d(given, taken)
    cuts = np.concatenate([[0.0], cuts[cuts < 1 - 1e-15], [1.0]])
    middle = (cuts[1:] + cuts[:-1]) / 2
    a = np.minimum(np.searchsorted(given, middle), len(give) - 1)
    b = np.minimum(np.searchsorted(taken, middle), len(lack) - 1)
    return giving[give[a]], lacking[lack[b]], total * np.diff(cuts)


def _flow(diagram, defect):
    """Return a plan between neighbouring cells, what rounding leaves over evened out directly."""
    n, d = diagram.points.shape
    i, j = diagram.pairs.T
    gap = np.linalg.norm(diagram.points[i] - diagram.points[j], axis=1)
    weights = np.maximum(diagram.facets, 0) / gap
    solver, scale = LaplacianSolver(d), np.abs(defect).max() + np.finfo(float).tiny
    laplacian = graph_laplacian(diagram.pairs, weights, n)
    x = solver.solve(laplacian, -defect, np.full(n, scale), 1e-4)
    flow = weights * (x[i] - x[j])
    giver, taker = np.where(flow > 0, i, j), np.where(flow > 0, j, i)
    flow = np.abs(flow)
    # No cell passes on more than half of what it has: the rest must do with the direct way.
    out = np.bincount(giver, flow, n)
    flow = flow * np.minimum(1, 0.5 * diagram.masses / np.where(out > 0, out, 1))[giver]
    rest = defect + np.bincount(giver, flow, n) - np.bincount(taker, flow, n)
    rest -= rest.mean()
    a, b, moved = _even_out(diagram, rest)
    return np.append(giver, a), np.append(taker, b), np.append(flow, moved)
