"""Light on simple things: closed forms for walls, spheres, shadows and irises."""

import numpy as np
import pytest

from omt_course.datasets import appearance, shading
from omt_course.datasets.faces import FACTORS
from omt_course.datasets.head import GLASSES, LEFT_EYE
from omt_course.datasets.shading import shade, strands, sunlight

DEFAULT = {name: factor.default for name, factor in FACTORS.items()}
NO_SHADOW = np.zeros((8, 8)), np.array([[1.0, 0, 0, 3], [0, 1, 0, 3], [0, 0, 1, 5]])


def look(**changes):
    return appearance.look_of(DEFAULT | changes, np.eye(3))


def one_sample(part, normal, place_at_rest=(0.0, 0.0, 0.0), openness=1.0, look=None):
    """Return the light of a single sample that sees one triangle."""
    fixed = np.tile([*place_at_rest, 0.0, 0.0, openness], (3, 1)).astype(float)
    moving = np.tile([0.0, 0.0, 0.0, *normal], (3, 1)).astype(float)
    triangles = np.array([[0, 1, 2]])
    seen, weight = np.zeros((1, 1), np.int32), np.full((1, 1, 2), 0.3, np.float32)
    part = np.array([part])
    return shade(seen, weight, triangles, part, fixed, moving, look, 11.0, *NO_SHADOW)[0, 0]


def test_wall_is_its_colour_from_bright_to_dark():
    wall = look(background=0.3)
    seen, weight = np.full((5, 5), -1, np.int32), np.zeros((5, 5, 2), np.float32)
    none = np.zeros((3, 6)), np.zeros((3, 6))
    triangles, part = np.array([[0, 1, 2]]), np.array([0])
    light = shade(seen, weight, triangles, part, *none, wall, 11.0, *NO_SHADOW)
    ratio = light / wall.backdrop
    assert np.ptp(ratio, axis=(1, 2)).max() < 1e-12
    assert np.allclose(ratio[:, 0, 0], 1.25 - 0.7 * np.arange(5) / 5)


def test_unlit_side_sees_the_sky_only():
    """Away from the light, what is left is colour times sky or ground."""
    away = look(light_azimuth=0, light_elevation=60)
    down = one_sample(GLASSES, (0.0, -1.0, 0.0), look=away)
    assert np.allclose(down, away.frame * shading._GROUND, rtol=1e-6)
    half = one_sample(GLASSES, (0.0, -1.0, 0.0), openness=0.5, look=away)
    assert np.allclose(half, down / 2, rtol=1e-6)


def test_diffuse_light_is_linear_in_the_cosine():
    """Without the highlight, which is common to all three channels up to the light's colour."""
    front = look(light_azimuth=0, light_elevation=0)
    angles = np.radians([95.0, 100.0, 110.0])  # past the edge: no highlight, no key beyond the wrap
    for angle in angles:
        normal = (np.sin(angle), 0.0, np.cos(angle))
        found = one_sample(GLASSES, normal, look=front)
        facing = max(np.cos(angle) + 0.1, 0) / 1.1
        ambient = (shading._SKY + shading._GROUND) / 2
        half = np.array([np.sin(angle), np.cos(angle)]) @ [0.0, 1.0]
        lit = np.clip(1.5 * np.cos(angle) + 0.3, 0, 1)
        gloss = 0.5 * np.exp(40 * (max(half, 0) - 1)) * lit**2 * (3 - 2 * lit)
        expected = front.frame * (ambient + shading._KEY * facing) + shading._KEY * gloss
        assert np.allclose(found, expected, rtol=1e-6)


def test_iris_has_its_colour_and_the_eyes_differ():
    odd = look(iris_left=1.0, iris_right=0.0)
    assert odd.iris_left[2] > odd.iris_left[0] and odd.iris_right[2] < odd.iris_right[0]
    centre = np.array([0.289, 0.0, 0.0])
    for gaze in (0.0, 1.0):
        eye = look(iris_left=1.0, gaze=gaze)
        axis = eye.gaze
        side = np.cross([0, 1.0, 0], axis)
        colours = []
        for d in (0.0, 0.32, 1.2):  # pupil, iris, white
            angle = 2 * np.arcsin(d / 2)
            direction = np.cos(angle) * axis - np.sin(angle) * side
            place = centre + 0.145 * direction
            colours.append(one_sample(LEFT_EYE, direction, place, look=eye))
        pupil, iris, white = colours
        assert pupil.max() < 0.1 * white.max()
        assert iris[2] > 2 * iris[0] and np.ptp(white) < 0.4 * white.max()


def test_shadow():
    frame = np.array([[1.0, 0, 0, 8], [0, 1, 0, 8], [0, 0, 1, 5]])
    place = np.array([0.3, -0.4, 1.0, 0, 0, 0])
    near = np.full((16, 16), 6.0)
    assert sunlight(place, near, frame) == pytest.approx(1)  # the light sees the place itself
    assert sunlight(place, near + 2, frame) == pytest.approx(0.15)  # something lies before it
    assert sunlight(place + [50, 0, 0, 0, 0, 0], near + 2, frame) == 1  # outside the picture
    wall = near.copy()
    wall[:, 9:] += 2
    x = np.linspace(-2.5, 3.5, 601)
    values = np.array([sunlight(np.array([a, 0.1, 1.0, 0, 0, 0]), wall, frame) for a in x])
    assert values[0] == pytest.approx(1) and values[-1] == pytest.approx(0.15)
    assert (np.diff(values) < 1e-12).all() and np.abs(np.diff(values)).max() < 0.01
    middle = x[np.argmin(np.abs(values - 0.575))]
    assert abs(middle - 0.5) < 0.05  # half shadow between the last lit and the first dark column


def test_strands_have_mean_one():
    angles = np.linspace(-np.pi, np.pi, 20001)
    values = np.array([strands(a) for a in angles])
    assert abs(values.mean() - 1) < 1e-3 and np.ptp(values) > 0.3
    exact = 1 + 0.16 * np.sin(31 * angles) + 0.13 * np.sin(53 * angles + 1)
    assert np.abs(values - exact).max() < 0.01
