import numpy as np
import pytest

from omt_course.transport import semidiscrete
from omt_course.transport.domains import Box, disk
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.ridges import (
    angle_threshold,
    ridge_angles,
    singular_edges,
    unit_variance,
)


def test_angles_agree_with_the_scalar_product_of_normals():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 5))
    i, j = rng.integers(0, 40, (2, 200))
    normals = np.column_stack([y, -np.ones(40)])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    expected = np.arccos(np.clip((normals[i] * normals[j]).sum(axis=1), -1, 1))
    np.testing.assert_allclose(ridge_angles(y, i, j), expected, atol=2e-8)


def test_small_angles_keep_their_digits():
    # tan(angle) = 1e-9 between the slopes 0 and 1e-9; arccos of the product would give 0.
    assert ridge_angles(np.array([[0.0], [1e-9]]), 0, 1) == pytest.approx(1e-9, rel=1e-12)


def test_opposite_steep_faces_are_almost_folded():
    assert ridge_angles(np.array([[1e9], [-1e9]]), 0, 1) == pytest.approx(np.pi, abs=1e-8)


def test_unit_variance_uses_one_factor_for_all_coordinates():
    y = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 8.0], [2.0, 8.0]])
    z = unit_variance(y)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-15)
    assert (z**2).mean() == pytest.approx(1)
    assert np.ptp(z[:, 1]) / np.ptp(z[:, 0]) == pytest.approx(4)


def brute_force_threshold(angles):
    a = np.unique(angles)
    best, split = -1.0, None
    for low, high in zip(a[:-1], a[1:], strict=True):
        flat, sharp = angles[angles <= low], angles[angles >= high]
        value = len(flat) * len(sharp) * (flat.mean() - sharp.mean()) ** 2
        if value > best * (1 + 1e-12):
            best, split = value, (low + high) / 2
    return split


@pytest.mark.parametrize("seed", range(5))
def test_threshold_is_the_best_of_all_splits(seed):
    rng = np.random.default_rng(seed)
    angles = np.concatenate([rng.normal(0.4, 0.1, 60), rng.normal(1.1, 0.2, 25)]).round(2)
    assert angle_threshold(angles) == pytest.approx(brute_force_threshold(angles))


@pytest.mark.parametrize("angles", [[], [0.3], [0.3, 0.3, 0.3], [0.1, np.nan]])
def test_threshold_needs_two_different_angles(angles):
    with pytest.raises(ValueError, match="angles: expected"):
        angle_threshold(np.array(angles))


def test_two_clusters_tear_the_disk_along_its_diameter():
    # By symmetry the singular set between two mirrored clusters is the vertical diameter, and it
    # must reach from side to side: its length tends to 2 for a disk of radius 1.
    rng = np.random.default_rng(3)
    half = np.array([3.0, 0.0]) + 0.1 * rng.normal(size=(40, 2))
    points = np.concatenate([half, half * [-1, 1]])
    result = semidiscrete.solve(disk(), points)
    i, j = result.diagram.pairs.T
    threshold = angle_threshold(ridge_angles(unit_variance(points), i, j))
    segments, angles = singular_edges(result.diagram, threshold)
    assert (angles > threshold).all()
    np.testing.assert_allclose(segments[:, :, 0], 0, atol=1e-8)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    assert length == pytest.approx(2.0, abs=1e-3)


def test_edges_of_a_diagram_separate_the_cells_they_name():
    rng = np.random.default_rng(1)
    y = rng.random((30, 2))
    diagram = laguerre_diagram(Box([0, 0], [1, 1]), y, -(y**2).sum(axis=1) / 2)
    segments, _ = singular_edges(diagram, -1.0)
    middle = segments.mean(axis=1)
    i, j = diagram.pairs[: len(middle)].T
    distance = np.linalg.norm(middle[:, None] - y, axis=2)
    rows = np.arange(len(middle))
    np.testing.assert_allclose(distance[rows, i], distance[rows, j], rtol=1e-10)
    np.testing.assert_allclose(distance.min(axis=1), distance[rows, i], rtol=1e-10)
