"""A continuous network, and convex potentials, on targets that fall into separate modes.

    OMP_NUM_THREADS=1 python benchmarks/torn_maps.py

Two families of problems with 2, 4, 8, 16 and 32 modes of equal mass:

* `disk`: uniform law on the unit disk in the plane; the modes are small clusters, evenly spaced on
  the unit circle; the exact map is the semi-discrete one (`omt_course.transport.semidiscrete`).
* `normal`: standard normal law in 32 dimensions; the modes are the unit vectors `e_1 ... e_m`; by
  symmetry the exact potential is `max_i x_i`, and the map sends `x` to the `e_i` of that maximum.

Learners, all with the same sample of the source, batches and steps:

* `network`: a ReLU network d-64-64-d, told the exact image of every point (mean squared error);
* `max-affine`: a maximum of 64 planes with free slopes, told nothing but the target points (the
  semi-dual); `input-convex`: an input-convex ReLU network d-64-64-1, likewise.

Measured on fresh points: the share whose image is farther from every target point than a quarter
of the least distance between points of different modes. For the network also the mean of `|DT|`
over these points, and the lower bound that `omt_course.transport.gap.gap_bound` makes of it.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from omt_course.course import records
from omt_course.models.convex_potential import InputConvexNetwork, MaxAffine, semidual
from omt_course.models.training import seeded, train
from omt_course.transport import semidiscrete
from omt_course.transport.domains import disk
from omt_course.transport.gap import convex_profile, gap_bound, gaussian_profile, share_between

SEEDS = (0, 1, 2, 3, 4)
MODES = (2, 4, 8, 16, 32)
DIMENSION = 32  # of the normal law
N_TARGETS = 320  # in the disk, all modes together
CLUSTER = 0.15  # radius of a cluster over the distance of neighbouring centres
N_TRAIN, BATCH, STEPS, N_TEST = 16_384, 512, 1536, 60_000
# Temperature and learning rate of the planes, stage after stage: the best of five schedules tried
# on the disk with 32 modes at twice the steps, and then used everywhere.
COOLING = ((0.1, 2e-2), (0.06, 2e-2), (0.03, 1e-2), (0.02, 1e-2)) + (
    (0.01, 1e-2), (0.005, 5e-3), (0.002, 5e-3), (0.0, 5e-3)
)  # fmt: skip
LEARNERS = ("network", "max-affine", "input-convex")


@dataclass(frozen=True)
class Problem:
    """Source, target points with the mode of each, exact map, isoperimetric profile."""

    sample: Callable[[int, np.random.Generator], np.ndarray]
    points: np.ndarray
    mode: np.ndarray
    transport: Callable[[np.ndarray], np.ndarray]
    profile: Callable[[np.ndarray], np.ndarray]

    @property
    def spacing(self) -> float:
        """Least distance between points of different modes."""
        distance = np.linalg.norm(self.points[:, None] - self.points, axis=2)
        return float(distance[self.mode[:, None] != self.mode].min())


def on_the_disk(m: int, rng: np.random.Generator) -> Problem:
    """Return `m` clusters on the unit circle, uniform in small disks, and the exact map to them."""
    turn = np.pi / 2 + 2 * np.pi * np.arange(m) / m
    mode = np.repeat(np.arange(m), N_TARGETS // m)
    radius = CLUSTER * 2 * np.sin(np.pi / m)
    centres = np.column_stack([np.cos(turn), np.sin(turn)])
    points = centres[mode] + disk(radius).sample(len(mode), rng)
    exact = semidiscrete.solve(disk(), points, tol=1e-8)
    return Problem(disk().sample, points, mode, exact.transport, lambda s: convex_profile(s, 2.0))


def on_the_normal_law(m: int, rng: np.random.Generator) -> Problem:
    """Return the first `m` unit vectors of `R^32`; the exact map is known."""
    points = np.eye(DIMENSION)[:m]
    return Problem(
        lambda n, rng: rng.normal(size=(n, DIMENSION)),
        points,
        np.arange(m),
        lambda x: points[x[:, :m].argmax(axis=1)],
        gaussian_profile,
    )


PROBLEMS = {"disk": on_the_disk, "normal": on_the_normal_law}


def learn(name: str, problem: Problem, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Train one learner on a problem and return its map."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    x = problem.sample(N_TRAIN, rng)
    d = x.shape[1]
    X, P = torch.tensor(x).float(), torch.tensor(problem.points).float()
    options = {"batch_size": BATCH, "generator": generator, "progress": False}
    epochs = STEPS * BATCH // N_TRAIN

    if name == "network":

        def squared_error(model, batch, generator):
            return ((model(batch[0]) - batch[1]) ** 2).sum(dim=1).mean()

        with seeded(generator):
            layers = nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, d)
            model = nn.Sequential(*layers)
        Y = torch.tensor(problem.transport(x)).float()
        train(model, squared_error, (X, Y), epochs=epochs, lr=5e-3, **options)
        return model

    def dual(model, batch, generator):
        return semidual(model, batch, P)

    if name == "input-convex":
        model = InputConvexNetwork(d, generator=generator)
        train(model, dual, X, epochs=epochs, lr=1e-2, **options)
        return model.transport
    spread = (P - P.mean(dim=0)).square().mean().sqrt()  # slopes start as a cloud of this size
    model = MaxAffine(P.mean(dim=0) + spread * torch.randn(64, d, generator=generator))
    for temperature, lr in COOLING:  # while it is warm, every plane learns
        model.temperature = temperature
        train(model, dual, X, epochs=epochs // len(COOLING), lr=lr, **options)
    return model.transport


def measure(name: str, problem: Problem, seed: int) -> dict:
    """Train, and measure on fresh points."""
    start = time.process_time()
    transport = learn(name, problem, seed)
    seconds = time.process_time() - start
    X = torch.tensor(problem.sample(N_TEST, np.random.default_rng(seed + 1000))).float()
    images = np.concatenate([transport(part).detach().numpy() for part in X.split(10_000)])
    spacing = problem.spacing
    threshold = spacing / 4
    distance, nearest = cKDTree(problem.points).query(images)
    inside = distance <= threshold
    counts = np.bincount(problem.mode[nearest[inside]], minlength=problem.mode.max() + 1)
    row = {
        "share": share_between(images, problem.points, threshold),
        "least_mode": float(counts.min() / N_TEST),
        "cpu_seconds": round(seconds, 2),
    }
    if name == "network":
        row["steepness"] = steepness(transport, X[torch.tensor(~inside)][:4000])
        # Neighbourhoods of size spacing / 4 about the modes are spacing / 2 apart.
        row["bound"] = gap_bound(counts / N_TEST, spacing / 2, row["steepness"], problem.profile)
    return row


def steepness(model: nn.Module, x: torch.Tensor) -> float:
    """Return the mean operator norm of the Jacobian over the rows of x."""
    jacobians = torch.func.vmap(torch.func.jacrev(model))(x)
    return torch.linalg.matrix_norm(jacobians, 2).mean().item()


def main() -> None:
    """Run the benchmark, print its protocol and tables, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--modes", type=int, nargs="+", default=MODES)
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "torch")}
    print(__doc__)
    print(
        f"{N_TRAIN} training points, {STEPS} steps of {BATCH}, {N_TEST} test points; "
        f"{N_TARGETS} targets in the disk; seeds {list(arguments.seeds)}\n"
        f"{machine()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        flush=True,
    )
    rows = []
    for kind, build in PROBLEMS.items():
        for m in arguments.modes:
            for seed in arguments.seeds:
                problem = build(m, np.random.default_rng(seed))
                for name in LEARNERS:
                    row = {"problem": kind, "modes": m, "seed": seed, "learner": name}
                    rows.append(row | measure(name, problem, seed))
            show(kind, m, [r for r in rows if r["problem"] == kind and r["modes"] == m])
    values = {
        "versions": versions,
        "protocol": {
            "n_train": N_TRAIN,
            "steps": STEPS,
            "batch": BATCH,
            "n_test": N_TEST,
            "n_targets": N_TARGETS,
            "cluster": CLUSTER,
            "dimension": DIMENSION,
        },
        "rows": rows,
    }
    if not arguments.no_record:
        command = "OMP_NUM_THREADS=1 python benchmarks/torn_maps.py"
        print(records.write("torn-maps", values, command=command, seeds=arguments.seeds))


def show(kind: str, m: int, rows: list[dict]) -> None:
    """Print one line a learner: shares of all seeds, and their median."""
    for name in LEARNERS:
        found = [row for row in rows if row["learner"] == name]
        shares = np.array([row["share"] for row in found])
        line = f"| {kind} | {m} | {name} | {np.median(shares):.4f} | {shares.round(4).tolist()} |"
        if name == "network":
            steep = np.median([row["steepness"] for row in found])
            bound = np.median([row["bound"] for row in found])
            line += f" |DT| {steep:.2f} | bound {bound:.4f} |"
        least = min(row["least_mode"] for row in found)
        seconds = np.median([row["cpu_seconds"] for row in found])
        print(f"{line} least mode {least:.4f} | {seconds:.1f} s |", flush=True)


def machine() -> str:
    """Return the processor's name and the number of cores."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
