"""The adversarial loop: it moves mass, resumes bit for bit, also after kill -9, and refuses."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from torch import nn

from omt_course.models.critic import mlp
from omt_course.models.training import TrainingDivergedError
from omt_course.models.wasserstein_gan import sample, train_wgan_gp

OPTIONS = {"latent_dim": 2, "batch_size": 32, "n_critic": 2, "lr": 1e-2, "progress": False}


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def networks(seed=0):
    """A generator with layers of their own randomness and state, and a critic."""
    start = chance(seed)
    maker = nn.Sequential(mlp([2, 16], generator=start), nn.BatchNorm1d(16), nn.Dropout(0.1))
    return nn.Sequential(maker, nn.ReLU(), mlp([16, 2], generator=start)), mlp(
        [2, 16, 1], generator=start
    )


DATA = torch.randn(200, 2, generator=torch.Generator().manual_seed(9)) + torch.tensor([2.0, 0.0])


def state(pair):
    return [value.clone() for network in pair for value in network.state_dict().values()]


def same(a, b):
    return len(a) == len(b) and all(map(torch.equal, a, b))


def test_a_generator_that_only_shifts_finds_the_shift():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.Parameter(torch.zeros(2))

        def forward(self, z):
            return z + self.by

    maker = Shift()
    history = train_wgan_gp(
        maker, mlp([2, 16, 1], generator=chance()), DATA, steps=250, generator=chance(), **OPTIONS
    )
    assert (maker.by - DATA.mean(0)).norm() < 0.5  # from 2
    assert abs(sum(history.estimate[-50:]) / 50) < 0.5 < max(history.estimate)
    assert len(history.critic_loss) == len(history.gradient_norm) == history.n_steps == 250
    assert not maker.training and history.seconds > 0


def test_images_of_any_shape():
    data = torch.rand(40, 1, 6, 6, generator=chance())
    maker = nn.Sequential(mlp([3, 36], generator=chance()), nn.Unflatten(1, (1, 6, 6)))
    critic = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1))
    options = {**OPTIONS, "latent_dim": 3, "generator": chance(1)}
    train_wgan_gp(maker, critic, data, steps=3, **options)
    made = sample(maker, 7, latent_dim=3, generator=chance(2), batch_size=3)
    assert made.shape == (7, 1, 6, 6) and not made.requires_grad


def test_resumed_is_uninterrupted_bit_for_bit(tmp_path):
    class Stop(Exception):
        pass

    def stop_at_nine(step):
        if step == 9:
            raise Stop

    whole, stopped, fresh = networks(), networks(), networks(5)
    straight = train_wgan_gp(*whole, DATA, steps=14, generator=chance(3), **OPTIONS)
    keep = {"checkpoint": tmp_path / "run.pt", "checkpoint_every": 4}
    with pytest.raises(Stop):
        train_wgan_gp(
            *stopped, DATA, steps=14, generator=chance(3), callback=stop_at_nine, **keep, **OPTIONS
        )
    seen = []
    resumed = train_wgan_gp(
        *fresh, DATA, steps=14, generator=chance(77), callback=seen.append, **keep, **OPTIONS
    )
    assert same(state(whole), state(fresh))
    assert resumed.resumed_from == 8 and seen == list(range(9, 15))
    assert resumed.critic_loss == straight.critic_loss and resumed.estimate == straight.estimate
    again = train_wgan_gp(*networks(6), DATA, steps=14, generator=chance(), **keep, **OPTIONS)
    assert again.resumed_from == 14 and again.estimate == straight.estimate
    other = train_wgan_gp(
        *networks(), DATA, steps=4, generator=chance(3), resume=False, **keep, **OPTIONS
    )
    assert other.resumed_from == 0 and other.estimate == straight.estimate[:4]


KILLED = """
import os, signal, sys, torch
sys.path.insert(0, {folder!r})
from test_wasserstein_gan import DATA, OPTIONS, chance, networks, train_wgan_gp
torch.set_num_threads(1)
def die(step):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
train_wgan_gp(*networks(), DATA, steps=12, generator=chance(3), callback=die,
              checkpoint={path!r}, checkpoint_every=3, **OPTIONS)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_killed_run_resumes(tmp_path):
    path = str(tmp_path / "run.pt")
    code = KILLED.format(folder=os.path.dirname(__file__), path=path)
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole, resumed = networks(), networks(8)
    train_wgan_gp(*whole, DATA, steps=12, generator=chance(3), **OPTIONS)
    history = train_wgan_gp(
        *resumed, DATA, steps=12, generator=chance(), checkpoint=path, **OPTIONS
    )
    torch.set_num_threads(threads)
    assert history.resumed_from == 6 and same(state(whole), state(resumed))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    keep = {"checkpoint": tmp_path / "run.pt", "checkpoint_every": 1}
    train_wgan_gp(*networks(), DATA, steps=3, generator=chance(), **keep, **OPTIONS)
    cases = [
        ({"lr": 1e-3}, "expected lr = 0.01"),
        ({"n_critic": 5}, "expected n_critic = 2"),
        ({"one_sided": True}, "expected one_sided = False"),
        ({"steps": 2}, "steps: expected at least 3"),
    ]
    for change, words in cases:
        options = {"steps": 3, **OPTIONS, **change}
        with pytest.raises(ValueError, match=words):
            train_wgan_gp(*networks(), DATA, generator=chance(), **keep, **options)
    other = networks()[0], mlp([2, 8, 1], generator=chance())
    with pytest.raises(ValueError, match="another architecture: it differs in critic"):
        train_wgan_gp(*other, DATA, steps=3, generator=chance(), **keep, **OPTIONS)


def test_a_diverged_run_leaves_the_last_good_checkpoint(tmp_path):
    pair, path = networks(), tmp_path / "run.pt"

    def poison(step):
        if step == 3:
            nn.init.constant_(pair[1][0].weight, float("nan"))

    keep = {"checkpoint": path, "checkpoint_every": 1, "callback": poison}
    with pytest.raises(TrainingDivergedError, match="step 4") as caught:
        train_wgan_gp(*pair, DATA, steps=9, generator=chance(), **keep, **OPTIONS)
    assert caught.value.history.n_steps == 3
    healed = train_wgan_gp(
        *networks(), DATA, steps=4, generator=chance(), checkpoint=path, **OPTIONS
    )
    assert healed.resumed_from == 3


def test_bad_input_is_refused():
    maker, critic = networks()
    cases = [
        ({"latent_dim": 0}, "latent_dim: expected a positive integer"),
        ({"n_critic": 0}, "n_critic: expected a positive integer"),
        ({"checkpoint_every": -1}, "checkpoint_every: expected a positive integer"),
        ({"steps": 1.5}, "steps: expected a positive integer"),
        ({"data": DATA.int()}, "data: expected a float tensor; got torch.int32"),
        ({"data": DATA[:, :0]}, "data: expected shape"),
        ({"data": DATA * float("inf")}, "data: expected finite numbers"),
        ({"data": torch.zeros(9, 3)}, r"generator_network: expected images of shape \(3,\)"),
        ({"critic": mlp([2, 2], generator=chance())}, "critic: expected one value an image"),
    ]
    for change, words in cases:
        given = {"critic": critic, "data": DATA, "steps": 2, **OPTIONS, **change}
        with pytest.raises(ValueError, match=words):
            train_wgan_gp(maker, generator=chance(), **given)
