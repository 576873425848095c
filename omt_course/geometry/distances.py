"""The Hausdorff distance of surfaces and clouds of points, with its uncertainty.

Taught in *Sampling a surface*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from . import meshes
from .nets import check_cloud
from .sampling import spread


@dataclass(frozen=True, eq=False)
class Hausdorff:
    """The Hausdorff distance of two sets, from both sides.

    Attributes
    ----------
    forward, backward : float
        Largest distance of a tested point of A to B, and of B to A.
    slack : float
        The true distance lies between `value` and `value + slack`: zero for clouds of points.
    forward_place, backward_place : (3,) float array
        The tested point of A farthest from B, and of B farthest from A.
    """

    forward: float
    backward: float
    slack: float
    forward_place: np.ndarray
    backward_place: np.ndarray

    @property
    def value(self) -> float:
        """The larger of the two one-sided distances."""
        return max(self.forward, self.backward)


def hausdorff(A, B, *, spacing: float | None = None) -> Hausdorff:
    """Return the two-sided Hausdorff distance between meshes or clouds of points.

    `max(max_{a in A} dist(a, B), max_{b in B} dist(b, A))`. Distances to a mesh are to its
    triangles, exact up to rounding; the maximum over a mesh is taken over points of it that are
    `spacing` dense, which can lose at most `spacing`, since a distance is 1-Lipschitz.

    Parameters
    ----------
    A, B : (n, 3) float array, or a pair (V, F) of a mesh
    spacing : float, optional
        For meshes: a thousandth of the diagonal of A by default.

    Returns
    -------
    Hausdorff

    Raises
    ------
    ValueError
        If a set or `spacing` cannot be used.

    Examples
    --------
    >>> V, F = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    >>> found = hausdorff((V, F), (V + [0, 0, 0.25], F), spacing=0.1)
    >>> found.value, found.slack
    (0.25, 0.1)
    """
    A, B = _set(A, "A"), _set(B, "B")
    is_mesh = [isinstance(one, tuple) for one in (A, B)]
    if spacing is None:
        spacing = meshes.diagonal(A[0] if is_mesh[0] else A) / 1000 or 1e-3
    tested = [spread(*one, spacing) if m else one for one, m in zip((A, B), is_mesh, strict=True)]
    forward, backward = _distance(tested[0], B), _distance(tested[1], A)
    return Hausdorff(
        forward=float(forward.max()),
        backward=float(backward.max()),
        slack=float(spacing) if any(is_mesh) else 0.0,
        forward_place=tested[0][int(forward.argmax())],
        backward_place=tested[1][int(backward.argmax())],
    )


def _set(one, name):
    """Return a cloud as an array, or a mesh as a pair, checked."""
    if isinstance(one, tuple):
        if len(one) != 2:
            raise ValueError(f"{name}: expected points (n, 3) or a pair (V, F), got {len(one)}")
        V, F = check_cloud(one[0], name), np.asarray(one[1])
        meshes.inspect(V, F)  # shapes and indices
        return V, F
    return check_cloud(one, name)


def _distance(points, target):
    """Distances of points to a cloud, or to the triangles of a mesh."""
    if not isinstance(target, tuple):
        return cKDTree(target).query(points)[0]
    import trimesh

    mesh = trimesh.Trimesh(*target, process=False)
    parts = [points[k : k + 20_000] for k in range(0, len(points), 20_000)]
    return np.concatenate([trimesh.proximity.closest_point(mesh, part)[1] for part in parts])
