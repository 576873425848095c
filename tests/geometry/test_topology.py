"""Counts of elements and defects, on meshes whose counts are known."""

import numpy as np
import pytest

from omt_course.geometry import meshes, topology


def torus(k=8, m=6):
    """A k x m torus of triangles: genus 1."""
    i, j = np.meshgrid(np.arange(k), np.arange(m), indexing="ij")
    at = lambda a, b: ((i + a) % k) * m + (j + b) % m  # noqa: E731
    F = np.concatenate(
        [
            np.stack([at(0, 0), at(1, 0), at(1, 1)], axis=-1).reshape(-1, 3),
            np.stack([at(0, 0), at(1, 1), at(0, 1)], axis=-1).reshape(-1, 3),
        ]
    )
    u, v = 2 * np.pi * i.ravel() / k, 2 * np.pi * j.ravel() / m
    V = np.column_stack([(2 + np.cos(v)) * np.cos(u), (2 + np.cos(v)) * np.sin(u), np.sin(v)])
    return V, F


def strip(k, twisted):
    """A closed band of 2 k triangles: an annulus, or a Moebius band."""
    low, high = np.arange(k), k + np.arange(k)
    after, above = np.roll(low, -1), np.roll(high, -1)
    if twisted:
        after, above = after.copy(), above.copy()
        after[-1], above[-1] = k, 0
    F = np.concatenate(
        [np.stack([low, after, above], axis=1), np.stack([low, above, high], axis=1)]
    )
    u = 2 * np.pi * np.arange(k) / k
    half = u / 2 if twisted else 0 * u
    edge = [
        np.column_stack(
            [
                (2 + s * np.cos(half)) * np.cos(u),
                (2 + s * np.cos(half)) * np.sin(u),
                s * (np.sin(half) if twisted else 1 + 0 * u),
            ]
        )
        for s in (-0.5, 0.5)
    ]
    return np.concatenate(edge), F


def fan(k=6):
    """A disk of k triangles around vertex 0."""
    turn = 2 * np.pi * np.arange(k) / k
    V = np.vstack([np.zeros(3), np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])])
    rim = 1 + np.arange(k)
    return V, np.column_stack([np.zeros(k, dtype=int), rim, np.roll(rim, -1)])


@pytest.mark.parametrize("k, m", [(8, 6), (3, 3), (5, 9)])
def test_torus(k, m):
    V, F = torus(k, m)
    found = meshes.inspect(V, F)
    assert (found.n_vertices, found.n_edges, found.n_triangles) == (k * m, 3 * k * m, 2 * k * m)
    assert found.euler == 0 and found.genus == 1 and found.is_closed and not found.is_disk
    assert found.defects() == []


def test_a_disk_and_what_is_not_one():
    V, F = fan()
    found = meshes.inspect(V, F)
    assert found.is_disk and found.genus == 0 and found.euler == 1
    with pytest.raises(ValueError, match="expected a closed surface; got 1 boundary curves"):
        meshes.check(V, F, closed=True)
    V, F = strip(7, twisted=False)
    assert meshes.inspect(V, F).boundaries == 2
    with pytest.raises(ValueError, match="expected a disk; got 2 boundary curves"):
        meshes.check(V, F, disk=True)
    V, F = torus()
    with pytest.raises(ValueError, match="expected a disk; got 0 boundary curves"):
        meshes.check(V, F, disk=True)
    with pytest.raises(ValueError, match="got Euler number -1, 1 handles"):
        meshes.check(V, F[1:], disk=True)


def test_a_moebius_band_has_one_side():
    V, F = strip(9, twisted=True)
    found = meshes.inspect(V, F)
    assert found.flipped_triangles == -1 and found.flipped_edges > 0 and found.boundaries == 1
    with pytest.raises(ValueError, match="one side only"):
        meshes.check(V, F)


def test_a_flipped_patch_is_counted():
    rng = np.random.default_rng(0)
    V, F = torus(12, 10)
    patch = np.arange(17)
    F[patch] = F[patch][:, ::-1]
    found = meshes.inspect(V, F)
    assert found.flipped_triangles == 17
    with pytest.raises(ValueError, match=r"turn 17 triangles round"):
        meshes.check(V, F)
    turned = rng.permutation(len(F))[:200]  # more than half of 240: the rest is turned instead
    V, F = torus(12, 10)
    F[turned] = F[turned][:, ::-1]
    assert meshes.inspect(V, F).flipped_triangles == 40


def test_every_defect_is_counted_at_once():
    V, F = fan(8)
    V = np.vstack([V, [[5, 5, 5], [np.nan, 0, 0], [0.5, 0, 0]]])  # 9 loose, 10 NaN, 11 on a side
    F = np.vstack([F, F[0], [0, 1, 11], [0, 1, 10]])
    found = meshes.inspect(V, F)
    assert found.unreferenced == 1 and found.not_finite == 1 and found.repeated == 1
    assert found.zero_area == 1
    assert found.nonmanifold_edges == 2  # 0-1 has five triangles, 0-2 three
    with pytest.raises(ValueError) as error:
        meshes.check(V, F)
    for text in (
        "1 vertices with NaN",
        "1 vertices in no triangle",
        "1 triangles without area",
        "1 triangles on the three vertices",
        "edges with more than two triangles",
    ):
        assert text in str(error.value)


def test_components_share_no_vertex():
    V, F = fan()
    found = meshes.inspect(np.vstack([V, V + 5]), np.vstack([F, F + len(V)]))
    assert found.components == 2 and found.boundaries == 2 and found.genus is None
    with pytest.raises(ValueError, match="2 components"):
        meshes.check(np.vstack([V, V + 5]), np.vstack([F, F + len(V)]), disk=True)


def test_two_fans_at_a_vertex_are_no_surface():
    V, F = fan()
    second = F + len(V) - 1
    second[F == 0] = 0  # both hubs are vertex 0
    found = meshes.inspect(np.vstack([V, V[1:] + [0, 0, 1]]), np.vstack([F, second]))
    assert found.nonmanifold_vertices == 1 and found.nonmanifold_edges == 0
    assert not found.is_manifold
    bowtie = np.array([[0, 1, 2], [0, 3, 4]])
    assert meshes.inspect(np.eye(5)[:, :3], bowtie).nonmanifold_vertices == 1


@pytest.mark.parametrize("seed", range(5))
def test_counts_do_not_depend_on_the_numbering(seed):
    rng = np.random.default_rng(seed)
    V, F = strip(11, twisted=False)
    label = rng.permutation(len(V))
    shuffled = label[F][rng.permutation(len(F))]
    shuffled = np.stack([np.roll(t, rng.integers(3)) for t in shuffled])
    moved = np.empty_like(V)
    moved[label] = V
    assert meshes.inspect(moved, shuffled) == meshes.inspect(V, F)


def test_boundary_loops_run_with_the_surface_on_the_left():
    V, F = strip(7, twisted=False)
    loops = topology.boundary_loops(F)
    assert sorted(len(loop) for loop in loops) == [7, 7]
    sides = {tuple(side) for side in topology.half_edges(F).tolist()}
    for loop in loops:
        pairs = list(zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True))
        assert all(pair in sides and pair[::-1] not in sides for pair in pairs)
    assert topology.boundary_loops(torus()[1]) == []
    with pytest.raises(ValueError, match="closed curves"):
        topology.boundary_loops(np.array([[0, 1, 2], [0, 3, 4]]))


def test_edges_against_brute_force():
    _, F = torus(5, 4)
    brute = {tuple(sorted(pair)) for t in F.tolist() for pair in zip(t, t[1:] + t[:1], strict=True)}
    assert {tuple(e) for e in topology.edges(F).tolist()} == brute
