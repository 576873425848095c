"""Slides are taken from the pages, and what a page lacks is named."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def slides(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    yield __import__("omt_slides")
    sys.modules.pop("omt_slides")


def test_every_slide_names_a_figure_of_the_book_once():
    listed = yaml.safe_load((ROOT / "book" / "slides.yml").read_text(encoding="utf-8"))
    pages = "\n".join(p.read_text("utf-8") for p in (ROOT / "book").glob("part*/*.md"))
    names = [item["figure"] for item in listed]
    assert len(set(names)) == len(names) >= 17
    for item in listed:
        assert f"name: {item['figure']}\n" in pages
        assert len(item["title"].split()) <= 8 and item["words"].endswith(".")


def test_every_chapter_has_a_slide():
    listed = yaml.safe_load((ROOT / "book" / "slides.yml").read_text(encoding="utf-8"))
    for path in (ROOT / "book").glob("part*/*.md"):
        assert any(i["figure"].startswith(f"fig-{path.stem}-") for i in listed), path.stem


def test_a_slide_is_what_the_page_shows(slides, tmp_path):
    (tmp_path / "part1").mkdir()
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(b"picture")
    (tmp_path / "part1" / "page.html").write_text(
        '<figure id="fig-a"><img src="../_images/a.png" alt="A &amp; b"></figure>'
    )
    listed = [{"figure": n, "title": n, "words": "Words."} for n in ("fig-a", "fig-b")]
    found, missing = slides.collect(tmp_path, listed, "https://x.org/")
    assert missing == ["fig-b"]
    (slide,) = found
    assert (slide.name, slide.alt) == ("a", "A & b")
    assert slide.picture.read_bytes() == b"picture"
    assert slide.address == "https://x.org/part1/page.html#fig-a"
