"""Matrices of a ReLU network and the bounds on its cells."""

from itertools import product
from math import comb

import numpy as np
import pytest

from omt_course.models.relu_layers import arrangement_regions, bound, read

from .test_relu_cells import random_network


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("d", range(4))
def test_regions_obey_the_recursion_of_an_added_hyperplane(n, d):
    if n and d:
        before = arrangement_regions(n - 1, d) + arrangement_regions(n - 1, d - 1)
        assert arrangement_regions(n, d) == before
    else:
        assert arrangement_regions(n, d) == 1
    if n <= d:
        assert arrangement_regions(n, d) == 2**n


@pytest.mark.parametrize("widths", [(2, 3, 3), (1, 2, 2, 2), (3, 2, 5, 4), (2, 4, 1, 4)])
def test_the_sharpest_bound_by_its_definition(widths):
    d, *w = widths
    total = 0
    for j in product(*(range(k + 1) for k in w)):
        room = [d] + [w[i] - j[i] for i in range(len(w))]
        if all(j[i] <= min(*room[: i + 1], w[i]) for i in range(len(w))):
            total += np.prod([comb(w[i], j[i]) for i in range(len(w))])
    assert bound(widths, kind="serra") == total


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_bounds_on_a_line_and_their_order(depth):
    for kind in ("montufar", "serra"):
        assert bound([1] + [4] * depth, kind=kind) == 5**depth
    rng = np.random.default_rng(depth)
    for _ in range(20):
        widths = rng.integers(1, 9, depth + 1)
        sharp, middle, plain = (bound(widths, kind=k) for k in ("serra", "montufar", "lei"))
        assert sharp <= middle <= plain <= 2 ** int(sum(widths[1:]))


def test_affine_maps_of_patterns():
    network = random_network(3, 5, 6, 2, seed=1).double()
    layers = read(network)
    assert layers.widths == (3, 5, 6) and layers.n_hidden == 11 and layers.dimension == 3
    x = np.random.default_rng(2).normal(size=(50, 3))
    A, b = layers.affine(layers.patterns(x))
    np.testing.assert_allclose(np.einsum("kij,kj->ki", A, x) + b, layers(x), atol=1e-12)


def test_bad_arguments():
    with pytest.raises(ValueError, match="widths: expected positive numbers, got \\[2, 0\\]"):
        bound([2, 0])
    with pytest.raises(ValueError, match="kind: expected"):
        bound([2, 3], kind="best")
    with pytest.raises(ValueError, match="n, d: expected numbers not below 0, got -1 and 2"):
        arrangement_regions(-1, 2)
    with pytest.raises(ValueError, match="patterns: expected shape \\(c, 11\\), got \\(4, 3\\)"):
        read(random_network(3, 5, 6, 2)).affine(np.zeros((4, 3)))
