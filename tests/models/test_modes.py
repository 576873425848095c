"""Counts of modes on tables whose answer is known."""

import numpy as np
import pytest

from omt_course.models.modes import count_modes


def table(counts):
    """Return probabilities whose largest entries fall `counts[k]` times on class k."""
    k = len(counts)
    return np.eye(k)[np.repeat(np.arange(k), counts)] * 0.5 + 0.5 / k


def test_all_modes_as_they_should_be():
    found = count_modes(table([25, 25, 25, 25]))
    assert (found.n_found, found.n_faded, found.missed_share) == (4, 0, 0)
    assert found.smallest == 0.25 and found.distance == 0


def test_a_missed_and_a_faded_mode():
    found = count_modes(table([980, 0, 20]), np.array([0.5, 0.2, 0.3]))
    assert (found.n_found, found.n_faded) == (2, 2)  # 0.02 is below a tenth of 0.3
    assert found.missed_share == pytest.approx(0.2)
    assert found.smallest == 0
    assert found.distance == pytest.approx(0.48)  # as the surplus of the first


def test_a_tenth_of_the_share_is_not_faded():
    assert count_modes(table([3, 97]), np.array([0.3, 0.7])).n_faded == 0


@pytest.mark.parametrize("expected", [[0.5, 0.6], [1.0, 0.0], [1.0], [np.nan, 0.5]])
def test_shares_that_are_none_are_refused(expected):
    with pytest.raises(ValueError, match="expected: expected 2 positive shares"):
        count_modes(table([1, 1]), np.array(expected))


def test_rows_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match="probabilities: expected"):
        count_modes(np.ones((3, 2)))
