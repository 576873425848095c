"""The commands ``omt train digits`` and ``omt sample``: a generative model in a file."""

import sys
from pathlib import Path

from omt_course.commands import add_command, output, positive


def add(commands):
    """Add ``train`` and ``sample`` to the commands."""
    parser = commands.add_parser("train", help="train a generative model")
    models = parser.add_subparsers(metavar="MODEL", required=True)
    train = add_command(
        models,
        "digits",
        _train_digits,
        "train AE-OMT on digits: an autoencoder, then the transport onto its codes",
        after_interrupt=": with --checkpoint, the same command resumes after the last epoch",
    )
    _add_train_arguments(train)
    sample = add_command(commands, "sample", _sample, "draw digits from a model file")
    sample.add_argument("model", type=Path, metavar="MODEL", help="a file of 'omt train digits'")
    sample.add_argument(
        "--out",
        type=output(".png", ".npz"),
        required=True,
        metavar="FILE",
        help=".png: a sheet of digits; .npz: the arrays images, (n, 28, 28) uint8, and codes",
    )
    sample.add_argument("-n", type=positive, default=100, help="how many (default: %(default)s)")
    sample.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")


def _add_train_arguments(train):
    train.add_argument(
        "--out", type=output(".safetensors"), required=True, metavar="FILE.safetensors"
    )
    train.add_argument(
        "--data",
        choices=("mnist-5k", "mnist", "fashion-mnist"),
        default="mnist-5k",
        help="data set (default: %(default)s)",
    )
    train.add_argument(
        "--split",
        choices=("train", "all"),
        default="train",
        help="images to learn from (default: %(default)s)",
    )
    train.add_argument("--limit", type=positive, metavar="N", help="use the first N images only")
    train.add_argument(
        "--epochs", type=positive, default=30, help="of the autoencoder (default: %(default)s)"
    )
    train.add_argument(
        "--latent-dim", type=positive, default=16, help="numbers in a code (default: %(default)s)"
    )
    train.add_argument(
        "--target-error",
        type=float,
        default=0.08,
        help="RMS relative mass error that the transport must reach (default: %(default)s)",
    )
    train.add_argument(
        "--max-seconds", type=float, metavar="S", help="give up the transport after S seconds"
    )
    train.add_argument(
        "--device", default="cpu", help="where the transport is computed (default: %(default)s)"
    )
    train.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    train.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="written every epoch, resumed if it exists"
    )


def _train_digits(options):
    import torch

    from omt_course.datasets import digits
    from omt_course.models.aeomt import AEOMT

    images = digits.load(options.data, split=options.split).images[: options.limit]
    print(f"{len(images)} images of {options.data}", file=sys.stderr)
    model = AEOMT.fit(
        images,
        generator=torch.Generator().manual_seed(options.seed),
        latent_dim=options.latent_dim,
        epochs=options.epochs,
        target_error=options.target_error,
        max_seconds=options.max_seconds,
        device=options.device,
        checkpoint=options.checkpoint,
    )
    model.save(options.out)
    low, high = model.mass_error_interval
    print(f"mass error of the transport = {model.mass_error:.3g} (95 %: {low:.3g} to {high:.3g})")
    print(f"written: {options.out}")


def _sample(options):
    import numpy as np
    import torch

    from omt_course.files import write_atomically
    from omt_course.models.aeomt import AEOMT

    model = AEOMT.load(options.model)
    generated = model.sample(options.n, generator=torch.Generator().manual_seed(options.seed))
    images = torch.round(255 * generated.images[:, 0]).to(torch.uint8).numpy()  # (n, 28, 28)
    if options.out.suffix == ".npz":
        codes = generated.codes.numpy()
        write_atomically(
            options.out, lambda stream: np.savez_compressed(stream, images=images, codes=codes)
        )
    else:
        from matplotlib.image import imsave

        sheet = 255 - contact_sheet(images)  # dark ink on white
        write_atomically(
            options.out,
            lambda stream: imsave(stream, sheet, cmap="gray", vmin=0, vmax=255, format="png"),
        )
    print(f"written: {options.out} ({len(images)} digits)")


def contact_sheet(images):
    """Lay images out in a sheet as square as can be, row by row.

    Parameters
    ----------
    images : (n, h, w) array

    Returns
    -------
    sheet : (rows * h, columns * w) array
        What remains of the last row is 0.

    Examples
    --------
    >>> import numpy as np
    >>> contact_sheet(np.arange(1, 6).reshape(5, 1, 1))
    array([[1, 2, 3],
           [4, 5, 0]])
    """
    import math

    import numpy as np

    n, height, width = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, height, width), dtype=images.dtype)
    cells[:n] = images
    cells = cells.reshape(rows, columns, height, width)
    return cells.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
