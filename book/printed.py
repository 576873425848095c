"""A page of the site, made ready for one long page: names of its own, stills, links that hold.

`formats.py` joins what this module makes. A page keeps its words, code, formulas and pictures; it
loses what only a screen can do. Code that is folded on the site is left out.
"""

import html
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

# What only a screen can do, and what only draws
SCREEN_TAGS = {"script", "style", "button", "input", "output", "noscript", "iframe"}
SCREEN = {"headerlink", "omt-3d-view", "omt-3d-row", "omt-play-stage", "omt-film-bar", "hide"}
SCREEN |= {"toctree-wrapper"}
MOVES = {"omt-3d": "turns", "omt-film": "is a film", "omt-play": "can be played with"}
POINTERS = ("for", "aria-labelledby", "aria-describedby", "headers")


def slug(page):
    """Return the name of a page's place in the book."""
    return "page-" + page.replace("/", "-")


def parts_of(toc):
    """Return the parts of a table of contents: a list of (caption, pages), the first without."""

    def files(node):
        if isinstance(node, list):
            return [name for item in node for name in files(item)]
        own = [node["file"]] if "file" in node else []
        return own + files([node[k] for k in ("chapters", "sections") if k in node])

    parts = [("", [toc["root"]])]
    return parts + [(part.get("caption", ""), files(part)) for part in toc.get("parts", [])]


@dataclass(frozen=True)
class Printed:
    """A page of the book: its title, its section, and what its head loads."""

    name: str
    title: str
    section: str
    head: str
    mathjax: str

    @classmethod
    def read(cls, site, name, names, base):
        """Read a page of the site.

        Parameters
        ----------
        site : path
            `_build/html`.
        name : str
            The page, without its ending.
        names : list of str
            All pages of the book: links to them stay inside.
        base : str
            Address of the published site: other links of the site lead there.
        """
        text = (Path(site) / f"{name}.html").read_text(encoding="utf-8")
        whole, article = _halves(text)
        if article is None:
            raise ValueError(f"{name}: expected a page with an article, got none")
        title = article.find("h1")
        for mark in title.find_all(class_="headerlink"):
            mark.decompose()
        words = " ".join(title.get_text().split())
        head = [_sheet(link, name) for link in whole.select("head link[rel=stylesheet]")]
        _stills(article, name, base)
        for node in article.find_all(_only_on_a_screen):
            node.decompose()
        for node in article.find_all("details"):
            node["open"] = ""
        for node in article.find_all("img", loading=True):
            del node["loading"]  # all of it is printed
        _links(article, name, names, base)
        _names(article, name)
        for node in article.find_all(["h1", "h2", "h3", "h4", "h5"]):  # below the parts
            node.name = f"h{int(node.name[1]) + 1}"
        place, spoken = slug(name), html.escape(whole.html.get("lang", "en"))
        section = f'<section class="omt-page {place}" id="{place}" lang="{spoken}">'
        section += f"{article.decode_contents()}</section>\n"
        return cls(name, words, section, "\n".join(filter(None, head)), _mathjax(whole, name))

    def running_title(self):
        """Return the style that writes the page's title above its leaves."""
        words = self.title.replace("\\", "\\\\").replace('"', '\\"')
        return (
            f'@page {slug(self.name)} {{ @top-right {{ content: "{words}"; }} }}\n'
            f".{slug(self.name)} {{ page: {slug(self.name)}; }}"
        )


def _only_on_a_screen(node):
    return node.name in SCREEN_TAGS or bool(SCREEN & set(node.get("class", ())))


def _halves(text):
    """Return the head and the article of a page; the rest, and data of figures, is not read."""
    top, _, rest = text.partition("</head>")
    rest = re.sub(r'<script type="application/json".*?</script>', "", rest, flags=re.DOTALL)
    found = re.search(r"<article\b.*</article>", rest, flags=re.DOTALL)
    body = BeautifulSoup(found.group(0) if found else "", "html.parser")
    return BeautifulSoup(top, "html.parser"), body.select_one("article")


def contents(parts, pages):
    """Return the table of contents; `formats.py` fills in the numbers."""

    def line(place, words, kind):
        link = f'<a href="#{place}">{html.escape(words)}</a><span class="omt-dots"></span>'
        number = f'<span class="omt-number" data-to="{place}">000</span>'
        return f'<li class="{kind}">{link}{number}</li>'

    rows = []
    for k, (caption, names) in enumerate(parts):
        if caption:
            rows.append(line(f"part-{k}", caption, "omt-contents-part"))
        rows += [line(slug(name), pages[name].title, "omt-contents-page") for name in names]
    return "\n".join(rows)


def _place(page, anchor):
    """Return the name that an anchor of a page has in the book."""
    return f"{slug(page)}--{anchor}" if anchor else slug(page)


def _file(page, link):
    """Return the path in the site that a link of a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(link)))


def _links(article, page, names, base):
    """Lead links to where they hold: inside the book, else to the published site."""
    for node in article.find_all(["img", "source"], src=True):
        if not node["src"].startswith("data:"):
            node["src"] = "html/" + _file(page, node["src"])
    for node in article.find_all("a", href=True):
        link = urlsplit(node["href"])
        if link.scheme or link.netloc:
            continue
        path = _file(page, link.path) if link.path else f"{page}.html"
        target = path.removesuffix(".html")
        if path.endswith(".html") and target in names:
            node["href"] = "#" + _place(target, unquote(link.fragment))
        else:
            node["href"] = base + path + (f"#{link.fragment}" if link.fragment else "")


def _names(article, page):
    """Make the names of a page its own."""
    for node in article.find_all(id=True):
        node["id"] = _place(page, node["id"])
    for attribute in POINTERS:
        for node in article.find_all(attrs={attribute: True}):
            value = node[attribute]
            value = value if isinstance(value, list) else value.split()
            node[attribute] = " ".join(_place(page, name) for name in value)


def _stills(article, page, base):
    """Leave the still of each figure that moves, and say where it moves."""
    for kind, does in MOVES.items():
        for box in article.find_all(class_=kind):
            named = box.find_parent(id=True)
            where = f"{base}{page}.html" + (f"#{named['id']}" if named else "")
            line = f'<p class="omt-moves">On the site this figure {does}: <a>{where}</a></p>'
            note = BeautifulSoup(line, "html.parser").p
            note.a["href"] = where
            box.append(note)


def _sheet(link, page):
    """Return a style sheet's line for the book; what folds boxes is not wanted on paper."""
    if "togglebutton" in link["href"] or urlsplit(link["href"]).netloc:
        return ""
    address = html.escape("html/" + _file(page, urlsplit(link["href"]).path))
    return f'<link rel="stylesheet" href="{address}">'


def _mathjax(whole, page):
    """Return the scripts that typeset formulas, as the page has them."""
    found = []
    for script in whole.select("head script"):
        if "mathjax" in script.get("src", "").lower():
            path = _file(page, urlsplit(script["src"]).path)
            found.append(f'<script defer src="html/{html.escape(path)}"></script>')
        elif re.search(r"window\.MathJax\s*=", script.string or ""):
            quiet = "MathJax.options = {...MathJax.options, enableMenu: false, enableAssistiveMml: "
            found.append(f"<script>{script.string}\n{quiet}false}};</script>")
    return "\n".join(found)
