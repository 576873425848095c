"""Figures that the reader plays with: a solver in the browser, and a still where there is none.

The figures are scripts of the site, ``book/_assets/play``. A page gives one its data and a still
picture, both computed by the package; the site's scripts start it when it comes into view.
"""

import base64
import html
import json
import re
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from omt_course.course import in_book
from omt_course.course.stills import check_alt, encode

_TYPES = ("float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32")


def play(
    name: str,
    *,
    alt: str,
    still: Figure,
    data: dict | None = None,
    scripts: Sequence[str] = (),
):
    """Show a playable figure: its still, and in the book the data that its script starts with.

    Parameters
    ----------
    name : str
        The script ``figure-<name>.js`` of ``book/_assets/play``.
    alt : str
        A sentence that says what is seen.
    still : matplotlib.figure.Figure
        The state the figure starts in; shown in print, without scripts, and in a notebook.
    data : dict, optional
        What the script starts with: numbers, text, lists, and arrays through `packed`.
    scripts : sequence of str
        Scripts of the same folder that it needs, in order.

    Returns
    -------
    IPython.display.HTML; make it the last expression of its cell

    Raises
    ------
    ValueError
        If a name is none, `alt` says too little, or `data` cannot be written as JSON.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> shown = play("sinkhorn", alt="A plan between two densities.", still=plt.Figure((1, 1)))
    >>> "moves on the site" in shown.data
    True
    """
    check_alt(alt)
    for word in (name, *scripts):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word):
            raise ValueError(f"name, scripts: expected lower-case words with hyphens, got {word!r}")
    try:
        text = json.dumps(data or {}, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"data: expected what JSON can hold ({error})") from None
    from IPython.display import HTML

    picture = f'<img class="omt-play-still" alt="{html.escape(alt)}" src="{encode(still)}">'
    if not in_book():
        return HTML(f"{picture}<p>This figure moves on the site of the course.</p>")
    content = text.replace("</", "<\\/")
    return HTML(
        f'<div class="omt-play" data-figure="{name}" data-scripts="{" ".join(scripts)}">'
        f'{picture}<div class="omt-play-stage" role="group" aria-label="{html.escape(alt)}" hidden>'
        f'</div><script type="application/json" class="omt-play-data">{content}</script></div>'
    )


def packed(array, dtype: str) -> dict:
    """Return an array as text for `play`: little-endian bytes in base 64, with type and shape.

    Parameters
    ----------
    array : array of any shape
    dtype : str
        One of float32, float64, int8, uint8, int16, uint16, int32, uint32.

    Returns
    -------
    dict with ``dtype``, ``shape`` and ``base64``

    Raises
    ------
    ValueError
        If the type is another, or cannot hold a number of the array.

    Examples
    --------
    >>> packed([[1, 2]], "uint8")
    {'dtype': 'uint8', 'shape': [1, 2], 'base64': 'AQI='}
    """
    if dtype not in _TYPES:
        raise ValueError(f"dtype: expected one of {', '.join(_TYPES)}, got {dtype!r}")
    array = np.asarray(array)
    if not np.isfinite(array).all():
        raise ValueError("array: expected finite numbers, got infinity or NaN")
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        if array.size and (array.min() < low or array.max() > high or (array % 1).any()):
            raise ValueError(f"array: expected integers from {low} to {high} for {dtype}")
    raw = np.ascontiguousarray(array, dtype=kind.newbyteorder("<")).tobytes()
    return {"dtype": dtype, "shape": list(array.shape), "base64": base64.b64encode(raw).decode()}
