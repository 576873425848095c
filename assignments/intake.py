"""Turn what a student handed in into a notebook that can be graded, and say what was odd.

The released notebook gives the frame: all its cells, in its order, with its locked text. The
student's notebook gives the answers and the cells that the student added. So a test that was
deleted, copied or changed is back in its place before anything runs, and nothing but text is
taken from the file: outputs, attachments and metadata stay behind. A tag in Markdown would be live
in the marker's browser, so `<b>` becomes `< b>`. The file itself is not changed.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

LARGEST = 256 * 2**20  # bytes of a notebook that we still read
LARGE = 10 * 2**20  # bytes worth a remark
LONGEST = 2**20  # characters of all cells a student wrote; 1 MB is a thick book


@dataclass(frozen=True)
class Intake:
    """A notebook ready to be graded, whether the student handed one in, and remarks about it."""

    notebook: nbformat.NotebookNode
    received: bool
    remarks: list[str] = field(default_factory=list)


def take_in(folder: Path, released: nbformat.NotebookNode, name: str) -> Intake:
    """Read the notebook of problem set `name` in a student's folder.

    Parameters
    ----------
    folder : path
        `submitted/<student>/<name>`; it may be missing or empty.
    released : notebook
        The student version as it was released.
    name : str
        Of the problem set: the notebook should be called `<name>.ipynb`.

    Returns
    -------
    Intake
        Where nothing can be graded, the unanswered notebook, with `received=False`.
    """
    remarks: list[str] = []
    try:
        path = choose(folder, name, remarks)
        text = decode(path, remarks)
        cells = parse(text, path.name)
        return Intake(rebuild(cells, released, remarks), True, remarks)
    except Unreadable as reason:
        return Intake(rebuild([], released, []), False, [*remarks, f"not graded: {reason}"])


class Unreadable(Exception):
    """There is nothing to grade; the message says why."""


def choose(folder: Path, name: str, remarks: list[str]) -> Path:
    """Return the notebook to grade: the one with the right name, or the only one."""
    found = sorted(folder.rglob("*.ipynb")) if folder.is_dir() else []
    found = [p for p in found if ".ipynb_checkpoints" not in p.parts and p.is_file()]
    found = [p for p in found if not p.is_symlink()]  # a link may point at anybody's file
    if not found:
        raise Unreadable(f"no notebook in {folder.parent.name}/{folder.name}")
    right = [p for p in found if p.name == f"{name}.ipynb"]
    if len(right) == 1:
        others = [p.name for p in found if p != right[0]]
        if others:
            remarks.append(f"other notebooks left aside: {', '.join(others)}")
        return right[0]
    if len(found) > 1:
        names = ", ".join(str(p.relative_to(folder)) for p in found)
        raise Unreadable(f"{len(found)} notebooks ({names}) and not exactly one {name}.ipynb")
    remarks.append(f"renamed: {found[0].name} read as {name}.ipynb")
    return found[0]


def decode(path: Path, remarks: list[str]) -> str:
    """Return the text of a file, whatever its encoding."""
    size = path.stat().st_size
    if size > LARGEST:
        raise Unreadable(f"{path.name} has {size / 2**20:.0f} MB, at most {LARGEST // 2**20}")
    if size > LARGE:
        remarks.append(f"{path.name} has {size / 2**20:.0f} MB; its outputs are left behind")
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        remarks.append(f"not UTF-8 (byte {error.start}): read as Latin-1, accents may be wrong")
        return data.decode("latin-1")
    if encoding != "utf-8-sig":
        remarks.append("not UTF-8: read as UTF-16")
    return text


def parse(text: str, name: str) -> list[dict]:
    """Return the cells of a notebook's JSON, as dictionaries with type, id and source."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} is not a notebook ({str(error)[:120]})") from None
    try:
        if content.get("nbformat", 4) < 4:
            content = nbformat.convert(nbformat.from_dict(content), 4)
        listed = content["cells"]
        cells = []
        for cell in listed:
            kind, source = cell["cell_type"], cell.get("source", "")
            source = source if isinstance(source, str) else "".join(source)
            label = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
            # lone surrogates can be written in JSON and in no file
            source = source.encode("utf-8", "replace").decode("utf-8")
            if kind in ("code", "markdown"):
                cells.append({"kind": kind, "label": str(label), "source": source})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{name} is no notebook of format 4 ({error!r:.120})") from None
    length = sum(len(c["source"]) for c in cells)
    if length > LONGEST:
        raise Unreadable(f"{name} has {length:,} characters in its cells, at most {LONGEST:,}")
    return cells


def rebuild(cells: list[dict], released, remarks: list[str]):
    """Return the released notebook with the student's answers and own cells put in."""
    frame = nbformat.from_dict(json.loads(json.dumps(released)))
    official = {c.metadata.nbgrader.grade_id: c for c in frame.cells if "nbgrader" in c.metadata}
    answers: dict[str, str] = {}
    last = {cell["label"]: k for k, cell in enumerate(cells)}
    own: dict[str, list] = {}  # cells that the student added, by the official cell before them
    anchor, changed, copies, moved = "", [], [], []
    order = list(official)
    for k, cell in enumerate(cells):
        label = cell["label"]
        if label not in official:
            own.setdefault(anchor, []).append(new_cell(cell))
            continue
        locked = not official[label].metadata.nbgrader.solution
        if k != last[label]:
            copies.append(label)
            if not locked:
                own.setdefault(anchor, []).append(new_cell(cell))
            continue
        if cell["kind"] != official[label].cell_type:
            changed.append(label)
        elif not locked:
            answers[label] = text_of(cell)
        elif cell["source"].strip() != official[label].source.strip():
            changed.append(label)
        if anchor and order.index(label) < order.index(anchor):
            moved.append(label)
        else:
            anchor = label
    if cells and not set(last) & set(official):
        raise Unreadable("the notebook has no cell of this problem set")
    gone = [label for label in official if label not in last] if cells else []
    for said, labels in (
        ("changed and restored", changed),
        ("deleted and put back", gone),
        ("copied: the last one counts", copies),
        ("moved and put back in its place", moved),
    ):
        if labels:
            remarks.append(f"{said}: {', '.join(dict.fromkeys(labels))}")
    built = list(own.get("", []))
    for cell in frame.cells:
        label = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        cell.source = answers.get(label, cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        built += [cell, *own.get(label, [])]
    frame.cells = built
    return frame


def new_cell(cell: dict):
    """Return a plain cell with a student's text."""
    make = new_code_cell if cell["kind"] == "code" else new_markdown_cell
    return make(text_of(cell))


def text_of(cell: dict) -> str:
    """Return a student's text, in Markdown without live tags."""
    if cell["kind"] == "code":
        return cell["source"]
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", cell["source"])
