"""Read an instructor's notebook and run it, cell after cell, with any answer put in.

A source is `assignments/<name>/<name>.md`, a MyST notebook with nbgrader's metadata. Its cells are
named `<name>-setup`, `<name>-<problem>-code`, `<name>-<problem>-test-...`; problems do not depend
on each other. Beside it, `answers.md` holds answers for the tests of the tests: right ones by
other methods, and plausible wrong ones, each with the tests that it loses.
"""

import contextlib
import io
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

HERE = Path(__file__).resolve().parent
NAMES = ("ps1", "ps2", "ps3", "ps4")


@dataclass(frozen=True)
class Answer:
    """An answer to one code cell: its title, why it is there, its code, the tests it must lose."""

    cell: str
    title: str
    why: str
    code: str
    loses: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What the tests of one problem say: points, the first line of each failure, seconds."""

    points: float
    maximum: float
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def read(name: str, folder: Path = HERE):
    """Return the instructor's notebook of a problem set, as an nbformat object."""
    path = folder / name / f"{name}.md"
    if not path.exists():
        known = ", ".join(sorted(p.parent.name for p in folder.glob("*/*.md") if is_source(p)))
        raise FileNotFoundError(f"name: no {path}; the problem sets are {known}")
    return jupytext.read(path, fmt="md:myst")


def is_source(path: Path) -> bool:
    """Return whether a file is the source of a problem set."""
    return path.stem == path.parent.name


def metadata(cell) -> dict:
    """Return a cell's nbgrader metadata, empty for a plain cell."""
    return cell.metadata.get("nbgrader", {})


def label(cell) -> str:
    """Return a cell's `grade_id`, "" for a plain cell."""
    return metadata(cell).get("grade_id", "")


def without_marks(source: str) -> str:
    """Return a cell's text as a student would have written it: without nbgrader's marks."""
    lines = (
        line
        for line in source.splitlines()
        if not line.strip().startswith(("### BEGIN", "### END"))
    )
    return "\n".join(lines)


def problem(cell) -> str:
    """Return the problem that a cell belongs to (`"ps1-2"`), or "" for the set-up cells."""
    found = re.match(r"(\w+-\d+)(?:-|$)", label(cell))
    return found.group(1) if found else ""


def cells_of(notebook, wanted: str) -> list:
    """Return the set-up cells and the code cells of one problem, in order."""
    return [c for c in code_cells(notebook) if problem(c) in ("", wanted)]


def code_cells(notebook) -> list:
    """Return all code cells of a notebook."""
    return [c for c in notebook.cells if c.cell_type == "code"]


def answers(name: str, folder: Path = HERE) -> list[Answer]:
    """Return the answers of `answers.md`: `## cell`, then `### title`, words, `Loses:`, code."""
    found, cell = [], ""
    text = (folder / name / "answers.md").read_text(encoding="utf-8")
    for part in re.split(r"^(?=#{2,3} )", text, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        if heading.startswith("## "):
            cell = heading[3:].strip()
            continue
        title = heading[4:].strip()
        words = re.match(r"(.*?)^Loses: *(.*?)$.*?```python\n(.*?)^```", body, re.S | re.M)
        if not words:
            raise ValueError(f"{name}/answers.md, {title!r}: expected words, `Loses: ...`, code")
        lost = () if words[2].strip() == "nothing" else tuple(words[2].replace(",", " ").split())
        found.append(Answer(cell, title, " ".join(words[1].split()), words[3], lost))
    return found


def run(cells, *, replace: dict[str, str] | None = None, key: str = "a course") -> Outcome:
    """Execute cells in one fresh namespace, as a kernel does; a test that raises gives no points.

    Parameters
    ----------
    cells : list of code cells
    replace : dict
        New code by `grade_id`.
    key : str
        `OMT_COURSE_KEY` of the run: it seeds the hidden tests.
    """
    space, failures, points, maximum = {"__name__": "__main__"}, {}, 0.0, 0.0
    began, before = time.perf_counter(), os.environ.get("OMT_COURSE_KEY")
    os.environ["OMT_COURSE_KEY"] = key
    try:
        for cell in cells:
            meta, name = metadata(cell), label(cell)
            source = (replace or {}).get(name, cell.source)
            worth = float(meta.get("points", 0)) if meta.get("grade") else 0.0
            maximum += worth
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, f"<{name}>", "exec"), space)  # noqa: S102
                points += worth
            except Exception as error:
                said = (str(error).strip().splitlines() or [""])[0]
                failures[name] = f"{type(error).__name__}: {said}"
    finally:
        if before is None:
            del os.environ["OMT_COURSE_KEY"]
        else:
            os.environ["OMT_COURSE_KEY"] = before
    return Outcome(points, maximum, failures, time.perf_counter() - began)
