"""Files that are either whole or not there: written aside, then renamed."""

import os
import tempfile
from pathlib import Path


def write_atomically(path, write):
    """Call ``write(stream)`` on a file aside, then give it its name; on failure keep the old file.

    Parameters
    ----------
    path : path
        Missing folders are made.
    write : callable
        Takes a stream open for writing bytes.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a" / "b", lambda stream: stream.write(b"whole"))
    ...     (Path(folder) / "a" / "b").read_bytes()
    b'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(aside, 0o666 & ~_umask())  # mkstemp's own mode would hide it from other users
        os.replace(aside, path)
    except BaseException as error:
        Path(aside).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # a full disk says no name
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
