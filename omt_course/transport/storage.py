"""Results of the semi-discrete solver in files: whole, and without code in them.

Taught in *Alexandrov and Brenier*.
"""

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from omt_course.files import write_atomically

from .density import TriangulatedDensity
from .domains import Box, Polygon
from .laguerre import LaguerreDiagram
from .newton import NewtonStep
from .polyhedron import Polyhedron
from .solid import SolidDiagram
from .walk import DensityDiagram

KINDS = {
    kind.__name__: kind
    for domain, diagram in (
        ((Box, Polygon), LaguerreDiagram),
        ((Polyhedron,), SolidDiagram),
        ((TriangulatedDensity,), DensityDiagram),
    )
    for kind in (*domain, diagram)
}


def save(result, path: str | Path) -> None:
    """Write a result to `path`, an npz file; written aside and renamed, so whole or not there."""
    arrays = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if type(value).__name__ in KINDS:
            arrays[f"{field.name}.kind"] = np.array(type(value).__name__)
            for inner in fields(value):
                if inner.name not in ("domain", "points", "heights") or field.name == "domain":
                    arrays[f"{field.name}.{inner.name}"] = np.asarray(getattr(value, inner.name))
        elif field.name == "history":
            arrays["history"] = np.array([astuple(step) for step in value], dtype=float)
        else:
            arrays[field.name] = np.asarray(value)
    write_atomically(path, lambda stream: np.savez_compressed(stream, **arrays))


def load(path: str | Path, kind: type):
    """Read a result of class `kind` from `path`, bit for bit as it was saved.

    Raises
    ------
    ValueError
        If the file is not one that `save` wrote.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        values = {}
        for field in fields(kind):
            if f"{field.name}.kind" in arrays:
                inner = KINDS[str(arrays[f"{field.name}.kind"])]
                given = {
                    f.name: arrays[f"{field.name}.{f.name}"]
                    for f in fields(inner)
                    if f"{field.name}.{f.name}" in arrays
                }
                if field.name == "diagram":
                    given |= {name: values[name] for name in ("domain", "points", "heights")}
                values[field.name] = inner(**given)
            elif field.name == "history":
                values["history"] = tuple(
                    NewtonStep(*(t(x) for t, x in zip(_step_types(), row, strict=True)))
                    for row in arrays["history"]
                )
            else:
                value = arrays[field.name]
                values[field.name] = value.item() if value.ndim == 0 else value
    except FileNotFoundError:
        raise
    except Exception as why:
        raise ValueError(f"path: expected a saved result, got {path}: {why}") from why
    return kind(**values)


def _step_types():
    return [int if field.type in (int, "int") else float for field in fields(NewtonStep)]
