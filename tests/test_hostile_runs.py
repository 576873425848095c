"""Runs on bad ground: unusable images, folders that lack their lists, full disks, interruptions."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from omt_course import files
from omt_course.__main__ import main
from omt_course.models import checkpoints
from omt_course.models.run_folder import read_log

DIGITS = ["train", "digits", "--limit", "64", "--epochs", "2", "--latent-dim", "3"]
DIGITS += ["--target-error", "0.3", "--out", "run"]
FACES = ["train", "faces", "--data", "folder", "--folder", "photos", "--epochs", "1"]
FACES += ["--latent-dim", "3", "--target-error", "0.3", "--out", "run"]
CELEBA = ["train", "celeba", "--folder", "celeba", "--epochs", "1", "--latent-dim", "3"]
CELEBA += ["--target-error", "0.3", "--out", "run"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Run a command line: exit code, stdout, all of stderr."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as leave:
        code = leave.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def photographs(folder, n=20, *, same=False):
    """Write images that differ, or one image n times."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for k in range(n):
        if k == 0 or not same:
            blocks = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((9, 9, 1), np.uint8))).save(folder / f"{k:02d}.png")


# --- images -------------------------------------------------------------------------------------


def not_an_image(path):
    path.write_text("not an image")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:300])


def of_sixteen_bits(path):
    Image.fromarray(np.zeros((70, 70), np.uint16)).save(path)


def with_transparency(path):
    Image.new("RGBA", (70, 70)).save(path)


def too_small(path):
    Image.new("RGB", (63, 200)).save(path)


@pytest.mark.parametrize(
    "damage, message",
    [
        (not_an_image, "cannot be read"),
        (cut_off, "cannot be read"),
        (of_sixteen_bits, "expected mode RGB or L"),
        (with_transparency, "has RGBA"),
        (too_small, "expected sides of at least 64 pixels"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(capsys, folder, damage, message):
    photographs(folder / "photos", 12)
    damage(folder / "photos" / "07.png")
    code, out, error = run(capsys, *FACES)
    last = error.strip().splitlines()[-1]
    assert code == 1 and out == "" and last.startswith("omt: folder: ")
    assert message in last and "07.png" in last and "skip_unreadable" in last
    assert not (folder / "run" / "model.safetensors").exists()


def test_unreadable_images_are_left_out_when_asked_and_named(capsys, folder):
    photographs(folder / "photos", 24)
    for name in ("03.png", "17.png"):
        not_an_image(folder / "photos" / name)
    code, out, error = run(capsys, *FACES, "--skip-unreadable")
    assert code == 0, error
    assert "2 files left out: 03.png, 17.png" in error
    data = json.loads((folder / "run" / "data.json").read_text())
    assert data["skipped"] == ["03.png", "17.png"] and data["shape"] == [20, 64, 64, 3]
    code, out, error = run(capsys, "sample", "run", "--out", "sheet.png", "-n", 4)
    assert code == 0, error
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (128, 128)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda photos: None, "photos"),
        (lambda photos: photos.mkdir(), "expected images"),
        (lambda photos: photographs(photos, 9), "expected 10 images or more; got 9"),
        (lambda photos: photographs(photos, 12, same=True), "every coordinate is constant"),
    ],
    ids=["no folder", "no images", "too few", "all the same"],
)
def test_a_folder_without_enough_to_learn_from(capsys, folder, change, message):
    change(folder / "photos")
    code, out, error = run(capsys, *FACES)
    assert code == 1 and out == "" and message in error.strip().splitlines()[-1]


def celeba(folder, n=14):
    """Write a small CelebA: two lists, images of 178 x 218 pixels."""
    images = folder / "img_align_celeba"
    images.mkdir(parents=True)
    names = [f"{k + 1:06d}.jpg" for k in range(n)]
    for k, name in enumerate(names):
        blocks = np.random.default_rng(k).integers(0, 256, (8, 7, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((178, 218), Image.Resampling.BILINEAR)
        picture.save(images / name, quality=95)
    rows = [f"{name}  1 -1" for name in names]
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(n), "Male Smiling", *rows, ""]))
    parts = [f"{name} {0 if k < n - 2 else 2}" for k, name in enumerate(names)]
    (folder / "list_eval_partition.txt").write_text("\n".join([*parts, ""]))


def test_celeba_is_learnt_from_its_own_layout(capsys, folder):
    celeba(folder / "celeba")
    code, out, error = run(capsys, *CELEBA)
    assert code == 0, error
    assert "12 images of celeba/train" in error and "model.safetensors" in out


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_celeba_without_a_list(capsys, folder, name):
    celeba(folder / "celeba", 3)
    (folder / "celeba" / name).unlink()
    code, out, error = run(capsys, *CELEBA)
    assert code == 1 and f"missing: {name}" in error.strip().splitlines()[-1]


def test_celeba_needs_its_folder(capsys):
    code, out, error = run(capsys, "train", "celeba", "--out", "run")
    assert code == 1 and "folder: expected the folder of the images; got none" in error


# --- disks --------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="limits of processes")
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(capsys, folder):
    """The system itself refuses to write files of more than 100 kB."""
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from omt_course.__main__ import main\n"
        f"sys.exit(main({DIGITS!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert last.startswith("omt: run/training.ckpt: File too large; run is whole up to its last")
    assert "make room, and the same command goes on" in last
    names = {path.name for path in (folder / "run").iterdir()}
    assert names == {".lock", "run.json", "data.json", "log.jsonl"}
    code, out, error = run(capsys, *DIGITS)
    assert code == 0 and "written: run/model.safetensors" in out, error


def full_after(monkeypatch, name):
    """Let the disk be full when a file of this name is written."""
    replace = os.replace

    def refuse(source, target):
        if os.path.basename(target) == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(files.os, "replace", refuse)


@pytest.mark.parametrize("name", ["transport.ckpt", "model.safetensors", "report.json"])
def test_whatever_file_finds_the_disk_full(capsys, folder, monkeypatch, name):
    with monkeypatch.context() as patch:
        full_after(patch, name)
        code, out, error = run(capsys, *DIGITS)
    last = error.strip().splitlines()[-1]
    assert code == 1 and out == "" and f"run/{name}: No space left on device; run is whole" in last
    assert not list((folder / "run").glob("*.tmp"))
    epochs = sum(entry["stage"] == "autoencoder" for entry in read_log(folder / "run"))
    assert run(capsys, *DIGITS)[0] == 0
    again = [entry for entry in read_log(folder / "run") if entry["stage"] == "autoencoder"]
    assert len(again) == epochs == 2  # the autoencoder is not trained twice


def test_samples_on_a_full_disk_leave_the_old_file(capsys, folder, monkeypatch):
    assert run(capsys, *DIGITS)[0] == 0
    (folder / "sheet.png").write_bytes(b"the old sheet")
    with monkeypatch.context() as patch:
        full_after(patch, "sheet.png")
        code, out, error = run(capsys, "sample", "run", "--out", "sheet.png")
    assert code == 1 and error == "omt: sheet.png: No space left on device\n"
    assert (folder / "sheet.png").read_bytes() == b"the old sheet"
    assert sorted(path.name for path in folder.iterdir()) == ["run", "sheet.png"]


# --- files of a run -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["training.ckpt", "transport.ckpt"])
def test_a_damaged_checkpoint_is_named_and_can_be_deleted(capsys, folder, name):
    assert run(capsys, *DIGITS)[0] == 0
    path = folder / "run" / name
    path.write_bytes(path.read_bytes()[:1000])
    (folder / "run" / "report.json").unlink()
    code, out, error = run(capsys, *DIGITS)
    last = error.strip().splitlines()[-1]
    assert code == 1 and f"run/{name} is damaged or something else" in last
    assert "delete it to start over" in last
    path.unlink()
    assert run(capsys, *DIGITS)[0] == 0


def test_a_damaged_model_is_refused(capsys, folder):
    assert run(capsys, *DIGITS)[0] == 0
    path = folder / "run" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    code, out, error = run(capsys, "sample", "run", "--out", "a.png")
    assert code == 1 and "expected a model file; run/model.safetensors is damaged" in error


@pytest.mark.parametrize("stage", ["training", "transport"])
def test_ctrl_c_says_how_to_go_on(capsys, folder, monkeypatch, stage):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if stage == "training":
            patch.setattr(checkpoints, "save", interrupted)
        else:
            patch.setattr("omt_course.transport.descent.keep", interrupted)
        code, out, error = run(capsys, *DIGITS)
    last = error.strip().splitlines()[-1]
    assert code == 130
    assert last == "omt: interrupted: the same command goes on after the last epoch or look"
    assert run(capsys, *DIGITS)[0] == 0
