"""Areas, angles, the Laplacian, geodesics and files, against closed forms."""

import numpy as np
import pytest
import trimesh

from omt_course.geometry import meshes
from omt_course.geometry.location import Locator


def grid(k, height=lambda x, y: 0 * x):
    """A k x k grid of the unit square, two triangles a cell, lifted to a graph."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, k), np.linspace(0, 1, k)))
    at = np.arange(k * k).reshape(k, k)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]
    F = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return np.column_stack([x, y, height(x, y)]), F


def test_areas_and_normals_of_an_inclined_plane():
    V, F = grid(7, lambda x, y: 2 * x - y)
    steep = np.sqrt(1 + 4 + 1)
    assert np.allclose(meshes.triangle_areas(V, F), steep / 72)
    assert np.isclose(meshes.vertex_areas(V, F).sum(), steep)
    normal = np.array([-2, 1, 1]) / steep
    assert np.allclose(meshes.triangle_normals(V, F), normal)
    assert np.allclose(meshes.vertex_normals(V, F), normal)
    assert np.isclose(meshes.diagonal(V), np.sqrt(1 + 1 + 9))


def test_signed_areas_change_sign_with_the_orientation():
    V, F = grid(4)
    assert np.allclose(meshes.signed_areas(V[:, :2], F), 1 / 18)
    assert np.allclose(meshes.signed_areas(V[:, :2], F[:, ::-1]), -1 / 18)


def test_angles_sum_to_two_right_angles():
    rng = np.random.default_rng(0)
    V, F = rng.standard_normal((30, 3)), rng.permutation(30).reshape(-1, 3)
    angles = meshes.angles(V, F)
    assert np.allclose(angles.sum(axis=1), np.pi)
    a, b, c = V[F[0]]
    u, v = (b - a) / np.linalg.norm(b - a), (c - a) / np.linalg.norm(c - a)
    assert np.isclose(angles[0, 0], np.arccos(u @ v))
    equilateral = np.eye(3), np.array([[0, 1, 2]])
    assert np.allclose(meshes.angles(*equilateral), np.pi / 3)


@pytest.mark.parametrize("seed", range(4))
def test_the_laplacian_gives_the_energy_of_a_linear_function(seed):
    rng = np.random.default_rng(seed)
    V, F = grid(6, lambda x, y: np.sin(3 * x) * y)
    L = meshes.cotangent_laplacian(V, F)
    assert abs(L - L.T).max() < 1e-13 and np.abs(L.sum(axis=1)).max() < 1e-13
    assert np.linalg.eigvalsh(L.toarray()).min() > -1e-12
    f = rng.standard_normal(len(V))
    a, b, c = np.moveaxis(V[F], 1, 0)
    u, v = b - a, c - a  # the gradient solves <g, u> = f_b - f_a, <g, v> = f_c - f_a in the plane
    gram = np.stack([[(u * u).sum(1), (u * v).sum(1)], [(u * v).sum(1), (v * v).sum(1)]])
    right = np.stack([f[F[:, 1]] - f[F[:, 0]], f[F[:, 2]] - f[F[:, 0]]], axis=1)
    solved = np.linalg.solve(np.moveaxis(gram, 2, 0), right[:, :, None])[:, :, 0]
    energy = (meshes.triangle_areas(V, F) * (solved * right).sum(axis=1)).sum()
    assert np.isclose(f @ L @ f, energy)


def test_geodesic_distance_on_an_unfolded_roof():
    V, F = grid(9, lambda x, y: np.abs(x - 0.5))  # two planes that meet in a ridge
    flat = np.column_stack([np.sqrt(2) * V[:, 0], V[:, 1]])
    exact = np.linalg.norm(flat - flat[0], axis=1)
    assert np.allclose(meshes.geodesic_distance(V, F, 0), exact, atol=1e-12)
    both = meshes.geodesic_distance(V, F, [0, 80])
    assert np.allclose(both, np.minimum(exact, np.linalg.norm(flat - flat[80], axis=1)))
    far = np.vstack([V, V[:3] + 9]), np.vstack([F, [81, 82, 83]])
    assert np.isinf(meshes.geodesic_distance(*far, 0)[81:]).all()
    with pytest.raises(ValueError, match="source: expected vertices below 81"):
        meshes.geodesic_distance(V, F, 81)


@pytest.mark.parametrize("seed", range(3))
def test_points_are_located(seed):
    rng = np.random.default_rng(seed)
    V, F = grid(8)
    uv = V[:, :2] @ np.array([[1.0, 0.3], [-0.2, 2.0]]) + 5
    weights = rng.dirichlet(np.ones(3), size=500)
    triangle = rng.integers(0, len(F), 500)
    points = np.einsum("kc,kcd->kd", weights, uv[F[triangle]])
    found, w = meshes.locate(uv, F, points)
    assert np.array_equal(found, triangle) and np.allclose(w, weights)
    outside, zero = meshes.locate(uv, F, points + 100)
    assert (outside == -1).all() and (zero == 0).all()
    corners, w = meshes.locate(uv, F, uv)
    assert np.allclose(np.einsum("kc,kcd->kd", w, uv[F[corners]]), uv)
    with pytest.raises(ValueError, match="points: expected finite numbers; got others in 1 rows"):
        Locator(uv, F).locate([[0.0, np.nan]])


def test_files_come_back(tmp_path):
    V, F = grid(5, lambda x, y: x * y)
    np.savez(tmp_path / "a.npz", v=V, f=F)
    mesh = trimesh.Trimesh(V, F, process=False)
    for name in ("a.obj", "a.ply", "a.off"):
        mesh.export(tmp_path / name)
    mesh.export(tmp_path / "a.stl")
    for name in ("a.npz", "a.obj", "a.ply", "a.off"):
        v, f = meshes.load(tmp_path / name)
        assert np.allclose(v, V, atol=1e-6) and np.array_equal(f, F), name
    v, f = meshes.load(tmp_path / "a.stl")
    assert len(v) == len(V) and meshes.inspect(v, f).is_disk


def test_files_that_are_no_meshes(tmp_path):
    np.savez(tmp_path / "b.npz", points=np.eye(3))
    with pytest.raises(ValueError, match=r"expected arrays v and f; got \['points'\]"):
        meshes.load(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError):
        meshes.load(tmp_path / "nothing.obj")
    (tmp_path / "c.obj").write_text("v 0 0 0\nv 1 0 0\n")
    with pytest.raises(ValueError, match="expected a mesh of triangles"):
        meshes.load(tmp_path / "c.obj")


@pytest.mark.parametrize(
    "V, F, message",
    [
        (np.eye(4), [[0, 1, 2]], "V: expected shape"),
        (np.eye(3), [[0.0, 1, 2]], "F: expected integers"),
        (np.eye(3), np.zeros((0, 3), int), "F: expected integers"),
        (np.eye(3), [[0, 1, 3], [0, 1, 2]], "got others in 1 triangles"),
        (np.eye(3), [[0, 1, -1]], "got others in 1 triangles"),
    ],
)
def test_arrays_that_are_no_mesh(V, F, message):
    with pytest.raises(ValueError, match=message):
        meshes.check(V, F)
