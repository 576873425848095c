"""What `examine` finds on networks whose maps are known, and against independent computations."""

import numpy as np
import pytest
import torch

from omt_course.geometry import meshes
from omt_course.geometry.distances import hausdorff
from omt_course.models import surface_report
from omt_course.models.surface_autoencoder import SurfaceAutoencoder, fit
from omt_course.models.surface_report import examine, network_map


def sheet(n=10):
    """A slightly bent sheet over the unit square."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
    x, y = x.ravel(), y.ravel()
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    F = np.concatenate([np.c_[a, a + 1, a + n + 2], np.c_[a, a + n + 2, a + n + 1]])
    return np.c_[x, y, 0.2 * x * y], F


def bent(crease):
    """An encoder (x, y, z) -> (min(x, 2 crease - x), y), as a ReLU network; a decoder of zeros."""
    model = SurfaceAutoencoder((3, 3, 2), generator=torch.Generator().manual_seed(0))
    first, last = model.encoder[0], model.encoder[2]
    with torch.no_grad():
        first.weight[:] = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        first.bias[:] = torch.tensor([10.0, -crease, 10])
        last.weight[:] = torch.tensor([[1.0, -2, 0], [0, 0, 1]])
        last.bias[:] = -10
        for layer in model.decoder[::2]:
            layer.weight.zero_()
            layer.bias.zero_()
    return model


def test_a_crease_inside_triangles_is_seen_by_the_network_map():
    V, F = sheet(10)
    found = network_map(bent(0.75), V, F)  # the line x = 0.75 runs through a column of squares
    x = V[F][:, :, 0].min(axis=1)
    areas = meshes.triangle_areas(V, F)
    whole = areas[x > 0.75].sum()
    assert whole < found.turned_area * areas.sum() < areas[x > 0.69].sum()
    assert set(found.turned) == set(np.flatnonzero(x > 0.69))
    assert found.n_pieces == len(F) + 20 and not found.injective


def test_the_turned_area_of_a_flat_sheet_is_that_of_the_strip():
    V, F = sheet(8)
    V[:, 2] = 0
    assert network_map(bent(0.7), V, F).turned_area == pytest.approx(0.3, abs=1e-6)


def test_a_network_that_does_not_bend_is_injective():
    V, F = sheet()
    found = network_map(bent(5.0), V, F)
    assert found.injective and found.n_pieces == len(F) and found.turned_area == 0


def test_parts_do_not_change_the_answer(monkeypatch):
    V, F = sheet(6)
    model = SurfaceAutoencoder((3, 12, 8, 2), generator=torch.Generator().manual_seed(5))
    whole = network_map(model, V, F)
    monkeypatch.setattr(surface_report, "_CHUNK", 7)
    parts = network_map(model, V, F)
    assert whole.n_pieces == parts.n_pieces and np.array_equal(whole.turned, parts.turned)
    assert whole.turned_area == pytest.approx(parts.turned_area)


def test_random_derivatives_agree_with_the_pieces():
    V, F = sheet(6)
    model = SurfaceAutoencoder((3, 12, 8, 2), generator=torch.Generator().manual_seed(5)).double()
    found = network_map(model, V, F)
    rng = np.random.default_rng(0)
    areas = meshes.triangle_areas(V, F)
    home = rng.choice(len(F), 4000, p=areas / areas.sum())
    points = np.einsum("ki,kij->kj", rng.dirichlet(np.ones(3), 4000), V[F[home]])
    J = torch.func.vmap(torch.func.jacrev(lambda x: model.encode(x[None])[0]))(torch.tensor(points))
    u, v = (V[F[home, k]] - V[F[home, 0]] for k in (1, 2))
    images = [np.einsum("kij,kj->ki", J.detach().numpy(), side) for side in (u, v)]
    sign = np.sign(images[0][:, 0] * images[1][:, 1] - images[0][:, 1] * images[1][:, 0])
    minority = min((sign < 0).mean(), (sign > 0).mean())
    assert abs(minority - found.turned_area) < 0.03


def test_a_boundary_that_crosses_is_counted():
    V, F = sheet(6)
    found = network_map(bent(0.5), V, F)
    assert found.n_crossings > 0


@pytest.fixture(scope="module")
def trained():
    V, F = sheet(10)
    generator = torch.Generator().manual_seed(1)
    model = SurfaceAutoencoder.of(V, widths=(3, 24, 2), generator=generator)
    fit(model, V, F, epochs=200, lr=5e-3, batch_size=64, schedule="cosine", generator=generator)
    return model, V, F


def test_the_report_agrees_with_direct_computations(trained):
    model, V, F = trained
    found = examine(model, V, F, rng=np.random.default_rng(0), spacing=0.01)
    percent = 100 / meshes.diagonal(V)
    codes = model.codes_of(V)
    W = model.points_of(codes)
    error = np.linalg.norm(W - V, axis=1) * percent
    assert found.mean_error == pytest.approx(error.mean())
    assert found.largest_error == pytest.approx(error.max())
    direct = hausdorff((W, F), (V, F), spacing=0.01 * meshes.diagonal(V))
    assert found.there == pytest.approx(direct.forward * percent, abs=1e-9)
    assert found.back == pytest.approx(direct.backward * percent, abs=1e-9)
    again = np.linalg.norm(model.codes_of(W) - codes, axis=1).max()
    assert found.returning == pytest.approx(100 * again / meshes.diagonal(codes))
    assert found.hausdorff <= found.largest_error + found.slack
    assert found.chart.injective and found.network.injective and found.overlap.share == 0


def test_partners_are_within_their_errors():
    V, F = sheet(10)
    model = bent(0.6)
    found = examine(model, V, F, rng=np.random.default_rng(1), spacing=0.05)
    x, y = found.overlap.pair
    with torch.no_grad():
        errors = (
            model(torch.tensor(found.overlap.pair).float()) - torch.tensor(found.overlap.pair)
        ).norm(dim=1)
    apart = np.linalg.norm(x - y)
    assert found.overlap.distance == pytest.approx(100 * apart / meshes.diagonal(V))
    assert apart <= errors.sum() + 1e-6
    assert abs(found.overlap.share - 0.8) < 0.05


def test_smooth_networks_have_no_pieces():
    V, F = sheet(3)
    model = SurfaceAutoencoder(
        (3, 8, 2), activation="tanh", generator=torch.Generator().manual_seed(2)
    )
    assert examine(model, V, F, rng=np.random.default_rng(0), spacing=0.1).network is None
    with pytest.raises(ValueError, match="network"):
        network_map(model, V, F)


def test_bad_meshes_are_refused():
    V, F = sheet(3)
    with pytest.raises(ValueError, match="mesh"):
        examine(bent(0.5), V, np.concatenate([F, F[:1]]), rng=np.random.default_rng(0))
