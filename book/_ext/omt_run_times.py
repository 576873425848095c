"""The table of run times: every page with code, its last run, and what the page promises."""

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from omt_gather import note, pages_below
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

_CORES = " on two CPU cores"


class pending_times(nodes.General, nodes.Element):
    """The table of run times, not yet known."""


class RunTimes(SphinxDirective):
    """A table of all pages with code: seconds of the last run, and what the page promises."""

    def run(self):
        """Leave a mark; times are known when all pages are read."""
        note(self.env)
        return [pending_times("")]


class WriteTimes(SphinxPostTransform):
    """Replace the mark by the table."""

    default_priority = 3

    def run(self, **kwargs):
        """Go through the marks of one page."""
        for node in list(self.document.findall(pending_times)):
            node.replace_self(self.table())

    def table(self):
        """Return the table, in the order of the contents."""
        rows, total = [], 0.0
        for page in pages_below(self.env, ""):
            data = NbMetadataCollector.get_exec_data(self.env, page)
            if not data or data.get("runtime") is None:
                continue
            total += data["runtime"]
            uri = self.app.builder.get_relative_uri(self.env.docname, page)
            name = self.env.titles[page].astext()
            link = nodes.reference("", name, internal=True, refuri=uri)
            rows.append([link, f"{data['runtime']:.1f}", promised(self.env.get_doctree(page))])
        rows.append([nodes.strong("", "All pages"), f"{total:.1f}", ""])
        return table(["Page", "Seconds", "Promised"], rows)


def promised(doctree):
    """Return what a page says about its time to run, or nothing."""
    for item in doctree.findall(nodes.list_item):
        words = " ".join(item.astext().split())
        if words.startswith("Time to run: "):
            return words.removeprefix("Time to run: ").split(";")[0].rstrip(".").replace(_CORES, "")
    return ""


def table(head, rows):
    """Return a table; its cells are text or nodes."""

    def row(cells):
        made = [c if isinstance(c, nodes.Node) else nodes.Text(c) for c in cells]
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in made))

    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += [nodes.thead("", row(head)), nodes.tbody("", *map(row, rows))]
    return nodes.table("", group, classes=["colwidths-auto"])


def setup(app):
    """Register the parts with Sphinx."""
    app.add_node(pending_times)
    app.add_directive("run-times", RunTimes)
    app.add_post_transform(WriteTimes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
