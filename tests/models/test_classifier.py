"""The judge: it learns real digits, its features are named, its arguments checked."""

import numpy as np
import pytest
import torch

from omt_course.datasets import digits
from omt_course.models import classifier as module
from omt_course.models.classifier import (
    LeNet,
    as_tensor,
    features,
    probabilities,
    train_classifier,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained():
    seen = digits.load(split="train")
    return train_classifier(seen.images[:1500], seen.labels[:1500], generator=generator(), epochs=3)


def test_unseen_digits_are_told_apart(trained):
    unseen = digits.load(split="test")
    rows = probabilities(trained, unseen.images)
    assert rows.shape == (1000, 10) and np.allclose(rows.sum(1), 1)
    assert (rows.argmax(1) == unseen.labels).mean() > 0.9


def test_features_are_those_before_the_head_and_named(trained):
    images = digits.load(split="test").images[:20]
    found = features(trained, images)
    assert found.values.shape == (20, 64) and found.values.dtype == np.float64
    assert found.name == trained.name == "64 units of a LeNet trained 3 epochs on 1500 images"
    with torch.no_grad():
        logits = trained.head(torch.from_numpy(found.values).float())
    expected = torch.softmax(logits.double(), 1).numpy()
    assert np.allclose(probabilities(trained, images), expected, atol=1e-6)


def test_bytes_and_floats_give_the_same(trained):
    few = digits.load(split="test")
    assert np.array_equal(
        probabilities(trained, few.images[:9]), probabilities(trained, few.floats[:9])
    )


def test_the_generator_rules_the_classifier():
    few = digits.load(split="train")
    images, labels = few.images[:60], few.labels[:60]
    first, second, third = (
        train_classifier(images, labels, generator=generator(seed), epochs=1).head[1].weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_images_are_moved_by_at_most_one_pixel():
    images = torch.zeros(200, 1, 28, 28)
    images[:, 0, 10, 20] = torch.arange(1.0, 201.0)
    moved = module._moved(images, generator())
    assert torch.equal(moved.sum((1, 2, 3)), torch.arange(1.0, 201.0))
    places = moved.flatten(1).argmax(1)
    offsets = set(zip((places // 28 - 10).tolist(), (places % 28 - 20).tolist(), strict=True))
    assert offsets == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}


def test_what_leaves_the_frame_is_replaced_by_background():
    moved = module._moved(torch.ones(50, 1, 28, 28), generator())
    assert set(moved.sum((1, 2, 3)).tolist()) <= {784.0, 756.0, 729.0}


def test_an_untrained_network_says_so():
    assert "untrained" in LeNet(generator=generator()).name


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((3, 28, 28), np.uint8), [0, 1], r"labels: expected shape \(3,\); got \(2,\)"),
        (np.zeros((3, 28, 28), np.uint8), [0, 2, 2], "labels: expected every class"),
        (np.zeros((3, 28, 28), np.uint8), [0, -1, 1], "labels: expected every class"),
        (np.zeros((3, 32, 32), np.uint8), [0, 1, 1], r"images: expected shape \(n, 28, 28\)"),
        (np.zeros((3, 28, 28), np.int64), [0, 1, 1], "images: expected uint8, or floats"),
        (np.full((3, 28, 28), 1.5), [0, 1, 1], "images: expected uint8, or floats in"),
        (np.full((3, 28, 28), np.nan), [0, 1, 1], "images: expected uint8, or floats in"),
    ],
)
def test_bad_arguments_are_named(images, labels, message):
    with pytest.raises(ValueError, match=message):
        train_classifier(images, labels, generator=generator())


def test_as_tensor_keeps_the_grey_values():
    grey = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)
    pixels = as_tensor(grey)
    assert pixels.shape == (1, 1, 28, 28) and pixels.dtype == torch.float32
    assert np.array_equal(np.rint(pixels.numpy()[:, 0] * 255), grey)
