"""The article's autoencoder on two surfaces, and whether what it learns is a homeomorphism.

Network 3-768-384-192-96-48-2 and its mirror, ReLU, Adam at 8e-5, batches of 256 vertices, 400
epochs, one core. Surfaces: the face that ships with the course, and the Buddha head of the paper,
which is fetched or found in the folder OMT_COURSE_DATA. Training writes a checkpoint after every
epoch and goes on where it stopped. Judged are the latent mesh (folded triangles, exact; boundary;
points with a common code, by 20,000 samples), the network inside the triangles (every piece on
which it is affine) and the Hausdorff distance of surface and reconstruction (points 0.2 % of the
diagonal dense). Of the Buddha nothing is kept but numbers and codes.

    OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py
    OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py --as-is   # judge the checkpoints
"""

import argparse
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from omt_course.course import records
from omt_course.datasets import surfaces
from omt_course.models import surface_autoencoder as sae
from omt_course.models.surface_report import examine

SEED = 3
EPOCHS = 400
SURFACES = ("face", "buddha")


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


def main():
    """Train, judge, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="build/learning-a-surface", help="of the checkpoints")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--surfaces", nargs="+", default=SURFACES)
    parser.add_argument("--pieces", nargs="*", default=SURFACES, help="surfaces cut into pieces")
    parser.add_argument("--as-is", action="store_true", help="judge the checkpoints, train nothing")
    parser.add_argument("--no-record", action="store_true", help="print only")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "torch")}
    print(__doc__, f"\nPython {platform.python_version()}, {versions}", flush=True)
    values = {"surfaces": {}}
    if any(set(SURFACES) - set(chosen.surfaces)):  # what is not asked for stays as it is recorded
        values = dict(records.read("learning-a-surface").values)
    values |= {"versions": versions, "epochs_wanted": chosen.epochs}
    for name in chosen.surfaces:
        surface = surfaces.load(name)
        checkpoint = Path(chosen.folder) / f"{name}.pt"
        model, losses = trained(surface, checkpoint, None if chosen.as_is else chosen.epochs)
        numbers, codes, at_fold = judged(model, surface, losses, name in chosen.pieces)
        values["surfaces"][name] = numbers
        values |= {f"{name}_codes": codes, f"{name}_folded": at_fold}
        print(name, *(f"  {key}: {value}" for key, value in numbers.items()), sep="\n", flush=True)
    if not chosen.no_record:
        command = "OMP_NUM_THREADS=1 python benchmarks/learning_a_surface.py"
        print(records.write("learning-a-surface", values, command=command, seeds=[SEED]))


if __name__ == "__main__":
    main()
