"""The variational autoencoder: its divergence in closed form, its loss, its training."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from omt_course.models.autoencoder import ConvAutoencoder, cross_entropy
from omt_course.models.vae import ConvVAE, divergence_to_normal, evidence_loss, fit_vae


def chance(seed):
    return torch.Generator().manual_seed(seed)


def some_images(n, seed=0):
    return torch.rand(n, 1, 28, 28, generator=chance(seed))


def test_the_divergence_is_torchs():
    mean, log_variance = torch.randn(2, 7, 3, generator=chance(1), dtype=torch.float64)
    law = Normal(mean, torch.exp(log_variance / 2))
    expected = kl_divergence(law, Normal(torch.zeros_like(mean), 1.0)).sum(dim=1)
    assert torch.allclose(divergence_to_normal(mean, log_variance), expected, atol=1e-12)
    assert divergence_to_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_without_noise_the_loss_is_reconstruction_plus_divergence():
    """A variance of e^-60 leaves the plain cross-entropy of the mean code."""
    model = ConvVAE(3, width=2, hidden=8, generator=chance(2)).eval()
    with torch.no_grad():
        model.encoder[-1].weight[3:] = 0
        model.encoder[-1].bias[3:] = -60.0
        images = some_images(5)
        mean, log_variance = model.posterior(images)
        expected = cross_entropy(model, images) + divergence_to_normal(mean, log_variance).mean()
        assert evidence_loss(model, images, chance(3)).item() == pytest.approx(
            expected.item(), rel=1e-6
        )


def test_the_networks_are_the_autoencoders():
    vae, plain = ConvVAE(6), ConvAutoencoder(6)
    assert [p.shape for p in vae.decoder.parameters()] == [
        p.shape for p in plain.decoder.parameters()
    ]
    extra = sum(p.numel() for p in vae.parameters()) - sum(p.numel() for p in plain.parameters())
    assert extra == 6 * (192 + 1)  # the log variances
    assert vae.config == plain.config


def test_training_pulls_codes_to_the_normal_law_and_resumes(tmp_path):
    images = some_images(128)
    file = tmp_path / "vae.ckpt"
    model = fit_vae(images, generator=chance(4), latent_dim=2, epochs=4, progress=False)
    fit_vae(images, generator=chance(4), latent_dim=2, epochs=4, checkpoint=file, progress=False)
    again = fit_vae(
        images, generator=chance(4), latent_dim=2, epochs=4, checkpoint=file, progress=False
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    with torch.no_grad():
        after = evidence_loss(model, images, chance(5)).item()
        before = evidence_loss(ConvVAE(2, generator=chance(4)).eval(), images, chance(5)).item()
        assert after < before
        assert divergence_to_normal(*model.posterior(images)).mean() < 5
    made = model.sample(7, generator=chance(6))
    assert made.shape == (7, 1, 28, 28) and made.min() >= 0 and made.max() <= 1


def test_sampling_decodes_standard_normal_codes():
    model = ConvVAE(3, width=2, hidden=8, generator=chance(7)).eval()
    with torch.no_grad():
        expected = model.decode(torch.randn(4, 3, generator=chance(8)))
    assert torch.allclose(model.sample(4, generator=chance(8)), expected)
    with pytest.raises(ValueError, match="n: expected a positive number"):
        model.sample(0, generator=chance(9))
