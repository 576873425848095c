"""Damped Newton for problems of the kind "choose heights so that every face gets its measure".

The semi-discrete problem asks for cell masses; the problems of Minkowski and Alexandrov ask for
face areas. All are the gradient of a convex function of the heights, all break down when a face
vanishes, and the same damping cures that. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class NewtonStep:
    """One accepted iterate.

    Attributes
    ----------
    iteration : int
        0 for the start.
    max_relative_error : float
        `max_i |w_i - nu_i| / nu_i`.
    residual : float
        Euclidean norm of `(w - nu) / nu`; with `logarithmic`, the root of
        `sum_i nu_i log(w_i / nu_i)^2 / sum_i nu_i`.
    smallest : float
        Smallest measure of a face, `min_i w_i`.
    damping : float
        Share of the full Newton step taken, 1 when undamped (nan for the start).
    n_evaluations : int
        Diagrams computed so far.
    share : float
        Share of the true problem in the one that is being solved: 1, but for the easier problems
        that a continuation solves on its way.
    """

    iteration: int
    max_relative_error: float
    residual: float
    smallest: float
    damping: float
    n_evaluations: int
    share: float = 1.0


class NotConverged(RuntimeError):
    """The iteration stopped short of its tolerance; `history` and `heights` say how far it came."""

    def __init__(self, message: str, history: tuple[NewtonStep, ...], heights: np.ndarray):
        super().__init__(message)
        self.history = history
        self.heights = heights


class EmptyFace(ValueError):
    """A start at which some face has no measure: the Hessian is singular there."""


def damped_newton(
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, Any]],
    direction: Callable[[Any, np.ndarray], np.ndarray],
    heights: np.ndarray,
    target: np.ndarray,
    *,
    tol: float,
    max_iter: int,
    logarithmic: bool = False,
    callback: Callable[[NewtonStep, np.ndarray, Any], None] | None = None,
) -> tuple[np.ndarray, Any, tuple[NewtonStep, ...], str]:
    """Solve `measure(heights) = target` by Newton steps that never empty a face.

    With `eps0 = min(min_i w_i(start), min_i nu_i) / 2` a step of size `2^-l` is taken for the
    first `l` at which all measures stay above `eps0` and the residual is at most
    `(1 - 2^-(l+1))` times the old one: algorithm 1 of Kitagawa, Merigot, Thibert (2019), which
    converges globally, and quadratically in the end. The residual is relative to the target, so
    that rounding errors of large faces do not hide the progress of small ones. The search starts
    at four times the last step, which saves diagrams where the target is clustered.

    With `logarithmic` the equation is `log(w_i / nu_i) = 0` instead. Its Newton step solves
    `H step = -w log(w / nu)`, a face much too small asks for a factor and not for a difference,
    and the residual is a barrier of its own: while it decreases no face can vanish, so no floor
    is needed; a step of size `t` is taken once the residual falls by `t / 8` of itself. On
    clustered targets this halves the number of diagrams or better.

    Parameters
    ----------
    evaluate : callable
        `heights -> (measures, state)`, measures an (n,) float array.
    direction : callable
        `(state, error) -> step`, the solution of `H step = -error`, where `error` is
        `measures - target`, or `measures log(measures / target)` with `logarithmic`.
    heights : (n,) float array
        Start; every face must have positive measure there.
    target : (n,) float array
        Positive measures to reach.
    tol : float
        Largest relative error accepted.
    max_iter : int
        Number of Newton steps allowed.
    logarithmic : bool
        Make the logarithms of the measures agree instead of the measures.
    callback : callable, optional
        Called with `(step, heights, state)` at the start and after every accepted step.

    Returns
    -------
    heights : (n,) float array
    state : object
        The state that `evaluate` returned at `heights`.
    history : tuple of NewtonStep
    failure : str
        Empty if converged, else a sentence that says why not.
    """
    # Exact arithmetic makes `f` fall like `exp(-t)` at first; tiny faces blur the direction.
    share = 1 / 8 if logarithmic else 1 / 2
    measures, state = evaluate(heights)
    evaluations, damping, level = 1, np.nan, 0
    floor = min(measures.min(), target.min()) / 2
    if floor <= 0:
        raise EmptyFace(
            f"heights: expected a start at which every face has positive measure, "
            f"got {int((measures <= 0).sum())} empty faces of {len(measures)}"
        )
    history: list[NewtonStep] = []
    while True:
        error = measures - target
        residual = _residual(measures, target, logarithmic)
        step = NewtonStep(
            iteration=len(history),
            max_relative_error=float(np.abs(error / target).max()),
            residual=residual,
            smallest=float(measures.min()),
            damping=float(damping),
            n_evaluations=evaluations,
        )
        history.append(step)
        if callback is not None:
            callback(step, heights, state)
        if step.max_relative_error <= tol:
            return heights, state, tuple(history), ""
        if step.iteration >= max_iter:
            why = (
                f"stopped after max_iter = {max_iter} Newton steps at a relative mass error of "
                f"{step.max_relative_error:.1e}, tol = {tol:.1e}; allow more steps"
            )
            return heights, state, tuple(history), why
        if logarithmic:
            error = measures * np.log1p(error / target)
        newton = direction(state, error)
        level = max(0, level - 2)
        while True:
            damping = 2.0**-level
            trial = heights + damping * newton
            measures, state_new = evaluate(trial)
            evaluations += 1
            whole = measures.min() > 0 if logarithmic else measures.min() >= floor
            if whole and (
                _residual(measures, target, logarithmic) <= (1 - share * damping) * residual
            ):
                heights, state = trial, state_new
                break
            level += 1
            if level > 40:
                why = (
                    f"no step reduces the error any more at a relative mass error of "
                    f"{step.max_relative_error:.1e}, tol = {tol:.1e}; double precision may not "
                    f"hold more for points this close or masses this small: ask for a larger tol"
                )
                return heights, state, tuple(history), why


def log_residual(measures: np.ndarray, target: np.ndarray) -> float:
    """Return the root of `sum_i nu_i log(w_i / nu_i)^2 / sum_i nu_i`; infinite for empty faces."""
    if not measures.min() > 0:
        return np.inf
    relative = (measures - target) / target
    return float(np.sqrt((target * np.log1p(relative) ** 2).sum() / target.sum()))


def _residual(measures, target, logarithmic):
    if logarithmic:
        return log_residual(measures, target)
    return float(np.linalg.norm((measures - target) / target))
