"""The contract of a page (CONTRIBUTING.md), and of the book's front and back matter."""

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from omt_course.course import checks

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
OPEN = re.compile(r"^\s*(`{3,}|:{3,})\{([\w:-]+)\}\s*(.*)$")
PLAIN = re.compile(r"^\s*(`{3,}|~{3,})\w*\s*$")
STATEMENTS = ("theorem", "proposition", "lemma", "corollary")
PACKAGES = {
    "omt_course", "numpy", "scipy", "numba", "torch", "matplotlib", "mpl_toolkits", "plotly",
    "skdim", "sklearn", "trimesh", "ot", "pooch", "mlxtend", "safetensors", "IPython",
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A directive: its name, first line, options, text, and the boxes inside it."""

    name: str
    title: str
    options: dict
    text: str
    inside: tuple

    @property
    def classes(self):
        return str(self.options.get("class", "")).split()


def parse(text):
    """Return the blocks of a page in order: strings and boxes."""
    blocks, words, lines, k = [], [], text.splitlines(), 0
    while k < len(lines):
        found = OPEN.match(lines[k]) or PLAIN.match(lines[k])
        if not found:
            words.append(lines[k])
            k += 1
            continue
        fence = found.group(1)
        close = re.compile(rf"^\s*{re.escape(fence[0])}{{{len(fence)},}}\s*$")
        end = next(j for j in range(k + 1, len(lines)) if close.match(lines[j]))
        body = lines[k + 1 : end]
        blocks.append("\n".join(words))
        words = []
        if found.re is PLAIN:
            blocks.append(Box("code", "", {}, "\n".join(body), ()))
        else:
            options, body = split_options(body)
            inner = () if found.group(2) == "code-cell" else tuple(parse("\n".join(body)))
            blocks.append(Box(found.group(2), found.group(3), options, "\n".join(body), inner))
        k = end + 1
    return [*blocks, "\n".join(words)]


def split_options(body):
    if body and body[0].strip() == "---":
        end = body.index("---", 1)
        return yaml.safe_load("\n".join(body[1:end])) or {}, body[end + 1 :]
    k = 0
    while k < len(body) and re.match(r"^\s*:[\w-]+:", body[k]):
        k += 1
    pairs = (re.match(r"^\s*:([\w-]+):\s*(.*)$", line).groups() for line in body[:k])
    return dict(pairs), body[k:]


def every(blocks, *names):
    """Return the boxes of these names, at any depth."""
    found = []
    for block in blocks:
        if isinstance(block, Box):
            if not names or block.name in names:
                found.append(block)
            found += every(block.inside, *names)
    return found


def source(page):
    return (BOOK / f"{page}.md").read_text(encoding="utf-8")


@cache
def blocks_of(page):
    text = source(page)
    if text.startswith("---\n"):
        text = text[text.index("\n---\n", 4) + 5 :]
    return tuple(parse(text))


def contents(node):
    if isinstance(node, list):
        return [page for item in node for page in contents(item)]
    if not isinstance(node, dict):
        return []
    return [node[key] for key in ("root", "file") if key in node] + contents(
        [value for key, value in node.items() if key in ("parts", "chapters", "sections")]
    )


PAGES = contents(yaml.safe_load((BOOK / "_toc.yml").read_text()))
CHAPTERS = [page for page in PAGES if page.startswith("part")]
PLAY = [page for page in PAGES if page.startswith("play/")]
NOTEBOOKS = [page for page in PAGES if "\nkernelspec:" in source(page)[:800]]
chapters = pytest.mark.parametrize("page", CHAPTERS)
notebooks = pytest.mark.parametrize("page", NOTEBOOKS)


def cells(page):
    return every(blocks_of(page), "code-cell")


def name_of(page):
    return page.split("/")[-1]


def label_of(page):
    """Return a page's own label: its name, after its folder's where that says what kind it is."""
    folder, _, name = page.rpartition("/")
    kind = f"{folder}-" if folder in ("play", "api", "zh") else ""
    return folder if (folder, name) == ("api", "index") else kind + name


def test_the_parser_reads_a_page():
    text = """\
# T

:::{exercise} One
:label: ex-a
:class: by-hand

Text.

```{admonition} Hint
:class: hint dropdown

Words.
```
:::

```{code-cell} ipython3
---
mystnb:
  image: {alt: "A"}
---
x = 1
```

```python
:::{exercise}
```
"""
    blocks = parse(text)
    exercise, hint, cell, code = every(blocks)
    assert (exercise.title, exercise.options["label"]) == ("One", "ex-a")
    assert hint.classes == ["hint", "dropdown"] and hint.text.strip() == "Words."
    assert cell.options == {"mystnb": {"image": {"alt": "A"}}} and cell.text == "x = 1"
    assert code.name == "code" and blocks[0].startswith("# T")


@pytest.mark.parametrize("page", PAGES)
def test_label_and_title_come_first(page):
    lines = [line for line in blocks_of(page)[0].splitlines() if line.strip()]
    assert lines[0] == f"({label_of(page)})="
    assert re.match(r"# \S", lines[1])
    headings = re.findall(
        r"^(#+) ", "\n".join(b for b in blocks_of(page) if isinstance(b, str)), re.M
    )
    levels = [len(h) for h in headings]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


@chapters
def test_the_first_paragraph_names_what_it_makes_runnable(page):
    paragraphs = re.split(r"\n\s*\n", blocks_of(page)[0].split("\n# ", 1)[1])
    first = paragraphs[1]
    assert len(first.split()) > 25
    assert re.search(r"\bA1?\d\b|\bFigs?\. ?\d", first)


@chapters
def test_outcomes_are_tested_by_exercises(page):
    (box,) = [b for b in every(blocks_of(page), "admonition") if "outcomes" in b.classes]
    items = re.split(r"^\s*[-*] ", box.text, flags=re.M)[1:]
    assert 3 <= len(items) <= 5
    labels = {b.options.get("label") for b in every(blocks_of(page), "exercise", "exercise-start")}
    for item in items:
        named = re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", item)
        assert set(named) & labels, item


@chapters
def test_prerequisites_and_times(page):
    (box,) = [b for b in every(blocks_of(page), "admonition") if "prerequisites" in b.classes]
    assert re.search(r"\*\*You need\*\*:", box.text)
    assert re.search(r"\*\*Time to read\*\*: .*\d+ minutes", box.text)
    assert re.search(r"\*\*Time to run\*\*: .*\d+ (seconds|minutes)", box.text)
    assert "{ref}" in box.text or "](" in box.text


@notebooks
def test_first_and_last_cell(page):
    first, last = cells(page)[0], cells(page)[-1]
    assert "plotting.use_style()" in first.text
    assert re.search(r"records\.provenance\(seed=", last.text)
    assert "remove-input" in str(last.options.get("tags"))


@notebooks
def test_cells_import_what_the_course_installs_and_keep_chance_local(page):
    for cell in cells(page):
        tree = ast.parse(re.sub(r"^\s*[%!].*$", "", cell.text, flags=re.M))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [node.module]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                for name in names:
                    top = name.split(".")[0]
                    assert top in PACKAGES or top in sys.stdlib_module_names, name
        bad = r"sys\.path|np\.random\.(?!default_rng|Generator)|torch\.manual_seed|random\.seed"
        assert not re.search(bad, cell.text), cell.text
        assert not re.search(r"plt\.show\(|\btqdm\b", cell.text), cell.text


@chapters
def test_theorems_have_a_source_or_a_proof(page):
    boxes = [b for b in every(blocks_of(page)) if b.name.startswith("prf:")]
    kinds = {f"prf:{kind}" for kind in STATEMENTS}
    assert any(b.name in kinds for b in boxes)
    for box, after in zip(boxes, [*boxes[1:], None], strict=True):
        if box.name in kinds and "{cite" not in box.title + box.text:
            assert after is not None and after.name == "prf:proof", box.title


@chapters
def test_what_breaks(page):
    found = [b for b in every(blocks_of(page), "admonition") if "breaks" in b.classes]
    assert found
    assert all(b.title.startswith("What breaks") for b in found)


@chapters
def test_every_expectation_is_asserted(page):
    flat = [b for b in every(blocks_of(page)) if b.name in ("admonition", "code-cell")]
    waiting = told = 0
    for box in flat:
        if "expectation" in box.classes:
            assert not waiting, "two expectations without an assertion between them"
            waiting, told = 1, told + 1
        elif box.name == "code-cell" and re.search(r"^\s*assert |checks\.\w+\(", box.text, re.M):
            waiting = 0
    assert told >= 1 and not waiting


def draws(code):
    """Return whether a cell makes a matplotlib figure outside its functions."""
    todo, names = list(ast.parse(code).body), set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Call):
            names.add(ast.unparse(node.func))
        todo += ast.iter_child_nodes(node)
    shown = {"interactive.animate", "interactive.play", "interactive.show_3d"}
    made = {"plt.subplots", "plt.figure", "plt.subplot_mosaic", "plotting.image_grid"}
    return bool(names & made) and not names & shown


def test_cells_that_draw_are_recognised():
    assert draws("fig, ax = plt.subplots()\nax.plot([0])")
    assert not draws("def f():\n    fig, ax = plt.subplots()")
    assert not draws("interactive.animate(lambda fig, k: plt.figure(), 3, alt='')")
    assert not draws("x = 1")


@notebooks
def test_every_figure_says_what_is_seen(page):
    for cell in cells(page):
        if draws(cell.text) and "remove-cell" not in str(cell.options.get("tags")):
            alt = ((cell.options.get("mystnb") or {}).get("image") or {}).get("alt", "")
            assert len(alt) >= 40, cell.text[:200]
        for call in re.findall(r"interactive\.(?:show_3d|animate|play)\(", cell.text):
            assert "alt=" in cell.text, call


MATHEMATICS = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.S)


def prose(page):
    """Return the paragraphs in which a number would be a result, without roles, code and links.

    Not among them: theorems, expectations (asserted by the next cell), the exercises, and what
    cites the work it is taken from.
    """
    kept, inside = [], False
    free = {"code-cell", "code", "math", "solution", "exercise", "exercise-start"}
    for block in blocks_of(page):
        text = block
        if isinstance(block, Box):
            if (
                block.name in free
                or block.name.startswith("prf:")
                or "expectation" in block.classes
            ):
                continue
            text = re.sub(r"```.*?```", "", block.text, flags=re.S)
        for paragraph in re.split(r"\n\s*\n", text):
            inside = inside or "## Exercises" in paragraph
            inside = inside and "## What to remember" not in paragraph
            if not inside and "{cite" not in paragraph:
                kept.append(re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)", "", paragraph))
    return kept


@pytest.mark.parametrize("page", [*CHAPTERS, *PLAY])
def test_no_result_is_typed_by_hand(page):
    for paragraph in prose(page):
        found = re.search(r"\d\.\d{3}", paragraph)
        assert not found, paragraph
        words = MATHEMATICS.sub("", paragraph)
        typed = r"(?<![\w.])\d+\.\d+|\d+ ?(%|per ?cent)(?! (?:confidence|interval|level))"
        found = re.search(typed, words)
        assert not found, paragraph


@pytest.mark.parametrize("page", PLAY)
def test_a_playable_figure_says_how_to_play_it(page):
    text = source(page)
    assert text.count("interactive.play(") == 1 and "records.provenance(" in text
    assert re.search(r"^## Try this$", text, re.M) and "## What the page computes" in text
    for words in ("By hand", "By keyboard"):
        assert re.search(rf"^(## |\*\*){words}", text, re.M), words
    assert "{ref}`" in text and "figure-map>`" in text or "{ref}`figure-map`" in text
    name = re.search(r'interactive\.play\(\s*"([\w-]+)"', text).group(1)
    scripts = BOOK / "_assets" / "play"
    assert (scripts / f"figure-{name}.js").exists()
    tests = re.findall(r"`(tests/play/\w+\.py)`", text)
    assert tests and all((BOOK.parent / test).exists() for test in tests)


@chapters
def test_glued_values_are_made_and_used(page):
    code = "\n".join(cell.text for cell in cells(page))
    used = set(re.findall(r"\{glue:text\}`([\w-]+)`", source(page)))
    names = re.findall(r"glue\(\s*f?[\"']([\w{}-]+)[\"']", code)
    assert all(name.startswith(name_of(page)) for name in names)
    fixed = {name for name in names if "{" not in name}
    patterns = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(n)) for n in names if "{" in n]
    for name in used:
        assert name in fixed or any(re.fullmatch(p, name) for p in patterns), name
    assert used, "a chapter has a result"


@chapters
def test_exercises_and_solutions(page):
    exercises = every(blocks_of(page), "exercise", "exercise-start")
    kinds = [kind for b in exercises for kind in b.classes]
    assert len(exercises) >= 5
    assert kinds.count("by-hand") >= 2 and kinds.count("code") >= 2 and kinds.count("open") >= 1
    solutions = every(blocks_of(page), "solution", "solution-start")
    assert all("dropdown" in b.classes for b in solutions)
    solved = [b.title.strip() for b in solutions]
    assert len(set(solved)) == len(solved)
    for box in exercises:
        assert box.options["label"] in solved, box.title
        hints = [b for b in every(box.inside, "admonition") if "hint" in b.classes]
        assert hints and all("dropdown" in b.classes and b.text.strip() for b in hints), box.title
    open_ones = {b.options["label"] for b in exercises if "open" in b.classes}
    for label in open_ones:
        (begin,) = re.findall(
            rf"\{{solution(?:-start)?\}} {label}\n:class: dropdown\n(?::::\n)?\s*(.*)", source(page)
        )
        assert begin.startswith("One way to begin"), label
    starts = every(blocks_of(page), "solution-start")
    assert len(starts) == len(every(blocks_of(page), "solution-end"))


def checks_of(text):
    return set(re.findall(r"\bchecks\.(\w+)", text)) - {"Check", "CheckFailed"}


@chapters
def test_code_exercises_name_their_certificate_and_the_solution_passes_it(page):
    named = {
        b.options["label"]: checks_of(b.text)
        for b in every(blocks_of(page), "exercise", "exercise-start")
        if "code" in b.classes
    }
    label, called = None, {label: set() for label in named}
    for box in every(blocks_of(page), "solution-start", "solution-end", "code-cell"):
        if box.name == "solution-start":
            label = box.title.strip()
        elif box.name == "solution-end":
            label = None
        elif label in called:
            called[label] |= checks_of(box.text)
    for label, names in named.items():
        assert names and names <= set(checks.__all__), label
        assert names == called[label], label  # the reader is told every check that is used


@chapters
def test_what_to_remember_and_where_to_read_on(page):
    text = source(page)
    remember = text.split("## What to remember", 1)[1].split("\n## ", 1)[0]
    read_on = text.split("## Where to read on", 1)[1].split("\n## ", 1)[0]
    assert 3 <= len(re.findall(r"^- ", remember, flags=re.M)) <= 8
    assert len(re.findall(r"\{cite:t\}", read_on)) >= 2
    headings = re.findall(r"^## (.+)$", text, flags=re.M)
    assert headings[-3:] == ["Exercises", "What to remember", "Where to read on"]


def test_labels_are_unique_and_say_where_they_are():
    seen = {}
    for page in PAGES:
        for box in every(blocks_of(page)):
            label = box.options.get("label")
            if not label:
                continue
            assert label not in seen, (label, page, seen.get(label))
            seen[label] = page
            if page in CHAPTERS:
                assert re.match(rf"[a-z]+-{name_of(page)}", label), label


def test_theorems_are_referred_to_by_their_own_role():
    for page in CHAPTERS:
        boxes = [b for b in every(blocks_of(page)) if b.name.startswith("prf:")]
        labels = {b.options["label"] for b in boxes if "label" in b.options}
        named = re.findall(r"\{(?:ref|numref)\}`(?:[^`<]*<)?([\w-]+)>?`", source(page))
        assert not labels & set(named), page


def test_what_is_cited_is_in_the_bibliography():
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", (BOOK / "references.bib").read_text(), re.M))
    for page in PAGES:
        for names in re.findall(r"\{cite:\w+\}`([^`]+)`", source(page)):
            assert {name.strip() for name in names.split(",")} <= keys, (page, names)
    entries = re.findall(r"^@\w+\{([^,\s]+),", (BOOK / "references.bib").read_text(), re.M)
    assert len(entries) == len(set(entries))


def test_the_figure_map_is_complete_and_honest():
    text = source("figure-map")
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    for claim in range(1, 19):
        assert sum(row.startswith(f"| A{claim} |") for row in rows) == 1
    for figure in range(1, 12):
        assert re.search(rf"^### Fig\. {figure}[:,] ", text, re.M), figure
    titles = {re.search(r"^# (.+)$", source(page), re.M).group(1) for page in PAGES}
    for row in rows:
        for planned in re.findall(
            r"(?<!\*)\*([^*]+)\*(?!\*)", row.split("|")[3] + row.split("|")[4]
        ):
            assert planned not in titles, f"{planned} is written: link it"
    for page in CHAPTERS:
        assert f"{{ref}}`{name_of(page)}`" in text, page


def test_the_glossary_has_every_term_in_both_languages():
    text = source("glossary")
    terms = [line.split()[0] for line in (BOOK / "_assets" / "terms.txt").read_text().splitlines()]
    assert len(terms) > 60
    for term in terms:
        assert term in text, term
    for box in every(blocks_of("glossary"), "glossary"):
        for entry in re.split(r"\n\s*\n", box.text.strip()):
            *names, definition = entry.splitlines()
            assert definition.startswith("  ") and len(definition.split()) > 5, entry
            assert any(name.isascii() or set(name) & set("èé") for name in names), entry
            assert any(re.search(r"[\u4e00-\u9fff]", name) for name in names), entry


def test_the_notation_page_has_every_symbol_of_the_code():
    text = source("notation")
    for name in (
        "domain", "density", "points", "masses", "plan", "transport", "cost", "w2_squared", "phi",
        "psi", "heights", "potential", "cells", "cell_masses", "energy", "gradient", "hessian",
        "V", "F", "encoder", "decoder", "z", "eps", "rng", "generator",
    ):  # fmt: skip
        assert f"`{name}`" in text, name


def test_chapters_stand_in_the_order_of_the_syllabus():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    syllabus = config["sphinx"]["config"]["omt_chapters"]
    places = [syllabus.index(name_of(page)) for page in CHAPTERS]
    assert places == sorted(places) and len(set(syllabus)) == 17


def test_every_file_of_the_book_is_in_the_contents():
    written = {
        p.relative_to(BOOK).with_suffix("").as_posix()
        for p in BOOK.rglob("*.md")
        if not any(part.startswith((".", "_")) for part in p.relative_to(BOOK).parts)
    }
    assert written == set(PAGES)
