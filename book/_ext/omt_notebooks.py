"""Real notebooks from the pages: an ``.ipynb`` that opens in Jupyter and Colab and runs alone.

Code cells are taken as they are. MyST's directives and roles, which Jupyter does not know, become
plain Markdown. The first cell installs the package at the page's version when it is missing.
"""

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import yaml

_OPEN = re.compile(r"^\s*(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)$")
_CODE = re.compile(r"^\s*(?P<fence>`{3,}|~{3,})[\w-]*\s*$")
_OPTION = re.compile(r"^\s*:([\w-]+):\s?(.*)$")
_ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
_TARGET = re.compile(r"^\(([\w:.-]+)\)=\s*$")
_LINK = re.compile(r"\[([^\]]*)\]\(#([\w:.-]+)\)")
_WORDS = {"solution-start": "solution", "exercise-start": "exercise", "tip": "tip"}
_SILENT = {"bibliography", "solution-end", "exercise-end", "index", "nb-exec-table"}
_SILENT |= {"tableofcontents"}

SETUP = """\
# Made from {site}{page}.html, omt_course {version}.
# The package is installed only when it is missing, and a torch that is here stays as it is.
import subprocess
import sys
from importlib import metadata, util

if util.find_spec("omt_course") is None:
    torch = [f"torch=={{d.version}}" for d in metadata.distributions() if d.name == "torch"]
    source = "omt_course @ git+{repository}@{ref}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", source, *torch[:1]], check=True)
elif metadata.version("omt_course") != "{version}":
    print("This page was made with omt_course {version}; here is", metadata.version("omt_course"))
"""


@dataclass(frozen=True)
class Book:
    """What a notebook says about where it comes from, and the names of all labels."""

    root: Path
    repository: str
    site: str
    version: str
    ref: str
    labels: dict  # label -> (page, words)


def book(root):
    """Read the configuration and the labels of a book."""
    root = Path(root)
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    init = (root / "omt_course" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', init).group(1)
    labels = {}
    for page in pages(root, notebooks_only=False):
        labels |= _labels(page, (root / "book" / f"{page}.md").read_text(encoding="utf-8"))
    repository = config["repository"]["url"].rstrip("/")
    site = config["html"]["baseurl"].rstrip("/") + "/"
    return Book(root, repository, site, version, _reference(root, version), labels)


def pages(root, *, notebooks_only=True):
    """Return the pages of ``_toc.yml`` in order, by default those that have code cells."""
    folder = Path(root) / "book"
    toc = yaml.safe_load((folder / "_toc.yml").read_text(encoding="utf-8"))
    found = [toc["root"], *_files(toc)]
    if not notebooks_only:
        return found
    return [p for p in found if "\nkernelspec:" in (folder / f"{p}.md").read_text("utf-8")[:800]]


def write_all(root, folder):
    """Write every notebook below `folder`, with what Binder needs; return the paths."""
    home, folder = book(root), Path(folder)
    paths = []
    for page in pages(root):
        path = folder / f"{page}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook(page, home), path)
        paths.append(path)
    source = f"omt_course @ git+{home.repository}@{home.ref}"
    (folder / "requirements.txt").write_text(
        f"--extra-index-url https://download.pytorch.org/whl/cpu\n{source}\njupyterlab>=4.2\n"
    )
    return paths


def notebook(page, home):
    """Return a page as a notebook without outputs, with cell ids that depend on contents only."""
    text = (home.root / "book" / f"{page}.md").read_text(encoding="utf-8")
    source = jupytext.reads(text, fmt="md:myst")
    setup = SETUP.format(
        site=home.site,
        page=page,
        version=home.version,
        repository=home.repository,
        ref=home.ref,
    )
    cells = [nbformat.v4.new_code_cell(setup.rstrip(), metadata={"tags": ["setup"]})]
    for cell in source.cells:
        if cell.cell_type == "code":
            tags = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata=tags))
        elif words := plain(cell.source, page, home).strip():
            cells.append(nbformat.v4.new_markdown_cell(words))
    seen = {}
    for cell in cells:
        key = hashlib.sha256(f"{page}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[key] = seen.get(key, 0) + 1
        cell.id = key if seen[key] == 1 else f"{key}-{seen[key]}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def plain(text, page, home):
    """Return MyST text as Markdown that Jupyter shows: boxes become quotations with a bold name."""
    out, stack, lines = [], [], text.splitlines()
    k = 0
    while k < len(lines):
        line = lines[k]
        k += 1
        if stack and re.fullmatch(
            rf"\s*{re.escape(stack[-1][0][0])}{{{len(stack[-1][0])},}}\s*", line
        ):
            fence, kind = stack.pop()
            if kind == "math":
                out.append(_quote(stack) + "$$")
            elif kind == "code":
                out.append(_quote(stack) + line.strip())
            continue
        if stack and stack[-1][1] in ("code", "math", "silent"):
            if stack[-1][1] != "silent":
                out.append(_quote(stack) + line)
            continue
        if found := _OPEN.match(line):
            name, title = found["name"], found["title"].strip()
            options, k = _options(lines, k)
            kind = "math" if name == "math" else "silent" if name in _SILENT else "box"
            if kind == "math":
                out.append(_quote(stack) + "$$")
            elif name in ("figure", "image"):
                address = home.site + "_images/" + Path(title).name
                out.append(_quote(stack) + f"![{options.get('alt', '')}]({address})")
            stack.append((found["fence"], kind))
            if kind == "box" and name not in ("figure", "image"):
                out += [
                    "",
                    _quote(stack) + _heading(name, _roles(title, page, home)),
                    _quote(stack),
                ]
            continue
        if found := _CODE.match(line):
            out.append(_quote(stack) + line.strip())
            stack.append((found["fence"], "code"))
            continue
        if _TARGET.match(line) or line.startswith("% "):
            continue
        out.append(_quote(stack) + _roles(line, page, home))
    return "\n".join(out)


def _files(node):
    """Walk the table of contents."""
    if isinstance(node, list):
        return [name for item in node for name in _files(item)]
    if isinstance(node, dict):
        own = [node["file"]] if "file" in node else []
        return own + _files([v for k, v in node.items() if k in ("parts", "chapters", "sections")])
    return []


def _labels(page, text):
    """Return the labels of a page with the words that stand for them."""
    found, lines = {}, text.splitlines()
    for k, line in enumerate(lines):
        if target := _TARGET.match(line):
            following = next((x for x in lines[k + 1 :] if x.strip() and not _TARGET.match(x)), "")
            found[target.group(1)] = (page, following.lstrip("# ").strip() or target.group(1))
        if opened := _OPEN.match(line):
            options, _ = _options(lines, k + 1)
            if "label" in options:
                words = f"{_kind(opened['name'])} {opened['title']}".strip()
                found[options["label"]] = (page, re.sub(r",?\s*\{cite.*?`.*?`", "", words))
    return found


def _options(lines, k):
    """Read the options after the first line of a directive; return them and the next line."""
    options = {}
    if k < len(lines) and lines[k].strip() == "---":
        end = next((j for j in range(k + 1, len(lines)) if lines[j].strip() == "---"), k)
        return yaml.safe_load("\n".join(lines[k + 1 : end])) or {}, end + 1
    while k < len(lines) and (found := _OPTION.match(lines[k])):
        options[found.group(1)] = found.group(2).strip()
        k += 1
    return options, k


def _quote(stack):
    """Return the quotation mark of the boxes that are open."""
    return "> " * sum(kind == "box" for _, kind in stack)


def _kind(name):
    """Return the word for a directive."""
    name = _WORDS.get(name, name.split(":")[-1])
    return name.replace("-", " ").capitalize()


def _heading(name, title):
    """Return the first line of a box."""
    if name in ("admonition", "dropdown", "card", "tab-item", "grid-item-card"):
        return f"**{title}**"
    if name.startswith("solution") or not title:
        return f"**{_kind(name)}.**"
    return f"**{_kind(name)} ({title}).**"


def _roles(line, page, home):
    """Replace roles and links to labels by words and links to the site."""

    def link(label, words=""):
        where, name = home.labels.get(label, (page, label))
        return f"[{words or name}]({home.site}{where}.html#{label})"

    def role(match):
        name, body = match.groups()
        words, _, label = body.partition(" <")
        if name.startswith("cite"):
            keys = [key.strip() for key in body.split(",")]
            return ", ".join(f"[[{key}]({home.site}bibliography.html)]" for key in keys)
        if name == "glue:text":
            return f"`{body}`"
        if name in ("ref", "prf:ref", "numref"):
            return link(label.rstrip(">"), words) if label else link(body)
        if name == "eq":
            return f"({body})"
        if name == "math":
            return f"${body}$"
        return words

    line = _ROLE.sub(role, line)
    return _LINK.sub(lambda match: link(match.group(2), match.group(1)), line)


def _reference(root, version):
    """Return the tag of the version if this is it, else the commit, else the tag's name."""
    tag = f"v{version}"

    def git(*arguments):
        command = ["git", "-C", str(root), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    if not (Path(root) / ".git").exists() or tag in git("tag", "--points-at", "HEAD").split():
        return tag
    return git("rev-parse", "HEAD") or tag
