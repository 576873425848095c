"""Codes of images made ready for transport: checked, shifted, scaled, twins merged."""

from dataclasses import dataclass

import numpy as np

# Relative to its largest value, what varies less in a coordinate is rounding in single precision.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Targets:
    """Points that the transport aims at; codes are `mean + scale * points`.

    Attributes
    ----------
    points : (n, d) float array
        Distinct, in the order of the codes.
    masses : (n,) float array
        Share of the codes at each point.
    mean, scale : (d,) float array
    """

    points: np.ndarray
    masses: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def targets(codes: np.ndarray) -> Targets:
    """Shift and scale codes to mean 0 and variance 1 in each coordinate, and merge twins.

    Codes that single precision, in which the transport scores, can hardly tell apart are one point
    with their masses together: twin images, as most large sets have some.

    Parameters
    ----------
    codes : (m, d) float array

    Returns
    -------
    targets : Targets

    Raises
    ------
    ValueError
        If a code is not finite, or a coordinate does not vary.

    Notes
    -----
    Taught on the page ``ae-omt-mnist``.

    Examples
    --------
    >>> found = targets(np.array([[0.0, 1.0], [4.0, 3.0], [0.0, 1.0], [0.0, 3.0]]))
    >>> found.masses, found.scale.round(3)
    (array([0.5 , 0.25, 0.25]), array([1.732, 1.   ]))
    """
    codes = np.asarray(codes, dtype=float)
    bad = ~np.isfinite(codes).all(axis=1)
    if bad.any():
        raise ValueError(
            f"codes: expected finite numbers; {bad.sum()} of {len(codes)} codes have NaN or "
            f"infinity, that of image {int(np.argmax(bad))} first"
        )
    mean, scale = codes.mean(axis=0), codes.std(axis=0)
    constant = np.ptp(codes, axis=0) <= _ROUNDING * np.abs(codes).max(axis=0)
    if constant.any():
        which = "every coordinate" if constant.all() else f"coordinate {int(np.argmax(constant))}"
        raise ValueError(
            f"codes: expected codes that vary in every coordinate; {which} is constant over the "
            f"{len(codes)} images"
        )
    points = (codes - mean) / scale
    _, first, count = np.unique(points.round(6), axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return Targets(points[first[order]], count[order] / len(codes), mean, scale)
