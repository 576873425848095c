"""Monte-Carlo transport against exact planar cells, closed forms in high dimension, bad input."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from omt_course.transport import counting, descent, montecarlo, semidiscrete
from omt_course.transport.descent import gap_density
from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.montecarlo import MonteCarloStep, solve
from omt_course.transport.newton import NotConverged

SQUARE = Box([-0.5, -0.5], [0.5, 0.5])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def run(source, points, masses=None, *, seed=0, target_error=0.05, **options):
    options = {"generator": seeded(seed), "device": "cpu", "max_samples": 2**26} | options
    return solve(source, points, masses, target_error=target_error, **options)


def rms_error(masses, target):
    return float(np.sqrt((target * (masses / target - 1) ** 2).sum()))


def independent_shares(result, source, n, seed):
    """Cell shares of a plain sample, drawn by NumPy and assigned in float64."""
    rng = np.random.default_rng(seed)
    d = result.points.shape[1]
    x = rng.random((n, d)) - 0.5 if source == "cube" else rng.normal(size=(n, d))
    return np.bincount(result.assign(x), minlength=len(result.points)) / n


# Against what is known


def test_agrees_with_the_exact_solver_in_the_plane():
    points = np.random.default_rng(0).normal(size=(12, 2))
    exact = semidiscrete.solve(SQUARE, points)
    result = run("cube", points, target_error=0.03)
    cells = laguerre_diagram(SQUARE, points, result.heights)
    truth = rms_error(cells.masses, result.masses)
    assert truth <= result.mass_error_interval[1] <= 0.03
    assert result.mass_error_interval[0] <= truth
    # Heights: the Hessian turns a height error into a mass error.
    hessian = semidiscrete.energy_hessian(exact.diagram).toarray()
    stiffness = np.linalg.eigvalsh(hessian)[1]
    distance = np.linalg.norm(result.heights - exact.heights)
    assert distance < 1.5 * np.linalg.norm(cells.masses - result.masses) / stiffness
    assert abs(result.heights.mean()) < 1e-12


@pytest.mark.parametrize("d", [8, 30])
def test_cross_polytope_has_equal_heights(d):
    """Points `+-e_k`: by symmetry equal heights solve the problem, and only they do."""
    points = np.concatenate([np.eye(d), -np.eye(d)])
    result = run("cube", points, target_error=0.02)
    shares = independent_shares(result, "cube", 200_000, 1)
    assert np.abs(shares - result.masses).max() < 0.05 / (2 * d) + 5 * np.sqrt(1 / (2 * d) / 2e5)
    assert np.abs(result.heights).max() < 0.02
    pushed = run("cube", points + np.arange(d), target_error=0.02)  # a shift changes no cell
    assert np.abs(pushed.heights).max() < 0.02


def axis_heights(positions, masses, quantile):
    """Heights of the one-dimensional problem: neighbours meet at the quantiles of the masses."""
    borders = quantile(np.cumsum(masses)[:-1])
    return np.concatenate([[0.0], -np.cumsum(borders * np.diff(positions))])


@pytest.mark.parametrize("source, quantile", [("cube", lambda p: p - 0.5), ("gaussian", norm.ppf)])
def test_product_targets_have_product_cells(source, quantile):
    """On a grid of targets with product masses the heights are sums of one-dimensional heights."""
    axes = [np.array([-1.0, 0.2, 1.0]), np.array([-0.5, 0.5]), np.array([0.0, 0.7, 2.0])]
    axis_masses = [np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.4]), np.full(3, 1 / 3)]
    points = np.array(np.meshgrid(*axes, indexing="ij")).reshape(3, -1).T
    masses = np.einsum("i,j,k->ijk", *axis_masses).ravel()
    sides = [axis_heights(p, m, quantile) for p, m in zip(axes, axis_masses, strict=True)]
    exact = (sides[0][:, None, None] + sides[1][:, None] + sides[2]).ravel()
    exact = exact - exact.mean()
    result = run(source, points, masses, target_error=0.02)
    assert result.masses == pytest.approx(masses)
    assert np.abs(result.heights - exact).max() < 0.02
    # The exact cells are boxes: T must send a point to the box that its coordinates choose.
    x = np.random.default_rng(2).normal(scale=0.25, size=(2000, 3))
    box = [np.searchsorted(quantile(np.cumsum(m)[:-1]), x[:, k]) for k, m in enumerate(axis_masses)]
    index = np.ravel_multi_index(box, [3, 2, 3])
    assert np.mean(result.assign(x) == index) > 0.97
    assert np.array_equal(result.transport(x), points[result.assign(x)])


def test_given_masses_are_reached_and_the_certificate_holds():
    rng = np.random.default_rng(3)
    points, masses = rng.normal(size=(60, 10)), rng.dirichlet(np.full(60, 2.0))
    result = run("cube", points, masses, target_error=0.05)
    shares = independent_shares(result, "cube", 400_000, 4)
    squared = rms_error(shares, masses) ** 2 - 59 / 400_000  # the plain estimate less its bias
    assert np.sqrt(max(squared, 0)) < 0.07
    assert np.corrcoef(shares, masses)[0, 1] > 0.995


def test_masses_of_very_different_size():
    """Most batches see nothing of the small cells, and many times their mass when they do."""
    masses = np.random.default_rng(19).dirichlet(np.full(300, 0.3)) + 1e-7
    masses /= masses.sum()
    assert masses.max() > 1e5 * masses.min()
    points = np.random.default_rng(20).normal(size=(300, 16))
    result = run("cube", points, masses, target_error=0.06, max_samples=2**23)
    assert result.mass_error_interval[1] <= 0.06


def test_small_batches_leave_no_bias(monkeypatch):
    """With more cells than samples in a batch, steps of constant length stop near 9 %."""
    monkeypatch.setattr(montecarlo, "BATCH", 64)
    monkeypatch.setattr(counting, "grid_side", lambda n: 8)
    monkeypatch.setattr(descent, "GROWTH", 0.0)
    points = np.random.default_rng(21).normal(size=(100, 8))
    result = run("cube", points, target_error=1e-4, max_samples=200_000, strict=False)
    assert result.mass_error < 0.065


def test_a_ball_and_a_sampler():
    points = np.random.default_rng(5).normal(size=(40, 6))
    ball = run("ball", points, target_error=0.08)
    assert ball.converged
    corner = run(lambda n, d, g: torch.rand(n, d, generator=g) ** 2, points, target_error=0.08)
    assert corner.converged
    x = np.random.default_rng(6).random((200_000, 6)) ** 2
    shares = np.bincount(corner.assign(x), minlength=40) / 200_000
    assert rms_error(shares, corner.masses) < 0.1


@pytest.mark.parametrize("scale, offset", [(1e-3, 0.0), (1e3, 0.0), (1.0, 100.0), (1e-3, 100.0)])
def test_scale_and_offset_change_nothing(scale, offset):
    points = np.random.default_rng(7).normal(size=(50, 8))
    plain = run("cube", points, target_error=0.06)
    moved = run("cube", scale * points + offset, target_error=0.06)
    assert moved.converged
    # Multiplying the points by s multiplies the heights by s; a shift leaves them alone.
    assert np.abs(moved.heights / scale - plain.heights).max() < 0.06
    shares = independent_shares(moved, "cube", 100_000, 8)
    assert rms_error(shares, moved.masses) < 0.06 + np.sqrt(50 / 100_000)


# What the result says


def test_the_certificate_is_fresh_and_fair():
    """Certified errors against exact cells: the promise holds in nearly every one of 20 runs."""
    points = np.random.default_rng(9).normal(size=(6, 2))
    kept = 0
    for seed in range(20):
        result = run("cube", points, target_error=0.08, seed=seed)
        truth = rms_error(laguerre_diagram(SQUARE, points, result.heights).masses, result.masses)
        kept += truth <= result.mass_error_interval[1]
        last = result.history[-1].error
        assert (last.value, last.low, last.high) == (
            result.mass_error,
            *result.mass_error_interval,
        )
        assert last.n_samples >= 100_000
        assert result.history[-1].n_samples == result.n_samples
    assert kept >= 17


def test_averaging_beats_the_last_iterate(monkeypatch):
    points = np.random.default_rng(10).normal(size=(100, 8))
    budget = {"target_error": 1e-4, "max_samples": 1_500_000, "strict": False}
    averaged = run("cube", points, **budget)
    monkeypatch.setattr(descent, "AVERAGING", 40.0)  # weight on the last iterates only
    last = run("cube", points, **budget)
    assert averaged.mass_error < 0.6 * last.mass_error


def test_the_same_seed_gives_the_same_heights():
    points = np.random.default_rng(11).normal(size=(30, 5))
    one, two, other = (run("cube", points, seed=seed, target_error=0.1) for seed in (1, 1, 2))
    assert np.array_equal(one.heights, two.heights)
    assert one.mass_error == two.mass_error
    assert not np.array_equal(one.heights, other.heights)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    run("cube", np.random.default_rng(12).normal(size=(10, 4)), target_error=0.2)
    assert torch.equal(before, torch.get_rng_state())


def test_the_points_given_are_not_changed():
    points = np.random.default_rng(13).normal(size=(10, 4))
    copy = points.copy()
    result = run("cube", points, target_error=0.2)
    assert np.array_equal(points, copy) and points.flags.writeable
    assert np.array_equal(result.points, copy)


# Budgets


def test_too_few_samples_raise_with_the_evidence():
    points = np.random.default_rng(14).normal(size=(30, 5))
    with pytest.raises(NotConverged, match=r"mass error .* target_error = 0.0001") as caught:
        run("cube", points, target_error=1e-4, max_samples=200_000)
    assert caught.value.heights.shape == (30,)
    assert caught.value.history[-1].n_samples >= 200_000


def test_not_strict_returns_what_there_is():
    points = np.random.default_rng(15).normal(size=(30, 5))
    steps: list[MonteCarloStep] = []
    result = run(
        "cube", points, target_error=1e-4, max_samples=1, strict=False, callback=steps.append
    )
    assert not result.converged and "allow more samples" in result.message
    assert result.mass_error_interval[1] > 1e-4
    assert tuple(steps) == result.history and len(steps) == 1


def test_seconds_are_a_budget():
    points = np.random.default_rng(16).normal(size=(30, 5))
    result = run("cube", points, target_error=1e-4, max_seconds=1e-9, strict=False)
    assert result.n_samples == counting.BATCH and not result.converged


def test_callback_sees_the_samples_grow():
    points = np.random.default_rng(17).normal(size=(40, 3))
    steps: list[MonteCarloStep] = []
    result = run("cube", points, target_error=0.03, callback=steps.append)
    samples = [step.n_samples for step in steps]
    assert samples == sorted(set(samples)) and samples[-1] == result.n_samples
    assert result.converged and result.message == ""


# Bad input


GOOD = np.random.default_rng(18).normal(size=(10, 3))
BAD_POINTS = GOOD.copy()
BAD_POINTS[4, 1] = np.nan
TWICE = GOOD.copy()
TWICE[7] = TWICE[2]
CROWDED = GOOD.copy()
CROWDED[7] = CROWDED[2] + 1e-12


@pytest.mark.parametrize(
    "change, message",
    [
        ({"points": BAD_POINTS}, "points: expected finite coordinates, got .* in row 4"),
        ({"points": TWICE}, "points: expected distinct points, got row 7 equal to row 2"),
        ({"points": GOOD[:2]}, "points: expected at least three points, got 2"),
        ({"points": GOOD[:, 0]}, r"points: expected shape \(n, d\), got \(10,\)"),
        ({"points": [["a", "b"]] * 3}, "points: expected numbers"),
        ({"points": CROWDED}, "points: expected points that float32 can tell apart"),
        ({"masses": np.full(10, 0.2)}, "masses: expected masses that sum to .* 1, got a sum of 2"),
        ({"masses": [0.5, 0.6, -0.1] + [0.0] * 7}, "masses: expected positive"),
        ({"masses": np.full(9, 1 / 9)}, r"masses: expected shape \(10,\), got \(9,\)"),
        ({"target_error": 0.0}, "target_error: expected a number between 0 and 1, got 0.0"),
        ({"target_error": 1.5}, "target_error: .* got 1.5"),
        ({"target_error": np.nan}, "target_error: .* got nan"),
        ({"target_error": "small"}, "target_error: .* got 'small'"),
        ({"generator": np.random.default_rng(0)}, "generator: expected a torch.Generator, got Gen"),
        ({"generator": 0}, "generator: expected a torch.Generator, got int"),
        ({"device": "abacus"}, "device: expected 'auto' or a device torch has, got 'abacus'"),
        ({"device": None}, "device: .* got None"),
        ({"max_samples": 0}, "max_samples: expected at least one sample, got 0"),
        ({"max_seconds": -1.0}, "max_seconds: expected a positive number, got -1.0"),
        ({"source": "sphere"}, "source: expected 'cube', 'ball', 'gaussian' or a sampler"),
        ({"source": None}, "source: .* got None"),
        ({"source": lambda n, d, g: torch.zeros(n, d + 1)}, r"source: .* got \(4096, 4\)"),
        ({"source": lambda n, d, g: torch.full((n, d), torch.nan)}, "source: .* finite numbers"),
        ({"source": lambda n, d, g: torch.zeros(n, d)}, "source: expected a density"),
    ],
)
def test_bad_input_is_refused_by_name(change, message):
    arguments = {
        "source": "cube",
        "points": GOOD,
        "masses": None,
        "target_error": 0.1,
        "generator": seeded(),
        "device": "cpu",
    } | change
    with pytest.raises(ValueError, match=message):
        solve(
            arguments.pop("source"), arguments.pop("points"), arguments.pop("masses"), **arguments
        )


def test_assign_refuses_another_dimension():
    result = run("cube", GOOD, target_error=0.2)
    with pytest.raises(ValueError, match=r"x: expected \(m, 3\), got \(5, 2\)"):
        result.assign(np.zeros((5, 2)))


# The step


@pytest.mark.parametrize("seed", [0, 1])
def test_the_gap_density_is_the_trace_of_the_hessian(seed):
    points = np.random.default_rng(seed).normal(size=(25, 2))
    exact = semidiscrete.solve(SQUARE, points)
    trace = semidiscrete.energy_hessian(exact.diagram).trace()
    gaps = counting.CellCounter("cube", points, seeded(seed)).gaps(exact.heights, 400_000)
    assert np.mean(gaps < 0.002) / 0.002 == pytest.approx(trace, rel=0.05)
    assert gap_density(gaps) == pytest.approx(trace, rel=0.1)


def test_gap_density_of_a_uniform_gap():
    assert gap_density(np.arange(1, 10_001) / 10_000) == pytest.approx(1.0, rel=0.01)
    with pytest.raises(ValueError, match="source: expected a density"):
        gap_density(np.zeros(100))
