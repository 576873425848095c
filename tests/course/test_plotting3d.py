import numpy as np
import pytest
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from omt_course.course.plotting3d import even_loops


def test_loops_are_closed_and_keep_their_corners():
    rng = np.random.default_rng(0)
    polygons = [rng.random((k, 3)) for k in (3, 7, 4)]
    padded = even_loops(polygons)
    assert padded.shape == (3, 8, 3)
    for p, loop in zip(polygons, padded, strict=True):
        np.testing.assert_array_equal(loop[: len(p)], p)
        np.testing.assert_array_equal(loop[len(p) :], np.broadcast_to(p[0], (8 - len(p), 3)))
    Poly3DCollection(padded)


@pytest.mark.parametrize(
    "polygons, why", [([], "none"), ([np.eye(2)], r"\(2, 2\)"), ([np.zeros((0, 3))], "place 0")]
)
def test_bad_polygons_are_refused(polygons, why):
    with pytest.raises(ValueError, match=f"^polygons: .*{why}"):
        even_loops(polygons)
