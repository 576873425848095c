"""Synthetic faces whose every factor is known: pose, expression, light, shape, colours.

`render` draws images from a table of factors; the image is a continuous function of all of them, so a
set of images in which `k` factors are free is a surface of dimension `k` in pixel space. The head is
MakeHuman's (CC0). Left and right are the person's: the left eye is seen on the right of the image.
Used in *Two laws of data*.
"""

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from omt_course.datasets import head as heads
from omt_course.datasets.rasteriser import (
    MARGIN,
    SUPERSAMPLING,
    n_samples,
    normals,
    rasterise,
    resolve,
)
from omt_course.datasets.shading import Look, shade

DISTANCE = 11.0  # of the viewer from the eyes, in dm
FRAME = 2.45  # height of the image at the eyes, in dm
CENTRE = -0.10  # height of the middle of the image


@dataclass(frozen=True)
class Factor:
    """One continuous factor: range, value when it is not varied, and what it does."""

    low: float
    high: float
    default: float
    meaning: str


FACTORS = {
    "yaw": Factor(-40, 40, 0, "turn to the person's left, degrees"),
    "pitch": Factor(-18, 18, 0, "nod downwards, degrees"),
    "roll": Factor(-15, 15, 0, "tilt to the person's left shoulder, degrees"),
    "smile": Factor(-1, 1, 0, "corners of the mouth: down -1, up 1"),
    "jaw_open": Factor(0, 1, 0, "mouth closed 0, open 1"),
    "blink": Factor(0, 1, 0, "eyes open 0, closed 1"),
    "brow_raise": Factor(-1, 1, 0, "brows: lowered -1, raised 1"),
    "gaze": Factor(-1, 1, 0, "eyes turned to the person's left 1, right -1"),
    "light_azimuth": Factor(-70, 70, 25, "light from the person's left, degrees"),
    "light_elevation": Factor(-10, 60, 30, "light from above, degrees"),
    "gender": Factor(-1, 1, 0, "shape of face: female -1, male 1"),
    "age": Factor(10, 80, 30, "years"),
    "weight": Factor(-1, 1, 0, "thin -1, heavy 1"),
    "face_width": Factor(-1, 1, 0, "narrow -1, wide 1"),
    "nose_size": Factor(-1, 1, 0, "small -1, large 1"),
    "lip_fullness": Factor(-1, 1, 0, "thin -1, full 1"),
    "eye_size": Factor(-1, 1, 0, "small -1, large 1"),
    "skin_tone": Factor(0, 1, 0.3, "light 0 to dark 1"),
    "lip_colour": Factor(0, 1, 0.2, "natural 0, red 1"),
    "iris_left": Factor(0, 1, 0.15, "brown 0, green 0.5, blue 1"),
    "iris_right": Factor(0, 1, 0.15, "brown 0, green 0.5, blue 1"),
    "iris_left_brightness": Factor(0.6, 1.4, 1, "times the palette"),
    "iris_right_brightness": Factor(0.6, 1.4, 1, "times the palette"),
    "hair_colour": Factor(0, 1, 0.25, "black 0, brown, red, blond, white 1"),
    "hair_length": Factor(0, 1, 0.4, "shaved 0, to the shoulders 1"),
    "beard": Factor(0, 1, 0, "none 0, full 1"),
    "glasses": Factor(0, 1, 0, "thickness of the frame, none 0"),
    "background": Factor(0, 1, 0.55, "hue of the wall"),
    "background_brightness": Factor(0, 1, 0.5, "dark 0, bright 1"),
}


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
IRISES = linear("5a3418", "7a5a2a", "62803c", "4c8a8c", "4f8fd6")
HAIRS = linear("15110f", "3a2416", "6b3a1c", "8f4a20", "c79a5a", "e6dccb")


def mix(palette, t):
    """Return the colour at place `t` in [0, 1] of a palette, (3,)."""
    places = np.linspace(0, 1, len(palette))
    return np.array([np.interp(t, places, palette[:, c]) for c in range(3)])


def draw(n: int, *, seed: int, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Draw factors uniformly from their ranges, each independent of the others.

    Row `i` of a factor depends on `seed`, the factor's name and `i` only: a longer draw begins with
    the shorter one, and freeing one factor more leaves the others as they were.

    Parameters
    ----------
    n : int
        Number of faces.
    seed : int
    names : iterable of str, optional
        The factors that vary, the others keep their defaults; all by default.

    Returns
    -------
    table : dict of str to (n,) float array
        All factors, in the order of `FACTORS`.

    Raises
    ------
    ValueError
        If a name is unknown or `n` is not a positive number.

    Examples
    --------
    >>> table = draw(3, seed=0, names=["yaw"])
    >>> table["pitch"].tolist(), bool(np.ptp(table["yaw"]) > 0)
    ([0.0, 0.0, 0.0], True)
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n: expected a positive number of faces, got {n!r}")
    chosen = list(FACTORS) if names is None else list(names)
    _known(chosen, "names")
    table = {}
    for k, (name, factor) in enumerate(FACTORS.items()):
        if name in chosen:
            rng = np.random.default_rng([seed, k])
            table[name] = rng.uniform(factor.low, factor.high, n)
        else:
            table[name] = np.full(n, float(factor.default))
    return table


def render(n: int, *, seed: int, size: int = 64, factors=None):
    """Draw faces.

    Parameters
    ----------
    n : int
        Number of faces.
    seed : int
        Of the factors that are drawn; the drawing itself has nothing random.
    size : int
        Side of the images in pixels, 16 to 1024.
    factors : None, iterable of str, or mapping of str to float or (n,) array
        None draws every factor from its range. Names draw these and leave the others at their
        defaults. A mapping gives values; factors that it lacks stay at their defaults.

    Returns
    -------
    images : (n, size, size, 3) uint8 array
    table : dict of str to (n,) float array
        The value of every factor, in the units of `FACTORS`.

    Raises
    ------
    ValueError
        If a factor is unknown, out of its range, not finite or of the wrong length, or if `n` or
        `size` is not a size.

    Examples
    --------
    >>> images, table = render(2, seed=0, size=32, factors=("yaw", "smile"))
    >>> images.shape, images.dtype, sorted(k for k, v in table.items() if np.ptp(v))
    ((2, 32, 32, 3), dtype('uint8'), ['smile', 'yaw'])
    """
    if not isinstance(size, (int, np.integer)) or not 16 <= size <= 1024:
        raise ValueError(f"size: expected 16 to 1024 pixels, got {size!r}")
    if isinstance(factors, Mapping):
        table = draw(n, seed=seed, names=())
        _known(factors, "factors")
        for name, values in factors.items():
            table[name] = _checked(name, values, n)
    else:
        if isinstance(factors, str):
            factors = (factors,)
        table = draw(n, seed=seed, names=factors)
    head = heads.load()
    images = np.empty((n, size, size, 3), np.uint8)
    for i in range(n):
        row = {name: float(values[i]) for name, values in table.items()}
        images[i] = _image(head, row, int(size))
    return images, table


def _known(names, argument):
    unknown = [name for name in names if name not in FACTORS]
    if unknown:
        raise ValueError(
            f"{argument}: {len(unknown)} unknown factors ({', '.join(map(repr, unknown))}); expected "
            f"some of {', '.join(FACTORS)}"
        )


def _checked(name, values, n):
    """Return the values of one factor as an (n,) float array."""
    values = np.asarray(values, dtype=float)
    if values.shape not in ((), (n,)):
        raise ValueError(
            f"factors[{name!r}]: expected one number or {n}, got an array of shape {values.shape}"
        )
    factor = FACTORS[name]
    if not np.isfinite(values).all():
        raise ValueError(
            f"factors[{name!r}]: expected finite numbers, {(~np.isfinite(values)).sum()} are not"
        )
    outside = (values < factor.low) | (values > factor.high)
    if outside.any():
        raise ValueError(
            f"factors[{name!r}]: expected numbers in [{factor.low}, {factor.high}], "
            f"{outside.sum()} are outside (from {values.min():g} to {values.max():g})"
        )
    return np.broadcast_to(values, (n,)).copy()


def _split(value, below, above):
    """Return weights of two targets for a factor of both signs."""
    return {above: max(value, 0.0), below: max(-value, 0.0)}


def _targets(f):
    """Return the weights of the morph targets for a row of factors."""
    w: dict[str, float] = {}

    def add(weights, times=1.0):
        for name, value in weights.items():
            w[name] = w.get(name, 0.0) + times * value

    add({"mouthSmile": 0.9 * max(f["smile"], 0), "cheekSquint": 0.5 * max(f["smile"], 0)})
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
    add(_split(f["weight"], "cheek-volume-decr", "cheek-volume-incr"), 0.8)
    add(_split(f["weight"], "neck-double-decr", "neck-double-incr"), 0.9)
    add(_split(f["weight"], "neck-scale-horiz-decr", "neck-scale-horiz-incr"), 0.5)
    add(_split(f["face_width"], "head-scale-horiz-decr", "head-scale-horiz-incr"), 0.8)
    add(_split(f["nose_size"], "nose-volume-decr", "nose-volume-incr"), 0.5)
    add(_split(f["nose_size"], "nose-scale-horiz-decr", "nose-scale-horiz-incr"), 0.7)
    add(_split(f["nose_size"], "nose-scale-vert-decr", "nose-scale-vert-incr"), 0.3)
    for lip in ("upperlip", "lowerlip"):
        for kind in ("volume", "height"):
            name = f"mouth-{lip}-{kind}"
            add(_split(f["lip_fullness"], f"{name}-decr", f"{name}-incr"), 0.7)
    add({"eye-scale-incr": 0.4})
    add(_split(f["eye_size"], "eye-scale-decr", "eye-scale-incr"), 0.6)
    return w


def _look(f, turn):
    """Return the colours of a row of factors."""
    skin = mix(SKIN_TONES, f["skin_tone"])
    natural = skin * np.array([0.82, 0.52, 0.52])
    red = 0.35 * skin + 0.65 * linear("b01428")[0]
    hair = mix(HAIRS, f["hair_colour"])
    azimuth, elevation = np.radians(f["light_azimuth"]), np.radians(f["light_elevation"])
    light = [
        np.sin(azimuth) * np.cos(elevation),
        np.sin(elevation),
        np.cos(azimuth) * np.cos(elevation),
    ]
    hue = colorsys.hsv_to_rgb(0.85 * f["background"], 0.45, 1.0)
    wall = (0.04 + 0.5 * f["background_brightness"] ** 2) * np.array(hue) ** 1.5
    glance = np.radians(20 * f["gaze"])
    old = max(f["age"] - 30, 0) / 50
    return Look(
        skin=skin,
        lips=natural + f["lip_colour"] * (red - natural),
        hair=hair,
        brow=0.55 * hair + 0.08 * skin,
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
        gaze=np.array([np.sin(glance), 0.0, np.cos(glance)]),
        turn=turn,
        light=np.array(light),
    )


def _image(head, f, size):
    """Return the image of one row of factors."""
    angles = np.radians([f["yaw"], f["pitch"], f["roll"]])
    points, turn = heads.pose(
        head,
        _targets(f),
        angles=angles,
        hair=0.03 + 0.15 * f["hair_length"] if f["hair_length"] else 0.0,
        hanging=0.05 + 1.75 * max(f["hair_length"] - 0.3, 0.0) / 0.7,
        thickness=0.028 * f["glasses"],
    )
    n = n_samples(size)
    near = 1 / (DISTANCE - points[:, 2])
    scale = size * SUPERSAMPLING * DISTANCE / FRAME * near
    middle = (n - 1) / 2
    screen = np.column_stack(
        [middle + scale * points[:, 0], middle - scale * (points[:, 1] - CENTRE), near]
    )
    seen, weight = rasterise(screen, head.triangles, n)
    moving = np.concatenate([points, normals(points, head.triangles)], axis=1)
    fixed = np.column_stack([head.rest, head.lips, head.lids, head.openness])
    samples = shade(
        seen, weight, head.triangles, head.part, fixed, moving, _look(f, turn), DISTANCE
    )
    return resolve(samples, size)
