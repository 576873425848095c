"""Problem sets as they are written: the contract of a source, and the tools that read it."""

import re

import pytest

from assignments import sources
from assignments.sources import answers, cells_of, code_cells, label, metadata, problem, read, run
from assignments.table import lost

sets = pytest.mark.parametrize("name", sources.NAMES)
KEYS = ("a course", "the next")


def problems(name):
    return list(dict.fromkeys(problem(c) for c in read(name).cells if problem(c)))


def points(cells):
    return sum(metadata(c).get("points", 0) for c in cells if metadata(c).get("grade"))


PROBLEMS = [(name, one) for name in sources.NAMES for one in problems(name)]
every_problem = pytest.mark.parametrize(("name", "one"), PROBLEMS)


@sets
def test_every_cell_has_the_metadata_that_nbgrader_needs(name):
    cells = read(name).cells
    labels = [label(c) for c in cells]
    assert all(labels) and len(set(labels)) == len(labels)
    for cell in cells:
        meta, kind = metadata(cell), cell.cell_type
        assert meta["schema_version"] == 3 and meta["cell_type"] == kind and not meta["task"]
        assert meta["grade"] == ("points" in meta)
        if kind == "code" and meta["grade"]:
            assert meta["locked"] and not meta["solution"] and "-test" in label(cell)
        elif meta["solution"]:
            assert not meta["locked"] and re.search("-(code|proof)", label(cell))
            inside = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
            assert len(inside.strip()) > 10
        else:
            assert meta["locked"]


@sets
def test_points_and_their_shares(name):
    cells = read(name).cells
    assert 4 <= len(problems(name)) <= 6
    assert points(cells) == 40
    assert 0.6 <= points(code_cells(read(name))) / points(cells) <= 0.75
    for one in problems(name):
        assert points(cells_of(read(name), one)) > 0
        own = [c for c in cells if problem(c) == one]
        heading = next(line for c in own for line in c.source.splitlines() if line[:3] == "## ")
        worth = re.search(r"\((\d+) points\)", heading)
        assert worth and int(worth[1]) == points(own), heading
        proofs = [c for c in own if c.cell_type == "markdown" and metadata(c)["grade"]]
        assert bool(proofs) == any("-rubric" in label(c) for c in own)


@sets
def test_hidden_tests_draw_fresh_instances_under_their_own_name(name):
    drawn = []
    for cell in code_cells(read(name)):
        for hidden in re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END", cell.source, re.S):
            drawn += re.findall(r'fresh\("([^"]+)"\)', hidden)
            assert all(n.startswith(label(cell)) for n in re.findall(r'fresh\("([^"]+)"\)', hidden))
    assert len(set(drawn)) == len(drawn) and len(drawn) >= len(problems(name))


@every_problem
def test_every_problem_has_wrong_answers_and_another_right_one(name, one):
    own = [a for a in answers(name) if a.cell.startswith(f"{one}-")]
    known = {label(c) for c in read(name).cells}
    assert sum(bool(a.loses) for a in own) >= 4
    assert sum(not a.loses for a in own) >= 1
    for answer in own:
        assert answer.cell in known and set(answer.loses) <= known and len(answer.why) > 20


@every_problem
@pytest.mark.parametrize("key", KEYS)
def test_right_answers_get_all_points_and_wrong_ones_lose_the_tests_they_name(name, one, key):
    cells = cells_of(read(name), one)
    reference = run(cells, key=key)
    assert reference.points == reference.maximum > 0, reference.failures
    for answer in answers(name):
        if not answer.cell.startswith(f"{one}-"):
            continue
        outcome = run(cells, replace={answer.cell: answer.code}, key=key)
        assert lost(outcome) == set(answer.loses), (answer.title, outcome.failures)
        if answer.loses:
            assert outcome.points < outcome.maximum
            # beside an exception of a library's one sentence at least is meant for a reader
            said = [outcome.failures[test] for test in answer.loses]
            assert any(len(words.split()) >= 5 for words in said), (answer.title, said)


def test_a_test_that_raises_gives_no_points_and_the_next_one_runs():
    cells = code_cells(read("toy", TOY))
    outcome = run(cells, replace={"toy-1-code": "independent = None"})
    assert lost(outcome) == {"toy-1-test-square", "toy-1-test-fresh"}
    assert (outcome.points, outcome.maximum) == (2, 5)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(FileNotFoundError, match="ps1, ps2"):
        read("ps9")


def test_an_answer_without_its_tests_is_refused(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "answers.md").write_text("## toy-1-code\n\n### A\nWords.\n")
    with pytest.raises(ValueError, match="'A': expected words, `Loses: ...`, code"):
        answers("toy", tmp_path)


TOY = sources.HERE.parent / "tests" / "problem_sets"
