"""Scores in three precisions and in bounded memory."""

import numpy as np
import pytest
import torch

from omt_course.transport import montecarlo, scoring
from omt_course.transport.scoring import Scorer, rounded


def problem(n=500, d=12, m=3000):
    generator = torch.Generator().manual_seed(0)
    y, x = torch.randn(n, d, generator=generator), torch.rand(m, d, generator=generator) - 0.5
    return y, -(y**2).sum(dim=1) / 7, x


@pytest.mark.parametrize("precision, bits", [("float32", 24), ("tf32", 11), ("bfloat16", 8)])
def test_rounding_keeps_the_bits_it_should_and_no_more(precision, bits):
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    relative = ((rounded(x, precision) - x) / x).abs().max().item()
    assert relative <= 2.0**-bits
    if bits < 24:
        assert relative > 0.9 * 2.0**-bits
    again = rounded(rounded(x, precision), precision)
    assert torch.equal(again, rounded(x, precision))


def test_winners_do_not_depend_on_the_chunk():
    y, h, x = problem()
    truth = (x.double() @ y.double().T + h.double()).argmax(dim=1)
    for chunk in (1, 499, 5_000, 2**25):
        found = Scorer(y, chunk=chunk).winners(h, x)
        assert torch.equal(found, truth)


@pytest.mark.parametrize("precision", scoring.PRECISIONS)
def test_the_misranked_share_is_the_one_counted_by_hand(precision):
    y, h, x = problem()
    scorer = Scorer(y, precision=precision)
    truth = (x.double() @ y.double().T + h.double()).argmax(dim=1)
    wrong = (rounded(x, precision) @ rounded(y, precision).T + h).argmax(dim=1) != truth
    assert scorer.misranked(h.double().numpy(), x) == pytest.approx(wrong.double().mean().item())


def test_lower_precision_misranks_more():
    y, h, x = problem(n=3000, m=20_000)
    share = [
        Scorer(y, precision=precision).misranked(h.double().numpy(), x)
        for precision in scoring.PRECISIONS
    ]
    assert share[0] < share[1] < share[2] < 0.2


def test_a_gpu_out_of_memory_gets_smaller_chunks(monkeypatch):
    """No GPU here: its error is raised by hand for blocks above a size."""
    y, h, x = problem()
    scores = Scorer.scores

    def small_memory(self, heights, block):
        if len(block) > 100:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return scores(self, heights, block)

    monkeypatch.setattr(Scorer, "scores", small_memory)
    scorer = Scorer(y, chunk=500 * 800)
    with pytest.warns(RuntimeWarning, match=r"out of memory with \d00 x 500 scores") as caught:
        found = scorer.winners(h, x)
    assert len(caught) == 3 and "with 800 x" in str(caught[0].message)
    assert scorer.chunk == 100 * 500
    assert torch.equal(found, (x.double() @ y.double().T + h.double()).argmax(dim=1))

    def no_memory(self, heights, block):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Scorer, "scores", no_memory)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        Scorer(y, chunk=500).winners(h, x)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_a_run_in_low_precision_is_certified_in_float32(precision):
    points = np.random.default_rng(3).normal(size=(100, 6))
    result = montecarlo.solve(
        "cube",
        points,
        target_error=0.05,
        generator=torch.Generator().manual_seed(0),
        device="cpu",
        precision=precision,
    )
    assert result.converged
    x = np.random.default_rng(4).random((400_000, 6)) - 0.5
    shares = np.bincount(result.assign(x), minlength=100) / len(x)  # float64
    squared = np.mean((100 * shares - 1) ** 2) - 99 / len(x)
    assert np.sqrt(max(squared, 0)) < 0.06
    assert 0 < result.misranked < 0.05


def test_points_far_from_the_origin_warn_in_low_precision():
    """Codes that differ by far less than they are wide: bfloat16 cannot tell them apart."""
    rng = np.random.default_rng(5)
    points = 30 * rng.normal(size=(5, 4))[np.arange(60) % 5] + 0.05 * rng.normal(size=(60, 4))
    with pytest.warns(RuntimeWarning, match="scores in bfloat16 send .* % of the samples"):
        montecarlo.solve(
            "cube",
            points,
            target_error=0.02,
            max_samples=200_000,
            strict=False,
            generator=torch.Generator().manual_seed(0),
            device="cpu",
            precision="bfloat16",
        )


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"precision": "float8"},
            "precision: expected one of float32, tf32, bfloat16, got 'float8",
        ),
        ({"chunk": 0}, "chunk: expected a positive number of scores, got 0"),
        ({"chunk": 1.5}, "chunk: expected a positive number of scores, got 1.5"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        montecarlo.solve(
            "ball",
            np.eye(3),
            target_error=0.1,
            generator=torch.Generator().manual_seed(0),
            device="cpu",
            **options,
        )
