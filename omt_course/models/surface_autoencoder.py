"""Autoencoders 3 -> 2 -> 3 of a surface: the encoder is a chart, the decoder a parametric surface.

`fit` trains on points of the surface alone, as the article does. `imitate` starts both halves from
a chart that is known, and `fit` can ask every triangle to keep its orientation.
"""

import contextlib
import math

import numpy as np
import torch
from torch import nn

from omt_course.models.orientation_penalty import OrientationPenalty
from omt_course.models.training import seeded, train

ARTICLE_WIDTHS = (3, 768, 384, 192, 96, 48, 2)
ACTIVATIONS = {"relu": nn.ReLU, "softplus": nn.Softplus, "tanh": nn.Tanh, "silu": nn.SiLU}
_REFRESH = 50  # steps after which all triangles are looked at again


class SurfaceAutoencoder(nn.Module):
    """Two mirrored networks of dense layers: points of a surface to codes in the plane, and back.

    The network sees ``(x - centre) / scale``; points and reconstructions are in the user's units.

    Parameters
    ----------
    widths : sequence of int
        From the 3 coordinates of a point to the 2 of a code; the decoder has them backwards.
    activation : {"relu", "softplus", "tanh", "silu"}
        Between the layers. With ``"relu"`` both halves are piecewise linear.
    centre : (3,) array
    scale : float
        By default points are taken as they are; see `of`.
    generator : torch.Generator, optional
        Rules the initial weights; torch's global state does without it.

    Attributes
    ----------
    encoder, decoder : torch.nn.Sequential
        Between normalised points and codes.
    config : dict
        The arguments that build the architecture again.

    Raises
    ------
    ValueError
        If the widths do not go from 3 to 2, or an argument is out of range.

    Notes
    -----
    Source: Lei, Su, Cui, Yau, Gu, arXiv 1710.05488 and 1805.10451, whose network has the widths
    `ARTICLE_WIDTHS`. Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> model = SurfaceAutoencoder((3, 16, 2), generator=torch.Generator().manual_seed(0))
    >>> codes = model.encode(torch.rand(5, 3))
    >>> tuple(codes.shape), tuple(model.decode(codes).shape)
    ((5, 2), (5, 3))
    """

    def __init__(self, widths, *, activation="relu", centre=(0, 0, 0), scale=1.0, generator=None):
        super().__init__()
        widths = tuple(widths)
        if len(widths) < 2 or widths[0] != 3 or widths[-1] != 2:
            raise ValueError(f"widths: expected (3, ..., 2); got {widths}")
        if not all(isinstance(width, int) and width > 0 for width in widths):
            raise ValueError(f"widths: expected positive integers; got {widths}")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation: expected one of {', '.join(ACTIVATIONS)}; got {activation!r}"
            )
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale: expected a positive number; got {scale!r}")
        self.config = {"widths": list(widths), "activation": activation}
        self.register_buffer("centre", torch.as_tensor(np.asarray(centre, dtype=np.float32)))
        self.register_buffer("scale", torch.tensor(float(scale)))
        with seeded(generator) if generator is not None else contextlib.nullcontext():
            self.encoder = _dense(widths, ACTIVATIONS[activation])
            self.decoder = _dense(widths[::-1], ACTIVATIONS[activation])

    @classmethod
    def of(cls, V, *, widths=ARTICLE_WIDTHS, activation="relu", generator=None):
        """Build a network for a surface: its bounding box, centred, gets a diagonal of length 2.

        Parameters
        ----------
        V : (n, 3) float array
        widths, activation, generator
            As of the class.

        Returns
        -------
        model : SurfaceAutoencoder

        Examples
        --------
        >>> SurfaceAutoencoder.of([[0, 0, 0], [3, 4, 0]], widths=(3, 8, 2)).scale.item()
        2.5
        """
        V = _points("V", V)
        low, high = V.min(axis=0), V.max(axis=0)
        scale = float(np.linalg.norm(high - low)) / 2
        if not scale > 0:
            raise ValueError("V: expected at least two different points; got a single one")
        kinds = {"activation": activation, "generator": generator}
        return cls(widths, centre=(low + high) / 2, scale=scale, **kinds)

    def encode(self, points):
        """Return the codes, (n, 2) float tensor, of points, (n, 3) float tensor."""
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points: expected shape (n, 3); got {tuple(points.shape)}")
        return self.encoder((points - self.centre) / self.scale)  # (n, 2)

    def decode(self, codes):
        """Return the points, (n, 3) float tensor, of codes, (n, 2) float tensor."""
        if codes.ndim != 2 or codes.shape[1] != 2:
            raise ValueError(f"codes: expected shape (n, 2); got {tuple(codes.shape)}")
        return self.centre + self.scale * self.decoder(codes)  # (n, 3)

    def forward(self, points):
        """Return the reconstruction of points."""
        return self.decode(self.encode(points))

    @torch.no_grad()
    def codes_of(self, points):
        """Return the codes of an array of points.

        Parameters
        ----------
        points : (n, 3) float array

        Returns
        -------
        codes : (n, 2) float32 array
            Numbers of the network's own precision, so that the sign of an area made of them is
            exact in double precision.
        """
        batches = torch.as_tensor(_points("points", points), dtype=torch.float32).split(4096)
        return torch.cat([self.encode(batch) for batch in batches]).numpy()

    @torch.no_grad()
    def points_of(self, codes):
        """Return the points, (n, 3) float64 array, of an array of codes, (n, 2)."""
        batches = torch.as_tensor(np.asarray(codes), dtype=torch.float32).split(4096)
        return torch.cat([self.decode(batch) for batch in batches]).numpy().astype(float)


def fit(
    model,
    V,
    F,
    *,
    epochs,
    generator,
    lr=8e-5,
    batch_size=256,
    schedule="constant",
    seen=None,
    orientation=0.0,
    watch=None,
    checkpoint=None,
    resume=True,
    progress=False,
):
    """Train an autoencoder on a surface: least squared distance of reconstructions to points.

    Defaults are the article's: Adam, its rate, its batches, the vertices as data.

    Parameters
    ----------
    model : SurfaceAutoencoder
        Trained in place, left in evaluation mode.
    V : (n, 3) float array
    F : (m, 3) int array
    epochs : int
    generator : torch.Generator on the CPU
        Rules the samples, their order and the triangles that `orientation` looks at.
    lr, batch_size, schedule, checkpoint, resume, progress
        As of `omt_course.models.training.train`.
    seen : (n, 3) float array, optional
        Where the encoder sees the vertices, if not where they are; the decoder aims at ``V``.
    orientation : float
        Weight of a penalty on triangles that the encoder turns over, or nearly: the mean of
        ``max(0, 0.3 - s)``, where ``s`` is the signed ratio of areas, latent to surface, divided
        by its mean. Half of the triangles of a step are drawn from all, half from those to blame.
    watch : callable, optional
        ``watch(step, model)`` is called before every step of training, from 0.

    Returns
    -------
    history : History

    Raises
    ------
    ValueError
        If an argument is out of range, or the checkpoint is of another run.
    TrainingDivergedError
        If the loss is not finite.

    Notes
    -----
    Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> V = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    >>> F = np.array([[0, 1, 2], [0, 2, 3]])
    >>> generator = torch.Generator().manual_seed(1)
    >>> model = SurfaceAutoencoder.of(V, widths=(3, 16, 2), generator=generator)
    >>> history = fit(model, V, F, epochs=400, lr=1e-2, generator=generator)
    >>> bool(np.abs(model.points_of(model.codes_of(V)) - V).max() < 1e-3)
    True
    """
    V, F = _points("V", V), _triangles(F, len(V))
    seen = V if seen is None else _points("seen", seen)
    if seen.shape != V.shape:
        raise ValueError(f"seen: expected shape {V.shape}, as V; got {seen.shape}")
    if not (math.isfinite(orientation) and orientation >= 0):
        raise ValueError(f"orientation: expected a number >= 0; got {orientation!r}")
    data = torch.as_tensor(np.concatenate([seen, V], axis=1), dtype=torch.float32)
    penalty = OrientationPenalty(V, F, data[:, :3], batch_size)
    steps = math.ceil(len(V) / batch_size)
    step = -1

    def loss(model, batch, generator):
        nonlocal step
        step += 1
        if watch is not None:
            watch(step, model)
        value = ((model(batch[:, :3]) - batch[:, 3:]) ** 2).sum(dim=1).mean() / model.scale**2
        if orientation:
            if step % steps % _REFRESH == 0:  # from the start of an epoch: a resumed run agrees
                penalty.look(model)
            value = value + orientation * penalty(model, generator)
        return value

    options = {"checkpoint": checkpoint, "resume": resume, "progress": progress}
    settings = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "schedule": schedule}
    return train(model, loss, data, generator=generator, label="surface", **settings, **options)


def imitate(model, V, uv, *, epochs, generator, lr=1e-3, batch_size=256):
    """Teach both halves a chart that is known: the encoder the map, the decoder its inverse.

    Parameters
    ----------
    model : SurfaceAutoencoder
        Trained in place, left in evaluation mode.
    V : (n, 3) float array
    uv : (n, 2) float array
        The chart at the vertices; a harmonic map to the disk, for example.
    epochs, generator, lr, batch_size
        As of `fit`. The rate falls by a cosine.

    Returns
    -------
    history : History

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    V, uv = _points("V", V), np.asarray(uv, dtype=float)
    if uv.shape != (len(V), 2) or not np.isfinite(uv).all():
        raise ValueError(f"uv: expected finite codes of shape ({len(V)}, 2); got {uv.shape}")
    data = torch.as_tensor(np.concatenate([V, uv], axis=1), dtype=torch.float32)

    def loss(model, batch, generator):
        points, codes = batch[:, :3], batch[:, 3:]
        there = ((model.encode(points) - codes) ** 2).sum(dim=1).mean()
        back = ((model.decode(codes) - points) ** 2).sum(dim=1).mean() / model.scale**2
        return there + back

    settings = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "progress": False}
    return train(model, loss, data, generator=generator, **settings)


def _dense(widths, activation):
    layers = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


def _points(name, values):
    array = np.asarray(values, dtype=float)
    if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0:
        raise ValueError(f"{name}: expected shape (n, 3) with n > 0; got {array.shape}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array).all(axis=1)).sum())
        raise ValueError(f"{name}: expected finite numbers; got {bad} rows with NaN or infinity")
    return array


def _triangles(F, n):
    F = np.asarray(F)
    if F.ndim != 2 or F.shape[1] != 3 or F.dtype.kind not in "iu" or len(F) == 0:
        raise ValueError(f"F: expected an integer array of shape (m, 3); got {F.dtype} {F.shape}")
    if F.min() < 0 or F.max() >= n:
        raise ValueError(f"F: expected indices from 0 to {n - 1}; got {F.min()} to {F.max()}")
    return F
