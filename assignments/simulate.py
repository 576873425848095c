"""A class that never was: ``python -m assignments.simulate --course FOLDER [--students 30] ps1``.

It writes submissions to `FOLDER/submitted`: one of each kind that goes wrong in a class
(`HOSTILE`), the others with answers of `answers.md`, right and wrong. Each comes with the tests
that it should lose, so that a whole grading run can be checked.
"""

import argparse
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_output

from . import sources
from .course import Course, release

HUNDRED_MB = 100 * 2**20


@dataclass(frozen=True)
class Student:
    """A submission's folder, the tests it should lose ("all" is possible), a word of its report."""

    name: str
    loses: frozenset[str] = field(default_factory=frozenset)
    remark: str = ""


def write_class(course: Course, name: str, *, students: int, folder: Path = sources.HERE):
    """Write submissions for problem set `name`; return the list of `Student`."""
    maker = Maker(course, name, folder)
    made = [make(maker) for make in HOSTILE]
    choices = sources.answers(name, folder)
    for k in range(max(0, students - len(made))):
        chosen = choices[k // 2 * 7 % len(choices)] if k % 2 else None
        label = f"s{len(made) + 1:02d}"
        changed = {chosen.cell: chosen.code} if chosen else {}
        maker.hand_in(label, maker.answered(changed))
        made.append(Student(label, frozenset(chosen.loses if chosen else ())))
    return made


class Maker:
    """Makes submissions of one problem set from its reference answers."""

    def __init__(self, course: Course, name: str, folder: Path):
        release(course, name, folder=folder, check=False)
        self.course, self.name = course, name
        self.released = course.released(name)
        self.source = sources.read(name, folder)
        self.answers = sources.answers(name, folder)
        self.tests = [sources.label(c) for c in self.source.cells if "-test" in sources.label(c)]
        codes = [sources.label(c) for c in self.source.cells if "-code" in sources.label(c)]
        self.first, self.last = codes[0], codes[-1]

    def answered(self, changed: dict[str, str] | None = None):
        """Return the released notebook with the reference answers, some of them changed."""
        notebook = nbformat.from_dict(json.loads(json.dumps(self.released)))
        right = {sources.label(c): sources.without_marks(c.source) for c in self.source.cells}
        for cell in notebook.cells:
            if cell.metadata.nbgrader.solution:
                label = sources.label(cell)
                cell.source = (changed or {}).get(label, right[label])
        return notebook

    def right(self, label: str) -> str:
        """Return the reference answer of one cell."""
        cell = next(c for c in self.source.cells if sources.label(c) == label)
        return sources.without_marks(cell.source)

    def tests_without(self, label: str) -> frozenset[str]:
        """Return the tests that fail when one answer is missing."""
        cells = sources.cells_of(self.source, "-".join(label.split("-")[:2]))
        outcome = sources.run(cells, replace={label: "raise NotImplementedError"})
        return frozenset(test for test in self.tests if test in outcome.failures)

    def tests_after(self, label: str) -> frozenset[str]:
        """Return the tests that come after a cell."""
        labels = [sources.label(cell) for cell in self.source.cells]
        return frozenset(labels[labels.index(label) :]) & frozenset(self.tests)

    def hand_in(self, student: str, notebook, file: str = "") -> Path:
        """Write a submission."""
        path = self.course.root / "submitted" / student / self.name / (file or f"{self.name}.ipynb")
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir(parents=True)
        if notebook is not None:
            path.write_text(nbformat.writes(notebook), encoding="utf-8")
        return path


def syntax_error(m: Maker) -> Student:
    """Hand in an answer that does not compile."""
    m.hand_in("syntax-error", m.answered({m.first: m.right(m.first) + "\nreturn return"}))
    return Student("syntax-error", m.tests_without(m.first))


def infinite_loop(m: Maker) -> Student:
    """Hand in an answer that never ends."""
    m.hand_in("infinite-loop", m.answered({m.first: "while True:\n    pass\n" + m.right(m.first)}))
    return Student("infinite-loop", m.tests_without(m.first), "stopped after")


def stubborn_loop(m: Maker) -> Student:
    """Hand in a loop that does not listen to an interrupt."""
    code = "while True:\n    try:\n        while True:\n            pass\n"
    code += "    except BaseException:\n        pass\n"
    m.hand_in("stubborn-loop", m.answered({m.first: code}))
    return Student("stubborn-loop", frozenset(m.tests), "did not listen")


def memory_hog(m: Maker) -> Student:
    """Hand in code that takes all memory."""
    # pieces of a GiB: what is left below the limit is enough for the other answers
    code = "\nhog = []\nwhile True:\n    hog.append(bytearray(2**30))\n"
    m.hand_in("memory-hog", m.answered({m.first: m.right(m.first) + code}))
    return Student("memory-hog", remark="out of memory")


def deleted_tests(m: Maker) -> Student:
    """Hand in a notebook without its tests."""
    notebook = m.answered()
    notebook.cells = [c for c in notebook.cells if "-test" not in sources.label(c)]
    m.hand_in("deleted-tests", notebook)
    return Student("deleted-tests", remark="deleted and put back")


def duplicated_test(m: Maker) -> Student:
    """Hand in a notebook with a test twice."""
    notebook, cells = m.answered(), []
    for cell in notebook.cells:
        cells.append(cell)
        if sources.label(cell) == m.tests[0]:
            cells.append(nbformat.from_dict({**json.loads(json.dumps(cell)), "id": "copy"}))
    notebook.cells = cells
    m.hand_in("duplicated-test", notebook)
    return Student("duplicated-test", remark="copied")


def tampered_test(m: Maker) -> Student:
    """Hand in a wrong answer, and every test replaced by `pass`."""
    wrong = next(a for a in m.answers if a.loses)
    notebook = m.answered({wrong.cell: wrong.code})
    for cell in notebook.cells:
        if "-test" in sources.label(cell):
            cell.source = "pass"
    m.hand_in("tampered-test", notebook)
    return Student("tampered-test", frozenset(wrong.loses), "changed and restored")


def tampered_checks(m: Maker) -> Student:
    """Hand in a wrong answer and code that replaces every check."""
    wrong = next(a for a in m.answers if a.loses)
    notebook = m.answered({wrong.cell: wrong.code})
    code = "for name in checks.__all__:\n    setattr(checks, name, lambda *a, **k: None)\n"
    notebook.cells.insert(2, new_code_cell(code))
    m.hand_in("tampered-checks", notebook)
    return Student("tampered-checks", frozenset(wrong.loses), "replaced checks, put back")


def renamed(m: Maker) -> Student:
    """Hand in a notebook with another name."""
    m.hand_in("renamed", m.answered(), "final version (2).ipynb")
    return Student("renamed", remark="renamed")


def missing(m: Maker) -> Student:
    """Hand in an empty folder."""
    m.hand_in("missing", None)
    return Student("missing", frozenset(m.tests), "no notebook")


def huge_output(m: Maker) -> Student:
    """Hand in 100 MB of output, and as much again when it is run."""
    code = f'{m.right(m.first)}\nprint("o" * {HUNDRED_MB})'
    notebook = m.answered({m.first: code})
    first = next(c for c in notebook.cells if c.cell_type == "code")
    first.outputs = [new_output("stream", text="o" * HUNDRED_MB)]
    m.hand_in("huge-output", notebook)
    return Student("huge-output", remark="cut")


def exits(m: Maker) -> Student:
    """Hand in code that ends the kernel."""
    m.hand_in("exits", m.answered({m.last: "import os\n\nos._exit(0)"}))
    return Student("exits", m.tests_after(m.last), "the kernel died")


def spy(m: Maker) -> Student:
    """Hand in code that reads the hidden tests and writes the gradebook."""
    code = f"""
import glob, os, sqlite3, subprocess
def quietly(action):
    try:
        action()
    except Exception:
        pass
quietly(lambda: print(open("{m.name}.ipynb").read()))
quietly(lambda: print(glob.glob("../../../**", recursive=True)))
quietly(lambda: open("../../../gradebook.db", "w").write("gone"))
quietly(lambda: sqlite3.connect("../../../gradebook.db").execute("update grade set auto_score = 9"))
quietly(lambda: subprocess.run(["rm", "-rf", "../../.."]))
"""
    m.hand_in("spy", m.answered({m.first: m.right(m.first) + code}))
    return Student("spy", remark="gradebook.db (refused)")


def latin_1(m: Maker) -> Student:
    """Hand in a file that is not UTF-8."""
    notebook = m.answered()
    notebook.cells.insert(1, new_code_cell("# Br\u00e9nier, stra\u00dfe"))
    path = m.hand_in("latin-1", notebook)
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1", "replace"))
    return Student("latin-1", remark="not UTF-8")


def torn(m: Maker) -> Student:
    """Hand in a file that is cut off."""
    path = m.hand_in("torn", m.answered())
    path.write_text(path.read_text(encoding="utf-8")[:-400], encoding="utf-8")
    return Student("torn", frozenset(m.tests), "not a notebook")


HOSTILE = (
    syntax_error,
    infinite_loop,
    stubborn_loop,
    memory_hog,
    deleted_tests,
    duplicated_test,
    tampered_test,
    tampered_checks,
    renamed,
    missing,
    huge_output,
    exits,
    spy,
    latin_1,
    torn,
)


def main() -> None:
    """Write a class's submissions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="problem set")
    parser.add_argument("--course", type=Path, required=True, help="a folder for this class only")
    parser.add_argument("--students", type=int, default=30)
    chosen = parser.parse_args()
    for student in write_class(Course.at(chosen.course), chosen.name, students=chosen.students):
        print(f"{student.name:16} should lose {', '.join(sorted(student.loses)) or 'nothing'}")


if __name__ == "__main__":
    main()
