"""Surfaces drawn flat, far triangles first, lit from the viewer's upper left; points on them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, to_rgb

from omt_course.course import plotting
from omt_course.geometry import meshes

_LIGHT = np.array([-0.35, 0.45, 0.82])
_AMBIENT = 0.35
CLAY = "#e9e4dd"
"""A surface without values: warm light grey, so that blue, red and violet read on it."""

LIGHT = {
    "lighting": {"ambient": 0.4, "diffuse": 0.65, "specular": 0.05, "roughness": 0.9},
    "lightposition": {"x": -4e4, "y": 5e4, "z": 1e5},
}
"""For plotly's `Mesh3d`: light from the upper left and the front, where z points to the viewer."""


def surface(
    ax: Axes, V, F, *, turn=(0.0, 0.0), values=None, colors=None, cmap=None, limits=None, edges=None
) -> Axes:
    """Draw a mesh in space as seen from the front (z), shaded.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    V : (n, 3) array
    F : (m, 3) int array
    turn : (float, float)
        Degrees about the upright axis, then about the axis to the right.
    values : (m,) array, optional
        One number a triangle, shown through `cmap`; ``ax.collections[-1]`` can be given to a
        colour bar only where no values are shaded, so use a `ScalarMappable` with `limits`.
    colors : (m, 3) array, optional
        One colour a triangle, instead of `values`. `CLAY` without both.
    cmap : matplotlib colormap, optional
        `plotting.SEQUENTIAL` by default.
    limits : (low, high), optional
    edges : colour, optional
        Of the triangles' sides; not drawn by default.

    Raises
    ------
    ValueError
        If `values` or `colors` do not have one entry a triangle, or both are given.
    """
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    if values is not None and colors is not None:
        raise ValueError("values, colors: expected at most one of the two, got both")
    for name, given in (("values", values), ("colors", colors)):
        if given is not None and len(given) != len(F):
            raise ValueError(f"{name}: expected {len(F)} entries, got {len(given)}")
    W = V @ rotation(turn).T
    normals = meshes.vertex_normals(W, F)[F].mean(axis=1)
    facing = meshes.triangle_normals(W, F)[:, 2] > 0
    bright = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ _LIGHT, 0, 1)
    paint = np.array(to_rgb(CLAY)) if colors is None else np.asarray(colors, dtype=float)
    if values is not None:
        low, high = limits or (np.min(values), np.max(values))
        paint = (cmap or plotting.SEQUENTIAL)(Normalize(low, high, clip=True)(values))[:, :3]
    paint = np.broadcast_to(paint, (len(F), 3)) * bright[:, None]
    seen = np.flatnonzero(facing)
    seen = seen[np.argsort(W[F[seen], 2].mean(axis=1))]
    faces = PolyCollection(W[F[seen]][:, :, :2], facecolors=paint[seen], linewidths=0.25)
    faces.set_edgecolor("face" if edges is None else edges)
    faces.set_rasterized(True)
    ax.add_collection(faces)
    ax.autoscale_view()
    return plotting.bare(ax)


def points(ax: Axes, V, F, x, triangle, *, turn=(0.0, 0.0), kind="target", size=6.0) -> Axes:
    """Draw points of a mesh where the viewer can see them: on triangles that face him.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    V : (n, 3) array
    F : (m, 3) int array
    x : (k, 3) array
    triangle : (k,) int array
        The triangle of each point.
    turn : (float, float)
        As for `surface`.
    kind : {"source", "target"}
    size : float
    """
    R = rotation(turn)
    facing = meshes.triangle_normals(np.asarray(V) @ R.T, F)[:, 2] > 0
    shown = (np.asarray(x) @ R.T)[facing[triangle]]
    plotting.points(ax, shown[:, :2], kind=kind, size=size)
    ax.collections[-1].set(linewidths=0.0, rasterized=True)
    return ax


def rotation(turn):
    """Return the rotation by degrees about the upright axis, then about the axis to the right.

    Examples
    --------
    >>> rotation((90, 0)).round(12)[0].tolist()
    [0.0, 0.0, 1.0]
    """
    a, b = np.deg2rad(turn)
    upright = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    right = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return right @ upright
