"""Flow matching: a velocity field learnt from pairs, and what the choice of the pairs does to it.

Draw pairs `(X_0, X_1)` of source and target and let `X_t = (1 - t) X_0 + t X_1`. The field
`v_t(x) = E[X_1 - X_0 | X_t = x]` carries the source to the target, and the mean square of
`v_t(X_t) - (X_1 - X_0)` is least at it. Independent pairs give curved paths, optimal pairs
straight ones. Taught in *What came after*.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from omt_course.models.training import seeded
from omt_course.transport.counting import Sampler, draw

Coupling = Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]


class VelocityNetwork(nn.Module):
    """A fully connected network `v(x, t)` with smooth activations.

    Time enters as `t`, `cos(pi k t)` and `sin(pi k t)`, `k = 1, ..., frequencies`.

    Parameters
    ----------
    dimension : int
        Number of coordinates of `x`.
    width, depth : int
        Units of a hidden layer, and number of them.
    frequencies : int
        Number of waves in time; 1 or more.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Raises
    ------
    ValueError
        If a size is not a positive integer.

    Examples
    --------
    >>> v = VelocityNetwork(2, width=8, generator=torch.Generator().manual_seed(0))
    >>> v(torch.zeros(5, 2), torch.rand(5)).shape
    torch.Size([5, 2])
    """

    def __init__(self, dimension, *, width=128, depth=3, frequencies=3, generator=None):
        super().__init__()
        self.config = {"dimension": dimension, "width": width, "depth": depth}
        self.config["frequencies"] = frequencies
        for name, value in self.config.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a positive integer; got {value!r}")
        sizes = [dimension + 1 + 2 * frequencies, *[width] * depth]
        layers = []
        with torch.random.fork_rng(enabled=False) if generator is None else seeded(generator):
            for before, after in zip(sizes[:-1], sizes[1:], strict=True):
                layers += [nn.Linear(before, after), nn.SiLU()]
            self.layers = nn.Sequential(*layers, nn.Linear(width, dimension))
        self.register_buffer("waves", math.pi * torch.arange(1, frequencies + 1))

    def forward(self, x, t):
        """Return the velocity, (n, d), at the rows of x, (n, d), and the times t, (n,)."""
        d = self.config["dimension"]
        if x.ndim != 2 or x.shape[1] != d or t.shape != x.shape[:1]:
            raise ValueError(
                f"x, t: expected shapes (n, {d}) and (n,); got {tuple(x.shape)} and "
                f"{tuple(t.shape)}"
            )
        angles = t[:, None] * self.waves  # (n, frequencies)
        return self.layers(torch.cat([x, t[:, None], angles.cos(), angles.sin()], dim=1))


def independent_pairs(source: str | Sampler) -> Coupling:
    """Pair each target point of a batch with a fresh source point, whatever it is.

    Parameters
    ----------
    source : {"cube", "ball", "gaussian"} or callable
        As for `omt_course.transport.counting.draw`.

    Returns
    -------
    coupling : callable
        `(targets, generator) -> (x0, x1)`, float tensors of the shape of `targets`, (n, d).
    """

    def pairs(targets, generator):
        x0 = draw(source, *targets.shape, generator)
        return x0.to(targets), targets

    return pairs


def minibatch_pairs(source: str | Sampler, *, size: int | None = None) -> Coupling:
    """Pair target points with as many fresh source points at the least cost, group by group.

    For equal masses the best plan is a permutation, found exactly. Over many groups the pairs
    have the right marginals, but they are not optimal for the whole target, of which a small
    group knows little.

    Parameters
    ----------
    source : {"cube", "ball", "gaussian"} or callable
        As for `omt_course.transport.counting.draw`.
    size : int, optional
        Points in a group, the whole batch by default; what is left over is a smaller group.

    Returns
    -------
    coupling : callable
        As from `independent_pairs`.

    Raises
    ------
    ValueError
        If `size` is not a positive integer.

    Notes
    -----
    Source: Pooladian et al., Multisample flow matching (ICML 2023); Tong et al., OT-CFM
    (TMLR 2024).

    Examples
    --------
    >>> pairs = minibatch_pairs("gaussian")
    >>> x0, x1 = pairs(torch.tensor([[3.0], [-3.0], [0.0]]), torch.Generator().manual_seed(0))
    >>> bool((x0[:, 0].argsort() == x1[:, 0].argsort()).all())      # increasing, as it must be
    True
    """
    if size is not None and (not isinstance(size, int) or size < 1):
        raise ValueError(f"size: expected a positive integer; got {size!r}")

    def pairs(targets, generator):
        x0 = draw(source, *targets.shape, generator).to(targets)
        x, y, n = x0.numpy(force=True), targets.numpy(force=True), len(targets)
        partner = np.empty(n, dtype=int)
        for start in range(0, n, size or n):
            group = slice(start, start + (size or n))
            # Half the cost with its sign changed, less what all permutations pay alike.
            _, column = linear_sum_assignment(x[group] @ y[group].T, maximize=True)
            partner[group] = start + column
        return x0, targets[torch.tensor(partner)]

    return pairs


def semidiscrete_pairs(source: str | Sampler, points: np.ndarray, heights: np.ndarray) -> Coupling:
    """Pair each fresh source point with the target point of its cell: AE-OT's transport step.

    Exact for the whole finite target, at the price of one product with all its points. Of the
    batch it is given only the size counts.

    Parameters
    ----------
    source : {"cube", "ball", "gaussian"} or callable
        As for `omt_course.transport.counting.draw`.
    points : (m, d) float array
        Slopes of Brenier's polyhedron, the whole target.
    heights : (m,) float array
        Solved for this source, by `omt_course.transport.montecarlo` or `semidiscrete`.

    Returns
    -------
    coupling : callable
        As from `independent_pairs`.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite; the coupling, if targets have another
        dimension.

    Notes
    -----
    Source: Mousavi-Hosseini, Zhang, Klein, Cuturi, arXiv 2509.25519; the map is that of An et al.,
    AE-OT (ICLR 2020).

    Examples
    --------
    >>> pairs = semidiscrete_pairs("cube", np.array([[-1.0], [2.0]]), np.zeros(2))
    >>> x0, x1 = pairs(torch.zeros(4, 1), torch.Generator().manual_seed(0))
    >>> bool(((x0 > 0) == (x1 > 0)).all())
    True
    """
    y, h = np.asarray(points, dtype=float), np.asarray(heights, dtype=float)
    if y.ndim != 2 or h.shape != y.shape[:1]:
        raise ValueError(
            f"heights: expected shape ({len(y)},) for points of shape {y.shape}; got {h.shape}"
        )
    if not (np.isfinite(y).all() and np.isfinite(h).all()):
        raise ValueError("points, heights: expected finite numbers; got NaN or infinity")
    # A constant added to all points or heights changes no cell; float32 prefers them small.
    slopes = torch.tensor(y - y.mean(axis=0), dtype=torch.float32)
    offsets = torch.tensor(h - h.mean(), dtype=torch.float32)
    images = torch.tensor(y)

    def pairs(targets, generator):
        if targets.ndim != 2 or targets.shape[1] != y.shape[1]:
            raise ValueError(
                f"targets: expected shape (n, {y.shape[1]}), as the points; got "
                f"{tuple(targets.shape)}"
            )
        x0 = draw(source, *targets.shape, generator)
        # NumPy's argmax is several times as fast as torch's.
        cell = torch.addmm(offsets, x0, slopes.T).numpy().argmax(axis=1)
        return x0.to(targets), images[torch.tensor(cell)].to(targets)

    return pairs


def matching_loss(coupling: Coupling) -> Callable:
    """Return the loss `|v(X_t, t) - (X_1 - X_0)|^2`, a mean over the batch, for `training.train`.

    The data are the target points; source points, pairs and times are drawn at every step.

    Parameters
    ----------
    coupling : callable
        `independent_pairs`, `minibatch_pairs` or `semidiscrete_pairs`, or your own.

    Returns
    -------
    loss : callable
        `(model, batch, generator) -> scalar tensor`, with `batch` of shape (n, d).

    Notes
    -----
    Source: Lipman et al. (ICLR 2023), Liu, Gong, Liu (ICLR 2023), Albergo, Vanden-Eijnden
    (ICLR 2023).

    Examples
    --------
    >>> loss = matching_loss(independent_pairs("gaussian"))
    >>> rest = lambda x, t: 0 * x
    >>> float(loss(rest, torch.zeros(4096, 3), torch.Generator().manual_seed(0))) // 0.1
    30.0
    """

    def loss(model, batch, generator):
        x0, x1 = coupling(batch, generator)
        t = torch.rand(len(x0), generator=generator).to(x0)
        xt = x0 + t[:, None] * (x1 - x0)  # (n, d)
        return ((model(xt, t) - (x1 - x0)) ** 2).sum(dim=1).mean()

    return loss
