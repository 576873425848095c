"""Numbers, pictures and warnings of the chapters on other pages: a toy book, then the site."""

import base64
import io
import json
import re
from pathlib import Path

import extensions
import nbformat
import pytest
import yaml
from browser import NO_SITE, SITE, need
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CONF = """
extensions = ["myst_nb", "omt_gather"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "colon_fence"]
html_theme = "basic"
"""
SHOWS = """# Shows

The number is {number}`page-number`, as {ref}`breaks-page-units` knows.

```{picture-of} fig-page-wide
:caption: own
```

```{picture-of} page
:still: 1
:alt: A still with words of its own.
```

```{what-breaks} part
```

```{run-times}
```
"""
BOX = """:::{admonition} What breaks: units of $10^{-3}$
:class: warning breaks

Lengths *shrink* by $10^{-3}$. Cure: metres.
:::

:::{admonition} What breaks: units
:class: warning breaks

Nothing **moves**, see {ref}`other`. *How to see it*: look.

Second paragraph.
:::

- **Time to run**: at most 60 seconds on two CPU cores; it waits.
"""


def picture(kind, width, height=40):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (94, 42, 132)).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def notebook():
    """A page with a glued number, a figure of a cell, a still inside HTML, and two boxes."""
    v4 = nbformat.v4
    glued = {"scrapbook": {"name": "page-number", "mime_prefix": "application/papermill.record/"}}
    number = v4.new_output(
        "display_data",
        {"application/papermill.record/text/plain": "'1,234.5 %'"},
        metadata=glued,
    )
    wide = v4.new_output("display_data", {"image/png": picture("png", 2400), "text/plain": "x"})
    still = (
        f'<div class="omt-3d"><img class="omt-3d-still" alt="A cube &amp; a ball." '
        f'src="data:image/webp;base64,{picture("webp", 300)}"></div>'
    )
    figure = {"name": "fig-page-wide", "caption": "Where $x$ is, {ref}`other` says."}
    meta = {"mystnb": {"image": {"alt": "A wide violet picture."}, "figure": figure}}
    return v4.new_notebook(
        metadata={"kernelspec": {"display_name": "P", "language": "python", "name": "python3"}},
        cells=[
            v4.new_markdown_cell("(page)=\n# A page\n\n" + BOX),
            v4.new_code_cell("glue(...)", outputs=[number]),
            v4.new_code_cell("draw()", outputs=[wide], metadata=meta),
            v4.new_code_cell(
                "turn()", outputs=[v4.new_output("display_data", {"text/html": still})]
            ),
        ],
    )


def build(folder, shows=SHOWS):
    """Build the toy book; return the finished process."""
    (folder / "part").mkdir(exist_ok=True)
    (folder / "conf.py").write_text(CONF)
    (folder / "index.md").write_text("# Toy\n\n```{toctree}\nother\npart/page\nfolder/shows\n```\n")
    (folder / "other.md").write_text("(other)=\n# Other\n\nWords.\n")
    nbformat.write(notebook(), folder / "part" / "page.ipynb")
    (folder / "folder").mkdir(exist_ok=True)
    (folder / "folder" / "shows.md").write_text(shows)
    return extensions.build(folder)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    done = build(folder)
    assert done.returncode == 0 and not done.stderr, done.stderr
    html = folder / "out" / "html"
    return html, BeautifulSoup((html / "folder" / "shows.html").read_text("utf-8"), "html.parser")


def test_a_number_is_the_one_that_the_page_glued(toy):
    _, page = toy
    assert [n.get_text() for n in page.select(".pasted-text")] == ["1,234.5 %"]


def test_a_picture_is_small_and_leads_to_its_figure(toy):
    html, page = toy
    wide, still = page.select(".omt-picture")
    assert wide.a["href"] == "../part/page.html#fig-page-wide"
    assert wide.img["alt"] == "A wide violet picture."
    with Image.open(html / "folder" / wide.img["src"]) as shown:
        assert shown.width == 960
    words = wide.select_one(".omt-picture-words")
    assert words.a["href"] == "../other.html#other" and words.select(".math")
    assert still.a["href"] == "../part/page.html#page"
    assert still.img["alt"] == "A still with words of its own."
    with Image.open(html / "folder" / still.img["src"]) as shown:
        assert shown.width == 300


def test_boxes_are_listed_with_their_symptom_and_an_address(toy):
    html, page = toy
    titles = page.select("dl.omt-breaks dt a")
    assert [t.get_text() for t in titles] == [r"Units of \(10^{-3}\)", "Units"]
    assert page.select_one("a[href$='page.html#breaks-units'] .std-ref").get_text() == "Units"
    there = BeautifulSoup((html / "part" / "page.html").read_text("utf-8"), "html.parser")
    for title in titles:
        target = there.find(id=title["href"].split("#")[1])
        assert "breaks" in target["class"]
    first, second = page.select("dl.omt-breaks dd")
    assert page.select("script[src*=mathjax]")  # though this page has no formula of its own
    assert first.p.get_text().strip() == r"Lengths shrink by \(10^{-3}\)."
    assert second.p.get_text().strip() == "Nothing moves, see Other."
    assert second.select_one("p a")["href"] == "../other.html#other"
    assert "Second paragraph" not in second.get_text()


def test_what_is_unknown_is_a_warning(tmp_path):
    shows = (
        "# Shows\n\n{number}`page-nothing`\n\n```{picture-of} fig-nothing\n```\n\n"
        "```{picture-of} other\n```\n\n```{what-breaks} nowhere\n```\n"
    )
    said = build(tmp_path, shows).stderr
    assert "page-nothing is glued on no page" in said
    assert "the label fig-nothing is unknown" in said
    assert "the label other has no picture" in said
    assert "no box below nowhere/" in said
    assert said.count("WARNING") == 4


def test_what_a_page_promises(monkeypatch):
    monkeypatch.syspath_prepend(BOOK / "_ext")
    from docutils import nodes
    from omt_run_times import promised

    item = nodes.list_item(
        "", nodes.paragraph("", "Time to run: at most 60 seconds on two CPU cores; x.")
    )
    page = nodes.container("", item)
    assert promised(page) == "at most 60 seconds"
    assert promised(nodes.container()) == ""


# The pages of the book, from their sources and from the built site.


def boxes():
    """Return the labels of all boxes of the chapters."""
    from docutils.nodes import make_id

    found = []
    for path in sorted(BOOK.glob("part*/*.md")):
        text = path.read_text(encoding="utf-8")
        for title in re.findall(r"\{admonition\} What breaks: (.+)\n:class: warning breaks", text):
            found.append(f"breaks-{path.stem}-{make_id(title.replace('$', ''))}")
        marked = len(re.findall(r"^:class:.*\bbreaks$", text, re.M))
        assert marked == text.count("{admonition} What breaks:"), path
    return found


def test_every_box_is_found_once_by_its_symptom():
    text = (BOOK / "what-breaks.md").read_text(encoding="utf-8")
    listed = re.findall(r"\{ref\}`[^`<]+<(breaks-[^>]+)>`", text)
    assert sorted(listed) == sorted(boxes())
    folders = {path.parent.name for path in BOOK.glob("part*/*.md")}
    assert set(re.findall(r"\{what-breaks\} (\S+)", text)) == folders


def test_the_figure_map_shows_every_figure_and_its_number():
    text = (BOOK / "figure-map.md").read_text(encoding="utf-8")
    figures = re.split(r"^### ", text.split("(figure-map-figures)=")[1], flags=re.M)[1:]
    assert len(figures) == 12  # the fifth has two halves
    for figure in figures:
        for part in ("{picture-of}", "**The article says** (A", "{number}`", "**Page**: {ref}`"):
            assert part in figure, (part, figure[:40])
    played = {f"play-{path.stem}" for path in (BOOK / "play").glob("*.md")}
    assert played <= set(re.findall(r"\{ref\}`(play-[\w-]+)`", text))


def soup(page):
    need((SITE / page).exists(), NO_SITE)
    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def test_the_site_lists_every_box():
    page = soup("what-breaks.html")
    links = [a["href"] for a in page.select("dl.omt-breaks dt a")]
    there = {}
    for path in SITE.glob("part*/*.html"):
        name = path.relative_to(SITE).as_posix()
        for box in soup(name).select(".admonition.breaks"):
            there[f"{name}#{box['id']}"] = box
    assert sorted(links) == sorted(there) and len(links) == len(boxes())
    assert not page.select("dl.omt-breaks .problematic")


def test_the_site_shows_the_pictures_and_numbers_of_the_figure_map():
    page = soup("figure-map.html")
    pictures = page.select(".omt-picture")
    assert len(pictures) >= 12
    for picture in pictures:
        assert len(picture.img["alt"]) >= 40 and "#" in picture.a["href"]
        assert (SITE / picture.img["src"]).is_file()
    numbers = [number.get_text() for number in page.select(".pasted-text")]
    assert len(numbers) >= 24 and all(re.search(r"\d", number) for number in numbers), numbers
    assert sum((SITE / p.img["src"]).stat().st_size for p in pictures) < 2e6


def test_the_site_says_how_long_each_page_ran():
    page = soup("run-times.html")
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("tbody tr")]
    syllabus = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"][
        "omt_chapters"
    ]
    promised = [row for row in rows if row[2]]
    assert len(promised) >= len(syllabus)  # every chapter promises, other pages may
    *pages, (name, total, _) = rows
    assert name == "All pages"
    assert abs(float(total) - sum(float(row[1]) for row in pages)) < 0.1 * len(pages)
    kept = json.loads((SITE.parent / "run-times.json").read_text(encoding="utf-8"))
    assert len(kept) == len(pages)
