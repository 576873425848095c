"""Pairs with the right marginals and cost, a loss with the right minimum, exact resume."""

import numpy as np
import pytest
import torch

from omt_course.models.flow_matching import (
    VelocityNetwork,
    independent_pairs,
    matching_loss,
    minibatch_pairs,
    semidiscrete_pairs,
)
from omt_course.models.flow_paths import gaussian_velocity, integrate
from omt_course.models.training import train
from omt_course.transport import discrete, semidiscrete
from omt_course.transport.costs import cost_matrix
from omt_course.transport.domains import disk


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def targets(n=300, d=2, seed=1):
    return 2 + torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def cost(pairs):
    return ((pairs[1] - pairs[0]) ** 2).sum(dim=1).mean().item()


def test_independent_pairs_know_nothing_of_each_other():
    y = targets(20_000)
    x0, x1 = independent_pairs("gaussian")(y, generator())
    assert torch.equal(x1, y) and x0.dtype == y.dtype
    both = torch.corrcoef(torch.cat([x0, x1], dim=1).T)
    assert both[:2, 2:].abs().max() < 0.03
    expected = 2 + (y**2).sum(dim=1).mean().item()  # E|x|^2 + E|y|^2, no cross term
    assert cost((x0, x1)) == pytest.approx(expected, rel=0.03)


def test_a_batch_is_paired_as_the_discrete_solver_would():
    y = targets(60, 3)
    x0, x1 = minibatch_pairs("gaussian")(y, generator())
    mass = np.full(60, 1 / 60)
    best = discrete.plan(mass, mass, cost_matrix(x0.numpy(), y.numpy()))
    assert cost((x0, x1)) == pytest.approx(2 * best.primal, rel=1e-5)
    assert sorted(x1[:, 0].tolist()) == sorted(y[:, 0].tolist())
    unpaired = independent_pairs("gaussian")(y, generator())
    assert torch.equal(unpaired[0], x0) and cost(unpaired) > 1.2 * cost((x0, x1))


def test_groups_are_paired_apart():
    y = targets(10)
    x0, x1 = minibatch_pairs("gaussian", size=4)(y, generator())
    for rows in torch.arange(10).split(4):  # 4, 4 and a rest of 2
        alone = sorted(y[rows][:, 0].tolist())
        assert sorted(x1[rows][:, 0].tolist()) == alone
    single = minibatch_pairs("gaussian", size=1)(y, generator())
    assert torch.equal(single[1], y)


def test_larger_groups_cost_less_and_never_less_than_transport():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(64, 2)) + 2
    exact = semidiscrete.solve(disk(1.0, n_sides=512), y, tol=1e-8)
    mean_square = exact.w2_squared / disk(1.0, n_sides=512).volume
    every = torch.tensor(y)[torch.randint(64, (16_384,), generator=generator(3))]
    costs = [cost(minibatch_pairs("ball", size=m)(every, generator())) for m in (1, 4, 16, 256)]
    assert all(np.diff(costs) < 0)
    assert mean_square < costs[-1] < 1.1 * mean_square
    pairs = semidiscrete_pairs("ball", y, exact.heights)(every, generator())
    assert cost(pairs) == pytest.approx(mean_square, rel=0.01)


def test_semidiscrete_pairs_are_the_exact_map():
    y = np.random.default_rng(2).normal(size=(30, 2)) + 5
    exact = semidiscrete.solve(disk(), y, tol=1e-8)
    x0, x1 = semidiscrete_pairs("ball", y, exact.heights)(torch.zeros(4000, 2), generator())
    inside = disk().contains(x0.double().numpy())  # a polygon: the ball's rim is outside
    map_of = exact.transport(x0.double().numpy()[inside])
    assert inside.mean() > 0.99
    agree = np.isclose(x1.numpy()[inside], map_of, atol=1e-5).all(axis=1)
    assert agree.mean() > 0.999  # single precision decides a tie in another way
    _, hits = np.unique(x1.numpy(), axis=0, return_counts=True)
    assert len(hits) == 30 and ((hits / 4000 * 30 - 1) ** 2).sum() / 30 * 4000 / 30 < 2


def test_the_conditional_loss_exceeds_the_marginal_one_by_a_constant():
    """`L(u) = E|u - v|^2 + L(v)` on the law of X_t, so both have one gradient."""
    mean, root = torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    v = gaussian_velocity(mean, root @ root.T)

    def source_and_target(batch, generator):
        x0, z = (torch.randn(len(batch), 2, generator=generator) for _ in range(2))
        return x0, mean + z @ root.T

    loss = matching_loss(source_and_target)
    rows = torch.zeros(400_000, 1)
    with torch.no_grad():
        least = loss(v, rows, generator()).item()
    u = torch.nn.Linear(3, 2)
    model = lambda x, t: u(torch.cat([x, t[:, None]], dim=1))  # noqa: E731
    conditional = loss(model, rows, generator())
    g = generator()
    x0, x1 = source_and_target(rows, g)
    t = torch.rand(len(rows), generator=g)
    xt = (1 - t[:, None]) * x0 + t[:, None] * x1
    marginal = ((model(xt, t) - v(xt, t)) ** 2).sum(dim=1).mean()
    assert conditional.item() == pytest.approx(marginal.item() + least, rel=0.01)
    assert least > 1  # the loss of a perfect field is not zero
    for a, b in zip(
        torch.autograd.grad(conditional, u.parameters()),
        torch.autograd.grad(marginal, u.parameters()),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=0.05)


def test_a_network_learns_the_closed_form():
    mean, root = torch.tensor([1.0, 0.0]), torch.diag(torch.tensor([0.5, 1.5]))
    y = mean + torch.randn(4096, 2, generator=generator(5)) @ root
    v = VelocityNetwork(2, width=32, depth=2, generator=generator())
    loss = matching_loss(independent_pairs("gaussian"))
    options = {"epochs": 25, "batch_size": 256, "lr": 1e-2, "progress": False}
    train(v, loss, y, generator=generator(1), **options)
    exact = gaussian_velocity(mean, root @ root.T)
    x, t = torch.randn(2000, 2, generator=generator(6)), torch.full((2000,), 0.5)
    xt = 0.5 * x + 0.5 * (mean + torch.randn(2000, 2, generator=generator(7)) @ root)
    with torch.no_grad():
        error = (v(xt, t) - exact(xt, t)).square().sum(dim=1).mean()
        size = exact(xt, t).square().sum(dim=1).mean()
    assert error < 0.05 * size
    end = integrate(v, x, n_steps=50).end
    assert torch.allclose(end.mean(dim=0), mean, atol=0.15)
    assert torch.allclose(end.std(dim=0), torch.tensor([0.5, 1.5]), rtol=0.15)


@pytest.mark.parametrize("pairs", [independent_pairs, minibatch_pairs])
def test_training_resumes_exactly(pairs, tmp_path):
    y, loss = targets(200).float(), matching_loss(pairs("gaussian"))
    options = {"batch_size": 64, "lr": 1e-3, "schedule": "constant", "progress": False}

    def network():
        return VelocityNetwork(2, width=8, depth=1, generator=generator())

    whole, cut = network(), network()
    train(whole, loss, y, epochs=4, generator=generator(1), **options)
    where = tmp_path / "state"
    train(cut, loss, y, epochs=2, generator=generator(1), checkpoint=where, **options)
    again = network()
    history = train(again, loss, y, epochs=4, generator=generator(9), checkpoint=where, **options)
    assert history.resumed_from == 2
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(cut.parameters()), next(again.parameters()))


def test_the_network_sees_time_and_its_generator_rules_it():
    before = torch.get_rng_state()
    first, same, other = (VelocityNetwork(3, width=8, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    x, t = torch.ones(4, 3), torch.full((4,), 0.25)
    assert torch.equal(first(x, t), same(x, t)) and not torch.equal(first(x, t), other(x, t))
    assert not torch.allclose(first(x, t), first(x, 2 * t))


def test_bad_input():
    for bad in (0, -1, 2.0):
        with pytest.raises(ValueError, match="width: expected a positive integer"):
            VelocityNetwork(2, width=bad)
        with pytest.raises(ValueError, match="size: expected a positive integer"):
            minibatch_pairs("gaussian", size=bad)
    v = VelocityNetwork(2, width=4)
    with pytest.raises(ValueError, match=r"x, t: expected shapes \(n, 2\) and \(n,\)"):
        v(torch.zeros(3, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(3, 1\)"):
        v(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="heights: expected shape"):
        semidiscrete_pairs("cube", np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="points, heights: expected finite"):
        semidiscrete_pairs("cube", np.zeros((2, 2)), [0, np.nan])
    pairs = semidiscrete_pairs("cube", np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match=r"targets: expected shape \(n, 2\).*got \(4, 3\)"):
        pairs(torch.zeros(4, 3), generator())
    with pytest.raises(ValueError, match="source: expected"):
        independent_pairs("square")(torch.zeros(3, 2), generator())
