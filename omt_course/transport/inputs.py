"""Points and masses as every solver wants them: checked, or refused with a clear sentence."""

import numpy as np


def check_points(points: np.ndarray, *, dimension: int | None = None) -> np.ndarray:
    """Return the points as a float array, or say what is wrong with them.

    Examples
    --------
    >>> check_points([[0, 0], [1, 1], [0, 0]])
    Traceback (most recent call last):
    ...
    ValueError: points: expected distinct points, got row 2 equal to row 0: [0.0, 0.0] ...
    """
    try:
        points = np.asarray(points).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"points: expected numbers of shape (n, d), got {points!r}") from error
    if points.ndim != 2 or (dimension is not None and points.shape[1] != dimension):
        raise ValueError(
            f"points: expected shape (n, {'d' if dimension is None else dimension}), "
            f"got {points.shape}"
        )
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"points: expected finite coordinates, got {points[row].tolist()} in row {row}"
            f" ({int(bad.sum())} such rows)"
        )
    order = np.lexsort(points.T)  # stable: of equal rows the first comes first
    again = (points[order[1:]] == points[order[:-1]]).all(axis=1)
    if again.any():
        twins = np.flatnonzero(again)
        row = int(order[twins + 1].min())
        first = int(np.flatnonzero((points == points[row]).all(axis=1))[0])
        raise ValueError(
            f"points: expected distinct points, got row {row} equal to row "
            f"{first}: {points[row].tolist()}"
            f" ({len(twins)} repeated rows); merge them and add their masses"
        )
    points.setflags(write=False)
    return points


def check_spanning_points(points: np.ndarray, dimension: int = 2) -> np.ndarray:
    """Return points, distinct and not all on a line (in a plane), or say what is wrong.

    Examples
    --------
    >>> check_spanning_points([[0, 0], [1, 1], [2, 2]])
    Traceback (most recent call last):
    ...
    ValueError: points: expected points that are not all on a line, got a spread of ...
    """
    points = check_points(points, dimension=dimension)
    least = {2: "three", 3: "four"}[dimension]
    if len(points) <= dimension:
        raise ValueError(f"points: expected at least {least} points, got {len(points)}")
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    rounding = 4 * np.finfo(float).eps * np.abs(points).max() * len(points) ** 0.5
    if spread[-1] <= max(1e-12 * spread[0], rounding):
        where, what = {2: ("on a line", "one"), 3: ("in a plane", "two")}[dimension]
        raise ValueError(
            f"points: expected points that are not all {where}, got a spread of "
            f"{spread[-1]:.1e} across it; that is a {what}-dimensional problem"
        )
    return points


def check_masses(
    masses: np.ndarray | None, n: int, total: float, *, rtol: float = 1e-9
) -> np.ndarray:
    """Return the masses as a float array, equal ones for None, or say what is wrong with them.

    Their sum may differ from `total` by the share `rtol`.

    Examples
    --------
    >>> check_masses([0.5, 0.25], 2, 1.0)
    Traceback (most recent call last):
    ...
    ValueError: masses: expected masses that sum to the domain's mass 1, got a sum of 0.75
    """
    if masses is None:
        return np.full(n, total / n)
    try:
        masses = np.asarray(masses).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"masses: expected numbers of shape ({n},), got {masses!r}") from error
    if masses.shape != (n,):
        raise ValueError(f"masses: expected shape ({n},), got {masses.shape}")
    bad = ~(np.isfinite(masses) & (masses > 0))
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"masses: expected positive finite masses, got {masses[k]} at index {k}"
            f" ({int(bad.sum())} such masses); leave out points without mass"
        )
    if abs(masses.sum() - total) > rtol * total:
        raise ValueError(
            f"masses: expected masses that sum to the domain's mass {total:.12g}, "
            f"got a sum of {masses.sum():.12g}"
        )
    masses.setflags(write=False)
    return masses
