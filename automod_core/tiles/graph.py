"""The networks in float32 on a processor, with the layers of this package; see inference_graph.py for the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.layers import LEAK
from automod_core.tiles.layers import TiledConvolution, affine, blur, halve, moments, suits
from automod_core.tiles.machine import can_compile

_TILED_FROM = 16  # pixels per side: below, the turned weights are larger than what is saved
_CONSTANT = 1e-13  # variance over squared mean of a map that differs by the rounding of float32 only
_INPUTS = 8  # channels of the pictures that enter: three colours, and one that is 1 within the picture
State = Mapping[str, Tensor]


class Convolution(Protocol):
    """3x3 convolution of scale * x + shift, then LeakyReLU."""

    def __call__(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """(B, in, H, W) and factors (B, in), 1 and 0 if not given -> (B, out, H, W) in new memory."""


class DirectConvolution:
    """As TiledConvolution, for small maps."""

    def __init__(self, weight: Tensor, bias: Tensor, leak: float = LEAK, *, enlarges: bool = False) -> None:
        self._weight, self._bias = weight.contiguous(memory_format=torch.channels_last), bias
        self._leak, self._enlarges = leak, enlarges

    def __call__(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """As TiledConvolution."""
        if scale is not None and shift is not None:
            x = torch.addcmul(shift[:, :, None, None], x, scale[:, :, None, None])
        if self._enlarges:
            x = F.interpolate(x, scale_factor=2)
        y = F.conv2d(x, self._weight, self._bias, padding=1)
        return y if self._leak == 1 else F.leaky_relu_(y, self._leak)


class TiledBlock:
    """One decoder block; see model.DecoderBlock, and inference_graph.BlockGraph, which does the same elsewhere."""

    def __init__(self, state: State, gain: float, size: int, *, first: bool, enlarges: bool) -> None:
        """Compile.

        Args:
            state: name -> effective weight, float32, of this block.
            gain: factor of what styles are made of.
            size: pixels per side of what leaves.
            first: whether it is the first block of all.
            enlarges: whether it doubles the size of what enters.
        """
        weight, bias = state["conv0.weight"], state["conv0.bias"]
        self._enlarges = enlarges
        self._grow = _convolution(weight, bias, size, leak=1 if enlarges else LEAK, enlarges=enlarges)
        self._conv = None if first else _convolution(state["conv1.weight"], state["conv1.bias"], size)
        self._styles = [
            (state[f"style{i}.weight"] * gain, state[f"style{i}.bias"]) for i in range(2) if f"style{i}.weight" in state
        ]
        self._constant = None
        if first:  # what enters is the same for all pictures
            ones = torch.ones(1, weight.shape[1], BASE_SIZE, BASE_SIZE)
            self._constant = self._grow(ones.contiguous(memory_format=torch.channels_last))

    def __call__(self, canvas: Tensor, style: Tensor) -> Tensor:
        """Canvas that enters and style (B, n) of norm 1 -> canvas that leaves."""
        return self.paint(self.grow(canvas), style)

    def grow(self, canvas: Tensor) -> Tensor:
        """The part without a style, the same for all that this canvas may become: canvas -> maps (B, C_i, 2H, 2W)."""
        if self._constant is not None:
            return self._constant.expand(len(canvas), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self._grow(canvas)
        return blur(x, LEAK) if self._enlarges else x

    def paint(self, x: Tensor, style: Tensor) -> Tensor:
        """The rest: what `grow` gave, which is left as it is, and a style (B, n) of norm 1 -> canvas that leaves."""
        factors = _adain(x, F.linear(style, *self._styles[0]))
        if self._conv is None:
            return affine(x, *factors)
        x = self._conv(x, *factors)
        return affine(x, *_adain(x, F.linear(style, *self._styles[1])), out=x)


class TiledEncoder:
    """phi: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n), float32 of norm 1; see inference_graph.EncoderGraph."""

    def __init__(self, config: ModelConfig, state: State) -> None:
        """Compile; state as that of EncoderGraph."""
        top = config.n_levels - 1
        weights = [
            (state[f"stages.{i}.conv{k}.weight"], state[f"stages.{i}.conv{k}.bias"], BASE_SIZE << i)
            for i in range(top, -1, -1)
            for k in range(2 if i else 1)
        ]
        first, bias, size = weights[0]
        entrance = torch.cat([state[f"from_rgb.{top}.weight"].flatten(1), state[f"from_rgb.{top}.bias"][:, None]], 1)
        joined = torch.einsum("ocij,ck->okij", first.double(), entrance.double()).float()
        weights[0] = F.pad(joined, (0, 0, 0, 0, 0, _INPUTS - joined.shape[1])), bias, size
        self._convs = [_convolution(*w) for w in weights]
        last = state["stages.0.conv1.weight"], state["stages.0.conv1.bias"]
        self._to_code = (last[0].flatten(1).clone(), last[1])  # (n, C * 4 * 4)

    def steps(self, images: Tensor) -> Iterator[Tensor]:
        """Encode stage by stage: give what leaves each stage (B, C, H, W), and at last the codes (B, n)."""
        x = F.pad(images, (0, 0, 0, 0, 0, _INPUTS - 3))
        x[:, 3] = 1
        x = x.contiguous(memory_format=torch.channels_last)
        for conv0, conv1 in zip(self._convs[:-1:2], self._convs[1::2], strict=True):
            x = conv0(x)  # each a step of its own, so that what entered is free before the next takes memory
            x = conv1(x)
            x = halve(x)
            yield x
        x = self._convs[-1](x)
        yield F.normalize(F.linear(x.flatten(1), *self._to_code), dim=1)


def suits_tiles(channels: Sequence[int], device: torch.device, dtype: torch.dtype) -> bool:
    """Whether all layers of a network with these channels can be done here."""
    exact = device.type == "cpu" and dtype == torch.float32
    return exact and all(suits(c, c) for c in channels) and can_compile()


def _convolution(weight: Tensor, bias: Tensor, size: int, leak: float = LEAK, *, enlarges: bool = False) -> Convolution:
    if size < _TILED_FROM:
        return DirectConvolution(weight, bias, leak, enlarges=enlarges)
    return TiledConvolution(weight, bias, leak, size // 2 if enlarges else size, enlarges=enlarges)


def _adain(x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift (B, C) that give each map the standard deviation and the mean that a style (B, 2 C) asks for.

    Source: Deep Automodulators, Eq. 3; the unbiased std is a fact of the published models.
    """
    mean, variance = moments(x)
    count = x.shape[2] * x.shape[3]
    asked, half = style.numpy(), style.shape[1] // 2
    deviation, middle = asked[:, :half], asked[:, half:]
    sure = variance > _CONSTANT * mean * mean  # else it is noise, which would be enlarged a million times
    scale = np.divide(deviation, np.sqrt(variance * (count / (count - 1))), out=np.zeros_like(mean), where=sure)
    shift = middle - scale * mean
    return torch.from_numpy(scale.astype(np.float32)), torch.from_numpy(shift.astype(np.float32))
