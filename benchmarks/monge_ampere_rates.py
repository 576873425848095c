"""How fast do polyhedra approach a smooth Brenier potential? Exponents on pairs with known maps.

    python benchmarks/monge_ampere_rates.py                    # record monge-ampere-rates
    python benchmarks/monge_ampere_rates.py --largest 10 --seeds 2 --no-record

Protocol. For each pair of `omt_course.transport.pairs`, each `N = 2^4 .. 2^14` and each seed: `N`
sites of a scrambled Sobol net in the domain, the images of their Voronoi cells as a quantisation of
the target (exact masses), the exact semi-discrete solver (relative mass error 1e-9), and errors in
L2 of the domain by a Gauss rule of degree 9 on every cell. Mesh size `h = (|domain| / N)^(1/2)`.
`random` instead of a net: `N` independent points of the target, equal masses.
Exponents are least squares of `log error` on `log h`; `±` is the standard error of the regression,
brackets are a 95 % bootstrap interval over seeds.
"""

import argparse
import platform
import time
from importlib import metadata

import numpy as np

from omt_course.course import records
from omt_course.course.rates import exponent
from omt_course.transport import semidiscrete
from omt_course.transport.approximation import map_error, net, potential_error, quantise
from omt_course.transport.pairs import Pair, pairs
from omt_course.transport.quadrature import cell_quadrature

SMALLEST, LARGEST, TAIL = 4, 14, 10
TOLERANCE = 1e-9
MEASURES = ("map", "potential", "w2_squared", "quantisation")
RANDOM = ("affine", "torn")
PROVEN = 0.5


def run(pair: Pair, n: int, seed: int, random: bool) -> dict[str, float]:
    """Solve one discrete problem and return its errors."""
    rng = np.random.default_rng([seed, n])
    domain, exact = pair.domain, pair.exact
    if random:
        points, masses, w2 = exact.transport(domain.sample(n, rng)), None, None
    else:
        q = quantise(exact, domain, net(domain, n, rng))
        points, masses, w2 = q.points, q.masses, q.w2
    result = semidiscrete.solve(domain, points, masses, tol=TOLERANCE)
    found = {
        "map": map_error(exact, result),
        "potential": potential_error(exact, result),
        "w2_squared": abs(result.w2_squared - pair.w2_squared),
    }
    if w2 is not None:
        found["quantisation"] = w2
    if pair.name == "torn":
        # Area whose points go to the other side of the gap, and the mass that does not balance.
        owner, x, weight = cell_quadrature(result.cell_polygons(), exact)
        found["wrong_side"] = float(weight @ (points[owner, 0] * x[:, 0] < 0))
        found["misfit"] = abs(float(result.masses[points[:, 0] < 0].sum()) - domain.volume / 2)
    return found


def measure(seeds: int, largest: int) -> dict:
    """Run everything and return the values of the record."""
    n = [2**m for m in range(SMALLEST, largest + 1)]
    jobs = [(name, False) for name in pairs()] + [(name, True) for name in RANDOM]
    values: dict = {"n": n, "errors": {}, "exponents": {}, "tail": {}, "proven": PROVEN}
    for name, random in jobs:
        pair, label, start = pairs()[name], f"{name}, random" if random else name, time.time()
        rows = [[run(pair, k, seed, random) for k in n] for seed in range(seeds)]
        errors = {key: np.array([[one[key] for one in row] for row in rows]) for key in rows[0][0]}
        h = np.sqrt(pair.domain.volume / np.array(n))
        values["errors"][label] = {"h": rounded(h)} | {k: rounded(e) for k, e in errors.items()}
        late = np.array(n) >= 2**TAIL
        for where, part in (("exponents", slice(None)), ("tail", late)):
            values[where][label] = {
                key: fit(h[part], errors[key][:, part])
                for key in errors
                if key in MEASURES and np.count_nonzero(late) > 1
            }
        show(label, values, time.time() - start)
    return values


def fit(h: np.ndarray, errors: np.ndarray) -> dict[str, float]:
    """Return an exponent and its confidence as plain numbers."""
    found = exponent(h, errors, rng=np.random.default_rng(0))
    return {key: round(value, 4) for key, value in vars(found).items()}


def rounded(array: np.ndarray) -> list:
    """Return five significant digits, enough for any exponent."""
    return np.vectorize(lambda v: float(f"{v:.5g}"))(array).tolist()


def show(label: str, values: dict, seconds: float) -> None:
    """Print the exponents of one pair."""
    print(f"\n{label} ({seconds:.0f} s)")
    for where in ("exponents", "tail"):
        for key, p in values[where][label].items():
            print(
                f"  {where:9} {key:12} {p['value']:.3f} ± {p['standard_error']:.3f} "
                f"[{p['low']:.3f}, {p['high']:.3f}]",
                flush=True,
            )


def main() -> None:
    """Run the study, print it, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--largest", type=int, default=LARGEST, help="log2 of the largest N")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    versions = {name: metadata.version(name) for name in ("numpy", "scipy")}
    print(__doc__)
    print(f"Python {platform.python_version()}, {versions}; {arguments.seeds} seeds")
    values = measure(arguments.seeds, arguments.largest)
    values |= {"versions": versions, "tail_from": 2**TAIL, "tolerance": TOLERANCE}
    if not arguments.no_record:
        command = "python benchmarks/monge_ampere_rates.py"
        path = records.write(
            "monge-ampere-rates", values, command=command, seeds=range(arguments.seeds)
        )
        print(path)


if __name__ == "__main__":
    main()
