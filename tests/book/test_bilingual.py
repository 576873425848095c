"""English and Chinese agree: the glossary, the search's dictionary, and the guide in Chinese."""

import json
import re

import jieba
import pytest
import yaml
from book.test_pages import BOOK, CHAPTERS, PAGES, blocks_of, every, source
from browser import NO_SITE, SITE, need
from bs4 import BeautifulSoup

HAN = "\u4e00-\u9fff"
# The terms of the article, as its author writes them, with what the course calls them.
ARTICLE = {
    "optimal transport": ["最优传输", "最优质量传输"],
    "transport cost": ["传输代价"],
    "transport map": ["传输映射"],
    "Wasserstein distance": ["沃瑟斯坦距离"],
    "Brenier potential": ["布雷尼尔势能函数"],
    "gradient map": ["梯度映射"],
    "Monge-Ampère equation": ["蒙日-安培方程"],
    "convex geometry": ["凸几何"],
    "Minkowski problem": ["闵可夫斯基问题"],
    "Alexandrov problem": ["亚历山大问题"],
    "convex polyhedron": ["凸多面体"],
    "cell decomposition": ["胞腔分解"],
    "ridge": ["尖脊"],
    "regularity": ["正则性"],
    "probability measure": ["概率测度"],
    "support": ["支集"],
    "cluster": ["团簇"],
    "data manifold": ["数据流形"],
    "ambient space": ["背景空间"],
    "image space": ["图像空间"],
    "latent space": ["隐空间", "特征空间"],
    "feature space": ["隐空间", "特征空间"],
    "encoding map": ["编码映射"],
    "decoding map": ["解码映射"],
    "parameterisation": ["参数化"],
    "autoencoder": ["自动编码器"],
    "manifold embedding": ["流形嵌入"],
    "homeomorphism": ["同胚"],
    "piecewise linear": ["分片线性"],
    "triangle mesh": ["三角网格"],
    "geodesic disk": ["测地圆盘"],
    "dense sampling": ["稠密采样"],
    "Hausdorff distance": ["豪斯多夫距离"],
    "geodesic distance": ["测地距离"],
    "curvature measure": ["曲率测度"],
    "Laplace-Beltrami operator": ["拉普拉斯-贝尔特拉米算子"],
    "conformal map": ["保角映射", "共形映射"],
    "measure-preserving": ["保测度"],
    "uniform sampling": ["均匀采样"],
    "generative adversarial network": ["生成对抗网络"],
    "generator": ["生成器"],
    "discriminator": ["判别器"],
    "mode collapse": ["模式坍塌"],
    "multimodal distribution": ["多模态分布"],
    "generative model": ["生成模型"],
    "semi-transparent model": ["半透明模型"],
    "probability transformation": ["概率变换"],
    "convex optimisation": ["凸优化"],
    "existence": ["存在性"],
    "uniqueness": ["唯一性"],
    "numerical stability": ["数值稳定性"],
    "order of approximation": ["逼近阶"],
    "upper bound of learning capability": ["学习能力上限"],
    "law of manifold distribution": ["流形分布律"],
    "law of cluster distribution": ["聚类分布律"],
}
# Other Chinese words for the same things: good elsewhere, not where the article has its own.
OTHERS = """
模式崩溃 模式崩塌 潜空间 潜在空间 豪斯道夫 瓦瑟斯坦 保面积
最优运输 运输映射 鉴别器 环境空间 分段线性
""".split()
LINES = ("**文章说**：", "**我们算的**：", "**看", "**打开**：", "**动手试**：")


def entries():
    """Return the names of every entry of the glossary, as lists."""
    found = []
    for box in every(blocks_of("glossary"), "glossary"):
        for entry in re.split(r"\n\s*\n", box.text.strip()):
            found.append(entry.splitlines()[:-1])
    return found


def chinese(name):
    return bool(re.search(f"[{HAN}]", name))


def guide():
    return source("zh/guide")


def body():
    """Return the guide without its front matter."""
    return guide().split("\n---\n", 1)[1]


def sections():
    """Return the sections of the eleven figures, in the order of the page."""
    parts = re.split(r"^\(zh-guide-fig-(\d+)\)=$", body(), flags=re.M)
    found = list(zip(map(int, parts[1::2]), parts[2::2], strict=True))
    last = found[-1][1].split("\n(zh-guide-claims)=")[0]
    return [*found[:-1], (found[-1][0], last)]


@pytest.fixture(scope="module")
def tokens():
    """Cut Chinese text as the search of the site does."""
    tokenizer = jieba.Tokenizer()
    with (BOOK / "_assets" / "terms.txt").open("rb") as words:
        tokenizer.load_userdict(words)
    return lambda text: set(tokenizer.cut_for_search(text))


@pytest.mark.parametrize("english", ARTICLE)
def test_every_term_of_the_article_is_in_the_glossary(english):
    (names,) = [names for names in entries() if english in names]
    assert set(ARTICLE[english]) <= set(names)


def test_names_are_given_once():
    names = [name for entry in entries() for name in entry]
    assert len(names) == len(set(names))
    assert all(any(map(chinese, entry)) and not all(map(chinese, entry)) for entry in entries())


@pytest.mark.parametrize("page", PAGES)
def test_terms_that_pages_refer_to_are_in_the_glossary(page):
    names = {name for entry in entries() for name in entry}
    used = re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", source(page))
    assert set(used) <= names, set(used) - names


def test_the_search_knows_every_chinese_word_of_the_glossary(tokens):
    lines = (BOOK / "_assets" / "terms.txt").read_text(encoding="utf-8").splitlines()
    words = [line.split()[0] for line in lines]
    assert all(re.fullmatch(r"\S+ \d+ n", line) for line in lines)
    assert len(words) == len(set(words))
    for name in filter(chinese, [name for entry in entries() for name in entry]):
        own = name.split()[-1]  # without the Latin word before it
        if len(re.findall(f"[{HAN}]", own)) == 1:  # the search leaves single letters out
            continue
        assert own in words, name
        assert own in tokens(f"我们把它叫做{own}，见下文。"), name


def test_parts_of_hyphenated_names_are_found(tokens):
    for name in filter(chinese, [name for entry in entries() for name in entry]):
        # a query is cut at hyphens, and a long word is found by a part of it
        found = tokens(name)
        for part in name.split()[-1].split("-"):
            assert len(part) < 2 or any(part in word for word in found), (name, part, found)


def test_the_guide_is_marked_as_chinese():
    front = yaml.safe_load(guide().split("---\n")[1])
    assert front["lang"] == "zh-Hans"
    assert len(re.findall(f"[{HAN}]", guide())) > 4000


def test_the_guide_goes_through_the_figures_in_order():
    assert [number for number, _ in sections()] == list(range(1, 12))
    for number, text in sections():
        assert re.search(rf"^## 图 {number}：", text, re.M)
        panels = 2 if number == 5 else 1  # Minkowski and Alexandrov
        assert len(re.findall(r"^```\{picture-of\} [\w-]+$", text, re.M)) == panels
        for line in LINES:
            assert text.count(f"- {line}") == panels, (number, line)
        for line in re.findall(r"^- \*\*打开\*\*：.*$", text, re.M):
            assert re.search(r"\{ref\}`[\w-]+`", line), line
        for line in re.findall(r"^- \*\*看[^*]*\*\*：.*$", text, re.M):
            assert "{number}`" in line, line


def test_the_guide_covers_all_claims_and_all_figures_that_play():
    said = set(re.findall(r"\bA(\d+)\b", "".join(text for _, text in sections())))
    laws = set(re.findall(r"（A(\d+)）", body().split("(zh-guide-laws)=")[1]))
    assert {int(number) for number in said | laws} == set(range(1, 19))
    table = re.split(r"^\(zh-guide-\w+\)=$", body().split("(zh-guide-claims)=")[1], flags=re.M)[0]
    listed = re.findall(r"\bA(\d+)\b", table)
    assert sorted(map(int, listed)) == list(range(1, 19))
    figures = "".join(text for _, text in sections())
    for name in (
        "brenier-cells",
        "minkowski-polytope",
        "two-encodings",
        "sinkhorn",
        "make-digits",
    ):
        assert f"{{ref}}`play-{name}`" in figures, name


def test_references_of_the_guide_lead_somewhere():
    known = set()
    for path in BOOK.rglob("*.md"):
        words = path.read_text(encoding="utf-8")
        known |= set(re.findall(r"^\(([\w-]+)\)=", words, re.M))
        known |= set(re.findall(r"^\s*:?(?:label|name): ([\w-]+)$", words, re.M))
    for label in re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", guide()):
        assert label in known, label
    for label in re.findall(r"\{picture-of\} ([\w-]+)", guide()):
        assert label in known, label


def test_chapters_are_all_named_in_the_guide():
    for page in CHAPTERS:
        assert f"{{ref}}`{page.split('/')[-1]}`" in guide(), page


def test_numbers_of_the_guide_are_computed_by_chapters():
    keys = []  # patterns, since a key may be made in a loop: glue(f"minkowski-record-{key}", ...)
    for page in CHAPTERS:
        for key in re.findall(r"glue\(\s*f?\"([^\"]+)\"", source(page)):
            keys.append(re.sub(r"\\\{[^}]*\\\}", r"[\\w.-]+", re.escape(key)))
    used = re.findall(r"\{number\}`([^`]+)`", guide())
    assert len(used) > 40
    for name in used:
        assert any(re.fullmatch(key, name) for key in keys), name


def test_no_result_is_typed_into_the_guide():
    text = re.sub(r"\{\w+\}`[^`]*`|\$[^$]*\$|^:alt:.*$", "", body(), flags=re.M)
    assert not re.search(r"\d+\.\d|\d\d\d\d\d|\d,\d\d\d", text)


def test_pictures_of_the_guide_are_described():
    alts = re.findall(r"^:alt: (.+)$", guide(), re.M)
    assert len(alts) == len(re.findall(r"\{picture-of\}", guide())) == len(set(alts))
    for alt in alts:
        assert len(alt) >= 40 and len(re.findall(f"[{HAN}]", alt)) >= 20, alt


def test_the_guide_uses_the_words_of_the_article():
    text = guide() + source("glossary")
    assert not [word for word in OTHERS if word in text]
    for words in ARTICLE.values():
        for word in words:  # what the guide names, it names as the article does
            assert word in source("glossary")
    named = sum(any(word in guide() for word in words) for words in ARTICLE.values())
    assert named > 0.8 * len(ARTICLE)


def test_chinese_and_latin_are_set_apart():
    # a space between Han and Latin, digits, formulas and roles; none beside full-width marks
    text = re.sub(r"\{\w+\}`[^`]*`", "{role}", body())
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"\$[^$]*\$", "$x$", text)
    close = re.findall(rf"[{HAN}][A-Za-z0-9$]|[A-Za-z0-9$%][{HAN}]", text)
    assert not close, close
    assert not re.findall(rf"[{HAN}]\{{role\}}|\{{role\}}[{HAN}]", text)
    assert not re.findall(r"[，。；：、）】”] |\S [，。；：、）】”]", text)
    assert not re.findall(rf"[{HAN}][,;:?!]", text)


@pytest.fixture(scope="module")
def built():
    """Return the guide as it stands in the built site."""
    path = SITE / "zh" / "guide.html"
    need(path.exists(), NO_SITE)
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_the_built_guide_has_its_language_numbers_and_pictures(built):
    assert built.html["lang"] == "zh-Hans"
    article = built.select_one("article")
    numbers = [node.get_text() for node in article.select(".pasted-text")]
    assert len(numbers) == len(re.findall(r"\{number\}`", guide()))
    assert all(re.search(r"\d", number) for number in numbers)
    pictures = article.select(".omt-picture a.reference > img")
    assert len(pictures) == len(re.findall(r"\{picture-of\}", guide()))
    for picture in pictures:
        assert (SITE / "zh" / picture["src"]).resolve().is_file()
        page, anchor = picture.parent["href"].split("#")
        target = (SITE / "zh" / page).resolve().read_text(encoding="utf-8")
        assert f'id="{anchor}"' in target, picture.parent["href"]


def test_the_index_of_the_built_site_finds_the_terms_of_the_article(built):
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    glossary = index["docnames"].index("glossary")
    for word in [word for words in ARTICLE.values() for word in words]:
        # a query is cut at hyphens; each part is a word of the index, or a part of one
        for part in word.split("-"):
            pages = [
                where
                for table in ("terms", "titleterms")
                for known, where in index[table].items()
                if part in known
            ]
            where = {page for one in pages for page in (one if isinstance(one, list) else [one])}
            assert glossary in where, (word, part)
