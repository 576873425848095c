"""The registry: fetching from mirrors that fail, break off or lie, in front of a local server."""

import hashlib
import http.server
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from omt_course.datasets import registry
from omt_course.datasets.registry import Collection, DataUnavailableError, RemoteFile

CONTENT = bytes(range(256)) * 1200  # several blocks of a transfer
FILE = RemoteFile("numbers.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@dataclass
class Server:
    """What the local server does, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    break_off: int = 0  # answers that stop half-way
    honours_range: bool = True
    ranges: list = field(default_factory=list)


@pytest.fixture
def server():
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            if not self.path.endswith(FILE.name):
                self.send_error(404)
                return
            start = 0
            if wanted and state.honours_range:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.break_off:
                state.break_off -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{httpd.server_port}/"
        yield state
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache"


def collection(*mirrors):
    return Collection("numbers", "numbers_folder", "us", "CC0", mirrors, (FILE,))


def fetch(*mirrors):
    return registry.fetch(collection(*mirrors), FILE.name, progress=False)


def leftovers(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != FILE.name)


def test_a_file_is_fetched_once(server, cache):
    path = fetch(server.url)
    assert path == cache / "numbers_folder" / FILE.name
    assert path.read_bytes() == CONTENT
    assert fetch(server.url) == path
    assert server.ranges == [None]
    assert leftovers(cache) == []


def test_a_transfer_that_breaks_off_is_resumed(server, cache):
    server.break_off = 1
    assert fetch(server.url).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]
    assert leftovers(cache) == []


def test_a_transfer_is_resumed_by_the_next_call(server, cache):
    server.break_off = 3
    with pytest.raises(DataUnavailableError, match="omt data fetch numbers"):
        fetch(server.url)
    assert leftovers(cache) == [FILE.name + ".part"]
    assert not (cache / "numbers_folder" / FILE.name).exists()
    assert fetch(server.url).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(CONTENT) * 7 // 8}-"


def test_a_server_that_cannot_resume_starts_over(server, cache):
    server.break_off, server.honours_range = 1, False
    assert fetch(server.url).read_bytes() == CONTENT


def test_the_next_mirror_is_tried(server, cache):
    assert fetch(server.url + "nowhere/", server.url).read_bytes() == CONTENT


def test_a_missing_file_goes_to_the_next_mirror_at_once(server, cache):
    with pytest.raises(DataUnavailableError, match="HTTPError"):
        registry.fetch(
            Collection("n", "f", "us", "CC0", (server.url,), (RemoteFile("a", "0", 1),)),
            "a",
            progress=False,
        )
    assert len(server.ranges) == 1


def test_a_mirror_that_lies_is_refused(server, cache):
    server.content = CONTENT[::-1]
    with pytest.raises(DataUnavailableError, match="wrong checksum"):
        fetch(server.url)
    assert not (cache / "numbers_folder" / FILE.name).exists()
    assert leftovers(cache) == []


def test_a_damaged_part_is_not_built_upon_for_ever(server, cache):
    part = cache / "numbers_folder" / (FILE.name + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\xff" * 1000)
    assert fetch(server.url, server.url).read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_anew(server, cache):
    path = fetch(server.url)
    path.write_bytes(CONTENT[:-1])
    assert registry.status(collection(), FILE) == ("damaged", path)
    assert fetch(server.url).read_bytes() == CONTENT
    assert registry.status(collection(), FILE) == ("ok", path)


def test_no_network_says_what_to_do_and_removes_the_bad_file(cache):
    path = cache / "numbers_folder" / FILE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    nobody = "http://127.0.0.1:9/"
    with pytest.raises(DataUnavailableError) as caught:
        fetch(nobody)
    message = str(caught.value)
    assert "has a wrong checksum" in message
    assert "copy numbers.bin into" in message
    assert nobody in message
    assert not path.exists()
    assert isinstance(caught.value, OSError)


def test_a_read_only_cache_is_read_and_never_written(server, cache, tmp_path):
    cache.mkdir()
    (cache / "numbers_folder").mkdir()
    bad = cache / "numbers_folder" / FILE.name
    bad.write_bytes(b"damaged")
    cache.chmod(0o555)
    try:
        path = fetch(server.url)
        assert path == tmp_path / "user" / "omt_course" / "numbers_folder" / FILE.name
        assert bad.read_bytes() == b"damaged"
        assert fetch(server.url) == path
        assert len(server.ranges) == 1
    finally:
        cache.chmod(0o755)


def test_nowhere_to_write_says_so(cache, tmp_path):
    for folder in (cache, tmp_path / "user"):
        folder.mkdir()
        folder.chmod(0o555)
    try:
        assert registry.writable_folder() is None
        with pytest.raises(DataUnavailableError, match="set OMT_COURSE_DATA"):
            fetch("http://127.0.0.1:9/")
    finally:
        for folder in (cache, tmp_path / "user"):
            folder.chmod(0o755)


def test_the_folder_is_the_variables_or_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "~/here")
    assert registry.cache_folder() == Path("~/here").expanduser()
    monkeypatch.delenv(registry.ENVIRONMENT_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert registry.cache_folder() == tmp_path / "omt_course"


def test_unknown_file_names_the_known_ones():
    with pytest.raises(ValueError, match="expected one of numbers.bin; got 'letters'"):
        collection().file("letters")


def test_every_registered_file_has_its_licence_in_the_data_sheet():
    sheet = (Path(__file__).parents[2] / "data" / "README.md").read_text()
    for entry in registry.REGISTRY.values():
        for text in (entry.licence, *(file.name for file in entry.files), *entry.mirrors):
            assert text in sheet
        for file in entry.files:
            assert len(file.sha256) == 64 and file.sha256 in sheet
