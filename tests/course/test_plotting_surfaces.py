"""Surfaces drawn flat: what is seen, in which order, and errors."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from generators import dome

from omt_course.course import plotting_surfaces


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_only_triangles_that_face_the_viewer_are_drawn_far_ones_first(ax):
    V, F = dome(200, 1.5)
    assert plotting_surfaces.surface(ax, V, F) is ax
    assert len(ax.collections[0].get_paths()) == len(F)
    plotting_surfaces.surface(ax, V, F[:, ::-1])
    assert len(ax.collections[1].get_paths()) == 0
    plotting_surfaces.surface(ax, V, F, turn=(90, 0))
    side = ax.collections[2].get_paths()
    assert 0.4 * len(F) < len(side) < 0.6 * len(F)


def test_values_and_colours(ax):
    V, F = dome(100, 1.0)
    values = np.linspace(0, 1, len(F))
    plotting_surfaces.surface(ax, V, F, values=values, cmap=plt.get_cmap("gray"))
    paint = ax.collections[0].get_facecolor()[:, 0]
    assert paint.min() < 0.02 and paint.max() > 0.5
    plotting_surfaces.surface(ax, V, F, colors=np.tile([1.0, 0, 0], (len(F), 1)))
    assert np.allclose(ax.collections[1].get_facecolor()[:, 1:3], 0)
    with pytest.raises(ValueError, match="values: expected"):
        plotting_surfaces.surface(ax, V, F, values=values[1:])
    with pytest.raises(ValueError, match="at most one of the two"):
        plotting_surfaces.surface(ax, V, F, values=values, colors=np.zeros((len(F), 3)))


def test_points_behind_are_left_out(ax):
    V, F = dome(200, 1.5)
    triangle = np.arange(len(F))
    plotting_surfaces.points(ax, V, F, V[F].mean(axis=1), triangle, turn=(90, 0))
    shown = ax.collections[0].get_offsets()
    assert 0.4 * len(F) < len(shown) < 0.6 * len(F)


@pytest.mark.parametrize("turn", [(0, 0), (30, -10), (200, 85)])
def test_rotations_keep_lengths_and_orientation(turn):
    R = plotting_surfaces.rotation(turn)
    assert np.allclose(R @ R.T, np.eye(3)) and np.isclose(np.linalg.det(R), 1)
