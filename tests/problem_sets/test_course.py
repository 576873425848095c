"""A course folder, and a release that holds no solution."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from assignments import sources
from assignments.course import Course, leaks, release, same, split
from assignments.sources import code_cells, label, metadata, read, run

TOY = Path(__file__).parent


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return Course.at(tmp_path_factory.mktemp("course"))


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OMT_COURSE_KEY", raising=False)


@pytest.mark.parametrize("name", sources.NAMES)
def test_the_release_has_every_cell_and_no_solution(course, name):
    path = release(course, name, check=False)
    source, released = read(name), nbformat.read(path, as_version=4)
    assert [label(c) for c in released.cells] == [label(c) for c in source.cells]
    text = path.read_text(encoding="utf-8")
    assert leaks(source, text) == []
    hidden, _ = split(source)
    assert sum(map(len, hidden)) > 100
    assert "BEGIN SOLUTION" not in text and "HIDDEN" not in text and "fresh(" not in text
    for cell in released.cells:
        if metadata(cell)["solution"]:
            assert "YOUR ANSWER HERE" in cell.source or "NotImplementedError" in cell.source


@pytest.mark.parametrize("name", sources.NAMES)
def test_an_untouched_release_earns_nothing(course, name):
    outcome = run(code_cells(nbformat.read(release(course, name, check=False), as_version=4)))
    assert outcome.points == 0, "a test passes without an answer"


def test_releasing_again_changes_nothing_and_a_new_text_is_released(course, tmp_path):
    shutil.copytree(TOY / "toy", tmp_path / "toy")
    path = release(course, "toy", folder=tmp_path)
    first = path.read_bytes()
    assert release(course, "toy", folder=tmp_path).read_bytes() == first
    source = tmp_path / "toy" / "toy.md"
    source.write_text(source.read_text().replace("A toy,", "Another toy,"))
    release(course, "toy", folder=tmp_path)
    assert "Another toy" in path.read_text() and b"Another toy" not in first
    assert not same(first.decode(), path.read_text())


def test_a_reference_answer_that_fails_stops_the_release(course, tmp_path):
    shutil.copytree(TOY / "toy", tmp_path / "toy")
    source = tmp_path / "toy" / "toy.md"
    source.write_text(source.read_text().replace(".sum(axis=-1) / 2", ".sum(axis=-1)"))
    with pytest.raises(RuntimeError, match="toy-2-test-cost.*twice what the formula gives"):
        release(course, "toy", folder=tmp_path)


def test_a_solution_outside_its_marks_is_found():
    toy = read("toy", TOY)
    line = "return np.asarray(a)[:, None] * np.asarray(b)[None, :]"
    assert leaks(toy, f"<p>Hint: <code>{line}</code></p>") == [line]
    assert leaks(toy, json.dumps({"source": ["def f(a, b):\n", f"    {line}\n"]})) == [line]
    assert leaks(toy, f"{line} and more", share=1) == []
    assert leaks(toy, "the sum over the columns of a row") == []
    assert leaks(toy, "The sum over the columns of a row is its mass, since the masses of the "
                      "columns sum to one.")  # fmt: skip


def test_the_key_is_made_once_and_the_environment_comes_first(tmp_path, monkeypatch):
    course = Course.at(tmp_path)
    key = course.key()
    assert len(key) == 32 and Course.at(tmp_path).key() == key
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("OMT_COURSE_KEY", "spring")
    assert course.key() == "spring"


def test_what_was_not_released_cannot_be_graded(tmp_path):
    with pytest.raises(FileNotFoundError, match="release toy first"):
        Course.at(tmp_path).released("toy")
