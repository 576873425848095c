"""Certificates for ReLU networks: right answers pass, the usual slips are named."""

import numpy as np
import pytest
import torch
from torch import nn

from omt_course.course import checks
from omt_course.course.checks import CheckFailed
from omt_course.models.relu_cells import cells

SQUARE = np.array([[-2.0, -2], [2, -2], [2, 2], [-2, 2]])


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = (nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
        return nn.Sequential(*layers).double()


def piece(network, x):
    x = torch.as_tensor(x, dtype=torch.float64)
    J = torch.autograd.functional.jacobian(network, x)
    return J.numpy(), (network(x) - J @ x).detach().numpy()


def test_linear_piece(network):
    x = np.array([0.4, -0.3])
    A, b = piece(network, x)
    assert "hidden units active" in checks.linear_piece(network, x, A, b).message
    product = (network[4].weight @ network[2].weight @ network[0].weight).detach().numpy()
    for wrong_A, wrong_b, sentence in (
        (A.T[:, :1], b, "expected \\(2, 2\\): one row an output"),
        (A, b[:1], "b has shape \\(1,\\), expected \\(2,\\): one number"),
        (product, b, "product of all matrices"),
        (A, A @ x + b, "subtract A x"),
        (A, b + [0, 0.1], "A is right; b is .* at index \\(1,\\)"),
        (A + 0.1, b, "the Jacobian of the network"),
        (A * np.nan, b, "finite"),
    ):
        with pytest.raises(CheckFailed, match=sentence):
            checks.linear_piece(network, x, wrong_A, wrong_b)


def test_cell_count():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 1))
        with torch.no_grad():
            network[2].weight[0, 0] = 0.0  # one line bends nothing
    found = cells(network, SQUARE)
    assert found.n_linear_pieces < len(found) < found.bound
    assert str(len(found)) in checks.cell_count(network, SQUARE, len(found)).message
    for wrong, sentence in (
        (found.n_linear_pieces, "maximal linear pieces"),
        (found.bound, "upper bound"),
        (len(found) - 1, "sampled"),
        (3, f"there are {len(found)} cells, not 3"),
    ):
        with pytest.raises(CheckFailed, match=sentence):
            checks.cell_count(network, SQUARE, wrong)


def test_encodes():
    first = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        first[0].weight.copy_(torch.tensor([[0.0, 1.0]]))
    rising = np.array([[0, 0], [1, 1], [0, 2.0]])
    assert "injective" in checks.encodes(first, rising).message
    assert checks.encodes(first, rising[::-1])
    with pytest.raises(CheckFailed, match="25 % of its length.*between \\[0.0, 3.0\\] and"):
        checks.encodes(first, np.array([[0, 0], [0, 3], [0.0, 2]]))
