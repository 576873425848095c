"""Figures the reader turns or plays: each with an alternative text and a still picture beside it.

While the book is built (``OMT_COURSE_BOOK`` is set), `show_3d` writes the data of a plotly figure
and a still into the page; one script of the site (``omt-figures.js``) draws it when it comes into
view, with the plotly script that the site carries. `animate` is whole in itself everywhere.
"""

import html
import json
import re
import uuid
from collections.abc import Callable, Sequence
from importlib import resources

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from omt_course.course import in_book
from omt_course.course.playable import packed, play
from omt_course.course.stills import check_alt, encode, still_of

__all__ = ["animate", "packed", "play", "show_3d", "still_of"]


def show_3d(figure, *, alt: str, still: Figure | None = None, titles: Sequence[str] = ()):
    """Show a plotly figure in three dimensions, with a still for print and slow devices.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure, or a list of them
        Not changed. In the book the background follows the page, light or dark, the height is at
        most a little more than the width, and the figures of a list are turned together.
    alt : str
        A sentence that says what is seen.
    still : matplotlib.figure.Figure, optional
        By default the meshes, surfaces, lines and points are drawn from the same camera.
    titles : sequence of str, optional
        One for each figure of a list; HTML.

    Returns
    -------
    IPython.display.HTML in the book, else `figure`, those of a list side by side in one; make it
    the last expression of its cell

    Raises
    ------
    ValueError
        If `alt` says too little, `figure` is no plotly figure, or titles are too few or too many.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> figure = go.Figure(go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1]))
    >>> show_3d(figure, alt="A segment from the origin to the corner of the cube.") is figure
    True
    """
    check_alt(alt)
    figures = list(figure) if isinstance(figure, list | tuple) else [figure]
    for one in figures:
        if not hasattr(one, "to_plotly_json"):
            raise ValueError(f"figure: expected a plotly figure, got {type(one).__name__}")
    together = figures[0] is not figure
    if len(titles) != (len(figures) if together else 0):
        what = len(figures) if together else "a single figure"
        raise ValueError(f"titles: expected one for each of a list, got {len(titles)} for {what}")
    if not in_book():
        return _side_by_side(figures, titles) if together else figure
    from IPython.display import HTML

    picture = still if still is not None else still_of(figure)
    contents, heights = [], []
    for one in figures:
        content = json.loads(one.to_json())
        content["layout"].pop("template", None)  # 7 kB of defaults; the site has its own
        heights.append(int(content["layout"].pop("height", None) or 460))  # the style sheet's
        contents.append(content)
    data = json.dumps(contents if together else contents[0], separators=(",", ":"))
    data = data.replace("</", "<\\/")
    text = html.escape(alt, quote=True)
    view = f'<div class="omt-3d-view" role="img" aria-label="{text}" hidden></div>'
    if together:
        view = '<div class="omt-3d-view" aria-label="%s" hidden></div>'
        title = '<div class="omt-3d-title" hidden>%s</div>'
        pairs = [(re.sub("<.*?>", "", name), name) for name in titles]
        parts = [f'<div class="omt-3d-part">{view}{title}</div>' % pair for pair in pairs]
        view = f'<div class="omt-3d-row" role="group" aria-label="{text}">{"".join(parts)}</div>'
    return HTML(
        f'<div class="omt-3d" style="--omt-height: {max(heights)}px">{view}'
        f'<img class="omt-3d-still" alt="{text}" src="{encode(picture)}">'
        f'<script type="application/json" class="omt-3d-data">{data}</script></div>'
    )


def _side_by_side(figures, titles):
    """One figure with a scene for each, in a row."""
    import plotly.graph_objects as go

    whole, n = go.Figure(), len(figures)
    for k, (one, title) in enumerate(zip(figures, titles, strict=True)):
        name = f"scene{k + 1}" if k else "scene"
        for trace in one.data:
            whole.add_trace(trace)
            whole.data[-1].scene = name
        scene = one.layout.scene.to_plotly_json() | {"domain": {"x": [k / n, (k + 1) / n]}}
        whole.update_layout({name: scene})
        whole.add_annotation(text=title, x=(k + 0.5) / n, y=1, showarrow=False)
    whole.update_annotations(xref="paper", yref="paper", yanchor="bottom")
    return whole.update_layout(margin=dict.fromkeys("lrb", 0) | {"t": 30})


def animate(
    draw: Callable[[Figure, int], object],
    n_frames: int,
    *,
    alt: str,
    size: tuple[float, float] = (6.0, 4.0),
    interval: float = 0.15,
    still: int = -1,
    dpi: int = 110,
):
    """Draw a picture for every step, and show them with play, pause, step and a slider.

    Nothing moves until the reader asks for it. Without scripts, and in print, frame `still` shows.

    Parameters
    ----------
    draw : callable
        ``draw(figure, k)`` draws frame ``k`` on an empty matplotlib figure.
    n_frames : int
        At least 2.
    alt : str
        A sentence that says what moves, and how.
    size : (width, height)
        Of a frame, in inches.
    interval : float
        Seconds between frames, at least 0.05.
    still : int
        The frame shown first.
    dpi : int

    Returns
    -------
    IPython.display.HTML; make it the last expression of its cell

    Raises
    ------
    ValueError
        If `alt` says too little, or a number is out of range.

    Examples
    --------
    >>> film = animate(lambda figure, k: figure.text(k / 2, 0.5, "o"), 2,
    ...                alt="A small circle moves from the left edge to the middle.")
    >>> film.data.count("data:image/webp")
    3
    """
    check_alt(alt)
    if n_frames < 2:
        raise ValueError(f"n_frames: expected at least 2, got {n_frames}")
    if not -n_frames <= still < n_frames:
        raise ValueError(f"still: expected a frame below {n_frames}, got {still}")
    if interval < 0.05:
        raise ValueError(f"interval: expected at least 0.05 seconds, got {interval}")
    from IPython.display import HTML

    frames = []
    figure = plt.figure(figsize=size)
    try:
        for k in range(n_frames):
            figure.clear()
            draw(figure, k)
            frames.append(encode(figure, dpi=dpi, kind="webp"))
    finally:
        plt.close(figure)
    page = resources.files("omt_course.course").joinpath("player.html").read_text("utf-8")
    values = {
        "@ID@": f"omt-film-{uuid.uuid5(uuid.NAMESPACE_OID, alt + frames[-1]).hex[:10]}",
        "@ALT@": html.escape(alt, quote=True),
        "@FRAMES@": json.dumps(frames),
        "@STILL@": str(still % n_frames),
        "@LAST@": str(n_frames - 1),
        "@COUNT@": str(n_frames),
        "@NUMBER@": str(still % n_frames + 1),
        "@INTERVAL@": str(round(1000 * interval)),
        "@SOURCE@": frames[still],
    }
    for key, value in values.items():
        page = page.replace(key, value)
    return HTML(page)
