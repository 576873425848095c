"""The built site in a browser with every other host cut off.

Every page is read at 1280 and 390 pixels, light and dark. Skipped, with the reason, when there is
no site or no Chromium; an error where ``OMT_REQUIRE_SITE`` is set (`.ci/run`).
"""

import functools
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from browser import SITE, opened

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    name for path in SITE.rglob("*.html") if (name := path.relative_to(SITE).as_posix())[0] != "_"
)
# What axe finds in the theme's own frame of a page (side bars, header, footer), rule by rule.
THEME = {"region"}  # the logo and the title in the side bar are in no landmark
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def visit(browser, address):
    """Return a function that opens a page and keeps what it asked for and what went wrong."""
    return functools.partial(opened, browser, address)


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


@pytest.fixture(scope="module")
def phone(visit, page):
    """Return the page on a phone, light, with its turning figures drawn."""
    with visit(page, width=390) as tab:
        draw_all(tab)
        yield tab


@pytest.fixture(scope="module", params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, tab, phone):
    """Return the page on a desk and on a phone, light, and switched to dark as a reader does it.

    Formulas are set once for both modes: that is most of the time a page takes.
    """
    width, mode = request.param
    seen = tab if width == 1280 else phone
    switch = "mode => Object.assign(document.documentElement.dataset, { mode, theme: mode })"
    seen.evaluate(switch, mode)
    seen.wait_for_timeout(100)
    yield seen
    seen.evaluate(switch, "light")


@functools.cache
def html(page):
    from bs4 import BeautifulSoup

    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def draw_all(tab):
    """Bring every turning figure into view and wait until it is drawn."""
    figures = tab.locator(".omt-3d, .omt-play")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        figures.nth(k).and_(tab.locator("[data-drawn]")).wait_for()
    return figures.count()


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
    if not html(page).select(".omt-3d, .omt-play"):
        return
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + page)
    stills = tab.locator(".omt-3d-still, .omt-play-still")
    assert all(stills.nth(k).is_visible() for k in range(stills.count()))
    assert tab.locator(".omt-play-stage:visible").count() == 0
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


def silent_pictures(tab):
    """Return pictures without forty characters that say what is seen and are not the caption."""
    return tab.evaluate(
        """() => {
            const plain = (text) => text.toLowerCase().replace(/[^\\p{L}\\p{N}]+/gu, " ").trim();
            const kinds = ":is(img, canvas, [role=img], .omt-play-stage)";
            const pictures = document.querySelectorAll(`article ${kinds}:not(.omt-3d-view *)`);
            return [...pictures].filter((e) => {
                const alt = e.getAttribute("alt") ?? e.getAttribute("aria-label") ?? "";
                const words = e.closest("figure")?.querySelector(".caption-text");
                const caption = words?.textContent ?? "";
                const enough = e.matches("canvas, .omt-3d-part *") ? 15 : 40;
                return alt.trim().length < enough || /\\.(png|svg|webp|jpg)/.test(alt)
                    || (caption && plain(caption).includes(plain(alt)));
            }).map((e) => e.outerHTML.slice(0, 200));
        }"""
    )


def too_wide(tab):
    """Return what makes a page scroll sideways."""
    return tab.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
            [...document.querySelectorAll('body *')].filter(e => {
                const r = e.getBoundingClientRect();
                return r.right > innerWidth + 1 && r.width > 0;
            }).slice(-5).map(e => e.outerHTML.slice(0, 120))"""
    )


def test_every_picture_has_words(tab):
    assert silent_pictures(tab) == []


def test_page_needs_no_other_host_has_no_error_and_no_sideways_scroll(view):
    assert view.outside == []
    assert view.wrong == []
    assert too_wide(view) == []


def violations(tab):
    """Return what axe finds at any level, each with whether it lies in the page's own content."""
    from axe_playwright_python.sync_playwright import Axe

    wrong = list(tab.wrong)
    marks = [
        (item, node) for item in Axe().run(tab).response["violations"] for node in item["nodes"]
    ]
    tab.wrong[:] = wrong  # axe asks for style sheets that style sheets name, at a wrong address
    own = tab.evaluate(
        """targets => targets.map((target) => {
            const e = document.querySelector(target.flat().at(-1));
            return !e || e.matches("html") || Boolean(e.closest("article"));
        })""",
        [node["target"] for _, node in marks],
    )
    return [
        (
            mine,
            item["id"],
            f"{item['id']} ({item['impact']}): {node['target']} {node.get('failureSummary', '')}",
        )
        for mine, (item, node) in zip(own, marks, strict=True)
    ]


def test_accessibility(view):
    view.wait_for_timeout(200)  # solutions that an earlier test unfolded have settled
    found = violations(view)
    assert [what for own, _, what in found if own] == []
    assert {rule for own, rule, _ in found if not own} <= THEME, [w for o, _, w in found if not o]


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
