"""Images in and out: axes, ranges, round trips."""

import numpy as np
import pytest
import torch

from omt_course.models.images import as_bytes, as_floats, as_pixels


@pytest.mark.parametrize("shape", [(4, 28, 28), (4, 64, 48, 3), (4, 3, 3, 3)])
def test_bytes_survive_the_round_trip(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels = as_pixels(images)
    assert pixels.dtype == torch.uint8 and pixels.ndim == 4
    back = as_bytes(as_floats(pixels))
    if shape[1:] == (3, 3, 3):  # both readings are possible: channels first wins
        back = back.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(back, images)


def test_colour_is_moved_to_the_front():
    images = np.zeros((2, 8, 16, 3))
    images[1, 5, 7] = 0.25, 0.5, 1.0
    pixels = as_pixels(images)
    assert pixels.shape == (2, 3, 8, 16) and pixels.dtype == torch.float32
    assert pixels[1, :, 5, 7].tolist() == [0.25, 0.5, 1.0]
    assert as_pixels(pixels).shape == pixels.shape


def test_floats_are_rounded_not_cut():
    assert as_bytes(torch.full((1, 1, 1, 1), 0.9999)).item() == 255
    assert as_bytes(torch.full((1, 1, 1, 1), 1.2)).item() == 255


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((5, 5), np.uint8), r"images: expected shape .*got \(5, 5\)"),
        (np.zeros((5, 8, 8, 4), np.uint8), r"got \(5, 8, 8, 4\)"),
        (np.zeros((0, 8, 8), np.uint8), r"got \(0, 8, 8\)"),
        (np.full((1, 8, 8), -0.1), "images: expected uint8, or floats in"),
        (np.full((1, 8, 8), np.nan), "images: expected uint8, or floats in"),
        (np.zeros((1, 8, 8), np.int64), "images: expected uint8, or floats in"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        as_pixels(images)


def test_other_tensors_are_not_shown():
    with pytest.raises(ValueError, match="c = 1 or 3; got"):
        as_bytes(torch.zeros(2, 4, 8, 8))
