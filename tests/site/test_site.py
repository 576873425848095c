"""The built site in a browser with every other host cut off.

Skipped, with the reason, when there is no site or no Chromium; an error where
``OMT_REQUIRE_SITE`` is set (`.ci/run`). ``OMT_SITE`` points at another site than ``_build/html``.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

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
pages = pytest.mark.parametrize("page", PAGES or ["index.html"])
modes = pytest.mark.parametrize("mode", ["light", "dark"])


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
    contexts = []

    def open_page(page, *, width=1280, mode="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, reduced_motion="reduce"
        )
        contexts.append(context)
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
        return tab

    @functools.cache
    def kept(page, **options):
        return open_page(page, **options)

    open_page.kept = kept
    yield open_page
    for context in contexts:
        context.close()


def draw_all(tab):
    """Bring every turning figure into view and wait until it is drawn."""
    figures = tab.locator(".omt-3d")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        figures.nth(k).and_(tab.locator("[data-drawn]")).wait_for()
    return figures.count()


@pages
def test_page_needs_no_other_host_and_has_no_error(visit, page):
    tab = visit.kept(page)
    draw_all(tab)
    assert tab.outside == []
    assert tab.wrong == []


@pages
def test_mathematics_is_typeset(visit, page):
    tab = visit.kept(page)
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


@pages
def test_turning_figures_are_drawn_and_turn(visit, page):
    tab = visit.kept(page)
    if not draw_all(tab):
        assert tab.locator(".omt-3d-data").count() == 0
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


@pages
def test_stills_stand_in_when_scripts_are_off(browser, address, page):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + page)
    stills = tab.locator(".omt-3d-still")
    assert all(stills.nth(k).is_visible() for k in range(stills.count()))
    context.close()


@pages
def test_animations_move_when_asked(visit, page):
    tab = visit.kept(page)
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


@pages
def test_solutions_are_folded_and_open(visit, page):
    tab = visit(page)
    solutions = tab.locator("div.solution")
    for k in range(solutions.count()):
        solution = solutions.nth(k)
        body = solution.locator("> *:not(.admonition-title)").first
        assert not body.is_visible()
        solution.locator("> .admonition-title").click()
        body.wait_for(state="visible")


@pages
def test_ids_are_unique(visit, page):
    ids = visit.kept(page).evaluate(
        """[...document.querySelectorAll('article [id]:not(.omt-3d-view *)')]
            .map(e => e.id).filter(id => id)"""
    )
    assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})


@pages
def test_every_picture_has_words(visit, page):
    tab = visit.kept(page)
    silent = tab.evaluate(
        """() => [...document.querySelectorAll('article img, article [role=img]')].filter(e => {
            const alt = e.getAttribute('alt') ?? e.getAttribute('aria-label') ?? '';
            return alt.trim().split(/\\s+/).length < 3 || /\\.(png|svg|webp|jpg)/.test(alt);
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert silent == []


@pages
@modes
def test_a_phone_needs_no_sideways_scroll(visit, page, mode):
    tab = visit.kept(page, width=390, mode=mode)
    draw_all(tab)
    assert tab.evaluate("document.documentElement.dataset.theme") == mode
    wide = tab.evaluate(
        """() => document.documentElement.scrollWidth <= 390 ? [] :
            [...document.querySelectorAll('body *')].filter(e => {
                const r = e.getBoundingClientRect();
                return r.right > 391 && r.width > 0;
            }).slice(-5).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert wide == []


@pages
@modes
def test_accessibility_has_no_serious_finding(visit, page, mode):
    from axe_playwright_python.sync_playwright import Axe

    tab = visit.kept(page) if mode == "light" else visit.kept(page, width=390, mode=mode)
    draw_all(tab)
    found = Axe().run(tab).response["violations"]
    serious = [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for item in found
        if item["impact"] in ("serious", "critical") or item["id"] == "heading-order"
        for node in item["nodes"][:3]
    ]
    assert serious == []


def test_chapters_have_the_numbers_of_the_syllabus(visit):
    import yaml

    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    syllabus = config["sphinx"]["config"]["omt_chapters"]
    for page in PAGES:
        if page.startswith("part"):
            number = syllabus.index(page.split("/")[-1].removesuffix(".html")) + 1
            tab = visit.kept(page)
            assert tab.locator("h1 .section-number").first.inner_text().strip() == f"{number}."
            labels = tab.locator(".proof .caption-number").all_inner_texts()
            assert any(label.strip().endswith(f" {number}.1") for label in labels)


def test_search_finds_english_and_chinese(visit):
    for words in ("Brenier", "transporting", "最优传输", "布雷尼尔势能函数"):
        tab = visit(f"search.html?q={words}")
        tab.wait_for_selector("#search-results ul.search li a")
        links = tab.locator("#search-results ul.search li a").evaluate_all(
            "list => list.map(a => a.getAttribute('href'))"
        )
        assert any("glossary" in link or "notation" in link for link in links), (words, links)
        assert tab.outside == [] and tab.wrong == []
        tab.close()


def test_launch_and_download_links_name_the_notebook(visit):
    checked = 0
    for page in PAGES:
        name = page.removesuffix(".html")
        if not (SITE / "notebooks" / f"{name}.ipynb").exists():
            continue
        links = visit.kept(page).evaluate(
            "[...document.querySelectorAll('.bd-header-article a')].map(a => a.href)"
        )
        ending = f"/omt-course/omt-course/blob/notebooks/{name}.ipynb"
        assert any(a.startswith("https://colab.") and a.endswith(ending) for a in links), page
        ending = f"/notebooks?urlpath=lab/tree/{name}.ipynb"
        assert any(a.startswith("https://mybinder.org") and a.endswith(ending) for a in links), page
        local = [a for a in links if a.startswith("http://127.0.0.1") and a.endswith(".ipynb")]
        assert len(local) == 1, page
        assert (SITE / urlsplit(local[0]).path.lstrip("/")).exists()
        checked += 1
    assert checked > 0


def test_every_link_within_the_site_leads_somewhere(visit):
    ids, links = {}, []
    for page in PAGES:
        tab = visit.kept(page)
        ids[page] = set(tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)"))
        found = tab.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
        links += [(page, urlsplit(a)) for a in found if a.startswith("http://127.0.0.1")]
    dead = set()
    for page, link in links:
        target = link.path.lstrip("/") or "index.html"
        if not (SITE / target).exists():
            dead.add((page, target))
        elif link.fragment and target in ids and link.fragment not in ids[target] | {""}:
            dead.add((page, f"{target}#{link.fragment}"))
    assert dead == set()
