import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from automod_core.config import ModelConfig
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.watchdog import (
    CODES_ALIKE,
    KINDS,
    KL,
    NOT_FINITE,
    PATIENCE_LOOKS,
    RECONSTRUCTION,
    SAMPLES_ALIKE,
    SETTLE_LOOKS,
    START_LOOKS,
    Trouble,
    Watchdog,
    advice,
    checkpoint_before,
    relief,
)

LOOK = 100  # images
MODEL = ModelConfig(code_size=16, decoder_channels=(8, 8, 8), encoder_channels=(8, 8, 8))
CONFIG = TrainConfig(
    model=MODEL,
    phases=(
        Phase(resolution=8, images=40 * LOOK, fade_images=0, batch=4, lr=1e-3, margin=0.05),
        Phase(resolution=16, images=60 * LOOK, fade_images=20 * LOOK, batch=4, lr=1e-3, margin=0.04),
    ),
    kl_weight=0.1,
    log_images=LOOK,
)
HEALTHY = {
    "reconstruction": 0.2,
    "kl_real": 1.1,
    "kl_fake": 1.3,
    "code_spread": 0.9,
    "sample_spread": 0.4,
    "finite": 1.0,
}
SICK = {
    CODES_ALIKE: {"code_spread": 0.1},
    SAMPLES_ALIKE: {"sample_spread": 0.07},
    RECONSTRUCTION: {"reconstruction": 0.31},
    KL: {"kl_fake": 2.7},
}


def _first_trouble(watchdog: Watchdog, looks: range, values: Mapping[str, float]) -> Trouble | None:
    for look in looks:
        if trouble := watchdog.look(look * LOOK, values):
            return trouble
    return None


def _watchdog(looks: int, config: TrainConfig = CONFIG) -> Watchdog:
    """One that has seen this many looks at a healthy run."""
    return Watchdog(config, [HEALTHY | {"images_seen": look * LOOK} for look in range(1, looks + 1)])


# ---- healthy runs ----


@pytest.mark.parametrize("name", ["demo", "demo, resumed", "paper"])
def test_real_healthy_runs_give_no_trouble(name: str) -> None:
    """Curves of demo faces: the demo recipe from 8 to 64 pixels, and the paper's settings from 4 to 16 pixels."""
    run = json.loads((Path(__file__).parent / "healthy_runs.json").read_text())[name]
    phases = tuple(Phase(batch=32, lr=1e-3, **phase) for phase in run["phases"])
    model = ModelConfig(code_size=128, decoder_channels=(8,) * 5, encoder_channels=(8,) * 5)
    watchdog = Watchdog(TrainConfig(model=model, phases=phases))
    assert len(run["looks"]) > 50
    for numbers in run["looks"]:
        values = dict(zip(run["columns"], numbers, strict=True))
        assert watchdog.look(values["images_seen"], values) is None


def test_a_healthy_run_gives_no_trouble() -> None:
    assert _first_trouble(Watchdog(CONFIG), range(1, 101), HEALTHY) is None


def test_a_single_odd_look_is_no_trouble() -> None:
    watchdog = _watchdog(25)
    for look in range(26, 40):
        sick = {k: v for values in SICK.values() for k, v in values.items()} if look % 5 else {}
        assert watchdog.look(look * LOOK, HEALTHY | sick) is None


def test_the_error_may_jump_when_the_networks_grow() -> None:
    watchdog = _watchdog(40)
    assert _first_trouble(watchdog, range(41, 61), HEALTHY | {"reconstruction": 0.49}) is None  # in the fade
    assert _first_trouble(watchdog, range(61, 101), HEALTHY | {"reconstruction": 0.6}) is None


def test_a_tiny_error_may_double() -> None:
    watchdog = _watchdog(25)
    watchdog.look(26 * LOOK, HEALTHY | {"reconstruction": 0.002})
    assert _first_trouble(watchdog, range(27, 41), HEALTHY | {"reconstruction": 0.03}) is None


def test_other_names_and_missing_names_do_not_matter() -> None:
    assert _first_trouble(Watchdog(CONFIG), range(1, 60), {"images_per_s": 1.0}) is None


# ---- trouble, and how soon ----


@pytest.mark.parametrize("look", [1, 30])
@pytest.mark.parametrize("values", [{"layer": math.nan}, {"kl_real": math.inf}, {"finite": 0.98}])
def test_what_is_not_finite_is_trouble_at_once(look: int, values: dict[str, float]) -> None:
    trouble = _watchdog(look - 1).look(look * LOOK, HEALTHY | values)
    assert trouble is not None
    assert (trouble.kind, trouble.images_seen, trouble.since) == (NOT_FINITE, look * LOOK, (look - 1) * LOOK)
    assert next(iter(values)) in trouble.message or "finite" in values


@pytest.mark.parametrize("kind", SICK)
def test_lasting_trouble_is_seen_within_the_stated_images(kind: str) -> None:
    trouble = _first_trouble(_watchdog(25), range(26, 41), HEALTHY | SICK[kind])
    assert trouble is not None
    assert trouble.kind == kind
    assert trouble.images_seen == (25 + PATIENCE_LOOKS) * LOOK
    assert trouble.since == 25 * LOOK
    (figure,) = SICK[kind].values()
    assert f"{figure:.2g}" in trouble.message or kind == KL
    assert "2,500 images" in trouble.message


@pytest.mark.parametrize(
    ("kind", "sick", "well"),
    [
        (CODES_ALIKE, {"code_spread": 0.29}, {"code_spread": 0.31}),
        (SAMPLES_ALIKE, {"sample_spread": 0.079}, {"sample_spread": 0.081}),
        (RECONSTRUCTION, {"reconstruction": 0.301}, {"reconstruction": 0.299}),
        (KL, {"kl_fake": 2.61}, {"kl_fake": 2.59}),  # three margins of 0.5 nats
        (KL, {"kl_real": 2.81}, {"kl_real": 2.79}),
    ],
)
def test_limits(kind: str, sick: dict[str, float], well: dict[str, float]) -> None:
    assert _first_trouble(_watchdog(25), range(26, 40), HEALTHY | well) is None
    trouble = _first_trouble(_watchdog(25), range(26, 40), HEALTHY | sick)
    assert trouble is not None
    assert trouble.kind == kind


def test_a_wide_margin_lets_the_sides_part_further() -> None:
    wide = dataclasses.replace(CONFIG, phases=(dataclasses.replace(CONFIG.phases[0], images=10_000, margin=0.1),))
    assert _first_trouble(_watchdog(25, wide), range(26, 60), HEALTHY | {"kl_fake": 4.0}) is None
    assert _first_trouble(_watchdog(25, wide), range(26, 60), HEALTHY | {"kl_fake": 4.2}) is not None


@pytest.mark.parametrize("change", [{"margin": 0.0}, {"fade_images": 10_000}])
def test_the_sides_may_part_without_a_margin_and_in_a_fade(change: dict[str, float]) -> None:
    phase = dataclasses.replace(CONFIG.phases[0], images=10_000, **change)
    config = dataclasses.replace(CONFIG, phases=(phase,))
    assert _first_trouble(_watchdog(25, config), range(26, 60), HEALTHY | SICK[KL]) is None


def test_trouble_from_the_first_image_is_seen_once_a_run_should_have_settled() -> None:
    trouble = _first_trouble(Watchdog(CONFIG), range(1, 41), HEALTHY | {"code_spread": 0.1})
    assert trouble is not None
    assert (trouble.images_seen, trouble.since) == ((START_LOOKS + PATIENCE_LOOKS) * LOOK, 0)


def test_trouble_from_the_start_of_a_phase_is_seen_once_it_should_have_settled() -> None:
    trouble = _first_trouble(_watchdog(40), range(41, 80), HEALTHY | {"sample_spread": 0.01})
    assert trouble is not None
    assert (trouble.images_seen, trouble.since) == ((40 + SETTLE_LOOKS + PATIENCE_LOOKS) * LOOK, 40 * LOOK)


def test_an_error_worse_than_plain_grey_is_trouble_even_if_it_never_was_better() -> None:
    trouble = _first_trouble(Watchdog(CONFIG), range(1, 41), HEALTHY | {"reconstruction": 1.01})
    assert trouble is not None
    assert trouble.kind == RECONSTRUCTION


def test_looks_between_two_others_are_judged_for_finiteness_alone() -> None:
    watchdog = _watchdog(25)
    sick = HEALTHY | SICK[RECONSTRUCTION]
    for look in range(26, 40):
        assert watchdog.look(look * LOOK, HEALTHY) is None
        assert watchdog.look(look * LOOK + 49, sick) is None
    assert watchdog.look(39 * LOOK + 50, HEALTHY | {"layer": math.nan}) is not None


def test_it_can_be_rebuilt_from_the_log_at_any_look() -> None:
    lines = [HEALTHY | {"images_seen": look * LOOK} for look in range(1, 26)]
    lines += [HEALTHY | SICK[RECONSTRUCTION] | {"images_seen": look * LOOK} for look in range(26, 40)]
    straight = _first_trouble(_watchdog(25), range(26, 40), HEALTHY | SICK[RECONSTRUCTION])
    for known in range(25 + PATIENCE_LOOKS):
        rebuilt = Watchdog(CONFIG, lines[:known])
        troubles = [rebuilt.look(int(line["images_seen"]), line) for line in lines[known:]]
        assert next(trouble for trouble in troubles if trouble) == straight


# ---- what to do then ----


def _trouble(kind: str = KL, images_seen: int = 3000) -> Trouble:
    return Trouble(kind, "Something is wrong.", images_seen, images_seen - 500)


def test_the_checkpoint_to_go_back_to() -> None:
    trouble = _trouble()  # all was well at 2500
    assert checkpoint_before([0, 1000, 2000, 3000], trouble, 1) == 2000
    assert checkpoint_before([3000, 2500, 0], trouble, 1) == 2500
    assert checkpoint_before([0, 1000, 2000, 3000], trouble, 2) == 1000
    assert checkpoint_before([0, 1000, 2000, 3000], trouble, 9) == 0
    assert checkpoint_before([2600, 2700], trouble, 1) == 2600
    assert checkpoint_before([], trouble, 1) is None


def test_trouble_in_the_first_phase_halves_the_margin_from_there_on() -> None:
    eased, words = relief(CONFIG, _trouble(), 1)
    assert [p.margin for p in eased.phases] == [0.025, 0.025]
    assert [p.images for p in eased.phases] == [p.images for p in CONFIG.phases]
    assert [p.lr for p in eased.phases] == [1e-3, 1e-3]
    assert "the margin is 0.025 instead of 0.05" in words


def test_trouble_soon_after_growing_makes_the_phase_before_longer() -> None:
    eased, words = relief(CONFIG, _trouble(images_seen=5000), 1)
    assert [p.images for p in eased.phases] == [5000, 6000]
    assert [p.margin for p in eased.phases] == [0.05, 0.04]
    assert "phase 1 lasts 5,000 images instead of 4,000" in words


def test_trouble_late_in_a_phase_tightens_its_margin_alone() -> None:
    eased, _ = relief(CONFIG, _trouble(images_seen=9000), 1)
    assert [p.margin for p in eased.phases] == [0.05, 0.02]
    assert [p.images for p in eased.phases] == [4000, 6000]


@pytest.mark.parametrize("images_seen", [5000, 9000])
def test_the_second_attempt_does_both(images_seen: int) -> None:
    eased, _ = relief(CONFIG, _trouble(images_seen=images_seen), 2)
    assert [p.images for p in eased.phases] == [5000, 6000]
    assert [p.margin for p in eased.phases] == [0.05, 0.02]


def test_a_run_without_a_margin_gets_the_common_one() -> None:
    free = dataclasses.replace(CONFIG, phases=(dataclasses.replace(CONFIG.phases[0], margin=0.0), CONFIG.phases[1]))
    eased, words = relief(free, _trouble(), 1)
    assert [p.margin for p in eased.phases] == [0.05, 0.04]
    assert "the margin is 0.05 instead of none" in words


def test_values_that_are_not_finite_halve_the_step_size_of_the_phases_left() -> None:
    eased, words = relief(CONFIG, _trouble(NOT_FINITE, images_seen=9000), 1)
    assert [p.lr for p in eased.phases] == [1e-3, 5e-4]
    assert "the step size is 0.0005 instead of 0.001" in words


def test_no_attempt_draws_what_another_drew_and_none_touches_the_data() -> None:
    config, seeds = dataclasses.replace(CONFIG, seed=7), {7}
    for attempt in range(1, 4):
        config, words = relief(config, _trouble(), attempt)
        assert config.seed == 7  # the split into training and test pictures hangs on it
        assert config.draw_seed not in seeds
        assert "drawn anew" in words
        seeds.add(config.draw_seed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_advice_names_the_trouble_and_each_hint_once(kind: str) -> None:
    words = advice([_trouble(KL), _trouble(kind), _trouble(kind)])
    assert words.startswith("Something is wrong. ")
    sentences = words.rstrip(".").split(". ")
    assert len(sentences) == len(set(sentences)) >= 3
