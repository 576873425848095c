"""The head that ships: its mesh, its symmetry, its morph targets, and how it turns."""

import numpy as np
import pytest

from omt_course.datasets import head as heads
from omt_course.datasets import shipped
from omt_course.datasets.head import LEFT_EYE, PIVOT, RIGHT_EYE, load, pose, rotation

STILL = {"angles": np.zeros(3), "hair": 0.0, "hanging": 0.5, "thickness": 0.02}


@pytest.fixture(scope="module")
def data():
    with np.load(shipped.path("faces", "head.npz")) as file:
        return {name: file[name] for name in file.files}


def test_file_is_small_and_whole(data):
    assert shipped.path("faces", "head.npz").stat().st_size < 900_000
    n, first = len(data["vertices"]), data["target_first"]
    assert np.isfinite(data["vertices"]).all()
    assert data["triangles"].min() == 0 and data["triangles"].max() == n - 1
    assert len(np.unique(data["triangles"])) == n
    assert len(first) == len(data["target_names"]) + 1
    assert first[0] == 0 and first[-1] == len(data["target_index"]) == len(data["target_delta"])
    assert (np.diff(first) > 0).all() and data["target_index"].max() < n
    assert len(set(data["target_names"])) == len(data["target_names"])


def test_every_edge_has_at_most_two_triangles_of_opposite_sense(data):
    f = data["triangles"].astype(int)
    directed = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    _, counts = np.unique(directed, axis=0, return_counts=True)
    assert counts.max() == 1
    v = data["vertices"][f].astype(float)
    area = np.linalg.norm(np.cross(v[:, 1] - v[:, 0], v[:, 2] - v[:, 0]), axis=1) / 2
    assert area.min() > 0


def test_head_and_targets_are_symmetric(data):
    mirror = data["mirror"].astype(int)
    flip = np.array([-1.0, 1.0, 1.0])
    assert (mirror[mirror] == np.arange(len(mirror))).all()
    v = data["vertices"].astype(float)
    assert np.abs(v[mirror] * flip - v).max() < 2e-5
    for name in ("lips", "lids", "openness"):
        assert (data[name][mirror] == data[name]).all()
    for name, a, b in zip(
        data["target_names"], data["target_first"], data["target_first"][1:], strict=False
    ):
        shift = np.zeros(v.shape)
        shift[data["target_index"][a:b]] = data["target_delta"][a:b]
        assert np.abs(shift[mirror] * flip - shift).max() <= 1, name  # rounding
    faces = {frozenset(t) for t in data["triangles"].tolist()}
    mirrored = {frozenset(t) for t in mirror[data["triangles"]].tolist()}
    assert len(faces & mirrored) > 0.99 * len(faces)


def test_eyes_are_where_the_shader_takes_them(data):
    v, f = data["vertices"].astype(float), data["triangles"]
    for part, centre in ((LEFT_EYE, heads.EYE), (RIGHT_EYE, -heads.EYE)):
        ball = v[np.unique(f[data["part"] == part])]
        assert np.abs(ball.mean(axis=0) - centre).max() < 0.01
        assert abs(np.linalg.norm(ball - centre, axis=1).mean() - heads.EYE_RADIUS) < 0.01


def test_targets_add_up():
    head = load()
    zero, turn = pose(head, {}, **STILL)
    assert np.allclose(turn, np.eye(3))
    smile, _ = pose(head, {"mouthSmile": 1.0}, **STILL)
    jaw, _ = pose(head, {"jawOpen": 1.0}, **STILL)
    both, _ = pose(head, {"mouthSmile": 0.5, "jawOpen": -2.0, "male": 0.0}, **STILL)
    assert np.abs(smile - zero).max() > 0.05 and np.abs(jaw - zero).max() > 0.1
    assert np.allclose(both - zero, 0.5 * (smile - zero) - 2 * (jaw - zero), atol=1e-12)
    assert (jaw - zero)[:, 1].min() < -0.2  # the chin goes down


@pytest.mark.parametrize("angles", [(0.5, 0, 0), (0, 0.3, 0), (0, 0, -0.2), (0.4, -0.2, 0.1)])
def test_head_turns_rigidly_and_shoulders_stay(angles):
    head = load()
    before, _ = pose(head, {}, **STILL)
    after, turn = pose(head, {}, **(STILL | {"angles": np.array(angles)}))
    rigid = head.follow[: head.n_head] == 1
    stays = head.follow[: head.n_head] == 0
    assert rigid.sum() > 3000 and stays.sum() > 20
    before, after = before[: head.n_head], after[: head.n_head]
    assert np.allclose(after[rigid] - PIVOT, (before[rigid] - PIVOT) @ turn.T, atol=1e-12)
    assert np.allclose(after[stays], before[stays])


def test_rotation_is_one_and_turns_as_said():
    turn = rotation(0.3, -0.2, 0.1)
    assert np.allclose(turn @ turn.T, np.eye(3)) and np.isclose(np.linalg.det(turn), 1)
    nose, crown = [0, 0, 1], [0, 1, 0]
    assert (rotation(0.3, 0, 0) @ nose)[0] > 0  # to the person's left
    assert (rotation(0, 0.3, 0) @ nose)[1] < 0  # down
    assert (rotation(0, 0, 0.3) @ crown)[0] > 0  # to the left shoulder


def test_hair_grows_outwards_from_the_scalp_only():
    head = load()
    bald, _ = pose(head, {}, **STILL)
    long, _ = pose(head, {}, **(STILL | {"hair": 0.2}))
    moved = np.linalg.norm(long - bald, axis=1)
    assert moved.max() == pytest.approx(0.2, abs=1e-9)
    low_front = (head.rest[:, 1] < 0.3) & (head.rest[:, 2] > -0.2)
    assert moved[: head.n_head][low_front[: head.n_head]].max() < 0.1
    assert moved[np.concatenate(head.eyes)].max() == 0


def test_glasses_move_with_the_eyes():
    head = load()
    before, _ = pose(head, {}, **STILL)
    after, _ = pose(head, {"eye-trans-out": 1.0}, **STILL)
    shift = (after - before)[-len(head.frame.centre) :]
    eyes = [(after - before)[eye].mean(axis=0) for eye in head.eyes]
    assert np.linalg.norm(eyes[0]) > 1e-3
    assert np.allclose(shift[head.frame.side == 1], eyes[0])
    assert np.allclose(shift[head.frame.side == 0], eyes[1])
