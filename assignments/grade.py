"""Grade what a class handed in: ``python -m assignments.grade --course FOLDER [ps1 ...]``.

One student after the other, each in a process of its own with limits on time, memory and output;
nothing that one submission does reaches another one's grade. nbgrader restores, runs, scores,
stores and writes the feedback; the steps before it (`intake`) and around it (`kernel`,
`execution`) are ours. Grading again gives the same grades and keeps what was graded by hand.
"""

import argparse
import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from tqdm import tqdm

from omt_course.course.instances import KEY

from . import sources
from .course import Course, release
from .intake import take_in

STUDENT = re.compile(r"[\w.@-]+", re.ASCII)
COLUMNS = ("student", "set", "status", "automatic", "by hand", "total", "of", "to be graded")


@dataclass(frozen=True)
class Limits:
    """Of one submission: seconds in all and of one cell, bytes of private memory of its kernel."""

    seconds: float = 900.0
    cell_seconds: int = 60
    memory: int = 4 * 2**30


@dataclass
class Result:
    """One submission: how its grading ended, its points, and what was odd about it."""

    student: str
    name: str
    status: str = "graded"  # graded, not received, failed
    automatic: float | None = None
    by_hand: float | None = None
    total: float | None = None
    maximum: float | None = None
    pending: int = 0  # cells that wait for a person
    remarks: list[str] = field(default_factory=list)


def grade(
    course: Course,
    name: str,
    *,
    folder: Path = sources.HERE,
    limits: Limits | None = None,
    progress: bool = True,
) -> list[Result]:
    """Grade every submission of a problem set.

    Parameters
    ----------
    course : Course
        Reads `submitted/<student>/<name>/`; writes `checked`, `autograded`, `feedback`, `logs`,
        and the gradebook, after a copy of it in `backups`.
    name : str
        Of the problem set.
    folder : path
        Where the sources are.
    limits : Limits
        Of one submission.

    Returns
    -------
    list of Result
        One for each student, in the order of their names.
    """
    release(course, name, folder=folder, check=False)
    released = course.released(name)
    backup(course)
    install_kernel(course)
    results = []
    students = sorted(p for p in (course.root / "submitted").glob("*") if p.is_dir())
    for path in tqdm(students, desc=name, unit="student", disable=not progress):
        result = Result(path.name, name)
        results.append(result)
        if not STUDENT.fullmatch(path.name) or path.is_symlink():
            result.status = "failed"
            result.remarks = ["rename this folder: letters, digits and . _ @ - only, no link"]
            continue
        try:
            taken = take_in(path / name, released, name)
            result.status = "graded" if taken.received else "not received"
            result.remarks += taken.remarks
            course.write(
                f"checked/{path.name}/{name}/{name}.ipynb", nbformat.writes(taken.notebook)
            )
            run_one(course, result, folder, limits or Limits())
        except Exception as error:  # whatever it is, the others are graded
            result.status = "failed"
            result.remarks.append(f"{type(error).__name__}: {error}")
    read_scores(course, results)
    return results


def backup(course: Course) -> None:
    """Copy the gradebook aside, after a check that it is whole."""
    if not course.database.exists():
        return
    intact(course)
    target = course.root / "backups" / f"gradebook-{time.strftime('%Y%m%d-%H%M%S')}.db"
    target.parent.mkdir(exist_ok=True)
    with sqlite3.connect(course.database) as db, sqlite3.connect(target) as copy:
        db.backup(copy)
    db.close()
    copy.close()


def intact(course: Course) -> None:
    """Raise `RuntimeError` if the gradebook is damaged."""
    db = sqlite3.connect(course.database)
    try:
        answer = db.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        answer = str(error)
    finally:
        db.close()
    if answer != "ok":
        raise RuntimeError(f"{course.database} is damaged ({answer}); see {course.root}/backups")


def install_kernel(course: Course) -> None:
    """Describe the guarded kernel to Jupyter, under the name that the notebooks ask for."""
    spec = {
        "argv": [sys.executable, "-m", "assignments.kernel", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
    }
    course.write(".kernels/kernels/python3/kernel.json", json.dumps(spec))


def run_one(course: Course, result: Result, folder: Path, limits: Limits) -> None:
    """Let nbgrader grade one submission in a process of its own; add what was noticed."""
    logs = course.root / "logs" / result.name
    logs.mkdir(parents=True, exist_ok=True)
    notes, denied, log = (logs / f"{result.student}.{end}" for end in ("notes", "denied", "log"))
    for path in (notes, denied):
        path.write_text("")
    # our own folder is readable for the kernel, the sources and the course's folder are not
    secret = [course.root, *(p.parent for p in folder.glob("*/*.md") if sources.is_source(p))]
    environment = {
        **os.environ,
        KEY: course.key(),
        "JUPYTER_PATH": str(course.root / ".kernels"),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(sources.HERE.parent), os.environ.get("PYTHONPATH")])
        ),
        "OMP_NUM_THREADS": "1",
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", f"{tempfile.gettempdir()}/omt-matplotlib"),
        "OMT_GRADE_NOTES": str(notes),
        "OMT_GRADE_DENIED": str(denied),
        "OMT_GRADE_SECRET": os.pathsep.join(map(str, secret)),
        "OMT_GRADE_MEMORY": str(limits.memory),
        "OMT_GRADE_CELL_SECONDS": str(limits.cell_seconds),
    }
    command = [sys.executable, "-m", "assignments.grade", "--course", str(course.root)]
    command += ["--student", result.student, result.name]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            status = f"stopped after {limits.seconds:g} s"
        finally:
            if process.poll() is None:  # its kernel dies with it
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    result.remarks += lines(notes) + [f"{line} (refused)" for line in lines(denied)]
    if status != 0:
        result.status = "failed"
        result.remarks.append(f"nbgrader: {status}, see {log.relative_to(course.root)}")


def lines(path: Path, most: int = 5) -> list[str]:
    """Return the first different lines of a file, and how many more there are."""
    text = path.read_bytes()[: 2**20].decode("utf-8", "replace")
    found = list(dict.fromkeys(line.strip()[:200] for line in text.splitlines() if line.strip()))
    return found[:most] + ([f"and {len(found) - most} more"] if len(found) > most else [])


def grade_here(course: Course, name: str, student: str) -> int:
    """Run nbgrader's two steps for one student in this process; return its exit status."""
    api = course.api()
    for step in (api.autograde, api.generate_feedback):
        done = step(name, student, force=True)
        print(done.get("log", ""), done.get("error", ""), flush=True)
        if not done["success"]:
            return 1
    return 0


def read_scores(course: Course, results: list[Result]) -> None:
    """Fill in the points that the gradebook holds."""
    with Gradebook(f"sqlite:///{course.database}", "omt") as book:
        for result in results:
            if result.status == "failed":
                continue
            try:
                found = book.find_submission(result.name, result.student)
            except MissingEntry:
                result.status = "failed"
                result.remarks.append("nothing in the gradebook")
                continue
            grades = [g for notebook in found.notebooks for g in notebook.grades]
            code = [g for g in grades if g.cell.cell_type == "code"]
            result.automatic = sum(g.score for g in code)
            result.by_hand = sum(g.score for g in grades if g.cell.cell_type != "code")
            result.total, result.maximum = found.score, found.max_score
            result.pending = sum(bool(g.needs_manual_grade) for g in grades)


def export(course: Course, results: list[Result]) -> None:
    """Write `grades-<set>.csv` and `report-<set>.md` (what was odd, by name) for each set."""
    for name in dict.fromkeys(r.name for r in results):
        own = [r for r in results if r.name == name]
        stream = io.StringIO()
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for r in own:
            points = [r.automatic, r.by_hand, r.total, r.maximum]
            shown = ["" if p is None else f"{p:g}" for p in points]
            table.writerow([r.student, r.name, r.status, *shown, r.pending])
        course.write(f"grades-{name}.csv", stream.getvalue())
        words = [f"# {name}: what was odd\n"]
        words += [
            f"- **{r.student}** ({r.status}): {'; '.join(r.remarks)}" for r in own if r.remarks
        ]
        course.write(f"report-{name}.md", "\n".join(words) + "\n")


def main() -> int:
    """Grade; print a line for each student; return 1 if a submission could not be graded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="problem sets; those handed in by default")
    parser.add_argument("--course", type=Path, default=Path("classroom"), help="its folder")
    parser.add_argument("--sources", type=Path, default=sources.HERE, help="of the problem sets")
    parser.add_argument("--seconds", type=float, default=900.0, help="for one submission")
    parser.add_argument("--cell-seconds", type=int, default=60, help="for one cell")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB of one kernel")
    parser.add_argument("--student", help=argparse.SUPPRESS)  # how it starts itself
    chosen = parser.parse_args()
    course = Course.at(chosen.course)
    if chosen.student:
        return grade_here(course, chosen.names[0], chosen.student)
    handed_in = {p.name for p in (course.root / "submitted").glob("*/*") if p.is_dir()}
    known = {p.parent.name for p in chosen.sources.glob("*/*.md") if sources.is_source(p)}
    names = chosen.names or sorted(handed_in & known)
    if not names:
        print(f"FAILED: nothing in {course.root}/submitted/<student>/<set>/", file=sys.stderr)
        return 1
    results = []
    limits = Limits(chosen.seconds, chosen.cell_seconds, int(chosen.memory * 2**30))
    for name in names:
        began = time.monotonic()
        found = grade(course, name, folder=chosen.sources, limits=limits)
        export(course, found)
        results += found
        for r in found:
            points = "-" if r.total is None else f"{r.automatic:g} + {r.by_hand:g} of {r.maximum:g}"
            print(f"{r.student:16} {r.status:12} {points:16} {'; '.join(r.remarks)}")
        print(f"{name}: {len(found)} students, {time.monotonic() - began:.0f} s, gradebook intact")
        intact(course)
    return int(any(r.status == "failed" for r in results))


if __name__ == "__main__":
    sys.exit(main())
