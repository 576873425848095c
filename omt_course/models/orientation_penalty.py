"""A penalty on triangles of a surface that an encoder turns over, or nearly."""

import torch
from torch.nn import functional

from omt_course.geometry import meshes

MARGIN = 0.3  # least stretch of area, in units of the mean one, that is not punished


class OrientationPenalty:
    """The mean of ``max(0, MARGIN - s)`` over triangles drawn at random.

    ``s`` is the signed area of a triangle's codes over its share of the surface, divided by the
    signed area of all: 1 on average, negative where the encoder folds.

    Parameters
    ----------
    V : (n, 3) float array
    F : (m, 3) int array
    seen : (n, 3) float tensor
        Where the encoder sees the vertices.
    batch_size : int
        Triangles of a call: half drawn from all, half from those to blame at the last `look`.

    Notes
    -----
    Taught on the page ``learning-a-surface``.

    Examples
    --------
    >>> import numpy as np
    >>> from omt_course.models.surface_autoencoder import SurfaceAutoencoder
    >>> V, F = np.eye(3), np.array([[0, 1, 2]])
    >>> generator = torch.Generator().manual_seed(0)
    >>> model = SurfaceAutoencoder((3, 4, 2), generator=generator)
    >>> penalty = OrientationPenalty(V, F, torch.eye(3), 2)
    >>> penalty.look(model)
    >>> penalty(model, generator).item()  # a single triangle is the mean
    0.0
    """

    def __init__(self, V, F, seen, batch_size):
        area = meshes.triangle_areas(V, F)
        self.share = torch.as_tensor(area / area.sum(), dtype=torch.float32).clamp_min(1e-12)
        self.F, self.seen, self.half = torch.as_tensor(F), seen, max(1, batch_size // 2)

    @torch.no_grad()
    def look(self, model):
        """Encode the whole surface: its orientation and scale, and the triangles to blame."""
        codes = torch.cat([model.encode(batch) for batch in self.seen.split(4096)])
        areas = _signed_areas(codes[self.F])
        self.size = areas.sum()  # its sign: a chart may turn the whole surface over
        if self.size == 0:
            self.size = areas.abs().sum().clamp_min(1e-30)
        self.blamed = torch.nonzero(areas / self.size / self.share < MARGIN).flatten()

    def __call__(self, model, generator):
        """Return the penalty on triangles drawn from all, and from those to blame."""
        chosen = [torch.randint(len(self.F), (self.half,), generator=generator)]
        if len(self.blamed):
            drawn = torch.randint(len(self.blamed), (self.half,), generator=generator)
            chosen.append(self.blamed[drawn])
        chosen = torch.cat(chosen)
        z = model.encode(self.seen[self.F[chosen]].reshape(-1, 3)).reshape(-1, 3, 2)
        ratio = _signed_areas(z) / self.size / self.share[chosen]
        return functional.relu(MARGIN - ratio).sum() / (2 * self.half)


def _signed_areas(z):
    """Return the signed areas of triangles with corners z (k, 3, 2)."""
    a, b = z[:, 1] - z[:, 0], z[:, 2] - z[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
