"""One folder a run: what was asked for, what happened, and what came out.

Every file is whole or not there, but for the log, whose last line may be torn by a crash and is
then cut off. So a process may be killed at any moment, and the same command goes on.

=====================  =================================================================
``run.json``           model, config as resolved, seed, versions, threads
``data.json``          number, shape and SHA-256 of the images: a run goes on with the same
``log.jsonl``          one JSON object a line: an epoch, a look of the transport, a resumption
``training.ckpt``      the autoencoder after its last epoch, with the optimiser
``transport.ckpt``     the heights after the last look, with the generator
``model.safetensors``  the model
``report.json``        what the run reached; written last
=====================  =================================================================
"""

import contextlib
import datetime
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from omt_course import __version__
from omt_course.files import write_atomically
from omt_course.models.run_config import FREE

try:
    import fcntl
except ImportError:  # Windows: two processes in one folder are the user's care
    fcntl = None

HEADER, DATA, LOG, REPORT = "run.json", "data.json", "log.jsonl", "report.json"
TRAINING, TRANSPORT, MODEL = "training.ckpt", "transport.ckpt", "model.safetensors"
_LOCK = ".lock"
_FORMAT = "omt_course.run/1"


@dataclass(frozen=True)
class Run:
    """An open run folder.

    Attributes
    ----------
    folder : Path
    header : dict
        What ``run.json`` holds: ``model``, ``config``, ``seed``, ``versions``, ``threads``, ...
    config : dict
        The settings of this process, every one.
    resumed : bool
        Whether an earlier process began this run.
    """

    folder: Path
    header: dict
    config: dict
    resumed: bool

    @property
    def finished(self) -> bool:
        """Whether the report, the last file of a run, is there."""
        return (self.folder / REPORT).exists()

    def log(self, **entry) -> None:
        """Append one line to the log, on disk when this returns."""
        line = json.dumps(entry, allow_nan=False) + "\n"
        path = self.folder / LOG
        try:
            with open(path, "ab") as stream:
                stream.write(line.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            error.filename = str(path)
            raise

    def write(self, name: str, values: Mapping) -> None:
        """Write a JSON file of the run, whole or not at all."""
        write_json(self.folder / name, values)


@contextlib.contextmanager
def open_run(folder: str | Path, model: str, config: Mapping, *, threads: int = 1) -> Iterator[Run]:
    """Begin a run in a new or empty folder, or go on with the run that is there.

    Parameters
    ----------
    folder : path
    model : str
        What is trained: "digits", ...
    config : mapping
        As `omt_course.models.run_config.resolve` returns it.
    threads : int
        Recorded; bits depend on it.

    Yields
    ------
    run : Run
        Alone in its folder until the end of the block.

    Raises
    ------
    ValueError
        If the folder holds a run with another model or config (the message names what differs),
        or files that are no run.
    BlockingIOError
        If another process is at work in it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_run(folder, "digits", {"seed": 3}) as run:
    ...         run.log(stage="autoencoder", epoch=1, loss=0.5)
    ...     [entry["stage"] for entry in read_log(folder)]
    ['start', 'autoencoder']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for aside in folder.glob("*.tmp"):  # of a process that was killed while it wrote
            aside.unlink()
        versions = {"omt_course": __version__, "python": platform.python_version()}
        versions |= {name: metadata.version(name) for name in ("torch", "numpy", "scipy")}
        now = {"versions": versions, "threads": threads, "machine": platform.machine()}
        resumed = (folder / HEADER).exists()
        if resumed:
            header = read_header(folder)
            _check_same(folder, header, model, config)
            _cut_torn_line(folder / LOG)
        else:
            others = sorted(path.name for path in folder.iterdir() if path.name != _LOCK)
            if others:
                raise ValueError(
                    f"out: expected a new or empty folder, or one of an earlier run; {folder} "
                    f"holds {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}"
                )
            header = {"format": _FORMAT, "model": model, "config": dict(config)}
            header |= {"seed": config.get("seed"), "started": _now(), **now}
            write_json(folder / HEADER, header)
        run = Run(folder, header, dict(config), resumed)
        if not run.finished:
            run.log(stage="resume" if resumed else "start", time=_now(), **now)
        yield run


def read_header(folder: str | Path) -> dict:
    """Return what ``run.json`` of a run folder holds.

    Raises
    ------
    ValueError
        If the folder holds no run.
    """
    path = Path(folder) / HEADER
    if not path.exists():
        raise ValueError(f"run: expected a folder of 'omt train'; {folder} has no {HEADER}")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        if header["format"] != _FORMAT or not isinstance(header["config"], dict):
            raise ValueError(f"of format {header['format']}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"run: expected {path} to describe a run; got {error}") from error
    return header


def read_log(folder: str | Path) -> list[dict]:
    """Return the entries of a log; a last line that a crash has torn is left out.

    An epoch or a look that was done again after a crash is there twice.

    Raises
    ------
    ValueError
        If a line before the last is no JSON object; the message has its number.
    """
    path = Path(folder) / LOG
    entries = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            entries.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: expected a JSON object: {error}") from error
    return entries


def write_json(path: str | Path, values: Mapping) -> None:
    """Write JSON with one key a line, whole or not at all; NaN is refused."""
    content = json.dumps(values, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda stream: stream.write(content.encode()))


def _check_same(folder, header, model, config):
    """Refuse to go on with another model or other settings, and name them."""
    if header["model"] != model:
        raise ValueError(
            f"out: expected a new folder; {folder} holds a run of 'omt train {header['model']}'"
        )
    old = header["config"]
    names = [name for name in {**old, **config} if name not in FREE]
    differ = [name for name in names if old.get(name) != config.get(name)]
    if differ:
        listed = ", ".join(f"{name} = {old.get(name)} not {config.get(name)}" for name in differ)
        raise ValueError(
            f"out: {folder} holds a run with another config: {listed}; give the same to go on with "
            "it, or choose another folder"
        )


def _cut_torn_line(path):
    """Cut off what follows the last line end, if anything does."""
    content = path.read_bytes() if path.exists() else b""
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


@contextlib.contextmanager
def _alone(folder):
    """Hold the folder's lock; the system lets go of it when a process dies."""
    if fcntl is None:
        yield
        return
    with open(folder / _LOCK, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f"out: expected a folder that no other process uses; {folder} is in use"
            ) from None
        yield


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
