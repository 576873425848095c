"""Scores `<x, y_i> + h_i` of many points at once: in bounded memory, and in a chosen precision.

Taught in *Transport in a hundred dimensions* and *Outgrowing one machine*.
"""

import warnings

import numpy as np
import torch

PRECISIONS = ("float32", "tf32", "bfloat16")
# Scores held at a time: 128 MB of float32.
CHUNK = 2**25


class Scorer:
    """The scores of fixed points, their heights changing from call to call.

    The coordinates are rounded to `precision`; products are summed, and heights added, in float32.
    So a lower precision costs accuracy in the inner products only, on a CPU as on a GPU; it gains
    time on a GPU alone.

    Parameters
    ----------
    points : (n, d) float32 tensor
    precision : {"float32", "tf32", "bfloat16"}
    chunk : int
        Scores in memory at a time. On a GPU that runs out of memory it is halved, with a warning.
    """

    def __init__(self, points: torch.Tensor, *, precision: str = "float32", chunk: int = CHUNK):
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}"
            )
        if not (isinstance(chunk, int) and chunk >= 1):
            raise ValueError(f"chunk: expected a positive number of scores, got {chunk!r}")
        self.precision, self.chunk, self.exact = precision, chunk, points
        self.y = rounded(points, precision)

    def scores(self, heights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of the rows of `x`, (m, n) float32 tensor."""
        if self.precision == "float32":
            return torch.addmm(heights, x, self.y.T)
        if x.device.type != "cuda":
            return torch.addmm(heights, rounded(x, self.precision), self.y.T)
        if self.precision == "bfloat16":
            product = torch.mm(x.bfloat16(), self.y.bfloat16().T, out_dtype=torch.float32)
            return product.add_(heights)
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return torch.addmm(heights, x, self.y.T)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed

    def reduce(self, heights: torch.Tensor, x: torch.Tensor, what) -> torch.Tensor:
        """Apply `what`, from (m, n) scores to m rows, to blocks of the rows of `x`; join them."""
        parts, done = [], 0
        while done < len(x):
            block = x[done : done + max(1, self.chunk // len(self.y))]
            try:
                parts.append(what(self.scores(heights, block)))
            except torch.cuda.OutOfMemoryError:
                if len(block) == 1:
                    raise
                self.chunk = len(block) // 2 * len(self.y)
                torch.cuda.empty_cache()
                warnings.warn(
                    f"out of memory with {len(block):,} x {len(self.y):,} scores at a time; "
                    f"going on with half of that",
                    RuntimeWarning,
                    stacklevel=2,
                )
                continue
            done += len(block)
        return torch.cat(parts)

    def winners(self, heights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the index of the best score of each row of `x`, (m,) int64 tensor."""
        return self.reduce(heights, x, best)

    def misranked(self, heights: np.ndarray, x: torch.Tensor) -> float:
        """Return the share of rows of `x` that float64 sends to another cell than `precision`.

        Parameters
        ----------
        heights : (n,) float array
        x : (m, d) float32 tensor
        """
        single = torch.as_tensor(heights, dtype=torch.float32, device=x.device)
        winners = self.winners(single, x).cpu()
        y, h = self.exact.cpu().double(), torch.as_tensor(heights, dtype=torch.float64)
        rows = max(1, self.chunk // (2 * len(y)))
        truth = [best(torch.addmm(h, part, y.T)) for part in x.cpu().double().split(rows)]
        return float((winners != torch.cat(truth)).double().mean())


def best(scores: torch.Tensor) -> torch.Tensor:
    """Return the index of the largest number of each row, the first of equal ones: (m,) int64.

    On a CPU by NumPy, whose `argmax` is vectorised, and four times as fast as torch's.

    Examples
    --------
    >>> best(torch.tensor([[0.0, 2.0, 2.0], [1.0, 0.0, -1.0]]))
    tensor([1, 0])
    """
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.numpy().argmax(axis=1))
    return scores.argmax(dim=1)


def rounded(x: torch.Tensor, precision: str) -> torch.Tensor:
    """Return float32 numbers rounded to the significant bits of a precision, still as float32.

    float32 has 24 of them, tf32 11, bfloat16 8.

    Parameters
    ----------
    x : float32 tensor
    precision : {"float32", "tf32", "bfloat16"}

    Examples
    --------
    >>> x = torch.tensor([1.0, 1.0 + 2**-9, 1.0 + 2**-12])
    >>> (rounded(x, "tf32") - 1).tolist()
    [0.0, 0.001953125, 0.0]
    >>> (rounded(x, "bfloat16") - 1).tolist()
    [0.0, 0.0, 0.0]
    """
    if precision == "bfloat16":
        return x.bfloat16().float()
    if precision == "tf32":  # adding half of the last bit kept, then clearing those below it
        bits = x.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    return x
