"""The z-buffer against a search over all triangles, the filter against closed forms."""

import numpy as np
import pytest

from omt_course.datasets.rasteriser import (
    MARGIN,
    SUPERSAMPLING,
    n_samples,
    normals,
    rasterise,
    resolve,
)


def by_search(screen, triangles, n):
    """Return the nearest front triangle at each sample and its nearness, by linear algebra."""
    seen, nearest = np.full((n, n), -1), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            for t, corners in enumerate(screen[triangles]):
                system = np.vstack([corners[:, :2].T, np.ones(3)])
                if np.linalg.det(system) >= 0:  # rows grow downwards: this one faces away
                    continue
                weights = np.linalg.solve(system, [j, i, 1])
                near = weights @ corners[:, 2]
                if weights.min() >= 0 and near > nearest[i, j]:
                    seen[i, j], nearest[i, j] = t, near
    return seen, nearest


@pytest.mark.parametrize("seed", range(4))
def test_random_triangles(seed):
    rng = np.random.default_rng(seed)
    n, m = 14, 12
    screen = np.column_stack([rng.uniform(-4, n + 4, (3 * m, 2)), rng.uniform(0.1, 1, 3 * m)])
    triangles = np.arange(3 * m).reshape(m, 3)
    seen, weight, nearest = rasterise(screen, triangles, n)
    expected, depth = by_search(screen, triangles, n)
    assert (seen == expected).all() and (seen >= 0).any() and (seen < 0).any()
    assert np.abs(nearest - depth).max() < 1e-12
    i, j = np.nonzero(seen >= 0)
    q, r = weight[i, j].T.astype(float)
    corners = screen[triangles[seen[i, j]]]
    place = (
        (1 - q - r)[:, None] * corners[:, 0]
        + q[:, None] * corners[:, 1]
        + r[:, None] * corners[:, 2]
    )
    assert np.abs(place[:, :2] - np.column_stack([j, i])).max() < 1e-4


def test_triangles_that_face_away_or_have_no_area_are_not_seen():
    screen = np.array([[0, 0, 1.0], [4, 0, 1.0], [0, 4, 1.0], [2, 2, 1.0]])
    assert (rasterise(screen, np.array([[0, 1, 2]]), 5)[0] == -1).all()
    assert (rasterise(screen, np.array([[0, 2, 1]]), 5)[0] == 0).any()
    assert (rasterise(screen, np.array([[1, 2, 3], [0, 0, 1]]), 5)[0] == -1).all()


def test_a_shared_edge_leaves_no_hole():
    rng = np.random.default_rng(0)
    for _ in range(50):
        centre = np.append(rng.uniform(3, 6, 2), 1.0)
        square = np.array([[-0.5, -0.5, 1], [-0.5, 9, 1], [9, 9, 1], [9, -0.5, 1.0]])
        screen = np.vstack([square, centre])
        fan = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
        assert (rasterise(screen, fan, 9)[0] >= 0).all()


def test_normals_of_a_sphere_are_its_points():
    from scipy.spatial import ConvexHull

    rng = np.random.default_rng(1)
    points = rng.standard_normal((4000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    corners = points[hull.simplices]
    inward = np.linalg.det(corners) < 0
    triangles = np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices)
    found = normals(points, triangles.astype(np.int64))
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-12
    assert (found * points).sum(axis=1).min() > 0.98
    lonely = normals(np.zeros((1, 3)), np.empty((0, 3), dtype=np.int64))
    assert (lonely == 0).all()


def test_filter_keeps_constants_and_shifts_ramps_by_nothing():
    size = 8
    n = n_samples(size)
    for level in (0.0, 0.001, 0.3, 1.0, 7.0):
        image = resolve(np.full((n, n, 3), level), size)
        v = min(level, 1.0)
        coded = 12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055
        assert (image == round(255 * coded)).all()
    column = (np.arange(n) - MARGIN - SUPERSAMPLING // 2) / SUPERSAMPLING  # in pixels
    ramp = np.broadcast_to((0.2 + 0.08 * column)[None, :, None], (n, n, 3)).copy()
    coded = 1.055 * (0.2 + 0.08 * np.arange(size)) ** (1 / 2.4) - 0.055
    assert np.abs(resolve(ramp, size)[3, :, 1] - 255 * coded).max() <= 0.51


def test_filter_weights_sum_to_one_over_all_pixels():
    """A bright sample spreads over the pixels; what they gain together is one sample's share."""
    size, n = 6, n_samples(6)
    for i, j in ((9, 9), (10, 8), (11, 10)):
        light = np.zeros((n, n, 3))
        light[i, j] = 0.9
        v = resolve(light, size)[..., 0] / 255
        linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
        assert abs(linear.sum() - 0.9 / SUPERSAMPLING**2) < 0.01
