"""The images of a run: those it learns from, and those it has never seen.

Photographs without a split of their own are held out one in ten: images 9, 19, 29, ... of the set
are never learnt from. Rendered faces are kept in the run's folder, a file every few hundred, so
that a run that was cut off renders none twice.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from omt_course.datasets import celeba, digits, faces, image_folder
from omt_course.files import write_atomically
from omt_course.models.run_folder import DATA

SIDE = 64  # of a face
_CHUNK = 250  # faces rendered between two files, some two seconds
_HELD_OUT = 10  # one in so many
_UNSEEN_SEED = 2**32  # added to a run's seed for rendered faces that it has not seen


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one part of a data set.

    Attributes
    ----------
    pixels : (n, h, w) or (n, h, w, 3) uint8 array
    name : str
        Data set and part, as in "mnist-5k/train".
    labels : (n,) int array or None
        Classes, where the set has them.
    skipped : tuple of str
        Files that could not be read, where the run leaves such files out.
    """

    pixels: np.ndarray
    name: str
    labels: np.ndarray | None = None
    skipped: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> dict:
        """Name, shape and SHA-256 of the pixels, and the files that were left out."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels)).hexdigest()
        about = {"name": self.name, "shape": list(self.pixels.shape), "sha256": digest}
        return about | {"skipped": list(self.skipped)}


def seen(model: str, config: dict, folder: str | Path, *, progress: bool = True) -> Images:
    """Return the images that a run learns from, ``limit`` of them at most.

    Parameters
    ----------
    model : {"digits", "faces", "celeba"}
    config : dict
        As `omt_course.models.run_config.resolve` returns it.
    folder : path
        Of the run; rendered faces are kept below it.
    progress : bool

    Returns
    -------
    images : Images

    Raises
    ------
    ValueError, OSError
        If the data are not there, damaged, or of another kind.

    Examples
    --------
    >>> from omt_course.models.run_config import resolve
    >>> seen("digits", resolve("digits", ("options", {"limit": 100})), ".").pixels.shape
    (100, 28, 28)
    """
    found = _load(model, config, "seen", folder, progress)
    stop = config["limit"]
    labels = None if found.labels is None else found.labels[:stop]
    return Images(found.pixels[:stop], found.name, labels, found.skipped)


def unseen(model: str, config: dict, folder: str | Path, *, progress: bool = True) -> Images | None:
    """Return images of the same law that the run has not learnt from, or None if there are none.

    Rendered faces: a tenth as many, 100 at least, of another seed.
    """
    if config.get("split") == "all":
        return None
    return _load(model, config, "unseen", folder, progress)


def check_same(folder: str | Path, images: Images) -> None:
    """Raise a ValueError if the images are not those that the run in a folder began with."""
    began = json.loads((Path(folder) / DATA).read_text(encoding="utf-8"))
    found = images.fingerprint
    changed = [
        f"{key} {began.get(key)} not {found[key]}" for key in found if began.get(key) != found[key]
    ]
    if changed:
        raise ValueError(
            f"images: expected those that the run in {folder} began with: {', '.join(changed)}"
        )


def _load(model, config, part, folder, progress):
    if model == "digits":
        split = config["split"] if part == "seen" else "test"
        found = digits.load(config["data"], split=split, progress=progress)
        return Images(found.images, found.name, found.labels)
    if model == "celeba":
        split = config["split"]
        if part == "unseen":
            split = "train" if split == "test" else "test"
        found = celeba.load(
            config["folder"],
            split=split,
            limit=config["limit"],
            skip_unreadable=config["skip_unreadable"],
            progress=progress,
        )
        return Images(found.images, f"celeba/{split}", skipped=found.skipped)
    if config["data"] == "synthetic":
        n, seed = config["n"], config["seed"]
        if part == "unseen":
            n, seed = max(100, n // 10), seed + _UNSEEN_SEED
        stored = Path(folder) / "images" / part
        return Images(rendered(n, seed, stored, progress=progress), f"synthetic/{n}, seed {seed}")
    limit = config["limit"]
    if limit is not None:  # enough to learn from, and those held out among them
        limit = max(_HELD_OUT, limit * _HELD_OUT // (_HELD_OUT - 1) + 1)
    if config["data"] == "lfw":
        from omt_course.datasets import lfw  # scikit-learn takes a second to import

        found = lfw.load(limit=limit, progress=progress)
    else:
        found = image_folder.load(
            config["folder"],
            limit=limit,
            skip_unreadable=config["skip_unreadable"],
            progress=progress,
        )
    held_out = np.arange(len(found)) % _HELD_OUT == _HELD_OUT - 1
    if not held_out.any():
        raise ValueError(f"folder: expected {_HELD_OUT} images or more; got {len(found)}")
    chosen = held_out if part == "unseen" else ~held_out
    return Images(found.images[chosen], f"{config['data']}/{part}", skipped=found.skipped)


def rendered(n: int, seed: int, folder: str | Path, *, progress: bool = True) -> np.ndarray:
    """Return ``n`` rendered faces of a crowd, those in the folder as they are.

    Parameters
    ----------
    n, seed : int
        As for `omt_course.datasets.faces.people`.
    folder : path
        Holds files ``<first>-<seed>.npy`` of 250 faces; what is missing or damaged is rendered.
    progress : bool

    Returns
    -------
    pixels : (n, 64, 64, 3) uint8 array
    """
    table = faces.people(n, seed=seed)
    pixels = np.empty((n, SIDE, SIDE, 3), np.uint8)
    with tqdm(total=n, desc="faces", unit=" images", disable=not progress) as bar:
        for start in range(0, n, _CHUNK):
            stop = min(n, start + _CHUNK)
            path = Path(folder) / f"{start:06d}-{seed}.npy"
            chunk = _read(path, (stop - start, SIDE, SIDE, 3))
            if chunk is None:
                rows = {name: values[start:stop] for name, values in table.items()}
                chunk, _ = faces.render(stop - start, seed=seed, size=SIDE, factors=rows)
                write_atomically(path, lambda stream, chunk=chunk: np.save(stream, chunk))
            pixels[start:stop] = chunk
            bar.update(stop - start)
    return pixels


def _read(path, shape):
    """Return a stored array of this shape, or None."""
    try:
        with open(path, "rb") as stream:
            stored = np.load(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return stored if stored.shape == shape and stored.dtype == np.uint8 else None
