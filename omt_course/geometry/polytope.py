"""Convex polytopes in space as intersections of half-spaces `<n_i, x> <= h_i`.

Facets, edges and vertices are read off the dual convex hull; they can be written to any mesh
format that trimesh knows. Taught in *The Minkowski problem*.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..files import write_atomically
from .facets import Facets, cut, interior_point
from .inputs import check_normals

MERGED = 1e-12  # vertices closer than this share of the size are one


@dataclass(frozen=True, eq=False)
class Polytope:
    """The polytope `{x : <n_i, x> <= h_i for all i}`.

    Attributes
    ----------
    normals : (n, 3) float array
        Outward unit normals.
    support : (n,) float array
        Support numbers `h_i`.
    vertices : (m, 3) float array
    facets : tuple of n int arrays
        Vertices of each facet, counter-clockwise seen from outside; empty if it is cut off.
    edges : (e, 2) int array
        The two facets of every edge.
    edge_vertices : (e, 2) int array
        The two ends of every edge.
    areas : (n,) float array
        Areas of the facets, zero where cut off.
    volume : float
    """

    normals: np.ndarray
    support: np.ndarray
    vertices: np.ndarray
    facets: tuple[np.ndarray, ...]
    edges: np.ndarray
    edge_vertices: np.ndarray
    areas: np.ndarray
    volume: float

    @property
    def edge_lengths(self) -> np.ndarray:
        """Lengths of the edges, (e,) float array."""
        a, b = self.vertices[self.edge_vertices.T]
        return np.linalg.norm(b - a, axis=1)

    @property
    def dihedral_angles(self) -> np.ndarray:
        """Angles inside the body at the edges, pi minus that of the normals, (e,) float array."""
        a, b = self.normals[self.edges.T]
        turn = 2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
        return np.pi - turn

    @property
    def facet_centroids(self) -> np.ndarray:
        """Centres of mass of the facets, (n, 3) float array; nan where a facet is cut off."""
        centroids = np.full((len(self.facets), 3), np.nan)
        for i, facet in enumerate(self.facets):
            if len(facet):
                V = self.vertices[facet]
                wedges = np.cross(V[1:-1] - V[0], V[2:] - V[0]) @ self.normals[i]
                thirds = (V[1:-1] + V[2:] - 2 * V[0]) / 3
                centroids[i] = V[0] + wedges @ thirds / wedges.sum()
        return centroids

    @property
    def centroid(self) -> np.ndarray:
        """Centre of mass of the body, (3,) float array."""
        kept = self.areas > 0
        inside = self.vertices.mean(axis=0)
        cones = (self.areas * (self.support - self.normals @ inside))[kept]
        return inside + 0.75 * cones @ (self.facet_centroids[kept] - inside) / cones.sum()

    def moved(self, shift: np.ndarray) -> "Polytope":
        """Return the polytope translated by `shift`, (3,) float array."""
        shift = np.asarray(shift, dtype=float)
        return replace(
            self, support=self.support + self.normals @ shift, vertices=self.vertices + shift
        )

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut every facet into a fan: triangles (t, 3) and the facet of each, (t,) int arrays."""
        fans = [
            np.column_stack([np.full(len(f) - 2, f[0]), f[1:-1], f[2:]])
            for f in self.facets
            if len(f)
        ]
        owner = np.repeat(np.arange(len(self.facets)), [max(len(f) - 2, 0) for f in self.facets])
        return np.concatenate(fans), owner

    def to_trimesh(self):
        """Return the surface as a `trimesh.Trimesh`, facets cut into triangles."""
        import trimesh

        return trimesh.Trimesh(self.vertices, self.triangles()[0], process=False)

    def export(self, path: str | Path) -> None:
        """Write the surface to a file; its ending names the format (stl, ply, obj, glb, off)."""
        export_mesh(self.to_trimesh(), path)


def export_mesh(mesh, path: str | Path) -> None:
    """Write a `trimesh.Trimesh` aside and rename it, in the format that the ending names.

    Raises
    ------
    ValueError
        If trimesh does not know the ending.
    """
    import trimesh

    kind = Path(path).suffix.lower().lstrip(".")
    known = sorted(trimesh.available_formats() & set(trimesh.exchange.export._mesh_exporters))
    if kind not in known:
        raise ValueError(f"path: expected an ending out of {', '.join(known)}, got {str(path)!r}")
    data = mesh.export(file_type=kind)
    data = data.encode() if isinstance(data, str) else data
    write_atomically(path, lambda stream: stream.write(data))


def intersect(normals: np.ndarray, support: np.ndarray) -> Polytope:
    """Return the polytope `{x : <n_i, x> <= h_i}`.

    Parameters
    ----------
    normals : (n, 3) float array
        Unit vectors (lengths within 1e-6 of 1 are made exact), distinct, not all in a closed
        half-space.
    support : (n,) float array
        Support numbers of any sign; the origin need not be inside.

    Returns
    -------
    Polytope

    Raises
    ------
    ValueError
        If an argument cannot be used; `Unbounded`, a ValueError, if the intersection has no
        interior or no bound.

    Examples
    --------
    >>> cube = intersect(np.vstack([np.eye(3), -np.eye(3)]), [2, 2, 2, 0, 0, 0])
    >>> cube.volume, len(cube.vertices), len(cube.edges)
    (8.0, 8, 12)
    >>> len(cube.facets[0])
    4
    """
    normals = check_normals(normals)
    try:
        support = np.array(support).astype(float, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"support: expected {len(normals)} numbers, got {support!r}") from error
    if support.shape != (len(normals),) or not np.isfinite(support).all():
        raise ValueError(
            f"support: expected {len(normals)} finite numbers, one a normal, got shape "
            f"{support.shape}"
        )
    return assemble(cut_anywhere(normals, support), support)


def cut_anywhere(normals: np.ndarray, support: np.ndarray) -> Facets:
    """Cut the facets of `{x : <n_i, x> <= h_i}`, wherever the origin is.

    Raises
    ------
    Unbounded
    """
    if support.min() > 1e-3 * np.abs(support).max():
        return cut(normals, support)
    inside = interior_point(normals, support)
    facets = cut(normals, support - normals @ inside)
    return replace(facets, vertices=facets.vertices + inside)


def assemble(facets: Facets, support: np.ndarray) -> Polytope:
    """Merge vertices that agree, and order those of every facet."""
    m, neighbors = len(facets.triangles), facets.neighbors
    size = np.ptp(facets.vertices, axis=0).max()
    row, column = np.nonzero(neighbors > np.arange(m)[:, None])
    other = neighbors[row, column]
    gap = np.linalg.norm(facets.vertices[row] - facets.vertices[other], axis=1)
    same = gap <= MERGED * size
    graph = sp.coo_matrix((np.ones(same.sum()), (row[same], other[same])), (m, m))
    count, label = connected_components(graph, directed=False)
    first = np.full(count, m)
    np.minimum.at(first, label, np.arange(m))
    loops = [_without_repeats(label[loop]) for loop in facet_loops(facets)]
    real = label[row] != label[other]
    areas = np.where([len(loop) > 0 for loop in loops], facets.areas, 0.0)
    return Polytope(
        normals=facets.normals,
        support=support,
        vertices=facets.vertices[first],
        facets=tuple(loops),
        edges=facets.pairs[real],
        edge_vertices=np.column_stack([label[other], label[row]])[real],
        areas=areas,
        volume=float(areas @ support / 3),
    )


def facet_loops(facets: Facets) -> list[np.ndarray]:
    """Walk round every facet, all at once: its vertices counter-clockwise, with repetitions."""
    n, corners = len(facets.normals), facets.triangles.ravel()
    start = np.full(n, -1)
    start[corners[::-1]] = np.arange(len(corners))[::-1]
    active = np.flatnonzero(start >= 0)
    place, steps = start[active], []
    while len(active):
        triangle, k = np.divmod(place, 3)
        steps.append((active, triangle))
        # Counter-clockwise round corner k of a triangle, the next one lies across edge k+2.
        ahead = facets.neighbors[triangle, (k + 1) % 3]
        place = 3 * ahead + (facets.triangles[ahead] == active[:, None]).argmax(axis=1)
        more = place != start[active]
        active, place = active[more], place[more]
    facet = np.concatenate([a for a, _ in steps])
    vertex = np.concatenate([t for _, t in steps])
    order = np.argsort(facet, kind="stable")
    return np.split(vertex[order], np.cumsum(np.bincount(facet, minlength=n))[:-1])


def _without_repeats(loop):
    loop = loop[loop != np.roll(loop, 1)] if len(loop) else loop
    return loop if len(loop) >= 3 else loop[:0]
