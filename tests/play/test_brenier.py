"""*Brenier and his cells*: the solver held to `omt_course`, and the figure on the site."""

import numpy as np
import pytest

from omt_course.transport import ridges, semidiscrete, start
from omt_course.transport.domains import Box, disk

SCRIPTS = ("transport-domain", "transport")
DOMAINS = {"disk": disk(1.0, 128), "square": Box([-1, -1], [1, 1])}
SOLVE = """([shape, points, masses, tol]) => {
  const { disk, square, solver, ridges } = omtCore.transport;
  const s = solver(shape === "disk" ? disk(1, 128) : square(1));
  s.set(Float64Array.from(points.flat()), masses);
  const done = s.solve(tol), n = s.n, found = ridges(s), pairs = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) {
    const both = (s.length[i * s.most + j] + s.length[j * s.most + i]) / 2;
    if (both > 1e-9) pairs.push([i, j, both]);
  }
  return {
    done, error: s.error, cost: s.cost(), pairs, ridges: found, areas: [...s.w.subarray(0, n)],
    heights: [...s.h.subarray(0, n)], centroids: [...s.centroid.subarray(0, 2 * n)],
  };
}"""
KINDS = ("uniform", "clusters", "masses", "thin", "outside")


@pytest.fixture(scope="module")
def page(core_page):
    """Return a page with the solver and nothing else."""
    return core_page(*SCRIPTS)


def problem(kind, n, rng):
    """Return sites (n, 2) and masses (n,), which sum to n."""
    masses = np.ones(n)
    points = rng.uniform(-0.9, 0.9, (n, 2))
    if kind == "clusters":
        corner = 2 * np.pi * np.arange(n) / 3
        points = 0.1 * points + 0.9 * np.column_stack([np.cos(corner), np.sin(corner)])
    elif kind == "masses":
        masses = rng.gamma(0.7, 1.0, n) + 0.02
        masses *= n / masses.sum()
    elif kind == "thin":
        points[:, 1] *= 1e-3
    elif kind == "outside":
        points = 3 * points + [4.0, -2.0]
    return points, masses


def solved(page, shape, points, masses, tol=1e-12):
    """Solve in the browser; arrays of what it found."""
    found = page.evaluate(SOLVE, [shape, points.tolist(), masses.tolist(), tol])
    for name in ("areas", "heights", "centroids", "pairs"):
        found[name] = np.array(found[name])
    return found


@pytest.mark.parametrize("shape", DOMAINS)
@pytest.mark.parametrize("n", [3, 4, 10, 60, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_solves_as_the_package_does(page, shape, n, kind):
    """Areas, heights, cost, centroids and edges agree; the certificate is below 1e-9."""
    domain = DOMAINS[shape]
    points, masses = problem(kind, n, np.random.default_rng(100 * n + len(kind)))
    exact = semidiscrete.solve(domain, points, masses * domain.volume / n, tol=1e-11)
    found = solved(page, shape, points, masses, tol=1e-11)
    spread = np.abs(points - points.mean(axis=0)).max()
    assert found["done"]
    assert found["error"] < 1e-9
    np.testing.assert_allclose(found["areas"], exact.cell_masses, rtol=1e-9)
    np.testing.assert_allclose(
        found["heights"] - found["heights"].mean(), exact.heights, atol=1e-9 * max(spread, 1)
    )
    assert found["cost"] == pytest.approx(exact.w2_squared, rel=1e-10)
    np.testing.assert_allclose(found["centroids"].reshape(-1, 2), exact.centroids, atol=1e-8)
    edges = {
        (min(p), max(p)): length
        for p, length in zip(exact.diagram.pairs.tolist(), exact.diagram.lengths, strict=True)
        if length > 1e-9
    }
    seen = {(int(i), int(j)): length for i, j, length in found["pairs"]}
    assert seen.keys() == edges.keys()
    assert max(abs(seen[p] - edges[p]) for p in edges) < 1e-8


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["uniform", "clusters", "masses"])
def test_the_same_edges_are_sharp(page, kind, seed):
    """Angles, threshold and the ridges beyond it are those of `omt_course.transport.ridges`."""
    points, masses = problem(kind, 45, np.random.default_rng(seed))
    domain = DOMAINS["disk"]
    exact = semidiscrete.solve(domain, points, masses * domain.volume / 45)
    found = solved(page, "disk", points, masses)["ridges"]
    long = exact.diagram.lengths > 1e-4  # shorter ones may be the rounding of one point
    i, j = exact.diagram.pairs[long].T
    angles = ridges.ridge_angles(ridges.unit_variance(points), i, j)
    threshold = ridges.angle_threshold(angles)
    assert found["threshold"] == pytest.approx(threshold, abs=1e-12)
    np.testing.assert_allclose(np.sort(found["angle"]), np.sort(angles), atol=1e-12)
    sharp = {tuple(sorted(p)) for p in exact.diagram.pairs[long][angles > threshold].tolist()}
    seen = zip(found["i"], found["j"], found["angle"], strict=True)
    assert {(a, b) for a, b, angle in seen if angle > found["threshold"]} == sharp
    segments, _ = ridges.singular_edges(exact.diagram, threshold)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    lengths = np.array(found["length"])[np.array(found["angle"]) > found["threshold"]]
    assert lengths.sum() == pytest.approx(length, abs=1e-3)
    # The figure lights ridges where this share says that there are two kinds of edges.
    assert (found["share"] >= 0.9) == (kind == "clusters")


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_the_same_and_no_cell_is_empty_there(page, kind):
    """`startingHeights` is a port of `omt_course.transport.start`."""
    points, _ = problem(kind, 30, np.random.default_rng(5))
    for shape, domain in DOMAINS.items():
        least, heights = page.evaluate(
            """([shape, points]) => {
              const { disk, square, solver, startingHeights } = omtCore.transport;
              const s = solver(shape === "disk" ? disk(1, 128) : square(1));
              const y = Float64Array.from(points.flat());
              s.set(y);
              startingHeights(s.domain, y, s.h);
              return [s.evaluate(s.h), [...s.h.subarray(0, s.n)]];
            }""",
            [shape, points.tolist()],
        )
        assert least > 0
        expected = start.starting_heights(domain, points)
        scale = np.ptp(expected)
        shift = np.mean(heights - expected)
        np.testing.assert_allclose(heights - expected, shift, atol=1e-9 * scale)


@pytest.mark.parametrize("n", [3, 30, 60])
def test_a_site_dragged_for_long_ends_where_a_cold_start_ends(page, n):
    """Warm starts, frame after frame and across other sites, leave no trace in the result."""
    points, masses = problem("clusters" if n == 60 else "uniform", n, np.random.default_rng(n))
    turn = np.linspace(0, 4 * np.pi, 240)
    path = points[0] + 0.6 * np.column_stack([np.cos(turn) - 1, np.sin(turn)]) * turn[:, None] / 12
    shares = 1 + 0.8 * np.sin(turn)  # and its mass is turned up and down meanwhile
    worst, warm, heights, cost = page.evaluate(
        """([points, path, shares]) => {
          const { disk, solver } = omtCore.transport, s = solver(disk(1, 128));
          const y = Float64Array.from(points.flat()), m = new Float64Array(points.length).fill(1);
          let worst = 0, warm = 0;
          path.forEach((p, k) => {
            [y[0], y[1], m[0]] = [...p, shares[k]];
            s.set(y, m);
            worst = Math.max(worst, s.solve() ? s.error : Infinity);
            warm += s.start === "warm";
          });
          return [worst, warm, [...s.h.subarray(0, s.n)], s.cost()];
        }""",
        [points.tolist(), path.tolist(), shares.tolist()],
    )
    points[0], masses[0] = path[-1], shares[-1]
    domain = DOMAINS["disk"]
    exact = semidiscrete.solve(domain, points, masses / masses.sum() * domain.volume)
    assert worst <= 1e-10
    assert warm > 0.9 * len(path)
    np.testing.assert_allclose(heights, exact.heights, atol=1e-8)
    assert cost == pytest.approx(exact.w2_squared, rel=1e-9)


def test_sites_on_a_line_cut_the_square_into_strips(page):
    """`omt_course` refuses such sites; the hand may place them, and the answer is known."""
    points = np.array([[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]])
    found = solved(page, "square", points, np.array([1.0, 2.0, 1.0]))
    assert found["done"]
    np.testing.assert_allclose(found["areas"], [1, 2, 1], rtol=1e-11)
    np.testing.assert_allclose(found["centroids"][::2], [-0.75, 0, 0.75], atol=1e-11)


def test_two_sites_in_one_place_are_refused_and_leave_the_solver_whole(page):
    """No exception, no endless loop: `solve` says no, and the next problem is solved."""
    first, second, error = page.evaluate(
        """() => {
          const { disk, solver } = omtCore.transport, s = solver(disk(1, 128));
          s.set(Float64Array.of(0, 0, 0, 0, 0.5, 0, 0, 0.5));
          const first = s.solve();
          s.set(Float64Array.of(0, 0, 0, -0.5, 0.5, 0, 0, 0.5));
          return [first, s.solve(), s.error];
        }"""
    )
    assert not first
    assert second
    assert error < 1e-9


# The figure on the built site

PAGE = "play/brenier-cells.html"


def figure(tab, code):
    """Run code on the figure `f` and return what it returns."""
    return tab.evaluate(
        f"() => {{ const f = document.querySelector('.omt-play').omtFigure; {code} }}"
    )


def test_it_starts_with_what_the_page_of_the_book_computed(open_figure):
    """The still's numbers, glued into the text, are those of the figure."""
    with open_figure(PAGE) as tab:
        text = tab.get_by_text("computed by omt_course when").inner_text()
        line = tab.inner_text(".omt-play-status")
        cost, length = figure(
            tab,
            """const { ridges } = f;
            return [f.solver.cost(), ridges.length.reduce(
              (sum, l, k) => sum + (ridges.angle[k] > ridges.threshold ? l : 0), 0)];""",
        )
        for number in (f"{cost:.6f}", f"{length:.3f}"):
            assert number in line
            assert number in text
        assert "60 sites" in line
        assert tab.wrong == []
        assert tab.outside == []


def test_a_hand_drags_a_site_and_every_picture_follows(open_figure):
    """A real mouse; the mass error stays certified and all three canvases change."""
    with open_figure(PAGE) as tab:
        canvases = tab.locator(".omt-play canvas")
        shot = "(all) => all.map((canvas) => canvas.toDataURL())"
        before = canvases.evaluate_all(shot)
        target = canvases.nth(1)
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        x, y = (box[k] + v for k, v in zip("xy", figure(tab, "return f.screen(0)"), strict=True))
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x - 30, y + 60, steps=5)
        tab.mouse.up()
        held, error, warm = figure(
            tab, "return [f.state.selected, f.solver.error, f.solver.start];"
        )
        assert held >= 0
        assert error < 1e-9
        assert warm == "warm"
        assert f"Site {held + 1}: at (" in tab.inner_text(".omt-play-status")
        tab.wait_for_function(
            "(before) => [...document.querySelectorAll('.omt-play canvas')]"
            ".every((canvas, k) => canvas.toDataURL() !== before[k])",
            arg=before,
        )
        assert tab.wrong == []


def test_keys_do_what_the_hand_does(open_figure):
    """Select, move, weigh, let go, turn; Tab leaves."""
    with open_figure(PAGE, width=390, mode="dark") as tab:
        canvases = tab.locator(".omt-play canvas")
        canvases.nth(1).focus()
        tab.keyboard.press("]")
        assert figure(tab, "return f.state.selected") == 0
        tab.keyboard.press("[")
        assert figure(tab, "return f.state.selected") == 59
        x, y = figure(tab, "return [f.sites[118], f.sites[119]]")
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("Shift+ArrowUp")
        assert figure(tab, "return [f.sites[118], f.sites[119]]") == pytest.approx(
            [x + 0.02, y + 0.1]
        )
        tab.keyboard.press("+")
        area, total = figure(tab, "return [f.solver.w[59], f.solver.domain.area]")
        assert area == pytest.approx(1.15 * total / 60, rel=1e-9)
        tab.keyboard.press("Escape")
        assert figure(tab, "return f.state.selected") == -1
        picture = canvases.nth(2).evaluate("(canvas) => canvas.toDataURL()")
        canvases.nth(2).focus()
        tab.keyboard.press("ArrowLeft")
        tab.wait_for_function(
            "(old) => document.querySelectorAll('.omt-play canvas')[2].toDataURL() !== old",
            arg=picture,
        )
        tab.keyboard.press("Tab")
        assert not canvases.nth(2).evaluate("(node) => node === document.activeElement")
        assert tab.wrong == []


def test_ridges_light_up_when_clusters_part(open_figure):
    """None when the clusters lie on each other; two kinds of edges when they are apart."""
    with open_figure(PAGE) as tab:
        slider = tab.get_by_role("slider", name="Move clusters apart")
        slider.fill("0")
        assert "no sharp ridge" in tab.inner_text(".omt-play-status")
        slider.fill("1")
        assert "sharp ridges: length" in tab.inner_text(".omt-play-status")
        for name in ("Ring", "Random", "Even", "Three clusters"):
            tab.get_by_role("button", name=name).click()
            assert figure(tab, "return f.solver.error") < 1e-9
            assert figure(tab, "return f.lit") == (name == "Three clusters")
        tab.get_by_role("combobox", name="Domain").select_option("square")
        assert figure(tab, "return f.solver.domain.area") == pytest.approx(4)
        for n in ("3", "120"):
            tab.get_by_role("slider", name="Sites").fill(n)
            assert figure(tab, "return [f.solver.n, f.solver.error < 1e-9]") == [int(n), True]
        assert tab.wrong == []
