"""A critic without competition: the exact dual first, then a network fitted to its values.

Step 1 solves the transport problem between two batches, a linear program: no constraint is traded
for a penalty, and the gap certifies the answer. Step 2 is plain regression onto the potential. For
the cost `|x - y|^2 / 2` the generator then needs no training either: it is `x - grad phi(x)`.
Taught in *WGAN is transport*.
"""

from dataclasses import dataclass, field

import torch
from torch import nn

from omt_course.models.critic import check_data, values_of
from omt_course.models.training import History, train
from omt_course.transport.rubinstein import RubinsteinPotential, rubinstein


@dataclass(frozen=True)
class TwoStep:
    """A critic fitted to an exact potential.

    Attributes
    ----------
    critic : torch.nn.Module
    exact : RubinsteinPotential
        Step 1: `exact.w1` is the distance between the two batches, `exact.gap` its certificate.
    history : History
        Step 2.
    fit_error : float
        Root mean square of `critic - exact` over both batches.
    """

    critic: nn.Module
    exact: RubinsteinPotential
    history: History = field(repr=False)
    fit_error: float


def two_step(critic, a, b, *, epochs=200, batch_size=64, lr=3e-3, generator, progress=False):
    """Compute `W1` between two batches exactly, then fit a critic to the optimal potential.

    Parameters
    ----------
    critic : torch.nn.Module
        (n, d) to (n,) or (n, 1). Trained in place, left in evaluation mode.
    a, b : (n, d) and (m, d) float tensors
        The potential is low on `a`, high on `b`.
    epochs, batch_size, lr, generator, progress
        Of the regression, as in `training.train`.

    Returns
    -------
    TwoStep

    Raises
    ------
    ValueError
        If the batches cannot be used.

    Notes
    -----
    Source: Liu, Gu, Samaras, A two-step computation of the exact GAN Wasserstein distance,
    ICML 2018.

    Examples
    --------
    >>> from omt_course.models.critic import difference, mlp
    >>> chance = torch.Generator().manual_seed(0)
    >>> a = torch.randn(100, 2, generator=chance)
    >>> b = a + torch.tensor([3.0, 4.0])                       # W1 = 5
    >>> fitted = two_step(mlp([2, 32, 1], generator=chance), a, b, generator=chance, epochs=50)
    >>> round(fitted.exact.w1, 5), abs(difference(fitted.critic, a, b) - 5) < 0.3
    (5.0, True)
    """
    for name, batch in (("a", a), ("b", b)):
        check_data(name, batch)
        if batch.ndim != 2:
            raise ValueError(f"{name}: expected shape (n, d); got {tuple(batch.shape)}")
    exact = rubinstein(a.double().cpu().numpy(), b.double().cpu().numpy())
    x = torch.cat([a, b])
    wanted = torch.tensor(exact(x.double().cpu().numpy())).to(x)

    def squared_error(model, batch, generator):
        points, values = batch
        return ((values_of(model, points) - values) ** 2).mean()

    options = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "generator": generator}
    history = train(
        critic, squared_error, (x, wanted), label="regression", progress=progress, **options
    )
    with torch.no_grad():
        error = (values_of(critic, x) - wanted).square().mean().sqrt().item()
    return TwoStep(critic, exact, history, error)


def generator_of(phi):
    """Return the map `x -> x - grad phi(x)` of a potential, by automatic differentiation.

    If `phi` is a Kantorovich potential for `|x - y|^2 / 2` from a law with a density to another,
    both with second moments, this is the optimal map, almost everywhere: a generator in closed
    form. For the cost `|x - y|` there is no such formula: the gradient is a unit vector, and says
    where mass goes but not how far.

    Parameters
    ----------
    phi : callable
        (n, d) float tensor to (n,) float tensor, differentiable where it is evaluated.

    Returns
    -------
    callable
        (n, d) float tensor to (n, d) float tensor, detached.

    Notes
    -----
    Source: Brenier 1991; Gangbo and McCann 1996 for other strictly convex costs.

    Examples
    --------
    >>> stretch = generator_of(lambda x: -(x**2).sum(1) / 2)           # u = |x|^2
    >>> stretch(torch.tensor([[1.0, 2.0]])).tolist()
    [[2.0, 4.0]]
    """

    def transport(x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(values_of(phi, x).sum(), x)
        return (x - slope).detach()

    return transport
