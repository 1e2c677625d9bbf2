"""The robust loss against exact arithmetic, numerical integration and the published definition."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core.robust import RobustLoss, general_loss, log_partition, negative_log_likelihood

INF = math.inf
X = (-40.0, -3.0, -0.5, 1e-3, 0.25, 1.0, 7.0, 300.0)
SHAPES = (-1e3, -2.0, -0.3, -1e-4, -1e-9, 1e-12, 1e-6, 0.031, 0.032, 0.5, 1.0, 1.5, 1.999, 2 - 1e-7, 2 + 1e-7, 2.5, 4.0)


def exact(x: Decimal, alpha: Decimal, scale: Decimal) -> Decimal:
    """The published formula as it stands, in decimals of 80 digits; not for the limits."""
    b = abs(alpha - 2)
    return b / alpha * (((x / scale) ** 2 / b + 1) ** (alpha / 2) - 1)


def exact_with_slopes(x: float, alpha: float, scale: float) -> list[float]:
    """Value and slopes in x, alpha and scale, by differences of numbers so long that nothing is lost."""
    with localcontext(prec=80):
        at = [Decimal(x), Decimal(alpha), Decimal(scale)]
        h = Decimal("1e-30")
        found = [exact(*at)]
        for i in range(3):
            up, down = ([v + (sign * h if i == k else 0) for k, v in enumerate(at)] for sign in (1, -1))
            found.append((exact(*up) - exact(*down)) / (2 * h))
        return [float(v) for v in found]


def with_slopes(x: float, alpha: float, scale: float, dtype: torch.dtype = torch.float64) -> list[float]:
    at = [torch.tensor(v, dtype=dtype, requires_grad=True) for v in (x, alpha, scale)]
    loss = general_loss(*at)
    loss.backward()
    return [loss.item(), *(v.grad.item() for v in at)]


@pytest.mark.parametrize("alpha", SHAPES)
def test_value_and_slopes_are_those_of_the_published_formula(alpha: float) -> None:
    for x in X:
        for scale in (0.1, 1.0, 3.0):
            if alpha > 2 and abs(x) / scale > 100:
                continue
            expected = exact_with_slopes(x, alpha, scale)
            assert with_slopes(x, alpha, scale) == pytest.approx(expected, rel=2e-12, abs=1e-12), (x, scale)


@pytest.mark.parametrize("alpha", [0.001, 0.031, 0.032, 0.5, 1.0, 1.5, 1.9, 1.999])
def test_float32_is_enough_for_training(alpha: float) -> None:
    alpha = float(np.float32(alpha))
    for x in (-2.0, -0.25, 0.125, 1.0):
        for scale in (0.0625, 1.0):
            expected = exact_with_slopes(x, alpha, scale)
            assert with_slopes(x, alpha, scale, torch.float32) == pytest.approx(expected, rel=3e-5, abs=1e-5)


def limits(x: float, scale: float) -> dict[float, tuple[float, float]]:
    """Shape -> loss and slope in x, from the closed forms of the limits."""
    s = (x / scale) ** 2
    return {
        -INF: (1 - math.exp(-s / 2), x / scale**2 * math.exp(-s / 2)),
        0.0: (math.log(s / 2 + 1), 2 * x / (x**2 + 2 * scale**2)),
        2.0: (s / 2, x / scale**2),
        INF: (math.exp(s / 2) - 1, x / scale**2 * math.exp(s / 2)),
    }


@pytest.mark.parametrize("alpha", [-INF, 0.0, 2.0, INF])
@pytest.mark.parametrize(("dtype", "precision"), [(torch.float32, 5e-6), (torch.float64, 5e-14)])
def test_the_limits(alpha: float, dtype: torch.dtype, precision: float) -> None:
    for x in (-3.0, -0.5, 0.25, 2.0):
        for scale in (0.75, 2.0):
            loss, slope = limits(x, scale)[alpha]
            expected = [loss, slope, -x / scale * slope]
            value, by_x, by_alpha, by_scale = with_slopes(x, alpha, scale, dtype)
            assert [value, by_x, by_scale] == pytest.approx(expected, rel=precision)
            assert math.isfinite(by_alpha)


def test_the_slope_in_alpha_at_0_is_that_of_both_sides_and_at_infinity_none() -> None:
    for x in (-3.0, 0.5):
        sides = [exact_with_slopes(x, alpha, 1.0)[2] for alpha in (-1e-15, 1e-15)]
        assert with_slopes(x, 0.0, 1.0)[2] == pytest.approx(sides[0], rel=1e-12)
        assert with_slopes(x, 0.0, 1.0)[2] == pytest.approx(sides[1], rel=1e-12)
        assert with_slopes(x, INF, 1.0)[2] == with_slopes(x, -INF, 1.0)[2] == 0


def test_the_slope_in_alpha_at_2_is_that_of_the_closest_number_below() -> None:
    expected = exact_with_slopes(1.5, math.nextafter(2.0, 0.0), 1.0)[2]
    assert with_slopes(1.5, 2.0, 1.0)[2] == pytest.approx(expected, rel=1e-12)


def test_no_error_costs_nothing() -> None:
    alpha = torch.tensor([-INF, -1.0, 0.0, 1.0, 2.0, 3.0, INF], requires_grad=True)
    x = torch.zeros(7, requires_grad=True)
    scale = torch.ones(7, requires_grad=True)
    loss = general_loss(x, alpha, scale)
    loss.sum().backward()
    for found in (loss, x.grad, alpha.grad, scale.grad):
        assert torch.equal(found, torch.zeros(7))


def spread(*shape: int, low: float, high: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (low + (high - low) * torch.rand(*shape, dtype=torch.float64, generator=generator)).requires_grad_()


def test_gradients_of_the_general_loss_through_broadcasting() -> None:
    x = spread(2, 3, 2, low=-4, high=4, seed=0)
    alpha = torch.tensor([[[-1.0], [0.0], [1.2]]], dtype=torch.float64, requires_grad=True)
    scale = spread(2, low=0.2, high=2, seed=1)
    assert torch.autograd.gradcheck(general_loss, (x, alpha, scale))
    assert torch.autograd.gradcheck(general_loss, (x[0, 0, 0].detach().requires_grad_(), alpha, scale))


def literal_loss(x: np.ndarray, alpha: float) -> np.ndarray:
    if alpha == 0:
        return np.log1p(x**2 / 2)
    if alpha == 2:
        return x**2 / 2
    b = 2 - alpha
    return b / alpha * np.expm1(alpha / 2 * np.log1p(x**2 / b))


def integral(alpha: float) -> float:
    """Of exp(-loss), by Gauss-Legendre on intervals that grow with x; the tail of alpha = 0 beyond 1e18 is 2e-18."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    edges = np.concatenate([[0], np.geomspace(1e-8, 1e18, 150)])
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return float(2 * (half * weights * np.exp(-literal_loss(middle + half * nodes, alpha))).sum())


def partition_shapes() -> np.ndarray:
    random = np.random.default_rng(7)
    return np.concatenate(
        [[0, 1, 2], random.uniform(0, 2, 60), 2 - np.geomspace(1e-12, 0.1, 20), np.geomspace(1e-6, 0.1, 40)]
    )


def test_the_integral_has_the_known_values() -> None:
    assert integral(0) == pytest.approx(math.pi * math.sqrt(2), rel=1e-12)
    assert integral(1) == pytest.approx(2 * math.e * 0.6019072301972346, rel=1e-12)  # 2 e K_1(1)
    assert integral(2) == pytest.approx(math.sqrt(2 * math.pi), rel=1e-12)


@pytest.mark.parametrize(("dtype", "precision"), [(torch.float32, 1e-6), (torch.float64, 1e-9)])
def test_log_partition_agrees_with_numerical_integration(dtype: torch.dtype, precision: float) -> None:
    alpha = torch.from_numpy(partition_shapes()).to(dtype)
    expected = [math.log(integral(a)) for a in alpha.tolist()]
    assert log_partition(alpha).tolist() == pytest.approx(expected, abs=precision)


def test_log_partition_has_the_slope_of_the_integral() -> None:
    alpha = torch.from_numpy(partition_shapes()[3:63]).requires_grad_()
    log_partition(alpha).sum().backward()
    h = 1e-5
    for a, slope in zip(alpha.tolist(), alpha.grad.tolist(), strict=True):
        if h < a < 2 - 100 * h:
            numeric = (math.log(integral(a + h)) - math.log(integral(a - h))) / (2 * h)
            assert slope == pytest.approx(numeric, abs=2e-6), a


def test_log_partition_beyond_its_ends() -> None:
    found = log_partition(torch.tensor([-0.1, 2.1, 2.0, 0.0]))
    assert found[0] == INF
    assert found[1].isnan()
    ends = torch.tensor([0.0, 2.0], requires_grad=True)
    log_partition(ends).sum().backward()
    assert ends.grad.isfinite().all()


@pytest.mark.parametrize("alpha", [0.4, 1.0, 1.7])
def test_the_likelihood_is_that_of_a_density(alpha: float) -> None:
    scale = 0.3
    x = torch.cat([-torch.logspace(9, -6, 150_000).double(), torch.logspace(-6, 9, 150_000).double()])
    shapes = torch.tensor([alpha, scale], dtype=torch.float64)
    density = (-negative_log_likelihood(x, shapes[0], shapes[1])).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-5)


def test_likelihood_of_a_normal_distribution() -> None:
    x = torch.tensor([-1.0, 0.1, 2.0])
    normal = torch.distributions.Normal(0.0, 0.7)
    found = negative_log_likelihood(x, torch.tensor(2.0), torch.tensor(0.7))
    torch.testing.assert_close(found, -normal.log_prob(x), rtol=1e-5, atol=1e-6)
    at = spread(3, low=-2, high=2, seed=2), spread(3, low=0.1, high=1.9, seed=3), spread(3, low=0.2, high=2, seed=4)
    assert torch.autograd.gradcheck(negative_log_likelihood, at)


def test_every_value_starts_with_shape_1_and_scale_1() -> None:
    robust = RobustLoss((3, 4, 4))
    assert list(robust.state_dict()) == ["latent_alpha", "latent_scale"]
    torch.testing.assert_close(robust.alpha(), torch.ones(3, 4, 4))
    torch.testing.assert_close(robust.scale(), torch.ones(3, 4, 4))


def test_shapes_and_scales_keep_within_their_limits() -> None:
    robust = RobustLoss((3, 2, 2))
    for latent, alpha, scale in ((-200.0, 0.001, 1e-5), (200.0, 1.999, 200.54)):
        with torch.no_grad():
            robust.latent_alpha.fill_(latent)
            robust.latent_scale.fill_(latent)
        torch.testing.assert_close(robust.alpha(), torch.full((3, 2, 2), alpha))
        torch.testing.assert_close(robust.scale(), torch.full((3, 2, 2), scale), rtol=1e-4, atol=0)
        error = torch.linspace(-2, 2, 24).reshape(2, 3, 2, 2).requires_grad_()
        robust(error).backward()
        for tensor in (error, robust.latent_alpha, robust.latent_scale):
            assert tensor.grad.isfinite().all()


def varied(seed: int = 0) -> RobustLoss:
    """A loss whose every value has its own shape and scale."""
    robust = RobustLoss((3, 4, 4))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in robust.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return robust


def errors(batch: int = 2, size: int = 4) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(9))


def test_the_module_is_the_mean_over_values_each_with_its_own_parameters() -> None:
    robust, error = varied(), errors()
    total = 0.0
    for picture in error:
        for place in np.ndindex(3, 4, 4):
            latent_alpha, latent_scale = robust.latent_alpha[place].item(), robust.latent_scale[place].item()
            alpha = 0.001 + 1.998 / (1 + math.exp(-latent_alpha))
            scale = 1e-5 + (1 - 1e-5) * math.log1p(math.exp(latent_scale) * (math.e - 1))
            x = float(picture[place])
            total += float(literal_loss(np.array(x / scale), alpha)) + math.log(scale) + math.log(integral(alpha))
    assert robust(error).item() == pytest.approx(total / error.numel(), rel=1e-5)


def test_memory_order_and_precision_of_the_pictures_do_not_matter() -> None:
    def look(error: Tensor) -> list[Tensor]:
        robust, error = varied(), error.detach().requires_grad_()
        loss = robust(error)
        loss.backward()
        assert loss.dtype == torch.float32
        return [loss.detach(), error.grad.float(), robust.latent_alpha.grad, robust.latent_scale.grad]

    error = errors().bfloat16().float()  # numbers that both precisions hold
    plain = look(error)
    for same in (error.contiguous(memory_format=torch.channels_last), error.flip(0).flip(0), error.mT.contiguous().mT):
        for a, b in zip(look(same), plain, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    coarse = look(error.bfloat16())
    assert coarse[0] == plain[0]
    assert torch.equal(coarse[2], plain[2])


def test_gradients_of_the_module() -> None:
    robust = varied().double()
    error = errors(1).double().requires_grad_()
    names = [name for name, _ in robust.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(robust, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (error, *robust.parameters()), fast_mode=True)


def test_growth_puts_every_parameter_on_the_four_pixels_of_its_pixel() -> None:
    robust = varied()
    large = robust.grown()
    for name, small in robust.named_parameters():
        parameter = large.get_parameter(name)
        assert parameter.requires_grad
        for c, y, x in np.ndindex(3, 8, 8):
            assert parameter[c, y, x] == small[c, y // 2, x // 2]
    error = errors()
    doubled = error.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(large(doubled), robust(error))


def test_it_learns_the_spread_and_the_tails_of_errors() -> None:
    """Likelihood finds the scale of normal errors, and a smaller shape where some errors are far out."""
    generator = torch.Generator().manual_seed(3)
    error = 0.2 * torch.randn(200, 2, 2, 2, generator=generator)
    error[:10, 1] *= 20
    robust = RobustLoss((2, 2, 2))
    optimiser = torch.optim.Adam(robust.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        robust(error).backward()
        optimiser.step()
    calm, wild = robust.alpha().mean(dim=(1, 2)).tolist()
    assert calm > 1.7
    assert wild < 1.0
    assert robust.scale()[0].mean().item() == pytest.approx(0.2, rel=0.2)


def test_errors_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="error must be"):
        RobustLoss((3, 4, 4))(torch.zeros(2, 3, 8, 8))
