"""Numbers, pictures and warnings of the chapters, shown on other pages.

``{number}`key` `` prints what a chapter glued under that key, `{picture-of}` shows a figure of
another page and links to it, `{what-breaks}` collects the "breaks" boxes. All three take what
they show from the chapters when pages are written, so nothing is typed twice.
"""

import base64
import html
import io
import json
import posixpath
import re
from hashlib import sha256
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.core.variables import format_plain_text
from myst_nb.sphinx_ import NbMetadataCollector
from PIL import Image
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

log = logging.getLogger(__name__)

WIDEST = 960  # pixels of a picture shown away from its page; the link leads to the whole one
# A still inside the HTML of a figure that turns or plays.
_STILL = re.compile(r"<img\b[^>]*?\bsrc=[\"']data:image/\w+;base64,([^\"']+)[\"'][^>]*>")
_ALT = re.compile(r"\balt=\"([^\"]*)\"")
# The words after which a box no longer describes the symptom.
_REMEDY = re.compile(r"^(the )?(cure|see it|how to see it|why|how far|what to do)\b", re.IGNORECASE)
_REMEDY_TEXT = re.compile(r"(?<=[.!?]\s)(The cure|Cure|Cures)\b")


class pending_number(nodes.Inline, nodes.TextElement):
    """A glued number of some page, by its key."""


class pending_picture(nodes.General, nodes.Element):
    """A picture of some page, by a label."""


class pending_breaks(nodes.General, nodes.Element):
    """The "breaks" boxes of the pages of a folder."""


class Number(SphinxRole):
    """The text glued under a key, wherever that was."""

    def run(self):
        """Leave a mark; numbers are known when all pages are read."""
        note(self.env)
        node = pending_number(self.rawtext, "", key=self.text.strip())
        self.set_source_info(node)
        return [node], []


class PictureOf(SphinxDirective):
    """The picture of the figure, or of the first figure of the section, that bears a label.

    Options: `alt` (by default the figure's own), `width`, `caption` (`none` or `own`), `class`,
    and `still`: 1 takes the first figure that turns or plays, 2 the second.
    """

    required_arguments = 1
    option_spec = {
        "alt": directives.unchanged_required,
        "width": directives.length_or_percentage_or_unitless,
        "caption": lambda word: directives.choice(word, ("none", "own")),
        "class": directives.class_option,
        "still": directives.positive_int,
    }

    def run(self):
        """Leave a mark; pictures are known when all pages are read."""
        note(self.env)
        node = pending_picture("", label=self.arguments[0].strip(), **self.options)
        self.set_source_info(node)
        return [node]


class WhatBreaks(SphinxDirective):
    """All "breaks" boxes of the pages below a folder, in the order of the contents."""

    required_arguments = 1

    def run(self):
        """Leave a mark; boxes are known when all pages are read."""
        note(self.env)
        node = pending_breaks("", folder=self.arguments[0].strip().rstrip("/") + "/")
        self.set_source_info(node)
        return [node]


class Gather(SphinxPostTransform):
    """Replace the marks by what they stand for, before references and outputs are resolved."""

    default_priority = 3  # myst-nb chooses among the forms of an output at 4, references follow

    def run(self, **kwargs):
        """Go through the marks of one page."""
        self.read = {}
        for node in list(self.document.findall(pending_number)):
            node.replace_self(self.number(node))
        for node in list(self.document.findall(pending_picture)):
            node.replace_self(self.picture(node))
        for node in list(self.document.findall(pending_breaks)):
            node.replace_self(self.breaks(node))

    def doctree(self, page):
        """Return the tree of a page as it was read; each is read once."""
        if page not in self.read:
            self.read[page] = self.env.get_doctree(page)
        return self.read[page]

    def number(self, node):
        """Return the number as text, with the class of a number glued on its own page."""
        data, key = NbMetadataCollector.get_doc_data(self.env), node["key"]
        pages = sorted(page for page, found in data.items() if key in found.get("glue", ()))
        if len(pages) != 1:
            where = f"on {len(pages)} pages: {', '.join(pages)}" if pages else "on no page"
            log.warning("number: %s is glued %s", key, where, location=node)
            return nodes.inline(key, key)
        folder = self.env.mystnb_config.output_folder
        path = Path(folder) / f"{pages[0]}.glue.json"
        text = json.loads(path.read_text("utf-8"))[key]["data"]["text/plain"]
        text = format_plain_text(text, "s")
        return nodes.inline(text, text, classes=["pasted-text"])

    def picture(self, node):
        """Return the picture in a link to the place it comes from."""
        label = nodes.fully_normalize_name(node["label"])
        page, anchor = self.env.get_domain("std").anonlabels.get(label, ("", ""))
        image = caption = None
        if page:
            place = next((n for n in self.doctree(page).findall(_has_id(anchor))), None)
            image = place and self.image(place, node.get("still"))
            caption = place and next(iter(place.findall(nodes.caption)), None)
        if not image:
            what = "has no picture" if page else "is unknown"
            log.warning("picture-of: the label %s %s", label, what, location=node)
            return []
        image["alt"] = node.get("alt", image.get("alt", ""))
        for option in ("width", "height", "scale", "align"):
            image.attributes.pop(option, None)
        if "width" in node:
            image["width"] = node["width"]
        address = self.app.builder.get_relative_uri(self.env.docname, page) + f"#{anchor}"
        link = nodes.reference("", "", image, internal=True, refuri=address)
        box = nodes.container("", link, classes=["omt-picture", *node.get("class", ())])
        if node.get("caption") == "own" and caption:
            words = nodes.paragraph("", "", *self.copies(caption), classes=["omt-picture-words"])
            box.append(words)
        return box

    def image(self, place, still=None):
        """Return a small copy of the first picture below a node, or of a certain still."""
        stills = 0
        for found in place.findall(lambda n: isinstance(n, nodes.image | nodes.raw)):
            if isinstance(found, nodes.image) and not still:
                path = Path(self.app.srcdir) / found["uri"]
                if path.suffix == ".svg" or not path.exists():
                    return found.deepcopy()
                return self.small(path.read_bytes(), found.get("alt", ""))
            if isinstance(found, nodes.raw) and (inside := _STILL.search(found.astext())):
                stills += 1
                if stills == (still or 1):
                    alt = _ALT.search(inside.group(0))
                    words = html.unescape(alt.group(1)) if alt else ""
                    return self.small(base64.b64decode(inside.group(1)), words)
        return None

    def small(self, data, words):
        """Write a picture, not too wide, into the site, unless it is there; return its node."""
        builder = self.app.builder
        name = f"small-{sha256(data).hexdigest()[:32]}.webp"
        path = Path(builder.outdir) / builder.imagedir / name
        if not path.exists():
            picture = Image.open(io.BytesIO(data))
            picture = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
            picture.thumbnail((WIDEST, 4 * WIDEST))
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, quality=85, method=6)
        here = posixpath.dirname(self.env.docname) or "."
        address = posixpath.relpath(posixpath.join(builder.imagedir, name), here)
        return nodes.image(uri=address, candidates={"*": address}, alt=words)

    def copies(self, node):
        """Return copies of what is in a node, with references that lead away from this page."""
        for child in node.children:
            copy = child.deepcopy()
            if isinstance(copy, nodes.Element):
                for part in copy.findall(nodes.Element):
                    part["ids"], part["names"] = [], []
                    if isinstance(part, addnodes.pending_xref):
                        part["refdoc"] = self.env.docname
            yield copy

    def breaks(self, node):
        """Return a list: title of a box, page, symptom."""
        listed = nodes.definition_list(classes=["omt-breaks"])
        for page in pages_below(self.env, node["folder"]):
            for box in self.doctree(page).findall(_is_breaks):
                listed.append(self.item(page, box))
        if not len(listed):
            log.warning("what-breaks: no box below %s", node["folder"], location=node)
            return []
        return listed

    def item(self, page, box):
        """Return one entry of the list."""
        uri = self.app.builder.get_relative_uri(self.env.docname, page)
        title = nodes.paragraph("", "", *self.copies(box[0]))
        _drop_start(title)
        link = nodes.reference(
            "", "", *title.children, internal=True, refuri=f"{uri}#{box['ids'][0]}"
        )
        name = self.env.titles[page].astext()
        where = nodes.reference("", name, internal=True, refuri=uri, classes=["omt-breaks-page"])
        first = next(child for child in box.children if isinstance(child, nodes.paragraph))
        words = nodes.paragraph("", "", *_symptom(list(self.copies(first))))
        term = nodes.term("", "", link)
        return nodes.definition_list_item(
            "", term, nodes.definition("", words, nodes.paragraph("", "", where))
        )


def label_boxes(app, doctree):
    """Give each "breaks" box an address, and a label `breaks-<page>-<words of its title>`."""
    page, std = app.env.docname, app.env.get_domain("std")
    for box in doctree.findall(_is_breaks):
        title = re.sub(r"^What breaks:\s*", "", box[0].astext())
        anchor = "breaks-" + nodes.make_id(title)
        if anchor in doctree.ids:
            log.warning("two boxes are called %s", title, location=box)
            continue
        box["ids"].append(anchor)
        doctree.ids[anchor] = box
        label = f"breaks-{page.split('/')[-1]}-{anchor.removeprefix('breaks-')}"
        std.labels[label] = (page, anchor, title[:1].upper() + title[1:])
        std.anonlabels[label] = (page, anchor)


def again(app, env):
    """Write the pages that gather again, since what they gather may have changed."""
    pages = [page for page, known in env.metadata.items() if known.get("omt_gather")]
    for page in pages:  # their formulas may come from elsewhere, and need MathJax too
        env.get_domain("math").data["has_equations"][page] = True
    return pages


def note(env):
    """Remember that the page being read takes something from others."""
    env.metadata[env.docname]["omt_gather"] = True


def _has_id(anchor):
    """Return a test for the node with an id."""
    return lambda node: isinstance(node, nodes.Element) and anchor in node.get("ids", ())


def _is_breaks(node):
    """Return whether a node is a box of the kind *what breaks*."""
    return isinstance(node, nodes.Admonition) and "breaks" in node.get("classes", ())


def pages_below(env, folder):
    """Return the pages below a folder in the order of the contents."""
    found, wait = [], [env.config.root_doc]
    while wait:
        page = wait.pop(0)
        if page not in found:
            found.append(page)
            wait = [*env.toctree_includes.get(page, ()), *wait]
    return [page for page in found if page.startswith(folder)]


def _drop_start(title):
    """Take *What breaks:* off a title, and begin what is left with a capital."""
    first = title.children[0] if title.children else None
    if isinstance(first, nodes.Text):
        words = re.sub(r"^What breaks:\s*", "", str(first))
        title.replace(first, nodes.Text(words[:1].upper() + words[1:]))


def _symptom(children):
    """Return the children of a paragraph up to the words *how to see it* or *cure*."""
    kept = []
    for child in children:
        marked = isinstance(child, nodes.emphasis | nodes.strong)
        if kept and marked and _REMEDY.match(child.astext()):
            break
        if isinstance(child, nodes.Text) and (found := _REMEDY_TEXT.search(str(child))):
            kept.append(nodes.Text(str(child)[: found.start()]))
            break
        kept.append(child)
    return kept


def setup(app):
    """Register the parts with Sphinx."""
    for mark in (pending_number, pending_picture, pending_breaks):
        app.add_node(mark)
    app.add_role("number", Number())
    app.add_directive("picture-of", PictureOf)
    app.add_directive("what-breaks", WhatBreaks)
    app.setup_extension("omt_run_times")
    app.add_post_transform(Gather)
    app.connect("doctree-read", label_boxes)
    app.connect("env-updated", again)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
