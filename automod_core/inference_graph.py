"""The two networks as they are used, not trained: compiled once from effective weights.

Kernels are folded, turned and typed when a model is loaded, gains go into the maps that they scale, what does not
depend on any code is computed beforehand. In float32 and int16 on a processor the layers are those of `tiles`,
elsewhere those of PyTorch (docs/adr/0016). The training modules in `model.py` stay as they are, and are what this is
checked against. Feature maps lie in channels_last.
"""

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.convolutions import Convolution, Same, Transposed
from automod_core.hand_gradients import VARIANCE_FLOOR
from automod_core.layers import LEAK
from automod_core.precision import EXACT, WHOLE
from automod_core.tiles.graph import TiledBlock, TiledEncoder, style_map, suits_tiles
from automod_core.tiles.kernels import CONSTANT
from automod_core.tiles.layers import to_rgb
from automod_core.tiles.recording import Room

State = Mapping[str, Tensor]


class DecoderGraph:
    """theta, compiled: styles (B, n_blocks, n) -> pictures (B, 3, R, R), nominally in [-1, 1].

    No gradient goes through it.

    Source: Deep Automodulators, Sec. 3.1 and App. A.

    Attributes:
        config: the architecture.
        blocks: what each block does, in its two halves.
    """

    def __init__(self, config: ModelConfig, state: State, precision: str = EXACT) -> None:
        """Compile.

        Args:
            config: the architecture.
            state: name -> effective weight, float32, without the prefix "decoder.", on the device that is to compute.
            precision: one of precision.PRECISIONS that the device has.
        """
        self.config, self._precision = config, precision
        self._dtype = dtype = _map_dtype(precision)
        self._tiled = suits_tiles(config.decoder_channels, state["to_rgb.0.bias"].device, dtype)
        self._room = Room()
        levels = config.block_levels
        self.blocks = [
            self._block(_below(state, f"blocks.{i}."), 4 << here, first=i == 0, enlarges=here > before)
            for i, (before, here) in enumerate(zip((0, *levels), levels, strict=False))
        ]
        self._heads = [
            (state[f"to_rgb.{i}.weight"].to(dtype), state[f"to_rgb.{i}.bias"].to(dtype)) for i in range(config.n_levels)
        ]

    def _block(self, state: State, size: int, *, first: bool, enlarges: bool) -> "BlockGraph | TiledBlock":
        if self._tiled:
            whole = self._precision == WHOLE
            return TiledBlock(
                state, self.config.style_gain, size, first=first, enlarges=enlarges, whole=whole, room=self._room
            )
        return BlockGraph(state, self.config.style_gain, self._dtype, first=first, enlarges=enlarges)

    def run(self, styles: Tensor, *, first: int = 0, last: int, canvas: Tensor | None = None) -> Tensor:
        """Run blocks first..last (both included) and return the canvas that leaves block `last`.

        Args:
            styles: (B, >= last + 1, n), of norm 1; row i drives block i.
            first: block to start at; last + 1 runs nothing.
            last: block to end at.
            canvas: what left block first - 1, (B, C, H, W); None only with first = 0 (a constant of ones).
        """
        if canvas is None:
            if first != 0:
                raise ValueError(f"a run that starts at block {first} needs the canvas that left block {first - 1}")
            canvas = self.start(len(styles), styles.device)
        for i in range(first, last + 1):
            canvas = self.blocks[i](canvas, styles[:, i])
        return canvas

    def start(self, count: int, device: torch.device) -> Tensor:
        """The canvases (B, C, 4, 4) with which all pictures start."""
        shape = (count, self.config.decoder_channels[0], BASE_SIZE, BASE_SIZE)
        return torch.ones(shape, dtype=self._dtype, device=device).contiguous(memory_format=torch.channels_last)

    def picture(self, canvas: Tensor, level: int) -> Tensor:
        """Turn the canvas that left the last block of `level` into a picture (B, 3, 4 * 2**level, 4 * 2**level)."""
        head = self._heads[level]
        return to_rgb(canvas, *head) if self._tiled else F.conv2d(canvas, *head).float()

    def __call__(self, styles: Tensor, last: int | None = None) -> Tensor:
        """Decode styles (B, n_blocks, n) into pictures (B, 3, 4 * 2**last, 4 * 2**last), float32.

        Args:
            styles: one code per block, of norm 1; rows of blocks beyond level `last` do not matter.
            last: level whose picture is wanted; None means the highest one.
        """
        last = self.config.n_levels - 1 if last is None else last
        return self.picture(self.run(styles, last=self.config.last_block(last)), last)


class BlockGraph:
    """One decoder block, compiled; see model.DecoderBlock."""

    def __init__(self, state: State, gain: float, dtype: torch.dtype, *, first: bool, enlarges: bool) -> None:
        weight, bias = state["conv0.weight"], state["conv0.bias"]
        self._grow: Convolution = Transposed(weight, bias, dtype) if enlarges else Same(weight, bias, dtype)
        self._blur = _blur_kernel(len(bias), dtype, weight.device) if enlarges else None
        self._conv: Convolution | None = None
        self._styles = [style_map(state, 0, gain)]
        if not first:
            self._conv = Same(state["conv1.weight"], state["conv1.bias"], dtype)
            self._styles.append(style_map(state, 1, gain))
        self._constant = None
        if first:  # what enters is the same for all pictures
            ones = torch.ones(1, weight.shape[1], BASE_SIZE, BASE_SIZE, dtype=dtype, device=weight.device)
            self._constant = _leaky(self._grow(ones.contiguous(memory_format=torch.channels_last)))

    def __call__(self, canvas: Tensor, style: Tensor) -> Tensor:
        """Canvas that enters and style (B, n) of norm 1 -> canvas that leaves."""
        return self.paint(self.grow(canvas), style)

    def grow(self, canvas: Tensor) -> Tensor:
        """The part without a style, the same for all that this canvas may become: canvas -> maps (B, C_i, 2H, 2W)."""
        if self._constant is not None:
            return self._constant.expand(len(canvas), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self._grow(canvas)
        if self._blur is not None:
            x = F.conv2d(x, self._blur, padding=1, groups=x.shape[1])
        return _leaky(x)

    def paint(self, x: Tensor, style: Tensor) -> Tensor:
        """The rest: what `grow` gave, which is left as it is, and a style (B, n) of norm 1 -> canvas that leaves."""
        x = adain(x, F.linear(style, *self._styles[0]))
        if self._conv is not None:
            x = _leaky(self._conv(x))  # a step of its own, so that what entered is free before adain takes memory
            x = adain(x, F.linear(style, *self._styles[1]))
        return x


class EncoderGraph:
    """phi, compiled: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n), float32 of norm 1.

    Source: Deep Automodulators, App. A.
    """

    def __init__(self, config: ModelConfig, state: State, precision: str = EXACT) -> None:
        """Compile; arguments as those of DecoderGraph, without the prefix "encoder."."""
        self._dtype = dtype = _map_dtype(precision)
        self._tiled: TiledEncoder | None = None
        device = state["from_rgb.0.bias"].device
        if suits_tiles(config.encoder_channels, device, dtype):
            self._tiled = TiledEncoder(config, state, whole=precision == WHOLE)
            return
        top = config.n_levels - 1
        self._from_rgb = (state[f"from_rgb.{top}.weight"].to(dtype), state[f"from_rgb.{top}.bias"].to(dtype))
        stages = [_below(state, f"stages.{i}.") for i in range(top, -1, -1)]
        self._convs = [
            (Same(s["conv0.weight"], s["conv0.bias"], dtype), Same(s["conv1.weight"], s["conv1.bias"], dtype))
            for s in stages[:-1]
        ]
        last = stages[-1]
        self._last_conv = Same(last["conv0.weight"], last["conv0.bias"], dtype)
        self._to_code = (last["conv1.weight"].flatten(1).to(dtype), last["conv1.bias"].to(dtype))  # (n, C * 4 * 4)

    def __call__(self, images: Tensor) -> Tensor:
        """Encode pictures (B, 3, R, R) in [-1, 1] into codes (B, n), float32 of norm 1."""
        x = images
        for x in self.steps(images):  # noqa: B007 - the last one counts
            pass
        return x

    def steps(self, images: Tensor) -> Iterator[Tensor]:
        """Encode stage by stage: give what leaves each stage (B, C, H, W), and at last the codes (B, n)."""
        if self._tiled is not None:
            yield from self._tiled.steps(images)
            return
        x = images.to(self._dtype, memory_format=torch.channels_last)
        x = F.conv2d(x, *self._from_rgb)
        for conv0, conv1 in self._convs:
            x = _leaky(conv0(x))  # each a step of its own, so that what entered is free before the next takes memory
            x = _leaky(conv1(x))
            x = F.avg_pool2d(x, 2)
            yield x
        x = _leaky(self._last_conv(x))
        yield F.normalize(F.linear(x.flatten(1), *self._to_code).float(), dim=1)


def _map_dtype(precision: str) -> torch.dtype:
    """Floating type of the maps: whole numbers are only multiplied, and their sums turned into float32."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def adain(x: Tensor, style: Tensor) -> Tensor:
    """Normalise each feature map, then give it a new standard deviation and mean; without a gradient.

    Args:
        x: feature maps (B, C, H, W) with H * W > 1, left as they are.
        style: (B, 2 C), float32: the new standard deviations s, then the new means m.

    Returns:
        s * (x - mean) / std + m, shaped and typed as x; std is the unbiased one (N - 1), without an epsilon.

    Source: Deep Automodulators, Eq. 3; the unbiased std is a fact of the published models.
    """
    b, c, h, w = x.shape
    if x.dtype == torch.float32 and x.device.type == "cpu":
        variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
        deviation, middle = style[:, :, None, None].chunk(2, dim=1)
        scale = deviation / variance.sqrt()
        scale = scale.masked_fill(variance <= CONSTANT * mean.square(), 0)  # not noise, enlarged a million times
        return torch.addcmul(middle - scale * mean, x, scale)
    scale, shift = (half.reshape(b, c) for half in style.chunk(2, dim=1))
    scale = scale * ((h * w - 1) / (h * w)) ** 0.5  # the kernel divides by the biased std
    parts = [_normalised(*part) for part in zip(x.split(1), scale, shift, strict=True)]
    y = parts[0] if b == 1 else torch.cat(parts)
    return y.contiguous(memory_format=torch.channels_last)


def _normalised(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, scale, shift, training=True, eps=VARIANCE_FLOOR)


def _leaky(x: Tensor) -> Tensor:
    """LeakyReLU in place of what a convolution gave, which nothing else needs."""
    return F.leaky_relu_(x, LEAK)


def _blur_kernel(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    taps = torch.tensor([1.0, 2.0, 1.0], device=device) / 4
    return torch.outer(taps, taps).to(dtype).expand(channels, 1, 3, 3).contiguous()


def _below(state: State, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
