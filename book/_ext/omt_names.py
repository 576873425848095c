"""Links from names of the package to the reference, in prose.

Inline code that names exactly one documented object leads to its entry. Code cells have no need
of this: `sphinx_codeautolink` reads their imports.
"""

import importlib
import pkgutil
import re
from functools import cache

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

PACKAGE = "omt_course"

_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(.*\))?$", re.DOTALL)
_TYPES = re.compile(r"\b([A-Za-z_]\w*(?:\.\w+)+|[A-Z]\w+)\b")


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
    """Register the part with Sphinx."""
    app.add_post_transform(LinkNames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
