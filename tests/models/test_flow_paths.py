"""Order of the integrators, fields against independent computations, the budget of a coupling."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from omt_course.models.flow_matching import matching_loss
from omt_course.models.flow_paths import finite_target_velocity, gaussian_velocity, integrate
from omt_course.transport import discrete
from omt_course.transport.costs import cost_matrix


def normal(n, d=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_order_of_the_integrators(method, order):
    """`dx/dt = x + t` from 1 reaches `2 e - 2`. Heun's last step is Euler's: its error is too."""
    x = torch.ones(1, 1, dtype=torch.float64)
    errors = []
    for n in (40, 80, 160):
        paths = integrate(lambda x, t: x + t[:, None], x, n_steps=n, method=method)
        errors.append(abs(paths.end.item() - (2 * np.e - 2)))
        assert paths.evaluations == (n if method == "euler" else 2 * n - 1)
        assert paths.positions.shape == (n + 1, 1, 1)
    measured = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.allclose(measured, order, atol=0.15)


def test_the_gaussian_flow_ends_at_its_closed_form():
    mean = torch.tensor([1.0, -1.0], dtype=torch.float64)
    root = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    v, x = gaussian_velocity(mean, root @ root), normal(500)
    paths = integrate(v, x, n_steps=1000, method="heun")
    assert torch.allclose(paths.end, mean + x @ root, atol=4e-3)  # Z_t = t m + S_t^(1/2) x
    # Energy: |m|^2 + sum_k int (d sigma_k / dt)^2, and displacement |m|^2 + |root - I|^2.
    t = (np.arange(20_000) + 0.5) / 20_000
    sigma2 = torch.linalg.eigvalsh(root @ root).numpy()
    speed2 = sum(((s * t - (1 - t)) ** 2 / ((1 - t) ** 2 + s * t**2)).mean() for s in sigma2)
    many = integrate(v, normal(10_000, seed=1), n_steps=100, method="heun")
    assert many.energy == pytest.approx(2 + speed2, rel=0.04)
    moved = 2 + ((root - torch.eye(2)) ** 2).sum().item()
    assert many.displacement == pytest.approx(moved, rel=0.04)
    assert many.bending == pytest.approx(1 - moved / (2 + speed2), abs=0.01)


def test_optimal_pairs_give_straight_paths_and_one_step_is_exact():
    mean = torch.tensor([1.0, -1.0], dtype=torch.float64)
    A = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)

    def v(x, t):  # T x = m + A x, so X_t = t m + ((1 - t) I + t A) X_0
        inverse = torch.linalg.inv(eye + t[:, None, None] * (A - eye))
        start = ((x - t[:, None] * mean)[:, None] @ inverse)[:, 0]
        return mean + start @ (A - eye)

    x = normal(300)
    one, many = (integrate(v, x, n_steps=n) for n in (1, 64))
    assert torch.allclose(one.end, mean + x @ A, atol=1e-12)
    assert torch.allclose(many.end, one.end, atol=1e-10)
    assert abs(many.bending) < 1e-10 and many.energy == pytest.approx(one.displacement)


def test_one_step_from_independence_lands_at_the_mean():
    y = normal(7, 3, seed=4) + 1
    end = integrate(finite_target_velocity(y), normal(50, 3), n_steps=1).end
    assert torch.allclose(end, y.mean(dim=0).expand_as(end), atol=1e-12)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_the_finite_field_against_bayes(t):
    """Weights of the points by Bayes' rule from SciPy's normal density."""
    y, x = normal(6, seed=1) * 2, normal(40, seed=2)
    v = finite_target_velocity(y)(x, torch.full((40,), t, dtype=torch.float64))
    for row, found in zip(x.numpy(), v.numpy(), strict=True):
        likelihood = np.array(
            [multivariate_normal(t * p, (1 - t) ** 2 * np.eye(2)).pdf(row) for p in y.numpy()]
        )
        w = likelihood / likelihood.sum()
        start = (row - t * y.numpy()) / (1 - t)  # X_0, if the end is y_i
        assert np.allclose(found, w @ (y.numpy() - start), atol=1e-9)


def test_the_finite_field_does_not_overflow():
    y = normal(5) * 50
    v = finite_target_velocity(y)(normal(9) * 100, torch.full((9,), 0.999, dtype=torch.float64))
    assert torch.isfinite(v).all()


def test_the_finite_flow_reaches_the_points_with_their_masses():
    y = torch.tensor([[2.0, 0.0], [-1.0, 1.5], [-1.0, -2.0]], dtype=torch.float64)
    end = integrate(finite_target_velocity(y), normal(3000), n_steps=200).end
    distance, nearest = torch.cdist(end, y).min(dim=1)
    assert distance.quantile(0.99) < 0.05
    assert torch.allclose(
        torch.bincount(nearest).double() / 3000, torch.full((3,), 1 / 3).double(), atol=0.04
    )


def test_where_the_cost_of_independent_pairs_goes():
    """Cost = W2^2 + excess of the flow's pairs + bending + what no field can learn, all >= 0."""
    y = torch.tensor([[2.0, 0.0], [-1.0, 1.5], [-1.0, -2.0]], dtype=torch.float64)
    v = finite_target_velocity(y)
    g = torch.Generator().manual_seed(3)

    def pairs(batch, generator):
        which = torch.randint(3, (len(batch),), generator=generator)
        return torch.randn(len(batch), 2, generator=generator, dtype=torch.float64), y[which]

    unlearnable = matching_loss(pairs)(v, torch.zeros(200_000, 1), g).item()
    paths = integrate(v, normal(8000, seed=5), n_steps=300)
    cost = 2 + (y**2).sum(dim=1).mean().item()
    assert paths.energy + unlearnable == pytest.approx(cost, rel=0.02)
    x = normal(900, seed=6).numpy()
    w2 = (
        2
        * discrete.plan(np.full(900, 1 / 900), np.full(3, 1 / 3), cost_matrix(x, y.numpy())).primal
    )
    assert w2 < 1.03 * paths.displacement < 1.03 * paths.energy < cost
    assert paths.bending > 0.2


def test_bending_is_a_share():
    still = integrate(lambda x, t: 0 * x, normal(3), n_steps=4)
    assert still.bending == 0 and still.energy == 0
    turn = torch.tensor([[0.0, -2 * np.pi], [2 * np.pi, 0.0]], dtype=torch.float64)
    circle = integrate(lambda x, t: x @ turn, normal(3), n_steps=400, method="heun")
    assert circle.bending > 0.99  # it ends where it began


def test_bad_input():
    x = torch.zeros(3, 2)
    for bad in (0, 1.5):
        with pytest.raises(ValueError, match="n_steps: expected a positive integer"):
            integrate(lambda x, t: x, x, n_steps=bad)
    with pytest.raises(ValueError, match="method: expected"):
        integrate(lambda x, t: x, x, n_steps=1, method="rk4")
    with pytest.raises(ValueError, match="x: expected floats"):
        integrate(lambda x, t: x, torch.zeros(3, 2, dtype=torch.long), n_steps=1)
    with pytest.raises(ValueError, match="velocity: expected finite"):
        integrate(lambda x, t: x / 0, x, n_steps=1)
