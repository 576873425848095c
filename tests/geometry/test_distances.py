"""Hausdorff distances: against brute force and closed forms, from both sides."""

import numpy as np
import pytest
from scipy.spatial.distance import directed_hausdorff

from omt_course.geometry.distances import hausdorff
from omt_course.geometry.sampling import uniform
from omt_course.geometry.smooth import Sphere, lantern, lantern_distance

TRIANGLE = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])


def test_clouds_agree_with_scipy_and_have_no_slack():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(200, 3)), rng.normal(size=(150, 3)) + 0.2
    found = hausdorff(A, B)
    assert found.forward == pytest.approx(directed_hausdorff(A, B)[0])
    assert found.backward == pytest.approx(directed_hausdorff(B, A)[0])
    assert found.value == max(found.forward, found.backward) and found.slack == 0


def test_one_sided_distances_differ():
    # a piece of a triangle is near the whole, the whole is not near the piece
    V, F = TRIANGLE
    found = hausdorff((V / 2, F), (V, F), spacing=0.01)
    assert found.forward < 1e-12
    # the corner (1, 0) is farthest: from the half triangle at (1/2, 0)
    assert found.backward == pytest.approx(0.5)
    assert np.allclose(found.backward_place, [1, 0, 0]) or np.allclose(
        found.backward_place, [0, 1, 0]
    )


def test_distances_to_a_mesh_are_to_triangles_not_to_vertices():
    points = np.array([[0.25, 0.25, 0.3], [2.0, 0, 0], [-0.5, 0.5, 0]])
    found = hausdorff(points, TRIANGLE, spacing=0.05)
    assert found.forward == pytest.approx(1.0)
    assert hausdorff(points[:1], TRIANGLE, spacing=0.05).forward == pytest.approx(0.3)
    assert hausdorff(points[2:], TRIANGLE, spacing=0.05).forward == pytest.approx(0.5)


def test_the_lantern_is_near_a_fine_cylinder():
    V, F = lantern(8, 12)
    n = 64  # the fine cylinder is itself 1.2e-3 inside
    found = hausdorff((V, F), lantern(n, 6), spacing=0.03)
    # by the triangle inequality, for the tested points of the lantern include the deepest
    assert lantern_distance(8) - lantern_distance(n) <= found.value <= lantern_distance(8) + 1e-9
    assert found.slack == 0.03


def test_value_and_slack_bracket_the_truth():
    V = Sphere().sample(60, rng=np.random.default_rng(1))
    F = Sphere().triangulate(V).F
    fine = hausdorff((V, F), (1.1 * V, F), spacing=0.02)
    for spacing in (0.5, 0.1):
        found = hausdorff((V, F), (1.1 * V, F), spacing=spacing)
        assert found.value <= fine.value + fine.slack
        assert fine.value <= found.value + found.slack
    x = uniform(V, F, 500, rng=np.random.default_rng(2)).points
    assert hausdorff(x, (V, F), spacing=0.1).forward < 1e-9


@pytest.mark.parametrize(
    ("A", "sentence"),
    [
        (np.zeros((0, 3)), r"A: expected shape \(n, 3\), got \(0, 3\)"),
        (np.zeros((4, 2)), r"A: expected shape \(n, 3\), got \(4, 2\)"),
        ((np.eye(3),), r"A: expected points \(n, 3\) or a pair \(V, F\), got 1"),
        (np.full((3, 3), np.nan), "A: expected finite numbers, got others in 3 rows"),
    ],
)
def test_bad_sets_are_refused(A, sentence):
    with pytest.raises(ValueError, match=sentence):
        hausdorff(A, np.eye(3))


def test_bad_spacing_is_refused():
    with pytest.raises(ValueError, match="spacing: expected a positive length, got -1"):
        hausdorff(TRIANGLE, TRIANGLE, spacing=-1)
