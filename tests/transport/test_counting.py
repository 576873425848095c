"""Counts of samples in cells, against brute force and against cells known in closed form."""

import numpy as np
import pytest
import torch
from scipy.special import betainc
from scipy.stats import norm

from omt_course.transport import semidiscrete
from omt_course.transport.counting import CellCounter, count_pairs, draw
from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram

SQUARE = Box([-0.5, -0.5], [0.5, 0.5])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def z_scores(counter, heights, masses, batches=40):
    """Deviation of the counts from the true masses, in standard errors of the batches."""
    shares = np.array([counter(heights) for _ in range(batches)]) / counter.batch
    error = shares.std(axis=0, ddof=1) / np.sqrt(batches)
    return (shares.mean(axis=0) - masses) / np.maximum(error, 1e-12)


@pytest.mark.parametrize("rows, n, columns", [(1, 3, 1), (5, 3, 7), (9, 128, 8), (33, 517, 13)])
def test_count_pairs_is_the_brute_force_argmax(rows, n, columns):
    rng = np.random.default_rng(rows)
    a = rng.normal(size=(rows, n)).astype(np.float32)
    b = rng.normal(size=(n, columns)).astype(np.float32)
    winner = (a[:, :, None] + b[None]).argmax(axis=1)  # (rows, columns)
    assert count_pairs(a, b).tolist() == np.bincount(winner.ravel(), minlength=n).tolist()


def test_count_pairs_gives_ties_to_the_first():
    rng = np.random.default_rng(1)
    a = rng.integers(-2, 3, size=(20, 300)).astype(np.float32)
    b = rng.integers(-2, 3, size=(300, 11)).astype(np.float32)
    winner = (a[:, :, None] + b[None]).argmax(axis=1)
    assert count_pairs(a, b).tolist() == np.bincount(winner.ravel(), minlength=300).tolist()


def test_count_pairs_reads_scores_far_below_zero():
    a = np.full((4, 130), -1e6, dtype=np.float32)
    a[:, 129] = -1e6 + 1
    b = np.zeros((130, 5), dtype=np.float32)
    assert count_pairs(a, b)[129] == 20


@pytest.mark.parametrize("source", ["cube", "gaussian", "ball"])
def test_draw_has_the_moments_of_its_source(source):
    d, n = 5, 200_000
    x = draw(source, n, d, seeded())
    assert x.dtype == torch.float32 and x.shape == (n, d)
    x = x.double().numpy()
    variance = {"cube": 1 / 12, "gaussian": 1.0, "ball": 1 / (d + 2)}[source]
    assert np.abs(x.mean(axis=0)).max() < 5 * np.sqrt(variance / n)
    assert np.allclose(np.cov(x.T), variance * np.eye(d), atol=0.02 * variance)
    if source == "ball":
        radius = np.linalg.norm(x, axis=1) ** d  # uniform on [0, 1]
        assert np.allclose(np.quantile(radius, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_grids_count_the_exact_cells_of_a_square():
    points = np.random.default_rng(2).normal(size=(20, 2))
    heights = semidiscrete.solve(SQUARE, points).heights
    heights = heights + np.random.default_rng(3).normal(scale=0.01, size=20)
    exact = laguerre_diagram(SQUARE, points, heights).masses
    counter = CellCounter("cube", points, seeded(4))
    assert counter.on_grid and counter.batch % counter.side**2 == 0
    assert counter(heights).sum() == counter.batch
    z = z_scores(counter, heights, exact)
    assert np.abs(z).max() < 4.5
    assert np.abs(z).max() > 0.5  # the scores do vary
    assert np.abs(z_scores(counter, heights, np.roll(exact, 1))).max() > 10


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("source", ["cube", "gaussian", "ball"])
def test_orthants(source, d):
    """Points `(+-1, ..., +-1)`, heights `<s, t>`: the cells are orthants with apex at `-t`."""
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * d)).reshape(d, -1).T  # (2^d, d)
    t = np.zeros(d) if source == "ball" else np.linspace(-0.2, 0.3, d)
    upper = {"cube": 0.5 + t, "gaussian": norm.cdf(t), "ball": np.full(d, 0.5)}[source]
    masses = np.where(signs > 0, upper, 1 - upper).prod(axis=1)
    z = z_scores(CellCounter(source, signs, seeded(d)), signs @ t, masses)
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize("d", [1, 3, 10])
def test_half_spaces_cut_the_ball_into_caps(d):
    points = np.zeros((2, d))
    points[:, 0] = [-1, 1]
    cut = 0.25  # the score of the second is larger where x_1 > cut
    cap = betainc((d + 1) / 2, 0.5, 1 - cut**2) / 2
    z = z_scores(CellCounter("ball", points, seeded(5)), np.array([cut, -cut]), [1 - cap, cap], 20)
    assert np.abs(z).max() < 4


@pytest.mark.parametrize("source", ["ball", "gaussian"])
def test_a_regular_simplex_has_equal_cells(source):
    d = 4
    corners = np.linalg.svd(np.eye(d + 1) - 1 / (d + 1))[0][:, :d]  # (d + 1, d), about 0
    masses = np.full(d + 1, 1 / (d + 1))
    z = z_scores(CellCounter(source, corners, seeded(6)), np.zeros(d + 1), masses, 20)
    assert np.abs(z).max() < 4


def test_a_sampler_is_used_and_checked():
    points = np.array([[-1.0], [0.0], [1.0]])
    heights = np.zeros(3)

    def exponential(n, d, generator):
        return -torch.rand(n, d, generator=generator, dtype=torch.float64).log() - 1

    below = 1 - np.exp(-1)
    counter = CellCounter(exponential, points, seeded(7))
    assert not counter.on_grid
    z = z_scores(counter, heights, [below, 0, 1 - below], 20)
    assert np.abs(z).max() < 4

    for bad, message in [
        (lambda n, d, g: torch.rand(n, d + 1, generator=g), r"source: .* \(50, 2\), got \(50, 3\)"),
        (lambda n, d, g: np.ones((n, d)), r"source: .* \(50, 2\), got ndarray"),
        (lambda n, d, g: torch.full((n, d), torch.nan), "source: .* finite numbers"),
        ("sphere", "source: expected 'cube', 'ball', 'gaussian' .* got 'sphere'"),
    ]:
        with pytest.raises(ValueError, match=message):
            draw(bad, 50, 2, seeded())


def test_counts_do_not_depend_on_a_constant_or_on_the_order():
    rng = np.random.default_rng(8)
    points, heights = rng.normal(size=(40, 6)), rng.normal(scale=0.1, size=40)
    turn = rng.permutation(40)
    here = CellCounter("cube", points, seeded(9))(heights)
    there = CellCounter("cube", points[turn], seeded(9))(heights[turn] + 3.0)
    assert here.sum() == there.sum()
    assert np.abs(here[turn] - there).sum() <= 1e-3 * here.sum()  # float32 decides a few ties


@pytest.mark.parametrize("source", ["cube", "ball"])
def test_counts_do_not_depend_on_the_number_of_threads(source):
    points = np.random.default_rng(10).normal(size=(300, 8))
    threads = torch.get_num_threads()
    try:
        counts = []
        for number in (1, 2):
            torch.set_num_threads(number)
            counts.append(CellCounter(source, points, seeded(11))(np.zeros(300)))
    finally:
        torch.set_num_threads(threads)
    # The products of matrices may be summed in another order: that moves samples on a border only.
    assert np.abs(counts[0] - counts[1]).sum() <= 1e-4 * counts[0].sum()


def test_gaps_are_best_less_second_best():
    points = np.array([[-1.0, 0], [1.0, 0], [0.0, 0.0]])
    heights = np.array([0.0, 0.0, -10.0])
    gaps = CellCounter("cube", points, seeded(12)).gaps(heights, 50_000)  # 2 |x_1|: uniform
    assert gaps.shape == (50_000,) and gaps.min() >= 0
    assert np.allclose(np.quantile(gaps, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.01)
