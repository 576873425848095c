"""What the cells of every kind of domain have in common: masses, moments, neighbours.

Taught in *Alexandrov and Brenier*.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Diagram:
    """The cells `W_i` of `u_h(x) = max_i <x, y_i> + h_i` in a domain.

    Attributes
    ----------
    domain : Box, Polygon, Polyhedron or TriangulatedDensity
    points : (n, d) float array
        Slopes `y_i`.
    heights : (n,) float array
        Heights `h_i`.
    pairs : (m, 2) int array
        Neighbouring cells `i, j`.
    masses : (n,) float array
        Masses `w_i(h)`; 0 for empty cells.
    first_moments : (n, d) float array
        `int_{W_i} (x - y_i) dmu`.
    second_moments : (n,) float array
        `int_{W_i} |x - y_i|^2 dmu`.
    """

    domain: Any
    points: np.ndarray
    heights: np.ndarray
    pairs: np.ndarray
    masses: np.ndarray
    first_moments: np.ndarray
    second_moments: np.ndarray

    @property
    def facets(self) -> np.ndarray:
        """Integrals of the density over the common boundaries of `pairs`, (m,) float array."""
        raise NotImplementedError

    @cached_property
    def centroids(self) -> np.ndarray:
        """Centres of mass of the cells, (n, d) float array; nan for empty cells."""
        masses = np.where(self.masses > 0, self.masses, np.nan)
        return self.points + self.first_moments / masses[:, None]

    def renumbered(self, order: np.ndarray) -> Self:
        """Return the same cells, cell `k` being called `order[k]`."""
        back = np.argsort(order)
        changed = {"owner": order[self.owner]} if hasattr(self, "owner") else {}
        return replace(
            self,
            points=self.points[back],
            heights=self.heights[back],
            pairs=order[self.pairs],
            masses=self.masses[back],
            first_moments=self.first_moments[back],
            second_moments=self.second_moments[back],
            **changed,
        )

    def moved(
        self,
        domain: Any,
        points: np.ndarray,
        heights: np.ndarray,
        shift: np.ndarray,
        points_shift: np.ndarray,
    ) -> Self:
        """Return the cells translated by `shift` and the points by `points_shift`, (d,) each.

        What they become, `domain` and `points`, and the heights that go with them, the caller
        knows without rounding.
        """
        apart = shift - points_shift
        masses, first = self.masses, self.first_moments
        places = [name for name in ("start", "end", "corners") if hasattr(self, name)]
        return replace(
            self,
            domain=domain,
            points=points,
            heights=heights,
            first_moments=first + masses[:, None] * apart,
            second_moments=self.second_moments + 2 * first @ apart + masses * (apart @ apart),
            **{name: getattr(self, name) + shift for name in places},
        )
