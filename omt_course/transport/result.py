"""What the exact semi-discrete solver returns: the map, its potentials, and the evidence.

Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from . import storage
from .bracket import Bracket, bracket
from .density import TriangulatedDensity
from .diagram import Diagram
from .domains import Box, Polygon
from .laguerre import LaguerreDiagram
from .newton import NewtonStep
from .polyhedron import Polyhedron


@dataclass(frozen=True, eq=False)
class SemidiscreteResult:
    """The optimal map from the uniform density on a domain onto weighted points.

    Attributes
    ----------
    domain : Box, Polygon, Polyhedron or TriangulatedDensity
    points : (n, d) float array
        Targets `y_i`.
    masses : (n,) float array
        Target masses `nu_i`.
    heights : (n,) float array
        Heights `h_i` of the Brenier potential, mean zero.
    cell_masses : (n,) float array
        Masses `w_i(h)` of the cells.
    max_relative_error : float
        `max_i |w_i - nu_i| / nu_i`, the evidence.
    w2_squared : float
        `int |x - T x|^2 dmu`, no factor 1/2: the exact squared distance between `mu` and the
        masses the cells really have.
    dual_value : float
        Kantorovich's dual value in the same unit; never above the squared distance to `nu`.
    n_iter : int
        Newton steps taken.
    history : tuple of NewtonStep
    converged : bool
    message : str
        Empty, or why it did not converge.
    """

    domain: Box | Polygon | Polyhedron | TriangulatedDensity
    points: np.ndarray
    masses: np.ndarray
    heights: np.ndarray
    cell_masses: np.ndarray
    max_relative_error: float
    w2_squared: float
    dual_value: float
    n_iter: int
    history: tuple[NewtonStep, ...]
    converged: bool
    message: str
    diagram: Diagram = field(repr=False)

    @property
    def centroids(self) -> np.ndarray:
        """Centres of mass of the cells, (n, d) float array."""
        return self.diagram.centroids

    def cell_polygons(self) -> list[np.ndarray]:
        """Return the corners of every cell counter-clockwise, a list of (k_i, 2) float arrays.

        Cells of a uniform planar domain only; `diagram.cell_pieces()` under a density,
        `diagram.cell_vertices(i)` in space.
        """
        if not isinstance(self.diagram, LaguerreDiagram):
            raise ValueError(
                "cell_polygons: expected a uniform domain in the plane; use "
                "diagram.cell_pieces() under a density, diagram.cell_vertices(i) in space"
            )
        return self.diagram.cell_polygons()

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Evaluate Brenier's potential `u_h` at the rows of `x`, (m, d): (m,) float array."""
        return self._top(x)[1]

    def assign(self, x: np.ndarray) -> np.ndarray:
        """Return the index of the cell that holds each row of `x`, (m, d): (m,) int array."""
        return self._top(x)[0]

    def transport(self, x: np.ndarray) -> np.ndarray:
        """Move the rows of `x` by `T = grad u_h`, (m, d): (m, d) float array."""
        return self.points[self.assign(x)]

    def _top(self, x):
        x = np.asarray(x, dtype=float)
        d = self.domain.dimension
        if x.shape[-1:] != (d,) or x.ndim > 2:
            raise ValueError(f"x: expected shape (m, {d}) or ({d},), got {x.shape}")
        rows = np.atleast_2d(x)
        index = np.empty(len(rows), dtype=np.int64)
        value = np.empty(len(rows))
        block = max(1, 4_000_000 // len(self.points))
        for k in range(0, len(rows), block):
            score = rows[k : k + block] @ self.points.T + self.heights
            index[k : k + block] = score.argmax(axis=1)
            value[k : k + block] = score.max(axis=1)
        return (index, value) if x.ndim == 2 else (index[0], value[0])

    @cached_property
    def bracket(self) -> Bracket:
        """Two numbers with `W2^2` between them, converged or not."""
        return bracket(self.diagram, self.heights, self.masses)

    def phi(self, x: np.ndarray) -> np.ndarray:
        """Kantorovich potential on the source, `|x|^2/2 - u(x)`, of the rows of `x`: (m,)."""
        x = np.asarray(x, dtype=float)
        return (x**2).sum(axis=-1) / 2 - self.potential(x)

    @property
    def points_gradient(self) -> np.ndarray:
        """Gradient of `W2^2` with respect to the points, `2 w_i (y_i - b_i)`: (n, d) array."""
        return -2 * self.diagram.first_moments

    @property
    def masses_gradient(self) -> np.ndarray:
        """Gradient of `W2^2` with respect to the masses, `2 psi` up to a constant: (n,) array.

        Masses can only change so that their sum stays; the constant has no meaning.
        """
        return 2 * (self.psi - self.psi.mean())

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, aside and then renamed; `load` reads it back."""
        storage.save(self, path)

    @cached_property
    def psi(self) -> np.ndarray:
        """Kantorovich potential on the target, `psi_i = |y_i|^2/2 + h_i`, (n,) float array."""
        return (self.points**2).sum(axis=1) / 2 + self.heights
