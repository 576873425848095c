"""What students hand in, whole, torn, renamed or changed, becomes what can be graded."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assignments.intake import take_in


def cell(make, label, source, *, locked):
    meta = {"grade_id": label, "locked": locked, "solution": not locked, "grade": "test" in label}
    return make(source, metadata={"nbgrader": meta})


@pytest.fixture
def released():
    return new_notebook(
        cells=[
            cell(new_markdown_cell, "t-title", "# Title", locked=True),
            cell(new_code_cell, "t-1-code", "stub", locked=False),
            cell(new_code_cell, "t-1-test", "assert f()", locked=True),
            cell(new_markdown_cell, "t-1-proof", "YOUR ANSWER HERE", locked=False),
        ]
    )


@pytest.fixture
def hand_in(tmp_path, released):
    """Change a copy of the released notebook, hand it in, take it in."""

    def act(change=lambda nb: None, *, file="t.ipynb", raw=None):
        notebook = nbformat.from_dict(json.loads(json.dumps(released)))
        notebook.cells[1].source = "f = lambda: True"
        notebook.cells[3].source = "Since."
        change(notebook)
        folder = tmp_path / "ada" / "t"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(notebook, ensure_ascii=False)
        (folder / file).write_bytes(text.encode() if raw is None else raw(text))
        return take_in(folder, released, "t")

    return act


def sources(taken):
    return [c.source for c in taken.notebook.cells]


WHOLE = ["# Title", "f = lambda: True", "assert f()", "Since."]


def test_an_honest_notebook_passes_without_a_remark(hand_in):
    taken = hand_in()
    assert taken.received and taken.remarks == [] and sources(taken) == WHOLE


def test_own_cells_stay_where_the_student_put_them(hand_in):
    def change(nb):
        nb.cells.insert(1, new_code_cell("helper = 1"))
        nb.cells.insert(0, new_markdown_cell("My name"))
        nb.cells.append(new_code_cell("scratch"))

    taken = hand_in(change)
    expected = ["My name", "# Title", "helper = 1", *WHOLE[1:], "scratch"]
    assert sources(taken) == expected and taken.remarks == []


def test_a_changed_test_is_restored(hand_in):
    taken = hand_in(lambda nb: nb.cells[2].update(source="pass"))
    assert sources(taken) == WHOLE and taken.remarks == ["changed and restored: t-1-test"]


def test_a_deleted_test_is_put_back(hand_in):
    taken = hand_in(lambda nb: nb.cells.pop(2))
    assert sources(taken) == WHOLE and taken.remarks == ["deleted and put back: t-1-test"]


def test_a_deleted_answer_is_empty(hand_in):
    taken = hand_in(lambda nb: nb.cells.pop(1))
    assert sources(taken) == ["# Title", "stub", "assert f()", "Since."]


def test_a_copied_test_is_dropped(hand_in):
    taken = hand_in(lambda nb: nb.cells.insert(2, nb.cells[2]))
    assert sources(taken) == WHOLE
    assert taken.remarks == ["copied: the last one counts: t-1-test"]


def test_of_two_answers_the_last_one_counts_and_the_first_one_runs_before_it(hand_in):
    def change(nb):
        first = json.loads(json.dumps(nb.cells[1]))
        nb.cells.insert(1, nbformat.from_dict({**first, "source": "f = None"}))

    taken = hand_in(change)
    assert sources(taken) == ["# Title", "f = None", *WHOLE[1:]]


def test_a_moved_test_runs_in_its_place(hand_in):
    taken = hand_in(lambda nb: nb.cells.insert(1, nb.cells.pop(2)))
    assert sources(taken) == WHOLE
    assert taken.remarks == ["moved and put back in its place: t-1-code"]


def test_a_cell_of_another_kind_is_no_answer(hand_in):
    def change(nb):
        nb.cells[1] = cell(new_markdown_cell, "t-1-code", "f = 1", locked=False)

    taken = hand_in(change)
    assert sources(taken)[1] == "stub"
    assert taken.remarks == ["changed and restored: t-1-code"]


def test_metadata_and_outputs_of_the_student_are_left_behind(hand_in):
    def change(nb):
        nb.cells[2].metadata.nbgrader.update(points=99, locked=False, solution=True)
        nb.cells[2].outputs = [nbformat.v4.new_output("stream", text="100")]
        nb.metadata["kernelspec"] = {"name": "bash", "display_name": "Bash", "language": "bash"}

    taken = hand_in(change)
    meta = taken.notebook.cells[2].metadata.nbgrader
    assert meta.get("points") is None and meta.locked and not meta.solution
    assert taken.notebook.cells[2].outputs == [] and "kernelspec" not in taken.notebook.metadata


def test_tags_in_written_answers_are_dead_and_formulas_live(hand_in):
    def change(nb):
        nb.cells[3].source = "$a<b$ <script>alert(1)</script>"
        nb.cells.append(new_markdown_cell("<img src=x onerror=alert(1)>"))
        nb.cells[1].source = "f = lambda: 1<b"

    code, _, proof, own = sources(hand_in(change))[1:]
    assert proof == "$a< b$ < script>alert(1)< /script>"
    assert own == "< img src=x onerror=alert(1)>" and code == "f = lambda: 1<b"


def test_a_renamed_notebook_is_found(hand_in):
    taken = hand_in(file="final (2).ipynb")
    assert taken.received and taken.remarks == ["renamed: final (2).ipynb read as t.ipynb"]


def test_the_right_name_wins_and_the_others_are_named(hand_in, tmp_path):
    (tmp_path / "ada" / "t").mkdir(parents=True)
    (tmp_path / "ada" / "t" / "old.ipynb").write_text("{}")
    taken = hand_in()
    assert taken.received and taken.remarks == ["other notebooks left aside: old.ipynb"]


def test_two_notebooks_without_the_right_name_are_not_guessed(hand_in, tmp_path):
    (tmp_path / "ada" / "t").mkdir(parents=True)
    (tmp_path / "ada" / "t" / "b.ipynb").write_text("{}")
    taken = hand_in(file="a.ipynb")
    assert not taken.received
    assert taken.remarks == [
        "not graded: 2 notebooks (a.ipynb, b.ipynb) and not exactly one t.ipynb"
    ]


def test_a_link_to_another_file_is_not_followed(tmp_path, released):
    (tmp_path / "other.ipynb").write_text(json.dumps(released))
    folder = tmp_path / "ada" / "t"
    folder.mkdir(parents=True)
    (folder / "t.ipynb").symlink_to(tmp_path / "other.ipynb")
    assert not take_in(folder, released, "t").received


@pytest.mark.parametrize("folder", ["ada/t", "bob/t"])
def test_no_notebook_is_an_unanswered_one(tmp_path, released, folder):
    (tmp_path / "ada" / "t").mkdir(parents=True)
    taken = take_in(tmp_path / folder, released, "t")
    assert not taken.received and "no notebook in" in taken.remarks[0]
    assert sources(taken) == ["# Title", "stub", "assert f()", "YOUR ANSWER HERE"]


@pytest.mark.parametrize(
    ("raw", "remark"),
    [
        (lambda text: text.replace("Since", "Br\u00e9nier").encode("latin-1"), "Latin-1"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
    ],
)
def test_other_encodings_are_read(hand_in, raw, remark):
    taken = hand_in(raw=raw)
    assert taken.received and remark in taken.remarks[0]


def test_a_byte_order_mark_is_no_remark(hand_in):
    assert hand_in(raw=lambda text: text.encode("utf-8-sig")).remarks == []


@pytest.mark.parametrize(
    "raw",
    [
        lambda text: text[:-20].encode(),
        lambda text: b"",
        lambda text: b"[" * 100_000,
        lambda text: b"\x89PNG\r\n\x1a\n" + bytes(50),
        lambda text: b"[1, 2]",
        lambda text: b'{"cells": 3}',
        lambda text: b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 5}]}',
        lambda text: b'{"nbformat": 4, "cells": []}',
    ],
)
def test_what_is_no_notebook_is_reported(hand_in, raw):
    taken = hand_in(raw=raw)
    assert not taken.received or sources(taken)[1] == "stub"
    assert taken.received or taken.remarks[-1].startswith("not graded: ")


def test_a_notebook_of_something_else_is_reported(hand_in):
    def change(nb):
        nb.cells = [new_code_cell("1 + 1")]

    taken = hand_in(change)
    assert not taken.received and "no cell of this problem set" in taken.remarks[0]


def test_large_files_are_named_and_endless_text_is_refused(hand_in):
    def output(nb):
        nb.cells[1].outputs = [nbformat.v4.new_output("stream", text="o" * 11 * 2**20)]

    taken = hand_in(output)
    assert taken.received and "11 MB; its outputs are left behind" in taken.remarks[0]
    taken = hand_in(lambda nb: nb.cells[1].update(source="#" * 2 * 2**20))
    assert not taken.received and "characters in its cells" in taken.remarks[0]


def test_lone_surrogates_can_be_written(hand_in):
    taken = hand_in(raw=lambda text: text.replace("Since.", "\\ud800").encode())
    nbformat.writes(taken.notebook).encode("utf-8")
