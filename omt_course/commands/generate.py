"""The commands ``omt sample`` and ``omt evaluate``: what a model draws, and how good it is."""

from pathlib import Path

from omt_course.commands import add_command, output, positive


def add(commands):
    """Add ``sample`` and ``evaluate`` to the commands."""
    sample = add_command(commands, "sample", _sample, "draw images from a trained model")
    sample.add_argument(
        "model", type=Path, metavar="RUN", help="folder of a finished run, or a model file"
    )
    sample.add_argument(
        "--out",
        type=output(".png", ".npz"),
        required=True,
        metavar="FILE",
        help=".png: a sheet of images; .npz: the arrays images, (n, h, w) or (n, h, w, 3) uint8, "
        "and codes",
    )
    sample.add_argument("-n", type=positive, default=100, help="how many (default: %(default)s)")
    sample.add_argument("--seed", type=seed, default=0, help="of all randomness (default: 0)")
    evaluate = add_command(
        commands,
        "evaluate",
        _evaluate,
        "judge a finished run: generated images beside reconstructions and images it has not seen",
    )
    evaluate.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished run")
    evaluate.add_argument(
        "--out", type=output(".json"), metavar="FILE.json", help="default: RUN/evaluation.json"
    )
    evaluate.add_argument(
        "-n",
        type=positive,
        metavar="N",
        help="how many images of each kind (default: 1000 at most)",
    )
    evaluate.add_argument("--seed", type=seed, default=0, help="of all randomness (default: 0)")


def seed(text):
    """Read a seed, for argparse."""
    import argparse

    from omt_course.models import run_config

    try:
        return run_config.seed(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _sample(options):
    import numpy as np
    import torch

    from omt_course.files import write_atomically
    from omt_course.models.evaluation import load_model
    from omt_course.models.images import as_bytes

    model = load_model(options.model)
    generated = model.sample(options.n, generator=torch.Generator().manual_seed(options.seed))
    images = as_bytes(generated.images)
    if options.out.suffix == ".npz":
        codes = generated.codes.numpy()
        write_atomically(
            options.out, lambda stream: np.savez_compressed(stream, images=images, codes=codes)
        )
    else:
        from matplotlib.image import imsave

        sheet = contact_sheet(images)
        if sheet.ndim == 2:
            sheet = 255 - sheet  # dark ink on white
        write_atomically(
            options.out,
            lambda stream: imsave(stream, sheet, cmap="gray", vmin=0, vmax=255, format="png"),
        )
    print(f"written: {options.out} ({len(images)} images)")


def _evaluate(options):
    from omt_course.models.evaluation import evaluate_run
    from omt_course.models.run_folder import write_json

    found = evaluate_run(options.run_folder, n=options.n, seed=options.seed)
    out = options.out or options.run_folder / "evaluation.json"
    write_json(out, found)
    for line in table(found):
        print(line)
    print(f"written: {out}")


def table(found):
    """Return the lines of a table of an evaluation, one kind of images a line."""
    kinds = found["kinds"]
    columns = list(next(iter(kinds.values())))
    lines = [f"judge: {found['judge']}", f"n = {found['n']} of each kind"]
    lines.append(" " * 16 + "".join(f"{name.replace('_', ' '):>20s}" for name in columns))
    for kind, row in kinds.items():
        cells = (row[name] for name in columns)
        lines.append(
            f"{kind:16s}" + "".join(f"{'-' if c is None else format(c, '.4g'):>20s}" for c in cells)
        )
    return lines


def contact_sheet(images):
    """Lay images out in a sheet as square as can be, row by row.

    Parameters
    ----------
    images : (n, h, w) or (n, h, w, 3) array

    Returns
    -------
    sheet : (rows * h, columns * w) or (rows * h, columns * w, 3) array
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

    n, height, width, *colours = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, *images.shape[1:]), dtype=images.dtype)
    cells[:n] = images
    cells = cells.reshape(rows, columns, height, width, *colours).swapaxes(1, 2)
    return cells.reshape(rows * height, columns * width, *colours)
