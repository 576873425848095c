"""How long a synthetic face takes to draw: CPU time an image, and where it goes.

    OMP_NUM_THREADS=1 python benchmarks/faces_rendering.py

Protocol: all factors free; five seeds, 64 images each, after one image that compiles; process time
on one core, median over the seeds. The stages are timed on one face of the first seed, 30 calls.
"""

import argparse
import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from omt_course.course import records
from omt_course.datasets import appearance, faces, rasteriser, shading
from omt_course.datasets import head as heads

SEEDS = (0, 1, 2, 3, 4)
SIZES = (32, 64, 128, 256)
N = 64


def measure_sizes() -> list[dict]:
    """Return the CPU time of an image for every size."""
    rows = []
    for size in SIZES:
        faces.render(1, seed=9, size=size)
        times = []
        for seed in SEEDS:
            start = time.process_time()
            faces.render(N, seed=seed, size=size)
            times.append((time.process_time() - start) / N * 1e3)
        rows.append(
            {
                "size": size,
                "cpu_ms": round(float(np.median(times)), 2),
                "least_ms": round(min(times), 2),
                "most_ms": round(max(times), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def measure_stages(size: int = 64) -> dict:
    """Return the CPU time of each stage of one image, in ms."""
    head = heads.load()
    row = {name: float(values[0]) for name, values in faces.draw(1, seed=0).items()}
    n = rasteriser.n_samples(size)
    points, turn = faces._posed(head, row)
    screen = faces._project(points, size)
    look = appearance.look_of(row, turn)
    depth, frame = faces._shadows(head, points, look.light, 2 * size)
    seen, weight, _ = rasteriser.rasterise(screen, head.triangles, n)
    fixed = np.column_stack([head.rest, head.lips, head.lids, head.openness])
    moving = np.concatenate([points, rasteriser.normals(points, head.triangles)], axis=1)
    view = seen, weight, head.triangles, head.part, fixed, moving
    light = shading.shade(*view, look, faces.DISTANCE, depth, frame)
    stages = {
        "pose": lambda: faces._posed(head, row),
        "normals": lambda: rasteriser.normals(points, head.triangles),
        "z-buffer": lambda: rasteriser.rasterise(screen, head.triangles, n),
        "shadows": lambda: faces._shadows(head, points, look.light, 2 * size),
        "shading": lambda: shading.shade(*view, look, faces.DISTANCE, depth, frame),
        "filter": lambda: rasteriser.resolve(light, size),
    }
    out = {}
    for name, run in stages.items():
        start = time.process_time()
        for _ in range(30):
            run()
        out[name] = round((time.process_time() - start) / 30 * 1e3, 2)
    return out


def machine() -> str:
    """Return the processor's name, the number of cores and how busy they are."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def main() -> None:
    """Run the benchmark, print its tables, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    where = machine()
    values = {"sizes": measure_sizes(), "stages_ms_at_64": measure_stages(), "images": N}
    print(f"\nCPU ms an image, median of seeds {list(SEEDS)}, {N} images each, one core.\n{where}")
    print(f"Python {platform.python_version()}, numba {metadata.version('numba')}\n")
    print("| size | CPU ms | least | most |\n|---|---|---|---|")
    for r in values["sizes"]:
        print(f"| {r['size']} | {r['cpu_ms']} | {r['least_ms']} | {r['most_ms']} |")
    print("\n| stage at 64 x 64 | CPU ms |\n|---|---|")
    for name, ms in values["stages_ms_at_64"].items():
        print(f"| {name} | {ms} |")
    if not arguments.no_record:
        command = "python benchmarks/faces_rendering.py"
        print(records.write("faces-rendering", values, command=command, seeds=SEEDS, device=where))


if __name__ == "__main__":
    main()
