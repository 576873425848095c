"""Normals and areas as the solvers want them: checked, or refused with a clear sentence."""

import numpy as np
from scipy.spatial import ConvexHull, KDTree, QhullError


def check_normals(normals: np.ndarray) -> np.ndarray:
    """Return unit normals as a float array, or say what is wrong with them.

    Examples
    --------
    >>> check_normals([[0, 0, 2], [0, 0, 1]])
    Traceback (most recent call last):
    ...
    ValueError: normals: expected unit vectors, got length 2 in row 0; divide by the lengths
    """
    try:
        array = np.array(normals).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"normals: expected numbers of shape (n, 3), got {normals!r}") from error
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"normals: expected shape (n, 3), got {array.shape}")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"normals: expected finite numbers, got {array[row].tolist()} in row {row}"
        )
    length = np.linalg.norm(array, axis=1)
    wrong = np.abs(length - 1) > 1e-6
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"normals: expected unit vectors, got length {length[row]:.6g} in row {row}; divide "
            f"by the lengths"
        )
    return array / length[:, None]


def check_spanning_normals(normals: np.ndarray) -> np.ndarray:
    """Return at least four unit normals, distinct and in no closed half-space.

    Examples
    --------
    >>> check_spanning_normals(np.eye(3))
    Traceback (most recent call last):
    ...
    ValueError: normals: expected at least four, got 3: no polytope has fewer facets
    """
    normals = check_normals(normals)
    n = len(normals)
    if n < 4:
        raise ValueError(f"normals: expected at least four, got {n}: no polytope has fewer facets")
    pairs = KDTree(normals).query_pairs(1e-9, output_type="ndarray")
    if len(pairs):
        i, j = pairs[np.lexsort(pairs.T[::-1])[0]].tolist()
        raise ValueError(
            f"normals: expected distinct directions, got row {j} equal to row {i} (to 1e-9): "
            f"{normals[i].tolist()} ({len(pairs)} such pairs); merge them and add their areas"
        )
    try:
        hull = ConvexHull(normals)
        worst = int(hull.equations[:, 3].argmax())
        closed, side = hull.equations[worst, 3] > -1e-12, hull.equations[worst, :3]
    except QhullError:
        closed, side = True, np.linalg.svd(normals - normals.mean(axis=0))[2][2]
        side = side if (normals @ side).mean() < 0 else -side
    if closed:
        raise ValueError(
            "normals: expected no closed half-space that holds them all, got <n_i, e> <= "
            f"{max((normals @ side).max(), 0.0):.1e} for e = {side.round(6).tolist()}: the "
            "intersection of the half-spaces is unbounded that way"
        )
    return normals


def check_areas(areas: np.ndarray, n: int) -> np.ndarray:
    """Return `n` positive areas as a float array, or say what is wrong with them.

    Examples
    --------
    >>> check_areas([1.0, 0.0], 2)
    Traceback (most recent call last):
    ...
    ValueError: areas: expected positive finite areas, got 0.0 at index 1 (1 such areas); ...
    """
    try:
        areas = np.array(areas).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"areas: expected {n} numbers, got {areas!r}") from error
    if areas.shape != (n,):
        raise ValueError(f"areas: expected shape ({n},), one a normal, got {areas.shape}")
    bad = ~(np.isfinite(areas) & (areas > 0))
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"areas: expected positive finite areas, got {areas[k]} at index {k} "
            f"({int(bad.sum())} such areas); leave out facets without area"
        )
    return areas
