"""The bibliography, how to cite, the changelog, the licences and the data sheet."""

import json
import re
import unicodedata

import pytest
import yaml
from book.test_pages import BOOK, PAGES, ROOT, source
from browser import NO_SITE, SITE, need
from bs4 import BeautifulSoup
from pybtex.database import parse_file, parse_string
from pybtex.richtext import Text

from omt_course.datasets import catalogue, digits, faces

BIBLIOGRAPHY = parse_file(str(BOOK / "references.bib")).entries
# Printed long before they got their number, which holds the year of its making.
LATE = {"dacorogna1990"}


def plain(text):
    """Return the letters and digits of a BibTeX field, lower case, without accents."""
    text = str(Text.from_latex(text))
    text = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]", "", text.lower())


def doi(entry):
    return entry.fields.get("doi")


def years_of(name):
    """Return the years that a DOI tells, by its words or by the customs of its publisher."""
    prefix, suffix = name.split("/", 1)
    years = [int(y) for y in re.findall(r"(?<!\d)(1[89]\d\d|20[0-3]\d)(?!\d)", suffix)]
    springer = re.fullmatch(r"s\d{5}-0(\d\d)-\S+", suffix)
    if prefix in ("10.1007", "10.1038") and springer:
        years.append(2000 + int(springer.group(1)))
    elsevier = re.fullmatch(r"S?\d{4}-\d{3}[\dX]\((\d\d)\)\d{5}-[\dX]", suffix)
    if prefix == "10.1016" and elsevier:
        two = int(elsevier.group(1))
        years.append(2000 + two if two < 50 else 1900 + two)
    siam = re.fullmatch(r"(\d\d)M\d{7}", suffix)
    if prefix == "10.1137" and siam:
        years.append(2000 + int(siam.group(1)))
    return years


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_keys_tell_author_and_year(key):
    entry = BIBLIOGRAPHY[key]
    assert re.search(r"\d{4}", key).group() == entry.fields["year"]
    name = " ".join(entry.persons["author"][0].last_names)
    assert key.startswith((plain(name), plain(name.split("-")[0]))), (key, name)


@pytest.mark.parametrize("key", [key for key, entry in BIBLIOGRAPHY.items() if doi(entry)])
def test_dois_have_their_form_and_agree_with_the_entry(key):
    fields = BIBLIOGRAPHY[key].fields
    name = fields["doi"]
    assert re.fullmatch(r"10\.\d{4,5}/\S+", name)  # the bare name, not an address
    assert not name.endswith((".", ",", "/"))
    for year in years_of(name):
        # a paper gets its number when it comes in or appears, at most some years before print
        assert key in LATE or 0 <= int(fields["year"]) - year <= 3, (key, name)
    pages = re.split("-+", fields.get("pages", ""))
    prefix, suffix = name.split("/", 1)
    if prefix == "10.2140":  # Pacific Journal: year, volume, page
        assert suffix == f"pjm.{fields['year']}.{fields['volume']}.{pages[0]}"
    if prefix == "10.4064":
        assert suffix.endswith(f"-{fields['volume']}-1-{'-'.join(pages)}")
    if prefix in ("10.1093", "10.1112"):
        assert suffix.endswith(f".{pages[0]}") and fields["volume"] in suffix
    old = re.fullmatch(r"0[1-3](\d\d)(\d{3})", suffix)
    if prefix == "10.1137" and old:  # SIAM's older numbers: journal, volume, count
        assert old.group(1) == fields["volume"]
    if prefix == "10.1090" and suffix.startswith("memo/"):
        assert int(suffix[5:]) == int(fields.get("number", fields["volume"]))


def test_dois_and_preprints_are_unique_and_shown_once():
    for field in ("doi", "eprint"):
        names = [e.fields[field].lower() for e in BIBLIOGRAPHY.values() if field in e.fields]
        assert len(names) == len(set(names)), field
    for key, entry in BIBLIOGRAPHY.items():
        others = [value for name, value in entry.fields.items() if name not in ("eprint", "doi")]
        assert not any(re.search(r"arXiv[ :]\d|doi\.org", value) for value in others), key


@pytest.mark.parametrize(
    "key", [key for key, entry in BIBLIOGRAPHY.items() if "eprint" in entry.fields]
)
def test_preprints_have_their_form_and_are_not_younger_than_the_paper(key):
    fields = BIBLIOGRAPHY[key].fields
    year, month = re.fullmatch(r"(\d\d)(\d\d)\.\d{4,5}", fields["eprint"]).groups()
    assert fields["archiveprefix"] == "arXiv"
    assert 1 <= int(month) <= 12
    assert 0 <= int(fields["year"]) - 2000 - int(year) <= 6, key


def test_most_journal_articles_have_a_doi():
    articles = [entry for entry in BIBLIOGRAPHY.values() if entry.type == "article"]
    assert sum(doi(entry) is not None for entry in articles) >= 59
    assert "{bibliography}" in source("bibliography")


def test_the_entry_to_cite_agrees_with_citation_cff():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    shown = re.search(r"```bibtex\n(.*?)\n```", source("cite"), re.S).group(1)
    (entry,) = parse_string(shown, "bibtex").entries.values()
    assert entry.type == citation["type"]
    assert plain(entry.fields["title"]) == plain(citation["title"])
    assert entry.fields["version"].strip("{}") == citation["version"]
    assert entry.fields["url"].strip("{}") == citation["url"]
    assert citation["repository-code"] in entry.fields["note"]
    authors = [plain(" ".join(person.last_names)) for person in entry.persons["author"]]
    assert authors == [plain(author["name"]) for author in citation["authors"]]
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert entry.fields["year"] == str(config["copyright"])


def test_files_that_pages_include_are_there():
    for page in ("cite", "changelog"):
        for path in re.findall(r"\{(?:literal)?include\} (\S+)", source(page)):
            assert (BOOK / path).is_file(), path
    start = re.search(r"^:start-after: \"(.+)\"$", source("changelog"), re.M).group(1)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changes.count(start) == 1
    assert changes.split(start)[1].lstrip()[:1] != "#"  # words, then `## version`
    bib = (BOOK / "references.bib").read_text(encoding="utf-8")
    for mark in re.findall(r":(?:start-at|end-before): \"(.+)\"", source("cite")):
        assert bib.count(mark) == 1


def rows(page):
    """Return the rows of all tables of a page, as lists of cells."""
    lines = [line for line in source(page).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]


def test_licences_are_those_of_the_catalogue():
    stated = {row[0]: row[1] for row in rows("licences") if len(row) == 3}
    said = " ".join(f"{name}: {licence};" for name, licence in stated.items())
    for name, collection in catalogue.REGISTRY.items():
        word = {"mnist": "MNIST, whole or in part", "fashion-mnist": "Fashion-MNIST"}
        row = word.get(name) or next(row for row in stated if name in row.lower())
        start = collection.licence.split(":")[0].split(";")[0]
        assert stated[row].lower().startswith(start.lower()), (name, said)
    licensed = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert (
        licensed.count("CC0 1.0") >= 2
        and "CC0 1.0" in stated["The face, the head, synthetic faces"]
    )


def test_each_fact_stands_once():
    sheet, licences = source("data-sheet"), source("licences")
    assert not re.search(r"vertices|triangles|pixels|SHA-256|omt data fetch", licences)
    for licence in ("CC0", "CC BY", "BSD", "MIT"):
        words = re.sub(r"```.*?```", "", sheet, flags=re.S)
        assert not re.search(rf"\b{licence}\b", words), licence
    assert "{ref}`licences`" in sheet and "{ref}`data-sheet`" in licences


def test_the_data_sheet_describes_everything_that_the_course_has():
    sheet = source("data-sheet")
    for name in [*catalogue.REGISTRY, "Labeled Faces in the Wild", "CelebA"]:
        assert name.lower() in sheet.lower().replace(" ", "-") + sheet.lower(), name
    for word in ("Composition", "How", "Limits", "Not for"):
        assert len(re.findall(rf"\*\*{word}\b", sheet)) >= 3, word
    assert len(faces.FACTORS) == 29 and "二十九" in source("zh/guide")
    assert "mnist-5k" in digits.NAMES and "mnist-5k" in sheet
    made = list((ROOT / "data" / "records").glob("*.json"))
    assert all(json.loads(path.read_text("utf-8"))["command"] for path in made)


def test_the_built_bibliography_leads_to_every_doi():
    path = SITE / "bibliography.html"
    need(path.exists(), NO_SITE)
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    links = {a["href"] for a in page.select("article a[href]")}
    cited = {
        name.strip()
        for where in PAGES
        for names in re.findall(r"\{cite:\w+\}`([^`]+)`", source(where))
        for name in names.split(",")
    }
    assert len(cited) > 100
    for key in cited:
        fields = BIBLIOGRAPHY[key].fields
        if "doi" in fields:
            assert f"https://doi.org/{fields['doi']}" in links, key
        if "eprint" in fields:
            assert f"https://arxiv.org/abs/{fields['eprint']}" in links, key
