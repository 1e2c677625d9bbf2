"""Schedules count images: where a run stands, and what that does to step size and averages."""

import pytest

from automod_core.schedule import Phase, average_decay, cooldown_factor, moment_at, total_images

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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resolution": 12}, "power of two, got 12"),
        ({"fade_images": 101}, "100 or less, the phase's length, got 101"),
        ({"resolution": 4, "fade_images": 1}, "nothing is smaller"),
        ({"images": 1.5}, "images must be a whole number"),
        ({"batch": True}, "batch must be a whole number"),
        ({"lr": float("nan")}, "lr must be above 0"),
        ({"lr": float("inf")}, "lr must be above 0"),
        ({"pool": -1}, "pool must be 0 or more"),
        ({"micro_batch": -1}, "micro_batch must be 0 or more"),
    ],
)
def test_a_phase_refuses(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Phase(**({"resolution": 8, "images": 100, "fade_images": 0, "batch": 8, "lr": 1e-3} | changes))


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
