"""Palettes, targets and light as functions of the factors."""

import colorsys

import numpy as np
import pytest

from omt_course.datasets import appearance, head
from omt_course.datasets.faces import FACTORS, draw

DEFAULT = {name: factor.default for name, factor in FACTORS.items()}


def test_linear_light_is_the_inverse_of_srgb():
    codes = ["000000", "0a0a0a", "0b0b0b", "808080", "ffffff", "12abef"]
    v = appearance.linear(*codes)
    back = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    assert np.allclose(
        np.round(255 * back), [[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in codes]
    )


@pytest.mark.parametrize("palette", ["SKIN_TONES", "IRISES", "HAIRS"])
def test_palettes(palette):
    palette = getattr(appearance, palette)
    places = np.linspace(0, 1, len(palette))
    for t, colour in zip(places, palette, strict=True):
        assert np.allclose(appearance.mix(palette, t), colour)
    middle = appearance.mix(palette, (places[0] + places[1]) / 2)
    assert np.allclose(middle, (palette[0] + palette[1]) / 2)


def test_skin_gets_darker_and_irises_go_from_brown_to_blue():
    assert (np.diff(appearance.SKIN_TONES.sum(axis=1)) < 0).all()
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in appearance.IRISES]
    assert (np.diff(hues) > 0).all() and hues[0] < 0.1 and 0.55 < hues[-1] < 0.7
    chroma = [(c[2] - c[0]) / c.sum() for c in appearance.IRISES]
    assert (np.diff(chroma) > 0).all()


def test_targets_exist_and_are_finite():
    known = head.load().targets
    table = draw(50, seed=0)
    for i in range(50):
        weights = appearance.targets({name: values[i] for name, values in table.items()})
        assert set(weights) <= set(known)
        assert np.isfinite(list(weights.values())).all()


def test_default_face_is_nearly_the_mean():
    weights = appearance.targets(DEFAULT)
    used = {name for name, weight in weights.items() if weight}
    assert used == {"eye-scale-incr", "eyeWide", "mouthSmile"} and weights["mouthSmile"] < 0.2


@pytest.mark.parametrize("name", FACTORS)
def test_targets_and_hair_are_continuous(name):
    factor = FACTORS[name]
    t = np.linspace(factor.low, factor.high, 201)
    rows = []
    for value in t:
        f = DEFAULT | {name: value}
        rows.append([*appearance.targets(f).values(), *appearance.hair(f)])
    assert np.abs(np.diff(rows, axis=0)).max() < 0.06


def test_light_is_where_it_is_said():
    for azimuth, elevation in ((0, 0), (70, 0), (-70, 60), (20, -10)):
        f = DEFAULT | {"light_azimuth": azimuth, "light_elevation": elevation}
        light = appearance.look_of(f, np.eye(3)).light
        assert np.isclose(np.linalg.norm(light), 1)
        assert np.isclose(np.degrees(np.arcsin(light[1])), elevation)
        assert np.isclose(np.degrees(np.arctan2(light[0], light[2])), azimuth)
