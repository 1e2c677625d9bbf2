"""The same two networks written plainly, in float32: what everything that is faster is measured and checked against.

Every step is the operation that the paper names, one after the other and in the usual memory layout: nearest-neighbour
up-sampling, 3x3 convolution, blur as a depthwise convolution, LeakyReLU, and mean and standard deviation of each map.
This is what the authors' published code costs, too. It shares no layer with `model.py` or any graph made from it.
"""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core.config import BASE_SIZE, ModelConfig

_LEAK = 0.2
_STD_FLOOR = 1e-7  # only keeps a perfectly constant map from becoming 0 / 0


class PlainDecoder(nn.Module):
    """theta: styles (B, n_blocks, n) -> pictures (B, 3, R, R), nominally in [-1, 1].

    Source: Deep Automodulators, Sec. 3.1 and App. A.
    """

    blur_kernel: Tensor  # (1, 1, 3, 3)

    def __init__(self, config: ModelConfig, state: Mapping[str, Tensor]) -> None:
        """Take the weights that start with "decoder." from the state of a model file; others are left alone.

        Args:
            config: the architecture.
            state: name -> effective weight, as model_file.expected_shapes.
        """
        super().__init__()
        self.config = config
        channels, levels, n = config.decoder_channels, config.block_levels, config.code_size
        self.blocks = nn.ModuleList()
        for i, (before, here) in enumerate(zip((0, *levels), levels, strict=False)):
            lower, width = channels[before], channels[here]
            inputs = (lower, width) if i else (lower,)
            layers = nn.ModuleDict({f"conv{k}": nn.Conv2d(c, width, 3, padding=1) for k, c in enumerate(inputs)})
            layers.update({f"style{k}": nn.Linear(n, 2 * width) for k in range(len(inputs))})
            self.blocks.append(layers)
        self.to_rgb = nn.ModuleList(nn.Conv2d(c, 3, 1) for c in channels)
        taps = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("blur_kernel", (torch.outer(taps, taps) / 16)[None, None], persistent=False)
        _load(self, "decoder.", state)

    def forward(self, styles: Tensor, last: int | None = None) -> Tensor:
        """Decode styles into pictures (B, 3, 4 * 2**last, 4 * 2**last), float32.

        Args:
            styles: one code per block, (B, n_blocks, n), of norm 1; rows beyond level `last` do not matter.
            last: level whose picture is wanted; None means the highest one.
        """
        config = self.config
        last = config.n_levels - 1 if last is None else last
        x = torch.ones(len(styles), config.decoder_channels[0], BASE_SIZE, BASE_SIZE, device=styles.device)
        for i in range(config.last_block(last) + 1):
            x = self._block(i, x, styles[:, i] * config.style_gain)
        picture: Tensor = self.to_rgb[last](x)
        return picture

    def _block(self, i: int, x: Tensor, style: Tensor) -> Tensor:
        """One block: the canvas that enters, its style (B, n) -> the canvas that leaves."""
        layers = cast("nn.ModuleDict", self.blocks[i])
        enlarges = self.config.block_sizes[i] > x.shape[-1]
        for k in range(len(layers) // 2):
            if k == 0 and enlarges:
                x = layers["conv0"](F.interpolate(x, scale_factor=2.0, mode="nearest"))
                x = F.conv2d(x, self.blur_kernel.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])
            else:
                x = layers[f"conv{k}"](x)
            x = _modulate(F.leaky_relu(x, _LEAK), layers[f"style{k}"](style))
        return x


class PlainEncoder(nn.Module):
    """phi: pictures (B, 3, R, R) in [-1, 1] -> codes (B, n) of norm 1.

    Source: Deep Automodulators, App. A.
    """

    def __init__(self, config: ModelConfig, state: Mapping[str, Tensor]) -> None:
        """Take the weights that start with "encoder." from the state of a model file; others are left alone.

        Args:
            config: the architecture.
            state: name -> effective weight, as model_file.expected_shapes.
        """
        super().__init__()
        self.config = config
        channels = config.encoder_channels
        self.stages = nn.ModuleList()
        for i, width in enumerate(channels):
            out = channels[max(i - 1, 0)]
            second = nn.Conv2d(out, out, 3, padding=1) if i else nn.Conv2d(out, config.code_size, BASE_SIZE)
            self.stages.append(nn.ModuleDict({"conv0": nn.Conv2d(width, out, 3, padding=1), "conv1": second}))
        self.from_rgb = nn.ModuleList(nn.Conv2d(3, c, 1) for c in channels)
        _load(self, "encoder.", state)

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures (B, 3, R, R) of any level's size in [-1, 1] into codes (B, n), float32 of norm 1."""
        last = (images.shape[-1] // BASE_SIZE).bit_length() - 1
        x = self.from_rgb[last](images)
        for i in range(last, -1, -1):
            stage = cast("nn.ModuleDict", self.stages[i])
            x = stage["conv1"](F.leaky_relu(stage["conv0"](x), _LEAK))
            if i:
                x = F.avg_pool2d(F.leaky_relu(x, _LEAK), 2)
        return F.normalize(x.flatten(1), dim=1)


def _modulate(x: Tensor, style: Tensor) -> Tensor:
    """Give the maps (B, C, H, W) the standard deviations and means of a style (B, 2 C); the std is the unbiased one."""
    scale, shift = style[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
    mean = x.mean(dim=(2, 3), keepdim=True)
    std = x.std(dim=(2, 3), keepdim=True).clamp_min(_STD_FLOOR)
    return scale * ((x - mean) / std) + shift


def _load(module: nn.Module, prefix: str, state: Mapping[str, Tensor]) -> None:
    """Use the weights of a state as they are; the factors of the layer noise have no part in evaluation."""
    own = {
        name.removeprefix(prefix): tensor.float().contiguous()
        for name, tensor in state.items()
        if name.startswith(prefix) and ".noise" not in name
    }
    module.load_state_dict(own, assign=True)
    module.eval().requires_grad_(False)
