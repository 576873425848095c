"""Several processes, started by torchrun as a user would: one answer, and disagreements named."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from omt_course.transport import montecarlo
from omt_course.transport.domains import Box
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.ranks import Ranks, SharedCounter, join

HEAD = """
import sys
import numpy as np
import torch
from omt_course.transport import montecarlo, ranks
from omt_course.transport.counting import CellCounter

torch.set_num_threads(1)
folder = sys.argv[1]
points = np.random.default_rng(0).normal(size=(60, 2))
options = {"target_error": 0.04, "device": "cpu"}
"""
SOLVE = """
with ranks.join("gloo") as team:
    generator = torch.Generator().manual_seed(7)
    result = montecarlo.solve("cube", points, generator=generator, ranks=team,
                              checkpoint=f"{folder}/state.npz", **options)
    np.savez(f"{folder}/rank{team.rank}.npz", heights=result.heights, n=result.n_samples,
             error=result.mass_error, interval=result.mass_error_interval,
             resumed=result.resumed_from)
"""
DISAGREE = """
with ranks.join("gloo") as team:
    if team.rank == 1:
        points[3] += 1e-9
    try:
        montecarlo.solve("cube", points, generator=torch.Generator().manual_seed(7), ranks=team,
                         **options)
    except ValueError as error:
        open(f"{folder}/said{team.rank}", "w").write(str(error))
"""
COUNT = """
with ranks.join("gloo") as team:
    generator = team.own_generator(torch.Generator().manual_seed(5))
    counter = ranks.SharedCounter(CellCounter("cube", points, generator), team)
    counter.batch = 3000
    first, second = counter(np.zeros(60)), counter(np.zeros(60))
    own = counter.counter(np.zeros(60))
    np.savez(f"{folder}/rank{team.rank}.npz", first=first, second=second, own=own,
             batch=counter.batch, gaps=counter.gaps(np.zeros(60), 101),
             wrong=counter.misranked(np.zeros(60), 101))
"""


def torchrun(script, folder, processes):
    path = folder / "script.py"
    path.write_text(HEAD + script)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += ["--standalone", str(path), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return (
        [dict(np.load(folder / f"rank{k}.npz")) for k in range(processes)]
        if (folder / "rank0.npz").exists()
        else None
    )


def test_two_ranks_give_one_answer_and_it_is_right(tmp_path):
    one, two = torchrun(SOLVE, tmp_path, 2)
    assert np.array_equal(one["heights"], two["heights"])
    assert one["error"] == two["error"] and one["n"] == two["n"] and one["resumed"] == 0
    points = np.random.default_rng(0).normal(size=(60, 2))
    masses = laguerre_diagram(Box([-0.5, -0.5], [0.5, 0.5]), points, one["heights"]).masses
    truth = np.sqrt(np.mean((60 * masses - 1) ** 2))  # exact areas
    low, high = one["interval"]
    assert low <= truth <= high <= 0.04
    # The same command again finds its end in the file, on every rank.
    again, _ = torchrun(SOLVE, tmp_path, 2)
    assert np.array_equal(again["heights"], one["heights"]) and again["resumed"] == one["n"]


def test_counts_are_summed_over_ranks_that_draw_different_samples(tmp_path):
    ranks = torchrun(COUNT, tmp_path, 2)
    assert ranks[0]["batch"] == ranks[1]["batch"] >= 3000
    for name in ("first", "second", "gaps", "wrong"):
        assert np.array_equal(ranks[0][name], ranks[1][name])
    assert ranks[0]["first"].sum() == ranks[0]["batch"]
    assert not np.array_equal(ranks[0]["first"], ranks[0]["second"])
    assert not np.array_equal(ranks[0]["own"], ranks[1]["own"])
    assert 2 * ranks[0]["own"].sum() == ranks[0]["batch"]
    assert len(ranks[0]["gaps"]) == 102 and ranks[0]["gaps"].min() >= 0
    assert 0 <= ranks[0]["wrong"] < 0.02


def test_ranks_that_disagree_on_the_data_are_told_which(tmp_path):
    torchrun(DISAGREE, tmp_path, 2)
    for k in range(2):
        said = (tmp_path / f"said{k}").read_text()
        assert said.startswith(
            "points: expected the same on every rank, got other values on rank 1"
        )


def test_without_torchrun_there_are_no_ranks(monkeypatch):
    with pytest.raises(ValueError, match="ranks: expected an initialised process group, got none"):
        Ranks()
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="expected a process started by torchrun, got no RANK"):
        with join():
            pass


def test_a_single_rank_is_the_plain_run(monkeypatch):
    """One process of one: the same heights as without ranks, bit for bit."""
    store = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    points = np.random.default_rng(1).normal(size=(20, 4))

    def solve(ranks):
        generator = torch.Generator().manual_seed(3)
        return montecarlo.solve(
            "cube", points, target_error=0.1, generator=generator, device="cpu", ranks=ranks
        )

    with join("gloo") as team:
        assert (team.rank, team.size) == (0, 1)
        assert np.array_equal(solve(team).heights, solve(None).heights)
        assert team.sum(np.arange(3)).tolist() == [0, 1, 2] and team.gather("a") == ["a"]
        team.check_same(points=points, source="cube")
        assert isinstance(SharedCounter(None, team), SharedCounter)
