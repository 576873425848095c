"""Six planar problems with known answers, from smooth to torn, on which convergence is measured.

Every pair is a domain with density 1 and a closed-form map; its target is the image measure. Taught
in *From discrete to smooth*, and used by `benchmarks/monge_ampere_rates.py`.
"""

from dataclasses import dataclass

import numpy as np

from .closed_form import Affine, Product, Torn
from .domains import Box, Polygon, disk
from .quadrature import cell_quadrature
from .radial import Radial, annulus


@dataclass(frozen=True, eq=False)
class Pair:
    """A source and a closed-form map.

    Attributes
    ----------
    name : str
    exact : Affine, Radial, Product or Torn
    domain : Box or Polygon
        Density 1.
    convexity, lipschitz : float
        `lambda` and `L`: every eigenvalue of `D2u` on the domain lies in `[lambda, L]`; `L` is
        infinite where the map is torn.
    """

    name: str
    exact: Affine | Radial | Product | Torn
    domain: Box | Polygon
    convexity: float
    lipschitz: float

    @property
    def w2_squared(self) -> float:
        """Exact `int |x - T x|^2 dx` over the polygon, by a rule of degree 39 along every ray."""
        _, x, weight = cell_quadrature([self.domain.vertices], self.exact, order=20)
        return float(weight @ ((x - self.exact.transport(x)) ** 2).sum(axis=1))


def pairs() -> dict[str, Pair]:
    """Return the pairs by name, smooth ones first.

    ========  =============================================================  ==================
    name      map                                                            eigenvalues of D2u
    ========  =============================================================  ==================
    affine    `A x` on the square `[-1, 1]^2`                                0.54 to 1.76
    radial    `x (1 + |x|^2) / 2` on the disk                                1/2 to 2
    product   `(x_1 + x_1^3/4, exp(x_2)/2)` on the square                    0.18 to 1.75
    power     `|x| x` on the disk, target density `1 / (2 |y|)`              0 to 2
    annulus   disk to the annulus `1/2 <= |y| <= 1`, torn at the centre      0 to infinity
    torn      square to two half squares, `x + 3/4 sign(x_1) e_1`            1 to infinity
    ========  =============================================================  ==================

    The disk is the regular polygon of 256 sides. For the theorem on the page, the first four maps
    are thought of as extended beyond their domain linearly along rays or axes, which keeps the
    bounds; the code refuses points outside the radius of a radial map.

    Examples
    --------
    >>> [pair.name for pair in pairs().values()]
    ['affine', 'radial', 'product', 'power', 'annulus', 'torn']
    >>> round(pairs()["torn"].w2_squared, 12)     # 4 (3/4)^2
    2.25
    """
    square, round_ = Box([-1, -1], [1, 1]), disk(1.0, 256)
    A = np.array([[1.5, 0.5], [0.5, 0.8]])
    low, high = np.linalg.eigvalsh(A)
    cubic = Radial(
        lambda r: r * (1 + r**2) / 2, lambda r: r**2 / 4 + r**4 / 8, lambda r: (1 + 3 * r**2) / 2
    )
    product = Product(
        [lambda t: t + t**3 / 4, lambda t: np.exp(t) / 2],
        [lambda t: t**2 / 2 + t**4 / 16, lambda t: np.exp(t) / 2],
        [lambda t: 1 + 3 * t**2 / 4, lambda t: np.exp(t) / 2],
        square,
    )
    every = (
        Pair("affine", Affine(A, [0, 0]), square, float(low), float(high)),
        Pair("radial", cubic, round_, 0.5, 2.0),
        Pair("product", product, square, float(np.exp(-1) / 2), 1.75),
        Pair("power", Radial(np.square, lambda r: r**3 / 3, lambda r: 2 * r), round_, 0.0, 2.0),
        Pair("annulus", annulus(0.5, 1.0), round_, 0.0, np.inf),
        Pair("torn", Torn([1, 0], 0.0, 0.75), square, 1.0, np.inf),
    )
    return {pair.name: pair for pair in every}
