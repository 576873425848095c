"""Files that are fetched on demand: where they come from, their checksums, where they are kept.

The cache folder is the environment variable ``OMT_COURSE_DATA``, or the user's cache folder.
Files keep their upstream names below it, one folder a collection: ``<cache>/mnist/...``.
A folder that cannot be written is read, never required: what is missing there goes to the
user's cache folder.
"""

import hashlib
import os
from pathlib import Path

import pooch
import requests
import urllib3
from tqdm import tqdm

from omt_course.datasets.catalogue import REGISTRY, Collection, RemoteFile

__all__ = [
    "REGISTRY",
    "Collection",
    "DataUnavailableError",
    "RemoteFile",
    "cache_folder",
    "fetch",
    "sha256_of",
    "status",
    "writable_folder",
]

ENVIRONMENT_VARIABLE = "OMT_COURSE_DATA"
_ATTEMPTS = 3  # a mirror, when a transfer breaks off


class DataUnavailableError(OSError):
    """A data file is not in the cache and could not be fetched; the message says what to do."""


def cache_folder():
    """Return the cache folder: ``OMT_COURSE_DATA`` if set, else the user's cache folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(pooch.os_cache("omt_course"))


def writable_folder():
    """Return where new files go: the cache folder, else the user's, else None.

    A folder whose permission bits forbid writing counts as read-only for root too.
    """
    for folder in (cache_folder(), Path(pooch.os_cache("omt_course"))):
        existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        if existing.is_dir() and existing.stat().st_mode & 0o222 and os.access(existing, os.W_OK):
            return folder
    return None


def sha256_of(path):
    """Return the SHA-256 digest of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def status(collection, file):
    """Say in which state a file is, without touching it.

    Parameters
    ----------
    collection : Collection
    file : RemoteFile

    Returns
    -------
    state : str
        ``"ok"``, ``"damaged"`` (wrong checksum) or ``"missing"``.
    path : pathlib.Path
        Where the file is, or would be.
    """
    folders = dict.fromkeys((cache_folder(), writable_folder() or cache_folder()))
    paths = [folder / collection.folder / file.name for folder in folders]
    present = [path for path in paths if path.is_file()]
    for path in present:
        if sha256_of(path) == file.sha256:
            return "ok", path
    return ("damaged", present[0]) if present else ("missing", paths[-1])


def fetch(collection, name, *, mirrors=None, timeout=20.0, progress=True):
    """Return the path of a file with the right checksum, fetching it if need be.

    A file with a wrong checksum is removed (where the folder can be written) and fetched anew.
    A download is written aside to ``<name>.part``; one that broke off is resumed from there,
    and only a file with the right checksum ever gets its name.

    Parameters
    ----------
    collection : Collection
    name : str
        Upstream name of the file.
    mirrors : sequence of str, optional
        Base addresses tried in turn, each ending in ``/``; the collection's own by default.
    timeout : float
        Seconds to wait for a server's answer.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    ValueError
        If the collection has no such file.
    DataUnavailableError
        If no mirror gave the file, or no folder can be written.

    See Also
    --------
    omt_course.datasets.digits.load : the arrays.

    Examples
    --------
    >>> REGISTRY["mnist"].file("t10k-labels-idx1-ubyte.gz").size
    4542
    """
    file = collection.file(name)
    state, path = status(collection, file)
    if state == "ok":
        return path
    folder = writable_folder()
    if folder is None:
        raise DataUnavailableError(
            f"{collection.folder}/{name} is not in {cache_folder()} and that folder cannot be "
            f"written: set {ENVIRONMENT_VARIABLE} to a folder that can."
        )
    target = folder / collection.folder / name
    target.unlink(missing_ok=True)
    reasons = []
    for base in collection.mirrors if mirrors is None else mirrors:
        for _ in range(_ATTEMPTS):
            try:
                return _fetch_from(base + name, target, file, timeout, progress)
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
                reasons.append(f"{base}: {type(error).__name__}")
                if not isinstance(error, _BrokenOff):
                    break  # no connection, or no such file: the next mirror
            except ValueError:  # pooch: wrong checksum
                reasons.append(f"{base}: wrong checksum")
                break
    found = f"{path} has a wrong checksum" if state == "damaged" else f"{target} is missing"
    raise DataUnavailableError(
        f"{found} and could not be fetched ({'; '.join(reasons)}): go online and run "
        f"'omt data fetch {collection.name}' (it resumes), or copy {name} into {target.parent}."
    )


class _BrokenOff(requests.exceptions.ConnectionError):
    """A transfer that ended early; what came is kept for the next attempt."""


def _fetch_from(url, target, file, timeout, progress):
    """Fetch one address: pooch checks the digest and renames, `download` resumes."""
    part = target.with_name(target.name + ".part")

    def download(url, output_file, pooch):
        start = part.stat().st_size if part.exists() else 0
        if file.size is None or start >= file.size:  # complete yet never renamed? start over
            start = 0
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            with (
                open(part, "ab" if resumed else "wb") as stream,
                tqdm(
                    total=file.size,
                    initial=start if resumed else 0,
                    unit="B",
                    unit_scale=True,
                    desc=file.name,
                    disable=not progress,
                ) as bar,
            ):
                try:
                    for block in response.raw.stream(1 << 16, decode_content=False):
                        stream.write(block)
                        bar.update(len(block))
                except urllib3.exceptions.HTTPError as error:
                    raise _BrokenOff(str(error)) from error
        if file.size is not None and part.stat().st_size < file.size:
            raise _BrokenOff(f"{part.stat().st_size} of {file.size} bytes came")
        os.replace(part, output_file)

    pooch_logger = pooch.get_logger()
    level = pooch_logger.level
    pooch_logger.setLevel("WARNING")
    try:
        known = f"sha256:{file.sha256}"
        return Path(pooch.retrieve(url, known, target.name, target.parent, downloader=download))
    finally:
        pooch_logger.setLevel(level)
