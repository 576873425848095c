"""Records: what is written comes back, with its evidence, whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from omt_course import __version__
from omt_course.course import records

ROOT = Path(__file__).resolve().parents[2]
MADE = {"command": "python -m benchmarks.example --n 3", "seeds": [0, 1]}


def test_what_is_written_comes_back(tmp_path):
    values = {
        "error": np.float32(0.5),
        "n": np.int64(3),
        "names": ["a", "b"],
        "nested": {"done": True, "none": None, "list": (1, 2.5)},
        "masses": np.array([0.25, 0.75]),
        "labels": np.array(["x", "y"]),
    }
    path = records.write("an-example", values, folder=tmp_path, **MADE)
    record = records.read("an-example", folder=tmp_path)
    assert path == tmp_path / "an-example.json"
    assert record.values["error"] == 0.5 and record.values["n"] == 3
    assert record.values["nested"] == {"done": True, "none": None, "list": [1, 2.5]}
    assert np.array_equal(record.values["masses"], values["masses"])
    assert list(record.values["labels"]) == ["x", "y"]
    assert record.command == MADE["command"] and record.seeds == (0, 1)
    assert record.version == __version__ and record.device
    assert record.date in record.line() and record.command in record.line()
    assert record.line() == record._repr_markdown_()


def test_every_record_in_the_repository_is_whole():
    folder = ROOT / "data" / "records"
    for path in sorted(folder.glob("*.json")):
        record = records.read(path.stem, folder=folder)
        assert record.name == path.stem and record.command and record.values
        assert path.stat().st_size < 1_000_000
    assert {p.stem for p in folder.glob("*.npz")} <= {p.stem for p in folder.glob("*.json")}


def test_a_second_write_replaces_the_first_and_its_arrays(tmp_path):
    records.write("x", {"a": np.ones(3)}, folder=tmp_path, **MADE)
    records.write("x", {"b": 1}, folder=tmp_path, **MADE)
    assert records.read("x", folder=tmp_path).values == {"b": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json"]


def test_an_interrupted_write_leaves_the_old_record(tmp_path, monkeypatch):
    records.write("x", {"a": 1}, folder=tmp_path, **MADE)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        records.write("x", {"a": 2}, folder=tmp_path, **MADE)
    monkeypatch.undo()
    assert records.read("x", folder=tmp_path).values == {"a": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json"]


def test_arrays_of_another_run_are_noticed(tmp_path):
    records.write("x", {"a": np.zeros(2)}, folder=tmp_path, **MADE)
    np.savez(tmp_path / "x.npz", a=np.ones(2))
    with pytest.raises(ValueError, match=r"x\.npz is missing or not the one"):
        records.read("x", folder=tmp_path)
    (tmp_path / "x.npz").unlink()
    with pytest.raises(ValueError, match=r"x\.npz is missing or not the one"):
        records.read("x", folder=tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"record 'x': .*x\.json is not a record"):
        records.read("x", folder=tmp_path)


def test_a_missing_record_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no not-there\.json in .*data.records") as caught:
        records.read("not-there")
    assert "clone it" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../x"}, "name: expected lower-case words"),
        ({"name": "Big"}, "name: expected lower-case words"),
        ({"command": " "}, "command: expected the command"),
        ({"values": {"a": float("nan")}}, r"values\['a'\]: expected a finite number, got nan"),
        ({"values": {"a": [1, float("inf")]}}, r"values\['a'\]\[1\]: expected a finite number"),
        ({"values": {"a": object()}}, r"values\['a'\]: expected numbers"),
        ({"values": {"a": np.array([np.nan])}}, r"values\['a'\]: expected an array"),
        ({"values": {"a": np.array([None])}}, r"values\['a'\]: expected an array"),
    ],
)
def test_bad_arguments(tmp_path, change, words):
    arguments = {"name": "x", "values": {"a": 1}, **MADE} | change
    with pytest.raises(ValueError, match=words):
        records.write(arguments.pop("name"), arguments.pop("values"), folder=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_clone_comes_before_the_installed_package():
    clone, installed = records.folders()
    assert clone == ROOT / "data" / "records"
    assert installed.parts[-3:] == ("share", "omt_course", "records")


def test_an_installed_package_finds_its_records(tmp_path):
    """Copy the package and a record to where a wheel puts them; read it from another folder."""
    package, prefix = tmp_path / "lib" / "omt_course", tmp_path / "prefix"
    shutil.copytree(
        ROOT / "omt_course", package, ignore=shutil.ignore_patterns("__pycache__", "*.nb?")
    )
    share = prefix / "share" / "omt_course" / "records"
    records.write("x", {"a": 1}, folder=share, **MADE)
    code = (
        "import sysconfig; sysconfig.get_path = lambda name: sys.argv[1]\n"
        "from omt_course.course import records\n"
        "assert records.__file__.startswith(sys.argv[2]), records.__file__\n"
        "print(records.read('x').values, len(records.folders()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}", str(prefix), str(package)],
        cwd=package.parent,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "{'a': 1} 1", done.stderr


def test_the_wheel_is_told_to_carry_them():
    text = (ROOT / "pyproject.toml").read_text()
    assert '"share/omt_course/records" = ["data/records/*"]' in text


def test_provenance_shows_seed_versions_and_time():
    foot = records.provenance(seed=[3, 5])
    page = foot._repr_html_()
    assert foot.seed == (3, 5) and foot.seconds > 0
    assert "Seeds: 3, 5." in page and f"omt_course {__version__}" in page
    assert f"numpy {np.__version__}" in page
    assert records.provenance(seed=np.int64(7))._repr_html_().count("Seed: 7.") == 1
    assert json.dumps(foot.versions)
