"""Build the book: ``python book/build.py install|html|notebooks|linkcheck|serve``.

Standard library only, so that ``install`` runs before anything is installed. Every command shows
what it is doing, keeps the whole output in ``_build/<command>.log``, and ends a failure with one
line that says what went wrong and where the log is.
"""

import argparse
import hashlib
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path("_build") / ".jupyter_cache"
MARK = Path("_build") / ".jupyter_cache.digest"
QUIET = 20.0  # seconds without a line before we say that the build is alive


def digest(root):
    """Return one SHA-256 of what a page's result depends on besides its own cells.

    That is every ``omt_course/**/*.py``, every file below ``data/``, and ``constraints.txt``;
    names count as well as contents. Hidden files and byte code do not.
    """
    files = [*root.glob("omt_course/**/*.py"), *root.glob("data/**/*"), root / "constraints.txt"]
    total = hashlib.sha256()
    for path in sorted(files):
        name = path.relative_to(root)
        if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in name.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{name.as_posix()} {content}\n".encode())
    return total.hexdigest()


def drop_stale_cache(root):
    """Remove the pages' execution cache if `digest` changed since it was filled; say whether.

    The cache's own key is the code cells of a page, so without this a page would keep the result
    of a function that has changed.
    """
    now, mark, cache = digest(root), root / MARK, root / CACHE
    stale = cache.exists() and (not mark.exists() or mark.read_text().strip() != now)
    if stale:
        shutil.rmtree(cache)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(now + "\n")
    return stale


def run(command, *, log, show, root, environment=None):
    """Run a command; show the lines that `show` turns into text; return its status and output.

    ``show(line)`` returns what to print for a line of output, or None. A quiet command is
    reported every `QUIET` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    everything = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    everything.pop("MPLBACKEND", None)  # a kernel needs its own, or its figures are not shown
    process = subprocess.Popen(
        command,
        cwd=root,
        env=everything,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    output, doing, since = [], "starting", time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        while True:
            try:
                line = lines.get(timeout=QUIET)
            except queue.Empty:
                print(f"      ... {doing}, {time.monotonic() - since:.0f} s", flush=True)
                continue
            if line is None:
                break
            line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip()
            for part in line.split("\r"):
                file.write(part + "\n")
                file.flush()
                output.append(part)
                if text := show(part):
                    doing, since = text.strip(), time.monotonic()
                    print(text, flush=True)
    process.stdout.close()
    return process.wait(), output


def fail(what, log):
    """End with one line: what went wrong, and where the whole output is."""
    sys.exit(f"\nFAILED: {what}\n        the whole log: {log}")


def install(root, extras):
    """Create ``.venv`` and install the package with its extras at the versions of the pins."""
    if sys.version_info < (3, 11):  # noqa: UP036 (this script runs before pip checks it)
        sys.exit(f"FAILED: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    log = root / "_build" / "install.log"
    python = root / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        print("[1/2] creating .venv", flush=True)
        status, output = run(
            [sys.executable, "-m", "venv", str(root / ".venv")],
            log=log,
            show=lambda line: None,
            root=root,
        )
        if status:
            fail(f"no virtual environment ({output[-1] if output else status})", log)
    print("[2/2] installing packages into .venv (2 GB, a few minutes the first time)", flush=True)

    def show(line):
        found = re.match(r"Collecting [\w.\-]+|Installing collected packages|Building \w+", line)
        return found and f"      {found.group(0)}"

    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-c", "constraints.txt", "-e", f".[{extras}]"]
    status, output = run(command, log=log, show=show, root=root)
    if status:
        errors = [line for line in output if line.startswith("ERROR")] or output[-1:]
        fail(errors[-1], log)


def diagnosis(output, root):
    """Return one line that says what stopped a build: a page and its error, or a warning."""
    page = kind = None
    for line in output:
        if found := re.match(r"(.+?): WARNING: Executing notebook failed: (\w+)", line):
            page, kind = found.groups()
        elif page and (found := re.match(r"(\w+) +Traceback \(most recent call last\)", line)):
            kind = found.group(1)
        elif page and line.startswith(f"{kind}:"):
            return f"{page}: {line}".replace(f"{root}{os.sep}", "")
    if page:
        return f"{page}: {kind}".replace(f"{root}{os.sep}", "")
    wrong = [
        line for line in output if re.search(r"(\bWARNING:|\bERROR:|\) broken |Error: )", line)
    ]
    return (wrong or output[-1:] or ["no output"])[0].strip().replace(f"{root}{os.sep}", "")


def html(root, builder="html"):
    """Execute every page and write the site; a warning is an error."""
    if drop_stale_cache(root):
        print("the package, the data or the pins changed: every page runs again", flush=True)
    log = root / "_build" / f"{builder}.log"
    started = time.monotonic()

    def show(line):
        if found := re.match(r"reading sources\.\.\. \[ *(\d+)%\] (\S+)", line):
            return f"[{found.group(1):>3}%] {found.group(2)}"
        if found := re.search(r"(Executing notebook|Executed notebook in [\d.]+ seconds)", line):
            return f"       {found.group(1).lower()}"
        return f"       {line.strip()}" if re.search(r"\b(WARNING|ERROR): ", line) else None

    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", "book", "-W", "--keep-going", "--all"]
    command = command if builder == "html" else [*command, "--builder", builder]
    environment = {
        "OMT_COURSE_BOOK": "1",
        "OMP_NUM_THREADS": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment, not the user's own
        "PYTHONWARNINGS": "ignore:IProgress not found",  # pooch imports tqdm's notebook bar
    }
    status, output = run(command, log=log, show=show, root=root, environment=environment)
    if status:
        fail(diagnosis(output, root), log)
    times = json.loads((root / "_build" / "run-times.json").read_text(encoding="utf-8"))
    if builder == "html":
        ran = {Path(line.split(":")[0]) for line in output if ": Executing notebook" in line}
        print("\nRun time of each page, in seconds (c: from the cache)")
        for page, entry in sorted(times.items(), key=lambda item: -item[1]["seconds"]):
            cached = " " if root / "book" / f"{page}.md" in ran else "c"
            print(f"  {entry['seconds']:7.1f} {cached} {page}")
        print(f"  {sum(entry['seconds'] for entry in times.values()):7.1f}   all pages")
        print(f"\nThe book ({time.monotonic() - started:.0f} s): {root / '_build/html/index.html'}")
    else:
        print(f"\nDone ({time.monotonic() - started:.0f} s); log: {log}")


def notebooks(root):
    """Write an ``.ipynb`` of every page, runnable alone, to ``_build/notebooks``."""
    sys.path.insert(0, str(root / "book" / "_ext"))
    from omt_notebooks import write_all

    written = write_all(root, root / "_build" / "notebooks")
    print(f"{len(written)} notebooks: {root / '_build/notebooks'}")


def serve(root, port):
    """Serve the built site on this machine until interrupted."""
    folder = root / "_build" / "html"
    if not (folder / "index.html").exists():
        sys.exit("FAILED: there is no site yet; run `make book` first")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{port}  (stop with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["install", "html", "notebooks", "linkcheck", "serve"])
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--extras", default="book", help="extras to install")
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args(arguments)
    root = chosen.root.resolve()
    if chosen.command == "install":
        install(root, chosen.extras)
    elif chosen.command == "serve":
        serve(root, chosen.port)
    elif chosen.command == "notebooks":
        notebooks(root)
    else:
        html(root, chosen.command)


if __name__ == "__main__":
    main()
