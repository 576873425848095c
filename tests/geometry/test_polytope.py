"""Polytopes from half-spaces: regular solids, vertices of many facets, many facets, files."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull, HalfspaceIntersection

from omt_course.geometry.facets import Unbounded, cut
from omt_course.geometry.polytope import cut_anywhere, intersect

GOLDEN = (1 + 5**0.5) / 2
CUBE = np.vstack([np.eye(3), -np.eye(3)])
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
OCTAHEDRON = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 3**0.5
_ONE = np.array([(0, s, t * GOLDEN) for s in (-1, 1) for t in (-1, 1)])
DODECAHEDRON = np.vstack([np.roll(_ONE, k, axis=1) for k in range(3)]) / np.sqrt(1 + GOLDEN**2)
_HULL = ConvexHull(DODECAHEDRON)  # an icosahedron
ICOSAHEDRON = _HULL.equations[:, :3] / np.linalg.norm(_HULL.equations[:, :3], axis=1)[:, None]


def directions(n, seed):
    """`n` random unit vectors."""
    x = np.random.default_rng(seed).normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def areas_by_scipy(normals, support, inside):
    """Areas by another way: half-space intersection, then a planar hull of every facet's points."""
    found = HalfspaceIntersection(np.column_stack([normals, -support]), inside).intersections
    areas = []
    for n, h in zip(normals, support, strict=True):
        on = found[np.abs(found @ n - h) < 1e-9]
        frame = np.linalg.svd(n[None])[2][1:]
        areas.append(ConvexHull(on @ frame.T).volume if len(on) >= 3 else 0.0)
    return np.array(areas)


# With inradius 1: faces, vertices, edges, edge length, dihedral angle; areas and volume follow.
SOLIDS = {
    "tetrahedron": (TETRAHEDRON, 4, 6, 3, 2 * 6**0.5, np.arccos(1 / 3)),
    "cube": (CUBE, 8, 12, 4, 2.0, np.pi / 2),
    "octahedron": (OCTAHEDRON, 6, 12, 3, 6**0.5, np.arccos(-1 / 3)),
    "dodecahedron": (
        DODECAHEDRON, 20, 30, 5, 20 / np.sqrt(250 + 110 * 5**0.5), np.arccos(-1 / 5**0.5)
    ),
    "icosahedron": (ICOSAHEDRON, 12, 30, 3, 12 / (3**0.5 * (3 + 5**0.5)), np.arccos(-(5**0.5) / 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize("shift", [(0, 0, 0), (3.0, -7.0, 0.5)])
def test_regular_solids(name, shift):
    normals, n_vertices, n_edges, sides, edge, dihedral = SOLIDS[name]
    body = intersect(normals, 1 + normals @ np.array(shift))
    assert (len(body.vertices), len(body.edges)) == (n_vertices, n_edges)
    assert {len(f) for f in body.facets} == {sides}
    area = sides * edge**2 / (4 * np.tan(np.pi / sides))
    np.testing.assert_allclose(body.areas, area, rtol=1e-13)
    np.testing.assert_allclose(body.volume, len(normals) * area / 3, rtol=1e-12)
    np.testing.assert_allclose(body.edge_lengths, edge, rtol=1e-13)
    np.testing.assert_allclose(body.dihedral_angles, dihedral, rtol=1e-13)
    np.testing.assert_allclose(body.centroid, shift, atol=1e-13)
    np.testing.assert_allclose(body.facet_centroids, normals + shift, atol=1e-13)


@pytest.mark.parametrize("name", SOLIDS)
def test_facets_are_loops_counter_clockwise_from_outside(name):
    normals = SOLIDS[name][0]
    body = intersect(normals, np.ones(len(normals)))
    for normal, facet in zip(normals, body.facets, strict=True):
        V = body.vertices[facet]
        np.testing.assert_allclose(V @ normal, 1, atol=1e-13)
        turns = np.cross(np.roll(V, -1, 0) - V, np.roll(V, -2, 0) - np.roll(V, -1, 0)) @ normal
        assert turns.min() > 0
    sides = {tuple(sorted(p)) for f in body.facets for p in zip(f, np.roll(f, 1), strict=True)}
    assert sides == {tuple(sorted(p)) for p in body.edge_vertices.tolist()}


def test_areas_agree_with_scipy_and_trimesh():
    normals = directions(60, 1)
    support = np.random.default_rng(2).uniform(0.8, 1.2, 60)
    body = intersect(normals, support)
    assert (body.areas == 0).sum() > 3  # some facets are cut off
    assert [len(f) > 0 for f in body.facets] == (body.areas > 0).tolist()
    np.testing.assert_allclose(
        body.areas, areas_by_scipy(normals, support, np.zeros(3)), atol=1e-12
    )
    mesh = body.to_trimesh()
    assert mesh.is_watertight and mesh.is_winding_consistent
    np.testing.assert_allclose([mesh.volume, mesh.area], [body.volume, body.areas.sum()])
    np.testing.assert_allclose(mesh.center_mass, body.centroid, atol=1e-13)
    owner = body.triangles()[1]
    np.testing.assert_allclose(
        np.bincount(owner, mesh.area_faces, minlength=60), body.areas, atol=1e-13
    )


def test_minkowski_relation_and_volume_of_many_facets():
    normals = directions(10_000, 3)
    body = intersect(normals, np.ones(10_000))
    assert np.abs(body.areas @ normals).max() < 1e-12
    assert (body.areas > 0).sum() - len(body.edges) + len(body.vertices) == 2
    # Circumscribed about the ball of radius 1: volume a third of the area, a little above 4 pi / 3.
    assert body.volume == pytest.approx(body.areas.sum() / 3)
    assert 1 < body.volume / (4 * np.pi / 3) < 1.001


def test_a_facet_with_thousands_of_sides():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    normals = np.vstack(
        [np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]), [[0, 0, 1], [0, 0, -1]]]
    )
    body = intersect(normals, np.ones(5002))
    polygon = 5000 * np.tan(np.pi / 5000)
    np.testing.assert_allclose(body.areas[-2:], polygon, rtol=1e-9)
    assert len(body.facets[-1]) == 5000
    assert body.volume == pytest.approx(2 * polygon)


def test_facets_of_nearly_no_area():
    # A corner of the cube cut off at depth t: a triangle of area t^2 3 sqrt(3) / 2.
    normals = np.vstack([CUBE, np.ones(3) / 3**0.5])
    for depth in (1e-2, 1e-4, 1e-6):
        support = np.append(np.ones(6), 3**0.5 - depth)
        area = intersect(normals, support).areas[-1]
        # One rounding of the support number moves the depth by 2e-16.
        assert area == pytest.approx(depth**2 * 3 * 3**0.5 / 2, rel=2e-15 / depth)


def test_derivative_of_areas_against_differences():
    normals = directions(40, 4)
    support = 1 + 0.05 * np.random.default_rng(5).uniform(size=40)
    facets = cut(normals, support)
    H = facets.derivative().toarray()
    step = 1e-6
    for i in range(40):
        way = np.zeros(40)
        way[i] = step
        change = (cut(normals, support + way).areas - cut(normals, support - way).areas) / 2 / step
        np.testing.assert_allclose(H[:, i], change, atol=2e-8)
    np.testing.assert_array_equal(H, H.T)
    np.testing.assert_allclose(H @ normals, 0, atol=1e-13)  # translations
    np.testing.assert_allclose(H @ support, 2 * facets.areas, rtol=1e-12)  # scaling, Euler
    values = np.linalg.eigvalsh(H)
    assert values[-1] > 0.5 and (values[:-4] < -1e-3).all()
    assert np.abs(values[-4:-1]).max() < 1e-12


@pytest.mark.parametrize("kind", ["stl", "ply", "obj", "off", "glb"])
def test_export(tmp_path, kind):
    body = intersect(DODECAHEDRON, np.ones(12))
    path = tmp_path / "new" / f"body.{kind}"
    body.export(path)
    mesh = trimesh.load_mesh(path)
    assert mesh.volume == pytest.approx(body.volume, rel=1e-5)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_moved():
    body = intersect(CUBE, np.ones(6)).moved([1, 2, 3])
    again = intersect(CUBE, body.support)
    np.testing.assert_allclose(np.sort(body.vertices, axis=0), np.sort(again.vertices, axis=0))


@pytest.mark.parametrize(
    ("normals", "support", "words"),
    [
        ("text", [1], "normals: expected numbers of shape"),
        (np.ones((4, 2)), np.ones(4), r"normals: expected shape \(n, 3\), got \(4, 2\)"),
        (CUBE * np.nan, np.ones(6), "normals: expected finite numbers"),
        (CUBE * 2, np.ones(6), "normals: expected unit vectors, got length 2 in row 0"),
        (CUBE, ["a"] * 6, "support: expected 6 numbers"),
        (CUBE, np.ones(5), "support: expected 6 finite numbers"),
        (CUBE, [1, 1, 1, 1, 1, np.inf], "support: expected 6 finite numbers"),
        (CUBE, [1, 1, 1, -2, 1, 1], "support: expected half-spaces with common interior points"),
        (CUBE, [1, 1, 1, -1, 1, 1], "support: expected half-spaces with common interior points"),
        (CUBE[:5], np.ones(5), "normals: expected no closed half-space"),
        (CUBE[:5], [1, -0.5, 1, 3, 1], "normals: expected no closed half-space"),
        (CUBE[[0, 1, 3, 4]], np.ones(4), "normals: expected vectors that span space"),
    ],
)
def test_what_cannot_be_used(normals, support, words):
    with pytest.raises(ValueError, match=words):
        intersect(normals, support)


def test_an_unknown_ending(tmp_path):
    with pytest.raises(ValueError, match="path: expected an ending out of"):
        intersect(CUBE, np.ones(6)).export(tmp_path / "body.pdf")
    assert not list(tmp_path.iterdir())


def test_cut_wants_the_origin_inside():
    with pytest.raises(Unbounded, match="support: expected positive"):
        cut(CUBE, np.array([1, 1, 1, 0.0, 1, 1]))
    assert cut_anywhere(CUBE, np.array([1, 1, 1, 0.0, 1, 1])).areas[0] == pytest.approx(4)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("far", [0.5, 1e3, 1e7])
def test_small_and_far_away(size, far):
    shift = size * far * np.array([1.0, -2.0, 0.5])
    body = intersect(OCTAHEDRON, size + OCTAHEDRON @ shift)
    # Support numbers as large as `far` are rounded to 2e-16 of it.
    np.testing.assert_allclose(body.areas, size**2 * 3**1.5 / 2, rtol=1e-12 + 1e-14 * far)
    np.testing.assert_allclose(body.centroid, shift, atol=size * (1e-12 + 1e-14 * far))


def test_needles_and_plates():
    for sides in ([1e-6, 1, 1], [1e-6, 1e-6, 1], [1, 1e4, 1e-4]):
        half = np.array(sides) / 2
        body = intersect(CUBE, np.concatenate([half + 3, half - 3]))
        np.testing.assert_allclose(body.volume, np.prod(sides), rtol=1e-8)
