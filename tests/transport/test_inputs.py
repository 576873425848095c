"""Points and masses in any dimension: taken as they are, or refused with a sentence that says why.

What `semidiscrete.solve` refuses is tested there; here is the rest.
"""

import numpy as np
import pytest

from omt_course.transport.inputs import check_masses, check_points, check_spanning_points


def test_good_points_are_copied_as_floats_and_locked():
    given = np.arange(6).reshape(3, 2)
    points = check_points(given)
    given[:] = 0
    assert points.dtype == float
    assert points.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match="read-only"):
        points[0] = 1


@pytest.mark.parametrize("d", [1, 2, 7])
def test_any_dimension_unless_one_is_asked_for(d):
    points = np.random.default_rng(0).random((4, d))
    assert check_points(points).shape == (4, d)
    assert check_points(points, dimension=d).shape == (4, d)
    with pytest.raises(
        ValueError, match=rf"^points: expected shape \(n, {d + 1}\), got \(4, {d}\)"
    ):
        check_points(points, dimension=d + 1)


def test_twins_are_counted_and_named():
    points = np.random.default_rng(0).random((6, 3))
    points[[3, 5]] = points[1]
    with pytest.raises(ValueError, match=r"got row 3 equal to row 1: .*\(2 repeated rows\)"):
        check_points(points)


def test_bad_rows_are_counted():
    points = np.random.default_rng(0).random((6, 3))
    points[2, 1], points[4, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"in row 2 \(2 such rows\)"):
        check_points(points)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
def test_lines_are_recognised_through_rounding(shift):
    t = np.random.default_rng(0).random(50)
    line = shift + np.column_stack([t, 0.3 * t + 1])
    with pytest.raises(ValueError, match="^points: expected points that are not all on a line"):
        check_spanning_points(line)
    line[0, 1] += 1e-3
    assert check_spanning_points(line).shape == (50, 2)


def test_equal_masses_when_left_out():
    masses = check_masses(None, 8, 2.0)
    assert masses.tolist() == [0.25] * 8


def test_good_masses_are_kept_to_the_bit_and_locked():
    given = np.random.default_rng(0).random(10)
    masses = check_masses(given, 10, given.sum() * (1 + 0.9e-9))
    assert (masses == given).all()
    assert masses is not given
    with pytest.raises(ValueError, match="read-only"):
        masses[0] = 1


@pytest.mark.parametrize("rtol", [1e-9, 1e-3])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("total", [1e-12, 1.0, 1e12])
def test_sum_is_compared_with_the_total(rtol, sign, total):
    masses = np.full(4, total / 4)
    assert check_masses(masses * (1 + sign * 0.9 * rtol), 4, total, rtol=rtol).shape == (4,)
    with pytest.raises(ValueError, match="^masses: expected masses that sum to the domain's mass"):
        check_masses(masses * (1 + sign * 1.1 * rtol), 4, total, rtol=rtol)
