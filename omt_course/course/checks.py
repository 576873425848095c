"""Certificates for exercises: an answer is right because of what it satisfies, not of what it is.

Each check either returns a `Check`, whose sentence says what was verified and how well, or raises
`CheckFailed`, whose sentence says what is wrong and, for the usual slips, which slip it looks like.
"""

import numpy as np

from ..transport.costs import c_transform, cyclic_monotonicity
from ..transport.laguerre import laguerre_diagram
from .checks_chance import counts, standard_error
from .checks_functions import best, convex, gradient, minimum
from .checks_models import coverage, lipschitz, twins
from .checks_networks import cell_count, encodes, linear_piece
from .checks_surfaces import areas_kept, closed_surface, net, unfolded
from .verdicts import Check, CheckFailed, between, closed_form, finite, place

__all__ = [
    "Check",
    "CheckFailed",
    "areas_kept",
    "best",
    "between",
    "cell_areas",
    "cell_count",
    "closed_form",
    "closed_surface",
    "convex",
    "counts",
    "coverage",
    "duality",
    "encodes",
    "gradient",
    "linear_piece",
    "lipschitz",
    "marginals",
    "minimum",
    "net",
    "optimal",
    "standard_error",
    "twins",
    "unfolded",
]


def marginals(plan, a, b, *, tol: float = 1e-8) -> Check:
    """Check that `plan` is a transport plan: non-negative, row sums `a`, column sums `b`.

    Parameters
    ----------
    plan : (n, m) array
    a, b : (n,) and (m,) arrays
    tol : float
        Largest error, as a share of the total mass.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> marginals([[0.5, 0.0], [0.0, 0.5]], [0.5, 0.5], [0.5, 0.5])
    OK: a transport plan, row and column sums exact.
    >>> marginals([[0.5, 0.0], [0.5, 0.0]], [0.5, 0.5], [0.5, 0.5])
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: column sums are off by up to 0.5, at column 0. The rows
    are right: did you normalise by rows only?
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    plan = finite("the plan", plan)
    if plan.shape != (len(a), len(b)):
        hint = " It looks transposed." if plan.shape == (len(b), len(a)) else ""
        raise CheckFailed(
            f"the plan has shape {plan.shape}, expected {(len(a), len(b))}: one row a source, "
            f"one column a target.{hint}"
        )
    total = a.sum()
    if plan.min() < -tol * total:
        raise CheckFailed(f"a plan moves masses; entry {place(-plan)} is {plan.min():.3g}.")
    errors = {
        "column": np.abs(plan.sum(axis=0) - b) / total,
        "row": np.abs(plan.sum(axis=1) - a) / total,
    }
    worst = {side: error.max() for side, error in errors.items()}
    if max(worst.values()) <= tol:
        off = max(worst.values())
        how = f"right to {off:.1e}" if off else "exact"
        return Check(f"a transport plan, row and column sums {how}")
    if abs(plan.sum() / total - 1) > len(a) * tol:
        hint = ""
        if np.allclose(plan.sum(axis=1), 1):
            hint = " Every row sums to 1: these are probabilities; multiply row i by a_i."
        elif np.allclose(plan.sum(axis=0), 1):
            hint = " Every column sums to 1: these are probabilities; multiply column j by b_j."
        raise CheckFailed(f"the plan holds a mass of {plan.sum():.6g}, not {total:.6g}.{hint}")
    if len(a) == len(b) and np.allclose(plan.sum(axis=0), a) and np.allclose(plan.sum(axis=1), b):
        raise CheckFailed("the row sums are b and the column sums are a: transpose the plan.")
    side = "column" if worst["column"] > tol else "row"
    other = "row" if side == "column" else "column"
    k, hint = int(errors[side].argmax()), ""
    if worst[other] <= tol:
        hint = f" The {other}s are right: did you normalise by {other}s only?"
        if worst[side] * total < 0.05 * (b if side == "column" else a)[k]:
            hint = f" The {other}s are right: did an iteration stop too early?"
    raise CheckFailed(
        f"{side} sums are off by up to {worst[side] * total:.2g}, at {side} {k}.{hint}"
    )


def optimal(plan, a, b, cost, *, tol: float = 1e-9) -> Check:
    """Check that a plan is optimal, by cyclic monotonicity of its support: no potentials needed.

    Parameters
    ----------
    plan, cost : (n, m) arrays
    a, b : (n,) and (m,) arrays
    tol : float
        Entries below this share of all mass count as zero, savings below this share of the
        largest cost as rounding.

    Raises
    ------
    CheckFailed
    """
    marginals(plan, a, b)
    plan, cost = np.asarray(plan, dtype=float), np.asarray(cost, dtype=float)
    pairs = np.argwhere(plan > tol * np.sum(a))
    found = cyclic_monotonicity(pairs, cost, tol=tol)
    if not found.monotone:
        hint = ""
        if np.allclose(plan, np.outer(a, b) / np.sum(a)):
            hint = " It is the independent plan a_i b_j."
        elif plan.min() > 0:
            hint = " Every pair exchanges mass: is it an entropic (Sinkhorn) plan?"
        route = " -> ".join(f"({i}, {j})" for i, j in [*found.cycle, found.cycle[0]])
        raise CheckFailed(
            f"the plan can be improved: let each source of {route} send its mass to the target "
            f"of the next pair; that saves {found.gain:.3g} for each unit of mass.{hint}"
        )
    return Check(f"an optimal plan, no exchange among its {len(pairs)} pairs is cheaper")


def duality(plan, phi, psi, cost, a, b, *, tol: float = 1e-8) -> Check:
    """Check a plan and potentials against each other: `phi_i + psi_j <= c_ij`, and no gap.

    Parameters
    ----------
    plan, cost : (n, m) arrays
    phi, psi : (n,) and (m,) arrays
    a, b : (n,) and (m,) arrays
    tol : float
        Largest gap and largest excess, as shares of the plan's cost and of the largest cost.

    Raises
    ------
    CheckFailed
    """
    marginals(plan, a, b)
    phi, psi, cost = finite("phi", phi), finite("psi", psi), np.asarray(cost, dtype=float)
    if (phi.shape, psi.shape) != ((len(a),), (len(b),)):
        raise CheckFailed(
            f"phi has shape {phi.shape} and psi {psi.shape}, expected ({len(a)},) and "
            f"({len(b)},): phi lives on the sources, psi on the targets."
        )
    primal = float(np.vdot(cost, plan))
    scale = np.abs(cost).max()
    allowed = tol * max(abs(primal), 1e-6 * scale * np.sum(a))

    def feasible(f, g):
        return (f[:, None] + g - cost).max() <= tol * scale

    def closes(f, g):
        return feasible(f, g) and abs(primal - f @ a - g @ b) <= allowed

    if closes(phi, psi):
        gap = primal - phi @ a - psi @ b
        return Check(f"feasible potentials, gap {gap:.1e} at cost {primal:.6g}: both are optimal")
    if closes(-phi, -psi):
        raise CheckFailed(
            "both potentials have the wrong sign: the dual has phi_i + psi_j <= c_ij."
        )
    if closes(phi, -psi) or closes(-phi, psi):
        raise CheckFailed("one potential has the wrong sign: the dual adds them, phi_i + psi_j.")
    for factor, slip in ((0.5, "twice"), (2.0, "half")):
        if closes(factor * phi, factor * psi):
            raise CheckFailed(
                f"the potentials are {slip} what they should be: is the 1/2 in place?"
            )
    excess = phi[:, None] + psi - cost
    if not feasible(phi, psi):
        k = place(excess)
        raise CheckFailed(
            f"the potentials are not feasible: phi_i + psi_j exceeds c_ij by {excess[k]:.3g} at "
            f"(i, j) = {k}, so they bound nothing. A c-transform makes them feasible."
        )
    dual = phi @ a + psi @ b
    raised = c_transform(psi, cost) @ a + psi @ b
    if raised > dual + allowed:
        raise CheckFailed(
            f"feasible, but the bound {dual:.6g} is below the cost {primal:.6g}, and phi = "
            f"c-transform of psi would raise it to {raised:.6g}."
        )
    optimal(plan, a, b, cost)  # if the plan is to blame, this says so
    raise CheckFailed(f"the plan is optimal at {primal:.6g}; the potentials stop at {dual:.6g}.")


def cell_areas(domain, points, heights, masses=None, *, tol: float = 1e-6) -> Check:
    """Check that the cells of `u_h(x) = max_i <x, y_i> + h_i` in a planar domain have given areas.

    Parameters
    ----------
    domain : omt_course.transport.domains.Box or Polygon
    points : (n, 2) array
    heights : (n,) array
    masses : (n,) array, optional
        Equal areas by default.
    tol : float
        Largest `|w_i - nu_i| / nu_i`.

    Raises
    ------
    CheckFailed
    """
    points, heights = np.asarray(points, dtype=float), finite("heights", heights)
    n = len(points)
    if heights.shape != (n,):
        raise CheckFailed(f"heights have shape {heights.shape}, expected ({n},): one a point.")
    nu = np.full(n, domain.volume / n) if masses is None else np.asarray(masses, dtype=float)
    if abs(nu.sum() / domain.volume - 1) > 1e-9:
        hint = " Are they shares? Multiply by the area." if abs(nu.sum() - 1) < 1e-9 else ""
        raise CheckFailed(
            f"the masses sum to {nu.sum():.6g}, and the domain's area is {domain.volume:.6g}.{hint}"
        )

    def error(h):
        return np.abs(laguerre_diagram(domain, points, h).masses - nu) / nu

    found = error(heights)
    if found.max() <= tol:
        return Check(f"all {n} cells have their area, to {found.max():.1e} of it")
    square = (points**2).sum(axis=1)
    slips = {
        "the heights have the wrong sign": -heights,
        "these are Kantorovich potentials psi_i; take h_i = psi_i - |y_i|^2 / 2": heights
        - square / 2,
        "these are the weights of a power diagram; take h_i = (w_i - |y_i|^2) / 2": (
            heights - square
        )
        / 2,
        "these are half the heights": 2 * heights,
    }
    for sentence, h in slips.items():
        if error(h).max() <= tol:
            raise CheckFailed(f"{sentence}.")
    areas = laguerre_diagram(domain, points, heights).masses
    empty = np.flatnonzero(areas <= 0)
    if len(empty):
        raise CheckFailed(
            f"{len(empty)} of {n} cells are empty, cell {empty[0]} first: its plane lies below the "
            f"others; raise its height."
        )
    if np.allclose(np.sort(areas), np.sort(nu), rtol=tol, atol=0):
        raise CheckFailed("the areas are right, in another order: which cell belongs to y_i?")
    k = int(found.argmax())
    way = "large, lower" if areas[k] > nu[k] else "small, raise"
    raise CheckFailed(
        f"cell {k} has area {areas[k]:.6g}, expected {nu[k]:.6g}: too {way} its height. "
        f"{int((found > tol).sum())} of {n} cells are off."
    )
