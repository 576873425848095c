"""The article's autoencoder on two surfaces, and the page's small networks on two more.

Network 3-768-384-192-96-48-2 and its mirror, ReLU, Adam at 8e-5, batches of 256 vertices, 400
epochs or as many as asked for, one core. Surfaces: the face that ships with the course, and the
Buddha head of the paper, which is fetched or found in the folder OMT_COURSE_DATA. Training writes
a checkpoint after every epoch and goes on where it stopped; the rate is constant, so a run that
was stopped after some epochs is the run of so many epochs. Judged are the latent mesh (folded
triangles, exact; boundary; points with a common code, by 20,000 samples), the network inside the
triangles (every piece on which it is affine) and the Hausdorff distance of surface and
reconstruction (points 0.2 % of the diagonal dense). Of the Buddha nothing is kept but numbers and
codes.

The page's five ways, with the page's widths, steps and seed, are tried on other surfaces of the
cache folder; only numbers are kept.

    OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py
    OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py --as-is   # judge the checkpoints
    OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py --surfaces --tried nefertiti
"""

import argparse
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from omt_course.course import records
from omt_course.datasets import surfaces
from omt_course.geometry import creases, disk_maps, meshes
from omt_course.models import surface_autoencoder as sae
from omt_course.models.surface_report import examine

SEED = 3
EPOCHS = 400
WIDTHS = (3, 128, 64, 32, 2)  # the page's small network
SURFACES = ("face", "buddha")
TRIED = ("nefertiti_face_disk_pd", "demosthenes_ccby_8k")


def trained(surface, checkpoint, epochs):
    """Train the article's network on a surface, or go on; return it and the losses so far."""
    generator = torch.Generator().manual_seed(SEED)
    model = sae.SurfaceAutoencoder.of(surface.V, generator=generator)
    if epochs is None:  # as it is
        stored = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(stored["model"])
        return model.eval(), stored["train_loss"]
    options = {"generator": generator, "checkpoint": checkpoint, "progress": True}
    history = sae.fit(model, surface.V, surface.F, epochs=epochs, **options)
    return model, list(history.train_loss)


def judged(model, surface, losses, pieces):
    """Return the numbers of a trained network, and the arrays of the record's picture."""
    rng = np.random.default_rng(SEED)
    report = examine(model, surface.V, surface.F, rng=rng, pieces=pieces)
    network = report.network
    values = {
        "vertices": len(surface.V),
        "triangles": len(surface.F),
        "epochs": len(losses),
        "loss": losses[-1],
        "mean_error": report.mean_error,
        "largest_error": report.largest_error,
        "there": report.there,
        "back": report.back,
        "slack": report.slack,
        "returning": report.returning,
        "folded": len(report.chart.folded),
        "collapsed": len(report.chart.collapsed),
        "folded_area": report.chart.folded_area,
        "crossings": len(report.chart.crossings),
        "injective": report.chart.injective,
        "overlap": report.overlap.share,
        "overlap_error": report.overlap.error,
        "partner_distance": report.overlap.distance,
        "source": surface.source,
    }
    if network is not None:
        values |= {
            "pieces": network.n_pieces,
            "turned_triangles": len(network.turned),
            "turned_area": network.turned_area,
            "network_crossings": network.n_crossings,
            "network_injective": network.injective,
        }
    codes = model.codes_of(surface.V)
    codes, front = codes - codes.mean(axis=0), surface.V[:, :2] - surface.V[:, :2].mean(axis=0)
    u, _, vt = np.linalg.svd(codes.T @ front)
    codes = codes @ (u @ vt)  # turned to the front view
    codes /= np.abs(codes).max()
    at_fold = np.zeros(len(codes), dtype=bool)
    at_fold[surface.F[report.chart.folded]] = True
    return values, codes.astype(np.float16), at_fold


def roundness(V, F):
    """Return the area over that of a flat disk with the same length of the boundary."""
    length = sum(
        np.linalg.norm(V[loop] - V[np.roll(loop, -1)], axis=1).sum()
        for loop in meshes.boundary_loops(F)
    )
    return float(4 * np.pi * meshes.triangle_areas(V, F).sum() / length**2)


def five_ways(surface):
    """Do with a surface what the page does with its own; return the numbers of every way."""
    V, F = surface.V, surface.F
    recipe = {"epochs": max(1, round(1200 * 256 / len(V))), "lr": 3e-3, "schedule": "cosine"}
    diagonal = meshes.diagonal(V)
    wide = creases.opened(V, F, 0.04 * diagonal)
    ways = {
        "plain": {},
        "SiLU": {"activation": "silu"},
        "penalty": {"orientation": 0.1},
        "warm start, penalty": {"orientation": 0.1, "start": disk_maps.harmonic(V, F)},
        "open creases, penalty": {"orientation": 0.1, "seen": wide},
    }
    values = {
        "vertices": len(V),
        "triangles": len(F),
        "source": surface.source,
        "distortion": creases.distortion(V, F, n_sources=4).value,
        "distortion_opened": creases.distortion(wide, F, n_sources=4).value,
        "roundness": roundness(V, F),
        "pierced": len(np.unique(creases.self_crossings(V, F)[1])),
        "ways": {},
    }
    for way, options in ways.items():
        generator = torch.Generator().manual_seed(SEED)
        kinds = {"widths": WIDTHS, "activation": options.pop("activation", "relu")}
        model = sae.SurfaceAutoencoder.of(V, generator=generator, **kinds)
        start = options.pop("start", None)
        if start is not None:
            shape = {"epochs": recipe["epochs"], "lr": recipe["lr"]}
            sae.imitate(model, V, start, generator=generator, **shape)
        pieces = "seen" in options
        for _ in range(2 if pieces else 1):
            sae.fit(model, V, F, generator=generator, **recipe, **options)
            rng = np.random.default_rng(SEED)
            report = examine(model, V, F, rng=rng, seen=options.get("seen"), pieces=pieces)
            if pieces and report.chart.injective and report.network.injective:
                break
        values["ways"][way] = {
            "folded": len(report.chart.folded),
            "folded_area": report.chart.folded_area,
            "crossings": len(report.chart.crossings),
            "injective": report.chart.injective,
            "mean_error": report.mean_error,
            "largest_error": report.largest_error,
            "hausdorff": report.hausdorff,
        }
        if pieces:
            values["ways"][way] |= {
                "turned_triangles": len(report.network.turned),
                "network_injective": report.network.injective,
            }
        print(surface.name, way, values["ways"][way], flush=True)
    return values


def command_of(values):
    """Return the command that makes a record with these values from nothing."""
    made, tried = values["surfaces"], values.get("tried", {})
    uncut = [name for name, one in made.items() if "pieces" not in one]
    words = ["OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py", "--surfaces", *made]
    words += ["--epochs", *(str(one["epochs"]) for one in made.values())]
    words += ["--uncut", *uncut] if uncut else []
    return " ".join([*words, "--tried", *tried])


def main():
    """Train, judge, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="build/learning-a-surface", help="of the checkpoints")
    parser.add_argument("--epochs", type=int, nargs="+", help="of each surface, or of all")
    parser.add_argument("--surfaces", nargs="*", default=SURFACES, help="the article's network")
    parser.add_argument("--uncut", nargs="*", default=(), help="surfaces not cut into pieces")
    parser.add_argument("--tried", nargs="*", default=TRIED, help="the page's networks")
    parser.add_argument("--as-is", action="store_true", help="judge the checkpoints, train nothing")
    parser.add_argument("--no-record", action="store_true", help="print only")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "torch")}
    print(__doc__, f"\nPython {platform.python_version()}, {versions}", flush=True)
    epochs = chosen.epochs or [EPOCHS]
    epochs = epochs * len(chosen.surfaces) if len(epochs) == 1 else epochs
    if len(epochs) != len(chosen.surfaces):
        parser.error(f"--epochs: expected 1 or {len(chosen.surfaces)} numbers; got {len(epochs)}")
    values = {"surfaces": {}, "tried": {}}
    if not set(SURFACES) <= set(chosen.surfaces) or not set(TRIED) <= set(chosen.tried):
        values |= records.read("learning-a-surface").values  # what is not asked for stays
    values |= {"versions": versions, "epochs_wanted": EPOCHS}
    for name, wanted in zip(chosen.surfaces, epochs, strict=True):
        surface = surfaces.load(name)
        checkpoint = Path(chosen.folder) / f"{name}.pt"
        model, losses = trained(surface, checkpoint, None if chosen.as_is else wanted)
        numbers, codes, at_fold = judged(model, surface, losses, name not in chosen.uncut)
        values["surfaces"][name] = numbers
        values |= {f"{name}_codes": codes, f"{name}_folded": at_fold}
        print(name, *(f"  {key}: {value}" for key, value in numbers.items()), sep="\n", flush=True)
    for name in chosen.tried:
        values["tried"][name] = five_ways(surfaces.load(name))
    if not chosen.no_record:
        command = command_of(values)
        print(records.write("learning-a-surface", values, command=command, seeds=[SEED]))


if __name__ == "__main__":
    main()
