"""Hanging hair and glasses as meshes: lengths, sides, orientation."""

import numpy as np

from omt_course.datasets.headwear import EYE, curtain, glasses, hang, smoothstep


def volume(vertices, triangles):
    """Return the signed volume below the triangles, seen from the origin."""
    return np.linalg.det(vertices[triangles]).sum() / 6


def test_glasses_are_tubes_of_the_thickness_that_is_asked_for():
    frame = glasses()
    assert np.abs(np.linalg.norm(frame.across, axis=1) - 1).max() < 1e-12
    thin, thick = (
        volume(frame.centre + r * frame.across, frame.triangles[: 2 * 36 * 6]) for r in (0.01, 0.02)
    )
    assert thin > 0  # the outside faces outwards
    assert np.isclose(thick / thin, 4, rtol=1e-6)  # a torus: 2 pi^2 R r^2
    t = np.linspace(0, 2 * np.pi, 1000)
    length = np.hypot(0.215 * np.sin(t), 0.185 * np.cos(t)).mean() * 2 * np.pi
    section = 6 / 2 * np.sin(np.pi / 3) * 0.01**2  # of a hexagon
    assert np.isclose(thin, length * section, rtol=0.03)


def test_glasses_are_symmetric():
    frame = glasses()
    points = frame.centre + 0.02 * frame.across
    mirrored = points * [-1, 1, 1]
    distance = np.linalg.norm(points[:, None] - mirrored[None], axis=2).min(axis=1)
    assert distance.max() < 1e-12
    assert frame.side[points[:, 0] > 0.15].min() == 1
    assert frame.side[points[:, 0] < -0.15].max() == 0


def test_rims_go_around_the_eyes():
    frame = glasses()
    rim = frame.centre[: 36 * 6]
    assert np.abs(rim[:, :2].mean(axis=0) - EYE[:2]).max() < 0.05
    assert rim[:, 2].min() > 0.145  # in front of the eyeball


def test_hair_hangs_as_long_as_is_asked_for_and_moves_continuously():
    strands, triangles = curtain()
    assert len(strands) == 2 * 49 * 11 and triangles.max() == len(strands) - 1
    for length in (0.0, 0.3, 1.0, 1.75):
        points = hang(strands, length)
        drop = points[:, 1].max() - points[:, 1].min()
        assert 0.9 * length <= drop <= 1.1 * length + 1e-12
        assert np.allclose(points[:, 1].max(), 0.22)
    lengths = np.linspace(0, 1.75, 400)
    steps = [
        np.abs(hang(strands, a) - hang(strands, b)).max()
        for a, b in zip(lengths, lengths[1:], strict=False)
    ]
    assert max(steps) < 0.02


def test_hair_is_symmetric_and_has_an_outside():
    strands, triangles = curtain()
    points = hang(strands, 1.0)
    mirrored = hang(strands * [-1, 1, 1], 1.0) * [-1, 1, 1]
    assert np.abs(points - mirrored).max() < 1e-12
    outer, inner = np.split(triangles, 2)
    axis = np.array([0, 0, -0.8])
    for sheet, sign in ((outer, 1), (inner, -1)):
        corners = points[sheet]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        away = (corners.mean(axis=1) - axis) * [1, 0, 1]
        assert (sign * (normal * away).sum(axis=1) > 0).mean() > 0.95


def test_smoothstep():
    t = np.linspace(-1, 2, 301)
    assert (np.diff(smoothstep(t)) >= 0).all()
    assert np.allclose(smoothstep(t) + smoothstep(1 - t), 1)
