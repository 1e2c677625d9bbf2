"""What a trainer is given: pictures, pairs of them, and something that looks at them."""

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor


class PictureSource(Protocol):
    """Gives training pictures."""

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """Return the pictures with these numbers (B,), int64, of the run: (B, 3, R, R), uint8, mirrored or not."""
        ...


class PairSource(Protocol):
    """Gives pairs of pictures that share what some blocks carry."""

    def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """Return the pairs with these numbers (B,), int64, of the run: twice (B, 3, R, R), uint8."""
        ...


class Perception(Protocol):
    """Looks at pictures as a viewer would."""

    size: int  # numbers that sum up what is seen in a picture

    def look(self, x: Tensor) -> list[Tensor] | None:
        """See pictures (B, 3, R, R) in [-1, 1]: feature maps, then what they sum up to, (B, size).

        None where R is too small to see anything.
        """
        ...

    def distance(self, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
        """Compare pictures with what `look` saw: a scalar >= 0, a mean over the batch, with a gradient to x_rec."""
        ...


def blend(pixels: Tensor, fade: float) -> Tensor:
    """Turn uint8 pictures (B, 3, R, R) into [-1, 1]; while a block fades in, so do their details.

    Args:
        pixels: the pictures.
        fade: weight in [0, 1] of the finest details; the rest comes from the halved picture, enlarged.

    Source: Progressive Growing of GANs, arXiv:1710.10196, Sec. 2.
    """
    x = (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    if fade < 1:
        x = torch.lerp(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="nearest"), x, fade)
    return x
