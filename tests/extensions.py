"""The book's own Sphinx extensions for tests: one loaded by its name, or a toy book built."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book" / "_ext"


def load(name):
    """Return a module of ``book/_ext``, without leaving the folder on the path."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


def build(folder):
    """Build a toy book to ``out/html`` in its folder; return the finished process."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER), str(ROOT)])}
    return subprocess.run(
        [*command, f"{folder}/out/html"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
