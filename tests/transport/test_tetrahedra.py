import numpy as np
import pytest
from scipy.spatial import Delaunay

from omt_course.transport.tetrahedra import GHOSTS, Tetrahedra
from omt_course.transport.triangulation import DONE, HIDDEN


def cloud(n, seed=0):
    return np.random.default_rng(seed).random((n, 3)) - 0.5


def paraboloid(y):
    return -(y**2).sum(axis=1) / 2


def inner(tetrahedra, n):
    corners = np.sort(tetrahedra.corners, axis=1)
    return {tuple(row) for row in corners[(corners < n).all(axis=1)].tolist()}


def centres(y, simplices):
    """Circumcentres: `2 <x, b - a> = |b|^2 - |a|^2` for the three edges at a corner."""
    edges = y[simplices[:, 1:]] - y[simplices[:, :1]]
    squares = (y**2).sum(axis=1)
    right = (squares[simplices[:, 1:]] - squares[simplices[:, :1]]) / 2
    return np.linalg.solve(edges, right[:, :, None])[:, :, 0]


@pytest.mark.parametrize("n, seed", [(10, 1), (100, 2), (2000, 3)])
def test_paraboloid_gives_delaunays_tetrahedra(n, seed):
    y = cloud(n, seed)
    tetrahedra = Tetrahedra(y, 1.0)
    assert tetrahedra.update(paraboloid(y)) == DONE
    simplices = np.sort(Delaunay(y).simplices, axis=1)
    found = inner(tetrahedra, n)
    assert found <= {tuple(row) for row in simplices.tolist()}
    near = np.linalg.norm(centres(y, simplices), axis=1) < 1.0
    assert near.sum() > 0 and {tuple(row) for row in simplices[near].tolist()} <= found


def test_neighbours_share_a_face_and_all_are_positive():
    y = cloud(500)
    t = Tetrahedra(y, 1.0)
    t.update(paraboloid(y))
    edges = t.points[t.corners[:, 1:]] - t.points[t.corners[:, :1]]
    volumes = np.linalg.det(edges) / 6
    assert volumes.min() > 0
    ghosts = t.points[-GHOSTS:]
    whole = abs(np.linalg.det(ghosts[1:] - ghosts[0])) / 6
    assert volumes.sum() == pytest.approx(whole, rel=1e-12)
    for s in range(len(t.corners)):
        for k in range(4):
            o = t.across[s, k]
            if o >= 0:
                face = set(t.corners[s].tolist()) - {int(t.corners[s, k])}
                assert face < set(t.corners[o].tolist()) and s in t.across[o]


def test_lattices_leave_no_ties():
    for side in (2, 3, 7):
        axis = (np.arange(side) + 0.5) / side - 0.5
        y = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        t = Tetrahedra(y, 1.0)
        assert t.update(paraboloid(y)) == DONE
        assert set(range(len(y))) <= set(t.corners.ravel().tolist())


def test_update_gives_what_a_fresh_start_gives():
    y = cloud(300)
    rng = np.random.default_rng(1)
    kept = Tetrahedra(y, 1.0)
    for size in (0, 1e-6, 1e-3, 3e-3):
        h = paraboloid(y) + size * rng.standard_normal(len(y))
        fresh = Tetrahedra(y, 1.0)
        status = fresh.update(h)
        assert kept.update(h) == status
        if status == DONE:
            assert inner(kept, 300) == inner(fresh, 300)


def test_a_point_without_a_cell_is_hidden_and_nothing_changes():
    y = cloud(200)
    t = Tetrahedra(y, 1.0)
    assert t.update(paraboloid(y)) == DONE
    before = t.corners
    h = paraboloid(y)
    h[np.argmin((y**2).sum(axis=1))] -= 0.5
    assert t.update(h) == HIDDEN
    assert t.corners is before


@pytest.mark.parametrize("first", [True, False])
def test_a_point_is_hidden_whether_it_comes_before_or_after_what_hides_it(first):
    y = np.vstack([[[0.01, 0.0, 0.0]], 0.3 * np.eye(3), -0.3 * np.eye(3)])
    h = np.r_[-1.0, np.zeros(6)]
    t = Tetrahedra(y, 1.0)
    t.order = np.arange(7) if first else np.arange(7)[::-1]
    assert t.update(h) == HIDDEN
