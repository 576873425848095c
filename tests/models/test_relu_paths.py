"""Networks along paths: against the cells of the plane, sampling, closed forms; Hilbert's curve."""

import numpy as np
import pytest
import torch

from omt_course.models.relu_cells import cells
from omt_course.models.relu_paths import along, hilbert_path, learn_path

from .test_relu_cells import SQUARE, from_matrices, random_network


@pytest.mark.parametrize("seed", range(4))
def test_a_path_is_cut_where_cells_change(seed):
    network = random_network(2, 12, 12, 1, seed=seed, scale=2.0)
    rng = np.random.default_rng(seed)
    path = rng.uniform(-2, 2, (9, 2))
    found = along(network, path)
    complex_ = cells(network, SQUARE)
    middle = (found.points[1:] + found.points[:-1]) / 2
    where = complex_.locate(middle)
    changes = np.flatnonzero(where[1:] != where[:-1]) + 1
    np.testing.assert_array_equal(changes, np.flatnonzero(found.unit[1:-1] >= 0) + 1)
    assert found.n_arcs == len(changes) + 1
    np.testing.assert_allclose(found.values, complex_.layers(found.points), atol=1e-12)
    halfway = (found.values[1:] + found.values[:-1]) / 2
    np.testing.assert_allclose(complex_.layers(middle), halfway, atol=1e-11)
    assert found.lengths.sum() == pytest.approx(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def test_injective_or_folded():
    height = from_matrices(([[0, 1], [0, -1]], [0, 0]), ([[1, -1]], 0))  # (x, y) -> y
    up = np.array([[0, 0], [1, 1], [0, 2.0]])
    assert along(height, up).is_injective and along(height, up).folded == 0
    assert along(height, up[::-1]).is_injective
    hook = np.array([[0, 0], [0, 2], [1, 2], [1, 1.0]])
    found = along(height, hook)
    assert not found.is_injective
    assert found.folded == pytest.approx(0.5)  # 2 up, 1 level, 1 down of 4


def test_a_corner_on_a_zero_line_is_a_break():
    ramp = from_matrices(([[1, 0]], 0), ([[1]], 0))
    found = along(ramp, np.array([[-1, 0], [0, 0], [1, 0.0]]))
    assert len(found.points) == 3 and found.n_arcs == 2
    touching = along(ramp, np.array([[-1, 0], [0, 0], [-1, 1.0]]))
    assert touching.n_arcs == 1


@pytest.mark.parametrize("level", [1, 2, 3, 5])
def test_hilbert_path(level):
    path = hilbert_path(level)
    h = 2.0**-level
    assert len(np.unique(path, axis=0)) == len(path) == 4**level
    np.testing.assert_allclose(np.abs(np.diff(path, axis=0)).sum(axis=1), h)
    hooks = path.reshape(-1, 4, 2)  # one in each square of side 2 h
    corner = hooks.min(axis=1) - h / 2
    np.testing.assert_allclose(corner / (2 * h), np.round(corner / (2 * h)), atol=1e-9)
    np.testing.assert_allclose(np.ptp(hooks, axis=1), h)
    steps = np.diff(hooks, axis=1)
    np.testing.assert_allclose(steps[:, 0], -steps[:, 2], atol=1e-12)  # out and back


def test_bad_arguments():
    network = random_network(2, 3, 1)
    with pytest.raises(ValueError, match="path: expected shape \\(k, 2\\)"):
        along(network, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="path: expected finite"):
        along(network, [[0, 0], [0, np.nan]])
    with pytest.raises(ValueError, match="level: expected a whole number"):
        hilbert_path(0)
    with pytest.raises(ValueError, match="expected one output, got 2"):
        _ = along(random_network(2, 3, 2), [[0, 0], [1, 1]]).folded
    with pytest.raises(ValueError, match="layer 1 is Sigmoid"):
        along(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid()), [[0, 0], [1, 1]])


def test_a_path_is_learnt_and_certified():
    hook = hilbert_path(1)  # no linear map is injective on it
    linear = torch.nn.Sequential(torch.nn.Linear(2, 1))
    assert not learn_path(linear, hook, steps=50, rounds=2).is_injective
    network = random_network(2, 16, 16, 1, seed=1)
    before = network[0].weight.detach().clone()
    found = learn_path(network, 2 * hook - 1, steps=400)
    assert found.is_injective and found.n_arcs >= 2
    assert not torch.equal(before, network[0].weight)
    corners = zip(hook[:-1], hook[1:], strict=True)
    dense = np.concatenate([np.linspace(a, b, 100)[1:] for a, b in corners])
    with torch.no_grad():
        step = np.diff(network(torch.tensor(2 * dense - 1).float()).numpy()[:, 0])
    assert (step > 0).all()


def test_what_cannot_be_learnt_is_refused():
    with pytest.raises(ValueError, match="expected one output, got 2"):
        learn_path(random_network(2, 3, 2), [[0, 0], [1, 1]], steps=5)
