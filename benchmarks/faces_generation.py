"""AE-OMT on 50,000 rendered faces and on LFW, and the reader that tells what a face shows.

    export OMP_NUM_THREADS=1
    python benchmarks/faces_generation.py --work DIR --stage reader
    python benchmarks/faces_generation.py --work DIR --stage crowd
    OMT_COURSE_DATA=... python benchmarks/faces_generation.py --work DIR --stage lfw

`reader` renders 20,000 faces whose two irises have colours of their own, trains the reader of
factors and writes the record `faces-reader`: errors on 2,000 unseen faces, and the weights.
`crowd` renders `--n` faces of the whole crowd (29 factors), trains an autoencoder with 64 numbers a
code, transports the cube onto the codes, makes 10,000 faces with and without the cut, and compares
them, and the reconstructions of unseen faces, with 4,000 unseen faces: Frechet distance in the
reader's features, eye colours, memorised share. `lfw` does the same with the faces of LFW, cropped,
in `faces/lfwcrop_color_64_q93.npz` of the data cache, one in ten held out. Both add to the record
`faces-generation`; sheets of generated faces are kept with it, no photograph is.

Every stage keeps what it has in DIR and goes on from there when it is started again.
"""

import argparse
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from omt_course.course import records
from omt_course.datasets import faces, registry
from omt_course.files import write_atomically
from omt_course.models import autoencoder, autoencoder_files, factor_reading, metrics
from omt_course.models.aeomt import AEOMT
from omt_course.models.eye_colours import eye_colours
from omt_course.models.image_autoencoder import ImageAutoencoder
from omt_course.models.images import as_bytes, as_pixels
from omt_course.models.training import train

SEEDS = {"learn": 15, "unseen": 16, "reader": 17, "reader unseen": 18}
LATENT, WIDTH, N_MADE, SHEET = 64, 24, 10_000, 32
EYES_OF_LFW = ((48.0, 15.2), (16.7, 15.2))  # the crop is aligned: read off its mean image


def seeded(k):
    """Return a generator of its own for each use."""
    return torch.Generator().manual_seed(k)


def rendered(work, part, n, *, odd=False):
    """Return images and factors of a part, rendered a thousand at a time and kept."""
    seed = SEEDS[part]
    table = (factor_reading.odd_eyed if odd else faces.people)(n, seed=seed)
    blocks = []
    for start in range(0, n, 1000):
        path = work / f"{part.replace(' ', '_')}_{start:05d}.npy"
        if not path.exists():
            some = {name: values[start : start + 1000] for name, values in table.items()}
            images, _ = faces.render(len(some["yaw"]), seed=seed, factors=some)
            write_atomically(path, lambda stream, images=images: np.save(stream, images))
        blocks.append(np.load(path))
    return np.concatenate(blocks)[:n], table


def reader_stage(work, n=20_000, epochs=10):
    """Train the reader and write its record."""
    images, table = rendered(work, "reader", n, odd=True)
    reader = factor_reading.train_reader(
        images, table, generator=seeded(17), epochs=epochs, checkpoint=work / "reader.pt"
    )
    unseen, truth = rendered(work, "reader unseen", 2000, odd=True)
    errors = factor_reading.errors(reader, unseen, truth)
    spreads = {name: float(truth[name].std()) for name in errors}
    for name, error in errors.items():
        print(f"{name:16s} error {error:8.3f}, spread {spreads[name]:8.3f}")
    values = {"errors": errors, "spreads": spreads, "n": n, "epochs": epochs}
    command = "python benchmarks/faces_generation.py --work DIR --stage reader"
    values |= factor_reading.to_arrays(reader)
    print(records.write("faces-reader", values, command=command, seeds=[17, 18]))


def trained(work, name, pixels, places, epochs):
    """Return an autoencoder, trained or from the work folder, and its CPU seconds."""
    path = work / f"{name}.safetensors"
    notes = work / f"{name}.json"
    if not path.exists():
        model = ImageAutoencoder(LATENT, width=WIDTH, generator=seeded(0))
        model.start(pixels)
        began = time.process_time()
        train(
            model,
            autoencoder.own_loss,
            (pixels, places),
            epochs=epochs,
            batch_size=64,
            lr=3e-3,
            weight_decay=0.01,
            generator=seeded(1),
            checkpoint=work / f"{name}.pt",
        )
        seconds = time.process_time() - began  # of the last start only
        notes.write_text(json.dumps({"seconds": seconds, "epochs": epochs}))
        autoencoder_files.save(model, path)
    return autoencoder_files.load(path), json.loads(notes.read_text())


def transported(work, name, images, model, target):
    """Return AE-OMT with the transport of the work folder, or solve it."""
    path = work / f"{name}-model.safetensors"
    notes = work / f"{name}-model.json"
    if not path.exists():
        began = time.process_time()
        fitted = AEOMT.fit(images, generator=seeded(2), autoencoder=model, target_error=target)
        notes.write_text(json.dumps({"seconds": time.process_time() - began}))
        fitted.save(path)
    return AEOMT.load(path), json.loads(notes.read_text())


def measured(images, real, reader, training, scale):
    """Return distances, eye colours and memorised share of images, (n, c, h, w) or bytes.

    The distance takes as many of them as there are real faces: it is biased by the sizes.
    """
    readings = factor_reading.read(reader, images)
    eyes = eye_colours(readings)
    made = factor_reading.features(reader, images[: len(real.values)])
    small = shrunk(images[:2000])
    return {
        "frechet": metrics.frechet_distance(made, real).value,
        "mixed": eyes.mixed,
        "between": eyes.between,
        "memorised": metrics.memorised_share(small, training, threshold=scale),
        "n": len(images),
    }


def shrunk(images):
    """Return images four times smaller each way, flat: what the memorised share compares."""
    pixels = as_pixels(images)
    blocks = pixels if pixels.is_floating_point() else pixels.float() / 255
    return torch.nn.functional.avg_pool2d(blocks, 4).flatten(1).numpy()


def study(work, name, images, places, unseen, reader, *, epochs, target):
    """Return the record's part of one set of faces."""
    pixels = as_pixels(images)
    model, training_notes = trained(work, f"{name}-autoencoder", pixels, places, epochs)
    omt, transport_notes = transported(work, name, images, model, target)
    uncut = replace(omt, extension=replace(omt.extension, threshold=np.pi))
    source = omt.sample(N_MADE, generator=seeded(3)).source
    made, smooth = omt.generate(source).images, uncut.generate(source).images
    again = autoencoder.decode_in_batches(
        model, autoencoder.encode_in_batches(model, as_pixels(unseen))
    )
    real = factor_reading.features(reader, unseen)
    training = shrunk(images)
    scale = float(np.median(metrics.nearest_distances(training[:2000], training[2000:])))
    half = len(unseen) // 2
    rows = {
        "reconstructions of unseen faces": measured(again, real, reader, training, scale),
        "transport, no cut": measured(smooth, real, reader, training, scale),
        "AE-OMT": measured(made, real, reader, training, scale),
    }
    rows["one half of unseen faces against the other"] = measured(
        unseen[:half], factor_reading.features(reader, unseen[half:]), reader, training, scale
    )
    for row, numbers in rows.items():
        print(f"{row:44s}", {key: round(value, 4) for key, value in numbers.items()})
    error = (again - as_pixels(unseen) / 255.0).square().mean().sqrt().item()
    return {
        f"{name}": {
            "n": len(images),
            "latent_dim": LATENT,
            "epochs": epochs,
            "autoencoder_seconds": training_notes["seconds"],
            "transport_seconds": transport_notes["seconds"],
            "mass_error": omt.mass_error,
            "mass_error_interval": list(omt.mass_error_interval),
            "threshold": omt.extension.threshold,
            "rms_pixel_error": error,
            "features": reader.name,
            "rows": rows,
        },
        f"{name} sheet": as_bytes(made[:SHEET]),
    }


def lfw_crop():
    """Return the cropped faces of LFW in the data cache, (13233, 64, 64, 3) bytes."""
    path = registry.cache_folder() / "faces" / "lfwcrop_color_64_q93.npz"
    with np.load(path) as stored:
        jpeg, offset = stored["jpeg"].tobytes(), stored["offset"]
    parts = [jpeg[a:b] for a, b in zip(offset[:-1], offset[1:], strict=True)]
    return np.stack([np.asarray(Image.open(io.BytesIO(part)).convert("RGB")) for part in parts])


def main():
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--stage", choices=("reader", "crowd", "lfw"), required=True)
    parser.add_argument("--n", type=int, default=50_000, help="faces of the crowd")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--target-error", type=float, default=0.2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.stage == "reader":
        return reader_stage(options.work)
    reader = factor_reading.from_arrays(records.read("faces-reader").values)
    settings = {"epochs": options.epochs, "target": options.target_error}
    if options.stage == "crowd":
        images, table = rendered(options.work, "learn", options.n)
        unseen, _ = rendered(options.work, "unseen", 4000)
        path = options.work / f"places_{options.n}.npy"
        if not path.exists():
            np.save(path, faces.irises(table).astype(np.float32))
        places = torch.as_tensor(np.load(path))
    else:
        every = lfw_crop()
        held_out = np.arange(len(every)) % 10 == 9
        images, unseen = every[~held_out], every[held_out]
        places = torch.tensor(EYES_OF_LFW).expand(len(images), 2, 2).contiguous()
    values = study(options.work, options.stage, images, places, unseen, reader, **settings)
    before = {}
    if (records.folders()[0] / "faces-generation.json").exists():
        before = records.read("faces-generation").values
    command = f"python benchmarks/faces_generation.py --work DIR --stage {options.stage}"
    command += f" --n {options.n} --epochs {options.epochs} --target-error {options.target_error}"
    values[f"{options.stage}"]["command"] = command
    print(
        records.write(
            "faces-generation",
            before | values,
            command="python benchmarks/faces_generation.py --work DIR --stage crowd|lfw",
            seeds=list(SEEDS.values()),
        )
    )


if __name__ == "__main__":
    main()
