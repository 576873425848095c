"""Still pictures of figures that move: for print, for slow devices, and for a page without scripts.

A plotly figure is drawn again with matplotlib from its own camera; any matplotlib figure becomes
an address that carries its picture.
"""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure

_SURFACES, _LINES = ("mesh3d", "surface"), ("scatter3d",)


def still_of(figure) -> Figure:
    """Draw the meshes, surfaces, lines and points of a plotly figure with matplotlib.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure, or a list of them, drawn in a row
        Traces of type mesh3d, surface and scatter3d are drawn, from the figure's own camera.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no trace it can draw.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> triangle = go.Mesh3d(x=[0, 1, 0], y=[0, 0, 1], z=[0, 0, 1], i=[0], j=[1], k=[2])
    >>> len(still_of(go.Figure(triangle)).axes)
    1
    """
    figures = figure if isinstance(figure, list | tuple) else [figure]
    picture = plt.figure(figsize=(6.0, 5.0) if len(figures) == 1 else (9.0, 3.6))
    plt.close(picture)  # the notebook is not to show it by itself
    for k, one in enumerate(figures):
        _still(picture.add_subplot(1, len(figures), k + 1, projection="3d"), one)
    return picture


def _still(ax, figure) -> None:
    """Draw one figure on axes, from its own camera."""
    traces = [t for t in figure.data if t.type in _SURFACES + _LINES and t.visible is not False]
    if not traces:
        raise ValueError("figure: expected a mesh3d, surface or scatter3d trace, found none")
    for trace in traces:
        {"mesh3d": _mesh, "surface": _surface, "scatter3d": _scatter}[trace.type](ax, trace)
    eye = figure.layout.scene.camera.eye
    x, y, z = (1.25 if value is None else value for value in (eye.x, eye.y, eye.z))
    ax.view_init(np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)))
    axes = [figure.layout.scene[f"{name}axis"] for name in "xyz"]
    if all(axis.visible is False for axis in axes):
        ax.set_axis_off()
    if figure.layout.scene.aspectmode == "data":
        ax.set_aspect("equal")
    for name, axis in zip("xyz", axes, strict=True):
        getattr(ax, f"set_{name}label")(axis.title.text or "")


def _mesh(ax, trace) -> None:
    """Triangles, coloured by face, by vertex value, or by one colour."""
    V = np.column_stack([np.asarray(trace[k], dtype=float) for k in "xyz"])
    faces = np.column_stack([np.asarray(trace[k], dtype=int) for k in "ijk"])
    patch = ax.plot_trisurf(*V.T, triangles=faces, shade=False, linewidth=0.0)
    if trace.facecolor is not None:
        patch.set_facecolor([_rgba(color, trace.opacity) for color in trace.facecolor])
    elif trace.intensity is not None:
        values = np.asarray(trace.intensity, dtype=float)
        values = values if trace.intensitymode == "cell" else values[faces].mean(axis=1)
        colors = _ramp(trace.colorscale)(Normalize(values.min(), values.max())(values))
        patch.set_facecolor(colors)
    else:
        patch.set_facecolor(_rgba(trace.color or "#9a71bd", trace.opacity))


def _surface(ax, trace) -> None:
    """Draw a grid of heights."""
    z = np.asarray(trace.z, dtype=float)
    x = np.arange(z.shape[1]) if trace.x is None else np.asarray(trace.x, dtype=float)
    y = np.arange(z.shape[0]) if trace.y is None else np.asarray(trace.y, dtype=float)
    if x.ndim == 1:
        x, y = np.meshgrid(x, y)
    ax.plot_surface(x, y, z, cmap=_ramp(trace.colorscale), alpha=trace.opacity, linewidth=0)


def _scatter(ax, trace) -> None:
    """Points, a line, or both; None and NaN break a line as they do in plotly."""
    xyz = [np.array([np.nan if v is None else v for v in trace[k]], dtype=float) for k in "xyz"]
    mode = trace.mode or "lines+markers"
    if "lines" in mode:
        ax.plot(*xyz, color=_rgba(trace.line.color or "#5e2a84", trace.opacity), lw=1.2)
    if "markers" in mode:
        color, size = trace.marker.color, trace.marker.size
        size = size if isinstance(size, int | float) else 5
        if isinstance(color, str | None):
            paint = {"color": _rgba(color or "#5e2a84", trace.opacity)}
        elif isinstance(color[0], str):
            paint = {"color": [_rgba(c, trace.opacity) for c in color]}
        else:
            paint = {"c": np.asarray(color, dtype=float), "cmap": _ramp(trace.marker.colorscale)}
        ax.scatter(*xyz, s=size**2, depthshade=False, **paint)


def _ramp(scale):
    """Return a plotly colour scale as a matplotlib one."""
    from matplotlib.colors import LinearSegmentedColormap

    from omt_course.course.plotting import SEQUENTIAL

    if not scale:
        return SEQUENTIAL
    return LinearSegmentedColormap.from_list("plotly", [(v, _rgba(c, None)) for v, c in scale])


def _rgba(color, opacity):
    """Return a plotly colour (name, hex, ``rgb(...)``, ``rgba(...)``) for matplotlib."""
    if isinstance(color, str) and color.startswith("rgb"):
        numbers = [float(v) for v in color[color.index("(") + 1 : -1].split(",")]
        color = tuple(v / 255 for v in numbers[:3]) + tuple(numbers[3:])
    rgba = to_rgba(color)
    return rgba if opacity is None else (*rgba[:3], rgba[3] * opacity)


def encode(figure: Figure, *, dpi: int = 110, kind: str = "webp") -> str:
    """Return a matplotlib figure as a data address; its size does not depend on what is drawn.

    Examples
    --------
    >>> encode(plt.Figure(figsize=(1, 1)))[:23]
    'data:image/webp;base64,'
    """
    buffer = io.BytesIO()
    if not any(ax.get_subplotspec() for ax in figure.axes):
        figure.set_layout_engine("none")  # axes placed by hand: nothing to arrange
    figure.savefig(buffer, format=kind, dpi=dpi, bbox_inches=None, pil_kwargs={"quality": 82})
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def check_alt(alt) -> None:
    """Raise a ValueError unless the alternative text is a sentence.

    Examples
    --------
    >>> check_alt("A red disc on a blue square.")
    """
    if not isinstance(alt, str) or len(alt.split()) < 4:
        raise ValueError(f"alt: expected a sentence that says what is seen, got {alt!r}")
