"""How good the model of a run is: generated images beside reconstructions and unseen images.

Every number is measured the same way for three kinds of images: those that the model generates,
the decoder's reconstructions of images that it has not seen (a floor that no transport can lower),
and these unseen images themselves. The judge is trained apart from the model and carries its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from omt_course.models import factor_reading, metrics, run_data
from omt_course.models.aeomt import AEOMT
from omt_course.models.autoencoder import decode_in_batches, encode_in_batches
from omt_course.models.coverage import compare_supports
from omt_course.models.eye_colours import eye_colours
from omt_course.models.images import as_bytes, as_pixels
from omt_course.models.run_folder import MODEL, read_header

DEFAULT_N = 1000
_NEIGHBOURS = 5  # of the balls whose union stands for a support
_SCALE_SIZE = 2000  # images whose distance to the nearest other one makes the scale
_JUDGE_SEED = 20_000  # the judge is the same for every run on the same images


@dataclass(frozen=True)
class Judge:
    """A network that looks at images: its name, its features, and what else it can tell.

    Attributes
    ----------
    name : str
    features : callable
        (n, h, w) or (n, h, w, 3) uint8 array -> `metrics.Features`.
    probabilities : callable or None
        The same -> (n, n_classes) float array; None if the judge knows no classes.
    readings : callable or None
        The same -> dict of factors to (n,) float arrays; None if the judge reads no factors.
    """

    name: str
    features: Callable
    probabilities: Callable | None = None
    readings: Callable | None = None


def evaluate_run(
    folder: str | Path, *, n: int | None = None, seed: int = 0, progress: bool = True
) -> dict:
    """Judge the model of a finished run.

    Parameters
    ----------
    folder : path
    n : int, optional
        Images of each kind; by default as many as there are unseen ones, 1000 at most.
    seed : int
        Of the generated images.
    progress : bool

    Returns
    -------
    found : dict
        ``judge``, its name; ``n``; ``compared_with``, the unseen images; ``kinds``, for each kind
        its ``frechet`` distance to the unseen images, ``precision``, ``recall`` and ``coverage``
        in the judge's features, and ``memorised_share``; for digits also ``ambiguous_share``,
        ``rarest_class_share`` and, for all classes, ``class_shares``; for rendered faces
        ``mixed_eyes_share``.

    Raises
    ------
    ValueError
        If the folder holds no finished run, or its images have changed.

    Notes
    -----
    The training images themselves stand in for unseen ones in a run that learnt from all of them;
    ``compared_with`` says so.
    """
    folder = Path(folder)
    header = read_header(folder)
    model, config = header["model"], header["config"]
    trained = load_model(folder)
    seen = run_data.seen(model, config, folder, progress=progress)
    run_data.check_same(folder, seen)  # or unseen photographs might be those it has learnt from
    unseen = run_data.unseen(model, config, folder, progress=progress) or seen
    n = min(n or DEFAULT_N, len(unseen.pixels))
    if n <= _NEIGHBOURS:
        raise ValueError(f"n: expected more than {_NEIGHBOURS} images of each kind; got {n}")
    chosen = np.random.default_rng(seed).permutation(len(unseen.pixels))[:n]
    real = unseen.pixels[np.sort(chosen)]
    judge = judge_of(model, config, seen, progress=progress)
    codes = encode_in_batches(trained.autoencoder, as_pixels(real))
    generator = torch.Generator().manual_seed(seed)
    kinds = {
        "generated": as_bytes(trained.sample(n, generator=generator).images),
        "reconstructions": as_bytes(decode_in_batches(trained.autoencoder, codes)),
        "unseen": real,
    }
    reference = judge.features(real)
    scale = memory_scale(seen.pixels)
    found = {
        "model": model,
        "judge": judge.name,
        "n": n,
        "seed": seed,
        "compared_with": unseen.name,
        "memory_scale": scale,
        "kinds": {
            kind: _judged(judge, images, None if kind == "unseen" else reference, seen, scale)
            for kind, images in kinds.items()
        },
    }
    if judge.probabilities is not None:
        found["class_shares"] = {
            kind: metrics.class_shares(judge.probabilities(images)).tolist()
            for kind, images in kinds.items()
        }
    return found


def load_model(path: str | Path) -> AEOMT:
    """Return the model of a finished run's folder, or of a model file.

    Raises
    ------
    ValueError
        If the run is not finished, or the file is no model.
    """
    path = Path(path)
    if not path.is_dir():
        return AEOMT.load(path)
    header = read_header(path)
    if not (path / MODEL).exists():
        raise ValueError(
            f"run: expected a finished run; {path} has no {MODEL} yet: go on with it by its "
            f"'omt train {header['model']}'"
        )
    return AEOMT.load(path / MODEL)


def judge_of(model: str, config: dict, seen: run_data.Images, *, progress: bool = True) -> Judge:
    """Train the judge of a model's images.

    Digits: a small classifier, on every image of the set's training split, so that runs on one
    set share it. Faces: the reader of factors, on rendered faces, whatever the run learnt from; it
    reads eye colours where faces are rendered as those it knows.
    """
    generator = torch.Generator().manual_seed(_JUDGE_SEED)
    if model == "digits":
        if config["limit"] is not None:
            seen = run_data.seen(model, config | {"limit": None}, ".", progress=progress)
        network = metrics.train_classifier(
            seen.pixels, seen.labels, generator=generator, progress=progress
        )
        return Judge(
            network.name,
            lambda images: metrics.features(network, images),
            lambda images: metrics.probabilities(network, images),
        )
    reader = factor_reading.make_reader(generator=generator, progress=progress)
    knows = model == "faces" and config["data"] == "synthetic"
    return Judge(
        reader.name,
        lambda images: factor_reading.features(reader, images),
        readings=(lambda images: factor_reading.read(reader, images)) if knows else None,
    )


def memory_scale(training: np.ndarray) -> float:
    """Return the median distance of a training image to the nearest other one.

    Of more than 2,000 images, the median is that of 2,000 of them, spread evenly, to the nearest
    of the others. Colour images are first shrunk four times, as in `_judged`.
    """
    items = _shrunk(training)
    if len(items) <= _SCALE_SIZE:
        return float(np.median(metrics.nearest_distances(items)))
    chosen = np.zeros(len(items), dtype=bool)
    chosen[np.linspace(0, len(items) - 1, _SCALE_SIZE).astype(int)] = True
    return float(np.median(metrics.nearest_distances(items[chosen], items[~chosen])))


def _judged(judge, images, reference, seen, scale):
    """Return the measures of one kind of images; the reference is not compared with itself."""
    row = dict.fromkeys(("frechet", "precision", "recall", "coverage"))
    if reference is not None:
        made = judge.features(images)
        supports = compare_supports(reference, made, k=_NEIGHBOURS)
        row["frechet"] = float(metrics.frechet_distance(made, reference))
        row |= {name: getattr(supports, name) for name in ("precision", "recall", "coverage")}
    if judge.probabilities is not None:
        p = judge.probabilities(images)
        row["ambiguous_share"] = metrics.ambiguous_share(p)
        row["rarest_class_share"] = float(metrics.class_shares(p).min())
    if judge.readings is not None:
        row["mixed_eyes_share"] = eye_colours(judge.readings(images)).mixed
    row["memorised_share"] = metrics.memorised_share(
        _shrunk(images), _shrunk(seen.pixels), threshold=scale
    )
    return row


def _shrunk(pixels):
    """Return images as rows of numbers; colour images by means of 4 x 4 pixels, to spare memory."""
    if pixels.ndim == 3:
        return pixels.reshape(len(pixels), -1).astype(np.float32)
    n, height, width, colours = pixels.shape
    cells = pixels.reshape(n, height // 4, 4, width // 4, 4, colours)
    return np.concatenate(
        [
            part.mean(axis=(2, 4), dtype=np.float32).reshape(len(part), -1)
            for part in np.array_split(cells, max(1, n // 1000))
        ]
    )
