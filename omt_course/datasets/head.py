"""The head of the synthetic faces: a mesh, its morph targets, hair and glasses, and how they move.

`load` reads ``data/faces/head.npz`` (MakeHuman's head and the ARKit expression shapes, CC0; made by
``data/make_head.py``). Lengths are decimetres; the origin lies between the eyes, x points to the
person's left, y up, z to the front. Used by `datasets.faces`, taught in *Two laws of data*.
"""

import functools
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

SKIN, LEFT_EYE, RIGHT_EYE, TEETH, TONGUE, HAIR, GLASSES = range(7)
EYE = np.array([0.289, 0.0, 0.0])  # centre of the left eyeball
EYE_RADIUS = 0.145
PIVOT = np.array([0.0, -0.45, -0.75])  # the head turns about this point
_REPOSITORY = Path(__file__).resolve().parents[2]
_CURTAIN = (49, 11)  # strands across, points along a strand
_RING, _TUBE = 36, 6


@dataclass(frozen=True)
class Head:
    """Everything that does not change from image to image.

    `vertices` (k, 3) are those of the head, then of the hair that hangs down, then of the glasses;
    `triangles` (m, 3) and their `part` (m,) cover all of them. `rest` (k, 3) is where a point of the
    head lies before it moves (angle and length along the strand for hanging hair), `lips`, `lids`
    and `openness` (k,) lie in 0 ... 1, `follow` (k,) says how far a vertex follows the turning head,
    `shell` (k, 3) is the way in which hair grows. Target `i` moves the vertices
    `target_index[first[i]:first[i + 1]]` by `target_delta`.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    rest: np.ndarray
    lips: np.ndarray
    lids: np.ndarray
    openness: np.ndarray
    follow: np.ndarray
    shell: np.ndarray
    n_head: int
    eyes: tuple[np.ndarray, np.ndarray]
    targets: dict[str, int]
    first: np.ndarray
    target_index: np.ndarray
    target_delta: np.ndarray


def path() -> Path:
    """Return where head.npz lies: in the clone, else in the installed package's share folder.

    Raises
    ------
    FileNotFoundError
        If it is in neither, with both places named.

    Examples
    --------
    >>> path().name
    'head.npz'
    """
    places = [
        _REPOSITORY / "data" / "faces" / "head.npz",
        Path(sysconfig.get_path("data"), "share", "omt_course", "faces", "head.npz"),
    ]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"head.npz is neither at {places[0]} nor at {places[1]}: install omt_course again, or make "
        f"it with 'python data/make_head.py WHEEL' in a clone"
    )


@functools.cache
def load() -> Head:
    """Read the head once and add hanging hair and glasses.

    Examples
    --------
    >>> head = load()
    >>> head.part.max() == GLASSES, "jawOpen" in head.targets
    (True, True)
    """
    with np.load(path()) as file:
        data = {name: file[name] for name in file.files}
    vertices = data["vertices"].astype(float)
    n = len(vertices)
    triangles = data["triangles"].astype(np.int64)
    part = data["part"].astype(np.int64)
    strands, sheet = curtain()
    frame, wire = glasses(EYE, -EYE)
    extra = len(strands) + len(frame)
    rest = np.concatenate([vertices, strands, np.zeros_like(frame)])
    pieces = [triangles, sheet + n, wire + n + len(strands)]
    kinds = [part, np.full(len(sheet), HAIR), np.full(len(wire), GLASSES)]

    def padded(values, fill):
        return np.concatenate([values / 255, np.full(extra, fill)])

    y, z = vertices[:, 1], vertices[:, 2]
    follow = smoothstep((y + 0.2 * (z + 0.7) + 1.5) / 0.65)
    follow = np.concatenate([follow, np.ones(extra)])
    return Head(
        vertices=np.concatenate([vertices, np.zeros((extra, 3))]),
        triangles=np.concatenate(pieces),
        part=np.concatenate(kinds),
        rest=rest,
        lips=padded(data["lips"], 0.0),
        lids=padded(data["lids"], 0.0),
        openness=padded(data["openness"], 1.0),
        follow=follow,
        shell=_shell(vertices, extra),
        n_head=n,
        eyes=tuple(np.unique(triangles[part == p]) for p in (LEFT_EYE, RIGHT_EYE)),
        targets={str(name): i for i, name in enumerate(data["target_names"])},
        first=data["target_first"].astype(np.int64),
        target_index=data["target_index"].astype(np.int64),
        target_delta=data["target_delta"] * 1e-4,
    )


def smoothstep(t):
    """Return `3 t^2 - 2 t^3` on [0, 1], constant outside.

    Examples
    --------
    >>> smoothstep(np.array([-1, 0.5, 3])).tolist()
    [0.0, 0.5, 1.0]
    """
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


HAIRLINE_Z = np.array([-1.9, -1.25, -1.08, -0.98, -0.60, -0.47, -0.36, -0.20, -0.05, 0.1, 0.5])
HAIRLINE_Y = np.array([-0.8, -0.70, -0.20, 0.12, 0.12, -0.08, 0.05, 0.45, 0.60, 0.66, 0.66])


def _shell(vertices, extra):
    """Return the way in which the scalp moves out as its hair grows, (k, 3)."""
    centre = np.array([0.0, 0.15, -0.75])
    out = vertices - centre
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    above = vertices[:, 1] - np.interp(vertices[:, 2], HAIRLINE_Z, HAIRLINE_Y)
    share = smoothstep((above + 0.02) / 0.22)
    return np.concatenate([share[:, None] * out, np.zeros((extra, 3))])


def curtain():
    """Return hair that hangs from the sides and the back: strand coordinates and triangles.

    Returns
    -------
    strands : (k, 3) float array
        Angle about the vertical (0 at the back), place along the strand in [0, 1], 0.
    triangles : (m, 3) int array
        Each twice, once for either side.
    """
    across, along = _CURTAIN
    angle = np.linspace(-1.95, 1.95, across)
    a, s = np.meshgrid(angle, np.linspace(0, 1, along), indexing="ij")
    strands = np.column_stack([a.ravel(), s.ravel(), np.zeros(a.size)])
    k = np.arange(across * along).reshape(across, along)
    corners = [k[:-1, :-1], k[1:, :-1], k[1:, 1:], k[:-1, 1:]]
    p, q, r, t = (corner.ravel() for corner in corners)
    half = np.concatenate([np.column_stack([p, q, r]), np.column_stack([p, r, t])])
    return strands, np.concatenate([half, half[:, ::-1]])


def hang(strands, length):
    """Return where hanging hair lies for a length in decimetres, (k, 3).

    Examples
    --------
    >>> strands, _ = curtain()
    >>> float(np.ptp(hang(strands, 0.0)[:, 1])), hang(strands, 1.0)[:, 1].min().round(2)
    (0.0, np.float64(-0.78))
    """
    angle, s = strands[:, 0], strands[:, 1]
    y = 0.22 - length * s * (1 - 0.1 * np.cos(9 * angle))
    edge = smoothstep((np.abs(angle) - 1.45) / 0.5)
    swell = 1 + 0.07 * np.sin(np.pi * np.clip((0.22 - y) / 1.3, 0, 1)) - 0.10 * edge
    swell += 0.012 * np.cos(23 * angle)
    inward = 0.10 * smoothstep((-0.55 - y) / 0.6) * np.cos(angle / 2)
    x = 0.80 * np.sin(angle) * swell
    z = -0.80 - 0.92 * np.cos(angle) * (swell - inward) + 0.10 * edge
    return np.column_stack([x, y, z])


def glasses(left, right):
    """Return glasses of zero thickness: the centre line and the tube's directions, and triangles.

    Returns
    -------
    frame : (k, 3) float array
        Vertices; `wear` gives them a place and a thickness.
    triangles : (m, 3) int array
    """
    lines, closed = _wires(left, right)
    triangles, start = [], 0
    for line, loop in zip(lines, closed, strict=True):
        n = len(line)
        i = np.arange(n if loop else n - 1)
        for k in range(_TUBE):
            a, b = start + i * _TUBE + k, start + i * _TUBE + (k + 1) % _TUBE
            c, d = (
                start + (i + 1) % n * _TUBE + (k + 1) % _TUBE,
                start + (i + 1) % n * _TUBE + k,
            )
            triangles += [np.column_stack([a, c, b]), np.column_stack([a, d, c])]
        start += n * _TUBE
    return wear(left, right, 0.0), np.concatenate(triangles)


def _wires(left, right):
    """Return the centre lines of two rims, the bridge and two temples."""
    t = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    lines = []
    for side, eye in ((1, left), (-1, right)):
        x = eye[0] + side * (0.015 + 0.215 * np.cos(t))
        y = eye[1] - 0.03 + 0.185 * np.sin(t)
        bend = 0.30 - 0.35 * (np.abs(x) - 0.1) ** 2
        rim = np.column_stack([x, y, eye[2] + bend])
        lines.append(rim if side == 1 else rim[::-1])
    s = np.linspace(-1, 1, 7)
    bridge = np.column_stack([0.1 * s, 0.055 - 0.03 * s**2, 0.29 + 0.03 * (1 - s**2)])
    lines.append(bridge + (left + right) / 2)
    s = np.linspace(0, 1, 6)
    for side, eye in ((1, left), (-1, right)):
        temple = np.column_stack(
            [side * (0.51 + 0.21 * s**0.5), 0.03 + 0 * s, 0.245 - 1.1 * s]
        ) + np.array([0.0, eye[1], eye[2]])
        lines.append(temple if side == 1 else temple[::-1])
    return lines, (True, True, False, False, False)


def wear(left, right, thickness):
    """Return the vertices of glasses in front of two eyes, tubes of a given radius, (k, 3)."""
    out = []
    lines, closed = _wires(left, right)
    angle = 2 * np.pi * np.arange(_TUBE) / _TUBE
    for line, loop in zip(lines, closed, strict=True):
        if loop:
            along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
        else:
            along = np.gradient(line, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        up = np.array([0.0, 0.0, 1.0]) if loop else np.array([0.0, 1.0, 0.0])
        u = np.cross(along, up)
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        v = np.cross(along, u)
        ring = u[:, None] * np.cos(angle)[:, None] + v[:, None] * np.sin(angle)[:, None]
        out.append((line[:, None] + thickness * ring).reshape(-1, 3))
    return np.concatenate(out)


def pose(head, weights, *, angles, hair, hanging, thickness):
    """Return the vertices of a face.

    Parameters
    ----------
    head : Head
    weights : dict of str to float
        Morph targets and how much of each.
    angles : (3,) float array
        Yaw, pitch and roll in radians: to the person's left, down, to the person's left shoulder.
    hair, hanging : float
        Thickness of the hair on the scalp and length of the hair that hangs down, in dm.
    thickness : float
        Radius of the wire of the glasses, in dm.

    Returns
    -------
    points : (k, 3) float array
    turn : (3, 3) float array
        The rotation of the head.
    """
    points = head.vertices + hair * head.shell
    names = [name for name, weight in weights.items() if weight]
    rows = np.array([head.targets[name] for name in names], dtype=np.int64)
    values = np.array([weights[name] for name in names], dtype=float)
    _add_targets(points, rows, values, head.first, head.target_index, head.target_delta)
    strands = head.rest[head.n_head : head.n_head + np.prod(_CURTAIN)]
    points[head.n_head : head.n_head + len(strands)] = hang(strands, hanging)
    left, right = (points[eye].mean(axis=0) for eye in head.eyes)
    points[head.n_head + len(strands) :] = wear(left, right, thickness)
    follow = head.follow.copy()
    low = points[head.n_head :, 1]
    follow[head.n_head :] = smoothstep((low + 2.0) / 1.4)
    _turn(points, follow, *angles)
    return points, rotation(*angles)


def rotation(yaw, pitch, roll):
    """Return the matrix that turns a head by three angles in radians, (3, 3).

    Examples
    --------
    >>> (rotation(np.pi / 2, 0, 0) @ [0, 0, 1]).round(12).tolist()
    [1.0, 0.0, 0.0]
    """
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@njit(cache=True)
def _add_targets(points, rows, values, first, index, delta):
    for k in range(len(rows)):
        for i in range(first[rows[k]], first[rows[k] + 1]):
            for c in range(3):
                points[index[i], c] += values[k] * delta[i, c]


@njit(cache=True)
def _turn(points, follow, yaw, pitch, roll):
    for v in range(len(points)):
        w = follow[v]
        x, y, z = points[v, 0] - PIVOT[0], points[v, 1] - PIVOT[1], points[v, 2] - PIVOT[2]
        c, s = np.cos(w * pitch), np.sin(w * pitch)
        y, z = c * y - s * z, s * y + c * z
        c, s = np.cos(w * yaw), np.sin(w * yaw)
        x, z = c * x + s * z, c * z - s * x
        c, s = np.cos(w * roll), np.sin(w * roll)
        x, y = c * x + s * y, c * y - s * x
        points[v, 0], points[v, 1], points[v, 2] = x + PIVOT[0], y + PIVOT[1], z + PIVOT[2]
