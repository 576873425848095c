"""Notebooks made from pages: whole, plain, the same every time, and they run alone."""

import ast
import dataclasses
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import extensions
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def notebooks():
    return extensions.load("omt_notebooks")


@pytest.fixture(scope="module")
def home(notebooks):
    return notebooks.book(ROOT)


@pytest.fixture(scope="module")
def written(notebooks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    return folder, notebooks.write_all(ROOT, folder)


def test_every_page_with_code_has_one(notebooks, written):
    folder, paths = written
    names = {path.relative_to(folder).with_suffix("").as_posix() for path in paths}
    assert names == set(notebooks.pages(ROOT)) and "index" in names


def test_they_are_valid_clean_and_start_with_the_setup(written, home):
    for path in written[1]:
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        first = notebook.cells[0].source
        ast.parse(first)
        assert 'util.find_spec("omt_course") is None' in first
        assert f"git+{home.repository}@{home.ref}" in first
        assert all(not cell.get("outputs") for cell in notebook.cells)


@pytest.fixture
def setup_cell(written, monkeypatch):
    """Return a function that runs the first cell on a machine of which we say what it has."""
    first = nbformat.read(written[1][0], 4).cells[0].source

    def run(*, ours, torch):
        asked = []
        have = ["numpy==2.0", *(["torch==" + torch] if torch else [])]
        there = [types.SimpleNamespace(**dict(zip(("name", "version"), d.split("=="), strict=True)))
                 for d in have]  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda name: object() if ours else None)
            patch.setattr("importlib.metadata.version", lambda name: ours)
            patch.setattr("importlib.metadata.distributions", lambda: iter(there))
            patch.setattr("subprocess.run", lambda command, check: asked.append(command))
            exec(first, {})
        return asked

    return run


def test_the_setup_installs_the_version_of_the_page_and_leaves_torch(setup_cell, home):
    (command,) = setup_cell(ours=None, torch="2.8.0+cu126")
    source = f"omt_course @ git+{home.repository}@{home.ref}"
    assert command == [sys.executable, "-m", "pip", "install", "-q", source, "torch==2.8.0+cu126"]
    assert re.fullmatch(r"[0-9a-f]{40}|v[\d.]+", home.ref)
    (command,) = setup_cell(ours=None, torch=None)
    assert command[-1] == source


def test_the_setup_leaves_a_package_that_is_here_and_names_another_version(
    setup_cell, home, capsys
):
    assert setup_cell(ours=home.version, torch="2.8.0") == []
    assert capsys.readouterr().out == ""
    assert setup_cell(ours="0.0.7", torch="2.8.0") == []
    said = capsys.readouterr().out.strip()
    assert said == f"This page was made with omt_course {home.version}; here is 0.0.7"


def test_the_same_page_gives_the_same_notebook(notebooks, home):
    for page in notebooks.pages(ROOT):
        first, second = (notebooks.notebook(page, home) for _ in range(2))
        assert first == second
        ids = [cell.id for cell in first.cells]
        assert len(set(ids)) == len(ids)


def test_a_changed_cell_leaves_the_ids_of_the_others(notebooks, home, tmp_path):
    page = notebooks.pages(ROOT)[-1]
    text = (ROOT / "book" / f"{page}.md").read_text()
    cell = r"(```\{code-cell\}.*?\n```)"
    other = re.sub(cell, r"\1\n\n```{code-cell}\n1 + 1\n```", text, count=1, flags=re.DOTALL)
    folder = tmp_path / "book" / Path(page).parent
    folder.mkdir(parents=True)
    (tmp_path / "book" / f"{page}.md").write_text(other)
    changed = dataclasses.replace(home, root=tmp_path)
    before = {cell.id for cell in notebooks.notebook(page, home).cells}
    after = {cell.id for cell in notebooks.notebook(page, changed).cells}
    assert before <= after and len(after) == len(before) + 1


def test_no_directive_or_role_is_left(written):
    for path in written[1]:
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                assert not re.search(
                    r"^[> ]*(:{3,}|`{3,}\{)|\{[a-z:]+\}`", cell.source, flags=re.M
                ), (
                    path.name,
                    cell.source[:300],
                )


def test_what_the_words_become(notebooks):
    home = notebooks.Book(
        Path(),
        "https://example.org/r",
        "https://example.org/",
        "1",
        "v1",
        {"thm-a": ("b", "Theorem Duality"), "ex-a": ("a", "Exercise One")},
    )
    text = """\
(a)=
## Title

:::{prf:theorem} Duality, {cite:p}`v`
:label: thm-a

By {prf:ref}`thm-a` and {ref}`this <ex-a>`, $x$ is {glue:text}`a-x` in {eq}`eq-a`.

```{math}
:label: eq-a
x = 1
```
:::

:::{solution-start} ex-a
:class: dropdown
:::

```python
{ref}`stays`
```

:::{solution-end}
:::
"""  # fmt: skip
    assert notebooks.plain(text, "a", home).split("\n") == [
        "## Title",
        "",
        "",
        "> **Theorem (Duality, [[v](https://example.org/bibliography.html)]).**",
        "> ",
        "> ",
        "> By [Theorem Duality](https://example.org/b.html#thm-a) and "
        "[this](https://example.org/a.html#ex-a), $x$ is `a-x` in (eq-a).",
        "> ",
        "> $$",
        "> x = 1",
        "> $$",
        "",
        "",
        "> **Solution.**",
        "> ",
        "",
        "```python",
        "{ref}`stays`",
        "```",
        "",
    ]


def test_binder_is_told_what_to_install(written, home):
    lines = (written[0] / "requirements.txt").read_text().splitlines()
    assert lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert lines[1] == f"omt_course @ git+{home.repository}@{home.ref}"


def test_a_notebook_runs_alone(written, tmp_path):
    """The home page, away from the repository, not in the book, as Jupyter would run it."""
    code = (
        "import nbformat, nbclient, sys\n"
        "notebook = nbformat.read(sys.argv[1], 4)\n"
        "nbclient.NotebookClient(notebook, timeout=120, kernel_name='python3').execute()\n"
        "nbformat.validate(notebook)\n"
        "print(notebook.cells[-1].outputs[0].data['text/html'])"
    )
    environment = {
        k: v for k, v in os.environ.items() if k not in ("OMT_COURSE_BOOK", "MPLBACKEND")
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(written[0] / "index.ipynb")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert "How this page was made" in done.stdout, done.stderr[-2000:]
