"""How fast this machine computes at best: matrix products, and convolutions as networks are made of.

A share of the convolution ceiling tells how far a network is from what its arithmetic must cost here.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.bench.context import Bench
from automod_core.bench.figures import GFLOP_S, Figure
from automod_core.bench.turns import Effort, take_turns
from automod_core.precision import map_dtype

SECTION = "ceilings"
_SUBJECT = "This machine"
_MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns
_CONVOLUTIONS = ((512, 64), (256, 128), (128, 256))  # channels in and out, pixels per side
_EFFORT = Effort(turns=7, warm_ups=2, seconds=4.0)


def measure(bench: Bench) -> Iterator[Figure]:
    """Measure every floating type that suits the hardware, and note the best convolutions as the bench's ceilings.

    On a graphics card it is the matrix product that counts as the ceiling, for convolutions there are tuned anew for
    every shape.
    """
    fast = map_dtype("auto", bench.device)
    for dtype in dict.fromkeys((torch.float32, fast)):
        name = str(dtype).removeprefix("torch.")
        bench.tell(f"ceilings, {name}")
        yield (product := _matrix_product(bench, dtype, name))
        is_card = bench.device.type == "cuda"
        bench.ceilings[name] = product.spread.median if is_card else 0.0
        for figure in _convolutions(bench, dtype, name):
            yield figure
            if not is_card:
                bench.ceilings[name] = max(bench.ceilings[name], figure.spread.median)


def _matrix_product(bench: Bench, dtype: torch.dtype, name: str) -> Figure:
    size = _MATRIX[bench.device.type]
    a, b = (_random((size, size), bench, dtype) for _ in range(2))
    rates = _rates(bench, lambda _: a @ b, 2 * size**3)
    return Figure(SECTION, _SUBJECT, f"matrix product {size} x {size}", GFLOP_S, rates, precision=name)


def _convolutions(bench: Bench, dtype: torch.dtype, name: str) -> Iterator[Figure]:
    """Convolutions 3x3 in both memory layouts; that of bfloat16 in the one that suits it."""
    layouts = {"channels last": torch.channels_last}
    if dtype == torch.float32:
        layouts = {"contiguous": torch.contiguous_format, **layouts}
    for channels, size in _CONVOLUTIONS:
        operations = 2 * 9 * channels**2 * size**2
        for layout, memory_format in layouts.items():
            x = _random((1, channels, size, size), bench, dtype).contiguous(memory_format=memory_format)
            weight = _random((channels, channels, 3, 3), bench, dtype).contiguous(memory_format=memory_format)
            rates = _rates(bench, partial(_convolve, x, weight), operations)
            what = f"convolution 3 x 3, {channels} to {channels} channels, {layout}"
            yield Figure(SECTION, _SUBJECT, what, GFLOP_S, rates, size=size, precision=name)


def _convolve(x: Tensor, weight: Tensor, turn: int) -> Tensor:
    return F.conv2d(x, weight, padding=1)


@torch.inference_mode()
def _rates(bench: Bench, work: Callable[[int], object], operations: int) -> tuple[float, ...]:
    """GFLOP/s of each turn."""
    effort = min(_EFFORT, bench.effort, key=lambda effort: effort.turns)
    times = take_turns({"": work}, effort, bench.wait)[""]
    return tuple(operations / (ms / 1000) / 1e9 for ms in times)


def _random(shape: tuple[int, ...], bench: Bench, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(bench.device, dtype)
