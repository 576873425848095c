"""The laws of the factors: ranges, independence, prefixes, ties, and values that are refused."""

import numpy as np
import pytest
from scipy import stats

from omt_course.datasets.factors import FACTORS, check_values, draw, people


def test_draws_are_uniform_and_independent():
    n = 4000
    table = draw(n, seed=1)
    assert list(table) == list(FACTORS)
    for name, factor in FACTORS.items():
        share = (table[name] - factor.low) / (factor.high - factor.low)
        assert stats.kstest(share, "uniform").pvalue > 1e-4, name
    correlation = np.corrcoef(list(table.values())) - np.eye(len(FACTORS))
    assert np.abs(correlation).max() < 5 / np.sqrt(n)


def test_rows_do_not_depend_on_what_else_is_drawn():
    short, long, few = draw(5, seed=2), draw(50, seed=2), draw(5, seed=2, names=["smile"])
    for name in FACTORS:
        assert (short[name] == long[name][:5]).all()
    assert (few["smile"] == short["smile"]).all()
    assert (few["yaw"] == FACTORS["yaw"].default).all()
    assert (draw(5, seed=3)["smile"] != short["smile"]).all()


def test_crowd():
    table = people(400, seed=0)
    again = people(50, seed=0)
    for name, factor in FACTORS.items():
        assert (table[name][:50] == again[name]).all(), name
        assert (table[name] >= factor.low).all() and (table[name] <= factor.high).all(), name
    assert (table["iris_left"] == table["iris_right"]).all()
    middle = (table["iris_left"] > 0.2) & (table["iris_left"] < 0.8)
    assert not middle.any()
    share = (table["iris_left"] > 0.5).mean()
    assert abs(share - 0.4) < 4 * np.sqrt(0.24 / 400)
    assert (table["beard"][table["gender"] < 0] == 0).all() and table["beard"].max() > 0.5
    assert (table["hair_colour"][table["age"] >= 70] == 1).all()
    assert set(table) == set(FACTORS)
    glasses = table["glasses"]
    assert ((glasses == 0) | (glasses >= 0.5)).all() and 0.1 < (glasses > 0).mean() < 0.4


@pytest.mark.parametrize("law", [draw, people])
@pytest.mark.parametrize(
    ("n", "seed", "message"),
    [
        (0, 0, "n: expected a positive number of faces, got 0"),
        (-3, 0, "got -3"),
        ("5", 0, "got '5'"),
        (5, -1, "seed: expected a non-negative whole number, got -1"),
        (5, 0.5, "got 0.5"),
    ],
)
def test_bad_sizes_and_seeds(law, n, seed, message):
    with pytest.raises(ValueError, match=message):
        law(n, seed=seed)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"names: 2 unknown factors \('mood', 'rage'\)"):
        draw(3, seed=0, names=["yaw", "mood", "rage"])


def test_values():
    assert check_values("yaw", 3, 2).tolist() == [3.0, 3.0]
    given = np.array([1.0, 2.0])
    out = check_values("yaw", given, 2)
    out[0] = 9
    assert given[0] == 1.0  # a copy
    with pytest.raises(ValueError, match=r"2 are outside \(from -50 to 50\)"):
        check_values("yaw", [-50.0, 0.0, 50.0], 3)
