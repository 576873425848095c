"""Cells of ReLU networks: closed forms, brute force, continuity, meshes, bad and hostile input."""

from itertools import pairwise
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from omt_course.models.relu_cells import cells, cells_on_mesh
from omt_course.models.relu_complex import as_keys
from omt_course.models.relu_layers import arrangement_regions, bound, read
from omt_course.transport.domains import Box, disk

SQUARE = np.array([[-2.0, -2], [2, -2], [2, 2], [-2, 2]])


def random_network(*widths, seed=0, scale=1.0):
    """A network in single precision, as they are trained, with weights of an own generator."""
    g = torch.Generator().manual_seed(seed)
    layers = []
    for a, b in pairwise(widths):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.copy_(scale * torch.randn(b, a, generator=g) / a**0.5)
            linear.bias.copy_(0.5 * torch.randn(b, generator=g))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def from_matrices(*pairs):
    """A network with the given (W, b), a ReLU between any two."""
    layers = []
    for W, b in pairs:
        W = torch.as_tensor(np.atleast_2d(W), dtype=torch.float64)
        linear = nn.Linear(W.shape[1], W.shape[0]).double()
        with torch.no_grad():
            linear.weight.copy_(W)
            linear.bias.copy_(torch.as_tensor(np.atleast_1d(b), dtype=torch.float64))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lines(W, b):
    """One hidden layer with the zero lines `W x + b = 0`, and the sum of its units."""
    return from_matrices((W, b), (np.ones((1, len(b))), 0.0))


def check_complex(found, area):
    """What holds for every complex in the plane."""
    assert found.euler == 1 and found.n_slivers == 0
    assert found.areas.sum() == pytest.approx(area, rel=1e-12)
    assert len(np.unique(as_keys(found.patterns))) == len(found)  # one cell a pattern
    wide = found.areas > 1e-9
    centres = found.centroids[wide]
    assert (found.layers.patterns(centres) == found.patterns[wide]).all()
    # Every inner edge parts two patterns, at the unit it names; border edges have one cell.
    i, j, neuron = found.adjacency.T
    row = np.arange(len(neuron))
    assert (neuron >= 0).all()
    assert (found.patterns[i] != found.patterns[j])[row, neuron].all()
    assert (found.edge_neuron[(found.edge_cells < 0).any(axis=1)] == -1).all()
    assert ((found.edge_cells >= 0).sum(axis=1) > 0).all()
    # Every side of every cell is an edge of the complex: shared vertices, no hanging ones.
    sides = np.diff(found.start).sum()
    assert sides == (found.edge_cells >= 0).sum()
    # The affine pieces are the network at the corners, from both sides.
    A, b = found.affine
    owner = np.repeat(np.arange(len(found)), np.diff(found.start))
    x = found.vertices[found.corners]
    exact = found.layers(x)
    error = np.abs(np.einsum("kij,kj->ki", A[owner], x) + b[owner] - exact).max()
    assert error <= 1e-11 * max(1.0, np.abs(A).max())


@pytest.mark.parametrize("widths", [(2, 5, 1), (2, 8, 8, 3), (2, 16, 16, 1), (2, 6, 6, 6, 6, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_random_networks(widths, seed):
    network = random_network(*widths, seed=seed, scale=2.0)
    found = cells(network, SQUARE)
    check_complex(found, 16)
    assert len(found) <= bound(widths[:-1], kind="serra") <= bound(widths[:-1], kind="montufar")
    assert bound(widths[:-1], kind="montufar") <= bound(widths[:-1]) == found.bound
    assert found.n_linear_pieces <= found.n_activation_cells == len(found)
    x = np.random.default_rng(seed).uniform(-2, 2, (20_000, 2))
    where = found.find(found.layers.patterns(x))
    assert (where >= 0).all()  # every sampled pattern is in the complex
    np.testing.assert_array_equal(found.locate(x), where)
    share = np.bincount(where, minlength=len(found)) / len(x)
    p = found.areas / 16
    assert (np.abs(share - p) <= 6 * np.sqrt(p / len(x)) + 1e-3).all()


def test_affine_pieces_are_what_autograd_finds():
    network = random_network(2, 12, 12, 3, seed=4).double()
    found = cells(network, SQUARE)
    A, b = found.affine
    for cell in list(found)[::7]:
        x = torch.tensor(found.centroids[cell.index])
        J = torch.autograd.functional.jacobian(network, x)
        np.testing.assert_allclose(cell.A, J.numpy(), atol=1e-12)
        np.testing.assert_allclose(cell.A @ x.numpy() + cell.b, network(x).detach(), atol=1e-12)
        np.testing.assert_array_equal(cell.A, A[cell.index])
        np.testing.assert_array_equal(cell.polygon, found.polygons[cell.index])
    assert found[-1].index == len(found) - 1
    with pytest.raises(IndexError):
        found[len(found)]


def test_across_an_edge_the_matrices_differ_by_rank_one_along_its_normal():
    found = cells(random_network(2, 10, 10, 4, seed=1), SQUARE)
    A, _ = found.affine
    inner = (found.edge_cells >= 0).all(axis=1)
    i, j = found.edge_cells[inner].T
    a, b = found.vertices[found.edges[inner]].swapaxes(0, 1)
    along = np.einsum("kij,kj->ki", A[i] - A[j], b - a)
    assert np.abs(along).max() < 1e-12
    assert np.abs(A[i] - A[j]).max() > 0.1


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_one_layer_in_general_position(n):
    rng = np.random.default_rng(n)
    W, b = rng.normal(size=(n, 2)), 0.5 * rng.normal(size=n)
    found = cells(lines(W, b), SQUARE)
    # Independent count: 1 + lines that meet the square + crossings inside it.
    corner = np.sign(SQUARE @ W.T + b)
    meets = int((np.ptp(corner, axis=0) > 0).sum())
    inside = 0
    for i in range(n):
        for j in range(i):
            x = np.linalg.solve(W[[i, j]], -b[[i, j]])
            inside += (np.abs(x) < 2).all()
    assert len(found) == 1 + meets + inside
    check_complex(found, 16)


def test_equality_with_the_bound_for_one_layer():
    n = 9
    angle = np.pi * np.arange(n) / n
    W = np.column_stack([np.cos(angle), np.sin(angle)])
    found = cells(lines(W, np.full(n, 0.1)), disk(50.0, 64))  # tangents of a small circle
    assert len(found) == arrangement_regions(n, 2) == bound([2, n]) == 1 + n + comb(n, 2)


def folding(depth, unit, mix, shift):
    """The map `x -> fold(x)` of [0, 1] composed with itself, on each of two coordinates."""
    unit, mix = np.asarray(unit, dtype=float), np.asarray(mix, dtype=float)
    W1 = np.kron(np.eye(2), unit[:, :1])
    b1 = np.tile(unit[:, 1], 2)
    W2, b2 = np.kron(np.eye(2), mix[None]), np.full(2, shift)
    pairs = [(W1, b1)]
    for _ in range(depth - 1):
        pairs.append((W1 @ W2, W1 @ b2 + b1))
    return from_matrices(*pairs, (W2, b2))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_tents_fold_the_square_into_a_known_number_of_pieces(depth):
    # t(x) = 2 relu(x) - 4 relu(x - 1/2): two pieces; a depth of k gives 2^k on each axis.
    network = folding(depth, [[1, 0], [1, -0.5]], [2, -4], 0.0)
    found = cells(network, Box([0, 0], [1, 1]))
    assert found.n_linear_pieces == 4**depth == len(found)
    np.testing.assert_allclose(found.areas, 4.0**-depth, rtol=1e-12)
    slopes = np.abs(found.affine[0])
    np.testing.assert_allclose(slopes, 2.0**depth * np.eye(2) * np.ones((len(found), 1, 1)))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_three_units_on_a_line_reach_the_bound(depth):
    # Slopes 7/2, -7/2, 7/2, -7 on [0, 1]: four pieces from three units, all onto [0, 1].
    network = folding(depth, [[1, -2 / 7], [-1, 4 / 7], [-1, 6 / 7]], [-7, 7, -10.5], 5.0)
    found = cells(network, Box([0, 0], [1, 1]))
    assert found.n_linear_pieces == 16**depth
    assert bound([1] + [3] * depth, kind="montufar") == 4**depth
    assert len(found) == 16**depth and found.n_slivers == 0


def test_activation_cells_and_linear_pieces_are_told_apart():
    # relu(x) - relu(x) + y: the first line bends nothing.
    cancels = from_matrices(([[1, 0], [1, 0], [0, 1]], [0, 0, 0]), ([[1, -1, 1]], 0))
    found = cells(cancels, SQUARE)
    assert (len(found), found.n_linear_pieces) == (4, 2)
    # relu(x) - relu(-x) = x
    straight = from_matrices(([[1, 0], [-1, 0]], [0, 0]), ([[1, -1]], 0))
    found = cells(straight, SQUARE)
    assert (len(found), found.n_linear_pieces) == (2, 1)


def test_dead_parallel_and_coincident_units():
    W = [[1, 0], [1, 0], [-2, 0], [1, 0], [0, 0], [0, 0], [1, 1]]
    b = [0, 0, 0, 1, -1, 1, 100]  # the same line three times, a parallel, dead, always on, far off
    found = cells(lines(W, b), SQUARE)
    assert len(found) == 3
    check_complex(found, 16)
    assert not found.patterns[:, 4].any() and found.patterns[:, 5].all()
    assert sorted(found.areas) == pytest.approx([4, 4, 8])


def test_lines_through_one_point_and_through_corners():
    angle = np.pi * np.arange(8) / 8
    W = np.column_stack([np.cos(angle), np.sin(angle)])
    found = cells(lines(W, np.zeros(8)), SQUARE)
    assert len(found) == 16 and found.n_slivers == 0  # two of them go through the corners
    check_complex(found, 16)
    assert len(found.vertices) == 1 + 4 + 12  # centre, corners, ends of the other six lines


def test_a_dead_layer_leaves_one_affine_map():
    dead = from_matrices(([[1, 0], [0, 1]], [-9, -9]), ([[1, 2], [3, 4]], [0, 0]), ([[1, 1]], [3]))
    found = cells(dead, SQUARE)
    assert len(found) == 1
    np.testing.assert_array_equal(found.affine[0], 0)
    np.testing.assert_array_equal(found.affine[1], 3)


def test_no_hidden_layer_and_relu_at_the_end():
    assert len(cells(nn.Sequential(nn.Linear(2, 3)), SQUARE)) == 1
    assert cells(nn.Sequential(nn.Linear(2, 3)), SQUARE).locate([[0, 0], [9, 9]]).tolist() == [
        0,
        -1,
    ]
    network = nn.Sequential(*list(lines([[1, 0]], [0]))[:2])
    assert len(cells(network, SQUARE)) == 2
    nested = nn.Sequential(nn.Sequential(nn.Linear(2, 4), nn.ReLU()), nn.Linear(4, 1))
    flat = nn.Sequential(*nested[0], nested[1])
    np.testing.assert_array_equal(cells(nested, SQUARE).areas, cells(flat, SQUARE).areas)
    double = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(read(double)(x), double(torch.tensor(x)).detach(), atol=1e-12)


def test_points_on_sides_and_outside():
    found = cells(lines([[1, 0], [0, 1]], [0, 0]), SQUARE)
    # At the crossing no unit is active: that pattern is a cell's here. On a line with both signs:
    both = cells(lines([[1, 0], [-1, 0]], [0, 0]), SQUARE)
    assert both.find(both.layers.patterns(np.array([[0.0, 1.0]])))[0] == -1
    assert both.locate([[0.0, 1.0]])[0] in (0, 1)
    assert found.locate([[3, 0], [2, 2], [0, 0]])[0] == -1
    assert (found.locate([[2, 2], [0, 0], [-2, 2]]) >= 0).all()


def test_convex_domains_of_any_kind():
    network = random_network(2, 9, 9, 1, seed=2)
    for domain in (disk(1.5, 33), Box([-1, 0], [2, 1]), SQUARE[::-1], SQUARE[:3]):
        area = domain.volume if hasattr(domain, "volume") else {4: 16, 3: 8}[len(domain)]
        check_complex(cells(network, domain), area)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_weights_of_small_integers(seed, first, second, on_lattice):
    """Many coincidences: lines through one point, parallel, equal, along the border."""
    rng = np.random.default_rng(seed)
    high = 2 if on_lattice else 4
    network = from_matrices(
        (rng.integers(-high, high + 1, (first, 2)), rng.integers(-high, high + 1, first)),
        (rng.integers(-2, 3, (second, first)), rng.integers(-2, 3, second)),
        (rng.integers(-2, 3, (1, second)), 0.0),
    )
    check_complex(cells(network, SQUARE), 16)


@pytest.mark.parametrize("noise", [1e-10, 1e-12, 1e-13, 1e-15])
@pytest.mark.parametrize("seed", range(6))
def test_lines_that_differ_by_about_rounding(noise, seed):
    rng = np.random.default_rng(seed)
    W, b = rng.integers(-2, 3, (12, 2)), rng.integers(-2, 3, 12)
    W2, b2 = rng.integers(-1, 2, (8, 12)), rng.integers(-2, 3, 8)
    network = from_matrices(
        (W * (1 + noise * rng.normal(size=W.shape)), b + noise * rng.normal(size=12)),
        (W2 * (1 + noise * rng.normal(size=W2.shape)), b2 + noise * rng.normal(size=8)),
        (np.ones((1, 8)), 0.0),
    )
    found = cells(network, SQUARE)
    assert found.areas.sum() == pytest.approx(16, rel=1e-12) and found.euler == 1
    assert np.diff(found.start).sum() == (found.edge_cells >= 0).sum()
    # A unit that vanishes on a whole cell may be on or off; the map is the same.
    A, c = found.affine
    value = np.einsum("kij,kj->ki", A, found.centroids) + c
    np.testing.assert_allclose(value, found.layers(found.centroids), atol=1e-9)
    x = rng.uniform(-2, 2, (2000, 2))
    assert (found.locate(x) >= 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_length_do_not_matter(scale):
    network = random_network(2, 8, 8, 1, seed=5)
    moved = random_network(2, 8, 8, 1, seed=5)
    with torch.no_grad():
        moved[0].weight /= scale
    one, other = cells(network, SQUARE), cells(moved, scale * SQUARE)
    assert len(one) == len(other)
    np.testing.assert_allclose(np.sort(other.areas) / scale**2, np.sort(one.areas), atol=1e-5)


def tetrahedron():
    V = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return V, np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


def test_cells_on_a_closed_mesh():
    V, F = tetrahedron()
    network = random_network(3, 8, 8, 2, seed=3)
    found = cells_on_mesh(network, V, F)
    assert found.euler == 2
    full = np.linalg.norm(np.cross(V[F[:, 1]] - V[F[:, 0]], V[F[:, 2]] - V[F[:, 0]]), axis=1) / 2
    np.testing.assert_allclose(np.bincount(found.face, found.areas), full, rtol=1e-12)
    assert (found.edge_cells >= 0).all()
    wide = found.areas > 1e-9
    assert (found.layers.patterns(found.centroids[wide]) == found.patterns[wide]).all()
    pieces = found.activation_cells
    assert found.n_activation_cells < len(found)
    for k in range(found.n_activation_cells):
        assert len(np.unique(as_keys(found.patterns[pieces == k]))) == 1
    with pytest.raises(ValueError, match="cells in R\\^3"):
        found.locate(np.zeros((1, 3)))


def test_a_flat_mesh_agrees_with_the_polygon():
    network = random_network(2, 10, 10, 1, seed=6)
    V = np.vstack([SQUARE, [[0.3, -0.2]]])
    F = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    plane, mesh = cells(network, SQUARE), cells_on_mesh(network, V, F)
    assert mesh.n_activation_cells == len(plane) and mesh.euler == 1
    np.testing.assert_allclose(
        np.sort(np.bincount(mesh.activation_cells, mesh.areas)), np.sort(plane.areas), atol=1e-12
    )
    assert mesh.n_linear_pieces == plane.n_linear_pieces


def test_triangles_fill_the_cells():
    found = cells(random_network(2, 7, 7, 1, seed=8), SQUARE)
    F, owner = found.triangles()
    a, b, c = found.vertices[F.T]
    double = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (double > -1e-14).all()
    np.testing.assert_allclose(np.bincount(owner, double) / 2, found.areas)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.GELU()),
            "2 other.* is Tanh",
        ),
        (nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(), nn.Linear(3, 1)), "layer 1 is LeakyReLU"),
        (nn.Linear(2, 3), "expected nn.Sequential, got Linear"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), "Linear layer before each ReLU, layer 0"),
        (nn.Sequential(), "at least one Linear"),
        (nn.Sequential(nn.Linear(3, 3), nn.ReLU()), "expected 2 inputs, got 3"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(4, 1)), "layer 2 expects 4 inputs"),
    ],
)
def test_networks_that_have_no_cells(network, message):
    with pytest.raises(ValueError, match=message):
        cells(network, SQUARE)


def test_weights_that_are_not_finite():
    network = random_network(2, 3, 1)
    with torch.no_grad():
        network[0].weight[0] = float("nan")
    with pytest.raises(ValueError, match="finite weights, got 2 others in layer 0"):
        cells(network, SQUARE)


def test_polygons_and_meshes_that_will_not_do():
    network = random_network(2, 3, 1)
    with pytest.raises(ValueError, match="convex"):
        cells(network, [[0, 0], [2, 0], [0.5, 0.5], [0, 2]])
    V, F = tetrahedron()
    flipped = F.copy()
    flipped[0] = flipped[0, ::-1]
    space = random_network(3, 3, 1)
    with pytest.raises(ValueError, match="3"):
        cells_on_mesh(space, V, flipped)
    with pytest.raises(ValueError, match="expected 3 inputs, got 2"):
        cells_on_mesh(network, V, F)


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.zeros(3)])
def test_points_that_do_not_fit(points):
    with pytest.raises(ValueError, match="points"):
        cells(random_network(2, 3, 1), SQUARE).locate(points)
