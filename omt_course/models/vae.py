"""A variational autoencoder with the networks of the course's autoencoder.

It asks for one thing more than an autoencoder: that the codes follow a normal law, so that a new
image is a decoded normal draw. Compared with transport in *AE-OMT on MNIST*.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from omt_course.models import autoencoder as autoencoders
from omt_course.models.autoencoder import RECIPE, SIDE, Autoencoder, ConvAutoencoder
from omt_course.models.classifier import as_tensor
from omt_course.models.training import seeded, train


class ConvVAE(Autoencoder):
    """The networks of `ConvAutoencoder`; the encoder returns a mean and a log variance.

    Parameters
    ----------
    latent_dim, width, hidden : int
        As for `ConvAutoencoder`.
    generator : torch.Generator, optional
        Rules the initial weights.

    Notes
    -----
    Source: Kingma, Welling, ICLR 2014; Rezende, Mohamed, Wierstra, ICML 2014.

    Examples
    --------
    >>> model = ConvVAE(4, generator=torch.Generator().manual_seed(0)).eval()
    >>> mean, log_variance = model.posterior(torch.zeros(3, 1, 28, 28))
    >>> tuple(mean.shape), tuple(log_variance.shape)
    ((3, 4), (3, 4))
    >>> tuple(model.sample(2, generator=torch.Generator().manual_seed(1)).shape)
    (2, 1, 28, 28)
    """

    def __init__(self, latent_dim=16, *, width=16, hidden=192, generator=None):
        super().__init__()
        networks = ConvAutoencoder(latent_dim, width=width, hidden=hidden, generator=generator)
        self.config = networks.config
        with seeded(generator or torch.default_generator):
            last = nn.Linear(hidden, 2 * latent_dim)
        self.encoder = nn.Sequential(*list(networks.encoder)[:-1], last)
        self.decoder = networks.decoder

    def posterior(self, images):
        """Return mean and log variance of the normal law of the codes of images.

        Parameters
        ----------
        images : (n, 1, 28, 28) float tensor in [0, 1]

        Returns
        -------
        mean, log_variance : (n, latent_dim) float tensor
        """
        return super().encode(images).chunk(2, dim=1)

    def encode(self, images):
        """Return the mean code of images, (n, latent_dim) float tensor."""
        return self.posterior(images)[0]

    def sample(self, n: int, *, generator: torch.Generator) -> torch.Tensor:
        """Decode `n` standard normal codes: (n, 1, 28, 28) float tensor in (0, 1)."""
        if n < 1:
            raise ValueError(f"n: expected a positive number of samples; got {n}")
        return autoencoders.decode_in_batches(
            self, torch.randn(n, self.latent_dim, generator=generator)
        )


def evidence_loss(model, images, generator):
    """Return minus the evidence lower bound: cross-entropy and divergence, mean over images.

    A loss for `omt_course.models.training.train`, with one draw of the code for each image.
    """
    mean, log_variance = model.posterior(images)
    noise = torch.randn(mean.shape, generator=generator)
    logits = model.decode_logits(mean + torch.exp(log_variance / 2) * noise)
    reconstruction = functional.binary_cross_entropy_with_logits(logits, images) * SIDE**2
    return reconstruction + divergence_to_normal(mean, log_variance).mean()


def divergence_to_normal(mean, log_variance):
    """Return the Kullback-Leibler divergence of a diagonal normal law from the standard one.

    ``1/2 sum_k (m_k^2 + s_k^2 - 1 - log s_k^2)``.

    Parameters
    ----------
    mean, log_variance : (n, d) float tensor

    Returns
    -------
    divergence : (n,) float tensor

    Examples
    --------
    >>> divergence_to_normal(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2))
    tensor([2.])
    """
    return 0.5 * (mean**2 + torch.expm1(log_variance) - log_variance).sum(dim=1)


def fit_vae(
    images: torch.Tensor | np.ndarray,
    *,
    generator: torch.Generator,
    latent_dim: int = 16,
    epochs: int = 30,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> ConvVAE:
    """Train a variational autoencoder, with the learning rate of the course's autoencoder.

    Parameters
    ----------
    images : (n, 1, 28, 28) floats in [0, 1], or (n, 28, 28) uint8 array
    generator : torch.Generator
        Rules the initial weights, the order of the data and the draws of codes.
    latent_dim, epochs : int
    checkpoint : path, optional
        Written after every epoch, resumed from if it exists.
    progress : bool

    Returns
    -------
    ConvVAE
        In evaluation mode.
    """
    model = ConvVAE(latent_dim, generator=generator)
    train(
        model,
        evidence_loss,
        as_tensor(images),
        epochs=epochs,
        **RECIPE,
        generator=generator,
        checkpoint=checkpoint,
        progress=progress,
        label="variational autoencoder",
    )
    return model
