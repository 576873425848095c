"""What the workflows say to people: changed pages, and links that are broken.

``python book/publish.py changed|preview|comment|links``. Standard library only. The words are made
here, where tests see them; the workflows in ``.github/workflows`` only call this. GitHub is asked
through its own command ``gh``.

A pull request may come from a stranger. What runs their code has no token that can write
(`preview.yml`); what has such a token (`preview-comment.yml`) runs the code of the main branch, and
takes from theirs one small JSON file, which `read_preview` believes only as far as it can check.
"""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = "<!-- preview of the changed pages -->"
LABEL = "broken links"
TITLE = "Links that are broken"
EVERYWHERE = ("_config.yml", "constraints.txt", "book/_ext/", "book/_assets/", "book/_toc.yml")
REASONS = ("new", "text", "package", "data", "site")
PAGE = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")


def modules(root):
    """Return the modules of the package: name -> names of ours that it imports."""
    paths = {_module(p.relative_to(root)): p for p in Path(root).glob("omt_course/**/*.py")}
    return {
        name: _imports(path.read_text(encoding="utf-8"), paths) | _above(name)
        for name, path in paths.items()
    }


def _module(path):
    """Return the name of the module in a file."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _above(name):
    """Return the packages around a module: importing it runs them."""
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts))}


def _imports(code, known):
    """Return which of the known modules some code imports."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name in known}


def needs(page_text, graph):
    """Return the modules that a page runs, those included that its own modules import."""
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", page_text, flags=re.M | re.S)
    cells = [re.sub(r"\A(---\n.*?\n---\n|(:[^\n]*\n)+)", "", cell, flags=re.S) for cell in cells]
    waiting, found = set(), set()
    for cell in cells:
        code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line
                         for line in cell.splitlines())  # fmt: skip
        waiting |= _imports(code, graph)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= (graph[name] | _above(name)) & set(graph) - found
    return found


def affected(root, files, fresh=()):
    """Return the pages that a change of some files may change, each with the reasons.

    Parameters
    ----------
    root : path
        The repository after the change.
    files : list of str
        Paths that changed or came, from the root.
    fresh : list of str
        Pages (without ending) that the base has not.

    Returns
    -------
    pages : dict
        Page -> sorted list of `REASONS`.
    """
    root, graph = Path(root), modules(root)
    changed = {_module(Path(f)) for f in files if f.startswith("omt_course/") and f.endswith(".py")}
    data = {Path(f).stem for f in files if f.startswith("data/") and not f.endswith((".py", ".md"))}
    site = any(f.startswith(EVERYWHERE) for f in files)
    pages = {}
    for path in sorted((root / "book").rglob("*.md")):
        name = path.relative_to(root / "book").with_suffix("").as_posix()
        if name.startswith("_"):
            continue
        text, why = path.read_text(encoding="utf-8"), set()
        if f"book/{name}.md" in files:
            why.add("new" if name in fresh else "text")
        runs = needs(text, graph)
        if changed & runs:
            why.add("package")
        # a record is named on the page; other data are read by modules, which name them
        if any(re.search(rf"[\"'/]{re.escape(stem)}[\"'./]", text) for stem in data):
            why.add("data")
        if any(_named(root, module, data) for module in runs):
            why.add("data")
        if site:
            why.add("site")
        if why:
            pages[name] = sorted(why, key=REASONS.index)
    return pages


def _named(root, module, data):
    """Return whether a module names one of the changed data files."""
    path = Path(root, *module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = path.read_text(encoding="utf-8") if data else ""
    return any(re.search(rf"[\"'/]{re.escape(stem)}[\"'./]", text) for stem in data)


def changed(root, base):
    """Return the pages that differ from a base revision, and those that are gone."""
    git = ["git", "-C", str(root)]
    listed = [*git, "diff", "--name-status", "--no-renames", "-z", f"{base}...HEAD"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True)
    parts = done.stdout.split("\0")
    states = dict(zip(parts[1::2], parts[0::2], strict=False))
    added = [f[5:-3] for f, s in states.items() if s == "A" and _is_page(f)]
    removed = sorted(f[5:-3] for f, s in states.items() if s == "D" and _is_page(f))
    return {"pages": affected(root, list(states), fresh=added), "removed": removed}


def _is_page(path):
    return path.startswith("book/") and path.endswith(".md") and not path.startswith("book/_")


def read_preview(text):
    """Return what an untrusted `preview.json` says, or raise.

    Raises
    ------
    ValueError
        If it is anything else than numbers, page names and reasons that we know.
    """
    content = json.loads(text) if len(text) < 100_000 else None
    if not isinstance(content, dict) or set(content) != {"number", "head", "pages", "removed"}:
        raise ValueError("preview.json: expected number, head, pages and removed, got other keys")
    number, head, pages = content["number"], content["head"], content["pages"]
    if type(number) is not int or not 0 < number < 10**7:
        raise ValueError("preview.json: number: expected that of a pull request")
    if not isinstance(head, str) or not re.fullmatch(r"[0-9a-f]{40}", head):
        raise ValueError("preview.json: head: expected a commit")
    names = [*pages, *content["removed"]] if isinstance(pages, dict) else [None]
    if not all(isinstance(n, str) and len(n) < 80 and PAGE.fullmatch(n) for n in names):
        raise ValueError("preview.json: expected names of pages")
    if not all(isinstance(w, list) and set(w) <= set(REASONS) for w in pages.values()):
        raise ValueError(f"preview.json: reasons: expected some of {REASONS}")
    return content


def comment(preview, run):
    """Return the comment on a pull request: the changed pages, and where to get the preview."""
    said = {
        "new": "a new page",
        "text": "its text or code",
        "package": "a module that it runs",
        "data": "data or a record that it reads",
        "site": "what all pages share",
    }
    lines = [MARK, f"**Preview of {preview['head'][:10]}.** "]
    pages, removed = preview["pages"], preview["removed"]
    own = {page: why for page, why in pages.items() if why != ["site"]}
    if own:
        lines[1] += f"{len(own)} page{'s' * (len(own) != 1)} may have changed:\n"
        lines += [f"- `{p}`: {', '.join(said[w] for w in why)}" for p, why in own.items()]
    else:
        lines[1] += "No page has changed by itself."
    lines += [f"- `{page}`: gone" for page in removed]
    if len(own) < len(pages):
        lines.append("\nWhat all pages share has changed too: every page may look different.")
    lines.append(
        f"\nThe whole site is the artifact `preview-{preview['number']}` of [this run]({run}): "
        "unpack it and open `changed.html`; it needs no network. It was built from the code of "
        "this pull request: look at it as at code of a stranger. It goes when the pull request "
        "is closed."
    )
    return "\n".join(lines) + "\n"


def index_page(preview):
    """Return `changed.html`, the door of a preview."""
    rows = [
        f'<li><a href="{page}.html">{page}</a> ({", ".join(why)})</li>'
        for page, why in preview["pages"].items()
    ]
    rows += [f"<li>{page} (gone)</li>" for page in preview["removed"]]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Changed pages</title>'
        f"</head><body><h1>Changed pages</h1><ul>\n{chr(10).join(rows)}\n</ul></body></html>\n"
    )


def broken(lines):
    """Return the broken links of Sphinx's `output.json`: address -> pages, and how many worked."""
    found, fine = {}, 0
    for line in filter(str.strip, lines):
        entry = json.loads(line)
        if entry["status"] == "broken":
            place = f"{entry['filename']}:{entry['lineno']}"
            found.setdefault(entry["uri"], (entry.get("info", ""), []))[1].append(place)
        elif entry["status"] in ("working", "redirected"):
            fine += 1
    return found, fine


def links_issue(found, fine, run):
    """Return the body of the issue on broken links."""
    rows = []
    for address, (why, places) in sorted(found.items()):
        why = re.sub(r"[`\s]+", " ", why)[:200].strip()
        rows.append(f"- <{address}>\n  on {', '.join(sorted(set(places)))}: `{why or 'no answer'}`")
    return (
        f"Broken links: {len(found)}. Working: {fine}. From [the last check]({run}): "
        "this issue is updated by each check, and closed when all links work.\n\n"
        + "\n".join(rows) + "\n"
    )  # fmt: skip


def gh(*arguments, stdin=None):
    """Ask GitHub; return what it says."""
    done = subprocess.run(["gh", *arguments], input=stdin, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"FAILED: gh {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def report_links(path, run):
    """Open, update or close the one issue on broken links; return what was done."""
    found, fine = broken(Path(path).read_text(encoding="utf-8").splitlines())
    if not found and not fine:
        sys.exit(f"FAILED: {path} has no link at all; the check did not run")
    listed = gh("issue", "list", "--label", LABEL, "--state", "open", "--json", "number")
    numbers = sorted(entry["number"] for entry in json.loads(listed))
    body = links_issue(found, fine, run)
    if found and numbers:
        gh("issue", "edit", str(numbers[0]), "--body-file", "-", stdin=body)
        return f"updated {numbers[0]}"
    if found:
        gh("label", "create", LABEL, "--force", "--color", "b32020")
        gh("issue", "create", "--title", TITLE, "--label", LABEL, "--body-file", "-", stdin=body)
        return "opened"
    for number in numbers:
        gh("issue", "close", str(number), "--comment", f"All {fine} links work: {run}")
    return f"closed {', '.join(map(str, numbers))}" if numbers else "nothing to do"


def report_preview(text, head, run):
    """Write or rewrite the comment on the pull request that a preview belongs to.

    The number comes from code that is not ours, so the pull request must have the commit that the
    run was started for.
    """
    preview = read_preview(text)
    number = preview["number"]
    asked = ("api", f"repos/{{owner}}/{{repo}}/pulls/{number}", "--jq", ".head.sha")
    if not preview["head"] == head == gh(*asked).strip():
        sys.exit(f"FAILED: the preview says pull request {number}, whose commit is another")
    where = f"repos/{{owner}}/{{repo}}/issues/{number}/comments"
    query = f'.[] | select(.user.type == "Bot" and (.body | startswith("{MARK}"))) | .id'
    ours = gh("api", "--paginate", where, "--jq", query).split()
    body = json.dumps({"body": comment(preview, run)})
    if ours:
        place = f"repos/{{owner}}/{{repo}}/issues/comments/{ours[0]}"
        gh("api", "--method", "PATCH", place, "--input", "-", stdin=body)
        return f"updated the comment on {number}"
    gh("api", "--method", "POST", where, "--input", "-", stdin=body)
    return f"commented on {number}"


def main(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["changed", "preview", "comment", "links"])
    parser.add_argument("file", nargs="?", help="comment: preview.json; links: output.json")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--base", default="origin/main", help="what to compare with")
    parser.add_argument("--number", type=int, help="of the pull request")
    parser.add_argument("--head", help="the commit of the pull request")
    parser.add_argument("--run", default="", help="address of the workflow's run")
    chosen = parser.parse_args(arguments)
    if chosen.command == "links":
        print(report_links(chosen.file, chosen.run))
    elif chosen.command == "comment":
        text = Path(chosen.file).read_text(encoding="utf-8")
        print(report_preview(text, chosen.head, chosen.run))
    else:
        found = changed(chosen.root.resolve(), chosen.base)
        if chosen.command == "preview":
            found = {"number": chosen.number, "head": chosen.head, **found}
            site = chosen.root.resolve() / "_build" / "html"
            (site / "changed.html").write_text(index_page(found), encoding="utf-8")
            (site.parent / "preview.json").write_text(json.dumps(found) + os.linesep)
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
