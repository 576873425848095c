"""A ReLU network as matrices: activation patterns, affine pieces, and bounds on their number.

Everything in double precision, whatever the precision of the network. Taught in *Cells of a ReLU
network*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from torch import nn


@dataclass(frozen=True, eq=False)
class Layers:
    """The weights of a ReLU network.

    Attributes
    ----------
    hidden : tuple of (W, b)
        Affine maps that a ReLU follows, `W` of shape (w_i, w_{i-1}), `b` of shape (w_i,).
    last : (W, b)
        The affine map at the end.
    """

    hidden: tuple[tuple[np.ndarray, np.ndarray], ...]
    last: tuple[np.ndarray, np.ndarray]

    @property
    def widths(self) -> tuple[int, ...]:
        """Input dimension and the widths of the hidden layers, `(w_0, ..., w_k)`."""
        return (self.dimension, *(len(b) for _, b in self.hidden))

    @property
    def dimension(self) -> int:
        """Dimension of the input."""
        first = self.hidden[0][0] if self.hidden else self.last[0]
        return first.shape[1]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return sum(self.widths[1:])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the network at the rows of `x`, (n, w_0): (n, out) float array."""
        for W, b in self.hidden:
            x = np.maximum(x @ W.T + b, 0.0)
        return x @ self.last[0].T + self.last[1]

    def patterns(self, x: np.ndarray) -> np.ndarray:
        """Tell which hidden units are active, `> 0`, at the rows of `x`: (n, n_hidden) bool."""
        x, found = np.asarray(x, dtype=float), [np.zeros((len(x), 0), dtype=bool)]
        for W, b in self.hidden:
            x = x @ W.T + b
            found.append(x > 0)
            x = np.maximum(x, 0.0)
        return np.hstack(found)

    def affine(self, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the affine map `x -> A x + b` that belongs to each activation pattern.

        Parameters
        ----------
        patterns : (c, n_hidden) bool array

        Returns
        -------
        A, b : (c, out, w_0) and (c, out) float arrays
        """
        patterns = np.asarray(patterns, dtype=bool)
        if patterns.ndim != 2 or patterns.shape[1] != self.n_hidden:
            raise ValueError(f"patterns: expected shape (c, {self.n_hidden}), got {patterns.shape}")
        c, d = len(patterns), self.dimension
        A, b = np.broadcast_to(np.eye(d), (c, d, d)), np.zeros((c, d))
        start = 0
        for W, bias in self.hidden:
            on = patterns[:, start : start + len(bias)]
            A, b = on[:, :, None] * (W @ A), on * (b @ W.T + bias)  # (c, w_i, w_0), (c, w_i)
            start += len(bias)
        return self.last[0] @ A, b @ self.last[0].T + self.last[1]


def read(network: nn.Module) -> Layers:
    """Return the matrices of a network of `Linear` and `ReLU` layers.

    Two affine layers in a row are multiplied out; a `Sequential` inside a `Sequential` is opened.

    Parameters
    ----------
    network : torch.nn.Sequential

    Raises
    ------
    ValueError
        If a layer is neither `Linear` nor `ReLU`; the message names all of them. If weights are
        not finite, or do not fit one another.

    Examples
    --------
    >>> read(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))).widths
    (2, 8)
    >>> read(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)))
    Traceback (most recent call last):
    ...
    ValueError: network: expected layers of type Linear and ReLU only, got 1 other: layer 1 is Tanh
    """
    if not isinstance(network, nn.Sequential):
        raise ValueError(f"network: expected nn.Sequential, got {type(network).__name__}")
    layers = list(_leaves(network))
    others = [(k, a) for k, a in enumerate(layers) if type(a) not in (nn.Linear, nn.ReLU)]
    if others:
        names = ", ".join(f"layer {k} is {type(a).__name__}" for k, a in others)
        raise ValueError(
            f"network: expected layers of type Linear and ReLU only, got {len(others)} other: "
            f"{names}"
        )
    if not any(isinstance(layer, nn.Linear) for layer in layers):
        raise ValueError("network: expected at least one Linear layer, got none")
    hidden, pending = [], None
    for k, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU):
            if pending is None:
                raise ValueError(f"network: expected a Linear layer before each ReLU, layer {k}")
            hidden.append(pending)
            pending = None
            continue
        W, b = _matrices(layer, k)
        before = pending[0] if pending else hidden[-1][0] if hidden else None
        if before is not None and len(before) != W.shape[1]:
            raise ValueError(
                f"network: layer {k} expects {W.shape[1]} inputs, the one before has {len(before)}"
            )
        pending = (W @ pending[0], W @ pending[1] + b) if pending else (W, b)
    if pending is None:  # a ReLU at the end: the output is what it lets through
        pending = (np.eye(len(hidden[-1][1])), np.zeros(len(hidden[-1][1])))
    return Layers(tuple(hidden), pending)


def _leaves(network):
    for layer in network:
        if isinstance(layer, nn.Sequential):
            yield from _leaves(layer)
        else:
            yield layer


def _matrices(layer, k):
    W = layer.weight.detach().cpu().numpy().astype(float)
    b = np.zeros(len(W)) if layer.bias is None else layer.bias.detach().cpu().numpy().astype(float)
    wrong = np.count_nonzero(~np.isfinite(W)) + np.count_nonzero(~np.isfinite(b))
    if wrong:
        raise ValueError(f"network: expected finite weights, got {wrong} others in layer {k}")
    return W, b


def arrangement_regions(n: int, d: int) -> int:
    """Return the number of regions of `n` hyperplanes of R^d in general position.

    `sum_{k <= d} binom(n, k)` (Buck 1943); no arrangement has more.

    Examples
    --------
    >>> arrangement_regions(3, 2), arrangement_regions(4, 3)
    (7, 15)
    """
    if n < 0 or d < 0:
        raise ValueError(f"n, d: expected numbers not below 0, got {n} and {d}")
    return sum(comb(n, k) for k in range(d + 1))


def bound(widths: Sequence[int], *, kind: str = "lei") -> int:
    """Bound the number of cells of every ReLU network of given widths.

    Parameters
    ----------
    widths : sequence of int
        `(w_0, w_1, ..., w_k)`: input dimension, then the hidden layers.
    kind : {"lei", "montufar", "serra"}
        `lei`: `prod_i sum_{k <= w_{i-1}} binom(w_i, k)`. `montufar`: the same with
        `min(w_0, ..., w_{i-1})` for `w_{i-1}`. `serra`: sum of `prod_i binom(w_i, j_i)` over
        `0 <= j_i <= min(w_0, w_1 - j_1, ..., w_{i-1} - j_{i-1}, w_i)`; the sharpest of the three.

    Returns
    -------
    int

    Notes
    -----
    Sources: Lei, Luo, Yau, Gu (2018), theorem 4.5, here without its factor for the output layer;
    Montufar (2017); Serra, Tjandraatmadja, Ramalingam (2018), theorem 1.

    Examples
    --------
    >>> [bound([2, 3, 3], kind=kind) for kind in ("lei", "montufar", "serra")]
    [56, 49, 40]
    """
    widths = tuple(int(w) for w in widths)
    if not widths or min(widths) < 1:
        raise ValueError(f"widths: expected positive numbers, got {list(widths)}")
    if kind == "serra":
        return _serra(widths[0], widths[1:])
    if kind not in ("lei", "montufar"):
        raise ValueError(f"kind: expected 'lei', 'montufar' or 'serra', got {kind!r}")
    total = 1
    for i in range(1, len(widths)):
        d = widths[i - 1] if kind == "lei" else min(widths[:i])
        total *= arrangement_regions(widths[i], d)
    return total


@cache
def _serra(room: int, widths: tuple[int, ...]) -> int:
    """Sum over `j <= min(room, w)`; what is left of the room is `min(room, w - j)`."""
    if not widths:
        return 1
    w, *rest = widths
    return sum(comb(w, j) * _serra(min(room, w - j), tuple(rest)) for j in range(min(room, w) + 1))
