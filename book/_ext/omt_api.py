"""Reference pages from docstrings, and links from code names to them.

Docstrings are NumPy style in plain text: formulas such as `|x - y|^2 / 2` stand in single
backticks, and `*` or `_` in prose mean themselves. They become reStructuredText here, before
napoleon reads their sections. `omt_names` links code in prose to what is documented here.
"""

import importlib
import inspect
import re

from omt_names import PACKAGE, aliases
from sphinx.ext.autodoc import FunctionDocumenter

_SPAN = re.compile(r"``.+?``|`[^`]+?`", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*])\*(?![\s*])[^*`]+?(?<!\s)\*(?![\w*])")

_VALUES = ("attribute", "data", "property")


class CompiledDocumenter(FunctionDocumenter):
    """Functions compiled by numba, documented as the functions that they were."""

    objtype, directivetype, priority = "compiled", "function", 20

    @classmethod
    def can_document_member(cls, member, membername, isattr, parent):
        """Tell a compiled function by the Python function that it keeps."""
        return inspect.isfunction(getattr(member, "py_func", None))

    def import_object(self, raiseerror=False):
        """Import the compiled function and look at the Python function instead."""
        found = super().import_object(raiseerror)
        self.object = getattr(self.object, "py_func", self.object)
        return found


def tidy_docstring(app, what, name, obj, options, lines):
    """Turn a docstring of the package into reStructuredText that means the same."""
    if name.split(".")[0] == PACKAGE:
        lines[:] = rewrite("\n".join(lines)).split("\n")
        if what == "module" and (others := _elsewhere(name)):
            lines += ["", "Also here: " + ", ".join(f"``{other}``" for other in others) + ".", ""]
        if what in _VALUES:
            app.env.temp_data["omt_docstring"] = list(lines)


def keep_sentence(app, what, name, obj, options, lines):
    """Undo napoleon where it takes the words before a colon for the type of a property."""
    if name.split(".")[0] == PACKAGE and what in _VALUES:
        lines[:] = app.env.temp_data.pop("omt_docstring")


def rewrite(text):
    """Return plain text with code in single backticks as reStructuredText.

    Doctests, literal blocks and the lines under the names of sections stay as they are.
    """
    out, prose, indent = [], [], None
    for line in text.split("\n"):
        deep = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and deep <= indent:
            indent = None
        raw = indent is not None or line.lstrip().startswith((">>>", "..."))
        if raw or not line.strip() or _is_output(out, prose):
            out += [*_words(prose), line]
            prose = []
        else:
            prose.append(line)
            indent = deep if line.endswith("::") else None
    return "\n".join(out + _words(prose))


def _is_output(out, prose):
    """Return whether the line before is a doctest or what it prints."""
    if prose or not out:
        return False
    for line in reversed(out):
        if not line.strip():
            return False
        if line.lstrip().startswith((">>>", "...")):
            return True
    return False


def _words(prose):
    """Rewrite the lines of a paragraph."""
    text, out, at = "\n".join(prose), [], 0
    for span in _SPAN.finditer(text):
        out.append(_escape(text[at : span.start()]))
        code = span.group().strip("`")
        before, after = text[span.start() - 1 : span.start()], text[span.end() : span.end() + 1]
        left = "\\ " if before.isalnum() else ""
        right = "\\ " if after.isalnum() or after == "_" else ""
        out.append(f"{left}``{code}``{right}")
        at = span.end()
    out.append(_escape(text[at:]))
    return "".join(out).split("\n") if prose else []


def _escape(text):
    """Escape what reStructuredText would read as markup, except emphasis."""
    out, at = [], 0
    for found in _EMPHASIS.finditer(text):
        out += [_plain(text[at : found.start()]), "*", _plain(found.group()[1:-1]), "*"]
        at = found.end()
    return "".join([*out, _plain(text[at:])])


def _plain(text):
    """Escape every character that could begin or end markup."""
    text = text.replace("\\", "\\\\").replace("*", "\\*").replace("|", "\\|")
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)


def skip(app, what, name, obj, skipped, options):
    """Leave out what a module only imports, and what its `__all__` does not name."""
    module = importlib.import_module(app.env.temp_data.get("autodoc:module") or PACKAGE)
    if what != "module" or not module.__name__.startswith(PACKAGE):
        return None
    where = getattr(obj, "__module__", module.__name__)
    if inspect.ismodule(obj) or (where != module.__name__ and where.startswith(PACKAGE)):
        return True
    if name not in getattr(module, "__all__", [name]):
        return True
    return None


def _elsewhere(module):
    """Return the names, with their modules, of the objects that a module passes on."""
    found = [full for alias, full in aliases().items() if alias.rpartition(".")[0] == module]
    return [".".join(full.split(".")[2:]) for full in found]


def configure(app, config):
    """Set what autodoc and napoleon have to know."""
    config.autodoc_default_options = {"members": True, "no-value": True}
    config.autodoc_member_order = "bysource"
    config.autodoc_typehints = "none"  # docstrings give types, shapes and units
    config.autodoc_inherit_docstrings = False  # torch's docstrings are not ours
    config.autodoc_preserve_defaults = True
    config.napoleon_google_docstring = False
    config.napoleon_use_param = False
    config.napoleon_use_rtype = False
    config.napoleon_custom_sections = [("Attributes", "params_style")]  # may share a line
    config.add_module_names = False  # the heading above says it
    config.toc_object_entries_show_parents = "hide"


def setup(app):
    """Register the parts with Sphinx."""
    for name in ("sphinx.ext.autodoc", "sphinx.ext.napoleon", "omt_names"):
        app.setup_extension(name)
    app.connect("config-inited", configure)
    app.connect("autodoc-process-docstring", tidy_docstring, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", keep_sentence, priority=600)  # and after it
    app.connect("autodoc-skip-member", skip)
    app.add_autodocumenter(CompiledDocumenter)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
