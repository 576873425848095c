"""The Hessian of the energy, a weighted graph Laplacian of the cells, and its linear systems.

`dw_i/dh_j = -(1/|y_i - y_j|) int_{W_i n W_j} rho`, rows sum to zero. Few cells: a sparse
factorisation. Many: conjugate gradients, preconditioned by algebraic multigrid, which cost a
multiple of the number of cells. Taught in *Alexandrov and Brenier*.
"""

import numpy as np
import pyamg
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, splu

from .diagram import Diagram

# From this number of cells on multigrid is faster, measured; in space factors fill up sooner.
MULTIGRID_FROM = {2: 20_000, 3: 2_000}
# Conjugate gradients that take longer than this ask for a new hierarchy.
PATIENCE = 40


def graph_laplacian(pairs: np.ndarray, weights: np.ndarray, n: int) -> sp.csc_array:
    """Return the Laplacian of a weighted graph on `n` vertices, an (n, n) sparse array.

    Parameters
    ----------
    pairs : (m, 2) int array
        Edges, each once.
    weights : (m,) float array
    n : int

    Examples
    --------
    >>> graph_laplacian(np.array([[0, 1], [1, 2]]), np.array([1.0, 2.0]), 3).toarray().tolist()
    [[1.0, -1.0, 0.0], [-1.0, 3.0, -2.0], [0.0, -2.0, 2.0]]
    """
    i, j = pairs.astype(np.int32).T
    degree = np.bincount(i, weights, n) + np.bincount(j, weights, n)
    every = np.arange(n, dtype=np.int32)
    return sp.csc_array(
        (
            np.concatenate([degree, -weights, -weights]),
            (np.concatenate([every, i, j]), np.concatenate([every, j, i])),
        ),
        shape=(n, n),
    )


def energy_hessian(diagram: Diagram) -> sp.csc_array:
    """Return the Hessian of `E`: `dw_i/dh_j = -facet_ij / |y_i - y_j|`, rows sum to zero.

    Parameters
    ----------
    diagram : Diagram
        Cells at the heights in question.

    Returns
    -------
    (n, n) sparse float array

    Examples
    --------
    >>> from omt_course.transport.domains import Box
    >>> from omt_course.transport.laguerre import laguerre_diagram
    >>> points = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    >>> hessian = energy_hessian(laguerre_diagram(Box([-1, -1], [1, 1]), points, np.zeros(4)))
    >>> hessian.toarray().round(12)[0].tolist()
    [2.0, 0.0, -1.0, -1.0]
    """
    i, j = diagram.pairs.T
    gap = np.linalg.norm(diagram.points[j] - diagram.points[i], axis=1)
    return graph_laplacian(diagram.pairs, diagram.facets / gap, len(diagram.points))


class LaplacianSolver:
    """Solves `H x = b` for one Laplacian after another, all on about the same graph.

    The last unknown is held at zero, since constants are in the kernel. A multigrid hierarchy is
    kept for the next matrix as long as it serves: it only preconditions, so an old one costs
    iterations and no accuracy.

    Parameters
    ----------
    dimension : int
        Dimension of the domain, which decides how the factors of the matrix fill up.
    """

    def __init__(self, dimension: int):
        self.multigrid_from = MULTIGRID_FROM[dimension]
        self.preconditioner: LinearOperator | None = None

    def solve(
        self, matrix: sp.csc_array, b: np.ndarray, scale: np.ndarray, tol: float
    ) -> np.ndarray:
        """Return `x` with `x[-1] = 0` and `max_i |H x - b|_i / scale_i <= tol`.

        Parameters
        ----------
        matrix : (n, n) sparse array
        b : (n,) float array
            Right-hand side, which sums to zero.
        scale : (n,) float array
            Unit of every equation, positive.
        tol : float

        Returns
        -------
        (n,) float array
        """
        matrix, b, scale = matrix[:-1, :-1], b[:-1], scale[:-1]
        if len(b) >= self.multigrid_from:
            rows = matrix.T  # the same, being symmetric, and by rows
            for fresh in (False, True):
                if self.preconditioner is None or fresh:
                    self.preconditioner = _multigrid(rows)
                x = _conjugate_gradients(rows, b, self.preconditioner, scale, tol)
                if x is not None:
                    return np.append(x, 0.0)
        factors = splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        return np.append(factors.solve(b), 0.0)


def _conjugate_gradients(matrix, b, preconditioner, scale, tol):
    """Preconditioned conjugate gradients from zero; None when they take too long."""
    x, r = np.zeros_like(b), b.copy()
    direction, old = 0.0, 1.0
    for _ in range(PATIENCE):
        if (np.abs(r) / scale).max() <= tol:  # asked first: a zero right-hand side is done
            return x
        z = preconditioner @ r
        new = r @ z
        direction = z + (new / old) * direction
        image = matrix @ direction
        step = new / (direction @ image)
        x += step * direction
        r -= step * image
        old = new
    return x if (np.abs(r) / scale).max() <= tol else None


def _multigrid(matrix: sp.csr_array) -> LinearOperator:
    """Smoothed aggregation with one Gauss-Seidel sweep down and its mirror up: symmetric."""
    hierarchy = pyamg.smoothed_aggregation_solver(
        sp.csr_matrix(matrix),
        strength=("symmetric", {"theta": 0.08}),
        presmoother=("gauss_seidel", {"sweep": "forward"}),
        postsmoother=("gauss_seidel", {"sweep": "backward"}),
        improve_candidates=None,
    )
    # Coarse matrices come with blocks of size one, on which a sweep takes several times as long.
    for level in hierarchy.levels:
        for name in ("A", "P", "R"):
            if hasattr(level, name):
                setattr(level, name, sp.csr_matrix(getattr(level, name)))
    return hierarchy.aspreconditioner()
