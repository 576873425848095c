"""Notebooks run alone: an empty folder, a package of their own, nothing of ours; failures whole."""

import importlib.util
import json
import subprocess
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
ALONE = """\
import os
from pathlib import Path
import omt_course
assert omt_course.MADE_FOR_THE_TEST
assert os.listdir() == []
assert not [name for name in os.environ if name.startswith("OMT_")]
assert not {".bashrc", ".profile", ".cache", ".ssh"} & set(os.listdir(Path.home()))
"""


@pytest.fixture(scope="module")
def runner():
    path = ROOT / "book" / "run_notebooks.py"
    spec = importlib.util.spec_from_file_location("run_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def environment(runner, tmp_path_factory):
    """An environment with a small omt_course of its own, and Jupyter from ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    python = str(runner.python_of(folder))
    asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    packages = Path(asked.stdout.strip())
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "omt_course").mkdir()
    (packages / "omt_course" / "__init__.py").write_text("MADE_FOR_THE_TEST = True\n")
    return folder


def notebook(path, *cells, setup="first = 1"):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_code_cell(setup, metadata={"tags": ["setup"]})]
    made += [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def test_a_notebook_sees_nothing_of_ours(runner, environment, tmp_path, monkeypatch):
    monkeypatch.setenv("OMT_COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    seconds, error = runner.run(notebook(tmp_path / "a.ipynb", ALONE), environment)
    assert error == "" and seconds > 0


def test_an_error_is_whole(runner, environment, tmp_path):
    path = notebook(tmp_path / "a.ipynb", "def deep():\n    raise KeyError('lost')", "deep()")
    _, error = runner.run(path, environment)
    assert "KeyError" in error and "lost" in error and "deep()" in error
    _, error = runner.run(notebook(path, "import time; time.sleep(60)"), environment, limit=3)
    assert error == "not finished after 3 seconds"


def test_a_package_from_elsewhere_is_refused(runner, tmp_path):
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    with pytest.raises(RuntimeError, match="omt_course comes from"):
        runner.run(notebook(tmp_path / "a.ipynb", "1"), folder)


def test_a_run_goes_on_where_it_stopped(runner, environment, tmp_path, capsys):
    folder, memory = tmp_path / "notebooks", tmp_path / "memory.json"
    notebook(folder / "good.ipynb", "1 + 1")
    notebook(folder / "part" / "bad.ipynb", "1 / 0")

    def run(wheel="w", **options):
        failed = runner.run_all(folder, environment, wheel, memory, **options)
        return failed, [
            line for line in capsys.readouterr().out.splitlines() if "ipynb" not in line
        ]

    failed, said = run()
    assert failed == ["part/bad"] and said[0].startswith("ok ") and said[0].endswith("  good")
    assert said[1].startswith("FAIL ") and any("ZeroDivisionError" in line for line in said)
    assert said[-1] == "1 passed, 1 failed"
    notebook(folder / "part" / "bad.ipynb", "1 / 1")
    failed, said = run()
    assert failed == [] and said[0].endswith("good (before)") and said[1].endswith("  part/bad")
    notebook(folder / "good.ipynb", "1 + 1", setup="another = 'commit'")
    assert all(line.endswith("(before)") for line in run(pages=["good"])[1][:-1])
    assert not any("(before)" in line for line in run(wheel="other", pages=["good"])[1])
    with pytest.raises(ValueError, match=r"expected pages with a notebook, got \['lost'\]"):
        run(pages=["lost"])
    assert set(json.loads(memory.read_text())) == {"good", "part/bad"}


def test_the_wheel_is_known_by_its_contents(runner, tmp_path):
    import zipfile

    def wheel(name, text, year):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.py", (year, 1, 1, 0, 0, 0)), text)
        return runner._contents_of_wheel(tmp_path / name)

    assert wheel("a.whl", "x = 1", 2020) == wheel("b.whl", "x = 1", 2024)
    assert wheel("a.whl", "x = 1", 2020) != wheel("c.whl", "x = 2", 2020)
