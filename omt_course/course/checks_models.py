"""Certificates for exercises about networks as maps: how steep, where not injective, coverage.

Used through `checks`. Taught in *Learning a surface* and *AE-OMT on MNIST*.
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from .verdicts import Check, CheckFailed, finite


def lipschitz(
    value: float, f: Callable, x, *, within: float, upper: float = np.inf, tol: float = 1e-4
) -> Check:
    """Check a lower bound of a Lipschitz constant: found on pairs of points, below an upper bound.

    Parameters
    ----------
    value : float
        The answer: the largest `|f(x_i) - f(x_j)| / |x_i - x_j|` over the pairs.
    f : callable
        `(n, d) array -> (n, k) array`.
    x : (n, d) array
        Distinct points.
    within : float
        Pairs nearer than this are looked at.
    upper : float
        A number that the Lipschitz constant cannot exceed.
    tol : float
        Relative error allowed for rounding, that of a network in single precision included.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> x = np.linspace(0, 1, 101)[:, None]
    >>> lipschitz(1.99, np.square, x, within=0.015, upper=2)
    OK: a lower bound: the steepest of 100 pairs has 1.99, no pair more than 2.
    >>> lipschitz(1.0, np.square, x, within=0.015, upper=2)
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: 1 is the mean over the pairs; a Lipschitz constant
    bounds the largest.
    """
    value, x = float(finite("the bound", value)), np.asarray(x, dtype=float)
    images = finite("f(x)", f(x)).reshape(len(x), -1)
    i, j = cKDTree(x).query_pairs(within, output_type="ndarray").T
    if not len(i):
        raise ValueError(f"within: expected a distance that some pair is within; got {within}")
    moved = np.linalg.norm(images[i] - images[j], axis=1)
    apart = np.linalg.norm(x[i] - x[j], axis=1)
    slopes = moved / apart
    steepest = slopes.max()
    if value > upper * (1 + tol):
        raise CheckFailed(
            f"{value:.6g} is no lower bound: no pair of points can have more than {upper:.6g}. The "
            f"steepest of {len(i)} pairs has {steepest:.6g}."
        )
    if abs(value / steepest - 1) > tol:
        for slip, other in {
            "is the mean over the pairs; a Lipschitz constant bounds the largest": slopes.mean(),
            "is the least slope; a Lipschitz constant bounds the largest": slopes.min(),
            "is the largest of the inverse slopes: the distance of the images goes above": (
                (apart[moved > 0] / moved[moved > 0]).max(initial=0.0)
            ),
            "is a quotient of squares: take the root": steepest**2,
            "is the largest distance of two images: divide by that of the points": moved.max(),
        }.items():
            if abs(value - other) <= tol * abs(other):
                raise CheckFailed(f"{value:.6g} {slip}.")
    if value < steepest * (1 - tol):
        k = int(slopes.argmax())
        raise CheckFailed(
            f"{value:.6g} is a lower bound, but not the best from these pairs: points {i[k]} and "
            f"{j[k]} have {steepest:.6g}."
        )
    if value > steepest * (1 + tol):
        raise CheckFailed(
            f"{value:.6g}, and the steepest of {len(i)} pairs has {steepest:.6g}: which two points "
            f"have more? Without them it is no lower bound."
        )
    bound = f", no pair more than {upper:.6g}" if np.isfinite(upper) else ""
    return Check(f"a lower bound: the steepest of {len(i)} pairs has {steepest:.6g}{bound}")


def twins(f: Callable, x, y, *, apart: float, tol: float = 1e-8) -> Check:
    """Check that two points far from each other have one image, so that `f` is not injective.

    Parameters
    ----------
    f : callable
        `(n, d) array -> (n, k) array`.
    x, y : (d,) arrays
    apart : float
        Least distance of the two points.
    tol : float
        Largest distance of the two images.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> twins(np.square, [1.0, 0.0], [-1.0, 0.0], apart=2)
    OK: two points 2 apart have images 0 apart: f is not injective.
    >>> twins(lambda p: p**3, [1.0, 0.0], [-1.0, 0.0], apart=2)
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: the images are 2 apart, more than 1e-08. One is the
    negative of the other: is the function odd?
    """
    x, y = finite("x", x), finite("y", y)
    if x.ndim != 1 or x.shape != y.shape:
        raise CheckFailed(f"x has shape {x.shape} and y {y.shape}: give two single points.")
    distance = np.linalg.norm(x - y)
    if distance < apart * (1 - 1e-9):
        what = "x and y are one point" if distance == 0 else f"x and y are {distance:.3g} apart"
        raise CheckFailed(f"{what}, expected at least {apart:.3g}: neighbours prove nothing here.")
    first, second = finite("f", f(np.stack([x, y])))
    off = np.linalg.norm(first - second)
    if off > tol:
        hint = " Nearly: improve the pair by a solver, from where it is." if off < 0.05 else ""
        if np.linalg.norm(first + second) <= tol:
            hint = " One is the negative of the other: is the function odd?"
        raise CheckFailed(f"the images are {off:.3g} apart, more than {tol:.3g}.{hint}")
    return Check(f"two points {distance:.3g} apart have images {off:.1g} apart: f is not injective")


def coverage(covered: Callable, pairs, k: int) -> Check:
    """Check a function for the coverage of real items by made ones, on several pairs of samples.

    Parameters
    ----------
    covered : callable
        `(real, made, k) -> float`: the share of the rows of `real` whose ball, which reaches the
        k-th nearest of the other real rows, holds a row of `made`.
    pairs : sequence of ((N, d) array, (M, d) array)
    k : int

    Raises
    ------
    CheckFailed
    """
    from ..models.coverage import compare_supports

    values = finite("the coverage", [covered(real, made, k) for real, made in pairs])
    if values.shape != (len(pairs),):
        raise CheckFailed(
            f"the coverage of a pair has shape {values.shape[1:]}, expected a number."
        )
    right = [compare_supports(real, made, k=k) for real, made in pairs]
    truth = np.array([one.coverage for one in right])

    def agrees(other):
        return np.abs(values - np.asarray(other)).max() <= 1e-9

    if agrees(truth):
        return Check(
            f"the coverage of all {len(pairs)} pairs, from {truth.min():.3g} to {truth.max():.3g}"
        )
    swapped = [compare_supports(made, real, k=k) for real, made in pairs]
    wider = [compare_supports(real, made, k=k + 1).coverage for real, made in pairs]
    slips = {
        "the share of real items without a made one: subtract it from 1": 1 - truth,
        "recall: the balls must be those of the real items": [one.recall for one in right],
        "precision: count real balls, not made items": [one.precision for one in right],
        "density: a ball counts once, however many items it holds": [one.density for one in right],
        "coverage of the made items by the real ones: swap the two": [
            one.coverage for one in swapped
        ],
        f"right for k = {k + 1}: is an index off by one?": wider,
        f"right for k = {k - 1}: did a point count itself among its neighbours?": (
            [compare_supports(real, made, k=k - 1).coverage for real, made in pairs]
            if k > 1
            else 0 * truth
        ),
        "the number of items, not their share: divide by N": [
            one.coverage * one.n[0] for one in right
        ],
    }
    for slip, other in slips.items():
        if agrees(other):
            raise CheckFailed(
                f"this is the {slip}.".replace("the right", "right").replace("?.", "?")
            )
    j = int(np.abs(values - truth).argmax())
    raise CheckFailed(
        f"pair {j} has the coverage {truth[j]:.6g}, not {values[j]:.6g}; "
        f"{int((np.abs(values - truth) > 1e-9).sum())} of {len(pairs)} pairs are off."
    )
