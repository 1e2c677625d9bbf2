"""A small picture out of a canvas on its way to the full one, in the colours of the full one.

The last thing that the decoder does is to normalise each of its maps x, to scale and shift them by the last style, and
to add them up to RGB:

    picture = H (s * x + t) + b,   with mean(x) = 0 for each map,   so that   mean(picture) = H t + b.

The mean colour of a picture therefore follows from its last style, exactly, before a single block has run; and how
much each map counts follows too. Only x has to be guessed from the lower canvas, by a matrix V for each resolution,
which preview_heads.py fits: preview = H (s * V (canvas - mean(canvas)) + t) + b. The small factors are multiplied
first, so that a preview costs one 1x1 convolution to three channels.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.model_file import preview_heads_of


class PreviewPainter:
    """Paints previews of one model. See docs/adr/0017-preview-heads-in-closed-form.md."""

    def __init__(self, config: ModelConfig, state: Mapping[str, Tensor], device: torch.device) -> None:
        top, last = config.n_levels - 1, config.n_blocks - 1
        head, style = f"decoder.to_rgb.{top}", f"decoder.blocks.{last}.style{1 if last else 0}"
        self._rgb = state[f"{head}.weight"].to(device).flatten(1)  # H: (3, C_top)
        self._rgb_bias = state[f"{head}.bias"].to(device)
        self._style, self._style_bias = state[f"{style}.weight"].to(device), state[f"{style}.bias"].to(device)
        self._last, self._gain = last, config.style_gain
        self.heads = [head.to(device).flatten(1) for head in preview_heads_of(state, config)]  # V, (C_top, C) each

    def with_heads(self, heads: list[Tensor]) -> "PreviewPainter":
        """A painter of the same model with other heads (C_top, C), lowest level first."""
        other = copy.copy(self)
        other.heads = heads
        return other

    def modulation(self, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Scale s and shift t, (B, C_top) each, of the maps that leave the last block, for styles (B, n_blocks, n)."""
        style = styles[:, self._last] * self._gain
        scale, shift = torch.addmm(self._style_bias, style, self._style.T).chunk(2, dim=1)
        return scale, shift

    def picture(self, canvas: Tensor, level: int, styles: Tensor) -> Tensor:
        """Guess the full picture, made small, from the canvas (B, C, r, r) that left the last block of a lower level.

        Returns:
            Pictures (B, 3, r, r), float32. The mean of each of their channels is that of the full picture.
        """
        scale, shift = self.modulation(styles)
        weight = (self._rgb * scale[:, None]) @ self.heads[level]  # H diag(s) V: (B, 3, C)
        rgb = _at_each_pixel(weight.to(canvas.dtype), canvas).float()
        colour = shift @ self._rgb.T + self._rgb_bias  # H t + b: (B, 3)
        rgb += (colour - rgb.mean(dim=2))[:, :, None]
        return rgb.unflatten(2, canvas.shape[2:])


def _at_each_pixel(weight: Tensor, canvas: Tensor) -> Tensor:
    """Multiply (B, 3, C) by a canvas (B, C, r, r): (B, 3, r * r). Along its memory, which is several times faster."""
    if canvas.is_contiguous():
        return weight @ canvas.flatten(2)
    return (canvas.permute(0, 2, 3, 1).flatten(1, 2) @ weight.mT).mT
