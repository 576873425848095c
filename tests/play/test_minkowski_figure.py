"""The numbers of the figure *The polytope that you ask for* against the package; and the figure."""

import numpy as np
import pytest

from omt_course.geometry import minkowski, polytope

PAGE = "play/minkowski-polytope.html"
G = (1 + 5**0.5) / 2
SOLIDS = {
    "box": np.vstack([np.eye(3), -np.eye(3)]),
    "tetrahedron": np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5,
    "octahedron": np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, 8).T / 3**0.5,
    "dodecahedron": np.array([
        np.roll([0, a, b * G], k) for k in range(3) for a in (1, -1) for b in (1, -1)
    ]) / np.hypot(1, G),
}  # fmt: skip


@pytest.fixture(scope="module")
def core(core_page):
    page = core_page("polytope")

    def call(name, *arguments):
        lists = [a.tolist() if isinstance(a, np.ndarray) else a for a in arguments]
        return page.evaluate(f"(given) => omtCore.polytope.{name}(...given)", lists)

    return call


def directions(rng, n):
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def instance(seed):
    """Random normals that span, and balanced areas that differ by a factor of up to ten or so."""
    rng = np.random.default_rng(seed)
    while True:
        normals = directions(rng, rng.integers(5, 15))
        try:
            return normals, minkowski.balanced(normals, np.exp(rng.normal(0, 0.4, len(normals))))
        except ValueError:
            continue


@pytest.mark.parametrize("seed", range(40))
def test_random_polytopes_are_those_of_the_package(core, seed):
    normals, areas = instance(seed)
    ours, theirs = core("solve", normals, areas), minkowski.solve(normals, areas)
    assert ours["ok"] and ours["bounded"]
    assert np.abs(np.array(ours["areas"]) / areas - 1).max() < 1e-10
    size = theirs.support.max()
    # both are placed such that sum a_i h_i n_i = 0, so there is no translation left
    assert np.abs(np.array(ours["support"]) - theirs.support).max() < 1e-12 * size
    assert np.abs(np.array(ours["areas"]) - theirs.areas).max() < 1e-12 * areas.max()
    assert ours["volume"] == pytest.approx(theirs.volume, rel=1e-12)
    for found, facet in zip(ours["facets"], theirs.facets, strict=True):
        corners = np.array(found["corners"])
        gaps = np.linalg.norm(corners[:, None] - theirs.vertices[facet], axis=2)
        assert gaps.min(axis=0).max() < 1e-10 * size and gaps.min(axis=1).max() < 1e-10 * size


@pytest.mark.parametrize("name", SOLIDS)
def test_regular_solids_have_their_volume_and_edges(core, name):
    normals = SOLIDS[name]
    ours, theirs = (
        core("solve", normals, np.ones(len(normals))),
        minkowski.solve(normals, np.ones(len(normals))),
    )
    assert ours["ok"] and ours["iterations"] <= 1
    assert ours["volume"] == pytest.approx(theirs.volume, rel=1e-12)
    edge = {"box": 1, "tetrahedron": 3**-0.25 * 2, "octahedron": 3**-0.25 * 2}.get(
        name, (4 / (25 + 10 * 5**0.5) ** 0.5) ** 0.5
    )
    lengths = np.concatenate([f["lengths"] for f in ours["facets"]])
    assert np.minimum(np.abs(lengths - edge), lengths).max() < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_facets_and_their_derivative_are_those_of_the_package(core, seed):
    rng = np.random.default_rng(seed)
    normals, _ = instance(seed)
    support = rng.uniform(0.8, 1.3, len(normals))  # some facets may be cut off
    ours, theirs = core("intersect", normals, support), polytope.intersect(normals, support)
    assert np.abs(np.array(ours["areas"]) - theirs.areas).max() < 1e-9 * theirs.areas.sum()
    assert ours["volume"] == pytest.approx(theirs.volume, rel=1e-10)
    exact = polytope.cut_anywhere(normals, support).derivative().toarray()
    found = np.array(core("derivative", ours))
    assert np.abs(found - exact).max() < 1e-7 * np.abs(exact).max()


@pytest.mark.parametrize("seed", range(20))
def test_balanced_areas_are_those_of_the_package(core, seed):
    rng = np.random.default_rng(seed)
    normals, areas = instance(seed)
    wanted = areas * rng.uniform(0.2, 4, len(areas))
    ours = core("balanced", normals, wanted)
    try:
        theirs = minkowski.balanced(normals, wanted)
    except ValueError as error:
        assert not ours["ok"] and ours["reason"] == "driven"
        assert f"for facet {ours['face']}" in str(error)
    else:
        assert ours["ok"] and np.abs(np.array(ours["areas"]) / theirs - 1).max() < 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_the_others_give_way_as_little_as_they_can(core, seed):
    rng = np.random.default_rng(seed)
    normals, areas = instance(seed)
    face, value = int(rng.integers(len(areas))), 1.3 * float(areas[0])
    ours = core("held", normals, areas, face, value)
    others = np.arange(len(areas)) != face
    # least |(b - a) / sqrt(a)| under sum b_i n_i = 0 is a least-norm solution: an independent way
    scaled = normals[others].T * np.sqrt(areas[others])
    missing = -(normals[others].T @ areas[others] + value * normals[face])
    move = np.linalg.lstsq(scaled, missing, rcond=None)[0] * np.sqrt(areas[others])
    assert (
        np.abs(np.array(ours["areas"])[others] - areas[others] - move).max() < 1e-11 * areas.max()
    )
    assert ours["areas"][face] == value
    assert ours["ok"] == bool((areas[others] + move > 0).all())


def refusals():
    box, rng = SOLIDS["box"], np.random.default_rng(3)
    up = directions(rng, 8)
    up[:, 2] = np.abs(up[:, 2])
    flat = np.column_stack([np.cos(np.arange(5)), np.sin(np.arange(5)), np.zeros(5)])
    return {
        "few": (np.eye(3), np.ones(3)),
        "same": (np.vstack([box, box[:1]]), np.ones(7)),
        "half-space": (up, np.ones(8)),
        "half-space, closed": (np.vstack([box[:5]]), np.ones(5)),
        "half-space, flat": (flat, np.ones(5)),
        "half-space, line": (
            np.array([[0, 0, 1.0], [0, 0, -1], [0, 0.6, 0.8], [0, -0.6, -0.8]]),
            np.ones(4),
        ),
        "area": (box, np.array([1, 1, 1, 1, 1, 0.0])),
        "area, negative": (box, np.array([1, 1, -2, 1, 1, 1.0])),
        "balance": (box, np.array([1, 1, 1, 1, 1, 2.0])),
        "balance, hardly": (box, np.array([1, 1, 1, 1, 1, 1 + 1e-9])),
    }


@pytest.mark.parametrize("name", refusals())
def test_both_refuse_what_cannot_be(core, name):
    normals, areas = refusals()[name]
    with pytest.raises(ValueError):
        minkowski.solve(normals, areas)
    ours = core("solve", normals, areas)
    assert not ours["ok"] and ours["reason"] == name.split(",")[0]
    if ours["reason"] == "half-space":
        e = np.array(ours["direction"])
        assert np.linalg.norm(e) == pytest.approx(1) and (normals @ e).max() < 1e-11
    if ours["reason"] == "balance":
        assert np.abs(np.array(ours["excess"]) - areas @ normals).max() < 1e-12


def test_the_direction_of_a_bowl_is_well_inside_its_opening(core):
    rng = np.random.default_rng(5)
    for _ in range(20):
        normals = directions(rng, 8)
        normals[:, 2] = -np.abs(normals[:, 2])
        found = core("solve", normals, np.ones(8))
        assert (normals @ found["direction"]).max() < 0


@pytest.mark.parametrize("seed", range(10))
def test_a_lid_closes_a_bowl(core, seed):
    """Normals of a half-space, and one more face that takes the sum of the others."""
    rng = np.random.default_rng(seed)
    normals, areas = directions(rng, 7), rng.uniform(0.5, 2, 7)
    normals[:, 2] = -np.abs(normals[:, 2])
    lid = -np.array(core("sumOf", normals, areas))
    size = np.linalg.norm(lid)
    closed, areas = np.vstack([normals, lid / size]), np.append(areas, size)
    ours, theirs = core("solve", closed, areas), minkowski.solve(closed, areas)
    assert ours["ok"] and ours["volume"] == pytest.approx(theirs.volume, rel=1e-9)


def figure(tab, script):
    return tab.evaluate(
        f"(() => {{ const f = document.querySelector('.omt-play').omtFigure; {script} }})()"
    )


def test_the_figure_solves_refuses_and_recovers(open_figure):
    with open_figure(PAGE) as tab:
        status = tab.locator(".omt-play-status")
        assert "12 faces" in status.inner_text() and tab.wrong == [] and tab.outside == []
        mode = tab.get_by_label("When a face changes")
        mode.select_option("exact")
        figure(tab, "f.set(0, 1.8)")
        assert "No polytope has these areas" in status.inner_text()
        assert figure(tab, "return f.state.valid") == [1] * 12  # the last one that exists stays
        tab.get_by_role("button", name="nearest areas").click()
        assert "12 faces" in status.inner_text()
        tab.get_by_label("Normals").select_option("bowl")
        assert "whatever the areas" in status.inner_text()
        tab.get_by_label("Normals").select_option("closed")
        assert "lid" in status.inner_text()
        mode.select_option("keep")
        tab.get_by_label("Normals").select_option("random")
        figure(tab, "f.set(5, 1.7)")
        assert "above zero" in status.inner_text()
        tab.get_by_role("button", name="Start again").click()
        assert "10 faces" in status.inner_text() and tab.wrong == []


def test_keys_choose_a_face_and_change_its_area(open_figure):
    with open_figure(PAGE, width=390, mode="dark") as tab:
        views = tab.locator(".omt-play canvas")
        views.nth(1).focus()
        face, before = figure(tab, "return [f.state.face, f.state.asked[f.state.face]]")
        tab.keyboard.press("ArrowUp")
        assert figure(tab, "return f.state.asked[f.state.face]") == pytest.approx(before + 0.05)
        tab.keyboard.press("ArrowRight")
        assert figure(tab, "return f.state.face") == (face + 1) % 12
        views.nth(0).focus()
        tab.keyboard.press("[")
        tab.keyboard.press("-")
        assert figure(tab, "return f.state.asked[f.state.face]") == pytest.approx(before, abs=1e-9)
        yaw = figure(tab, "return f.camera.yaw")
        tab.keyboard.press("ArrowLeft")
        assert figure(tab, "return f.camera.yaw") != yaw
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.tagName") != "BODY"
        assert not views.nth(0).evaluate("(node) => node === document.activeElement")
        assert tab.wrong == []


def test_keys_reach_the_limit_that_the_page_names_and_come_back(open_figure):
    with open_figure(PAGE) as tab:
        figure(tab, "f.choose('random'); f.select(5); f.set(5, 0.6);")
        areas = figure(tab, "return f.state.asked")
        tab.locator(".omt-play canvas").nth(1).focus()
        presses = 0
        while not figure(tab, "return Boolean(f.state.refused)"):
            tab.keyboard.press("ArrowUp")
            presses += 1
            assert presses < 40
        assert figure(tab, "return [f.state.refused.reason, f.state.refused.face]") == ["driven", 9]
        for _ in range(presses):
            tab.keyboard.press("ArrowDown")
        assert figure(tab, "return f.state.asked") == pytest.approx(areas, abs=1e-9)
        assert tab.wrong == []


def test_the_button_that_balances_hides_and_leaves_the_focus_in_the_figure(open_figure):
    with open_figure(PAGE) as tab:
        tab.locator(".omt-play select").nth(1).select_option("exact")
        tab.locator(".omt-play canvas").nth(1).focus()
        tab.keyboard.press("ArrowUp")
        button = tab.locator(".omt-play button").first
        button.focus()
        tab.keyboard.press("Enter")
        assert button.is_hidden() and figure(tab, "return f.state.refused") is None
        assert tab.evaluate("Boolean(document.activeElement.closest('.omt-play'))")


def test_a_hand_drags_a_bar_and_a_face(open_figure):
    with open_figure(PAGE) as tab:
        bars = tab.locator(".omt-play canvas").nth(1)
        bars.scroll_into_view_if_needed()
        box = bars.bounding_box()
        x, y = figure(tab, "const b = f.handle(2); return [b[0], b[1]]")
        tab.mouse.move(box["x"] + x, box["y"] + y)
        tab.mouse.down()
        tab.mouse.move(box["x"] + x, box["y"] + y - 40, steps=4)
        tab.mouse.up()
        assert figure(tab, "return f.state.face") == 2
        assert figure(tab, "return f.state.asked[2]") > 1.1
        solid = tab.locator(".omt-play canvas").nth(0).bounding_box()
        x, y = solid["x"] + solid["width"] / 2, solid["y"] + solid["height"] / 2
        tab.mouse.click(x, y)
        face, area, yaw = figure(
            tab, "return [f.state.face, f.state.asked[f.state.face], f.camera.yaw]"
        )
        assert face != 2  # the face in the middle of the picture
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x, y - 50, steps=4)
        tab.mouse.up()
        assert figure(tab, f"return f.state.asked[{face}]") > area + 0.1
        assert figure(tab, "return f.camera.yaw") == yaw  # the chosen face was dragged, not turned
        tab.mouse.move(solid["x"] + 5, solid["y"] + 5)
        tab.mouse.down()
        tab.mouse.move(solid["x"] + 60, solid["y"] + 5, steps=4)
        tab.mouse.up()
        assert figure(tab, "return f.camera.yaw") != yaw and tab.wrong == []
