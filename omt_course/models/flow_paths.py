"""Paths of a flow: integration, what the paths cost, and velocity fields known in closed form.

With `E` the energy `int E|v_t(Z_t)|^2 dt` of the paths `Z` and `D = E|Z_1 - Z_0|^2` the cost of the
transport that they make, `E - D = int E|v_t(Z_t) - (Z_1 - Z_0)|^2 dt`: what bending costs.
Taught in *What came after*.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Paths of a flow on a grid of equal time steps, and what they cost.

    Attributes
    ----------
    positions : (n_steps + 1, n, d) float tensor
        From time 0 to time 1.
    evaluations : int
        Calls of the velocity, each with all `n` points.
    """

    positions: torch.Tensor
    evaluations: int

    @property
    def end(self) -> torch.Tensor:
        """Where the paths arrive, (n, d)."""
        return self.positions[-1]

    @property
    def energy(self) -> float:
        """Mean over the paths of the integral of the squared speed."""
        steps = self.positions.diff(dim=0)  # (n_steps, n, d)
        return len(steps) * (steps**2).sum(dim=2).mean(dim=1).sum().item()

    @property
    def displacement(self) -> float:
        """Mean squared distance from start to end: what the flow costs as a transport."""
        return ((self.end - self.positions[0]) ** 2).sum(dim=1).mean().item()

    @property
    def bending(self) -> float:
        """Share of the energy that straight paths at constant speed would save, in [0, 1].

        The mean of `int |velocity - (end - start)|^2 dt` over the energy: their difference is the
        displacement. It needs a fine grid; one step has no bending.
        """
        return 1 - self.displacement / self.energy if self.energy else 0.0


@torch.no_grad()
def integrate(
    velocity: Velocity, x: torch.Tensor, *, n_steps: int, method: str = "euler"
) -> Trajectories:
    """Follow `dx/dt = v(x, t)` from time 0 to time 1 in equal steps.

    Parameters
    ----------
    velocity : callable
        `(x, t) -> v`, (n, d) and (n,) tensors to (n, d). It is not called at time 1.
    x : (n, d) float tensor
        Where the paths start.
    n_steps : int
    method : {"euler", "heun"}
        One or two evaluations a step. Heun's last step is Euler's, as fields may end at time 1.

    Returns
    -------
    Trajectories

    Raises
    ------
    ValueError
        If an argument cannot be used, or a path leaves the finite numbers.

    Examples
    --------
    >>> paths = integrate(lambda x, t: -x, torch.ones(1, 1), n_steps=2)
    >>> paths.positions.ravel().tolist()
    [1.0, 0.5, 0.25]
    """
    if not isinstance(n_steps, int) or n_steps < 1:
        raise ValueError(f"n_steps: expected a positive integer; got {n_steps!r}")
    if method not in ("euler", "heun"):
        raise ValueError(f"method: expected 'euler' or 'heun'; got {method!r}")
    if x.ndim != 2 or not x.is_floating_point():
        raise ValueError(f"x: expected floats of shape (n, d); got {x.dtype} {tuple(x.shape)}")
    positions, evaluations, step = [x], 0, 1 / n_steps
    for k in range(n_steps):
        x, t = positions[-1], x.new_full(x.shape[:1], k * step)
        v, evaluations = velocity(x, t), evaluations + 1
        if method == "heun" and k + 1 < n_steps:
            v, evaluations = (v + velocity(x + step * v, t + step)) / 2, evaluations + 1
        positions.append(x + step * v)
    if not torch.isfinite(positions[-1]).all():
        raise ValueError("velocity: expected finite numbers along the paths; got NaN or infinity")
    return Trajectories(torch.stack(positions), evaluations)


def finite_target_velocity(points: torch.Tensor) -> Velocity:
    """Return the field of independent pairs: standard normal source, equal masses on points.

    `v_t(x) = (sum_i w_i y_i - x) / (1 - t)`, `w_i` proportional to
    `exp(-|x - t y_i|^2 / (2 (1 - t)^2))`: what a perfect network would learn, for `t < 1`.

    Parameters
    ----------
    points : (m, d) float tensor

    Examples
    --------
    >>> v = finite_target_velocity(torch.tensor([[1.0, 0.0], [3.0, 2.0]]))
    >>> v(torch.tensor([[5.0, 5.0]]), torch.zeros(1)).tolist()      # towards the mean, (2, 1)
    [[-3.0, -4.0]]
    """

    def velocity(x, t):
        y, left = points.to(x), 1 - t[:, None]  # (m, d), (n, 1)
        half = (y**2).sum(dim=1) / 2
        scores = t[:, None] * (x @ y.T - t[:, None] * half) / left**2  # (n, m)
        return (torch.softmax(scores, dim=1) @ y - x) / left

    return velocity


def gaussian_velocity(mean: torch.Tensor, covariance: torch.Tensor) -> Velocity:
    """Return the field of independent pairs from the standard normal law to `N(mean, C)`.

    `v_t(x) = m + (t C - (1 - t) I) ((1 - t)^2 I + t^2 C)^-1 (x - t m)`.

    Parameters
    ----------
    mean : (d,) float tensor
    covariance : (d, d) float tensor
        Symmetric, positive semi-definite.

    Examples
    --------
    >>> v = gaussian_velocity(torch.tensor([2.0]), torch.tensor([[9.0]]))
    >>> v(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 0.5])).ravel()
    tensor([1.0000, 3.6000])
    """
    variances, axes = torch.linalg.eigh(covariance)

    def velocity(x, t):
        t = t[:, None]
        slope = (t * variances - (1 - t)) / ((1 - t) ** 2 + t**2 * variances)  # (n, d)
        return mean + ((x - t * mean) @ axes * slope) @ axes.T

    return velocity
