"""Harmonic maps of graphs with 10,000, 50,000 and 200,000 vertices, beside libigl's.

The surface is a smooth graph over the unit square with jittered vertices, Delaunay triangles. Both
start from ``V, F`` and end with the map: boundary found, boundary mapped to the circle by arc
length, Laplacian assembled, system solved. Each run is a process of its own on one core that first
maps another surface of the same size; time is CPU time. The two boundary values are compared first,
so that the largest difference of the maps is one of the solvers.

    python benchmarks/harmonic_maps.py --igl-python /tmp/geo/bin/python

libigl lives in an environment of its own (``python3 -m venv /tmp/geo`` and
``/tmp/geo/bin/pip install libigl numpy scipy``); this script is also the worker that runs there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

SIZES = (10_000, 50_000, 200_000)
SEEDS = (0, 1, 2)


def surface(n, seed):
    """Return V (about n, 3) and F of a graph over the square, counterclockwise from above."""
    rng = np.random.default_rng(seed)
    k = round(np.sqrt(n))
    grid = (np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2) + 0.5) / k
    rim = ((grid < 0.6 / k) | (grid > 1 - 0.6 / k)).any(axis=1)
    xy = grid + np.where(rim[:, None], 0.0, 0.35 / k * (rng.random(grid.shape) - 0.5))
    F = Delaunay(xy).simplices
    a, b, c = np.moveaxis(xy[F], 1, 0)
    u, v = b - a, c - a
    turned = u[:, 0] * v[:, 1] < u[:, 1] * v[:, 0]
    F[turned] = F[turned][:, ::-1]
    height = 0.25 * np.sin(5 * xy[:, 0]) * np.cos(4 * xy[:, 1])
    return np.column_stack([xy, height]), F.astype(np.int64)


def ours(V, F):
    """Return the map and its boundary."""
    from omt_course.geometry import disk_maps, meshes

    uv = disk_maps.harmonic(V, F)
    return uv, meshes.boundary_loops(F)[0]


def igls(V, F):
    """Return libigl's map and its boundary."""
    import igl

    rim = igl.boundary_loop(F)
    circle = igl.map_vertices_to_circle(V, rim)
    return igl.harmonic(V, F, rim, circle, 1), rim


def worker(solver, n, seed, out):
    """Map one surface after a warm-up; needs nothing of ours where libigl lives."""
    solve = {"ours": ours, "igl": igls}[solver]
    solve(*surface(n, 100))
    V, F = surface(n, seed)
    start = time.process_time()
    uv, rim = solve(V, F)
    np.savez(out, uv=uv, rim=rim, seconds=time.process_time() - start)


def run(python, *arguments):
    """Run a worker and read what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "out.npz"))
        command = [python, __file__, "--worker", *map(str, arguments), out]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        with np.load(out) as file:
            return {name: file[name] for name in file.files}


def aligned(uv, rim, first):
    """Turn a map so that vertex `first` of its rim lies at (1, 0); return map and orientation."""
    z = uv[:, 0] + 1j * uv[:, 1]
    return z / z[first]


def main():
    """Run the benchmark, print its protocol and table, and keep a record."""
    if sys.argv[1:2] == ["--worker"]:
        solver, n, seed, out = sys.argv[2:]
        worker(solver, int(n), int(seed), out)
        return
    from omt_course.course import records
    from omt_course.geometry import disk_maps, meshes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--igl-python", help="Python of an environment with libigl")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    rows, load = [], os.getloadavg()[0]
    for n in SIZES:
        seconds, difference, folds, angle = {"ours": [], "igl": []}, 0.0, 0, []
        for seed in SEEDS:
            V, F = surface(n, seed)
            mine = run(sys.executable, "ours", n, seed)
            seconds["ours"].append(float(mine["seconds"]))
            folds += int((meshes.signed_areas(mine["uv"], F) <= 0).sum())
            angle.append(disk_maps.angle_distortion(V, F, mine["uv"]).mean())
            if options.igl_python:
                theirs = run(options.igl_python, "igl", n, seed)
                seconds["igl"].append(float(theirs["seconds"]))
                first = mine["rim"][0]
                gap = aligned(mine["uv"], mine["rim"], first)
                gap = gap - aligned(theirs["uv"], theirs["rim"], first)
                difference = max(difference, float(np.abs(gap).max()))
        row = {
            "vertices": len(V),
            "ours_seconds": round(float(np.median(seconds["ours"])), 4),
            "folds": folds,
            "angle_degrees": round(float(np.mean(angle)), 3),
        }
        if options.igl_python:
            row["igl_seconds"] = round(float(np.median(seconds["igl"])), 4)
            row["ratio"] = round(row["ours_seconds"] / row["igl_seconds"], 3)
            row["largest_difference"] = float(f"{difference:.2g}")
        rows.append(row)
        print(row, flush=True)
    if not options.no_record:
        values = {"load_at_start": load, "rows": rows}
        if options.igl_python:
            code = "from importlib import metadata as m; print(m.version('libigl'))"
            line = subprocess.run([options.igl_python, "-c", code], capture_output=True, text=True)
            values["libigl"] = line.stdout.strip()
        command = "python benchmarks/harmonic_maps.py --igl-python PYTHON"
        print(records.write("harmonic-maps", values, command=command, seeds=SEEDS))


if __name__ == "__main__":
    main()
