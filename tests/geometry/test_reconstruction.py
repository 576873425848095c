"""Restricted Delaunay meshes: empty spheres by brute force, hulls, topology; sparse input."""

import numpy as np
import pytest
from scipy.optimize import brentq

from omt_course.geometry import meshes
from omt_course.geometry.reconstruction import convex_position, dual_of_cells, restricted_delaunay
from omt_course.geometry.sampling import farthest_point
from omt_course.geometry.smooth import Sphere, Torus, lantern

TORUS = Torus()


def sample(surface, n, seed=0):
    x = surface.sample(32 * n, rng=np.random.default_rng(seed))
    return x[farthest_point(x, n).order]


def as_set(F):
    return {tuple(sorted(t)) for t in np.asarray(F).tolist()}


def test_triangles_have_an_empty_ball_about_a_point_of_the_surface():
    points = sample(TORUS, 300)
    found = restricted_delaunay(points, TORUS.level)
    assert found.doubled == 0 and found.topology.genus == 1
    for F in found.F:
        a, b, c = points[F]
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        # the centre of the circle, from two perpendicular bisectors and the plane
        rows = np.array([b - a, c - a, normal])
        right = [(b @ b - a @ a) / 2, (c @ c - a @ a) / 2, normal @ a]
        centre = np.linalg.solve(rows, right)
        at = brentq(lambda t, o=centre, v=normal: TORUS.level((o + t * v)[None])[0], -0.15, 0.15)
        x = centre + at * normal
        distance = np.linalg.norm(points - x, axis=1)
        assert np.allclose(distance[F], distance.min(), atol=1e-9)


def test_on_the_sphere_it_is_the_convex_hull():
    points = sample(Sphere(), 200)
    hull = convex_position(points)
    other = restricted_delaunay(points, Sphere().level, inner_sites=np.zeros((1, 3)))
    assert as_set(hull.F) == as_set(other.F)
    assert hull.topology.is_closed and hull.topology.genus == 0
    for F in (hull.F, other.F):
        a, b, c = np.moveaxis(points[F], 1, 0)
        assert (np.einsum("md,md->m", np.cross(b - a, c - a), a) > 0).all()  # outward


def test_normals_point_outward_and_euler_holds():
    points = sample(TORUS, 400, seed=1)
    F = TORUS.triangulate(points).F
    middle = points[F].mean(axis=1)
    assert (
        np.einsum("md,md->m", meshes.triangle_normals(points, F), TORUS.normal(middle)) > 0.5
    ).all()
    assert len(F) == 2 * len(points)  # V - E + F = 0 and 3 F = 2 E


def test_two_surfaces_at_once():
    one = sample(Sphere(), 120)
    points = np.vstack([one, one + [5, 0, 0]])

    def level(x):
        return np.minimum(Sphere().level(x), Sphere().level(x - [5, 0, 0]))

    sites = np.array([[0.0, 0, 0], [5, 0, 0]])
    found = restricted_delaunay(points, level, inner_sites=sites, strict=False)
    assert found.topology.components == 2 and found.topology.boundaries == 0
    with pytest.raises(ValueError, match="closed surface through all of them; got 2 components"):
        restricted_delaunay(points, level, inner_sites=sites)


def test_points_too_sparse_are_refused_with_counts():
    refused = 0
    for seed in range(12):
        x = TORUS.sample(25, rng=np.random.default_rng(seed))
        found = restricted_delaunay(x, TORUS.level, strict=False)
        sound = found.topology.is_closed and not found.topology.defects() and not found.doubled
        try:
            assert as_set(restricted_delaunay(x, TORUS.level).F) == as_set(found.F) and sound
        except ValueError as error:
            refused += 1
            assert not sound
            for count in found.topology.defects():
                assert count in str(error)
    assert refused >= 4


def test_a_surface_passed_twice_is_counted():
    # Two parallel sheets: a flat slab, sampled wider than it is thick.
    rng = np.random.default_rng(2)
    flat = rng.uniform(-1, 1, size=(300, 2))
    z = np.where(rng.random(300) < 0.5, -0.02, 0.02)
    points = np.column_stack([flat, z])

    def level(x):
        return np.maximum(np.abs(x[:, 2]) - 0.02, np.abs(x[:, :2]).max(axis=1) - 1)

    doubled = restricted_delaunay(points, level, strict=False).doubled
    assert doubled > 0
    with pytest.raises(ValueError, match=f"{doubled} Voronoi edges that cross it more than once"):
        restricted_delaunay(points, level)


def test_inner_sites_must_be_far():
    x = sample(Sphere(), 12)
    with pytest.raises(ValueError, match=r"triangles on inner sites: too few points, 12"):
        restricted_delaunay(x, Sphere().level, inner_sites=0.99 * sample(Sphere(), 40, seed=3))


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros((0, 3)), r"points: expected shape \(n, 3\), got \(0, 3\)"),
        (np.zeros((5, 2)), r"points: expected shape \(n, 3\), got \(5, 2\)"),
        (np.eye(3), "at least four that are not in one plane, got 3 points"),
        (np.pad(np.random.default_rng(0).random((9, 2)), ((0, 0), (0, 1))), "not in one plane"),
        (np.full((6, 3), np.nan), "finite numbers, got others in 6 rows"),
    ],
)
def test_bad_points_are_refused(points, sentence):
    for call in (
        lambda: restricted_delaunay(points, Sphere().level),
        lambda: convex_position(points),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


def test_a_point_inside_the_hull_is_refused():
    with pytest.raises(ValueError, match="got 1 vertices in no triangle"):
        convex_position(np.vstack([sample(Sphere(), 30), np.zeros((1, 3))]))


def test_a_level_that_is_nowhere_negative_gives_no_triangle():
    with pytest.raises(ValueError, match="samples of a surface, got 30 and no triangle"):
        restricted_delaunay(sample(Sphere(), 30), lambda x: np.ones(len(x)))


def grid_torus(n, m):
    theta, phi = np.meshgrid(
        2 * np.pi * np.arange(m) / m, 2 * np.pi * np.arange(n) / n, indexing="ij"
    )
    i, j = np.divmod(np.arange(n * m), n)
    up, right = ((i + 1) % m) * n + j, i * n + (j + 1) % n
    both = ((i + 1) % m) * n + (j + 1) % n
    own = i * n + j
    F = np.vstack([np.column_stack([own, right, both]), np.column_stack([own, both, up])])
    return TORUS.point(theta.ravel(), phi.ravel()), F


def test_cells_on_a_fine_mesh_give_the_same_triangulation_as_space():
    V, F = grid_torus(300, 120)
    assert meshes.inspect(V, F).genus == 1
    rng = np.random.default_rng(0)  # a grid has four points on a circle everywhere: shake it
    V = TORUS.project(V + 4e-3 * rng.normal(size=V.shape))
    found = farthest_point(V, 150)
    dual = dual_of_cells(V, F, found.order, found.nearest)
    assert dual.topology.is_closed and dual.topology.genus == 1 and dual.doubled == 0
    space = restricted_delaunay(V[found.order], TORUS.level)
    common = len(as_set(dual.F) & as_set(space.F))
    assert common >= 0.97 * len(space.F)  # all but corners that a fine triangle cannot resolve
    normals = meshes.triangle_normals(V[found.order], dual.F)
    middle = V[found.order][dual.F].mean(axis=1)
    assert (np.einsum("md,md->m", normals, TORUS.normal(middle)) > 0).all()


def test_geodesic_cells_of_a_disk_give_a_disk():
    V, F = lantern(48, 30)
    F = F[(V[F].mean(axis=1)[:, 0] > -0.6)]  # cut the cylinder open
    used = np.unique(F)
    V, F = V[used], np.searchsorted(used, F)
    assert meshes.inspect(V, F).is_disk
    found = farthest_point(V, 60, distance=lambda i: meshes.geodesic_distance(V, F, i))
    dual = dual_of_cells(V, F, found.order, found.nearest)
    assert dual.topology.is_disk


def test_cells_must_fit_the_mesh():
    V, F = lantern(5, 2)
    with pytest.raises(
        ValueError, match=r"nearest: expected shape \(15,\), one a vertex; got \(4,\)"
    ):
        dual_of_cells(V, F, np.arange(3), np.zeros(4, dtype=int))
    with pytest.raises(ValueError, match="samples: expected three cells that meet, got 1 samples"):
        dual_of_cells(V, F, np.arange(1), np.zeros(15, dtype=int))
