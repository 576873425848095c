import numpy as np
import pytest
from scipy.spatial import ConvexHull, HalfspaceIntersection

from omt_course.transport.domains import Box
from omt_course.transport.laplacian import energy_hessian
from omt_course.transport.polyhedron import Polyhedron, boundary
from omt_course.transport.semidiscrete import load, solve
from omt_course.transport.solid import SolidCutter

from .test_polyhedron import ICOSAHEDRON

CUBE = Box([-0.5] * 3, [0.5] * 3)
UNIT = Box([0] * 3, [1] * 3)


def cloud(n, seed=0):
    return np.random.default_rng(seed).random((n, 3))


def moments_of(corners, y):
    """Volume, first and second moment about `y` of a hull, by cones over its triangles."""
    triangles = corners[ConvexHull(corners).simplices] - y
    apex = np.broadcast_to(corners.mean(axis=0) - y, (len(triangles), 1, 3))
    simplices = np.concatenate([apex, triangles], axis=1)
    volumes = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1])) / 6
    total = simplices.sum(axis=1)
    squares = (total**2).sum(axis=1) + (simplices**2).sum(axis=(1, 2))
    return volumes.sum(), volumes @ total / 4, volumes @ squares / 20


@pytest.mark.parametrize("domain", [CUBE, Polyhedron(ICOSAHEDRON / 3)])
@pytest.mark.parametrize("spread", [0.9, 0.3])
def test_cells_against_half_spaces_of_all_points(domain, spread):
    """Every cell as the intersection of all half-spaces, by Qhull, point by point."""
    rng = np.random.default_rng(3)
    y = spread * (rng.random((70, 3)) - 0.5)
    h = -(y**2).sum(axis=1) / 2 / spread + 2e-3 * rng.standard_normal(70)
    diagram = SolidCutter(domain, y)(h)
    normals, offsets, _ = boundary(domain)
    assert diagram.masses.sum() == pytest.approx(domain.volume, rel=1e-12)
    assert (diagram.masses > 0).sum() >= 50
    for i in np.flatnonzero(diagram.masses > 1e-6):
        others = np.delete(np.arange(70), i)
        rows = np.vstack(
            [
                np.column_stack([normals, -offsets]),
                np.column_stack([y[others] - y[i], h[others] - h[i]]),
            ]
        )
        corners = HalfspaceIntersection(rows, diagram.centroids[i]).intersections
        volume, first, second = moments_of(corners, y[i])
        assert diagram.masses[i] == pytest.approx(volume, rel=1e-10)
        np.testing.assert_allclose(diagram.first_moments[i], first, atol=1e-10 * volume)
        assert diagram.second_moments[i] == pytest.approx(second, rel=1e-9)
        own = diagram.cell_vertices(i)
        assert ConvexHull(own).volume == pytest.approx(volume, rel=1e-10)


@pytest.mark.parametrize("n", [5, 300, 3000])
def test_rings_and_clipping_agree(n):
    y = (cloud(n) - 0.5) * 0.95
    h = -(y**2).sum(axis=1) / 2
    cutter = SolidCutter(CUBE, y)
    fast, slow = cutter(h), cutter.by_qhull(h)
    np.testing.assert_allclose(fast.masses, slow.masses, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(fast.first_moments, slow.first_moments, atol=1e-13)
    np.testing.assert_allclose(fast.second_moments, slow.second_moments, rtol=1e-9, atol=1e-14)
    assert fast.masses.sum() == pytest.approx(1, rel=1e-13)
    areas = [
        {tuple(sorted(pair)): a for pair, a in zip(d.pairs.tolist(), d.areas, strict=True)}
        for d in (fast, slow)
    ]
    assert len(areas[0]) == len(fast.pairs)
    for pair in set(areas[0]) | set(areas[1]):
        assert areas[0].get(pair, 0) == pytest.approx(areas[1].get(pair, 0), abs=1e-12)


def test_octants_and_lattices():
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T / 4
    octants = SolidCutter(CUBE, signs)(np.zeros(8))
    np.testing.assert_allclose(octants.masses, 1 / 8, rtol=1e-14)
    axis = (np.arange(6) + 0.5) / 6
    y = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    result = solve(UNIT, y)
    # Each of the 216 cubes has side s = 1/6: int |x|^2 = s^3 * 3 s^2 / 12.
    assert result.w2_squared == pytest.approx(1 / 4 / 36, rel=1e-13)


def test_hessian_by_finite_differences():
    y = cloud(40, 5) - 0.5
    h = -(y**2).sum(axis=1) / 2
    cutter = SolidCutter(CUBE, y)
    hessian = energy_hessian(cutter(h)).toarray()
    np.testing.assert_allclose(hessian.sum(axis=1), 0, atol=1e-12)
    step = 1e-6
    for i in range(0, 40, 7):
        e = np.zeros(40)
        e[i] = step
        slope = (cutter(h + e).masses - cutter(h - e).masses) / (2 * step)
        np.testing.assert_allclose(hessian[:, i], slope, atol=1e-7)


def test_product_targets_have_product_maps():
    """On a grid `p x q x r` the map acts coordinate by coordinate; `W2^2` is a sum of three."""
    rng = np.random.default_rng(2)
    axes = [np.sort(rng.random(k)) for k in (3, 4, 5)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    result = solve(UNIT, grid)
    expected = 0.0
    for p in axes:
        k = len(p)
        lower, upper = np.arange(k) / k - p, (np.arange(k) + 1) / k - p
        expected += ((upper**3 - lower**3) / 3).sum()
    assert result.w2_squared == pytest.approx(expected, rel=1e-10)
    assert result.bracket.lower <= expected <= result.bracket.upper
    middles = np.stack(np.meshgrid(*[np.arange(len(p)) for p in axes], indexing="ij"), -1) + 0.5
    middles = middles.reshape(-1, 3) / [3, 4, 5]
    np.testing.assert_allclose(result.centroids, middles, atol=1e-9)


@pytest.mark.parametrize(
    "domain, points, masses",
    [
        (UNIT, cloud(200), None),
        (UNIT, cloud(200) * 0.1 + 3, None),
        (UNIT, cloud(150), np.random.default_rng(1).exponential(size=150)),
        (Polyhedron(ICOSAHEDRON), cloud(120) - 0.5, None),
        (Polyhedron(ICOSAHEDRON * [1, 1, 20]), cloud(120), None),
        (UNIT, np.vstack([cloud(60) * 0.01, cloud(60) * 0.01 + 0.9]), None),
    ],
)
def test_solutions_hold_by_qhulls_cells(domain, points, masses):
    if masses is not None:
        masses = masses * domain.volume / masses.sum()
    result = solve(domain, points, masses)
    middle, mean = domain.center, points.mean(axis=0)
    cutter = SolidCutter(domain.moved(-middle), points - mean)
    h = result.heights + (points - mean) @ middle
    other = cutter.by_qhull(h - h.mean())
    np.testing.assert_allclose(other.masses, result.masses, rtol=1e-8)
    assert result.max_relative_error <= 1e-10
    assert result.bracket.relative_width <= 1e-8
    # The map sends random points where the potential says.
    x = domain.sample(20_000, np.random.default_rng(0))
    shares = np.bincount(result.assign(x), minlength=len(points)) / len(x)
    expected = result.masses / result.masses.sum()
    assert (np.abs(shares - expected) < 6 * np.sqrt(expected / len(x)) + 1e-4).all()


def test_gradients_by_finite_differences():
    y = cloud(12, 8)
    result, step = solve(UNIT, y), 1e-5
    for i, k in ((0, 0), (5, 1), (11, 2)):
        e = np.zeros_like(y)
        e[i, k] = step
        slope = (solve(UNIT, y + e).w2_squared - solve(UNIT, y - e).w2_squared) / (2 * step)
        assert result.points_gradient[i, k] == pytest.approx(slope, abs=1e-8)


def test_a_result_is_read_back_bit_for_bit(tmp_path):
    result = solve(Polyhedron(ICOSAHEDRON), cloud(30), tol=1e-6)
    result.save(tmp_path / "result.npz")
    back = load(tmp_path / "result.npz")
    for name in ("heights", "points", "cell_masses"):
        np.testing.assert_array_equal(getattr(back, name), getattr(result, name))
    np.testing.assert_array_equal(back.diagram.areas, result.diagram.areas)
    assert back.bracket == result.bracket


def test_points_in_a_plane_are_refused():
    flat = cloud(30) * [1, 1, 0]
    with pytest.raises(ValueError, match="^points: expected points that are not all in a plane"):
        solve(UNIT, flat)
    with pytest.raises(ValueError, match="^points: expected at least four points, got 3"):
        solve(UNIT, cloud(3))
    with pytest.raises(ValueError, match="^cell_polygons: .*cell_vertices"):
        solve(UNIT, cloud(5)).cell_polygons()
