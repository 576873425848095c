"""Autoencoders: the first half of AE-OMT, where the data lie.

The encoder is a chart of the image manifold, the decoder a parametric surface in image space. Here
are what all architectures share and two for 28 x 28 grey images; `image_autoencoder` has one for
images of any size.
"""

import contextlib
from types import MappingProxyType

import torch
from torch import nn
from torch.nn import functional

from omt_course.models.images import as_floats
from omt_course.models.training import seeded

SIDE = 28
# Arguments of `train` that gave the lowest error on unseen digits in 45 s on one core.
RECIPE = MappingProxyType({"batch_size": 64, "lr": 4e-3, "weight_decay": 0.3})


class Autoencoder(nn.Module):
    """What all architectures share: ``encode``, ``decode``, ``forward`` and a stored ``config``.

    Subclasses set ``encoder`` (images to codes), ``decoder`` (codes to logits of pixels) and
    ``config``, the arguments that build the architecture again. They may set ``recipe``, the
    arguments of `train`, and ``loss``.
    """

    encoder: nn.Module
    decoder: nn.Module
    config: dict
    recipe = RECIPE

    @property
    def latent_dim(self):
        """Dimension of a code."""
        return self.config["latent_dim"]

    @property
    def image_shape(self):
        """Channels, height and width of an image."""
        return tuple(self.config.get("image_shape", (1, SIDE, SIDE)))

    def loss(self, images):
        """Return the loss of a batch of images, a scalar tensor."""
        return cross_entropy(self, images)

    def encode(self, images):
        """Return the codes of images.

        Parameters
        ----------
        images : (n, c, h, w) float tensor in [0, 1]
            ``image_shape`` says which; (n, 1, 28, 28) for digits.

        Returns
        -------
        codes : (n, latent_dim) float tensor
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            raise ValueError(f"images: expected shape (n, {wanted}); got {tuple(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(f"images: expected floats in [0, 1]; got {images.dtype}")
        return self.encoder(images)  # (n, latent_dim)

    def decode_logits(self, codes):
        """Return the logits of the pixels, before the sigmoid."""
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"codes: expected shape (n, {self.latent_dim}); got {tuple(codes.shape)}"
            )
        return self.decoder(codes)  # (n, c, h, w)

    def decode(self, codes):
        """Return the images of codes.

        Parameters
        ----------
        codes : (n, latent_dim) float tensor

        Returns
        -------
        images : (n, c, h, w) float tensor in (0, 1)
        """
        return torch.sigmoid(self.decode_logits(codes))

    def forward(self, images):
        """Return the reconstruction of images."""
        return self.decode(self.encode(images))


class ConvAutoencoder(Autoencoder):
    """Two strided convolutions and two dense layers each way; the default for digits.

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
        check_positive(latent_dim=latent_dim, width=width, hidden=hidden)
        self.config = {"latent_dim": latent_dim, "width": width, "hidden": hidden}
        quarter = SIDE // 4
        flat = 2 * width * quarter**2
        with initial_weights(generator):
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
        check_positive(latent_dim=latent_dim, hidden=hidden)
        self.config = {"latent_dim": latent_dim, "hidden": hidden}
        inner = max(1, hidden // 2)
        with initial_weights(generator):
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


def cross_entropy(model, images, generator=None):
    """Return the binary cross-entropy of a reconstruction, summed over pixels, mean over images.

    A loss for `omt_course.models.training.train`. Grey values are read as probabilities of ink;
    the gradient does not vanish where the sigmoid saturates.
    """
    images = as_floats(images)
    logits = model.decode_logits(model.encode(images))
    return functional.binary_cross_entropy_with_logits(logits, images) * images[0].numel()


def squared_error(model, images, generator=None):
    """Return the squared error of a reconstruction, summed over pixels, mean over images."""
    images = as_floats(images)
    return functional.mse_loss(model(images), images) * images[0].numel()


def own_loss(model, images, generator=None):
    """Return the loss of the model's own choice, for `omt_course.models.training.train`."""
    return model.loss(images)


@torch.no_grad()
def encode_in_batches(model, images, *, batch_size=500):
    """Encode many images in evaluation mode; returns (n, latent_dim) float tensor on the CPU.

    Images are floats in [0, 1] or bytes.
    """
    return _in_batches(model, lambda batch: model.encode(as_floats(batch)), images, batch_size)


@torch.no_grad()
def decode_in_batches(model, codes, *, batch_size=500):
    """Decode many codes in evaluation mode; returns (n, c, h, w) float tensor on the CPU."""
    return _in_batches(model, model.decode, codes, batch_size)


def _in_batches(model, function, inputs, batch_size):
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    outputs = [function(batch.to(device)).cpu() for batch in inputs.split(batch_size)]
    model.train(was_training)
    return torch.cat(outputs)


def initial_weights(generator):
    """Return a context in which the generator, or torch's global state, rules the weights."""
    return seeded(generator) if generator is not None else contextlib.nullcontext()


def check_positive(**values):
    """Raise a ValueError that names the first value that is no positive integer."""
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a positive integer; got {value!r}")
