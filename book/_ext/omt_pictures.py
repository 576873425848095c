"""Lighter pages: pictures that cells drew become WebP, and wait until the reader comes near.

Matplotlib writes PNG, two to five times as heavy. Each picture is packed without loss or with, by
which is smaller. Packed pictures are kept beside the site by the hash that names them, so a second
build packs nothing.
"""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from PIL import Image
from sphinx.util import logging

log = logging.getLogger(__name__)
HASHED = re.compile(r"[0-9a-f]{64}\.png")
QUALITY = 90
_IMG = re.compile(r"<img\b[^>]*>")
_SRC = re.compile(r'\bsrc="([^"]+)"')


def pack(path):
    """Return a PNG as the bytes of a WebP."""
    with Image.open(path) as picture:
        picture.load()
    sizes = []
    for options in ({"lossless": True, "quality": 60}, {"quality": QUALITY}):
        buffer = BytesIO()
        picture.save(buffer, "webp", method=4, **options)
        sizes.append(buffer.getvalue())
    return min(sizes, key=len)


def shrink(site, kept):
    """Replace the pictures of a site and the references to them; return bytes before and after.

    Parameters
    ----------
    site : path
        `_build/html`.
    kept : path
        Folder of packed pictures; those that the site no longer shows are dropped.
    """
    site, kept = Path(site), Path(kept)
    kept.mkdir(parents=True, exist_ok=True)
    pictures = [p for p in sorted((site / "_images").glob("*.png")) if HASHED.fullmatch(p.name)]

    def one(path):
        ready = kept / f"{path.stem}.webp"
        if not ready.exists():
            aside = ready.with_suffix(".part")
            aside.write_bytes(pack(path))
            aside.rename(ready)
        shutil.copy2(ready, path.with_suffix(".webp"))
        return path.stat().st_size, ready.stat().st_size

    with ThreadPoolExecutor(2) as pool:
        sizes = list(pool.map(one, pictures))
    names = {path.name for path in pictures}
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        new = wait(HASHED.sub(lambda m: m[0][:-3] + "webp" if m[0] in names else m[0], text), page)
        if new != text:
            page.write_text(new, encoding="utf-8")
    for path in pictures:
        path.unlink()
    shown = {path.stem for path in pictures}
    for path in kept.iterdir():
        if path.stem not in shown:
            path.unlink()
    return sum(before for before, _ in sizes), sum(after for _, after in sizes)


def wait(text, page):
    """Let the pictures of a page load when they come near, in the room that they will take."""

    def change(match):
        tag = match.group()
        source = _SRC.search(tag)
        if not source or "loading=" in tag:
            return tag
        more = ' loading="lazy" decoding="async"'
        file = Path(page).parent / source.group(1)
        if file.suffix == ".webp" and "width" not in tag and file.is_file():
            with Image.open(file) as picture:
                more += f' width="{picture.width}" height="{picture.height}"'
        return tag.replace("<img", f"<img{more}", 1)

    return _IMG.sub(change, text)


def finish(app, exception):
    """Pack the pictures of a finished site, when everything else is written."""
    if exception is None and app.builder.name == "html":
        before, after = shrink(app.outdir, Path(app.outdir).parent / ".pictures")
        log.info("pictures packed: %.1f MB to %.1f MB", before / 1e6, after / 1e6)


def setup(app):
    """Register with Sphinx, after all that reads the pages' pictures."""
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
