"""The cells of a ReLU network and what joins them: neighbours, maximal linear pieces, location.

Made by `relu_cells`. Taught in *Cells of a ReLU network*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .relu_layers import Layers, bound

SAME = 1e-10  # neighbours are one linear piece if their matrices differ by less, relatively
BLOCK = 20_000  # cells whose matrices are multiplied at once


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell: where it lies, and what the network is there.

    Attributes
    ----------
    index : int
    polygon : (k, d) float array
        Corners in order; counter-clockwise in the plane.
    pattern : (n_hidden,) bool array
        Which hidden units are active.
    A, b : (out, d) and (out,) float arrays
        The network is `A x + b` on the cell.
    face : int
        The triangle of the mesh it lies in, 0 in the plane.
    """

    index: int
    polygon: np.ndarray
    pattern: np.ndarray
    A: np.ndarray
    b: np.ndarray
    face: int


@dataclass(frozen=True, eq=False)
class CellComplex(Sequence):
    """The cells of a network as a sequence of `Cell`, with what joins them.

    Attributes
    ----------
    layers : Layers
        The network's weights in double precision.
    vertices : (n, d) float array
    corners, start : (s,) and (c + 1,) int arrays
        Cell `i` has the vertices `corners[start[i]:start[i + 1]]`; neighbours share theirs.
    patterns : (c, n_hidden) bool array
    face : (c,) int array
        The triangle of the mesh each cell lies in; a cell that crosses sides of triangles comes in
        pieces, one a triangle (`activation_cells` joins them).
    edges, edge_cells, edge_neuron : (m, 2), (m, 2) and (m,) int arrays
        Vertices of each edge; the cells on its sides, -1 outside; the hidden unit that vanishes on
        it, -1 on the border of the polygon and on the sides of the mesh's triangles.
    n_slivers : int
        Cells left whole because a cut in them would be below rounding.
    """

    layers: Layers
    vertices: np.ndarray
    corners: np.ndarray
    start: np.ndarray
    patterns: np.ndarray
    face: np.ndarray
    edges: np.ndarray
    edge_cells: np.ndarray
    edge_neuron: np.ndarray
    n_slivers: int

    def __len__(self) -> int:
        return len(self.patterns)

    def __getitem__(self, index: int) -> Cell:
        i = range(len(self))[index]
        A, b = self.affine
        return Cell(i, self.polygon(i), self.patterns[i], A[i], b[i], int(self.face[i]))

    def polygon(self, i: int) -> np.ndarray:
        """Return the corners of cell `i`, (k, d) float array."""
        return self.vertices[self.corners[self.start[i] : self.start[i + 1]]]

    @cached_property
    def polygons(self) -> list[np.ndarray]:
        """Corners of all cells, a list of (k_i, d) float arrays."""
        return np.split(self.vertices[self.corners], self.start[1:-1])

    @cached_property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """The affine maps of all cells: (c, out, d) and (c, out) float arrays."""
        parts = [
            self.layers.affine(self.patterns[k : k + BLOCK]) for k in range(0, len(self), BLOCK)
        ]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    @cached_property
    def areas(self) -> np.ndarray:
        """Areas of the cells, (c,) float array."""
        return self._fans[0]

    @cached_property
    def centroids(self) -> np.ndarray:
        """Centres of mass of the cells, (c, d) float array."""
        return self._fans[1]

    @cached_property
    def _fans(self):
        """Areas and centroids by triangles from the first corner of each cell."""
        F, owner = self.triangles()
        a, b, c = self.vertices[F.T]
        u, v = b - a, c - a
        gram = (u * u).sum(1) * (v * v).sum(1) - (u * v).sum(1) ** 2
        plane = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] if u.shape[1] == 2 else None
        size = (np.abs(plane) if plane is not None else np.sqrt(np.maximum(gram, 0))) / 2
        areas = np.bincount(owner, size, minlength=len(self))
        middle = (a + b + c) / 3
        sums = [np.bincount(owner, size * x, minlength=len(self)) for x in middle.T]
        flat = areas <= 0
        centroids = np.column_stack(sums) / np.where(flat, 1, areas)[:, None]
        for i in np.flatnonzero(flat):
            centroids[i] = self.polygon(i).mean(axis=0)
        return areas, centroids

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Return triangles (t, 3) of vertex indices that fill the cells, and their cells (t,)."""
        sides = np.diff(self.start)
        owner = np.repeat(np.arange(len(self)), sides - 2)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(sides - 2) - (sides - 2), sides - 2)
        begin = self.start[:-1][owner]
        F = [self.corners[begin], self.corners[begin + place + 1], self.corners[begin + place + 2]]
        return np.column_stack(F), owner

    @property
    def adjacency(self) -> np.ndarray:
        """The edges with a cell on each side: rows `(cell, cell, hidden unit)`, (k, 3) ints."""
        inner = (self.edge_cells >= 0).all(axis=1)
        return np.column_stack([self.edge_cells[inner], self.edge_neuron[inner]])

    @property
    def euler(self) -> int:
        """Vertices less edges plus cells: 1 on a polygon or a topological disk."""
        return len(self.vertices) - len(self.edges) + len(self)

    @property
    def bound(self) -> int:
        """The bound of Lei, Luo, Yau and Gu for hidden layers of these widths."""
        return bound(self.layers.widths)

    @cached_property
    def activation_cells(self) -> np.ndarray:
        """Number of the connected set of equal patterns to which each cell belongs: (c,) ints.

        In the plane every cell is alone; on a mesh the pieces in neighbouring triangles join.
        """
        i, j, neuron = self.adjacency.T
        candidates = np.flatnonzero(neuron < 0)
        same = (self.patterns[i[candidates]] == self.patterns[j[candidates]]).all(axis=1)
        return self._joined(i[candidates[same]], j[candidates[same]])

    @cached_property
    def linear_pieces(self) -> np.ndarray:
        """Number of the maximal linear piece to which each cell belongs: (c,) int array.

        Cells with one affine map that share an edge are one piece: the unit between them has no
        influence on the output, or not there.
        """
        A, _ = self.affine
        i, j, _ = self.adjacency.T
        size = np.abs(A).max(axis=(1, 2))
        near = np.abs(A[i] - A[j]).max(axis=(1, 2))  # the map is continuous: A decides
        same = near <= SAME * (size[i] + size[j]) + 1e-14 * size.max()
        return self._joined(i[same], j[same])

    def _joined(self, i, j):
        graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(len(self), len(self)))
        return connected_components(graph, directed=False)[1]

    @property
    def n_activation_cells(self) -> int:
        """Number of activation cells."""
        return int(self.activation_cells.max()) + 1

    @property
    def n_linear_pieces(self) -> int:
        """Number of maximal linear pieces, at most that of activation cells."""
        return int(self.linear_pieces.max()) + 1

    def find(self, patterns: np.ndarray) -> np.ndarray:
        """Return a cell with each of the patterns, (k, n_hidden) bool; -1 where there is none."""
        if not patterns.shape[1]:
            return np.zeros(len(patterns), dtype=np.int64)
        own, asked = as_keys(self.patterns), as_keys(patterns)
        order = np.argsort(own)
        place = np.minimum(np.searchsorted(own, asked, sorter=order), len(own) - 1)
        found = order[place]
        return np.where(own[found] == asked, found, -1)

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Return the cell that holds each row of `points`, (k, 2): (k,) ints, -1 outside.

        By the activation pattern, which in the plane belongs to one cell only; a point whose
        pattern is that of no cell lies on a side, within rounding, and is told by the sides.
        """
        points = np.atleast_2d(np.asarray(points, dtype=float))
        if self.vertices.shape[1] != 2 or points.shape[1] != 2:
            raise ValueError(
                f"points: expected shape (k, 2) and cells in the plane, got {points.shape} and "
                f"cells in R^{self.vertices.shape[1]}"
            )
        found = self.find(self.layers.patterns(points))
        border = self.edges[(self.edge_cells < 0).any(axis=1)]
        a, b = self.vertices[border].swapaxes(0, 1)
        middle = self.vertices.mean(axis=0)
        turn = np.sign(_cross(b - a, middle - a))
        outside = np.zeros(len(points), dtype=bool)
        slack = 1e-12 * np.ptp(self.vertices, axis=0).max() ** 2
        for p, q, s in zip(a, b, turn, strict=True):
            outside |= s * _cross(q - p, points - p) < -slack
        found[outside] = -1
        for k in np.flatnonzero((found < 0) & ~outside):
            found[k] = self._by_sides(points[k])
        return found

    def _by_sides(self, x):
        """Return the cell for which `x` is least outside."""
        tip = np.arange(1, len(self.corners) + 1)
        tip[self.start[1:] - 1] = self.start[:-1]
        a, b = self.vertices[self.corners], self.vertices[self.corners[tip]]
        length = np.maximum(np.linalg.norm(b - a, axis=1), 1e-300)
        return int(np.minimum.reduceat(_cross(b - a, x - a) / length, self.start[:-1]).argmax())


def as_keys(patterns: np.ndarray) -> np.ndarray:
    """Return each row of bools as one comparable value, (k,) array of raw bytes.

    Examples
    --------
    >>> len(np.unique(as_keys(np.array([[True, False], [True, False], [False, True]]))))
    2
    """
    packed = np.ascontiguousarray(np.packbits(patterns, axis=1))
    return packed.view(np.dtype((np.void, packed.shape[1]))).ravel()


def _cross(u, v):
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
