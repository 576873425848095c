"""Surfaces to learn, to flatten and to sample: the face that ships, and the reader's choice."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omt_course.datasets import registry, shipped
from omt_course.geometry import meshes

_FORMATS = (".npz", ".obj", ".ply", ".off", ".stl")
_FACE_SOURCE = "cut from the MakeHuman head by data/make_face.py"


@dataclass(frozen=True)
class Surface:
    """A triangle mesh that is a topological disk.

    Attributes
    ----------
    V : (n, 3) float array
        Corners, in the units of the file: centimetres for the face.
    F : (m, 3) int array
        Triangles, counterclockwise as seen from outside.
    name, source, licence : str
    """

    V: np.ndarray
    F: np.ndarray
    name: str
    source: str
    licence: str


def load(name="face", *, progress=True):
    """Load a surface and check that it is a disk.

    Parameters
    ----------
    name : str
        ``"face"`` ships with the course. ``"buddha"`` and ``"nefertiti"`` are taken from the folder
        ``meshes`` of the data cache, or fetched. Any other word is the name of a file in that
        folder, without its ending; anything with a ``/`` or an ending is the path of a file.
    progress : bool
        Show a progress bar on stderr while a file is fetched.

    Returns
    -------
    surface : Surface

    Raises
    ------
    ValueError
        If the mesh is no topological disk, with each defect and its count; or if the name is not
        known, with those that are.
    omt_course.datasets.registry.DataUnavailableError
        If a file is neither in the cache nor to be had from the network.

    Notes
    -----
    Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> face = load("face")
    >>> face.V.shape, face.licence
    ((9279, 3), 'CC0 1.0')
    """
    path, source, licence = _find(str(name), progress)
    V, F = meshes.load(path)
    try:
        V, F = meshes.check(V, F, disk=True)
    except ValueError as error:
        raise ValueError(f"name: {path} cannot be used. {error}") from error
    return Surface(V, F, str(name), source, licence)


def names():
    """Return the names that `load` knows here: shipped, fetched, and files of the cache."""
    return list(dict.fromkeys(["face", *_FETCHED, *_local_files()]))


_FETCHED = ("buddha", "nefertiti")


def _find(name, progress):
    """Return path, source and licence of a surface."""
    if name == "face":
        return shipped.path("surfaces", "face.npz"), _FACE_SOURCE, "CC0 1.0"
    if "/" in name or Path(name).suffix in _FORMATS:
        return Path(name).expanduser(), "a file of the reader's", "the reader knows"
    local = _local_files()
    if name in _FETCHED:
        collection = registry.REGISTRY[name]
        file = collection.files[0]
        kept = local.get(Path(file.name).stem)  # perhaps converted: then without a checksum
        if kept is None or kept.name == file.name:
            kept = registry.fetch(collection, file.name, progress=progress)
        return kept, collection.origin, collection.licence
    if name in local:
        return local[name], f"the file {local[name].name} of the cache", "see its origin"
    raise ValueError(f"name: expected one of {', '.join(names())}, or a path; got {name!r}")


def _local_files():
    """Meshes in the cache folder, by their names without ending."""
    folder = registry.cache_folder() / "meshes"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.stem: file for file in files if file.suffix in _FORMATS}
