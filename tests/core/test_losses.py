"""Losses against loops over plain numbers, and their gradients."""

import math
from collections.abc import Callable
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from automod_core.losses import (
    absolute_error,
    code_kl,
    cosine_distance,
    edge_difference,
    invariance,
    layer_disentanglement,
    margin_gap,
    squared_error,
    uniformity,
)
from automod_core.robust import RobustLoss


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sphere(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(noise(*shape, seed=seed), dim=-1)


def average(values: list[float]) -> float:
    return math.fsum(values) / len(values)


# ---- codes ----


def literal_kl(z: Tensor) -> float:
    """Per dimension, KL(N(m, v), N(0, 1)) by integrating p log(p / q) over the fitted density."""
    found = []
    for column in z.T.tolist():
        mean = average(column)
        variance = average([(v - mean) ** 2 for v in column])
        deviation = math.sqrt(variance)
        total, step = 0.0, 0.01
        for i in range(-1200, 1201):
            u = i * step  # in deviations
            v = mean + u * deviation
            log_p = -u * u / 2 - math.log(deviation)
            total += step * math.exp(-u * u / 2) / math.sqrt(2 * math.pi) * (log_p + v * v / 2)
        found.append(total)
    return average(found)


@pytest.mark.parametrize(("batch", "size"), [(2, 1), (16, 8), (5, 3)])
def test_code_kl_is_the_integral_over_the_fitted_density(batch: int, size: int) -> None:
    z = noise(batch, size) * 0.3 + 0.1
    assert code_kl(z).item() == pytest.approx(literal_kl(z), rel=1e-9)
    assert gradcheck(code_kl, (z.requires_grad_(),))


def test_code_kl_is_zero_for_mean_0_and_variance_1() -> None:
    z = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert code_kl(z).item() == pytest.approx(0, abs=1e-12)


def test_code_kl_of_codes_on_the_sphere_ends_at_its_bound() -> None:
    n = 6
    bound = (math.log(n) + 1 / n - 1) / 2
    even = torch.cat([torch.eye(n), -torch.eye(n)]).double()
    assert code_kl(even).item() == pytest.approx(bound)
    assert code_kl(sphere(500, n)).item() > bound


def test_code_kl_of_a_collapsed_dimension_is_infinite() -> None:
    assert code_kl(torch.tensor([[1.0, 0.3], [-1.0, 0.3]])).item() == math.inf


@pytest.mark.parametrize("loss", [code_kl, uniformity])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (2, 3, 4)])
def test_what_is_no_batch_is_refused(loss: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="z must be"):
        loss(torch.zeros(shape))


def test_uniformity_agrees_with_a_loop_over_pairs() -> None:
    z = sphere(7, 5, seed=3)
    pairs = []
    for a, b in combinations(z.tolist(), 2):
        pairs.append(math.exp(-2 * sum((x - y) ** 2 for x, y in zip(a, b, strict=True))))
    assert uniformity(z).item() == pytest.approx(math.log(average(pairs)))
    assert gradcheck(uniformity, (z.requires_grad_(),))


def test_uniformity_keeps_within_its_range() -> None:
    one = sphere(1, 4)
    together = one.repeat(3, 1).requires_grad_()
    found = uniformity(together)
    found.backward()
    assert found.item() == pytest.approx(0)
    assert together.grad.isfinite().all()
    assert uniformity(torch.cat([one, -one])).item() == pytest.approx(-8)


def test_uniformity_prefers_codes_that_use_every_direction() -> None:
    flat = F.normalize(torch.cat([noise(64, 4), torch.zeros(64, 12)], dim=1), dim=1)
    assert uniformity(sphere(64, 16)) < uniformity(flat)


def test_cosine_distance() -> None:
    a, b = noise(5, 7), noise(5, 7, seed=1)
    found = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        dot = sum(u * v for u, v in zip(x, y, strict=True))
        found.append(1 - dot / math.hypot(*x) / math.hypot(*y))
    assert cosine_distance(a, b).item() == pytest.approx(average(found))
    assert cosine_distance(a, 3 * a).item() == pytest.approx(0, abs=1e-12)
    assert cosine_distance(a, -a).item() == pytest.approx(2)
    assert gradcheck(cosine_distance, (a.requires_grad_(), b.requires_grad_()))


# ---- the margin ----

MARGIN = 0.05


@pytest.mark.parametrize(
    ("real", "fake", "margin", "expected"),
    [
        (1.0, 1.02, MARGIN, -0.02),  # inside
        (1.0, 1.2, MARGIN, -0.05),  # far ahead: limited
        (1.2, 1.0, MARGIN, 0.025),  # behind: half the margin
        (1.0, 9.0, 0.0, -8.0),  # 0 means no limit
        (9.0, 1.0, 0.0, 8.0),
    ],
)
def test_margin_gap_limits(real: float, fake: float, margin: float, expected: float) -> None:
    assert margin_gap(torch.tensor(real), torch.tensor(fake), margin).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("gap", "slope"),
    [(-0.07, 0), (-0.051, 0), (-0.049, 1), (0, 1), (0.024, 1), (0.026, 0), (2, 0)],
)
def test_margin_gap_has_no_gradient_beyond_its_limits(gap: float, slope: float) -> None:
    real = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
    fake = torch.zeros_like(real, requires_grad=True)
    margin_gap(real, fake, MARGIN).backward()
    assert (real.grad.item(), fake.grad.item()) == (slope, -slope)
    assert gradcheck(lambda a, b: margin_gap(a, b, MARGIN), (real, fake))


@pytest.mark.parametrize("gap", [-MARGIN, MARGIN / 2])
def test_margin_gap_on_a_limit_has_the_slope_of_one_of_its_sides(gap: float) -> None:
    real = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
    found = margin_gap(real, torch.zeros_like(real), MARGIN)
    found.backward()
    assert found == gap
    assert real.grad.item() in (0, 1)


def test_margin_gap_without_a_limit_always_has_a_gradient() -> None:
    at = (torch.tensor(9.0, dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64))
    assert gradcheck(lambda a, b: margin_gap(a, b, 0.0), at)


# ---- pictures ----


def literal_errors(x_rec: Tensor, x: Tensor) -> list[float]:
    pairs = zip(x_rec.flatten().tolist(), x.flatten().tolist(), strict=True)
    return [a - b for a, b in pairs]


def literal_edges(x_rec: Tensor, x: Tensor) -> float:
    across, down = [], []
    for picture in (x_rec - x).tolist():
        for plane in picture:
            for r, row in enumerate(plane):
                for c, value in enumerate(row):
                    if c:
                        across.append(abs(value - row[c - 1]))
                    if r:
                        down.append(abs(value - plane[r - 1][c]))
    return average(across) + average(down)


def test_distances_of_pictures() -> None:
    a, b = noise(2, 3, 4, 5), noise(2, 3, 4, 5, seed=1)
    assert absolute_error(a, b).item() == pytest.approx(average([abs(e) for e in literal_errors(a, b)]))
    assert squared_error(a, b).item() == pytest.approx(average([e**2 for e in literal_errors(a, b)]))
    assert edge_difference(a, b).item() == pytest.approx(literal_edges(a, b))
    for distance in (absolute_error, squared_error, edge_difference):
        assert distance(a, a) == 0
        small = noise(1, 3, 2, 2).requires_grad_(), noise(1, 3, 2, 2, seed=1).requires_grad_()
        assert gradcheck(distance, small)


def test_edges_do_not_see_an_error_of_brightness() -> None:
    a = noise(1, 3, 4, 4)
    assert edge_difference(a + 0.5, a).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("distance", [absolute_error, squared_error])
def test_invariance_is_the_distance_to_each_ones_own_picture(distance: Callable[[Tensor, Tensor], Tensor]) -> None:
    x1, x2, x1_swapped, x2_swapped = (noise(2, 3, 2, 2, seed=s) for s in range(4))
    power = 1 if distance is absolute_error else 2
    ways = [average([abs(e) ** power for e in literal_errors(*w)]) for w in ((x2_swapped, x2), (x1_swapped, x1))]
    assert invariance(x1, x2, x1_swapped, x2_swapped, distance).item() == pytest.approx(sum(ways))
    assert invariance(x1, x2, x1, x2, distance) == 0
    pictures = [p.requires_grad_() for p in (x1, x2, x1_swapped, x2_swapped)]
    assert gradcheck(lambda *p: invariance(*p, distance), pictures)


def test_invariance_takes_the_robust_loss() -> None:
    robust = RobustLoss((3, 2, 2))
    x1, x2, x1_swapped, x2_swapped = (noise(2, 3, 2, 2, seed=s) for s in range(4))
    found = invariance(x1, x2, x1_swapped, x2_swapped, lambda x_rec, x: robust(x_rec - x))
    torch.testing.assert_close(found, robust(x1_swapped - x1) + robust(x2_swapped - x2))


def test_layer_disentanglement() -> None:
    a, b = noise(2, 3, 4, 4), noise(2, 3, 4, 4, seed=1)
    assert layer_disentanglement(a, b).item() == pytest.approx(average([e**2 for e in literal_errors(a, b)]))
    small = noise(1, 2, 2, 2).requires_grad_(), noise(1, 2, 2, 2, seed=1).requires_grad_()
    assert gradcheck(layer_disentanglement, small)


def test_layer_disentanglement_of_half_precision_is_computed_in_float32() -> None:
    a, b = noise(2, 3, 4, 4).bfloat16(), noise(2, 3, 4, 4, seed=1).bfloat16()
    found = layer_disentanglement(a, b)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(average([e**2 for e in literal_errors(a, b)]), rel=1e-6)
