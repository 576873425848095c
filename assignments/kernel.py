"""The kernel that student code runs in while it is graded: bounded, and kept from the records.

Memory and file sizes have limits, and a hook refuses to open the gradebook, the sources with their
solutions, other students' files and the notebook that holds the hidden tests; to write outside of
the student's folder, scratch and caches; to start programs; and to signal other processes. What it
refuses, it reports. The hook keeps curious and careless code out, and tells the teacher about it.
It is no prison: code that is written to break out of Python can. Only a container is (the teacher's
guide has the line).
"""

import ctypes
import os
import signal
import sys
import tempfile
from pathlib import Path

SIZE_LIMIT = 64 * 2**20  # bytes of one file that a student's code may write
HARMLESS = {"lscpu", "uname", "fc-list", "ldconfig", "sysctl"}  # libraries ask the machine
PATHS = {  # audit events and how many of their first arguments are paths
    "open": 1,
    "sqlite3.connect": 1,
    "os.listdir": 1,
    "os.scandir": 1,
    "os.chdir": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.utime": 1,
}
CHANGES = set(PATHS) - {"open", "sqlite3.connect", "os.listdir", "os.scandir", "os.chdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
STARTS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.forkpty",
    "pty.spawn",
    "os.startfile",
}


def guard(secret: list[Path], here: Path, report) -> None:
    """Refuse, from now on, to touch what lies below the `secret` folders, and to start programs.

    Files in `here` (the student's own folder, which lies in a secret one) are free, notebooks
    excepted. Elsewhere files may be read, and written only in scratch folders and caches.
    `report(sentence)` is called for every refusal.
    """
    roots = [os.path.realpath(p) for p in secret]
    own = os.path.realpath(here)
    caches = [os.environ.get(name) for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")]
    places = [own, tempfile.gettempdir(), os.path.expanduser("~/.cache"), "/dev", *caches]
    writable = [os.path.realpath(p) for p in places if p]
    # the code that grades stays as it is, even where it lies in a scratch folder
    code = [os.path.realpath(p) for p in (Path(__file__).parents[1], sys.prefix)]
    mine = os.getpid()
    busy = False

    def inside(path: str, root: str) -> bool:
        return path == root or path.startswith(root + os.sep)

    def refuse(sentence: str):
        nonlocal busy
        busy = True
        try:
            report(sentence)
        finally:
            busy = False
        raise PermissionError(f"refused while grading: {sentence}")

    def hook(event: str, arguments: tuple) -> None:
        if busy:
            return
        if event in PATHS:
            for given in arguments[: PATHS[event]]:
                if not isinstance(given, str | bytes | os.PathLike):
                    continue
                path = os.path.realpath(os.fsdecode(given).removeprefix("file:").split("?")[0])
                if inside(path, own) and not path.endswith(".ipynb"):
                    continue
                if any(inside(path, root) for root in roots):
                    refuse(f"{event} of {os.path.basename(path)}")
                if not (event in CHANGES or (event == "open" and writes(*arguments[1:3]))):
                    continue
                ours = any(inside(path, root) for root in code) and not inside(path, own)
                allowed = any(inside(path, root) for root in writable) and not ours
                if not allowed and "__pycache__" not in path.split(os.sep):
                    refuse(f"{event} of {os.path.basename(path)}, to change it")
        elif event in STARTS:
            given = arguments[0]
            words = os.fsdecode(given) if isinstance(given, bytes | os.PathLike) else str(given)
            program = os.path.basename(words.split(" ")[0])
            if program not in HARMLESS or event == "os.system":
                refuse(f"{event} of {program[:40]}")
        elif event in ("os.kill", "os.killpg") and arguments[0] != mine:
            refuse(f"{event} of process {arguments[0]}")

    sys.addaudithook(hook)


def writes(mode: str | None, flags: int) -> bool:
    """Return whether a file is opened for writing."""
    return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & WRITING)


def bound(memory: int) -> None:
    """Limit this process: bytes of private memory, bytes of a file; and let it die with its parent.

    Linux only in full; where a limit is unknown, the container's limits remain.
    """
    import resource

    for name, limit in (("RLIMIT_DATA", memory), ("RLIMIT_FSIZE", SIZE_LIMIT), ("RLIMIT_CORE", 0)):
        if hasattr(resource, name):
            _, hard = resource.getrlimit(getattr(resource, name))
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(getattr(resource, name), (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that is too long raises OSError
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Start the kernel: ``python -m assignments.kernel -f connection-file``."""
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(sys.argv[1:])
    denied = os.open(os.environ.pop("OMT_GRADE_DENIED"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    secret = [Path(p) for p in os.environ.pop("OMT_GRADE_SECRET").split(os.pathsep)]
    bound(int(os.environ.pop("OMT_GRADE_MEMORY")))
    guard(secret, Path.cwd(), lambda sentence: os.write(denied, f"{sentence}\n".encode()))
    app.start()


if __name__ == "__main__":
    main()
