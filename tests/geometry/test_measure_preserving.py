"""Maps that keep areas, against Lambert's projection and by their own definition."""

import numpy as np
import pytest
from generators import dome, sunflower

from omt_course.datasets import surfaces
from omt_course.geometry import disk_maps, meshes, uniformity
from omt_course.geometry.measure_preserving import (
    AreasNotMatched,
    match_areas,
    measure_preserving,
    pull_back,
)


def test_lambert_is_the_map_of_a_cap():
    V, F = dome(1500, 1.5)
    found = measure_preserving(V, F)
    lambert = np.sin(np.arccos(V[:, 2]) / 2) / np.sin(1.5 / 2)
    inner = slice(1500)
    assert np.abs(np.linalg.norm(found.uv, axis=1) - lambert)[inner].max() < 0.03
    assert found.transport.max_relative_error <= 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_areas_are_kept_and_nothing_folds_on_bumpy_surfaces(seed):
    rng = np.random.default_rng(seed)
    xy, F = sunflower(700)
    a, b = rng.standard_normal((2, 2)) * 2
    V = np.column_stack([xy, 0.4 * np.sin(xy @ a) + 0.3 * np.cos(xy @ b)])
    for start in (disk_maps.harmonic(V, F), disk_maps.conformal(V, F)):
        found = measure_preserving(V, F, start=start)
        stretch = disk_maps.area_stretch(V, F, found.uv)
        rms = np.sqrt(np.mean((stretch - 1) ** 2))
        assert stretch.min() > 0 and rms <= 0.02 and found.matching.converged
        assert np.isclose(found.matching.reached.rms, rms)
        assert np.isclose(np.average(stretch, weights=meshes.triangle_areas(V, F)), 1)
        rim = meshes.boundary_loops(F)[0]
        assert np.allclose(np.linalg.norm(found.uv[rim], axis=1), 1)


def test_cells_have_the_masses_of_the_vertices():
    V, F = dome(400, 1.2)
    found = measure_preserving(V, F)
    share = found.transport.cell_masses / found.transport.cell_masses.sum()
    areas = meshes.vertex_areas(V, F)
    assert np.allclose(share, areas / areas.sum(), rtol=1e-8)


def test_folds_open():
    xy, F = sunflower(500)
    rng = np.random.default_rng(1)
    folded = xy.copy()
    inner = rng.choice(500, 25, replace=False)
    folded[inner] += 0.08 * rng.standard_normal((25, 2))
    before = np.sum(meshes.signed_areas(folded, F) <= 0)
    found = match_areas(xy, F, folded, tol=0.01)
    assert before > 5 and found.history[0].folds == before
    assert (meshes.signed_areas(found.uv, F) > 0).all() and found.reached.rms <= 0.01
    assert np.abs(found.uv - xy).max() < 0.1


def test_what_is_not_reached_is_said():
    xy, F = sunflower(300)
    bent = xy * np.linalg.norm(xy, axis=1, keepdims=True)
    with pytest.raises(AreasNotMatched, match="after 1 steps .* tol = 1e-06") as caught:
        match_areas(xy, F, bent, max_steps=1, tol=1e-6)
    found = match_areas(xy, F, bent, max_steps=1, tol=1e-6, strict=False)
    assert not found.converged and np.array_equal(found.uv, caught.value.matching.uv)
    assert found.reached == min(found.history, key=lambda match: (match.folds, match.rms))


def test_the_cost_is_near_the_least_and_matching_alone_costs_more():
    xy, F = sunflower(900)
    V = np.column_stack([xy, 0.6 * np.sin(2 * xy[:, 0]) + 0.4 * xy[:, 1] ** 2])
    found = measure_preserving(V, F, area_tol=0.01)
    alone = match_areas(V, F, found.start, tol=0.01).uv
    weight = found.transport.masses / found.transport.masses.sum()
    cost = [weight @ ((uv - found.start) ** 2).sum(axis=1) for uv in (found.uv, alone)]
    least = found.transport.w2_squared / found.transport.masses.sum()
    assert cost[0] < 1.1 * least and cost[0] < cost[1]


def test_a_density_is_followed():
    V, F = dome(900, 1.3)
    density = np.exp(2 * V[:, 0])
    found = measure_preserving(V, F, density=density)
    image = meshes.signed_areas(found.uv, F)
    wanted = meshes.triangle_areas(V, F) * density[F].mean(axis=1)
    ratio = image / image.sum() / (wanted / wanted.sum())
    assert np.abs(ratio - 1).max() < 0.1 and ratio.min() > 0


def test_the_face_decodes_uniformly():
    face = surfaces.load("face")
    V, F = face.V, face.F
    found = measure_preserving(V, F)
    stretch = disk_maps.area_stretch(V, F, found.uv)
    assert stretch.min() > 0 and stretch.std() <= 0.02
    z = found.uv[meshes.boundary_loops(F)[0]] @ [1, 1j]  # once round the circle: one-to-one
    step = np.angle(np.roll(z, -1) / z)
    assert step.min() > 0 and np.isclose(step.sum(), 2 * np.pi)
    assert found.transport.max_relative_error <= 1e-8
    rng = np.random.default_rng(3)
    radius, turn = np.sqrt(rng.random(100_000)), 2 * np.pi * rng.random(100_000)
    codes = np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])
    patch = uniformity.patches(V, F, 150, rng=rng)
    p = {}
    for name, uv in (("before", found.start), ("after", found.uv)):
        x, triangle = pull_back(V, F, uv, codes)
        hit = triangle >= 0
        assert hit.mean() > 0.999 and np.isnan(x[~hit]).all() and np.isfinite(x[hit]).all()
        p[name] = uniformity.chi_square(triangle[hit], meshes.triangle_areas(V, F), patch).p_value
    assert p["before"] < 1e-10 and p["after"] > 1e-3


def test_pull_back_inverts_the_map():
    V, F = dome(300, 1.0)
    uv = disk_maps.harmonic(V, F)
    x, triangle = pull_back(V, F, uv, uv[:300])
    assert np.allclose(x, V[:300], atol=1e-9) and (triangle >= 0).all()


def test_bad_input():
    V, F = dome(100, 1.0)
    with pytest.raises(ValueError, match=r"start: expected shape \(\d+, 2\)"):
        measure_preserving(V, F, start=V)
    with pytest.raises(ValueError, match="start: expected a map to the unit disk; got .* outside"):
        measure_preserving(V, F, start=3 * V[:, :2])
    density = np.ones(len(V))
    density[:2] = [-1, np.nan]
    with pytest.raises(ValueError, match="density: expected .* 2 of them not positive"):
        measure_preserving(V, F, density=density)
    with pytest.raises(ValueError, match="uv: expected shape"):
        match_areas(V, F, V)
    centred = V[:, :2].copy()
    centred[meshes.boundary_loops(F)[0][0]] = 0
    with pytest.raises(ValueError, match="got 1 there"):
        match_areas(V, F, centred)
    with pytest.raises(ValueError, match="expected a disk"):
        measure_preserving(V, F[5:])
