"""The head of the synthetic faces: a mesh, its morph targets, hair and glasses, and how they move.

`load` reads ``data/faces/head.npz`` (MakeHuman's head and the ARKit expression shapes, CC0; made by
``data/make_head.py``). Lengths are decimetres; the origin lies between the eyes, x points to the
person's left, y up, z to the front. Used by `datasets.faces`, taught in *Two laws of data*.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numba import njit

from omt_course.datasets import shipped
from omt_course.datasets.headwear import EYE, Frame, curtain, glasses, hang, smoothstep

SKIN, LEFT_EYE, RIGHT_EYE, TEETH, TONGUE, HAIR, GLASSES = range(7)
EYE_RADIUS = 0.145
PIVOT = np.array([0.0, -0.45, -0.75])  # the head turns about this point


@dataclass(frozen=True)
class Head:
    """Everything that does not change from image to image.

    `vertices` (k, 3) are those of the head, then of the hair that hangs down, then of the glasses;
    `triangles` (m, 3) and their `part` (m,) cover all of them. `rest` (k, 3) is where a point of
    the head lies before it moves (angle and length along the strand for hanging hair); `lips`,
    `lids` and `openness` (k,) lie in 0 ... 1; `follow` (k,) says how far a vertex follows the
    turning head; `shell` (k, 3) is the way in which hair grows. Target `i` moves the vertices
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
    frame: Frame
    eyes: tuple[np.ndarray, np.ndarray]
    targets: dict[str, int]
    first: np.ndarray
    target_index: np.ndarray
    target_delta: np.ndarray


@functools.cache
def load() -> Head:
    """Read the head once and add hanging hair and glasses.

    Examples
    --------
    >>> head = load()
    >>> int(head.part.max()) == GLASSES, "jawOpen" in head.targets
    (True, True)
    """
    with np.load(shipped.path("faces", "head.npz")) as file:
        data = {name: file[name] for name in file.files}
    vertices = data["vertices"].astype(float)
    n = len(vertices)
    triangles = data["triangles"].astype(np.int64)
    part = data["part"].astype(np.int64)
    strands, sheet = curtain()
    frame = glasses()
    extra = len(strands) + len(frame.centre)
    rest = np.concatenate([vertices, strands, np.zeros_like(frame.centre)])
    pieces = [triangles, sheet + n, frame.triangles + n + len(strands)]
    kinds = [part, np.full(len(sheet), HAIR), np.full(len(frame.triangles), GLASSES)]
    vertices = vertices.copy()
    vertices[np.unique(triangles[(part == TEETH) | (part == TONGUE)]), 2] -= 0.03
    vertices[np.unique(triangles[part == TONGUE]), 1] -= 0.05

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
        frame=frame,
        eyes=tuple(np.unique(triangles[part == p]) for p in (LEFT_EYE, RIGHT_EYE)),
        targets={str(name): i for i, name in enumerate(data["target_names"])},
        first=data["target_first"].astype(np.int64),
        target_index=data["target_index"].astype(np.int64),
        target_delta=data["target_delta"] * 1e-4,
    )


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
    first = len(points) - len(head.frame.centre)
    points[head.n_head : first] = hang(head.rest[head.n_head : first], hanging)
    left, right = (
        points[eye].mean(axis=0) - rest for eye, rest in zip(head.eyes, (EYE, -EYE), strict=True)
    )
    side = head.frame.side[:, None]
    points[first:] = head.frame.centre + thickness * head.frame.across
    points[first:] += side * left + (1 - side) * right
    follow = head.follow.copy()
    follow[head.n_head : first] = smoothstep((points[head.n_head : first, 1] + 2.0) / 1.4)
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
    last = np.nan
    for v in range(len(points)):
        w = follow[v]
        if w != last:
            last = w
            cp, sp = np.cos(w * pitch), np.sin(w * pitch)
            cy, sy = np.cos(w * yaw), np.sin(w * yaw)
            cr, sr = np.cos(w * roll), np.sin(w * roll)
        x, y, z = points[v, 0] - PIVOT[0], points[v, 1] - PIVOT[1], points[v, 2] - PIVOT[2]
        y, z = cp * y - sp * z, sp * y + cp * z
        x, z = cy * x + sy * z, cy * z - sy * x
        x, y = cr * x + sr * y, cr * y - sr * x
        points[v, 0], points[v, 1], points[v, 2] = x + PIVOT[0], y + PIVOT[1], z + PIVOT[2]
