"""Light and colour of the synthetic faces: one sample of the z-buffer in, linear light out.

Skin takes wrapped diffuse light (red wraps furthest, as it travels furthest below the surface), a
soft highlight and a baked share of open sky; eyes are spheres painted around the gaze; brows,
hairline, beard and wrinkles are smooth functions of the place on the head at rest. All in linear
light, compiled with numba, one thread. Used by `datasets.faces`, taught in *Two laws of data*.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from omt_course.datasets.head import (
    EYE,
    GLASSES,
    HAIR,
    HAIRLINE_Y,
    HAIRLINE_Z,
    LEFT_EYE,
    RIGHT_EYE,
    SKIN,
    TEETH,
)


class Look(NamedTuple):
    """What the shader knows of one face; colours are linear light, (3,) float arrays."""

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    brow: np.ndarray
    iris_left: np.ndarray
    iris_right: np.ndarray
    frame: np.ndarray
    shirt: np.ndarray
    backdrop: np.ndarray
    scalp: float  # share of hair on the scalp, 0 ... 1
    beard: float
    brow_width: float
    wrinkles: float
    makeup: float
    mouth: float  # share of light that enters it
    gaze: np.ndarray  # direction at rest, unit vector
    turn: np.ndarray  # rotation of the head, (3, 3)
    light: np.ndarray  # towards the light, unit vector


# Constants are compiled in, and numba's cache looks at this file only: who changes one of `head`'s
# saves this file too.
_EYE = EYE[0], EYE[1], EYE[2]
_LINE = np.interp(np.linspace(-2, 1, 301), HAIRLINE_Z, HAIRLINE_Y)
_U = np.linspace(0, 0.8, 81)  # |x|
_BEARD = np.interp(
    _U, [0.0, 0.12, 0.30, 0.45, 0.58, 0.66, 0.75], [-0.50, -0.50, -0.58, -0.54, -0.30, 0.0, 0.1]
)
_BROW = np.interp(_U, [0.08, 0.20, 0.38, 0.52], [0.188, 0.210, 0.225, 0.170])
_ANGLES = np.linspace(-7, 7, 1401)
_STRANDS = 1 + 0.16 * np.sin(31 * _ANGLES) + 0.13 * np.sin(53 * _ANGLES + 1)
SHADOW_BIAS, SHADOW_SOFT = 0.05, 0.10  # dm
_SKY = np.array([0.30, 0.31, 0.34])
_GROUND = np.array([0.16, 0.13, 0.11])
_KEY = np.array([0.90, 0.86, 0.80])
_WRAP = np.array([0.38, 0.22, 0.16])


@njit(cache=True, fastmath=True, error_model="numpy")
def step(t):
    """Return the smooth step from 0 at 0 to 1 at 1."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, fastmath=True, error_model="numpy")
def strands(angle):
    """Return the brightness of hair across its strands, about 1."""
    k = (angle + 7.0) * 100.0
    i = int(k)
    return _STRANDS[i] + (k - i) * (_STRANDS[i + 1] - _STRANDS[i])


@njit(cache=True, fastmath=True, error_model="numpy")
def _wrinkles(u, y, z):
    """Return how deep the lines of age are at a place: forehead, nose, eyes."""
    lines = 0.0
    if y > 0.25:
        forehead = step((y - 0.27) / 0.08) * step((0.62 - y) / 0.1) * step((0.5 - u) / 0.2)
        if forehead > 0:
            lines += 0.5 * forehead * (0.5 + 0.5 * np.cos(74 * (y - 0.02 * u)))
    elif y < -0.38:
        fold = u - (0.20 - 0.35 * (y + 0.45))
        if abs(fold) < 0.12 and y > -0.76:
            deep = step((-0.40 - y) / 0.08) * step((y + 0.75) / 0.1)
            lines += deep * np.exp(-((fold / 0.03) ** 2))
    else:
        if u > 0.33:
            crow = np.exp(-(((u - 0.52) / 0.06) ** 2) - ((y + 0.02) / 0.10) ** 2)
            lines += 0.5 * crow * (0.5 + 0.5 * np.cos(125 * y))
        if -0.3 < y < -0.05:
            bag = u - 0.29
            lines += 0.6 * np.exp(-(((y + 0.17 - 0.9 * bag**2) / 0.025) ** 2) - (bag / 0.16) ** 2)
    return lines


@njit(cache=True, fastmath=True, error_model="numpy")
def _paint_skin(x, y, z, lips, lids, tints, shares, colour):
    """Write the colour of a place on the head's surface; return how much of it is hair."""
    scalp, beard, brow_width, wrinkles, makeup = shares
    u = abs(x)
    blush, under = 0.0, 0.0
    if -0.75 < y < 0.1 and z > -0.4:
        blush = np.exp(-((u - 0.36) ** 2 + (y + 0.34) ** 2) / 0.03)
        blush += 0.7 * np.exp(-(u**2 / 0.012 + (y + 0.36) ** 2 / 0.02)) * step((z - 0.2) / 0.1)
        under = np.exp(-(((u - 0.25) / 0.12) ** 2) - ((y + 0.13) / 0.05) ** 2)
    lines = _wrinkles(u, y, z) if wrinkles > 0 and z > -0.3 else 0.0
    shade = 1 - 0.38 * wrinkles * lines - (0.08 + 0.14 * wrinkles) * under
    for c in range(3):
        colour[c] = tints[0, c] * shade
    colour[0] *= 1 + 0.06 * blush
    colour[1] *= 1 - 0.13 * blush
    colour[2] *= 1 - 0.11 * blush
    lid = lids * makeup
    for c in range(3):
        colour[c] += step(1.4 * lips - 0.15) * (tints[1, c] - colour[c])
        colour[c] *= 1 - 0.55 * lid
    k = min(max((z + 2.0) * 100.0, 0.0), 299.0)
    i = int(k)
    line = _LINE[i] + (k - i) * (_LINE[i + 1] - _LINE[i])
    hair = scalp * step((y - line + 0.02) / 0.07)
    fuzz = 0.0
    if beard > 0 and u < 0.66 and y < 0.1:  # not on the ears
        i = int(100 * u)
        low = _BEARD[i] + (100 * u - i) * (_BEARD[i + 1] - _BEARD[i])
        fuzz = step((low - y) / 0.10 + 0.3) * step((y + 1.25) / 0.25) * step((z + 0.62) / 0.15)
        fuzz *= 1 - step(2.5 * lips - 0.2)
        if fuzz > 0:
            grain = 0.93 + 0.07 * np.sin(83 * u + 31 * y) * np.sin(47 * y - 29 * u)
            fuzz *= beard * grain
    brow = 0.0
    if 0.05 < y < 0.4 and 0.0 < z and u < 0.55:
        width = brow_width * (0.046 - 0.05 * u)
        i = int(100 * u)
        middle = _BROW[i] + (100 * u - i) * (_BROW[i + 1] - _BROW[i])
        brow = step(1.9 - 1.6 * abs(y - middle) / width)
        brow *= step((u - 0.05) / 0.05) * step((0.54 - u) / 0.06) * step(z / 0.1)
    if brow > 0 or fuzz > 0:
        for c in range(3):
            colour[c] += 0.9 * brow * (tints[3, c] - colour[c])
            colour[c] += 0.92 * fuzz * (tints[3, c] - colour[c])
    if hair > 0:
        shine = strands(np.arctan2(z + 0.75, y - 0.1) + 0.15 * u)
        for c in range(3):
            colour[c] += hair * (tints[2, c] * shine - colour[c])
    if y < -1.2:
        shirt = step((-1.34 + 0.22 * step((u - 0.3) / 0.5) - y) / 0.04)
        for c in range(3):
            colour[c] += shirt * (tints[4, c] - colour[c])
    return max(hair, 0.7 * fuzz)


@njit(cache=True, fastmath=True, error_model="numpy")
def _paint_eye(ex, ey, ez, iris, gaze, colour):
    """Write the colour of an eyeball in direction `(ex, ey, ez)` at rest."""
    d = np.sqrt((ex - gaze[0]) ** 2 + (ey - gaze[1]) ** 2 + (ez - gaze[2]) ** 2)
    white = 1 - 0.35 * step(abs(ex) * 1.1)
    colour[0], colour[1], colour[2] = 0.78 * white, 0.74 * white, 0.72 * white
    inside = 1 - step((d - 0.53) / 0.10)
    glow = 0.8 + 0.65 * step((0.2 - ey) / 0.6)  # the iris is brighter away from the upper lid
    ring = 1 - 0.6 * step((d - 0.40) / 0.14)
    pupil = 1 - step((d - 0.17) / 0.07)
    for c in range(3):
        value = iris[c] * glow * ring * (1 - pupil) + 0.004 * pupil
        colour[c] += inside * (value - colour[c])
        colour[c] *= 1 - 0.55 * step((ey - 0.05) / 0.5)  # shadow of the upper lid


@njit(cache=True, fastmath=True, error_model="numpy")
def sunlight(p, depth, frame):
    """Return the share of the light that reaches a place, from the nine samples about it."""
    x = frame[0, 0] * p[0] + frame[0, 1] * p[1] + frame[0, 2] * p[2] + frame[0, 3]
    y = frame[1, 0] * p[0] + frame[1, 1] * p[1] + frame[1, 2] * p[2] + frame[1, 3]
    z = frame[2, 0] * p[0] + frame[2, 1] * p[1] + frame[2, 2] * p[2] + frame[2, 3]
    i, j = int(np.floor(y)), int(np.floor(x))
    if i < 1 or j < 1 or i > len(depth) - 3 or j > len(depth) - 3:
        return 1.0
    fx, fy = x - j, y - i
    total = 0.0
    for k in range(-1, 3):  # bilinear weights of nine unit squares, summed
        wy = 1 - fy if k == -1 else (fy if k == 2 else 1.0)
        for m in range(-1, 3):
            wx = 1 - fx if m == -1 else (fx if m == 2 else 1.0)
            total += wx * wy * step((depth[i + k, j + m] - z - SHADOW_BIAS) / SHADOW_SOFT)
    return 1 - 0.85 * total / 9


@njit(cache=True, fastmath=True, error_model="numpy")
def shade(seen, weight, triangles, part, fixed, moving, look, distance, depth, frame):
    """Return the linear light at every sample, (n, n, 3).

    Parameters
    ----------
    seen, weight : arrays
        As `rasteriser.rasterise` returns them.
    triangles : (m, 3) int array
    part : (m,) int array
    fixed : (k, 6) float array
        Place at rest, lips, lids, openness.
    moving : (k, 6) float array
        Place and normal.
    look : Look
    distance : float
        Of the viewer, on the z axis.
    depth : (s, s) float array
        Nearness to the light of what it sees, as `rasteriser.rasterise` returns it.
    frame : (3, 4) float array
        Takes a place, with a 1 appended, to column, row and nearness in `depth`.
    """
    n = len(seen)
    out = np.empty((n, n, 3))
    a, p = np.empty(6), np.empty(6)
    colour, normal = np.empty(3), np.empty(3)
    tints = np.empty((5, 3))  # one array instead of five: each costs time in a call
    tints[0], tints[1], tints[2], tints[3] = look.skin, look.lips, look.hair, look.brow
    tints[4] = look.shirt
    shares = (look.scalp, look.beard, look.brow_width, look.wrinkles, look.makeup)
    light = look.light
    for i in range(n):
        for j in range(n):
            t = seen[i, j]
            if t < 0:
                glow = 1.25 - 0.7 * i / n
                for c in range(3):
                    out[i, j, c] = look.backdrop[c] * glow
                continue
            q, r = weight[i, j, 0], weight[i, j, 1]
            v0, v1, v2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            for c in range(6):
                a[c] = (1 - q - r) * fixed[v0, c] + q * fixed[v1, c] + r * fixed[v2, c]
                p[c] = (1 - q - r) * moving[v0, c] + q * moving[v1, c] + r * moving[v2, c]
            kind = part[t]
            openness, gloss, power, hairy = a[5], 0.10, 14.0, 0.0
            normal[:] = p[3:]
            if kind == SKIN:
                hairy = _paint_skin(a[0], a[1], a[2], a[3], a[4], tints, shares, colour)
                gloss = 0.10 * (1 - hairy) + 0.12 * a[3]
            elif kind == LEFT_EYE or kind == RIGHT_EYE:
                side = 1.0 if kind == LEFT_EYE else -1.0
                ex, ey, ez = a[0] - side * _EYE[0], a[1] - _EYE[1], a[2] - _EYE[2]
                length = np.sqrt(ex * ex + ey * ey + ez * ez)
                ex, ey, ez = ex / length, ey / length, ez / length
                iris = look.iris_left if kind == LEFT_EYE else look.iris_right
                _paint_eye(ex, ey, ez, iris, look.gaze, colour)
                for c in range(3):
                    normal[c] = look.turn[c, 0] * ex + look.turn[c, 1] * ey + look.turn[c, 2] * ez
                gloss, power = 0.9, 160.0
            elif kind == HAIR:
                shine = strands(2.0 * abs(a[0])) * (0.75 + 0.25 * a[1])
                for c in range(3):
                    colour[c] = look.hair[c] * shine
                hairy = 1.0
            elif kind == GLASSES:
                colour[:] = look.frame
                gloss, power = 0.5, 40.0
            elif kind == TEETH:
                colour[0], colour[1], colour[2] = 0.58, 0.55, 0.49
                openness, gloss = look.mouth, 0.05
            else:
                colour[0], colour[1], colour[2] = 0.22, 0.05, 0.05
                openness = 0.4 * look.mouth
            length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
            for c in range(3):
                normal[c] /= max(length, 1e-9)
            vx, vy, vz = -p[0], -p[1], distance - p[2]
            length = np.sqrt(vx * vx + vy * vy + vz * vz)
            hx, hy, hz = light[0] + vx / length, light[1] + vy / length, light[2] + vz / length
            length = np.sqrt(hx * hx + hy * hy + hz * hz)
            half = max((normal[0] * hx + normal[1] * hy + normal[2] * hz) / length, 0.0)
            facing = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
            lit = step(1.5 * facing + 0.3)
            sun = sunlight(p, depth, frame)
            if kind == LEFT_EYE or kind == RIGHT_EYE:
                sun = 0.5 + 0.5 * sun
            if hairy > 0:  # a band of light across the strands
                gloss += 0.10 * hairy
                power = (1 - hairy) * power + 18.0 * hairy
            highlight = gloss * np.exp(power * (half - 1)) * lit * sun
            sky = 0.5 + 0.5 * normal[1]
            for c in range(3):
                wrap = _WRAP[c] if kind == SKIN else 0.1
                diffuse = max(facing + wrap, 0.0) / (1 + wrap)
                ambient = openness * (sky * _SKY[c] + (1 - sky) * _GROUND[c])
                key = _KEY[c] * diffuse * (0.35 + 0.65 * openness) * sun
                out[i, j, c] = colour[c] * (ambient + key) + _KEY[c] * highlight * openness
    return out
