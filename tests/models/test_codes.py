"""Codes made ready for transport."""

import numpy as np
import pytest

from omt_course.models.codes import targets


@pytest.fixture
def codes():
    return np.random.default_rng(0).normal(3.0, [1.0, 5.0, 0.1], (200, 3))


def test_mean_0_and_variance_1_and_the_way_back(codes):
    found = targets(codes)
    assert found.points.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert found.points.var(axis=0) == pytest.approx(np.ones(3))
    assert np.allclose(found.mean + found.scale * found.points, codes, rtol=1e-12)
    assert np.array_equal(found.masses, np.full(200, 1 / 200))


def test_twins_are_one_point_with_their_masses_together(codes):
    twins = np.concatenate([codes[:3], codes[:2], codes[:1], codes[3:] + 1e-12])
    found = targets(twins)
    assert len(found.points) == 200
    assert found.masses[:4] * 203 == pytest.approx([3, 2, 1, 1])
    assert found.masses.sum() == pytest.approx(1.0)
    mean = found.masses @ found.points  # of the codes, so of the points with their masses
    assert mean == pytest.approx(np.zeros(3), abs=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_codes_that_are_not_finite_are_counted(codes, bad):
    codes[[7, 9], 1] = bad
    with pytest.raises(ValueError, match="2 of 200 codes have NaN or infinity, that of image 7"):
        targets(codes)


def test_codes_that_do_not_vary(codes):
    """Up to rounding in single precision, in which networks compute them."""
    same = np.tile(codes[:1], (200, 1))
    with pytest.raises(ValueError, match="every coordinate is constant over the 200 images"):
        targets(same)
    with pytest.raises(ValueError, match="every coordinate is constant"):
        targets(same * (1 + 1e-7 * np.random.default_rng(1).uniform(-1, 1, same.shape)))
    with pytest.raises(ValueError, match="every coordinate is constant"):
        targets(np.zeros((5, 2)))
    codes[:, 2] = 4.0
    with pytest.raises(ValueError, match="coordinate 2 is constant over the 200 images"):
        targets(codes)
