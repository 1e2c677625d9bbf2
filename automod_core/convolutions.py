"""Convolutions of a network that is only used, not trained: weights folded once, the quickest kernel for each shape.

Each class takes effective float32 weights and offers one call, feature maps in and feature maps out. Which of them a
layer gets is decided in `inference_graph.py`; docs/adr/0016 tells what was measured. Maps are laid out as the kernels
want them: channel by channel (contiguous) in float32 on a processor, channels_last otherwise.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

_WINOGRAD_SIDE = 32  # pixels: below, turning the weights takes longer than what is saved
_WINOGRAD_CHANNELS = 32
_WINOGRAD_WORK = 1 << 28  # multiply-adds of the plain form: NNPACK's threads go on turning in vain for a while
_WINOGRAD_TILE = 6  # outputs per side of a tile
_WINOGRAD_BYTES = 64 << 20  # of turned maps at a time, some 7 per value that enters or leaves
_LONG_ROW = 64  # pixels: enough columns for a matrix product
_STRIP_PIXELS = 1 << 13  # of the smaller map that are enlarged at a time, so that sums stay in the cache

Convolution = Callable[[Tensor], Tensor]


@cache
def winograd_is_available() -> bool:
    """Whether this build of PyTorch has NNPACK and the processor can run it; not so on Windows."""
    if not torch.backends.nnpack.is_available():
        return False
    try:
        _winograd(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 3, 3), torch.zeros(1))
    except RuntimeError:
        return False
    return True


def _winograd(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    # The public conv2d takes this kernel for batches of 16 and more only, and only without oneDNN.
    y: Tensor = torch.ops.aten._nnpack_spatial_convolution(x, weight, bias, [1, 1])
    return y


class Same:
    """3x3 convolution, padding 1: (B, in, H, W) -> (B, out, H, W).

    In float32 on a processor, Winograd's minimal filtering F(6x6, 3x3) needs 64 instead of 324 multiplications per 6x6
    outputs. In practice it is 2.5 times as quick as oneDNN's direct kernel where there are enough pixels and channels,
    and off by up to 1e-4 for values of size 1.

    Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308; NNPACK.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self._weight, self._bias = _as_kernel(weight, dtype), bias.to(dtype)
        self._may_winograd = (
            dtype == torch.float32
            and weight.device.type == "cpu"
            and min(weight.shape[:2]) >= _WINOGRAD_CHANNELS
            and winograd_is_available()
        )

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W), in the type of x."""
        height, width = x.shape[2:]
        large = self._weight.numel() * height * width >= _WINOGRAD_WORK
        if self._may_winograd and large and min(height, width) >= _WINOGRAD_SIDE:
            # One by one: for several pictures NNPACK takes another way, which is 1.6 to 2.6 times as slow.
            parts = [self._one_by_winograd(one) for one in x.split(1)]
            return parts[0] if len(parts) == 1 else torch.cat(parts)
        return F.conv2d(x, self._weight, self._bias, padding=1)

    def _one_by_winograd(self, x: Tensor) -> Tensor:
        """The whole of (1, in, H, W) at once, or in strips of rows, so that large maps need no huge workspace."""
        height, width = x.shape[2:]
        values = sum(self._weight.shape[:2]) * width  # in a row that enters and one that leaves
        rows = _WINOGRAD_BYTES // (7 * values) // _WINOGRAD_TILE * _WINOGRAD_TILE - 2  # and one more on either side
        if rows >= height or rows < _WINOGRAD_SIDE:
            return _winograd(x, self._weight, self._bias)
        y = x.new_empty(1, len(self._bias), height, width)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            above = min(top, 1)
            strip = x[:, :, top - above : bottom + 1].contiguous()
            y[:, :, top:bottom] = _winograd(strip, self._weight, self._bias)[:, :, above : above + bottom - top]
        return y


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


class Factored:
    """Nearest-neighbour x2 and a 3x3 convolution as nine matrix products: 2.25 multiplications per output value.

    Along one side, with D_i = x_{i-1} - x_i and S = w0 + w1 + w2, the enlarged and filtered line is

        y_{2i} = w0 D_i + S x_i,    y_{2i+1} = S x_i - w2 D_{i+1},

    so that two outputs take three products, S x_i being common to both. In two dimensions nine products give four
    outputs. The products are those of x, of its differences along either side, and of the differences of both, each
    with the weights of all outputs at once. Float32 on a processor; the sums are exact to the last digits.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._out = len(bias)
        self._bias = bias[:, None]  # (out, 1)
        (rc, rs, rd), (sc, ss, sd), (dc, ds, dd) = (_along(part, -1) for part in _along(weight, -2))
        self._plain = ss.contiguous()  # (out, in)
        self._across = torch.cat([sc, sd])  # (2 out, in): even and odd columns
        self._down = torch.cat([rs, ds])  # (2 out, in): even and odd rows
        self._both = torch.cat([rc, rd, dc, dd])  # (4 out, in): rows, then columns

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, 2H, 2W), contiguous."""
        b, _, h, w = x.shape
        y = x.new_empty(self._out, b, 2 * h, 2 * w)
        framed = F.pad(x, (1, 1, 1, 1)).transpose(0, 1)  # (in, B, H + 2, W + 2)
        pairs = torch.view_as_complex(y.view(self._out, b, h, 2, w, 2))  # two columns as one number: quick to weave
        rows = max(1, min(h, _STRIP_PIXELS // (b * w)))
        for top in range(0, h, rows):
            self._enlarge(framed[:, :, top : top + rows + 2], pairs[:, :, top : top + rows])
        return y.transpose(0, 1).contiguous()

    def _enlarge(self, x: Tensor, pairs: Tensor) -> None:
        """Fill the rows (out, B, h, 2, w), complex, that come from the inner rows of x (in, B, h + 2, w + 2)."""
        h = x.shape[2] - 2
        inner = x[:, :, 1:-1]
        plain = self._product(self._plain, inner[..., 1:-1], self._bias)[0]  # (out, B, h, w)
        across = self._product(self._across, inner[..., :-1] - inner[..., 1:])  # (2, out, B, h, w + 1)
        down = x[:, :, :-1] - x[:, :, 1:]  # (in, B, h + 1, w + 2)
        both = self._product(self._both, down[..., :-1] - down[..., 1:])  # (4, out, B, h + 1, w + 1)
        both = both.unflatten(0, (2, 2))  # odd row?, odd column?
        downs = self._product(self._down, down[..., 1:-1])  # (2, out, B, h + 1, w)
        even, odd = plain + across[0, ..., :-1], plain.add_(across[1, ..., 1:])
        for r in (0, 1):
            edge = downs[r, :, :, r : h + r]
            pairs[:, :, :, r].real.copy_(both[r, 0, :, :, r : h + r, :-1].add_(edge).add_(even))
            pairs[:, :, :, r].imag.copy_(both[r, 1, :, :, r : h + r, 1:].add_(edge).add_(odd))

    def _product(self, weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """(k out, in) times (in, B, h, w) -> (k, out, B, h, w), which need not be contiguous."""
        _, b, h, w = x.shape
        if w < _LONG_ROW:
            columns = x.reshape(len(x), -1)
            y = torch.mm(weight, columns) if bias is None else torch.addmm(bias, weight, columns)
            return y.view(-1, self._out, b, h, w)
        # A product per row: each stays in the cache, and rows are taken where they lie.
        rows, weights = x.permute(1, 2, 0, 3).flatten(0, 1), weight.expand(b * h, -1, -1)  # (B h, in, w)
        y = torch.bmm(weights, rows) if bias is None else torch.baddbmm(bias, weights, rows)
        return y.view(b, h, -1, self._out, w).permute(2, 3, 0, 1, 4)


def to_rgb(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1x1 convolution to a few channels: (B, in, H, W), (out, in, 1, 1), (out,) -> (B, out, H, W)."""
    b, _, h, w = x.shape
    if not x.is_contiguous() or w < _LONG_ROW:
        return F.conv2d(x, weight, bias)
    rows = x.transpose(1, 2).flatten(0, 1)  # (B H, in, W): a matrix product per row reads the maps once
    y = torch.baddbmm(bias[:, None], weight.flatten(1).expand(b * h, -1, -1), rows)
    return y.view(b, h, -1, w).transpose(1, 2).contiguous()


def halve(x: Tensor) -> Tensor:
    """Average 2x2 pixels: (B, C, H, W) -> (B, C, H / 2, W / 2), with H and W even."""
    if not x.is_contiguous():
        return F.avg_pool2d(x, 2)
    pairs = x[:, :, 0::2] + x[:, :, 1::2]  # avg_pool2d takes five times as long in this layout
    return (pairs[..., 0::2] + pairs[..., 1::2]).mul_(0.25)


def _along(weight: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split taps w0, w1, w2 along a dimension into the factors of D_i, x_i and D_{i+1}."""
    w0, w1, w2 = weight.unbind(dim)
    return w0, w0 + w1 + w2, -w2


def up_convolution(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Convolution:
    """The quickest way to enlarge and convolve on the weights' device."""
    if dtype == torch.float32 and weight.device.type == "cpu":
        return Factored(weight, bias)
    return Transposed(weight, bias, dtype)


def layout(dtype: torch.dtype, device: torch.device) -> torch.memory_format:
    """How the maps of a type lie in the memory of a device."""
    if dtype == torch.float32 and device.type == "cpu":
        return torch.contiguous_format
    return torch.channels_last


def _as_kernel(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype).contiguous(memory_format=layout(dtype, weight.device))
