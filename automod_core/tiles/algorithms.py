"""Minimal filtering: which sums of pixels, and of taps, to multiply, so that few multiplications do.

Along one side, m outputs of a filter g with 3 taps over m + 2 inputs d are y = A ((G g) * (B d)), where * multiplies
elements. Over a square tile D with a kernel K of 3x3 taps it is Y = A ((G K G^T) * (B D B^T)) A^T: the product of every
pair of points takes one multiplication, where the plain sum takes 9 per output. Everything here is exact.

Sources: Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, arXiv:1509.09308. That enlarging by two shares products is ours: see `enlarging`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

TAPS = 3
# In an order in which a point and the inverse of its negative come together: this rounds least (Barabasz et al., Error
# Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, ACM TOMS 2020).
_POINTS = tuple(map(Fraction, ("0", "1", "-1", "1/2", "-2", "-1/2", "2")))
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Filtering:
    """An algorithm along one side of a tile.

    Attributes:
        step: inputs from one tile to the next; a tile reads one more on either side.
        data: B, (n_data, step + 2).
        taps: G, (n_products, 3).
        outputs: A, (n_outputs, n_products).
        source: for each product, the row of B that it multiplies.
    """

    step: int
    data: Matrix
    taps: Matrix
    outputs: Matrix
    source: tuple[int, ...]

    @property
    def scale(self) -> int:
        """Outputs per input along one side."""
        return len(self.outputs) // self.step


def same(step: int) -> Filtering:
    """F(step, 3): y_i = w0 d_{i-1} + w1 d_i + w2 d_{i+1}, with step + 2 products for `step` outputs, 1 to 6 of them."""
    data, taps, outputs = _toom_cook(step)
    return Filtering(step, _floats(data), _floats(taps), _floats(outputs), tuple(range(step + TAPS - 1)))


def enlarging(step: int) -> Filtering:
    """Nearest-neighbour x2, then 3 taps, with 2 * step + 1 products for the 2 * step outputs, 1 to 6 inputs.

    Even outputs are filters with the taps (w0, w1 + w2, 0) over the small line, odd ones with (0, w0 + w1, w2). Of the
    points of the algorithm for 3 taps, 0 only sees the first tap and infinity only the last, so each serves one of the
    two; and at 1 both have the same value w0 + w1 + w2, so that they share a product.
    """
    data, taps, outputs = _toom_cook(step)
    even = ((1, 0, 0), (0, 1, 1), (0, 0, 0))
    odd = ((0, 0, 0), (1, 1, 0), (0, 0, 1))
    last, one = step + TAPS - 2, _POINTS.index(Fraction(1))
    source, weights, columns = [], [], []
    for j in range(step + TAPS - 1):
        for parities, fold in (((0, 1), even),) if j == one else (((0,), even), ((1,), odd)):
            if (j == 0 and 1 in parities) or (j == last and 0 in parities):
                continue
            source.append(j)
            weights.append([sum((taps[j][k] * fold[k][i] for k in range(TAPS)), Fraction(0)) for i in range(TAPS)])
            columns.append([outputs[i // 2][j] if i % 2 in parities else Fraction(0) for i in range(2 * step)])
    return Filtering(step, _floats(data), _floats(weights), _floats(columns).T.copy(), tuple(source))


def balanced(how: Filtering) -> Filtering:
    """The same algorithm for whole numbers of few bits: no value that is multiplied exceeds the inputs.

    Rows of B sum up to 1 in size, rows of G have the norm 1, and the columns of A make up for both.
    """
    data, taps = np.abs(how.data).sum(1), np.linalg.norm(how.taps, axis=1)
    outputs = how.outputs * data[list(how.source)] * taps
    return Filtering(how.step, how.data / data[:, None], how.taps / taps[:, None], outputs, how.source)


def _toom_cook(step: int) -> tuple[list[list[Fraction]], list[list[Fraction]], list[list[Fraction]]]:
    """B, G and A of F(step, 3), with the value at infinity as the last point."""
    points = _POINTS[: step + TAPS - 2]
    others = [[q for q in points if q != p] for p in points]
    data = [[*_product(rest), Fraction(0)] for rest in others] + [_product(points)]
    taps = [[p**k / prod(p - q for q in rest) for k in range(TAPS)] for p, rest in zip(points, others, strict=True)]
    taps.append([Fraction(int(k == TAPS - 1)) for k in range(TAPS)])
    outputs = [[*(p**i for p in points), Fraction(int(i == step - 1))] for i in range(step)]
    return data, taps, outputs


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (x - root), the constant one first."""
    values = [Fraction(1)]
    for root in roots:
        values = [a - root * b for a, b in zip([Fraction(0), *values], [*values, Fraction(0)], strict=True)]
    return values


def _floats(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return np.array([[float(v) for v in row] for row in rows])
