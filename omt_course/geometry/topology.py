"""What a triangle mesh is as a surface: edges, orientation, components, boundary; and its defects.

A mesh is a pair ``V, F``: corners ``V`` and triangles ``F``, three indices a row. It is a
*manifold with boundary* when every edge has at most two triangles and the triangles around a
vertex form one fan, *oriented* when neighbours run along their common edge in opposite
directions, and a *disk* when it is besides connected, with one boundary and Euler number 1.
"""

from dataclasses import dataclass

import numpy as np

from omt_course.geometry.linking import components, edges_of_sides, flatness

FLAT = 1e-12  # a triangle below this share of its longest edge squared has no area to rely on


@dataclass(frozen=True)
class Topology:
    """Counts of the elements and of the defects of a mesh.

    Attributes
    ----------
    n_vertices, n_edges, n_triangles : int
        Vertices count where a triangle uses them.
    components : int
        Pieces that share no vertex.
    boundaries : int
        Closed curves of edges with one triangle.
    nonmanifold_edges, nonmanifold_vertices : int
        Edges with more than two triangles; vertices on manifold edges whose triangles form more
        than one fan.
    flipped_edges, flipped_triangles : int
        Edges whose two triangles run in the same direction; the fewest triangles to turn round so
        that none is left, or -1 if the surface has one side only, as a Moebius band.
    zero_area, repeated, unreferenced, not_finite : int
        Triangles without area, triangles on the three vertices of an earlier one, vertices in no
        triangle, vertices with a NaN or an infinity.
    """

    n_vertices: int
    n_edges: int
    n_triangles: int
    components: int
    boundaries: int
    nonmanifold_edges: int
    nonmanifold_vertices: int
    flipped_edges: int
    flipped_triangles: int
    zero_area: int
    repeated: int
    unreferenced: int
    not_finite: int

    @property
    def euler(self):
        """Vertices minus edges plus triangles."""
        return self.n_vertices - self.n_edges + self.n_triangles

    @property
    def is_manifold(self):
        """Whether every edge and every vertex is one of a surface with boundary."""
        return self.nonmanifold_edges == 0 == self.nonmanifold_vertices

    @property
    def is_oriented(self):
        """Whether neighbouring triangles run along their common edge in opposite directions."""
        return self.is_manifold and self.flipped_edges == 0

    @property
    def is_closed(self):
        """Whether the mesh is one oriented surface without boundary."""
        return self.is_oriented and self.components == 1 and self.boundaries == 0

    @property
    def is_disk(self):
        """Whether the mesh is one oriented surface with one boundary and Euler number 1."""
        one = self.components == 1 == self.boundaries
        return self.is_oriented and one and self.euler == 1

    @property
    def genus(self):
        """Number of handles of a connected oriented surface, else None."""
        if not self.is_oriented or self.components != 1:
            return None
        return (2 - self.euler - self.boundaries) // 2

    def defects(self):
        """Return a list of sentences, one for each kind of defect, with its count."""
        turned = (
            "the surface has one side only"
            if self.flipped_triangles < 0
            else f"turn {self.flipped_triangles} triangles round"
        )
        found = [
            (self.not_finite, "vertices with NaN or infinite coordinates"),
            (self.unreferenced, "vertices in no triangle"),
            (self.zero_area, "triangles without area"),
            (self.repeated, "triangles on the three vertices of another"),
            (self.nonmanifold_edges, "edges with more than two triangles"),
            (self.nonmanifold_vertices, "vertices whose triangles form more than one fan"),
            (self.flipped_edges, f"edges that both triangles run along the same way ({turned})"),
        ]
        return [f"{count} {what}" for count, what in found if count]


def half_edges(F):
    """Return the three directed sides of every triangle, a (3 m, 2) array, side by side of F."""
    return np.stack([F, np.roll(F, -1, axis=1)], axis=2).reshape(-1, 2)


def edges(F):
    """Return every edge once, the smaller index first.

    Parameters
    ----------
    F : (m, 3) int array

    Returns
    -------
    edges : (e, 2) int array, in lexicographic order

    Examples
    --------
    >>> edges(np.array([[0, 1, 2], [2, 1, 3]])).tolist()
    [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    return np.unique(np.sort(half_edges(np.asarray(F)), axis=1), axis=0)


def boundary_loops(F):
    """Return the boundary curves of an oriented manifold mesh, the longest first.

    Parameters
    ----------
    F : (m, 3) int array

    Returns
    -------
    loops : list of int arrays
        Vertices in order, the surface on the left.

    Raises
    ------
    ValueError
        If the boundary is no set of closed curves, because edges or vertices are not manifold.

    Examples
    --------
    >>> boundary_loops(np.array([[0, 1, 2], [2, 1, 3]]))[0].tolist()
    [0, 1, 3, 2]
    """
    F = np.ascontiguousarray(F, dtype=np.int64)
    sides = half_edges(F)
    _, first, counts = edges_of_sides(F, F.max() + 1)
    start, end = sides[first[counts == 1]].T
    if len(np.unique(start)) < len(start) or not np.array_equal(np.sort(start), np.sort(end)):
        raise ValueError(
            f"F: expected a boundary of closed curves; got {len(start)} sides that leave "
            f"{len(np.unique(start))} vertices and reach {len(np.unique(end))}"
        )
    following = dict(zip(start.tolist(), end.tolist(), strict=True))
    loops = []
    while following:
        begin = min(following)
        loop, at = [begin], following.pop(begin)
        while at != begin:
            loop.append(at)
            at = following.pop(at)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def topology(V, F):
    """Count the elements and the defects of a mesh.

    Parameters
    ----------
    V : (n, 2) or (n, 3) float array
    F : (m, 3) int array

    Returns
    -------
    topology : Topology
    """
    F = np.ascontiguousarray(F, dtype=np.int64)
    sides, n, m = half_edges(F), len(V), len(F)
    edge, _, counts = edges_of_sides(F, n)
    n_used = int((np.bincount(F.ravel(), minlength=n) > 0).sum())
    pieces, _ = components(n, F[:, [0, 1]].ravel(), F[:, [1, 2]].ravel())
    pairs = _neighbours(edge, counts)
    same_way = sides[pairs[0], 0] == sides[pairs[1], 0]
    loose = sides[counts[edge] == 1]
    rim, place = np.unique(loose, return_inverse=True)
    n_rims, _ = components(len(rim), *place.reshape(-1, 2).T)
    solid = V if V.shape[1] == 3 else np.column_stack([V, np.zeros(n)])
    zero = flatness(solid, F) <= FLAT
    return Topology(
        n_vertices=n_used,
        n_edges=len(counts),
        n_triangles=m,
        components=int(pieces - (n - n_used)),
        boundaries=int(n_rims),
        nonmanifold_edges=int((counts > 2).sum()),
        nonmanifold_vertices=_many_fans(F, pairs, sides, counts[edge] > 2, n_used),
        flipped_edges=int(same_way.sum()),
        flipped_triangles=_to_turn(m, pairs // 3, same_way),
        zero_area=int(zero.sum()),
        repeated=_repeated(F, edge, n),
        unreferenced=n - n_used,
        not_finite=int((~np.isfinite(V).all(axis=1)).sum()),
    )


def _neighbours(edge, counts):
    """Pairs of sides on a common edge of exactly two triangles, a (2, k) array."""
    paired = np.flatnonzero(counts[edge] == 2)
    order = np.argsort(edge[paired], kind="stable")
    return paired[order].reshape(-1, 2).T


def _to_turn(m, pairs, same_way):
    """Return the fewest triangles to turn round for a consistent orientation, -1 if there is none.

    Every triangle has two states, turned or not; neighbours with a fault between them must differ.
    The surface has two sides if and only if no triangle is connected to its own other state.
    """
    if not same_way.any():
        return 0
    left, right = pairs
    swap = np.where(same_way, m, 0)
    rows = np.concatenate([left, left + m])
    columns = np.concatenate([right + swap, right + m - swap])
    _, label = components(2 * m, rows, columns)
    if np.any(label[:m] == label[m:]):
        return -1
    low = np.minimum(label[:m], label[m:])  # names the component of the surface
    turned = label[:m] != low
    size, n_turned = np.bincount(low), np.bincount(low, weights=turned).astype(int)
    return int(np.minimum(n_turned, size - n_turned).sum())


def _many_fans(F, pairs, sides, crowded, n_used):
    """Count vertices, away from edges of three triangles, whose triangles form several fans."""
    corner = np.arange(F.size)  # corner c is where side c starts; side c ends at corner `after`
    after = corner - corner % 3 + (corner + 1) % 3
    left, right = pairs
    straight = sides[left, 0] == sides[right, 0]
    rows = np.concatenate([left, after[left]])
    columns = np.concatenate(
        [np.where(straight, right, after[right]), np.where(straight, after[right], right)]
    )
    n_fans, fan = components(F.size, rows, columns)
    if n_fans == n_used:
        return 0
    fans = F.ravel()[np.flatnonzero(fan == corner)]  # the vertex of each fan
    several = np.flatnonzero(np.bincount(fans) > 1)
    return len(np.setdiff1d(several, sides[crowded]))


def _repeated(F, edge, n):
    """Count triangles on the three vertices of an earlier one."""
    low = np.argmin(F, axis=1)  # facing the smallest vertex lies the edge of the other two
    rows = np.arange(len(F))
    key = edge[3 * rows + (low + 1) % 3] * n + F[rows, low]
    key.sort()
    return int((key[1:] == key[:-1]).sum())
