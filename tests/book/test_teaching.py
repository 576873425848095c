"""The teacher's pages agree with the chapters, the problem sets and themselves."""

import ast
import re

import pytest
import yaml
from book.test_pages import BOOK, CHAPTERS, ROOT, blocks_of, every, name_of, source

from assignments import sources

PAGES = [
    "reading-paths",
    "problem-sets",
    "final-project",
    "course-plans",
    "teachers-guide",
    "misconceptions",
]


def text(name):
    return source(f"teaching/{name}")


def references(words):
    return re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", words)


def rows(words):
    """Return the cells of the table rows of a text, without the lines that rule them."""
    lines = [line for line in words.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


def exercises(page):
    return {b.options["label"] for b in every(blocks_of(page), "exercise", "exercise-start")}


def number(page):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    return config["sphinx"]["config"]["omt_chapters"].index(name_of(page)) + 1


def title(page):
    return re.search(r"^# (.+)$", source(page), re.M).group(1)


def test_every_teaching_page_is_in_the_contents():
    listed = (BOOK / "_toc.yml").read_text()
    assert all(f"teaching/{name}" in listed for name in PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_references_lead_to_labels(name):
    known = set()
    for path in BOOK.rglob("*.md"):
        words = path.read_text(encoding="utf-8")
        known |= set(re.findall(r"^\(([\w-]+)\)=", words, re.M))
        known |= set(re.findall(r"^:label: (\S+)", words, re.M))
    assert set(references(text(name))) <= known


@pytest.mark.parametrize("set_name", sources.NAMES)
def test_problem_sets_are_told_with_their_points(set_name):
    notebook, points, titles = sources.read(set_name), {}, {}
    for cell in notebook.cells:
        problem, meta = sources.problem(cell), sources.metadata(cell)
        if problem and meta.get("grade"):
            both = points.setdefault(problem, [0, 0])
            both[cell.cell_type == "markdown"] += meta["points"]
        if found := re.match(r"## (\d\. .+?) \(\d+ points\)", cell.source):
            titles[problem] = found.group(1)
    part = re.split(r"^### ", text("problem-sets"), flags=re.M)
    (part,) = [words for words in part if words.startswith(set_name.upper())]
    table = {row[0]: (int(row[2]), int(row[3])) for row in rows(part)[1:]}
    assert table == {titles[k]: tuple(v) for k, v in points.items()}
    assert sum(map(sum, table.values())) == 40
    automatic = sum(tests for tests, _ in table.values())
    assert 0.6 <= automatic / 40 <= 0.75


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_chapter_has_misconceptions_that_its_exercises_expose(page):
    parts = re.split(r"^### ", text("misconceptions"), flags=re.M)
    (part,) = [p for p in parts if p.startswith(f"{number(page)}. {title(page)}\n")]
    part = part.split("\n(misconceptions-")[0]
    told = [p for p in re.split(r"\n\s*\n", part) if p.startswith("**")]
    assert 2 <= len(told) <= 4
    for paragraph in told:
        assert set(references(paragraph)) & exercises(page), paragraph
        assert "*In truth*" in paragraph and "*Exposed by*" in paragraph, paragraph


def test_hours_of_the_plans_add_up():
    for words, lecture in zip(
        text("course-plans").split("(course-plans-six)="), (3, 4), strict=True
    ):
        table = [row for row in rows(words) if re.fullmatch(r"\d+|all", row[0])]
        columns = len(table[0]) - 1  # the last cell says what is handed in
        hours = [[float(h) if h != "-" else 0.0 for h in row[2:columns]] for row in table]
        *weeks, total = hours
        assert len(weeks) in (14, 6)
        for *parts, everything in weeks:
            assert everything == pytest.approx(sum(parts) + lecture)
        assert total == pytest.approx([sum(column) for column in zip(*weeks, strict=True)])


def test_the_long_plan_reads_each_chapter_in_its_own_time():
    words = text("course-plans").split("(course-plans-six)=")[0]
    table = [row for row in rows(words) if row[0].isdigit()]
    minutes = {}
    for page in CHAPTERS:
        found = re.search(r"Time to read\*\*: .*?(\d+) minutes", source(page))
        minutes[number(page)] = int(found.group(1))
    read = sum(float(row[2]) for row in table if row[2] != "-")
    assert read == pytest.approx(sum(minutes.values()) / 60, abs=0.05 * len(table))
    named = {int(k) for row in table for k in re.findall(r"\d+", row[1])}
    assert named == set(minutes)


@pytest.mark.parametrize("plan", ["### Week", "6. **"])
def test_outcomes_name_an_exercise(plan):
    words = text("course-plans")
    if plan == "6. **":
        outcomes = re.findall(r"\*You can\*(?!\n)(.+?)(?:\n|$)", words)
        assert len(outcomes) == 6
    else:
        weeks = re.split(r"^### Week \d+\. ", words.split("(course-plans-six)=")[0], flags=re.M)[1:]
        assert len(weeks) == 14
        outcomes = []
        for week in weeks[:-1]:
            items = re.findall(r"^- (.+)$", week.split("*You can*")[1], re.M)
            assert len(items) >= 3
            outcomes += items
    known = set().union(*map(exercises, CHAPTERS))
    assert all(set(references(outcome)) & known for outcome in outcomes)


def test_weights_and_rubric_add_up_to_a_hundred():
    weights = rows(text("course-plans").split("## Weights")[1])[1:]
    for column in (1, 2):
        assert sum(int(row[column].removesuffix("%")) for row in weights) == 100
    rubric = text("final-project").split("(final-project-rubric)=")[1].split("\n## ")[1]
    assert sum(int(row[1]) for row in rows(rubric)[1:]) == 100


def test_the_longest_path_visits_every_chapter_and_every_set():
    words = text("reading-paths")
    path = words.split("(reading-paths-fourteen)=")[1]
    assert {name_of(page) for page in CHAPTERS} <= set(references(path))
    for name in sources.NAMES:
        assert name.upper() in path
    paths = re.split(r"^\(reading-paths-\w+\)=$", words, flags=re.M)[1:]
    assert len(paths) == 3 and words.count("omt-page-break") == 3
    assert all("{div} omt-checklist" in p for p in paths)


def test_programs_in_the_guide_are_python():
    programs = re.findall(r"```python\n(.*?)```", text("teachers-guide"), re.S)
    assert programs
    for program in programs:
        ast.parse(program)
