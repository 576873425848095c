"""The build: its cache knows the package, the data and the pins; a failure is one line."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("book_build", ROOT / "book" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path):
    write(tmp_path / "omt_course" / "transport" / "domains.py", "a = 1\n")
    write(tmp_path / "data" / "records" / "x.json", "{}\n")
    write(tmp_path / "constraints.txt", "numpy==2.4.6\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("omt_course/transport/domains.py", "a = 2\n"),
        ("omt_course/new.py", ""),
        ("data/records/x.json", "{ }\n"),
        ("data/head.npz", "0"),
        ("constraints.txt", "numpy==2.4.5\n"),
    ],
)
def test_the_digest_sees_a_change(build, tree, name, text):
    before = build.digest(tree)
    write(tree / name, text)
    assert build.digest(tree) != before


def test_the_digest_sees_a_new_name(build, tree):
    before = build.digest(tree)
    (tree / "omt_course" / "transport").rename(tree / "omt_course" / "geometry")
    assert build.digest(tree) != before


@pytest.mark.parametrize(
    "name",
    [
        "omt_course/__pycache__/domains.cpython-311.pyc",
        "data/.DS_Store",
        "book/index.md",
        "README.md",
    ],
)
def test_the_digest_does_not_see_what_no_page_reads(build, tree, name):
    before = build.digest(tree)
    write(tree / name, "other")
    assert build.digest(tree) == before


def test_a_stale_cache_is_dropped_and_a_fresh_one_kept(build, tree):
    cached = tree / build.CACHE / "global.db"
    write(cached, "")
    assert build.drop_stale_cache(tree)  # no one knows what filled it
    assert not cached.exists()
    write(cached, "")
    assert not build.drop_stale_cache(tree)
    assert cached.exists()
    write(tree / "omt_course" / "transport" / "domains.py", "a = 3\n")
    assert build.drop_stale_cache(tree)
    assert not cached.exists()


CONFIG = """\
title: Small
execute: {execute_notebooks: cache, raise_on_error: true, stderr_output: remove-warn}
html: {baseurl: "https://example.org/"}
repository: {url: "https://github.com/a/b", path_to_book: book, branch: main}
launch_buttons: {binderhub_url: "https://mybinder.org", colab_url: "https://colab.research.google.com"}
latex: {use_jupyterbook_latex: false}
sphinx:
  recursive_update: true
  local_extensions: {omt_book: book/_ext}
"""
PAGE = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst, format_version: 0.13}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Small

```{code-cell} ipython3
from pathlib import Path
from omt_course import answer
Path("../runs.txt").open("a").write("x")
assert answer() < 50, answer()
print("the answer is", answer())
```
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A book of one page that calls one function of a package of its own."""
    write(tmp_path / "_config.yml", CONFIG)
    write(tmp_path / "constraints.txt", "")
    write(tmp_path / "book" / "_toc.yml", "format: jb-book\nroot: index\n")
    write(tmp_path / "book" / "index.md", PAGE)
    shutil.copytree(
        ROOT / "book" / "_ext",
        tmp_path / "book" / "_ext",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    function = tmp_path / "omt_course" / "__init__.py"
    text = '__version__ = "0"\n\n\ndef answer():\n    return {}\n'
    write(function, text.format(41))
    return tmp_path, lambda value: write(function, text.format(value))


def test_a_changed_function_runs_the_page_again(build, small, capsys):
    root, change = small
    runs, page = root / "runs.txt", root / "_build" / "html" / "index.html"

    build.html(root)
    said = capsys.readouterr().out
    assert len(runs.read_text()) == 1 and "the answer is 41" in page.read_text()
    assert str(page) in said and "Run time of each page" in said and "executing notebook" in said

    build.html(root)
    said = capsys.readouterr().out
    assert len(runs.read_text()) == 1  # from the cache
    assert " c index" in said and "every page runs again" not in said

    change(42)
    build.html(root)
    assert len(runs.read_text()) == 2 and "the answer is 42" in page.read_text()
    assert "every page runs again" in capsys.readouterr().out

    change(77)
    with pytest.raises(SystemExit) as stopped:
        build.html(root)
    first, second = stopped.value.code.strip().splitlines()
    assert first == "FAILED: book/index.md: AssertionError: 77"
    assert second.endswith(str(root / "_build" / "html.log"))
    assert "AssertionError: 77" in (root / "_build" / "html.log").read_text()


def test_a_warning_of_sphinx_is_the_line_that_is_shown(build):
    output = [
        "Running Sphinx",
        "[IPKernelApp] WARNING | Kernel is running over TCP without encryption.",
        "/r/book/a.md:62: WARNING: undefined label: 'x'",
        "build finished with problems, 1 warning.",
    ]
    assert build.diagnosis(output, Path("/r")) == "book/a.md:62: WARNING: undefined label: 'x'"
    assert build.diagnosis(["a", "last words"], Path("/r")) == "last words"
    assert build.diagnosis([], Path("/r")) == "no output"


def test_output_is_shown_and_kept(build, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "QUIET", 0.2)
    code = "import time; print('one'); time.sleep(.5); print('two\\x1b[0m'); raise SystemExit(3)"
    status, output = build.run(
        [sys.executable, "-c", code],
        log=tmp_path / "a" / "log",
        show=lambda line: f"> {line}" if line == "one" else None,
        root=tmp_path,
    )
    assert status == 3 and output == ["one", "two"]
    assert (tmp_path / "a" / "log").read_text() == "one\ntwo\n"
    said = capsys.readouterr().out
    assert said.startswith("> one\n") and "... > one, " in said  # a quiet command is reported


def test_serve_without_a_site_says_what_to_do(build, tmp_path):
    with pytest.raises(SystemExit, match="run `make book` first"):
        build.main(["serve", "--root", str(tmp_path)])
