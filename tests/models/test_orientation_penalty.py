"""The penalty: zero on a chart of even area, its closed form on a reflected half."""

import numpy as np
import pytest
import torch
from torch import nn

from omt_course.models.orientation_penalty import MARGIN, OrientationPenalty


class Flat(nn.Module):
    """An encoder given by a formula."""

    def __init__(self, formula):
        super().__init__()
        self.encode = formula


def strip(n=40):
    """A strip of 2 n equal triangles along x from 0 to 1."""
    x = np.linspace(0, 1, n + 1)
    V = np.concatenate([np.c_[x, 0 * x, 0 * x], np.c_[x, 0 * x + 0.1, 0 * x]])
    a = np.arange(n)
    return V, np.concatenate([np.c_[a, a + 1, a + n + 2], np.c_[a, a + n + 2, a + n + 1]])


def penalty_of(formula, batch_size=4000):
    V, F = strip()
    penalty = OrientationPenalty(V, F, torch.tensor(V, dtype=torch.float32), batch_size)
    model = Flat(formula)
    penalty.look(model)
    return penalty, penalty(model, torch.Generator().manual_seed(0)).item()


@pytest.mark.parametrize("sign", [1, -1])
def test_an_even_chart_costs_nothing_whichever_way_it_lies(sign):
    penalty, value = penalty_of(lambda x: torch.stack([sign * 3 * x[:, 0], x[:, 1]], dim=1))
    assert value == 0 and len(penalty.blamed) == 0


def test_a_fold_costs_what_the_formula_says():
    # x -> min(x, 1.4 - x): 28 of 40 columns keep their orientation; the sum of areas is 0.4
    penalty, value = penalty_of(
        lambda x: torch.stack([torch.minimum(x[:, 0], 1.4 - x[:, 0]), x[:, 1]], dim=1)
    )
    assert len(penalty.blamed) == 24
    cost = MARGIN + 1 / 0.4  # of a folded triangle
    expected = 0.5 * 0.3 * cost + 0.5 * cost  # three tenths of all are folded; all to blame are
    assert value == pytest.approx(expected, rel=0.05)


def test_the_gradient_unfolds():
    V, F = strip(2)
    uv = torch.tensor([[0, 0], [1, 0], [0.8, 0], [0, 1], [1, 1], [0.8, 1]], requires_grad=True)
    rows = {tuple(v): k for k, v in enumerate(V.round(6).tolist())}

    def look_up(x):
        return uv[[rows[tuple(np.round(v, 6).tolist())] for v in x.double().numpy()]]

    penalty = OrientationPenalty(V, F, torch.tensor(V, dtype=torch.float32), 64)
    model = Flat(look_up)
    penalty.look(model)
    penalty(model, torch.Generator().manual_seed(1)).backward()
    assert uv.grad[2, 0] < 0 and uv.grad[5, 0] < 0  # descent moves the folded end outwards
