"""What teachers need of the built site: the slides, and no solution of a problem set anywhere."""

import zipfile
from pathlib import Path

import pytest
import yaml
from browser import NO_SITE, SITE, need
from bs4 import BeautifulSoup

from assignments import sources
from assignments.course import leaks

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".html", ".ipynb", ".md", ".txt", ".js", ".json", ".inv"}


@pytest.fixture(scope="module")
def site():
    need((SITE / "index.html").exists(), NO_SITE)
    return SITE


@pytest.mark.parametrize("name", sources.NAMES)
def test_no_solution_and_no_hidden_test_is_published(site, name):
    source = sources.read(name)
    read = 0
    for path in site.rglob("*"):
        own = "_static" not in path.parts  # scripts of others
        if own and path.suffix in TEXT and path.is_file():
            found = leaks(source, path.read_text(encoding="utf-8", errors="replace"), share=1 / 3)
            assert found == [], path
            read += 1
    assert read > 30


def test_the_slides_have_a_picture_each_and_words(site):
    listed = yaml.safe_load((ROOT / "book" / "slides.yml").read_text(encoding="utf-8"))
    with zipfile.ZipFile(site / "slides.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        deck = BeautifulSoup(archive.read("slides/index.html"), "html.parser")
        words = archive.read("slides/words.md").decode("utf-8")
        assert (
            deck.title.get_text()
            == "Geometric Optimal Transport for Generative Models: key figures"
        )
        pictures = [i["src"] for i in deck.select("section img")]
        assert [s["id"] for s in deck.select("section[id]")] == [
            item["figure"].removeprefix("fig-") for item in listed
        ]
        for item, picture in zip(listed, pictures, strict=True):
            assert f"slides/{picture}" in names
            assert archive.read(f"slides/{picture}")[:8] == b"\x89PNG\r\n\x1a\n"
            assert f"## {item['title']}" in words
        assert all(len(i["alt"].split()) >= 6 for i in deck.select("section img"))
        for link in deck.select("section a"):
            page, _, name = link["href"].partition(".io/omt-course/")[2].partition("#")
            assert f'id="{name}"' in (site / page).read_text(encoding="utf-8")
