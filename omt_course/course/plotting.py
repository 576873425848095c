"""One visual grammar for every figure of the book.

The source is blue and drawn with discs, the target is red and drawn with diamonds, what joins them
(plan, map, potential) is violet. The three differ in lightness as well as in hue, so that they stay
apart for a colour-blind reader and in print. Figures keep a white face: they read on a dark page.

Every helper takes the axes to draw on, returns them, and never calls ``show``.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap

COLORS = {
    "source": "#1f78c8",
    "target": "#c62828",
    "plan": "#5e2a84",
    "ink": "#222222",
    "grey": "#6b6b6b",
    "light": "#d9d9d9",
    "face": "#ffffff",
}
"""Meaning -> colour. `source`, `target`, `plan` and the inks have a contrast above 4.5 on white."""

PALE = {"source": "#d6e7f7", "target": "#f8dada", "plan": "#e7dcf1"}
"""Pale fills of the same three hues, for areas behind points and text."""

CLASSES = tuple(
    "#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd".split()
)
"""Ten colours for ten classes (digits): M. A. Petroff's sequence, arXiv 2107.02270."""

SEQUENTIAL = LinearSegmentedColormap.from_list(
    "omt_sequential", ["#f7f3fa", "#c9b3dc", "#9a71bd", COLORS["plan"], "#2c0f45"]
)
"""Values of a density, a height or a cost: white to violet."""

DIVERGING = LinearSegmentedColormap.from_list(
    "omt_diverging", [COLORS["source"], "#ffffff", COLORS["target"]]
)
"""Signed values around zero: blue, white, red."""

_MARKERS = {"source": "o", "target": "D"}


def use_style() -> None:
    """Set matplotlib's defaults for the book; the first code cell of every page calls it.

    Examples
    --------
    >>> use_style()
    >>> plt.rcParams["figure.constrained_layout.use"]
    True
    """
    ink, grey = COLORS["ink"], COLORS["grey"]
    for cmap in (SEQUENTIAL, DIVERGING):
        if cmap.name not in mpl.colormaps:
            mpl.colormaps.register(cmap)
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 4.2),  # a phone shows it at about half size: hence the fonts
            "figure.dpi": 144,
            "savefig.dpi": 144,
            "figure.constrained_layout.use": True,
            "font.size": 13,
            "axes.titlesize": 14,
            "axes.titlelocation": "left",
            "legend.frameon": False,
            "axes.edgecolor": grey,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.prop_cycle": cycler(
                color=[COLORS["plan"], COLORS["source"], COLORS["target"], grey, CLASSES[1]]
            ),
            "lines.linewidth": 2.0,
            "image.cmap": SEQUENTIAL.name,
            "mathtext.fontset": "cm",
        }
        | dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), "white")
        | dict.fromkeys(("axes.labelcolor", "axes.titlecolor", "text.color"), ink)
        | dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), ink)
        | dict.fromkeys(("xtick.color", "ytick.color"), grey)
        | dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 12)
    )


def bare(ax: Axes) -> Axes:
    """Strip a picture of the plane of ticks and frame, with equal units on both axes."""
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def points(ax: Axes, xy, *, kind: str = "source", masses=None, size=40.0, label=None) -> Axes:
    """Draw weighted points: discs for the source, diamonds for the target.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    xy : (n, 2) array
    kind : {"source", "target"}
    masses : (n,) array, optional
        The area of a marker is proportional to its mass; `size` is the mean area in points squared.
    size : float
    label : str, optional
        Entry of the legend.

    Raises
    ------
    ValueError
        If `kind` is unknown, or the shapes of `xy` and `masses` do not fit.
    """
    if kind not in _MARKERS:
        raise ValueError(f"kind: expected one of {sorted(_MARKERS)}, got {kind!r}")
    xy = _plane(xy, "xy")
    area = np.full(len(xy), float(size))
    if masses is not None:
        masses = np.asarray(masses, dtype=float)
        if masses.shape != (len(xy),):
            raise ValueError(f"masses: expected shape ({len(xy)},), got {masses.shape}")
        area *= masses / masses.mean()
    look = {"c": COLORS[kind], "marker": _MARKERS[kind], "edgecolors": "white", "linewidths": 0.6}
    ax.scatter(*xy.T, s=area, zorder=3, label=label, **look)
    return ax


def plan(ax: Axes, source, target, plan, *, width: float = 2.0, alpha: float = 0.7) -> Axes:
    """Draw a transport plan: one violet segment for each pair that exchanges mass.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    source, target : (n, 2) and (m, 2) arrays
    plan : (n, m) array
        Mass sent from each source to each target. Entries below 1e-9 of the largest are not drawn.
    width : float
        Points of width of the segment that carries the most mass; the others in proportion.
    alpha : float

    Raises
    ------
    ValueError
        If the shape of `plan` does not fit the points.
    """
    source, target = _plane(source, "source"), _plane(target, "target")
    plan = np.asarray(plan, dtype=float)
    if plan.shape != (len(source), len(target)):
        raise ValueError(f"plan: expected shape {(len(source), len(target))}, got {plan.shape}")
    rows, columns = np.nonzero(plan > 1e-9 * plan.max())
    mass = plan[rows, columns]
    widths = np.maximum(width * mass / mass.max(initial=0.0), 0.3) if mass.size else width
    segments = np.stack([source[rows], target[columns]], axis=1)  # (k, 2, 2)
    look = {"colors": COLORS["plan"], "alpha": alpha, "capstyle": "round", "zorder": 2}
    ax.add_collection(LineCollection(segments, linewidths=widths, **look))
    ax.autoscale_view()
    return ax


def cells(
    ax: Axes, polygons, *, values=None, colors=None, cmap=None, limits=None, width=0.8
) -> Axes:
    """Draw the cells of a decomposition of the plane: coloured by a value, by hand, or pale violet.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    polygons : sequence of n arrays (k_i, 2)
        Corners of each cell in order; a cell with fewer than three corners is not drawn.
    values : (n,) array, optional
        One number a cell; ``ax.collections[-1]`` can then be given to a colour bar.
    colors : sequence of n colours, optional
        One face colour a cell, instead of `values`.
    cmap : matplotlib colormap, optional
        `SEQUENTIAL` by default.
    limits : (low, high), optional
        Values at the two ends of the colour map; the extremes of `values` by default.
    width : float
        Width of the edges in points.

    Raises
    ------
    ValueError
        If `values` or `colors` do not have one entry a cell, or both are given.
    """
    if values is not None and colors is not None:
        raise ValueError("values, colors: expected at most one of the two, got both")
    for name, given in (("values", values), ("colors", colors)):
        if given is not None and len(given) != len(polygons):
            raise ValueError(f"{name}: expected {len(polygons)} entries, got {len(given)}")
    kept = [i for i, polygon in enumerate(polygons) if len(polygon) >= 3]
    corners = [np.asarray(polygons[i], dtype=float) for i in kept]
    collection = PolyCollection(corners, ec=COLORS["plan"], linewidths=width, zorder=1)
    if values is not None:
        values = np.asarray(values, dtype=float)
        collection.set(array=values[kept], cmap=cmap or SEQUENTIAL)
        collection.set_clim(*(limits or (values.min(), values.max())))
    elif colors is not None:
        collection.set_facecolor([colors[i] for i in kept])
    else:
        collection.set_facecolor(PALE["plan"])
    ax.add_collection(collection)
    ax.autoscale_view()
    return bare(ax)


def image_grid(images, *, n_columns, labels=None, cmap="gray", limits=(0.0, 1.0), ax=None) -> Axes:
    """Show images side by side as one picture, row by row.

    Parameters
    ----------
    images : (n, h, w), (n, h, w, 3), (n, 1, h, w) or (n, 3, h, w) array
    n_columns : int
    labels : sequence of n str, optional
        A short word under each image.
    cmap : matplotlib colormap
        For grey images; ``"gray_r"`` gives dark ink on white paper.
    limits : (low, high)
        Values shown as the two ends; what lies outside is clipped in the picture only.
    ax : matplotlib axes, optional
        Drawn on and returned; a new figure, as wide as the page, by default.

    Raises
    ------
    ValueError
        If the shape of `images`, `n_columns` or the number of labels is not as above.
    """
    images = np.asarray(images, dtype=float)
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[-1] not in (1, 3):
        images = np.moveaxis(images, 1, -1)  # channels last
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"images: expected (n, h, w[, 3]) or (n, 1|3, h, w), got {images.shape}")
    n, height, width, channels = images.shape
    if n_columns < 1:
        raise ValueError(f"n_columns: expected a positive number, got {n_columns}")
    if labels is not None and len(labels) != n:
        raise ValueError(f"labels: expected {n} entries, got {len(labels)}")
    low, high = limits
    images = np.clip((images - low) / (high - low), 0.0, 1.0)
    n_columns, gap = min(n_columns, n), max(1, width // 16)
    below = gap if labels is None else max(gap, height // 4)
    step_y, step_x = height + below, width + gap
    mosaic = np.full((-(-n // n_columns) * step_y, n_columns * step_x - gap, channels), np.nan)
    if ax is None:
        _, ax = plt.subplots(figsize=(7.0, 7.0 * mosaic.shape[0] / mosaic.shape[1]))
    for k in range(n):
        top, left = (k // n_columns) * step_y, (k % n_columns) * step_x
        mosaic[top : top + height, left : left + width] = images[k]
        if labels is not None:
            ax.text(left + width / 2, top + height, labels[k], ha="center", va="top", fontsize=11)
    picture = np.nan_to_num(mosaic, nan=1.0) if channels == 3 else mosaic[..., 0]
    ax.imshow(picture, cmap=cmap, vmin=0.0, vmax=1.0, interpolation="nearest")
    return bare(ax)


def convergence(
    ax: Axes, n, values, *, kind="loglog", label=None, color="plan", marker="o", slope=None
) -> Axes:
    """Draw measured values against size or iteration, with a triangle that shows a slope.

    Parameters
    ----------
    ax : matplotlib axes, drawn on and returned
    n, values : (k,) arrays
        Sizes or iteration numbers, increasing, and errors or times; positive where the axis is log.
    kind : {"loglog", "semilogy"}
    label : str, optional
    color : str
        Key of `COLORS`, or any matplotlib colour.
    marker : str
    slope : float, optional
        Exponent of the triangle drawn under the right half of the curve; ``loglog`` only.

    Raises
    ------
    ValueError
        If `kind` is unknown, the lengths differ, or a value cannot be shown on a log axis.
    """
    n, values = np.asarray(n, dtype=float), np.asarray(values, dtype=float)
    if kind not in ("loglog", "semilogy"):
        raise ValueError(f"kind: expected 'loglog' or 'semilogy', got {kind!r}")
    if n.shape != values.shape or n.ndim != 1:
        raise ValueError(f"values: expected the shape of n, {n.shape}, got {values.shape}")
    if np.any(values <= 0) or (kind == "loglog" and np.any(n <= 0)):
        raise ValueError("values: expected positive numbers for a log axis")
    if slope is not None and (kind != "loglog" or len(n) < 2):
        raise ValueError("slope: expected kind='loglog' and at least two values")
    getattr(ax, kind)(n, values, marker=marker, color=COLORS.get(color, color), label=label)
    ax.grid(True, which="major", color=COLORS["light"], linewidth=0.6)
    if slope is not None:
        _slope_triangle(ax, n, values, slope)
    return ax


def _slope_triangle(ax: Axes, n: np.ndarray, values: np.ndarray, slope: float) -> None:
    """Draw a right triangle of the given log-log slope below the right half of a curve."""
    left, right = np.sqrt(n[0] * n[-1]), n[-1]
    base = 0.6 * np.exp(np.interp(np.log([left, right]), np.log(n), np.log(values)))
    start = min(base[0], base[1] * (left / right) ** slope)  # both corners stay below the curve
    end = start * (right / left) ** slope
    x, y = (right, start) if slope > 0 else (left, end)
    ax.fill([left, right, x], [start, end, y], fill=False, ec=COLORS["grey"], lw=1.2)
    place = {"xytext": (5 if slope > 0 else -5, 0), "textcoords": "offset points", "va": "center"}
    place |= {"ha": "left" if slope > 0 else "right", "color": COLORS["grey"]}
    ax.annotate(f"${slope:g}$", (x, np.sqrt(start * end)), **place)


def _plane(xy, name: str) -> np.ndarray:
    """Return `xy` as a float array of points in the plane."""
    xy = np.asarray(xy, dtype=float)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"{name}: expected shape (n, 2), got {xy.shape}")
    return xy
