import numpy as np
import pytest
import torch

from omt_course.transport import montecarlo, semidiscrete
from omt_course.transport.domains import Box, disk
from omt_course.transport.extension import Extension, extend, top_scores


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    centers = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    points = np.repeat(centers, 40, axis=0) + 0.1 * rng.normal(size=(120, 2))
    return centers, points, semidiscrete.solve(disk(), points)


def soft_maximum(extension, x):
    scores = x @ extension.points.T + extension.heights
    top = scores.max(axis=1)
    total = np.exp((scores - top[:, None]) / extension.softness).sum(axis=1)
    return top + extension.softness * np.log(total)


def test_top_scores_are_the_sorted_scores():
    rng = np.random.default_rng(0)
    y, h, x = rng.normal(size=(57, 3)), rng.normal(size=57), rng.normal(size=(20, 3))
    scores, index = top_scores(y, h, x, 5)
    every = x @ y.T + h
    order = np.argsort(-every, axis=1)[:, :5]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(scores, np.take_along_axis(every, order, axis=1))


def test_without_a_cut_it_is_the_gradient_of_the_soft_maximum():
    rng = np.random.default_rng(1)
    y, h = rng.normal(size=(30, 3)), rng.normal(size=30)
    extension = Extension(y, h, threshold=np.pi, softness=0.7, n_neighbours=30)
    x = rng.normal(size=(25, 3))
    step = 1e-5
    gradient = np.stack(
        [
            (soft_maximum(extension, x + step * e) - soft_maximum(extension, x - step * e))
            / (2 * step)
            for e in np.eye(3)
        ],
        axis=1,
    )
    np.testing.assert_allclose(extension.map(x).values, gradient, atol=1e-8)


def test_soft_maximum_exceeds_the_potential_by_at_most_softness_times_log_n():
    rng = np.random.default_rng(2)
    y, h, x = rng.normal(size=(30, 3)), rng.normal(size=30), rng.normal(size=(500, 3))
    extension = Extension(y, h, threshold=np.pi, softness=0.2, n_neighbours=30)
    excess = soft_maximum(extension, x) - (x @ y.T + h).max(axis=1)
    assert (excess >= 0).all() and (excess <= 0.2 * np.log(30) + 1e-12).all()


def test_a_soft_map_is_monotone():
    rng = np.random.default_rng(3)
    extension = Extension(rng.normal(size=(40, 4)), rng.normal(size=40), np.pi, 0.3, 40)
    a, b = rng.normal(size=(2, 300, 4))
    change = extension.map(a).values - extension.map(b).values
    assert ((change * (a - b)).sum(axis=1) >= -1e-12).all()


def test_it_tends_to_the_semidiscrete_map_as_the_softness_goes_to_zero(clusters):
    _, points, result = clusters
    x = disk().sample(500, np.random.default_rng(0))
    extension = Extension(points, result.heights, np.pi, 1e-9, 8)
    far = np.sort(x @ points.T + result.heights, axis=1)
    clear = far[:, -1] - far[:, -2] > 1e-6
    np.testing.assert_allclose(
        extension.map(x).values[clear], result.transport(x)[clear], atol=1e-12
    )


def test_a_cut_keeps_the_clusters_apart_and_no_cut_mixes_them(clusters):
    centers, points, result = clusters
    rng = np.random.default_rng(4)
    x = disk().sample(4000, rng)
    cut = extend(points, result.heights, x)
    soft = extend(points, result.heights, x, threshold=np.pi)
    away = [
        np.linalg.norm(e.map(x).values[:, None] - centers, axis=2).min(axis=1) > 0.6
        for e in (cut, soft)
    ]
    assert away[0].sum() == 0
    assert away[1].sum() > 0


def test_no_cell_loses_mass_to_the_cut(clusters):
    centers, points, result = clusters
    rng = np.random.default_rng(5)
    moved = extend(points, result.heights, disk().sample(2000, rng)).sample(disk(), 30_000, rng)
    nearest = np.linalg.norm(moved.values[:, None] - centers, axis=2).argmin(axis=1)
    share = np.bincount(nearest, minlength=3) / 30_000
    # Standard deviation of a share of 1/3 among 30,000: 0.0027.
    np.testing.assert_allclose(share, 1 / 3, atol=0.011)


def test_values_stay_in_the_hull_of_flat_neighbours(clusters):
    _, points, result = clusters
    x = disk().sample(300, np.random.default_rng(6))
    extension = extend(points, result.heights, x, softness=3.0)
    moved = extension.map(x)
    np.testing.assert_array_equal(moved.cell, result.assign(x))
    slopes = (points - points.mean(axis=0)) / np.sqrt(((points - points.mean(axis=0)) ** 2).mean())
    normals = np.column_stack([slopes, -np.ones(len(slopes))])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    angle = np.arccos(np.clip(normals @ normals.T, -1, 1))
    for value, cell in zip(moved.values, moved.cell, strict=True):
        flat = points[angle[cell] <= extension.threshold + 1e-9]
        assert (value >= flat.min(axis=0) - 1e-12).all()
        assert (value <= flat.max(axis=0) + 1e-12).all()


def test_evidence_names_the_runner_up_and_its_angle(clusters):
    _, points, result = clusters
    x = disk().sample(200, np.random.default_rng(7))
    moved = extend(points, result.heights, x).map(x)
    order = np.argsort(-(x @ points.T + result.heights), axis=1)
    np.testing.assert_array_equal(moved.runner_up, order[:, 1])
    assert (moved.n_used >= 1 - 1e-12).all() and (moved.n_used > 1.2).any()
    assert (moved.ridge_angle > 0).all()


def test_sampling_in_high_dimension_follows_the_generator():
    points = np.random.default_rng(0).normal(size=(60, 8))
    generator = torch.Generator().manual_seed(0)
    result = montecarlo.solve("cube", points, target_error=0.1, generator=generator, device="cpu")
    probe = np.random.default_rng(1).random((1000, 8)) - 0.5
    extension = extend(points, result.heights, probe)
    a, b = (extension.sample("cube", 50, torch.Generator().manual_seed(s)).values for s in (3, 3))
    np.testing.assert_array_equal(a, b)
    c = extension.sample("cube", 50, torch.Generator().manual_seed(4)).values
    assert not np.allclose(a, c)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": [[0.0, 0.0], [0.0, 0.0]]}, "points: expected distinct"),
        ({"points": [[0.0, np.nan], [0.0, 1.0]]}, "points: expected finite"),
        ({"heights": [0.0]}, "heights: expected 2 finite"),
        ({"heights": [0.0, np.inf]}, "heights: expected 2 finite"),
        ({"threshold": -0.1}, "threshold: expected an angle"),
        ({"threshold": 4.0}, "threshold: expected an angle"),
        ({"softness": 0.0}, "softness: expected a positive"),
        ({"softness": np.nan}, "softness: expected a positive"),
        ({"n_neighbours": 1}, "n_neighbours: expected at least 2"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"points": [[0.0, 0.0], [1.0, 0.0]], "heights": [0.0, 0.0], "threshold": 1.0}
    arguments |= change
    points, heights = arguments.pop("points"), arguments.pop("heights")
    x = Box([0, 0], [1, 1]).sample(20, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        extend(points, heights, x, **arguments)


def test_samples_of_the_wrong_dimension_are_refused(clusters):
    _, points, result = clusters
    extension = Extension(points, result.heights, 1.0, 0.1, 8)
    with pytest.raises(ValueError, match=r"x: expected shape \(m, 2\)"):
        extension.map(np.zeros((5, 3)))
