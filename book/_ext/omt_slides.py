"""The key figures as slides: one zip with a picture each, a deck for the browser, and the words.

`book/slides.yml` names the figures. Pictures, descriptions and addresses are taken from the
finished pages, so a slide is never older than its page.
"""

import html
import zipfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

DECK = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}: key figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ margin: 0; font-family: system-ui, sans-serif; color: #222; background: #fff; }}
section {{ box-sizing: border-box; height: 100vh; padding: 3vh 4vw; display: flex;
  flex-direction: column; scroll-snap-align: start; page-break-after: always; }}
html {{ scroll-snap-type: y mandatory; }}
h1, h2 {{ margin: 0 0 2vh; font-size: 2.2rem; font-weight: 600; }}
img {{ flex: 1; min-height: 0; width: 100%; object-fit: contain; }}
p {{ margin: 2vh 0 0; font-size: 1.3rem; max-width: 60em; }}
small, small a {{ color: #595959; font-size: 1rem; }}
@page {{ size: 297mm 167mm; margin: 0; }}
</style></head><body>
<section><h1>{title}</h1><p>{count} figures. Space or the arrow keys go on and back; printing gives
one page a slide.</p><p><small>Figures and words: CC BY 4.0, {title}, {site}</small></p></section>
{slides}
<script>
addEventListener("keydown", (event) => {{
  const steps = {{" ": 1, ArrowRight: 1, ArrowDown: 1, PageDown: 1, ArrowLeft: -1, ArrowUp: -1,
    PageUp: -1}};
  if (!(event.key in steps)) return;
  event.preventDefault();
  scrollTo({{top: (Math.round(scrollY / innerHeight) + steps[event.key]) * innerHeight}});
}});
</script></body></html>
"""
SLIDE = """<section id="{name}"><h2>{title}</h2>
<img src="{picture}" alt="{alt}">
<p>{words} <small><a href="{address}">{address}</a></small></p></section>"""


@dataclass(frozen=True)
class Slide:
    """A figure of the book with what is said about it."""

    name: str
    title: str
    words: str
    alt: str
    picture: Path
    address: str


def collect(site, listed, base):
    """Return the slides of a built site, and the names of figures that it lacks.

    Parameters
    ----------
    site : path
        `_build/html`.
    listed : list of dict
        `figure`, `title`, `words` of each.
    base : str
        Address of the published site.
    """
    pages = {}
    for path in sorted(Path(site).glob("part*/*.html")):
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        pages |= {figure["id"]: (path, figure) for figure in soup.select("figure[id]")}
    slides, missing = [], []
    for item in listed:
        path, figure = pages.get(item["figure"], (None, None))
        picture = figure.select_one("img") if figure else None
        if picture is None:
            missing.append(item["figure"])
            continue
        page = path.relative_to(site).as_posix()
        slides.append(
            Slide(
                item["figure"].removeprefix("fig-"),
                item["title"],
                item["words"],
                picture["alt"],
                (path.parent / picture["src"]).resolve(),
                f"{base.rstrip('/')}/{page}#{item['figure']}",
            )
        )
    return slides, missing


def write(site, root, *, title, base):
    """Write `slides.zip` into the site; return the names of the figures that it lacks.

    A book without `slides.yml` has no slides.
    """
    path = Path(root) / "book" / "slides.yml"
    if not path.exists():
        return []
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    slides, missing = collect(site, listed, base)
    names = [f"{k:02d}-{s.name}{s.picture.suffix}" for k, s in enumerate(slides, start=1)]
    deck, words = [], [f"# {title}: key figures\n\nFigures and words: CC BY 4.0, {title}, {base}\n"]
    for slide, name in zip(slides, names, strict=True):
        fields = {k: html.escape(v) for k, v in vars(slide).items() if isinstance(v, str)}
        deck.append(SLIDE.format(**{**fields, "picture": name}))
        words.append(
            f"## {slide.title}\n\n{name}\n\n{slide.words}\n\nWhat is to be seen: {slide.alt}\n\n"
            f"{slide.address}\n"
        )
    with zipfile.ZipFile(Path(site) / "slides.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for slide, name in zip(slides, names, strict=True):
            archive.write(slide.picture, f"slides/{name}")
        page = DECK.format(title=title, site=base, count=len(slides), slides="\n".join(deck))
        for name, text in (("index.html", page), ("words.md", "\n".join(words))):
            entry = zipfile.ZipInfo(f"slides/{name}")
            entry.external_attr = 0o644 << 16  # readable for everybody once it is unpacked
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return missing
