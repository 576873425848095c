"""A course folder: where it keeps what, its key, its nbgrader settings, the release of a set."""

import argparse
import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config, PyFileConfigLoader

from omt_course.course.instances import KEY
from omt_course.files import write_atomically

from . import sources


@dataclass(frozen=True)
class Course:
    """The folder of one course. Nothing here is touched by `make clean`."""

    root: Path

    @classmethod
    def at(cls, folder) -> "Course":
        """Open a course folder; make it, with its settings and its key, if it is new."""
        course = cls(Path(folder).expanduser().resolve())
        course.root.mkdir(parents=True, exist_ok=True)
        settings = Path(__file__).with_name("nbgrader_config.py")
        course.write(
            "nbgrader_config.py",
            f"load_subconfig({str(settings)!r})\n"
            "c = get_config()\n"
            f"c.CourseDirectory.root = {str(course.root)!r}\n",
        )
        return course

    @property
    def database(self) -> Path:
        """The gradebook, an SQLite file."""
        return self.root / "gradebook.db"

    def key(self) -> str:
        """Return the key of the course: `OMT_COURSE_KEY`, or one that is made once and kept."""
        given, path = os.environ.get(KEY), self.root / "key"
        if given:
            return given
        if not path.exists():
            self.write("key", secrets.token_hex(16) + "\n")
            path.chmod(0o600)
        return path.read_text(encoding="utf-8").strip()

    def write(self, name: str, text: str) -> Path:
        """Write a text file whole."""
        path = self.root / name
        write_atomically(path, lambda stream: stream.write(text.encode("utf-8")))
        return path

    def settings(self) -> Config:
        """Return nbgrader's settings for this course."""
        return PyFileConfigLoader("nbgrader_config.py", path=str(self.root)).load_config()

    def api(self) -> NbGraderAPI:
        """Return nbgrader, ready to work in this folder."""
        # it starts the program `alembic`, which lies beside this Python and maybe not on the path
        beside = os.path.dirname(sys.executable)
        if beside not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = beside + os.pathsep + os.environ["PATH"]
        return NbGraderAPI(config=self.settings())

    def released(self, name: str) -> nbformat.NotebookNode:
        """Return the student version of a problem set."""
        path = self.root / "release" / name / f"{name}.ipynb"
        if not path.exists():
            raise FileNotFoundError(f"{path}: release {name} first (make assignments)")
        return nbformat.read(path, as_version=4)


def release(course: Course, name: str, *, folder: Path = sources.HERE, check: bool = True) -> Path:
    """Write the student version of a problem set, after its reference answers passed its tests.

    Parameters
    ----------
    course : Course
    name : str
        Of a folder below `folder` that holds `<name>.md`.
    folder : path
        Where the sources are.
    check : bool
        Whether to run the reference answers first, with the key of this course.

    Returns
    -------
    path
        Of the student's notebook.

    Raises
    ------
    RuntimeError
        If a reference answer loses a test, if nbgrader fails, or if a solution is left over.
    """
    notebook = sources.read(name, folder)
    if check:
        outcome = sources.run(sources.code_cells(notebook), key=course.key())
        if outcome.failures:
            raise RuntimeError(f"{name}: the reference answers fail: {outcome.failures}")
    text = jupytext.writes(notebook, fmt="ipynb")
    kept = course.root / "source" / name / f"{name}.ipynb"
    target = course.root / "release" / name / f"{name}.ipynb"
    if not (target.exists() and kept.exists() and same(kept.read_text("utf-8"), text)):
        course.write(f"source/{name}/{name}.ipynb", text)
        done = course.api().generate_assignment(name, force=True, create=True)
        if not done["success"]:
            raise RuntimeError(f"{name}: nbgrader generate_assignment failed:\n{done['log']}")
    left = leaks(notebook, target.read_text(encoding="utf-8"))
    if left:
        target.unlink()
        raise RuntimeError(f"{name}: the release still holds {left[0]!r}; it was removed")
    return target


def same(one: str, other: str) -> bool:
    """Return whether two notebooks agree in all but the random ids of their cells."""
    first, second = json.loads(one), json.loads(other)
    for cell in first["cells"] + second["cells"]:
        cell.pop("id", None)
    return first == second


def leaks(notebook, published: str, *, share: float = 0.0) -> list[str]:
    """Return the lines of solutions and hidden tests of a source that a published text holds.

    A line counts if it has more than 20 letters and digits, is no import, and occurs nowhere in
    the text that students are meant to see. `published` may be HTML or JSON: only letters and
    digits are compared.

    Parameters
    ----------
    notebook : notebook
        Of the instructor.
    published : str
    share : float
        A solution counts if more than this share of its lines is there. Chapters and solutions
        have single lines in common; a third of a solution is no accident.
    """
    hidden, shown = split(notebook)
    seen, text = squeeze(" ".join(shown)), squeeze(published)
    found: list[str] = []
    for block in hidden:
        lines = dict.fromkeys(line.strip() for line in block)
        lines = [line for line in lines if not line.startswith(("import ", "from "))]
        lines = [line for line in lines if len(squeeze(line)) > 20 and squeeze(line) not in seen]
        there = [line for line in lines if squeeze(line) in text]
        if there and len(there) > share * len(lines):
            found += there
    return found


def split(notebook) -> tuple[list[list[str]], list[str]]:
    """Return the blocks of lines that students must not see, and the lines that they may."""
    hidden, shown = [], []
    for cell in notebook.cells:
        inside = False
        for line in cell.source.splitlines():
            mark = line.strip()
            if mark in ("### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS"):
                inside = True
                hidden.append([])
            elif mark in ("### END SOLUTION", "### END HIDDEN TESTS"):
                inside = False
            elif inside:
                hidden[-1].append(line)
            else:
                shown.append(line)
    return hidden, shown


def squeeze(text: str) -> str:
    """Return the letters and digits of a text; JSON's and HTML's escapes don't matter then."""
    text = text.replace("\\n", "\n").replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
    return "".join(filter(str.isalnum, text))


def main() -> int:
    """Release problem sets: ``python -m assignments.course --course FOLDER [ps1 ...]``."""
    parser = argparse.ArgumentParser(description=main.__doc__.split(":")[0])
    parser.add_argument("names", nargs="*", default=list(sources.NAMES), help="problem sets")
    parser.add_argument("--course", type=Path, default=Path("classroom"), help="its folder")
    parser.add_argument("--no-check", action="store_true", help="don't run the reference answers")
    chosen = parser.parse_args()
    course = Course.at(chosen.course)
    for name in chosen.names:
        print(f"{name}: running the reference answers and its tests", flush=True)
        try:
            print(f"  wrote {release(course, name, check=not chosen.no_check)}", flush=True)
        except (RuntimeError, FileNotFoundError) as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
