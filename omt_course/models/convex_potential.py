"""Convex potentials that can be trained: convex whatever their parameters, with `T = grad u`.

A continuous map cannot jump, but the gradient of a continuous convex function can. So where a
transport map is torn one trains the potential: a maximum of planes (Brenier's polyhedron itself),
or an input-convex network. Taught in *Where maps must tear*.
"""

import json
import math

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

from omt_course.files import write_atomically
from omt_course.models.checkpoints import read_tensors
from omt_course.models.training import seeded

_FORMAT = "omt_course.convex_potential/1"


class ConvexPotential(nn.Module):
    """What both families share: ``forward`` is `u`, ``transport`` its gradient, ``save`` a file.

    Subclasses set ``config``, the arguments that build the architecture again.
    """

    config: dict

    @property
    def dimension(self):
        """Number of coordinates of `x`."""
        return self.config["dimension"]

    def transport(self, x):
        """Return `grad u`, one of the slopes on top where `u` has a crease.

        Parameters
        ----------
        x : (n, d) float tensor

        Returns
        -------
        y : (n, d) float tensor
            With a graph to the parameters where gradients are enabled.
        """
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            (y,) = torch.autograd.grad(self(x).sum(), x, create_graph=keep)
        return y  # (n, d)

    def save(self, path):
        """Write architecture and parameters to a safetensors file, aside and renamed."""
        metadata = {"format": _FORMAT, "kind": type(self).__name__}
        metadata["config"] = json.dumps(self.config)
        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        content = safetensors.torch.save(tensors, metadata)
        write_atomically(path, lambda stream: stream.write(content))

    def _checked(self, x):
        if x.ndim != 2 or x.shape[1] != self.dimension or not x.is_floating_point():
            raise ValueError(
                f"x: expected floats of shape (n, {self.dimension}); got {x.dtype} of shape "
                f"{tuple(x.shape)}"
            )
        return x


class MaxAffine(ConvexPotential):
    """`u(x) = max_k <x, a_k> + h_k`, or with a temperature `t log sum_k exp((<x, a_k> + h_k)/t)`.

    The smooth one lies above the other by at most `t log n`, and its gradient is the mean of the
    slopes with the weights `softmax`: every plane learns a little, also where it is not on top.

    Parameters
    ----------
    slopes : (n, d) float tensor
    heights : (n,) float tensor, optional
        Zero by default.
    temperature : float
        At least 0; it may be changed later.
    learn_slopes : bool
        Whether the slopes are parameters. With the slopes fixed at the targets `u` is the
        potential `u_h` of the course, and only the heights are learnt.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, or the temperature is negative.

    Examples
    --------
    >>> u = MaxAffine(torch.tensor([[1.0], [-1.0]]))
    >>> x = torch.tensor([[-2.0], [3.0]])
    >>> u(x).tolist(), u.transport(x).detach().ravel().tolist()
    ([2.0, 3.0], [-1.0, 1.0])
    """

    def __init__(self, slopes, heights=None, *, temperature=0.0, learn_slopes=True):
        super().__init__()
        slopes = _finite("slopes", slopes)
        if slopes.ndim != 2 or 0 in slopes.shape:
            raise ValueError(f"slopes: expected shape (n, d); got {tuple(slopes.shape)}")
        heights = slopes.new_zeros(len(slopes)) if heights is None else _finite("heights", heights)
        if heights.shape != slopes.shape[:1]:
            raise ValueError(
                f"heights: expected shape ({len(slopes)},); got {tuple(heights.shape)}"
            )
        self.config = {"n": slopes.shape[0], "dimension": slopes.shape[1]}
        self.slopes = nn.Parameter(slopes.clone(), requires_grad=learn_slopes)
        self.heights = nn.Parameter(heights.to(slopes).clone())
        self.register_buffer("_temperature", torch.zeros((), dtype=slopes.dtype))
        self.temperature = temperature

    @property
    def temperature(self):
        """Width of the smoothing, 0 for the maximum itself."""
        return self._temperature.item()

    @temperature.setter
    def temperature(self, value):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"temperature: expected a finite number >= 0; got {value!r}")
        self._temperature.fill_(value)

    def scores(self, x):
        """Return the value of every plane, (n_x, n) float tensor."""
        return self._checked(x) @ self.slopes.T + self.heights

    def forward(self, x):
        """Return `u(x)`, (n,) float tensor, for x : (n, d) float tensor."""
        scores, t = self.scores(x), self.temperature
        return t * torch.logsumexp(scores / t, 1) if t else scores.max(dim=1).values

    def on_top(self, x):
        """Return the share of the rows of x at which each plane is highest, (n,) float tensor.

        A plane with share 0 on a large sample is dead: without temperature it gets no gradient.
        """
        top = self.scores(x).argmax(dim=1)
        return torch.bincount(top, minlength=self.config["n"]) / len(x)


class InputConvexNetwork(ConvexPotential):
    """A fully input-convex network: no negative weight between hidden layers, `x` enters each.

    `z_1 = s(A_0 x + b_0)`, `z_{k+1} = s(W_k z_k + A_k x + b_k)`, the last layer without `s`. The
    activation `s` is convex and does not decrease and `W_k = softplus(V_k) > 0`, so every `z_k`
    is convex in `x`, for all parameters.

    Parameters
    ----------
    dimension : int
    hidden : tuple of int
        Widths of the hidden layers.
    activation : {"relu", "softplus"}
        With "relu" `u` is a polyhedron and its gradient jumps; with "softplus" the gradient is
        smooth, and so cannot.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Raises
    ------
    ValueError
        If a size is not a positive integer or the activation is unknown.

    Notes
    -----
    Source: Amos, Xu, Kolter, Input convex neural networks, ICML 2017, section 3.1 (there without
    the softplus, by projection).

    Examples
    --------
    >>> u = InputConvexNetwork(2, generator=torch.Generator().manual_seed(0))
    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    >>> bool(u((a + b) / 2) <= (u(a) + u(b)) / 2)
    True
    """

    def __init__(self, dimension, *, hidden=(64, 64), activation="relu", generator=None):
        super().__init__()
        for name, sizes in (("dimension", (dimension,)), ("hidden", hidden)):
            for size in sizes:
                if not isinstance(size, int) or size < 1:
                    raise ValueError(f"{name}: expected a positive integer; got {size!r}")
        if not hidden:
            raise ValueError("hidden: expected at least one layer; got none")
        if activation not in ("relu", "softplus"):
            raise ValueError(f"activation: expected 'relu' or 'softplus'; got {activation!r}")
        self.config = {"dimension": dimension, "hidden": list(hidden), "activation": activation}
        widths = [*hidden, 1]
        with _initial_weights(generator):
            self.passes = nn.ModuleList(nn.Linear(dimension, width) for width in widths)
            # softplus(V) starts near 1 / width: a layer takes about the mean of the one below.
            self.hidden_raw = nn.ParameterList(
                torch.randn(out, width) * 0.5 + math.log(math.expm1(1 / width))
                for width, out in zip(widths[:-1], widths[1:], strict=True)
            )

    def forward(self, x):
        """Return `u(x)`, (n,) float tensor, for x : (n, d) float tensor."""
        activation = getattr(functional, self.config["activation"])
        z = activation(self.passes[0](self._checked(x)))
        for k, raw in enumerate(self.hidden_raw):
            z = functional.linear(z, functional.softplus(raw)) + self.passes[k + 1](x)
            z = activation(z) if k + 1 < len(self.hidden_raw) else z
        return z[:, 0]


def semidual(potential, x, points, masses=None):
    """Return `J(u) = mean_k u(x_k) + sum_i nu_i max_k (<x_k, y_i> - u(x_k))`.

    Convex in `u`; its minimum over all functions is the dual value of discrete transport from the
    `x_k` to the `y_i`, and is reached by the Brenier potential: for any `u` whatever, the squared
    distance is at least `mean |x_k|^2 + sum_i nu_i |y_i|^2 - 2 J(u)`.

    Parameters
    ----------
    potential : callable
        `(n, d) tensor -> (n,) tensor`.
    x : (n, d) float tensor
        A sample of the source. The inner maximum is over this sample, so it should be whole, not
        a small batch: a maximum over few points is too small.
    points : (m, d) float tensor
    masses : (m,) float tensor, optional
        Sum 1; equal by default.

    Notes
    -----
    For slopes `y_i` with no empty cell, `J(u_h)` is the energy `E(h) = int u_h - sum nu_i h_i`.

    Examples
    --------
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> J = semidual(lambda x: 3 * x[:, 0].abs(), x, torch.tensor([[-3.0], [3.0]]))
    >>> float((x**2).sum(1).mean() + 9 - 2 * J)
    4.0
    """
    if x.ndim != 2 or points.ndim != 2 or x.shape[1] != points.shape[1] or not len(points):
        raise ValueError(
            f"points: expected shape (m, {x.shape[-1]}) beside x; got {tuple(points.shape)}"
        )
    if masses is None:
        masses = points.new_full((len(points),), 1 / len(points))
    if masses.shape != points.shape[:1] or abs(masses.sum().item() - 1) > 1e-4:
        raise ValueError(
            f"masses: expected {len(points)} numbers of sum 1; got shape {tuple(masses.shape)}, "
            f"sum {masses.sum().item():.6g}"
        )
    u = potential(x)  # (n,)
    conjugate = (x @ points.T - u[:, None]).max(dim=0).values  # (m,)
    return u.mean() + masses @ conjugate


def load(path):
    """Read a potential written by ``save``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or something else.
    """
    metadata, tensors = read_tensors(path, _FORMAT)
    config = json.loads(metadata["config"])
    if metadata["kind"] == "MaxAffine":
        model = MaxAffine(torch.zeros(config["n"], config["dimension"]).to(tensors["slopes"]))
    else:
        first = tensors["passes.0.weight"]
        model = InputConvexNetwork(
            config["dimension"], hidden=tuple(config["hidden"]), activation=config["activation"]
        ).to(first)
    model.load_state_dict(tensors)
    return model.eval()


def _initial_weights(generator):
    return torch.random.fork_rng(enabled=False) if generator is None else seeded(generator)


def _finite(name, value):
    if not torch.is_tensor(value) or not value.is_floating_point():
        raise ValueError(f"{name}: expected a float tensor; got {type(value).__name__}")
    if not torch.isfinite(value).all():
        raise ValueError(f"{name}: expected finite numbers; got NaN or infinity")
    return value.detach()
