"""The factors of the synthetic faces: their ranges, and two laws to draw them from.

Left and right are the person's. Used by `datasets.faces`, taught in *Two laws of data*.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


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
    "iris_left_brightness": Factor(0.4, 1.6, 1, "times the palette"),
    "iris_right_brightness": Factor(0.4, 1.6, 1, "times the palette"),
    "hair_colour": Factor(0, 1, 0.25, "black 0, brown, red, blond, white 1"),
    "hair_length": Factor(0, 1, 0.4, "shaved 0, to the shoulders 1"),
    "beard": Factor(0, 1, 0, "none 0, full 1"),
    "glasses": Factor(0, 1, 0, "thickness of the frame, none 0"),
    "background": Factor(0, 1, 0.55, "hue of the wall"),
    "background_brightness": Factor(0, 1, 0.5, "dark 0, bright 1"),
}


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
        If a name is unknown, `n` is not a positive number or `seed` is negative.

    Examples
    --------
    >>> table = draw(3, seed=0, names=["yaw"])
    >>> table["pitch"].tolist(), bool(np.ptp(table["yaw"]) > 0)
    ([0.0, 0.0, 0.0], True)
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n: expected a positive number of faces, got {n!r}")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected a non-negative whole number, got {seed!r}")
    chosen = list(FACTORS) if names is None else list(names)
    check_names(chosen, "names")
    table = {}
    for k, (name, factor) in enumerate(FACTORS.items()):
        if name in chosen:
            rng = np.random.default_rng([seed, k])
            table[name] = rng.uniform(factor.low, factor.high, n)
        else:
            table[name] = np.full(n, float(factor.default))
    return table


def people(n: int, *, seed: int) -> dict[str, np.ndarray]:
    """Draw the factors of a crowd: eyes of one colour, brown or blue; few beards, few glasses.

    Unlike `draw`, the law has clusters and ties: both irises agree and lie near the brown or the
    blue end of the palette, glasses are worn or not, beards are men's, white hair comes with age.
    A longer draw begins with the shorter one.

    Parameters
    ----------
    n : int
    seed : int

    Returns
    -------
    table : dict of str to (n,) float array
        Values for `render(n, factors=table)`.

    Examples
    --------
    >>> table = people(100, seed=0)
    >>> bool((table["iris_left"] == table["iris_right"]).all())
    True
    """
    table = draw(n, seed=seed)
    bells = np.random.default_rng([seed, 1000])
    u = np.random.default_rng([seed, 1001]).random((n, 10)).T
    spreads = {"yaw": 14, "pitch": 6, "roll": 4, "smile": 0.5, "brow_raise": 0.4, "gaze": 0.3}
    spreads |= {"light_azimuth": 30, "light_elevation": 12, "weight": 0.45, "age": 16}
    spreads |= {"face_width": 0.5, "nose_size": 0.4, "lip_fullness": 0.4, "eye_size": 0.4}
    bell = bells.standard_normal((n, len(spreads))).T
    for (name, spread), values in zip(spreads.items(), bell, strict=True):
        factor = FACTORS[name]
        table[name] = np.clip(factor.default + spread * values, factor.low, factor.high)
    table["jaw_open"] = u[0] ** 3
    table["blink"] = 0.3 * u[1] ** 2
    man = table["gender"] = np.where(u[2] < 0.5, -1, 1) * (0.4 + 0.6 * u[8])
    blue = u[3] < 0.4
    table["iris_left"] = np.where(blue, 0.85, 0.0) + 0.15 * u[3] / np.where(blue, 0.4, 1.0)
    table["iris_right"] = table["iris_left"].copy()
    table["iris_right_brightness"] = table["iris_left_brightness"].copy()
    table["beard"] = np.where((man > 0) & (u[4] < 0.4) & (table["age"] > 20), 1 - u[4], 0.0)
    table["glasses"] = np.where(u[5] < 0.25, 0.5 + 2 * u[5], 0.0)
    table["hair_length"] = np.where(man > 0, 0.45 * u[6], 0.25 + 0.75 * u[6])
    table["lip_colour"] = np.where(man > 0, 0.1 * u[7], u[7])
    dyed = 0.8 * u[9]
    white = np.clip((table["age"] - 45) / 25, 0, 1)
    table["hair_colour"] = dyed + white * (1 - dyed)
    return table


def check_names(names, argument):
    """Raise a ValueError that names the unknown ones among the names of factors."""
    unknown = [name for name in names if name not in FACTORS]
    if unknown:
        raise ValueError(
            f"{argument}: {len(unknown)} unknown factors ({', '.join(map(repr, unknown))}); "
            f"expected some of {', '.join(FACTORS)}"
        )


def check_values(name, values, n):
    """Return the values of one factor as an (n,) float array."""
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"factors[{name!r}]: expected numbers, got {values!r}") from None
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
