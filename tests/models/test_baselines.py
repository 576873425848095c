"""Laws of codes against their moments, closed forms and an independent solver."""

import numpy as np
import ot
import pytest
import torch

from omt_course.models.autoencoder import ConvAutoencoder
from omt_course.models.baselines import (
    ContinuousMap,
    Decoded,
    NormalMixture,
    fit_map,
    fit_mixture,
    optimal_partners,
)


def chance(seed):
    return torch.Generator().manual_seed(seed)


def test_one_normal_law_has_the_moments_of_the_codes():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + np.array([1.0, -2, 5])
    law = fit_mixture(codes, generator=chance(0))
    assert law.weights.tolist() == [1.0]
    assert law.means[0] == pytest.approx(codes.mean(axis=0), abs=1e-10)
    covariance = law.factors[0] @ law.factors[0].T
    assert covariance == pytest.approx(np.cov(codes.T, ddof=0), rel=1e-4)


def test_samples_have_the_moments_of_the_law():
    """The law of total covariance, on 200,000 samples."""
    rng = np.random.default_rng(1)
    law = NormalMixture(
        weights=np.array([0.2, 0.8]),
        means=np.array([[4.0, 0.0], [0.0, 1.0]]),
        factors=np.tril(rng.normal(size=(2, 2, 2))),
    )
    x = law.sample(200_000, generator=chance(1)).double().numpy()
    mean = law.weights @ law.means
    within = np.einsum("k,kij,klj->il", law.weights, law.factors, law.factors)
    off = law.means - mean
    covariance = within + np.einsum("k,ki,kj->ij", law.weights, off, off)
    assert x.mean(axis=0) == pytest.approx(mean, abs=0.02)
    assert np.cov(x.T) == pytest.approx(covariance, abs=0.05)


def test_a_mixture_finds_separate_clusters():
    rng = np.random.default_rng(2)
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    codes = np.concatenate(
        [c + rng.normal(size=(n, 2)) for c, n in zip(centres, (100, 200, 300), strict=True)]
    )
    law = fit_mixture(codes, 3, generator=chance(2))
    order = np.argsort(law.weights)
    assert law.weights[order] == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=1e-6)
    assert law.means[order] == pytest.approx(centres, abs=0.4)
    made = law.sample(3000, generator=chance(3)).numpy()
    far = np.linalg.norm(made[:, None] - centres, axis=2).min(axis=1)
    assert (far < 6).all()


def test_the_same_seed_gives_the_same_law_and_samples():
    codes = np.random.default_rng(3).normal(size=(200, 2))
    one, two = (fit_mixture(codes, 4, generator=chance(4)) for _ in range(2))
    assert np.array_equal(one.means, two.means)
    assert torch.equal(one.sample(9, generator=chance(5)), two.sample(9, generator=chance(5)))


def test_partners_are_those_of_the_network_simplex():
    x, y = torch.randn(40, 3, generator=chance(6)), torch.randn(40, 3, generator=chance(7)) + 1
    partner = optimal_partners(x, y)
    assert sorted(partner.tolist()) == list(range(40))
    cost = ((x - y[partner]) ** 2).sum(dim=1).mean().item()
    assert cost == pytest.approx(ot.emd2([], [], ot.dist(x.numpy(), y.numpy())), rel=1e-5)


def test_the_map_learns_a_normal_law():
    """Between normal laws the optimal map is affine: mean and covariance must come out.

    Batch plans are blurred, so the spread may come out a little small, never large.
    """
    codes = torch.randn(4096, 2, generator=chance(8)) @ torch.tensor([[2.0, 0.0], [1.0, 0.5]]) + 3
    law = fit_map(
        codes.numpy(), generator=chance(9), source="gaussian", hidden=64, epochs=12, progress=False
    )
    made = law.sample(20_000, generator=chance(10))
    assert made.mean(dim=0).numpy() == pytest.approx(codes.mean(dim=0).numpy(), abs=0.1)
    ratio = torch.linalg.eigvalsh(made.T.cov()) / torch.linalg.eigvalsh(codes.T.cov())
    assert ((0.75 < ratio) & (ratio < 1.1)).all(), ratio


def test_a_continuous_map_leads_over_the_gap():
    """Two clusters: transport would leave the gap empty, a network cannot."""
    y = torch.randn(1024, 2, generator=chance(11)) * 0.3
    y[:512, 0] += 4
    y[512:, 0] -= 4
    law = fit_map(y.numpy(), generator=chance(12), hidden=64, epochs=15, progress=False)
    assert isinstance(law, ContinuousMap)
    line = torch.stack([torch.linspace(-0.5, 0.5, 2001), torch.zeros(2001)], dim=1)
    first = law.map(line)[:, 0]
    assert first.min() < -2 and first.max() > 2
    assert (first.abs() < 2).any()


def test_a_decoder_behind_a_law():
    network = ConvAutoencoder(3, width=2, hidden=8, generator=chance(13)).eval()
    law = fit_mixture(np.random.default_rng(4).normal(size=(50, 3)), generator=chance(14))
    made = Decoded(law, network).sample(4, generator=chance(15))
    with torch.no_grad():
        expected = network.decode(law.sample(4, generator=chance(15)))
    assert torch.allclose(made, expected) and made.shape == (4, 1, 28, 28)


@pytest.mark.parametrize(
    "codes, message",
    [
        (np.zeros(5), "codes: expected shape"),
        (np.full((5, 2), np.nan), "codes: expected finite"),
        (np.column_stack([np.arange(5.0), np.ones(5)]), "coordinate 1 is constant"),
    ],
)
def test_bad_codes_are_named(codes, message):
    with pytest.raises(ValueError, match=message):
        fit_map(codes, generator=chance(16), progress=False)


@pytest.mark.parametrize("k", [0, 5, 2.0])
def test_bad_numbers_of_laws_are_named(k):
    with pytest.raises(ValueError, match="n_components: expected an integer from 1 to 4"):
        fit_mixture(np.random.default_rng(5).normal(size=(5, 2)), k, generator=chance(17))


def test_no_samples_are_refused():
    law = fit_mixture(np.random.default_rng(6).normal(size=(9, 2)), generator=chance(18))
    with pytest.raises(ValueError, match="n: expected a positive number"):
        law.sample(0, generator=chance(19))
