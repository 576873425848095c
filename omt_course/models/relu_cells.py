"""The exact cells of a ReLU network: on a convex polygon of the plane, or on a mesh in space.

A cell is a maximal set of points at which the same hidden units are active. On it the network is
one affine map. The cells are found layer after layer: inside the cells so far every unit of the
next layer is affine, and its zero line cuts them. Taught in *Cells of a ReLU network*.
"""

import numpy as np
from torch import nn

from ..geometry import meshes
from ..transport.domains import Box, Polygon
from . import relu_cutting
from .relu_complex import Cell, CellComplex
from .relu_layers import read

__all__ = ["Cell", "CellComplex", "cells", "cells_on_mesh"]

ROUNDING = 1e-12  # values below this share of the terms they are summed from are zero


def cells(network: nn.Sequential, polygon: np.ndarray | Polygon | Box) -> CellComplex:
    """Return the exact cells of a ReLU network on a convex polygon of its two-dimensional input.

    Parameters
    ----------
    network : torch.nn.Sequential
        Of `Linear` and `ReLU` layers, with two inputs.
    polygon : (k, 2) float array, or a domain of the plane
        A convex polygon.

    Returns
    -------
    CellComplex

    Raises
    ------
    ValueError
        If the network has other layers or another input, or the polygon is not convex.

    Notes
    -----
    Vertices are shared exactly: a value of a unit is stored at a vertex once, and is exactly zero
    where the unit cut. Values below 1e-12 of their terms are zero, so that a line through a corner
    goes through it, and what is thinner is not cut. The first call compiles, some ten seconds.

    Examples
    --------
    >>> import torch
    >>> lines = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> with torch.no_grad():
    ...     _ = lines[0].weight.copy_(torch.eye(2)), lines[0].bias.zero_()
    >>> quarters = cells(lines, [[-1, -1], [1, -1], [1, 1], [-1, 1]])
    >>> len(quarters), quarters.areas.tolist(), quarters.bound
    (4, [1.0, 1.0, 1.0, 1.0], 4)
    """
    layers = read(network)
    if layers.dimension != 2:
        raise ValueError(f"network: expected 2 inputs, got {layers.dimension}")
    if not isinstance(polygon, Polygon | Box):
        polygon = Polygon(polygon)
    V = np.array(polygon.vertices, dtype=float)
    return _refine(layers, V, np.arange(len(V))[None])


def cells_on_mesh(network: nn.Sequential, V: np.ndarray, F: np.ndarray) -> CellComplex:
    """Return the pieces into which the cells of a ReLU network cut the triangles of a mesh.

    Parameters
    ----------
    network : torch.nn.Sequential
        Of `Linear` and `ReLU` layers, with as many inputs as a vertex has coordinates.
    V, F : (n, d) float and (m, 3) int arrays
        An oriented manifold mesh.

    Returns
    -------
    CellComplex
        Its cells are the pieces, one for each triangle and pattern. While a layer cuts, a number is
        kept for every vertex and unit of the layer.

    Raises
    ------
    ValueError
        If the network has other layers or another input, or the mesh has defects.

    Examples
    --------
    >>> V, F = np.eye(3), np.array([[0, 1, 2]])
    >>> lines = nn.Sequential(nn.Linear(3, 1, bias=False), nn.ReLU(), nn.Linear(1, 1))
    >>> _ = lines[0].weight.data.copy_(lines[0].weight.new_tensor([[1.0, -1.0, 0.0]]))
    >>> halves = cells_on_mesh(lines, V, F)
    >>> bool(np.isclose(halves.areas, np.sqrt(3) / 4).all()), len(halves)
    (True, 2)
    """
    layers = read(network)
    V, F = np.asarray(V, dtype=float), np.asarray(F)
    if V.ndim != 2 or V.shape[1] != layers.dimension:
        raise ValueError(f"network: expected {V.shape[-1]} inputs, got {layers.dimension}")
    meshes.check(V, F)
    return _refine(layers, V.copy(), F.astype(np.int64))


def _refine(layers, points, loops):
    """Cut loops of vertices, all of one length, by the units of all layers."""
    origin, twin, following, cell, first = _half_edges(loops)
    label = np.full(len(origin), -1)
    face, patterns = np.arange(len(loops)), np.zeros((len(loops), 0), dtype=bool)
    at_vertices, count, n_slivers = points, 0, 0
    for W, b in layers.hidden:
        values = at_vertices @ W.T + b
        size = (np.abs(at_vertices) @ np.abs(W).T + np.abs(b)).max(axis=0)
        points, values, origin, twin, following, cell, label, first, root, kept = relu_cutting.cut(
            points, values, ROUNDING * size, origin, twin, following, cell, label, first, count
        )
        on = relu_cutting.active(values, origin, following, first)
        face, patterns = face[root], np.hstack([patterns[root], on])
        at_vertices, count, n_slivers = np.maximum(values, 0.0), count + len(b), n_slivers + kept
    corners, start = relu_cutting.loops(origin, following, first)
    h = np.flatnonzero(np.arange(len(twin)) < twin)
    return CellComplex(
        layers=layers,
        vertices=points,
        corners=corners,
        start=start,
        patterns=patterns,
        face=face,
        edges=np.column_stack([origin[h], origin[twin[h]]]),
        edge_cells=np.column_stack([cell[h], cell[twin[h]]]),
        edge_neuron=label[h],
        n_slivers=int(n_slivers),
    )


def _half_edges(loops):
    """Half-edges of the sides of loops (m, k), with one outside for each side on the border."""
    m, k = loops.shape
    origin = loops.ravel()
    tip = np.roll(loops, -1, axis=1).ravel()
    following = (np.arange(m)[:, None] * k + np.roll(np.arange(k), -1)).ravel()
    big = int(origin.max()) + 1
    key, back = origin * big + tip, tip * big + origin
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(key, back, sorter=order), len(key) - 1)
    twin = np.where(key[order[place]] == back, order[place], -1)
    border = np.flatnonzero(twin < 0)
    outside = len(origin) + np.arange(len(border))
    twin[border] = outside
    cell = np.concatenate([np.repeat(np.arange(m), k), np.full(len(border), -1)])
    return (
        np.concatenate([origin, tip[border]]),
        np.concatenate([twin, border]),
        np.concatenate([following, outside]),
        cell,
        np.arange(m) * k,
    )
