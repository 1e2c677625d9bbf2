"""Convolutions of a network that is only used, not trained, as PyTorch has them: weights folded once.

They serve graphics cards, bfloat16, and float32 where the layers of `tiles` cannot be used (docs/adr/0016). Maps lie in
channels_last.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

Convolution = Callable[[Tensor], Tensor]


class Same:
    """3x3 convolution, padding 1: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self._weight, self._bias = _as_kernel(weight, dtype), bias.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W), in the type of x."""
        return F.conv2d(x, self._weight, self._bias, padding=1)


class Transposed:
    """Nearest-neighbour x2 and a 3x3 convolution as one transposed 4x4 convolution, whose kernel is summed up once.

    (B, in, H, W) -> (B, out, 2H, 2W), with 4 instead of 9 multiplications per output value; see layers.UpConv.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        kernel = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))  # (in, out, 5, 5)
        self._kernel = _as_kernel(4 * F.avg_pool2d(kernel, 2, stride=1), dtype)  # (in, out, 4, 4)
        self._bias = bias.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, 2H, 2W), in the type of x."""
        return F.conv_transpose2d(x, self._kernel, self._bias, stride=2, padding=1)


def _as_kernel(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype).contiguous(memory_format=torch.channels_last)
