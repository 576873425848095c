"""Run folders: begun, resumed, refused; logs that a crash has torn."""

import json
import subprocess
import sys

import pytest

from omt_course.models import run_folder
from omt_course.models.run_folder import open_run, read_header, read_log

CONFIG = {"epochs": 3, "seed": 7, "max_seconds": None}


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_new_run_says_what_it_is(tmp_path):
    with open_run(tmp_path / "deep" / "run", "digits", CONFIG, threads=1) as run:
        assert not run.resumed and not run.finished and run.config == CONFIG
    header = read_header(tmp_path / "deep" / "run")
    assert (header["model"], header["config"], header["seed"]) == ("digits", CONFIG, 7)
    assert {"omt_course", "python", "torch", "numpy", "scipy"} == set(header["versions"])
    assert names(run.folder) == ["log.jsonl", "run.json"]


def test_the_same_config_goes_on_and_time_is_free(tmp_path):
    with open_run(tmp_path, "digits", CONFIG) as run:
        run.log(epoch=1, stage="autoencoder")
    with open_run(tmp_path, "digits", {**CONFIG, "max_seconds": 9.0}) as run:
        assert run.resumed and run.config["max_seconds"] == 9.0
    assert [entry["stage"] for entry in read_log(tmp_path)] == ["start", "autoencoder", "resume"]


def test_another_config_is_refused_and_every_difference_named(tmp_path):
    with open_run(tmp_path, "digits", CONFIG):
        pass
    before = (tmp_path / "log.jsonl").read_bytes()
    other = {"epochs": 4, "max_seconds": 1.0, "limit": 5}
    with pytest.raises(ValueError, match="epochs = 3 not 4, seed = 7 not None, limit = None not 5"):
        with open_run(tmp_path, "digits", other):
            pass
    with pytest.raises(ValueError, match="holds a run of 'omt train digits'"):
        with open_run(tmp_path, "faces", CONFIG):
            pass
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="expected a new or empty folder.*holds thesis.tex"):
        with open_run(tmp_path, "digits", CONFIG):
            pass
    assert names(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": "other"}', "{", '{"config": {}}'])
def test_a_header_that_describes_no_run_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match="run: expected .*run.json to describe a run"):
        read_header(tmp_path)
    with pytest.raises(ValueError, match="has no run.json"):
        read_header(tmp_path / "nowhere")


def test_a_torn_last_line_is_left_out_and_then_cut_off(tmp_path):
    """Whatever part of the last line a crash has left, the lines before survive."""
    with open_run(tmp_path, "digits", CONFIG) as run:
        run.log(stage="autoencoder", epoch=1)
    whole = (tmp_path / "log.jsonl").read_bytes()
    line = json.dumps({"stage": "autoencoder", "epoch": 2}).encode()
    for cut in (0, 1, len(line) // 2, len(line)):
        (tmp_path / "log.jsonl").write_bytes(whole + line[:cut])
        assert [entry.get("epoch") for entry in read_log(tmp_path)] == [None, 1]
        with open_run(tmp_path, "digits", CONFIG):
            assert (tmp_path / "log.jsonl").read_bytes().startswith(whole + b'{"stage": "resume"')
    (tmp_path / "log.jsonl").write_bytes(whole + b"?\n" + whole)
    with pytest.raises(ValueError, match="log.jsonl, line 3: expected a JSON object"):
        read_log(tmp_path)


def test_what_a_killed_writer_left_aside_is_removed(tmp_path):
    with open_run(tmp_path, "digits", CONFIG):
        pass
    (tmp_path / "model.safetensorsabcdef.tmp").write_bytes(b"half of it")
    with open_run(tmp_path, "digits", CONFIG):
        assert names(tmp_path) == ["log.jsonl", "run.json"]


def test_a_kill_before_the_first_file_leaves_an_empty_folder(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / "run.jsonabcdef.tmp").write_bytes(b"{")
    with open_run(tmp_path, "digits", CONFIG) as run:
        assert not run.resumed


@pytest.mark.skipif(run_folder.fcntl is None, reason="locks of files")
def test_two_processes_do_not_share_a_folder(tmp_path):
    script = f"from omt_course.models.run_folder import open_run\nwith open_run({str(tmp_path)!r}, "
    script += f"'digits', {CONFIG}): pass"
    with open_run(tmp_path, "digits", CONFIG):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "BlockingIOError: out: expected a folder that no other process uses" in done.stderr
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
