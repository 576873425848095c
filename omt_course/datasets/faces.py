"""Synthetic faces whose every factor is known: pose, expression, light, shape, colours.

`render` draws images from a table of factors. The image is a continuous function of all of them, so
images in which `k` factors are free form a set of dimension `k` in the space of pixels. The head is
MakeHuman's (CC0). Left and right are the person's: the left eye is seen on the right of the image.
Used in *Two laws of data*.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from omt_course.datasets import appearance
from omt_course.datasets import head as heads
from omt_course.datasets.factors import FACTORS, check_names, check_values, draw, people
from omt_course.datasets.rasteriser import (
    MARGIN,
    SUPERSAMPLING,
    n_samples,
    normals,
    rasterise,
    resolve,
)
from omt_course.datasets.shading import shade

__all__ = ["FACTORS", "draw", "irises", "people", "render"]
DISTANCE = 11.0  # of the viewer from the eyes, in dm
FRAME = 2.2  # height of the image at the eyes, in dm
SHADOWS = 96  # least side of the grid that the light sees
CENTRE = -0.02  # height of the middle of the image


def render(n: int, *, seed: int, size: int = 64, factors=None):
    """Draw faces.

    Parameters
    ----------
    n : int
        Number of faces.
    seed : int
        Of the factors that are drawn; the drawing itself has nothing random.
    size : int
        Side of the images in pixels, 16 to 1024.
    factors : None, iterable of str, or mapping of str to float or (n,) array
        None draws every factor from its range. Names draw these and leave the others at their
        defaults. A mapping gives values; factors that it lacks stay at their defaults.

    Returns
    -------
    images : (n, size, size, 3) uint8 array
    table : dict of str to (n,) float array
        The value of every factor, in the units of `FACTORS`.

    Raises
    ------
    ValueError
        If a factor is unknown, out of its range, not finite or of the wrong length, or if `n` or
        `size` is not a size.

    Examples
    --------
    >>> images, table = render(2, seed=0, size=32, factors=("yaw", "smile"))
    >>> images.shape, images.dtype, sorted(k for k, v in table.items() if np.ptp(v))
    ((2, 32, 32, 3), dtype('uint8'), ['smile', 'yaw'])
    """
    if not isinstance(size, (int, np.integer)) or not 16 <= size <= 1024:
        raise ValueError(f"size: expected 16 to 1024 pixels, got {size!r}")
    if isinstance(factors, Mapping):
        table = draw(n, seed=seed, names=())
        check_names(factors, "factors")
        for name, values in factors.items():
            table[name] = check_values(name, values, n)
    else:
        if isinstance(factors, str):
            factors = (factors,)
        if factors is not None and not isinstance(factors, Iterable):
            raise ValueError(
                f"factors: expected None, names of factors, or a mapping to values, got {factors!r}"
            )
        names = None if factors is None else list(factors)
        check_names(names or (), "factors")
        table = draw(n, seed=seed, names=names)
    head = heads.load()
    images = np.empty((n, size, size, 3), np.uint8)
    for i in range(n):
        row = {name: float(values[i]) for name, values in table.items()}
        images[i] = _image(head, row, int(size))
    return images, table


def irises(table, *, size: int = 64) -> np.ndarray:
    """Return where the middles of the left and the right iris lie in an image.

    Parameters
    ----------
    table : dict of str to (n,) float array
        As `render` returns it.
    size : int

    Returns
    -------
    places : (n, 2, 2) float array
        Left, then right iris; column and row in pixels, pixel `(0, 0)` has its middle at (0, 0).

    Examples
    --------
    >>> irises(draw(1, seed=0, names=()))[0].round().tolist()
    [[40.0, 31.0], [23.0, 31.0]]
    """
    head = heads.load()
    places = np.empty((len(table["yaw"]), 2, 2))
    for i in range(len(places)):
        f = {name: float(values[i]) for name, values in table.items()}
        points, turn = _posed(head, f)
        ahead = 1.1 * heads.EYE_RADIUS * turn @ appearance.look_of(f, turn).gaze
        middles = np.array([points[eye].mean(axis=0) + ahead for eye in head.eyes])
        places[i] = (_project(middles, size)[:, :2] - MARGIN - SUPERSAMPLING // 2) / SUPERSAMPLING
    return places


def _shadows(head, points, light, n):
    """Return what the light sees, (n, n), and the (3, 4) matrix that takes places there."""
    right = np.cross([0.0, 1.0, 0.0], light)
    right /= np.linalg.norm(right)
    axes = np.array([right, -np.cross(light, right), light])
    scale = np.array([n / 4.0, n / 4.0, 1.0])[:, None]
    shift = np.array([(n - 1) / 2, (n - 1) / 2 - n / 20, 20.0])
    frame = np.column_stack([scale * axes, shift])
    seen = points @ frame[:, :3].T + shift
    opaque = head.triangles[: len(head.triangles) - len(head.frame.triangles)]
    return rasterise(seen, opaque, n)[2], frame


def _posed(head, f):
    """Return the vertices of one row of factors and the rotation of its head."""
    thickness, hanging = appearance.hair(f)
    return heads.pose(
        head,
        appearance.targets(f),
        angles=np.radians([f["yaw"], f["pitch"], f["roll"]]),
        hair=thickness,
        hanging=hanging,
        thickness=0.028 * f["glasses"],
    )


def _project(points, size):
    """Return column and row in samples, and nearness, (k, 3)."""
    near = 1 / (DISTANCE - points[:, 2])
    scale = size * SUPERSAMPLING * DISTANCE / FRAME * near
    middle = (n_samples(size) - 1) / 2
    return np.column_stack(
        [middle + scale * points[:, 0], middle - scale * (points[:, 1] - CENTRE), near]
    )


def _image(head, f, size):
    """Return the image of one row of factors."""
    points, turn = _posed(head, f)
    seen, weight, _ = rasterise(_project(points, size), head.triangles, n_samples(size))
    look = appearance.look_of(f, turn)
    depth, frame = _shadows(head, points, look.light, max(SHADOWS, 2 * size))
    moving = np.concatenate([points, normals(points, head.triangles)], axis=1)
    fixed = np.column_stack([head.rest, head.lips, head.lids, head.openness])
    samples = shade(
        seen, weight, head.triangles, head.part, fixed, moving, look, DISTANCE, depth, frame
    )
    return resolve(samples, size)
