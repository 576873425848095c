"""The course's own Sphinx extension: numbers, scripts from wheels, real notebooks, run times.

Chapters keep their numbers in the syllabus (`omt_chapters` in `_config.yml`), written or not.
The finished site carries everything it loads. MathJax comes from the wheel of
`django-static-mathjax`, plotly from its own wheel; both are copied into the site, not into git.
"""

import json
import logging
import re
import shutil
from importlib import util
from pathlib import Path

import omt_notebooks
import omt_slides
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util import logging as sphinx_logging
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as Collector

# What tex-chtml.js may load later: fonts, TeX extensions, the menu and its speech.
MATHJAX = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions", "a11y", "ui", "sre")


# A run of Chinese: characters at both ends, Chinese marks and spaces between.
HAN = re.compile("[\u3400-\u9fff](?:[\u3400-\u9fff\u3000-\u303f\uff00-\uffef ]*[\u3400-\u9fff])?")
SPAN = r'<span lang="zh-Hans">\g<0></span>'
NO_TEXT = re.compile(r"<(script|style|textarea)\b.*?</\1>|<[^>]*>", re.DOTALL)

log = sphinx_logging.getLogger(__name__)
_assign = Collector.assign_section_numbers


def number_chapters(self, env):
    """Let Sphinx number the sections, then give each chapter its number in the syllabus."""
    changed = _assign(self, env)
    number = {name: k for k, name in enumerate(env.config.omt_chapters, start=1)}
    for page, sections in env.toc_secnumbers.items():
        chapter = number.get(page.split("/")[-1])
        if chapter is None:
            continue
        env.toc_secnumbers[page] = {key: (chapter, *rest[1:]) for key, rest in sections.items()}
        for node in [env.titles[page], *env.tocs[page].findall(nodes.reference)]:
            if node.get("secnumber"):
                node["secnumber"] = [chapter, *node["secnumber"][1:]]
    return changed


def buttons(app, pagename, templatename, context, doctree):
    """Point Binder, Colab and the download button at the page's generated notebook."""
    if pagename not in app.env.metadata or "kernelspec" not in app.env.metadata[pagename]:
        return
    repository = app.config.html_theme_options["repository_url"].rstrip("/")
    name = "/".join(repository.split("/")[-2:])
    launch = app.config.html_theme_options["launch_buttons"]
    binder = f"{launch['binderhub_url']}/v2/gh/{name}/notebooks?urlpath=lab/tree"
    address = {
        "Binder": f"{binder}/{pagename}.ipynb",
        "Colab": f"{launch['colab_url']}/github/{name}/blob/notebooks/{pagename}.ipynb",
    }
    download = f"{context['pathto']('notebooks', 1)}/{pagename}.ipynb"
    for group in context["header_buttons"]:
        for button in group.get("buttons", []):
            if button.get("text") in address:
                button["url"] = address[button["text"]]
            elif button.get("label") == "download-notebook-button":
                button["url"] = download


def search_script(app, pagename, templatename, context, doctree):
    """Cut Chinese queries into words; the search page alone needs the script, before Sphinx's."""
    if pagename == "search":
        app.add_js_file("omt-search.js")


def name_switches(app, pagename, templatename, context, doctree):
    """Say in words what the arrows of the side bar unfold; the theme leaves them without."""
    original = context.get("generate_toctree_html")
    if original is None:
        return

    def named(*arguments, **options):
        toc = original(*arguments, **options)
        for switch in toc.select("summary") if hasattr(toc, "select") else ():
            switch["aria-label"] = f"Pages of {switch.find_parent('li').find('a').get_text()}"
        return toc

    context["generate_toctree_html"] = named


def tidy(app, pagename, templatename, context, doctree):
    """Mend what browsers and screen readers stumble over in the HTML of other extensions."""
    if "body" not in context:
        return
    body = context["body"]
    for same in ("proof", "proof-content", "exercise-content", "solution-content"):
        body = body.replace(f' id="{same}"', "")  # every box has it
    # a list must hold list items, and entries of a bibliography are none
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    body = re.sub(r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>", r"<td\1></td>", body)  # no header
    body = body.replace(' role="doc-biblioentry"', "")  # deprecated, and wrong outside a list
    if app.env.metadata.get(pagename, {}).get("lang", "en") == "en":
        body = mark_chinese(body)
    context["body"] = body


def mark_chinese(body):
    """Name the language of Chinese words in an English page, for voices and for fonts."""
    pieces, end = [], 0
    for tag in NO_TEXT.finditer(body):
        pieces += [HAN.sub(SPAN, body[end : tag.start()]), tag.group()]
        end = tag.end()
    return "".join([*pieces, HAN.sub(SPAN, body[end:])])


def finish(app, exception):
    """Copy the scripts, write the notebooks, the slides and the run times."""
    _run_times(app)
    if exception is not None or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    source = _package("mathjax") / "static" / "mathjax" / "es5"
    for part in MATHJAX:
        _copy(source / part, static / "mathjax" / part)
    _copy(_package("plotly") / "package_data" / "plotly.min.js", static / "plotly.min.js")
    for copy in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        copy.unlink()  # executed pages beside their sources: no page leads to them, half the site
    root = Path(app.srcdir).parent
    omt_notebooks.write_all(root, Path(app.outdir) / "notebooks")
    missing = omt_slides.write(
        app.outdir, root, title=app.config.html_title, base=app.config.html_baseurl
    )
    for name in missing:
        log.warning("slides.yml: no figure %s on any page", name)


def _run_times(app):
    """Write ``run-times.json`` beside the site: seconds of every page that has code."""
    times = {}
    for page in sorted(app.env.found_docs):
        data = NbMetadataCollector.get_exec_data(app.env, page)
        if data and data.get("runtime") is not None:
            times[page] = {"seconds": round(data["runtime"], 2), "ok": data["succeeded"]}
    path = Path(app.outdir).parent / "run-times.json"
    path.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def _package(name):
    """Return the folder of an installed package without importing it."""
    return Path(util.find_spec(name).origin).parent


def _copy(source, target):
    """Copy a file or a folder unless it is there already."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif not target.exists() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def setup(app):
    """Register the parts with Sphinx."""
    logging.getLogger("jieba").setLevel(logging.WARNING)
    if "comments_config" not in app.config:  # Jupyter Book sets it; we load no comments
        app.add_config_value("comments_config", {}, "html")
    app.add_config_value("omt_chapters", [], "env")
    Collector.assign_section_numbers = number_chapters
    app.connect("html-page-context", buttons, priority=600)
    app.connect("html-page-context", tidy, priority=600)
    app.connect("html-page-context", name_switches, priority=900)  # after the theme
    app.connect("html-page-context", search_script)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
