"""Links from names of the package to the reference: in prose, and in code cells.

Inline code that names exactly one documented object leads to its entry. In code cells the imports
of a page say what a name means, and a variable that holds the result of a documented function has
the class that the function returns.
"""

import ast
import html
import importlib
import inspect
import pkgutil
import re
from functools import cache

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

PACKAGE = "omt_course"

_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(.*\))?$", re.DOTALL)
_TYPES = re.compile(r"\b([A-Za-z_]\w*(?:\.\w+)+|[A-Z]\w+)\b")
_BLOCK = re.compile(
    r'(<div class="(?:highlight-(?:ipython3?|python|pycon|default)|doctest)\b[^"]*">'
    r'<div class="highlight"><pre>)(.*?)(</pre>)',
    re.DOTALL,
)
_DOT = r'<span class="o">\.</span>'
_TOKEN = r'<span class="n[a-z]?">@?[\w.]+</span>'
_CHAIN = re.compile(rf'(?<!<span class="o">\.</span>){_TOKEN}(?:{_DOT}{_TOKEN})*')
_KEYWORD = '<span class="o">=</span>'


class LinkNames(SphinxPostTransform):
    """Make links of inline code that names one documented object."""

    default_priority = 12  # after references: code inside them stays as it is

    def run(self, **kwargs):
        """Go through the inline code, and on reference pages through classes and page titles."""
        self.known = endings(self.env)
        for node in list(self.document.findall(nodes.literal)):
            if not _inside(node, nodes.reference, nodes.title):
                if target := self.target(node.astext()):
                    link = self.link(target)
                    node.replace_self(link)
                    link.append(node)
        if not self.env.docname.startswith("api/"):
            return
        titles = {title.astext(): page for page, title in self.env.titles.items()}
        for node in list(self.document.findall(nodes.emphasis)):
            if page := titles.get(node.astext()):
                here, builder = self.env.docname, self.app.builder
                node.replace_self(make_refnode(builder, here, page, "", node.deepcopy()))
            elif not _inside(node, nodes.reference):
                self.classes(node)
        for node in self.document.findall(nodes.paragraph):
            if node.children and str(node[-1]).strip() in ("--", "\N{EN DASH}"):
                node.pop()  # an exception of which no more is said

    def target(self, text):
        """Return the full name of the object that a piece of code names, or nothing."""
        found = _NAME.match(text)
        candidates = self.known.get(found["name"], ()) if found else ()
        if len(candidates) != 1:
            return None
        (target,) = candidates
        kind = self.env.get_domain("py").objects[target].objtype
        # a single word that is no class is a variable more often than not
        return target if "." in found["name"] or kind in ("class", "exception") else None

    def link(self, target):
        """Return an empty link to the entry of an object."""
        entry = self.env.get_domain("py").objects[target]
        here, builder = self.env.docname, self.app.builder
        link = make_refnode(builder, here, entry.docname, entry.node_id, [], target)
        link["classes"].append("omt-name")
        return link

    def classes(self, node):
        """Link the classes that the type of a parameter names."""
        parts = _TYPES.split(node.astext())
        if not any(self.target(part) for part in parts[1::2]):
            return
        whole = nodes.inline("", "")
        for k, part in enumerate(parts):
            piece = nodes.emphasis(part, part)
            if k % 2 and (target := self.target(part)):
                link = self.link(target)
                link.append(piece)
                piece = link
            whole.append(piece)
        node.replace_self(whole)


class Names:
    """What the names in the code of a page mean.

    Parameters
    ----------
    known : dict
        Full name or alias of every documented object -> its full name.
    """

    def __init__(self, known):
        self.known, self.means, self.assigned, self.kinds = known, {}, set(), {}

    def read(self, code):
        """Take in imports and assignments; code that is no Python has none."""
        try:
            tree = ast.parse(code)
        except SyntaxError:
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    self.means[name.asname or name.name.split(".")[0]] = (
                        name.name if name.asname else name.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    self.means[name.asname or name.name] = f"{node.module}.{name.name}"
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.kinds.setdefault(node.targets[0].id, []).append(node.value)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.assigned.add(node.id)
            elif isinstance(node, ast.arg):
                self.assigned.add(node.arg)

    def resolve(self, parts):
        """Return the number of parts that name a documented object, and its full name."""
        first = parts[0]
        if first == PACKAGE:
            start = PACKAGE
        elif first in self.assigned:
            start = self.kind(first) if len(parts) > 1 else None
        else:
            start = self.means.get(first)
        if not start:
            return 0, None
        for k in range(len(parts), 0, -1):
            if k == 1 and first in self.assigned:
                break
            if full := self.known.get(".".join([start, *parts[1:k]])):
                return k, full
        return 0, None

    def kind(self, name):
        """Return the class of a variable, if all its values are of one documented class."""
        found = {self.returned(value) for value in self.kinds.get(name, ())}
        return found.pop() if len(found) == 1 else None

    def returned(self, value):
        """Return the full name of the class that an expression has, if it is a known call."""
        if not isinstance(value, ast.Call):
            return None
        parts = ast.unparse(value.func).split(".")
        if parts[0] in self.assigned:  # a method of a variable: one step is enough
            return None
        k, full = self.resolve(parts)
        return returned_class(full) if k == len(parts) else None


@cache
def returned_class(full):
    """Return the full name of the class that a documented function or class gives."""
    module, _, name = full.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):  # a method
        return None
    if not inspect.isclass(value):
        value = getattr(value, "__annotations__", {}).get("return")
    return f"{value.__module__}.{value.__qualname__}" if inspect.isclass(value) else None


def link_code(body, known, address):
    """Return the HTML of a page with links in its code.

    Parameters
    ----------
    body : str
    known : dict
        Full name or alias of every documented object -> its full name.
    address : callable
        From a full name to the address of its entry, as seen from the page.
    """
    names = Names(known)
    for block in _BLOCK.finditer(body):
        names.read(_source(block.group(2)))

    def chain(found):
        text, pieces = found.group(), re.findall(rf"{_DOT}|{_TOKEN}", found.group())
        follows = found.string[found.end() : found.end() + len(_KEYWORD)]
        parts = [re.sub(r"<[^>]*>|@", "", piece) for piece in pieces[::2]]
        if len(parts) == 1 and "." in parts[0]:  # from omt_course.transport import ...
            full = known.get(parts[0])
            return _anchor(address(full), full, text) if full else text
        if len(parts) == 1 and follows == _KEYWORD:
            return text  # the name of an argument
        k, full = names.resolve(parts)
        if not k:
            return text
        cut = 2 * k - 1
        return _anchor(address(full), full, "".join(pieces[:cut])) + "".join(pieces[cut:])

    return _BLOCK.sub(lambda b: b.group(1) + _CHAIN.sub(chain, b.group(2)) + b.group(3), body)


def _anchor(address, full, text):
    """Return a link around highlighted code."""
    return f'<a class="omt-name" href="{address}" title="{full}">{text}</a>'


def _source(highlighted):
    """Return the code in a highlighted block, without the prompts and results of a doctest."""
    code = html.unescape(re.sub(r"<[^>]*>", "", highlighted))
    if not code.startswith(">>>"):
        return code
    return "\n".join(line[4:] for line in code.split("\n") if line[:4] in (">>> ", "... ", "..."))


def code_cells(app, pagename, templatename, context, doctree):
    """Link the code of a page before it is written."""
    if doctree is None or "body" not in context:
        return
    objects = app.env.get_domain("py").objects
    known = {full: full for full in objects}
    known |= {alias: full for alias, full in aliases().items() if full in objects}

    def address(full):
        entry = objects[full]
        page = app.builder.get_relative_uri(pagename, entry.docname)
        return f"{page}#{entry.node_id}"

    if known:
        context["body"] = link_code(context["body"], known, address)


@cache
def modules():
    """Return the names of all public modules of the package."""
    package = importlib.import_module(PACKAGE)
    found = [m.name for m in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    public = [name for name in found if not name.split(".")[-1].startswith("_")]
    return [PACKAGE, *sorted([*public, f"{PACKAGE}.__main__"])]


@cache
def aliases():
    """Return names under which modules pass on objects of others: alias -> full name."""
    found = {}
    for name in modules():
        module = importlib.import_module(name)
        for other in getattr(module, "__all__", ()):
            value = getattr(module, other)
            home = getattr(value, "__module__", None)
            if home and home != name and home.startswith(f"{PACKAGE}."):
                found[f"{name}.{other}"] = f"{home}.{getattr(value, '__qualname__', other)}"
    return found


def endings(env):
    """Return for every dotted ending of a name the documented objects that it can mean."""
    objects = env.get_domain("py").objects
    found = {}
    pairs = [(name, name) for name in objects]
    pairs += [(alias, full) for alias, full in aliases().items() if full in objects]
    for name, full in pairs:
        parts = name.split(".")
        for k in range(len(parts)):
            found.setdefault(".".join(parts[k:]), set()).add(full)
    return found


def _inside(node, *kinds):
    """Return whether a node lies inside one of these kinds."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def setup(app):
    """Register the parts with Sphinx."""
    app.add_post_transform(LinkNames)
    app.connect("html-page-context", code_cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
