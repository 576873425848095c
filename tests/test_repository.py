"""Files at the root agree with each other, and the house keeps its own rules."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import omt_course

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BY_PIP_ALONE = {"pygeodesic", "scikit-dimension"}  # small wheels; not known to be on conda-forge
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base", "pot": "pot"}


def requirement(text):
    """Return the normalised name and the range of a requirement."""
    name, rest = re.fullmatch(r"([\w.\-]+)(?:\[[\w,]+\])?\s*(.*)", text.strip()).groups()
    return re.sub(r"[-_.]+", "-", name).lower(), rest.replace(" ", "")


def version(text):
    return tuple(int(n) for n in re.match(r"[\d.]+", text).group(0).strip(".").split("."))


WANTED = dict(map(requirement, PROJECT["dependencies"]))
EXTRAS = {
    name: dict(map(requirement, items)) for name, items in PROJECT["optional-dependencies"].items()
}
EVERYTHING = {**WANTED, **{k: v for extra in EXTRAS.values() for k, v in extra.items()}}
PINS = dict(
    requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
)


def test_the_pins_name_every_dependency_within_its_range():
    for name, wanted in EVERYTHING.items():
        assert re.fullmatch(r"==[\w.]+", PINS[name]), name
        pinned = version(PINS[name][2:])
        for part in wanted.split(","):
            operator, bound = re.fullmatch(r"(>=|<)(.+)", part).groups()
            ok = pinned >= version(bound) if operator == ">=" else pinned < version(bound)
            assert ok, (name, pinned, part)


def test_no_pin_is_local():
    assert PINS["torch"] == "==2.13.0"
    assert not [name for name, pin in PINS.items() if "+" in pin]


def test_the_environment_of_conda_agrees_with_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *listed, pip = environment["dependencies"]
    from_conda, from_pip = dict(map(requirement, listed)), dict(map(requirement, pip["pip"][:-1]))
    assert pip["pip"][-1] == "-e ."
    assert from_conda.pop("python") == PROJECT["requires-python"]
    assert {from_conda.pop("pip"), from_conda.pop("make")} == {""}
    back = {conda: ours for ours, conda in CONDA.items()}
    both = {back.get(name, name): wanted for name, wanted in from_conda.items()} | from_pip
    assert both == EVERYTHING
    assert set(WANTED) - BY_PIP_ALONE <= {back.get(name, name) for name in from_conda}
    assert not set(from_conda) & set(from_pip)


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == omt_course.__version__ == citation["version"]
    assert f"## {omt_course.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_one_address_everywhere():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert config["repository"]["url"] == citation["repository-code"]
    assert config["repository"]["url"] == PROJECT["urls"]["Repository"]
    assert config["html"]["baseurl"].rstrip("/") == citation["url"] == PROJECT["urls"]["Homepage"]


def test_one_minimum_of_python_everywhere():
    assert PROJECT["requires-python"] == ">=3.11"
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["ruff"]["target-version"] == "py311"
    assert "sys.version_info < (3, 11)" in (ROOT / "book" / "build.py").read_text()
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()


def test_licences_are_there_and_named():
    assert (ROOT / "LICENSE").read_text().startswith("BSD 3-Clause License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-CONTENT").read_text()
    assert set(PROJECT["license-files"]) == {"LICENSE", "LICENSE-CONTENT"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == ["BSD-3-Clause", "CC-BY-4.0"]


def test_ci_runs_the_two_commands():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert re.search(r"^make book$", text, re.M) and re.search(r"^make test$", text, re.M)
    assert "OMT_REQUIRE_SITE=1" in text and "set -eu" in text
    assert subprocess.run(["sh", "-n", str(script)]).returncode == 0


@pytest.mark.parametrize("name", ["test", "publish", "weekly"])
def test_workflows_run_what_a_person_runs(name):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    job = next(iter(workflow["jobs"].values()))
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    assert job["timeout-minutes"] <= 60
    triggers = workflow[True]  # YAML reads the key `on` as a truth value
    assert {"test": "push", "publish": "push", "weekly": "schedule"}[name] in triggers
    if name == "publish":
        assert triggers["push"] == {"tags": ["v*"]}


def test_make_targets_of_the_readme_exist():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, re.M))
    assert {"book", "test", "serve", "notebooks", "linkcheck", "clean"} <= targets
    readme = (ROOT / "README.md").read_text()
    assert (
        set(re.findall(r"`?\bmake ([a-z]+)\b", readme.split("## The package alone")[0])) <= targets
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_installs_once_and_again_when_the_pins_change(tmp_path):
    """Run the real Makefile with a stand-in for Python that writes down what it is asked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1, 1))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for path in (python, python.with_name("ruff")):
        path.write_text('#!/bin/sh\necho "$(basename $0) $*" >> asked.txt\n')
        path.chmod(0o755)

    def make(target):
        (tmp_path / "asked.txt").unlink(missing_ok=True)
        command = ["make", "-s", target, f"PYTHON={python}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "asked.txt").read_text().splitlines()

    assert make("test") == [
        "python book/build.py install --extras book",
        "python book/build.py install --extras book,test,assignments",
        "ruff check omt_course tests book/build.py book/_ext",
        "ruff format --check omt_course tests book/build.py book/_ext",
        "python -m pytest -rs",
    ]
    assert make("book") == ["python book/build.py html"]
    assert make("notebooks") == ["python book/build.py notebooks"]
    future = (tmp_path / ".venv" / ".test").stat().st_mtime + 10
    os.utime(tmp_path / "constraints.txt", (future, future))
    assert make("book")[0] == "python book/build.py install --extras book"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is not a clone")
def test_nothing_large_or_built_is_in_git():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name and (ROOT / name).exists()]
    assert not [f for f in files if f.stat().st_size > 1_000_000]
    assert not [f for f in files if f.suffix in (".ipynb", ".pyc", ".pt", ".gz")]
    assert not [f for f in files if {"_build", ".venv"} & set(f.relative_to(ROOT).parts)]
    assert sum(f.stat().st_size for f in files) < 10_000_000


MODULES = sorted((ROOT / "omt_course").rglob("*.py"))


def imports(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_arrows_run_one_way_and_modules_stay_small(path):
    room = path.relative_to(ROOT / "omt_course").parts[0]
    names = imports(path)
    above = dict.fromkeys(("transport", "geometry"), ("models", "course", "datasets"))
    above |= {"models": ("course",), "datasets": ("models", "course", "transport")}
    for forbidden in above.get(room, ()):
        assert not [name for name in names if name.startswith(f"omt_course.{forbidden}")]
    if room in ("transport", "geometry"):
        assert not [name for name in names if name.split(".")[0] in ("matplotlib", "plotly")]
    assert len(path.read_text().splitlines()) <= 320
    assert path.read_text().isascii()


def test_the_exact_solver_loads_neither_torch_nor_matplotlib():
    code = (
        "import omt_course.transport.semidiscrete, omt_course.transport.discrete, sys;"
        "print([m for m in ('torch', 'matplotlib', 'plotly', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
