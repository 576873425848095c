"""Files are whole or not there."""

import errno
import os
import stat

import pytest

from omt_course.files import write_atomically


def test_the_new_content_replaces_the_old(tmp_path):
    path = tmp_path / "deep" / "file"
    for content in (b"first", b"second"):
        write_atomically(path, lambda stream, c=content: stream.write(c))
        assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_content(tmp_path, failure):
    path = tmp_path / "file"
    path.write_bytes(b"good")

    def write(stream):
        stream.write(b"half")
        raise failure

    with pytest.raises(type(failure)):
        write_atomically(path, write)
    assert path.read_bytes() == b"good"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_the_file_has_the_usual_permissions(tmp_path):
    write_atomically(tmp_path / "atomic", lambda stream: stream.write(b"x"))
    (tmp_path / "plain").write_bytes(b"x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "plain")}
    assert len(modes) == 1


def test_a_failed_write_names_the_file(tmp_path):
    def write(stream):
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match=r"No space left on device: '.*a'"):
        write_atomically(tmp_path / "a", write)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
