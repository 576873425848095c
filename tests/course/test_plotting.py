"""The visual grammar: what is drawn, how it reads, what it refuses."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from omt_course.course import plotting

mpl.use("agg")


@pytest.fixture
def ax():
    """Axes on a fresh figure, in the style of the book."""
    with mpl.rc_context():
        plotting.use_style()
        figure, ax = plt.subplots()
        yield ax
        figure.canvas.draw()
        plt.close("all")


def linear_rgb(colour):
    c = np.array(mpl.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast_on_white(colour):
    """WCAG 2 contrast ratio."""
    return 1.05 / (linear_rgb(colour) @ [0.2126, 0.7152, 0.0722] + 0.05)


# Severe colour blindness on linear RGB: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009.
MACHADO = {
    "none": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def lab(rgb):
    """CIE L*a*b* of a linear RGB colour."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089], 1e-4, None)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", ["source", "target", "plan", "ink", "grey"])
def test_colours_can_be_read_as_text_on_white(name):
    assert contrast_on_white(plotting.COLORS[name]) >= 4.5


@pytest.mark.parametrize("sight", MACHADO)
def test_the_three_hues_stay_apart_for_colour_blind_readers(sight):
    labs = [
        lab(MACHADO[sight] @ linear_rgb(plotting.COLORS[k])) for k in ("source", "target", "plan")
    ]
    assert min(np.linalg.norm(p - q) for p, q in itertools.combinations(labs, 2)) > 20


def test_style_keeps_text_readable_and_faces_white():
    with mpl.rc_context():
        plotting.use_style()
        plotting.use_style()  # twice is harmless
        rc = mpl.rcParams
        assert min(rc[k] for k in ("font.size", "xtick.labelsize", "legend.fontsize")) >= 11
        assert rc["figure.facecolor"] == rc["savefig.facecolor"] == "white"
        assert plt.get_cmap() is not None


def test_points_have_area_proportional_to_mass(ax):
    xy = np.array([[0.0, 0], [1, 0], [0, 1]])
    assert plotting.points(ax, xy, masses=[1, 2, 3], size=30, label="source") is ax
    sizes = ax.collections[-1].get_sizes()
    np.testing.assert_allclose(sizes / sizes[0], [1, 2, 3])
    assert sizes.mean() == pytest.approx(30)
    plotting.points(ax, xy, kind="target")
    faces = [mpl.colors.to_hex(c.get_facecolor()[0]) for c in ax.collections]
    assert faces == [plotting.COLORS["source"], plotting.COLORS["target"]]
    shapes = [len(c.get_paths()[0].vertices) for c in ax.collections]
    assert shapes[0] != shapes[1]  # told apart without colour


def test_plan_draws_one_segment_a_pair_with_width_by_mass(ax):
    source, target = np.zeros((2, 2)), np.array([[1.0, 0], [0, 1], [2, 2]])
    matrix = np.array([[0.5, 0.25, 0], [0, 1e-15, 0.25]])
    assert plotting.plan(ax, source, target, matrix, width=4.0) is ax
    (lines,) = ax.collections
    assert len(lines.get_segments()) == 3
    np.testing.assert_allclose(lines.get_linewidths(), [4, 2, 2])
    plotting.plan(ax, source, target, np.zeros((2, 3)))
    assert len(ax.collections[-1].get_segments()) == 0


def test_cells_skip_what_is_empty_and_keep_values_aligned(ax):
    triangle = np.array([[0.0, 0], [1, 0], [0, 1]])
    polygons = [triangle, np.empty((0, 2)), triangle + 1]
    assert plotting.cells(ax, polygons, values=[1.0, 2.0, 3.0]) is ax
    assert len(ax.collections[0].get_paths()) == 2
    np.testing.assert_allclose(ax.collections[0].get_array(), [1, 3])
    assert ax.collections[0].get_clim() == (1, 3)
    plotting.cells(ax, polygons, colors=["red", "green", "blue"])
    faces = [mpl.colors.to_hex(c) for c in ax.collections[1].get_facecolor()]
    assert faces == ["#ff0000", "#0000ff"]
    plotting.cells(ax, polygons)
    assert mpl.colors.to_hex(ax.collections[2].get_facecolor()[0]) == plotting.PALE["plan"]


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 1, 8, 8), (5, 8, 8, 3), (5, 3, 8, 8)])
def test_image_grid_lays_out_rows_and_labels(shape):
    images = np.zeros(shape)
    with mpl.rc_context():
        ax = plotting.image_grid(images, n_columns=3, labels=list("abcde"))
        ax.figure.canvas.draw()
        assert [t.get_text() for t in ax.texts] == list("abcde")
        picture = ax.images[0].get_array()
        assert picture.shape[1] == 3 * 8 + 2
        assert picture.shape[0] == 2 * (8 + 2)
        plt.close("all")


def test_image_grid_puts_images_in_reading_order(ax):
    images = np.arange(4)[:, None, None] / 3 * np.ones((4, 2, 2))
    plotting.image_grid(images, n_columns=2, ax=ax)
    picture = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(
        [picture[0, 0], picture[0, 3], picture[3, 0], picture[3, 3]], [0, 1 / 3, 2 / 3, 1]
    )


def test_convergence_triangle_has_the_slope_and_stays_below(ax):
    n = np.array([10.0, 100, 1000])
    plotting.convergence(ax, n, 2 / n, slope=-1, label="error")
    x, y = ax.patches[0].get_xy().T
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(-1)
    assert np.all(y < 2 / x)
    assert [t.get_text() for t in ax.texts] == ["$-1$"]
    plotting.convergence(ax, n, n**2, slope=2, color="source")
    x, y = ax.patches[1].get_xy().T
    assert np.all(y < x**2)
    assert ax.get_xscale() == "log"


def test_semilog_convergence_accepts_iteration_zero(ax):
    plotting.convergence(ax, [0, 1, 2], [1, 1e-2, 1e-4], kind="semilogy")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")


PLANE = np.zeros((2, 2))
BAD = {
    "kind": lambda ax: plotting.points(ax, PLANE, kind="sink"),
    "xy": lambda ax: plotting.points(ax, np.zeros((2, 3))),
    "masses": lambda ax: plotting.points(ax, PLANE, masses=[1.0]),
    "plan": lambda ax: plotting.plan(ax, PLANE, PLANE, np.zeros((2, 3))),
    "target": lambda ax: plotting.plan(ax, PLANE, np.zeros(2), np.zeros((2, 2))),
    "values": lambda ax: plotting.cells(ax, [PLANE], values=[1.0, 2.0]),
    "colors": lambda ax: plotting.cells(ax, [PLANE], colors=[]),
    "values, colors": lambda ax: plotting.cells(ax, [PLANE], values=[1.0], colors=["red"]),
    "images": lambda ax: plotting.image_grid(np.zeros((2, 2)), n_columns=1),
    "n_columns": lambda ax: plotting.image_grid(np.zeros((2, 2, 2)), n_columns=0),
    "labels": lambda ax: plotting.image_grid(np.zeros((2, 2, 2)), n_columns=1, labels=["a"]),
    "slope": lambda ax: plotting.convergence(ax, [1, 2], [1, 2], kind="semilogy", slope=1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_the_argument(ax, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        BAD[name](ax)


@pytest.mark.parametrize(
    ("n", "values", "kind"),
    [
        ([1, 2], [1, 0], "loglog"),
        ([0, 1], [1, 1], "loglog"),
        ([1], [1, 2], "loglog"),
        ([1], [1], ""),
    ],
)
def test_convergence_refuses_what_a_log_axis_cannot_show(ax, n, values, kind):
    with pytest.raises(ValueError, match="expected"):
        plotting.convergence(ax, n, values, kind=kind)
