"""A class is graded: everything that goes wrong in one, and nobody else's grade is touched."""

import csv
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from assignments import grade, simulate
from assignments.course import Course
from assignments.sources import label, metadata, read

TOY = Path(__file__).parent
LIMITS = grade.Limits(seconds=300, cell_seconds=10)


def graded(course):
    results = grade.grade(course, "toy", folder=TOY, limits=LIMITS, progress=False)
    grade.export(course, results)
    return {r.student: r for r in results}


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A course, its students with what they should lose, and the results of grading them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMT_COURSE_KEY", raising=False)
        course = Course.at(tmp_path_factory.mktemp("course"))
        students = simulate.write_class(course, "toy", students=19, folder=TOY)
        before = handed_in(course)
        results = graded(course)
        assert handed_in(course) == before, "what was handed in is never changed"
        yield course, students, results


def handed_in(course):
    files = sorted((course.root / "submitted").rglob("*.ipynb"))
    return [(p, p.stat().st_size, p.stat().st_mtime_ns) for p in files]


def test_every_student_gets_the_points_of_the_tests_that_pass(school):
    _, students, results = school
    points = {label(c): metadata(c).get("points", 0) for c in read("toy", TOY).cells}
    assert set(results) == {s.name for s in students}
    for student in students:
        expected = 5 - sum(points[test] for test in student.loses)
        assert results[student.name].automatic == expected, student.name
        assert results[student.name].maximum == 8


def test_every_oddity_is_reported_by_name(school):
    course, students, results = school
    report = (course.root / "report-toy.md").read_text(encoding="utf-8")
    for student in students:
        remarks = "; ".join(results[student.name].remarks)
        assert student.remark in remarks
        assert bool(student.remark) == (f"**{student.name}**" in report) or remarks
        if student.remark:
            assert student.remark in report


def test_what_was_not_handed_in_is_said_and_proofs_wait_for_a_person(school):
    course, _, results = school
    assert {n for n, r in results.items() if r.status == "not received"} == {"missing", "torn"}
    assert {n for n, r in results.items() if r.status == "failed"} == set()
    assert results["renamed"].pending == 1 and results["missing"].pending == 0
    table = (course.root / "grades-toy.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert [r["student"] for r in rows] == sorted(results)
    assert rows[0]["of"] == "8" and {r["to be graded"] for r in rows} == {"0", "1"}


def test_outputs_and_feedback_are_short(school):
    course, _, _ = school
    pages = sorted((course.root / "feedback").glob("*/toy/toy.html"))
    assert len(pages) == 19
    assert max(p.stat().st_size for p in pages) < 2**20
    assert "what the formula gives" in (course.root / "feedback/s19/toy/toy.html").read_text()


def test_grading_again_gives_the_same_grades_and_keeps_those_given_by_hand(school):
    course, _, results = school
    with Gradebook(f"sqlite:///{course.database}", "omt") as book:
        book.find_grade("toy-1-proof", "toy", "toy", "renamed").manual_score = 2.5
        book.db.commit()
    for folder in (course.root / "submitted").iterdir():
        if folder.name not in ("renamed", "s19", "spy"):
            for path in folder.rglob("*.ipynb"):
                path.unlink()
            (folder / "toy").rmdir()
            folder.rmdir()
    again = graded(course)
    assert set(again) == {"renamed", "s19", "spy"}
    assert {n: r.automatic for n, r in again.items()} == {n: results[n].automatic for n in again}
    assert again["renamed"].total == 7.5 and again["renamed"].by_hand == 2.5
    with Gradebook(f"sqlite:///{course.database}", "omt") as book:
        others = {s.student_id: s.score for s in book.assignment_submissions("toy")}
    kept = {n: r.total for n, r in results.items() if n != "renamed"}
    assert {n: s for n, s in others.items() if n != "renamed"} == kept
    assert len(list((course.root / "backups").glob("*.db"))) >= 1


def test_a_damaged_gradebook_stops_the_grading(tmp_path):
    course = Course.at(tmp_path)
    course.database.write_bytes(b"SQLite format 3\0" + b"gone" * 1000)
    with pytest.raises(RuntimeError, match="damaged"):
        grade.backup(course)


def test_a_backup_holds_what_the_gradebook_holds(tmp_path):
    course = Course.at(tmp_path)
    with sqlite3.connect(course.database) as db:
        db.execute("create table t (x)")
        db.execute("insert into t values (7)")
    db.close()
    grade.backup(course)
    (copy,) = (tmp_path / "backups").glob("*.db")
    copied = sqlite3.connect(copy)
    assert copied.execute("select x from t").fetchall() == [(7,)]
    copied.close()


def test_a_folder_with_a_strange_name_is_not_graded_but_named(tmp_path):
    course = Course.at(tmp_path)
    (tmp_path / "submitted" / "a b;c" / "toy").mkdir(parents=True)
    results = graded(course)
    assert (
        results["a b;c"].status == "failed" and "rename this folder" in results["a b;c"].remarks[0]
    )


def test_nothing_handed_in_is_said(tmp_path):
    command = [sys.executable, "-m", "assignments.grade", "--course", str(tmp_path)]
    done = subprocess.run(command, cwd=TOY.parents[1], capture_output=True, text=True)
    assert done.returncode == 1 and "FAILED: nothing in" in done.stderr
