import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core.config import ModelConfig
from automod_core.curves import MOST_POINTS, margin_band, phase_spans, series, thinned
from automod_core.losses import margin_gap
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig

CONFIG = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(4, 4), encoder_channels=(4, 4)),
    phases=(
        Phase(resolution=4, images=100, fade_images=0, batch=4, lr=1e-3),
        Phase(resolution=8, images=300, fade_images=120, batch=8, lr=5e-4, margin=0.05),
    ),
    kl_weight=0.1,
)


def test_a_line_of_the_log() -> None:
    points = [
        {"images_seen": 10.0, "kl_real": 3.0},
        {"images_seen": 20.0},  # no samples in these steps
        {"images_seen": 30.0, "kl_real": math.nan},
        {"images_seen": 40.0, "kl_real": math.inf},
        {"images_seen": 50.0, "kl_real": 2},
    ]
    x, y = series(points, "kl_real")
    assert x.tolist() == [10, 30, 40, 50]
    assert y[[0, 3]].tolist() == [3, 2]
    assert np.isnan(y[1:3]).all()
    assert [part.shape for part in series(points, "nothing")] == [(0,), (0,)]
    assert [part.shape for part in series([], "kl_real")] == [(0,), (0,)]


@pytest.mark.parametrize("odd", ["text", None, True, [1], {}, 10**400])
def test_odd_values_are_gaps_and_odd_places_nothing(odd: object) -> None:
    x, y = series([{"images_seen": 1, "a": odd}, {"images_seen": odd, "a": 1}, {"a": 2}], "a")  # type: ignore[dict-item]
    assert x.tolist() == [1]
    assert np.isnan(y).all()


# ---- thinning ----


def test_a_short_line_stays_as_it_is() -> None:
    x = np.arange(MOST_POINTS, dtype=np.float64)
    assert thinned(x, x)[0] is x
    with pytest.raises(ValueError, match="at least 8"):
        thinned(x, x, 7)


def test_peaks_valleys_gaps_and_ends_stay() -> None:
    x = np.arange(100_000, dtype=np.float64)
    y = np.sin(x / 9000)
    y[12_345], y[54_321], y[77_777] = 40, -40, math.nan
    thin_x, thin_y = thinned(x, y)
    assert len(thin_x) <= MOST_POINTS
    assert {12_345, 54_321, 77_777, 0, 99_999} <= set(thin_x.tolist())
    assert thin_y[thin_x == 12_345] == 40
    assert np.isnan(thin_y).sum() == 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(width=32) | st.just(math.nan), min_size=9, max_size=200),
    st.integers(8, 40),
)
def test_whatever_the_line_its_extremes_stay(values: list[float], most: int) -> None:
    y = np.array(values)
    x = np.arange(len(y), dtype=np.float64)
    thin_x, thin_y = thinned(x, y, most)
    assert len(thin_x) <= max(most, 8)
    assert (np.diff(thin_x) > 0).all()
    assert np.array_equal(thin_y, y[thin_x.astype(int)], equal_nan=True)
    finite = y[np.isfinite(y)]
    if len(finite):
        assert finite.max() in thin_y
        assert finite.min() in thin_y
    assert (~np.isfinite(thin_y)).any() == (~np.isfinite(y)).any()


# ---- phases and the margin ----


def test_phases_lie_one_behind_the_other() -> None:
    first, second = phase_spans(CONFIG)
    assert (first.start, first.end, first.resolution, first.fade_end) == (0, 100, 4, 0)
    assert (second.start, second.end, second.resolution, second.fade_end) == (100, 400, 8, 220)
    assert (second.batch, second.lr, second.margin) == (8, 5e-4, 0.05)


def test_the_band_is_where_the_encoder_still_gains() -> None:
    """At the band's upper edge the gradient of the gap ends."""
    import torch

    points = [{"images_seen": float(at), "kl_real": 1.0} for at in (50, 100, 101, 400, 500)]
    band = margin_band(CONFIG, points)
    assert band.x.tolist() == [50, 100, 101, 400, 500]
    assert np.isnan(band.low[:2]).all()
    assert np.isnan(band.high[:2]).all()
    assert band.low[2:].tolist() == [1, 1, 1]
    assert band.high[2:] == pytest.approx([1.5] * 3)
    for kl_fake, gains in ((band.high[2] - 1e-3, True), (band.high[2] + 1e-3, False)):
        real = torch.tensor(1.0, requires_grad=True)
        gap = margin_gap(CONFIG.kl_weight * real, torch.tensor(CONFIG.kl_weight * kl_fake), CONFIG.phases[1].margin)
        assert bool(torch.autograd.grad(gap, real)[0]) == gains


def test_what_the_log_says_of_the_margin_counts() -> None:
    points = [
        {"images_seen": 200.0, "kl_real": 1.0, "margin": 0.1},
        {"images_seen": 210.0, "kl_real": 1.0, "margin": 0.0},
        {"images_seen": 220.0, "kl_real": 1.0},
        {"images_seen": 230.0, "margin": 0.1},
    ]
    assert margin_band(CONFIG, points).high[[0, 2]] == pytest.approx([2.0, 1.5])
    assert np.isnan(margin_band(CONFIG, points).high[1])


def test_without_a_weight_there_is_no_band() -> None:
    from dataclasses import replace

    band = margin_band(replace(CONFIG, kl_weight=0.0), [{"images_seen": 200.0, "kl_real": 1.0}])
    assert np.isnan(band.high).all()
    assert np.isnan(band.low).all()
    assert len(margin_band(CONFIG, []).x) == 0
