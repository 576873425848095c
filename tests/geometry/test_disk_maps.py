"""Harmonic and conformal maps against formulas of complex analysis."""

import numpy as np
import pytest
from generators import dome, sunflower

from omt_course.datasets import surfaces
from omt_course.geometry import disk_maps, meshes


def complex_of(uv):
    return uv @ np.array([1, 1j])


def turned(found, exact):
    """`found` rotated so that it fits `exact` best."""
    phase = np.vdot(exact, found)
    return found * np.conj(phase) / abs(phase)


@pytest.mark.parametrize("weights", disk_maps.WEIGHTS)
def test_a_linear_map_of_the_disk_is_reproduced(weights):
    # Linear functions are harmonic, and mean-value weights have linear precision.
    xy, F = sunflower(400)
    uv = disk_maps.harmonic(xy, F, weights=weights)
    assert np.abs(turned(complex_of(uv), complex_of(xy)) - complex_of(xy)).max() < 1e-12


@pytest.mark.parametrize("weights", disk_maps.WEIGHTS)
def test_the_boundary_is_spaced_by_length_and_nothing_folds(weights):
    V, F = dome(600, 1.4)
    uv = disk_maps.harmonic(V, F, weights=weights)
    rim = meshes.boundary_loops(F)[0]
    length = np.linalg.norm(V[np.roll(rim, -1)] - V[rim], axis=1)
    z = complex_of(uv)[rim]
    assert np.allclose(np.abs(z), 1) and np.isclose(z[0], 1)
    step = np.angle(np.roll(z, -1) / z)
    assert np.allclose(step, 2 * np.pi * length / length.sum())
    assert (meshes.signed_areas(uv, F) > 0).all()


def test_harmonic_minimises_the_energy():
    V, F = dome(300, 1.2)
    L, uv = meshes.cotangent_laplacian(V, F), disk_maps.harmonic(V, F)
    rng = np.random.default_rng(0)
    inner = np.setdiff1d(np.arange(len(V)), meshes.boundary_loops(F)[0])
    least = np.trace(uv.T @ L @ uv)
    for _ in range(20):
        other = uv.copy()
        other[inner] += 1e-3 * rng.standard_normal((len(inner), 2))
        assert np.trace(other.T @ L @ other) > least


def moebius_error(n, a):
    xy, F = sunflower(n)
    centre = int(np.argmin(np.abs(complex_of(xy) - a)))
    z, pole = complex_of(xy), complex_of(xy)[centre]
    exact = (z - pole) / (1 - np.conj(pole) * z)
    return np.abs(
        turned(complex_of(disk_maps.conformal(xy, F, centre=centre)), exact) - exact
    ).max()


@pytest.mark.parametrize("a", [0.0, 0.5, -0.3 + 0.4j])
def test_conformal_maps_of_the_disk_are_moebius_maps(a):
    coarse, fine = moebius_error(500, a), moebius_error(8000, a)
    assert fine < 1e-3 and fine < coarse / 4  # h falls by 4; an order of one is asked for


def test_stereographic_projection_is_the_conformal_map_of_a_cap():
    V, F = dome(4000, 1.2)  # radius tan(theta / 2), up to a factor
    radius = np.linalg.norm(disk_maps.conformal(V, F, centre=0), axis=1)
    theta = np.arccos(V[:, 2])
    pole = theta[0]  # vertex 0 lies near the pole, not at it
    exact = np.tan(theta / 2) / np.tan(1.2 / 2)
    assert pole < 0.02 and np.abs(radius - exact).max() < 0.02


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.0])
def test_free_boundary_keeps_angles(angle):
    V, F = dome(3000, angle)
    uv = disk_maps.free_conformal(V, F)
    assert disk_maps.angle_distortion(V, F, uv).mean() < 1
    rim = meshes.boundary_loops(F)[0]
    assert np.isclose((uv[rim] ** 2).sum(axis=1).mean(), 1) and np.allclose(uv[rim].mean(axis=0), 0)
    flat, F = sunflower(500)
    shear = flat @ np.array([[2.0, 0.5], [-0.5, 2.0]])  # a similarity: reproduced exactly
    assert disk_maps.angle_distortion(shear, F, disk_maps.free_conformal(shear, F)).max() < 1e-6


def test_the_energy_exceeds_the_area_and_the_free_map_nearly_attains_it():
    V, F = dome(1500, 1.3)
    L = meshes.cotangent_laplacian(V, F)
    for uv in (disk_maps.harmonic(V, F), disk_maps.conformal(V, F), disk_maps.free_conformal(V, F)):
        energy, area = np.trace(uv.T @ L @ uv) / 2, meshes.signed_areas(uv, F).sum()
        assert energy >= area
    assert energy - area < 1e-3 * area


def test_the_face_conforms():
    face = surfaces.load("face")
    harmonic, conformal = (f(face.V, face.F) for f in (disk_maps.harmonic, disk_maps.conformal))
    off = [disk_maps.angle_distortion(face.V, face.F, uv).mean() for uv in (harmonic, conformal)]
    assert off[1] < 2 < off[0]
    for uv in (harmonic, conformal):
        assert (meshes.signed_areas(uv, face.F) > 0).all()


def test_area_stretch_weighs_to_one_and_is_negative_on_folds():
    V, F = dome(200, 1.0)
    stretch = disk_maps.area_stretch(V, F, V[:, :2])
    areas = meshes.triangle_areas(V, F)
    assert np.isclose(np.average(stretch, weights=areas), 1)
    mirrored = V[:, :2] * [1, 1]
    mirrored[0] = [3, 3]
    assert (disk_maps.area_stretch(V, F, mirrored) < 0).any()


def test_bad_input():
    V, F = dome(100, 1.0)
    with pytest.raises(ValueError, match="1 vertices in no triangle, 2 boundary curves"):
        disk_maps.harmonic(V, F[~(F == 0).any(axis=1)])
    with pytest.raises(ValueError, match="weights: expected one of cotangent, mean value; got 'u'"):
        disk_maps.harmonic(V, F, weights="u")
    rim = meshes.boundary_loops(F)[0]
    with pytest.raises(ValueError, match="centre: expected one of 100 inner vertices"):
        disk_maps.conformal(V, F, centre=rim[0])
    V[3, 1] = np.nan
    for f in (disk_maps.harmonic, disk_maps.conformal, disk_maps.free_conformal):
        with pytest.raises(ValueError, match="1 vertices with NaN"):
            f(V, F)
