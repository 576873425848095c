"""The book as one PDF and as a zip: small pages through the real code, printed by Chromium."""

import io
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://example.org/course/"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
NAMES = ["index", "part/one", "part/two"]
HEAD = """<!doctype html><html lang="{lang}"><head><title>x</title>
<link rel="stylesheet" href="{up}_static/a.css?v=1">
<link rel="stylesheet" href="{up}_static/togglebutton.css"></head>
<body><nav id="sidebar">Sidebar</nav><article class="bd-article">{body}</article></body></html>"""
ONE = """<section id="one"><h1><span class="section-number">1. </span>One &amp; only<a
class="headerlink" href="#one">#</a></h1>
<p>A <a href="two.html#far">far place</a>, <a href="two.html">a page</a>,
<a href="#here">here</a>,
<a href="../notebooks/part/one.ipynb">a file</a>, <a
href="https://example.org/x">outside</a>.</p>
<h2 id="here">Here</h2><figure id="fig-a"><img src="../_images/a.png" alt="a"><figcaption
id="cap">Caption</figcaption></figure><div aria-labelledby="here cap" class="box">Box</div>
<details class="hide above-input"><summary>Show</summary><pre>plt.plot()</pre></details>
<div class="cell"><pre>answer = 42</pre></div>
<div class="admonition dropdown toggle"><p class="admonition-title">Solution</p>
<p>The whole solution.</p></div>
<div class="omt-3d"><div class="omt-3d-view" role="img">view</div><img class="omt-3d-still"
src="data:image/png;base64,@PIXEL@" alt="still">
<script type="application/json">{"data": 1}</script></div>
<div class="omt-film" id="film"><img src="data:image/png;base64,@PIXEL@" alt="film"><div
class="omt-film-bar"><button>Play</button></div></div></section>"""
TWO = """<section id="two"><h1>Two</h1>{filler}<h2 id="far">Far</h2>
<h3 style="break-before: page; margin-top: 0">Top</h3><p>Words.</p>
<h4 style="break-before: page; margin-top: 0">2.1. <span>High</span></h4>
<p>See <a href="one.html#here">here</a>.
最优传输</p></section>"""
TOC = {
    "root": "index",
    "parts": [{"caption": "A part", "chapters": [{"file": "part/one"}, {"file": "part/two"}]}],
}


@pytest.fixture(scope="module")
def formats():
    sys.path.insert(0, str(ROOT / "book"))
    try:
        import formats
    finally:
        sys.path.remove(str(ROOT / "book"))
    return formats


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository of three pages, with a site that was built from them."""
    root = tmp_path_factory.mktemp("root")
    site = root / "_build" / "html"
    bodies = {
        "index": '<section id="home"><h1>Moving Mass</h1><a href="part/one.html">One</a></section>',
        "part/one": ONE.replace("@PIXEL@", PIXEL),
        "part/two": TWO.format(filler="<p>Words.</p>" * 150),
    }
    for name, body in bodies.items():
        path = site / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        up, lang = "../" * name.count("/"), "zh-Hans" if name == "part/two" else "en"
        path.write_text(HEAD.format(up=up, body=body, lang=lang), encoding="utf-8")
    for folder in ("_images", "_static", "../../omt_course", "../../book"):
        (site / folder).mkdir(parents=True, exist_ok=True)
    (site / "_static" / "a.css").write_text("p { color: black }")
    (site / "_static" / "togglebutton.css").write_text(".toggle > * { display: none }")
    (site / "_static" / "documentation_options.js").write_text("x = {\n SHOW_SEARCH_SUMMARY: true}")
    import matplotlib.image as mpimg
    import numpy as np

    mpimg.imsave(site / "_images" / "a.png", np.ones((30, 40, 3)))
    (root / "_config.yml").write_text(
        f"title: Moving Mass\nauthor: The authors\nhtml: {{baseurl: '{BASE}'}}\n"
    )
    import yaml

    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(TOC))
    shutil.copytree(ROOT / "book" / "_assets", root / "book" / "_assets")
    (root / "omt_course" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    return root


@pytest.fixture(scope="module")
def one(formats, root):
    page = formats.Printed.read(root / "_build" / "html", "part/one", NAMES, BASE)
    return page, BeautifulSoup(page.section, "html.parser")


def test_the_parts_are_those_of_the_table_of_contents(formats):
    assert formats.parts_of(TOC) == [("", ["index"]), ("A part", ["part/one", "part/two"])]
    nested = {"root": "a", "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}]}]}
    assert formats.parts_of(nested) == [("", ["a"]), ("", ["b", "c"])]


def test_links_stay_inside_where_they_can(one):
    links = [a["href"] for a in one[1].select("section > p a")]
    assert links == [
        "#page-part-two--far",
        "#page-part-two",
        "#page-part-one--here",
        BASE + "notebooks/part/one.ipynb",
        "https://example.org/x",
    ]


def test_names_are_the_pages_own(one):
    page, soup = one
    assert soup.section["id"] == "page-part-one" and soup.section["lang"] == "en"
    assert soup.select_one("figure")["id"] == "page-part-one--fig-a"
    box = soup.select_one(".box")
    assert box["aria-labelledby"] == "page-part-one--here page-part-one--cap"
    assert page.title == "1. One & only"
    assert page.head.count("<link") == 1 and 'href="html/_static/a.css"' in page.head


def test_what_moves_becomes_a_still_that_says_where_it_moves(one):
    soup = one[1]
    assert not soup.select("script, button, .omt-3d-view, details, .headerlink")
    assert "plt.plot" not in soup.get_text() and "answer = 42" in soup.get_text()
    notes = [note.get_text() for note in soup.select(".omt-moves")]
    assert notes == [
        f"On the site this figure turns: {BASE}part/one.html#one",
        f"On the site this figure is a film: {BASE}part/one.html#one",
    ]
    assert len(soup.select("img[alt=still], img[alt=film]")) == 2
    assert soup.select_one("figure img")["src"] == "html/_images/a.png"


def test_headings_stand_one_level_below_the_parts(one):
    assert [h.name for h in one[1].select("h1, h2, h3")] == ["h2", "h3"]


def test_a_page_without_an_article_is_refused(formats, tmp_path):
    (tmp_path / "a.html").write_text("<p>nothing</p>")
    with pytest.raises(ValueError, match="a: expected a page with an article"):
        formats.Printed.read(tmp_path, "a", ["a"], BASE)


def test_the_book_has_every_page_once_and_every_link_inside_has_an_end(formats, root):
    text, pages = formats.assemble(root, root / "_build" / "html")
    soup = BeautifulSoup(text, "html.parser")
    assert list(pages) == NAMES and not re.search(r"@\w+@", soup.body.get_text())
    ids = [node["id"] for node in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    inner = {a["href"][1:] for a in soup.select('a[href^="#"]')}
    assert inner and inner <= set(ids)
    assert "Version 1.2.3" in soup.get_text() and "Sidebar" not in soup.get_text()
    assert [n["data-to"] for n in soup.select("[data-to]")] == [
        "page-index", "part-1", "page-part-one", "page-part-two",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def printed(formats, root):
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium found: install the package `chromium`")
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("pikepdf")
    site, path = root / "_build" / "html", root / "book.pdf"
    text, _ = formats.assemble(root, site)
    count = formats.print_pdf(text, site, path, said=lambda line: None)
    return pypdf.PdfReader(path), count


def test_the_contents_name_the_right_pages(printed):
    reader, count = printed
    words = [" ".join(page.extract_text().split()) for page in reader.pages]
    assert len(words) == count >= 7
    listed = words[1]
    for title, start in (("1. One & only", "A far place"), ("Two", "Words. Words.")):
        number = int(re.search(rf"{re.escape(title)}[ .]*(\d+)", listed).group(1))
        assert title in words[number - 1] and start in words[number - 1]
        assert start not in words[number - 2]
    far = next(k for k, text in enumerate(words) if "See here" in text)
    assert "Two" in words[far] and str(far + 1) in words[far]  # running title, number


def test_links_and_bookmarks_lead_inside(printed):
    reader, _ = printed
    names = reader.named_destinations
    inner, outer = set(), set()
    for page in reader.pages:
        for note in page.get("/Annots") or ():
            note = note.get_object()
            if "/Dest" in note:
                inner.add(str(note["/Dest"]).lstrip("/"))
            else:
                outer.add(str(note["/A"].get_object().get("/URI", "")))
    assert {"page-part-two--far", "page-part-one--here", "part-1"} <= inner
    assert inner <= {name.lstrip("/") for name in names}
    assert "https://example.org/x" in outer
    assert not [address for address in outer if "book.invalid" in address]

    def titles(outline):
        return [titles(o) if isinstance(o, list) else o.title.strip() for o in outline]

    assert titles(reader.outline) == [
        "Moving Mass",
        "A part",
        ["1. One & only", ["Here"], "Two", ["Far", ["Top", ["2.1. High"]]]],
    ]
    assert reader.metadata.title == "Moving Mass"


def test_what_is_wider_than_the_paper_is_made_smaller(formats, printed):
    from playwright.sync_api import sync_playwright

    cells = (f'<td style="white-space: nowrap">{"word " * count}</td>' for count in (30, 3))
    tables = "".join(f"<div><table><tr>{cell}</tr></table></div>" for cell in cells)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=formats.chromium(), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 650, "height": 950})
        page.set_content(tables)
        widths = "[...document.querySelectorAll('table')].map(e => e.getBoundingClientRect().right)"
        before = page.evaluate(widths)
        assert page.evaluate(formats.FIT) == 1
        after = page.evaluate(widths)
        browser.close()
    assert before[0] > 650 >= after[0] and before[1] == after[1]


def test_packing_makes_it_smaller_and_keeps_what_it_says(formats, root, printed):
    pypdf = pytest.importorskip("pypdf")
    loose = io.BytesIO()
    pypdf.PdfWriter(clone_from=printed[0]).write(loose)
    formats.packed(loose.getvalue(), root / "again.pdf")
    again = pypdf.PdfReader(root / "again.pdf")
    assert (root / "again.pdf").stat().st_size < 0.8 * len(loose.getvalue())
    assert [p.extract_text() for p in again.pages] == [p.extract_text() for p in printed[0].pages]
    assert again.trailer["/Root"]["/MarkInfo"]["/Marked"]  # voices still find headings and lists


def test_solutions_are_unfolded(printed):
    assert any("The whole solution." in page.extract_text() for page in printed[0].pages)


def test_a_picture_that_is_not_there_stops_the_print(formats, root, printed):
    site = root / "_build" / "html"
    text, _ = formats.assemble(root, site)
    text = text.replace("_images/a.png", "_images/gone.png")
    with pytest.raises(RuntimeError, match=r"not found.*gone\.png"):
        formats.print_pdf(text, site, root / "no.pdf", said=lambda line: None)
    assert not (root / "no.pdf").exists()


def test_the_zip_has_the_site_and_a_search_for_the_disk(formats, root, capsys):
    formats.main(["zip", "--root", str(root)])
    path = root / "_build" / "omt-course-1.2.3.zip"
    assert str(path) in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        site = root / "_build" / "html"
        files = {p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()}
        assert {n.removeprefix("omt-course-1.2.3/") for n in archive.namelist()} == files
        options = archive.read("omt-course-1.2.3/_static/documentation_options.js")
        assert b"SHOW_SEARCH_SUMMARY: false" in options
    first = path.read_bytes()
    formats.main(["zip", "--root", str(root)])
    assert path.read_bytes() == first


def test_a_picture_has_no_more_pixels_than_paper_shows(formats, tmp_path):
    from PIL import Image

    kinds = ((3000, "RGBA", "png"), (3000, "P", "png"), (200, "RGB", "png"), (3000, "RGB", "webp"))
    for width, mode, kind in kinds:
        path = tmp_path / f"a.{kind}"
        Image.new(mode, (width, 100)).save(path)
        picture = Image.open(io.BytesIO(formats.for_paper(path)))
        assert picture.width == min(width, formats.WIDTH)
        assert picture.height == (47 if width == 3000 else 100)


def test_what_is_missing_is_said(formats, root, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="run `make book` first"):
        formats.main(["zip", "--root", str(tmp_path)])
    monkeypatch.setattr(formats, "has_chinese_font", lambda: False)
    with pytest.raises(SystemExit, match="no font shows them.*fonts-noto-cjk"):
        formats.main(["pdf", "--root", str(root)])
    monkeypatch.setattr(formats.shutil, "which", lambda name: None)
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(SystemExit, match="no Chromium"):
        formats.chromium()


def test_page_numbers_are_read_from_a_pdf(formats):
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    for _ in range(3):
        writer.add_blank_page(100, 100)
    writer.add_named_destination("b", page_number=2)
    data = io.BytesIO()
    writer.write(data)
    assert formats.page_numbers(data.getvalue()) == ({"b": 3}, 3)
