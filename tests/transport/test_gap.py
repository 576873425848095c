"""Mass between clusters: the share, the profiles, and the bound on maps where all is known."""

import numpy as np
import pytest
from scipy.stats import norm

from omt_course.transport.gap import convex_profile, gap_bound, gaussian_profile, share_between


def test_share_counts_what_is_far_from_all_points():
    points = np.array([[0.0, 0.0], [4.0, 0.0]])
    images = np.array([[0.9, 0.0], [2.0, 0.0], [4.0, 1.1], [0.0, -1.0]])
    assert share_between(images, points, 1.0) == 0.5
    assert share_between(points, points, 1e-12) == 0.0


def test_gaussian_profile_against_scipy_and_its_ends():
    s = np.linspace(0.01, 0.99, 99)
    assert np.allclose(gaussian_profile(s), norm.pdf(norm.ppf(s)), rtol=1e-12)
    assert gaussian_profile(np.array([0.0, 1.0])).tolist() == [0.0, 0.0]
    m = 10.0 ** np.arange(2, 13, 5)
    ratio = m * gaussian_profile(1 / m) / np.sqrt(2 * np.log(m))
    assert (np.diff(ratio) > 0).all() and 0.8 < ratio[0] and ratio[-1] < 1


def arc(t):
    """Area and length cut from the unit disk by the arc that meets the circle at right angles."""
    segment = t - np.sin(t) * np.cos(t)
    other = np.pi / 2 - t
    lens = segment + np.tan(t) ** 2 * (other - np.sin(other) * np.cos(other))
    return lens, np.tan(t) * 2 * other


def test_convex_profile_lies_below_the_sets_of_the_disk():
    t = np.linspace(0.02, np.pi / 2 - 1e-6, 200)
    area, length = arc(t)
    assert area[-1] == pytest.approx(np.pi / 2, abs=1e-5) and length[-1] == pytest.approx(2)
    allowed = convex_profile(area / np.pi, 2.0)
    assert (length / np.pi > allowed).all()
    # A thin rectangle halved across its long side: the constant cannot be improved.
    width, height = 1.0, 1e-3
    perimeter = height / (width * height)
    assert perimeter / convex_profile(0.5, np.hypot(width, height)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("steepness", [3.0, 10.0, 100.0])
def test_the_bound_is_below_a_ramp_and_nearly_reached_by_it(steepness):
    """`T x = clip(L x_1, -1, 1)` from the normal law to the sets `{-1}`, `{1}` at distance 2."""
    between = 2 * norm.cdf(1 / steepness) - 1
    side = (1 - between) / 2
    bound = gap_bound(np.array([side, side]), 2.0, steepness, gaussian_profile)
    assert bound <= between
    assert bound > between * (1 - 1 / steepness)


def test_the_bound_holds_for_zigzags():
    """Any Lipschitz map of the disk will do; here a zigzag, which crosses the gap many times."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(400_000, 2))
    x = x[(x**2).sum(axis=1) < 1]
    for waves in (0.5, 1.0, 3.0):
        phase = waves * np.pi * x[:, 0]
        image = np.clip(4 * np.sin(phase), -1, 1)
        between = (np.abs(image) < 1).mean()
        steep = np.abs(4 * waves * np.pi * np.cos(phase))[np.abs(image) < 1].mean()
        masses = np.array([(image == -1).mean(), (image == 1).mean()])
        bound = gap_bound(masses, 2.0, steep, lambda s: convex_profile(s, 2.0))
        assert bound < between
        assert bound > 0.01


def test_more_modes_need_more():
    bounds = [gap_bound(np.full(m, 0.9 / m), 1.0, 1.0, gaussian_profile) for m in (2, 4, 8, 16, 32)]
    assert (np.diff(bounds) > 0).all()
    assert gap_bound(np.array([0.6]), 1.0, 1.0, gaussian_profile) == 0.0  # all may go to one


def test_bad_input():
    points = np.zeros((2, 2))
    with pytest.raises(ValueError, match="points: expected shape"):
        share_between(np.zeros((3, 1)), points, 0.1)
    with pytest.raises(ValueError, match="images"):
        share_between(np.full((3, 2), np.nan), points, 0.1)
    with pytest.raises(ValueError, match="threshold: expected a positive number, got 0"):
        share_between(points, points, 0)
    with pytest.raises(ValueError, match="s: expected shares"):
        gaussian_profile(1.5)
    with pytest.raises(ValueError, match="diameter: expected a positive"):
        convex_profile(0.5, -1)
    with pytest.raises(ValueError, match="masses: expected shares of sum at most 1"):
        gap_bound(np.array([0.8, 0.8]), 1, 1, gaussian_profile)
    with pytest.raises(ValueError, match="steepness: expected a positive number"):
        gap_bound(np.array([0.5]), 1, 0, gaussian_profile)
