"""What a check answers, and the checks of numbers; `checks` has those of plans."""

from dataclasses import dataclass
from textwrap import shorten

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


def closed_form(
    value,
    expected,
    *,
    tol: float = 1e-6,
    name: str = "the value",
    source: str = "the formula gives",
) -> Check:
    """Check numbers against a formula, to a relative error `tol` of its largest entry.

    Parameters
    ----------
    value, expected : float or array of one shape
    tol : float
    name, source : str
        Subject of the sentence, and what it is compared with.

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
        hint = ""
        if value.ndim == 2 and value.shape == expected.shape[::-1]:
            hint = " It looks transposed."
        elif value.size == expected.size:
            hint = " The number of entries is right: reshape it."
        raise CheckFailed(f"{name} has shape {value.shape}, expected {expected.shape}.{hint}")
    scale = np.abs(expected).max() or 1.0

    def error(v):
        return np.abs(v - expected).max() / scale

    if error(value) <= tol:
        return Check(f"{name} agrees with the closed form to {error(value):.1e}")
    near = min(tol, 0.02)  # with a loose tolerance many factors would be as near
    for sentence, v in _number_slips(value, expected):
        if error(v) <= near:
            raise CheckFailed(f"{name} {sentence.format(source)}.".replace("?.", "?"))
    k = place(np.abs(value - expected))
    where = f" at index {k}" if expected.ndim else ""
    raise CheckFailed(f"{name} is {value[k]:.9g}{where}, {source} {expected[k]:.9g}.")


def _number_slips(value, expected):
    """Yield what usually goes wrong with numbers, each with the value that mends it."""
    yield "is the negative of what {}: mind the sign", -value
    yield "is twice what {}: is the 1/2 in its place?", value / 2
    yield "is half of what {}: is the 1/2 in its place?", value * 2
    yield "is the square root of what {}", np.where(value >= 0, value, np.inf) ** 2
    yield "is the square of what {}", np.sqrt(np.abs(value))
    yield "is 100 times what {}: a share, not a percentage, is asked for", value / 100
    if value.all():
        yield "is the reciprocal of what {}: is the quotient upside down?", 1 / value
    if value.size == 1:
        return
    yield "differs from what {} by a constant", value - (value - expected).mean()
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        yield "is the transpose of what {}", value.T
    off = np.sort(value, axis=None) - np.sort(expected, axis=None)
    yield (
        "has the right entries in another order than what {}: was something sorted?",
        expected + off.reshape(value.shape),
    )
    factor = np.vdot(value, expected) / (np.vdot(expected, expected) or 1.0)
    if factor:
        yield (
            f"is {factor:.6g} times what {{}}, at every index: which factor is missing?",
            (value / factor),
        )


def between(
    value, lower=-np.inf, upper=np.inf, *, tol: float = 0.0, name: str = "the value"
) -> Check:
    """Check that numbers lie between a lower and an upper bound: both bounds are the certificate.

    Parameters
    ----------
    value, lower, upper : float or array
        Of one shape, or bounds that are single numbers; a bound may be infinite.
    tol : float
        Allowed excess, as a share of the bound.
    name : str
        Subject of the sentence.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> between(0.31, 0.30, 0.32, name="the least cost")
    OK: the least cost lies between 0.3 and 0.32.
    >>> between(0.62, 0.30, 0.32, name="the least cost")
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: the least cost is 0.62, above its upper bound 0.32. Half
    of it lies between the bounds: is the 1/2 in its place?
    """
    value = finite(name, value)
    low, high = (np.broadcast_to(np.asarray(b, dtype=float), value.shape) for b in (lower, upper))
    if np.isnan(low).any() or np.isnan(high).any():
        raise CheckFailed(f"a bound of {name} is nan: compute the bounds first.")
    if (low > high).any():
        k = place(low > high)
        raise CheckFailed(
            f"no number lies between the bounds of {name}: the lower, {low[k]:.6g}, is above the "
            f"upper, {high[k]:.6g}. Are they swapped, or is one of them wrong?"
        )

    def outside(v):
        with np.errstate(invalid="ignore"):
            floor, roof = low - tol * np.abs(low), high + tol * np.abs(high)
        floor, roof = np.where(np.isinf(low), low, floor), np.where(np.isinf(high), high, roof)
        return (v < floor) | (v > roof)

    if not outside(value).any():
        return Check(f"{name} {_range(value, low, high)}")
    k = place(outside(value))
    where = f" at index {k}" if value.ndim else ""
    side, bound = ("below its lower", low) if value[k] < low[k] else ("above its upper", high)
    hint = ""
    if (high - low <= 0.2 * np.abs(high)).all():  # a wide interval would hold many numbers
        for what, v in (
            ("Half of it lies between the bounds: is the 1/2 in its place?", value / 2),
            ("Twice its value lies between the bounds: is the 1/2 in its place?", 2 * value),
            ("Its negative lies between the bounds: mind the sign.", -value),
            ("Its square lies between the bounds: was a root taken?", value**2),
            ("Its square root lies between the bounds.", np.sqrt(np.abs(value))),
        ):
            if not outside(v).any():
                hint = f" {what}"
                break
    raise CheckFailed(f"{name} is {value[k]:.6g}{where}, {side} bound {bound[k]:.6g}.{hint}")


def _range(value, low, high):
    if value.size > 1:
        return f"lies between its bounds at all {value.size} places"
    low, high = low.item(), high.item()
    if np.isinf(low):
        return f"is at most {high:.6g}"
    return f"is at least {low:.6g}" if np.isinf(high) else f"lies between {low:.6g} and {high:.6g}"


def finite(name: str, value) -> np.ndarray:
    """Return a finite float array, or fail with a sentence."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        if hasattr(value, "detach"):
            raise CheckFailed(
                f"{name} is a tensor with a gradient or on a GPU: give x.detach().cpu().numpy()."
            ) from None
        what = f"a {type(value).__name__}, {shorten(repr(value), 60)}"
        raise CheckFailed(f"{name} is {what}, expected numbers.") from None
    if not np.isfinite(array).all():
        k = place(~np.isfinite(array))
        where = f" at index {k}" if array.ndim else ""
        raise CheckFailed(f"{name} is {array[k]}{where}: expected finite numbers.")
    return array


def place(array: np.ndarray) -> tuple[int, ...]:
    """Return the index of the largest entry."""
    return tuple(int(k) for k in np.unravel_index(np.argmax(array), array.shape))
