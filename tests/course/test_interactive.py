"""Figures that turn and play: what they write, inside the book and outside it."""

import base64
import io
import json
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from omt_course.course import glue, in_book, interactive

ALT = "A tetrahedron that stands on one of its faces."


@pytest.fixture
def tetrahedron():
    return go.Figure(
        go.Mesh3d(
            x=[0, 1, 0, 0],
            y=[0, 0, 1, 0],
            z=[0, 0, 0, 1],
            i=[0, 0, 0, 1],
            j=[1, 1, 2, 2],
            k=[2, 3, 3, 3],
            facecolor=["#ff0000", "rgb(0, 255, 0)", "rgba(0, 0, 255, 0.5)", "white"],
        ),
        layout={"scene": {"camera": {"eye": {"x": 0.0, "y": -2.0, "z": 0.0}}}},
    )


@pytest.fixture
def book(monkeypatch):
    monkeypatch.setenv("OMT_COURSE_BOOK", "1")


def picture(source):
    kind, data = re.fullmatch(r"data:image/(\w+);base64,(.+)", source).groups()
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.format.lower() == kind
    return np.asarray(image.convert("RGB"), dtype=int)


def test_outside_the_book_the_figure_comes_back(tetrahedron, monkeypatch):
    monkeypatch.delenv("OMT_COURSE_BOOK", raising=False)
    assert not in_book()
    assert interactive.show_3d(tetrahedron, alt=ALT) is tetrahedron


def test_in_the_book_the_data_and_a_still_are_written(tetrahedron, book):
    page = interactive.show_3d(tetrahedron, alt='A "tetrahedron" </script> <b> & more').data
    data = re.search(r'class="omt-3d-data">(.*?)</script>', page, flags=re.DOTALL).group(1)
    content = json.loads(data)
    assert content["data"][0]["type"] == "mesh3d"
    assert "template" not in content["layout"]
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("&quot;tetrahedron&quot; &lt;/script&gt;") == 2  # for the view and the still
    still = picture(re.search(r'<img[^>]+src="([^"]+)"', page).group(1))
    assert still.min() < 100 and still.max() == 255  # something is drawn on white


def test_data_cannot_end_the_script(book):
    figure = go.Figure(go.Scatter3d(x=[0], y=[0], z=[0], text=["</script><b>x</b>"]))
    page = interactive.show_3d(figure, alt=ALT).data
    assert page.count("</script>") == 1


def test_the_figure_is_not_changed(tetrahedron, book):
    before = tetrahedron.to_json()
    interactive.show_3d(tetrahedron, alt=ALT)
    assert tetrahedron.to_json() == before


def test_a_given_still_is_used(tetrahedron, book):
    figure = plt.figure(figsize=(2, 1), facecolor="lime")
    page = interactive.show_3d(tetrahedron, alt=ALT, still=figure).data
    plt.close(figure)
    still = picture(re.search(r'<img[^>]+src="([^"]+)"', page).group(1))
    assert still.shape[:2] == (110, 220)
    assert np.abs(still[5, 5] - [0, 255, 0]).max() < 12


def test_the_still_has_the_camera_and_the_colours_of_the_figure(tetrahedron):
    ax = interactive.still_of(tetrahedron).axes[0]
    assert ax.azim == pytest.approx(-90.0) and ax.elev == pytest.approx(0.0)
    faces = ax.collections[0].get_facecolor().tolist()  # sorted by depth
    assert sorted(faces) == [[0, 0, 1, 0.5], [0, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    "trace",
    [
        go.Surface(z=[[0, 1], [1, 2]]),
        go.Surface(x=[0, 1], y=[0, 1], z=[[0, 1], [1, 2]], colorscale="Viridis", opacity=0.5),
        go.Scatter3d(x=[0, None, 1], y=[0, None, 1], z=[0, None, 1], mode="lines"),
        go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1], mode="markers", marker_color=["red", "blue"]),
        go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1], mode="markers", marker_color=[0.0, 1.0]),
        go.Mesh3d(x=[0, 1, 0], y=[0, 0, 1], z=[0, 0, 1], i=[0], j=[1], k=[2], intensity=[0, 1, 2]),
        go.Mesh3d(x=[0, 1, 0], y=[0, 0, 1], z=[0, 0, 1], i=[0], j=[1], k=[2], color="#123456"),
    ],
)
def test_a_still_is_made_of_every_kind_of_trace(trace):
    figure = interactive.still_of(go.Figure(trace))
    buffer = io.BytesIO()
    figure.savefig(buffer)
    image = np.asarray(Image.open(buffer).convert("RGB"))
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 2
    assert not plt.fignum_exists(figure.number)


def test_a_figure_without_3d_traces_is_refused():
    with pytest.raises(ValueError, match="mesh3d, surface or scatter3d"):
        interactive.still_of(go.Figure(go.Scatter(x=[0], y=[0])))


def bar(figure, k):
    figure.add_axes((0, 0, 1, 1)).fill_between([0, k / 3], 1, color="black")
    figure.axes[0].set(xlim=(0, 1), ylim=(0, 1))
    figure.axes[0].set_axis_off()


def test_an_animation_holds_its_frames_and_starts_at_the_still():
    page = interactive.animate(bar, 4, alt=ALT, size=(1, 1), still=1).data
    frames = json.loads(re.search(r'json">(.*?)</script>', page, flags=re.DOTALL).group(1))
    dark = [(picture(frame) < 128).mean() for frame in frames]
    assert dark == sorted(dark) and dark[0] < 0.05 and dark[3] > 0.9
    assert re.search(r'<img alt="([^"]+)" src="([^"]+)"', page).groups() == (ALT, frames[1])
    assert "let k = 1" in page and "2 / 4" in page and "@" not in page.replace("@media", "")
    assert "http" not in page


def test_no_figure_stays_open_when_drawing_fails():
    before = plt.get_fignums()

    def fail(figure, k):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        interactive.animate(fail, 3, alt=ALT)
    assert plt.get_fignums() == before


def test_axes_placed_by_hand_make_no_warning():
    with warnings.catch_warnings(), plt.rc_context({"figure.constrained_layout.use": True}):
        warnings.simplefilter("error")
        interactive.animate(bar, 2, alt=ALT, size=(1, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alt": ""}, "alt: expected a sentence"),
        ({"alt": "figure.png"}, "alt: expected a sentence"),
        ({"n_frames": 1}, "n_frames: expected at least 2, got 1"),
        ({"still": 7}, "still: expected a frame below 4, got 7"),
        ({"interval": 0.001}, "interval: expected at least"),
    ],
)
def test_bad_arguments_of_animate(change, words):
    arguments = {"n_frames": 4, "alt": ALT} | change
    with pytest.raises(ValueError, match=words):
        interactive.animate(bar, arguments.pop("n_frames"), **arguments)


def test_bad_arguments_of_show_3d(tetrahedron):
    with pytest.raises(ValueError, match="alt: expected a sentence"):
        interactive.show_3d(tetrahedron, alt="3-D plot")
    with pytest.raises(ValueError, match="figure: expected a plotly figure, got Axes"):
        figure, ax = plt.subplots()
        plt.close(figure)
        interactive.show_3d(ax, alt=ALT)


def test_glue_makes_what_myst_nb_reads(book, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    glue("page-value", "3.14")
    glue("page-count", 7)
    from myst_nb.ext.glue import GLUE_PREFIX

    (data,), options = shown[0]
    assert data == {f"{GLUE_PREFIX}text/plain": "'3.14'"}
    assert options["metadata"]["scrapbook"] == {"name": "page-value", "mime_prefix": GLUE_PREFIX}
    assert shown[1][0][0] == {f"{GLUE_PREFIX}text/plain": "7"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("", "1", "name: expected"), ("a", [1], "value: expected a string or a number, got list")],
)
def test_bad_arguments_of_glue(name, value, words):
    with pytest.raises(ValueError, match=words):
        glue(name, value)


@pytest.mark.parametrize("text", ["1,120", "0.010", "2e-16", "(x)", "it's"])
def test_glued_text_is_shown_as_it_is(book, monkeypatch, text):
    from myst_nb.core.variables import format_plain_text
    from myst_nb.ext.glue import GLUE_PREFIX

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    glue("page-value", text)
    assert format_plain_text(shown[0][f"{GLUE_PREFIX}text/plain"], "") == text


# Several figures that turn together


@pytest.fixture
def several(tetrahedron):
    other = go.Figure(tetrahedron)
    other.update_layout(height=300, scene_camera_eye={"x": 1.0, "y": 1.0, "z": 1.0})
    line = go.Figure(go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1], mode="lines"))
    return [tetrahedron, other, line]


TITLES = ["one", "<b>two</b>", "three"]


def test_several_figures_are_one_box_with_a_view_for_each(several, book):
    page = interactive.show_3d(several, alt=ALT, titles=TITLES).data
    assert page.count('class="omt-3d"') == 1
    assert page.count('class="omt-3d-view"') == page.count('class="omt-3d-title"') == 3
    data = re.search(r'class="omt-3d-data">(.*?)</script>', page, flags=re.DOTALL).group(1)
    contents = json.loads(data)
    assert [c["data"][0]["type"] for c in contents] == ["mesh3d", "mesh3d", "scatter3d"]
    assert all(f">{title}</div>" in page for title in TITLES)
    assert 'aria-label="two"' in page
    assert "--omt-height: 460px" in page
    still = picture(re.search(r'<img[^>]+src="([^"]+)"', page).group(1))
    thirds = np.array_split(still, 3, axis=1)
    assert all(third.min() < 200 for third in thirds)  # something is drawn in each


def test_heights_belong_to_the_style_sheet(several, book):
    page = interactive.show_3d(several[1:2], alt=ALT, titles=["two"]).data
    assert "--omt-height: 300px" in page
    assert '"height":' not in page


def test_outside_the_book_several_figures_share_one_row(several, monkeypatch):
    monkeypatch.delenv("OMT_COURSE_BOOK", raising=False)
    row = interactive.show_3d(several, alt=ALT, titles=TITLES)
    assert len(row.data) == 3
    assert [trace.scene for trace in row.data] == ["scene", "scene2", "scene3"]
    ends = [row.layout[name].domain.x for name in ("scene", "scene2", "scene3")]
    assert ends[0][1] == pytest.approx(ends[1][0]) and ends[2][1] == 1
    assert row.layout.scene2.camera.eye.x == 1.0
    assert [a.text for a in row.layout.annotations] == TITLES


@pytest.mark.parametrize("titles", [(), ("one",), ("a", "b", "c", "d")])
def test_titles_that_do_not_fit_are_refused(several, titles):
    with pytest.raises(ValueError, match=rf"^titles: .*got {len(titles)} for 3"):
        interactive.show_3d(several, alt=ALT, titles=titles)


def test_a_single_figure_has_no_title(tetrahedron):
    with pytest.raises(ValueError, match="^titles: .*got 1 for a single figure"):
        interactive.show_3d(tetrahedron, alt=ALT, titles=["one"])


def test_a_list_of_something_else_is_refused(tetrahedron):
    with pytest.raises(ValueError, match="^figure: expected a plotly figure, got str"):
        interactive.show_3d([tetrahedron, "x"], alt=ALT, titles=["a", "b"])
