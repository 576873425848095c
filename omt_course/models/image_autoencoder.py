"""An autoencoder for images of any fixed size, grey or colour; faces of 64 x 64 pixels above all.

It starts as a linear autoencoder of small copies of the images, and learns what that one misses.
The loss adds differences between neighbouring pixels to the pixels themselves, and can be told
where to look: an iris is three pixels wide, and a mean over all pixels hardly notices that its
colour is lost. Taught in *AE-OMT on faces*.
"""

import math
from types import MappingProxyType

import torch
from torch import nn
from torch.nn import functional

from omt_course.models.autoencoder import Autoencoder, check_positive, initial_weights
from omt_course.models.images import CHANNELS, as_floats

BLOCK = 4  # pixels that the first layer folds into channels, each way
EDGES = 1.0  # weight of differences between neighbours in the loss
LINEAR = 2 / 3  # share of a code's coordinates that start as principal components
FAINT, SMALL = 0.02, 0.1  # grey values are kept from 0 and 1 by this; how small the rest starts
RADIUS, STRENGTH = 2.0, 20.0  # of the attention paid to places: an iris is three pixels wide


class ImageAutoencoder(Autoencoder):
    """A linear map of the image at a quarter of its size, plus convolutions and dense layers.

    The decoder adds both in logits. Untrained, all weights are random; `start` sets the linear
    part to principal components, which spares most of the training.

    Parameters
    ----------
    latent_dim : int
        Dimension of a code.
    image_shape : (int, int, int)
        Channels (1 or 3), height and width; both sides multiples of 8.
    width : int
        Channels at a quarter of the size; there are twice as many at an eighth.
    hidden : int
        Units between the convolutions and the code.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Notes
    -----
    Source: the sub-pixel convolution of Shi et al., CVPR 2016, used both ways: nothing runs at full
    size, which keeps training within reach of one core. Taught on the page ``ae-omt-faces``.

    Examples
    --------
    >>> model = ImageAutoencoder(generator=torch.Generator().manual_seed(0)).eval()
    >>> codes = model.encode(torch.zeros(5, 3, 64, 64))
    >>> tuple(codes.shape), tuple(model.decode(codes).shape)
    ((5, 64), (5, 3, 64, 64))
    """

    recipe = MappingProxyType({"batch_size": 32, "lr": 3e-3, "weight_decay": 0.01})

    def __init__(
        self, latent_dim=64, *, image_shape=(3, 64, 64), width=32, hidden=256, generator=None
    ):
        super().__init__()
        check_positive(latent_dim=latent_dim, width=width, hidden=hidden)
        channels, height, wide = _checked_shape(image_shape)
        self.config = {
            "latent_dim": latent_dim,
            "image_shape": [channels, height, wide],
            "width": width,
            "hidden": hidden,
        }
        folded = channels * BLOCK**2
        eighth = (2 * width, height // 8, wide // 8)
        flat = eighth[0] * eighth[1] * eighth[2]
        with initial_weights(generator):
            detail = nn.Sequential(
                nn.PixelUnshuffle(BLOCK),  # (n, folded, h/4, w/4)
                nn.Conv2d(folded, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.SiLU(),
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (n, 2 width, h/8, w/8)
                nn.BatchNorm2d(2 * width),
                nn.SiLU(),
                nn.Flatten(),
                nn.Linear(flat, hidden),
                nn.SiLU(),
                nn.Linear(hidden, latent_dim),
            )
            fine = nn.Sequential(
                nn.Linear(latent_dim, hidden),
                nn.SiLU(),
                nn.Linear(hidden, flat),
                nn.SiLU(),
                nn.Unflatten(1, eighth),
                nn.Conv2d(2 * width, 4 * width, 3, padding=1),
                nn.PixelShuffle(2),  # (n, width, h/4, w/4)
                nn.BatchNorm2d(width),
                nn.SiLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.SiLU(),
                nn.Conv2d(width, folded, 3, padding=1),
                nn.PixelShuffle(BLOCK),  # (n, c, h, w)
            )
            coarse = (channels, height // BLOCK, wide // BLOCK)
            self.encoder = _Sum(_Shrunk(latent_dim, coarse), detail)
            self.decoder = _Sum(_Blown(latent_dim, coarse), fine)

    @torch.no_grad()
    def start(self, images):
        """Set the linear part to principal components of small copies of some images.

        Two thirds of the coordinates of a code become components of variance 1; the others, and
        what the decoder adds to the linear map, start small.

        Parameters
        ----------
        images : (n, c, h, w) float tensor in [0, 1], or bytes
            A few thousand are enough: of more, 8,000 spread evenly are used.
        """
        images = images[:: max(1, len(images) // 8000)]
        linear, detail = self.encoder
        small = torch.cat([linear.small(as_floats(batch)) for batch in images.split(1000)])
        k = min(max(1, int(LINEAR * self.latent_dim)), small.shape[1])
        mean = small.mean(0)
        centred = (small - mean).double()
        variance, axes = torch.linalg.eigh(centred.T @ centred / len(small))
        spread = variance[-k:].clamp_min(1e-4).sqrt().float()
        axes = axes[:, -k:].float()
        for layer in (linear.layer, detail[-1]):
            layer.weight[:k], layer.bias[:k] = 0.0, 0.0
        linear.layer.weight.zero_()
        linear.layer.bias.zero_()
        linear.layer.weight[:k] = (axes / spread).T
        linear.layer.bias[:k] = -(mean @ axes) / spread
        blown, fine = self.decoder
        blown.layer.weight.zero_()
        blown.layer.weight[:, :k] = axes * spread
        blown.layer.bias.copy_(mean)
        fine[-2].weight.mul_(SMALL)
        fine[-2].bias.zero_()

    def loss(self, batch):
        """Return `pixels_and_edges` of a batch: images, or images and places to look at."""
        images, places = batch if isinstance(batch, tuple) else (batch, None)
        images = as_floats(images)
        weights = 1.0 if places is None else attention(places, *images.shape[2:])
        return pixels_and_edges(self.decode_logits(self.encode(images)), images, weights)


class _Sum(nn.Sequential):
    """The sum of what its parts make of one input."""

    def forward(self, inputs):
        return sum(part(inputs) for part in self)


class _Shrunk(nn.Module):
    """A linear map of the logits of an image at a quarter of its size."""

    def __init__(self, latent_dim, coarse):
        super().__init__()
        self.layer = nn.Linear(math.prod(coarse), latent_dim)

    def small(self, images):
        means = functional.avg_pool2d(images, BLOCK).flatten(1)
        return torch.logit(means.clamp(FAINT, 1 - FAINT))

    def forward(self, images):
        return self.layer(self.small(images))  # (n, latent_dim)


class _Blown(nn.Module):
    """A linear map to a small image, enlarged."""

    def __init__(self, latent_dim, coarse):
        super().__init__()
        self.layer, self.coarse = nn.Linear(latent_dim, math.prod(coarse)), coarse

    def forward(self, codes):
        small = self.layer(codes).unflatten(1, self.coarse)
        return functional.interpolate(small, scale_factor=BLOCK, mode="bilinear")  # (n, c, h, w)


def pixels_and_edges(logits, images, weights=1.0, *, edges=EDGES):
    """Return the cross-entropy of pixels plus the error of differences between neighbours.

    With `p` the sigmoid of the logits and `D` the differences to the right and downwards, the mean
    over pixels of `weight * cross_entropy(p, x)`, plus `edges` times the mean of
    `weight * |D p - D x|`. The cross-entropy keeps its gradient where the sigmoid saturates; an
    absolute error loses it there, and training stalls.

    Parameters
    ----------
    logits, images : (n, c, h, w) float tensor
    weights : float, or (n, 1, h, w) float tensor
    edges : float
        Weight of the second term.

    Returns
    -------
    loss : scalar tensor

    Examples
    --------
    >>> grey, image = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    >>> losses = [pixels_and_edges(grey, image, edges=edges).item() for edges in (0, 1)]
    >>> round(losses[0], 3), round(losses[1] - losses[0], 3)  # log 2, and (1 + 0) / 2
    (0.693, 0.5)
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    error = torch.sigmoid(logits) - images
    weights = torch.as_tensor(weights, dtype=images.dtype).expand(len(images), 1, *images.shape[2:])
    across = (weights[..., 1:] * (error[..., 1:] - error[..., :-1])).abs().mean()
    down = (weights[..., 1:, :] * (error[..., 1:, :] - error[..., :-1, :])).abs().mean()
    return (weights * entropy).mean() + edges * (across + down) / 2


def attention(places, height, width, *, radius=RADIUS, strength=STRENGTH):
    """Return weights of pixels that are large around given places.

    `1 + strength * max_k exp(-|p - place_k|^2 / (2 radius^2))` at the pixel `p`.

    Parameters
    ----------
    places : (n, k, 2) float tensor
        Column and row, in pixels.
    height, width : int
    radius : float
        In pixels.
    strength : float

    Returns
    -------
    weights : (n, 1, height, width) float tensor

    Examples
    --------
    >>> attention(torch.tensor([[[2.0, 0.0]]]), 1, 3, radius=1, strength=10)
    tensor([[[[ 2.3534,  7.0653, 11.0000]]]])
    """
    column = torch.arange(width, dtype=places.dtype) - places[..., :1]  # (n, k, width)
    row = torch.arange(height, dtype=places.dtype) - places[..., 1:]  # (n, k, height)
    squared = row[..., :, None] ** 2 + column[..., None, :] ** 2  # (n, k, height, width)
    return 1 + strength * torch.exp(squared.amin(1, keepdim=True) / (-2 * radius**2))


def _checked_shape(image_shape):
    shape = tuple(image_shape)
    ok = len(shape) == 3 and all(isinstance(side, int) for side in shape)
    if not (ok and shape[0] in CHANNELS and min(shape) > 0 and shape[1] % 8 == shape[2] % 8 == 0):
        raise ValueError(
            "image_shape: expected 1 or 3 channels and two sides that are multiples of 8; got "
            f"{shape}"
        )
    return shape
