"""Lines clipped by half-planes against sampling, and the boundary shared out among the cells."""

import numpy as np
import pytest

from omt_course.transport.clipping import clip_lines, cut_sides
from omt_course.transport.domains import Box, Polygon, disk, halfplanes

DOMAINS = [Box([-1, -0.5], [1, 0.5]), Polygon([[-1, -1], [1, -1], [0, 1.5]]), disk(1.0, 37)]


@pytest.mark.parametrize("domain", DOMAINS)
def test_clipped_segment_is_the_part_inside(domain):
    rng = np.random.default_rng(0)
    foot = rng.normal(size=(300, 2)) * 0.6
    angle = rng.uniform(0, 2 * np.pi, 300)
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    foot -= (foot * direction).sum(axis=1)[:, None] * direction  # nearest point to the origin
    low, high = np.sort(rng.normal(size=(2, 300)), axis=0)
    low[::5], high[::7] = -np.inf, np.inf
    before = low.copy(), high.copy()
    a, b, clipped = clip_lines(foot, direction, low, high, *halfplanes(domain))
    assert (low == before[0]).all() and (high == before[1]).all()
    t = np.linspace(-3, 3, 601)
    for k in range(300):
        points = foot[k] + t[:, None] * direction[k]
        inside = domain.contains(points) & (t >= low[k]) & (t <= high[k])
        near = np.minimum(np.abs(t - a[k]), np.abs(t - b[k])) < 1e-9
        assert (((t >= a[k]) & (t <= b[k])) == inside)[~near].all()
        if a[k] < b[k] and (a[k] > low[k] or b[k] < high[k]):
            assert clipped[k]
    assert (a < b).any() and (a >= b).any()


def test_lines_parallel_to_a_side():
    box = Box([-1, -1], [1, 1])
    foot = np.array([[0, 0.5], [0, 1.5], [0, -1.5], [0, 1.0]])
    direction = np.tile([1.0, 0.0], (4, 1))
    low, high, _ = clip_lines(foot, direction, np.full(4, -9.0), np.full(4, 9.0), *halfplanes(box))
    assert (low < high).tolist() == [True, False, False, True]
    assert (low[0], high[0], low[3], high[3]) == (-1, 1, -1, 1)


def test_sides_are_shared_out_without_gaps():
    """Two cells parted by the line x = 0.25: side pieces in order, each on its owner's side."""
    box = Box([-1, -1], [1, 1])
    normals, offsets = halfplanes(box)
    y, h = np.array([[-1.0, 0], [1.0, 0]]), np.array([0.5, 0.0])
    p, q = np.array([[0.25, -1.0]]), np.array([[0.25, 1.0]])
    on_side, owner, start, end, side = cut_sides(
        box.vertices, normals, offsets, y, h, np.array([[0, 1]]), p, q, np.array([True])
    )
    assert on_side.tolist() == [False]
    assert sorted(side.tolist()) == [0, 0, 1, 2, 2, 3]
    assert np.linalg.norm(end - start, axis=1).sum() == pytest.approx(8)
    middle = (start + end) / 2
    np.testing.assert_array_equal(owner, (middle[:, 0] > 0.25).astype(int))


def test_edges_in_a_side_are_dropped():
    box = Box([-1, -1], [1, 1])
    normals, offsets = halfplanes(box)
    y, h = np.array([[0.0, 0], [2.0, 0]]), np.array([0.0, -2.0])  # they meet on x = 1
    p, q = np.array([[1.0, -1.0]]), np.array([[1.0, 1.0]])
    on_side, owner, start, end, _ = cut_sides(
        box.vertices, normals, offsets, y, h, np.array([[0, 1]]), p, q, np.array([True])
    )
    assert on_side.tolist() == [True]
    assert (owner == 0).all()
    assert np.linalg.norm(end - start, axis=1).sum() == pytest.approx(8)
