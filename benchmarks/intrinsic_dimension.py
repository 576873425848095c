"""Intrinsic dimension of digits, clothes and faces, at several sample sizes, beside known truths.

    OMP_NUM_THREADS=1 OMT_COURSE_DATA=... python benchmarks/intrinsic_dimension.py

Real images: MNIST and Fashion-MNIST (60,000 + 10,000 images each, class by class), and the faces of
LFW and of the London set, grey, 64 x 64, which lie in the folder that OMT_COURSE_DATA names; a set
that is not there is left out of the record. Known truths: rendered faces with 2, 5 and
10 factors that vary, the swiss roll, and the normal law in `R^d`, the yardstick for high dimension:
which `d` would give the reading of a real set, with as many points?

Estimators: maximum likelihood over k = 10 neighbours, and the two nearest neighbours
(`omt_course.geometry.dimension`). Up to 2,000 points the mean of `DRAWS` random subsets is shown.

    python benchmarks/intrinsic_dimension.py --only rendered   # these again, the rest as it was
"""

import argparse
import io
import os
import platform
import time
from importlib import metadata

import numpy as np
from matplotlib import image as matplotlib_image
from scipy.ndimage import gaussian_filter

from omt_course.course import records
from omt_course.datasets import digits, faces, registry
from omt_course.geometry.dimension import (
    maximum_likelihood,
    nearest_distances,
    swiss_roll,
    two_nearest,
)

SEED, K, DRAWS, N_RENDERED = 0, 10, 3, 2000
SIZES = (250, 500, 1000, 2000, 4000, 8000)
NORMAL = (2, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200)
FACTORS = ("yaw", "pitch", "light_azimuth", "skin_tone", "background_brightness")
FACTORS += ("roll", "light_elevation", "hair_colour", "hair_length", "jaw_open")
FREE = (2, 5, 10)  # the first so many of them vary


def reading(X: np.ndarray, rng: np.random.Generator, sizes=SIZES) -> dict:
    """Return both estimates at every size, and how many straight directions hold 95 % of variance.

    Images that occur twice are kept once.
    """
    distinct = np.unique(X, axis=0)
    rows = []
    for n in [*[size for size in sizes if size < len(distinct)], len(distinct)]:
        found = []
        for _ in range(DRAWS if n < min(len(distinct), 2001) else 1):
            near = nearest_distances(distinct[rng.permutation(len(distinct))[:n]], K)
            found.append([maximum_likelihood(near).value, two_nearest(near).value])
        likelihood, two = np.mean(found, axis=0)
        rows.append(row(n, likelihood, two))
    return {
        "ambient": X.shape[1],
        "repeated": len(X) - len(distinct),
        "straight": straight_directions(distinct),
        "sizes": rows,
    }


def row(n: int, likelihood: float, two: float) -> dict:
    """Return one line of a table."""
    return {"n": n, "likelihood": round(float(likelihood), 2), "two_nearest": round(float(two), 2)}


def straight_directions(X: np.ndarray, share: float = 0.95) -> int:
    """Return the number of principal directions that hold a share of the variance."""
    X = X - X.mean(axis=0)
    square = X @ X.T if len(X) < X.shape[1] else X.T @ X
    variance = np.maximum(np.linalg.eigvalsh(square)[::-1], 0)
    return int(np.searchsorted(variance.cumsum() / variance.sum(), share) + 1)


def flat(images: np.ndarray) -> np.ndarray:
    """Return grey images in [0, 1] as rows, (n, D) float array."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        images = images / 255
    if images.ndim == 4:  # colour, channels last
        images = images.mean(axis=3)
    return images.reshape(len(images), -1)


def lfw() -> np.ndarray | None:
    """Return the faces of LFW, (13233, 64, 64) float array, or None if they are not there."""
    path = registry.cache_folder() / "faces" / "lfwcrop_color_64_q93.npz"
    if not path.exists():
        return None
    with np.load(path) as stored:
        data, offset = stored["jpeg"].tobytes(), stored["offset"]
    grey = np.empty((len(offset) - 1, 64, 64))
    for i in range(len(grey)):
        picture = io.BytesIO(data[offset[i] : offset[i + 1]])
        grey[i] = matplotlib_image.imread(picture, format="jpeg").mean(axis=2) / 255
    return grey


def london() -> dict[str, np.ndarray] | None:
    """Return the London set: two pictures of every person, 64 x 64 x 3, and the calm ones alone."""
    path = registry.cache_folder() / "faces" / "london_faces_64.npz"
    if not path.exists():
        return None
    with np.load(path) as stored:
        return {"all": stored["images"], "calm": stored["images"][~stored["smiling"]]}


def by_class(name: str, rng: np.random.Generator) -> dict:
    """Read every class of a set of 28 x 28 images, then 8,000 of all classes, sharp and blurred."""
    data = digits.load(name, progress=False)
    found = {}
    for c in range(10):
        found[str(c)] = reading(flat(data.images[data.labels == c]), rng)
        print(name, c, found[str(c)]["sizes"][-1], flush=True)
    chosen = rng.permutation(len(data))[:8000]
    found["all"] = reading(flat(data.images[chosen]), rng)
    found["blurred"] = reading(blurred(data.images[chosen], 1), rng, sizes=())
    return found


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Return rows of grey images smoothed by a Gaussian of `sigma` pixels."""
    side = images.shape[1]
    grey = flat(images).reshape(-1, side, side)
    return gaussian_filter(grey, (0, sigma, sigma)).reshape(len(grey), -1)


def rendered(rng: np.random.Generator) -> dict:
    """Read faces with known factors, sharp and blurred."""
    found = {}
    for free in FREE:
        images, _ = faces.render(N_RENDERED, seed=SEED, size=64, factors=FACTORS[:free])
        found[f"rendered-{free}"] = {
            "all": reading(flat(images), rng),
            "blurred": reading(blurred(images, 3), rng),
        }
        print("rendered", free, found[f"rendered-{free}"], flush=True)
    return found


def photographs(rng: np.random.Generator) -> dict:
    """Read the faces of LFW and of the London set, where they are."""
    found = {}
    if (pictures := lfw()) is not None:
        found["lfw"] = {"all": reading(flat(pictures), rng)}
        found["lfw"]["blurred"] = reading(blurred(pictures, 3), rng, sizes=())
        print("lfw", found["lfw"], flush=True)
    if (parts := london()) is not None:
        found["london"] = {part: reading(flat(images), rng) for part, images in parts.items()}
    return found


def grey_digits(name: str, rng: np.random.Generator) -> dict:
    """Read a set of `omt_course.datasets.digits`, where it is."""
    try:
        return {name: by_class(name, rng)}
    except registry.DataUnavailableError:
        return {}


PARTS = {
    "rendered": rendered,
    "photographs": photographs,
    "mnist": lambda rng: grey_digits("mnist", rng),
    "fashion-mnist": lambda rng: grey_digits("fashion-mnist", rng),
    "swiss-roll": lambda rng: {"swiss-roll": {"all": reading(swiss_roll(8000, rng)[0], rng)}},
}


def measure(chosen: list[str], before: dict) -> dict:
    """Read the chosen parts, each with its own source of chance; the others as before."""
    values = {"k": K, "draws": DRAWS, "sets": dict(before.get("sets", {}))}
    for k, (part, read) in enumerate(PARTS.items()):
        if part in chosen:
            values["sets"].update(read(np.random.default_rng([SEED, k])))
    values["normal"] = before.get("normal") or {
        str(d): yardstick(d, np.random.default_rng([SEED, 100 + d])) for d in NORMAL
    }
    return values


def yardstick(d: int, rng: np.random.Generator) -> list[dict]:
    """Read normal samples of a known dimension at every size, and at that of LFW."""
    rows = []
    for n in (*SIZES, 13_000):
        near = nearest_distances(rng.normal(size=(n, d)), K)
        rows.append(row(n, maximum_likelihood(near).value, two_nearest(near).value))
    print("normal", d, rows[-1], flush=True)
    return rows


def show(values: dict) -> None:
    """Print protocol, machine and tables."""
    print(
        f"\nMaximum likelihood over {K} neighbours / two nearest neighbours; mean of {DRAWS} "
        f"subsets up to 2,000 points.\n{records._machine()}, Python {platform.python_version()}, "
        f"numpy {metadata.version('numpy')}\n"
    )
    print("| set | part | ambient | straight | full n | likelihood | two nearest |")
    print("|---|---|---|---|---|---|---|")
    for name, parts in values["sets"].items():
        for part, found in parts.items():
            last = found["sizes"][-1]
            print(
                f"| {name} | {part} | {found['ambient']} | {found['straight']} | {last['n']} "
                f"| {last['likelihood']} | {last['two_nearest']} |"
            )


def main() -> None:
    """Run the benchmark, print its tables, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="keep the rest of the record")
    arguments = parser.parse_args()
    start = time.perf_counter()
    before = records.read("intrinsic-dimension").values if arguments.only else {}
    values = measure(arguments.only or list(PARTS), before)
    show(values)
    print(
        f"{time.perf_counter() - start:.0f} s with OMP_NUM_THREADS={os.getenv('OMP_NUM_THREADS')}"
    )
    if not arguments.no_record:
        command = "python benchmarks/intrinsic_dimension.py"
        print(records.write("intrinsic-dimension", values, command=command, seeds=[SEED]))


if __name__ == "__main__":
    main()
