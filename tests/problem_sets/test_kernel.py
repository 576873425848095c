"""The kernel that grades: what its hook refuses, what it lets pass, and its limits."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def guarded(tmp_path):
    """Run code in a guarded process, in a student's folder inside a secret course folder."""
    own = tmp_path / "course" / "autograded" / "ada" / "t"
    own.mkdir(parents=True)
    (own / "t.ipynb").write_text("hidden")
    (tmp_path / "course" / "gradebook.db").write_text("grades")
    (tmp_path / "other").mkdir()

    def act(code):
        start = f"""
        from pathlib import Path
        from assignments.kernel import bound, guard
        bound(2**30)
        guard([Path({str(tmp_path / "course")!r})], Path.cwd(), lambda s: print("REFUSED", s))
        """
        script = textwrap.dedent(start) + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=own,
            env={
                "PYTHONPATH": str(ROOT),
                "PATH": "/usr/bin:/bin",
                "OMP_NUM_THREADS": "1",
                "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    return act


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("open('t.ipynb')", "open of t.ipynb"),
        ("open('../../../gradebook.db', 'wb')", "open of gradebook.db"),
        ("Path('../../../gradebook.db').read_bytes()", "open of gradebook.db"),
        ("import os; os.listdir('../..')", "os.listdir of autograded"),
        ("import os; os.remove('../../../gradebook.db')", "os.remove of gradebook.db"),
        ("import os; os.rename('../../../gradebook.db', 'x')", "os.rename of gradebook.db"),
        ("import os; os.chdir('..'); open('t.ipynb')", "os.chdir of ada"),
        ("import sqlite3; sqlite3.connect('../../../gradebook.db')", "connect of gradebook.db"),
        (
            "import sqlite3; sqlite3.connect('file:../../../gradebook.db?mode=rw', uri=True)",
            "connect of gradebook.db",
        ),
        ("import os; os.symlink('../../../gradebook.db', 'x'); open('x')", "gradebook.db"),
        ("import subprocess; subprocess.run(['cat', '../../../gradebook.db'])", "Popen of cat"),
        ("import os; os.system('cat ../../../gradebook.db')", "os.system of cat"),
        ("import assignments; open(assignments.__file__, 'a')", "open of __init__.py, to change"),
        ("import os; os.mkdir(os.path.expanduser('~/new'))", "os.mkdir of new, to change"),
        ("import os; os.system('uname; rm -r ../../..')", "os.system of uname"),
        ("import os; os.kill(os.getppid(), 9)", "os.kill of process"),
    ],
)
def test_refused_and_reported(guarded, code, refused):
    said = guarded(code)
    assert "REFUSED" in said and refused in said and "PermissionError" in said


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np; np.save('own.npy', np.ones(3)); np.load('own.npy')",
        "Path('notes.txt').write_text('own')",
        "import tempfile; tempfile.TemporaryFile().write(b'x')",
        "import sqlite3; sqlite3.connect(':memory:')",
        "import scipy.optimize, sklearn.neighbors, matplotlib.pyplot, torch, ot",
        "import os; os.listdir('../../../../other')",
        "import os; open(os.devnull, 'w').write('x')",
        "import omt_course; open(omt_course.__file__).read()",
        "import numba; numba.njit(lambda x: x + 1)(1)",
    ],
)
def test_ordinary_work_passes(guarded, code):
    said = guarded(code + "\nprint('done')")
    assert "done" in said and "REFUSED" not in said and "Error" not in said


def test_memory_and_files_are_bounded(guarded):
    said = guarded("""
        try:
            bytearray(2**31)
        except MemoryError:
            print("no memory")
        try:
            with open("big", "wb") as file:
                for _ in range(100):
                    file.write(bytes(2**20))
        except OSError as error:
            print("no file:", error)
        """)
    assert "no memory" in said and "no file: [Errno 27]" in said
