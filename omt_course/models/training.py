"""One training loop for every network of the course: early stopping, checkpoints, exact resume."""

import contextlib
import functools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from omt_course.models import checkpoints
from omt_course.models.schedules import rate_at


class TrainingDivergedError(RuntimeError):
    """The loss is not finite; ``history`` holds the epochs before."""

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number from 1, mean losses (validation's may be None), seconds so far."""

    number: int
    train_loss: float
    validation_loss: float | None
    seconds: float


@dataclass(frozen=True)
class History:
    """What happened in a training run.

    Attributes
    ----------
    train_loss, validation_loss : tuple of float
        Mean loss of each epoch; ``validation_loss`` is empty without validation.
    best_epoch : int
        Epoch (from 1) whose weights the model holds.
    stopped_early : bool
        Whether patience ran out before the last epoch.
    resumed_from : int
        Epochs that came from the checkpoint.
    seconds : float
        Wall time of this call.
    """

    train_loss: tuple
    validation_loss: tuple
    best_epoch: int
    stopped_early: bool
    resumed_from: int
    seconds: float

    @property
    def n_epochs(self):
        """Number of epochs, those of the checkpoint included."""
        return len(self.train_loss)


@contextlib.contextmanager
def seeded(generator):
    """Let ``generator`` rule torch's global randomness inside, and leave it untouched outside.

    Layers draw initial weights and dropout masks from that global state.
    """
    seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def train(
    model,
    loss,
    data,
    *,
    epochs,
    batch_size,
    lr,
    generator,
    weight_decay=0.0,
    schedule="cosine",
    validation=None,
    patience=None,
    checkpoint=None,
    resume=True,
    callback=None,
    progress=True,
    label="training",
):
    """Minimise the mean of ``loss`` over ``data`` with AdamW.

    Given the model's weights and the generator's state, the result on a CPU is the same weights,
    bit for bit, whether the run was interrupted and resumed or not.

    Parameters
    ----------
    model : torch.nn.Module
        Trained in place, left in evaluation mode.
    loss : callable
        ``loss(model, batch, generator)`` returns a scalar tensor; ``batch`` has the structure of
        ``data``. What it adds only in training it ties to ``model.training``.
    data : (n, ...) tensor, or tuple of such tensors
    epochs, batch_size : int
    lr : float
        Peak learning rate.
    generator : torch.Generator on the CPU
        Rules the order of the data, the loss's randomness and the layers'.
    weight_decay : float
        Decoupled: each step multiplies the weights by ``1 - rate * weight_decay``. Without it the
        method is Adam.
    schedule : {"cosine", "constant"}
        Cosine: rises over the first 5 % of the steps, then falls to 2 % of ``lr``.
    validation : like ``data``, optional
        Held-out data. The model then ends with the weights of the best epoch.
    patience : int, optional
        Stop after this many epochs without a new best on ``validation``.
    checkpoint : path, optional
        File written after every epoch: aside, then renamed, so that an interrupted write never
        harms the last good one.
    resume : bool
        Continue from ``checkpoint`` if it exists; with False, start over and overwrite it.
    callback : callable, optional
        Called with every `Epoch`, before the checkpoint that holds it: after a crash an epoch may
        be reported twice, with the same losses, but none is missed.
    progress : bool
        Show a progress bar on stderr.
    label : str
        Text before the progress bar.

    Returns
    -------
    history : History

    Raises
    ------
    ValueError
        If an argument is out of range, or the checkpoint is damaged, of another architecture, or
        of a run with other settings.
    TrainingDivergedError
        If the loss is not finite.

    Notes
    -----
    Source: Kingma, Ba, ICLR 2015 (Adam); Loshchilov, Hutter, ICLR 2017 and 2019 (cosine schedule,
    AdamW).
    Taught on the page ``ae-omt-mnist``.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> generator = torch.Generator().manual_seed(0)
    >>> with seeded(generator):
    ...     line = torch.nn.Linear(1, 1)
    >>> def squared_error(model, batch, generator):
    ...     inputs, outputs = batch
    ...     return ((model(inputs) - outputs) ** 2).mean()
    >>> history = train(line, squared_error, (x, 3 * x + 1), epochs=200, batch_size=16, lr=0.1,
    ...                 generator=generator, progress=False)
    >>> round(line.weight.item(), 3), round(line.bias.item(), 3), history.n_epochs
    (3.0, 1.0, 200)
    """
    start_time = time.perf_counter()
    _check(epochs, batch_size, lr, weight_decay, schedule, patience, validation)
    n = _length("data", data)
    if validation is not None:
        _length("validation", validation)
    settings = {"n": n, "batch_size": batch_size, "lr": lr, "weight_decay": weight_decay}
    settings["schedule"] = schedule
    if schedule == "cosine":
        settings["epochs"] = epochs
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    train_loss, validation_loss, best_state, best_epoch = [], [], None, 0
    if checkpoint is not None and resume and Path(checkpoint).exists():
        stored = checkpoints.load(checkpoint, model, settings)
        model.load_state_dict(stored["model"])
        optimiser.load_state_dict(stored["optimiser"])
        generator.set_state(stored["generator"])
        train_loss, validation_loss = stored["train_loss"], stored["validation_loss"]
        best_state, best_epoch = stored["best_state"], stored["best_epoch"]
    resumed_from = len(train_loss)
    if resumed_from > epochs:
        raise ValueError(
            f"epochs: expected at least {resumed_from} as in {checkpoint}; got {epochs}"
        )

    def patience_is_out():
        return patience is not None and len(train_loss) - best_epoch >= patience

    def history():
        stopped = len(train_loss) < epochs and patience_is_out()
        seconds = time.perf_counter() - start_time
        records = tuple(train_loss), tuple(validation_loss)
        return History(*records, best_epoch, stopped, resumed_from, seconds)

    with tqdm(total=epochs, initial=resumed_from, desc=label, disable=not progress) as bar:
        while len(train_loss) < epochs and not patience_is_out():
            step = len(train_loss) * math.ceil(n / batch_size)
            total = epochs * math.ceil(n / batch_size)
            rate = functools.partial(rate_at, lr, schedule, step, total)
            value = _epoch(model, loss, data, batch_size, optimiser, generator, rate)
            held_out = value
            if validation is not None and math.isfinite(value):
                held_out = evaluate(model, loss, validation, batch_size=batch_size)
            if not math.isfinite(held_out):
                raise TrainingDivergedError(
                    f"the loss is {held_out} in epoch {len(train_loss) + 1}: lower lr ({lr:g}), or "
                    "look for a division by zero or a logarithm of zero in the loss",
                    history(),
                )
            train_loss.append(value)
            if validation is None:
                best_epoch = len(train_loss)
            else:
                if not validation_loss or held_out < min(validation_loss):
                    best_epoch = len(train_loss)
                    best_state = {k: v.clone() for k, v in model.state_dict().items()}
                validation_loss.append(held_out)
            if callback is not None:
                last = validation_loss[-1] if validation_loss else None
                seconds = time.perf_counter() - start_time
                callback(Epoch(len(train_loss), value, last, seconds))
            if checkpoint is not None:
                checkpoints.save(
                    checkpoint,
                    settings=settings,
                    model=model.state_dict(),
                    optimiser=optimiser.state_dict(),
                    generator=generator.get_state(),
                    train_loss=train_loss,
                    validation_loss=validation_loss,
                    best_state=best_state,
                    best_epoch=best_epoch,
                )
            bar.set_postfix(loss=f"{held_out:.4g}", refresh=False)
            bar.update()
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
    return history()


@torch.no_grad()
def evaluate(model, loss, data, *, batch_size=500):
    """Return the mean loss over data in evaluation mode, with a fixed generator.

    ``model``, ``loss`` and ``data`` are as in `train`.
    """
    generator = torch.Generator().manual_seed(0)
    was_training = model.training
    model.eval()
    total, n = 0.0, _length("data", data)
    for index in torch.arange(n).split(batch_size):
        total += loss(model, _take(data, index, model), generator).item() * len(index)
    model.train(was_training)
    return total / n


def _check(epochs, batch_size, lr, weight_decay, schedule, patience, validation):
    counts = {"epochs": epochs, "batch_size": batch_size}
    if patience is not None:
        counts["patience"] = patience
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a positive integer; got {value!r}")
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"lr: expected a positive number; got {lr!r}")
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise ValueError(f"weight_decay: expected a number >= 0; got {weight_decay!r}")
    if schedule not in ("cosine", "constant"):
        raise ValueError(f"schedule: expected 'cosine' or 'constant'; got {schedule!r}")
    if patience is not None and validation is None:
        raise ValueError("patience: expected validation data with it; got none")


def _length(name, data):
    """Return the common length of the tensors, all finite."""
    tensors = data if isinstance(data, tuple) else (data,)
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"{name}: expected tensors of one positive length; got {sorted(lengths)}")
    for tensor in tensors:
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
    return lengths.pop()


def _take(data, index, model):
    device = next(model.parameters()).device
    if isinstance(data, tuple):
        return tuple(tensor[index].to(device) for tensor in data)
    return data[index].to(device)


def _epoch(model, loss, data, batch_size, optimiser, generator, rate):
    """Run one epoch and return its mean loss, or at once a loss that is not finite."""
    model.train()
    n = len(data[0]) if isinstance(data, tuple) else len(data)
    total = 0.0
    with seeded(generator):
        order = torch.randperm(n, generator=generator)
        for k, index in enumerate(order.split(batch_size)):
            for group in optimiser.param_groups:
                group["lr"] = rate(k)
            value = loss(model, _take(data, index, model), generator)
            number = value.item()
            if not math.isfinite(number):
                return number
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            total += number * len(index)
    return total / n
