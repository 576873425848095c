"""Shares of mixed and of impossible eyes."""

import numpy as np
import pytest

from omt_course.models.eye_colours import eye_colours


def readings(left, right):
    return {"iris_left": np.asarray(left), "iris_right": np.asarray(right)}


def test_a_known_crowd_is_counted():
    """Of 100 faces 30 brown, 40 blue, 20 with one of each, 10 green."""
    left = np.repeat([0.05, 0.95, 0.05, 0.95, 0.5], [30, 40, 10, 10, 10])
    right = np.repeat([0.05, 0.95, 0.95, 0.05, 0.5], [30, 40, 10, 10, 10])
    found = eye_colours(readings(left, right))
    assert found.mixed == pytest.approx(0.2) and found.between == pytest.approx(0.3)
    assert eye_colours(readings(left, right), margin=0.95).mixed == 0


def test_small_differences_are_noise_not_colours():
    rng = np.random.default_rng(0)
    colour = np.where(rng.random(4000) < 0.4, 0.9, 0.05)
    found = eye_colours(readings(*(colour + 0.05 * rng.normal(size=(2, 4000)))))
    assert found.mixed == 0 and found.between == 0
    # Differences have the spread .05 sqrt 2: a margin of .1 is passed with probability .157.
    close = eye_colours(readings(found.left, found.right), margin=0.1)
    assert close.mixed == pytest.approx(0.157, abs=0.02)


def test_bad_readings_are_named():
    with pytest.raises(ValueError, match=r"two \(n,\) arrays; got \(2,\) and \(3,\)"):
        eye_colours(readings([0, 1], [0, 1, 1]))
    with pytest.raises(ValueError, match="two"):
        eye_colours(readings([], []))
    with pytest.raises(ValueError, match="margin: expected a positive"):
        eye_colours(readings([0], [0]), margin=0)
