"""Autoencoders: shapes, a set that can be learnt, files that are refused."""

import pytest
import safetensors.torch
import torch

from omt_course.models import autoencoder, autoencoder_files
from omt_course.models.autoencoder import ConvAutoencoder, MLPAutoencoder
from omt_course.models.training import evaluate, train

SMALL = [
    lambda seed=0: ConvAutoencoder(3, width=4, hidden=16, generator=generator(seed)),
    lambda seed=0: MLPAutoencoder(3, hidden=32, generator=generator(seed)),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bars(n, seed=0):
    """Bars of random place and length: a two-dimensional manifold of images."""
    g = generator(seed)
    left, length = torch.rand(n, 1, 1, generator=g), torch.rand(n, 1, 1, generator=g)
    column = torch.arange(28.0)[None, None, :] / 28
    row = torch.arange(28.0)[None, :, None] / 28
    across = torch.sigmoid(40 * (0.15 - (column - 0.2 - 0.6 * left).abs()))
    images = across * torch.sigmoid(40 * (0.2 + 0.7 * length - row))
    return ((images * 255).round() / 255)[:, None]


@pytest.mark.parametrize("build", SMALL)
def test_shapes_and_range(build):
    model = build().eval()
    images = torch.rand(7, 1, 28, 28, generator=generator())
    codes = model.encode(images)
    assert codes.shape == (7, 3) and model.latent_dim == 3
    decoded = model.decode(codes)
    assert decoded.shape == images.shape and 0 < decoded.min() and decoded.max() < 1
    assert torch.equal(model(images), decoded)
    assert torch.allclose(torch.sigmoid(model.decode_logits(codes)), decoded)


def test_the_default_is_small():
    for model in (ConvAutoencoder(), MLPAutoencoder()):
        assert model.latent_dim == 16
        assert sum(p.numel() for p in model.parameters()) <= 800_000


@pytest.mark.parametrize("build", SMALL)
def test_the_generator_rules_the_initial_weights(build):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = build(1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    states = [model.state_dict() for model in (first, build(1), build(2))]
    name = "encoder.1.weight" if isinstance(first, MLPAutoencoder) else "encoder.0.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


@pytest.mark.parametrize("build", SMALL)
@pytest.mark.parametrize("loss", [autoencoder.cross_entropy, autoencoder.squared_error])
def test_a_two_dimensional_manifold_is_learnt(build, loss):
    """Unseen images are rebuilt with a fraction of the error that the mean image makes."""
    seen, unseen = bars(500), bars(100, seed=1)
    model = build()
    options = {"epochs": 20, "batch_size": 25, "lr": 4e-3, "progress": False}
    train(model, loss, seen, generator=generator(), **options)
    error = evaluate(model, autoencoder.squared_error, unseen)
    assert error < 0.2 * ((unseen - seen.mean(0)) ** 2).sum((1, 2, 3)).mean()


def test_losses_are_per_image_sums():
    model = SMALL[0]().eval()
    images = bars(6)
    decoded = model(images)
    squared = ((decoded - images) ** 2).sum() / 6
    entropy = -(images * decoded.log() + (1 - images) * (1 - decoded).log()).sum() / 6
    assert autoencoder.squared_error(model, images).item() == pytest.approx(squared.item(), 1e-5)
    assert autoencoder.cross_entropy(model, images).item() == pytest.approx(entropy.item(), 1e-5)


@pytest.mark.parametrize("build", SMALL)
def test_batches_give_what_single_calls_give(build):
    model, images = build(), bars(23)
    codes = autoencoder.encode_in_batches(model, images, batch_size=10)
    assert model.training and not codes.requires_grad
    model.eval()
    with torch.no_grad():
        assert torch.allclose(codes, model.encode(images), atol=1e-6)
        decoded = autoencoder.decode_in_batches(model, codes, batch_size=10)
        assert torch.allclose(decoded, model.decode(codes), atol=1e-6)


@pytest.mark.parametrize("build", SMALL)
def test_a_saved_model_is_rebuilt(build, tmp_path):
    model = build()
    model(bars(30))  # moves the running means of the normalisation
    autoencoder_files.save(model, tmp_path / "model.safetensors")
    again = autoencoder_files.load(tmp_path / "model.safetensors", expected=build(5))
    assert type(again) is type(model) and again.config == model.config and not again.training
    model.eval()
    assert torch.equal(again(bars(5)), model(bars(5)))


@pytest.mark.parametrize(
    "other",
    [ConvAutoencoder(4, width=4, hidden=16), ConvAutoencoder(3, width=5), MLPAutoencoder(3)],
)
def test_another_architecture_is_refused(other, tmp_path):
    autoencoder_files.save(SMALL[0](), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="another architecture: expected .*; got ConvAuto.*16"):
        autoencoder_files.load(tmp_path / "model.safetensors", expected=other)


def test_weights_that_do_not_fit_are_refused():
    state = SMALL[0]().state_dict()
    description = autoencoder_files.describe(ConvAutoencoder(5))
    with pytest.raises(ValueError, match="state: the weights do not fit ConvAutoencoder"):
        autoencoder_files.rebuild(description, state)
    with pytest.raises(ValueError, match="expected an architecture among .*; got 'Transformer'"):
        autoencoder_files.rebuild({"architecture": "Transformer", "config": "{}"}, state)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_a_damaged_file_is_refused(damage, tmp_path):
    path = tmp_path / "model.safetensors"
    autoencoder_files.save(SMALL[1](), path)
    content = path.read_bytes()
    other = safetensors.torch.save({"a": torch.zeros(2)})
    path.write_bytes({"cut": content[:-9], "empty": b"", "text": b"hello", "other": other}[damage])
    with pytest.raises(ValueError, match="path: expected"):
        autoencoder_files.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file: .*nowhere"):
        autoencoder_files.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.encode(torch.zeros(2, 28, 28)), r"images: expected shape .*got \(2, 28, 28\)"),
        (lambda m: m.encode(torch.zeros(2, 1, 32, 32)), "images: expected shape"),
        (lambda m: m.encode(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)), "images: expected fl"),
        (lambda m: m.decode(torch.zeros(2, 4)), r"codes: expected shape \(n, 3\); got \(2, 4\)"),
        (lambda m: ConvAutoencoder(0), "latent_dim: expected a positive integer; got 0"),
        (lambda m: MLPAutoencoder(hidden=1.5), "hidden: expected a positive integer; got 1.5"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(SMALL[0]())
