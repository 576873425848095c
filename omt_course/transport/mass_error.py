"""How far the cells of given heights are from their masses, judged by samples never seen before.

Taught in *Transport in a hundred dimensions*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from .counting import CellCounter

# More batches would not make the interval better, only the table of their errors larger.
MOST_BATCHES = 96


@dataclass(frozen=True)
class MassError:
    """Debiased estimate of the relative mass error, with a two-sided 95 % interval.

    The error is `sqrt(sum_i nu_i (w_i / nu_i - 1)^2)`, the root mean square of the relative
    errors (each cell weighted by its mass, so plainly the mean for equal masses).

    Attributes
    ----------
    value : float
        The estimate; 0 where the squared estimate came out negative.
    low, high : float
        The interval.
    squared_spread : float
        Standard error of the squared estimate.
    n_samples : int
        Held-out samples used.
    """

    value: float
    low: float
    high: float
    squared_spread: float
    n_samples: int


def estimate_mass_error(
    counter: CellCounter, heights: np.ndarray, masses: np.ndarray, n_samples: int
) -> MassError:
    """Estimate the RMS relative mass error of heights from fresh samples, without its bias.

    The plain estimate adds the noise of the counts, `n / M` in the square. Products of errors
    from *different* batches have the right mean; the average over all pairs of batches is a
    U-statistic of order two, and so is the estimate of its variance (Hoeffding 1948).

    Parameters
    ----------
    counter : CellCounter
    heights, masses : (n,) float array
    n_samples : int
        Fresh samples to draw, rounded up to batches, 8 to `2 * MOST_BATCHES` of them.

    Returns
    -------
    MassError
    """
    calls = max(1, n_samples // (MOST_BATCHES * counter.batch))
    size = calls * counter.batch
    batches = max(8, -(-n_samples // size))
    errors = np.empty((batches, len(masses)), dtype=np.float32)
    for k in range(batches):
        counts = sum(counter(heights) for _ in range(calls))
        errors[k] = (counts / size - masses) / np.sqrt(masses)
    product = (errors @ errors.T).astype(float)
    np.fill_diagonal(product, 0.0)
    pairs = batches * (batches - 1)
    estimate = product.sum() / pairs
    # Var U = 4 (B-2)/(B(B-1)) Cov(e1.e2, e1.e3) + 2/(B(B-1)) Var(e1.e2), and each moment is
    # averaged over *distinct* batches: estimate^2 in place of the last would be too large.
    squares, rows = (product**2).sum(), product.sum(axis=1)
    triples = (rows**2).sum() - squares
    quadruples = rows.sum() ** 2 - 4 * triples - 2 * squares
    mean_squared = quadruples / (pairs * (batches - 2) * (batches - 3))
    variance = squares / pairs - mean_squared
    shared = triples / (pairs * (batches - 2)) - mean_squared
    spread = np.sqrt(max(4 * (batches - 2) * max(shared, 0.0) + 2 * variance, 0.0) / pairs)
    reach = student.ppf(0.975, batches - 1) * spread
    root = np.sqrt(np.maximum([estimate, estimate - reach, estimate + reach], 0.0))
    return MassError(
        *(float(r) for r in root),
        squared_spread=float(spread),
        n_samples=batches * size,
    )
