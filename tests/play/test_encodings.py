"""The numbers of the figure *From one encoding to the other* against the package; the figure."""

import numpy as np
import pytest
from scipy import stats

from omt_course.datasets import surfaces
from omt_course.geometry import disk_maps, location, meshes, uniformity

PAGE = "play/two-encodings.html"


@pytest.fixture(scope="module")
def face():
    found = surfaces.load("face")
    ends = disk_maps.harmonic(found.V, found.F), disk_maps.conformal(found.V, found.F)
    return found.V, found.F, *ends


@pytest.fixture(scope="module")
def page(core_page, face):
    """Return a page with the core, the face and two of its maps."""
    V, F, start, end = face
    page = core_page("surface", "raster")
    page.evaluate(
        """([V, F, start, end]) => {
            const flat = (list) => Float64Array.from(list.flat());
            Object.assign(globalThis, { core: omtCore.surface, F: Uint16Array.from(F.flat()) });
            Object.assign(globalThis, { V: flat(V), start: flat(start), end: flat(end) });
            globalThis.list = (array) => Array.from(array, (v) => (Number.isNaN(v) ? null : v));
        }""",
        [a.tolist() for a in (V, F, start, end)],
    )
    return page


def in_disk(n, seed):
    rng = np.random.default_rng(seed)
    radius, turn = np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])


@pytest.mark.parametrize("t", [0, 0.3, 0.5, 0.8, 1])
def test_points_are_found_and_pulled_back_as_in_the_package(page, face, t):
    V, F, start, end = face
    uv = (1 - t) * start + t * end
    corners, sides = uv[F[:300]], (uv[F[:300, 0]] + uv[F[:300, 1]]) / 2
    outside = np.array([[0.0, 1.0001], [2, 2], [-5, 0.1]])
    points = np.vstack([in_disk(4000, 1), corners[:, 0], corners.mean(axis=1), sides, outside])
    found = page.evaluate(
        """([t, points]) => {
            const place = core.locate(core.locator(core.between(start, end, t), F), points.flat());
            return [list(place.triangle), list(place.weights), list(core.pullBack(V, F, place))];
        }""",
        [t, points.tolist()],
    )
    triangle, weights = location.locate(uv, F, points)
    x, _ = location.pull_back(V, F, uv, points)
    ours = np.array(found[0])
    assert (ours[-3:] == -1).all()
    ours_w, ours_x = np.reshape(found[1], (-1, 3)), np.array(found[2], float).reshape(-1, 3)
    inside = np.ones(len(points), dtype=bool)
    inside[4000:4300] = inside[4600:4900] = False  # corners and sides: one of several triangles
    assert (ours[inside] == triangle[inside]).all()
    assert ((ours < 0) == (triangle < 0)).all()
    same = ours == triangle
    assert np.abs(ours_w[same] - weights[same]).max() < 1e-14
    hit = triangle >= 0
    assert np.abs(ours_x[same & hit] - x[same & hit]).max() < 1e-12 and np.isnan(ours_x[~hit]).all()


@pytest.mark.parametrize("t", [0, 0.4, 1])
def test_area_ratios_and_folds_are_those_of_the_package(page, face, t):
    V, F, start, end = face
    uv = (1 - t) * start + t * end
    ratio, areas, far = page.evaluate(
        """(t) => {
            const { areas } = core.spaceAreas(V, F);
            const ratio = core.areaRatio(core.signedAreas(core.between(start, end, t), F), areas);
            return [list(ratio), list(areas), core.extremes(ratio, areas, 2)];
        }""",
        t,
    )
    stretch, exact = disk_maps.area_stretch(V, F, uv), meshes.triangle_areas(V, F)
    assert np.abs(np.array(areas) / exact - 1).max() < 1e-12
    assert np.abs(np.array(ratio) - stretch).max() < 1e-12 * np.abs(stretch).max()
    beyond = (stretch < 0.5) | (stretch > 2)
    assert far["share"] == pytest.approx(exact[beyond].sum() / exact.sum(), abs=1e-12)
    assert far["folded"] == (stretch <= 0).sum()


def test_a_fold_is_counted(page):
    square = [0, 0, 1, 0, 1, 1, 0.9, 0.1]
    found = page.evaluate(
        """(uv) => {
            const image = core.signedAreas(uv, [0, 1, 2, 0, 2, 3]);
            return core.extremes(core.areaRatio(image, [1, 1]), [1, 1], 2);
        }""",
        square,
    )
    assert found["folded"] == 1


@pytest.mark.parametrize("t", [0, 0.5, 1])
@pytest.mark.parametrize("n_patches", [20, 80])
def test_the_test_of_uniformity_is_that_of_the_package(page, face, t, n_patches):
    V, F, start, end = face
    rng = np.random.default_rng(n_patches)
    patch = uniformity.patches(V, F, n_patches, rng=rng)
    points, uv = in_disk(1500, 7), (1 - t) * start + t * end
    ours = page.evaluate(
        """([t, points, patch]) => {
            const { areas } = core.spaceAreas(V, F);
            const place = core.locate(core.locator(core.between(start, end, t), F), points.flat());
            const found = core.chiSquare(place.triangle, areas, patch);
            return { ...found, ratio: list(found.ratio) };
        }""",
        [t, points.tolist(), patch.tolist()],
    )
    triangle, _ = location.locate(uv, F, points)
    theirs = uniformity.chi_square(triangle[triangle >= 0], meshes.triangle_areas(V, F), patch)
    assert ours["statistic"] == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours["pValue"] == pytest.approx(theirs.p_value, rel=1e-9, abs=1e-280)
    assert ours["freedom"] == theirs.degrees_of_freedom and ours["used"] == (triangle >= 0).sum()
    assert np.abs(np.array(ours["ratio"]) - theirs.ratio).max() < 1e-9


def test_p_values_are_those_of_scipy(page):
    cases = [(k, x * k) for k in (1, 2, 5, 79, 199, 1000) for x in (0.01, 0.5, 0.9, 1, 1.1, 1.5, 3)]
    cases += [(1, 1e-9), (79, 600.0), (3, 0.0), (79, 81.0), (79, 1e4)]
    ours = page.evaluate("(cases) => cases.map(([k, x]) => core.tail(k, x))", cases)
    for (k, x), p in zip(cases, ours, strict=True):
        assert p == pytest.approx(stats.chi2.sf(x, k), rel=1e-10, abs=1e-300), (k, x)


def test_sixteen_bits_go_back_to_what_the_page_checks(page, face):
    _, _, start, _ = face
    codes = np.round((start + 1) / 2 * 65535)
    ours = page.evaluate(
        "(c) => list(core.unquantise(c, [-1, -1], [1, 1]))", codes.ravel().tolist()
    )
    assert np.abs(np.reshape(ours, (-1, 2)) - (-1 + codes * 2 / 65535)).max() < 1e-15


def test_the_painter_shows_the_nearest_triangle_and_no_back(page):
    colours = page.evaluate(
        """() => {
            const target = omtCore.raster.image(20, 20);
            omtCore.raster.clear(target);
            const x = [1, 18, 1, 1, 18, 1], y = [18, 18, 1, 18, 18, 1], z = [5, 5, 5, 1, 1, 9];
            const light = new Array(6).fill(1), ramp = [255, 0, 0, 0, 255, 0, 0, 0, 255];
            const F = [0, 1, 2, 3, 4, 5, 0, 2, 1];
            omtCore.raster.paint(target, { x, y, z, F, light, ramp, colours: [0, 1, 2] });
            const at = (i, j) => target.pixels[20 * j + i].toString(16);
            return [at(3, 16), at(2, 5), at(18, 2)];
        }"""
    )
    green, red = "ff00ff00", "ff0000ff"
    assert colours == [green, red, "0"]  # nearer below, farther above, nothing outside


def test_stamps_cover_what_they_should(page):
    """The stamped area is that of the shape: a smooth rim covers each pixel by its share."""
    covered = page.evaluate(
        """() => ["disc", "diamond"].map((shape) => {
            const target = omtCore.raster.image(60, 60);
            omtCore.raster.stamp(target, [30.3, 29.8], { shape, radius: 9, colour: [200, 10, 0] });
            const rgb = target.pixels[60 * 30 + 30] & 0xffffff;
            return [target.pixels.reduce((sum, v) => sum + (v >>> 24) / 255, 0), rgb];
        })"""
    )
    (disc, colour), (diamond, _) = covered
    assert disc == pytest.approx(np.pi * 81, rel=0.02) and colour == 0x000AC8
    assert diamond == pytest.approx(2 * 81, rel=0.03)


def figure(tab, script):
    """Run a script with the figure `f` of a page."""
    find = "const f = document.querySelector('.omt-play').omtFigure;"
    return tab.evaluate(f"(() => {{ {find} {script} }})()")


def test_the_slider_goes_from_uneven_to_even_without_a_fold(open_figure):
    with open_figure(PAGE) as tab:
        status, slider = tab.locator(".omt-play-status"), tab.get_by_role("slider")
        assert "uneven" in status.inner_text() and "t = 0.00" in status.inner_text()
        slider.focus()
        tab.keyboard.press("End")
        assert "no sign of unevenness" in status.inner_text() and "t = 1.00" in status.inner_text()
        for start in ("conformal", "harmonic"):
            tab.get_by_label("Encoding at t = 0").select_option(start)
            seen = []
            for t in np.linspace(0, 1, 50):
                figure(tab, f"f.set({t})")
                seen.append(figure(tab, "return [f.now.extremes.folded, f.now.test.statistic]"))
            assert all(folded == 0 for folded, _ in seen)
            assert seen[0][1] > 3 * seen[-1][1]
        assert tab.wrong == [] and tab.outside == []


@pytest.mark.parametrize("end", [0, 1])
def test_what_the_figure_says_is_what_the_package_finds(open_figure, end):
    """From the data that the page carries, the whole way in the package."""
    with open_figure(PAGE) as tab:
        figure(tab, f"f.set({end})")
        triangle, uv, sample, test = figure(
            tab,
            "return [f.now.triangle, f.now.uv, f.state.sample].map((a) => Array.from(a))"
            ".concat([{ ...f.now.test, ratio: Array.from(f.now.test.ratio) }]);",
        )
    found = surfaces.load("face")
    uv, sample = np.reshape(uv, (-1, 2)), np.reshape(sample, (-1, 2))
    exact, _ = location.locate(uv, found.F, sample)
    assert (np.array(triangle) == exact).all()
    assert (meshes.signed_areas(uv, found.F) > 0).all()
    assert test["pValue"] == pytest.approx(
        stats.chi2.sf(test["statistic"], test["freedom"]), rel=1e-8
    )


def test_keys_move_the_ring_and_turn_the_face_and_play_runs(open_figure):
    with open_figure(PAGE, width=390, mode="dark") as tab:
        views = tab.locator(".omt-play canvas")
        views.nth(0).focus()
        before = figure(tab, "return f.state.probe[0]")
        tab.keyboard.press("ArrowRight")
        assert figure(tab, "return f.state.probe[0]") > before
        views.nth(1).focus()
        yaw = figure(tab, "return f.camera.yaw")
        tab.keyboard.press("ArrowLeft")
        assert figure(tab, "return f.camera.yaw") < yaw
        tab.get_by_role("button", name="Play").click()  # tests ask for reduced motion: a jump
        assert figure(tab, "return f.state.t") == 1
        tab.get_by_role("combobox", name="Points").select_option("6000")
        assert "6,000" in tab.locator(".omt-play-status").inner_text()
        tab.get_by_role("button", name="Another sample").click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.wrong == []


def test_a_hand_drags_the_ring(open_figure):
    with open_figure(PAGE) as tab:
        disk = tab.locator(".omt-play canvas").nth(0)
        disk.scroll_into_view_if_needed()
        box = disk.bounding_box()
        x, y = figure(tab, "return f.state.probe")[:2]
        wide = box["width"]
        at = box["x"] + wide * (0.5 + 0.47 * x), box["y"] + wide * (0.49 - 0.47 * y)
        tab.mouse.move(*at)
        tab.mouse.down()
        tab.mouse.move(at[0] + 47, at[1] - 20, steps=5)
        tab.mouse.up()
        moved = figure(tab, "return f.state.probe")
        assert moved[0] - x == pytest.approx(100 / wide, rel=0.05)
        assert moved[1] > y and tab.wrong == []
