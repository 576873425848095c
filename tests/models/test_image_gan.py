"""The image GAN: its networks, and a training whose end is known."""

import torch

from omt_course.models.autoencoder import ConvAutoencoder
from omt_course.models.image_gan import Critic, Generator, fit_image_gan


def chance(seed):
    return torch.Generator().manual_seed(seed)


def test_the_generator_is_the_decoder_of_the_autoencoder():
    made, plain = Generator(5, generator=chance(0)), ConvAutoencoder(5, generator=chance(0))
    made.eval(), plain.eval()
    z = torch.randn(3, 5, generator=chance(1))
    with torch.no_grad():
        assert torch.equal(made(z), plain.decode(z))


def test_the_critic_judges_each_image_alone():
    critic = Critic(hidden=8, generator=chance(2))
    images = torch.rand(6, 1, 28, 28, generator=chance(3))
    with torch.no_grad():
        alone = torch.cat([critic(image[None]) for image in images])
        assert torch.allclose(critic(images), alone, atol=1e-6)


def test_training_moves_the_generator_towards_the_data(tmp_path):
    """All images are white: the mean grey value of what is made must rise from one half."""
    images = torch.ones(64, 1, 28, 28)
    options = {"latent_dim": 2, "steps": 12, "batch_size": 16, "n_critic": 2, "lr": 5e-3}
    gan = fit_image_gan(images, generator=chance(4), progress=False, **options)
    untrained = Generator(2, generator=chance(4)).eval()
    with torch.no_grad():
        before = untrained(torch.randn(50, 2, generator=chance(5))).mean()
    made = gan.sample(50, generator=chance(5))
    assert made.shape == (50, 1, 28, 28)
    assert made.mean() > before + 0.15
    file = tmp_path / "gan.ckpt"
    for _ in range(2):  # the second call finds the first one's end
        again = fit_image_gan(
            images, generator=chance(4), checkpoint=file, progress=False, **options
        )
    assert torch.equal(again.sample(5, generator=chance(6)), gan.sample(5, generator=chance(6)))
