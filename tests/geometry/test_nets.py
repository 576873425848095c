"""Epsilon-nets: holes and close pairs found and named, against brute force; bad input."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from omt_course.geometry import nets, sampling
from omt_course.geometry.smooth import Sphere

X = np.zeros((4, 3)) + np.arange(4)[:, None]


def test_a_hole_in_a_net_is_found_and_named():
    x = Sphere().sample(3000, rng=np.random.default_rng(5))
    points = x[sampling.farthest_point(x, eps=0.2).order]
    hole = np.array([0.0, 0.6, 0.8])
    kept = points[np.linalg.norm(points - hole, axis=1) > 0.5]
    assert nets.check_covering(points, x, 0.2).covers
    found = nets.epsilon_net(kept, x, 0.2)
    brute = cdist(x, kept).min(axis=1)
    assert np.array_equal(np.sort(found.far), np.flatnonzero(brute > 0.2))
    assert found.covering == pytest.approx(brute.max())
    assert np.linalg.norm(found.place - hole) < 0.15 and len(found.close) == 0
    with pytest.raises(ValueError, match=rf"got {len(found.far)} of 3000 tested points farther"):
        nets.check_covering(kept, x, 0.2)
    doubled = np.vstack([points, points[:3] + 1e-3])
    pairs = nets.epsilon_net(doubled, x, 0.2)
    assert pairs.covers and not pairs.is_net and len(pairs.close) >= 3


def test_one_point_has_no_pair():
    found = nets.epsilon_net(X[:1], X, 10.0)
    assert found.is_net and found.separation == np.inf and found.covering == pytest.approx(27**0.5)


def test_points_at_the_distance_eps_cover_but_do_not_keep_apart():
    line = np.column_stack([np.arange(5.0), np.zeros(5), np.zeros(5)])
    found = nets.epsilon_net(line[::2], line, 1.0)
    assert found.is_net and found.covering == 1.0
    found = nets.epsilon_net(line, line, 1.0)
    assert found.covers and found.close.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: nets.epsilon_net(X[:0], X, 1.0), r"points: expected shape \(n, 3\)"),
        (lambda: nets.epsilon_net(X, X * np.inf, 1.0), "surface: .* others in 4 rows"),
        (lambda: nets.epsilon_net(X, X, -1.0), "eps: expected a positive length, got -1"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence), np.errstate(invalid="ignore"):
        call()
