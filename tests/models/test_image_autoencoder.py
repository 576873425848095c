"""The autoencoder for images of any size: shapes, its loss, a set it learns, files."""

import pytest
import torch
from torch.nn import functional

from omt_course.models import autoencoder, autoencoder_files
from omt_course.models.image_autoencoder import ImageAutoencoder, attention, pixels_and_edges
from omt_course.models.training import evaluate, train


def seed(k=0):
    return torch.Generator().manual_seed(k)


def small(shape=(3, 16, 24), latent_dim=3, k=0):
    return ImageAutoencoder(latent_dim, image_shape=shape, width=8, hidden=32, generator=seed(k))


def flags(n, k=0):
    """Two stripes with a moving border: hue and place vary, a two-dimensional manifold."""
    place, hue = torch.rand(2, n, 1, 1, generator=seed(k))
    row = torch.arange(16.0)[None, :, None].expand(n, 16, 24)
    first = torch.sigmoid(2 * (16 * place - row))
    images = torch.stack([first, hue * (1 - first), (1 - hue) * (1 - first)], dim=1)
    return (255 * images).round().to(torch.uint8)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64), (3, 16, 24)])
def test_shapes_and_range(shape):
    model = small(shape).eval()
    images = torch.rand(4, *shape, generator=seed())
    assert model.image_shape == shape
    decoded = model(images)
    assert decoded.shape == images.shape and 0 < decoded.min() and decoded.max() < 1
    assert model.encode(images).shape == (4, 3)


def test_the_default_takes_faces_of_64_pixels():
    model = ImageAutoencoder()
    assert model.image_shape == (3, 64, 64) and model.latent_dim == 64
    assert sum(p.numel() for p in model.parameters()) < 3_000_000


def test_a_manifold_of_colour_images_is_learnt_from_bytes():
    seen, unseen = flags(400), flags(100, 1)
    model = small()
    train(
        model,
        autoencoder.own_loss,
        seen,
        epochs=20,
        batch_size=20,
        lr=4e-3,
        generator=seed(),
        progress=False,
    )
    error = evaluate(model, autoencoder.squared_error, unseen)
    spread = ((unseen / 255.0 - (seen / 255.0).mean(0)) ** 2).sum((1, 2, 3)).mean()
    assert error < 0.1 * spread


def test_it_starts_as_principal_components():
    """Coordinates of variance 1, uncorrelated; a reconstruction no worse than the linear one."""
    images = flags(400)
    model = small(latent_dim=6)
    model.start(images)
    model.eval()
    codes = autoencoder.encode_in_batches(model, images)
    k = 4  # two thirds of six
    covariance = torch.cov(codes[:, :k].T)
    assert torch.allclose(covariance, torch.eye(k), atol=0.02)
    assert codes[:, :k].mean(0).abs().max() < 0.01
    x = functional.avg_pool2d(images / 255.0, 4).flatten(1)
    made = functional.avg_pool2d(autoencoder.decode_in_batches(model, codes), 4).flatten(1)
    _, _, axes = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    best = x.mean(0) + (x - x.mean(0)) @ axes[:k].T @ axes[:k]
    error, linear = ((made - x) ** 2).sum(1).mean(), ((best - x) ** 2).sum(1).mean()
    spread = ((x - x.mean(0)) ** 2).sum(1).mean()
    assert error < linear + 0.1 * spread < 0.4 * spread


def test_the_start_saves_steps():
    seen, errors = flags(400), []
    for begin in (False, True):
        model = small()
        if begin:
            model.start(seen)
        options = {"epochs": 2, "batch_size": 20, "lr": 2e-3, "progress": False}
        train(model, autoencoder.own_loss, seen, generator=seed(), **options)
        errors.append(evaluate(model, autoencoder.squared_error, flags(100, 1)))
    assert errors[1] < 0.6 * errors[0]


def test_bytes_and_floats_have_the_same_codes_and_losses():
    model, images = small().eval(), flags(6)
    a, b = (autoencoder.encode_in_batches(model, x, batch_size=4) for x in (images, images / 255.0))
    assert torch.equal(a, b)
    for loss in (autoencoder.own_loss, autoencoder.cross_entropy, autoencoder.squared_error):
        assert loss(model, images).item() == loss(model, images / 255.0).item()


def test_the_loss_is_what_it_says():
    logits, x = torch.randn(2, 3, 2, 5, 6, generator=seed()).double()
    x, w = torch.sigmoid(x), torch.rand(3, 1, 5, 6, generator=seed(1)).double()
    p = 1 / (1 + torch.exp(-logits))
    e = p - x
    entropy = -(w * (x * p.log() + (1 - x) * (1 - p).log())).mean()
    across = (w[..., 1:] * (e[..., 1:] - e[..., :-1])).abs().mean()
    down = (w[..., 1:, :] * (e[..., 1:, :] - e[..., :-1, :])).abs().mean()
    found = pixels_and_edges(logits, x, w, edges=0.7)
    assert found.item() == pytest.approx((entropy + 0.35 * (across + down)).item(), rel=1e-9)


def test_the_second_term_sees_a_blurred_edge_and_not_a_shift():
    edge = (torch.arange(16) >= 8).float().expand(1, 1, 16, 16) * 0.6 + 0.2
    blurred = edge.clone()
    blurred[..., 7:9] = 0.5
    shifted = edge - (blurred - edge).abs().mean()
    terms = [
        pixels_and_edges(x.logit(), edge, edges=1) - pixels_and_edges(x.logit(), edge, edges=0)
        for x in (blurred, shifted)
    ]
    assert terms[0] > 0.01 and abs(terms[1]) < 1e-6


def test_attention_rises_at_the_places_only():
    places = torch.tensor([[[3.0, 5.0], [10.0, 5.0]], [[0.0, 0.0], [0.0, 0.0]]])
    weights = attention(places, 12, 16, radius=1.5, strength=9)
    assert weights.shape == (2, 1, 12, 16) and weights.min() >= 1
    assert weights[0, 0, 5, 3] == weights[0, 0, 5, 10] == weights[1, 0, 0, 0] == 10
    assert weights[0, 0, 11, 6] < 1.01 and weights[1, 0, 11, 15] < 1.01
    distance_1 = 1 + 9 * torch.exp(torch.tensor(-1 / 4.5))
    assert weights[0, 0, 5, 4].item() == pytest.approx(distance_1.item(), rel=1e-5)


def test_places_change_what_the_loss_rewards():
    """A wrong spot of one pixel costs 41 times as much when it is looked at."""
    model, x = small().eval(), torch.full((1, 3, 16, 24), 0.5)
    places = torch.tensor([[[12.0, 8.0]]])
    with torch.no_grad():
        logits = model.decode_logits(model.encode(x))
        assert model.loss(x) == pixels_and_edges(logits, x)
        assert model.loss((x, places)) == pixels_and_edges(logits, x, attention(places, 16, 24))
    wrong = torch.zeros(1, 3, 16, 24)
    wrong[..., 8, 12] = 3.0
    plain, looked_at = (
        pixels_and_edges(wrong, x, w, edges=0) - pixels_and_edges(0 * wrong, x, w, edges=0)
        for w in (1.0, attention(places, 16, 24, strength=40))
    )
    assert (looked_at / plain).item() == pytest.approx(41, rel=1e-2)


def test_a_saved_model_is_rebuilt(tmp_path):
    model = small()
    model(flags(20) / 255.0)
    autoencoder_files.save(model, tmp_path / "model.safetensors")
    again = autoencoder_files.load(tmp_path / "model.safetensors", expected=small(k=5))
    model.eval()
    assert again.image_shape == (3, 16, 24)
    assert torch.equal(again(flags(5) / 255.0), model(flags(5) / 255.0))
    with pytest.raises(ValueError, match="another architecture"):
        autoencoder_files.load(tmp_path / "model.safetensors", expected=small((3, 24, 16)))


@pytest.mark.parametrize("shape", [(2, 64, 64), (3, 60, 64), (3, 64), (3, 0, 8), (3, 64.0, 64)])
def test_shapes_that_cannot_be_folded_are_refused(shape):
    with pytest.raises(ValueError, match="image_shape: expected 1 or 3 channels"):
        ImageAutoencoder(image_shape=shape)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"images: expected shape \(n, 3, 16, 24\); got"):
        small().encode(torch.zeros(2, 3, 24, 16))
