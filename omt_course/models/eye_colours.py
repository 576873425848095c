"""Two eyes of two colours: how often, by the readings of the left and the right iris.

In the crowd of `omt_course.datasets.faces.people` both irises of a face are equal, and brown or
blue. A face with one of each, or with a colour between, is a mixture that no one is. Taught in
*AE-OMT on faces*.
"""

from dataclasses import dataclass

import numpy as np

MIXED = 0.5  # two irises whose readings differ by more have two colours: brown is 0, blue 1
BETWEEN = (0.4, 0.7)  # no one has irises of these colours: .15 and .85 read up to .35 and .75


@dataclass(frozen=True)
class EyeColours:
    """How the irises of a set of faces read.

    Attributes
    ----------
    left, right : (n,) float array
        Brown 0, blue 1.
    mixed : float
        Share of faces whose readings differ by more than the margin.
    between : float
        Share whose mean reading is a colour that no one in the crowd has.
    margin : float
    """

    left: np.ndarray
    right: np.ndarray
    mixed: float
    between: float
    margin: float


def eye_colours(readings, *, margin=MIXED, between=BETWEEN):
    """Count faces with two eye colours, and with colours between the two that exist.

    Parameters
    ----------
    readings : dict with "iris_left" and "iris_right", (n,) float arrays
    margin : float
        Least difference of two colours.
    between : (float, float)
        Colours that no face should have.

    Returns
    -------
    colours : EyeColours

    Examples
    --------
    >>> found = eye_colours({"iris_left": [0.0, 0.1, 0.9, 0.5], "iris_right": [0.1, 0.9, 1.0, 0.5]})
    >>> found.mixed, found.between
    (0.25, 0.5)
    """
    left, right = (np.asarray(readings[f"iris_{side}"], dtype=float) for side in ("left", "right"))
    if left.shape != right.shape or left.ndim != 1 or len(left) == 0:
        raise ValueError(f"readings: expected two (n,) arrays; got {left.shape} and {right.shape}")
    if not margin > 0:
        raise ValueError(f"margin: expected a positive difference; got {margin!r}")
    middle = (left + right) / 2
    return EyeColours(
        left=left,
        right=right,
        mixed=float((abs(left - right) > margin).mean()),
        between=float(((middle > between[0]) & (middle < between[1])).mean()),
        margin=float(margin),
    )
