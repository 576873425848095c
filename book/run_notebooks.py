"""Run every generated notebook alone: ``python book/run_notebooks.py [page ...]``.

Each notebook runs in an empty folder, by an environment that has the package's wheel and nothing
of the repository: no path to it, no data folder, no setting of ours. That is how a reader runs it
who has downloaded one file. One line a page; what passed is remembered in
``_build/notebook-runs.json`` by the contents of notebook and wheel, so that a run that was cut off
goes on where it stopped.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("PYTHON", "OMT_", "MPL", "JUPYTER", "VIRTUAL_ENV")  # settings that a reader does not have

RUN = """\
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
"""
WHERE = """\
import importlib.util, sys
print(importlib.util.find_spec("omt_course").origin)
"""


def python_of(environment):
    """Return the interpreter of a virtual environment."""
    return Path(environment) / ("Scripts" if os.name == "nt" else "bin") / "python"


def prepare(root, environment):
    """Build the wheel and make an environment with it, Jupyter's kernel, and nothing else.

    Returns
    -------
    wheel : str
        SHA-256 of what was installed, which tells a later run whether it still holds.
    """
    python, mark = python_of(environment), Path(environment) / "wheel.sha256"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"  # a copy: what an older build left behind stays out
        for name in ("omt_course", "data"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(Path(root) / name, source / name, ignore=ignored)
        for path in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-CONTENT"):
            shutil.copy(Path(root) / path, source)
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(source)]
        subprocess.run(pip, check=True, cwd=folder)
        (wheel,) = Path(folder).glob("*.whl")
        key = _contents_of_wheel(wheel)
        if mark.exists() and mark.read_text() == key:
            return key
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pins = ["-c", str(Path(root) / "constraints.txt")]
        install = [str(python), "-m", "pip", "install", "-q", *pins, "nbclient", "ipykernel"]
        subprocess.run([*install, str(wheel)], check=True, cwd=folder)
        again = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall"]
        subprocess.run([*again, str(wheel)], check=True, cwd=folder)  # same version, other contents
    mark.write_text(key)
    return key


def _contents_of_wheel(wheel):
    """Return one SHA-256 of the files of a wheel, whenever it was packed."""
    total = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            total.update(name.encode() + hashlib.sha256(archive.read(name)).digest())
    return total.hexdigest()


def surroundings(environment, home):
    """Return the variables that a notebook runs with: no setting of ours, an empty home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith((*OURS, "XDG_"))}
    kept["PATH"] = str(python_of(environment).parent) + os.pathsep + kept.get("PATH", "")
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "OMP_NUM_THREADS": "1"}


def identity(notebook, wheel):
    """Return one SHA-256 of a notebook's code and the wheel, not of the commit it names."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    cells = [c for c in cells if "setup" not in c["metadata"].get("tags", [])]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return hashlib.sha256(json.dumps([code, wheel]).encode()).hexdigest()


def run(notebook, environment, limit=1800):
    """Run one notebook; return its seconds and, if it failed, the whole error.

    Raises
    ------
    RuntimeError
        If the environment would take the package from somewhere else than itself.
    """
    python = str(python_of(environment))
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as empty:
        variables = surroundings(environment, home)
        where = [python, "-c", WHERE]
        found = subprocess.run(where, cwd=empty, env=variables, capture_output=True, text=True)
        origin = Path(found.stdout.strip() or ".").resolve()
        if not origin.is_relative_to(Path(environment).resolve()):
            raise RuntimeError(f"omt_course comes from {origin}, not from {environment}")
        started = time.monotonic()
        command = [python, "-c", RUN, str(Path(notebook).resolve())]
        try:
            done = subprocess.run(
                command, cwd=empty, env=variables, capture_output=True, text=True, timeout=limit
            )
            error = done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            error = f"not finished after {limit} seconds"
        return time.monotonic() - started, error


def run_all(folder, environment, wheel, memory, pages=()):
    """Run the notebooks of a folder; return the names of those that failed."""
    folder, memory = Path(folder), Path(memory)
    names = sorted(
        p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.ipynb")
    )
    if unknown := sorted(set(pages) - set(names)):
        raise ValueError(f"pages: expected pages with a notebook, got {unknown}")
    known = json.loads(memory.read_text()) if memory.exists() else {}
    failed = []
    for name in pages or names:
        path = folder / f"{name}.ipynb"
        key = identity(path, wheel)
        if known.get(name, {}).get("key") == key:
            print(f"ok   {known[name]['seconds']:7.1f} s  {name} (before)", flush=True)
            continue
        seconds, error = run(path, environment)
        if error:
            failed.append(name)
            print(f"FAIL {seconds:7.1f} s  {name}\n{error}", flush=True)
            continue
        print(f"ok   {seconds:7.1f} s  {name}", flush=True)
        known[name] = {"key": key, "seconds": round(seconds, 1)}
        memory.write_text(json.dumps(known, indent=1) + "\n")
    print(f"{len(pages or names) - len(failed)} passed, {len(failed)} failed", flush=True)
    return failed


def main(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="by default all")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--environment", type=Path, help="by default _build/notebook-environment")
    chosen = parser.parse_args(arguments)
    root = chosen.root.resolve()
    environment = (chosen.environment or root / "_build" / "notebook-environment").resolve()
    sys.path.insert(0, str(root / "book" / "_ext"))
    from omt_notebooks import write_all

    folder = root / "_build" / "notebooks"
    write_all(root, folder)
    wheel = prepare(root, environment)
    failed = run_all(
        folder, environment, wheel, root / "_build" / "notebook-runs.json", chosen.pages
    )
    sys.exit(f"FAILED: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
