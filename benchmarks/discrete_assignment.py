"""Discrete transport between two clouds of equal masses: POT and SciPy side by side.

Two clouds of `n` uniform points in the unit square, squared distances. Solved as an assignment
(SciPy's shortest augmenting paths), as a transport plan (POT's network simplex), and as a linear
program (SciPy's HiGHS), in turn, seed after seed, on one core; and by `omt_course.transport
.discrete`, which rests on the first two and adds the certificate: dual potentials and a gap.
All must find the same cost.

    python benchmarks/discrete_assignment.py
"""

import argparse
import os
import platform
import time
from importlib import metadata

import numpy as np

SEEDS = (0, 1, 2)
SIZES = (100, 300, 1_000, 3_000)
LARGEST_PROGRAM = 300  # n^2 unknowns


def clouds(n: int, seed: int) -> np.ndarray:
    """Return the matrix of squared distances, (n, n) float array."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((n, 2)), rng.random((n, 2))
    return ((x[:, None] - y) ** 2).sum(axis=2)


def scipy_assignment(cost: np.ndarray) -> float:
    """Return the cost of the best assignment, per point."""
    from scipy.optimize import linear_sum_assignment

    return float(cost[linear_sum_assignment(cost)].mean())


def pot_simplex(cost: np.ndarray) -> float:
    """Return the cost of the best plan by the network simplex."""
    import ot

    uniform = np.full(len(cost), 1 / len(cost))
    return float(ot.emd2(uniform, uniform, cost, numItermax=10_000_000))


def scipy_program(cost: np.ndarray) -> float:
    """Return the cost of the best plan as a linear program."""
    import scipy.sparse as sp
    from scipy.optimize import linprog

    n = len(cost)
    rows = sp.kron(sp.eye(n), np.ones((1, n)))
    columns = sp.kron(np.ones((1, n)), sp.eye(n))
    sums = np.full(2 * n, 1 / n)
    return float(linprog(cost.ravel(), A_eq=sp.vstack([rows, columns]), b_eq=sums).fun)


def ours_assignment(cost: np.ndarray) -> float:
    """Return the certified cost of `omt_course.transport.discrete.assignment`."""
    from omt_course.transport.discrete import assignment

    return assignment(cost).primal


def ours_plan(cost: np.ndarray) -> float:
    """Return the certified cost of `omt_course.transport.discrete.plan`."""
    from omt_course.transport.discrete import plan

    uniform = np.full(len(cost), 1 / len(cost))
    return plan(uniform, uniform, cost).primal


SOLVERS = {
    "SciPy assignment": scipy_assignment,
    "POT network simplex": pot_simplex,
    "SciPy linear program (HiGHS)": scipy_program,
    "omt_course assignment, certified": ours_assignment,
    "omt_course plan, certified": ours_plan,
}


def main() -> None:
    """Run the benchmark, print its protocol and table, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for solve in SOLVERS.values():
        solve(clouds(20, 100))  # first calls load libraries
    rows = []
    for n in SIZES:
        seconds = {name: [] for name in SOLVERS if n <= LARGEST_PROGRAM or "program" not in name}
        for seed in SEEDS:
            cost, found = clouds(n, seed), {}
            for name in seconds:
                start = time.process_time()
                found[name] = SOLVERS[name](cost)
                seconds[name].append(time.process_time() - start)
            spread = max(found.values()) - min(found.values())
            if spread > 1e-9:
                raise SystemExit(f"the solvers disagree by {spread:.1e} at n = {n}: {found}")
        rows.append({"n": n} | {name: round(float(np.median(s)), 4) for name, s in seconds.items()})
        print(rows[-1], flush=True)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "POT")}
    values = {"versions": versions, "load_at_start": os.getloadavg()[0], "rows": rows}
    print(
        f"\nTwo clouds of n uniform points, squared distances; CPU seconds on one core, medians "
        f"over seeds {list(SEEDS)}, runs in turn; all costs agree to 1e-9.\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "\n"
    )
    print("| solver | " + " | ".join(f"n = {row['n']}" for row in rows) + " |")
    print("|---|" + "---|" * len(rows))
    for name in SOLVERS:
        print(f"| {name} | " + " | ".join(str(row.get(name, "-")) for row in rows) + " |")
    if not arguments.no_record:
        from omt_course.course import records

        command = "python benchmarks/discrete_assignment.py"
        print(records.write("discrete-assignment", values, command=command, seeds=SEEDS))


if __name__ == "__main__":
    main()
