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
    const found = omtCore.aeomt.extend(model, x, options);
    return [found.cell, found.runnerUp, found.ridgeAngle, found.used, [...found.value], found.across];
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
      return [path.map((p) => p.across), path.map((p) => p.t), ridges.map((r) => r.angle), sharp, mixed];
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
            "weight": interactive.packed(layer["weight"], "int8"),
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
