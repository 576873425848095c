"""What a check answers, and the checks of numbers and functions; `checks` has those of plans."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class CheckFailed(AssertionError):
    """The answer does not satisfy what was asked; the message says where and, often, why."""


@dataclass(frozen=True)
class Check:
    """A passed check; `message` says what was verified."""

    message: str

    def __str__(self) -> str:
        return f"OK: {self.message}."

    __repr__ = __str__


def closed_form(value, expected, *, tol: float = 1e-6, name: str = "the value") -> Check:
    """Check numbers against a formula, to a relative error `tol` of its largest entry.

    Parameters
    ----------
    value, expected : float or array of one shape
    tol : float
    name : str
        Subject of the sentence.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> closed_form(8.0, 4.0, name="W2^2")
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: W2^2 is twice what the formula gives: is the 1/2 ...?
    """
    value, expected = finite(name, value), np.asarray(expected, dtype=float)
    if value.shape != expected.shape:
        raise CheckFailed(f"{name} has shape {value.shape}, expected {expected.shape}.")
    scale = np.abs(expected).max() or 1.0

    def error(v):
        return np.abs(v - expected).max() / scale

    if error(value) <= tol:
        return Check(f"{name} agrees with the closed form to {error(value):.1e}")
    slips = {
        "is the negative of what the formula gives: mind the sign": -value,
        "is twice what the formula gives: is the 1/2 in its place?": value / 2,
        "is half of what the formula gives: is the 1/2 in its place?": value * 2,
        "is the square root of what the formula gives": value**2,
        "is the square of what the formula gives": np.sqrt(np.abs(value)),
        "differs from the formula by a constant": value - (value - expected).mean(),
    }
    for sentence, v in slips.items():
        if error(v) <= tol and (expected.size > 1 or "constant" not in sentence):
            raise CheckFailed(f"{name} {sentence}{'' if sentence.endswith('?') else '.'}")
    k = place(np.abs(value - expected))
    where = f" at index {k}" if expected.ndim else ""
    raise CheckFailed(f"{name} is {value[k]:.9g}{where}, the formula gives {expected[k]:.9g}.")


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
    check = closed_form(du(x), quotients, tol=tol, name="the gradient")
    return Check(check.message.replace("the closed form", "central differences"))


def finite(name: str, value) -> np.ndarray:
    """Return a finite float array, or fail with a sentence."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise CheckFailed(f"{name} is {value!r}, expected numbers.") from None
    if not np.isfinite(array).all():
        k = place(~np.isfinite(array))
        where = f" at index {k}" if array.ndim else ""
        raise CheckFailed(f"{name} is {array[k]}{where}: expected finite numbers.")
    return array


def place(array: np.ndarray) -> tuple[int, ...]:
    """Return the index of the largest entry."""
    return tuple(int(k) for k in np.unravel_index(np.argmax(array), array.shape))
