"""The judge of generated images: a small classifier trained on the spot, and its features."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from omt_course.models.training import seeded, train

_SHIFT = 1  # pixels: the classifier sees every image moved by at most this


class LeNet(nn.Module):
    """Two convolutions, one layer of 64 features, one of classes; for 28 x 28 grey images."""

    def __init__(self, n_classes=10, *, name="64 units of an untrained LeNet", generator=None):
        super().__init__()
        self.name = name
        with seeded(generator or torch.default_generator):
            self.body = nn.Sequential(
                nn.Conv2d(1, 16, 5, padding=2),  # (n, 16, 28, 28)
                nn.SiLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 5),  # (n, 32, 10, 10)
                nn.SiLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(32 * 25, 64),  # the features
                nn.SiLU(),
            )
            self.head = nn.Sequential(nn.Dropout(0.25), nn.Linear(64, n_classes))

    def forward(self, images):
        """Return the logits of the classes."""
        return self.head(self.body(images))


@dataclass(frozen=True)
class Features:
    """Features of images: (n, d) float64 ``values``, and the ``name`` of the network's layer."""

    values: np.ndarray
    name: str


def train_classifier(images, labels, *, generator, epochs=12, progress=False):
    """Train the judge: a small LeNet, on images moved by up to one pixel.

    Parameters
    ----------
    images : (n, 28, 28) uint8 array, or (n, 1, 28, 28) floats in [0, 1]
    labels : (n,) integer array
        Classes 0, 1, ..., every one of them present.
    generator : torch.Generator
    epochs : int
    progress : bool

    Returns
    -------
    classifier : LeNet
        In evaluation mode; ``classifier.name`` names its 64 features.

    Raises
    ------
    ValueError
        If shapes do not agree, or a class is missing.

    Notes
    -----
    Source: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998. Taught on the page
    ``ae-omt-mnist``.
    """
    pixels = as_tensor(images)
    classes = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    if classes.shape != (len(pixels),):
        raise ValueError(f"labels: expected shape ({len(pixels)},); got {tuple(classes.shape)}")
    counts = torch.bincount(classes) if classes.min() >= 0 else torch.zeros(1)
    if (counts == 0).any():
        raise ValueError("labels: expected every class 0, 1, ... to be present; got a gap")
    name = f"64 units of a LeNet trained {epochs} epochs on {len(pixels)} images"
    classifier = LeNet(len(counts), name=name, generator=generator)

    def loss(model, batch, generator):
        inputs, targets = batch
        if model.training:
            inputs = _moved(inputs, generator)
        return functional.cross_entropy(model(inputs), targets)

    train(
        classifier,
        loss,
        (pixels, classes),
        epochs=epochs,
        batch_size=64,
        lr=4e-3,
        generator=generator,
        progress=progress,
        label="classifier",
    )
    return classifier


def as_tensor(images):
    """Return images as (n, 1, 28, 28) float32 tensor in [0, 1].

    Parameters
    ----------
    images : (n, 28, 28) or (n, 1, 28, 28) array or tensor
        uint8 grey values, or floats in [0, 1].

    Returns
    -------
    pixels : (n, 1, 28, 28) float32 tensor

    Raises
    ------
    ValueError
        If the shape or the values are others.

    Examples
    --------
    >>> as_tensor(np.full((1, 28, 28), 51, np.uint8))[0, 0, 0, :2]
    tensor([0.2000, 0.2000])
    """
    pixels = torch.as_tensor(images)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    if pixels.ndim != 4 or pixels.shape[1:] != (1, 28, 28) or len(pixels) == 0:
        raise ValueError(f"images: expected shape (n, 28, 28); got {tuple(pixels.shape)}")
    if pixels.dtype == torch.uint8:
        return pixels.float() / 255
    if not pixels.is_floating_point() or not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("images: expected uint8, or floats in [0, 1]; got something else")
    return pixels.float()


@torch.no_grad()
def features(classifier, images):
    """Return the classifier's features of images.

    Parameters
    ----------
    classifier : LeNet
    images : (n, 28, 28) uint8 array, or (n, 1, 28, 28) floats in [0, 1]

    Returns
    -------
    features : Features
        With (n, 64) ``values``.

    Examples
    --------
    >>> judge = LeNet(generator=torch.Generator().manual_seed(0)).eval()
    >>> found = features(judge, np.zeros((3, 28, 28), np.uint8))
    >>> found.values.shape, found.name
    ((3, 64), '64 units of an untrained LeNet')
    """
    batches = as_tensor(images).split(500)
    values = torch.cat([classifier.body(batch) for batch in batches])  # (n, 64)
    return Features(values.double().numpy(), classifier.name)


@torch.no_grad()
def probabilities(classifier, images):
    """Return the classifier's probabilities of the classes.

    Parameters
    ----------
    classifier : LeNet
    images : (n, 28, 28) uint8 array, or (n, 1, 28, 28) floats in [0, 1]

    Returns
    -------
    probabilities : (n, n_classes) float64 array
    """
    logits = torch.cat([classifier(batch) for batch in as_tensor(images).split(500)])
    return torch.softmax(logits.double(), 1).numpy()


def _moved(images, generator):
    """Move each image by at most _SHIFT pixels each way, filling with background."""
    n, side = len(images), images.shape[-1]
    padded = functional.pad(images, (_SHIFT,) * 4)
    offset = torch.randint(2 * _SHIFT + 1, (2, n, 1), generator=generator)
    rows, columns = offset + torch.arange(side)  # (n, side) each
    item = torch.arange(n)[:, None, None]
    return padded[item, 0, rows[:, :, None], columns[:, None, :]][:, None]
