"""Images as networks take them, and back: which axis is colour, which numbers are pixels.

Large sets stay in bytes; a batch becomes floats when a network needs it. Used by the autoencoders
and by AE-OMT, taught on the pages *AE-OMT on MNIST* and *AE-OMT on faces*.
"""

import torch

CHANNELS = (1, 3)


def as_pixels(images):
    """Return images as a tensor with the channels first, its numbers unchanged.

    Parameters
    ----------
    images : (n, h, w), (n, h, w, 3) or (n, c, h, w) array or tensor, c = 1 or 3
        uint8, or floats in [0, 1]. Without an axis of colours the images are grey.

    Returns
    -------
    pixels : (n, c, h, w) uint8 or float32 tensor

    Raises
    ------
    ValueError
        If the shape or the values are others.

    Examples
    --------
    >>> import numpy as np
    >>> as_pixels(np.zeros((5, 64, 64, 3), np.uint8)).shape
    torch.Size([5, 3, 64, 64])
    >>> as_pixels(np.zeros((5, 28, 28))).dtype
    torch.float32
    """
    pixels = torch.as_tensor(images)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and pixels.shape[1] not in CHANNELS and pixels.shape[3] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    if pixels.ndim != 4 or pixels.shape[1] not in CHANNELS or min(pixels.shape) == 0:
        raise ValueError(
            "images: expected shape (n, h, w), (n, h, w, 3) or (n, c, h, w) with c = 1 or 3; got "
            f"{tuple(torch.as_tensor(images).shape)}"
        )
    if pixels.dtype == torch.uint8:
        return pixels.contiguous()
    if not pixels.is_floating_point() or not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("images: expected uint8, or floats in [0, 1]; got something else")
    return pixels.float().contiguous()


def as_floats(pixels):
    """Return bytes as float32 in [0, 1], and floats as they are.

    Examples
    --------
    >>> as_floats(torch.tensor([0, 51], dtype=torch.uint8))
    tensor([0.0000, 0.2000])
    """
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def as_bytes(images):
    """Return images of a decoder as they are stored and shown.

    Parameters
    ----------
    images : (n, c, h, w) float tensor in [0, 1]
        c = 1 or 3.

    Returns
    -------
    images : (n, h, w) or (n, h, w, 3) uint8 array

    Examples
    --------
    >>> as_bytes(torch.full((2, 3, 8, 8), 0.2)).shape, as_bytes(torch.ones(1, 1, 2, 2)).tolist()
    ((2, 8, 8, 3), [[[255, 255], [255, 255]]])
    """
    if images.ndim != 4 or images.shape[1] not in CHANNELS:
        raise ValueError(
            f"images: expected shape (n, c, h, w) with c = 1 or 3; got {tuple(images.shape)}"
        )
    grey = images.shape[1] == 1
    rounded = torch.round(255 * images.clamp(0, 1)).to(torch.uint8).cpu()
    return (rounded[:, 0] if grey else rounded.permute(0, 2, 3, 1).contiguous()).numpy()
