"""Newton's method on the semi-discrete problem itself, or along a path of easier ones to it.

A density that vanishes somewhere leaves cells without mass at any easy start. Mixed with a constant
density it does not, and the mixture leads there: `(1 - t) constant + t density`, with `1 - t` cut
to a quarter until the heights reached serve the density itself. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial import QhullError

from .cells import CellCutter
from .clusters import clustered_start
from .density import TriangulatedDensity
from .domains import Box, Polygon
from .laplacian import LaplacianSolver, energy_hessian
from .newton import EmptyFace, NewtonStep, damped_newton, log_residual
from .polyhedron import Polyhedron
from .solid import SolidCutter
from .start import starting_heights
from .walk import DensityCutter

# Mixtures are solved to this relative error only, and give up on the density beyond this share.
ROUGHLY = 0.1
# Residual of the logarithms at the start from which it pays to look for clusters: uniform points
# have about 0.6.
WORTH_A_SPLIT = 1.0
LAST_MIXTURE = 1 - 4.0**-12


def newton_along_path(
    domain: Box | Polygon | Polyhedron | TriangulatedDensity,
    points: np.ndarray,
    target: np.ndarray,
    place: np.ndarray,
    *,
    tol: float,
    max_iter: int,
    callback: Callable,
) -> tuple:
    """Find the heights at which the cells have the target masses.

    Parameters
    ----------
    domain : Box, Polygon, Polyhedron or TriangulatedDensity
        About the origin.
    points : (n, d) float array
        About the origin.
    target : (n,) float array
        Masses, which sum to the domain's.
    place : (d,) float array
        Where the origin of the points lies in the coordinates of the domain.
    tol, max_iter, callback
        As `damped_newton` takes them; `max_iter` steps in all.

    Returns
    -------
    tuple
        Heights, diagram, history and failure as `damped_newton` returns them.

    Raises
    ------
    EmptyFace, ArithmeticError
        If rounding hides cells.
    """
    solver = LaplacianSolver(domain.dimension)
    history: list[NewtonStep] = []

    def newton(problem, heights, share, tol):
        cut = _cutter(problem, points)

        def evaluate(heights):
            diagram = cut(heights)
            return (np.zeros(len(points)) if diagram is None else diagram.masses), diagram

        # Cells and masses add up to the same, `w log(w / nu)` does not: every cell takes its share
        # of the difference, which changes all quotients `w_i / nu_i` by the same factor.
        def direction(diagram, error):
            cut.accept()
            error = error - diagram.masses * (error.sum() / diagram.masses.sum())
            # As accurate as the step is good: its own error is of second order.
            worst = float(np.abs(error / diagram.masses).max())
            inner = max(min(0.1, 0.1 * worst**2), min(tol, 1e-6) / 4)
            return solver.solve(energy_hessian(diagram), -error, diagram.masses, inner)

        before = history[-1] if history else None

        def report(step, heights, diagram):
            if before is not None:
                step = replace(
                    step,
                    iteration=step.iteration + before.iteration,
                    n_evaluations=step.n_evaluations + before.n_evaluations,
                )
            history.append(replace(step, share=share))
            callback(history[-1], heights, diagram)

        left = max_iter - (before.iteration if before is not None else 0)
        heights, diagram, _, failure = damped_newton(
            evaluate,
            direction,
            heights,
            target,
            tol=tol,
            max_iter=left,
            logarithmic=True,
            callback=report,
        )
        return heights, diagram, failure

    if not isinstance(domain, TriangulatedDensity):
        heights = _best_start(domain, points, target, place)
        heights, diagram, failure = newton(domain, heights, 1.0, tol)
        return heights, diagram, tuple(history), failure

    share, heights = 0.0, _start_under_constant(domain.mixed(0.0), points, place)
    while True:
        heights, diagram, failure = newton(domain.mixed(share), heights, share, ROUGHLY)
        if failure:
            return heights, diagram, tuple(history), failure
        try:
            heights, diagram, failure = newton(domain, heights, 1.0, tol)
            return heights, diagram, tuple(history), failure
        except EmptyFace:
            share = 1 - (1 - share) / 4
            if share > LAST_MIXTURE:
                raise


def _best_start(domain, points, target, place):
    """Return starting heights; for points in clusters those of the clusters, if they are better."""
    plain = starting_heights(domain, points, place).astype(np.longdouble)
    if log_residual(_masses(domain, points, plain), target) < WORTH_A_SPLIT:
        return plain

    def roughly(domain, points, target):
        heights, diagram, _, _ = newton_along_path(
            domain,
            points,
            target,
            np.zeros(points.shape[1]),
            tol=ROUGHLY,
            max_iter=100,
            callback=lambda step, heights, diagram: None,
        )
        return (heights - heights.mean()).astype(float), diagram

    try:
        split = clustered_start(domain, points, target, roughly)
    except (EmptyFace, ArithmeticError, QhullError):
        return plain
    if split is None:
        return plain
    split = split.astype(np.longdouble)
    found = [log_residual(_masses(domain, points, h), target) for h in (plain, split)]
    return split if found[1] < found[0] else plain


def _masses(domain, points, heights):
    diagram = _cutter(domain, points)(heights)
    return np.zeros(len(points)) if diagram is None else diagram.masses


def _start_under_constant(density, points, place):
    """Return heights with all cells on the triangles: spread over them, in place, or in one."""
    cut = _cutter(density, points)
    size = density.vertices.min(axis=0), density.vertices.max(axis=0)
    for heights in (
        starting_heights(Box(*size), points),
        -((points + place) ** 2).sum(axis=1) / 2,
    ):
        if cut(heights.astype(np.longdouble)).masses.min() > 0:
            return heights.astype(np.longdouble)
    return starting_heights(density.heaviest_triangle, points).astype(np.longdouble)


def _cutter(domain, points):
    if isinstance(domain, TriangulatedDensity):
        return DensityCutter(domain, points)
    return (CellCutter if domain.dimension == 2 else SolidCutter)(domain, points)
