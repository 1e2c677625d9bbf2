"""Codes and styles: the geometry of the sphere, and mixes that reproduce what they are made of."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core.latent import (
    codes_from_prior,
    expand,
    fit_prior,
    mix,
    mix_arrays,
    random_codes,
    resample_blocks,
    slerp,
    steer,
    swap_blocks,
    to_sphere,
)

KNOWN = [-0.0880767, 0.4716828, 0.5680906, -0.6686037]


def codes(count: int, size: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    z = torch.randn(count, size, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    return z / z.norm(dim=1, keepdim=True)


def angle(a: Tensor, b: Tensor) -> float:
    return math.acos(max(-1.0, min(1.0, float((a * b).sum()))))


def test_to_sphere_keeps_the_direction() -> None:
    z = torch.tensor([[3.0, 4.0], [0.0, -2.0]])
    torch.testing.assert_close(to_sphere(z), torch.tensor([[0.6, 0.8], [0.0, -1.0]]))


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_to_sphere_refuses_what_has_no_direction(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="sphere"):
        to_sphere(torch.tensor([[1.0, 0.0], bad]))


def test_slerp_ends_are_exact() -> None:
    a, b = codes(2, dtype=torch.float32)
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.equal(slerp(a, b, 1.0), b)


def test_slerp_moves_at_constant_speed_on_the_sphere() -> None:
    a, b = codes(2)
    whole = angle(a, b)
    for t in (0.1, 0.25, 0.5, 0.9):
        point = slerp(a, b, t)
        assert float(point.norm()) == pytest.approx(1, abs=1e-12)
        assert angle(a, point) == pytest.approx(t * whole, abs=1e-7)
        assert angle(point, b) == pytest.approx((1 - t) * whole, abs=1e-7)


def test_slerp_agrees_with_a_turn_in_the_plane() -> None:
    a, b = torch.tensor([1.0, 0.0]).double(), torch.tensor([math.cos(2.0), math.sin(2.0)]).double()
    for t in (-0.2, 0.3, 1.2):
        expected = torch.tensor([math.cos(2.0 * t), math.sin(2.0 * t)]).double()
        torch.testing.assert_close(slerp(a, b, t), expected)


def test_slerp_of_near_equal_and_of_opposite_codes_stays_finite() -> None:
    (a,) = codes(1)
    near = to_sphere(a + 1e-9)
    torch.testing.assert_close(slerp(a, near, 0.5), a)
    assert torch.equal(slerp(a, a, 0.3), a) or torch.allclose(slerp(a, a, 0.3), a)
    assert torch.equal(slerp(a, -a, 0.49), a)
    assert torch.equal(slerp(a, -a, 0.51), -a)


def test_slerp_broadcasts_and_takes_one_position_per_code() -> None:
    a, b = codes(5), codes(1, seed=1)
    t = torch.linspace(0, 1, 5)[:, None]
    moved = slerp(a, b, t)
    assert moved.shape == (5, 6)
    for i in range(5):
        torch.testing.assert_close(moved[i], slerp(a[i], b[0], float(t[i])), rtol=1e-6, atol=1e-7)


def test_slerp_gradient() -> None:
    a, b = codes(2)
    assert torch.autograd.gradcheck(lambda x, y: slerp(x, y, 0.3), (a.requires_grad_(), b.requires_grad_()))


def literal_mix(weights: Tensor, z: Tensor) -> Tensor:
    rows = []
    for row in weights.tolist():
        total = [sum(w * float(z[s, k]) for s, w in enumerate(row)) for k in range(z.shape[1])]
        length = math.sqrt(sum(value * value for value in total))
        rows.append([value / length for value in total])
    return torch.tensor(rows, dtype=z.dtype)


def test_mix_is_a_weighted_mean_put_back_on_the_sphere() -> None:
    z = codes(3)
    weights = torch.rand(5, 3, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(mix(weights, z), literal_mix(weights, z))
    torch.testing.assert_close(mix(7 * weights, z), mix(weights, z))
    torch.testing.assert_close(mix(weights, z).norm(dim=1), torch.ones(5).double())


@pytest.mark.parametrize("weight", [1.0, 0.3, 1e-20, 1e20])
def test_a_pure_row_reproduces_its_code_bit_by_bit(weight: float) -> None:
    z = codes(4, 128, dtype=torch.float32)
    weights = torch.zeros(4, 4)
    weights.fill_diagonal_(weight)
    assert torch.equal(mix(weights, z), z)


def test_weights_that_only_double_precision_tells_from_0() -> None:
    z = codes(2, dtype=torch.float32)
    tiny = torch.tensor([[5e-324, 0.0], [1e-300, 3e-300]], dtype=torch.float64)
    torch.testing.assert_close(mix(tiny, z), mix(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), z))
    assert torch.equal(mix(tiny, z)[0], z[0])


def test_sources_that_cancel_out_give_the_heaviest() -> None:
    (a,) = codes(1, dtype=torch.float32)
    z = torch.stack([a, -a])
    torch.testing.assert_close(mix(torch.tensor([[0.5, 0.5], [0.4, 0.6]]), z)[1], -a)
    assert bool(mix(torch.tensor([[0.5, 0.5]]), z).isfinite().all())


def test_arrays_are_mixed_as_tensors_are_and_left_as_they_are() -> None:
    z = codes(3, 128, dtype=torch.float32)
    weights = torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5], [0, 7, 0], [0.5, 0.5, 0]], dtype=torch.float64)
    before = weights.numpy().copy(), z.numpy().copy()
    mixed = mix_arrays(weights.numpy(), z.numpy())
    assert mixed.dtype == np.float32
    assert (mixed == mix(weights, z).numpy()).all()
    assert (mixed[[0, 2]] == before[1][[0, 1]]).all()
    assert (weights.numpy() == before[0]).all()
    assert (z.numpy() == before[1]).all()


@pytest.mark.parametrize(
    "weights",
    [
        [[0.5, -0.5]],
        [[0.0, 0.0]],
        [[float("nan"), 1.0]],
        [[float("inf"), 1.0]],
        [[1.0, 0.0, 0.0]],
        [1.0, 0.0],
    ],
)
def test_mix_refuses_bad_weights(weights: list[object]) -> None:
    with pytest.raises(ValueError, match="weights"):
        mix(torch.tensor(weights), codes(2))


def test_random_codes_never_change() -> None:
    """A recipe that names a seed gives the same picture in every version."""
    z = random_codes(3, 4, seed=7)
    torch.testing.assert_close(z[0], torch.tensor(KNOWN), rtol=0, atol=1e-6)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(3))
    assert torch.equal(z, random_codes(3, 4, seed=7))
    assert not torch.equal(z, random_codes(3, 4, seed=8))


def test_random_codes_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    random_codes(2, 8, seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_random_codes_are_spread_evenly() -> None:
    z = random_codes(4000, 8, seed=0)
    assert float(z.mean(dim=0).abs().max()) < 0.03
    torch.testing.assert_close(z.T @ z / len(z), torch.eye(8) / 8, rtol=0, atol=0.01)


def test_expand_lets_one_code_drive_every_block() -> None:
    z = codes(2)
    styles = expand(z, 3)
    assert styles.shape == (2, 3, 6)
    assert all(torch.equal(styles[:, i], z) for i in range(3))


def test_resample_blocks_keeps_what_it_is_told_to() -> None:
    styles = codes(5, 16, dtype=torch.float32)
    variants = resample_blocks(styles, {1, 3}, count=4, seed=2)
    assert variants.shape == (4, 5, 16)
    for variant, drawn in zip(variants, random_codes(4, 16, seed=2), strict=True):
        for block in range(5):
            assert torch.equal(variant[block], styles[block] if block in (1, 3) else drawn)
    assert torch.equal(resample_blocks(styles, range(5), count=1, seed=0)[0], styles)
    assert not torch.equal(resample_blocks(styles, (), count=1, seed=9)[0, 0], styles[0])


def test_swap_blocks_lets_the_first_code_drive_the_blocks_between() -> None:
    z1, z2 = random_codes(3, 8, 0), random_codes(3, 8, 1)
    for first, last in ((0, 4), (2, 4), (0, 1), (3, 3)):
        styles = swap_blocks(z1, z2, first, last, 5)
        assert styles.shape == (3, 5, 8)
        for block in range(5):
            assert torch.equal(styles[:, block], z1 if first <= block <= last else z2)
    assert torch.equal(swap_blocks(z1, z1, 1, 2, 5), expand(z1, 5))


def test_swap_blocks_has_a_gradient_to_both_codes() -> None:
    z1, z2 = random_codes(2, 3, 0).double().requires_grad_(), random_codes(2, 3, 1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: swap_blocks(a, b, 1, 2, 4), (z1, z2))


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2), (0, 5), (5, 5)])
def test_swap_blocks_refuses_blocks_that_are_not_there(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=f"blocks {first} to {last} do not exist"):
        swap_blocks(random_codes(1, 4, 0), random_codes(1, 4, 1), first, last, 5)


def test_swap_blocks_refuses_codes_of_different_shape() -> None:
    with pytest.raises(ValueError, match="alike"):
        swap_blocks(random_codes(1, 4, 0), random_codes(2, 4, 1), 0, 1, 5)


@pytest.mark.parametrize("block", [-1, 5])
def test_resample_blocks_refuses_unknown_blocks(block: int) -> None:
    with pytest.raises(ValueError, match="do not exist"):
        resample_blocks(codes(5), [block], count=1, seed=0)


def test_resample_blocks_takes_codes_that_were_drawn_before() -> None:
    styles, drawn = codes(5, 16), codes(3, 16, seed=1, dtype=torch.float32)
    variants = resample_blocks(styles, {0}, drawn)
    assert variants.dtype == styles.dtype
    for variant, z in zip(variants, drawn, strict=True):
        assert torch.equal(variant[0], styles[0])
        assert torch.equal(variant[1:], z.to(styles).expand(4, -1))
    for bad in (codes(3, 15), codes(1, 16)[0]):
        with pytest.raises(ValueError, match="drawn codes"):
            resample_blocks(styles, {0}, bad)


# ---- steering along directions ----


def orthonormal(rows: list[np.ndarray]) -> list[np.ndarray]:
    """Gram-Schmidt, once more for the rounding; what depends on the rows before is left out."""
    basis: list[np.ndarray] = []
    for row in rows:
        rest = row.copy()
        for _ in range(2):
            for e in basis:
                rest = rest - (rest @ e) * e
        length = math.sqrt(rest @ rest)
        if length > 1e-5:
            basis.append(rest / length)
    return basis


def literal_steer(s: np.ndarray, v: np.ndarray, change: np.ndarray) -> np.ndarray:
    """One style (n,) along independent directions (k, n): coordinates in an orthonormal basis, float64, by bisection.

    In the basis e of the directions, <s', v_i> = sum_j <v_i, e_j> x_j, a triangular system for the coordinates x.
    """
    moving = [i for i in range(len(v)) if change[i] != 0]
    if not moving:
        return s
    basis = orthonormal([v[i] for i in moving])
    now = [float(s @ e) for e in basis]
    wanted: list[float] = []
    for row, i in enumerate(moving):
        known = sum(float(v[i] @ basis[j]) * wanted[j] for j in range(row))
        wanted.append((float(s @ v[i]) + change[i] - known) / float(v[i] @ basis[row]))
    limit = max(0.99, math.hypot(*now))
    part = 1.0
    if math.hypot(*wanted) > limit:
        low, high = 0.0, 1.0
        for _ in range(80):
            part = (low + high) / 2
            size = math.hypot(*(a + part * (b - a) for a, b in zip(now, wanted, strict=True)))
            low, high = (part, high) if size <= limit else (low, part)
    within = [a + part * (b - a) for a, b in zip(now, wanted, strict=True)]
    rest = s - sum(a * e for a, e in zip(now, basis, strict=True))
    room = math.sqrt(max(0.0, 1 - sum(x * x for x in within)))
    return sum(x * e for x, e in zip(within, basis, strict=True)) + rest * (room / math.sqrt(rest @ rest))


def drawn_case(size: int, k: int, n_blocks: int, strength: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Styles, directions with angles of all kinds between them, and changes of which a third is 0."""
    rng = np.random.default_rng(seed)
    v = rng.standard_normal((k, size)) + rng.standard_normal(size)  # they have something in common
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    change = strength * rng.standard_normal((n_blocks, k)) * (rng.random((n_blocks, k)) > 1 / 3)
    return codes(n_blocks, size, seed), torch.from_numpy(v), torch.from_numpy(change)


@pytest.mark.parametrize("strength", [0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("size", "k"), [(4, 1), (6, 3), (32, 5), (128, 12)])
def test_steer_agrees_with_coordinates_in_an_orthonormal_basis(size: int, k: int, strength: float) -> None:
    for seed in range(5):
        styles, v, change = drawn_case(size, k, 4, strength, seed)
        expected = [
            literal_steer(s, v.numpy(), c) for s, c in zip(styles.numpy(), change.numpy(), strict=True)
        ]  # (n_blocks, n)
        torch.testing.assert_close(steer(styles, v, change), torch.from_numpy(np.stack(expected)), rtol=0, atol=1e-9)


def test_steer_changes_the_values_by_exactly_what_is_asked() -> None:
    """To the rounding of float32, while the codes stay on the sphere."""
    styles, v, change = drawn_case(128, 8, 6, 0.05, 0)
    styles, v, change = styles.float(), v.float(), change.float()
    moved = steer(styles, v, change)
    assert moved.dtype == torch.float32
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(6), rtol=0, atol=3e-7)
    asked = change != 0
    values, before = moved.double() @ v.double().T, styles.double() @ v.double().T
    torch.testing.assert_close((values - before)[asked], change.double()[asked], rtol=0, atol=3e-7)
    assert float((values - before)[~asked].abs().max()) > 1e-3  # who does not ask to stay may be dragged along


def test_steer_goes_to_the_nearest_point_with_the_wanted_values() -> None:
    """Other points with the same values, on the sphere, are farther away."""
    styles, v, change = drawn_case(16, 3, 1, 0.1, 1)
    change = torch.full((1, 3), 0.1, dtype=torch.float64)
    (s,), (moved,) = styles, steer(styles, v, change)
    null = torch.from_numpy(np.linalg.svd(v.numpy())[2][3:])  # orthogonal to every direction
    fixed = moved - (moved @ null.T) @ null
    room = math.sqrt(1 - float(fixed @ fixed))
    generator = torch.Generator().manual_seed(0)
    others = fixed + room * to_sphere(torch.randn(500, 13, generator=generator, dtype=torch.float64)) @ null
    torch.testing.assert_close(others @ v.T, (moved @ v.T).expand(500, 3))
    assert float((s - moved).norm()) < float((others - s).norm(dim=1).min())


def test_the_order_of_directions_does_not_matter() -> None:
    styles, v, change = drawn_case(64, 6, 5, 0.3, 2)
    expected = steer(styles, v, change)
    for seed in range(5):
        order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(steer(styles, v[order], change[:, order]), expected, rtol=0, atol=1e-12)


def test_blocks_that_nothing_moves_come_back_bit_by_bit() -> None:
    styles, v = codes(4, 32, dtype=torch.float32), codes(2, 32, 1, torch.float32)
    change = torch.zeros(4, 2)
    assert torch.equal(steer(styles, v, change), styles)
    change[1, 0] = change[3, 1] = 0.2
    moved = steer(styles, v, change)
    assert torch.equal(moved[[0, 2]], styles[[0, 2]])
    assert not torch.equal(moved[[1, 3]], styles[[1, 3]])
    assert torch.equal(steer(styles, v[:0], change[:, :0]), styles)


def test_steer_takes_batches() -> None:
    _, v, change = drawn_case(32, 4, 3, 0.5, 3)
    styles = codes(2 * 5 * 3, 32).reshape(2, 5, 3, 32)
    moved = steer(styles, v, change)
    for i in range(2):
        for j in range(5):
            torch.testing.assert_close(moved[i, j], steer(styles[i, j], v, change), rtol=0, atol=1e-12)
    assert steer(styles[:, :0], v, change).shape == (2, 0, 3, 32)


def test_what_leads_off_the_sphere_goes_as_far_as_it_can() -> None:
    styles, v = codes(1, 32), codes(2, 32, 1)
    far = steer(styles, v[:1], torch.tensor([[50.0]]))
    assert float(far[0] @ v[0]) == pytest.approx(0.99, abs=1e-12)
    assert float(steer(styles, v[:1], torch.tensor([[-50.0]]))[0] @ v[0]) == pytest.approx(-0.99, abs=1e-12)
    farther = steer(styles, v[:1], torch.tensor([[5000.0]]))
    torch.testing.assert_close(farther, far)
    both = (steer(styles, v, torch.tensor([[4.0, 1.0]])) - styles)[0] @ v.T
    assert float(both[0] / both[1]) == pytest.approx(4)  # cut down by the same factor


def test_steering_is_smooth_where_a_style_is_nearly_a_direction() -> None:
    (v,) = codes(1, 16)
    near = to_sphere(v + 0.02 * codes(1, 16, 1))  # a projection above what steering may reach
    value = float(near[0] @ v)
    assert value > 0.995
    for change in (-1e-4, -1e-9, 1e-9):
        moved = steer(near, v[None], torch.tensor([[change]], dtype=torch.float64))
        assert float(moved[0] @ v) == pytest.approx(min(value + change, value), abs=1e-12)
        assert float((moved - near).norm()) < 100 * abs(change)  # 1 over the sine of the angle between them, at most
    same = steer(v[None], v[None], torch.tensor([[-0.5]], dtype=torch.float64))
    torch.testing.assert_close(same, v[None])  # no direction is nearer than another


def test_a_style_that_consists_of_the_directions_stays_where_it_is() -> None:
    a, b = codes(2, 16, dtype=torch.float32)
    inside = to_sphere(a + b)[None]
    assert torch.equal(steer(inside, torch.stack([a, b]), torch.tensor([[0.1, -0.05]])), inside)
    nearly = to_sphere(inside + 0.02 * codes(1, 16, 5, torch.float32))
    moved = steer(nearly, torch.stack([a, b]), torch.tensor([[0.1, -0.1]]))  # along the edge, or nearly so
    assert float((moved - nearly).norm()) < 0.05
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(1))


def test_directions_that_depend_on_one_another() -> None:
    styles, (a, b) = codes(1, 32), codes(2, 32, 1)
    once = steer(styles, a[None], torch.tensor([[0.2]]))
    torch.testing.assert_close(steer(styles, torch.stack([a, a]), torch.tensor([[0.2, 0.2]])), once)
    torch.testing.assert_close(steer(styles, torch.stack([a, -a]), torch.tensor([[0.2, -0.2]])), once)
    between = steer(styles, torch.stack([a, a]), torch.tensor([[0.1, 0.3]]))  # least squares
    torch.testing.assert_close(between, once)
    stays = steer(styles, torch.stack([a, -a]), torch.tensor([[0.2, 0.2]]))
    torch.testing.assert_close(stays, styles)
    plane = torch.stack([a, b, to_sphere(a + b)])
    third = 0.2 * float((a + b) @ (a + b)) ** -0.5 * 2
    twice = steer(styles, plane[:2], torch.tensor([[0.2, 0.2]], dtype=torch.float64))
    torch.testing.assert_close(steer(styles, plane, torch.tensor([[0.2, 0.2, third]], dtype=torch.float64)), twice)


def test_more_directions_than_numbers_in_a_code_stay_on_the_sphere() -> None:
    styles, v = codes(2, 4, dtype=torch.float32), codes(9, 4, 1, torch.float32)
    moved = steer(styles, v, torch.full((2, 9), 0.3))
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(2))


def test_steer_refuses_what_does_not_fit() -> None:
    styles, v = codes(3, 8), codes(2, 8, 1)
    for directions, change in (
        (v, torch.zeros(2, 3)),
        (v, torch.zeros(3)),
        (v[:, :7], torch.zeros(3, 2)),
        (v[0], torch.zeros(3, 8)),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            steer(styles, directions, change)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            steer(styles, v, torch.full((3, 2), bad))


# ---- the code prior ----


def cap_codes(count: int, size: int, seed: int = 0) -> Tensor:
    """Codes of norm 1 that fill a part of the sphere only: around one direction, and unevenly."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(0.05, 0.3, size, dtype=torch.float64)
    z = spread * torch.randn(count, size, dtype=torch.float64, generator=generator)
    z[:, 0] += 1
    return to_sphere(z)


def test_fit_prior_gives_mean_and_covariance() -> None:
    z = cap_codes(500, 8)
    mean, factor = fit_prior(z)
    assert (mean.dtype, factor.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(mean.double(), z.mean(dim=0), rtol=0, atol=1e-6)
    expected = torch.cov(z.T, correction=0) + 1e-6 / 8 * torch.eye(8)
    torch.testing.assert_close((factor @ factor.T).double(), expected, rtol=0, atol=1e-6)
    assert torch.equal(factor, factor.tril())


def test_codes_from_prior_lie_where_the_fitted_codes_do() -> None:
    z = cap_codes(4000, 8)
    drawn = codes_from_prior(*fit_prior(z), 4000, seed=1).double()
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(4000).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(drawn.mean(dim=0), z.mean(dim=0), rtol=0, atol=0.02)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(z.T), rtol=0, atol=0.01)


def test_codes_from_prior_never_change() -> None:
    mean, factor = fit_prior(cap_codes(500, 4))
    z = codes_from_prior(mean, factor, 3, seed=7)
    normal = torch.randn(3, 4, generator=torch.Generator().manual_seed(7))
    by_hand = [[float(mean[i] + sum(factor[i, k] * row[k] for k in range(4))) for i in range(4)] for row in normal]
    torch.testing.assert_close(z, to_sphere(torch.tensor(by_hand)), rtol=0, atol=1e-6)
    assert torch.equal(z, codes_from_prior(mean, factor, 3, seed=7))
    assert not torch.equal(z, codes_from_prior(mean, factor, 3, seed=8))


@pytest.mark.parametrize("count", [2, 5, 40])
def test_fewer_codes_than_numbers_in_a_code(count: int) -> None:
    """The drawn codes stay in the plane of the fitted ones, but for the jitter."""
    z = cap_codes(count, 64)
    drawn = codes_from_prior(*fit_prior(z), 50, seed=0).double()
    assert bool(drawn.isfinite().all())
    basis = torch.linalg.qr(z.T).Q  # (64, count)
    assert float((drawn - drawn @ basis @ basis.T).norm(dim=1).max()) < 2e-3


def test_codes_that_are_all_the_same() -> None:
    (z,) = codes(1, 32)
    drawn = codes_from_prior(*fit_prior(z.expand(10, -1)), 20, seed=0).double()
    assert float((drawn - z).norm(dim=1).max()) < 2e-3


@pytest.mark.parametrize("bad", [torch.ones(1, 4), torch.ones(4), torch.full((3, 4), float("nan"))])
def test_fit_prior_refuses_what_says_nothing(bad: Tensor) -> None:
    with pytest.raises(ValueError, match="codes must be"):
        fit_prior(bad)
