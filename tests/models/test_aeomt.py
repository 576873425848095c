import dataclasses

import numpy as np
import pytest
import safetensors.torch
import torch

from omt_course.models import autoencoder as autoencoders
from omt_course.models import autoencoder_files
from omt_course.models.aeomt import AEOMT
from omt_course.models.autoencoder import MLPAutoencoder
from omt_course.transport.montecarlo import NotConverged


def seed(k):
    return torch.Generator().manual_seed(k)


def blobs(n, k=0):
    """Bright squares at random places: images with two true degrees of freedom."""
    rng = np.random.default_rng(k)
    images = np.zeros((n, 28, 28), dtype=np.uint8)
    for image, (r, c) in zip(images, rng.integers(2, 20, (n, 2)), strict=True):
        image[r : r + 6, c : c + 6] = rng.integers(150, 255, (6, 6))
    return images


@pytest.fixture(scope="module")
def model():
    return AEOMT.fit(
        blobs(300), generator=seed(0), latent_dim=4, epochs=3, target_error=0.1, progress=False
    )


def test_points_are_the_codes_in_standard_units(model):
    images = torch.tensor(blobs(300))[:, None].float() / 255
    codes = autoencoders.encode_in_batches(model.autoencoder, images).double().numpy()
    np.testing.assert_allclose(model.mean + model.scale * model.extension.points, codes, atol=1e-6)
    np.testing.assert_allclose(model.extension.points.std(axis=0), 1, atol=1e-9)


def test_every_code_gets_its_share_of_samples(model):
    cells = model.extension.sample(model.source, 60_000, seed(1)).cell
    share = np.bincount(cells, minlength=300) * 300 / 60_000
    # Relative noise of a count of 200 is .07; the transport's own error is certified.
    rms = np.sqrt(((share - 1) ** 2).mean())
    assert rms < np.hypot(model.mass_error_interval[1], np.sqrt(300 / 60_000)) * 1.2
    assert model.mass_error_interval[1] <= 0.1


def test_images_are_the_decoded_codes(model):
    made = model.sample(20, generator=seed(2))
    expected = autoencoders.decode_in_batches(model.autoencoder, made.codes)
    torch.testing.assert_close(made.images, expected)
    np.testing.assert_allclose(
        made.codes.numpy(), model.mean + model.scale * made.extended.values, rtol=1e-5, atol=1e-5
    )
    assert np.abs(made.source).max() <= 0.5


def test_same_seed_same_images(model):
    a, b = (model.sample(10, generator=seed(3)).images for _ in range(2))
    assert torch.equal(a, b)


def test_interpolation_starts_and_ends_where_it_says(model):
    a, b = model.sample(2, generator=seed(4)).source
    path = model.interpolate(a, b, 7)
    np.testing.assert_allclose(path.source[[0, -1]], [a, b])
    np.testing.assert_allclose(path.source[3], (a + b) / 2)
    torch.testing.assert_close(path.images[:1], model.generate(a[None]).images)


def test_save_and_load_give_the_same_model(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    again = AEOMT.load(tmp_path / "model.safetensors")
    for name in ("source", "mass_error", "mass_error_interval"):
        assert getattr(again, name) == getattr(model, name)
    assert torch.equal(
        again.sample(6, generator=seed(5)).images, model.sample(6, generator=seed(5)).images
    )


def test_a_trained_autoencoder_is_taken_as_it_is(model):
    other = AEOMT.fit(
        blobs(300),
        generator=seed(9),
        autoencoder=model.autoencoder,
        target_error=0.2,
        progress=False,
    )
    assert other.autoencoder is model.autoencoder
    np.testing.assert_array_equal(other.extension.points, model.extension.points)


def test_fit_resumes_from_its_checkpoint(tmp_path):
    options = {"latent_dim": 3, "target_error": 0.2, "progress": False}
    path = tmp_path / "training.pt"
    whole = AEOMT.fit(blobs(80), generator=seed(6), epochs=3, checkpoint=path, **options)
    stored = torch.load(path, weights_only=True)
    assert path.exists()
    # A second run finds all epochs done and trains no further.
    again = AEOMT.fit(blobs(80), generator=seed(6), epochs=3, checkpoint=path, **options)
    for a, b in zip(
        whole.autoencoder.state_dict().values(),
        again.autoencoder.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)
    assert len(stored["train_loss"]) == 3


@pytest.mark.parametrize("source", ["ball", "gaussian"])
def test_other_sources(model, source):
    other = AEOMT.fit(
        blobs(300),
        generator=seed(7),
        autoencoder=model.autoencoder,
        source=source,
        target_error=0.2,
    )
    assert other.sample(4, generator=seed(8)).images.shape == (4, 1, 28, 28)


def test_colour_images_of_another_size(tmp_path):
    """Faces take the same road: a default network, twins merged, a file, the right shape."""
    rng = np.random.default_rng(0)
    images = np.zeros((60, 16, 24, 3), dtype=np.uint8)
    for image, c, hue in zip(images, rng.integers(0, 16, 60), rng.random((60, 3)), strict=True):
        image[:, c : c + 8] = 255 * hue
    images[7] = images[3]
    made = AEOMT.fit(
        images, generator=seed(0), latent_dim=3, epochs=1, target_error=0.2, progress=False
    )
    assert made.autoencoder.image_shape == (3, 16, 24) and len(made.extension.points) == 59
    made.save(tmp_path / "faces.safetensors")
    again = AEOMT.load(tmp_path / "faces.safetensors")
    drawn = again.sample(5, generator=seed(1)).images
    assert drawn.shape == (5, 3, 16, 24)
    assert torch.equal(drawn, made.sample(5, generator=seed(1)).images)


def test_images_that_do_not_fit_the_given_autoencoder_are_named(model):
    with pytest.raises(ValueError, match=r"images: expected \(1, 28, 28\).*got \(3, 28, 28\)"):
        AEOMT.fit(
            np.zeros((9, 28, 28, 3), np.uint8), generator=seed(0), autoencoder=model.autoencoder
        )


def test_files_written_before_there_were_colours_still_load(model, tmp_path):
    """Their config holds no shape: 28 x 28 grey pixels are meant."""
    path = tmp_path / "model.safetensors"
    model.save(path)
    with safetensors.safe_open(path, framework="pt") as stored:
        assert "image_shape" not in stored.metadata()["config"]
    assert AEOMT.load(path).autoencoder.image_shape == (1, 28, 28)


def test_a_model_cannot_be_changed(model):
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.source = "ball"


def test_twin_images_become_one_point_with_twice_the_mass(model):
    images = blobs(100)
    images[[70, 80, 90]] = images[3]
    made = AEOMT.fit(images, generator=seed(0), autoencoder=model.autoencoder, target_error=0.08)
    cells = made.extension.sample(made.source, 50_000, seed(1)).cell
    share = np.bincount(cells, minlength=97) / 50_000
    assert len(share) == 97
    assert share[3] == pytest.approx(4 / 100, rel=0.15)
    assert share[4] == pytest.approx(1 / 100, rel=0.4)


def test_a_constant_code_is_reported():
    flat = MLPAutoencoder(latent_dim=2, generator=seed(0))
    torch.nn.init.zeros_(flat.encoder[-1].weight)
    with pytest.raises(ValueError, match="every coordinate is constant"):
        AEOMT.fit(blobs(50), generator=seed(0), autoencoder=flat)


def test_too_little_time_is_reported(model):
    with pytest.raises(NotConverged, match="allow more samples or seconds"):
        AEOMT.fit(
            blobs(300),
            generator=seed(0),
            autoencoder=model.autoencoder,
            target_error=1e-4,
            max_seconds=1e-3,
        )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 30, 32), np.uint8), "image_shape: expected 1 or 3 channels"),
        (np.zeros((5, 32, 32, 2), np.uint8), "images: expected shape"),
        (torch.full((5, 1, 28, 28), 1.5), "images: expected uint8, or floats in"),
        (torch.full((5, 1, 28, 28), float("nan")), "images: expected uint8, or floats in"),
        (torch.zeros(5, 1, 28, 28, dtype=torch.int32), "images: expected uint8, or floats in"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        AEOMT.fit(images, generator=seed(0))


def test_bad_options_are_named(model):
    with pytest.raises(ValueError, match="source: expected one of cube, ball, gaussian"):
        AEOMT.fit(blobs(30), generator=seed(0), source="torus")
    with pytest.raises(ValueError, match="n: expected a positive number"):
        model.sample(0, generator=seed(0))
    with pytest.raises(ValueError, match="n_steps: expected at least 2"):
        model.interpolate(np.zeros(4), np.ones(4), 1)
    with pytest.raises(ValueError, match="end: expected 4 finite numbers"):
        model.interpolate(np.zeros(4), np.ones(3))


def test_other_files_are_refused(model, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError, match="path: no such file"):
        AEOMT.load(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="damaged"):
        AEOMT.load(path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="is something else"):
        AEOMT.load(path)
    autoencoder_files.save(model.autoencoder, path)
    with pytest.raises(ValueError, match="is something else"):
        AEOMT.load(path)


def test_weights_of_another_architecture_are_refused(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    with safetensors.safe_open(path, framework="pt") as stored:
        metadata = stored.metadata() | {"config": '{"latent_dim": 4, "width": 7, "hidden": 128}'}
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    with pytest.raises(ValueError, match="weights do not fit"):
        AEOMT.load(path)


def test_a_failed_write_keeps_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    model.save(path)
    before = path.read_bytes()

    def fails(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
