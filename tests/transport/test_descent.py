"""Runs that are cut off: the same heights as if nothing had happened, and files that do not fit."""

import numpy as np
import pytest
import torch

from omt_course.transport import descent
from omt_course.transport.montecarlo import solve
from omt_course.transport.newton import NotConverged

POINTS = np.random.default_rng(0).normal(size=(80, 5))


class Killed(Exception):
    pass


def run(checkpoint=None, *, seed=4, points=POINTS, target_error=0.03, **options):
    generator = torch.Generator().manual_seed(seed)
    return solve(
        options.pop("source", "cube"),
        points,
        target_error=target_error,
        generator=generator,
        device="cpu",
        checkpoint=checkpoint,
        **options,
    )


def kill_after(n, monkeypatch):
    """Let the n-th write of the run fail after it is done, as a kill right behind it would."""
    keep, calls = descent.keep, []

    def killing(*arguments):
        keep(*arguments)
        calls.append(1)
        if len(calls) == n:
            raise Killed

    monkeypatch.setattr(descent, "keep", killing)


@pytest.mark.parametrize("writes", [1, 2, 7])
def test_a_run_cut_off_ends_where_it_would_have(tmp_path, monkeypatch, writes):
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)  # after every step
    whole = run()
    path = tmp_path / "state.npz"
    with monkeypatch.context() as patch:
        kill_after(writes, patch)
        with pytest.raises(Killed):
            run(path)
    rest = run(path)
    assert 0 < rest.resumed_from < rest.n_samples
    assert np.array_equal(rest.heights, whole.heights)
    assert rest.mass_error == whole.mass_error and rest.n_samples == whole.n_samples
    errors = [(step.n_samples, step.error) for step in rest.history]
    assert errors == [(step.n_samples, step.error) for step in whole.history]
    # Once more: it is finished, and says so without drawing for it.
    again = run(path)
    assert again.resumed_from == again.n_samples == whole.n_samples
    assert np.array_equal(again.heights, whole.heights)


def test_cut_off_between_looks_and_with_a_sampler(tmp_path, monkeypatch):
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)

    def sampler(n, d, generator):
        return torch.rand(n, d, generator=generator) ** 2

    whole = run(source=sampler)
    with monkeypatch.context() as patch:
        kill_after(3, patch)
        with pytest.raises(Killed):
            run(tmp_path / "s", source=sampler)
    assert np.array_equal(run(tmp_path / "s", source=sampler).heights, whole.heights)


def test_a_budget_that_ran_out_is_raised_later(tmp_path):
    path = tmp_path / "state.npz"
    with pytest.raises(NotConverged):
        run(path, max_samples=300_000, target_error=0.014)
    more = run(path, target_error=0.014)
    assert more.converged and more.resumed_from >= 300_000
    assert more.history[0].n_samples == more.resumed_from


def test_resume_false_starts_over(tmp_path):
    run(tmp_path / "s")
    again = run(tmp_path / "s", resume=False)
    assert again.resumed_from == 0


@pytest.mark.parametrize(
    "change, name",
    [
        ({"points": POINTS + 1}, "points"),
        ({"seed": 5}, "seed"),
        ({"target_error": 0.2}, "target_error"),
        ({"source": "gaussian"}, "source"),
        ({"precision": "tf32"}, "precision"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, name):
    run(tmp_path / "s", target_error=0.1)
    with pytest.raises(ValueError, match=f"checkpoint: .* of a run with other {name}: it has"):
        run(tmp_path / "s", **({"target_error": 0.1} | change))


@pytest.mark.parametrize("damage", [b"", b"not a file of ours", None])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "s"
    run(path, target_error=0.2)
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    with pytest.raises(ValueError, match="checkpoint: expected a file written by montecarlo.solve"):
        run(path, target_error=0.2)


def test_a_full_disk_leaves_the_last_good_file(tmp_path, monkeypatch):
    path = tmp_path / "s"
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        kill_after(2, patch)
        with pytest.raises(Killed):
            run(path)
    before = path.read_bytes()

    def full(path, write):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(descent, "write_atomically", full)
        with pytest.raises(OSError, match="No space left"):
            run(path)
    assert path.read_bytes() == before
    assert np.array_equal(run(path).heights, run().heights)


def test_batches_grow_with_the_samples_before_them(monkeypatch):
    sizes = []
    step = descent.Descent.step

    def watched(self, counter, masses, batch):
        before = self.used
        step(self, counter, masses, batch)
        sizes.append((before, self.used - before))

    monkeypatch.setattr(descent.Descent, "step", watched)
    run(target_error=0.014)
    used, size = np.array(sizes).T
    assert (size >= used // 40).all() and (size <= np.maximum(2**14, used / 40 + 1024)).all()
    assert size[-1] > 2 * size[0]
