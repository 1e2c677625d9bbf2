"""Hand-written gradients against those that PyTorch derives from the plain formulas."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core import hand_gradients
from automod_core.hand_gradients import blur, halve, modulate


def maps(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).to(dtype)


def plain_modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    mean, std = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
    return scale[..., None, None] * (x - mean) / std + shift[..., None, None]


@pytest.fixture(params=[1, 40, 10**6], ids=["picture by picture", "in uneven pieces", "at once"])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_gradients, "_PIECE", request.param)


@pytest.mark.usefixtures("piece")
def test_modulate_is_the_equation_and_its_gradient() -> None:
    inputs = [t.requires_grad_() for t in (maps(5, 2, 2, 4), maps(5, 2), maps(2, 5).T)]
    torch.testing.assert_close(modulate(*inputs), plain_modulate(*inputs))
    assert torch.autograd.gradcheck(modulate, inputs)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_modulate_with_one_input_that_does_not_learn(frozen: int) -> None:
    inputs = [t.requires_grad_(i != frozen) for i, t in enumerate((maps(2, 3, 4, 4), maps(2, 3), maps(3, 2).T))]
    assert torch.autograd.gradcheck(modulate, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_modulate_in_the_types_of_training(dtype: torch.dtype) -> None:
    """As exact as the type allows, far from zero too; the style stays float32."""
    x, scale, shift, g = maps(3, 8, 16, 16) + 30, maps(3, 8), maps(8, 3).T, maps(3, 8, 16, 16).flip(3) + 1
    low = [x.to(dtype).requires_grad_(), scale.float().requires_grad_(), shift.float().requires_grad_()]
    exact = [t.detach().double().requires_grad_() for t in low]
    y, expected = modulate(*low), plain_modulate(*exact)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(y.double(), expected, atol=tolerance, rtol=tolerance)
    got = torch.autograd.grad(y, low, g.to(dtype))
    for a, b, like in zip(got, torch.autograd.grad(expected, exact, g.to(dtype).double()), low, strict=True):
        assert a.dtype == like.dtype
        torch.testing.assert_close(a.double(), b, atol=tolerance * float(b.abs().max()), rtol=tolerance)


@pytest.mark.parametrize("operation", [blur, halve])
def test_gradients_of_smoothing(operation) -> None:  # noqa: ANN001
    assert torch.autograd.gradcheck(operation, maps(2, 3, 4, 6).requires_grad_())


def test_smoothing_is_what_it_says() -> None:
    x = maps(2, 3, 6, 4)
    torch.testing.assert_close(halve(x), F.interpolate(x, scale_factor=0.5, mode="area"))
    around = F.pad(x, (1, 1, 1, 1))
    rows = (around[:, :, :-2] + 2 * around[:, :, 1:-1] + around[:, :, 2:]) / 4
    torch.testing.assert_close(blur(x), (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4)


@pytest.mark.parametrize("operation", [blur, halve, lambda x: modulate(x, x[..., 0, 0], x[..., 1, 1])])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_any_memory_order_gives_the_same(operation, order: torch.memory_format) -> None:  # noqa: ANN001
    """Maps and gradients may come in different orders; both leave channels by channels."""
    plain = maps(2, 3, 4, 4, dtype=torch.float32).requires_grad_()
    turned = plain.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    a, b = operation(plain), operation(turned)
    torch.testing.assert_close(a, b)
    assert b.is_contiguous(memory_format=torch.channels_last)
    g = maps(*a.shape, dtype=torch.float32).contiguous(memory_format=order)
    a.backward(g)
    b.backward(g)
    torch.testing.assert_close(plain.grad, turned.grad)
