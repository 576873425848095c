"""The reader's own images: squares, modes, files that are no images."""

import numpy as np
import pytest
from PIL import Image

from omt_course.datasets import image_folder


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def ramp(high, wide):
    """An image that says where each pixel was: red is its column, green its row."""
    column, row = np.meshgrid(np.arange(wide), np.arange(high))
    return np.stack([column, row, 0 * row], axis=-1).astype(np.uint8)


def test_the_middle_is_kept(tmp_path):
    save(tmp_path / "wide.png", ramp(64, 200))
    save(tmp_path / "high.png", ramp(180, 64))
    pictures = image_folder.load(tmp_path, progress=False)
    assert pictures.names == ("high.png", "wide.png") and len(pictures) == 2
    np.testing.assert_array_equal(pictures.images[1], ramp(64, 200)[:, 68:132])
    np.testing.assert_array_equal(pictures.images[0], ramp(180, 64)[58:122])


def test_a_large_image_is_averaged_not_sampled(tmp_path):
    """One pixel of each block of 4 x 4 is bright: a mean of 16, where sampling gives 0 or 255."""
    array = np.zeros((256, 256, 3), np.uint8)
    array[1::4, 2::4] = 255
    save(tmp_path / "a.png", array)
    image = image_folder.load(tmp_path, progress=False).images[0]
    inner = image[4:-4, 4:-4].astype(float)
    assert abs(inner.mean() - 255 / 16) < 1 and inner.std() < 4


def test_grey_becomes_colour_and_subfolders_are_searched(tmp_path):
    save(tmp_path / "deep" / "er" / "grey.PNG", np.full((70, 70), 99, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    pictures = image_folder.load(tmp_path, size=32, progress=False)
    assert pictures.names == ("deep/er/grey.PNG",)
    assert pictures.images.shape == (1, 32, 32, 3) and (pictures.images == 99).all()


def test_orientation_of_a_camera_is_followed(tmp_path):
    picture = Image.fromarray(ramp(64, 64))
    exif = picture.getexif()
    exif[274] = 3  # turned upside down
    picture.save(tmp_path / "a.png", exif=exif)
    image = image_folder.load(tmp_path, progress=False).images[0]
    np.testing.assert_array_equal(image, ramp(64, 64)[::-1, ::-1])


@pytest.mark.parametrize(
    "name, message",
    [
        ("text.jpg", "text.jpg cannot be read"),
        ("cut.png", "cut.png cannot be read"),
        ("deep.png", "expected mode RGB or L; .*deep.png has I;16"),
        ("clear.png", "clear.png has RGBA"),
        ("small.png", "expected sides of at least 64 pixels; .*small.png has 90 x 63"),
    ],
)
def test_bad_files_are_named_and_skipped_only_when_asked(tmp_path, name, message):
    save(tmp_path / "good.png", ramp(64, 64))
    path = tmp_path / name
    if name == "text.jpg":
        path.write_text("no image")
    elif name == "cut.png":
        save(path, np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8))
        path.write_bytes(path.read_bytes()[:2000])
    else:
        array = {
            "deep.png": np.zeros((70, 70), np.uint16),
            "clear.png": np.zeros((70, 70, 4), np.uint8),
            "small.png": ramp(63, 90),
        }[name]
        save(path, array)
    with pytest.raises(ValueError, match=message + ".*skip_unreadable=True"):
        image_folder.load(tmp_path, progress=False)
    pictures = image_folder.load(tmp_path, skip_unreadable=True, progress=False)
    assert pictures.names == ("good.png",) and pictures.skipped == (name,)


def test_limit_counts_files(tmp_path):
    for k in range(5):
        save(tmp_path / f"{k}.png", ramp(64, 64))
    assert image_folder.load(tmp_path, limit=3, progress=False).names == ("0.png", "1.png", "2.png")


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder: no such folder"):
        image_folder.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="folder: expected images .*got none"):
        image_folder.load(tmp_path)
    save(tmp_path / "a.png", ramp(64, 64))
    with pytest.raises(ValueError, match="size: expected a whole number of pixels"):
        image_folder.load(tmp_path, size=7, progress=False)
    with pytest.raises(ValueError, match="limit: expected a positive number"):
        image_folder.load(tmp_path, limit=0, progress=False)
    (tmp_path / "a.png").write_text("")
    with pytest.raises(ValueError, match="none of 1 can"):
        image_folder.load(tmp_path, skip_unreadable=True, progress=False)
