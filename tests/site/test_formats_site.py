"""The real site to take along: unpacked from its zip and opened from a disk; its book in order."""

import html
import json
import re
import sys
import zipfile
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import yaml
from browser import NO_SITE as MISSING
from browser import ROOT, SITE, need, opened
from bs4 import BeautifulSoup

sys.path.insert(0, str(ROOT / "book"))
import formats  # noqa: E402 (a script beside the pages, not a package)

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
BASE = CONFIG["html"]["baseurl"]
TOC = formats.parts_of(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")))
PAGES = [name for _, names in TOC for name in names]
PLAYED = [name for name in PAGES if name.startswith("play/")]


@pytest.fixture(scope="module")
def site():
    need((SITE / "index.html").exists(), MISSING)
    return SITE


@pytest.fixture(scope="module")
def disk(site, tmp_path_factory):
    """Return the address of the site as it lies on a reader's disk."""
    folder = tmp_path_factory.mktemp("disk")
    formats.pack(site, folder / "site.zip", "omt course", "2026-01-02")  # a space, as on a desk
    with zipfile.ZipFile(folder / "site.zip") as archive:
        archive.extractall(folder)
    return f"file://{quote(str(folder / 'omt course'))}/"


@pytest.fixture
def offline(browser, disk):
    def open_page(page):
        return opened(browser, disk, page)

    return open_page


def draw(tab, kind):
    figures = tab.locator(kind)
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        figures.nth(k).and_(tab.locator("[data-drawn]")).wait_for(state="attached")
    return figures.count()


def test_from_a_disk_formulas_are_typeset_and_figures_turn(offline):
    with offline("part3-convexity/alexandrov-brenier.html") as tab:
        assert draw(tab, ".omt-3d") > 0
        assert tab.locator("article mjx-container").count() > 50
        broken = "[...document.fonts].filter(f => f.status === 'error').map(f => f.family)"
        loaded = "[...document.fonts].filter(f => f.status === 'loaded' && /MJX/.test(f.family))"
        assert tab.evaluate(broken) == [] and tab.evaluate(f"{loaded}.length") > 0
        assert tab.outside == [] and tab.wrong == []


@pytest.mark.parametrize("page", PLAYED)
def test_from_a_disk_figures_play(offline, page):
    with offline(f"{page}.html") as tab:
        assert draw(tab, ".omt-play") > 0
        assert tab.locator(".omt-play canvas").count() > 0
        assert tab.outside == [] and tab.wrong == []


@pytest.mark.parametrize(("query", "page"), [("Brenier potential", "brenier"), ("最优传输", "")])
def test_from_a_disk_the_search_finds(offline, query, page):
    with offline(f"search.html?q={quote(query)}") as tab:
        tab.locator("#search-results li a").first.wait_for()
        found = tab.locator("#search-results li a")
        links = [found.nth(k).get_attribute("href") for k in range(found.count())]
        assert any(page in link for link in links)
        tab.wait_for_timeout(300)  # an excerpt would be asked for by now
        assert tab.outside == [] and tab.wrong == []
        found.first.click()
        tab.locator("article h1").wait_for()
        assert tab.url.startswith("file://")


def test_on_a_disk_every_link_of_every_page_has_an_end(site, disk):
    seen = 0
    for path in sorted(site.rglob("*.html")):
        if path.relative_to(site).parts[0].startswith("_"):
            continue
        text = re.sub(r"<script type=.application/json.*?</script>", "", path.read_text("utf-8"),
                      flags=re.DOTALL)  # fmt: skip
        for tag in re.findall(r"<(?:a|img|script|link)\b[^>]*>", text):
            for link in re.findall(r'\s(?:href|src)="([^"]*)"', tag):
                if 'rel="canonical"' in tag or re.match(r"[a-z]+:|#|//", link):
                    continue
                target = (path.parent / re.split(r"[?#]", html.unescape(link))[0]).resolve()
                assert target.is_file(), (path.name, link)
                seen += 1
    assert seen > 1000


def pages_with_head(site):
    for name in PAGES:
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        yield name, BeautifulSoup(text.partition("</head>")[0], "html.parser")


def test_every_page_tells_machines_what_it_is(site):
    said = set()
    for name, head in pages_with_head(site):
        where = BASE + ("" if name == "index" else f"{name}.html")
        assert [link["href"] for link in head.select("link[rel=canonical]")] == [where], name
        tags = {
            t.get("name") or t.get("property"): t["content"] for t in head.select("meta[content]")
        }
        assert tags["og:url"] == where
        assert 8 <= len(tags["description"]) <= 200, (name, tags["description"])
        assert tags["description"] not in said, f"{name} is described like another page"
        said.add(tags["description"])
        (script,) = head.select('script[type="application/ld+json"]')
        data = json.loads(script.string)
        assert data["url"] == where and data["inLanguage"]
        spoken = head.html["lang"]
        assert spoken == ("zh-Hans" if name.startswith("zh/") else "en")
        doors = {link["hreflang"] for link in head.select("link[hreflang]")}
        assert doors == ({"en", "zh-Hans", "x-default"} if name in ("index", "zh/guide") else set())


def test_the_sitemap_lists_exactly_the_pages(site):
    tags = ElementTree.parse(site / "sitemap.xml").getroot().iter()
    listed = [tag.text for tag in tags if tag.tag.endswith("}loc")]
    wanted = [BASE] + [f"{BASE}{name}.html" for name in PAGES[1:]]
    assert sorted(listed) == sorted(wanted)


def test_the_card_is_drawn(site):
    from PIL import Image

    with Image.open(site / "_static" / "social-card.png") as card:
        assert card.size == (1200, 630)
        figure = card.convert("RGB").crop((300, 300, 900, 630))
        assert len(figure.getcolors(200_000)) > 1000  # it holds the figure, not words alone


def test_downloads_have_their_sizes(site):
    text = (site / "downloads.html").read_text(encoding="utf-8")
    sizes = dict(re.findall(r'class="omt-size" data-file="([^"]+)">([^<]+)', text))
    for name in ("notebooks.zip", "slides.zip"):
        size = (site / name).stat().st_size / 1e6
        assert float(sizes[name].split()[0]) == pytest.approx(size, rel=0.1)


def test_the_book_has_every_page_and_every_link_inside_has_an_end(site):
    text, pages = formats.assemble(ROOT, site)
    assert list(pages) == PAGES
    soup = BeautifulSoup(text, "html.parser")
    ids = [node["id"] for node in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})[:5]
    links = [a["href"] for a in soup.find_all("a", href=True)]
    inside = {link[1:] for link in links if link.startswith("#")}
    assert len(inside) > 500 and inside <= set(ids)
    assert not soup.main.find_all(["script", "button", "iframe"])
    moving = soup.find_all(class_=["omt-3d", "omt-film", "omt-play"])
    for node in moving:
        assert node.find("img", alt=True)
        assert node.find(class_="omt-moves").a["href"].startswith("https:")
    assert len(moving) > 20
    pictures = [image["src"] for image in soup.find_all("img")]
    assert all(p.startswith(("data:image/", "html/_images/")) for p in pictures)
