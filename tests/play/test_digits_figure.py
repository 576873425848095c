"""The numbers of the figure *Make digits here* against the package; the record; the figure."""

import numpy as np
import pytest
import torch

from omt_course.course import interactive, records
from omt_course.models.autoencoder import MLPAutoencoder
from omt_course.transport import semidiscrete
from omt_course.transport.domains import disk
from omt_course.transport.extension import Extension, extend, top_scores
from omt_course.transport.laguerre import laguerre_diagram
from omt_course.transport.ridges import ridge_angles, unit_variance

PAGE = "play/make-digits.html"
SHAPES = [(60, 2, 0), (300, 2, 1), (5, 2, 2), (200, 3, 3), (150, 16, 4)]

EXTEND = """([given, xs, options]) => {
  const model = omtCore.aeomt.model(given);
  return xs.map((x) => {
    const f = omtCore.aeomt.extend(model, x, options);
    return [f.cell, f.runnerUp, f.ridgeAngle, f.used, [...f.value], f.across];
  });
}"""


@pytest.fixture(scope="module")
def core(core_page):
    page = core_page("aeomt")
    return lambda code, *given: page.evaluate(code, [plain(g) for g in given])


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def instance(n, d, seed):
    """An extension over clusters, with points of the source; heights need not be solved for."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(6, d))[rng.integers(6, size=n)] * 3 + 0.3 * rng.normal(size=(n, d))
    heights = -(points**2).sum(axis=1) / 2 + 0.1 * rng.normal(size=n)
    x = rng.normal(size=(80, d)) * 2
    return extend(points, heights, x), x


def given(extension):
    return {
        "points": extension.points.ravel(),
        "heights": extension.heights,
        "dimension": extension.points.shape[1],
        "threshold": extension.threshold,
        "softness": extension.softness,
        "neighbours": extension.n_neighbours,
    }


@pytest.mark.parametrize(("n", "d", "seed"), SHAPES)
@pytest.mark.parametrize("factor", [1, 8])
@pytest.mark.parametrize("cut", [True, False])
def test_the_extended_map_is_the_package_s(core, n, d, seed, factor, cut):
    extension, x = instance(n, d, seed)
    softness = factor * extension.softness
    law = Extension(
        points=extension.points,
        heights=extension.heights,
        threshold=extension.threshold if cut else np.pi,
        softness=softness,
        n_neighbours=extension.n_neighbours,
    )
    want = law.map(x)
    got = core(EXTEND, given(extension), x, {"cut": cut, "softness": softness})
    cell, runner_up, angle, used, value, across = (np.array(c) for c in zip(*got, strict=True))
    assert (cell == want.cell).all()
    assert (runner_up == want.runner_up).all()
    assert np.abs(angle - want.ridge_angle).max() < 1e-12
    assert np.abs(used - want.n_used).max() < 1e-10
    assert np.abs(value - want.values).max() < 1e-10
    scores, index = top_scores(law.points, law.heights, x, law.n_neighbours)
    weights = np.exp((scores - scores[:, :1]) / softness)
    far = ridge_angles(unit_variance(law.points), index[:, :1].repeat(index.shape[1], 1), index)
    beyond = (weights * (far > extension.threshold)).sum(axis=1) / weights.sum(axis=1)
    assert np.abs(across - (0 if cut else beyond)).max() < 1e-12
    if not cut and factor == 8:
        assert across.max() > 0.05  # or nothing was tested


@pytest.mark.parametrize("seed", range(3))
def test_the_ridges_under_a_segment_are_those_of_the_cells(core, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(150, 2))
    solved = semidiscrete.solve(disk(), points)
    extension = extend(points, solved.heights, disk().sample(2000, rng))
    angle = rng.uniform(0, np.pi)
    a = 0.95 * np.array([np.cos(angle), np.sin(angle)])
    b = -a + rng.uniform(0, 0.1, 2)
    crossed = core(
        "([given, a, b]) => omtCore.aeomt.ridges(omtCore.aeomt.model(given), a, b)",
        given(extension), a, b,
    )  # fmt: skip
    assert len(crossed) > 3
    edges = {tuple(sorted(pair)) for pair in solved.diagram.pairs.tolist()}
    t = np.array([0, *(c["t"] for c in crossed), 1])
    assert (np.diff(t) >= 0).all()
    middle = a + (t[1:, None] + t[:-1, None]) / 2 * (b - a)
    cells = [crossed[0]["from"], *(c["to"] for c in crossed)]
    long = np.diff(t) > 1e-9
    assert (solved.assign(middle)[long] == np.array(cells)[long]).all()
    for c, before in zip(crossed, cells[:-1], strict=True):
        assert c["from"] == before
        assert tuple(sorted((c["from"], c["to"]))) in edges
        want = ridge_angles(unit_variance(points), c["from"], c["to"])
        assert abs(c["angle"] - want) < 1e-12


def test_a_walk_counts_what_lies_on_its_segment(core):
    extension, x = instance(300, 2, 5)
    law = given(extension) | {"softness": 6 * extension.softness}
    code = """([given, a, b, cut]) => {
      const found = omtCore.aeomt.walk(omtCore.aeomt.model(given), a, b, 101, { cut });
      const { path, ridges, sharp, mixed } = found;
      const along = (name) => path.map((p) => p[name]);
      return [along("across"), along("t"), ridges.map((r) => r.angle), sharp, mixed];
    }"""
    found = {cut: core(code, law, x[0], x[1], cut) for cut in (True, False)}
    across, t, angles, sharp, mixed = found[False]
    assert np.abs(np.array(t) - np.linspace(0, 1, 101)).max() < 1e-15
    assert sharp == (np.array(angles) > extension.threshold).sum() > 0
    assert mixed == (np.array(across) > 0.05).sum() > 0
    assert found[True][3] == sharp
    assert found[True][4] == 0


def test_two_codes_in_the_edge_case_of_one_ridge(core):
    extension = extend(
        np.array([[1.0, 0.0], [-1.0, 0.5]]), np.zeros(2), np.array([[0.3, 0.1], [1.0, 2.0]]),
        threshold=0.0,
    )  # fmt: skip
    x = np.array([[0.2, -0.3], [-2.0, 0.0]])
    got = core(EXTEND, given(extension), x, {"cut": True})
    assert [g[0] for g in got] == extension.map(x).cell.tolist() == [0, 1]
    assert [g[3] for g in got] == [1, 1]


def packed_layers(layers):
    return [
        {
            "weight": interactive.packed(layer["weight"], str(layer["weight"].dtype)),
            "scale": interactive.packed(layer["scale"], "float32"),
            "bias": interactive.packed(layer["bias"], "float32"),
        }
        for layer in layers
    ]


DECODE = """([layers, codes]) => {
  const unpacked = layers.map(({ weight, scale, bias }) => ({
    weight: omtPlay.unpack(weight), scale: omtPlay.unpack(scale), bias: omtPlay.unpack(bias),
  }));
  const net = omtCore.aeomt.network(unpacked);
  return codes.map((code) => [...omtCore.aeomt.decode(net, code)]);
}"""


def torch_decoder(layers):
    hidden = layers[1]["bias"].size
    decoder = MLPAutoencoder(layers[0]["weight"].shape[1], hidden=hidden).decoder
    dense = [layer for layer in decoder if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for linear, layer in zip(dense, layers, strict=True):
            weight = layer["weight"].astype(np.float32) * layer["scale"][:, None]
            linear.weight.copy_(torch.as_tensor(weight))
            linear.bias.copy_(torch.as_tensor(layer["bias"]))
    return decoder


def random_layers(seed, sizes=(2, 32, 64, 784)):
    rng = np.random.default_rng(seed)
    return [
        {
            "weight": rng.integers(-127, 128, (out, inside)).astype(np.int8),
            "scale": rng.uniform(0.5, 1.5, out).astype(np.float32) * 0.02 / np.sqrt(inside),
            "bias": rng.normal(0, 0.5, out).astype(np.float32),
        }
        for inside, out in zip(sizes[:-1], sizes[1:], strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_decoded_pixels_are_torch_s(core_page, seed):
    layers = random_layers(seed)
    codes = np.random.default_rng(100 + seed).normal(0, 5, (20, 2)).astype(np.float32)
    got = core_page("runtime", "aeomt").evaluate(DECODE, [packed_layers(layers), codes.tolist()])
    with torch.no_grad():
        want = torch.sigmoid(torch_decoder(layers)(torch.as_tensor(codes))).flatten(1).numpy()
    assert want.std() > 0.1
    assert np.abs(np.array(got) - want).max() < 1e-5


@pytest.fixture(scope="module")
def values():
    return records.read("playable-digits").values


@pytest.fixture(scope="module")
def kept(values):
    return Extension(
        points=values["points"],
        heights=values["heights"],
        threshold=values["threshold"],
        softness=values["softness"],
        n_neighbours=values["n_neighbours"],
    )


def layers_of(values):
    return [{n: values[f"{n}_{k}"] for n in ("weight", "scale", "bias")} for k in range(3)]


def decoded(values, y):
    codes = torch.as_tensor(values["mean"] + values["scale"] * y, dtype=torch.float32)
    with torch.no_grad():
        return torch.sigmoid(torch_decoder(layers_of(values))(codes)).flatten(1).numpy(), codes


def test_the_record_s_heights_share_out_the_disk_evenly(values):
    diagram = laguerre_diagram(disk(), values["points"], values["heights"])
    shares = diagram.masses * len(values["points"]) / disk().volume
    assert np.abs(shares - 1).max() < 1e-8
    assert (np.bincount(values["labels"]) == len(shares) / 10).all()


@pytest.mark.parametrize("cut", [True, False])
def test_the_model_of_the_page_is_the_package_s(core, values, kept, cut):
    x = disk().sample(200, np.random.default_rng(7))
    law = Extension(**vars(kept) | {"threshold": kept.threshold if cut else np.pi})
    want = law.map(x)
    got = core(EXTEND, given(kept), x, {"cut": cut})
    cell, _, angle, used, value, _ = (np.array(c) for c in zip(*got, strict=True))
    assert (cell == want.cell).all()
    assert np.abs(angle - want.ridge_angle).max() < 1e-12
    assert np.abs(used - want.n_used).max() < 1e-8
    assert np.abs(value - want.values).max() < 1e-10


def test_digits_of_the_page_are_torch_s_and_nearly_the_trained_network_s(core_page, values, kept):
    witness = values["witness"]
    want, codes = decoded(values, values["points"][witness])
    got = np.array(
        core_page("runtime", "aeomt").evaluate(
            DECODE, [packed_layers(layers_of(values)), codes.tolist()]
        )
    )
    assert np.abs(got - want).max() < 1e-5
    trained = values["witness_pixels"].reshape(len(witness), -1)
    assert np.abs(got - trained).max() <= values["quantisation"] + 0.01
    assert trained.std(axis=0).max() > 0.25  # digits that differ


def test_the_figure_follows_keys_and_says_so(open_figure, values, kept):
    with open_figure(PAGE) as tab:
        read = "(name) => document.querySelector('.omt-play').omtFigure"
        point = np.array(tab.evaluate(f"{read}.state.at.point", None))
        status = tab.locator(".omt-play-status")
        before = status.inner_text()
        source = tab.locator(".omt-play-canvas").first
        source.focus()
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "ArrowLeft", "ArrowDown"):
            tab.keyboard.press(key)
        moved = np.array(tab.evaluate(f"{read}.state.at.point", None))
        assert np.allclose(moved - point, [0.01, 0.04])
        assert status.inner_text() != before
        want = kept.map(moved[None])
        assert tab.evaluate(f"{read}.found.cell", None) == want.cell[0]
        pixels = np.array(tab.evaluate(f"{read}.decode()", None))
        assert np.abs(pixels - decoded(values, want.values)[0]).max() < 1e-5
        assert f"cell {want.cell[0]}, a {values['labels'][want.cell[0]]}" in status.inner_text()
        strip = tab.locator(".omt-play-canvas").nth(3)
        assert "Digits along the segment: 9, " in strip.get_attribute("aria-label")
        tab.keyboard.press("Enter")
        assert tab.evaluate(f"{read}.state.at.start", None) == moved.tolist()
        tab.keyboard.press("]")
        tab.keyboard.press("ArrowLeft")
        assert np.allclose(tab.evaluate(f"{read}.state.at.start", None), moved - [0.01, 0])
        tab.keyboard.press("Escape")
        tab.keyboard.press("ArrowUp")
        assert np.allclose(tab.evaluate(f"{read}.state.at.point", None), moved + [0, 0.01])
        tab.keyboard.press("+")
        assert tab.evaluate(f"{read}.state.t", None) == pytest.approx(0.1)
        assert tab.wrong == []
        assert tab.outside == []


def test_the_cut_keeps_the_walk_from_mixing(open_figure):
    with open_figure(PAGE) as tab:
        read = "document.querySelector('.omt-play').omtFigure.walk.mixed"
        soft = tab.get_by_label("Softness")
        soft.evaluate("(node) => { node.value = 8; node.dispatchEvent(new Event('input')); }")
        assert tab.evaluate(read) == 0
        tab.get_by_label("Cut along the sharp ridges").uncheck()
        assert tab.evaluate(read) > 20
        assert f"{tab.evaluate(read)} of 201" in tab.locator(".omt-play-status").inner_text()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_figure_fits_a_phone_and_takes_a_tap(open_figure, mode):
    with open_figure(PAGE, width=390, mode=mode) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        source = tab.locator(".omt-play-canvas").first
        box = source.bounding_box()
        source.click(position={"x": 0.25 * box["width"], "y": 0.5 * box["height"]})
        x, y = tab.evaluate("document.querySelector('.omt-play').omtFigure.state.at.point")
        assert x == pytest.approx(-0.52, abs=0.02)
        assert abs(y) < 0.02
        assert tab.wrong == []
