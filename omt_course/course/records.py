"""Results of runs too long for a page, and the foot that says how a page was made.

A record is a small file in ``data/records/``: ``<name>.json``, with a ``<name>.npz`` beside it when
there are arrays. It says how it was made: command, date, device, package version, seeds. Files are
written aside and renamed, so an interrupted run leaves the old record whole.

In a clone the folder is ``data/records`` at its root. An installed package carries the records of
its version in ``share/omt_course/records``, so a notebook that is read alone finds them too.
"""

import datetime
import hashlib
import io
import json
import math
import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from omt_course import __version__, course
from omt_course.datasets import shipped
from omt_course.files import write_atomically

_FIELDS = ("name", "command", "date", "device", "version", "seeds")


@dataclass(frozen=True)
class Record:
    """A stored result and the evidence of its making."""

    name: str
    values: dict
    command: str
    date: str
    device: str
    version: str
    seeds: tuple[int, ...]

    def line(self) -> str:
        """Return one sentence that says where the numbers come from."""
        seeds = ", ".join(map(str, self.seeds)) or "none"
        return (
            f"Record {self.name}: made on {self.date} by `{self.command}` on {self.device}, "
            f"omt_course {self.version}, seeds: {seeds}."
        )

    def _repr_markdown_(self) -> str:
        return self.line()


def folders() -> list[Path]:
    """Return the folders that may hold records: the clone's if this is one, then the package's.

    Examples
    --------
    >>> folders()[-1].parts[-3:]
    ('share', 'omt_course', 'records')
    """
    return [folder / "records" for folder in shipped.folders()]


def write(
    name: str,
    values: dict,
    *,
    command: str,
    seeds: Sequence[int],
    device: str | None = None,
    folder: str | Path | None = None,
) -> Path:
    """Write a record; an older one of the same name is replaced whole or not at all.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens.
    values : dict of str to number, string, list, dict or array
        Arrays of any shape go to ``<name>.npz``, the rest to ``<name>.json``.
    command : str
        The command line that makes the record again.
    seeds : sequence of int
    device : str, optional
        The machine, in words; its processor by default.
    folder : path, optional
        ``data/records`` of the clone by default.

    Returns
    -------
    path of the JSON file

    Raises
    ------
    ValueError
        If a name or a value cannot be stored, or a number is not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = write("a-test", {"error": 0.5, "masses": np.ones(3)}, command="make",
    ...                  seeds=[0], folder=folder)
    ...     read("a-test", folder=folder).values["masses"]
    array([1., 1., 1.])
    """
    _check_name(name)
    if not command or not command.strip():
        raise ValueError(f"command: expected the command that makes the record, got {command!r}")
    folder = Path(folder) if folder is not None else folders()[0]
    arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
    for key, array in arrays.items():
        if array.dtype.kind not in "biufU" or (array.dtype.kind == "f" and np.isnan(array).any()):
            raise ValueError(f"values[{key!r}]: expected an array of numbers or text without NaN")
    content = {
        "name": name,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "device": device or _machine(),
        "version": __version__,
        "seeds": [int(seed) for seed in seeds],
        "values": {
            key: _plain(value, f"values[{key!r}]")
            for key, value in values.items()
            if key not in arrays
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    if arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        content["arrays_sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
        write_atomically(folder / f"{name}.npz", lambda file: file.write(buffer.getvalue()))
    path = folder / f"{name}.json"
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
    if not arrays:
        (folder / f"{name}.npz").unlink(missing_ok=True)
    return path


def read(name: str, *, folder: str | Path | None = None) -> Record:
    """Read a record from the clone or, without one, from the installed package.

    Raises
    ------
    FileNotFoundError
        If no such record is found; the message names the folders that were searched.
    ValueError
        If its files are damaged or do not belong together.
    """
    _check_name(name)
    searched = [Path(folder)] if folder is not None else folders()
    path = next((p for f in searched if (p := f / f"{name}.json").exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"record {name!r}: no {name}.json in {' or '.join(map(str, searched))}. Records lie in "
            "data/records/ of the course's repository: clone it, or install the package from it."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        values = dict(content["values"])
        fields = {field: content[field] for field in _FIELDS}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"record {name!r}: {path} is not a record ({error!r})") from error
    if "arrays_sha256" in content:
        data = path.with_suffix(".npz")
        packed = data.read_bytes() if data.exists() else b""
        if hashlib.sha256(packed).hexdigest() != content["arrays_sha256"]:
            raise ValueError(f"record {name!r}: {data} is missing or not the one {path} names")
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            values.update({key: arrays[key] for key in arrays.files})
    return Record(**(fields | {"seeds": tuple(fields["seeds"])}), values=values)


@dataclass(frozen=True)
class Provenance:
    """What made a page: seed, versions, run time; shown at its foot."""

    seed: tuple[int, ...]
    versions: dict
    seconds: float

    def _repr_html_(self) -> str:
        word = "Seed" if len(self.seed) == 1 else "Seeds"
        seeds = ", ".join(map(str, self.seed)) or "none"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f'<p class="omt-provenance"><strong>How this page was made.</strong> {word}: {seeds}. '
            f"Packages: {versions}. Run time: {self.seconds:.1f} s.</p>"
        )


def provenance(*, seed: int | Sequence[int]) -> Provenance:
    """Return the foot of a page: its seed or seeds, the package's version, and its run time so far.

    Examples
    --------
    >>> provenance(seed=5).seed
    (5,)
    """
    seeds = (seed,) if isinstance(seed, int | np.integer) else tuple(seed)
    packages = ("numpy", "scipy", "torch", "POT")
    versions = {"omt_course": __version__, "Python": platform.python_version()}
    versions |= {package: metadata.version(package) for package in packages}
    return Provenance(tuple(map(int, seeds)), versions, time.perf_counter() - course._STARTED)


def _plain(value, where: str):
    """Return `value` as JSON types, or say which part of it cannot be stored."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: expected a finite number, got {value}")
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise ValueError(
        f"{where}: expected numbers, text, lists, dicts of them, or an array at the top; "
        f"got {type(value).__name__}"
    )


def _machine() -> str:
    """Return the processor in words, with the number of cores this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), flags=re.MULTILINE)
        model = found.group(1) if found else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def _check_name(name) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"name: expected lower-case words joined by hyphens, got {name!r}")
