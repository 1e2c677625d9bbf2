"""The inner loops of the networks, written for LLVM: what one thread does with a part of the maps.

Maps are (B, H, W, C), float32, contiguous, which is PyTorch's channels_last. C is a multiple of LANES, and of COLUMNS
where it is the number of outputs of a product. Addresses are those of the first value of an array.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from automod_core.tiles.algorithms import Filtering, Matrix
from automod_core.tiles.writer import DOUBLE_BYTES, FLOAT_BYTES, INT_BYTES, LANES, Int, Pairs, Vector, Writer

COLUMNS = 2 * LANES  # of a matrix product that are computed at a time
ROWS = 6  # of it; with two vectors each they fill 12 of the 16 registers of AVX2
GROUPS = 8  # of COLUMNS whose products are summed up before they are finished, so that they stay in the cache
COLOURS = 3
BLURRED = 4  # rows that are cut out together
LIMIT = (1 << 15) - 8  # of whole numbers that are multiplied, with some room for rounding
SUMMED = 64  # pairs whose products are summed up in 32 bits
ROUNDED = 2.0**-22  # what float32 is off by, four times over
TINY = 1e-30  # no picture is said to reach less far
CONSTANT = 1e-13  # variance over squared mean of a map that differs by the rounding of float32 only
_BLUR, _HALF = np.array([[0.25, 0.5, 0.25]]), np.array([[0.5, 0.5]])
Body = Callable[..., None]


@dataclass(frozen=True)
class _Grid:
    """Vectors in rows and columns: address of the first, and float32 values from one to the next."""

    address: Int
    row: Int
    column: Int

    def after(self, values: Int) -> "_Grid":
        return _Grid(self.address + values * FLOAT_BYTES, self.row, self.column)

    def at(self, i: Int, j: Int) -> Int:
        return self.address + (self.row * i + self.column * j) * FLOAT_BYTES

    def tile(self, side: int) -> list[list[Int]]:
        """Addresses of the first rows and columns."""
        columns = [self.column * (j * FLOAT_BYTES) for j in range(side)]
        rows = [self.address + self.row * (i * FLOAT_BYTES) for i in range(side)]
        return [[row + column for column in columns] for row in rows]


@dataclass(frozen=True)
class _Picture:
    """The maps of a picture, or of the first of several: address, and size."""

    address: Int
    height: Int
    width: Int
    channels: Int

    def number(self, picture: Int) -> "_Picture":
        size = self.height * self.width * self.channels * FLOAT_BYTES
        return _Picture(self.address + picture * size, self.height, self.width, self.channels)

    def pixel(self, row: Int | int, column: Int | int) -> Int:
        return self.address + (self.width * row + column) * self.channels * FLOAT_BYTES


class _Tiles:
    """Rows of tiles, counted through all pictures, that are done together.

    Attributes:
        how: the algorithm.
        rows: of tiles in a picture.
        across: tiles in a row.
        count: of all tiles.
        blocks: of ROWS tiles, the last one perhaps not full.
        length: columns of the strips that rows of tiles are cut out of.
    """

    def __init__(self, how: Filtering, height: Int, width: Int, first: Int, last: Int) -> None:
        self.how, self._first = how, first
        self.rows, self.across = (height + (how.step - 1)) // how.step, (width + (how.step - 1)) // how.step
        self.count = (last - first) * self.across
        self.blocks = (self.count + (ROWS - 1)) // ROWS
        self.length = self.across * how.step + 2

    def place(self, tile: Int) -> tuple[Int, Int, Int]:
        """Picture, row of tiles in it, and column."""
        row = tile // self.across + self._first
        return row // self.rows, row % self.rows, tile % self.across


def convolution(filtering: Filtering, *, whole: bool = False) -> Body:
    """Write a 3x3 convolution of rows of tiles, with a bias and LeakyReLU after it, by an algorithm for tiles.

    What enters is scaled and shifted, per picture and channel; outside of a picture it is 0 all the same. Outputs are
    computed in groups of COLUMNS, and the kernels lie in their order: (products, groups, depth, COLUMNS).

    If `whole`, what is multiplied are whole numbers of 16 bits, in pairs of channels that lie LANES apart. The
    algorithm must be a balanced one, the number of channels a multiple of 2 * LANES. `reach` has LANES values per
    picture, the largest of which bounds its values, scaled and shifted, in size: that is LIMIT. `steps` has what 1
    stands for in the kernels, for each output.

    If `halves` is 2 and not 1, 2x2 pixels of what comes out become one, their mean. Height and width are even then, and
    the algorithm is none that enlarges.
    """

    def convolve(
        w: Writer, x: Int, height: Int, width: Int, channels: Int, scale: Int, shift: Int, reach: Int,
        first_row: Int, last_row: Int, first_group: Int, last_group: Int,
        kernels: Int, steps: Int, outputs: Int, bias: Int, leak: Int, halves: Int, y: Int,
        strip: Int, turned: Int, summed: Int, spare: Int,
    ) -> None:  # fmt: skip
        tiles = _Tiles(filtering, height, width, first_row, last_row)
        source = _Picture(x, height, width, channels)
        goal = _Picture(y, height * filtering.scale // halves, width * filtering.scale // halves, outputs)
        depth, rounding = (channels // 2, _Rounding(w, reach, steps)) if whole else (channels, None)
        with w.loop(last_row - first_row) as row:
            _cut(w, tiles, row, source, (scale, shift), strip)
        _turn(w, tiles, channels, strip, turned, rounding, spare)
        slope = w.spread(leak)
        with w.loop(last_group, GROUPS, start=first_group) as group:
            columns = (last_group - group).at_most(GROUPS) * COLUMNS
            first = kernels + group * depth * (COLUMNS * FLOAT_BYTES)
            _multiply_all(w, tiles, depth, turned, first, outputs, columns, summed, whole=whole)
            _finish(w, tiles, summed, columns, group * COLUMNS, (bias, slope), goal, halves, spare, rounding)

    return convolve


@dataclass(frozen=True)
class _Rounding:
    """What whole numbers stand for; addresses as in `convolution`."""

    writer: Writer
    reach: Int
    steps: Int

    def step(self, picture: Int) -> Vector:
        """The value of 1 in what enters, in all lanes."""
        reach = self.writer.load(self.reach + picture * (LANES * FLOAT_BYTES)).largest()
        return self.writer.constant(TINY).at_least(reach) * (1 / LIMIT)


def _cut(w: Writer, tiles: _Tiles, row: Int, source: _Picture, factors: tuple[Int, Int], strip: Int) -> None:
    """Cut a row of tiles out of its picture, scaled and shifted, with what they see beside it."""
    picture, number, _ = tiles.place(row * tiles.across)
    own = [address + picture * source.channels * FLOAT_BYTES for address in factors]
    side = tiles.how.step + 2
    goal = strip + row * tiles.length * source.channels * (side * FLOAT_BYTES)
    _frame(w, source.number(picture), number * tiles.how.step - 1, (side, tiles.length), goal, own)


def _turn(
    w: Writer, tiles: _Tiles, channels: Int, strip: Int, turned: Int, rounding: _Rounding | None, spare: Int
) -> None:
    """B D B^T of all tiles: (blocks of ROWS tiles, points, ROWS, depth)."""
    step, points = tiles.how.step, len(tiles.how.data)
    depth, lanes = (channels // 2, 2 * LANES) if rounding else (channels, LANES)
    with w.loop(tiles.count) as tile:
        pixel = tile // tiles.across * (step + 2) * tiles.length + tile % tiles.across * step
        before = _Grid(strip + pixel * channels * FLOAT_BYTES, tiles.length * channels, channels)
        after = _in_blocks(turned, tile, depth, points)
        factor = w.constant(1) / rounding.step(tiles.place(tile)[0]) if rounding else None
        with w.loop(channels, lanes) as c:
            if factor is None:
                _store_turned(w, tiles.how, before.after(c), after.after(c).tile(points))
            else:
                _store_rounded(w, tiles.how, before.after(c), after.after(c // 2), factor, spare)


def _store_turned(w: Writer, how: Filtering, before: _Grid, places: list[list[Int]]) -> None:
    for i, j, value in _both_sides(w, how.data, before):
        w.store(value, places[i][j])


def _store_rounded(w: Writer, how: Filtering, before: _Grid, after: _Grid, factor: Vector, spare: Int) -> None:
    """The same for two vectors of channels, as pairs."""
    points, n_bytes = len(how.data), LANES * FLOAT_BYTES
    with w.loop(2) as half:
        own = spare + half * n_bytes
        _store_turned(
            w,
            how,
            before.after(half * LANES),
            _Grid(own, w.number(2 * points * LANES), w.number(2 * LANES)).tile(points),
        )
    with w.loop(points**2) as p:
        first = spare + p * (2 * n_bytes)
        w.store(w.pair(w.load(first), w.load(first + n_bytes), factor), after.after(after.column * p).address)


def _multiply_all(
    w: Writer, tiles: _Tiles, depth: Int, turned: Int, kernels: Int, outputs: Int, columns: Int, summed: Int,
    *, whole: bool,
) -> None:  # fmt: skip
    """The products of all points with the kernels of some groups: (blocks of ROWS tiles, products, ROWS, columns)."""
    points, source = len(tiles.how.data), tiles.how.source
    table = w.table([i * points + j for i in source for j in source])
    block_a, block_c = depth * (ROWS * FLOAT_BYTES), columns * (ROWS * FLOAT_BYTES)
    multiply = _multiply_pairs if whole else _multiply
    with w.loop(len(source) ** 2) as p, w.loop(columns // COLUMNS) as group:
        left = turned + w.load_int(table + p * INT_BYTES) * block_a
        right = kernels + (p * (outputs // COLUMNS) + group) * depth * (COLUMNS * FLOAT_BYTES)
        goal = summed + p * block_c + group * (COLUMNS * FLOAT_BYTES)
        with w.loop(tiles.blocks) as block:
            a, c = left + block * (points**2) * block_a, goal + block * (len(source) ** 2) * block_c
            multiply(w, a, right, c, depth, columns)


def _finish(
    w: Writer, tiles: _Tiles, summed: Int, columns: Int, first: Int, after: tuple[Int, Vector], goal: _Picture,
    halves: Int, spare: Int, rounding: _Rounding | None,
) -> None:  # fmt: skip
    """A M A^T of all tiles, with bias and LeakyReLU, for the outputs from `first`."""
    grown, (bias, slope) = len(tiles.how.outputs), after
    with w.loop(tiles.count) as tile:
        picture, row, column = tiles.place(tile)
        side = w.number(grown) // halves
        top, left = row * side, column * side
        inside = (goal.height - top).at_most(side), (goal.width - left).at_most(side)
        corner = goal.number(picture).pixel(top, left)
        step = rounding.step(picture) if rounding else None
        with w.loop(columns, LANES) as c:
            before = _in_blocks(summed, tile, columns, len(tiles.how.source)).after(c)
            channel = (first + c) * FLOAT_BYTES
            added = w.load(bias + channel)
            factor = step * w.load(rounding.steps + channel) if rounding and step else None
            results = _both_sides(w, tiles.how.outputs, before)
            values = [(i, j, ((v * factor if factor else v) + added).leaky(slope)) for i, j, v in results]
            place = _Grid(corner + channel, goal.width * goal.channels, goal.channels)
            _put(w, values, place, inside, halves, spare, grown)


def _in_blocks(address: Int, tile: Int, channels: Int, side: int) -> _Grid:
    """Where the side x side values of a tile lie in (blocks of ROWS tiles, side, side, ROWS, channels)."""
    first = (tile // ROWS * (side * side * ROWS) + tile % ROWS) * channels
    return _Grid(address + first * FLOAT_BYTES, channels * (ROWS * side), channels * ROWS)


def _put(
    w: Writer, values: list[tuple[int, int, Vector]], goal: _Grid, inside: tuple[Int, Int], halves: Int, spare: Int,
    side: int,
) -> None:  # fmt: skip
    """Store a tile, or as many of its rows and columns as lie inside the picture, or means of 2x2 of its pixels."""

    def whole() -> None:
        places = goal.tile(side)
        for i, j, value in values:
            w.store(value, places[i][j])

    def part() -> None:
        pixels = _Grid(spare, w.number(side * LANES), w.number(LANES))
        places = pixels.tile(side)
        for i, j, value in values:
            w.store(value, places[i][j])
        with w.loop(inside[0]) as down, w.loop(inside[1]) as across:
            first = pixels.at(down * halves, across * halves)  # if nothing is halved, the mean is of one pixel
            four = _Grid(first, pixels.row * (halves - 1), pixels.column * (halves - 1))
            ((_, _, mean),) = _both_sides(w, _HALF, four)
            w.store(mean, goal.at(down, across))

    w.either(w.builder.and_(inside[0].equals(side), inside[1].equals(side)), whole, part)


def _multiply(w: Writer, a: Int, b: Int, c: Int, depth: Int, columns: Int) -> None:
    """A (ROWS, depth) times B (depth, COLUMNS) into C (ROWS, columns)."""
    lines = [a + depth * (i * FLOAT_BYTES) for i in range(ROWS)]

    def add(k: Int, sums: list[Vector]) -> list[Vector]:
        right = [w.load(b + k * (COLUMNS * FLOAT_BYTES) + half * (LANES * FLOAT_BYTES)) for half in range(2)]
        left = [w.spread(line + k * FLOAT_BYTES) for line in lines]
        return [total + left[i // 2] * right[i % 2] for i, total in enumerate(sums)]

    for i, total in enumerate(w.fold(depth, 2 * ROWS, add)):
        w.store(total, c + columns * (i // 2 * FLOAT_BYTES) + i % 2 * (LANES * FLOAT_BYTES))


def _multiply_pairs(w: Writer, a: Int, b: Int, c: Int, depth: Int, columns: Int) -> None:
    """The same with pairs of whole numbers. The sums of SUMMED pairs are whole, sums of these are float32."""
    goals = [c + columns * (i // 2 * FLOAT_BYTES) + i % 2 * (LANES * FLOAT_BYTES) for i in range(2 * ROWS)]
    for goal in goals:
        w.store(w.constant(0), goal)
    with w.loop(depth, SUMMED) as first:
        lines = [a + (depth * i + first) * FLOAT_BYTES for i in range(ROWS)]
        right = b + first * (COLUMNS * FLOAT_BYTES)

        def add(k: Int, sums: list[Pairs], lines: list[Int] = lines, right: Int = right) -> list[Pairs]:
            line = right + k * (COLUMNS * FLOAT_BYTES)
            columns = [w.load_pairs(line + half * (LANES * FLOAT_BYTES)) for half in range(2)]
            rows = [w.spread_pair(line + k * FLOAT_BYTES) for line in lines]
            return [total + rows[i // 2].products(columns[i % 2]) for i, total in enumerate(sums)]

        totals = w.fold_pairs((depth - first).at_most(SUMMED), 2 * ROWS, add)
        for total, goal in zip(totals, goals, strict=True):
            w.store(w.load(goal) + total.floats(), goal)


def _both_sides(w: Writer, matrix: Matrix, x: _Grid) -> Iterator[tuple[int, int, Vector]]:
    """Row, column and value of all vectors of M X M^T, for a fixed M (n, t) and t x t vectors X."""
    count, side = len(matrix), len(matrix[0])
    sources, columns = x.tile(side), []  # of M X
    for j in range(side):
        column = [w.load(sources[i][j]) for i in range(side)]
        columns.append([_weighted(weights, column) for weights in matrix])
    for i in range(count):
        for j in range(count):
            yield i, j, _weighted(matrix[j], [column[i] for column in columns])


def _weighted(weights: Matrix, values: list[Vector]) -> Vector:
    """The sum of vectors with fixed weights, of which one at least is not 0."""
    total: Vector | None = None
    for weight, value in sorted(zip(weights, values, strict=True), key=lambda pair: pair[0] != 1):
        if weight == 0:
            continue
        if total is None:
            total = value if weight == 1 else value * float(weight)
        elif weight == -1:
            total = total - value
        else:
            total = total + (value if weight == 1 else value * float(weight))
    assert total is not None
    return total


def _frame(
    w: Writer, source: _Picture, top: Int, shape: tuple[int, Int], goal: Int, factors: Sequence[Int] = ()
) -> None:
    """Cut rows from `top`, and columns from -1, out of a picture; what lies outside of it is 0.

    Args:
        w: where to write.
        source: the picture.
        top: the first row; -1 is the one above the picture.
        shape: rows and columns of what is cut out.
        goal: where it goes.
        factors: addresses of a factor and a summand per channel, for what lies inside; or none.
    """
    rows, length = shape
    line_bytes, pixel_bytes = length * source.channels * FLOAT_BYTES, source.channels * FLOAT_BYTES

    def clear(place: Int, pixels: Int) -> None:
        with w.loop(pixels * source.channels, LANES) as i:
            w.store(w.constant(0), place + i * FLOAT_BYTES)

    with w.loop(w.number(rows)) as i:
        line = goal + i * line_bytes

        def fill() -> None:
            clear(line, w.number(1))
            _copy(w, source.pixel(top + i, 0), source.width, source.channels, line + pixel_bytes, factors)
            clear(line + pixel_bytes * (source.width + 1), length - source.width - 1)

        w.either((top + i).within(source.height), fill, lambda: clear(line, length))


def _copy(w: Writer, x: Int, pixels: Int, channels: Int, y: Int, factors: Sequence[Int]) -> None:
    """Copy pixels; scale and shift each channel if there are factors."""
    with w.loop(pixels) as pixel, w.loop(channels, LANES) as c:
        place, channel = (pixel * channels + c) * FLOAT_BYTES, c * FLOAT_BYTES
        value = w.load(x + place)
        if factors:
            value = value * w.load(factors[0] + channel) + w.load(factors[1] + channel)
        w.store(value, y + place)


def affine(w: Writer, x: Int, pixels: Int, channels: Int, scale: Int, shift: Int, y: Int) -> None:
    """Scale and shift each channel of some pixels; y may be x."""
    _copy(w, x, pixels, channels, y, [scale, shift])


def blur(
    w: Writer,
    x: Int,
    height: Int,
    width: Int,
    channels: Int,
    first_row: Int,
    last_row: Int,
    leak: Int,
    strip: Int,
    y: Int,
) -> None:
    """Weigh 3x3 pixels of rows of a picture with [1 2 1]^T [1 2 1] / 16, then LeakyReLU."""
    slope, length, picture = w.spread(leak), width + 2, _Picture(x, height, width, channels)
    with w.loop(last_row, BLURRED, start=first_row) as top:
        _frame(w, picture, top - 1, (BLURRED + 2, length), strip)
        with w.loop((last_row - top).at_most(BLURRED)) as i:
            before, after = strip + i * length * channels * FLOAT_BYTES, y + (top + i) * width * channels * FLOAT_BYTES
            with w.loop(width * channels, LANES) as j:
                place = j * FLOAT_BYTES
                ((_, _, value),) = _both_sides(w, _BLUR, _Grid(before + place, length * channels, channels))
                w.store(value.leaky(slope), after + place)


def moments(
    w: Writer, x: Int, width: Int, channels: Int, first_row: Int, last_row: Int, sums: Int, squares: Int, farthest: Int
) -> None:
    """The sums of x - centre, and of its square, and its largest size, over rows of a picture; all are float64.

    The centre is the mean of the picture's first row, near enough to that of all for squares to keep their digits.
    """
    with w.loop(channels, LANES) as c:
        column = x + c * FLOAT_BYTES
        middle = _row_mean(w, column, width, channels)

        def add_row(i: Int, totals: list[Vector], middle: Vector = middle, column: Int = column) -> list[Vector]:
            line = column + (first_row + i) * width * channels * FLOAT_BYTES

            def add(j: Int, parts: list[Vector]) -> list[Vector]:
                value = w.load(line + j * channels * FLOAT_BYTES) - middle
                return [parts[0] + value, parts[1] + value * value, parts[2].at_least(value.size())]

            row = [part.wide() for part in w.fold(width, 3, add)]  # few enough values for float32
            return [totals[0] + row[0], totals[1] + row[1], totals[2].at_least(row[2])]

        results = w.fold(last_row - first_row, 3, add_row, wide=True)
        for total, address in zip(results, (sums, squares, farthest), strict=True):
            w.store(total, address + c * DOUBLE_BYTES)


def largest(w: Writer, x: Int, pixels: Int, channels: Int, y: Int) -> None:
    """LANES values, the largest of which is the largest size of some pixels' values."""

    def add(i: Int, found: list[Vector]) -> list[Vector]:
        value = w.load(x + i * (LANES * FLOAT_BYTES)).size()
        return [value.at_least(found[0]) + (value - value)]  # what is no number is not lost

    w.store(w.fold(pixels * channels // LANES, 1, add)[0], y)


def _row_mean(w: Writer, column: Int, width: Int, channels: Int) -> Vector:
    """The mean of LANES channels over the first row of a picture, float32."""

    def add(j: Int, sums: list[Vector]) -> list[Vector]:
        return [sums[0] + w.load(column + j * channels * FLOAT_BYTES)]

    return w.fold(width, 1, add)[0] / w.wide_number(width).narrow()


def adain(
    w: Writer, x: Int, height: Int, width: Int, channels: Int, parts: Int, sums: Int, squares: Int, farthest: Int,
    style: Int, scale: Int, shift: Int, reach: Int,
) -> None:  # fmt: skip
    """Scale and shift of each map of a picture, out of what `moments` gave for its parts, and of a style.

    A map that differs by rounding only becomes constant: its noise is not enlarged a million times. `reach` becomes
    LANES values, the largest of which no value exceeds in size once it is scaled and shifted.

    Source: Deep Automodulators, Eq. 3; the unbiased standard deviation is a fact of the published models.
    """
    count = w.wide_number(height * width)
    w.store(w.constant(0), reach)
    with w.loop(channels, LANES) as c:
        own, place = c * FLOAT_BYTES, c * DOUBLE_BYTES

        def add(i: Int, totals: list[Vector], place: Int = place) -> list[Vector]:
            line = place + i * channels * DOUBLE_BYTES
            total, square, far = (w.load(start + line, wide=True) for start in (sums, squares, farthest))
            return [totals[0] + total, totals[1] + square, totals[2].at_least(far)]

        total, square, far = w.fold(parts, 3, add, wide=True)
        offset, square = total / count, square / count
        centre = _row_mean(w, x + own, width, channels).wide()
        mean = centre + offset
        variance = (square - offset * offset) * count / (count - 1)
        sure = variance - mean * mean * CONSTANT
        deviation, middle = (w.load(style + own + half * FLOAT_BYTES).wide() for half in (w.number(0), channels))
        factor = (deviation / variance.root()).if_positive(sure)
        summand = middle - factor * mean
        w.store(factor.narrow(), scale + own)
        w.store(summand.narrow(), shift + own)
        farthest_value = factor.size() * far + (factor * centre + summand).size()
        rounded = (factor * centre).size() + summand.size()  # once in float32 they differ by parts of their own size
        value = (farthest_value + rounded * ROUNDED).narrow()
        w.store(value.at_least(w.load(reach)) + (value - value), reach)  # what is no number is not lost


def to_rgb(w: Writer, x: Int, pixels: Int, channels: Int, weight: Int, bias: Int, plane: Int, y: Int) -> None:
    """The weighted sums of the channels of some pixels, for each colour; colours lie `plane` values apart."""
    with w.loop(pixels) as pixel:

        def add(k: Int, sums: list[Vector], line: Int = x + pixel * channels * FLOAT_BYTES) -> list[Vector]:
            values, offset = w.load(line + k * (LANES * FLOAT_BYTES)), k * (LANES * FLOAT_BYTES)
            rows = [w.load(weight + channels * (i * FLOAT_BYTES) + offset) for i in range(COLOURS)]
            return [total + row * values for total, row in zip(sums, rows, strict=True)]

        for i, total in enumerate(w.fold(channels // LANES, COLOURS, add)):
            w.store_sum(total, bias + i * FLOAT_BYTES, y + (plane * i + pixel) * FLOAT_BYTES)
