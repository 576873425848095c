"""The reader of factors: a factor it can see, one it cannot, and what it refuses."""

import numpy as np
import pytest
import torch

from omt_course.datasets import faces
from omt_course.models import factor_reading, metrics
from omt_course.models.factor_reading import FactorReader


def seed(k=0):
    return torch.Generator().manual_seed(k)


def discs(n, k=0):
    """Cheap stand-ins for faces: a disc whose place is the yaw, in front of a grey of its own."""
    rng = np.random.default_rng(k)
    table = faces.draw(n, seed=k, names=("yaw", "background_brightness"))
    row, column = np.mgrid[:64, :64]
    middle = 32 + 0.5 * table["yaw"][:, None, None]
    disc = np.clip(9 - np.hypot(column - middle, row - 32), 0, 1)[..., None]
    grey = 200 * table["background_brightness"][:, None, None, None]
    images = disc * np.array([250, 120, 40]) + (1 - disc) * grey + 2 * rng.random((n, 64, 64, 3))
    return images.astype(np.uint8), table


@pytest.fixture(scope="module")
def reader():
    images, table = discs(600)
    names = ("yaw", "background_brightness")
    return factor_reading.train_reader(images, table, generator=seed(), names=names, epochs=6)


def test_factors_of_unseen_images_are_read(reader):
    images, table = discs(200, 1)
    errors = factor_reading.errors(reader, images, table)
    for name, error in errors.items():  # a reader that always says the mean errs by the spread
        assert error < 0.25 * table[name].std(), name
    readings = factor_reading.read(reader, images)
    rms = np.sqrt(((readings["yaw"] - table["yaw"]) ** 2).mean())
    assert errors["yaw"] == pytest.approx(rms)


def test_what_an_image_does_not_show_cannot_be_read():
    images, table = discs(300)
    table["smile"] = np.random.default_rng(5).uniform(-1, 1, 300)
    fooled = factor_reading.train_reader(
        images, table, generator=seed(), names=("smile",), epochs=2
    )
    unseen, fresh = discs(300, 1)
    fresh["smile"] = np.random.default_rng(6).uniform(-1, 1, 300)
    assert factor_reading.errors(fooled, unseen, fresh)["smile"] > 0.8 * fresh["smile"].std()


def test_bytes_and_floats_are_read_alike(reader):
    images, _ = discs(20, 2)
    floats = torch.as_tensor(images).permute(0, 3, 1, 2) / 255
    a, b = (factor_reading.read(reader, x)["yaw"] for x in (images, floats))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_features_are_named_and_compared(reader):
    found = factor_reading.features(reader, discs(150, 3)[0])
    assert found.values.shape == (150, 64) and found.name == reader.name
    assert "reader of 2 factors, 6 epochs on 600 faces" in reader.name
    other = metrics.frechet_distance(found, factor_reading.features(reader, discs(150, 4)[0]))
    dark = factor_reading.features(reader, discs(150, 4)[0] // 4)
    assert other.features == reader.name
    assert metrics.frechet_distance(found, dark).value > 10 * other.value


def test_a_reader_survives_its_record(reader, tmp_path):
    images, table = discs(100, 5)
    arrays = factor_reading.to_arrays(reader)
    np.savez(tmp_path / "reader.npz", **arrays)
    with np.load(tmp_path / "reader.npz", allow_pickle=False) as stored:
        again = factor_reading.from_arrays(dict(stored))
    assert again.names == reader.names and again.name == reader.name
    a, b = (factor_reading.read(r, images) for r in (reader, again))
    np.testing.assert_allclose(a["yaw"], b["yaw"], atol=0.3)  # half precision, of 80 degrees
    with pytest.raises(ValueError, match="expected the arrays of a reader"):
        factor_reading.from_arrays({})


def test_odd_eyes_are_independent_and_leave_the_rest():
    odd, plain = factor_reading.odd_eyed(400, seed=3), faces.people(400, seed=3)
    assert abs(np.corrcoef(odd["iris_left"], odd["iris_right"])[0, 1]) < 0.15
    for name in plain:
        if name not in ("iris_left", "iris_right"):
            np.testing.assert_array_equal(odd[name], plain[name])


def test_a_reader_is_made_from_rendered_faces():
    made = factor_reading.make_reader(12, generator=seed(), epochs=1)
    assert made.names == factor_reading.READ and "on 12 faces" in made.name


def test_bad_arguments_are_named():
    images, table = discs(10)
    with pytest.raises(ValueError, match="unknown factors .'mood'"):
        FactorReader(("mood",))
    with pytest.raises(ValueError, match="expected a factor smile that varies"):
        factor_reading.train_reader(images, table, generator=seed(), names=("smile",))
    with pytest.raises(ValueError, match=r"expected 10 values of yaw; got \(9,\)"):
        short = {"yaw": table["yaw"][:9]}
        factor_reading.train_reader(images, short, generator=seed(), names=("yaw",))
    with pytest.raises(ValueError, match="64 x 64 colour pixels; got .3, 32, 32."):
        factor_reading.read(FactorReader(("yaw",)), np.zeros((2, 32, 32, 3), np.uint8))
