import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core.config import ModelConfig
from automod_core.remedies import Remedy, Replay, alarm_words, remedies
from automod_core.run_edits import changed
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.watchdog import (
    CODES_ALIKE,
    KINDS,
    KL,
    NOT_FINITE,
    PATIENCE_LOOKS,
    RECONSTRUCTION,
    START_LOOKS,
    Watchdog,
    margin_in_nats,
)

LOOK = 100  # images
CONFIG = TrainConfig(
    model=ModelConfig(code_size=16, decoder_channels=(8, 8, 8), encoder_channels=(8, 8, 8)),
    phases=(
        Phase(resolution=8, images=40 * LOOK, fade_images=0, batch=4, lr=1e-3, margin=0.05),
        Phase(resolution=16, images=60 * LOOK, fade_images=20 * LOOK, batch=4, lr=8e-4, margin=0.04),
    ),
    kl_weight=0.1,
    log_images=LOOK,
)
SAVED = (1000, 2000, 3000, 4000, 5000)


def labels(found: tuple[Remedy, ...]) -> list[str]:
    return [remedy.label for remedy in found]


# ---- words ----


@pytest.mark.parametrize("kind", [*KINDS, "of a newer version", ""])
def test_every_alarm_has_plain_words(kind: str) -> None:
    title, sentence = alarm_words(kind)
    assert not title.endswith(".")
    assert sentence.endswith(".")
    words = f"{title} {sentence}".lower()
    assert not any(word in words for word in ("latent", "tensor", "kl", "loss", "nan", "encoder", "decoder"))


# ---- what can be done ----


def test_trouble_early_in_a_phase_can_be_met_in_three_ways() -> None:
    found = remedies(CONFIG, KL, 4700, SAVED, since=4100)
    assert labels(found) == ["Go back to 4,000 images", "Tighten the margin", "Lengthen the phase before"]
    back, tighten, lengthen = (remedy.edit for remedy in found)
    assert (back.back_to, back.redraw, back.margin, back.lengthen) == (4000, True, None, 0)
    assert (tighten.back_to, tighten.margin) == (4000, 0.02)
    assert (lengthen.back_to, lengthen.lengthen_phase, lengthen.lengthen) == (4000, 0, 1000)
    assert found[1].tip == (
        "Go back to 4,000 images; from there, hold the two halves closer together: margin 0.02 instead of 0.04."
    )
    assert "5,000 images instead of 4,000" in found[2].tip


def test_the_phase_before_can_only_grow_where_the_run_goes_back_into_it() -> None:
    assert "Lengthen the phase before" not in labels(remedies(CONFIG, KL, 6000, SAVED, since=5500))
    assert "Lengthen the phase before" not in labels(remedies(CONFIG, KL, 3500, SAVED, since=3000))  # the first phase


def test_numbers_that_broke_down_and_worse_photos_call_for_smaller_steps() -> None:
    found = remedies(CONFIG, NOT_FINITE, 3500, SAVED, since=3000)
    assert labels(found) == ["Go back to 3,000 images", "Take smaller steps", "Tighten the margin"]
    assert found[1].edit.lr == 5e-4
    assert labels(remedies(CONFIG, RECONSTRUCTION, 5500, SAVED, since=5000))[-1] == "Take smaller steps"


@pytest.mark.parametrize(
    ("saved", "since", "expected"),
    [
        (SAVED, 4999, 4000),
        (SAVED, 5000, 5000),
        (SAVED, None, 4000),  # nobody knows since when: the last but one
        ((5000,), None, 5000),
        ((5000, 6000), 10, 5000),  # all are too young: the oldest
        ((9000,), 5000, None),  # of a future that is not there any more
        ((), 5000, None),
    ],
)
def test_where_it_goes_back_to(saved: tuple[int, ...], since: int | None, expected: int | None) -> None:
    found = remedies(CONFIG, KL, 5600, saved, since)
    assert {remedy.edit.back_to for remedy in found} == {expected}
    assert ("Go back" in labels(found)[0]) == (expected is not None)


def test_without_a_checkpoint_the_margin_is_tightened_where_the_run_is() -> None:
    (tighten,) = remedies(CONFIG, KL, 5600, (), 5000)
    assert (tighten.edit.back_to, tighten.edit.redraw) == (None, False)
    assert tighten.tip == "Hold the two halves closer together: margin 0.02 instead of 0.04."


def test_a_run_without_a_margin_gets_one_and_one_without_weight_none() -> None:
    free = replace(CONFIG, phases=tuple(replace(phase, margin=0.0) for phase in CONFIG.phases))
    tighten = remedies(free, KL, 5600, SAVED, 5000)[1]
    assert tighten.edit.margin == 0.05
    assert "0.05 instead of none" in tighten.tip
    assert "Tighten the margin" not in labels(remedies(replace(CONFIG, kl_weight=0.0), CODES_ALIKE, 5600, SAVED))


def test_tightening_loosens_no_phase_and_reaches_the_one_in_trouble() -> None:
    third = replace(CONFIG.phases[1], margin=0.01)
    config = replace(CONFIG, phases=(replace(CONFIG.phases[0], margin=0.1), CONFIG.phases[1], third))
    tighten = remedies(config, KL, 4700, SAVED, since=4000)[1]
    assert (tighten.edit.back_to, tighten.edit.margin) == (4000, 0.02)
    new, _ = changed(config, 3999, tighten.edit)
    assert [phase.margin for phase in new.phases] == [0.02, 0.02, 0.01]


def test_a_margin_is_not_tightened_for_ever() -> None:
    tiny = replace(CONFIG, phases=tuple(replace(phase, margin=1.5e-4) for phase in CONFIG.phases))
    assert "Tighten the margin" not in labels(remedies(tiny, KL, 5600, SAVED, 5000))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([*KINDS, "?"]),
    seen=st.integers(0, 12_000),
    saved=st.lists(st.integers(0, 12_000), max_size=5),
    since=st.none() | st.integers(0, 12_000),
    margins=st.tuples(*[st.sampled_from([0.0, 1e-5, 0.004, 0.04, 3.3])] * 2),
)
def test_every_remedy_can_be_applied(
    kind: str, seen: int, saved: list[int], since: int | None, margins: tuple[float, float]
) -> None:
    phases = [replace(phase, margin=margin) for phase, margin in zip(CONFIG.phases, margins, strict=True)]
    config = replace(CONFIG, phases=tuple(phases))
    found = remedies(config, kind, seen, saved, since)
    assert len(found) <= 4
    for remedy in found:
        at = seen if remedy.edit.back_to is None else remedy.edit.back_to
        assert at <= seen
        new, sentence = changed(config, at, remedy.edit)
        assert new != config
        assert sentence
        assert remedy.tip.endswith(".")
        if remedy.edit.margin is not None:
            for before, after in zip(config.phases, new.phases, strict=True):
                assert after.margin <= (before.margin or after.margin)


# ---- alarms of a run whose watchdog is off ----

HEALTHY = {"reconstruction": 0.2, "kl_real": 1.1, "kl_fake": 1.3, "code_spread": 0.9, "sample_spread": 0.4}


def log(looks: range, **changes: float) -> list[dict[str, float]]:
    return [{"images_seen": float(look * LOOK), **HEALTHY, **changes} for look in looks]


def test_replay_sees_what_the_watchdog_sees() -> None:
    lines = log(range(1, 30)) + log(range(30, 40), code_spread=0.1)
    watchdog = Watchdog(CONFIG)
    expected = next(found for line in lines if (found := watchdog.look(int(line["images_seen"]), line)))
    replay = Replay(CONFIG)
    assert replay.look(lines[:20]) is None
    assert replay.look(lines[20:]) == expected
    assert expected.kind == CODES_ALIKE
    assert replay.look(log(range(41, 60), code_spread=0.1)) is None  # told once


def test_a_log_that_comes_anew_is_judged_anew() -> None:
    sick = log(
        range(1, START_LOOKS + PATIENCE_LOOKS + 5), kl_fake=1.1 + 4 * max(1.5, margin_in_nats(CONFIG, CONFIG.phases[0]))
    )
    replay = Replay(CONFIG)
    first = replay.look(sick)
    assert first is not None
    assert first.kind == KL
    assert replay.look(log(range(1, 30)), anew=True) is None
    assert replay.look(sick, anew=True) == first


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"images_seen": "many"},
        {"images_seen": None},
        {"images_seen": True},
        {"images_seen": math.nan},
        {"images_seen": math.inf},
        {"images_seen": 100, "kl_real": None},
        {"images_seen": 100, "kl_real": [1]},
        {"images_seen": 100, "kl_real": 10**400},
        {"images_seen": -(10**400)},
    ],
)
def test_lines_that_nobody_could_judge_are_passed_over(odd: Mapping[str, float]) -> None:
    replay = Replay(CONFIG)
    assert replay.look([odd]) is None
    broken = replay.look([{"images_seen": 200.0, **HEALTHY, "kl_real": math.nan}])
    assert broken is not None
    assert broken.kind == NOT_FINITE
