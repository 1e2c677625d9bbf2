"""The layers of the automodulator: one idea and one source each."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn
from torch.nn.utils import parametrize

from automod_core.hand_gradients import VARIANCE_FLOOR, modulate

LEAK = 0.2  # slope of every LeakyReLU in the published models
_FIRST_ITERATIONS = 15  # of the power method, on a fresh weight
_LONG_SUM = 128 * 128  # values; with four times as many, sums one by one in float32 are off by some 1e-5


class EqualisedWeight(nn.Module):
    """Parametrisation: a weight that is stored as N(0, 1) and scaled by sqrt(2 / fan_in) at each use.

    Source: equalised learning rate, Progressive Growing of GANs, arXiv:1710.10196, Sec. 4.1.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.scale = (2 / weight[0].numel()) ** 0.5

    def forward(self, stored: Tensor) -> Tensor:
        """Stored weight (out, in, k, k) -> effective weight, same shape."""
        return stored * self.scale

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Effective weight -> stored weight, so that assigning to `weight` does what it says."""
        return weight / self.scale


def adain(x: Tensor, style: Tensor) -> Tensor:
    """Normalise each feature map, then give it a new standard deviation and mean.

    For a single picture without a gradient, the batch-norm kernel does it in one pass, with every map as a channel. It
    divides by the biased std, which a factor puts right, and sums value by value in float32, so long sums are taken
    beforehand, more exactly.

    Args:
        x: feature maps (B, C, H, W) with H * W > 1.
        style: (B, 2 C): the new standard deviations s, then the new means m.

    Returns:
        s * (x - mean) / std + m, shaped and typed as x; std is the unbiased one (N - 1), without an epsilon.

    Source: Deep Automodulators, Eq. 3; the unbiased std is a fact of the published models.
    """
    b, _, h, w = x.shape
    scale, shift = style.chunk(2, dim=1)  # (B, C) each
    if b > 1 or torch.is_grad_enabled():
        return modulate(x, scale, shift)
    scale = scale * ((h * w - 1) / (h * w)) ** 0.5
    mean = variance = None
    if h * w > _LONG_SUM:
        mean = x.mean((0, 2, 3))
        variance = (x - mean[:, None, None]).square().mean((0, 2, 3))
    y = F.batch_norm(x, mean, variance, scale[0], shift[0], training=mean is None, eps=VARIANCE_FLOOR)
    return y.contiguous(memory_format=torch.channels_last)


def add_noise(x: Tensor, scale: Tensor, seed: int | None) -> Tensor:
    """Add N(0, 1) noise, independent per pixel and channel, times a factor per channel.

    Args:
        x: feature maps (B, C, H, W).
        scale: factors (C,).
        seed: fixes the noise, so that a second pass over the same layer (to save memory) sees the same; None adds none.

    Source: Deep Automodulators, Sec. 4; StyleGAN, arXiv:1812.04948, Sec. 2.
    """
    if seed is None:
        return x
    random = torch.Generator(x.device).manual_seed(seed)
    noise = torch.randn(x.shape, generator=random, device=x.device, dtype=torch.float32)
    return x + (noise * scale[:, None, None]).to(x.dtype)


class Conv(nn.Conv2d):
    """Convolution whose float32 weights follow the type of the picture, so that bfloat16 needs no second copy."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H', W'), in the type of x."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, self.weight.to(x.dtype), bias, self.stride, self.padding)


class UpConv(nn.Conv2d):
    """Nearest-neighbour x2 up-sampling followed by a 3x3 convolution, done as one transposed convolution.

    Each of the four output phases sees only 2x2 input pixels, so the 3x3 kernel summed over 2x2 boxes gives the
    same result with 4 instead of 9 multiplications per output value.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, 2H, 2W), in the type of x."""
        kernel = F.pad(self.weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))  # (in, out, 5, 5)
        kernel = 4 * F.avg_pool2d(kernel, 2, stride=1)  # (in, out, 4, 4): box sums
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv_transpose2d(x, kernel.to(x.dtype), bias, stride=2, padding=1)


def equalise(conv: nn.Conv2d) -> None:
    """Give a convolution the equalised learning rate, with a fresh N(0, 1) weight and zero bias."""
    parametrize.register_parametrization(conv, "weight", EqualisedWeight(conv.weight))
    stored = cast("parametrize.ParametrizationList", conv.parametrizations["weight"]).original  # type: ignore[index]
    nn.init.normal_(stored)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


class SpectralWeight(nn.Module):
    """Parametrisation: a weight divided by its largest singular value, as far as power iteration knows it.

    The iteration is a call of its own, not part of the use of the weight: a training step uses an encoder several
    times, some of them twice over to save memory, and all must see the same weight.

    Source: spectral normalisation, arXiv:1802.05957, Sec. 2.1 and Algorithm 1.
    """

    u: Tensor  # (out,)
    v: Tensor  # (in * k * k,)

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)  # (out, in * k * k)
        self.register_buffer("u", F.normalize(torch.randn(matrix.shape[0]), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(matrix.shape[1]), dim=0))
        for _ in range(_FIRST_ITERATIONS):
            self.iterate(matrix)

    def forward(self, stored: Tensor) -> Tensor:
        """Stored weight (out, in, k, k) -> effective weight, same shape; u and v count as constants."""
        return stored / torch.dot(self.u, torch.mv(stored.flatten(1), self.v))

    @torch.no_grad()
    def iterate(self, stored: Tensor) -> None:
        """Bring u and v one step nearer to the leading singular vectors of the stored weight."""
        matrix = stored.flatten(1)
        self.v.copy_(F.normalize(torch.mv(matrix.T, self.u), dim=0))
        self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))


def normalise_spectrally(conv: nn.Conv2d) -> None:
    """Divide the weight of a convolution by its largest singular value; fresh Kaiming-normal weight, zero bias."""
    nn.init.kaiming_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    parametrize.register_parametrization(conv, "weight", SpectralWeight(conv.weight), unsafe=True)


def iterate_spectral_norms(module: nn.Module) -> None:
    """Make one power iteration on every spectrally normalised weight; once per step is what training needs."""
    for part in module.modules():
        if isinstance(part, parametrize.ParametrizationList) and isinstance(part[0], SpectralWeight):
            part[0].iterate(part.original)
