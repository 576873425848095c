"""The images of a run: rendered once, photographs held out, parts that do not meet."""

import numpy as np
from PIL import Image

from omt_course.models import run_data
from omt_course.models.run_config import resolve


def test_digits_learnt_from_and_unseen_are_the_splits(tmp_path):
    config = resolve("digits", ("test", {"limit": 300}))
    seen = run_data.seen("digits", config, tmp_path, progress=False)
    unseen = run_data.unseen("digits", config, tmp_path, progress=False)
    assert seen.pixels.shape == (300, 28, 28) and seen.labels.shape == (300,)
    assert (unseen.name, len(unseen.pixels)) == ("mnist-5k/test", 1000)
    everything = resolve("digits", ("test", {"split": "all"}))
    assert run_data.unseen("digits", everything, tmp_path) is None


def test_a_fingerprint_changes_with_a_pixel(tmp_path):
    images = run_data.seen("digits", resolve("digits"), tmp_path, progress=False)
    other = images.pixels.copy()
    other[17, 3, 4] ^= 1
    changed = run_data.Images(other, images.name, images.labels).fingerprint
    differ = [key for key, value in images.fingerprint.items() if changed[key] != value]
    assert differ == ["sha256"]


def test_rendered_faces_are_kept_and_rendered_once(tmp_path, monkeypatch):
    monkeypatch.setattr(run_data, "_CHUNK", 2)
    options = resolve("faces", ("test", {"n": 5, "limit": 4, "seed": 3}))
    first = run_data.seen("faces", options, tmp_path, progress=False)
    assert first.pixels.shape == (4, 64, 64, 3) and first.pixels.std() > 20
    assert not np.array_equal(first.pixels[0], first.pixels[1])
    files = sorted((tmp_path / "images" / "seen").iterdir())
    assert len(files) == 3
    files[1].write_bytes(b"torn")
    rendered = []
    render = run_data.faces.render

    def counted(n, **options):
        rendered.append(n)
        return render(n, **options)

    monkeypatch.setattr(run_data.faces, "render", counted)
    again = run_data.seen("faces", options, tmp_path, progress=False)
    assert rendered == [2] and np.array_equal(again.pixels, first.pixels)
    assert again.fingerprint == first.fingerprint


def test_one_photograph_in_ten_is_held_out(tmp_path):
    """Photographs 0 to 24, each of its own grey; the limit counts those that are learnt from."""
    for k in range(25):
        Image.new("L", (64, 64), k).save(tmp_path / f"{k:02d}.png")

    def greys(part, limit=None):
        options = {"data": "folder", "folder": str(tmp_path), "limit": limit}
        found = part("faces", resolve("faces", ("test", options)), tmp_path, progress=False)
        assert found.pixels.shape[1:] == (64, 64, 3)
        return found.pixels[:, 0, 0, 0].tolist()

    assert greys(run_data.unseen) == [9, 19]
    assert sorted(greys(run_data.seen) + [9, 19]) == list(range(25))
    for limit in (1, 10, 18, 19):
        assert len(greys(run_data.seen, limit)) == limit
