"""Alexandrov's problem by polytopes: closed forms, and the surface of semi-discrete transport."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from omt_course.geometry.alexandrov import _Body, solve
from omt_course.transport import semidiscrete
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.newton import NotConverged

SQUARE = Box([-1, -1], [1, 1])
DOMAINS = {
    "square": SQUARE,
    "disk": disk(1.0, 64),
    "triangle": Polygon([[0, 0], [4, 0], [1, 3]]),
    "far away": Box([100, -3], [101, 4]),
}


def downward(slopes):
    """Unit normals of planes with these slopes, from below."""
    normals = np.column_stack([slopes, -np.ones(len(slopes))])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def problem(domain, n, seed, *, scale=1.0, shift=(0, 0)):
    rng = np.random.default_rng(seed)
    slopes = scale * rng.normal(size=(n, 2)) + shift
    areas = rng.uniform(0.5, 1.5, n)
    return downward(slopes), areas * domain.volume / areas.sum()


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(
    "kind", [{}, {"scale": 1e-3, "shift": (5, -2)}, {"scale": 50.0, "shift": (9, 9)}]
)
def test_the_surface_is_the_brenier_potential(name, kind):
    domain = DOMAINS[name]
    normals, areas = problem(domain, 60, 1, **kind)
    result = solve(domain, normals, areas)
    brenier = semidiscrete.solve(domain, result.slopes, areas)
    scale = np.ptp(brenier.heights)
    np.testing.assert_allclose(result.heights, brenier.heights, atol=1e-9 * scale)
    x, z = result.vertices[:, :2], result.vertices[:, 2]
    np.testing.assert_allclose(z, brenier.potential(x), atol=1e-8 * np.ptp(z))
    np.testing.assert_allclose(result.projected_areas, areas, rtol=1e-10)


def test_areas_of_the_mesh_are_those_asked_for():
    normals, areas = problem(DOMAINS["disk"], 100, 2)
    result = solve(DOMAINS["disk"], normals, areas)
    mesh = result.to_trimesh()
    owner = np.repeat(np.arange(100), [len(f) - 2 for f in result.facets])
    in_space = np.bincount(owner, mesh.area_faces)
    flat = np.bincount(owner, mesh.area_faces * -mesh.face_normals[:, 2])
    np.testing.assert_allclose(in_space, result.areas, rtol=1e-9)
    np.testing.assert_allclose(flat, areas, rtol=1e-9)
    np.testing.assert_allclose(mesh.face_normals, normals[owner], atol=1e-6)


def test_pyramid():
    normals = downward(np.array([[1, 0], [-1, 0], [0, 1], [0, -1.0]]))
    result = solve(SQUARE, normals)
    np.testing.assert_allclose(result.heights, 0, atol=1e-14)
    assert len(result.vertices) == 5 and {len(f) for f in result.facets} == {3}
    np.testing.assert_allclose(result.areas, 2**0.5)
    np.testing.assert_allclose(sorted(result.vertices[:, 2]), [0, 1, 1, 1, 1], atol=1e-14)


def test_product():
    # Slopes on a grid and masses p_i q_j: cells are rectangles, heights a sum.
    s, p, t, q = [-1, 0.2, 0.3, 2], [0.1, 0.4, 0.2, 0.3], [0, 1, 5], [0.5, 0.3, 0.2]
    slopes = np.array([(a, b) for a in s for b in t], dtype=float)
    result = solve(Box([0, 0], [1, 1]), downward(slopes), np.outer(p, q).ravel())

    def heights(y, m):
        return -np.append(0, np.cumsum(np.cumsum(m)[:-1] * np.diff(y)))

    expected = np.add.outer(heights(s, p), heights(t, q)).ravel()
    np.testing.assert_allclose(result.heights, expected - expected.mean(), atol=1e-10)


def test_derivative_against_differences():
    normals, _ = problem(SQUARE, 30, 3)
    body = _Body(SQUARE, -normals[:, :2] / normals[:, 2:])
    heights = -(body.slopes**2).sum(axis=1) / 2
    _, facets = body.evaluate(heights)
    rng, eps = np.random.default_rng(4), 1e-6
    for _ in range(5):
        error = rng.normal(size=30)
        error -= error.mean()
        step = body.newton_step(facets, error)
        scale = eps / np.abs(step).max()
        above, below = (body.evaluate(heights + sign * scale * step)[0] for sign in (1, -1))
        np.testing.assert_allclose((above - below) / 2 / scale, -error, atol=1e-5)


def test_callback_history_and_stopping():
    normals, areas = problem(SQUARE, 40, 5)
    seen = []
    result = solve(SQUARE, normals, areas, callback=lambda step, h, f: seen.append(step))
    assert tuple(seen) == result.history and result.n_iter == len(seen) - 1
    with pytest.raises(NotConverged, match="relative area error"):
        solve(SQUARE, normals, areas, max_iter=1)
    early = solve(SQUARE, normals, areas, max_iter=1, strict=False)
    assert not early.converged and early.max_relative_error > 1e-10


@pytest.mark.parametrize("kind", ["stl", "ply", "obj"])
def test_export(tmp_path, kind):
    normals, areas = problem(SQUARE, 20, 6)
    result = solve(SQUARE, normals, areas)
    result.export(tmp_path / f"surface.{kind}")
    mesh = trimesh.load_mesh(tmp_path / f"surface.{kind}")
    assert mesh.area == pytest.approx(result.areas.sum(), rel=1e-5)


GOOD, EVEN = problem(SQUARE, 6, 7)


@pytest.mark.parametrize(
    ("domain", "normals", "areas", "words"),
    [
        ("square", GOOD, EVEN, "domain: expected a Box or Polygon in the plane"),
        (Box([0] * 3, [1] * 3), GOOD, EVEN, "domain: expected a Box or Polygon in the plane"),
        (SQUARE, GOOD * [1, 1, -1], EVEN, "normals: expected all to point down"),
        (SQUARE, np.vstack([GOOD[:5], [[1, 0, 0]]]), EVEN, "normals: expected all to point down"),
        (SQUARE, GOOD * 3, EVEN, "normals: expected unit vectors"),
        (SQUARE, GOOD[[0, 0, 1, 2, 3, 4]], EVEN, "normals: as slopes, expected distinct slopes"),
        (SQUARE, downward(np.outer(range(4), [1, 2])), None, "normals: as slopes, .* not all on"),
        (SQUARE, GOOD[:2], None, "normals: as slopes, expected at least three"),
        (SQUARE, GOOD, 2 * EVEN, "projected_areas: expected areas that sum to"),
        (SQUARE, GOOD, -EVEN, "projected_areas: expected positive finite areas"),
        (SQUARE, GOOD, EVEN[:5], "projected_areas: expected shape"),
    ],
)
def test_what_cannot_be_used(domain, normals, areas, words):
    with pytest.raises(ValueError, match=words):
        solve(domain, normals, areas)


def test_options_that_cannot_be_used():
    with pytest.raises(ValueError, match="tol: expected a positive number"):
        solve(SQUARE, GOOD, tol=0)
    with pytest.raises(ValueError, match="max_iter: expected zero or more"):
        solve(SQUARE, GOOD, max_iter=-1)


@st.composite
def hostile(draw):
    """Slopes: clustered, stretched, on a grid, tiny, huge, far off; areas over many magnitudes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(3, 30))
    slopes = rng.normal(size=(n, 2))
    if draw(st.booleans()):
        middles = rng.normal(size=(3, 2))
        slopes = middles[rng.integers(3, size=n)] + 10 ** draw(st.floats(-9, 0)) * slopes
    if draw(st.booleans()):
        slopes = slopes * [1, 10 ** draw(st.floats(-12, 4))]
    if draw(st.booleans()):
        slopes = np.unique(np.round(slopes, draw(st.integers(0, 1))), axis=0)
    slopes = slopes * 10 ** draw(st.floats(-6, 6))
    slopes = slopes + 10 ** draw(st.floats(-6, 6)) * rng.normal(size=2)
    thin = [Box([50, -3], [51, -2.99]), Polygon([[0, 0], [1, 0], [0, 1e-3]])]
    domain = draw(st.sampled_from([*DOMAINS.values(), *thin]))
    areas = np.exp(draw(st.sampled_from([0.0, 1.0, 5.0])) * rng.normal(size=len(slopes)))
    return domain, downward(slopes), areas * domain.volume / areas.sum()


@settings(max_examples=250, deadline=None, derandomize=True)
@given(hostile(), st.sampled_from([1e-4, 1e-8]))
def test_hostile_instances_end_verified_or_refused(problem, tol):
    domain, normals, areas = problem
    try:
        result = solve(domain, normals, areas, tol=tol, max_iter=300)
    except NotConverged as reason:
        assert "relative area error" in str(reason)
        return
    except ValueError as reason:
        assert str(reason).startswith(("normals: ", "projected_areas: "))
        return
    size = np.ptp(domain.vertices, axis=0).max()
    for facet, area in zip(result.facets, areas, strict=True):
        v = result.vertices[facet, :2] - result.vertices[facet[0], :2]
        found = -(v[1:-1, 0] * v[2:, 1] - v[1:-1, 1] * v[2:, 0]).sum() / 2  # seen from below
        rounding = 1e-11 * size * np.ptp(v, axis=0).max()
        assert abs(found - area) <= 2 * tol * area + rounding
