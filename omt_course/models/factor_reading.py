"""Factors read back from images: a small network that saw rendered faces with their factors.

What a generated face shows has no label: a reader tells its turn, its smile, the colour of either
eye. It is trained on faces whose eyes are coloured *independently*, so that it has to look at both.
Its error on unseen faces belongs beside everything it says. Taught in *AE-OMT on faces*.
"""

import json

import numpy as np
import torch
from torch import nn

from omt_course.datasets import faces
from omt_course.datasets.factors import FACTORS, check_names
from omt_course.models.classifier import Features
from omt_course.models.images import as_floats, as_pixels
from omt_course.models.training import seeded, train

READ = (
    "iris_left",
    "iris_right",
    "yaw",
    "pitch",
    "smile",
    "jaw_open",
    "skin_tone",
    "gender",
    "hair_colour",
    "hair_length",
    "glasses",
    "beard",
    "light_azimuth",
    "background",
)


class FactorReader(nn.Module):
    """Three convolutions, 64 features, one output a factor; for colour images of 64 x 64 pixels.

    Parameters
    ----------
    names : sequence of str
        Of `omt_course.datasets.faces.FACTORS`.
    name : str
        Of the 64 features.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.
    """

    def __init__(self, names=READ, *, name="64 units of an untrained reader", generator=None):
        super().__init__()
        check_names(names, "names")
        self.names, self.name = tuple(names), name
        with seeded(generator or torch.default_generator):
            self.body = nn.Sequential(
                nn.Conv2d(3, 24, 5, stride=2, padding=2),  # (n, 24, 32, 32)
                nn.SiLU(),
                nn.Conv2d(24, 32, 3, stride=2, padding=1),  # (n, 32, 16, 16)
                nn.BatchNorm2d(32),
                nn.SiLU(),
                nn.Conv2d(32, 48, 3, stride=2, padding=1),  # (n, 48, 8, 8)
                nn.BatchNorm2d(48),
                nn.SiLU(),
                nn.Flatten(),
                nn.Linear(48 * 64, 64),  # the features
                nn.SiLU(),
            )
            self.head = nn.Linear(64, len(self.names))

    def forward(self, images):
        """Return factors of images, in units where their ranges are [-1, 1]."""
        return self.head(self.body(images))  # (n, n_names)


def odd_eyed(n, *, seed):
    """Draw factors of a crowd as `faces.people` does, but each iris with a colour of its own.

    Parameters
    ----------
    n, seed : int

    Returns
    -------
    table : dict of str to (n,) float array
        Values for ``faces.render(n, factors=table)``.

    Examples
    --------
    >>> table = odd_eyed(1000, seed=0)
    >>> bool(abs(np.corrcoef(table["iris_left"], table["iris_right"])[0, 1]) < 0.1)
    True
    """
    table = faces.people(n, seed=seed)
    table["iris_left"], table["iris_right"] = np.random.default_rng([seed, 7]).random((2, n))
    return table


def train_reader(
    images, table, *, generator, names=READ, epochs=8, checkpoint=None, progress=False
):
    """Train a reader on rendered faces and their factors.

    Parameters
    ----------
    images : (n, 64, 64, 3) uint8 array
    table : dict of str to (n,) float array
        As `faces.render` returns it; every name must vary.
    generator : torch.Generator
    names : sequence of str
    epochs : int
    checkpoint : path, optional
        As for `omt_course.models.training.train`.
    progress : bool

    Returns
    -------
    reader : FactorReader
        In evaluation mode; its name says what it has seen.

    Raises
    ------
    ValueError
        If a factor is unknown, missing, constant or of the wrong length, or images are of another
        size.
    """
    pixels = _checked(images)
    check_names(names, "names")
    targets = np.stack([_target(table, name, len(pixels)) for name in names], axis=1)
    name = f"64 units of a reader of {len(names)} factors, {epochs} epochs on {len(pixels)} faces"
    reader = FactorReader(names, name=name, generator=generator)

    def loss(model, batch, generator):
        seen, wanted = batch
        return ((model(as_floats(seen)) - wanted) ** 2).mean()

    train(
        reader,
        loss,
        (pixels, torch.as_tensor(targets, dtype=torch.float32)),
        epochs=epochs,
        batch_size=64,
        lr=3e-3,
        weight_decay=0.01,
        generator=generator,
        checkpoint=checkpoint,
        progress=progress,
        label="reader",
    )
    return reader


def make_reader(n=4000, *, generator, epochs=8, progress=False):
    """Render a crowd whose eyes have colours of their own, and train a reader on it.

    Parameters
    ----------
    n : int
        Number of faces; rendering takes some ten milliseconds each.
    generator : torch.Generator
        Rules the factors too.
    epochs : int
    progress : bool

    Returns
    -------
    reader : FactorReader
    """
    seed = int(torch.randint(2**31, (), generator=generator).item())
    table = odd_eyed(n, seed=seed)
    images, _ = faces.render(n, seed=seed, factors=table)
    return train_reader(images, table, generator=generator, epochs=epochs, progress=progress)


@torch.no_grad()
def read(reader, images):
    """Read factors from images.

    Parameters
    ----------
    reader : FactorReader
    images : (n, 64, 64, 3) uint8 array, or (n, 3, 64, 64) floats in [0, 1]

    Returns
    -------
    readings : dict of str to (n,) float64 array
        In the units of `faces.FACTORS`. Not clipped to their ranges.

    Examples
    --------
    >>> reader = FactorReader(("yaw", "smile"), generator=torch.Generator().manual_seed(0)).eval()
    >>> readings = read(reader, np.zeros((3, 64, 64, 3), np.uint8))
    >>> {name: values.shape for name, values in readings.items()}
    {'yaw': (3,), 'smile': (3,)}
    """
    batches = _checked(images).split(500)
    found = torch.cat([reader(as_floats(batch)) for batch in batches]).double().numpy()
    readings = {}
    for name, values in zip(reader.names, found.T, strict=True):
        middle, half = _range(name)
        readings[name] = middle + half * values
    return readings


@torch.no_grad()
def features(reader, images):
    """Return the reader's features of images, with their name: what a Frechet distance rests on.

    Parameters
    ----------
    reader : FactorReader
    images : (n, 64, 64, 3) uint8 array, or (n, 3, 64, 64) floats in [0, 1]

    Returns
    -------
    features : omt_course.models.classifier.Features
        With (n, 64) ``values``.
    """
    batches = _checked(images).split(500)
    values = torch.cat([reader.body(as_floats(batch)) for batch in batches])
    return Features(values.double().numpy(), reader.name)


def errors(reader, images, table):
    """Return root-mean-square errors of the reader, a dict of str to float, in units of factors."""
    readings = read(reader, images)
    return {
        name: float(np.sqrt(((values - table[name]) ** 2).mean()))
        for name, values in readings.items()
    }


def to_arrays(reader):
    """Return a reader as a dict of arrays, half precision, for a record."""
    arrays = {
        f"reader.{key}": value.numpy().astype(np.float16)
        for key, value in reader.state_dict().items()
        if value.is_floating_point()
    }
    return arrays | {"reader.about": np.array(json.dumps([list(reader.names), reader.name]))}


def from_arrays(values):
    """Build the reader that `to_arrays` took apart.

    Examples
    --------
    >>> reader = FactorReader(("yaw",), generator=torch.Generator().manual_seed(0))
    >>> again = from_arrays(to_arrays(reader))
    >>> again.names, bool((again.head.weight - reader.head.weight).abs().max() < 1e-3)
    (('yaw',), True)
    """
    if "reader.about" not in values:
        raise ValueError("values: expected the arrays of a reader; got no 'reader.about'")
    names, name = json.loads(str(values["reader.about"]))
    reader = FactorReader(names, name=name, generator=torch.Generator().manual_seed(0))
    state = reader.state_dict()
    for key, value in state.items():
        if value.is_floating_point():
            state[key] = torch.as_tensor(values[f"reader.{key}"].astype(np.float32))
    reader.load_state_dict(state)
    return reader.eval()


def _checked(images):
    pixels = as_pixels(images)
    if tuple(pixels.shape[1:]) != (3, 64, 64):
        raise ValueError(f"images: expected 64 x 64 colour pixels; got {tuple(pixels.shape[1:])}")
    return pixels


def _range(name):
    factor = FACTORS[name]
    return (factor.low + factor.high) / 2, (factor.high - factor.low) / 2


def _target(table, name, n):
    if name not in table or np.shape(table[name]) != (n,):
        raise ValueError(f"table: expected {n} values of {name}; got {np.shape(table.get(name))}")
    values = np.asarray(table[name], dtype=float)
    if not np.ptp(values) > 0:
        raise ValueError(f"table: expected a factor {name} that varies; it is constant")
    middle, half = _range(name)
    return (values - middle) / half
