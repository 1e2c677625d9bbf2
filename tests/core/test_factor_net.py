"""The network that reads the factors of drawn faces, and the distance made from it."""

import numpy as np
import pytest
import torch

from automod_core.faces import FACTOR_NAMES, sample_factors
from automod_core.faces.factor_net import FacePerception, FactorNet, perceptual_distance, train_factor_net
from automod_core.pictures import drawn_faces

SEED = 5


def faces(count: int, size: int, *, start: int = 0) -> torch.Tensor:
    return torch.from_numpy(drawn_faces(count, size, SEED, start=start))


def test_it_learns_to_see_what_is_plain_to_see() -> None:
    net = train_factor_net(faces(512, 32), SEED, steps=120)
    x = faces(100, 32, start=1000).float() / 127.5 - 1
    truth = sample_factors(100, SEED, start=1000)
    seen = net(x).numpy()
    for name in ("background_lightness", "skin_tone"):
        column = FACTOR_NAMES.index(name)
        correlation = np.corrcoef(truth[:, column], seen[:, column])
        assert correlation[0, 1] > 0.7, name


def test_training_is_reproducible_and_leaves_the_random_state_alone() -> None:
    pictures = faces(64, 32)
    before = torch.get_rng_state()
    first = train_factor_net(pictures, SEED, steps=2)
    assert torch.equal(torch.get_rng_state(), before)
    again = train_factor_net(pictures, SEED, steps=2)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not a.requires_grad


def test_distance_is_zero_for_the_same_and_grows_with_the_difference() -> None:
    net = FactorNet(32).eval().requires_grad_(False)
    x = faces(4, 32).float() / 127.5 - 1
    seen = net.features(x)
    near = torch.lerp(x, x.roll(1, 0), 0.1)
    assert perceptual_distance(net, x, net.features(x)) == 0
    assert 0 < perceptual_distance(net, near, seen) < perceptual_distance(net, x.roll(1, 0), seen)


def test_the_spread_is_that_of_the_training_faces() -> None:
    pictures = faces(520, 32)  # more than are looked at in one go
    net = train_factor_net(pictures, SEED, steps=2)
    maps = net.features(pictures.float() / 127.5 - 1)
    for measured, seen in zip(net.spread.tolist(), maps, strict=True):
        assert measured == pytest.approx(np.std(seen.numpy(), dtype=np.float64), rel=1e-3)


def test_the_distance_of_a_batch_is_the_mean_of_its_pictures() -> None:
    pictures = faces(64, 32)
    net = train_factor_net(pictures, SEED, steps=2)
    x = pictures[:6].float() / 127.5 - 1
    x[0] = 0.1  # unlike the others, also in its spread
    x_rec = (x * torch.linspace(0, 1, 6)[:, None, None, None]).flip(3)
    each = [float(perceptual_distance(net, a[None], net.features(b[None]))) for a, b in zip(x_rec, x, strict=True)]
    assert float(perceptual_distance(net, x_rec, net.features(x))) == pytest.approx(np.mean(each), rel=1e-5)


def test_gradients_reach_the_reconstruction() -> None:
    net = FactorNet(32).eval().requires_grad_(False)
    x = faces(2, 32).float() / 127.5 - 1
    x_rec = (x + 0.1).requires_grad_()
    perceptual_distance(net, x_rec, net.features(x)).backward()
    assert x_rec.grad is not None
    assert x_rec.grad.abs().sum() > 0


def test_small_pictures_are_not_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(FacePerception, "STEPS", 1)
    perception = FacePerception(faces(64, 64), SEED)
    assert perception.look(torch.zeros(2, 3, 16, 16)) is None
    for size in (32, 64):
        x = torch.zeros(2, 3, size, size)
        seen = perception.look(x)
        assert seen is not None
        assert seen[-1].shape == (2, perception.size)
        assert perception.distance(x, seen) == 0
