"""Minkowski's problem: the convex polytope with given facet normals and facet areas.

The areas are the gradient of the volume as a function of the support numbers, so the polytope
maximises the volume among those with `sum_i a_i h_i` fixed. Damped Newton steps solve the equations
`A_i(h) = a_i`, with the exact derivative of the areas. Taught in *The Minkowski problem*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import splu

from ..transport.newton import EmptyFace, NewtonStep, NotConverged, damped_newton
from .facets import Facets, Unbounded
from .inputs import check_areas, check_spanning_normals
from .polytope import Polytope, assemble, cut_anywhere


@dataclass(frozen=True, eq=False)
class MinkowskiResult:
    """A polytope with prescribed normals and areas, and the evidence for it.

    Attributes
    ----------
    polytope : Polytope
        Placed such that `sum_i a_i h_i n_i = 0`.
    target : (n,) float array
        The areas asked for.
    max_relative_error : float
        `max_i |A_i - a_i| / a_i`.
    n_iter : int
        Newton steps taken.
    history : tuple of NewtonStep
    converged : bool
    message : str
        Empty, or why it did not converge.
    """

    polytope: Polytope
    target: np.ndarray
    max_relative_error: float
    n_iter: int
    history: tuple[NewtonStep, ...]
    converged: bool
    message: str

    @property
    def support(self) -> np.ndarray:
        """Support numbers, (n,) float array."""
        return self.polytope.support

    @property
    def vertices(self) -> np.ndarray:
        """Vertices, (m, 3) float array."""
        return self.polytope.vertices

    @property
    def facets(self) -> tuple[np.ndarray, ...]:
        """Vertices of every facet, counter-clockwise seen from outside."""
        return self.polytope.facets

    @property
    def edges(self) -> np.ndarray:
        """The two facets of every edge, (e, 2) int array."""
        return self.polytope.edges

    @property
    def areas(self) -> np.ndarray:
        """Areas of the facets, (n,) float array."""
        return self.polytope.areas

    @property
    def volume(self) -> float:
        """Volume of the polytope."""
        return self.polytope.volume

    def export(self, path: str | Path) -> None:
        """Write the surface in the format that the ending of `path` names."""
        self.polytope.export(path)


def solve(
    normals: np.ndarray,
    areas: np.ndarray,
    *,
    tol: float = 1e-10,
    max_iter: int = 200,
    callback: Callable[[NewtonStep, np.ndarray, Facets], None] | None = None,
    strict: bool = True,
) -> MinkowskiResult:
    """Find the convex polytope with given facet normals and areas, unique up to translation.

    Starts from the polytope round a ball, `h = const`, where every facet has an area.

    Parameters
    ----------
    normals : (n, 3) float array
        At least four outward unit normals (lengths within 1e-6 of 1 are made exact), distinct and
        not all in a closed half-space.
    areas : (n,) float array
        Positive, with `sum_i a_i n_i = 0`: so nearly that a change of every area by less than
        `tol / 2` of itself makes it exact. See `balanced`.
    tol : float
        Largest `max_i |A_i - a_i| / a_i` accepted.
    max_iter : int
        Newton steps allowed.
    callback : callable, optional
        Called with `(step, support, facets)` at the start and after every accepted step.
    strict : bool
        Raise when the tolerance is not met (default), or return with `converged=False`.

    Returns
    -------
    MinkowskiResult

    Raises
    ------
    ValueError
        If an argument cannot be used; the sentence names it, what was expected and what came.
    NotConverged
        If the tolerance is not met and `strict` is true; carries support numbers and history.

    Notes
    -----
    Existence and uniqueness: Minkowski (1897, 1903). The residual is relative to each area, so
    small facets count as much as large ones. Support numbers are doubles: where normals are close
    or a facet is tiny, rounding them once may change an area by more than `tol` of itself, and
    `NotConverged` says so.

    Examples
    --------
    >>> import numpy as np
    >>> normals = np.vstack([np.eye(3), -np.eye(3)])
    >>> box = solve(normals, [6, 3, 2, 6, 3, 2])
    >>> box.support.round(12)
    array([0.5, 1. , 1.5, 0.5, 1. , 1.5])
    >>> round(box.volume, 9)
    6.0
    """
    if not tol > 0:
        raise ValueError(f"tol: expected a positive number, got {tol}")
    if not max_iter >= 0:
        raise ValueError(f"max_iter: expected zero or more, got {max_iter}")
    normals = check_spanning_normals(normals)
    areas = check_areas(areas, len(normals))
    target = _nearly_balanced(normals, areas, tol)

    def evaluate(support):
        try:
            facets = cut_anywhere(normals, support)
        except Unbounded:  # the step went through the body
            return np.zeros(len(normals)), None
        return facets.areas, facets

    try:
        facets = cut_anywhere(normals, np.ones(len(normals)))
        support = np.full(len(normals), np.sqrt(target.sum() / facets.areas.sum()))
        support, facets, history, message = damped_newton(
            evaluate,
            lambda facets, error: newton_step(facets, error, target),
            support,
            target,
            tol=tol if target is areas else tol / 2,
            max_iter=max_iter,
            callback=callback,
        )
    except (EmptyFace, Unbounded) as error:
        raise ValueError(
            "normals: expected directions far enough apart, and from a common half-space, for "
            f"double precision; the polytope round a ball fails already ({error})"
        ) from error
    message = message.replace("mass error", "area error").replace("masses", "areas")
    if message and strict:
        raise NotConverged(message, history, support)
    polytope = assemble(facets, support)
    return MinkowskiResult(
        polytope=polytope,
        target=areas,
        max_relative_error=float(np.abs(polytope.areas / areas - 1).max()),
        n_iter=len(history) - 1,
        history=history,
        converged=not message,
        message=message,
    )


def newton_step(facets: Facets, error: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve `DA step = -error`, with `sum_i weights_i step_i n_i = 0`.

    The kernel of `DA` are the translations `<n_i, t>`, and `error` is orthogonal to them, as all
    areas of polytopes are. So three support numbers are held and their equations left out; the
    others make a regular sparse system, with the graph of the facets. Its one negative pivot (the
    volume grows convexly when the body is scaled) makes a factorisation without exchanges
    unsafe, so its answer is checked.
    """
    normals, n = facets.normals, len(facets.normals)
    free = np.ones(n, dtype=bool)
    free[_three_large(normals, facets.areas)] = False
    matrix = -facets.derivative()[free][:, free]
    step = np.zeros(n)
    step[free] = _solve_sparse(matrix.tocsc(), error[free])
    weighted = normals * weights[:, None]
    return step - normals @ np.linalg.solve(normals.T @ weighted, weighted.T @ step)


def balanced(normals: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the areas `a_i (1 + <n_i, c>)` that balance, for the one `c` that does it.

    Of all balanced areas `b` they have the least `sum_i (b_i - a_i)^2 / a_i`.

    Raises
    ------
    ValueError
        If an argument cannot be used, or one of the new areas is not positive.

    Examples
    --------
    >>> normals = np.vstack([np.eye(3), -np.eye(3)])
    >>> balanced(normals, [1, 1, 1, 1, 1, 4])
    array([1. , 1. , 1.6, 1. , 1. , 1.6])
    """
    normals = check_spanning_normals(normals)
    areas = check_areas(areas, len(normals))
    change = _balancing(normals, areas)
    if not change.min() > -1:
        k = int(change.argmin())
        raise ValueError(
            f"areas: expected areas that can be balanced by a_i (1 + <n_i, c>), got "
            f"{areas[k] * (1 + change[k]):.3g} for facet {k}"
        )
    return areas * (1 + change)


def _balancing(normals, areas):
    weighted = normals * areas[:, None]
    return -normals @ np.linalg.solve(normals.T @ weighted, weighted.sum(axis=0))


def _nearly_balanced(normals, areas, tol):
    """Take rounding out of the areas, or say by how much they do not balance."""
    change = np.abs(_balancing(normals, areas)).max()
    if change <= 1e-14:
        return areas
    if change > tol / 2:
        excess = (normals * areas[:, None]).sum(axis=0)
        raise ValueError(
            f"areas: expected sum_i a_i n_i = 0, got {excess.tolist()}, a share "
            f"{np.linalg.norm(excess) / areas.sum():.2e} of all area; to balance them some area "
            f"has to change by {change:.1e} of itself, more than tol / 2 = {tol / 2:.1e} "
            "(minkowski.balanced does it)"
        )
    return balanced(normals, areas)


def _three_large(normals, areas):
    """Return three facets, large and well apart in direction."""
    i = int(areas.argmax())
    j = int((areas * np.linalg.norm(np.cross(normals, normals[i]), axis=1)).argmax())
    k = int((areas * np.abs(normals @ np.cross(normals[i], normals[j]))).argmax())
    return [i, j, k]


def _solve_sparse(matrix, right):
    """Solve a symmetric system: without exchanges if that is accurate, else with them."""
    x = np.zeros_like(right)
    for threshold in (0.0, 1.0):
        options = {"SymmetricMode": threshold == 0.0}
        try:
            factors = splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=threshold, options=options
            )
        except RuntimeError:  # a pivot is zero; a step of zero is refused by the line search
            continue
        x = factors.solve(right)
        x += factors.solve(right - matrix @ x)
        if np.linalg.norm(right - matrix @ x) <= 1e-8 * np.linalg.norm(right):
            break
    return x
