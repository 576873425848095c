"""Synthetic faces: images against their factors, by symmetry, by measurement, by bad input."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from omt_course.datasets import faces
from omt_course.datasets.appearance import linear
from omt_course.datasets.faces import FACTORS, draw, irises, render

# what changes sign in a mirror, and what changes side
ODD = ("yaw", "roll", "gaze", "light_azimuth")
SIDES = (("iris_left", "iris_right"), ("iris_left_brightness", "iris_right_brightness"))


def change(a, b):
    """Return the root of the mean square difference of two images, in grey levels."""
    return np.sqrt(((a.astype(float) - b) ** 2).mean())


def test_same_seed_same_images_whatever_comes_after():
    few, table = render(3, seed=4, size=32)
    many, longer = render(6, seed=4, size=32)
    assert few.dtype == np.uint8 and few.shape == (3, 32, 32, 3)
    assert (few == many[:3]).all()
    for name in FACTORS:
        assert (table[name] == longer[name][:3]).all(), name
    other, _ = render(3, seed=5, size=32)
    assert change(few, other) > 5


def test_a_face_does_not_depend_on_its_neighbours_or_on_threads():
    images, table = render(4, seed=1, size=32)
    alone = [{name: v[i] for name, v in table.items()} for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda f: render(1, seed=9, size=32, factors=f)[0][0], alone))
    assert (images == again).all()


def test_table_holds_every_factor_in_its_range():
    _, table = render(20, seed=2, size=16)
    assert list(table) == list(FACTORS)
    for name, factor in FACTORS.items():
        values = table[name]
        assert values.shape == (20,) and values.dtype == float
        assert (values >= factor.low).all() and (values <= factor.high).all(), name
        assert np.ptp(values) > 0.5 * (factor.high - factor.low), name
        assert factor.low <= factor.default <= factor.high


def test_named_factors_vary_and_the_others_stay():
    images, table = render(5, seed=3, size=32, factors=("smile", "yaw"))
    for name, factor in FACTORS.items():
        if name in ("yaw", "smile"):
            assert len(set(table[name])) == 5
        else:
            assert (table[name] == factor.default).all(), name
    given = {"yaw": table["yaw"], "smile": table["smile"]}
    assert (render(5, seed=99, size=32, factors=given)[0] == images).all()
    assert (draw(5, seed=3, names=["yaw"])["yaw"] == table["yaw"]).all()


def test_one_name_and_none_at_all():
    one, table = render(2, seed=0, size=16, factors="yaw")
    assert np.ptp(table["yaw"]) > 0 and change(one[0], one[1]) > 0
    fixed, _ = render(2, seed=0, size=16, factors=())
    assert (fixed[0] == fixed[1]).all()


def test_mirror():
    table = draw(6, seed=8)
    mirrored = dict(table)
    for name in ODD:
        mirrored[name] = -table[name]
    for left, right in SIDES:
        mirrored[left], mirrored[right] = table[right], table[left]
    images, _ = render(6, seed=0, factors=table)
    flipped = render(6, seed=0, factors=mirrored)[0][:, :, ::-1]
    far = np.abs(images.astype(int) - flipped) > 2
    assert far.mean() < 1e-3  # a sample on an edge may fall on either side of it
    assert change(images, images[:, :, ::-1]) > 10  # the faces themselves are no mirror images


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_jacobian_has_full_rank(seed):
    """All factors at once move the image in independent directions."""
    base = {name: values[0] for name, values in draw(1, seed=seed).items()}
    base |= {"blink": 0.3, "hair_length": 0.3 + 0.6 * base["hair_length"]}  # irises, hair are seen
    rows = []
    for name, factor in FACTORS.items():
        h = 0.04 * (factor.high - factor.low)
        middle = np.clip(base[name], factor.low + h, factor.high - h)
        pair, _ = render(2, seed=0, factors=base | {name: middle + np.array([-h, h])})
        rows.append((pair[1].astype(float) - pair[0]).ravel())
        assert change(pair[0], pair[1]) > 0.05, name
    rows = np.array(rows)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.linalg.svd(rows, compute_uv=False)[-1] > 0.15


@pytest.mark.parametrize("name", FACTORS)
def test_image_is_continuous(name):
    """Steps a quarter as long change the image less, and never by a jump."""
    factor = FACTORS[name]
    others = {"hair_length": 0.7, "glasses": 0.5, "beard": 0.5, "smile": 0.3, "jaw_open": 0.2}
    others.pop(name, None)
    means = []
    for n in (13, 49):
        t = np.linspace(factor.low, factor.high, n)
        images = render(n, seed=0, size=32, factors=others | {name: t})[0].astype(float)
        steps = np.sqrt((np.diff(images, axis=0) ** 2).mean(axis=(1, 2, 3)))
        means.append(steps.mean())
        assert steps.max() < 8 * means[-1]
    assert 0 < means[1] < 0.62 * means[0]


def colour_at(image, place):
    """Return the mean linear light of 3 x 3 pixels about a place, (3,)."""
    column, row = np.round(place).astype(int)
    values = image[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).mean(0)


def test_iris_colours_can_be_read_from_the_image():
    n = 40
    rng = np.random.default_rng(3)
    given = draw(n, seed=6, names=("yaw", "pitch", "roll", "gender", "eye_size", "gaze"))
    for name in ("yaw", "pitch", "roll", "gaze"):
        given[name] *= 0.3
    given |= {"iris_left": rng.random(n), "iris_right": rng.random(n)}
    images, table = render(n, seed=0, factors=given)
    places = irises(table)
    for side, name in enumerate(("iris_left", "iris_right")):
        pairs = zip(images, places[:, side], strict=True)
        red, green, blue = np.array([colour_at(image, place) for image, place in pairs]).T
        read = (blue - red) / (red + green + blue)
        other = table["iris_right" if side == 0 else "iris_left"]
        assert stats.spearmanr(read, table[name])[0] > 0.85, name
        assert abs(stats.spearmanr(read, other)[0]) < 0.4, name


@pytest.mark.parametrize("size", [32, 64, 128])
def test_places_of_the_irises(size):
    """The pixels that change with the colour of one iris have their middle where it is said."""
    pose = {"yaw": [0.0, 20.0, -15.0], "pitch": [0.0, 5.0, -5.0], "roll": [0.0, -10.0, 8.0]}
    for side, name in enumerate(("iris_left", "iris_right")):
        brown, table = render(3, seed=0, size=size, factors=pose | {name: np.zeros(3)})
        blue, _ = render(3, seed=0, size=size, factors=pose | {name: np.ones(3)})
        weight = np.abs(blue.astype(float) - brown).sum(axis=3)
        row, column = np.mgrid[:size, :size]
        mass = weight.sum(axis=(1, 2))
        middle = np.column_stack(
            [(weight * column).sum(axis=(1, 2)) / mass, (weight * row).sum(axis=(1, 2)) / mass]
        )
        error = np.abs(middle - irises(table, size=size)[:, side])
        assert error.max() < 0.012 * size  # lids hide a part of an iris


def test_light_comes_from_where_it_is_said():
    sides = {"light_azimuth": np.array([-70.0, 70.0])}
    images, _ = render(2, seed=0, factors=sides)
    light = images[:, 24:44].astype(float).mean(axis=(1, 3))  # the face, column by column
    assert light[0, 18:28].mean() > 1.3 * light[0, 36:46].mean()
    assert light[1, 36:46].mean() > 1.3 * light[1, 18:28].mean()


def test_skin_and_wall_get_darker():
    tones = np.linspace(0, 1, 6)
    faces_, _ = render(6, seed=0, factors={"skin_tone": tones})
    cheek = faces_[:, 36:42, 26:38].astype(float).mean(axis=(1, 2, 3))
    assert (np.diff(cheek) < -5).all() and cheek[-1] > 40
    walls, _ = render(6, seed=0, factors={"background_brightness": tones})
    assert (np.diff(walls[:, 2:6, 1:5].astype(float).mean(axis=(1, 2, 3))) > 5).all()


def test_size_changes_the_sampling_and_not_the_picture():
    small, _ = render(3, seed=5, size=48)
    large, _ = render(3, seed=5, size=96)
    values = large.astype(float) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = light.reshape(3, 48, 2, 48, 2, 3).mean(axis=(2, 4))
    coarse = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert change(small, coarse) < 0.25 * change(small[0], small[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factors": {"mood": 1.0}}, r"factors: 1 unknown factors \('mood'\).*yaw"),
        ({"factors": ("yaw", "mood", "rage")}, "factors: 2 unknown factors"),
        ({"factors": {"yaw": 90.0}}, r"factors\['yaw'\].*\[-40, 40\].*1 are outside"),
        ({"factors": {"yaw": [0.0, 1.0]}}, r"one number or 3.*\(2,\)"),
        ({"factors": {"yaw": [0.0, np.nan, np.inf]}}, "finite numbers, 2 are not"),
        ({"size": 15}, "size: expected 16 to 1024 pixels, got 15"),
        ({"size": 64.0}, "size: expected 16 to 1024 pixels, got 64.0"),
        ({"n": 0}, "n: expected a positive number of faces, got 0"),
        ({"n": 2.5}, "n: expected a positive number of faces, got 2.5"),
        ({"seed": -1}, "seed: expected a non-negative whole number, got -1"),
        ({"seed": None}, "seed: expected a non-negative whole number, got None"),
        ({"factors": {"yaw": "left"}}, r"factors\['yaw'\]: expected numbers"),
        ({"factors": 3}, "factors: expected"),
    ],
)
def test_bad_input(arguments, message):
    call = {"n": 3, "seed": 0} | arguments
    with pytest.raises(ValueError, match=message):
        render(call.pop("n"), **call)


def test_palettes_are_colours():
    for palette in (faces.appearance.SKIN_TONES, faces.appearance.IRISES, faces.appearance.HAIRS):
        assert palette.shape[1] == 3 and (palette > 0).all() and (palette < 1).all()
    assert linear("ffffff").tolist() == [[1.0, 1.0, 1.0]]
