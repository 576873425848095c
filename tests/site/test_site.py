"""The built site in a browser with every other host cut off.

Skipped, with the reason, when there is no site or no Chromium; an error where
``OMT_REQUIRE_SITE`` is set (`.ci/run`). ``OMT_SITE`` points at another site than ``_build/html``.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("OMT_SITE", ROOT / "_build" / "html"))
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_CONTENT = {"genindex.html", "prf-prf.html", "search.html"}
PAGES = sorted(
    name
    for path in SITE.rglob("*.html")
    if (name := path.relative_to(SITE).as_posix()) not in NO_CONTENT and name[0] != "_"
)
if not (SITE / "index.html").exists():
    MISSING = f"no site in {SITE}: run `make book` first"
elif CHROMIUM is None:
    MISSING = "no Chromium found: install the package `chromium`, or set CHROMIUM to its path"
else:
    MISSING = None
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not write a line for every file."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    if MISSING and os.environ.get("OMT_REQUIRE_SITE"):
        pytest.fail(MISSING)
    if MISSING:
        pytest.skip(MISSING)
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser(address):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visit(browser, address):
    """Return a function that opens a page and keeps what it asked for and what went wrong."""

    @contextlib.contextmanager
    def open_page(page, *, width=1280, mode="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, reduced_motion="reduce"
        )
        context.add_init_script(
            f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}');"
        )
        tab = context.new_page()
        tab.set_default_timeout(30_000)
        tab.outside, tab.wrong = [], []

        def route(route):
            if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
                route.continue_()
            else:
                tab.outside.append(route.request.url)
                route.abort()

        context.route(lambda url: not url.startswith(("data:", "blob:")), route)
        tab.on("pageerror", lambda error: tab.wrong.append(f"page error: {error}"))
        tab.on(
            "console",
            lambda message: message.type == "error" and tab.wrong.append(message.text),
        )
        tab.on(
            "response",
            lambda answer: answer.status >= 400 and tab.wrong.append(f"404: {answer.url}"),
        )
        tab.goto(address + page, wait_until="load")
        tab.wait_for_function("!window.MathJax || window.MathJax.startup?.promise")
        tab.evaluate("window.MathJax?.startup?.promise")
        yield tab
        context.close()

    return open_page


@pytest.fixture(scope="module", params=PAGES or ["index.html"])
def page(request):
    """Each page in turn; its tests run together, so that few tabs are open at a time."""
    return request.param


@pytest.fixture(scope="module")
def tab(visit, page):
    """Return the page on a desk, light, with its turning figures drawn."""
    with visit(page) as tab:
        draw_all(tab)
        yield tab


@pytest.fixture(scope="module", params=["light", "dark"])
def phone(request, visit, page):
    """Return the page on a phone, light and dark."""
    with visit(page, width=390, mode=request.param) as tab:
        draw_all(tab)
        tab.mode = request.param
        yield tab


@functools.cache
def html(page):
    from bs4 import BeautifulSoup

    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def draw_all(tab):
    """Bring every turning figure into view and wait until it is drawn."""
    figures = tab.locator(".omt-3d")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        figures.nth(k).and_(tab.locator("[data-drawn]")).wait_for()
    return figures.count()


def test_page_needs_no_other_host_and_has_no_error(tab):
    assert tab.outside == []
    assert tab.wrong == []


def test_mathematics_is_typeset(tab):
    state = tab.evaluate(
        """() => ({
            raw: [...document.querySelectorAll('article .math')].filter(
                e => !e.querySelector('mjx-container')).map(e => e.textContent.slice(0, 60)),
            bad: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(
                e => e.textContent),
            fonts: [...document.fonts].filter(f => f.family.startsWith('MJX')
                && f.status === 'error').map(f => f.family)})"""
    )
    assert state == {"raw": [], "bad": [], "fonts": []}


def test_turning_figures_are_drawn_and_turn(tab):
    if not tab.locator(".omt-3d").count():
        return
    view = tab.locator(".omt-3d-view").first
    assert view.locator("canvas").count() > 0
    assert tab.locator(".omt-3d-still").first.is_hidden()
    eye = "v => { const e = v._fullLayout.scene.camera.eye; return [e.x, e.y, e.z]; }"
    before = view.evaluate(eye)
    view.focus()
    view.press("ArrowLeft")
    tab.wait_for_timeout(200)
    assert view.evaluate(eye) != before


def test_figures_in_a_row_turn_together(tab):
    """What a key or a drag does to one view, all views of its box show."""
    camera = "v => Object.values(v._fullLayout.scene._scene.getCamera().eye)"
    rows = tab.locator(".omt-3d-row")
    for k in range(rows.count()):
        views = rows.nth(k).locator(".omt-3d-view").all()
        views[0].scroll_into_view_if_needed()
        before = views[0].evaluate(camera)

        def turn_by_key(views=views):
            views[1].focus()
            views[1].press("ArrowLeft")

        def turn_by_drag(views=views):
            box = views[-1].bounding_box()
            tab.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
            tab.mouse.down()
            tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
            tab.mouse.up()

        after = together(tab, views, camera, before, turn_by_key)
        together(tab, views, camera, after, turn_by_drag)


def together(tab, views, camera, before, act):
    """Turn, and wait until all views show one camera, another than before.

    A busy machine takes its time, and may lose an event while a view is still drawn: turn again.
    """
    for _ in range(4):
        act()
        for _ in range(25):
            tab.wait_for_timeout(200)
            eyes = [view.evaluate(camera) for view in views]
            if eyes[0] != before and all(eye == pytest.approx(eyes[0], abs=1e-6) for eye in eyes):
                return eyes[0]
    raise AssertionError(f"the views did not come together, away from {before}: {eyes}")


def test_stills_stand_in_when_scripts_are_off(browser, address, page):
    if not html(page).select(".omt-3d"):
        return
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + page)
    stills = tab.locator(".omt-3d-still")
    assert all(stills.nth(k).is_visible() for k in range(stills.count()))
    context.close()


def test_animations_move_when_asked(tab):
    films = tab.locator(".omt-film")
    for k in range(films.count()):
        film = films.nth(k)
        film.scroll_into_view_if_needed()
        picture, slider = film.locator("img"), film.locator("input")
        first = picture.get_attribute("src")
        film.locator("[data-do=play]").click()
        tab.wait_for_function(
            "([e, first]) => e.src !== first", arg=[picture.element_handle(), first]
        )
        film.locator("[data-do=play]").click()
        slider.focus()
        slider.press("Home")
        assert film.locator("output").inner_text().startswith("1 /")
        slider.press("ArrowRight")
        assert film.locator("output").inner_text().startswith("2 /")


def test_solutions_are_folded_and_open(tab):
    solutions = tab.locator("div.solution")
    for k in range(solutions.count()):
        solution = solutions.nth(k)
        body = solution.locator("> *:not(.admonition-title)").first
        assert not body.is_visible()
        solution.locator("> .admonition-title").click()
        body.wait_for(state="visible")


def test_ids_are_unique(tab):
    ids = tab.evaluate(
        """[...document.querySelectorAll('article [id]:not(.omt-3d-view *)')]
            .map(e => e.id).filter(id => id)"""
    )
    assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})


def test_every_picture_has_words(tab):
    silent = tab.evaluate(
        """() => [...document.querySelectorAll('article img, article [role=img]')].filter(e => {
            const alt = e.getAttribute('alt') ?? e.getAttribute('aria-label') ?? '';
            return alt.trim().split(/\\s+/).length < 3 || /\\.(png|svg|webp|jpg)/.test(alt);
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert silent == []


def test_a_phone_needs_no_sideways_scroll(phone):
    assert phone.evaluate("document.documentElement.dataset.theme") == phone.mode
    wide = phone.evaluate(
        """() => document.documentElement.scrollWidth <= 390 ? [] :
            [...document.querySelectorAll('body *')].filter(e => {
                const r = e.getBoundingClientRect();
                return r.right > 391 && r.width > 0;
            }).slice(-5).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert wide == []
    assert phone.outside == [] and phone.wrong == []


def serious(tab):
    """Return what axe finds that keeps a reader out."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for item in Axe().run(tab).response["violations"]
        if item["impact"] in ("serious", "critical") or item["id"] == "heading-order"
        for node in item["nodes"][:3]
    ]


def test_accessibility_on_a_desk(tab):
    tab.wait_for_timeout(200)  # solutions that an earlier test unfolded have settled
    assert serious(tab) == []


def test_accessibility_on_a_phone(phone):
    assert serious(phone) == []


def test_chapters_have_the_numbers_of_the_syllabus(address):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    syllabus = config["sphinx"]["config"]["omt_chapters"]
    for page in PAGES:
        if page.startswith("part"):
            number = syllabus.index(page.split("/")[-1].removesuffix(".html")) + 1
            title = html(page).select_one("article h1 .section-number")
            assert title.get_text().strip() == f"{number}."
            labels = [e.get_text().strip() for e in html(page).select(".proof .caption-number")]
            assert any(label.endswith(f" {number}.1") for label in labels)


@pytest.mark.parametrize("words", ["Brenier", "transporting", "最优传输", "布雷尼尔势能函数"])
def test_search_finds_english_and_chinese(visit, words):
    with visit(f"search.html?q={words}") as tab:
        tab.locator("#search-results .search-summary", has_text="finished").wait_for()
        links = tab.locator("#search-results ul.search li a").evaluate_all(
            "list => list.map(a => a.getAttribute('href'))"
        )
        assert any("glossary" in link or "notation" in link for link in links), links
        assert tab.outside == [] and tab.wrong == []


def test_launch_and_download_links_name_the_notebook(address):
    checked = 0
    for page in PAGES:
        name = page.removesuffix(".html")
        if not (SITE / "notebooks" / f"{name}.ipynb").exists():
            continue
        links = [a["href"] for a in html(page).select(".bd-header-article a[href]")]
        ending = f"/omt-course/omt-course/blob/notebooks/{name}.ipynb"
        assert any(a.startswith("https://colab.") and a.endswith(ending) for a in links), page
        ending = f"/notebooks?urlpath=lab/tree/{name}.ipynb"
        assert any(a.startswith("https://mybinder.org") and a.endswith(ending) for a in links), page
        local = [a for a in links if "://" not in a and a.endswith(".ipynb")]
        assert len(local) == 1, page
        assert (SITE / page).parent.joinpath(local[0]).resolve().exists()
        checked += 1
    assert checked > 0


def test_every_link_within_the_site_leads_somewhere(address):
    dead = set()
    for page in PAGES:
        for link in html(page).select("a[href]"):
            url = urlsplit(link["href"])
            if url.scheme or url.netloc:
                continue
            path = (SITE / page).parent.joinpath(unquote(url.path)).resolve() if url.path else None
            target = path.relative_to(SITE.resolve()).as_posix() if path else page
            if not (SITE / target).is_file():
                dead.add((page, target))
            elif url.fragment and target in PAGES:
                if not html(target).find(id=unquote(url.fragment)):
                    dead.add((page, f"{target}#{url.fragment}"))
    assert dead == set()
