"""Exact semi-discrete transport in the plane and in space beside sdot's.

Uniform density on the unit square or cube. Every problem is solved by both, in turn, seed after
seed, on one core; each run is a process of its own that first solves another problem of the same
size, so that neither imports nor compilation count. Time is CPU time of the solve. Whatever heights
come back, the error is read off cells cut by other code than either solver's (`laguerre_diagram`,
Qhull and NumPy, in the plane; every cell clipped by Qhull's neighbours in space).

    python benchmarks/semidiscrete_exact.py --sdot-python /tmp/sdot/bin/python

sdot wants Python 3.12 and an environment of its own (`python3.12 -m venv /tmp/sdot` and
`/tmp/sdot/bin/pip install sdot==2026.10.22.1 jax`); this script is also the worker that runs there.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np

SEEDS = (0, 1, 2)
TOLERANCE = 1e-6
CENTRES = {
    2: [[0.2, 0.25], [0.8, 0.3], [0.5, 0.82]],
    3: [[0.2, 0.25, 0.3], [0.8, 0.3, 0.6], [0.5, 0.82, 0.5]],
}
# name, dimension, number of points
ROWS = [
    ("uniform", 2, 1_000),
    ("uniform", 2, 10_000),
    ("uniform", 2, 100_000),
    ("three clusters", 2, 10_000),
    ("three clusters", 2, 100_000),
    ("exponential masses", 2, 10_000),
    ("uniform", 3, 1_000),
    ("uniform", 3, 10_000),
    ("three clusters", 3, 10_000),
]


def problem(name: str, d: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, d) and masses (n,) that sum to 1."""
    rng = np.random.default_rng(seed)
    masses = np.full(n, 1 / n)
    if name == "three clusters":
        centres = np.array(CENTRES[d])[rng.integers(0, 3, n)]
        return np.clip(centres + 0.03 * rng.standard_normal((n, d)), 0.001, 0.999), masses
    points = rng.random((n, d))
    if name == "exponential masses":
        masses = rng.exponential(size=n)
        masses /= masses.sum()
    return points, masses


def solve_ours(points: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Return heights, the number of diagrams, and nan."""
    from omt_course.transport.domains import Box
    from omt_course.transport.semidiscrete import solve

    d = points.shape[1]
    result = solve(Box([0] * d, [1] * d), points, masses, tol=TOLERANCE)
    return result.heights, result.history[-1].n_evaluations, np.nan


def solve_sdot(points: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Return heights, the number of diagrams, and the seconds that its C++ part reports.

    Its tolerance is absolute: the one of ours times the mean mass, never the harder one.
    """
    import sdot

    d = points.shape[1]
    plan = sdot.ot_solve(
        sdot.SumOfDiracs(points, masses),
        sdot.Image(np.ones((1,) * d)),
        tol=TOLERANCE * masses.mean(),
        duplicates="merge",
    )
    weights = np.asarray(plan.weights, dtype=float)
    heights = (weights - (points**2).sum(axis=1)) / 2
    return heights, int(plan.stats["nb_diag"]), float(plan.stats["t_total"])


def worker(solver: str, name: str, d: int, n: int, seed: int, out: str) -> None:
    """Solve one problem after a warm-up; needs nothing of ours where sdot lives."""
    if solver == "sdot":
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = flags
        import jax

        jax.config.update("jax_enable_x64", True)
    solve = {"ours": solve_ours, "sdot": solve_sdot}[solver]
    solve(*problem("uniform", d, n, 100))
    points, masses = problem(name, d, n, seed)
    memory = resident(reset_peak=True)
    start = time.process_time()
    heights, diagrams, inner = solve(points, masses)
    seconds = time.process_time() - start
    memory = resident() - memory
    np.savez(out, heights=heights, seconds=seconds, diagrams=diagrams, memory=memory, inner=inner)


def resident(reset_peak: bool = False) -> float:
    """Return the peak of the resident memory in megabytes, or restart the peak from here."""
    if reset_peak and Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    if Path("/proc/self/status").exists():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(python: str, *arguments) -> dict:
    """Run a worker and read what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "out.npz"))
        command = [python, __file__, "--worker", *map(str, arguments), out]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        with np.load(out) as file:
            return {name: file[name] for name in file.files}


def error_of(points: np.ndarray, masses: np.ndarray, heights: np.ndarray) -> float:
    """Return the largest relative mass error, from cells cut by Qhull's neighbours."""
    from omt_course.transport.domains import Box
    from omt_course.transport.laguerre import laguerre_diagram
    from omt_course.transport.solid import SolidCutter

    d = points.shape[1]
    if d == 2:
        w = laguerre_diagram(Box([0, 0], [1, 1]), points, heights).masses
    else:
        cutter = SolidCutter(Box([-0.5] * 3, [0.5] * 3), points - points.mean(axis=0))
        moved = heights + (points - points.mean(axis=0)) @ np.full(3, 0.5)
        w = cutter.by_qhull(moved.astype(np.longdouble) - moved.mean()).masses
    return float(np.abs(w / masses - 1).max())


def main() -> None:
    """Run the benchmark, print its protocol and table, and keep a record."""
    if sys.argv[1:2] == ["--worker"]:
        solver, name, d, n, seed, out = sys.argv[2:]
        worker(solver, name, int(d), int(n), int(seed), out)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdot-python", help="Python of an environment with sdot")
    parser.add_argument("--most", type=int, default=100_000, help="leave out larger problems")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    solvers = {"ours": sys.executable}
    if arguments.sdot_python:
        solvers["sdot"] = arguments.sdot_python
    rows = []
    load = os.getloadavg()[0]
    for name, d, n in ROWS:
        if n > arguments.most:
            continue
        row = {"problem": name, "d": d, "n": n}
        measured = {solver: [] for solver in solvers}
        for seed in SEEDS:
            points, masses = problem(name, d, n, seed)
            for solver, python in solvers.items():
                found = run(python, solver, name, d, n, seed)
                error = error_of(points, masses, found["heights"])
                measured[solver].append(
                    [float(found[k]) for k in ("seconds", "diagrams", "memory", "inner")] + [error]
                )
                print(name, d, n, "seed", seed, solver, measured[solver][-1], flush=True)
        for solver, values in measured.items():
            seconds, diagrams, memory, inner, _ = np.median(values, axis=0)
            row |= {
                f"{solver}_seconds": round(float(seconds), 4),
                f"{solver}_diagrams": int(diagrams),
                f"{solver}_megabytes": round(float(memory)),
                f"{solver}_error": float(f"{np.max(values, axis=0)[4]:.2g}"),
            }
        if "sdot" in solvers:
            row["ratio"] = round(row["ours_seconds"] / row["sdot_seconds"], 3)
            row["sdot_inner_seconds"] = round(float(inner), 4)
            row["inner_ratio"] = round(row["ours_seconds"] / row["sdot_inner_seconds"], 3)
        rows.append(row)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "numba", "pyamg")}
    if "sdot" in solvers:
        code = "from importlib import metadata as m; print(m.version('sdot'), m.version('jax'))"
        line = subprocess.run([solvers["sdot"], "-c", code], capture_output=True, text=True)
        versions["sdot"], versions["jax"] = line.stdout.split()
    values = {"tolerance": TOLERANCE, "versions": versions, "load_at_start": load, "rows": rows}
    show(values)
    if not arguments.no_record:
        from omt_course.course import records

        command = "python benchmarks/semidiscrete_exact.py" + (
            " --sdot-python /tmp/sdot/bin/python" if "sdot" in solvers else ""
        )
        print(records.write("semidiscrete-exact", values, command=command, seeds=SEEDS))


def show(values: dict) -> None:
    """Print protocol, machine and a markdown table."""
    versions = ", ".join(f"{name} {version}" for name, version in values["versions"].items())
    print(
        f"\nUniform density on the unit square (d = 2) or cube (d = 3), error {TOLERANCE:g}: ours "
        f"relative to each mass, sdot's to the mean mass.\nCPU seconds of the solve on one core, "
        f"medians over seeds {list(SEEDS)}, runs taken in turn, each after a warm-up of the same "
        f"size.\nMemory: peak of the resident set during the solve, above what it was before it.\n"
        f"Errors: largest relative mass error of all seeds, cells cut by Qhull's neighbours.\n"
        f"Second ratio: to the wall time that sdot's compiled part reports, without its Python.\n"
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load at start "
        f"{values['load_at_start']:.1f}, Python {platform.python_version()}, {versions}\n"
    )
    print("| problem | d | N | ours s | sdot s | ratio | inner ratio | diagrams | MB | error |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in values["rows"]:
        both = [
            f"{row[f'ours_{key}']:{how}} / "
            + (f"{row[f'sdot_{key}']:{how}}" if f"sdot_{key}" in row else "-")
            for key, how in (("diagrams", "d"), ("megabytes", "d"), ("error", ".1e"))
        ]
        sdot = f"{row['sdot_seconds']:.3f}" if "sdot_seconds" in row else "-"
        print(
            f"| {row['problem']} | {row['d']} | {row['n']} | {row['ours_seconds']:.3f} | {sdot} "
            f"| {row.get('ratio', '-')} | {row.get('inner_ratio', '-')} | {' | '.join(both)} |"
        )


if __name__ == "__main__":
    main()
