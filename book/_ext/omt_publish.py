"""What the published site tells machines: where pages are, went, are about, and in what language.

Every page gets a description, a canonical address, a card for links that are shared, and
structured data (schema.org). The site gets a sitemap, a card picture, and a small page for each
address that moved: ``omt_redirects: {old/page: new/page}`` in `_config.yml`.
"""

import html
import json
import re
import textwrap
import zipfile
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.addnodes import compact_paragraph
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

LICENCE = "https://creativecommons.org/licenses/by/4.0/"
CARD = "_static/social-card.png"
SIZE = (1200, 630)  # of the card in pixels, what the sites that show one ask for
PARTS = nodes.figure | nodes.legend | nodes.entry | nodes.list_item | compact_paragraph
LANGUAGES = {"en": "en_GB", "zh-Hans": "zh_CN"}
TRANSLATIONS = {"index": "en", "zh/guide": "zh-Hans"}  # the same door in two languages
MOVED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>This page has moved</title>
<link rel="canonical" href="{address}">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="0; url={link}">
</head><body><p>This page has moved to <a href="{link}">{address}</a>.</p></body></html>
"""

log = logging.getLogger(__name__)


def language(app, page):
    """Return the language of a page: ``lang`` in its front matter, else the book's."""
    return str(app.env.metadata.get(page, {}).get("lang") or app.config.language or "en")


def address(app, page):
    """Return the address of a page on the published site."""
    base = app.config.html_baseurl.rstrip("/") + "/"
    return base if page == app.config.root_doc else base + app.builder.get_target_uri(page)


def description(doctree, limit=200):
    """Return the first paragraph of a page in plain words, cut at a sentence or a word.

    A paragraph of fewer than four words is a label, and is skipped; so is a part of a list, a
    table or a figure.
    """
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, PARTS) or isinstance(paragraph, compact_paragraph):
            continue
        words = " ".join(paragraph.astext().split())
        if len(words.split()) < 4 and len(words) < 20:
            continue
        if len(words) <= limit:
            return words
        ends = [m.end() for m in re.finditer(r"[.!?](?= )|[\u3002\uff01\uff1f]", words[:limit])]
        if ends and ends[-1] > limit // 3:
            return words[: ends[-1]].strip()
        return textwrap.shorten(words, limit, placeholder=" ...") if " " in words else words[:limit]
    return ""


def structured(app, page, title, words):
    """Return what schema.org calls the page: the course, or a resource that is part of it."""
    course = {
        "@type": "Course",
        "@id": address(app, app.config.root_doc) + "#course",
        "name": app.config.html_title,
        "url": address(app, app.config.root_doc),
    }
    provider = {"@type": "Organization", "name": app.config.author}
    shared = {
        "description": words,
        "license": LICENCE,
        "isAccessibleForFree": True,
        "image": app.config.html_baseurl.rstrip("/") + "/" + CARD,
    }
    if page == app.config.root_doc:
        spoken = sorted({language(app, p) for p in app.env.found_docs})
        return {
            "@context": "https://schema.org",
            **course,
            **shared,
            "inLanguage": spoken,
            "provider": provider,
            "educationalLevel": "graduate",
            "hasCourseInstance": {"@type": "CourseInstance", "courseMode": "online"},
        }
    return {
        "@context": "https://schema.org",
        "@type": "LearningResource",
        "name": title,
        "url": address(app, page),
        **shared,
        "inLanguage": language(app, page),
        "author": provider,
        "isPartOf": course,
    }


def describe(app, pagename, templatename, context, doctree):
    """Write the head of a page: description, card, structured data, languages."""
    if pagename not in app.env.found_docs or doctree is None:
        return
    title = BeautifulSoup(context.get("title", ""), "html.parser").get_text().strip()
    title = re.sub(r"^\d+\. +", "", title)  # the number of a chapter is no part of its name
    words = description(doctree) or title
    spoken = context["language"] = language(app, pagename)
    card = app.config.html_baseurl.rstrip("/") + "/" + CARD
    named = {"description": words, "twitter:card": "summary_large_image"}
    graph = {
        "og:type": "website" if pagename == app.config.root_doc else "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": words,
        "og:url": address(app, pagename),
        "og:image": card,
        "og:image:width": SIZE[0],
        "og:image:height": SIZE[1],
        "og:image:alt": f"{app.config.html_title}: the figure of the home page",
        "og:locale": LANGUAGES.get(spoken, spoken),
    }
    lines = [_meta("name", key, value) for key, value in named.items()]
    lines += [_meta("property", key, value) for key, value in graph.items()]
    if pagename in TRANSLATIONS:
        for page, other in TRANSLATIONS.items():
            if page in app.env.found_docs:
                lines.append(_alternate(other, address(app, page)))
        lines.append(_alternate("x-default", address(app, app.config.root_doc)))
    data = json.dumps(structured(app, pagename, title, words), ensure_ascii=False)
    data = data.replace("</", "<\\/")
    lines.append(f'<script type="application/ld+json">{data}</script>')
    # Docutils' own tags come first; its generator line tells a reader nothing
    kept = re.sub(r'<meta name="generator"[^>]*>', "", context.get("metatags", ""))
    context["metatags"] = kept + "\n    " + "\n    ".join(lines) + "\n    "
    # a shared link or a search engine must find one address for the home page
    if pagename == app.config.root_doc:
        context["pageurl"] = address(app, pagename)


def _meta(kind, key, value):
    return f'<meta {kind}="{key}" content="{html.escape(str(value))}">'


def _alternate(spoken, where):
    return f'<link rel="alternate" hreflang="{spoken}" href="{html.escape(where)}">'


class Size(SphinxRole):
    """``{size}`omt-course.pdf```: how large a download is, filled in when it has been made."""

    def run(self):
        """Return the place for the number."""
        name = html.escape(self.text)
        text = f'<span class="omt-size" data-file="{name}">made at the release</span>'
        return [nodes.raw("", text, format="html")], []


def fill_sizes(page, files):
    """Write the sizes of the files that are there into a built page.

    Parameters
    ----------
    page : path
        HTML with the places that `Size` left.
    files : dict
        Name in the page -> path.
    """
    page = Path(page)
    if not page.exists():
        return
    before = text = page.read_text(encoding="utf-8")
    for name, path in files.items():
        if not Path(path).exists():
            continue
        size = Path(path).stat().st_size / 1e6
        said = f"{size:.0f} MB" if size >= 10 else f"{size:.1f} MB" if size >= 0.1 else "< 0.1 MB"
        place = rf'(<span class="omt-size" data-file="{re.escape(html.escape(name))}">)[^<]*'
        text = re.sub(place, lambda found, said=said: found.group(1) + html.escape(said), text)
    if text != before:
        page.write_text(text, encoding="utf-8")


def check_redirects(app, env):
    """Refuse a redirect that hides a page or leads nowhere.

    Raises
    ------
    ExtensionError
        That says which, and what was expected.
    """
    for old, new in app.config.omt_redirects.items():
        if old in env.found_docs:
            raise ExtensionError(f"omt_redirects: expected an address without a page, got {old}")
        if new.partition("#")[0] not in env.found_docs:
            raise ExtensionError(f"omt_redirects: expected a page of the book for {old}, got {new}")
        if not re.fullmatch(r"[\w-]+(/[\w-]+)*", old):
            raise ExtensionError(f"omt_redirects: expected a path without an ending, got {old!r}")


def redirect(app, old, new):
    """Write the page that sends a reader from an old address to the new one."""
    page, mark, anchor = new.partition("#")
    link = app.builder.get_relative_uri(old, page) or Path(page).name + ".html"
    path = Path(app.outdir) / f"{old}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    place = html.escape(mark + anchor)
    text = MOVED.format(link=link + place, address=html.escape(address(app, page)) + place)
    path.write_text(text, encoding="utf-8")


def sitemap(app):
    """Write the list of all pages, and where crawlers find it."""
    rows = [f"  <url><loc>{html.escape(address(app, page))}</loc></url>" for page in pages(app)]
    text = '<?xml version="1.0" encoding="utf-8"?>\n'
    text += '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    folder = Path(app.outdir)
    (folder / "sitemap.xml").write_text(text + "\n".join(rows) + "\n</urlset>\n", encoding="utf-8")
    where = app.config.html_baseurl.rstrip("/") + "/sitemap.xml"
    (folder / "robots.txt").write_text(f"User-agent: *\nAllow: /\n\nSitemap: {where}\n")


def pages(app):
    """Return the pages of the book, the first page first."""
    rest = sorted(app.env.found_docs - {app.config.root_doc})
    return [app.config.root_doc, *rest]


def social_card(picture, title, words, path):
    """Draw the card of a shared link: the home page's figure, the title, one line.

    Parameters
    ----------
    picture : path or None
        A picture of the home page, of any kind that Pillow reads; by default words alone.
    title, words : str
    path : path
        A PNG of 1200 x 630 pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="#fefefc")
    FigureCanvasAgg(figure)
    lines = textwrap.wrap(title, 30)
    figure.text(0.06, 0.93, "\n".join(lines), fontsize=34, weight="bold", va="top", color="#1f2328")
    figure.text(
        0.06, 0.91 - 0.105 * len(lines), "\n".join(textwrap.wrap(words, 76)[:2]), fontsize=18,
        va="top", color="#55595f", linespacing=1.4,
    )  # fmt: skip
    figure.patches.append(_stripe(figure))
    if picture is not None:
        axes = figure.add_axes((0.06, 0.03, 0.88, 0.50))
        with Image.open(picture) as opened:
            axes.imshow(opened.convert("RGBA"), interpolation="lanczos")
        axes.axis("off")
    figure.savefig(path, metadata={"Software": None})


def _stripe(figure):
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 0.012, 1, transform=figure.transFigure, color="#5e2a84")


def finish(app, exception):
    """Write what belongs to the whole site."""
    if exception is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    sitemap(app)
    for old, new in app.config.omt_redirects.items():
        redirect(app, old, new)
    home = BeautifulSoup((folder / "index.html").read_text(encoding="utf-8"), "html.parser")
    shown = home.select_one("article figure img[src]")
    found = home.select_one('meta[name="description"]')
    drawn = shown and shown["src"].endswith((".png", ".webp", ".jpg"))
    picture = folder / shown["src"] if drawn else None
    words = found["content"] if found else ""
    (folder / "_static").mkdir(exist_ok=True)
    social_card(picture, app.config.html_title, words, folder / CARD)
    _zip_notebooks(folder)
    names = ("slides.zip", "notebooks.zip")
    fill_sizes(folder / "downloads.html", {name: folder / name for name in names})


def _zip_notebooks(folder):
    """Pack the notebooks of all pages."""
    with zipfile.ZipFile(folder / "notebooks.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "notebooks").rglob("*.ipynb")):
            archive.write(path, path.relative_to(folder).as_posix())


def setup(app):
    """Register the parts with Sphinx."""
    app.add_config_value("omt_redirects", {}, "html", [dict])
    app.add_role("size", Size())
    app.connect("env-check-consistency", check_redirects)
    app.connect("html-page-context", describe, priority=700)
    app.connect("build-finished", finish, priority=900)  # after the notebooks and the slides
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
