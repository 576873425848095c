"""What a page tells machines, on a small site built by Sphinx with the extension alone."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import extensions
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
BASE = "https://example.org/course/"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["myst_parser", "omt_publish"]
myst_enable_extensions = ["dollarmath"]
language = "en"
author = "The authors"
html_title = "Moving Mass"
html_baseurl = {BASE!r}
omt_redirects = {{}}
"""
PAGES = {
    "index.md": "# Moving Mass\n\n```{toctree}\none\nzh/guide\ndownloads\n```\n\n"
    'The first "paragraph" of the home page, with $x < 1$ & more.\n',
    "one.md": "# One *page*\n\nShort.\n\n" + "A sentence of some length stands here. " * 20,
    "zh/guide.md": "---\nlang: zh-Hans\n---\n\n# 导读\n\n"
    + "本课程逐图引导读者阅读文章，并给出可以运行的程序。" * 20,
    "downloads.md": "# Downloads\n\nThe table says {size}`notebooks.zip` and {size}`other.pdf`.\n",
}


def build(folder, redirects=None, pages=PAGES):
    """Build a site of small pages with warnings as errors; return what Sphinx said and the site."""
    for name, text in pages.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "source" / "conf.py").write_text(CONF + f"omt_redirects |= {redirects or {}!r}\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
    done = subprocess.run(
        [*command, str(folder / "source"), str(folder / "html")], capture_output=True, text=True
    )
    return done, folder / "html"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    moved = {"old/first": "one", "second": "zh/guide#here"}
    done, site = build(tmp_path_factory.mktemp("head"), moved)
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture(scope="module")
def publish():
    return extensions.load("omt_publish")


def head(site, page):
    return BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")


def meta(soup):
    tags = soup.select("meta[name], meta[property]")
    return {tag.get("name") or tag.get("property"): tag["content"] for tag in tags}


@pytest.mark.parametrize("page", [name.replace(".md", ".html") for name in PAGES])
def test_every_page_has_a_card_and_data(site, page):
    soup = head(site, page)
    said, where = meta(soup), BASE + ("" if page == "index.html" else page)
    assert said["og:url"] == where
    assert [link["href"] for link in soup.select("link[rel=canonical]")] == [where]
    assert said["description"] == said["og:description"] and 8 < len(said["description"]) <= 200
    assert said["og:image"].startswith(BASE) and (site / said["og:image"][len(BASE) :]).exists()
    (script,) = soup.select('script[type="application/ld+json"]')
    data = json.loads(script.string)
    assert data["url"] == where and data["description"] == said["description"]
    assert data["@type"] == ("Course" if page == "index.html" else "LearningResource")
    if page != "index.html":
        home = json.loads(head(site, "index.html").select_one('script[type*="ld+json"]').string)
        assert data["isPartOf"]["@id"] == home["@id"]


def test_words_are_taken_as_they_are(site):
    assert meta(head(site, "index.html"))["description"] == (
        "The first \u201cparagraph\u201d of the home page, with x < 1 & more."
    )
    said = meta(head(site, "one.html"))
    assert said["og:title"] == "One page"
    assert said["description"].startswith("A sentence") and said["description"].endswith("here.")
    assert meta(head(site, "zh/guide.html"))["description"].endswith("。")


def test_each_page_names_its_language(site):
    spoken = {page: head(site, page).html["lang"] for page in ("index.html", "one.html")}
    assert spoken == {"index.html": "en", "one.html": "en"}
    guide = head(site, "zh/guide.html")
    assert guide.html["lang"] == "zh-Hans" and meta(guide)["og:locale"] == "zh_CN"
    data = json.loads(head(site, "index.html").select_one('script[type*="ld+json"]').string)
    assert data["inLanguage"] == ["en", "zh-Hans"]


def test_the_two_doors_name_each_other_and_no_other_page_does(site):
    wanted = {"en": BASE, "zh-Hans": BASE + "zh/guide.html", "x-default": BASE}
    for page in ("index.html", "zh/guide.html"):
        links = head(site, page).select("link[hreflang]")
        assert {link["hreflang"]: link["href"] for link in links} == wanted
    assert not head(site, "one.html").select("link[hreflang]")


def test_the_sitemap_lists_exactly_the_pages(site):
    names = ElementTree.parse(site / "sitemap.xml").getroot().iter()
    listed = [e.text for e in names if e.tag.endswith("}loc")]
    wanted = {BASE + name.replace(".md", ".html") for name in PAGES if name != "index.md"}
    assert listed[0] == BASE and len(listed) == len(set(listed))
    assert set(listed) == wanted | {BASE}
    assert f"Sitemap: {BASE}sitemap.xml" in (site / "robots.txt").read_text()


def test_an_old_address_leads_to_the_new_page(site):
    for old, link in (("old/first.html", "../one.html"), ("second.html", "zh/guide.html#here")):
        soup = head(site, old)
        assert soup.select_one("meta[http-equiv=refresh]")["content"] == f"0; url={link}"
        assert soup.select_one("a")["href"] == link
        assert soup.select_one("link[rel=canonical]")["href"] == BASE + link.removeprefix("../")
        assert (site / old).parent.joinpath(link.partition("#")[0]).resolve().exists()


@pytest.mark.parametrize(
    ("redirects", "said"),
    [
        ({"one": "index"}, "expected an address without a page, got one"),
        ({"two": "gone"}, "expected a page of the book for two, got gone"),
        ({"../two": "one"}, "expected a path without an ending, got '../two'"),
    ],
)
def test_a_wrong_redirect_stops_the_build(tmp_path, redirects, said):
    done, site = build(tmp_path, redirects)
    assert done.returncode != 0 and said in done.stderr
    assert not (site / "sitemap.xml").exists()


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_the_card_is_a_picture_of_its_size_with_the_figure(publish, tmp_path, kind):
    import matplotlib.image as mpimg
    import numpy as np
    from PIL import Image

    Image.new("RGB", (120, 60), (255, 0, 128)).save(tmp_path / f"figure.{kind}")
    paths = tmp_path / "with.png", tmp_path / "without.png"
    for path, picture in zip(paths, (tmp_path / f"figure.{kind}", None), strict=True):
        publish.social_card(picture, "Moving Mass", "How sand becomes data.", path)
    shown, bare = map(mpimg.imread, paths)
    assert shown.shape[:2] == bare.shape[:2] == publish.SIZE[::-1]
    share = [np.all(np.abs(p[..., :3] - (1, 0, 0.5)) < 0.02, axis=2).mean() for p in (shown, bare)]
    assert share[0] > 0.2 and share[1] == 0


def test_sizes_are_those_of_the_files(site, publish, tmp_path):
    page = tmp_path / "downloads.html"
    page.write_text((site / "downloads.html").read_text(encoding="utf-8"), encoding="utf-8")
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    assert [s.get_text() for s in soup.select(".omt-size")] == ["< 0.1 MB", "made at the release"]
    for size, said in ((12_345_678, "12 MB"), (1_250_000, "1.2 MB"), (10, "< 0.1 MB")):
        (tmp_path / "other.pdf").write_bytes(b"x" * size)
        publish.fill_sizes(page, {"other.pdf": tmp_path / "other.pdf"})
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert soup.select(".omt-size")[1].get_text() == said
