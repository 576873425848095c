"""Pictures of a built site: packed, loaded late, and the same to the eye."""

import extensions
import numpy as np
import pytest
from PIL import Image

NAME = "ab" * 32


@pytest.fixture(scope="module")
def omt_pictures():
    return extensions.load("omt_pictures")


@pytest.fixture
def site(tmp_path):
    """Return a site with a flat drawing made by a cell, a picture of the author's, two pages."""
    images = tmp_path / "html" / "_images"
    images.mkdir(parents=True)
    pixels = np.full((90, 120, 3), 255, np.uint8)
    pixels[20:40, 30:90] = (94, 42, 132)
    for name in (f"{NAME}.png", "logo.png"):
        Image.fromarray(pixels).save(images / name)
    page = f'<p><img alt="a" src="{{}}_images/{NAME}.png"/><img src="{{}}_images/logo.png"></p>'
    (tmp_path / "html" / "index.html").write_text(page.format("", ""))
    (tmp_path / "html" / "part").mkdir()
    (tmp_path / "html" / "part" / "one.html").write_text(page.format("../", "../"))
    return tmp_path / "html", pixels


def test_pictures_of_cells_are_packed_and_named_in_the_pages(omt_pictures, site, tmp_path):
    folder, pixels = site
    before, after = omt_pictures.shrink(folder, tmp_path / "kept")
    assert after < before
    assert {p.name for p in (folder / "_images").iterdir()} == {f"{NAME}.webp", "logo.png"}
    text = (folder / "part" / "one.html").read_text()
    assert f'src="../_images/{NAME}.webp"' in text and 'src="../_images/logo.png"' in text
    assert text.count('loading="lazy"') == 2 and 'width="120" height="90"' in text
    with Image.open(folder / "_images" / f"{NAME}.webp") as picture:
        assert np.abs(np.asarray(picture.convert("RGB"), int) - pixels).max() <= 2


def test_a_second_build_packs_nothing_again_and_old_pictures_go(omt_pictures, site, tmp_path):
    folder, _ = site
    kept = tmp_path / "kept"
    png = (folder / "_images" / f"{NAME}.png").read_bytes()
    omt_pictures.shrink(folder, kept)
    (kept / f"{NAME}.webp").write_bytes(b"kept")
    (folder / "_images" / f"{NAME}.png").write_bytes(png)
    omt_pictures.shrink(folder, kept)
    assert (folder / "_images" / f"{NAME}.webp").read_bytes() == b"kept"
    omt_pictures.shrink(folder, kept)  # no picture is left to pack
    assert list(kept.iterdir()) == []


def test_noise_is_packed_with_loss_and_a_drawing_without(omt_pictures, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    drawing = np.zeros((64, 64, 3), np.uint8)
    drawing[::8] = 255
    for k, (pixels, exact) in enumerate(((noise, False), (drawing, True))):
        path = tmp_path / f"{k}.png"
        Image.fromarray(pixels).save(path)
        (tmp_path / f"{k}.webp").write_bytes(omt_pictures.pack(path))
        with Image.open(tmp_path / f"{k}.webp") as picture:
            assert (np.asarray(picture.convert("RGB")) == pixels).all() == exact
