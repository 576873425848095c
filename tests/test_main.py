"""The command line, run as a user runs it."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from omt_course import __version__
from omt_course.__main__ import main
from omt_course.commands.generate import contact_sheet
from omt_course.datasets import digits, registry
from omt_course.models import evaluation, metrics
from omt_course.models.classifier import LeNet

TRAIN = ["train", "digits", "--limit", "150", "--epochs", "2", "--latent-dim", "3"]
TRAIN += ["--target-error", "0.3"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Run a command line: exit code, stdout, last line of stderr."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as leave:
        code = leave.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, (captured.err.strip().splitlines() or [""])[-1]


@pytest.fixture
def points(folder):
    array = np.random.default_rng(0).random((100, 2))
    np.savetxt(folder / "points.csv", array, delimiter=",", header="x,y", comments="", fmt="%.17g")
    return array


# --- the whole ----------------------------------------------------------------------------------


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "omt_course", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"omt_course {__version__}")


@pytest.mark.parametrize(
    "command",
    ["", "data", "data list", "data fetch", "data verify", "solve", "sample", "evaluate", "train"]
    + ["train digits", "train faces", "train celeba"],
)
def test_every_command_has_help(capsys, command):
    code, out, _ = run(capsys, *command.split(), "--help")
    assert code == 0 and out.startswith("usage: omt") and "show this help" in out


def test_help_imports_nothing_heavy():
    heavy = "{'numpy', 'scipy', 'torch', 'matplotlib', 'pooch'}"
    script = (
        "import sys\n"
        "from omt_course.__main__ import main\n"
        "try:\n    main(['sample', '--help'])\n"
        "finally:\n"
        f"    assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: COMMAND"),
        (["teach"], "invalid choice: 'teach'"),
        (["solve", "points.csv"], "required: --out"),
        (["solve", "points.csv", "--out", "a.csv"], "expected a name ending in .npz; got a.csv"),
        (["solve", "p.csv", "--out", "a.npz", "--disk", "1", "--box", *"0011"], "not allowed with"),
        (["sample", "model", "--out", "a.jpg"], "expected a name ending in .png or .npz"),
        (["sample", "model", "--out", "a.png", "-n", "0"], "expected a positive integer; got 0"),
        (["sample", "model", "--out", "a.png", "--seed", "-1"], "expected a whole number, 0 to"),
        (["evaluate", "run", "--out", "a.txt"], "expected a name ending in .json; got a.txt"),
        (["train", "digits", "--out", "m.safetensors"], "expected a folder, in which the model"),
        (["train", "digits", "--out", "run", "--data", "cifar"], "invalid choice"),
        (["train", "digits", "--out", "run", "--epochs", "0"], "a whole number, 1 or more; got 0"),
        (["train", "digits", "--out", "run", "--epochs", "many"], "1 or more; got 'many'"),
        (["train", "digits", "--out", "run", "--folder", "a"], "unrecognized arguments"),
        (["train", "faces", "--out", "run", "--target-error", "2"], "between 0 and 1; got 2.0"),
    ],
)
def test_wrong_usage_exits_with_two(capsys, arguments, message):
    code, out, error = run(capsys, *arguments)
    assert code == 2 and out == "" and message in error


def test_an_interrupt_exits_with_130(capsys, points, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("omt_course.transport.semidiscrete.solve", interrupted)
    code, _, error = run(capsys, "solve", "points.csv", "--out", "a.npz")
    assert (code, error) == (130, "omt: interrupted")


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals")
def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m omt_course data list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


# --- solve --------------------------------------------------------------------------------------


def test_solve_writes_what_the_library_finds(capsys, points, folder):
    code, out, _ = run(capsys, "solve", "points.csv", "--out", "deep/result.npz")
    assert code == 0 and "W2^2 = 0.01037423" in out and "deep/result.npz" in out
    with np.load("deep/result.npz") as stored:
        assert np.array_equal(stored["points"], points)
        assert stored["w2_squared"] == pytest.approx(0.0103742322, rel=2e-8)
        assert stored["max_relative_error"] <= 1e-10 and stored["converged"]
        assert np.allclose(stored["cell_masses"], stored["masses"], rtol=1e-9)
        assert stored["heights"].shape == (100,) and stored["centroids"].shape == (100, 2)


def test_progress_goes_to_stderr(capsys, points):
    main(["solve", "points.csv", "--out", "a.npz"])
    captured = capsys.readouterr()
    assert "step   0" in captured.err and "step" not in captured.out.splitlines()[0]


def test_masses_come_from_a_column_or_a_file(capsys, points):
    masses = np.random.default_rng(1).random(100) + 0.5
    masses /= masses.sum()
    table = np.column_stack([points[:, 0], masses, points[:, 1]])
    np.savetxt("named.csv", table, delimiter=",", header="x, mass, y", comments="", fmt="%.17g")
    np.savetxt("bare.csv", table, delimiter=",", fmt="%.17g")
    np.savetxt("masses.csv", masses, fmt="%.17g")
    lines = [
        ["named.csv", "--mass-column", "mass"],
        ["bare.csv", "--mass-column", "2"],
        ["points.csv", "--masses", "masses.csv"],
    ]
    found = []
    for line in lines:
        code, _, error = run(capsys, "solve", *line, "--out", "a.npz")
        assert code == 0, error
        with np.load("a.npz") as stored:
            assert np.array_equal(stored["masses"], masses)
            assert np.array_equal(stored["points"], points)
            found.append(stored["w2_squared"].item())
    assert found == pytest.approx([found[0]] * 3, rel=1e-12)


def test_domains(capsys, points):
    """A box of area 4, a disk of nearly pi, and the triangle given by a file."""
    np.savetxt("corners.csv", [[0, 0], [2, 0], [0, 2]], delimiter=",")
    for arguments, area in [
        (["--box", "-1", "-1", "1", "1"], 4),
        (["--disk", "1"], 128 * np.sin(2 * np.pi / 256)),
        (["--polygon", "corners.csv"], 2),
    ]:
        code, _, error = run(capsys, "solve", "points.csv", "--out", "a.npz", *arguments)
        assert code == 0, error
        with np.load("a.npz") as stored:
            assert stored["cell_masses"].sum() == pytest.approx(area, rel=1e-3)


def test_points_in_space_and_the_bracket(capsys, folder):
    points = np.random.default_rng(0).random((30, 3))
    np.savetxt("space.csv", points, delimiter=",")
    box = ["--box", *"000211"]
    code, out, error = run(capsys, "solve", "space.csv", "--out", "a.npz", *box)
    assert code == 0, error
    with np.load("a.npz") as stored:
        assert stored["cell_masses"] == pytest.approx(np.full(30, 2 / 30), rel=1e-9)
        assert stored["lower"] <= stored["w2_squared"] <= stored["upper"]
    assert "between" in out


@pytest.mark.parametrize(
    "content, arguments, message",
    [
        ("0,0\n1,0\n0,1", ["--box", "0", "0", "1"], "--box: expected 4 or 6 numbers; got 3"),
        (None, [], "points.csv: No such file or directory"),
        ("", [], "points.csv: expected at least one line of numbers; got none"),
        ("x,y\n", [], "expected at least one line of numbers"),
        ("0,0\n1,0,3\n0,1", [], "points.csv, line 2: expected 2 columns; got 3"),
        ("0,0\n1,zero\n0,1", [], "points.csv, line 2: expected numbers; got '1,zero'"),
        ("x,y\na,b\n0,1", [], "points.csv, line 2: expected numbers; got 'a,b'"),
        ("0,0\n1,nan\n0,1", [], "points"),
        ("0,0\n1,0", [], "points"),
        ("0,0\n0,0\n1,1", [], "points"),
        ("0,0\n.5,.5\n1,1", [], "points"),
        ("0,0,1\n1,0,1\n0,1,1", ["--mass-column", "weight"], "expected one of 1, 2, 3; got weight"),
        ("0,0,.5\n1,0,.5\n0,1,.5", ["--mass-column", "3"], "masses"),
        ("0,0\n1,0\n0,1", ["--masses", "nowhere.csv"], "nowhere.csv: No such file"),
        ("0,0\n1,0\n0,1", ["--box", "0", "0", "0", "1"], "upper"),
        ("0,0\n1,0\n0,1", ["--disk", "-1"], "radius"),
        ("0,0\n1,0\n0,1", ["--polygon", "points.csv", "--tol", "-1"], "tol"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, folder, content, arguments, message):
    if content is not None:
        (folder / "points.csv").write_text(content)
    code, out, error = run(capsys, "solve", "points.csv", "--out", "a.npz", *arguments)
    assert code == 1 and out == "" and error.startswith("omt: ") and message in error
    assert not (folder / "a.npz").exists()


def test_an_unconverged_run_keeps_the_old_result(capsys, points, folder):
    (folder / "a.npz").write_bytes(b"the old result")
    code, _, error = run(capsys, "solve", "points.csv", "--out", "a.npz", "--max-iter", "1")
    assert code == 1 and error.startswith("omt: semidiscrete.solve")
    assert (folder / "a.npz").read_bytes() == b"the old result"


# --- data ---------------------------------------------------------------------------------------


@pytest.fixture
def small_registry(folder, monkeypatch):
    """The registry with one small file a set and no mirror that answers."""
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, str(folder / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "user"))
    content = b"some digits"
    (folder / "content").write_bytes(content)
    file = registry.RemoteFile("digits.gz", registry.sha256_of(folder / "content"), len(content))
    for name, collection in registry.REGISTRY.items():
        changed = dataclasses.replace(collection, mirrors=("http://127.0.0.1:9/",), files=(file,))
        monkeypatch.setitem(registry.REGISTRY, name, changed)
    images, labels = np.zeros((5000, 28, 28), np.uint8), np.zeros(5000, int)
    monkeypatch.setattr(digits, "_parse_embedded", lambda: (images, labels))
    path = folder / "cache" / "mnist" / "digits.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_data_list_shows_what_is_here(capsys, small_registry, folder):
    code, out, _ = run(capsys, "data", "list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0 and str(folder / "cache") in lines["cache"]
    assert "shipped" in lines["mnist-5k"] and "CC BY-SA 3.0" in lines["mnist"]
    assert " here " in lines["mnist"] and " missing " in lines["fashion-mnist"]
    small_registry.write_bytes(b"damaged")
    assert " damaged " in run(capsys, "data", "list")[1]


def test_data_verify_finds_what_is_damaged(capsys, small_registry):
    code, out, _ = run(capsys, "data", "verify")
    assert code == 0
    states = [line.split()[0] for line in out.splitlines()]
    assert states == ["ok", "ok", "missing", "missing", "missing"]
    code, _, error = run(capsys, "data", "verify", "fashion-mnist")
    assert code == 1 and "1 files are damaged or missing" in error
    small_registry.write_bytes(b"damaged")
    code, out, error = run(capsys, "data", "verify")
    assert code == 1 and "damaged" in out and "run 'omt data fetch" in error


def test_data_fetch(capsys, small_registry):
    code, out, _ = run(capsys, "data", "fetch", "mnist", "mnist-5k")
    assert code == 0 and str(small_registry) in out and "5000 digits" in out
    code, _, error = run(capsys, "data", "fetch", "fashion-mnist")
    assert code == 1 and "go online and run 'omt data fetch fashion-mnist'" in error
    code, _, error = run(capsys, "data", "fetch", "cifar")
    assert code == 1 and "expected data sets among mnist-5k" in error


# --- train, sample and evaluate -----------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a small run."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main([*TRAIN, "--out", str(folder)]) == 0
    return folder


def test_a_model_is_trained_and_sampled(capsys, trained, folder):
    code, out, _ = run(capsys, "sample", trained, "--out", "digits.npz", "-n", 7, "--seed", 3)
    assert code == 0 and "digits.npz (7 images)" in out
    model = trained / "model.safetensors"
    run(capsys, "sample", model, "--out", "again.npz", "-n", 7, "--seed", 3)
    run(capsys, "sample", trained, "--out", "other.npz", "-n", 7, "--seed", 4)
    with np.load("digits.npz") as a, np.load("again.npz") as b, np.load("other.npz") as c:
        assert a["images"].shape == (7, 28, 28) and a["images"].dtype == np.uint8
        assert a["codes"].shape == (7, 3)
        assert np.array_equal(a["images"], b["images"])
        assert not np.array_equal(a["images"], c["images"])


def test_the_sheet_shows_the_digits_of_the_npz(capsys, trained):
    from matplotlib.image import imread

    for name in ("sheet.png", "digits.npz"):
        assert run(capsys, "sample", trained, "--out", name, "-n", 5)[0] == 0
    sheet = imread("sheet.png")
    assert sheet.shape[:2] == (56, 84)
    with np.load("digits.npz") as stored:
        expected = 255 - contact_sheet(stored["images"])
    assert np.abs(np.rint(255 * sheet[:, :, 0]) - expected).max() <= 1


def test_a_config_file_does_what_options_do_and_options_win(capsys, trained, folder):
    (folder / "run.toml").write_text(
        "limit = 150\nepochs = 99\nlatent_dim = 3\ntarget_error = 0.3\n"
    )
    command = ["train", "digits", "--config", "run.toml", "--epochs", 2, "--out", "again"]
    code, out, error = run(capsys, *command)
    assert code == 0 and "mass error of the transport" in out, error
    for name in (trained, "again"):
        run(capsys, "sample", name, "--out", f"{os.path.basename(name)}.npz", "-n", 3)
    with np.load("run.npz") as a, np.load("again.npz") as b:
        assert np.array_equal(a["images"], b["images"])
    before = {path: path.stat().st_mtime_ns for path in (folder / "again").iterdir()}
    code, out, _ = run(capsys, *command)
    assert code == 0 and "finished before: again" in out
    after = {path: path.stat().st_mtime_ns for path in (folder / "again").iterdir()}
    assert after == before
    code, _, error = run(capsys, *command[:-4], "--out", "again")
    assert code == 1 and "holds a run with another config: epochs = 2 not 99" in error


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "run.toml: No such file or directory"),
        ("epochs: 3", "run.toml: expected TOML, one 'key = value' a line"),
        ("epoch = 3", "run.toml: 'epoch' is no setting of 'omt train digits'; did you mean epochs"),
        ("epochs = 3.5", "run.toml: epochs: expected a whole number, 1 or more; got 3.5"),
    ],
)
def test_a_bad_config_is_one_clear_line(capsys, folder, content, message):
    if content is not None:
        (folder / "run.toml").write_text(content)
    code, out, error = run(capsys, "train", "digits", "--config", "run.toml", "--out", "run")
    assert code == 1 and out == "" and error.startswith("omt: ") and message in error
    assert not (folder / "run").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_training_is_interrupted_and_resumed(folder, capsys):
    """Ctrl-C during a long training; with the same command it goes on where it was."""
    command = [*TRAIN, "--out", "run"]
    command[command.index("--epochs") + 1] = "100000"
    process = subprocess.Popen(
        [sys.executable, "-m", "omt_course", *command],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (folder / "run" / "training.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "omt: interrupted: the same command goes on after the last epoch or look" in error
    assert "Traceback" not in error
    names = sorted(path.name for path in (folder / "run").iterdir())
    assert names == [".lock", "data.json", "log.jsonl", "run.json", "training.ckpt"]
    command[command.index("--epochs") + 1] = "2"
    code, _, error = run(capsys, *command)
    assert code == 1 and "epochs = 100000 not 2" in error


def test_a_run_that_is_not_finished_has_no_model(capsys, folder):
    (folder / "run").mkdir()
    code, _, error = run(capsys, "sample", "run", "--out", "a.png")
    assert code == 1 and "run has no run.json" in error
    header = {"format": "omt_course.run/1", "model": "digits", "config": {}}
    (folder / "run" / "run.json").write_text(json.dumps(header))
    code, _, error = run(capsys, "evaluate", "run")
    assert code == 1 and "expected a finished run; run has no model.safetensors yet" in error


def test_a_file_that_is_no_model_is_refused(capsys, folder):
    (folder / "model").write_text("hello")
    code, _, error = run(capsys, "sample", "model", "--out", "a.png")
    assert code == 1 and "expected a model file" in error
    code, _, error = run(capsys, "sample", "nowhere", "--out", "a.png")
    assert code == 1 and "no such file" in error


def test_an_evaluation_is_printed_and_kept(capsys, trained, folder, monkeypatch):
    """By an untrained judge, in no time; what is measured is tested with `evaluation`."""
    judge = LeNet(generator=torch.Generator().manual_seed(0)).eval()
    features = functools.partial(metrics.features, judge)
    probabilities = functools.partial(metrics.probabilities, judge)
    untrained = evaluation.Judge(judge.name, features, probabilities)
    monkeypatch.setattr(evaluation, "judge_of", lambda *arguments, **options: untrained)
    code, out, error = run(capsys, "evaluate", trained, "-n", 200, "--out", "found.json")
    assert code == 0, error
    found = json.loads((folder / "found.json").read_text())
    assert found["judge"] == "64 units of an untrained LeNet" and found["judge"] in out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    for kind, row in found["kinds"].items():
        for printed, value in zip(lines[kind], row.values(), strict=True):
            assert printed == "-" if value is None else float(printed) == pytest.approx(value, 1e-3)


def test_contact_sheet_is_as_square_as_can_be():
    images = np.arange(7 * 6).reshape(7, 2, 3)
    sheet = contact_sheet(images)
    assert sheet.shape == (6, 9)
    assert np.array_equal(sheet[2:4, 3:6], images[4])
    assert np.array_equal(sheet[4:6, :3], images[6]) and not sheet[4:6, 3:].any()


def test_contact_sheet_keeps_colours():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    sheet = contact_sheet(images)
    assert sheet.shape == (8, 10, 3) and np.array_equal(sheet[4:, :5], images[2])
    for colour in range(3):
        assert np.array_equal(sheet[..., colour], contact_sheet(images[..., colour]))
