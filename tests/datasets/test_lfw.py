"""LFW through scikit-learn, with a folder made up here: nothing is fetched."""

import numpy as np
import pytest
from PIL import Image

from omt_course.datasets import lfw, registry


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OMT_COURSE_DATA", str(tmp_path))
    return tmp_path


def fill(cache):
    home = cache / "lfw_home"
    for person, grey in (("Ada_L", 40), ("Emmy_N", 200)):
        folder = home / "lfw_funneled" / person
        folder.mkdir(parents=True)
        array = np.full((250, 250, 3), grey, np.uint8)
        array[:60], array[190:] = 0, 0  # the crop leaves these rows out
        Image.fromarray(array).save(folder / f"{person}_0001.jpg", quality=95)
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        (home / name).write_text("")


def test_faces_come_as_bytes_with_their_names(cache):
    fill(cache)
    pictures = lfw.load(progress=False)
    assert pictures.images.shape == (2, 64, 64, 3) and pictures.images.dtype == np.uint8
    means = dict(zip(pictures.names, pictures.images.mean(axis=(1, 2, 3)), strict=True))
    assert means["Ada L"] == pytest.approx(40, abs=1) and means["Emmy N"] == pytest.approx(
        200, abs=1
    )
    assert len(lfw.load(limit=1, progress=False)) == 1


def test_nothing_is_fetched_unasked(cache, monkeypatch):
    def fetched(*args, **options):
        pytest.fail("the network was asked")

    monkeypatch.setattr("socket.getaddrinfo", fetched)
    with pytest.raises(registry.DataUnavailableError, match=r"lfw_home.*load\(download=True\)"):
        lfw.load(progress=False)


def test_a_download_that_fails_says_so(cache, monkeypatch):
    def offline(*args, **options):
        assert options["download_if_missing"] and options["data_home"] == str(cache)
        raise OSError("no route to host")

    monkeypatch.setattr(lfw, "fetch_lfw_people", offline)
    with pytest.raises(registry.DataUnavailableError, match="no route to host.*go online"):
        lfw.load(download=True, progress=False)


def test_limit_is_checked():
    with pytest.raises(ValueError, match="limit: expected a positive number"):
        lfw.load(limit=-1)
