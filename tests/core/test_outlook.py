"""How much longer a run takes: from its log, whatever happened to the machine."""

import math
import time
from dataclasses import replace

import pytest

from automod_core.network_work import multiply_adds
from automod_core.outlook import seconds_left
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig

CONFIG = replace(
    PRESETS["small"](),
    phases=(
        Phase(resolution=8, images=1000, fade_images=0, batch=10, lr=1e-3),
        Phase(resolution=16, images=2000, fade_images=100, batch=10, lr=1e-3),
        Phase(resolution=32, images=4000, fade_images=100, batch=20, lr=1e-3),
    ),
)


def work(config: TrainConfig, index: int) -> float:
    return sum(multiply_adds(config.model, config.phases[index].level))


def log(start: int, end: int, speed: float, every: int = 100) -> list[dict[str, float]]:
    return [{"images_seen": seen, "images_per_s": speed} for seen in range(start + every, end + 1, every)]


def test_nothing_is_known_before_the_first_line() -> None:
    assert seconds_left(CONFIG, 0, []) is None
    assert seconds_left(CONFIG, 50, [{"images_seen": 50}, {"images_seen": 60, "images_per_s": math.nan}]) is None


def test_a_run_that_is_done() -> None:
    assert seconds_left(CONFIG, 7000, []) == 0
    assert seconds_left(CONFIG, 9000, log(0, 7000, 5)) == 0


def test_the_last_phase_takes_its_images_over_their_speed() -> None:
    assert seconds_left(CONFIG, 6000, log(0, 6000, 50)) == pytest.approx(1000 / 50)


def test_later_phases_follow_from_the_work_of_the_networks() -> None:
    left = seconds_left(CONFIG, 500, log(0, 500, 100))
    ratios = [work(CONFIG, index) / work(CONFIG, 0) for index in (1, 2)]
    assert left == pytest.approx(500 / 100 + 2000 / 100 * ratios[0] + 4000 / 100 * ratios[1])


def test_what_every_step_costs_shows_in_the_second_phase() -> None:
    """A graphics card spends most of a small step on beginning it."""
    fixed_s, per_work_s = 0.05, 1e-10
    steps = [fixed_s + per_work_s * phase.batch * work(CONFIG, i) for i, phase in enumerate(CONFIG.phases)]
    speeds = [phase.batch / step for phase, step in zip(CONFIG.phases, steps, strict=True)]
    points = log(0, 1000, speeds[0]) + log(1000, 2000, speeds[1])
    left = seconds_left(CONFIG, 2000, points)
    assert left == pytest.approx(1000 / speeds[1] + 4000 / speeds[2])


def test_speeds_that_make_no_sense_together_do_no_harm() -> None:
    """A first phase beside another program may have been slower than the second."""
    left = seconds_left(CONFIG, 2000, log(0, 1000, 5) + log(1000, 2000, 50))
    ratio = work(CONFIG, 2) / work(CONFIG, 1)
    assert left == pytest.approx(1000 / 50 + 4000 / 50 * ratio)


def test_a_machine_that_slept_counts_for_one_line() -> None:
    points = log(0, 6000, 50)
    points[-1] = points[-1] | {"images_per_s": 0.01}
    points[-2] = points[-2] | {"images_per_s": math.inf}
    assert seconds_left(CONFIG, 6000, points) == pytest.approx(1000 / 50)


def test_the_speed_is_that_of_late() -> None:
    points = log(3000, 5000, 10) + log(5000, 6000, 40)
    assert seconds_left(CONFIG, 6000, points) == pytest.approx(1000 / 40)


def test_a_step_back_asks_for_the_speed_of_the_phase_there() -> None:
    points = log(0, 1000, 100) + log(1000, 3000, 50) + log(3000, 4000, 20)
    assert seconds_left(CONFIG, 2000, points) == pytest.approx(1000 / 50 + 4000 / 20)


def test_a_long_log_costs_no_time() -> None:
    config = replace(CONFIG, phases=tuple(replace(phase, images=10**7) for phase in CONFIG.phases))
    points = log(0, 3 * 10**7, 50, every=300)
    began = time.process_time()
    for _ in range(20):
        seconds_left(config, 29_000_000, points)
    assert time.process_time() - began < 0.5
