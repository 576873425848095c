"""Minkowski's problem: time, Newton steps, and the areas recomputed by other means.

Regular solids and random normals with random areas, then facets of nearly no area, solved in four
ways. The referee shares no code with the solver: it clips every facet, in extended precision, by
its neighbours one after another, and makes sure that no other half-space cuts what is left. Time is
CPU time of the solve on one core, without imports.

    python benchmarks/minkowski.py
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull, KDTree

from omt_course.course import records
from omt_course.geometry import minkowski
from omt_course.geometry.facets import Unbounded, cut
from omt_course.geometry.minkowski import balanced, newton_step
from omt_course.geometry.polytope import cut_anywhere
from omt_course.transport.newton import damped_newton

SEEDS = (0, 1, 2)
CUBE = np.vstack([np.eye(3), -np.eye(3)])
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5


def dodecahedron() -> np.ndarray:
    """Return the normals of a dodecahedron, (12, 3) float array."""
    golden = (1 + 5**0.5) / 2
    one = np.array([(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)])
    return np.vstack([np.roll(one, k, axis=1) for k in range(3)]) / np.sqrt(1 + golden**2)


def directions(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` uniform unit vectors, (n, 3) float array."""
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# Problems: each returns normals and areas


def uneven(normals: np.ndarray, rng: np.random.Generator):
    """Areas uniform in [0.5, 1.5], balanced."""
    return normals, balanced(normals, rng.uniform(0.5, 1.5, len(normals)))


def random_problem(n: int) -> Callable:
    """Random normals and random areas."""

    def make(seed):
        rng = np.random.default_rng(seed)
        return uneven(directions(n, rng), rng)

    return make


def rough_polytope(seed: int):
    """Areas of `{<n_i, x> <= 1 + 0.001 g_i}`, 4,600 half-spaces of which about 3,000 are seen."""
    rng = np.random.default_rng(seed)
    normals = directions(4600, rng)
    support = 1 + 0.001 * rng.normal(size=4600)
    seen = cut(normals, support).areas > 0
    return normals[seen], cut(normals[seen], support[seen]).areas


def hull_of_points(seed: int):
    """Areas of the hull of 1,502 random points of the sphere: 3,000 triangles, some of them thin.

    Six facets meet in a vertex on average, so the solution lies where many edges vanish.
    """
    x = directions(1502, np.random.default_rng(seed))
    a, b, c = x[ConvexHull(x).simplices.T]
    normal = np.cross(b - a, c - a)
    normal *= np.sign(np.einsum("ij,ij->i", normal, a))[:, None]
    double = np.linalg.norm(normal, axis=1)
    return normal / double[:, None], double / 2


PROBLEMS = {
    "cube": (lambda seed: (CUBE, np.ones(6)), 1e-10),
    "tetrahedron": (lambda seed: (TETRAHEDRON, np.ones(4)), 1e-10),
    "dodecahedron": (lambda seed: (dodecahedron(), np.ones(12)), 1e-10),
    "box with sides 1, 2, 3": (lambda seed: (CUBE, np.array([6.0, 3, 2, 6, 3, 2])), 1e-10),
    "dodecahedron's normals, random areas": (
        lambda seed: uneven(dodecahedron(), np.random.default_rng(seed)), 1e-10
    ),
    "20 random": (random_problem(20), 1e-10),
    "80 random": (random_problem(80), 1e-10),
    "100 random": (random_problem(100), 1e-10),
    "1,000 random": (random_problem(1000), 1e-10),
    "10,000 random": (random_problem(10_000), 1e-10),
    "near-zero facets: rough ball": (rough_polytope, 1e-8),
    "near-zero facets: hull of 1,502 points": (hull_of_points, 1e-8),
}  # fmt: skip


# The referee


def referee(normals: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return areas by clipping in extended precision, (n,) float array."""
    exact, h = normals.astype(np.longdouble), support.astype(np.longdouble)
    tree = KDTree(normals)
    return np.array([_facet(i, exact, h, normals, tree) for i in range(len(h))], dtype=float)


def _facet(i, exact, h, normals, tree):
    n = exact[i]
    e1 = np.cross(n, np.eye(3, dtype=np.longdouble)[int(np.abs(normals[i]).argmin())])
    e1 /= np.sqrt((e1**2).sum())
    e2 = np.cross(n, e1)
    k = min(len(h), 24)
    others = [j for j in tree.query(normals[i], k)[1] if j != i]
    size = float(np.abs(h).max())
    polygon = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.longdouble)
    polygon *= 1e3 * size
    while others:
        for j in others:
            way = np.array([exact[j] @ e1, exact[j] @ e2])
            polygon = _clip(polygon, way, h[j] - h[i] * (exact[j] @ n))
            if not len(polygon):
                return 0.0
        corners = h[i] * n + polygon[:, :1] * e1 + polygon[:, 1:] * e2
        over = (normals @ corners.astype(float).T - h.astype(float)[:, None]).max(axis=1)
        over[i] = 0
        worst = np.argsort(-over)[:8]
        others = worst[over[worst] > 1e-14 * size].tolist()
    v = polygon - polygon[0]
    return (v[1:-1, 0] * v[2:, 1] - v[1:-1, 1] * v[2:, 0]).sum() / 2


def _clip(polygon, way, offset):
    excess = polygon @ way - offset
    if (excess <= 0).all():
        return polygon
    kept = []
    for k in range(len(polygon)):
        a, b = excess[k - 1], excess[k]
        if (a <= 0) != (b <= 0):
            kept.append(polygon[k - 1] + (polygon[k] - polygon[k - 1]) * (a / (a - b)))
        if b <= 0:
            kept.append(polygon[k])
    return np.array(kept, dtype=np.longdouble).reshape(-1, 2)


# Four ways to facets of nearly no area


def by_newton(normals, areas, *, tol=1e-8, start=None, logarithmic=False):
    """Damped Newton with the residual relative to each area, or that of the logarithms."""

    def evaluate(support):
        try:
            facets = cut_anywhere(normals, support)
        except Unbounded:
            return np.zeros(len(normals)), None
        return facets.areas, facets

    def direction(facets, error):
        if logarithmic:  # logarithms do not balance; take the share of every area that does not
            weighted = normals * facets.areas[:, None]
            error = error - weighted @ np.linalg.solve(normals.T @ weighted, normals.T @ error)
        return newton_step(facets, error, areas)

    if start is None:
        ball = cut(normals, np.ones(len(normals))).areas
        start = np.full(len(normals), np.sqrt(areas.sum() / ball.sum()))
    support, facets, history, _ = damped_newton(
        evaluate, direction, start, areas, tol=tol, max_iter=400, logarithmic=logarithmic
    )
    return support, history[-1].n_evaluations, history[-1].max_relative_error


def by_absolute_residual(normals, areas, *, tol=1e-8):
    """Halve the step until the Euclidean norm of `A - a` goes down and no facet is lost."""
    ball = cut(normals, np.ones(len(normals))).areas
    support = np.full(len(normals), np.sqrt(areas.sum() / ball.sum()))
    facets, evaluations = cut_anywhere(normals, support), 1
    floor = min(facets.areas.min(), areas.min()) / 2
    for _ in range(400):
        error = facets.areas - areas
        if np.abs(error / areas).max() <= tol:
            break
        step = newton_step(facets, error, areas)
        for level in range(40):
            trial = cut_anywhere(normals, support + 2.0**-level * step)
            evaluations += 1
            less = np.linalg.norm(trial.areas - areas) <= (1 - 2.0 ** -(level + 1)) * (
                np.linalg.norm(error)
            )
            if trial.areas.min() >= floor and less:
                break
        else:
            break
        support, facets = support + 2.0**-level * step, trial
    return support, evaluations, float(np.abs(facets.areas / areas - 1).max())


def by_continuation(normals, areas, *, tol=1e-8, stages=6):
    """Areas on a path from those of the ball to the target, each stage started from the last."""
    ball = cut(normals, np.ones(len(normals))).areas
    support = np.full(len(normals), np.sqrt(areas.sum() / ball.sum()))
    ball *= areas.sum() / ball.sum()
    total = 0
    for t in np.linspace(0, 1, stages + 1)[1:]:
        goal = (1 - t) * ball + t * areas if t < 1 else areas
        support, evaluations, error = by_newton(
            normals, goal, tol=tol if t == 1 else 1e-2, start=support
        )
        total += evaluations
    return support, total, error


WAYS = {
    "relative residual (`solve`)": by_newton,
    "logarithmic residual": lambda n, a: by_newton(n, a, logarithmic=True),
    "absolute residual": by_absolute_residual,
    "continuation in 6 stages": by_continuation,
}


def measure_problems() -> list[dict]:
    """Solve every problem for every seed; medians."""
    rows = []
    for name, (make, tol) in PROBLEMS.items():
        found = []
        for seed in SEEDS:
            normals, areas = make(seed)
            start = time.process_time()
            result = minkowski.solve(normals, areas, tol=tol)
            seconds = time.process_time() - start
            error = np.abs(referee(normals, result.support) / areas - 1).max()
            ratio = areas.min() / areas.mean()
            found.append(
                (len(areas), ratio, seconds, result.n_iter, result.history[-1].n_evaluations, error)
            )
            print(name, seed, *(f"{v:.3g}" for v in found[-1]), flush=True)
        n, ratio, seconds, steps, evaluations, _ = np.median(found, axis=0)
        rows.append(
            {
                "problem": name,
                "facets": int(n),
                "least_over_mean_area": float(f"{ratio:.3g}"),
                "tol": tol,
                "cpu_seconds": round(float(seconds), 4),
                "newton_steps": int(steps),
                "polytopes_cut": int(evaluations),
                "largest_referee_error": float(f"{max(f[5] for f in found):.2g}"),
            }
        )
    return rows


def measure_ways() -> list[dict]:
    """Solve the problems with facets of nearly no area in every way; medians."""
    rows = []
    for problem in [name for name in PROBLEMS if name.startswith("near-zero")]:
        for way, run in WAYS.items():
            found = []
            for seed in SEEDS:
                normals, areas = PROBLEMS[problem][0](seed)
                start = time.process_time()
                _, evaluations, error = run(normals, areas)
                found.append((time.process_time() - start, evaluations, error))
                print(problem, way, seed, *(f"{v:.3g}" for v in found[-1]), flush=True)
            seconds, evaluations, _ = np.median(found, axis=0)
            rows.append(
                {
                    "problem": problem,
                    "way": way,
                    "cpu_seconds": round(float(seconds), 3),
                    "polytopes_cut": int(evaluations),
                    "largest_error": float(f"{max(f[2] for f in found):.2g}"),
                    "reached": sum(f[2] <= 1e-8 for f in found),
                }
            )
    return rows


def show(values: dict) -> None:
    """Print protocol, machine and two markdown tables."""
    print(
        f"\nMedians over seeds {list(SEEDS)}, the largest error of the three. CPU seconds of the "
        f"solve on one core.\nErrors are |A - a| / a, A by the referee.\n{machine()}, Python "
        f"{platform.python_version()}, numpy {metadata.version('numpy')}, scipy "
        f"{metadata.version('scipy')}\n"
    )
    print("| problem | facets | least / mean area | CPU s | Newton steps | cut | referee's error |")
    print("|---|---|---|---|---|---|---|")
    for r in values["problems"]:
        print(
            f"| {r['problem']} | {r['facets']} | {r['least_over_mean_area']:.1e} "
            f"| {r['cpu_seconds']:.3f} | {r['newton_steps']} | {r['polytopes_cut']} "
            f"| {r['largest_referee_error']:.1e} |"
        )
    print("\n| problem | way | CPU s | cut | largest error | reached 1e-8 |")
    print("|---|---|---|---|---|---|")
    for r in values["ways"]:
        print(
            f"| {r['problem']} | {r['way']} | {r['cpu_seconds']:.2f} | {r['polytopes_cut']} "
            f"| {r['largest_error']:.1e} | {r['reached']} of {len(SEEDS)} |"
        )


def machine() -> str:
    """Return the processor's name and the number of cores."""
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
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    minkowski.solve(*random_problem(50)(9))  # first calls load libraries
    values = {"problems": measure_problems(), "ways": measure_ways()}
    show(values)
    if not arguments.no_record:
        command = "python benchmarks/minkowski.py"
        print(records.write("minkowski", values, command=command, seeds=SEEDS))


if __name__ == "__main__":
    main()
