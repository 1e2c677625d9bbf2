"""Operations whose gradient is written by hand, because the one that PyTorch derives is several times slower.

All of them keep feature maps in the channels_last layout, forwards and backwards: a change of layout costs more than
the operation itself. Sums are taken in float32 at least, whatever the type of the maps.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor
from torch.autograd.function import once_differentiable

VARIANCE_FLOOR = 1e-14  # only keeps a perfectly constant map from becoming 0 / 0
_PIECE = 2**18  # values; as float32 they fill half of the second-level cache of one core


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Give each feature map a new standard deviation and mean: scale * (x - mean) / std + shift, std with N - 1.

    Args:
        x: feature maps (B, C, H, W) with H * W > 1.
        scale: the new standard deviations (B, C).
        shift: the new means (B, C).

    Returns:
        Maps shaped and typed as x, in channels_last.

    Source: Deep Automodulators, Eq. 3.
    """
    return cast("Tensor", _Modulate.apply(x, scale, shift))


class _Modulate(torch.autograd.Function):
    """With c = x - mean and r = 1 / std: y = scale * r * c + shift.

    dr / dc = -r^3 c / (N - 1), hence for the gradient g of y
    dscale = r sum(g c),  dshift = sum(g),  dx = scale * r * (g - mean(g) - r^2 sum(g c) / (N - 1) * c).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:  # noqa: D102 - as every one
        x = x.contiguous(memory_format=torch.channels_last)
        full, count = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
        scale, shift = (t[:, :, None, None].to(full) for t in (scale, shift))
        mean, rate, y = torch.empty_like(scale), torch.empty_like(scale), torch.empty_like(x)
        for i in _pieces(x):
            torch.sum(x[i], (2, 3), keepdim=True, dtype=full, out=mean[i]).div_(count)
            centred = x[i].to(full) - mean[i]
            torch.sum(centred * centred, (2, 3), keepdim=True, out=rate[i])
            rate[i].div_(count - 1).add_(VARIANCE_FLOOR).rsqrt_()
            y[i] = centred.mul_(scale[i] * rate[i]).add_(shift[i])
        ctx.save_for_backward(x, mean, rate, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:  # noqa: D102
        x, mean, rate, scale = ctx.saved_tensors
        full, count = rate.dtype, x.shape[2] * x.shape[3]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        total, with_c = torch.empty_like(rate), torch.empty_like(rate)  # sum(g), sum(g c)
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for i in _pieces(x):
            torch.sum(gradient[i], (2, 3), keepdim=True, dtype=full, out=total[i])
            g, centred = gradient[i].to(full), x[i].to(full) - mean[i]
            torch.sum(g * centred, (2, 3), keepdim=True, out=with_c[i])
            if dx is not None:
                factor = scale[i] * rate[i]
                centred.mul_(-factor * rate[i].square() * with_c[i] / (count - 1)).sub_(factor * total[i] / count)
                dx[i] = centred.addcmul_(g, factor)
        return dx, (rate * with_c)[:, :, 0, 0], total[:, :, 0, 0]


def _pieces(x: Tensor) -> Iterator[slice]:
    """Pictures to work on at once: on a CPU so few that what lies between the operations stays in its cache."""
    if x.device.type != "cpu":
        return iter([slice(None)])
    count = max(1, _PIECE * torch.get_num_threads() // x[0].numel())
    return (slice(i, i + count) for i in range(0, len(x), count))


def blur(x: Tensor) -> Tensor:
    """Smooth with [1 2 1] x [1 2 1] / 16 and zero padding 1; (B, C, H, W) -> the same shape.

    The kernel is its own mirror image, so the gradient is smoothed by the same operation.

    Source: StyleGAN, arXiv:1812.04948, App. C.
    """
    return cast("Tensor", _Blur.apply(x))


class _Blur(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _smooth(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _smooth(gradient.contiguous(memory_format=torch.channels_last))


def _smooth(x: Tensor) -> Tensor:
    row = (2 - torch.arange(-1, 2, device=x.device, dtype=x.dtype).abs()) / 4  # made there: a copy would wait for it
    kernel = (row[:, None] * row).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def halve(x: Tensor) -> Tensor:
    """Average 2x2 pixels: (B, C, H, W) -> (B, C, H / 2, W / 2), with H and W even."""
    return cast("Tensor", _Halve.apply(x))


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        quarter = (gradient / 4).contiguous(memory_format=torch.channels_last)
        return F.interpolate(quarter, scale_factor=2.0, mode="nearest")
