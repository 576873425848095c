"""What only pages need: figures, exercise checks, records, and values glued into the text."""

import os
import time
from numbers import Number

_STARTED = time.perf_counter()  # the first import of a page; `records.provenance` reads it


def glue(name: str, value) -> None:
    """Keep a value under a name, for ``{glue:text}`` in the page's text.

    While the book is built the value is shown where the text refers to it. Anywhere else it is
    printed, so that a notebook that is read alone has it too.

    Parameters
    ----------
    name : str
        Unique in the book: begin it with the name of the page.
    value : str or number
        A string is shown as it is; format numbers with an f-string.

    Raises
    ------
    ValueError
        If `name` is empty, or `value` is neither a string nor a number.

    Notes
    -----
    The output it makes is the one ``myst_nb.glue`` makes, without the need to install myst-nb.

    Examples
    --------
    >>> glue("glossary-pi", f"{3.14159:.2f}")
    glossary-pi = 3.14
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"name: expected a name that is not empty, got {name!r}")
    if not isinstance(value, str | Number):
        raise ValueError(f"value: expected a string or a number, got {type(value).__name__}")
    if not in_book():
        print(f"{name} = {value if isinstance(value, str) else repr(value)}")
        return
    from IPython.display import display

    prefix = "application/papermill.record/"
    display(
        # myst-nb evaluates the text: without its quotes "1,120" would become a pair.
        {f"{prefix}text/plain": repr(value)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
    )


def in_book() -> bool:
    """Return whether the page is run by the build of the book (``OMT_COURSE_BOOK`` is set).

    Examples
    --------
    >>> in_book()
    False
    """
    return bool(os.environ.get("OMT_COURSE_BOOK"))
