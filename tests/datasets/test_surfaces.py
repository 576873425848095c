"""The face that ships, and surfaces from the cache."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from omt_course.datasets import registry, shipped, surfaces
from omt_course.geometry import meshes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder, and no network."""
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, str(tmp_path))
    (tmp_path / "meshes").mkdir()
    return tmp_path / "meshes"


def test_the_face_is_a_disk_and_small():
    face = surfaces.load()
    found = meshes.inspect(face.V, face.F)
    assert found.is_disk and found.defects() == [] and face.licence == "CC0 1.0"
    assert shipped.path("surfaces", "face.npz").stat().st_size < 1_000_000
    width, height, depth = np.ptp(face.V, axis=0)  # centimetres
    assert 10 < width < 16 and 18 < height < 25 and 8 < depth < 16


def test_the_face_is_almost_its_mirror_image():
    face = surfaces.load()
    from scipy.spatial import KDTree

    gap, _ = KDTree(face.V).query(face.V * [-1, 1, 1])
    assert np.quantile(gap, 0.9) < 0.02


def test_normals_point_out():
    face = surfaces.load()
    normals = meshes.triangle_normals(face.V, face.F)
    areas = meshes.triangle_areas(face.V, face.F)
    assert areas[normals[:, 2] > 0].sum() > 0.9 * areas.sum()


def test_a_mesh_of_the_cache_is_found_by_name(cache):
    shutil.copy(shipped.path("surfaces", "face.npz"), cache / "mine.npz")
    assert "mine" in surfaces.names()
    mine = surfaces.load("mine")
    assert np.array_equal(mine.F, surfaces.load("face").F) and "mine.npz" in mine.source
    by_path = surfaces.load(cache / "mine.npz")
    assert np.array_equal(by_path.V, mine.V)


def test_a_converted_copy_of_a_fetched_mesh_is_used(cache):
    shutil.copy(shipped.path("surfaces", "face.npz"), cache / "buddha_head_rgb.npz")
    assert len(surfaces.load("buddha").V) == 9279


def test_a_mesh_that_is_not_here_says_so(cache, monkeypatch):
    monkeypatch.setattr(registry, "_fetch_from", _offline)
    with pytest.raises(registry.DataUnavailableError, match="omt data fetch nefertiti"):
        surfaces.load("nefertiti")
    with pytest.raises(ValueError, match="name: expected one of face, buddha, nefertiti, or a"):
        surfaces.load("venus")


def _offline(*arguments):
    import requests

    raise requests.exceptions.ConnectionError("no network")


def test_a_mesh_that_is_no_disk_is_refused_with_its_counts(cache):
    face = surfaces.load()
    F = np.concatenate([face.F[60:], face.F[900:907]])
    np.savez(cache / "broken.npz", v=face.V, f=F)
    with pytest.raises(
        ValueError, match=r"broken.npz cannot be used. mesh: expected a disk; got .*7 tri"
    ):
        surfaces.load("broken")


def test_the_statue_of_the_buddha_is_refused():
    path = registry.cache_folder() / "meshes" / "happy_buddha_res3_stanford.npz"
    if not path.exists():
        pytest.skip("the Stanford Buddha is not in the data cache")
    with pytest.raises(ValueError, match="2816 edges with more than two triangles"):
        surfaces.load(path)


def test_a_missing_shipped_file_names_the_places():
    with pytest.raises(FileNotFoundError, match="came with omt_course but is in none of"):
        shipped.path("surfaces", "nobody.npz")


def test_the_script_closes_lips_and_eyes():
    spec = importlib.util.spec_from_file_location("make_face", ROOT / "data" / "make_face.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    turn = 2 * np.pi * np.arange(12) / 12
    loop = np.column_stack([np.cos(turn), 0.2 * np.sin(turn), 1 + 0 * turn])
    lips = script.seam(loop, np.arange(12))
    assert meshes.inspect(loop, lips).is_disk and len(lips) == 10
    around = np.random.default_rng(0).standard_normal((100, 3))
    ball = np.sqrt(2) * around / np.linalg.norm(around, axis=1, keepdims=True)
    V, patch = script.eye(loop, np.arange(12), ball)
    assert meshes.inspect(V, patch).is_disk
    assert np.allclose(np.linalg.norm(V[12:], axis=1), np.sqrt(2))
