"""W1 between two normal laws from batches: exact dual, its regression, and penalised critics.

mu = N(0, I), nu = N(0, 4 I) in d dimensions. Mass moves outwards on rays, |z| is an optimal
potential, and W1(mu, nu) = E|X| = sqrt(2) Gamma((d + 1) / 2) / Gamma(d / 2). Every estimator is
given n points of each law (the last one n fresh ones at every step):

lp          W1 between the two batches: the optimum of the linear program
extension   the exact potential of the batches, evaluated on fresh points: of slope 1, so below W1
regression  a network fitted to that potential (two-step method), on fresh points
critic      a network trained with gradient penalty on the same batches: on the batches, and on
            fresh points
stream      the same network, trained on n fresh points at every step, as in a GAN: on fresh points

Fresh points are pairs (x, 2 x), which have the laws mu and nu and give differences less noise.
"""

import argparse
import math
import os
import platform
import time
from importlib import metadata

import numpy as np
import torch

from omt_course.course import records
from omt_course.models.critic import difference, mlp, train_critic
from omt_course.models.two_step import two_step

DIMENSIONS = (2, 8)
SIZES = (32, 128, 512, 1024)
SEEDS = (0, 1, 2)
HIDDEN = (64, 64)
N_FRESH = 20_000
STEPS = 1000  # of every network
CRITIC = {"lr": 1e-3, "penalty": 10.0, "betas": (0.0, 0.9), "progress": False}
REGRESSION = {"lr": 3e-3, "batch_size": 64}
ESTIMATES = ("lp", "extension", "regression", "critic_batch", "critic_fresh", "stream")


def truth(d: int) -> float:
    """Return `W1(N(0, I), N(0, 4 I)) = E|X|`."""
    return math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


def measure(d: int, n: int, seed: int) -> dict:
    """Run all estimators on one pair of batches."""
    chance = torch.Generator().manual_seed(1000 * seed + n + d)
    a, b = (scale * torch.randn(n, d, generator=chance) for scale in (1, 2))
    x = torch.randn(N_FRESH, d, generator=chance)
    networks = [mlp([d, *HIDDEN, 1], generator=chance) for _ in range(3)]
    row = {"dimension": d, "n": n, "seed": seed}

    start = time.process_time()
    epochs = max(1, round(STEPS / math.ceil(2 * n / REGRESSION["batch_size"])))
    fitted = two_step(networks[0], a, b, epochs=epochs, generator=chance, **REGRESSION)
    row["two_step_seconds"] = time.process_time() - start
    row["lp"], row["fit_error"] = fitted.exact.w1, fitted.fit_error
    row["gap"] = abs(fitted.exact.gap)
    fresh = [(scale * x).double().numpy() for scale in (1, 2)]
    row["extension"] = float(fitted.exact(fresh[1]).mean() - fitted.exact(fresh[0]).mean())
    row["regression"] = difference(networks[0], x, 2 * x)

    start = time.process_time()
    history = train_critic(
        networks[1], a, b, steps=STEPS, batch_size=min(n, 256), generator=chance, **CRITIC
    )
    row["critic_seconds"] = time.process_time() - start
    row["critic_batch"] = difference(networks[1], a, b)
    row["critic_fresh"] = difference(networks[1], x, 2 * x)
    row["gradient_norm"] = float(np.mean(history.gradient_norm[-100:]))

    pool = torch.randn(100_000, d, generator=chance), 2 * torch.randn(100_000, d, generator=chance)
    train_critic(networks[2], *pool, steps=STEPS, batch_size=n, generator=chance, **CRITIC)
    row["stream"] = difference(networks[2], x, 2 * x)
    return row


def main() -> None:
    """Run the benchmark, print its protocol and tables, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--dimensions", type=int, nargs="+", default=DIMENSIONS)
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "torch", "POT")}
    print(__doc__)
    print(
        f"networks d-{'-'.join(map(str, HIDDEN))}-1, {STEPS} steps each; critics {CRITIC}; "
        f"regression {REGRESSION}; {N_FRESH} fresh points; seeds {list(arguments.seeds)}\n"
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        flush=True,
    )
    print("\nmean relative error (and root mean square) of W1, percent")
    print("| d | n |" + "".join(f" {name} |" for name in ESTIMATES) + " two-step s | critic s |")
    rows = []
    for d in arguments.dimensions:
        for n in arguments.sizes:
            found = [measure(d, n, seed) for seed in arguments.seeds]
            rows += found
            print(line(d, n, found), flush=True)
    values = {
        "versions": versions,
        "truth": {str(d): truth(d) for d in arguments.dimensions},
        "protocol": {
            "hidden": HIDDEN,
            "steps": STEPS,
            "n_fresh": N_FRESH,
            "penalty": CRITIC["penalty"],
            "critic_lr": CRITIC["lr"],
            "regression_lr": REGRESSION["lr"],
        },
        "rows": rows,
    }
    if not arguments.no_record:
        command = "OMP_NUM_THREADS=1 python benchmarks/wasserstein_estimates.py"
        print(records.write("wasserstein-gan", values, command=command, seeds=arguments.seeds))


def line(d: int, n: int, found: list[dict]) -> str:
    """Return a row of the table: errors over the seeds, and median CPU seconds."""
    cells = []
    for name in ESTIMATES:
        error = 100 * (np.array([row[name] for row in found]) / truth(d) - 1)
        cells.append(f"{error.mean():+.1f} ({np.sqrt((error**2).mean()):.1f})")
    for name in ("two_step_seconds", "critic_seconds"):
        cells.append(f"{np.median([row[name] for row in found]):.1f}")
    return f"| {d} | {n} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
