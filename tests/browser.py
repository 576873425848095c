"""A Chromium for tests: the built site on a local server, or one script on an empty page.

Skipped, with the reason, when there is no site or no Chromium; an error where
``OMT_REQUIRE_SITE`` is set (`.ci/run`). ``OMT_SITE`` points at another site than ``_build/html``.
"""

import contextlib
import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(os.environ.get("OMT_SITE", ROOT / "_build" / "html"))
PLAY = ROOT / "book" / "_assets" / "play"
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
NO_CHROMIUM = "no Chromium found: install the package `chromium`, or set CHROMIUM to its path"
NO_SITE = f"no site in {SITE}: run `make book` first"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not write a line for every file."""

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing when a tab is closed before it has all it asked for."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def need(there, why):
    """Skip without it; fail where everything must be there."""
    if there:
        return
    if os.environ.get("OMT_REQUIRE_SITE"):
        pytest.fail(why)
    pytest.skip(why)


@contextlib.contextmanager
def served(folder):
    """Serve a folder on a free port of this machine; yield its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def chromium():
    """Start Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser, address, page, *, width=1280, mode="light", scripts=True):
    """Open a page of the site, and keep what it asked for and what went wrong.

    The tab has `outside`, addresses on other hosts, which it did not get, and `wrong`, errors.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )
    context.add_init_script(
        f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}');"
    )
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    tab.outside, tab.wrong = [], []

    def route(route):
        if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            tab.outside.append(route.request.url)
            route.abort()

    context.route(lambda url: not url.startswith(("data:", "blob:")), route)
    tab.on("pageerror", lambda error: tab.wrong.append(f"page error: {error}"))
    tab.on("console", lambda message: message.type == "error" and tab.wrong.append(message.text))
    tab.on(
        "response", lambda answer: answer.status >= 400 and tab.wrong.append(f"404: {answer.url}")
    )
    tab.goto(address + page, wait_until="load")
    if scripts:
        tab.wait_for_function("!window.MathJax || window.MathJax.startup?.promise")
        tab.evaluate("window.MathJax?.startup?.promise")
    yield tab
    context.close()


@pytest.fixture(scope="module")
def browser():
    """Return one Chromium for a module of tests."""
    need(CHROMIUM, NO_CHROMIUM)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address():
    """Return the address of the built site."""
    need((SITE / "index.html").exists(), NO_SITE)
    need(CHROMIUM, NO_CHROMIUM)
    with served(SITE) as address:
        yield address


@pytest.fixture(scope="module")
def core_page(browser):
    """Return a function that opens an empty page with the named scripts of the playable figures."""
    context = browser.new_context()

    def load(*names):
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        for name in names:
            page.add_script_tag(path=str(PLAY / f"{name}.js"))
        assert page.wrong == []
        return page

    yield load
    context.close()


@pytest.fixture(scope="module")
def open_figure(browser, address):
    """Return a function that opens a page of the site and waits until its figure plays."""

    @contextlib.contextmanager
    def open_page(page, *, width=1280, mode="light"):
        with opened(browser, address, page, width=width, mode=mode) as tab:
            figure = tab.locator(".omt-play").first
            figure.scroll_into_view_if_needed()
            tab.locator(".omt-play[data-drawn]").first.wait_for(state="attached")
            yield tab

    return open_page
