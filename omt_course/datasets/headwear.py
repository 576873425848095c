"""What the head of the synthetic faces wears: hair that hangs down, and glasses.

Lengths are decimetres; the origin lies between the eyes, x points to the person's left, y up, z to
the front. Used by `datasets.head`.
"""

from dataclasses import dataclass

import numpy as np

EYE = np.array([0.289, 0.0, 0.0])  # centre of the left eyeball
_CURTAIN = (49, 11)  # strands across, points along a strand
_RING, _TUBE = 36, 6


@dataclass(frozen=True)
class Frame:
    """Glasses as tubes: centre line (k, 3), way across the tube (k, 3), side (k,), triangles.

    `side` is 1 for what goes with the left eye, 0 for what goes with the right one.
    """

    centre: np.ndarray
    across: np.ndarray
    side: np.ndarray
    triangles: np.ndarray


def smoothstep(t):
    """Return `3 t^2 - 2 t^3` on [0, 1], constant outside.

    Examples
    --------
    >>> smoothstep(np.array([-1, 0.5, 3])).tolist()
    [0.0, 0.5, 1.0]
    """
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def curtain():
    """Return hair that hangs from the sides and the back: strand coordinates and triangles.

    Returns
    -------
    strands : (k, 3) float array
        Angle about the vertical (0 at the back), place along the strand in [0, 1], and 1 for the
        inner face, 0 for the outer one.
    triangles : (m, 3) int array
    """
    across, along = _CURTAIN
    angle = np.linspace(-2.05, 2.05, across)
    a, s = np.meshgrid(angle, np.linspace(0, 1, along), indexing="ij")
    outer = np.column_stack([a.ravel(), s.ravel(), np.zeros(a.size)])
    k = np.arange(across * along).reshape(across, along)
    corners = [k[:-1, :-1], k[1:, :-1], k[1:, 1:], k[:-1, 1:]]
    p, q, r, t = (corner.ravel() for corner in corners)
    left = (a[:-1, :-1] >= 0).ravel()[:, None]  # diagonals that are mirror images
    first = np.where(left, np.column_stack([p, q, r]), np.column_stack([p, q, t]))
    second = np.where(left, np.column_stack([p, r, t]), np.column_stack([q, r, t]))
    half = np.concatenate([first, second])
    inner = outer + [0, 0, 1]
    return np.concatenate([outer, inner]), np.concatenate([half, half[:, ::-1] + k.size])


def hang(strands, length):
    """Return where hanging hair lies for a length in decimetres, (k, 3).

    Examples
    --------
    >>> strands, _ = curtain()
    >>> low = hang(strands, 1.0)[:, 1].min()
    >>> float(np.ptp(hang(strands, 0.0)[:, 1])), bool(-0.9 < low < -0.7)
    (0.0, True)
    """
    angle, s, inner = strands.T
    drop = length * s * (1 - 0.08 * np.cos(9 * angle))
    edge = smoothstep((np.abs(angle) - 1.5) / 0.55)
    size = 0.60 + 0.40 * smoothstep(length / 0.5)  # no hair hangs: the sheet lies within the head
    size *= 0.93 + 0.06 * smoothstep(drop / 0.5) + 0.03 * np.sin(np.pi * np.minimum(drop / 1.5, 1))
    size -= 0.10 * s**2 * (1 - smoothstep(length / 1.2))  # short hair hugs the neck
    size += 0.012 * np.cos(23 * angle) - 0.05 * inner * (1 - edge) - 0.08 * edge
    tuck = 0.12 * smoothstep((drop - 0.75) / 0.6) * np.cos(angle / 2)
    turn = angle * (0.70 + 0.30 * smoothstep(length / 1.1))  # short hair stays behind the ears
    x = 0.88 * np.sin(turn) * size
    z = -0.80 - 0.95 * np.cos(turn) * (size - tuck) + 0.05 * edge
    return np.column_stack([x, 0.22 - drop, z])


def glasses() -> Frame:
    """Return two round rims, a bridge and two temples in front of the eyes.

    Examples
    --------
    >>> frame = glasses()
    >>> np.linalg.norm(frame.across, axis=1).round(12).min()
    np.float64(1.0)
    """
    centres, across, sides, triangles, start = [], [], [], [], 0
    for line, closed, side, has_twin in _wires():
        tube, faces = _tube(line, closed)
        for sign in (1, -1) if has_twin else (1,):
            mirror = np.array([sign, 1, 1])
            centres.append(np.repeat(line * mirror, _TUBE, axis=0))
            across.append(tube * mirror)
            sides.append(np.repeat(side if sign == 1 else 1 - side, _TUBE))
            triangles.append(start + faces[:, ::sign])
            start += len(tube)
    stacks = (np.concatenate(parts) for parts in (centres, across, sides, triangles))
    return Frame(*stacks)


def _tube(line, closed):
    """Return the ways across a tube about a line, (k, 3), and its triangles, (m, 3)."""
    if closed:
        along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    else:
        along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    u = np.cross(along, [0.0, 0.0, 1.0] if closed else [0.0, 1.0, 0.0])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(along, u)
    angle = 2 * np.pi * np.arange(_TUBE) / _TUBE
    tube = u[:, None] * np.cos(angle)[:, None] + v[:, None] * np.sin(angle)[:, None]
    n = len(line)
    i = np.arange(n if closed else n - 1) * _TUBE
    faces = []
    for k in range(_TUBE):
        here, there, up = i, (i + _TUBE) % (n * _TUBE), (k + 1) % _TUBE
        a, b, c, d = here + k, here + up, there + up, there + k
        faces += [np.column_stack([a, b, c]), np.column_stack([a, c, d])]
    return tube.reshape(-1, 3), np.concatenate(faces)


def _wires():
    """Yield centre line, whether it closes, the side of its points, whether it has a twin."""
    t = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    x, y = EYE[0] + 0.015 + 0.215 * np.cos(t), EYE[1] - 0.03 + 0.185 * np.sin(t)
    rim = np.column_stack([x, y, EYE[2] + 0.30 - 0.35 * (x - 0.1) ** 2])
    yield rim, True, np.ones(len(rim)), True
    s = np.linspace(0, 1, 6)
    temple = np.column_stack([0.51 + 0.21 * s**0.5, 0.03 + 0 * s, 0.245 - 1.1 * s])
    yield temple, False, np.ones(len(temple)), True
    s = np.linspace(-1, 1, 7)
    bridge = np.column_stack([0.1 * s, 0.055 - 0.03 * s**2, 0.29 + 0.03 * (1 - s**2)])
    yield bridge, False, (1 + s) / 2, False
