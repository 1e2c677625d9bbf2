"""The networks on a processor, made of the layers of this package; see inference_graph.py for the others."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.layers import LEAK
from automod_core.tiles.layers import TiledConvolution, adain, affine, blur, suits
from automod_core.tiles.machine import can_compile
from automod_core.tiles.maps import maps
from automod_core.tiles.recording import Recording, Room, record
from automod_core.tiles.writer import LANES

_WEIGHT = 200  # of the encoder, which is used for few pictures: its weights are to be small
_RECORDED = 1 << 18  # values that leave a block, at most; with more, little time is lost between calls
State = Mapping[str, Tensor]


class TiledBlock:
    """One decoder block; see model.DecoderBlock, and inference_graph.BlockGraph, which does the same elsewhere."""

    def __init__(
        self,
        state: State,
        gain: float,
        size: int,
        *,
        first: bool,
        enlarges: bool,
        whole: bool = False,
        room: Room | None = None,
    ) -> None:
        """Compile.

        Args:
            state: name -> effective weight, float32, of this block.
            gain: factor of what styles are made of.
            size: pixels per side of what leaves.
            first: whether it is the first block of all.
            enlarges: whether it doubles the size of what enters.
            whole: whether to multiply whole numbers; see TiledConvolution.
            room: for recordings, shared by the blocks of a network.
        """
        weight, bias = state["conv0.weight"], state["conv0.bias"]
        self._blurs, self._conv = enlarges, None
        self._grow: Callable[[Tensor], Tensor]
        if first:
            self._grow = _Constant(weight, bias)
        else:
            source, leak = (size // 2, 1) if enlarges else (size, LEAK)
            self._grow = TiledConvolution(weight, bias, leak, source, enlarges=enlarges, whole=whole)
            self._conv = TiledConvolution(state["conv1.weight"], state["conv1.bias"], LEAK, size, whole=whole)
        maps = [style_map(state, i, gain) for i in range(1 if first else 2)]
        self._style = torch.cat([weight for weight, _ in maps]), torch.cat([added for _, added in maps])
        self._room, self._recordings = room or Room(), dict[int, Recording | None]()
        self._shape, self._first = (1, len(bias), size, size), first

    def __call__(self, canvas: Tensor, style: Tensor) -> Tensor:
        """Canvas that enters and style (B, n) of norm 1 -> canvas that leaves."""
        asked = F.linear(style, *self._style)
        if len(canvas) > 1 or math.prod(self._shape) > _RECORDED:
            return self._draw(canvas, asked)
        moving = [asked] if self._first else [canvas, asked]
        threads = torch.get_num_threads()
        if threads not in self._recordings:
            recorded = record(partial(self._draw, canvas, asked), moving, self._room)
            if recorded is None:
                return self._draw(canvas, asked)
            result, self._recordings[threads] = recorded
            return result
        recording = self._recordings[threads]
        if recording is not None:
            result = torch.empty(self._shape, memory_format=torch.channels_last)
            if recording.play([*moving, result]):
                return result
        return self._draw(canvas, asked)

    def _draw(self, canvas: Tensor, asked: Tensor) -> Tensor:
        return self._paint(self.grow(canvas), asked)

    def grow(self, canvas: Tensor) -> Tensor:
        """The part without a style, the same for all that this canvas may become: canvas -> maps (B, C_i, 2H, 2W)."""
        x = self._grow(canvas)
        return blur(x, LEAK) if self._blurs else x

    def paint(self, x: Tensor, style: Tensor) -> Tensor:
        """The rest: what `grow` gave, which is left as it is, and a style (B, n) of norm 1 -> canvas that leaves."""
        return self._paint(x, F.linear(style, *self._style))

    def _paint(self, x: Tensor, asked: Tensor) -> Tensor:
        """The same; deviations and means (B, 2 C) for each AdaIN, side by side, are asked for."""
        styles = asked.split(2 * x.shape[1], dim=1)
        factors = adain(x, styles[0])
        if self._conv is None:
            return affine(x, factors.scale, factors.shift)
        x = self._conv(x, factors)
        factors = adain(x, styles[1])
        return affine(x, factors.scale, factors.shift, in_place=True)


class _Constant:
    """The first convolution of all, with LeakyReLU: what enters it is the same for all pictures."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        ones = torch.ones(1, weight.shape[1], BASE_SIZE, BASE_SIZE)
        self._maps = F.leaky_relu_(F.conv2d(ones, weight, bias, padding=1), LEAK)

    def __call__(self, canvas: Tensor) -> Tensor:
        """(B, in, 4, 4), whose values do not matter -> (B, out, 4, 4)."""
        return self._maps.expand(len(canvas), -1, -1, -1).contiguous(memory_format=torch.channels_last)


class TiledEncoder:
    """phi: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n), float32 of norm 1; see inference_graph.EncoderGraph."""

    def __init__(self, config: ModelConfig, state: State, *, whole: bool = False) -> None:
        """Compile; state as that of EncoderGraph, `whole` as in TiledConvolution."""
        top = config.n_levels - 1
        weights = [
            (state[f"stages.{i}.conv{k}.weight"], state[f"stages.{i}.conv{k}.bias"], BASE_SIZE << i)
            for i in range(top, -1, -1)
            for k in range(2 if i else 1)
        ]
        first, bias, size = weights[0]
        entrance = torch.cat([state[f"from_rgb.{top}.weight"].flatten(1), state[f"from_rgb.{top}.bias"][:, None]], 1)
        joined = torch.einsum("ocij,ck->okij", first.double(), entrance.double()).float()
        # Channels of the pictures that enter: three colours, and one that is 1 within the picture; the others are 0.
        self._inputs = 2 * LANES if whole else LANES
        weights[0] = F.pad(joined, (0, 0, 0, 0, 0, self._inputs - joined.shape[1])), bias, size
        self._convs = [
            TiledConvolution(weight, bias, LEAK, size, halves=i % 2 == 1, whole=whole, weigh=_WEIGHT)
            for i, (weight, bias, size) in enumerate(weights)
        ]
        last = state["stages.0.conv1.weight"], state["stages.0.conv1.bias"]
        self._to_code = (last[0].flatten(1).clone(), last[1])  # (n, C * 4 * 4)

    def steps(self, images: Tensor) -> Iterator[Tensor]:
        """Encode stage by stage: give what leaves each stage (B, C, H, W), and at last the codes (B, n)."""
        x = maps.empty(len(images), self._inputs, *images.shape[2:]).zero_()
        x[:, :3], x[:, 3] = images, 1
        for conv0, conv1 in zip(self._convs[:-1:2], self._convs[1::2], strict=True):
            x = conv0(x)  # a step of its own, so that what entered is free before the next takes memory
            x = conv1(x)
            yield x
        x = self._convs[-1](x)
        yield F.normalize(F.linear(x.flatten(1), *self._to_code), dim=1)


def suits_tiles(channels: Sequence[int], device: torch.device, dtype: torch.dtype) -> bool:
    """Whether all layers of a network with these channels can be done here."""
    exact = device.type == "cpu" and dtype == torch.float32
    return exact and all(suits(c, c) for c in channels) and can_compile()


def style_map(state: State, number: int, gain: float) -> tuple[Tensor, Tensor]:
    """Weight (2 C, n) and bias (2 C,) of what turns a style into deviations and means."""
    return state[f"style{number}.weight"] * gain, state[f"style{number}.bias"]
