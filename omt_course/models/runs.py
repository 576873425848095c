"""Training as a run in a folder: begun, killed, gone on with, and finished the same.

`train_run` does all that ``omt train`` does. On a CPU with the same number of threads the model of
a run that was killed and resumed equals that of an uninterrupted one bit for bit, since each stage
stores with its state that of the generator.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from omt_course.models import run_data
from omt_course.models.aeomt import AEOMT
from omt_course.models.run_folder import (
    DATA,
    MODEL,
    REPORT,
    TRAINING,
    TRANSPORT,
    open_run,
    read_log,
)
from omt_course.models.training import Epoch


@dataclass(frozen=True)
class Outcome:
    """Where the model of a finished run is, what the run reached, and whether it was done before.

    Attributes
    ----------
    model : Path
    report : dict
        As in ``report.json``.
    was_finished : bool
    """

    model: Path
    report: dict
    was_finished: bool


def train_run(
    model: str, config: dict, folder: str | Path, *, progress: bool = True, say=None
) -> Outcome:
    """Train AE-OMT in a run folder, from the start or from where it was cut off.

    Parameters
    ----------
    model : {"digits", "faces", "celeba"}
    config : dict
        As `omt_course.models.run_config.resolve` returns it.
    folder : path
        New, empty, or of an earlier run with the same config.
    progress : bool
        Show progress bars on stderr.
    say : callable, optional
        Called with sentences about what is going on.

    Returns
    -------
    outcome : Outcome

    Raises
    ------
    ValueError
        If the folder is another run's, or the data are not those that the run began with.
    NotConverged
        If the transport does not reach its target in ``max_seconds``; the run can go on.
    OSError
        If the data cannot be read or a file cannot be written; the run can go on.

    Examples
    --------
    >>> import tempfile
    >>> from omt_course.models.run_config import resolve
    >>> small = {"limit": 100, "epochs": 1, "latent_dim": 3, "target_error": 0.3}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcome = train_run("digits", resolve("digits", ("", small)), folder, progress=False)
    ...     outcome.model.name, outcome.report["images"]["shape"]
    ('model.safetensors', [100, 28, 28])
    """
    say = say or (lambda sentence: None)
    with open_run(folder, model, config, threads=torch.get_num_threads()) as run:
        if run.finished:
            return _outcome(run, was_finished=True)
        if run.resumed:
            _say_what_changed(run, say)
        images = run_data.seen(model, config, folder, progress=progress)
        if (run.folder / DATA).exists():
            run_data.check_same(run.folder, images)
        else:
            run.write(DATA, images.fingerprint)
        say(f"{len(images.pixels)} images of {images.name}")
        if images.skipped:
            say(f"{len(images.skipped)} files left out: {', '.join(images.skipped)}")
        trained = _fit(run, images.pixels, progress)
        trained.save(run.folder / MODEL)
        run.write(REPORT, _report(run, trained))
        run.log(stage="done", mass_error=trained.mass_error)
        return _outcome(run, was_finished=False)


def _fit(run, pixels, progress):
    """Fit AE-OMT with its checkpoints in the run's folder and every step in its log."""
    began = time.perf_counter()

    def log(step):
        seconds = round(time.perf_counter() - began, 3)
        if isinstance(step, Epoch):
            run.log(stage="autoencoder", epoch=step.number, loss=step.train_loss, seconds=seconds)
        else:
            error = step.error
            run.log(
                stage="transport",
                samples=step.n_samples,
                mass_error=error.value,
                low=error.low,
                high=error.high,
                seconds=seconds,
            )

    config = run.config
    return AEOMT.fit(
        pixels,
        generator=torch.Generator().manual_seed(config["seed"]),
        latent_dim=config["latent_dim"],
        epochs=config["epochs"],
        source=config["source"],
        target_error=config["target_error"],
        max_seconds=config["max_seconds"],
        device=config["device"],
        checkpoint=run.folder / TRAINING,
        transport_checkpoint=run.folder / TRANSPORT,
        callback=log,
        progress=progress,
    )


def _say_what_changed(run, say):
    """Say what may make the bits of a resumed run differ from those of an uninterrupted one."""
    said = [entry for entry in read_log(run.folder) if entry["stage"] in ("start", "resume")]
    if len(said) > 1:
        for name in ("versions", "threads", "machine"):
            if said[-2][name] != said[-1][name]:
                say(
                    f"{name} were {said[-2][name]}, are {said[-1][name]}: the result may differ in "
                    "its last digits from that of an uninterrupted run"
                )
    say(f"going on with the run in {run.folder}")


def _report(run, trained):
    """Return what the run reached."""
    entries = read_log(run.folder)
    losses = {e["epoch"]: e["loss"] for e in entries if e["stage"] == "autoencoder"}
    looks = [e for e in entries if e["stage"] == "transport"]
    images = json.loads((run.folder / DATA).read_text(encoding="utf-8"))
    return {
        "model": run.header["model"],
        "images": images,
        "epochs": max(losses),
        "loss": losses[max(losses)],
        "codes": len(trained.extension.points),
        "latent_dim": len(trained.mean),
        "cut_angle": trained.extension.threshold,
        "mass_error": trained.mass_error,
        "mass_error_interval": list(trained.mass_error_interval),
        "transport_samples": looks[-1]["samples"],
        "resumed": sum(e["stage"] == "resume" for e in entries),
        "seconds": round(_seconds(entries), 1),
    }


def _seconds(entries):
    """Return the seconds that the log accounts for: of each process, up to its last line."""
    total, last = 0.0, 0.0
    for entry in entries:
        if entry["stage"] in ("start", "resume"):
            total, last = total + last, 0.0
        last = entry.get("seconds", last)
    return total + last


def _outcome(run, *, was_finished):
    report = json.loads((run.folder / REPORT).read_text(encoding="utf-8"))
    return Outcome(run.folder / MODEL, report, was_finished)
