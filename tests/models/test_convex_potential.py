"""Convex potentials: convex for random parameters, gradients, the semi-dual, files, errors."""

import numpy as np
import pytest
import safetensors.torch
import torch

from omt_course.models import convex_potential
from omt_course.models.convex_potential import InputConvexNetwork, MaxAffine, load, semidual
from omt_course.transport import discrete, semidiscrete
from omt_course.transport.costs import cost_matrix
from omt_course.transport.domains import Box


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scrambled(model, seed):
    """The same model with parameters far from where training starts, negative ones included."""
    g = generator(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(3 * torch.randn(p.shape, generator=g, dtype=p.dtype))
    return model


def max_affine(seed, temperature=0.0):
    model = MaxAffine(torch.zeros(7, 3).double(), temperature=temperature)
    return scrambled(model, seed)


FAMILIES = {
    "maximum": lambda seed: max_affine(seed),
    "log-sum-exp": lambda seed: max_affine(seed, temperature=0.7),
    "relu": lambda seed: scrambled(InputConvexNetwork(3, hidden=(9, 5)).double(), seed),
    "softplus": lambda seed: scrambled(
        InputConvexNetwork(3, hidden=(9, 5, 4), activation="softplus").double(), seed
    ),
}
families = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES.keys())


@families
@pytest.mark.parametrize("seed", range(5))
def test_convex_for_random_parameters(build, seed):
    u, g = build(seed), generator(seed + 100)
    a, b = (4 * torch.randn(400, 3, generator=g, dtype=torch.float64) for _ in range(2))
    s = torch.rand(400, 1, generator=g, dtype=torch.float64)
    with torch.no_grad():
        chord = s[:, 0] * u(a) + (1 - s[:, 0]) * u(b)
        excess = u(s * a + (1 - s) * b) - chord
        assert excess.max() <= 1e-12 * chord.abs().max()
        assert excess.min() < -1e-3 * chord.abs().max()  # not affine: the test sees something
    rise = ((u.transport(a) - u.transport(b)) * (a - b)).sum(dim=1)
    assert rise.min() >= -1e-10 * rise.max()


@families
def test_transport_is_the_gradient(build):
    u = build(3)
    x = torch.randn(50, 3, generator=generator(1), dtype=torch.float64)
    step = 1e-6 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        numeric = torch.stack([(u(x + e) - u(x - e)) / 2e-6 for e in step], dim=1)
    y = u.transport(x)
    assert torch.allclose(y, numeric, atol=1e-6 * y.abs().max().item())
    assert x.grad is None and not x.requires_grad


@families
def test_transport_carries_gradients_only_where_they_are_enabled(build):
    u, x = build(0), torch.ones(2, 3, dtype=torch.float64)
    u.transport(x).square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in u.parameters())
    with torch.no_grad():
        assert not u.transport(x).requires_grad


def test_a_network_with_free_signs_is_not_convex():
    """The test of convexity can fail: the same layers without softplus."""
    u = scrambled(InputConvexNetwork(1, hidden=(8, 8)).double(), 0)
    a = torch.linspace(-3, 3, 601, dtype=torch.float64)[:, None]
    z = torch.relu(u.passes[0](a))
    z = torch.relu(z @ u.hidden_raw[0].T + u.passes[1](a))
    free = (z @ u.hidden_raw[1].T + u.passes[2](a))[:, 0].detach()
    bend = free[2:] - 2 * free[1:-1] + free[:-2]
    assert bend.min() < -1e-6
    convex = u(a).detach()
    assert (convex[2:] - 2 * convex[1:-1] + convex[:-2]).min() > -1e-10


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 2.0])
def test_smoothing_lies_above_by_at_most_t_log_n(temperature):
    sharp, smooth = max_affine(4), max_affine(4, temperature)
    x = torch.randn(300, 3, generator=generator(), dtype=torch.float64)
    gap = (smooth(x) - sharp(x)).detach()
    assert gap.min() >= -1e-12 and gap.max() <= temperature * np.log(7) + 1e-12
    assert gap.max() > 0.1 * min(temperature, 0.05)


def test_the_semidual_bounds_the_discrete_dual_from_above_and_is_reached():
    """Any function gives a lower bound for W2^2; the optimal plan's potential gives W2^2 itself."""
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 2)), rng.random((10, 2))
    mass = rng.dirichlet(np.ones(10))
    found = discrete.plan(np.full(40, 1 / 40), mass, cost_matrix(x, y))
    w2_squared = 2 * found.primal
    tx, ty, tm = (torch.tensor(a) for a in (x, y, mass))
    constant = (tx**2).sum(1).mean() + tm @ (ty**2).sum(1)
    with torch.no_grad():
        for seed in range(5):
            wild = scrambled(InputConvexNetwork(2).double(), seed)
            assert constant - 2 * semidual(wild, tx, ty, tm) < w2_squared
        u = MaxAffine(ty, torch.tensor(found.psi) - (ty**2).sum(1) / 2)
        assert (constant - 2 * semidual(u, tx, ty, tm)).item() == pytest.approx(w2_squared)


def test_semidual_of_the_exact_polyhedron_is_the_energy():
    rng = np.random.default_rng(1)
    points = rng.random((12, 2))
    result = semidiscrete.solve(Box([0, 0], [1, 1]), points, tol=1e-12)
    x = torch.tensor(rng.random((4000, 2)))
    u = MaxAffine(torch.tensor(points), torch.tensor(np.asarray(result.heights, dtype=float)))
    with torch.no_grad():
        energy = u(x).mean() - u.heights.mean()
        dual = semidual(u, x, torch.tensor(points))
    assert dual.item() == pytest.approx(energy.item(), abs=1e-12)
    assert np.allclose(u.on_top(x).numpy(), 1 / 12, atol=0.02)


def test_training_fixed_slopes_finds_the_exact_heights():
    """`J` over the heights is the course's convex energy, so descent ends at Newton's answer."""
    rng = np.random.default_rng(2)
    points = rng.random((6, 2))
    result = semidiscrete.solve(Box([0, 0], [1, 1]), points, tol=1e-10)
    side = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    x = torch.cartesian_prod(side, side)
    u = MaxAffine(torch.tensor(points), learn_slopes=False)
    assert not u.slopes.requires_grad
    optimiser = torch.optim.SGD([u.heights], lr=0.05)
    for _ in range(1000):
        loss = u(x).mean() - u.heights.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found, exact = u.heights.detach().numpy(), np.asarray(result.heights, dtype=float)
    assert np.abs((found - found.mean()) - (exact - exact.mean())).max() < 5e-3
    assert not torch.allclose(u.heights, torch.zeros(6, dtype=torch.float64), atol=0.02)


@families
def test_save_and_load(build, tmp_path):
    u = build(2)
    u.save(tmp_path / "u.safetensors")
    again = load(tmp_path / "u.safetensors")
    x = torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    assert type(again) is type(u) and torch.equal(again(x), u(x)) and again.config == u.config


def test_load_refuses_other_files(tmp_path):
    (tmp_path / "a").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "a")
    safetensors.torch.save_file({"w": torch.zeros(1)}, tmp_path / "b")
    with pytest.raises(ValueError, match="something else"):
        load(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "c")


def test_the_generator_rules_the_initial_weights():
    before = torch.get_rng_state()
    first, again, other = (InputConvexNetwork(2, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.ones(3, 2)
    assert torch.equal(first(x), again(x)) and not torch.equal(first(x), other(x))


def test_bad_input():
    with pytest.raises(ValueError, match="slopes: expected shape"):
        MaxAffine(torch.zeros(3))
    with pytest.raises(ValueError, match="slopes: expected finite"):
        MaxAffine(torch.full((3, 2), torch.nan))
    with pytest.raises(ValueError, match="slopes: expected a float tensor; got ndarray"):
        MaxAffine(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"heights: expected shape \(3,\); got \(2,\)"):
        MaxAffine(torch.zeros(3, 2), torch.zeros(2))
    for bad in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="temperature: expected"):
            MaxAffine(torch.zeros(3, 2), temperature=bad)
    for bad in (0, 2.0, -3):
        with pytest.raises(ValueError, match="dimension: expected a positive integer"):
            InputConvexNetwork(bad)
    with pytest.raises(ValueError, match="hidden: expected a positive integer; got 0"):
        InputConvexNetwork(2, hidden=(4, 0))
    with pytest.raises(ValueError, match="hidden: expected at least one layer"):
        InputConvexNetwork(2, hidden=())
    with pytest.raises(ValueError, match="activation: expected"):
        InputConvexNetwork(2, activation="tanh")
    for u in (MaxAffine(torch.zeros(3, 2)), InputConvexNetwork(2)):
        for bad in (torch.zeros(4, 3), torch.zeros(2), torch.zeros(4, 2, dtype=torch.long)):
            with pytest.raises(ValueError, match=r"x: expected floats of shape \(n, 2\)"):
                u(bad)
    u, x = MaxAffine(torch.zeros(3, 2)), torch.zeros(4, 2)
    with pytest.raises(ValueError, match=r"points: expected shape \(m, 2\)"):
        semidual(u, x, torch.zeros(3, 1))
    with pytest.raises(ValueError, match="masses: expected 3 numbers of sum 1"):
        semidual(u, x, torch.zeros(3, 2), torch.ones(3))
    assert convex_potential.load is load
