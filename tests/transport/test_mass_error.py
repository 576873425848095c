"""The debiased mass error: unbiased, and an interval that covers the truth as often as it says."""

import numpy as np
import pytest
import torch

from omt_course.transport import semidiscrete
from omt_course.transport.counting import CellCounter
from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.mass_error import estimate_mass_error

SQUARE = Box([-0.5, -0.5], [0.5, 0.5])


class Multinomial:
    """Counts of independent samples whose cell masses are given: the truth is known exactly."""

    def __init__(self, masses, batch, seed):
        self.masses, self.batch = np.asarray(masses), batch
        self.rng = np.random.default_rng(seed)

    def __call__(self, heights):
        return self.rng.multinomial(self.batch, self.masses)


def squared_error(masses, target):
    return float((target * (masses / target - 1) ** 2).sum())


def signed_square(error):
    """The estimate before it is cut at zero, up to the cut: the middle of the interval."""
    return error.value**2


def test_the_square_is_unbiased_and_so_is_its_spread():
    rng = np.random.default_rng(0)
    target = rng.dirichlet(np.full(30, 5.0))
    masses = target * (1 + 0.2 * rng.uniform(-1, 1, size=30))
    masses /= masses.sum()
    counter = Multinomial(masses, 4000, 1)
    found = [estimate_mass_error(counter, np.zeros(30), target, 1) for _ in range(600)]
    squares = np.array([signed_square(e) for e in found])
    truth = squared_error(masses, target)
    noise = squares.std(ddof=1)
    assert squares.min() > 0  # nothing was cut
    assert abs(squares.mean() - truth) < 4 * noise / np.sqrt(600)
    # The plain estimate is too large by about n / M, far outside that band.
    assert 29 / found[0].n_samples > 8 * noise / np.sqrt(600)
    variances = np.array([e.squared_spread**2 for e in found])
    assert abs(variances.mean() / noise**2 - 1) < 0.25


@pytest.mark.parametrize("spread", [0.003, 0.03])
def test_intervals_cover_the_exact_error_of_planar_cells(spread):
    rng = np.random.default_rng(2)
    points = rng.normal(size=(8, 2))
    heights = semidiscrete.solve(SQUARE, points).heights + spread * rng.normal(size=8)
    target = np.full(8, 1 / 8)
    exact = laguerre_diagram(SQUARE, points, heights).masses
    truth = np.sqrt(squared_error(exact, target))
    counter = CellCounter("cube", points, torch.Generator().manual_seed(3))
    found = [estimate_mass_error(counter, heights, target, 1) for _ in range(400)]
    covered = np.mean([e.low <= truth <= e.high for e in found])
    assert covered >= 0.9, (truth, covered)
    below = np.mean([e.high < truth for e in found])
    assert below <= 0.07, below  # what a certificate must not do: promise less than the truth
    squares = np.array([signed_square(e) for e in found])
    assert abs(squares.mean() - truth**2) < 4 * squares.std() / np.sqrt(400)


def test_a_zero_error_is_covered_and_reported_as_nearly_zero():
    target = np.full(50, 0.02)
    counter = Multinomial(target, 5000, 4)
    found = [estimate_mass_error(counter, np.zeros(50), target, 1) for _ in range(300)]
    assert np.mean([e.low == 0 for e in found]) >= 0.94
    noise_floor = np.sqrt(49 / found[0].n_samples)  # what the plain estimate reports
    assert np.median([e.value for e in found]) < noise_floor / 2
    assert np.mean([e.value == 0 for e in found]) > 0.3  # half of the squares come out negative


def test_many_cells_few_samples():
    """Ten times more cells than samples in a batch: the plain estimate is useless, ours is not."""
    n = 20_000
    rng = np.random.default_rng(5)
    target = np.full(n, 1 / n)
    masses = target * rng.choice([0.5, 1.5], size=n)
    masses /= masses.sum()
    truth = np.sqrt(squared_error(masses, target))
    counter = Multinomial(masses, 2000, 6)
    error = estimate_mass_error(counter, np.zeros(n), target, 400_000)
    assert error.n_samples == 400_000
    assert error.low <= truth <= error.high
    assert abs(error.value - truth) < 0.1 * truth
    assert error.high - error.low < 0.3 * truth


def test_the_number_of_samples_is_rounded_up_to_batches():
    target = np.full(4, 0.25)
    counter = Multinomial(target, 1000, 7)
    sizes = [estimate_mass_error(counter, None, target, m).n_samples for m in (1, 8000, 8001)]
    assert sizes == [8000, 8000, 9000]


def test_the_interval_shrinks_with_the_samples_and_holds_the_estimate():
    rng = np.random.default_rng(8)
    target = np.full(20, 0.05)
    masses = rng.dirichlet(np.full(20, 100.0))
    counter = Multinomial(masses, 2000, 9)
    few, many = (estimate_mass_error(counter, None, target, m) for m in (16_000, 1_600_000))
    for e in (few, many):
        assert 0 <= e.low <= e.value <= e.high
    assert many.high - many.low < 0.2 * (few.high - few.low)
