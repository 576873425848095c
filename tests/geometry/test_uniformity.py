"""The chi-square test: its law under uniformity, its power, its errors."""

import numpy as np
import pytest
from generators import dome
from scipy.stats import chisquare, kstest

from omt_course.geometry import meshes, uniformity


def test_p_values_of_uniform_samples_are_uniform():
    rng = np.random.default_rng(0)
    V, F = dome(400, 1.2)
    areas = meshes.triangle_areas(V, F)
    patch = uniformity.patches(V, F, 20, rng=rng)
    p = [
        uniformity.chi_square(rng.choice(len(F), 4000, p=areas / areas.sum()), areas, patch).p_value
        for _ in range(300)
    ]
    assert kstest(p, "uniform").pvalue > 1e-3


def test_it_agrees_with_scipy():
    rng = np.random.default_rng(1)
    areas, patch = rng.random(50) + 0.1, rng.integers(0, 5, 50)
    triangle = rng.integers(0, 50, 3000)
    found = uniformity.chi_square(triangle, areas, patch)
    expected = np.bincount(patch, areas) / areas.sum() * 3000
    statistic, p = chisquare(np.bincount(patch[triangle], minlength=5), expected)
    assert np.isclose(found.statistic, statistic) and np.isclose(found.p_value, p)
    assert found.degrees_of_freedom == 4


def test_patches_are_compact_and_alike():
    V, F = dome(3000, 1.4)
    patch = uniformity.patches(V, F, 50, rng=np.random.default_rng(2))
    assert patch.min() == 0 and patch.max() == 49
    shares = np.bincount(patch, meshes.triangle_areas(V, F))
    assert shares.min() > 0.3 * shares.mean() and shares.max() < 2.5 * shares.mean()
    for k in range(50):
        assert meshes.inspect(V, F[patch == k]).components == 1


def test_bad_input():
    V, F = dome(100, 1.0)
    with pytest.raises(ValueError, match="n_patches: expected 2 to"):
        uniformity.patches(V, F, 1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="got 2 others"):
        uniformity.chi_square(np.array([-1, 0, 9]), np.ones(3), np.zeros(3, int))
    with pytest.raises(ValueError, match="got fewer in 1"):
        uniformity.chi_square(np.zeros(50, int), np.array([1, 0.001]), np.array([0, 1]))
