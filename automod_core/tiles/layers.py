"""Layers of the networks on a processor, for float32 maps (B, C, H, W) in channels_last; without gradients."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from automod_core.tiles import compiled, kernels
from automod_core.tiles.algorithms import Filtering
from automod_core.tiles.crew import share, space
from automod_core.tiles.kernels import COLUMNS, LIMIT, ROWS, SUMMED, TINY
from automod_core.tiles.maps import apart, maps
from automod_core.tiles.recording import keep
from automod_core.tiles.writer import DOUBLE_BYTES, FLOAT_BYTES, LANES

_TILES = 48  # that a thread takes at a time: the weights pass through the cache once for all of them
_VALUES = 1 << 18  # that a thread takes at a time where there are no weights
_WORK = 1 << 24  # multiplications at least for each thread: to wake one takes as long as a million of them
_WEIGHT = 40  # tiles that could be multiplied by a turned weight for what it takes to read it, and to hold it
_TURNED = 4  # groups of outputs whose weights are turned at a time
_LARGEST_SUM = 0.999 * 2**31  # of products of whole numbers


def suits(inputs: int, outputs: int, *, whole: bool = False) -> bool:
    """Whether a convolution of so many channels can be done here."""
    return inputs % (2 * LANES if whole else LANES) == 0 and outputs % COLUMNS == 0


class Factors(NamedTuple):
    """What maps are scaled by, and then shifted by, (B, C); and how large their values are then.

    Attributes:
        scale: (B, C).
        shift: (B, C).
        reach: (B, LANES); the largest of a row is not exceeded in size by any value of a picture.
    """

    scale: Tensor
    shift: Tensor
    reach: Tensor


class TiledConvolution:
    """3x3 convolution, padding 1, with a bias and LeakyReLU: (B, in, H, W) -> (B, out, s H, s W).

    Its pictures may be enlarged by nearest neighbour before, s = 2, or halved after, s = 1/2. It may round what it
    multiplies to whole numbers of 16 bits, which is quicker and takes half of the memory; see docs/adr/0019.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        leak: float,
        size: int,
        *,
        enlarges: bool = False,
        halves: bool = False,
        whole: bool = False,
        weigh: int = _WEIGHT,
    ) -> None:
        """Turn the weights.

        Args:
            weight: (out, in, 3, 3), float32.
            bias: (out,), float32.
            leak: slope for negative values; 1 for none.
            size: pixels per side of the pictures for which it is to be quick; it takes all.
            enlarges: whether what enters is enlarged before.
            halves: whether 2x2 pixels of what comes out become their mean; what enters has even sides then.
            whole: whether to multiply whole numbers.
            weigh: how much the size of turned weights matters.

        Raises:
            ValueError: these channels do not suit.
        """
        self._outputs, self._inputs = weight.shape[:2]
        if not suits(self._inputs, self._outputs, whole=whole):
            raise ValueError(f"{self._inputs} to {self._outputs} channels cannot be convolved here")
        self._how, self._whole = _algorithm(size, enlarges=enlarges, whole=whole, weigh=weigh), whole
        self._run, self._halves = compiled.convolution(self._how, whole=whole), 2 if halves else 1
        self._kernels, self._steps = _rounded(weight, self._how) if whole else _turned(weight, self._how)
        self._bias, self._leak = _floats(bias, self._outputs), torch.tensor([leak], dtype=torch.float32)
        self._ones, self._zeros = torch.ones(self._inputs), torch.zeros(self._inputs)

    def __call__(self, x: Tensor, factors: Factors | None = None) -> Tensor:
        """Convolve scale * x + shift, or x; outside of the picture is 0 all the same."""
        x = _laid_out(x, self._inputs)
        batch, _, height, width = x.shape
        if height % self._halves or width % self._halves:
            raise ValueError(f"maps that are halved must have even sides, got {height} x {width}")
        scale, shift, reach = self._plain(x) if factors is None else factors
        scale, shift = _floats(scale, batch, self._inputs), _floats(shift, batch, self._inputs)
        reach = _floats(reach, batch, LANES)
        how = self._how
        y = maps.empty(batch, self._outputs, *(side * how.scale // self._halves for side in (height, width)))
        down, across = -(-height // how.step), -(-width // how.step)
        work = len(how.source) ** 2 * batch * down * across * self._inputs * self._outputs  # multiplications
        threads = _threads(work // _WORK)
        rows, groups = _parts(batch * down, across, self._outputs // COLUMNS, threads)
        source = x.data_ptr(), height, width, self._inputs, scale.data_ptr(), shift.data_ptr(), reach.data_ptr()
        weights = self._kernels.data_ptr(), self._steps.data_ptr()
        rest = self._bias.data_ptr(), self._leak.data_ptr(), self._halves, y.data_ptr()

        def part(number: int) -> None:
            bounds = *rows[number // len(groups)], *groups[number % len(groups)]
            room = self._room(*bounds, across)
            self._run(*source, *bounds, *weights, self._outputs, *rest, *room)

        own = self._kernels, self._steps, self._bias, self._leak
        share(part, len(rows) * len(groups), threads, (*own, x, scale, shift, reach, y))
        return y

    def _plain(self, x: Tensor) -> Factors:
        """Factors that leave everything as it is."""
        reach = largest(x) if self._whole else torch.zeros(len(x), LANES)
        return Factors(self._ones.expand(len(x), -1), self._zeros.expand(len(x), -1), reach)

    def _room(self, first_row: int, last_row: int, first_group: int, last_group: int, across: int) -> list[int]:
        """Addresses of this thread's memory for some rows of tiles and some groups of outputs."""
        how, rows = self._how, last_row - first_row
        padded = -(-rows * across // ROWS) * ROWS
        columns = min(last_group - first_group, kernels.GROUPS) * COLUMNS
        values = {
            "strip": rows * (how.step + 2) * (across * how.step + 2) * self._inputs,
            "turned": len(how.data) ** 2 * padded * self._inputs // (2 if self._whole else 1),
            "summed": len(how.source) ** 2 * padded * columns,
            "spare": max(len(how.outputs), 2 * len(how.data)) ** 2 * LANES,
        }
        return [space.address(name, count) for name, count in values.items()]


def blur(x: Tensor, leak: float) -> Tensor:
    """[1 2 1]^T [1 2 1] / 16 over each map, 0 outside of it, then LeakyReLU."""
    x = _laid_out(x)
    _, channels, height, width = x.shape
    y, slope, run = maps.empty(*x.shape), torch.tensor([leak], dtype=torch.float32), compiled.simple("blur")
    source, goal, leak_at = _Place(x), _Place(y), slope.data_ptr()

    def part(picture: int, first: int, last: int) -> None:
        strip = space.address("strip", (kernels.BLURRED + 2) * (width + 2) * channels)
        run(source.at(picture), height, width, channels, first, last, leak_at, strip, goal.at(picture))

    _share_rows(part, y, x, slope)
    return y


def adain(x: Tensor, style: Tensor) -> Factors:
    """What gives each map the standard deviation and the mean that a style (B, 2 C) asks for.

    Source: Deep Automodulators, Eq. 3; the unbiased standard deviation is a fact of the published models.
    """
    x = _laid_out(x)
    batch, channels, height, width = x.shape
    style, parts = _floats(style, batch, 2 * channels), _strips(*x.shape)
    sums, scale = torch.empty(3, len(parts), channels, dtype=torch.float64), torch.empty(batch, channels)
    shift, reach = torch.empty_like(scale), torch.empty(batch, LANES)
    source, run, line = _Place(x), compiled.simple("moments"), channels * DOUBLE_BYTES
    starts = [part.data_ptr() for part in sums]
    keep(style, scale, shift, reach)

    def part(number: int) -> None:
        picture, first, last = parts[number]
        run(source.at(picture), width, channels, first, last, *(start + number * line for start in starts))

    share(part, len(parts), _threads(x.numel() // _VALUES), (x, sums))
    goals, each = [_Place(goal) for goal in (style, scale, shift, reach)], len(parts) // batch
    finish = compiled.simple("adain")
    for i in range(batch):
        own = [start + i * each * line for start in starts]
        finish(source.at(i), height, width, channels, each, *own, *(goal.at(i) for goal in goals))
    return Factors(scale, shift, reach)


def largest(x: Tensor) -> Tensor:
    """(B, LANES), the largest of which is the largest size of a picture's values."""
    x = _laid_out(x)
    parts, run, source = _strips(*x.shape), compiled.simple("largest"), _Place(x)
    _, channels, _, width = x.shape
    found = torch.empty(len(parts), LANES)
    goal = _Place(found)

    def part(number: int) -> None:
        picture, first, last = parts[number]
        run(source.at(picture, first), (last - first) * width, channels, goal.at(number))

    share(part, len(parts), _threads(x.numel() // _VALUES), (x, found))
    if len(parts) == len(x):
        return found
    most = torch.empty(len(x), LANES)
    for i in range(len(x)):  # of the parts of each picture
        run(goal.at(i * len(parts) // len(x)), len(parts) // len(x), LANES, most[i].data_ptr())
    keep(most)
    return most


def affine(x: Tensor, scale: Tensor, shift: Tensor, *, in_place: bool = False) -> Tensor:
    """Scale and shift each map by factors (B, C), into new memory that may stay; in place if that may stay, too."""
    x = _laid_out(x)
    batch, channels, _, width = x.shape
    y = x if in_place and maps.are_full(x) else maps.empty(*x.shape, stays=True)
    scale, shift = (_floats(factor, batch, channels) for factor in (scale, shift))
    run = compiled.simple("affine")
    source, goal, factor, summand = _Place(x), _Place(y), _Place(scale), _Place(shift)

    def part(picture: int, first: int, last: int) -> None:
        factors = factor.at(picture), summand.at(picture)
        run(source.at(picture, first), (last - first) * width, channels, *factors, goal.at(picture, first))

    _share_rows(part, y, x, scale, shift)
    return y


def to_rgb(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1x1 convolution to three channels: (B, C, H, W), (3, C, 1, 1), (3,) -> (B, 3, H, W), contiguous."""
    x = _laid_out(x)
    batch, channels, height, width = x.shape
    y, run = torch.empty(batch, kernels.COLOURS, height, width), compiled.simple("to_rgb")
    weight, bias = _floats(weight.flatten(1), kernels.COLOURS, channels), _floats(bias, kernels.COLOURS)
    source, goal, weights = _Place(x), _Place(y), (weight.data_ptr(), bias.data_ptr())

    def part(picture: int, first: int, last: int) -> None:
        colours = goal.at(picture) + first * width * FLOAT_BYTES
        run(source.at(picture, first), (last - first) * width, channels, *weights, height * width, colours)

    _share_rows(part, x, y, weight, bias)
    return y


class _Place:
    """Addresses of pictures, and of their rows, in maps or in factors (B, C)."""

    def __init__(self, x: Tensor) -> None:
        self._start = x.data_ptr()
        self._picture = x.numel() // len(x) * FLOAT_BYTES
        self._row = self._picture // x.shape[2] if x.ndim == 4 else 0

    def at(self, picture: int, row: int = 0) -> int:
        return self._start + picture * self._picture + row * self._row


def _algorithm(size: int, *, enlarges: bool, whole: bool = False, weigh: int = _WEIGHT) -> Filtering:
    """The quickest algorithm for pictures of so many pixels per side."""

    def cost(how: Filtering) -> int:
        tiles = (-(-size // how.step)) ** 2
        return len(how.source) ** 2 * (-(-tiles // ROWS) * ROWS + weigh)

    return min((compiled.filtering(step, enlarges=enlarges, whole=whole) for step in compiled.STEPS), key=cost)


def _turned(weight: Tensor, how: Filtering) -> tuple[Tensor, Tensor]:
    """G K G^T of all kernels K: (out, in, 3, 3) -> (products, groups of outputs, in, COLUMNS); and steps of 1."""
    outputs, inputs = weight.shape[:2]
    kernels = apart(len(how.taps) ** 2, outputs // COLUMNS, inputs, COLUMNS, dtype=torch.float32)
    for groups, turned in _turned_parts(weight, how, torch.float64):
        kernels[:, groups] = turned.permute(0, 2, 1, 3)
    return kernels, torch.ones(outputs)


def _rounded(weight: Tensor, how: Filtering) -> tuple[Tensor, Tensor]:
    """The same in whole numbers, (products, groups, in / 2, COLUMNS, 2), and what 1 stands for in each output.

    Not even with values that all have the size LIMIT do sums of products exceed 32 bits. The order of pairs is that of
    kernels.convolution: numbers LANES channels apart, so that vectors of channels become pairs without being shuffled.
    """
    outputs, inputs = weight.shape[:2]
    kernels = apart(len(how.taps) ** 2, outputs // COLUMNS, inputs // 2, COLUMNS, 2, dtype=torch.int16)
    steps = torch.empty(outputs // COLUMNS, COLUMNS)
    for groups, turned in _turned_parts(weight, how, torch.float32):
        sizes = turned.abs()
        sums = torch.stack([part.sum(1).amax(0) for part in sizes.split(2 * SUMMED, dim=1)]).amax(0)
        step = torch.maximum(sums * (LIMIT / _LARGEST_SUM), sizes.amax((0, 1)) / LIMIT).clamp_min_(TINY)
        steps[groups] = step
        whole = turned.div_(step).round_().unflatten(1, (-1, 2, LANES))  # (products, k, 2, LANES, groups, COLUMNS)
        kernels[:, groups].unflatten(2, (-1, LANES)).copy_(whole.permute(0, 4, 1, 3, 5, 2))
    return kernels, steps.flatten()


def _turned_parts(weight: Tensor, how: Filtering, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """G K G^T for some groups of outputs at a time: (products, in, groups, COLUMNS)."""
    both = torch.from_numpy(np.kron(how.taps, how.taps)).to(dtype)  # (products, 9)
    columns, count = weight.permute(2, 3, 1, 0).flatten(0, 1), weight.shape[0] // COLUMNS  # (9, in, out)
    for first in range(0, count, _TURNED):
        part = columns[..., first * COLUMNS : (first + _TURNED) * COLUMNS].to(dtype).flatten(1)
        yield slice(first, first + _TURNED), (both @ part).view(len(both), weight.shape[1], -1, COLUMNS)


def _laid_out(x: Tensor, channels: int | None = None) -> Tensor:
    """What the kernels take: maps on the processor, channel after channel of a pixel, which fill vectors.

    Raises:
        ValueError: the type, the place or the number of channels is another one, or there are no maps.
    """
    if x.dtype != torch.float32 or x.device.type != "cpu" or x.ndim != 4 or not x.numel() or x.shape[1] % LANES:
        wanted = f"maps must be float32 with a multiple of {LANES} channels, on the processor"
        raise ValueError(f"{wanted}; got {x.dtype}, {tuple(x.shape)}, on {x.device}")
    if channels is not None and x.shape[1] != channels:
        raise ValueError(f"maps must have {channels} channels, got {x.shape[1]}")
    return x if x.is_contiguous(memory_format=torch.channels_last) else x.contiguous(memory_format=torch.channels_last)


def _floats(x: Tensor, *shape: int) -> Tensor:
    """Factors or weights of a shape, float32, in memory as they are read.

    Raises:
        ValueError: they are not of this shape and type.
    """
    if x.shape != shape or x.dtype != torch.float32 or x.device.type != "cpu":
        raise ValueError(f"expected {shape}, float32, on the processor; got {tuple(x.shape)}, {x.dtype}, on {x.device}")
    return x.contiguous()


def _threads(wanted: int) -> int:
    """How many threads to use where there is enough to do for so many."""
    return max(1, min(torch.get_num_threads(), wanted))


def _share_rows(part: Callable[[int, int, int], None], maps: Tensor, *others: Tensor) -> None:
    """Call part(picture, first row, last row) for all rows of all maps; it may work on other tensors, too."""
    parts = _strips(*maps.shape)
    share(lambda number: part(*parts[number]), len(parts), _threads(maps.numel() // _VALUES), (maps, *others))


@lru_cache(1024)
def _strips(batch: int, channels: int, height: int, width: int) -> list[tuple[int, int, int]]:
    """(picture, first row, last row) of parts of a batch, as many for each picture."""
    count = min(height, max(1, channels * height * width // _VALUES))
    return [(b, *bounds) for b in range(batch) for bounds in _cut(height, count)]


@lru_cache(1024)
def _parts(rows: int, across: int, groups: int, threads: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Rows of tiles, and groups of outputs, that a thread takes at a time: all pairs of them are the whole."""
    count = max(1, round(rows * across / _TILES))
    if count > threads:
        count = -(-count // threads) * threads
    count = min(rows, count)
    return _cut(rows, count), _cut(groups, min(groups, -(-threads // count)))


def _cut(length: int, count: int) -> list[tuple[int, int]]:
    bounds = [length * i // count for i in range(count + 1)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))
