"""Certificates for exercises about ReLU networks: affine pieces, counts of cells, encoded paths.

Used through `checks`. Taught in *Cells of a ReLU network*. Torch is loaded by the functions, so
that the pages without networks start fast.
"""

import numpy as np

from .verdicts import Check, CheckFailed, finite, place


def linear_piece(network, x, A, b, *, tol: float = 1e-5) -> Check:
    """Check that a ReLU network is the affine map `A x + b` on the cell of a point.

    Parameters
    ----------
    network : torch.nn.Sequential
    x : (d,) array
    A, b : (out, d) and (out,) arrays
    tol : float
        Largest error, as a share of the largest entry.

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    >>> linear_piece(network, [0.0, 0.0], np.zeros((2, 1)), [0.0])
    Traceback (most recent call last):
    ...
    omt_course.course.verdicts.CheckFailed: A has shape (2, 1), expected (1, 2): one row an output.
    """
    from ..models.relu_layers import read

    layers = read(network)
    x, A, b = np.asarray(x, dtype=float), finite("A", A), finite("b", b)
    pattern = layers.patterns(x[None])
    exact_A, exact_b = (part[0] for part in layers.affine(pattern))
    for name, value, exact, unit in (("A", A, exact_A, "row"), ("b", b, exact_b, "number")):
        if value.shape != exact.shape:
            raise CheckFailed(
                f"{name} has shape {value.shape}, expected {exact.shape}: one {unit} an output."
            )

    def error(value, exact):
        return np.abs(value - exact).max() / (np.abs(exact).max() or 1.0)

    if error(A, exact_A) <= tol and error(b, exact_b) <= tol:
        return Check(
            f"the affine map of the cell of {x.round(4).tolist()}, "
            f"{int(pattern.sum())} of {pattern.size} hidden units active"
        )
    all_on = layers.affine(np.ones_like(pattern))[0][0]
    if error(A, all_on) <= tol < error(exact_A, all_on):
        raise CheckFailed("A is the product of all matrices: leave out the units that are off.")
    if error(A, exact_A) <= tol:
        value = A @ x + exact_b
        if error(b, value) <= tol < error(exact_b, value):
            raise CheckFailed("b is the value of the network at x; subtract A x.")
        k = place(np.abs(b - exact_b))
        raise CheckFailed(
            f"A is right; b is {b[k]:.6g} at index {k}, the network has {exact_b[k]:.6g}: do the "
            f"biases of all layers go through the layers behind them?"
        )
    k = place(np.abs(A - exact_A))
    raise CheckFailed(f"A is {A[k]:.6g} at {k}, the Jacobian of the network {exact_A[k]:.6g}.")


def cell_count(network, polygon, count) -> Check:
    """Check the number of activation cells of a ReLU network on a convex polygon.

    Parameters
    ----------
    network : torch.nn.Sequential
        With two inputs.
    polygon : (k, 2) array or a domain of the plane
    count : int

    Raises
    ------
    CheckFailed

    Examples
    --------
    >>> from torch import nn
    >>> line = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU(), nn.Linear(1, 1))
    >>> cell_count(line, [[-1, -1], [1, -1], [1, 1], [-1, 1]], 2)
    OK: 2 activation cells.
    """
    from ..models.relu_cells import cells

    found = cells(network, polygon)
    if count == len(found):
        return Check(f"{len(found)} activation cells")
    hint = ""
    if count == found.n_linear_pieces:
        hint = " It is the number of maximal linear pieces."
    elif count == found.bound:
        hint = " It is the upper bound for these widths."
    elif 0.5 * len(found) <= count < len(found):
        hint = " Was it sampled? Small cells are missed."
    raise CheckFailed(f"there are {len(found)} cells, not {count}.{hint}")


def encodes(network, path) -> Check:
    """Check that a ReLU network with one output is injective on a polygonal path.

    Parameters
    ----------
    network : torch.nn.Sequential
    path : (k, d) array

    Raises
    ------
    CheckFailed
    """
    from ..models.relu_paths import along

    found = along(network, path)
    if found.is_injective:
        return Check(f"injective on the path, in {found.n_arcs} arcs")
    step = np.diff(found.values[:, 0])
    forward = found.lengths[step > 0].sum() >= found.lengths[step < 0].sum()
    k = int((step if forward else -step).argmin())
    a, b = (found.points[i].round(4).tolist() for i in (k, k + 1))
    raise CheckFailed(
        f"the network folds the path: {100 * found.folded:.2g} % of its length runs backwards, "
        f"first of all between {a} and {b}."
    )
