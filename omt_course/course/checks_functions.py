"""Certificates for exercises about functions: convexity, gradients, the best choice, a minimum.

Used through `checks`.
"""

from collections.abc import Callable

import numpy as np

from .verdicts import Check, CheckFailed, closed_form, finite


def convex(u: Callable, x, *, tol: float = 1e-10) -> Check:
    """Check `u((x + x') / 2) <= (u(x) + u(x')) / 2` on many pairs of the given points.

    A failure is a proof that `u` is not convex; a pass is strong evidence only.

    Parameters
    ----------
    u : callable
        `(n, d) array -> (n,) array`.
    x : (n, d) array
        Points of a convex set.
    tol : float
        Excess allowed for rounding, as a share of the range of `u`.

    Raises
    ------
    CheckFailed
    """
    x = np.asarray(x, dtype=float)
    first = np.concatenate([x] * min(len(x) - 1, 8))
    second = np.concatenate([np.roll(x, s, axis=0) for s in range(1, min(len(x) - 1, 8) + 1)])
    ends = finite("u(x)", u(x))
    if ends.shape != (len(x),):
        raise CheckFailed(f"u(x) has shape {ends.shape}, expected ({len(x)},): one value a row.")
    chord = (finite("u", u(first)) + u(second)) / 2
    excess = finite("u", u((first + second) / 2)) - chord
    allowed = tol * (np.ptp(ends) or 1.0)
    if excess.max() <= allowed:
        return Check(f"u lies below its chord at the middle of all {len(first)} pairs tried")
    if (-excess).max() <= allowed:
        raise CheckFailed("u is concave here: mind the sign.")
    k = int(excess.argmax())
    raise CheckFailed(
        f"u is not convex: between {first[k].round(4).tolist()} and {second[k].round(4).tolist()} "
        f"its middle value lies {excess[k]:.3g} above the chord."
    )


def gradient(u: Callable, du: Callable, x, *, tol: float = 1e-5) -> Check:
    """Check a gradient against central differences of its function.

    Parameters
    ----------
    u : callable
        `(d,) array -> float`.
    du : callable
        `(d,) array -> (d,) array`.
    x : (d,) array
        Where to compare; `u` should be smooth there.
    tol : float
        Largest error, as a share of the largest difference quotient.

    Raises
    ------
    CheckFailed
    """
    x = np.asarray(x, dtype=float)
    step = np.finfo(float).eps ** (1 / 3) * max(1.0, np.abs(x).max())
    quotients = np.array([(u(x + step * e) - u(x - step * e)) / (2 * step) for e in np.eye(len(x))])
    check = closed_form(
        du(x), quotients, tol=tol, name="the gradient", source="central differences give"
    )
    return Check(check.message.replace("the closed form", "central differences"))


def best(choice, candidates, score: Callable, *, tol: float = 1e-9, name: str = "the choice"):
    """Check that no candidate has a higher score than the choice: all of them are tried.

    Parameters
    ----------
    choice : object
        The answer; it need not be one of the candidates.
    candidates : sequence
        In their order, so that a choice beside the best one is recognised.
    score : callable
        `candidate -> float`; a cost is scored by its negative.
    tol : float
        Allowed loss, as a share of the range of the scores.
    name : str
        Subject of the sentence.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> best(3, range(10), lambda k: -((k - 3) ** 2))
    OK: the choice scores 0, and none of the 10 candidates more.
    >>> best(4, range(10), lambda k: -((k - 3) ** 2))
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: the choice scores -1, and 3 scores 0. It scores as the
    candidate beside the best: is an index off by one?
    """
    scores = finite("the scores", [score(c) for c in candidates])
    mine = float(finite(f"the score of {name}", score(choice)))
    allowed = tol * (np.ptp(scores) or 1.0)
    k = int(scores.argmax())
    if mine >= scores[k] - allowed:
        return Check(f"{name} scores {mine:.6g}, and none of the {len(scores)} candidates more")
    hint = ""
    beside = scores[[j for j in (k - 1, k + 1) if 0 <= j < len(scores)]]
    if mine <= scores.min() + allowed:
        hint = " No candidate scores less: did you minimise what is to be maximised?"
    elif np.abs(beside - mine).min() <= allowed:
        hint = " It scores as the candidate beside the best: is an index off by one?"
    raise CheckFailed(
        f"{name} scores {mine:.6g}, and {candidates[k]} scores {scores[k]:.6g}.{hint}"
    )


def minimum(
    f: Callable, x, *, rng: np.random.Generator, n: int = 50, tol: float = 1e-10, name: str = "f"
) -> Check:
    """Check that `f` is nowhere smaller near `x`: random steps of three lengths are tried.

    A failure is a proof; a pass is evidence, and for a convex `f` good evidence.

    Parameters
    ----------
    f : callable
        `array of the shape of x -> float`.
    x : array
        The answer.
    rng : numpy.random.Generator
    n : int
        Steps of each length: 0.1, 0.01 and 0.001 of the largest entry.
    tol : float
        Decrease allowed for rounding, as a share of the largest value met.
    name : str
        What `f` is called in the sentence.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> minimum(lambda x: (x**2).sum(), [0.0, 0.0], rng=np.random.default_rng(0))
    OK: f is not smaller at any of 150 places nearby.
    >>> minimum(lambda x: x[0] ** 2 - x[1] ** 2, [0.0, 0.0], rng=np.random.default_rng(0))
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: f is smaller by 0.01 at a distance of 0.1. The slope
    in this direction is zero: is it a saddle or a maximum?
    """
    x = finite("the answer", x)
    here = float(finite(f"{name} at the answer", f(x)))
    size = np.abs(x).max() or 1.0
    found = []
    for length in (0.1 * size, 0.01 * size, 0.001 * size):
        for _ in range(n):
            step = rng.normal(size=x.shape)
            step *= length / np.linalg.norm(step)
            found.append((float(finite(name, f(x + step))), length, step))
    values = np.array([value for value, _, _ in found])
    allowed = tol * max(abs(here), np.abs(values).max())
    k = int(values.argmin())
    if values[k] >= here - allowed:
        return Check(f"{name} is not smaller at any of {len(found)} places nearby")
    _, length, step = found[k]
    drop = here - values[k]
    slope = (f(x + 1e-3 * step) - f(x - 1e-3 * step)) / (2e-3 * length)
    if (values <= here + allowed).all():
        hint = "It is smaller everywhere nearby: is this a maximum? Mind the sign."
    elif abs(slope) * length > 0.1 * drop:
        hint = f"The slope in this direction is {slope:.3g}: the gradient does not vanish here."
    else:
        hint = "The slope in this direction is zero: is it a saddle or a maximum?"
    raise CheckFailed(f"{name} is smaller by {drop:.3g} at a distance of {length:.3g}. {hint}")
