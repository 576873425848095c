"""A folder of the reader's own images, cut to squares of one size.

The central square of each image is resized. What cannot be read is an error that names the file;
it is skipped only when asked to. Used in *AE-OMT on faces*.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
MODES = ("RGB", "L")  # eight bits a colour, or grey, which becomes three equal colours


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images of one size.

    Attributes
    ----------
    images : (n, size, size, 3) uint8 array
    names : tuple of str
        File of each image, below its folder.
    source : str
        Where they come from.
    skipped : tuple of str
        Files that could not be used, when that was allowed.
    """

    images: np.ndarray
    names: tuple[str, ...]
    source: str
    skipped: tuple[str, ...] = ()

    def __len__(self):
        return len(self.images)


def load(
    folder: str | Path,
    *,
    limit: int | None = None,
    size: int = 64,
    skip_unreadable: bool = False,
    progress: bool = True,
) -> Pictures:
    """Read the images below a folder, in the order of their names.

    Parameters
    ----------
    folder : path
        Searched with its subfolders for files with a name of `SUFFIXES`.
    limit : int, optional
        Read the first so many only.
    size : int
        Side of the squares in pixels. An image may not be smaller: nothing is blown up.
    skip_unreadable : bool
        Leave out files that cannot be used, and list them in `Pictures.skipped`.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    pictures : Pictures

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it has no images, or one of them is unreadable, of another mode or too small.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.png", "a.png"):
    ...         Image.new("RGB", (90, 70), (200, 30, 30)).save(f"{folder}/{name}")
    ...     pictures = load(folder, progress=False)
    >>> pictures.images.shape, pictures.names, pictures.images[0, 0, 0].tolist()
    ((2, 64, 64, 3), ('a.png', 'b.png'), [200, 30, 30])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder: no such folder: {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"folder: expected images ({', '.join(SUFFIXES)}) in {folder}; got none")
    names = [str(path.relative_to(folder)) for path in paths[: check_limit(limit)]]
    images, names, skipped = read_all(
        folder, names, size=size, skip_unreadable=skip_unreadable, progress=progress
    )
    return Pictures(images, names, f"folder {folder.name}", skipped)


def read_all(folder, names: Iterable[str], *, size, skip_unreadable, progress, side=None, of=None):
    """Read named files of a folder: images, the names that were read, those that were not.

    ``side`` and ``of`` are as for `read`.
    """
    if not isinstance(size, (int, np.integer)) or size < 8:
        raise ValueError(f"size: expected a whole number of pixels, 8 or more; got {size!r}")
    names = list(names)
    images, kept, skipped = np.empty((len(names), size, size, 3), np.uint8), [], []
    for name in tqdm(names, desc="images", disable=not progress):
        try:
            images[len(kept)] = read(Path(folder) / name, size=size, side=side, of=of)
        except ValueError as error:
            if not skip_unreadable:
                raise ValueError(f"{error}; skip_unreadable=True leaves such files out") from error
            skipped.append(name)
        else:
            kept.append(name)
    if not kept:
        raise ValueError(f"folder: expected images that can be read; none of {len(names)} can")
    return images[: len(kept)], tuple(kept), tuple(skipped)


def read(path: str | Path, *, size: int, side: int | None = None, of=None) -> np.ndarray:
    """Read the central square of an image.

    Parameters
    ----------
    path : path
    size : int
        Side of the result.
    side : int, optional
        Side of the square before it is resized; by default the shorter side of the image.
    of : (int, int), optional
        Width and height that the image must have.

    Returns
    -------
    image : (size, size, 3) uint8 array

    Raises
    ------
    ValueError
        If the file cannot be read, or mode or size are others; the message names the file.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            picture = ImageOps.exif_transpose(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"folder: expected an image; {path} cannot be read: {error}") from error
    if picture.mode not in MODES:
        raise ValueError(f"folder: expected mode {' or '.join(MODES)}; {path} has {picture.mode}")
    wide, high = picture.size
    if of is not None and (wide, high) != tuple(of):
        raise ValueError(f"folder: expected {of[0]} x {of[1]} pixels; {path} has {wide} x {high}")
    side = min(wide, high) if side is None else side
    if side < size or min(wide, high) < side:
        wanted = max(size, side)
        raise ValueError(
            f"folder: expected sides of at least {wanted} pixels; {path} has {wide} x {high}"
        )
    left, top = (wide - side) // 2, (high - side) // 2
    square = picture.convert("RGB").crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def check_limit(limit):
    """Return a number of images, or None for all, or raise a ValueError."""
    if limit is not None and (not isinstance(limit, (int, np.integer)) or limit < 1):
        raise ValueError(f"limit: expected a positive number of images, or None; got {limit!r}")
    return limit
