"""Several processes that share one Monte-Carlo run: samples are sharded, counts are summed.

Every process calls `montecarlo.solve` with the same arguments, draws samples of its own, and learns
the counts of all. So all hold the same heights at every step, and return the same result. Start
them with `torchrun`; they talk by gloo on CPUs, by nccl on GPUs.
Taught in *Outgrowing one machine*.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator

import numpy as np
import torch
import torch.distributed as dist

from .counting import CellCounter


class Ranks:
    """The processes of `torch.distributed`'s default group.

    Attributes
    ----------
    rank, size : int
        Number of this process, and how many there are.
    device : torch.device
        Where messages lie: the current GPU with nccl, else the CPU.

    Raises
    ------
    ValueError
        If no group was initialised.
    """

    def __init__(self):
        if not (dist.is_available() and dist.is_initialized()):
            raise ValueError(
                "ranks: expected an initialised process group, got none: start the script with "
                "torchrun and solve inside `with ranks.join() as team`"
            )
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        nccl = dist.get_backend() == "nccl"
        self.device = torch.device("cuda", torch.cuda.current_device()) if nccl else "cpu"

    def sum(self, counts: np.ndarray) -> np.ndarray:
        """Return the sum over the processes of an int64 array."""
        message = torch.from_numpy(counts).to(self.device)
        dist.all_reduce(message)
        return message.cpu().numpy()

    def first(self, value):
        """Return what the first process has, any small object."""
        message = [value]
        dist.broadcast_object_list(message, src=0, device=self.device)
        return message[0]

    def gather(self, value) -> list:
        """Return what the processes have, in order, any small objects."""
        values = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def check_same(self, **arguments) -> None:
        """Raise a `ValueError` on every process unless all have the same arguments."""
        mine = {name: _digest(value) for name, value in arguments.items()}
        everyone = self.gather(mine)
        for name in arguments:
            other = [k for k, theirs in enumerate(everyone) if theirs[name] != everyone[0][name]]
            if other:
                raise ValueError(
                    f"{name}: expected the same on every rank, got other values on rank"
                    f"{'s' if len(other) > 1 else ''} {', '.join(map(str, other))} than on rank 0"
                )

    def own_generator(self, generator: torch.Generator) -> torch.Generator:
        """Return a generator for this process, seeded from the first one's `generator`."""
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        seed = self.first(int(seed))
        state = np.random.SeedSequence([seed, self.rank]).generate_state(1, np.uint64)
        return torch.Generator(generator.device).manual_seed(int(state[0] >> np.uint64(1)))


class SharedCounter:
    """A `CellCounter` whose samples are drawn by all ranks.

    Parameters
    ----------
    counter : CellCounter
        This rank's own, with a generator of its own.
    ranks : Ranks
    """

    def __init__(self, counter: CellCounter, ranks: Ranks):
        self.counter, self.ranks = counter, ranks

    @property
    def batch(self) -> int:
        """Samples of all ranks in a call; when set, shared out and rounded up."""
        return self.counter.batch * self.ranks.size

    @batch.setter
    def batch(self, size: int):
        self.counter.batch = -(-size // self.ranks.size)

    def __call__(self, heights: np.ndarray) -> np.ndarray:
        """Return the cell counts of `batch` fresh samples, (n,) int64 array."""
        return self.ranks.sum(self.counter(heights))

    def gaps(self, heights: np.ndarray, n: int) -> np.ndarray:
        """Return best less second-best score for at least `n` fresh samples."""
        parts = self.ranks.gather(self.counter.gaps(heights, -(-n // self.ranks.size)))
        return np.concatenate(parts)

    def misranked(self, heights: np.ndarray, n: int) -> float:
        """Return the share of at least `n` fresh samples whose cell is another in float64."""
        each = -(-n // self.ranks.size)
        return float(np.mean(self.ranks.gather(self.counter.misranked(heights, each))))


@contextlib.contextmanager
def join(backend: str | None = None) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started; leave them at the end.

    Parameters
    ----------
    backend : {"gloo", "nccl"}, optional
        nccl where torch sees a GPU for every process of this machine, else gloo.

    Raises
    ------
    ValueError
        If the process was not started by `torchrun`.

    Examples
    --------
    In a file `solve.py`, started by `torchrun --nproc-per-node 2 solve.py`::

        with ranks.join() as team:
            result = montecarlo.solve("cube", points, target_error=0.05,
                                      generator=torch.Generator().manual_seed(0), ranks=team)
        if team.rank == 0:
            np.save("heights.npy", result.heights)
    """
    missing = [name for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR") if name not in os.environ]
    if missing:
        raise ValueError(
            f"ranks.join: expected a process started by torchrun, got no {missing[0]} in the "
            f"environment"
        )
    local, here = (int(os.environ.get(k, 1)) for k in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if backend is None:
        enough = torch.cuda.is_available() and torch.cuda.device_count() >= here
        backend = "nccl" if enough else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(local)
    dist.init_process_group(backend)
    try:
        yield Ranks()
    finally:
        dist.destroy_process_group()


def _digest(value):
    if isinstance(value, np.ndarray):
        return f"{value.shape} {hashlib.sha256(np.ascontiguousarray(value)).hexdigest()}"
    return getattr(value, "__qualname__", repr(value))  # a function's address differs by process
