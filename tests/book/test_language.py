"""Chinese words in an English page are named as Chinese, and nothing else is touched."""

import extensions
import pytest


@pytest.fixture(scope="module")
def mark_chinese():
    return extensions.load("omt_book").mark_chinese


def span(text):
    return f'<span lang="zh-Hans">{text}</span>'


def test_a_run_of_chinese_is_one_span(mark_chinese):
    given = "<dt>最优传输, optimal transport（最优，质量 传输）</dt>"
    wanted = f"<dt>{span('最优传输')}, optimal transport（{span('最优，质量 传输')}）</dt>"
    assert mark_chinese(given) == wanted


def test_attributes_and_scripts_stay(mark_chinese):
    text = '<img alt="图"><script>var a = "图" < b;</script><style>a::after{content:"图"}</style>'
    assert mark_chinese(text) == text


def test_text_after_a_script_is_marked_again(mark_chinese):
    given = "<script>if (a<b) '图'</script><p>图</p>"
    assert mark_chinese(given) == f"<script>if (a<b) '图'</script><p>{span('图')}</p>"
