"""The course to take along: ``python book/formats.py pdf|zip``, from the built site.

``pdf`` puts every page into one long page with a table of contents, and prints that with Chromium:
twice, since page numbers are known only after the first time. Links between pages lead inside the
PDF. ``zip`` packs the site so that it opens from a disk, without a server or a network.
"""

import argparse
import datetime
import html
import io
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
from printed import Printed, contents, parts_of  # noqa: E402 (beside this file, not a package)

HOST = "http://book.invalid/"  # answered from the disk below; nothing leaves the machine
FONTS = "Install a font for Chinese (Debian: apt-get install fonts-noto-cjk), then try again."
WIDTH = 1400  # pixels of a picture as wide as the text
CHINESE = re.compile("[\u3400-\u9fff]")
# A formula, a table or a line that is wider than the paper is made smaller, never cut.
FIT = """() => {
  const wide = "mjx-container[display], table";
  let count = 0;
  for (const box of document.querySelectorAll(wide)) {
    const room = box.parentElement.clientWidth;
    if (box.scrollWidth <= room + 1) continue;
    box.style.zoom = Math.max(0.4, room / box.scrollWidth - 0.005);
    count += 1;
  }
  return count;
}"""


def version(root):
    """Return the version of the package."""
    init = (Path(root) / "omt_course" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "([^"]+)"', init).group(1)


def day(root):
    """Return the day of the last commit, or today where there is no git."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%cs"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return datetime.date.today().isoformat()
    return done.stdout.strip() or datetime.date.today().isoformat()


def chromium():
    """Return the path of Chromium, or end with a line that says what to do."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        sys.exit("FAILED: no Chromium; install it, or set CHROMIUM to its path")
    return found


def has_chinese_font():
    """Return whether fontconfig knows a font for Chinese; True where there is no fontconfig."""
    if shutil.which("fc-list") is None:
        return True
    found = subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, text=True)
    return bool(found.stdout.strip())


def built_site(root):
    """Return the folder of the site, or end with a line that says what to do."""
    site = Path(root) / "_build" / "html"
    if not (site / "index.html").exists():
        sys.exit("FAILED: there is no site yet; run `make book` first")
    return site


def assemble(root, site):
    """Return the whole book as one HTML text, and the pages in it."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = parts_of(toc)
    names = [name for _, chapters in parts for name in chapters]
    base = config["html"]["baseurl"].rstrip("/") + "/"
    pages = {name: Printed.read(site, name, names, base) for name in names}
    fields = {
        "title": html.escape(config["title"]),
        "author": html.escape(config["author"]),
        "version": version(root),
        "day": day(root),
        "base": base,
        "head": pages[names[0]].head,
        "style": (root / "book" / "_assets" / "print.css").read_text(encoding="utf-8"),
        "running": "\n".join(page.running_title() for page in pages.values()),
        "contents": contents(parts, pages),
        "body": "\n".join(_part(k, part, pages) for k, part in enumerate(parts)),
        "mathjax": next((page.mathjax for page in pages.values() if page.mathjax), ""),
    }
    shell = (Path(__file__).parent / "_assets" / "print.html").read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda found: fields[found.group(1)], shell), pages


def _part(k, part, pages):
    """Return a part: a leaf with its name, then its pages."""
    caption, names = part
    leaf = f'<section class="omt-part" id="part-{k}"><h1>{html.escape(caption)}</h1></section>'
    return (leaf if caption else "") + "".join(pages[name].section for name in names)


def for_paper(path):
    """Return a picture with no more pixels than paper shows: 210 an inch over a line's width."""
    from PIL import Image

    with Image.open(path) as picture:
        if picture.width <= WIDTH:
            return path.read_bytes()
        height = round(picture.height * WIDTH / picture.width)
        mode = "RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB"
        smaller = picture.convert(mode).resize((WIDTH, height), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    smaller.save(data, path.suffix[1:].upper(), lossless=True)
    return data.getvalue()


def answer(text, site):
    """Return what answers Chromium's questions from the disk, and the list of those it could not.

    The text fonts come from matplotlib's wheel, so that the PDF looks alike on every machine.
    """
    import matplotlib

    wrong = []
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"

    def route(route):
        address = route.request.url
        place = unquote(urlsplit(address).path).lstrip("/")
        if not address.startswith(HOST):
            wrong.append(address)
            route.abort()
        elif place == "book.html":
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        else:
            top, _, rest = place.partition("/")
            path = {"html": site, "fonts": fonts}.get(top, site) / rest
            if path.is_file() and path.suffix in (".png", ".webp"):
                kind = f"image/{path.suffix[1:]}"
                route.fulfill(body=for_paper(path), content_type=kind)
            elif path.is_file():
                route.fulfill(path=path)
            else:
                wrong.append(address)
                route.fulfill(status=404)

    return route, wrong


def page_numbers(data):
    """Return the page of each named place of a PDF, counted from 1, and the number of pages."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    places = {
        name.lstrip("/"): reader.get_destination_page_number(place) + 1
        for name, place in reader.named_destinations.items()
    }
    return places, len(reader.pages)


def print_pdf(text, site, path, said=print):
    """Print a text that `assemble` made; return its number of pages.

    Raises
    ------
    RuntimeError
        If something of it was not found, a formula was not typeset, or a line of the contents has
        no page.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 650, "height": 950})
        route, wrong = answer(text, site)
        page.route("**/*", route)
        page.set_default_timeout(0)
        page.emulate_media(media="print", color_scheme="light")
        said("      loading")
        page.goto(HOST + "book.html", wait_until="load", timeout=0)
        said("      typesetting formulas")
        page.evaluate("window.MathJax?.startup?.promise.then(() => document.fonts.ready)")
        left = page.evaluate(
            "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container'))"
            ".map(e => e.textContent.slice(0, 80))"
        )
        left += page.evaluate("[...document.querySelectorAll('mjx-merror')].map(e => e.outerHTML)")
        lost = page.evaluate(
            "[...document.images].filter(e => !e.complete || !e.naturalWidth).map(e => e.src)"
        )
        if wrong or left or lost:
            browser.close()
            raise RuntimeError(f"not found: {wrong + lost}; not typeset: {left[:5]}")
        said(f"      {page.evaluate(FIT)} wide formulas and tables made to fit")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 1:  # Chromium would make the whole book smaller, without a word
            browser.close()
            raise RuntimeError(f"something is {wide} pixels wider than the paper")
        options = {"prefer_css_page_size": True, "print_background": True}
        options |= {"outline": True, "tagged": True}
        said("      printing, to learn the page numbers")
        places, count = page_numbers(page.pdf(**options))
        fill = """places => [...document.querySelectorAll('[data-to]')].filter(e =>
            !(e.textContent = places[e.dataset.to] ?? '')).map(e => e.dataset.to)"""
        if lost := page.evaluate(fill, places):
            browser.close()
            raise RuntimeError(f"no page for {lost}")
        said(f"      printing {count} pages")
        data = page.pdf(**options)
        browser.close()
    if page_numbers(data) != (places, count):
        raise RuntimeError("the page numbers moved when they were written down")
    packed(data, path)
    return count


def packed(data, path):
    """Write a PDF with its structure packed: tags of ten thousand formulas are a third of it."""
    import pikepdf

    with pikepdf.open(io.BytesIO(data)) as document:
        document.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def pdf(root):
    """Print the book to ``_build/omt-course-<version>.pdf``."""
    started, site = time.monotonic(), built_site(root)
    path = root / "_build" / f"omt-course-{version(root)}.pdf"
    print("[1/2] putting the pages together", flush=True)
    text, pages = assemble(root, site)
    if CHINESE.search(text) and not has_chinese_font():
        sys.exit(f"FAILED: the pages have Chinese words, and no font shows them. {FONTS}")
    print(f"[2/2] printing {len(pages)} pages of the site", flush=True)
    count = print_pdf(text, site, path, said=lambda line: print(line, flush=True))
    _write_sizes(root)
    size = path.stat().st_size / 1e6
    print(f"\n{count} pages, {size:.1f} MB ({time.monotonic() - started:.0f} s): {path}")


def zip_site(root):
    """Pack the site to ``_build/omt-course-<version>.zip``."""
    site, name = built_site(root), f"omt-course-{version(root)}"
    _write_sizes(root)
    path = root / "_build" / f"{name}.zip"
    pack(site, path, name, day(root))
    _write_sizes(root)
    print(f"{path.stat().st_size / 1e6:.1f} MB: {path}")


def pack(site, path, name, when):
    """Pack a site below a folder `name`, every file dated `when`, so that it opens from a disk.

    A browser lets no page from a disk read another, so the search is told to show no excerpts.
    """
    date = (*map(int, when.split("-")), 0, 0, 0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in Path(site).rglob("*") if p.is_file()):
            place = file.relative_to(site).as_posix()
            data = file.read_bytes()
            if place == "_static/documentation_options.js":
                data, changed = re.subn(rb"(SHOW_SEARCH_SUMMARY: *)true", rb"\1false", data)
                if changed != 1:
                    raise ValueError(f"expected SHOW_SEARCH_SUMMARY: true once in {file}")
            entry = zipfile.ZipInfo(f"{name}/{place}", date)
            entry.external_attr = 0o644 << 16  # readable for everybody once it is unpacked
            packed = file.suffix in (".png", ".webp", ".woff", ".woff2", ".zip", ".pdf")
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _write_sizes(root):
    """Write the sizes of what has been made into the site's page of downloads."""
    sys.path.insert(0, str(Path(__file__).parent / "_ext"))
    from omt_publish import fill_sizes

    build, name = root / "_build", f"omt-course-{version(root)}"
    files = {f"omt-course{ending}": build / f"{name}{ending}" for ending in (".pdf", ".zip")}
    fill_sizes(build / "html" / "downloads.html", files)


def main(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["pdf", "zip"])
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    chosen = parser.parse_args(arguments)
    {"pdf": pdf, "zip": zip_site}[chosen.command](chosen.root.resolve())


if __name__ == "__main__":
    main()
