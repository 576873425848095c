"""CelebA's layout, built small: crops, parts, attributes, folders that lack something."""

import numpy as np
import pytest
from PIL import Image

from omt_course.datasets import celeba

COLUMNS = ("Eyeglasses", "Male", "Smiling")


def image(k):
    column, row = np.meshgrid(np.arange(178), np.arange(218))
    return np.stack([column, row, np.full_like(row, 20 * k)], axis=-1).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Six images, saved without loss under the names of the data set; PIL reads by content."""
    (tmp_path / "img_align_celeba").mkdir()
    rows = []
    for k in range(6):
        name = f"{k + 1:06d}.jpg"
        with open(tmp_path / "img_align_celeba" / name, "wb") as stream:
            Image.fromarray(image(k)).save(stream, format="png")
        signs = [1 if k >> bit & 1 else -1 for bit in range(3)]
        rows.append(f"{name} {signs[0]:2d} {signs[1]:2d} {signs[2]:2d}")
    header = ["6", " ".join(COLUMNS) + " "]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(header + rows) + "\n")
    parts = [f"{k + 1:06d}.jpg {(0, 0, 1, 2, 0, 2)[k]}" for k in range(6)]
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return tmp_path


def load(folder, **options):
    return celeba.load(folder, progress=False, **options)


def test_the_central_square_is_resized(folder):
    faces = load(folder, size=148)
    np.testing.assert_array_equal(faces.images[1], image(1)[35:183, 15:163])
    small = load(folder).images
    assert small.shape == (3, 64, 64, 3)
    assert abs(small[0, 32, 32, 0].astype(int) - (15 + 74)) <= 2
    assert abs(small[0, 32, 32, 1].astype(int) - (35 + 74)) <= 2


def test_the_eyes_are_where_the_module_says(folder):
    """A white spot at the place of the alignment turns up at EYES."""
    path = folder / "img_align_celeba" / "000001.jpg"
    array = np.zeros((218, 178, 3), np.uint8)
    array[109:114, 106:111] = 255
    with open(path, "wb") as stream:
        Image.fromarray(array).save(stream, format="png")
    weight = load(folder).images[0, :, :, 0].astype(float)
    row, column = np.mgrid[:64, :64]
    found = [(weight * axis).sum() / weight.sum() for axis in (column, row)]
    np.testing.assert_allclose(found, celeba.EYES[0], atol=0.6)


def test_parts_and_attributes_follow_the_lists(folder):
    sizes = {split: len(load(folder, split=split)) for split in ("train", "valid", "test", "all")}
    assert sizes == {"train": 3, "valid": 1, "test": 2, "all": 6}
    faces = load(folder, split="test")
    assert faces.names == ("000004.jpg", "000006.jpg") and faces.partition.tolist() == [2, 2]
    assert {k: v.tolist() for k, v in faces.attributes.items()} == {
        "Eyeglasses": [True, True],
        "Male": [True, False],
        "Smiling": [False, True],
    }
    assert faces.images[:, 0, 0, 2].tolist() == [60, 100]
    assert len(load(folder, split="all", limit=4)) == 4


@pytest.mark.parametrize(
    "gone", ["img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"]
)
def test_what_the_folder_lacks_is_named(folder, gone):
    (folder / gone).rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match=f"missing: {gone}"):
        load(folder)


@pytest.mark.parametrize(
    "list_name, old, new, message",
    [
        ("list_attr_celeba.txt", "6\nEye", "7\nEye", "as its first line says; got 6 and '7'"),
        ("list_attr_celeba.txt", "6\nEye", "six\nEye", "got 6 and 'six'"),
        ("list_attr_celeba.txt", "000002.jpg  1", "000002.jpg  0", "3 numbers, 1 or -1, .*000002"),
        ("list_eval_partition.txt", "000003.jpg 1", "000003.jpg 3", "expected 'file 0|1|2'"),
        ("list_eval_partition.txt", "000003.jpg 1\n", "", "1 are in one only, 000003.jpg first"),
    ],
)
def test_lists_that_disagree_are_refused(folder, list_name, old, new, message):
    text = (folder / list_name).read_text()
    assert old in text
    (folder / list_name).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_missing_and_bad_images_are_named_and_skipped_only_when_asked(folder):
    pictures = folder / "img_align_celeba"
    (pictures / "000001.jpg").unlink()
    with pytest.raises(ValueError, match="1 are missing, 000001.jpg first"):
        load(folder)
    Image.new("RGB", (218, 178)).save(pictures / "000001.jpg")
    with pytest.raises(ValueError, match="expected 178 x 218 pixels; .*000001.jpg has 218 x 178"):
        load(folder)
    (pictures / "000001.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="000001.jpg cannot be read"):
        load(folder)
    faces = load(folder, skip_unreadable=True)
    assert faces.names == ("000002.jpg", "000005.jpg") and faces.skipped == ("000001.jpg",)
    assert faces.attributes["Eyeglasses"].tolist() == [True, False]


def test_bad_arguments_are_named(folder):
    with pytest.raises(ValueError, match="split: expected one of train, valid, test, all"):
        load(folder, split="dev")
    with pytest.raises(ValueError, match="at least 200 pixels"):
        load(folder, size=200)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(folder / "nowhere")
