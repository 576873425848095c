"""The training loop: closed-form minima, exact resume, early stopping, safe checkpoints."""

from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import nn

from omt_course.models import checkpoints, training
from omt_course.models.schedules import rate_at
from omt_course.models.training import TrainingDivergedError, seeded, train

OPTIONS = {"batch_size": 16, "lr": 0.01, "progress": False}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(seed=0, width=8):
    with seeded(generator(seed)):
        layers = nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 1)
        return nn.Sequential(*layers)


def noisy_error(model, batch, generator):
    """A loss with randomness of its own, beside dropout's."""
    inputs, outputs = batch
    if model.training:
        inputs = inputs + 0.1 * torch.randn(inputs.shape, generator=generator)
    return ((model(inputs) - outputs) ** 2).mean()


@pytest.fixture(scope="module")
def data():
    inputs = torch.randn(80, 3, generator=generator(5))
    return inputs, inputs.sum(1, keepdim=True)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def mean_distance(model, batch, generator):
    return ((model.weight - batch) ** 2).sum(1).mean()


class Point(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))


def test_the_minimum_is_found():
    """The mean is the minimiser of the mean squared distance, the variance its value."""
    points = torch.randn(64, 2, generator=generator(3)) + torch.tensor([3.0, -1.0])
    model = Point()
    history = train(
        model,
        mean_distance,
        points,
        epochs=300,
        batch_size=64,
        lr=0.1,
        generator=generator(),
        progress=False,
    )
    assert torch.allclose(model.weight, points.mean(0), atol=1e-3)
    assert history.train_loss[-1] == pytest.approx(points.var(0, correction=0).sum().item(), 1e-4)
    assert history.n_epochs == history.best_epoch == 300 and not history.stopped_early
    assert history.validation_loss == () and history.seconds > 0


def test_weight_decay_is_decoupled():
    """With a loss of no gradient each step multiplies the weights by 1 - rate * decay."""
    model = Point()
    torch.nn.init.ones_(model.weight)
    train(
        model,
        lambda model, batch, generator: 0.0 * model.weight.sum(),
        torch.zeros(30, 2),
        epochs=3,
        batch_size=10,
        lr=0.1,
        weight_decay=0.5,
        schedule="constant",
        generator=generator(),
        progress=False,
    )
    assert torch.allclose(model.weight, torch.full((2,), 0.95**9))


def test_every_item_is_seen_once_an_epoch():
    seen = []

    def loss(model, batch, generator):
        seen.append(batch[:, 0].clone())
        return (model.weight**2).sum()

    points = torch.arange(21.0).repeat(2, 1).T
    train(Point(), loss, points, epochs=2, generator=generator(), **{**OPTIONS, "batch_size": 8})
    assert [len(batch) for batch in seen] == [8, 8, 5] * 2
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert torch.equal(first.sort().values, torch.arange(21.0))
    assert torch.equal(second.sort().values, torch.arange(21.0))
    assert not torch.equal(first, second)


def test_the_generator_rules_all_randomness(data):
    torch.manual_seed(1)
    first, second, third = network(), network(), network()
    before = torch.get_rng_state()
    train(first, noisy_error, data, epochs=3, generator=generator(), **OPTIONS)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    train(second, noisy_error, data, epochs=3, generator=generator(), **OPTIONS)
    train(third, noisy_error, data, epochs=3, generator=generator(9), **OPTIONS)
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(third))


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("stop_at", [1, 40])  # calls of the loss: an epoch has 7 (5 + 2)
def test_an_interrupted_run_resumes_to_the_same_weights(data, tmp_path, schedule, stop_at):
    options = {"epochs": 8, "schedule": schedule, "validation": tuple(x[:20] for x in data)}
    straight = network()
    history = train(straight, noisy_error, data, generator=generator(), **options, **OPTIONS)

    calls = 0

    def interrupted(model, batch, generator):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt
        return noisy_error(model, batch, generator)

    path = tmp_path / "run.pt"
    options["checkpoint"] = path
    with pytest.raises(KeyboardInterrupt):
        train(network(), interrupted, data, generator=generator(), **options, **OPTIONS)
    assert path.exists() == (stop_at > 7)
    resumed = network()
    again = train(resumed, noisy_error, data, generator=generator(), **options, **OPTIONS)
    assert same(weights(straight), weights(resumed))
    assert again.train_loss == history.train_loss
    assert again.validation_loss == history.validation_loss
    assert again.best_epoch == history.best_epoch
    assert again.resumed_from == (5 if stop_at == 40 else 0)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_finished_run_is_not_run_again(data, tmp_path):
    path = tmp_path / "run.pt"
    first, second = network(), network(1)
    options = {"epochs": 3, "checkpoint": path, **OPTIONS}
    train(first, noisy_error, data, generator=generator(), **options)

    def never(model, batch, generator):
        raise AssertionError("trained again")

    history = train(second, never, data, generator=generator(), **options)
    assert same(weights(first), weights(second))
    assert history.resumed_from == 3 and not second.training


def test_resume_can_be_declined(data, tmp_path):
    path = tmp_path / "run.pt"
    for _ in range(2):
        history = train(
            network(),
            noisy_error,
            data,
            epochs=2,
            generator=generator(),
            checkpoint=path,
            resume=False,
            **OPTIONS,
        )
        assert history.resumed_from == 0


def test_a_constant_rate_run_can_be_made_longer(data, tmp_path):
    straight, longer = network(), network()
    options = {"schedule": "constant", **OPTIONS}
    train(straight, noisy_error, data, epochs=6, generator=generator(), **options)
    options["checkpoint"] = tmp_path / "run.pt"
    train(longer, noisy_error, data, epochs=2, generator=generator(), **options)
    train(longer, noisy_error, data, epochs=6, generator=generator(), **options)
    assert same(weights(straight), weights(longer))
    with pytest.raises(ValueError, match="epochs: expected at least 6"):
        train(longer, noisy_error, data, epochs=4, generator=generator(), **options)


def test_early_stopping_keeps_the_best_weights():
    """The path of the weight is known: it moves towards 1 and passes the validation's optimum."""
    points = torch.ones(16, 2)
    model = Point()
    history = train(
        model,
        mean_distance,
        points,
        epochs=100,
        batch_size=16,
        lr=0.1,
        schedule="constant",
        generator=generator(),
        validation=torch.full((4, 2), 0.35),
        patience=3,
        progress=False,
    )
    losses = history.validation_loss
    assert history.stopped_early and history.n_epochs == history.best_epoch + 3
    assert losses[history.best_epoch - 1] == min(losses)
    assert training.evaluate(model, mean_distance, torch.full((4, 2), 0.35)) == min(losses)


def test_early_stopping_survives_a_resume(tmp_path):
    options = {
        "epochs": 100,
        "batch_size": 16,
        "lr": 0.1,
        "schedule": "constant",
        "validation": torch.full((4, 2), 0.35),
        "patience": 3,
        "checkpoint": tmp_path / "run.pt",
        "progress": False,
    }
    first = train(Point(), mean_distance, torch.ones(16, 2), generator=generator(), **options)
    model = Point()
    second = train(model, mean_distance, torch.ones(16, 2), generator=generator(), **options)
    assert second.stopped_early and second.train_loss == first.train_loss
    found = training.evaluate(model, mean_distance, options["validation"])
    assert found == min(first.validation_loss)


def test_a_write_that_fails_keeps_the_last_good_checkpoint(data, tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    options = {"schedule": "constant", "checkpoint": path, **OPTIONS}
    train(network(), noisy_error, data, epochs=1, generator=generator(), **options)
    good = path.read_bytes()
    real_save = torch.save

    def full(content, stream):
        stream.write(b"half a checkpoint")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(network(), noisy_error, data, epochs=3, generator=generator(), **options)
    assert path.read_bytes() == good
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]
    monkeypatch.setattr(torch, "save", real_save)
    resumed = train(network(), noisy_error, data, epochs=3, generator=generator(), **options)
    assert resumed.resumed_from == 1


def test_a_loss_that_is_not_finite_is_an_error_with_the_history(data, tmp_path):
    calls = 0

    def explodes(model, batch, generator):
        nonlocal calls
        calls += 1
        return noisy_error(model, batch, generator) / (0 if calls == 7 else 1)

    path = tmp_path / "run.pt"
    with pytest.raises(TrainingDivergedError, match=r"inf in epoch 2: lower lr \(0.01\)") as caught:
        train(
            network(),
            explodes,
            data,
            epochs=3,
            generator=generator(),
            checkpoint=path,
            **OPTIONS,
        )
    assert len(caught.value.history.train_loss) == 1
    stored = torch.load(path, weights_only=True)
    assert all(torch.isfinite(value).all() for value in stored["model"].values())


def test_a_validation_loss_that_is_not_finite_is_an_error_too(data):
    def loss(model, batch, generator):
        return noisy_error(model, batch, generator) * (1 if model.training else float("nan"))

    with pytest.raises(TrainingDivergedError, match="nan in epoch 1"):
        train(network(), loss, data, epochs=2, generator=generator(), validation=data, **OPTIONS)


@pytest.mark.parametrize(
    "other, message",
    [
        (lambda: network(width=9), "another architecture: it differs in 0.weight"),
        (lambda: nn.Sequential(*network()[:3]), "another architecture: it has 3.bias too"),
        (lambda: nn.Sequential(*network(), nn.Linear(1, 1)), "it differs in 4.weight"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused(data, tmp_path, other, message):
    options = {"epochs": 1, "checkpoint": tmp_path / "run.pt", **OPTIONS}
    train(network(), noisy_error, data, generator=generator(), **options)
    model = other()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        train(model, noisy_error, data, generator=generator(), **options)
    assert same(before, weights(model))


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path):
    options = {"epochs": 1, "checkpoint": tmp_path / "run.pt", **OPTIONS}
    train(network(), noisy_error, data, generator=generator(), **options)
    for name, value in {"lr": 0.02, "batch_size": 8, "epochs": 2, "weight_decay": 0.1}.items():
        with pytest.raises(ValueError, match=f"checkpoint: expected {name} = .*resume=False"):
            train(network(), noisy_error, data, generator=generator(), **{**options, name: value})


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_a_damaged_checkpoint_is_refused(data, tmp_path, damage):
    path = tmp_path / "run.pt"
    options = {"epochs": 1, "checkpoint": path, **OPTIONS}
    train(network(), noisy_error, data, generator=generator(), **options)
    if damage == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes({"cut": path.read_bytes()[:-500], "empty": b"", "text": b"hi"}[damage])
    with pytest.raises(ValueError, match="checkpoint: expected"):
        train(network(), noisy_error, data, generator=generator(), **options)


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("code was run",))

    torch.save({"format": checkpoints._FORMAT, "model": Evil()}, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="damaged or something else"):
        checkpoints.load(tmp_path / "run.pt", network(), {})


def test_progress_goes_to_stderr(data, capsys):
    options = {**OPTIONS, "progress": True, "label": "a small net"}
    train(network(), noisy_error, data, epochs=2, generator=generator(), **options)
    captured = capsys.readouterr()
    assert captured.out == "" and "a small net: 100%" in captured.err
    options["progress"] = False
    train(network(), noisy_error, data, epochs=2, generator=generator(), **options)
    assert capsys.readouterr().err == ""


def test_the_history_is_frozen(data):
    history = train(network(), noisy_error, data, epochs=1, generator=generator(), **OPTIONS)
    with pytest.raises(FrozenInstanceError):
        history.best_epoch = 7


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epochs": 0}, "epochs: expected a positive integer; got 0"),
        ({"batch_size": 2.5}, "batch_size: expected a positive integer; got 2.5"),
        ({"lr": float("nan")}, "lr: expected a positive number; got nan"),
        ({"lr": -1.0}, "lr: expected a positive number; got -1.0"),
        ({"weight_decay": -0.1}, "weight_decay: expected a number >= 0; got -0.1"),
        ({"schedule": "linear"}, "schedule: expected 'cosine' or 'constant'"),
        ({"patience": 3}, "patience: expected validation data"),
        ({"data": (torch.zeros(3, 3), torch.zeros(2, 1))}, r"one positive length; got \[2, 3\]"),
        ({"data": torch.zeros(0, 3)}, r"one positive length; got \[0\]"),
        ({"data": (torch.full((3, 3), torch.nan), torch.zeros(3, 1))}, "data: expected finite"),
        ({"validation": (torch.zeros(3, 3), torch.full((3, 1), torch.inf))}, "validation: exp"),
    ],
)
def test_bad_arguments_are_named(data, change, message):
    arguments = {"data": data, "epochs": 1, **OPTIONS, **change}
    with pytest.raises(ValueError, match=message):
        train(network(), noisy_error, arguments.pop("data"), generator=generator(), **arguments)


def test_every_epoch_is_reported_and_none_is_missed_by_a_crash(data, tmp_path):
    """The report comes before the checkpoint: a crash between them repeats it, word for word."""
    seen = []

    def fit(callback, checkpoint=None):
        rng = generator(1)
        return train(
            network(), noisy_error, data, epochs=4, generator=rng, callback=callback,
            validation=data, checkpoint=checkpoint, **OPTIONS,
        )  # fmt: skip

    history = fit(seen.append)
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4]
    assert tuple(epoch.train_loss for epoch in seen) == history.train_loss
    assert tuple(epoch.validation_loss for epoch in seen) == history.validation_loss
    again = []

    def crash(epoch):
        again.append(epoch)
        if len(again) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(crash, tmp_path / "c")
    assert fit(again.append, tmp_path / "c").resumed_from == 2
    assert [epoch.number for epoch in again] == [1, 2, 3, 3, 4]
    assert again[2].train_loss == again[3].train_loss
    assert again[4].train_loss == seen[3].train_loss


def test_the_rate_rises_then_falls():
    """Cosine: linear to lr over a twentieth of the steps, down to a fiftieth at the end."""
    rates = [rate_at(2.0, "cosine", 10 * epoch, 100, k) for epoch in range(10) for k in range(10)]
    assert rates[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert max(rates) == 2.0 and all(a > b for a, b in zip(rates[5:], rates[6:], strict=False))
    assert rates[-1] == pytest.approx(0.04, rel=0.02)
    assert rate_at(2.0, "constant", 50, 100) == 2.0
