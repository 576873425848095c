"""A start for points in tight clusters: first where the clusters go, then each in its own cell.

Far apart and tight, clusters are almost points: the cells of their centres, with all the mass of
each, are almost the union of the cells of its members. Inside, the cluster is spread over that
cell as any cloud over a domain. Taught in *Alexandrov and Brenier*.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import ConvexHull, QhullError

from .domains import Box, Polygon
from .polyhedron import Polyhedron
from .start import starting_heights
from .tetrahedra import Tetrahedra
from .triangulation import DONE, triangulate

# In the tree that joins all points by the shortest edges, clusters are apart if their longest inner
# edge is this many times shorter than the shortest edge between them. There are not more of them
# than one and `AT_MOST`.
APART = 5.0
AT_MOST = 50


def split(points: np.ndarray) -> np.ndarray | None:
    """Return the cluster of each point, (n,) int array, or None if there is only one.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [5.0, 5.0], [5.1, 5.0]])
    >>> split(points - points.mean(axis=0)).tolist()
    [0, 0, 0, 1, 1]
    """
    heights, reach = -(points**2).sum(axis=1) / 2, float(np.linalg.norm(points, axis=1).max())
    n, d = points.shape
    if d == 2:
        kept, status = triangulate(points, heights, 1.01 * reach)
        corners = kept.origin.reshape(-1, 3)
    else:
        kept = Tetrahedra(points, 1.01 * reach)
        status, corners = kept.update(heights), kept.corners
    if status != DONE:
        return None
    # The shortest tree is part of Delaunay's graph; all its edges have their middle within reach.
    pairs = np.concatenate([corners[:, [a, b]] for a in range(d + 1) for b in range(a)])
    pairs = np.sort(pairs[(pairs < n).all(axis=1)], axis=1).astype(np.int64)
    i, j = np.divmod(np.unique(pairs @ [n, 1]), n)  # every edge once
    length = np.linalg.norm(points[i] - points[j], axis=1)
    tree = minimum_spanning_tree(sp.csr_array((length, (i, j)), shape=(n, n))).tocoo()
    order = np.sort(tree.data)
    if len(order) < 2:
        return None
    few = max(0, len(order) - AT_MOST)  # close pairs in a cloud are no clusters
    quotient = order[few + 1 :] / order[few:-1]
    k = few + int(np.argmax(quotient))
    if quotient[k - few] < APART:
        return None
    short = tree.data <= order[k]
    graph = sp.csr_array((tree.data[short], (tree.row[short], tree.col[short])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def clustered_start(
    domain: Box | Polygon | Polyhedron,
    points: np.ndarray,
    target: np.ndarray,
    solve: Callable,
) -> np.ndarray | None:
    """Return heights for points in clusters, or None if there are none to be told apart.

    Parameters
    ----------
    domain : Box, Polygon or Polyhedron
        About the origin.
    points : (n, d) float array
        About the origin.
    target : (n,) float array
        Masses.
    solve : callable
        `(domain, points, masses) -> (heights, diagram)`, roughly, for the centres.

    Returns
    -------
    (n,) float array or None
        No promise that all cells are there: that holds for clusters tight enough.
    """
    label = split(points)
    if label is None or label.max() + 1 > len(points) / 2:
        return None
    k = label.max() + 1
    weights = np.bincount(label, target, k)
    centres = np.column_stack(
        [np.bincount(label, target * points[:, a], k) / weights for a in range(points.shape[1])]
    )
    middle = centres.mean(axis=0)
    coarse, diagram = solve(domain, centres - middle, weights)
    heights = np.empty(len(points))
    try:
        for c in range(k):
            members = label == c
            cell = _cell(diagram, c)
            around = points[members] - centres[c]
            if len(around) == 1:
                inner = np.zeros(1)
            else:
                about = cell.moved(-cell.center)
                inner = clustered_start(about, around, target[members], solve)
                if inner is None:
                    inner = starting_heights(about, around)
            # The planes of the cluster are, on average, the plane of its centre.
            heights[members] = coarse[c] + inner + inner.mean() - around @ cell.center
    except (ValueError, QhullError):  # a cell too thin to be a domain
        return None
    return heights


def _cell(diagram, c) -> Polygon | Polyhedron:
    if diagram.domain.dimension == 3:
        return Polyhedron(diagram.cell_vertices(c))
    corners = diagram.cell_polygons()[c]
    return Polygon(corners[ConvexHull(corners).vertices])
