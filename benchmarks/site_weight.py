"""What every page of the built site transfers, cold, and when its text can be read.

A local server compresses text as GitHub Pages does. Each page is opened in a Chromium with an empty
cache and scrolled to its end, so that everything it may load is loaded. `shared` is what all pages
have in common (`_static`: styles, MathJax, plotly, scripts), which a reader pays once; `own` is the
rest: the page with its stills and its pictures. `text` is the first paint of text, `math` when
all formulas are set; both are medians of `--runs`.

    python benchmarks/site_weight.py [--site _build/html] [--runs 3]
"""

import argparse
import gzip
import http.server
import shutil
import statistics
import threading
from functools import partial
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt"}
GOAL_MEDIAN, GOAL_PAGE = 1000, 3000  # kilobytes of a page's own


class Compressing(http.server.SimpleHTTPRequestHandler):
    """Serve files, text compressed, and count nothing else."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the name is the standard library's)
        """Send one file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if path.suffix in TEXT:
            content = gzip.compress(content, 6, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


def weigh(browser, address, page):
    """Return own and shared kilobytes, and seconds to text and to formulas, of one cold visit."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    names, sizes = {}, {}
    session.on(
        "Network.requestWillBeSent",
        lambda event: names.update({event["requestId"]: event["request"]["url"]}),
    )
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    tab.goto(address + page, wait_until="load", timeout=120_000)
    tab.wait_for_function("!window.MathJax || window.MathJax.startup?.promise")
    math = tab.evaluate(
        "(async () => { await window.MathJax?.startup?.promise; return performance.now() })()"
    )
    text = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    step = tab.evaluate("innerHeight")
    for top in range(0, tab.evaluate("document.documentElement.scrollHeight"), step):
        tab.evaluate(f"scrollTo(0, {top})")
        tab.wait_for_timeout(60)
    tab.wait_for_load_state("networkidle")
    own = shared = 0
    for request, size in sizes.items():
        if names[request].startswith(address + "_static/"):
            shared += size
        elif names[request].startswith(address):
            own += size
    context.close()
    return own / 1000, shared / 1000, text / 1000, math / 1000


def main():
    """Print the table, largest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chromium", default="chromium")
    chosen = parser.parse_args()
    pages = sorted(
        name
        for path in chosen.site.rglob("*.html")
        if (name := path.relative_to(chosen.site).as_posix())[0] != "_"
    )
    handler = partial(Compressing, directory=str(chosen.site))
    rows = []
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(
            executable_path=shutil.which(chosen.chromium),
            args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"],
        )
        for page in pages:
            runs = [weigh(browser, address, page) for _ in range(chosen.runs)]
            rows.append((page, *(statistics.median(run[k] for run in runs) for k in range(4))))
        browser.close()
        server.shutdown()
    print(f"{'own kB':>9}{'shared kB':>11}{'text s':>8}{'math s':>8}  page")
    for page, own, shared, text, math in sorted(rows, key=lambda row: -row[1]):
        print(f"{own:9.0f}{shared:11.0f}{text:8.2f}{math:8.2f}  {page}")
    median, most = statistics.median(row[1] for row in rows), max(row[1] for row in rows)
    print(
        f"\n{len(rows)} pages; own: median {median:.0f} kB (goal {GOAL_MEDIAN}), "
        f"largest {most:.0f} kB (goal {GOAL_PAGE})"
    )


if __name__ == "__main__":
    main()
