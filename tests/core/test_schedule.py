"""Schedules count images: where a run stands, and what that does to step size and averages."""

import pytest

from automod_core.config import ModelConfig
from automod_core.presets import PRESETS
from automod_core.schedule import Phase, average_decay, cooldown_factor, moment_at, total_images
from automod_core.train_config import TrainConfig

PHASES = (
    Phase(resolution=8, images=100, fade_images=0, batch=8, lr=1e-3),
    Phase(resolution=16, images=200, fade_images=50, batch=8, lr=1e-3, margin=0.05),
)


@pytest.mark.parametrize(
    ("seen", "phase", "into", "fade"),
    [
        (0, 0, 0, 1.0),
        (99, 0, 99, 1.0),
        (100, 1, 0, 0.0),
        (125, 1, 25, 0.5),
        (150, 1, 50, 1.0),
        (299, 1, 199, 1.0),
        (300, 1, 200, 1.0),
        (9999, 1, 9899, 1.0),
    ],
)
def test_moment_at(seen: int, phase: int, into: int, fade: float) -> None:
    now = moment_at(PHASES, seen)
    assert now.phase is PHASES[phase]
    assert now.index == phase
    assert (now.images_into, now.fade) == (into, fade)


def test_an_empty_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one phase"):
        moment_at((), 0)


def test_phase_knows_its_resolution_and_lists_all_its_problems() -> None:
    assert [phase.level for phase in PHASES] == [1, 2]
    assert total_images(PHASES) == 300
    with pytest.raises(ValueError, match="resolution") as caught:
        Phase(resolution=2, images=0, fade_images=-5, batch=1, lr=0, margin=-1)
    assert len(str(caught.value).splitlines()) == 6


def test_cooldown_falls_to_almost_nothing() -> None:
    assert cooldown_factor(0, 1000, 200) == 1
    assert cooldown_factor(800, 1000, 200) == 1
    assert cooldown_factor(900, 1000, 200) == pytest.approx(0.5)
    assert cooldown_factor(1000, 1000, 200) == pytest.approx(0.02)
    assert cooldown_factor(1200, 1000, 200) == pytest.approx(0.02)
    assert cooldown_factor(999, 1000, 0) == 1


def test_average_decay_is_a_half_life_in_images() -> None:
    batch, half_life = 8, 4000.0
    decay = average_decay(batch, half_life, 10**9)
    assert decay ** (half_life / batch) == pytest.approx(0.5)
    assert average_decay(2 * batch, half_life, 10**9) == pytest.approx(decay**2)


def test_average_forgets_faster_early_in_a_phase() -> None:
    decays = [average_decay(8, 4000.0, into) for into in (0, 800, 8000, 40_000, 80_000)]
    assert decays == sorted(decays)
    assert decays[0] < 0.001
    assert decays[1] ** (80 / 8) == pytest.approx(0.5)  # a tenth of 800 images
    assert decays[3] == decays[4]


MODEL = ModelConfig(code_size=8, decoder_channels=(4, 4, 4), encoder_channels=(4, 4, 4))


def test_train_config_survives_json() -> None:
    config = TrainConfig(model=MODEL, phases=PHASES, edge_weight=0.5, photo_mixtures=True)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert config.total_images == 300


def test_train_config_lists_all_its_problems() -> None:
    with pytest.raises(ValueError, match="kl_weight") as caught:
        TrainConfig(model=MODEL, phases=(), kl_weight=-1, beta2=2.0, average_half_life=0)
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(ValueError, match="32 pixels"):
        TrainConfig(model=MODEL, phases=(Phase(resolution=32, images=1, fade_images=0, batch=4, lr=1),))


def test_train_config_refuses_unknown_names() -> None:
    values = TrainConfig(model=MODEL, phases=PHASES).to_dict()
    with pytest.raises(ValueError, match="does not fit"):
        TrainConfig.from_dict(values | {"no_such": 1})
    with pytest.raises(ValueError, match="does not fit"):
        TrainConfig.from_dict({"model": MODEL.to_dict()})


def test_presets_are_sound() -> None:
    for make in PRESETS.values():
        config = make()
        assert TrainConfig.from_dict(config.to_dict()) == config
        assert [phase.level for phase in config.phases] == sorted(phase.level for phase in config.phases)
        assert config.phases[-1].resolution == config.model.resolution


@pytest.mark.parametrize(
    "values",
    [
        {"code_size": 1},
        {"decoder_channels": ()},
        {"decoder_channels": (4,) * 13},
        {"encoder_channels": (4, 4)},
        {"decoder_channels": (4, 0, 4)},
        {"style_gain": 0.0},
        {"style_gain": float("nan")},
    ],
)
def test_model_config_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        ModelConfig(**({"code_size": 8, "decoder_channels": (4, 4, 4), "encoder_channels": (4, 4, 4)} | values))
