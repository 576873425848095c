"""The model of the page *Make digits here*: AE-OMT with two latent dimensions, small in bytes.

Protocol. An autoencoder learns MNIST's 60,000 training images: convolutions into a plane, a dense
decoder out of it. Its loss is the cross-entropy of the pixels, and PULL times the mean squared
distance of each code to the disc of its class: ten discs of radius RADIUS, three inside seven.
These labels are what gives the codes gaps that can be seen; two numbers alone would leave the
classes touching. Then the unit disk is transported exactly onto the codes of the first N_CLASS
training images of each class, and the map extended as in AE-OMT. The decoder's weights are kept as
signed bytes, one scale a row; those of the small first layer in single precision. The judge is a
LeNet, trained on N_JUDGE of the images; it reads reconstructions of the 10,000 test images, and
digits made with and without the cut: from random points, and from those of them near a ridge, where
the map without the cut has more than LIMIT of its weight across it.

    OMP_NUM_THREADS=1 python benchmarks/playable_digits.py
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from omt_course.course import records
from omt_course.datasets import digits
from omt_course.models import metrics
from omt_course.models.autoencoder import (
    Autoencoder,
    ConvAutoencoder,
    MLPAutoencoder,
    decode_in_batches,
    encode_in_batches,
)
from omt_course.models.codes import targets
from omt_course.models.images import as_floats
from omt_course.models.training import train
from omt_course.transport import semidiscrete
from omt_course.transport.domains import disk
from omt_course.transport.extension import Extension, extend, top_scores
from omt_course.transport.ridges import ridge_angles, unit_variance

SEED = 23
EPOCHS = 16
BATCH, RATE = 128, 2e-3
PULL, RADIUS = 20.0, 2.0
INSIDE, OUTSIDE = (8, 3, 5), (1, 7, 9, 4, 6, 0, 2)  # digits that look alike are neighbours
DISTANCE = (4.2, 10.0)  # of the centres inside and outside
HIDDEN = 256
N_CLASS = 120
N_MADE = 10_000
SOFTNESS = (1, 8)  # in the unit of `extend`'s own
N_JUDGE, JUDGE_EPOCHS = 20_000, 5
LIMIT = 0.05


def centres() -> torch.Tensor:
    """Return the centres of the ten discs, (10, 2)."""
    found = torch.empty(10, 2)
    for chosen, radius in zip((INSIDE, OUTSIDE), DISTANCE, strict=True):
        angle = np.pi / 2 + 2 * np.pi * (np.arange(len(chosen)) + 0.5) / len(chosen)
        where = radius * np.column_stack([np.cos(angle), np.sin(angle)])
        found[list(chosen)] = torch.as_tensor(where, dtype=torch.float32)
    return found


class PlaneAutoencoder(Autoencoder):
    """Convolutions into the plane, and a dense decoder that a page can carry."""

    def __init__(self, *, generator):
        super().__init__()
        self.config = {"latent_dim": 2}
        self.encoder = ConvAutoencoder(2, generator=generator).encoder
        self.decoder = MLPAutoencoder(2, hidden=HIDDEN, generator=generator).decoder
        self.register_buffer("centres", centres())

    def outside(self, codes, labels):
        """Return how far codes lie outside the discs of their classes."""
        away = (codes - self.centres[labels]).norm(dim=1)
        return torch.relu(away - RADIUS)


def loss(model, batch, generator):
    """Return the loss of a batch of images and labels."""
    images, labels = batch
    images = as_floats(images)
    codes = model.encode(images)
    ink = binary_cross_entropy_with_logits(model.decode_logits(codes), images, reduction="sum")
    return ink / len(images) + PULL * (model.outside(codes, labels) ** 2).mean()


def quantised(layer: nn.Linear) -> dict:
    """Return a layer as signed bytes with one scale a row, and its bias in single precision.

    What reads a code stays in single precision: few numbers, and all pixels hang on them.
    """
    weight, bias = layer.weight.detach(), layer.bias.detach().numpy()
    if layer.in_features == 2:
        return {"weight": weight.numpy(), "scale": np.ones(len(bias), np.float32), "bias": bias}
    scale = weight.abs().amax(dim=1) / 127
    return {
        "weight": torch.round(weight / scale[:, None]).to(torch.int8).numpy(),
        "scale": scale.numpy(),
        "bias": bias,
    }


@torch.no_grad()
def restored(decoder: nn.Sequential, layers: list[dict]) -> nn.Sequential:
    """Return the decoder with the weights that the bytes stand for."""
    found = MLPAutoencoder(2, hidden=HIDDEN).decoder
    found.load_state_dict(decoder.state_dict())
    for linear, layer in zip(linears(found), layers, strict=True):
        weight = layer["weight"].astype(np.float32) * layer["scale"][:, None]
        linear.weight.copy_(torch.as_tensor(weight))
    return found


def linears(decoder: nn.Sequential) -> list[nn.Linear]:
    """Return the dense layers of a decoder."""
    return [layer for layer in decoder if isinstance(layer, nn.Linear)]


def balanced(labels: np.ndarray) -> np.ndarray:
    """Return where the first N_CLASS images of each class lie."""
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[:N_CLASS] for k in range(10)]))


def main() -> None:
    """Train, transport, measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--no-record", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(__doc__)
    chance = torch.Generator().manual_seed(SEED)
    learn, test = digits.load("mnist", split="train"), digits.load("mnist", split="test")
    pixels, labels = torch.as_tensor(learn.images)[:, None], torch.as_tensor(learn.labels)

    cpu = time.process_time()
    model = PlaneAutoencoder(generator=chance)
    history = train(
        model,
        loss,
        (pixels, labels),
        epochs=chosen.epochs,
        batch_size=BATCH,
        lr=RATE,
        weight_decay=0.01,
        generator=chance,
        progress=False,
        callback=lambda epoch: print(epoch, flush=True),
    )
    training_seconds = time.process_time() - cpu
    judge = metrics.train_classifier(
        learn.images[:N_JUDGE], learn.labels[:N_JUDGE], generator=chance, epochs=JUDGE_EPOCHS
    )
    layers = [quantised(layer) for layer in linears(model.decoder)]
    exact, model.decoder = model.decoder, restored(model.decoder, layers)

    unseen = torch.as_tensor(test.floats)
    codes = encode_in_batches(model, unseen)
    seen_again = decode_in_batches(model, codes)
    read = metrics.probabilities(judge, seen_again).argmax(axis=1)
    away = model.outside(codes, torch.as_tensor(test.labels))
    values = {
        "n_learn": len(learn),
        "n_test": len(test),
        "epochs": history.n_epochs,
        "training_seconds": training_seconds,
        "n_weights": sum(layer["weight"].size + layer["bias"].size for layer in layers),
        "judge": judge.name,
        "judge_accuracy": accuracy(judge, test.floats, test.labels),
        "squared_error": float(((seen_again - unseen) ** 2).sum(dim=(1, 2, 3)).mean()),
        "variance": float(((unseen - unseen.mean(dim=0)) ** 2).sum(dim=(1, 2, 3)).mean()),
        "test_read": float((read == test.labels).mean()),
        "test_inside": float((away == 0).double().mean()),
        "quantisation": float((seen_again - torch.sigmoid(exact(codes)).detach()).abs().max()),
    }

    images = balanced(learn.labels)
    codes = encode_in_batches(model, pixels[torch.as_tensor(images)]).double().numpy()
    aim = targets(codes)
    if len(aim.points) != len(codes):
        raise ValueError(f"codes: expected {len(codes)} different ones, got {len(aim.points)}")
    source, own = disk(), learn.labels[images]
    solved = semidiscrete.solve(source, aim.points)
    extension = extend(aim.points, solved.heights, source.sample(4096, np.random.default_rng(SEED)))
    i, j = solved.diagram.pairs.T
    angles = ridge_angles(unit_variance(aim.points), i, j)
    sharp = angles > extension.threshold
    values |= {
        "n_codes": len(codes),
        "mass_error": solved.max_relative_error,
        "newton_steps": solved.n_iter,
        "threshold": extension.threshold,
        "softness": extension.softness,
        "n_neighbours": extension.n_neighbours,
        "n_ridges": len(i),
        "n_sharp": int(sharp.sum()),
        "sharp_between": float((own[i] != own[j])[sharp].mean()),
        "flat_between": float((own[i] != own[j])[~sharp].mean()),
        "codes_read": accuracy(judge, decode(model, aim, aim.points), own),
        "n_made": N_MADE,
        "limit": LIMIT,
        "made": [],
    }
    x = source.sample(N_MADE, np.random.default_rng(SEED + 1))
    for softness in SOFTNESS:
        near = across(extension, x, softness) > LIMIT
        for threshold in (extension.threshold, float(np.pi)):
            scaled = softness * extension.softness
            law = replace(extension, threshold=threshold, softness=scaled)
            moved = law.map(x)
            found = metrics.probabilities(judge, decode(model, aim, moved.values))
            right = found.argmax(axis=1) == own[moved.cell]
            row = {
                "softness": softness,
                "cut": threshold < np.pi,
                "mixed": float(moved.n_used.mean()),
                "ambiguous": metrics.ambiguous_share(found),
                "read": float(right.mean()),
                "near": float(near.mean()),
                "near_ambiguous": metrics.ambiguous_share(found[near]),
                "near_read": float(right[near].mean()),
            }
            values["made"].append(row)
    print({k: v for k, v in values.items() if k != "made"}, *values["made"], sep="\n")

    witness = np.arange(0, len(codes), len(codes) // 12)
    plain = torch.as_tensor(codes[witness], dtype=torch.float32)
    values |= {
        "points": aim.points,
        "heights": solved.heights,
        "mean": aim.mean,
        "scale": aim.scale,
        "labels": own.astype(np.uint8),
        "image": images.astype(np.int32),
        "witness": witness,
        "witness_pixels": torch.sigmoid(exact(plain)).detach().numpy()[:, 0],
    }
    for k, layer in enumerate(layers):
        values |= {f"{name}_{k}": array for name, array in layer.items()}
    if not chosen.no_record:
        path = records.write(
            "playable-digits",
            values,
            command="python benchmarks/playable_digits.py",
            seeds=[SEED],
        )
        print(path)


def across(extension: Extension, x: np.ndarray, softness: float) -> np.ndarray:
    """Return the weight that the map without the cut has beyond the sharp ridges."""
    scores, index = top_scores(extension.points, extension.heights, x, extension.n_neighbours)
    weights = np.exp((scores - scores[:, :1]) / (softness * extension.softness))
    first = np.broadcast_to(index[:, :1], index.shape)
    sharp = ridge_angles(unit_variance(extension.points), first, index) > extension.threshold
    return (weights * sharp).sum(axis=1) / weights.sum(axis=1)


def decode(model, aim, points) -> torch.Tensor:
    """Return the images of points of the transport."""
    codes = torch.as_tensor(aim.mean + aim.scale * points, dtype=torch.float32)
    return decode_in_batches(model, codes)


def accuracy(judge, images, labels) -> float:
    """Return how often the judge reads the label."""
    return float((metrics.probabilities(judge, images).argmax(axis=1) == labels).mean())


if __name__ == "__main__":
    main()
