"""Runs that are killed: the same command goes on, to the same model bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from omt_course.models import checkpoints, run_folder, runs
from omt_course.models.checkpoints import read_tensors
from omt_course.models.run_config import resolve
from omt_course.models.run_folder import read_log
from omt_course.models.runs import train_run
from omt_course.transport import descent
from omt_course.transport.newton import NotConverged

SMALL = {"limit": 64, "epochs": 3, "latent_dim": 4, "target_error": 0.12, "seed": 5}


def config(**changes):
    return resolve("digits", ("test", SMALL | changes))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_run("digits", config(), folder, progress=False)
    return folder


def same_model(a, b):
    (about_a, tensors_a), (about_b, tensors_b) = (
        read_tensors(folder / "model.safetensors", "omt_course.aeomt/1") for folder in (a, b)
    )
    assert tensors_a.keys() == tensors_b.keys() and len(tensors_a) > 10
    return about_a == about_b and all(
        torch.equal(tensors_a[name], tensors_b[name]) for name in tensors_a
    )


def stages(folder):
    return [entry["stage"] for entry in read_log(folder)]


def test_a_finished_run_holds_what_it_should(whole):
    report = json.loads((whole / "report.json").read_text())
    log = read_log(whole)
    epochs = [entry for entry in log if entry["stage"] == "autoencoder"]
    looks = [entry for entry in log if entry["stage"] == "transport"]
    assert [entry["epoch"] for entry in epochs] == [1, 2, 3]
    assert report["epochs"] == 3 and report["loss"] == epochs[-1]["loss"] < epochs[0]["loss"]
    assert report["mass_error"] == looks[-1]["mass_error"]
    assert report["mass_error_interval"][1] == looks[-1]["high"] <= 0.12
    assert report["transport_samples"] == looks[-1]["samples"] and report["resumed"] == 0
    assert report["images"]["shape"] == [64, 28, 28]
    assert json.loads((whole / "data.json").read_text()) == report["images"]
    assert {"training.ckpt", "transport.ckpt", "run.json"} <= {p.name for p in whole.iterdir()}


class Crash(Exception):
    """What no part of a run would catch."""


@pytest.mark.parametrize("moment", [1, 5, 8, 9, 10])
def test_a_crash_at_every_write_changes_nothing(whole, tmp_path, monkeypatch, moment):
    """The run breaks off before the k-th thing it does to its folder, then is started again."""
    left = [moment]

    def breaking(function):
        def broken(*arguments, **options):
            left[0] -= 1
            if left[0] == -1:
                raise Crash
            return function(*arguments, **options)

        return broken

    monkeypatch.setattr(run_folder.Run, "log", breaking(run_folder.Run.log))
    monkeypatch.setattr(run_folder.Run, "write", breaking(run_folder.Run.write))
    monkeypatch.setattr(descent, "keep", breaking(descent.keep))
    monkeypatch.setattr(checkpoints, "save", breaking(checkpoints.save))
    with pytest.raises(Crash):
        train_run("digits", config(), tmp_path, progress=False)
    train_run("digits", config(), tmp_path, progress=False)
    assert left[0] < -1 and same_model(whole, tmp_path)


def finish_after_kill(folder, stage, number):
    """Start a run in a process of its own; kill -9 once its log has so many lines of a stage."""
    script = (
        "from omt_course.models.run_config import resolve\n"
        "from omt_course.models.runs import train_run\n"
        f"train_run('digits', {config()!r}, {str(folder)!r}, progress=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "log.jsonl").exists() and stages(folder).count(stage) >= number:
            break
        time.sleep(0.001)
    process.kill()
    return process.wait()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("stage, number", [("autoencoder", 2), ("transport", 1)])
def test_kill_9_leaves_a_run_that_ends_the_same(whole, tmp_path, stage, number):
    code = finish_after_kill(tmp_path, stage, number)
    assert code == -signal.SIGKILL
    before = stages(tmp_path)
    assert "done" not in before
    train_run("digits", config(), tmp_path, progress=False)
    assert same_model(whole, tmp_path)
    after = stages(tmp_path)
    assert after[: len(before)] == before and after[len(before)] == "resume"
    if stage == "transport":  # what was finished is not done again
        assert "autoencoder" not in after[len(before) :]


def test_a_budget_that_runs_out_can_be_raised(whole, tmp_path):
    with pytest.raises(NotConverged):
        train_run("digits", config(max_seconds=1e-6), tmp_path, progress=False)
    assert not (tmp_path / "model.safetensors").exists()
    outcome = train_run("digits", config(max_seconds=300.0), tmp_path, progress=False)
    assert outcome.report["mass_error_interval"][1] <= 0.12
    assert stages(tmp_path).count("autoencoder") == 3


def test_a_finished_run_is_not_repeated(whole, monkeypatch):
    monkeypatch.setattr(runs, "_fit", None)
    outcome = train_run("digits", config(), whole, progress=False)
    assert outcome.was_finished and outcome.model == whole / "model.safetensors"


def test_a_run_goes_on_with_the_data_it_began_with(tmp_path, monkeypatch):
    def stop(step):
        raise Crash

    monkeypatch.setattr(runs, "_fit", lambda run, pixels, progress: stop(None))
    with pytest.raises(Crash):
        train_run("digits", config(), tmp_path, progress=False)
    data = json.loads((tmp_path / "data.json").read_text())
    (tmp_path / "data.json").write_text(json.dumps(data | {"sha256": "0" * 64}))
    with pytest.raises(ValueError, match="images: expected those that the run .* began with: sha"):
        train_run("digits", config(), tmp_path, progress=False)


def test_other_threads_or_versions_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_fit", lambda run, pixels, progress: (_ for _ in ()).throw(Crash))
    said = []
    for threads in (1, 1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        with pytest.raises(Crash):
            train_run("digits", config(), tmp_path, progress=False, say=said.append)
    assert [s for s in said if "threads were 1, are 2" in s and "last digits" in s]
    assert sum("threads were" in s for s in said) == 1
