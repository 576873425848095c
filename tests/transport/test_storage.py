"""Results in files: bit for bit, whole or not there, nothing foreign."""

import dataclasses
import pickle

import numpy as np
import pytest

from omt_course.transport import semidiscrete
from omt_course.transport.domains import Box, Polygon, disk
from omt_course.transport.polyhedron import Polyhedron
from omt_course.transport.semidiscrete import solve

SQUARE = Box([0, 0], [1, 1])


def same_bits(a, b, name=""):
    """Compare two values of any of the kinds that a result holds, to the last bit and type."""
    if dataclasses.is_dataclass(a):
        assert type(a) is type(b), name
        for field in dataclasses.fields(a):
            same_bits(getattr(a, field.name), getattr(b, field.name), f"{name}.{field.name}")
    elif isinstance(a, tuple):
        assert isinstance(b, tuple) and len(a) == len(b), name
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            same_bits(x, y, f"{name}[{k}]")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, name
        assert a.tobytes() == b.tobytes(), name
    else:
        assert type(a) is type(b), (name, type(a), type(b))
        assert a == b or (a != a and b != b), name


RESULTS = {
    "square": lambda: solve(SQUARE, np.random.default_rng(0).random((50, 2))),
    "polygon": lambda: solve(
        Polygon([[0, 0], [2, 0], [1, 2]]),
        np.random.default_rng(1).normal(size=(20, 2)),
        2 * np.random.default_rng(1).dirichlet(np.full(20, 3.0)),
    ),
    "disk": lambda: solve(disk(0.5, 30), np.random.default_rng(2).random((40, 2)), tol=1e-6),
    "stopped": lambda: solve(
        SQUARE, np.random.default_rng(3).random((30, 2)), max_iter=1, strict=False
    ),
    "box": lambda: solve(Box([0, 0, 0], [1, 2, 3]), np.random.default_rng(4).random((15, 3))),
    "solid": lambda: solve(
        Polyhedron(np.vstack([np.zeros(3), np.eye(3)])), np.random.default_rng(5).random((12, 3))
    ),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_what_is_read_is_what_was_written(kind, tmp_path):
    result = RESULTS[kind]()
    path = tmp_path / "result.npz"
    assert result.save(path) is None
    again = semidiscrete.load(path)
    same_bits(result, again)
    # And it is alive: potentials, map, bracket and gradients are the same numbers.
    x = np.random.default_rng(9).random((20, result.domain.dimension)) / 4
    assert (again.transport(x) == result.transport(x)).all()
    assert (again.phi(x) == result.phi(x)).all()
    assert (again.points_gradient == result.points_gradient).all()
    assert again.bracket == result.bracket


def test_message_and_history_of_a_stopped_run_are_kept(tmp_path):
    result = RESULTS["stopped"]()
    result.save(tmp_path / "r.npz")
    again = semidiscrete.load(tmp_path / "r.npz")
    assert not again.converged and "max_iter = 1" in again.message
    assert np.isnan(again.history[0].damping) and again.history[1].damping > 0
    assert isinstance(again.history[1].n_evaluations, int)
    assert isinstance(again.converged, bool) and isinstance(again.n_iter, int)


def test_saving_twice_is_the_same_and_a_name_without_suffix_is_kept(tmp_path):
    result = RESULTS["square"]()
    for name in ("plain", "a/deep/folder.npz"):
        result.save(tmp_path / name)
        assert (tmp_path / name).is_file()
        same_bits(result, semidiscrete.load(str(tmp_path / name)))
    semidiscrete.load(tmp_path / "plain").save(tmp_path / "again")
    same_bits(result, semidiscrete.load(tmp_path / "again"))


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "r.npz"
    first, second = RESULTS["square"](), RESULTS["disk"]()
    first.save(path)
    before = path.read_bytes()

    def torn(stream, **arrays):
        stream.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", torn)
    with pytest.raises(OSError, match="disk full"):
        second.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]


def test_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        semidiscrete.load(tmp_path / "nothing.npz")


def test_files_of_other_makers_are_refused(tmp_path):
    path = tmp_path / "file"
    result = RESULTS["square"]()
    result.save(path)
    whole = path.read_bytes()

    for foreign in (b"", b"not a zip at all", whole[: len(whole) // 2], pickle.dumps({"a": 1})):
        path.write_bytes(foreign)
        with pytest.raises(ValueError, match="^path: expected a saved result"):
            semidiscrete.load(path)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="^path: expected a saved result"):
        semidiscrete.load(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match="^path: expected a saved result"):
        semidiscrete.load(tmp_path / "array.npy")


@pytest.mark.parametrize("change", ["drop", "kind", "code", "shape", "history"])
def test_tampered_files_are_refused(change, tmp_path):
    path = tmp_path / "r.npz"
    RESULTS["square"]().save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if change == "drop":
        del arrays["heights"]
    elif change == "kind":
        arrays["domain.kind"] = np.array("Universe")
    elif change == "code":
        arrays["heights"] = np.array([{"run": "me"}], dtype=object)
    elif change == "shape":
        arrays["domain.lower"] = np.zeros((2, 2))
    elif change == "history":
        arrays["history"] = arrays["history"][:, :-1]
    np.savez(path, **arrays, allow_pickle=True)
    with pytest.raises(ValueError, match="^path: expected a saved result"):
        semidiscrete.load(path)
