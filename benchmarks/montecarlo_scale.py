"""Monte-Carlo transport at scale: real codes of digits, several processes, and what a GPU would do.

    OMT_COURSE_DATA=DIR python benchmarks/montecarlo_scale.py

1. Codes: a `ConvAutoencoder` of latent dimension 16, trained 3 epochs on the 60,000 digits of MNIST
   (seed 0); each coordinate scaled to mean 0 and variance 1.
2. Time to a certified mass error of 5 % (upper end of the 95 % interval on held-out samples) for
   20,000 and 60,000 codes, source uniform on the cube: CPU seconds of one thread, the held-out
   looks included, compilation left out.
3. The first 20,000 codes by 1, 2 and 4 processes under `torchrun`, one thread each, for 5,000,000
   samples in all: wall seconds, and each answer judged on 2,000,000 common, independent samples.
4. Samples a second on one thread against the number of cells and the dimension (normal codes), and
   200,000 cells in 100 dimensions: measured rate, and the arithmetic for a GPU.

Parts: `--parts codes processes rates`; each part is kept in `--work` and not repeated.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

TARGET = 0.05
SIZES = (20_000, 60_000)
RANKS = (1, 2, 4)
RANKS_SAMPLES = 5_000_000
EPOCHS, LATENT, SEED = 3, 16, 0


def digit_codes(work: Path) -> np.ndarray:
    """Return the scaled codes of the 60,000 digits, (60000, 16), distinct in float32."""
    path = work / "codes.npy"
    if not path.exists():
        import torch

        from omt_course.datasets import digits
        from omt_course.models import autoencoder as autoencoders
        from omt_course.models.training import train

        images = torch.as_tensor(digits.load("mnist", split="train").floats)
        generator = torch.Generator().manual_seed(SEED)
        model = autoencoders.ConvAutoencoder(LATENT, generator=generator)
        train(
            model,
            autoencoders.cross_entropy,
            images,
            epochs=EPOCHS,
            generator=generator,
            checkpoint=work / "autoencoder.pt",
            **autoencoders.RECIPE,
        )
        codes = autoencoders.encode_in_batches(model, images).double().numpy()
        np.save(path, (codes - codes.mean(axis=0)) / codes.std(axis=0))
    return np.load(path)


def without_twins(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct codes, in their order, and their masses."""
    _, first, count = np.unique(codes.round(6), axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return codes[first[order]], count[order] / len(codes)


def solve(points, masses, target, *, seed=SEED, ranks=None, checkpoint=None, **options):
    """Run our solver on the cube; return the result and its CPU seconds."""
    import torch

    from omt_course.transport import montecarlo

    def show(step):
        if ranks is None or ranks.rank == 0:
            print(
                f"{len(points):,} cells: {step.n_samples:,} samples, {step.seconds:.0f} s, "
                f"{step.error.value:.4f}",
                file=sys.stderr,
                flush=True,
            )

    began = time.process_time()
    result = montecarlo.solve(
        "cube",
        points,
        masses,
        target_error=target,
        generator=torch.Generator().manual_seed(seed),
        device="cpu",
        ranks=ranks,
        checkpoint=checkpoint,
        callback=show,
        **options,
    )
    return result, time.process_time() - began


def compile_first() -> None:
    """Compile what counts the pairs."""
    solve(np.random.default_rng(1).normal(size=(50, 16)), None, 0.3)


def part_codes(work: Path) -> list[dict]:
    """Time to 5 % on real codes."""
    codes, rows = digit_codes(work), []
    compile_first()
    for n in SIZES:
        points, masses = without_twins(codes[:n])
        result, seconds = solve(points, masses, TARGET)
        rows.append(
            {
                "n": len(points),
                "cpu_seconds": round(seconds, 1),
                "samples": result.n_samples,
                "mass_error": round(result.mass_error, 4),
                "high": round(result.mass_error_interval[1], 4),
                "looks": [
                    [step.n_samples, round(step.seconds, 1), round(step.error.value, 4)]
                    for step in result.history
                ],
                "misranked": result.misranked,
            }
        )
    return rows


def part_processes(work: Path) -> dict:
    """Solve with 1, 2, 4 processes and judge the answers on common samples."""
    import torch

    from omt_course.transport.counting import CellCounter
    from omt_course.transport.mass_error import estimate_mass_error

    points, masses = without_twins(digit_codes(work)[: SIZES[0]])
    rows = []
    for size in RANKS:
        out = work / f"ranks-{size}.npz"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(size), __file__, "--rank-of", str(out)]
        subprocess.run([*command, "--work", str(work)], check=True)
        with np.load(out) as found:
            judge = CellCounter("cube", points, torch.Generator().manual_seed(99))
            error = estimate_mass_error(judge, found["heights"], masses, 2_000_000)
            rows.append(
                {
                    "processes": size,
                    "wall_seconds": round(float(found["seconds"]), 1),
                    "samples": int(found["samples"]),
                    "samples_a_second": round(float(found["samples"] / found["seconds"])),
                    "mass_error": round(error.value, 4),
                    "low": round(error.low, 4),
                    "high": round(error.high, 4),
                    "heights_rms": float(np.std(found["heights"])),
                }
            )
    heights = [np.load(work / f"ranks-{size}.npz")["heights"] for size in RANKS]
    for row, h in zip(rows, heights, strict=True):
        row["distance_to_one_process"] = float(np.std(h - heights[0]) / np.std(heights[0]))
    return {"cores": os.cpu_count(), "rows": rows}


def one_rank(work: Path, out: str) -> None:
    """Run as one of the processes that `part_processes` starts."""
    import torch

    from omt_course.transport import ranks

    torch.set_num_threads(1)
    points, masses = without_twins(np.load(work / "codes.npy")[: SIZES[0]])
    compile_first()
    with ranks.join("gloo") as team:
        budget = {"max_samples": RANKS_SAMPLES, "strict": False}
        result, _ = solve(points, masses, 1e-3, ranks=team, **budget)
        if team.rank == 0:
            seconds = result.history[-1].seconds
            np.savez(out, heights=result.heights, seconds=seconds, samples=result.n_samples)


def part_rates(work: Path) -> list[dict]:
    """Measure samples a second, and memory, against the number of cells and the dimension."""
    import resource

    import torch

    from omt_course.transport.counting import CellCounter
    from omt_course.transport.descent import start

    compile_first()
    rows = []
    cases = [(n, 32) for n in (1_000, 5_000, 20_000, 60_000)]
    cases += [(20_000, d) for d in (8, 16, 64, 100)] + [(200_000, 100)]
    for n, d in cases:
        points = np.random.default_rng(0).normal(size=(n, d))
        generator = torch.Generator().manual_seed(0)
        counter = CellCounter("cube", points, generator)
        heights = start("cube", points, generator)
        counter(heights)
        times = []
        while len(times) < 3 or (sum(times) < 4 and len(times) < 30):
            began = time.process_time()
            counter(heights)
            times.append(time.process_time() - began)
        rows.append(
            {
                "n": n,
                "d": d,
                "samples_a_second": round(counter.batch / float(np.median(times))),
                "resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Run the parts that are not in the work folder, print tables, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["codes", "processes", "rates"])
    parser.add_argument("--work", type=Path, default=Path("_build/montecarlo-scale"))
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--rank-of", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.rank_of:
        one_rank(chosen.work, chosen.rank_of)
        return

    import torch

    from omt_course.course import records

    torch.set_num_threads(1)
    parts = {"codes": part_codes, "processes": part_processes, "rates": part_rates}
    values = {}
    for name, part in parts.items():
        path = chosen.work / f"{name}.json"
        if name in chosen.parts and not path.exists():
            load = os.getloadavg()[0]
            path.write_text(
                json.dumps({"load_at_start": round(load, 1), "values": part(chosen.work)})
            )
        if path.exists():
            values[name] = json.loads(path.read_text())
    print(f"\n{__doc__}")
    print(json.dumps(values, indent=1))
    if not chosen.no_record and len(values) == len(parts):
        records.write(
            "montecarlo-scale",
            {**values, "target": TARGET, "threads": 1},
            command="python benchmarks/montecarlo_scale.py",
            seeds=[SEED],
        )


if __name__ == "__main__":
    main()
