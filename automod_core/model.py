"""The whole network, top to bottom: Decoder (theta in the paper) and Encoder (phi).

Modules hold effective weights. `prepare_decoder_for_training` and `prepare_encoder_for_training` add what training
needs (equalised learning rate, spectral normalisation); `effective_state` folds it away again.
"""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.layers import LEAK, Conv, UpConv, adain, add_noise, blur, equalise, normalise_spectrally


class DecoderBlock(nn.Module):
    """One decoder stage theta_i: up-sample (but in block 0), convolve, modulate by the style.

    (B, C_{i-1}, H, W), (B, n) -> (B, C_i, 2H, 2W); block 0 keeps 4x4 and has only one convolution.
    Source: Deep Automodulators, Sec. 3.1 and App. A.
    """

    def __init__(self, channels_in: int, channels_out: int, code_size: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.conv0 = (Conv if first else UpConv)(channels_in, channels_out, 3, padding=1)
        self.style0 = nn.Linear(code_size, 2 * channels_out)
        self.noise0 = nn.Parameter(torch.zeros(channels_out))
        if not first:
            self.conv1 = Conv(channels_out, channels_out, 3, padding=1)
            self.style1 = nn.Linear(code_size, 2 * channels_out)
            self.noise1 = nn.Parameter(torch.zeros(channels_out))

    def forward(self, canvas: Tensor, style: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Canvas that enters, style (B, n) already multiplied by the gain -> canvas that leaves."""
        x = self.conv0(canvas)
        if not self.first:
            x = blur(x)
        x = adain(F.leaky_relu(add_noise(x, self.noise0, noise), LEAK), self.style0(style))
        if not self.first:
            x = add_noise(self.conv1(x), self.noise1, noise)
            x = adain(F.leaky_relu(x, LEAK), self.style1(style))
        return x


class Decoder(nn.Module):
    """theta: styles (B, n_blocks, n) -> pictures (B, 3, R, R), nominally in [-1, 1]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.decoder_channels
        self.blocks = nn.ModuleList(
            DecoderBlock(channels[max(i - 1, 0)], channels[i], config.code_size, first=i == 0)
            for i in range(config.n_blocks)
        )
        self.to_rgb = nn.ModuleList(Conv(c, 3, 1) for c in channels)

    def run(
        self,
        styles: Tensor,
        *,
        first: int = 0,
        last: int,
        canvas: Tensor | None = None,
        noise: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Run blocks first..last (both included) and return the canvas that leaves block `last`.

        Args:
            styles: (B, >= last + 1, n), of norm 1; row i drives block i.
            first: block to start at.
            last: block to end at.
            canvas: what left block first - 1, (B, C, H, W); None only with first = 0 (a constant of ones).
            noise: generator of the layer noise; None (as at evaluation) adds none.
            dtype: floating type of the canvases if the run starts at block 0.
        """
        if canvas is None:
            if first != 0:
                raise ValueError(f"a run that starts at block {first} needs the canvas that left block {first - 1}")
            shape = (len(styles), self.config.decoder_channels[0], BASE_SIZE, BASE_SIZE)
            canvas = torch.ones(shape, device=styles.device, dtype=dtype).to(memory_format=torch.channels_last)
        for i in range(first, last + 1):
            canvas = self.blocks[i](canvas, styles[:, i] * self.config.style_gain, noise)
        return canvas

    def picture(self, canvas: Tensor, block: int) -> Tensor:
        """Turn the canvas that left `block` into a picture (B, 3, 4 * 2**block, 4 * 2**block), float32."""
        return self.to_rgb[block](canvas).float()

    def forward(
        self,
        styles: Tensor,
        *,
        last: int | None = None,
        fade: float = 1.0,
        noise: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Decode styles (B, >= last + 1, n) into pictures (B, 3, 4 * 2**last, 4 * 2**last).

        Args:
            styles: one code per block, of norm 1.
            last: block whose picture is wanted; None means the last one.
            fade: weight in [0, 1] of the newest block's picture; the rest comes from the block before, enlarged.
            noise: generator of the layer noise, or None.
            dtype: floating type of the canvases.
        """
        last = self.config.n_blocks - 1 if last is None else last
        if fade >= 1 or last == 0:
            return self.picture(self.run(styles, last=last, noise=noise, dtype=dtype), last)
        canvas = self.run(styles, last=last - 1, noise=noise, dtype=dtype)
        before = F.interpolate(self.picture(canvas, last - 1), scale_factor=2.0, mode="nearest")
        newest = self.picture(self.run(styles, first=last, last=last, canvas=canvas, noise=noise), last)
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
        x = self.conv1(F.leaky_relu(self.conv0(x), LEAK))
        return x if self.ends else F.avg_pool2d(F.leaky_relu(x, LEAK), 2)


class Encoder(nn.Module):
    """phi: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n) of norm 1."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.encoder_channels
        self.stages = nn.ModuleList(
            EncoderStage(channels[i], channels[max(i - 1, 0)], config.code_size if i == 0 else None)
            for i in range(config.n_blocks)
        )
        self.from_rgb = nn.ModuleList(Conv(3, c, 1) for c in channels)

    def forward(
        self, images: Tensor, *, last: int | None = None, fade: float = 1.0, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Encode pictures (B, 3, 4 * 2**last, 4 * 2**last) into codes (B, n), float32 of norm 1.

        Args:
            images: pictures in [-1, 1].
            last: highest stage in use; None means all. It fixes the resolution of the pictures.
            fade: weight in [0, 1] of the highest stage; the rest comes from the halved picture.
            dtype: floating type of the feature maps.
        """
        last = self.config.n_blocks - 1 if last is None else last
        images = images.to(dtype, memory_format=torch.channels_last)
        x = self.from_rgb[last](images)
        for i in range(last, -1, -1):
            x = self.stages[i](x)
            if i == last and i > 0 and fade < 1:
                x = torch.lerp(self.from_rgb[i - 1](F.avg_pool2d(images, 2)), x, fade)
        return F.normalize(x.float().flatten(1), dim=1)


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
    training = module.training
    module.eval()  # no power iteration while weights are read
    state = {
        f"{prefix}.{name}" if prefix else name: getattr(owner, name).detach().float().cpu().clone().contiguous()
        for prefix, owner in module.named_modules()
        if "parametrizations" not in prefix
        for name in ("weight", "bias", "noise0", "noise1")
        if isinstance(getattr(owner, name, None), Tensor)
    }
    module.train(training)
    return state
