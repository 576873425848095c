"""Autoencoders of surfaces: units, surfaces that can be learnt, exact resume, bad input."""

import numpy as np
import pytest
import torch

from omt_course.geometry import injectivity, meshes
from omt_course.models.surface_autoencoder import ARTICLE_WIDTHS, SurfaceAutoencoder, fit, imitate
from omt_course.models.training import TrainingDivergedError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def hill(n=14):
    """A smooth hill over a square, in units and at a place of its own."""
    x, y = np.meshgrid(np.linspace(-1, 1, n + 1), np.linspace(-1, 1, n + 1))
    x, y = x.ravel(), y.ravel()
    V = np.column_stack([x, y, 0.5 * np.exp(-3 * (x**2 + y**2))]) * 40 + [500, -300, 20]
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    return V, np.concatenate([np.c_[a, a + 1, a + n + 2], np.c_[a, a + n + 2, a + n + 1]])


def small(V, seed=0, **kinds):
    return SurfaceAutoencoder.of(V, widths=(3, 32, 16, 2), generator=generator(seed), **kinds)


def test_the_articles_network_has_its_hidden_units():
    model = SurfaceAutoencoder(ARTICLE_WIDTHS, generator=generator())
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert len(layers) == 12
    assert sum(m.out_features for m in layers) - 2 - 3 == 2976  # the article's count


def test_the_network_sees_a_box_of_diagonal_two_about_the_origin():
    V, _ = hill()
    model = small(V)
    x = (torch.tensor(V) - model.centre) / model.scale
    assert torch.allclose(x.amin(0) + x.amax(0), torch.zeros(3).double(), atol=1e-5)
    assert np.linalg.norm(np.ptp(x.numpy(), axis=0)) == pytest.approx(2, rel=1e-6)


def test_moved_and_scaled_data_train_alike():
    V, F = hill()
    losses = []
    for X in (V, 8 * V):  # powers of two scale exactly
        model, g = small(X), generator(1)
        losses.append(fit(model, X, F, epochs=3, generator=g, lr=1e-3).train_loss)
    assert losses[0] == losses[1]


def test_a_hill_is_learnt_without_folds():
    V, F = hill()
    before = V.copy()
    model = small(V)
    history = fit(
        model, V, F, epochs=300, generator=generator(2), lr=3e-3, schedule="cosine", batch_size=64
    )
    assert np.array_equal(V, before)
    codes = model.codes_of(V)
    error = np.linalg.norm(model.points_of(codes) - V, axis=1) / meshes.diagonal(V)
    assert error.mean() < 0.02
    assert history.train_loss[-1] < 0.01 * history.train_loss[0]
    assert injectivity.planar_map(V, F, codes).injective


def test_the_penalty_unfolds_a_fold():
    V, F = hill()
    fold = np.abs(V[:, 0] - 500)[:, None]  # the encoder starts from a map that folds at x = 500
    uv = np.hstack([fold, V[:, 1:2]]) / 40
    model = small(V)
    imitate(model, V, uv, epochs=60, generator=generator(3), lr=3e-3, batch_size=64)
    start = injectivity.planar_map(V, F, model.codes_of(V)).folded_area
    assert 0.3 < start <= 0.5
    settings = {"epochs": 60, "lr": 3e-3, "batch_size": 64}
    fit(model, V, F, generator=generator(4), orientation=1.0, **settings)
    assert injectivity.planar_map(V, F, model.codes_of(V)).folded_area < 0.5 * start


def test_a_chart_is_imitated_both_ways():
    V, F = hill()
    uv = (V[:, :2] - [500, -300]) / 40
    model = small(V)
    imitate(model, V, uv, epochs=300, generator=generator(5), lr=3e-3, batch_size=64)
    assert np.abs(model.codes_of(V) - uv).mean() < 0.02
    assert np.abs(model.points_of(uv) - V).mean() < 1


def test_the_decoder_aims_at_the_surface_and_the_encoder_sees_another():
    V, F = hill()
    flat = V.copy()
    flat[:, 2] = 20
    model = small(V)
    settings = {"epochs": 300, "lr": 3e-3, "schedule": "cosine", "batch_size": 64}
    fit(model, V, F, generator=generator(6), seen=flat, **settings)
    error = np.linalg.norm(model.points_of(model.codes_of(flat)) - V, axis=1)
    assert error.mean() / meshes.diagonal(V) < 0.02


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path):
    V, F = hill(6)
    settings = {"lr": 1e-3, "batch_size": 16, "orientation": 0.1}
    whole = small(V)
    fit(whole, V, F, epochs=6, generator=generator(7), **settings)
    for epochs in (2, 6):
        parts = small(V)
        history = fit(
            parts,
            V,
            F,
            epochs=epochs,
            generator=generator(7),
            checkpoint=tmp_path / "a",
            **settings,
        )
    assert history.resumed_from == 2
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_every_step_can_be_watched():
    V, F = hill(6)
    model, seen = small(V), []
    fit(
        model,
        V,
        F,
        epochs=2,
        batch_size=20,
        generator=generator(8),
        watch=lambda step, m: seen.append((step, m is model)),
    )
    assert seen == [(k, True) for k in range(2 * 3)]


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu"])
def test_other_activations_train(activation):
    V, F = hill(6)
    model = small(V, activation=activation)
    history = fit(model, V, F, epochs=40, lr=3e-3, generator=generator(9), batch_size=16)
    assert history.train_loss[-1] < history.train_loss[0]


def test_bad_input_is_named():
    V, F = hill(3)
    model, g = small(V), generator()
    for widths in ((3, 2, 4), (2, 5, 2), (3,)):
        with pytest.raises(ValueError, match=r"widths: expected \(3, ..., 2\)"):
            SurfaceAutoencoder(widths)
    with pytest.raises(ValueError, match="widths: expected positive integers"):
        SurfaceAutoencoder((3, 0, 2))
    with pytest.raises(ValueError, match="activation: expected one of relu, softplus"):
        SurfaceAutoencoder((3, 4, 2), activation="step")
    with pytest.raises(ValueError, match="scale: expected a positive number; got 0"):
        SurfaceAutoencoder((3, 4, 2), scale=0)
    with pytest.raises(ValueError, match="V: expected at least two different points"):
        SurfaceAutoencoder.of(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"points: expected shape \(n, 3\)"):
        model.encode(torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"codes: expected shape \(n, 2\)"):
        model.decode(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="F: expected indices from 0 to 15; got 0 to 99"):
        fit(model, V, np.array([[0, 1, 99]]), epochs=1, generator=g)
    with pytest.raises(ValueError, match="F: expected an integer array"):
        fit(model, V, F.astype(float), epochs=1, generator=g)
    broken = V.copy()
    broken[2] = np.nan
    with pytest.raises(ValueError, match="V: expected finite numbers; got 1 rows"):
        fit(model, broken, F, epochs=1, generator=g)
    with pytest.raises(ValueError, match=r"seen: expected shape \(16, 3\), as V; got \(4, 3\)"):
        fit(model, V, F, epochs=1, generator=g, seen=V[:4])
    with pytest.raises(ValueError, match="orientation: expected a number >= 0; got -1"):
        fit(model, V, F, epochs=1, generator=g, orientation=-1)
    with pytest.raises(ValueError, match=r"uv: expected finite codes of shape \(16, 2\)"):
        imitate(model, V, V, epochs=1, generator=g)
    with pytest.raises(TrainingDivergedError):
        fit(model, V, F, epochs=50, generator=g, lr=1e12)
