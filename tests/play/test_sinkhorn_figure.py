"""*Sinkhorn*: the iteration in the browser held to `omt_course`, and the figure on the site."""

import numpy as np
import pytest

from omt_course.transport import discrete, entropic, line

RUN = """([a, b, cost, options]) => {
  const S = omtCore.sinkhorn, [p, q, c] = [a, b, cost].map((v) => Float64Array.from(v.flat()));
  const r = S.run(p, q, c, options), errors = [];
  while (r.advance(1)) errors.push(r.error);
  const { f, g, converged, iterations } = r.finish(), plan = S.plan(r);
  return {
    f: [...f], g: [...g], converged, iterations, errors, P: [...plan.P], transport: plan.transport,
    dual: plan.dual, rows: plan.rowError, columns: plan.columnError,
  };
}"""
EPS = [1.0, 0.1, 0.01, 1e-3]
PROBLEMS = ("bumps", "points", "tiny masses", "far apart")


@pytest.fixture(scope="module")
def page(core_page):
    """Return a page with the iteration and nothing else."""
    return core_page("sinkhorn")


def problem(kind, rng):
    """Return places and masses `x, a, y, b`."""
    n, m = (6, 5) if kind == "points" else (64, 48)
    x, y = np.sort(rng.random(n)), np.sort(rng.random(m))
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    if kind == "bumps":
        x, y = np.linspace(0, 1, n), np.linspace(0, 1, m)
        a = 0.02 + np.exp(-((x - 0.3) ** 2) / 0.01)
        b = 0.02 + np.exp(-((y - 0.7) ** 2) / 0.02) + np.exp(-((y - 0.1) ** 2) / 0.004)
    elif kind == "tiny masses":
        a[::2], b[::3] = 1e-12, 1e-9
    elif kind == "far apart":
        y = y + 1.5
    return x, a / a.sum(), y, b / b.sum()


def run(page, a, b, cost, **options):
    """Iterate in the browser; arrays of what it found."""
    found = page.evaluate(RUN, [a.tolist(), b.tolist(), cost.tolist(), options])
    return {k: np.array(v) if isinstance(v, list) else v for k, v in found.items()}


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_page_finds_the_plan_of_the_package(page, kind, eps):
    """Potentials up to a constant, plan, cost and dual value agree, annealed and not."""
    x, a, y, b = problem(kind, np.random.default_rng(len(kind)))
    cost = discrete.cost_matrix(x[:, None], y[:, None])
    annealed = {"eps_start": max(eps, 0.5)} if eps < 0.5 else {}
    exact = entropic.solve(a, b, cost, eps=eps, tol=1e-11, max_iter=100_000, **annealed)
    start = {"start": annealed["eps_start"]} if annealed else {}
    found = run(page, a, b, cost, eps=eps, tol=1e-11, most=100_000, **start)
    assert found["converged"]
    assert found["iterations"] == len(exact.errors)
    shift = found["f"] @ a - exact.f_ba @ a
    np.testing.assert_allclose(found["f"] - shift, exact.f_ba, atol=1e-9)
    np.testing.assert_allclose(found["g"] + shift, exact.g_ab, atol=1e-9)
    np.testing.assert_allclose(found["P"].reshape(cost.shape), exact.plan, atol=1e-11)
    assert found["transport"] == pytest.approx(np.vdot(cost, exact.plan), rel=1e-9, abs=1e-13)
    assert found["dual"] == pytest.approx(exact.dual, rel=1e-10, abs=1e-13)
    assert found["rows"] < 1e-12
    assert found["columns"] < 1e-10


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 200])
@pytest.mark.parametrize("eps", [0.1, 2e-3])
def test_every_iterate_is_that_of_the_package(page, steps, eps):
    """Stopped early: the same errors one by one, and the same potentials."""
    x, a, y, b = problem("bumps", np.random.default_rng(0))
    cost = discrete.cost_matrix(x[:, None], y[:, None])
    exact = entropic.solve(a, b, cost, eps=eps, tol=1e-300, max_iter=steps, strict=False)
    found = run(page, a, b, cost, eps=eps, tol=1e-300, most=steps)
    assert found["iterations"] == steps
    assert not found["converged"]
    np.testing.assert_allclose(found["errors"], exact.errors, rtol=1e-7, atol=1e-13)
    np.testing.assert_allclose(found["f"], exact.f_ba, atol=1e-12)
    np.testing.assert_allclose(found["g"], exact.g_ab, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_answer_on_the_line(page, seed):
    """Cost, plan and potentials of `discrete.one_dimensional`; the potentials are feasible."""
    rng = np.random.default_rng(seed)
    x, y = rng.random(7 + 9 * seed), rng.random(12)  # in any order
    a, b = rng.random(len(x)) + 0.05, rng.random(len(y)) + 0.05
    a, b = a / a.sum(), b / b.sum()
    found = page.evaluate(
        "(p) => omtCore.sinkhorn.exact(...p.map((v) => Float64Array.from(v)))",
        [x.tolist(), a.tolist(), y.tolist(), b.tolist()],
    )
    f, g = np.array(found["f"]), np.array(found["g"])
    exact = discrete.one_dimensional(x, a, y, b)
    plan = np.zeros((len(x), len(y)))
    for i, j, mass in found["path"]:
        plan[i, j] += mass
    np.testing.assert_allclose(plan, exact.plan, atol=1e-14)
    assert 2 * found["cost"] == pytest.approx(line.w2_squared_samples(x, y, a, b), rel=1e-12)
    assert f @ a + g @ b == pytest.approx(exact.primal, abs=1e-14)
    assert (f[:, None] + g - exact.cost).max() < 1e-14
    np.testing.assert_allclose(f - f[0], exact.phi - exact.phi[0], atol=1e-13)


def test_the_densities_of_the_figure_are_those_of_the_page(page):
    """Bumps over a floor, as the page of the book computes them for its still."""
    bumps, t = [[0.25, 0.06, 1.0], [0.7, 0.08, 0.8]], np.linspace(0, 1, 72)
    found = page.evaluate(
        "([bumps, t]) => [...omtCore.sinkhorn.density(bumps, t, 0.02)]", [bumps, t.tolist()]
    )
    a = 0.02 + sum(w * np.exp(-((t - c) ** 2) / (2 * s**2)) for c, s, w in bumps)
    np.testing.assert_allclose(found, a / a.sum(), rtol=1e-13)


@pytest.mark.parametrize("eps", [1e-2, 1e-4])
def test_where_plain_numbers_break(page, eps):
    """The kernel's zeros and the first iteration that is not finite, against NumPy."""
    x, a, y, b = problem("far apart", np.random.default_rng(3))
    cost = discrete.cost_matrix(x[:, None], y[:, None])
    with np.errstate(all="ignore"):
        kernel, v, failed = np.exp(-cost / eps), np.ones(len(b)), 0
        for k in range(1, 41):
            u = 1 / (kernel @ (b * v))
            v = 1 / (kernel.T @ (a * u))
            if not (np.isfinite(u).all() and np.isfinite(v).all()):
                failed = k
                break
    found = page.evaluate(
        """([a, b, cost, eps]) => {
          const arrays = [a, b, cost].map((v) => Float64Array.from(v.flat()));
          return omtCore.sinkhorn.plain(...arrays, eps, 40);
        }""",
        [a.tolist(), b.tolist(), cost.tolist(), eps],
    )
    assert found == {"zeros": pytest.approx((kernel == 0).mean(), abs=1e-3), "failed": failed}
    assert (failed > 0) == (eps < 1e-3)
    # In logarithms the same problem has an answer.
    assert run(page, a, b, cost, eps=eps, start=0.5, tol=1e-9, most=50_000)["converged"]


def test_masses_must_be_positive(page):
    """A law with an empty place is refused, by name."""
    with pytest.raises(Exception, match="a, b: expected positive masses"):
        run(page, np.array([0.0, 1.0]), np.array([1.0]), np.ones((2, 1)), eps=1.0)


# The figure on the built site

PAGE = "play/sinkhorn.html"


def figure(tab, code):
    """Run code on the figure `f` and return what it returns."""
    return tab.evaluate(
        f"() => {{ const f = document.querySelector('.omt-play').omtFigure; {code} }}"
    )


def settle(tab):
    """Wait until no iteration waits for a frame."""
    tab.wait_for_function("!document.querySelector('.omt-play').omtFigure.busy")


def test_it_starts_with_what_the_page_of_the_book_computed(open_figure):
    """The cost of the plan and the exact one, glued into the text, are those of the figure."""
    with open_figure(PAGE) as tab:
        settle(tab)
        moved, least = figure(tab, "return [f.result.transport, f.exact.cost]")
        text = tab.get_by_text("computed by omt_course when").inner_text()
        line = tab.inner_text(".omt-play-status")
        for number in (f"{moved:.6f}", f"{least:.6f}"):
            assert number in line
            assert number in text
        assert tab.wrong == []
        assert tab.outside == []


def test_epsilon_and_iterations_by_their_sliders(open_figure):
    """Smaller eps, smaller bias; a run stopped early says that it is no plan yet."""
    with open_figure(PAGE) as tab:
        bias = []
        for value in ("0", "-1", "-2", "-3"):
            tab.get_by_role("slider", name="ε").fill(value)
            settle(tab)
            bias.append(figure(tab, "return f.result.transport - f.exact.cost"))
        assert bias == sorted(bias, reverse=True)
        assert bias[-1] > 0
        tab.get_by_role("slider", name="Iterations").fill("10")
        settle(tab)
        assert "10 iterations" in tab.inner_text(".omt-play-status")
        assert "yet" in tab.inner_text(".omt-play-status")
        tab.get_by_role("button", name="One more iteration").click()
        settle(tab)
        assert figure(tab, "return f.run.iterations") == 11
        tab.get_by_role("button", name="Run to convergence").click()
        settle(tab)
        assert figure(tab, "return f.run.converged")
        tab.get_by_role("combobox", name="Laws").select_option("a long way")
        tab.get_by_role("slider", name="ε").fill("-4")
        settle(tab)
        assert "divides by zero or overflows" in tab.inner_text(".omt-play-status")
        assert figure(tab, "return f.run.converged")
        assert tab.wrong == []


def test_hand_and_keys_move_a_bump(open_figure):
    """A mouse drags along the side, keys move, widen and weigh; Tab leaves."""
    with open_figure(PAGE, width=390, mode="dark") as tab:
        settle(tab)
        canvas = tab.locator(".omt-play canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        x, y = figure(tab, "return f.screen('target', 1)")
        tab.mouse.move(box["x"] + x, box["y"] + y)
        tab.mouse.down()
        tab.mouse.move(box["x"] + x + 30, box["y"] + y, steps=3)
        tab.mouse.up()
        centre, width, weight = figure(tab, "return f.state.target[1]")
        assert centre > 0.55
        for key in ("ArrowLeft", "ArrowUp", "+"):
            tab.keyboard.press(key)
        assert figure(tab, "return f.state.target[1]") == pytest.approx(
            [centre - 0.01, width * 1.1, weight * 1.15]
        )
        tab.keyboard.press("]")
        assert figure(tab, "return [f.state.side, f.state.selected]") == ["target", 2]
        tab.keyboard.press("]")
        assert figure(tab, "return [f.state.side, f.state.selected]") == ["source", 0]
        settle(tab)
        assert tab.inner_text(".omt-play-status").startswith("Source bump 1")
        tab.keyboard.press("Escape")
        tab.keyboard.press("Tab")
        assert not canvas.evaluate("(node) => node === document.activeElement")
        assert tab.wrong == []
