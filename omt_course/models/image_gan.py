"""A Wasserstein GAN for 28 x 28 images: generator and critic for `train_wgan_gp`.

The generator has the layers of the course's decoder, so that what differs from the autoencoder is
the training alone. Compared with transport in *AE-OMT on MNIST*.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from omt_course.models import wasserstein_gan
from omt_course.models.autoencoder import SIDE, ConvAutoencoder
from omt_course.models.classifier import as_tensor
from omt_course.models.training import seeded


class Generator(nn.Module):
    """The decoder of `ConvAutoencoder` and a sigmoid: noise to images.

    Parameters
    ----------
    latent_dim, width, hidden : int
    generator : torch.Generator, optional
        Rules the initial weights.

    Examples
    --------
    >>> Generator(8, generator=torch.Generator().manual_seed(0))(torch.zeros(2, 8)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, latent_dim=16, *, width=16, hidden=192, generator=None):
        super().__init__()
        self.latent_dim = latent_dim
        networks = ConvAutoencoder(latent_dim, width=width, hidden=hidden, generator=generator)
        self.decoder = networks.decoder

    def forward(self, noise):
        """Return the images of (n, latent_dim) noise: (n, 1, 28, 28) float tensor in (0, 1)."""
        return torch.sigmoid(self.decoder(noise))


class Critic(nn.Module):
    """Three dense layers: images to numbers.

    The gradient penalty differentiates twice, which for convolutions takes five times as long on a
    CPU; with as many seconds, this critic teaches the generator more. It has no batch
    normalisation, since the penalty is one of each image alone.

    Parameters
    ----------
    hidden : int
        Units of both hidden layers.
    generator : torch.Generator, optional
        Rules the initial weights.

    Examples
    --------
    >>> Critic(generator=torch.Generator().manual_seed(0))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 1])
    """

    def __init__(self, *, hidden=256, generator=None):
        super().__init__()
        with seeded(generator or torch.default_generator):
            self.body = nn.Sequential(
                nn.Flatten(),
                nn.Linear(SIDE**2, hidden),
                nn.LeakyReLU(0.2),
                nn.Linear(hidden, hidden),
                nn.LeakyReLU(0.2),
                nn.Linear(hidden, 1),
            )

    def forward(self, images):
        """Return one number for each image, (n, 1) float tensor."""
        return self.body(images)


@dataclass(frozen=True, eq=False)
class ImageGAN:
    """A trained generator and its critic; make one with `fit_image_gan`.

    Attributes
    ----------
    network : Generator
    critic : Critic
    """

    network: Generator
    critic: Critic

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return `n` images of standard normal noise, (n, 1, 28, 28) float tensor in (0, 1)."""
        return wasserstein_gan.sample(
            self.network, n, latent_dim=self.network.latent_dim, generator=generator
        )


def fit_image_gan(
    images: torch.Tensor | np.ndarray,
    *,
    generator: torch.Generator,
    latent_dim: int = 16,
    steps: int = 1000,
    batch_size: int = 64,
    n_critic: int = 2,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.5, 0.9),
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> ImageGAN:
    """Train generator and critic with a gradient penalty.

    Parameters
    ----------
    images : (n, 1, 28, 28) floats in [0, 1], or (n, 28, 28) uint8 array
    generator : torch.Generator
        Rules the initial weights, batches and noise.
    latent_dim, steps, batch_size, n_critic, lr, betas
        As for `omt_course.models.wasserstein_gan.train_wgan_gp`. The default rates are the best of
        a few tried for a minute on a CPU.
    checkpoint : path, optional
        Written during training, resumed from if it exists.
    progress : bool

    Returns
    -------
    ImageGAN

    Examples
    --------
    >>> images = torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    >>> gan = fit_image_gan(images, generator=torch.Generator().manual_seed(0), latent_dim=2,
    ...                     steps=1, batch_size=8, progress=False)
    >>> gan.sample(3, generator=torch.Generator().manual_seed(1)).shape
    torch.Size([3, 1, 28, 28])
    """
    network = Generator(latent_dim, generator=generator)
    critic = Critic(generator=generator)
    wasserstein_gan.train_wgan_gp(
        network,
        critic,
        as_tensor(images),
        latent_dim=latent_dim,
        steps=steps,
        batch_size=batch_size,
        n_critic=n_critic,
        lr=lr,
        betas=betas,
        generator=generator,
        checkpoint=checkpoint,
        progress=progress,
    )
    return ImageGAN(network, critic)
