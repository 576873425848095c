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
    i, j = exact.diagram.pairs.T
    angles = ridges.ridge_angles(ridges.unit_variance(points), i, j)
    threshold = ridges.angle_threshold(angles)
    assert found["threshold"] == pytest.approx(threshold, abs=1e-12)
    np.testing.assert_allclose(np.sort(found["angle"]), np.sort(angles), atol=1e-12)
    sharp = {tuple(sorted(p)) for p in exact.diagram.pairs[angles > threshold].tolist()}
    seen = zip(found["i"], found["j"], found["angle"], strict=True)
    assert {(a, b) for a, b, angle in seen if angle > found["threshold"]} == sharp
    segments, _ = ridges.singular_edges(exact.diagram, threshold)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    lengths = np.array(found["length"])[np.array(found["angle"]) > found["threshold"]]
    assert lengths.sum() == pytest.approx(length, abs=1e-8)
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
