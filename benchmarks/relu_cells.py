"""Exact cells of ReLU networks beside brute-force sampling and bounds; curves they can encode.

    OMP_NUM_THREADS=1 python benchmarks/relu_cells.py       # record relu-cells
    OMP_NUM_THREADS=1 python benchmarks/relu_cells.py --no-record --levels 2

Protocol. *Networks*: two inputs, hidden layers as named, one output, torch's default initial
weights (seeds below) and the square [-2, 2]^2. Exact count by `cells`; the time is the least of
three calls after compilation. Brute force: activation patterns, in double precision, at 10^6
uniform points; `missing` counts distinct sampled patterns that the exact complex does not have,
`predicted` is the number of cells that 10^6 uniform points hit on average, from the exact areas.
*Single*: the same points, rounded to single precision, through the network in single precision:
points whose pattern changes, and patterns that no cell has.
*Trained*: 64-64-64 after fitting `sin(3 x) cos(3 y)`.
*Curves*: Hilbert's curve of levels 1, 2, ... learnt by `learn_path`; the exact pieces say whether
the network is injective on it.
"""

import argparse
import platform
import time
from importlib import metadata
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from omt_course.course import records
from omt_course.models.relu_cells import cells
from omt_course.models.relu_complex import as_keys
from omt_course.models.relu_layers import bound
from omt_course.models.relu_paths import hilbert_path, learn_path
from omt_course.models.training import seeded

HIDDEN = ((8, 8), (16, 16), (32, 32), (64, 64), (8, 8, 8), (16, 16, 16), (32, 32, 32), (64, 64, 64))
SQUARE = np.array([[-2.0, -2], [2, -2], [2, 2], [-2, 2]])
N_POINTS, BLOCK = 1_000_000, 100_000
CURVES, ROUNDS = ((4, 4), (8, 8), (16, 16), (32, 32), (64, 64, 64)), 150


def network(widths, seed):
    """Return a network with torch's default initial weights."""
    layers = []
    with seeded(torch.Generator().manual_seed(seed)):
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def fit(model, seed):
    """Fit a wave, so that the cells are those of a trained network."""
    g = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(2000):
        x = 4 * torch.rand(512, 2, generator=g) - 2
        y = torch.sin(3 * x[:, :1]) * torch.cos(3 * x[:, 1:])
        loss = ((model(x) - y) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def measure(model, hidden, seed):
    """Count the cells of one network exactly and by sampling."""
    widths = (2, *hidden)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = cells(model, SQUARE)
        times.append(time.perf_counter() - start)
    rng = np.random.default_rng(seed)
    hit = np.zeros(len(found), dtype=bool)
    missing, single_missing, single = set(), set(), 0
    start = time.perf_counter()
    keys = []
    for _ in range(N_POINTS // BLOCK):
        x = rng.uniform(-2, 2, (BLOCK, 2))
        patterns = found.layers.patterns(x)
        keys.append(np.unique(as_keys(patterns)))
        where = found.find(patterns)
        hit[where[where >= 0]] = True
        missing |= {key.tobytes() for key in as_keys(patterns[where < 0])}
        rounded = single_patterns(model, x)
        unknown = found.find(rounded) < 0
        single += int((rounded != patterns).any(axis=1).sum())
        single_missing |= {key.tobytes() for key in as_keys(rounded[unknown])}
    distinct = len(np.unique(np.concatenate(keys)))
    share = found.areas / found.areas.sum()
    row = {
        "hidden": "-".join(map(str, hidden)),
        "cells": len(found),
        "linear_pieces": found.n_linear_pieces,
        "sampled": distinct,
        "predicted": float((1 - (1 - share) ** N_POINTS).sum()),
        "missing": len(missing),
        "hit": int(hit.sum()),
        "single_changed": single,
        "single_unknown": len(single_missing),
        "smallest_area": float(found.areas.min()),
        "euler": found.euler,
        "area_error": float(abs(found.areas.sum() / 16 - 1)),
        "seconds": round(min(times), 4),
        "sampling_seconds": round(time.perf_counter() - start, 1),
        "bounds": {kind: f"{bound(widths, kind=kind):.3g}" for kind in ("lei", "montufar")},
    }
    print(row, flush=True)
    return row


def single_patterns(model, x):
    """Patterns of the network run in its own single precision, layer by layer."""
    found, y = [], torch.as_tensor(x, dtype=torch.float32)
    with torch.no_grad():
        for layer in model:
            y = layer(y)
            if isinstance(layer, nn.ReLU):
                found.append((y > 0).numpy())
    return np.hstack(found)


def curves(levels, steps, seeds):
    """Learn Hilbert's curve of each level with each network, several times."""
    rows = []
    for hidden in CURVES:
        for level in range(1, levels + 1):
            runs = []
            for seed in seeds:
                model = network((2, *hidden, 1), seed)
                runs.append(
                    learn_path(model, 2 * hilbert_path(level) - 1, steps=steps, rounds=ROUNDS)
                )
            rows.append(
                {
                    "hidden": "-".join(map(str, hidden)),
                    "level": level,
                    "encoded": sum(run.is_injective for run in runs),
                    "runs": len(runs),
                    "folded": [round(run.folded, 4) for run in runs],
                    "arcs": [run.n_arcs for run in runs],
                }
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run the study, print it, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: metadata.version(name) for name in ("numpy", "torch", "numba")}
    print(__doc__)
    print(f"Python {platform.python_version()}, {versions}", flush=True)
    cells(network((2, 4, 1), 0), SQUARE)  # compile
    rows = [measure(network((2, *hidden, 1), 0), hidden, 0) for hidden in HIDDEN]
    model = network((2, 64, 64, 64, 1), 0)
    loss = fit(model, 1)
    trained = measure(model, (64, 64, 64), 0) | {"loss": loss}
    values = {
        "points": N_POINTS,
        "networks": rows,
        "trained": trained,
        "curves": curves(arguments.levels, arguments.steps, (0, 1, 2)),
        "curve_steps": arguments.steps,
        "curve_rounds": ROUNDS,
        "versions": versions,
    }
    if not arguments.no_record:
        command = "OMP_NUM_THREADS=1 python benchmarks/relu_cells.py"
        print(records.write("relu-cells", values, command=command, seeds=(0, 1, 2)))


if __name__ == "__main__":
    main()
