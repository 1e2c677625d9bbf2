"""Layers against slow, literal versions of themselves, and their gradients."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from automod_core.hand_gradients import blur
from automod_core.layers import (
    Conv,
    UpConv,
    adain,
    add_noise,
    equalise,
    iterate_spectral_norms,
    normalise_spectrally,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def literal_adain(x: Tensor, style: Tensor) -> Tensor:
    out = torch.empty_like(x)
    batch, channels = x.shape[:2]
    for b in range(batch):
        for c in range(channels):
            values = x[b, c].flatten().tolist()
            mean = sum(values) / len(values)
            variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)  # unbiased
            s, m = float(style[b, c]), float(style[b, channels + c])
            out[b, c] = s * (x[b, c] - mean) / math.sqrt(variance) + m
    return out


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 1, 2), (3, 5, 8, 6)])
def test_adain_is_the_equation(shape: tuple[int, ...]) -> None:
    x, style = noise(*shape) * 3 + 1, noise(shape[0], 2 * shape[1], seed=1)
    torch.testing.assert_close(adain(x, style), literal_adain(x, style))


def test_adain_gives_each_map_its_new_mean_and_unbiased_std() -> None:
    x, style = noise(2, 3, 8, 8), noise(2, 6, seed=1).abs() + 0.1
    y = adain(x, style)
    torch.testing.assert_close(y.mean(dim=(2, 3)), style[:, 3:])
    torch.testing.assert_close(y.flatten(2).std(dim=2), style[:, :3])


def test_adain_of_a_flat_map_is_finite() -> None:
    """The equation says 0 / 0 there."""
    style = torch.tensor([[2.0, 0.5]])
    assert torch.equal(adain(torch.zeros(1, 1, 4, 4), style), torch.full((1, 1, 4, 4), 0.5))
    assert float(adain(torch.full((1, 1, 4, 4), 3.0), style).abs().max()) < 10


def test_adain_in_a_batch_is_the_same_as_alone() -> None:
    x, style = noise(4, 3, 4, 4).float(), noise(4, 6, seed=1).float()
    alone = torch.cat([adain(x[i : i + 1], style[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(adain(x, style), alone)


def test_adain_gradient() -> None:
    x, style = noise(2, 2, 3, 3).requires_grad_(), noise(2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(adain, (x, style))


def test_adain_in_bfloat16_stays_near() -> None:
    x, style = noise(2, 4, 8, 8).float(), noise(2, 8, seed=1).float()
    near = adain(x.bfloat16(), style)
    assert near.dtype == torch.bfloat16
    torch.testing.assert_close(near.float(), adain(x, style), rtol=0.05, atol=0.05)


def literal_blur(x: Tensor) -> Tensor:
    taps = (0.25, 0.5, 0.25)
    out = torch.zeros_like(x)
    height, width = x.shape[2:]
    for r in range(height):
        for c in range(width):
            for i in (-1, 0, 1):
                for j in (-1, 0, 1):
                    if 0 <= r + i < height and 0 <= c + j < width:
                        out[:, :, r, c] += taps[i + 1] * taps[j + 1] * x[:, :, r + i, c + j]
    return out


def test_blur_is_the_kernel_with_zeros_around() -> None:
    x = noise(2, 3, 5, 4)
    torch.testing.assert_close(blur(x), literal_blur(x))
    assert torch.autograd.gradcheck(blur, (noise(1, 2, 3, 3).requires_grad_(),))


@pytest.mark.parametrize(("inner", "outer", "size"), [(3, 5, (4, 4)), (1, 1, (1, 1)), (4, 2, (3, 7))])
def test_up_conv_is_up_sampling_then_convolution(inner: int, outer: int, size: tuple[int, int]) -> None:
    conv = UpConv(inner, outer, 3, padding=1).double()
    x = noise(2, inner, *size)
    enlarged = F.interpolate(x, scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(conv(x), F.conv2d(enlarged, conv.weight, conv.bias, padding=1))


def test_up_conv_gradients_are_those_of_the_slow_way() -> None:
    conv = UpConv(2, 3, 3, padding=1).double()
    x = noise(2, 2, 4, 4).requires_grad_()
    wanted = noise(2, 3, 8, 8, seed=1)
    inputs = (x, conv.weight, conv.bias)
    fast = torch.autograd.grad((conv(x) * wanted).sum(), inputs)
    enlarged = F.interpolate(x, scale_factor=2.0, mode="nearest")
    slow = torch.autograd.grad((F.conv2d(enlarged, conv.weight, conv.bias, padding=1) * wanted).sum(), inputs)
    torch.testing.assert_close(fast, slow)
    assert torch.autograd.gradcheck(conv, (noise(1, 2, 2, 2).requires_grad_(),))


def test_conv_follows_the_type_of_the_picture() -> None:
    conv = Conv(2, 3, 3, padding=1)
    x = noise(1, 2, 4, 4).float()
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1))
    assert conv(x.bfloat16()).dtype == torch.bfloat16
    assert conv.weight.dtype == torch.float32


def test_noise_is_independent_scaled_and_repeatable() -> None:
    x, scale = torch.zeros(2, 3, 32, 32), torch.tensor([0.0, 1.0, 3.0])
    drawn = add_noise(x, scale, 3)
    assert torch.equal(drawn, add_noise(x, scale, 3))
    raw = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, raw * scale.reshape(1, 3, 1, 1))
    assert torch.equal(drawn[:, 0], x[:, 0])
    assert not torch.equal(drawn[0, 1], drawn[1, 1])  # one noise per picture
    assert not torch.equal(drawn[0, 1], drawn[0, 2] / 3)  # and per channel


def test_no_generator_means_no_noise() -> None:
    x = noise(1, 2, 4, 4)
    assert add_noise(x, torch.ones(2), None) is x


def test_equalised_weight_is_the_stored_one_times_its_gain() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(7, 5, 3)
    equalise(conv)
    stored = conv.parametrizations.weight.original
    torch.testing.assert_close(conv.weight, stored * math.sqrt(2 / (7 * 9)))
    assert float(stored.detach().std()) == pytest.approx(1, abs=0.2)
    assert not conv.bias.any()
    wanted = torch.randn(5, 7, 3, 3)
    conv.weight = wanted
    torch.testing.assert_close(conv.weight, wanted)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradient_order", [torch.contiguous_format, torch.channels_last])
def test_adain_has_right_gradients_in_any_memory_order(
    batch: int, order: torch.memory_format, gradient_order: torch.memory_format
) -> None:
    """The batch-norm kernel itself gives wrong ones if the two orders differ and there is a single picture."""
    x = torch.randn(batch, 6, 4, 4).contiguous(memory_format=order).requires_grad_()
    style = torch.randn(batch, 12, requires_grad=True)
    gradient = torch.randn(batch, 6, 4, 4).contiguous(memory_format=gradient_order)
    scale, shift = style[:, :6, None, None], style[:, 6:, None, None]
    literal = scale * (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True) + shift
    wanted = torch.autograd.grad(literal, (x, style), gradient)
    found = torch.autograd.grad(adain(x, style), (x, style), gradient)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_spectral_normalisation_divides_by_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3)
    normalise_spectrally(conv)
    stored = conv.parametrizations.weight.original
    for _ in range(200):
        iterate_spectral_norms(conv)
    largest = torch.linalg.svdvals(stored.flatten(1))[0]
    torch.testing.assert_close(conv.weight, stored / largest, rtol=1e-4, atol=1e-5)
    assert not conv.bias.any()


def test_a_spectral_norm_holds_still_between_iterations_and_lets_gradients_through() -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(3, 4, 3)
    normalise_spectrally(conv)
    before = conv.weight.detach()
    conv(torch.randn(2, 3, 5, 5))
    assert torch.equal(conv.weight, before)
    parametrisation, stored = conv.parametrizations.weight[0], conv.parametrizations.weight.original
    assert torch.autograd.gradcheck(parametrisation.double(), (stored.detach().double().requires_grad_(),))
