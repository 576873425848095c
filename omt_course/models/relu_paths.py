"""A ReLU network along a polygonal path: where it bends, and whether it tells the points apart.

A path that a network with one output encodes, so that no two of its points have one code, is sent
to an interval monotonically. How many cells that takes is the path's rectified linear complexity.
Taught in *Cells of a ReLU network*.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .relu_layers import read

ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class PathPieces:
    """A path cut where units of the network switch; between two rows the network is affine.

    Attributes
    ----------
    points : (k, d) float array
        Corners of the path and points where a unit switches, in order.
    values : (k, out) float array
        The network there.
    unit : (k,) int array
        The first hidden unit that switches there, -1 at a corner at which none does.
    """

    points: np.ndarray
    values: np.ndarray
    unit: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Lengths of the pieces, (k - 1,) float array."""
        return np.linalg.norm(np.diff(self.points, axis=0), axis=1)

    @property
    def n_arcs(self) -> int:
        """Number of arcs of the path on each of which no unit switches."""
        return int(np.count_nonzero(self.unit[1:-1] >= 0)) + 1

    @property
    def is_injective(self) -> bool:
        """Whether a network with one output gives every point of an open path another value."""
        step = np.diff(self._one_output())
        return bool((step > 0).all() or (step < 0).all())

    @property
    def folded(self) -> float:
        """Share of the length on which the one output runs backwards or stands still."""
        step, lengths = np.diff(self._one_output()), self.lengths
        back = min(lengths[step <= 0].sum(), lengths[step >= 0].sum())
        return float(back / lengths.sum())

    def _one_output(self):
        if self.values.shape[1] != 1:
            raise ValueError(f"network: expected one output, got {self.values.shape[1]}")
        return self.values[:, 0]


def along(network: nn.Sequential, path: np.ndarray) -> PathPieces:
    """Cut a polygonal path exactly where the hidden units of a ReLU network switch.

    Parameters
    ----------
    network : torch.nn.Sequential
        Of `Linear` and `ReLU` layers.
    path : (k, d) float array
        Corners in order, at least two, as many coordinates as the network has inputs.

    Returns
    -------
    PathPieces

    Raises
    ------
    ValueError
        If the network has other layers, or the path does not fit it.

    Notes
    -----
    On a segment every unit of the first layer is affine; its zero cuts the segment in two, and on
    the parts the units of the second layer are affine; and so on.

    Examples
    --------
    >>> bent = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU(), nn.Linear(1, 1))
    >>> along(bent, np.array([[-1.0], [3.0]])).points.ravel().tolist()
    [-1.0, 0.0, 3.0]
    """
    layers = read(network)
    points = np.asarray(path, dtype=float)
    if points.ndim != 2 or len(points) < 2 or points.shape[1] != layers.dimension:
        raise ValueError(
            f"path: expected shape (k, {layers.dimension}) with k >= 2, got {points.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError("path: expected finite numbers")
    inputs, unit, count = points, np.full(len(points), -1), 0
    for W, b in layers.hidden:
        values = inputs @ W.T + b
        size = (np.abs(inputs) @ np.abs(W).T + np.abs(b)).max(axis=0)
        values[np.abs(values) <= ROUNDING * size] = 0.0
        for j in range(len(b)):
            x, y = values[:-1, j], values[1:, j]
            k = np.flatnonzero(x * y < 0)
            t = (x[k] / (x[k] - y[k]))[:, None]
            between = values[k] + t * (values[k + 1] - values[k])
            between[:, j] = 0.0
            points = np.insert(points, k + 1, points[k] + t * (points[k + 1] - points[k]), axis=0)
            values = np.insert(values, k + 1, between, axis=0)
            unit = np.insert(unit, k + 1, count + j)
            sign = np.sign(values[:, j])
            switches = np.zeros(len(unit), dtype=bool)  # a corner may lie on the zero line
            switches[1:-1] = (sign[1:-1] == 0) & (np.maximum(sign[:-2], sign[2:]) > 0)
            switches[1:-1] &= np.minimum(sign[:-2], sign[2:]) <= 0
            unit[switches & (unit < 0)] = count + j
        inputs, count = np.maximum(values, 0.0), count + len(b)
    return PathPieces(points, inputs @ layers.last[0].T + layers.last[1], unit)


def learn_path(network, path, *, steps, lr=5e-3, rounds=40):
    """Train a network with one output to send a path injectively to an interval.

    First to the arc length, with a penalty on slopes below a half, at six points of every segment;
    then, for a path that is still folded, the same at the ends of the exact pieces, cut anew in
    each round of 25 steps.

    Parameters
    ----------
    network : torch.nn.Sequential
        Of `Linear` and `ReLU` layers; trained in place.
    path : (k, d) float array
    steps : int
        Steps of Adam in the first part, with a rate that rises and falls.
    lr : float
        The largest rate.
    rounds : int
        Most rounds of the second part.

    Returns
    -------
    PathPieces
        Of the trained network; `is_injective` says whether it encodes the path.

    Raises
    ------
    ValueError
        If the network has other layers or more than one output, or the path does not fit it.

    Examples
    --------
    >>> with torch.random.fork_rng():
    ...     _ = torch.manual_seed(0)
    ...     network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> learn_path(network, np.array([[0, 0], [1, 0], [1, 1.0]]), steps=100).is_injective
    True
    """
    _ = along(network, path).folded  # checks the arguments
    dtype = next(network.parameters()).dtype
    path = np.asarray(path, dtype=float)
    side = np.linalg.norm(np.diff(path, axis=0), axis=1)
    reach = np.concatenate([[0], np.cumsum(side)]) / side.sum()
    part = np.arange(7) / 6
    x = path[:-1, None] + np.diff(path, axis=0)[:, None] * part[:, None]  # (k - 1, 7, d)
    t = 2 * (reach[:-1, None] + np.diff(reach)[:, None] * part) - 1  # (k - 1, 7)
    x, t = torch.as_tensor(x, dtype=dtype), torch.as_tensor(t, dtype=dtype)
    optimiser = torch.optim.Adam(network.parameters(), lr=lr)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    for _ in range(steps):
        code = network(x)[..., 0]
        slope = code.diff(dim=1) / t.diff(dim=1)
        loss = ((code - t) ** 2).mean() + 0.1 * (torch.relu(0.5 - slope) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    optimiser = torch.optim.Adam(network.parameters(), lr=lr / 5)
    for _ in range(rounds):
        found = along(network, path)
        if found.is_injective:
            break
        x = torch.as_tensor(found.points, dtype=dtype)
        t = torch.as_tensor(2 * found.lengths / side.sum(), dtype=dtype)
        goal, long = torch.cumsum(t, 0) - 1, t > 1e-6
        for _ in range(25):
            code = network(x)[:, 0]
            slope = code.diff()[long] / t[long]
            loss = t @ (code[1:] - goal) ** 2 + 0.1 * t[long] @ torch.relu(0.5 - slope) ** 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return along(network, path)


def hilbert_path(level: int) -> np.ndarray:
    """Return the corners of Hilbert's curve of a level: the centres of `4^level` squares in order.

    Parameters
    ----------
    level : int
        At least 1; the squares have the side `2^-level` and fill the unit square.

    Returns
    -------
    (4^level, 2) float array

    Notes
    -----
    Source: Hilbert, *Ueber die stetige Abbildung einer Linie auf ein Flaechenstueck*, 1891.

    Examples
    --------
    >>> hilbert_path(1).tolist()
    [[0.25, 0.25], [0.25, 0.75], [0.75, 0.75], [0.75, 0.25]]
    """
    if level < 1 or level % 1:
        raise ValueError(f"level: expected a whole number, at least 1, got {level}")
    path = np.array([[0.5, 0.5]])
    for _ in range(int(level)):
        turned = path[:, ::-1]
        path = np.concatenate([turned, path + [0, 1], path + [1, 1], [2, 1] - turned])
        path = path / 2
    return path
