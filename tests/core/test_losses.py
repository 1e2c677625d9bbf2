"""Losses against independent versions, and their gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from automod_core.losses import code_kl, cosine_distance, layer_disentanglement, margin_gap, reconstruction, uniformity


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("batch", "size"), [(2, 1), (16, 8), (5, 33)])
def test_code_kl_agrees_with_torch_distributions(batch: int, size: int) -> None:
    z = noise(batch, size) * 0.3 + 0.1
    fitted = Normal(z.mean(0), z.var(0, unbiased=False).sqrt())
    standard = Normal(torch.zeros(size).double(), torch.ones(size).double())
    torch.testing.assert_close(code_kl(z), kl_divergence(fitted, standard).mean())
    assert torch.autograd.gradcheck(code_kl, (z.requires_grad_(),))


def test_code_kl_is_zero_for_mean_0_and_variance_1() -> None:
    z = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert float(code_kl(z)) == pytest.approx(0, abs=1e-12)


def test_code_kl_prefers_codes_that_are_spread() -> None:
    z = noise(64, 16)
    spread = z / z.norm(dim=1, keepdim=True)
    crowded = spread + torch.eye(16).double()[0] * 3
    crowded = crowded / crowded.norm(dim=1, keepdim=True)
    assert code_kl(spread) < code_kl(crowded)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (2, 3, 4)])
def test_code_kl_refuses_what_is_no_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="z must be"):
        code_kl(torch.zeros(shape))


@pytest.mark.parametrize(
    ("real", "fake", "margin", "expected"),
    [
        (1.0, 1.02, 0.05, -0.02),  # inside
        (1.0, 1.2, 0.05, -0.05),  # far ahead: limited
        (1.2, 1.0, 0.05, 0.025),  # behind: half the margin
        (1.0, 9.0, 0.0, -8.0),  # 0 means no limit
        (9.0, 1.0, 0.0, 8.0),
    ],
)
def test_margin_gap_limits(real: float, fake: float, margin: float, expected: float) -> None:
    assert float(margin_gap(torch.tensor(real), torch.tensor(fake), margin)) == pytest.approx(expected, abs=1e-6)


def test_margin_gap_has_no_gradient_beyond_its_limits() -> None:
    for fake, slope in ((1.02, 1.0), (1.2, 0.0), (0.5, 0.0)):
        real = torch.tensor(1.0, requires_grad=True)
        margin_gap(real, torch.tensor(fake), 0.05).backward()
        assert float(real.grad) == slope


def test_cosine_distance() -> None:
    a, b = noise(5, 7), noise(5, 7, seed=1)
    literal = sum(1 - float(x @ y) / float(x.norm() * y.norm()) for x, y in zip(a, b, strict=True)) / 5
    assert float(cosine_distance(a, b)) == pytest.approx(literal)
    assert float(cosine_distance(a, 3 * a)) == pytest.approx(0, abs=1e-12)
    assert float(cosine_distance(a, -a)) == pytest.approx(2)
    assert torch.autograd.gradcheck(cosine_distance, (a.requires_grad_(), b.requires_grad_()))


def literal_reconstruction(x_rec: Tensor, x: Tensor, edge_weight: float) -> float:
    error = (x_rec - x).tolist()
    flat, across, down = [], [], []
    for picture in error:
        for plane in picture:
            for r, row in enumerate(plane):
                for c, value in enumerate(row):
                    flat.append(abs(value))
                    if c:
                        across.append(abs(value - row[c - 1]))
                    if r:
                        down.append(abs(value - plane[r - 1][c]))
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    return mean(flat) + edge_weight * (mean(across) + mean(down))


@pytest.mark.parametrize("edge_weight", [0.0, 1.0, 0.3])
def test_reconstruction(edge_weight: float) -> None:
    a, b = noise(2, 3, 4, 5), noise(2, 3, 4, 5, seed=1)
    assert float(reconstruction(a, b, edge_weight)) == pytest.approx(literal_reconstruction(a, b, edge_weight))
    assert float(reconstruction(a, a, edge_weight)) == 0
    check = (noise(1, 3, 2, 2).requires_grad_(), noise(1, 3, 2, 2, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(lambda x, y: reconstruction(x, y, edge_weight), check)


def test_edges_do_not_see_an_error_of_brightness() -> None:
    a = noise(1, 3, 4, 4)
    assert float(reconstruction(a + 0.5, a, 10.0)) == pytest.approx(0.5)


def test_layer_disentanglement() -> None:
    a, b = noise(2, 3, 4, 4), noise(2, 3, 4, 4, seed=1)
    pairs = zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)
    literal = sum((x - y) ** 2 for x, y in pairs) / a.numel()
    assert float(layer_disentanglement(a, b)) == pytest.approx(literal, rel=1e-6)
    assert layer_disentanglement(a.bfloat16(), b.bfloat16()).dtype == torch.float32


def test_uniformity_agrees_with_a_loop_over_pairs() -> None:
    z = F.normalize(torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), dim=1)
    pairs = [math.exp(-2 * float((z[i] - z[j]).square().sum())) for i in range(7) for j in range(i)]
    assert uniformity(z).item() == pytest.approx(math.log(sum(pairs) / len(pairs)))
    assert torch.autograd.gradcheck(uniformity, (z.requires_grad_(),))


def test_uniformity_prefers_codes_that_use_every_direction() -> None:
    generator = torch.Generator().manual_seed(4)
    even = F.normalize(torch.randn(64, 16, generator=generator), dim=1)
    flat = F.normalize(torch.cat([torch.randn(64, 4, generator=generator), torch.zeros(64, 12)], dim=1), dim=1)
    assert uniformity(even) < uniformity(flat)
