"""Exact dual, then regression; the generator in closed form against exact maps."""

import numpy as np
import pytest
import torch

from omt_course.models.convex_potential import MaxAffine
from omt_course.models.critic import difference, mlp
from omt_course.models.two_step import generator_of, two_step
from omt_course.transport import semidiscrete
from omt_course.transport.domains import Box, disk


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_step_one_is_exact_and_step_two_fits_it():
    a = torch.randn(120, 2, generator=chance(1))
    b = 2 * a  # outwards on rays: W1 = mean |a|, and |z| is a potential
    fitted = two_step(mlp([2, 32, 1], generator=chance()), a, b, generator=chance(2), epochs=120)
    truth = a.norm(dim=1).double().mean().item()
    assert fitted.exact.w1 == pytest.approx(truth, rel=1e-6)
    assert abs(fitted.exact.gap) < 1e-12
    assert fitted.fit_error < 0.15 and fitted.history.n_epochs == 120
    assert difference(fitted.critic, a, b) == pytest.approx(truth, abs=0.1)
    with torch.no_grad():
        off = fitted.critic(a).ravel().double().numpy() - fitted.exact(a.double().numpy())
        more = fitted.critic(b).ravel().double().numpy() - fitted.exact(b.double().numpy())
    rms = np.sqrt((np.concatenate([off, more]) ** 2).mean())
    assert fitted.fit_error == pytest.approx(rms, rel=1e-3)
    assert not fitted.critic.training


def test_two_step_refuses_what_it_cannot_use():
    good, critic = torch.zeros(4, 2), mlp([2, 1], generator=chance())
    for words, a, b in (
        ("a: expected a float tensor", good.int(), good),
        (r"b: expected shape \(n, d\)", good, torch.zeros(4, 1, 2)),
        ("y: expected points of dimension 2", good, torch.zeros(4, 3)),
    ):
        with pytest.raises(ValueError, match=words):
            two_step(critic, a, b, generator=chance())


@pytest.mark.parametrize("domain", [Box([0, 0], [1, 1]), disk(1.0), Box([0, 0, 0], [1, 1, 1])])
def test_the_generator_from_the_potential_is_the_exact_map(domain):
    rng = np.random.default_rng(3)
    d = domain.dimension
    exact = semidiscrete.solve(domain, rng.normal(size=(60, d)), tol=1e-10)
    u = MaxAffine(torch.tensor(exact.points), torch.tensor(exact.heights), learn_slopes=False)

    def phi(x):
        return (x**2).sum(dim=1) / 2 - u(x)

    x = domain.sample(2000, rng)
    made = generator_of(phi)(torch.tensor(x))
    assert not made.requires_grad
    assert np.abs(made.numpy() - exact.transport(x)).max() < 1e-12


def test_the_generator_of_an_affine_map():
    A = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    x = torch.randn(50, 2, generator=chance(4), dtype=torch.float64)
    made = generator_of(lambda x: (x**2).sum(1) / 2 - ((x @ A) * x).sum(1) / 2)(x)
    assert torch.allclose(made, x @ A, atol=1e-12)
    with torch.no_grad():
        assert torch.equal(generator_of(lambda x: x[:, 0])(x)[:, 1], x[:, 1])
