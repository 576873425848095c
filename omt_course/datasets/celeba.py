"""CelebA, from a folder that the reader has fetched: the layout of the data set, as it comes.

The licence allows research and forbids passing on, so nothing is downloaded here. The folder has
`img_align_celeba/` with aligned images of 178 x 218 pixels, `list_attr_celeba.txt` and
`list_eval_partition.txt`. Used in *AE-OMT on faces*.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omt_course.datasets.image_folder import check_limit, read_all

IMAGES, ATTRIBUTES, PARTITION = (
    "img_align_celeba",
    "list_attr_celeba.txt",
    "list_eval_partition.txt",
)
SPLITS = {"train": (0,), "valid": (1,), "test": (2,), "all": (0, 1, 2)}
SIZE = (178, 218)  # width and height of an aligned image
CROP = 148  # side of the central square: from the eyebrows' ends to the chin, little of the hair
# The eyes of the alignment, (69, 111) and (108, 111), in the square resized to 64 pixels.
EYES = ((40.2, 32.9), (23.4, 32.9))


@dataclass(frozen=True, eq=False)
class CelebA:
    """Faces with attributes.

    Attributes
    ----------
    images : (n, size, size, 3) uint8 array
    names : tuple of str
        As in the lists: "000001.jpg".
    attributes : dict of str to (n,) bool array
        "Eyeglasses", "Smiling", ...
    partition : (n,) int array
        0 train, 1 valid, 2 test.
    source : str
    skipped : tuple of str
        Files that could not be used, when that was allowed.
    """

    images: np.ndarray
    names: tuple[str, ...]
    attributes: dict[str, np.ndarray]
    partition: np.ndarray
    source: str
    skipped: tuple[str, ...] = ()

    def __len__(self):
        return len(self.images)


def load(
    folder: str | Path,
    *,
    split: str = "train",
    limit: int | None = None,
    size: int = 64,
    skip_unreadable: bool = False,
    progress: bool = True,
) -> CelebA:
    """Load aligned faces: the central 148 x 148 pixels, resized.

    Parameters
    ----------
    folder : path
        With `img_align_celeba/` and both lists.
    split : {"train", "valid", "test", "all"}
        As `list_eval_partition.txt` has it.
    limit : int, optional
        Read the first so many only.
    size : int
        Side of the result, at most 148.
    skip_unreadable : bool
        Leave out files that are missing, unreadable or of another size, and list them.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    faces : CelebA

    Raises
    ------
    FileNotFoundError
        If the folder, its images or a list is missing; the message names it.
    ValueError
        If a list is damaged, the lists or the folder disagree, or an image cannot be used.

    Notes
    -----
    Source: Liu, Luo, Wang, Tang, Deep learning face attributes in the wild, ICCV 2015.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}; got {split!r}")
    folder, limit = Path(folder), check_limit(limit)
    _check_folder(folder)
    names, columns, values = read_attributes(folder / ATTRIBUTES)
    partition = read_partition(folder / PARTITION)
    if set(partition) != set(names):
        odd = sorted(set(partition) ^ set(names))
        raise ValueError(
            f"folder: expected the same files in {ATTRIBUTES} ({len(names)}) and {PARTITION} "
            f"({len(partition)}); {len(odd)} are in one only, {odd[0]} first"
        )
    present = {path.name for path in (folder / IMAGES).iterdir()}
    if not skip_unreadable and not present.issuperset(names):
        missing = sorted(set(names) - present)
        raise ValueError(
            f"folder: expected the {len(names)} files of {ATTRIBUTES} in {IMAGES}; {len(missing)} "
            f"are missing, {missing[0]} first; skip_unreadable=True leaves them out"
        )
    row = {name: k for k, name in enumerate(names)}
    chosen = [name for name in names if partition[name] in SPLITS[split]][:limit]
    if not chosen:
        raise ValueError(f"split: expected images in the part {split!r}; {PARTITION} has none")
    images, kept, skipped = read_all(
        folder / IMAGES,
        chosen,
        size=size,
        side=CROP,
        of=SIZE,
        skip_unreadable=skip_unreadable,
        progress=progress,
    )
    table = values[[row[name] for name in kept]]
    return CelebA(
        images=images,
        names=kept,
        attributes={column: table[:, k] for k, column in enumerate(columns)},
        partition=np.array([partition[name] for name in kept]),
        source=f"CelebA, {split}: Z. Liu, P. Luo, X. Wang, X. Tang; research use only",
        skipped=skipped,
    )


def read_attributes(path):
    """Read the list of attributes: names of files, of columns, and an (n, k) bool array."""
    lines = Path(path).read_text().split("\n")
    rows = [line.split() for line in lines[2:] if line.strip()]
    count, columns = lines[0].strip(), lines[1].split() if len(lines) > 1 else []
    if not count.isdecimal() or int(count) != len(rows):
        raise ValueError(
            f"folder: expected as many rows in {path} as its first line says; "
            f"got {len(rows)} and {count!r}"
        )
    for row in rows:
        if len(row) != len(columns) + 1 or not set(row[1:]) <= {"1", "-1"}:
            raise ValueError(
                f"folder: expected a file and {len(columns)} numbers, 1 or -1, in each row of "
                f"{path}; got {' '.join(row)[:60]!r}"
            )
    values = np.array([[value == "1" for value in row[1:]] for row in rows], dtype=bool)
    return [row[0] for row in rows], columns, values


def read_partition(path):
    """Read the list of parts: a dict of file to 0, 1 or 2."""
    parts = {}
    for line in Path(path).read_text().split("\n"):
        if line.strip():
            name, _, part = line.strip().partition(" ")
            if part.strip() not in ("0", "1", "2"):
                raise ValueError(f"folder: expected 'file 0|1|2' in {path}; got {line[:60]!r}")
            parts[name] = int(part)
    return parts


def _check_folder(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"folder: no such folder: {folder}")
    wanted = {
        IMAGES: (folder / IMAGES).is_dir(),
        ATTRIBUTES: (folder / ATTRIBUTES).is_file(),
        PARTITION: (folder / PARTITION).is_file(),
    }
    missing = [name for name, there in wanted.items() if not there]
    if missing:
        raise FileNotFoundError(
            f"folder: expected {', '.join(wanted)} in {folder}; missing: {', '.join(missing)}. "
            "All three come from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        )
