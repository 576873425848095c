"""From factors to shapes and colours: morph targets, palettes, light of the synthetic faces.

A row of factors is a dict of floats, in the units of `faces.FACTORS`. Everything here is
continuous in them. Used by `datasets.faces`.
"""

import colorsys

import numpy as np

from omt_course.datasets.shading import Look


def linear(*hexes):
    """Return colours given in sRGB as linear light, (k, 3).

    Examples
    --------
    >>> linear("bcbcbc").round(3).tolist()
    [[0.503, 0.503, 0.503]]
    """
    values = np.array([[int(h[i : i + 2], 16) for i in (0, 2, 4)] for h in hexes]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


SKIN_TONES = linear("f3d3c1", "e6b99a", "d09a74", "a8734e", "7f5238", "5d3a29")
IRISES = linear("5c2f10", "8a6420", "628c3c", "3f9c9c", "4488d8")
HAIRS = linear("15110f", "3a2416", "6b3a1c", "8f4a20", "c79a5a", "e6dccb")


def mix(palette, t):
    """Return the colour at place `t` in [0, 1] of a palette, (3,)."""
    places = np.linspace(0, 1, len(palette))
    return np.array([np.interp(t, places, palette[:, c]) for c in range(3)])


def _split(value, below, above):
    """Return weights of two targets for a factor of both signs."""
    return {above: max(value, 0.0), below: max(-value, 0.0)}


def targets(f):
    """Return the weights of the morph targets for a row of factors, a dict of str to float."""
    w: dict[str, float] = {}

    def add(weights, times=1.0):
        for name, value in weights.items():
            w[name] = w.get(name, 0.0) + times * value

    smile = max(f["smile"], 0)
    add(
        {
            "mouthSmile": 0.12 + 0.88 * smile,
            "cheekSquint": 0.5 * smile,
            "mouthUpperUp": 0.35 * smile,
        }
    )
    add({"mouthFrown": max(-f["smile"], 0)})
    add({"jawOpen": 0.6 * f["jaw_open"], "eyeBlink": f["blink"]})
    up, down = max(f["brow_raise"], 0), max(-f["brow_raise"], 0)
    add({"browInnerUp": up, "browOuterUp": up, "browDown": down, "eyeWide": 0.4 * up})
    add({"male": 1.25 * f["gender"]})
    add(_split(f["gender"], "chin-width-decr", "chin-width-incr"), 0.5)
    add(_split(f["gender"], "chin-bones-decr", "chin-bones-incr"), 0.5)
    add(_split(f["gender"], "neck-scale-horiz-decr", "neck-scale-horiz-incr"), 0.5)
    add({"eyebrows-trans-down": 0.4 * max(f["gender"], 0)})
    old, child = max(f["age"] - 30, 0) / 50, max(30 - f["age"], 0) / 20
    add({"old": 1.1 * old, "head-age-incr": 0.5 * old, "eye-bag-incr": 0.6 * old, "child": child})
    add(_split(f["weight"], "thin", "fat"), 1.0)
    add(_split(f["weight"], "head-fat-decr", "head-fat-incr"), 0.9)
    add(_split(f["weight"], "cheek-volume-decr", "cheek-volume-incr"), 0.5)
    add(_split(f["weight"], "neck-double-decr", "neck-double-incr"), 0.9)
    add(_split(f["weight"], "neck-scale-horiz-decr", "neck-scale-horiz-incr"), 0.5)
    add(_split(f["face_width"], "head-scale-horiz-decr", "head-scale-horiz-incr"), 0.8)
    add(_split(f["nose_size"], "nose-volume-decr", "nose-volume-incr"), 1.0)
    add(_split(f["nose_size"], "nose-scale-horiz-decr", "nose-scale-horiz-incr"), 1.0)
    add(_split(f["nose_size"], "nose-scale-vert-decr", "nose-scale-vert-incr"), 0.6)
    for lip in ("upperlip", "lowerlip"):
        for kind in ("volume", "height"):
            name = f"mouth-{lip}-{kind}"
            add(_split(f["lip_fullness"], f"{name}-decr", f"{name}-incr"), 1.0)
    add({"eye-scale-incr": 0.8, "eyeWide": 0.2})
    add(_split(f["eye_size"], "eye-scale-decr", "eye-scale-incr"), 0.8)
    return w


def look_of(f, turn):
    """Return the colours of a row of factors."""
    skin = mix(SKIN_TONES, f["skin_tone"])
    natural = skin * np.array([0.82, 0.52, 0.52])
    red = 0.2 * skin + 0.8 * linear("b01428")[0]
    hair = mix(HAIRS, f["hair_colour"])
    azimuth, elevation = np.radians(f["light_azimuth"]), np.radians(f["light_elevation"])
    light = [
        np.sin(azimuth) * np.cos(elevation),
        np.sin(elevation),
        np.cos(azimuth) * np.cos(elevation),
    ]
    hue = colorsys.hsv_to_rgb(0.85 * f["background"], 0.45, 1.0)
    wall = (0.04 + 0.5 * f["background_brightness"] ** 2) * np.array(hue) ** 1.5
    glance = np.radians(26 * f["gaze"])
    old = max(f["age"] - 30, 0) / 50
    return Look(
        skin=skin,
        lips=natural + f["lip_colour"] * (red - natural),
        hair=hair,
        brow=0.5 * hair + 0.03 * skin,
        iris_left=f["iris_left_brightness"] * mix(IRISES, f["iris_left"]),
        iris_right=f["iris_right_brightness"] * mix(IRISES, f["iris_right"]),
        frame=linear("201a18")[0],
        shirt=linear("39455a")[0],
        backdrop=wall,
        scalp=min(f["hair_length"] / 0.12, 1.0),
        beard=f["beard"],
        brow_width=1 + 0.35 * f["gender"],
        wrinkles=old,
        makeup=0.5 - 0.5 * f["gender"],
        mouth=0.15 + 0.5 * f["jaw_open"] + 0.35 * max(f["smile"], 0),
        gaze=np.array([np.sin(glance), 0.0, np.cos(glance)]),
        turn=turn,
        light=np.array(light),
    )


def hair(f):
    """Return thickness of the hair on the scalp and length of what hangs, in dm."""
    length = f["hair_length"]
    return 0.18 * min(length / 0.1, 0.2 + 0.8 * length), 1.75 * max(length - 0.3, 0.0) / 0.7
