"""Kill a training run by SIGKILL at random moments: it goes on, and ends with the same model.

One run of ``omt train digits`` is left alone. Then the same command is started ten times in new
folders, killed by SIGKILL at a moment drawn uniformly from the training of the autoencoder (five
times) or from the transport (five times), and started again. Every tensor and every number in the
model file is compared with those of the run that was left alone. Record ``kill-and-resume``.

    OMP_NUM_THREADS=1 python benchmarks/kill_and_resume.py

With ``--work`` the runs stay in a folder, and kills that were done there before are not repeated.
"""

import argparse
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from omt_course.course import records
from omt_course.models.checkpoints import read_tensors
from omt_course.models.run_folder import LOG, MODEL, REPORT, read_log, write_json

OPTIONS = ["--limit", "500", "--epochs", "10", "--latent-dim", "8", "--target-error", "0.03"]
STAGES = ("autoencoder", "transport")
FORMAT = "omt_course.aeomt/1"
WAIT = 900  # seconds for anything


def start(folder):
    """Start the run in a folder; its progress bars go nowhere."""
    command = [sys.executable, "-m", "omt_course", "train", "digits", "--out", str(folder)]
    return subprocess.Popen(
        [*command, *OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def finish(folder):
    """Run the command to its end."""
    code = start(folder).wait(timeout=WAIT)
    if code != 0:
        raise RuntimeError(f"the run in {folder} ended with exit code {code}")


def entries(folder, stage):
    """Return the lines of a stage in a log that may be missing."""
    if not (folder / LOG).exists():
        return []
    return [entry for entry in read_log(folder) if entry["stage"] == stage]


def lengths(folder):
    """Return the seconds that each stage of a finished run took, and its number of epochs."""
    epochs, looks = (entries(folder, stage) for stage in STAGES)
    training = epochs[-1]["seconds"]
    return {"autoencoder": training, "transport": looks[-1]["seconds"] - training}, len(epochs)


def kill(folder, stage, delay, n_epochs):
    """Start a run, wait ``delay`` seconds into a stage, kill; return False if it was done."""
    process = start(folder)
    deadline = time.monotonic() + WAIT
    while process.poll() is None and time.monotonic() < deadline:
        if stage == "autoencoder" and (folder / "data.json").exists():
            break
        if stage == "transport" and len(entries(folder, "autoencoder")) == n_epochs:
            break
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and not (folder / REPORT).exists()


def what_is_left(folder):
    """Describe a run folder after a kill."""
    content = (folder / LOG).read_bytes()
    epochs, looks = (entries(folder, stage) for stage in STAGES)
    return {
        "epochs_logged": len(epochs),
        "looks_logged": len(looks),
        "torn_line": not content.endswith(b"\n"),
        "files_aside": len(list(folder.glob("*.tmp"))),
        "model_there": (folder / MODEL).exists(),
    }


def differing(a, b):
    """Return the names of the tensors and numbers in which two model files differ."""
    (about_a, tensors_a), (about_b, tensors_b) = (
        read_tensors(folder / MODEL, FORMAT) for folder in (a, b)
    )
    names = [k for k in {**about_a, **about_b} if about_a.get(k) != about_b.get(k)]
    for name in {**tensors_a, **tensors_b}:
        both = name in tensors_a and name in tensors_b
        if not both or not torch.equal(tensors_a[name], tensors_b[name]):
            names.append(name)
    return sorted(names)


def one_kill(top, whole, number, seed):
    """Kill and resume one run, and describe what came of it; its moment depends on the seed."""
    seconds, n_epochs = lengths(whole)
    stage = STAGES[number % 2]
    rng = np.random.default_rng([seed, number])
    for attempt in itertools.count():
        delay = float(rng.uniform(0, seconds[stage]))
        folder = top / f"kill-{number}-{attempt}"
        shutil.rmtree(folder, ignore_errors=True)
        if kill(folder, stage, delay, n_epochs):
            break  # else the run was done before: another moment
    left = what_is_left(folder)
    finish(folder)
    resumptions = len(entries(folder, "resume"))
    names = differing(whole, folder)
    about = {"stage": stage, "seconds": round(delay, 3), "moments_missed": attempt}
    return {**about, **left, "resumptions": resumptions, "differ": names}


def main():
    """Kill, resume, compare, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path, help="folder that keeps the runs")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    print(f"omt train digits {' '.join(OPTIONS)}, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}")
    with tempfile.TemporaryDirectory() as aside:
        top = options.work or Path(aside)
        whole = top / "whole"
        finish(whole)
        seconds, _ = lengths(whole)
        tensors = len(read_tensors(whole / MODEL, FORMAT)[1])
        print(f"left alone: {json.dumps(seconds)}; {tensors} tensors in the model")
        kills = []
        for number in range(options.kills):
            kept = top / f"kill-{number}.json"
            if not kept.exists():
                write_json(kept, one_kill(top, whole, number, options.seed))
            kills.append(json.loads(kept.read_text()))
            print(f"kill {number + 1}: {json.dumps(kills[-1])}", flush=True)
    same = sum(not one["differ"] for one in kills)
    print(f"{same} of {len(kills)} ended with the model of the run that was left alone")
    values = {
        "options": " ".join(OPTIONS),
        "seconds_left_alone": {name: round(value, 1) for name, value in seconds.items()},
        "tensors_compared": tensors,
        "kills": kills,
        "ended_the_same": same,
    }
    if not options.no_record:
        command = "OMP_NUM_THREADS=1 python benchmarks/kill_and_resume.py"
        print(records.write("kill-and-resume", values, command=command, seeds=[options.seed]))


if __name__ == "__main__":
    main()
