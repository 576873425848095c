"""Certificates of surfaces: every right answer passes, every usual slip fails with its sentence."""

import numpy as np
import pytest
from generators import dome
from refusals import refused

from omt_course.course import checks
from omt_course.geometry import disk_maps, measure_preserving
from omt_course.geometry.sampling import farthest_point
from omt_course.geometry.smooth import Sphere, Torus, lantern


@pytest.fixture(scope="module")
def cloud():
    return Sphere().sample(3000, rng=np.random.default_rng(0))


def test_every_net_passes(cloud):
    for first in (0, 7):
        net = cloud[farthest_point(cloud, eps=0.3, first=first).order]
        assert "epsilon-net of" in checks.net(net, cloud, 0.3).message
    greedy = []  # not by farthest points: take any that is not yet covered
    for x in cloud:
        if all(np.linalg.norm(x - y) > 0.3 for y in greedy):
            greedy.append(x)
    checks.net(np.array(greedy), cloud, 0.3)


def test_wrong_nets_are_told_apart(cloud):
    found = farthest_point(cloud, eps=0.3)
    net = cloud[found.order]
    assert "have no sample within 0.3" in refused(checks.net, net[:20], cloud, 0.3)
    assert "have no sample within 0.3" in refused(checks.net, net[net[:, 2] < 0.8], cloud, 0.3)
    assert "a net has no point to spare" in refused(checks.net, cloud[:600], cloud, 0.3)
    assert "away from the surface" in refused(checks.net, 2 * net, cloud, 0.3)
    assert "one row a sample" in refused(checks.net, net.T, cloud, 0.3)
    assert "have no sample within 0.2" in refused(checks.net, net, cloud, 0.3, resolution=0.1)


def test_closed_surfaces():
    torus = Torus()
    x = torus.sample(6400, rng=np.random.default_rng(1))
    V = x[farthest_point(x, 200).order]
    F = torus.triangulate(V).F
    assert "genus 1" in checks.closed_surface(V, F, genus=1).message
    assert "genus 1, expected 0" in refused(checks.closed_surface, V, F, genus=0)
    assert "clockwise" in refused(checks.closed_surface, V, F[:, ::-1], genus=1)
    assert "boundary curves" in refused(checks.closed_surface, V, F[1:], genus=1)
    assert "more than two triangles" in refused(
        checks.closed_surface, V, np.vstack([F, [[0, 1, 2]]]), genus=1
    ) or "boundary" in refused(checks.closed_surface, V, np.vstack([F, [[0, 1, 2]]]), genus=1)


def test_folds():
    V, F = lantern(12, 4)
    flat = V[:, :2] * (1 + V[:, 2:])  # a ring: outward is clockwise or not, one way
    flat = flat if "OK" in str(_try(flat, F)) else flat[:, ::-1]
    assert "no triangle of 96 is folded" in checks.unfolded(flat, F).message
    assert "mirror image" in refused(checks.unfolded, flat[:, ::-1], F)
    folded = flat.copy()
    folded[14] += 3
    assert "triangles are folded over" in refused(checks.unfolded, folded, F)
    assert "one row a vertex" in refused(checks.unfolded, flat.T, F)


def _try(uv, F):
    try:
        return checks.unfolded(uv, F)
    except checks.CheckFailed as error:
        return error


def test_areas_kept():
    V, F = dome(400, 1.2)
    kept = measure_preserving.measure_preserving(V, F).uv
    assert "no triangle of" in checks.areas_kept(V, F, kept).message
    conformal = disk_maps.conformal(V, F)
    told = refused(checks.areas_kept, V, F, conformal)
    assert "areas are off by" in told and "is it the conformal map you began with?" in told
    told = refused(checks.areas_kept, V, F, V[:, :2])
    assert "areas are off by" in told and "conformal" not in told
    assert "mirror image" in refused(checks.areas_kept, V, F, kept[:, ::-1])
