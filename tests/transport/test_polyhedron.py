import numpy as np
import pytest

from omt_course.transport.domains import Box
from omt_course.transport.polyhedron import Polyhedron, boundary

GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array(
    [np.roll([0, a, b * GOLDEN], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
)


def solids():
    cube = np.array(np.meshgrid([0, 2], [0, 1], [0, 3])).reshape(3, -1).T
    yield "box", Polyhedron(cube), 6.0, [1, 0.5, 1.5], 6
    simplex = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    yield "simplex", Polyhedron(simplex), 1 / 6, [0.25] * 3, 4
    # Edge length 2: volume 5 (3 + sqrt 5) / 12 * 8.
    yield "icosahedron", Polyhedron(ICOSAHEDRON), 10 * (3 + 5**0.5) / 3, [0, 0, 0], 20
    prism = np.array([[np.cos(t), np.sin(t), z] for t in np.arange(6) * np.pi / 3 for z in (0, 2)])
    yield "prism", Polyhedron(prism), 3 * 3**0.5, [0, 0, 1], 8


SOLIDS = list(solids())


@pytest.mark.parametrize("solid, volume, center, n_faces", [s[1:] for s in SOLIDS])
def test_closed_forms(solid, volume, center, n_faces):
    assert solid.volume == pytest.approx(volume, rel=1e-13)
    np.testing.assert_allclose(solid.center, center, atol=1e-13)
    assert len(boundary(solid)[2]) == n_faces
    assert solid.dimension == 3


@pytest.mark.parametrize("solid", [s[1] for s in SOLIDS] + [Box([0, 0, 0], [1, 2, 3])])
def test_faces_run_counter_clockwise_seen_from_outside(solid):
    """Divergence theorem: the cones over the faces fill the solid, and all faces close up."""
    normals, offsets, faces = boundary(solid)
    volume, closed = 0.0, np.zeros(3)
    for normal, offset, face in zip(normals, offsets, faces, strict=True):
        v = solid.vertices[face]
        np.testing.assert_allclose(v @ normal, offset, atol=1e-12)
        vector = np.cross(v, np.roll(v, -1, axis=0)).sum(axis=0) / 2
        assert vector @ normal > 0
        volume += vector @ normal * offset / 3
        closed += vector
    assert volume == pytest.approx(solid.volume, rel=1e-12)
    np.testing.assert_allclose(closed, 0, atol=1e-12)


@pytest.mark.parametrize("solid", [s[1] for s in SOLIDS])
def test_samples_are_uniform(solid):
    x = solid.sample(20_000, np.random.default_rng(0))
    assert solid.contains(x).all()
    spread = x.std(axis=0) / len(x) ** 0.5
    assert (np.abs(x.mean(axis=0) - solid.center) < 5 * spread).all()
    # A smaller copy about the centre holds its share.
    half = Polyhedron(solid.center + 0.5 * (solid.vertices - solid.center))
    assert abs(half.contains(x).mean() - 1 / 8) < 5 * (1 / 8 * 7 / 8 / len(x)) ** 0.5


def test_points_inside_the_hull_are_dropped_and_moving_is_translation():
    extra = np.vstack([ICOSAHEDRON, 0.5 * ICOSAHEDRON, [[0, 0, 0]]])
    solid = Polyhedron(extra)
    assert solid.vertices.shape == (12, 3)
    moved = solid.moved(np.array([1.0, 2.0, 3.0]))
    assert moved.volume == pytest.approx(solid.volume, rel=1e-13)
    np.testing.assert_allclose(moved.center, [1, 2, 3], atol=1e-12)


@pytest.mark.parametrize(
    "vertices, why",
    [
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "k >= 4"),
        ([[0, 0], [1, 0], [0, 1], [1, 1]], r"shape \(k, 3\)"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "not all in a plane"),
        (np.random.default_rng(0).random((9, 3)) * [1, 1, 1e-13], "not all in a plane"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, np.inf]], "finite"),
        ("cube", "numbers"),
    ],
)
def test_bad_vertices_are_refused(vertices, why):
    with pytest.raises(ValueError, match=f"^vertices: .*{why}"):
        Polyhedron(vertices)
