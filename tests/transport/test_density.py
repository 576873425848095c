import numpy as np
import pytest

from omt_course.transport.density import TriangulatedDensity

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]
HALVES = [[0, 1, 2], [0, 2, 3]]


def ramp():
    """Density `2 x` on the unit square."""
    return TriangulatedDensity(SQUARE, HALVES, [0, 2, 2, 0])


def test_mass_centre_and_values_of_a_ramp():
    density = ramp()
    assert density.volume == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(density.center, [2 / 3, 1 / 2], rtol=1e-14)
    x = np.random.default_rng(0).random((50, 2))
    np.testing.assert_allclose(density.density(x), 2 * x[:, 0], atol=1e-14)
    assert density.density([[2.0, 0.5]]) == 0
    assert density.contains([[0.5, 0.5], [-0.1, 0.5]]).tolist() == [True, False]


def test_samples_follow_the_density():
    x = ramp().sample(100_000, np.random.default_rng(1))
    # The first coordinate has distribution function x^2, the second is uniform.
    for k, uniform in ((0, x[:, 0] ** 2), (1, x[:, 1])):
        levels = np.linspace(0.1, 0.9, 9)
        found = (uniform[:, None] <= levels).mean(axis=0)
        assert (np.abs(found - levels) < 5 * 0.5 / len(x) ** 0.5).all(), k


def test_mixing_keeps_the_mass():
    density = ramp()
    for share in (0.0, 0.3, 1.0):
        mixed = density.mixed(share)
        assert mixed.volume == pytest.approx(1, rel=1e-14)
        np.testing.assert_allclose(mixed.values, 1 - share + share * density.values)
    moved = density.moved(np.array([3.0, -1.0]))
    np.testing.assert_allclose(moved.center, density.center + [3, -1], rtol=1e-14)


def test_the_heaviest_triangle():
    corners = ramp().heaviest_triangle.vertices
    assert sorted(corners.tolist()) == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    "vertices, triangles, values, why",
    [
        (SQUARE, HALVES, [1, 1, -0.5, 1], r"^values: .* -0.5 at vertex 2"),
        (SQUARE, [[0, 2, 1], [0, 2, 3]], [1] * 4, r"^triangles: .* a clockwise one in row 0"),
        ([[0, 0], [1, 0], [2, 0]], [[0, 1, 2]], [1] * 3, r"^triangles: .* a flat one in row 0"),
        (SQUARE, [[0, 1, 2], [0, 1, 3]], [1] * 4, r"^triangles: .* same side of the edge \[0, 1\]"),
        (SQUARE, HALVES, [0] * 4, "^values: .* zero on every triangle"),
        (SQUARE, HALVES, [1] * 3, "^values: expected one for each of 4 vertices"),
        (SQUARE, [[0, 1, 4]], [1] * 4, "^triangles: expected indices from 0 to 3"),
        (SQUARE, np.zeros((0, 3), dtype=int), [1] * 4, "^triangles: .* at least one"),
        (SQUARE, [[0.0, 1.0, 2.0]], [1] * 4, "^triangles: expected whole numbers"),
        (SQUARE, HALVES, [1, 1, np.nan, 1], "^values: expected finite"),
        (np.zeros((4, 3)), HALVES, [1] * 4, r"^vertices: expected shape \(k, 2\)"),
    ],
)
def test_bad_densities_are_refused(vertices, triangles, values, why):
    with pytest.raises(ValueError, match=why):
        TriangulatedDensity(vertices, triangles, values)
