"""The whole network, top to bottom: Decoder (theta in the paper) and Encoder (phi).

Modules hold effective weights. `prepare_decoder_for_training` and `prepare_encoder_for_training` add what training
needs (equalised learning rate, spectral normalisation); `effective_state` folds it away again.
"""

from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.hand_gradients import blur, halve
from automod_core.layers import LEAK, Conv, UpConv, adain, add_noise, equalise, normalise_spectrally


class DecoderBlock(nn.Module):
    """One decoder stage theta_i: up-sample, convolve, modulate by the style, and again without the up-sampling.

    (B, C_{i-1}, H, W), (B, n) -> (B, C_i, 2H, 2W). The very first block keeps 4x4 and has only one convolution; an
    extra block keeps its size too. Only an up-sampled map needs the blur.
    Source: Deep Automodulators, Sec. 3.1 and App. A; extra blocks: Sec. 4.
    """

    def __init__(self, channels_in: int, channels_out: int, code_size: int, *, first: bool, enlarges: bool) -> None:
        super().__init__()
        self.first, self.enlarges = first, enlarges
        self.conv0 = (UpConv if enlarges else Conv)(channels_in, channels_out, 3, padding=1)
        self.style0 = nn.Linear(code_size, 2 * channels_out)
        self.noise0 = nn.Parameter(torch.zeros(channels_out))
        if not first:
            self.conv1 = Conv(channels_out, channels_out, 3, padding=1)
            self.style1 = nn.Linear(code_size, 2 * channels_out)
            self.noise1 = nn.Parameter(torch.zeros(channels_out))

    def forward(self, canvas: Tensor, style: Tensor, noise: int | None = None) -> Tensor:
        """Canvas that enters, style (B, n) already multiplied by the gain, seed of noise -> canvas that leaves."""
        return self.paint(self.grow(canvas, noise), style, noise)

    def grow(self, canvas: Tensor, noise: int | None = None) -> Tensor:
        """The part without a style, the same for all that this canvas may become: canvas -> maps (B, C_i, 2H, 2W)."""
        x = self.conv0(canvas)
        if self.enlarges:
            x = blur(x)
        return _leaky(add_noise(x, self.noise0, noise))

    def paint(self, x: Tensor, style: Tensor, noise: int | None = None) -> Tensor:
        """The rest: what `grow` gave, which is left as it is, and a style -> canvas that leaves."""
        x = adain(x, self.style0(style))
        if not self.first:
            x = add_noise(self.conv1(x), self.noise1, None if noise is None else noise + 1)
            x = adain(_leaky(x), self.style1(style))
        return x


class Decoder(nn.Module):
    """theta: styles (B, n_blocks, n) -> pictures (B, 3, R, R), nominally in [-1, 1]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels, levels = config.decoder_channels, config.block_levels
        self.blocks = nn.ModuleList(
            DecoderBlock(channels[before], channels[here], config.code_size, first=i == 0, enlarges=here > before)
            for i, (before, here) in enumerate(zip((0, *levels), levels, strict=False))
        )
        self.to_rgb = nn.ModuleList(Conv(c, 3, 1) for c in channels)

    def run(
        self,
        styles: Tensor,
        *,
        first: int = 0,
        last: int,
        canvas: Tensor | None = None,
        noise: int | None = None,
        dtype: torch.dtype = torch.float32,
        recompute: bool = False,
    ) -> Tensor:
        """Run blocks first..last (both included) and return the canvas that leaves block `last`.

        Args:
            styles: (B, >= last + 1, n), of norm 1; row i drives block i.
            first: block to start at; last + 1 runs nothing.
            last: block to end at.
            canvas: what left block first - 1, (B, C, H, W); None only with first = 0 (a constant of ones).
            noise: seed of the layer noise, which is the same whether the blocks run at once or in parts; None (as at
                evaluation) adds none.
            dtype: floating type of the canvases if the run starts at block 0.
            recompute: forget what the blocks hold for the gradient, and compute it again when it is needed.
        """
        if canvas is None:
            if first != 0:
                raise ValueError(f"a run that starts at block {first} needs the canvas that left block {first - 1}")
            shape = (len(styles), self.config.decoder_channels[0], BASE_SIZE, BASE_SIZE)
            canvas = torch.ones(shape, device=styles.device, dtype=dtype).to(memory_format=torch.channels_last)
        for i in range(first, last + 1):
            style, seed = styles[:, i] * self.config.style_gain, None if noise is None else noise + 2 * i
            canvas = _call(self.blocks[i], canvas, style, seed, recompute=recompute)
        return canvas

    def picture(self, canvas: Tensor, level: int) -> Tensor:
        """Turn the canvas that left the last block of `level` into a picture (B, 3, 4 * 2**level, 4 * 2**level)."""
        return self.to_rgb[level](canvas).float()

    def forward(
        self,
        styles: Tensor,
        *,
        last: int | None = None,
        fade: float = 1.0,
        noise: int | None = None,
        dtype: torch.dtype = torch.float32,
        first: int = 0,
        canvas: Tensor | None = None,
        recompute: bool = False,
    ) -> Tensor:
        """Decode styles (B, n_blocks, n) into pictures (B, 3, 4 * 2**last, 4 * 2**last), float32.

        Args:
            styles: one code per block, of norm 1; rows of blocks beyond level `last` do not matter, and may be absent.
            last: level whose picture is wanted; None means the highest one.
            fade: weight in [0, 1] of that level's picture; the rest comes from the level before, enlarged.
            noise: seed of the layer noise, or None.
            dtype: floating type of the canvases.
            first: block to start at.
            canvas: what left block first - 1; None only with first = 0.
            recompute: as in `run`.
        """
        last = self.config.n_levels - 1 if last is None else last
        end = self.config.last_block(last)
        go_on = partial(self.run, styles, noise=noise, dtype=dtype, recompute=recompute)
        if fade >= 1 or last == 0:
            return self.picture(go_on(first=first, last=end, canvas=canvas), last)
        middle = self.config.last_block(last - 1)
        if first <= middle + 1:
            lower = canvas = go_on(first=first, last=middle, canvas=canvas)
            first = middle + 1
        else:  # the canvas is beyond the level before, which happens with extra blocks only
            lower = go_on(last=middle)
        newest = self.picture(go_on(first=first, last=end, canvas=canvas), last)
        before = F.interpolate(self.picture(lower, last - 1), scale_factor=2.0, mode="nearest")
        return torch.lerp(before, newest, fade)


class EncoderStage(nn.Module):
    """One encoder stage: two convolutions and a halving; the 4x4 stage ends in the code instead.

    (B, C_in, H, W) -> (B, C_out, H/2, W/2), or (B, n, 1, 1) from 4x4. Source: Deep Automodulators, App. A.
    """

    def __init__(self, channels_in: int, channels_out: int, code_size: int | None) -> None:
        super().__init__()
        self.ends = code_size is not None
        self.conv0 = Conv(channels_in, channels_out, 3, padding=1)
        if code_size is None:
            self.conv1 = Conv(channels_out, channels_out, 3, padding=1)
        else:
            self.conv1 = Conv(channels_out, code_size, BASE_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps of this stage's resolution -> those of the next lower one, or the raw code."""
        x = self.conv1(_leaky(self.conv0(x)))
        return x if self.ends else halve(_leaky(x))


class Encoder(nn.Module):
    """phi: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n) of norm 1."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.encoder_channels
        self.stages = nn.ModuleList(
            EncoderStage(channels[i], channels[max(i - 1, 0)], config.code_size if i == 0 else None)
            for i in range(config.n_levels)
        )
        self.from_rgb = nn.ModuleList(Conv(3, c, 1) for c in channels)

    def forward(
        self,
        images: Tensor,
        *,
        last: int | None = None,
        fade: float = 1.0,
        dtype: torch.dtype = torch.float32,
        recompute: bool = False,
    ) -> Tensor:
        """Encode pictures (B, 3, 4 * 2**last, 4 * 2**last) into codes (B, n), float32 of norm 1.

        Args:
            images: pictures in [-1, 1].
            last: level of the pictures, whose stage is the first to see them; None means the highest one.
            fade: weight in [0, 1] of the highest stage; the rest comes from the halved picture.
            dtype: floating type of the feature maps.
            recompute: keep only what enters each stage for the backward pass, and run the stages again there.
        """
        last = self.config.n_levels - 1 if last is None else last
        images = images.to(dtype, memory_format=torch.channels_last)
        x = self.from_rgb[last](images)
        for i in range(last, -1, -1):
            x = _call(self.stages[i], x, recompute=recompute)
            if i == last and i > 0 and fade < 1:
                x = torch.lerp(self.from_rgb[i - 1](F.avg_pool2d(images, 2)), x, fade)
        return F.normalize(x.float().flatten(1), dim=1)


def _leaky(x: Tensor) -> Tensor:
    """LeakyReLU in place of what a convolution gave, which nothing else needs."""
    return F.leaky_relu(x, LEAK, inplace=True)


def _call(module: nn.Module, *args: Any, recompute: bool) -> Tensor:
    """Run a module, keeping for the gradient either all that it computes or only what entered it."""
    if recompute and torch.is_grad_enabled():
        return cast("Tensor", checkpoint(module, *args, use_reentrant=False, preserve_rng_state=False))
    return cast("Tensor", module(*args))


def prepare_decoder_for_training(decoder: Decoder) -> None:
    """Initialise for training: equalised learning rate on the convolutions, Xavier AdaIN maps with bias 1."""
    for name, module in list(decoder.named_modules()):
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
            nn.init.ones_(module.bias)
        elif isinstance(module, nn.Conv2d) and name.startswith("blocks."):
            equalise(module)


def prepare_encoder_for_training(encoder: Encoder, *, spectral_norm: bool = True) -> None:
    """Initialise for training: Kaiming-normal convolutions, spectrally normalised as in the paper, or plain."""
    for name, module in list(encoder.named_modules()):
        if isinstance(module, nn.Conv2d) and name.startswith("stages."):
            if spectral_norm:
                normalise_spectrally(module)
            else:
                nn.init.kaiming_normal_(module.weight, a=LEAK)
                nn.init.zeros_(cast("Tensor", module.bias))


@torch.no_grad()
def effective_state(module: nn.Module) -> dict[str, Tensor]:
    """State dict with every parametrisation folded in: what a plain Decoder or Encoder loads."""
    return {
        f"{prefix}.{name}" if prefix else name: getattr(owner, name).detach().float().cpu().clone().contiguous()
        for prefix, owner in module.named_modules()
        if "parametrizations" not in prefix
        for name in ("weight", "bias", "noise0", "noise1")
        if isinstance(getattr(owner, name, None), Tensor)
    }
