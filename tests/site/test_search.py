"""Search as readers type it, in English and in Chinese: the page they want comes first."""

import pytest
from browser import opened

# What is typed, and the pages of which one must be the first found.
QUERIES = [
    ("Brenier potential", "alexandrov-brenier"),
    ("mode collapse", "singularities wasserstein-gan ae-omt-mnist glossary"),
    ("sinkhorn", "entropic-transport play/sinkhorn"),
    ("Minkowski problem", "part3-convexity/minkowski"),
    ("power diagram", "alexandrov-brenier api/cells"),
    ("install on windows", "install"),
    ("how to cite", "cite"),
    ("empty cell", "alexandrov-brenier what-breaks"),
    ("gradient penalty", "wasserstein-gan"),
    ("torchrun", "scaling api/montecarlo"),
    ("intrinsic dimension", "manifolds-and-clusters"),
    ("Schwarz lantern", "sampling-surfaces"),
    ("CelebA", "ae-omt-faces api/faces data-sheet"),
    ("semidiscrete.solve", "api/semidiscrete"),
    ("最优传输", "glossary zh/guide"),
    ("布雷尼尔势能", "glossary zh/guide"),
    ("模式坍塌", "glossary zh/guide"),
    ("闵可夫斯基问题", "glossary zh/guide"),
    ("导读", "zh/guide"),
    ("最优传输映射的正则性", "glossary zh/guide"),
]


def found(tab):
    """Return the addresses of all results, best first."""
    tab.locator("#search-results .search-summary", has_text="finished").wait_for()
    return tab.locator("#search-results ul.search li > a").evaluate_all(
        "list => list.map(a => new URL(a.href).pathname.slice(1) + new URL(a.href).hash)"
    )


@pytest.mark.parametrize(("words", "wanted"), QUERIES, ids=[words for words, _ in QUERIES])
def test_the_first_page_found_is_the_one_wanted(browser, address, words, wanted):
    with opened(browser, address, f"search.html?q={words}") as tab:
        first = found(tab)[0]
        assert any(name in first for name in wanted.split()), found(tab)[:5]
        assert tab.outside == [] and tab.wrong == []


def test_nonsense_finds_nothing(browser, address):
    with opened(browser, address, "search.html?q=qqqqzzzz") as tab:
        tab.locator("#search-results .search-summary", has_text="did not match").wait_for()
