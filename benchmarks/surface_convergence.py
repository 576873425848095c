"""How fast do meshes of samples approach a smooth surface? Exponents on the sphere and the torus.

    python benchmarks/surface_convergence.py                    # record surface-convergence
    python benchmarks/surface_convergence.py --largest 1600 --seeds 2 --no-record

Protocol. On the unit sphere and on the torus with radii 1 and 0.4: 32 candidates a sample from a
scrambled Sobol sequence, `n = 100, 200, ..., 12800` of them by farthest-point sampling (each size
contains the smaller ones), the restricted Delaunay triangulation, and the distances of
`geometry.convergence.errors` from the exact values: Hausdorff, normals (largest angle), area,
geodesic distance (two sources, the first 60 points; on the torus by shooting, to 1e-10), Gauss and
mean curvature of 24 caps, first ten nonzero Laplace-Beltrami eigenvalues.
`eps` is the covering radius of the samples on the smooth surface, the mean over seeds. Exponents
are least squares of `log error` on `log eps`; `+-` is the standard error of the regression,
brackets are a 95 % bootstrap interval over seeds.
"""

import argparse
import platform
import time
from importlib import metadata

import numpy as np

from omt_course.course import records
from omt_course.course.rates import exponent
from omt_course.geometry.convergence import MEASURES, errors, true_distances
from omt_course.geometry.sampling import farthest_point
from omt_course.geometry.smooth import Sphere, Torus

SMALLEST, LARGEST, CANDIDATES, COMMON = 100, 12800, 32, 60
SURFACES = {"sphere": Sphere(), "torus": Torus()}


def run(surface: Sphere | Torus, n: list[int], seed: int) -> list:
    """Return the errors at every size for one seed."""
    candidates = surface.sample(CANDIDATES * n[-1], rng=np.random.default_rng(seed))
    V = candidates[farthest_point(candidates, n[-1]).order]
    pairs = true_distances(surface, V, [0, 1], COMMON)
    found = []
    for k in n:
        mesh = surface.triangulate(V[:k])
        found.append(errors(surface, V[:k], mesh.F, pairs))
        assert mesh.topology.is_closed and found[-1].aligned and mesh.doubled == 0
    return found


def measure(seeds: int, largest: int) -> dict:
    """Run everything and return the values of the record."""
    n = [SMALLEST * 2**k for k in range(int(np.log2(largest / SMALLEST)) + 1)]
    values: dict = {"n": n, "surfaces": {}}
    for name, surface in SURFACES.items():
        start = time.time()
        rows = [run(surface, n, seed) for seed in range(seeds)]
        eps = np.array([[one.covering for one in row] for row in rows]).mean(axis=0)
        result: dict = {"eps": rounded(eps), "errors": {}, "exponents": {}}
        for key in MEASURES:
            table = np.array([[getattr(one, key) for one in row] for row in rows])
            found = exponent(eps, table, rng=np.random.default_rng(0))
            result["errors"][key] = rounded(table)
            result["exponents"][key] = {k: round(v, 4) for k, v in vars(found).items()}
        finest = np.abs([row[-1].spectrum for row in rows]).mean(axis=0)
        result["spectrum"] = rounded(finest)
        values["surfaces"][name] = result
        show(name, n, result, time.time() - start)
    return values


def rounded(array: np.ndarray) -> list:
    """Return five significant digits, enough for any exponent."""
    return np.vectorize(lambda v: float(f"{v:.5g}"))(array).tolist()


def show(name: str, n: list[int], result: dict, seconds: float) -> None:
    """Print the table of one surface: means over seeds, then exponents."""
    print(
        f"\n{name} ({seconds:.0f} s)\n{'n':>6} {'eps':>8} " + " ".join(f"{k:>11}" for k in MEASURES)
    )
    means = np.array([np.mean(result["errors"][key], axis=0) for key in MEASURES]).T
    for k, row in enumerate(means):
        print(f"{n[k]:6d} {result['eps'][k]:8.4f} " + " ".join(f"{v:11.3e}" for v in row))
    for key in MEASURES:
        p = result["exponents"][key]
        print(
            f"  {key:12} {p['value']:.3f} +- {p['standard_error']:.3f} "
            f"[{p['low']:.3f}, {p['high']:.3f}]",
            flush=True,
        )


def main() -> None:
    """Run the study, print it, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--largest", type=int, default=LARGEST, help="number of samples")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "pygeodesic")}
    print(__doc__)
    print(f"Python {platform.python_version()}, {versions}; {arguments.seeds} seeds")
    values = measure(arguments.seeds, arguments.largest) | {"versions": versions}
    if not arguments.no_record:
        command = "python benchmarks/surface_convergence.py"
        seeds = range(arguments.seeds)
        print(records.write("surface-convergence", values, command=command, seeds=seeds))


if __name__ == "__main__":
    main()
