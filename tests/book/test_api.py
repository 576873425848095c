"""The reference: docstrings as reStructuredText, every module on one page, and links from names."""

import ast
import re
from pathlib import Path
from urllib.parse import urlsplit

import extensions
import pytest
from browser import NO_SITE, SITE, need
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "book" / "api"
CONF = """
extensions = ["myst_nb", "omt_api", "sphinx_codeautolink"]
codeautolink_concat_default = True
nb_execution_mode = "off"
html_theme = "basic"
"""

DOCUMENTED = (
    "transport.semidiscrete",
    "transport.result",
    "geometry.linking",
    "course.verdicts",
    "models.image_gan",
    "models.vae",
)


@pytest.fixture(scope="module")
def extension():
    return extensions.load("omt_api"), extensions.load("omt_names")


@pytest.mark.parametrize(
    ("plain", "marked"),
    [
        ("`|x - y|^2 / 2` and |x|", r"``|x - y|^2 / 2`` and \|x\|"),
        ("a * b, 2*n and *args", r"a \* b, 2\*n and \*args"),
        ("Taught in *Alexandrov and Brenier*.", "Taught in *Alexandrov and Brenier*."),
        ("all `h_i`s, a `k`-th", r"all ``h_i``\ s, a ``k``-th"),
        ("weights_ and n_iter", r"weights\_ and n_iter"),
        ("the sum `a +\nb`, ``c``", "the sum ``a +\nb``, ``c``"),
        (">>> f(*a) | b\n1 * 2\n\nx*", ">>> f(*a) | b\n1 * 2\n\nx\\*"),
        ("Run::\n\n    a | b_\n\nc|", "Run::\n\n    a | b_\n\nc\\|"),
        (
            "Parameters\n----------\nx : int\n    |x|",
            "Parameters\n----------\nx : int\n    \\|x\\|",
        ),
    ],
)
def test_plain_text_keeps_its_meaning(extension, plain, marked):
    assert extension[0].rewrite(plain) == marked


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A book of reference pages and one page that names what they hold."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "api").mkdir()
    (folder / "conf.py").write_text(CONF)
    for name in DOCUMENTED:
        (folder / "api" / f"{name}.md").write_text(
            f"# {name}\n\n```{{eval-rst}}\n.. automodule:: omt_course.{name}\n```\n"
        )
    (folder / "index.md").write_text(
        "# Alexandrov and Brenier\n\n```{toctree}\n:glob:\napi/*\n```\n\n"
        "See `semidiscrete.solve(domain, points)`, `SemidiscreteResult`, `solve`, `np.zeros`.\n\n"
        "```ipython3\nfrom omt_course.transport import semidiscrete as sd\n\n"
        "best = sd.solve(domain, points=points)\nbest.transport(x)\nsolve(domain)\n```\n\n"
        "```ipython3\npoints = sd.solve(domain, points=points).shape\n```\n"
    )
    done = extensions.build(folder)
    assert done.returncode == 0 and not done.stderr, done.stderr
    html = folder / "out" / "html"
    return {p.relative_to(html).as_posix(): parse(p) for p in html.rglob("*.html")}


def parse(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_prose_links_what_names_one_object(toy):
    links = {a.get_text(): a["href"] for a in toy["index.html"].select("p a.omt-name")}
    assert links == {
        "semidiscrete.solve(domain, points)": "api/transport.semidiscrete.html"
        "#omt_course.transport.semidiscrete.solve",
        "SemidiscreteResult": "api/transport.result.html"
        "#omt_course.transport.result.SemidiscreteResult",
    }


def test_code_links_what_its_imports_and_results_mean(toy):
    code = toy["index.html"].select("pre a.sphinx-codeautolink-a")
    root = "omt_course.transport."
    assert [(a.get_text(), a["href"].rpartition(f"#{root}")[2]) for a in code[1:]] == [
        ("best", "result.SemidiscreteResult"),
        ("sd.solve", "semidiscrete.solve"),
        ("best.transport", "result.SemidiscreteResult.transport"),
        ("sd.solve", "semidiscrete.solve"),  # known from the cell before
    ]
    assert code[0].get_text() == "semidiscrete"
    assert code[0]["href"] == f"api/transport.semidiscrete.html#module-{root}semidiscrete"


def test_an_entry_shows_code_classes_and_the_page_that_teaches_it(toy):
    page, result = toy["api/transport.semidiscrete.html"], toy["api/transport.result.html"]
    text = page.get_text()
    assert "max_i |w_i - nu_i| / nu_i" in text
    assert "LOST_AT_MOST" not in text and "_check" not in text
    assert page.select_one("em > a, a > em").get_text() == "Alexandrov and Brenier"
    returned = page.select("dl.field-list a.omt-name em")
    assert "SemidiscreteResult" in {link.get_text() for link in returned}
    (also,) = [p for p in page.select("p") if p.get_text().startswith("Also here")]
    assert "result.SemidiscreteResult" in [a.get_text() for a in also.select("a.omt-name")]
    (kept,) = [d for d in result.select("dl.property") if "centroids" in d.dt.get_text()]
    assert kept.dd.get_text().strip() == "Centres of mass of the cells, (n, d) float array."
    raised = [p.get_text() for p in toy["api/course.verdicts.html"].select("dl.field-list p")]
    assert "CheckFailed" in raised
    types = toy["api/models.vae.html"].select("li:-soup-contains('torch.Generator')")
    assert types and not any(li.select("a.omt-name") for li in types)
    fields = [t.get_text() for t in result.select("dl.class > dd > dl.field-list > dt")]
    assert fields == ["Attributes:"]
    compiled = toy["api/geometry.linking.html"]
    assert "edges_of_sides(" in compiled.get_text()


# The package, from its sources and on the built site.


def documented():
    """Return module -> pages that have it."""
    found = {}
    for path in sorted(API.glob("*.md")):
        for name in re.findall(r"^\.\. automodule:: (\S+)$", path.read_text("utf-8"), re.M):
            found.setdefault(name, []).append(path.stem)
    return found


def modules():
    """Return the public modules of the package, from its files."""
    found = set()
    for path in (ROOT / "omt_course").rglob("*.py"):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if not any(p.startswith("_") and p != "__main__" for p in parts):
            found.add(".".join(parts))
    return found


def test_every_public_module_is_on_exactly_one_page():
    pages = documented()
    assert set(pages) == modules()
    assert {name: where for name, where in pages.items() if len(where) != 1} == {}


def test_every_page_says_what_it_is_and_is_listed():
    index = (API / "index.md").read_text(encoding="utf-8")
    for path in sorted(API.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if path.stem == "index":
            continue
        assert text.startswith(f"(api-{path.stem})=\n# "), path.stem
        assert len(text.split("\n## ")[0].split()) > 20, path.stem
        assert f"{{ref}}`api-{path.stem}`" in index, path.stem
        (listed,) = re.findall(rf"`api-{path.stem}`: (.*)", index)
        titles = re.findall(r"^## `(\S+)`$", text, re.M)
        assert re.findall(r"`(\S+?)`", listed) == titles, path.stem


def public(name):
    """Return the functions and classes that a module defines for others, from its source."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    defined = {n.name for n in tree.body if isinstance(n, kinds) and n.name[0] != "_"}
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            defined &= set(ast.literal_eval(node.value))
    return defined


def site(page):
    need((SITE / page).exists(), NO_SITE)
    return parse(SITE / page)


@pytest.mark.parametrize("page", sorted(p.stem for p in API.glob("*.md") if p.stem != "index"))
def test_the_site_has_an_entry_for_every_function_and_class(page):
    html = site(f"api/{page}.html")
    ids = {tag["id"] for tag in html.select("[id]")}
    names = [name for name, (where, *_) in documented().items() if where == page]
    missing = [f"{n}.{x}" for n in names for x in public(n) if f"{n}.{x}" not in ids]
    assert missing == []
    assert not html.select(".problematic, .system-message")
    assert (SITE / f"api/{page}.html").stat().st_size < 1e6


def test_names_in_the_chapters_lead_to_their_entries():
    need((SITE / "api").is_dir(), NO_SITE)
    ids = {}
    for path in sorted((ROOT / "book").glob("part*/*.md")):
        page = path.relative_to(ROOT / "book").with_suffix(".html").as_posix()
        html = site(page)
        code = html.select("pre a.sphinx-codeautolink-a")
        assert len(code) > 60, page
        for link in html.select("a.omt-name") + code:
            parts = urlsplit(link["href"])
            target = (SITE / page).parent.joinpath(parts.path).resolve()
            if target not in ids:
                ids[target] = {tag["id"] for tag in parse(target).select("[id]")}
            assert parts.fragment in ids[target], (page, link["href"])
