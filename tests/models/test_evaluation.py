"""Judging a run: known answers from a model that generates what we choose."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from omt_course.models import evaluation, factor_reading, metrics, run_data
from omt_course.models.classifier import LeNet
from omt_course.models.coverage import compare_supports
from omt_course.models.evaluation import evaluate_run, load_model, memory_scale
from omt_course.models.eye_colours import eye_colours
from omt_course.models.run_config import resolve
from omt_course.models.runs import train_run

SMALL = {"limit": 200, "epochs": 1, "latent_dim": 3, "target_error": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged") / "run"
    train_run("digits", resolve("digits", ("test", SMALL)), folder, progress=False)
    return folder


@pytest.fixture
def judge(monkeypatch):
    network = LeNet(generator=torch.Generator().manual_seed(0)).eval()
    judge = evaluation.Judge(
        network.name,
        lambda images: metrics.features(network, images),
        lambda images: metrics.probabilities(network, images),
    )
    monkeypatch.setattr(evaluation, "judge_of", lambda *arguments, **options: judge)
    return judge


def test_a_model_that_copies_is_found_out(folder, judge, monkeypatch):
    """Generated images are replaced by training images: all memorised, and close to unseen ones."""
    honest = evaluate_run(folder, n=150, progress=False)["kinds"]
    model = load_model(folder)
    seen = run_data.seen("digits", resolve("digits", ("test", SMALL)), folder, progress=False)

    class Copier:
        autoencoder = model.autoencoder

        def sample(self, n, *, generator):
            images = torch.as_tensor(seen.pixels[:n, None] / np.float32(255))
            return dataclasses.replace(model.sample(n, generator=generator), images=images)

    monkeypatch.setattr(evaluation, "load_model", lambda folder: Copier())
    copied = evaluate_run(folder, n=150, progress=False)["kinds"]
    assert copied["generated"]["memorised_share"] == 1.0
    assert copied["generated"]["frechet"] < 0.2 * honest["generated"]["frechet"]
    assert copied["unseen"] == honest["unseen"]
    assert copied["reconstructions"] == honest["reconstructions"]


def test_what_is_measured_is_what_the_metrics_say(folder, judge):
    found = evaluate_run(folder, n=120, seed=5, progress=False)
    assert found["compared_with"] == "mnist-5k/test" and found["n"] == 120
    model = load_model(folder)
    images = model.sample(120, generator=torch.Generator().manual_seed(5)).images
    pixels = torch.round(255 * images[:, 0]).to(torch.uint8).numpy()
    p = judge.probabilities(pixels)
    row = found["kinds"]["generated"]
    assert row["ambiguous_share"] == metrics.ambiguous_share(p)
    assert found["class_shares"]["generated"] == metrics.class_shares(p).tolist()
    assert row["rarest_class_share"] == min(found["class_shares"]["generated"])
    assert found["kinds"]["unseen"]["frechet"] is None
    unseen = run_data.unseen("digits", resolve("digits", ("test", SMALL)), folder, progress=False)
    rows = np.sort(np.random.default_rng(5).permutation(1000)[:120])
    real, made = judge.features(unseen.pixels[rows]), judge.features(pixels)
    assert row["frechet"] == float(metrics.frechet_distance(made, real))
    assert row["coverage"] == compare_supports(real, made, k=5).coverage
    assert evaluate_run(folder, n=120, seed=5, progress=False) == found
    assert evaluate_run(folder, n=120, seed=6, progress=False) != found


def test_a_run_that_saw_everything_is_compared_with_what_it_saw(judge, tmp_path):
    config = resolve("digits", ("test", SMALL | {"split": "all"}))
    train_run("digits", config, tmp_path, progress=False)
    assert evaluate_run(tmp_path, n=50, progress=False)["compared_with"] == "mnist-5k/all"


def test_the_scale_of_memory_is_a_median_of_nearest_distances(monkeypatch):
    """Grey values 0, 10, 20, 30, and 100 on one pixel: nearest others at 10, 10, 10, 10, 70."""
    images = np.zeros((5, 4, 4), np.uint8)
    images[:, 0, 0] = [0, 10, 20, 30, 100]
    assert memory_scale(images) == 10.0
    monkeypatch.setattr(evaluation, "_SCALE_SIZE", 2)  # 0 and 100, to the others
    assert memory_scale(images) == pytest.approx((10 + 70) / 2)


def test_colour_images_are_compared_by_means_of_blocks():
    """One pixel of a block changed by 160 changes its mean by 10."""
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[1, 5, 5, 2] = 160
    assert memory_scale(images) == pytest.approx(10.0)


def test_rendered_faces_are_judged_by_the_reader_of_factors(tmp_path, monkeypatch):
    """A reader that has seen 40 faces for one epoch: what it says is what the row says."""
    make = functools.partial(factor_reading.make_reader, 40, epochs=1)
    monkeypatch.setattr(factor_reading, "make_reader", make)
    small = {"n": 60, "epochs": 1, "latent_dim": 3, "target_error": 0.3}
    config = resolve("faces", ("test", small))
    train_run("faces", config, tmp_path, progress=False)
    found = evaluate_run(tmp_path, n=30, progress=False)
    assert found["judge"] == "64 units of a reader of 14 factors, 1 epochs on 40 faces"
    assert found["compared_with"] == f"synthetic/100, seed {2**32}"
    judge = evaluation.judge_of("faces", config, None, progress=False)
    images = load_model(tmp_path).sample(30, generator=torch.Generator().manual_seed(0)).images
    pixels = torch.round(255 * images).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    row = found["kinds"]["generated"]
    assert row["mixed_eyes_share"] == eye_colours(judge.readings(pixels)).mixed
    assert "ambiguous_share" not in row and "class_shares" not in found
    photographs = evaluation.judge_of("celeba", config, None, progress=False)
    assert photographs.readings is None and photographs.name == judge.name


def test_images_that_have_changed_since_are_refused(folder, judge, monkeypatch):
    changed = run_data.seen("digits", resolve("digits", ("test", SMALL)), folder, progress=False)
    changed.pixels[0, 0, 0] += 1
    monkeypatch.setattr(run_data, "seen", lambda *arguments, **options: changed)
    with pytest.raises(ValueError, match="expected those that the run in .* began with: sha256"):
        evaluate_run(folder, progress=False)


def test_bad_arguments(folder, judge, tmp_path):
    with pytest.raises(ValueError, match="n: expected more than 5 images of each kind; got 5"):
        evaluate_run(folder, n=5, progress=False)
    with pytest.raises(ValueError, match="has no run.json"):
        evaluate_run(tmp_path, progress=False)
