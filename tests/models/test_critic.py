"""Critics: the closed form of the penalised optimum, the bound by slope, refusals."""

import pytest
import torch
from torch import nn

from omt_course.models.critic import difference, mlp, train_critic, values_of
from omt_course.models.training import TrainingDivergedError

OPTIONS = {"steps": 250, "batch_size": 32, "lr": 1e-2, "progress": False}
SLOW = {**OPTIONS, "steps": 400, "lr": 3e-3}  # Adam ends within a few lr of the optimum


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


class Line(nn.Module):
    """`f(x) = <slope, x>`: what is left of a critic when only its slope counts."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return x @ self.slope


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("penalty", [5.0, 20.0])
def test_the_penalised_slope_between_two_points_is_one_plus_distance_over_twice_the_penalty(
    penalty, one_sided
):
    distance = 1.5
    a, b = torch.zeros(1, 2), torch.tensor([[distance, 0.0]])
    critic = Line([0.3, 0.0])
    train_critic(critic, a, b, penalty=penalty, one_sided=one_sided, generator=chance(), **SLOW)
    expected = 1 + distance / (2 * penalty)
    assert critic.slope[0].item() == pytest.approx(expected, abs=1e-2)
    assert difference(critic, a, b) == pytest.approx(distance * expected, abs=2e-2)


def test_on_the_line_two_sides_keep_the_wrong_sign_and_one_side_does_not():
    a, b = torch.zeros(1, 1), torch.full((1, 1), 2.0)
    trapped, free = Line([-0.7]), Line([-0.7])
    train_critic(trapped, a, b, generator=chance(), **SLOW)
    train_critic(free, a, b, one_sided=True, generator=chance(), **{**SLOW, "steps": 700})
    assert trapped.slope.item() == pytest.approx(-1 + 2 / 20, abs=2e-2)  # a local minimum
    assert free.slope.item() == pytest.approx(1 + 2 / 20, abs=2e-2)


def test_a_difference_is_at_most_slope_times_distance_and_exact_for_the_best_critic():
    a = torch.randn(300, 2, generator=chance(1))
    b = a + torch.tensor([0.6, 0.8])  # a translation: W1 = 1, f(x) = <x, shift> is optimal
    assert difference(Line([0.6, 0.8]), a, b) == pytest.approx(1.0, abs=1e-6)
    assert abs(difference(Line([1.0, 0.0]), a, b)) <= 1
    whole, parts = (difference(Line([0.6, 0.8]), a, b, batch_size=n) for n in (5000, 7))
    assert parts == pytest.approx(whole, abs=1e-6)


def test_a_network_finds_a_translation():
    a = torch.randn(500, 2, generator=chance(2))
    b = torch.randn(500, 2, generator=chance(3)) + torch.tensor([1.2, 0.0])
    critic = mlp([2, 32, 1], generator=chance())
    history = train_critic(critic, a, b, generator=chance(), **{**OPTIONS, "batch_size": 128})
    assert 1.0 < difference(critic, a, b) < 1.6
    assert 0.8 < sum(history.gradient_norm[-50:]) / 50 < 1.2
    assert history.n_steps == 250 and history.resumed_from == 0 and not critic.training


def test_the_generator_rules_all_chance():
    a, b = torch.randn(50, 3, generator=chance(4)), torch.randn(40, 3, generator=chance(5))
    before = torch.get_rng_state()
    networks = [mlp([3, 8, 1], generator=chance(s)) for s in (0, 0, 1)]
    for critic in networks[:2]:
        train_critic(critic, a, b, generator=chance(7), **{**OPTIONS, "steps": 5})
    first, second, third = (network[0].weight for network in networks)
    assert torch.equal(first, second) and not torch.equal(first, third)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_critic_of_slope_zero_gets_finite_gradients():
    critic = mlp([2, 4, 1], generator=chance())
    nn.init.zeros_(critic[0].weight)
    nn.init.zeros_(critic[2].weight)
    a, b = torch.zeros(8, 2), torch.ones(8, 2)
    train_critic(critic, a, b, generator=chance(), **{**OPTIONS, "steps": 3})
    assert all(torch.isfinite(p).all() for p in critic.parameters())


def test_a_loss_that_is_not_finite_is_reported_with_its_history():
    a, b = torch.zeros(4, 2), torch.ones(4, 2)
    with pytest.raises(TrainingDivergedError, match="lower lr") as caught:
        train_critic(Line([1.0, 0.0]), a, b * 1e30, generator=chance(), **{**OPTIONS, "lr": 1e30})
    assert caught.value.history.n_steps < 250


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps: expected a positive integer; got 0"),
        ({"batch_size": 2.5}, "batch_size: expected a positive integer; got 2.5"),
        ({"penalty": -1.0}, "penalty: expected a number >= 0"),
        ({"lr": float("nan")}, "lr: expected a positive number"),
        ({"betas": (0.9, 1.0)}, "betas: expected two numbers in"),
    ],
)
def test_settings_out_of_range_are_refused(change, words):
    a = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=words):
        train_critic(Line([1.0, 0.0]), a, a, generator=chance(), **{**OPTIONS, **change})


def test_data_that_cannot_be_used_are_refused():
    good, critic = torch.zeros(4, 2), Line([1.0, 0.0])
    bad = {
        "a: expected a float tensor; got torch.uint8": (good.byte(), good),
        "a: expected a float tensor; got ndarray": (good.numpy(), good),
        "b: expected shape": (good, good[:0]),
        "b: expected finite numbers": (good, good / 0),
        r"b: expected items of shape \(2,\) like a's; got \(3,\)": (good, torch.zeros(4, 3)),
    }
    for words, (a, b) in bad.items():
        with pytest.raises(ValueError, match=words):
            train_critic(critic, a, b, generator=chance(), **OPTIONS)
    with pytest.raises(ValueError, match="critic: expected one value an image"):
        values_of(nn.Linear(2, 2), good)
    with pytest.raises(ValueError, match="sizes: expected two or more positive integers"):
        mlp([2, 0, 1], generator=chance())
