"""Exact semi-discrete transport in the plane beside POT's and OTT-JAX's semi-discrete solvers.

Uniform density on the unit square onto `n` uniform points of equal mass. Every solver hands back
one potential per point; the error it has reached is read off the exact areas of the cells of that
potential, by `omt_course.transport.laguerre`, for all alike. Time is CPU time (all threads) of the
solve on one core, without imports, without compilation.

    python benchmarks/semidiscrete_plane.py --ott-python /tmp/ottvenv/bin/python

OTT-JAX lives in an environment of its own (`python -m venv /tmp/ottvenv` and
`/tmp/ottvenv/bin/pip install ott-jax==0.6.0`); this script is also the worker that runs there.
Without `--ott-python` its rows are left out. `--tune` shows how the peers' settings were chosen.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np

SEEDS = (0, 1, 2)
TUNING_SEED = 100  # points that no row of the table is measured on

# The settings with the least rms error in `POT_GRID` and `OTT_GRID`, run for about 20 CPU seconds.
POT_TUNED = dict(batch_size=256, lr0=0.02, lr_exponent=0.15, decreasing_reg=False, max_iter=2000)
OTT_TUNED = dict(batch_size=256, rate=0.01, optimizer="sgd", ema=0.99, epsilon=1e-5, steps=3200)


def uniform_points(n: int, seed: int) -> np.ndarray:
    """Return the targets, (n, 2) float array."""
    return np.random.default_rng(seed).random((n, 2))


# The solvers: each returns heights, (n,) float array, and the CPU seconds it took.


def run_ours(points: np.ndarray, seed: int, *, tol: float) -> tuple[np.ndarray, float]:
    """Damped Newton over exact cells."""
    from omt_course.transport.domains import Box
    from omt_course.transport.semidiscrete import solve

    start = time.process_time()
    result = solve(Box([0, 0], [1, 1]), points, tol=tol)
    return result.heights, time.process_time() - start


def run_pot(points: np.ndarray, seed: int, **options) -> tuple[np.ndarray, float]:
    """Averaged stochastic gradient of POT; single precision unless `dtype` says otherwise."""
    from ot.semidiscrete import solve_semidiscrete

    dtype = options.pop("dtype", "float32")
    rng = np.random.default_rng(seed + 1000)
    target = points.astype(dtype)
    start = time.process_time()
    g = solve_semidiscrete(
        target, lambda size: rng.random((size, 2), dtype=target.dtype), **options
    )
    seconds = time.process_time() - start
    return heights_of(points, g), seconds


def run_ott(points: np.ndarray, seed: int, *, python: str, **options) -> tuple[np.ndarray, float]:
    """Stochastic gradient of OTT-JAX, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "points.npy"), points)
        worker = [python, __file__, "--ott-worker", folder, json.dumps({"seed": seed, **options})]
        subprocess.run(worker, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
        g, seconds = np.load(Path(folder, "g.npy")), float(np.load(Path(folder, "seconds.npy")))
    return heights_of(points, g), seconds


def ott_worker(folder: str, options: dict) -> None:
    """Solve with OTT-JAX: runs in an environment that has it, and needs nothing of ours."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import optax
    from ott.geometry.semidiscrete_pointcloud import SemidiscretePointCloud
    from ott.problems.linear.semidiscrete_linear_problem import SemidiscreteLinearProblem
    from ott.solvers.linear.semidiscrete import SemidiscreteSolver

    points = np.load(Path(folder, "points.npy")).astype(np.float32)
    steps = options["steps"]
    rate = optax.cosine_decay_schedule(options["rate"], steps)
    geometry = SemidiscretePointCloud(
        lambda key, shape, dtype: jax.random.uniform(key, shape, dtype),
        jax.numpy.asarray(points),
        epsilon=options["epsilon"],
    )
    solver = SemidiscreteSolver(
        num_iterations=steps,
        batch_size=options["batch_size"],
        optimizer=getattr(optax, options["optimizer"])(rate),
        potential_ema=options["ema"],
        error_eval_every=steps,  # its own error estimate costs time and stops nothing here
        error_num_repeats=1,
        threshold=0.0,
    )
    solve = jax.jit(lambda key: solver(key, SemidiscreteLinearProblem(geometry)).g)
    key = jax.random.key(options["seed"])
    compiled = solve.lower(key).compile()
    start = time.process_time()
    g = np.asarray(compiled(key))
    np.save(Path(folder, "seconds.npy"), time.process_time() - start)
    np.save(Path(folder, "g.npy"), g)


def heights_of(points: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return heights for a peer's potential: `|x - y|^2 - g` is least where `<x, y> + h` is most.

    `h = (g - |y|^2) / 2`.
    """
    return (np.asarray(g, dtype=float) - (points**2).sum(axis=1)) / 2


def mass_errors(points: np.ndarray, heights: np.ndarray) -> tuple[float, float]:
    """Return the largest and the root-mean-square relative mass error, from exact cell areas."""
    from omt_course.transport.domains import Box
    from omt_course.transport.laguerre import laguerre_diagram

    masses = laguerre_diagram(Box([0, 0], [1, 1]), points, heights).masses
    error = masses * len(points) - 1
    return float(np.abs(error).max()), float(np.sqrt((error**2).mean()))


# Choosing the peers' settings

POT_GRID = [
    dict(batch_size=256, lr0=lr0, lr_exponent=power, decreasing_reg=False, max_iter=2000)
    for lr0, power in [(0.01, 0.05), (0.01, 0.15), (0.02, 0.15), (0.02, 0.3), (0.04, 0.3)]
] + [
    dict(
        batch_size=batch, lr0=lr0, lr_exponent=power,
        decreasing_reg_initial_eps=eps, max_iter=max_iter,
    )
    for batch, lr0, power, eps, max_iter in [
        (256, 0.01, 0.15, 1e-4, 750),
        (256, 0.02, 0.3, 1e-4, 750),
        (64, 0.025, 0.5, 1e-4, 4500),
        (64, 0.025, 0.5, 1e-3, 4500),
    ]
]  # fmt: skip
OTT_GRID = [
    dict(batch_size=256, rate=rate, optimizer="sgd", ema=0.99, epsilon=epsilon, steps=steps)
    for epsilon, steps in [(0.0, 1600), (1e-5, 3200), (3e-5, 3200)]
    for rate in (0.003, 0.01, 0.02)
] + [
    dict(batch_size=256, rate=rate, optimizer="adam", ema=0.99, epsilon=1e-5, steps=3200)
    for rate in (5e-6, 1e-5)
]


def tune(n: int, ott_python: str | None) -> None:
    """Print the error of every setting of the grids, on points that the table does not use."""
    points = uniform_points(n, TUNING_SEED)
    for options in POT_GRID:
        heights, seconds = run_pot(points, 0, **options)
        report("POT", options, seconds, *mass_errors(points, heights))
    for options in OTT_GRID if ott_python else []:
        heights, seconds = run_ott(points, 0, python=ott_python, **options)
        report("OTT-JAX", options, seconds, *mass_errors(points, heights))


def report(name, options, seconds, largest, rms):
    """Print one run."""
    print(f"{name} {options}: {seconds:.1f} s, max {largest:.3g}, rms {rms:.3g}", flush=True)


# The table


def main() -> None:
    """Run the benchmark, print its protocol and table, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="number of points")
    parser.add_argument("--ott-python", help="Python of an environment with ott-jax")
    parser.add_argument("--skip-defaults", action="store_true", help="leave out POT's defaults")
    parser.add_argument("--tune", action="store_true", help="run the grids of settings instead")
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--ott-worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ott_worker:
        ott_worker(arguments.ott_worker[0], json.loads(arguments.ott_worker[1]))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if arguments.tune:
        tune(arguments.n, arguments.ott_python)
        return
    rows = measure(arguments.n, arguments.ott_python, not arguments.skip_defaults)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "POT")}
    if arguments.ott_python:
        code = "from importlib import metadata as m; print(m.version('ott-jax'), m.version('jax'))"
        line = subprocess.run([arguments.ott_python, "-c", code], capture_output=True, text=True)
        versions["ott-jax"], versions["jax"] = line.stdout.split()
    values = {"n": arguments.n, "versions": versions, "rows": rows}
    show(values)
    if not arguments.no_record:
        from omt_course.course import records

        command = f"python benchmarks/semidiscrete_plane.py --n {arguments.n}" + (
            " --ott-python /tmp/ottvenv/bin/python" if arguments.ott_python else ""
        )
        print(records.write("semidiscrete-plane", values, command=command, seeds=SEEDS))


def measure(n: int, ott_python: str | None, defaults: bool) -> list[dict]:
    """Run all solvers in turn, seed after seed, and return one row per solver."""
    runs = {
        "omt_course, tol 1e-6": (run_ours, dict(tol=1e-6)),
        "omt_course, tol 1e-10": (run_ours, dict(tol=1e-10)),
        "POT, tuned": (run_pot, POT_TUNED),
    }
    if ott_python:
        runs["OTT-JAX, tuned"] = (run_ott, dict(python=ott_python, **OTT_TUNED))
    if defaults:
        runs["POT, defaults"] = (run_pot, dict(dtype="float64"))
    run_ours(uniform_points(n, TUNING_SEED), 0, tol=1e-2)  # first calls load libraries
    results: dict[str, list] = {name: [] for name in runs}
    for seed in SEEDS:
        points = uniform_points(n, seed)
        for name, (run, options) in runs.items():
            heights, seconds = run(points, seed, **options)
            results[name].append((seconds, *mass_errors(points, heights)))
            report(name, f"seed {seed}", *results[name][-1])
    rows = []
    for name, measured in results.items():
        seconds, largest, rms = np.median(measured, axis=0)
        options = {key: value for key, value in runs[name][1].items() if key != "python"}
        rows.append(
            {
                "solver": name,
                "options": options,
                "cpu_seconds": round(float(seconds), 3),
                "max_relative_error": float(f"{largest:.3g}"),
                "rms_relative_error": float(f"{rms:.3g}"),
            }
        )
    return rows


def show(values: dict) -> None:
    """Print protocol, machine and a markdown table."""
    versions = ", ".join(f"{name} {version}" for name, version in values["versions"].items())
    print(
        f"\nUniform density on the unit square onto {values['n']} uniform points "
        f"(numpy.random.default_rng(seed).random((n, 2))), equal masses.\n"
        f"CPU seconds of the solve on one core, medians over seeds {list(SEEDS)} (runs taken in "
        f"turn); imports and JAX's compilation not counted.\n"
        f"Errors from exact cell areas at the heights handed back.\n"
        f"{machine()}, Python {platform.python_version()}, {versions}\n"
    )
    first = values["rows"][0]["cpu_seconds"]
    print("| solver | CPU s | time ratio | max relative error | rms relative error |")
    print("|---|---|---|---|---|")
    for row in values["rows"]:
        print(
            f"| {row['solver']} | {row['cpu_seconds']:.2f} "
            f"| {row['cpu_seconds'] / first:.1f} | {row['max_relative_error']:.2g} "
            f"| {row['rms_relative_error']:.2g} |"
        )


def machine() -> str:
    """Return the processor's name and the number of cores."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
