"""Autoencoders for 28 x 28 grey images: the first half of AE-OMT, where the data lie.

The encoder is a chart of the image manifold, the decoder a parametric surface in image space.
"""

import contextlib
import json
from types import MappingProxyType

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

from omt_course.files import write_atomically
from omt_course.models.checkpoints import read_tensors
from omt_course.models.training import seeded

SIDE = 28
# Arguments of `train` that gave the lowest error on unseen digits in 45 s on one core.
RECIPE = MappingProxyType({"batch_size": 64, "lr": 4e-3, "weight_decay": 0.3})
_FORMAT = "omt_course.autoencoder/1"


class Autoencoder(nn.Module):
    """What both architectures share: ``encode``, ``decode``, ``forward`` and a stored ``config``.

    Subclasses set ``encoder`` (images to codes), ``decoder`` (codes to logits of grey values) and
    ``config``, the arguments that build the architecture again.
    """

    encoder: nn.Module
    decoder: nn.Module
    config: dict

    @property
    def latent_dim(self):
        """Dimension of a code."""
        return self.config["latent_dim"]

    def encode(self, images):
        """Return the codes of images.

        Parameters
        ----------
        images : (n, 1, 28, 28) float tensor in [0, 1]

        Returns
        -------
        codes : (n, latent_dim) float tensor
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (1, SIDE, SIDE):
            raise ValueError(
                f"images: expected shape (n, 1, {SIDE}, {SIDE}); got {tuple(images.shape)}"
            )
        if not images.is_floating_point():
            raise ValueError(f"images: expected floats in [0, 1]; got {images.dtype}")
        return self.encoder(images)  # (n, latent_dim)

    def decode_logits(self, codes):
        """Return the logits of the grey values, before the sigmoid."""
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"codes: expected shape (n, {self.latent_dim}); got {tuple(codes.shape)}"
            )
        return self.decoder(codes)  # (n, 1, 28, 28)

    def decode(self, codes):
        """Return the images of codes.

        Parameters
        ----------
        codes : (n, latent_dim) float tensor

        Returns
        -------
        images : (n, 1, 28, 28) float tensor in (0, 1)
        """
        return torch.sigmoid(self.decode_logits(codes))

    def forward(self, images):
        """Return the reconstruction of images."""
        return self.decode(self.encode(images))


class ConvAutoencoder(Autoencoder):
    """Two strided convolutions and two dense layers each way; the default of the course.

    Parameters
    ----------
    latent_dim : int
        Dimension of a code.
    width : int
        Channels of the first convolution; the second has twice as many.
    hidden : int
        Units between the convolutions and the code.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Notes
    -----
    Source: the architecture family of An et al., AE-OT, ICLR 2020, made small. Taught on the page
    ``ae-omt-mnist``.

    Examples
    --------
    >>> model = ConvAutoencoder(generator=torch.Generator().manual_seed(0)).eval()
    >>> codes = model.encode(torch.zeros(5, 1, 28, 28))
    >>> tuple(codes.shape), tuple(model.decode(codes).shape)
    ((5, 16), (5, 1, 28, 28))
    """

    def __init__(self, latent_dim=16, *, width=16, hidden=192, generator=None):
        super().__init__()
        _check_positive(latent_dim=latent_dim, width=width, hidden=hidden)
        self.config = {"latent_dim": latent_dim, "width": width, "hidden": hidden}
        quarter = SIDE // 4
        flat = 2 * width * quarter**2
        with _initial_weights(generator):
            self.encoder = nn.Sequential(
                nn.Conv2d(1, width, 4, stride=2, padding=1),  # (n, width, 14, 14)
                nn.BatchNorm2d(width),
                nn.SiLU(),
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (n, 2 width, 7, 7)
                nn.BatchNorm2d(2 * width),
                nn.SiLU(),
                nn.Flatten(),
                nn.Linear(flat, hidden),
                nn.SiLU(),
                nn.Linear(hidden, latent_dim),
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent_dim, hidden),
                nn.SiLU(),
                nn.Linear(hidden, flat),
                nn.SiLU(),
                nn.Unflatten(1, (2 * width, quarter, quarter)),
                nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
                nn.BatchNorm2d(width),
                nn.SiLU(),
                nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
            )


class MLPAutoencoder(Autoencoder):
    """Dense layers only: fast, and piecewise linear, since its activations are ReLU.

    Parameters
    ----------
    latent_dim : int
    hidden : int
        Units of the outer hidden layer; the inner one has half as many.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Examples
    --------
    >>> MLPAutoencoder(latent_dim=2)(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 1, 28, 28])
    """

    def __init__(self, latent_dim=16, *, hidden=256, generator=None):
        super().__init__()
        _check_positive(latent_dim=latent_dim, hidden=hidden)
        self.config = {"latent_dim": latent_dim, "hidden": hidden}
        inner = max(1, hidden // 2)
        with _initial_weights(generator):
            self.encoder = nn.Sequential(
                nn.Flatten(),
                nn.Linear(SIDE**2, hidden),
                nn.ReLU(),
                nn.Linear(hidden, inner),
                nn.ReLU(),
                nn.Linear(inner, latent_dim),
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent_dim, inner),
                nn.ReLU(),
                nn.Linear(inner, hidden),
                nn.ReLU(),
                nn.Linear(hidden, SIDE**2),
                nn.Unflatten(1, (1, SIDE, SIDE)),
            )


ARCHITECTURES = {kind.__name__: kind for kind in (ConvAutoencoder, MLPAutoencoder)}


def cross_entropy(model, images, generator=None):
    """Return the binary cross-entropy of a reconstruction, summed over pixels, mean over images.

    A loss for `omt_course.models.training.train`. Grey values are read as probabilities of ink;
    the gradient does not vanish where the sigmoid saturates.
    """
    logits = model.decode_logits(model.encode(images))
    return functional.binary_cross_entropy_with_logits(logits, images) * SIDE**2


def squared_error(model, images, generator=None):
    """Return the squared error of a reconstruction, summed over pixels, mean over images."""
    return functional.mse_loss(model(images), images) * SIDE**2


@torch.no_grad()
def encode_in_batches(model, images, *, batch_size=500):
    """Encode many images in evaluation mode; returns (n, latent_dim) float tensor on the CPU."""
    return _in_batches(model, model.encode, images, batch_size)


@torch.no_grad()
def decode_in_batches(model, codes, *, batch_size=500):
    """Decode many codes in evaluation mode; returns (n, 1, 28, 28) float tensor on the CPU."""
    return _in_batches(model, model.decode, codes, batch_size)


def save(model, path):
    """Write the weights and the architecture to a safetensors file, atomically.

    Parameters
    ----------
    model : Autoencoder
    path : path
    """
    metadata = {"format": _FORMAT, **describe(model)}
    tensors = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    content = safetensors.torch.save(tensors, metadata=metadata)
    write_atomically(path, lambda stream: stream.write(content))


def load(path, *, expected=None):
    """Rebuild an autoencoder from a file of `save`.

    Parameters
    ----------
    path : path
    expected : Autoencoder, optional
        Refuse a file whose architecture differs from this model's.

    Returns
    -------
    model : Autoencoder, in evaluation mode

    Raises
    ------
    ValueError
        If the file is damaged or something else, or of another architecture.
    """
    metadata, state = read_tensors(path, _FORMAT)
    if expected is not None and any(metadata[k] != v for k, v in describe(expected).items()):
        mine, theirs = (
            f"{d['architecture']} {d['config']}" for d in (describe(expected), metadata)
        )
        raise ValueError(f"path: {path} is of another architecture: expected {mine}; got {theirs}")
    return rebuild(metadata, state)


def describe(model):
    """Return the architecture as two strings, ``architecture`` and ``config`` (JSON)."""
    return {
        "architecture": type(model).__name__,
        "config": json.dumps(model.config, sort_keys=True),
    }


def rebuild(description, state):
    """Build a model from what `describe` returned, with the weights of a state dict.

    Raises
    ------
    ValueError
        If the architecture is not known or the weights do not fit it.
    """
    kind = ARCHITECTURES.get(description.get("architecture"))
    if kind is None:
        raise ValueError(
            f"description: expected an architecture among {', '.join(ARCHITECTURES)}; got "
            f"{description.get('architecture')!r}"
        )
    model = kind(**json.loads(description["config"]))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"state: the weights do not fit {kind.__name__}: {error}") from error
    return model.eval()


def _in_batches(model, function, inputs, batch_size):
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    outputs = [function(batch.to(device)).cpu() for batch in inputs.split(batch_size)]
    model.train(was_training)
    return torch.cat(outputs)


def _initial_weights(generator):
    """Return a context in which the generator, or torch's global state, rules the weights."""
    return seeded(generator) if generator is not None else contextlib.nullcontext()


def _check_positive(**values):
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a positive integer; got {value!r}")
