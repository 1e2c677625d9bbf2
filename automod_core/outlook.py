"""How much longer a run will take, from how fast it has been so far. Imports no torch."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from automod_core.network_work import multiply_adds
from automod_core.schedule import Phase, moment_at
from automod_core.train_config import TrainConfig

_RECENT = 9  # lines of the log that the present speed is taken from


def seconds_left(config: TrainConfig, images_seen: int, points: Sequence[Mapping[str, float]]) -> float | None:
    """Estimate the seconds until a run is done; fades and the cool-down cost no extra time.

    The speed of a phase is the median of its latest lines, so that a machine that slept for an hour counts for one
    line. That of a phase to come follows from the multiplications of the networks.

    Args:
        config: the run.
        images_seen: where it stands.
        points: lines of its log, oldest first, each with "images_seen" and "images_per_s". Others are passed over.

    Returns:
        None if no line tells a speed yet; 0 for a run that is done.
    """
    if images_seen >= config.total_images:
        return 0.0
    costs = _seconds_per_image(config, points)
    if not costs:
        return None
    now = moment_at(config.phases, images_seen)
    left = 0.0
    for index in range(now.index, len(config.phases)):
        phase = config.phases[index]
        images = phase.images - (now.images_into if index == now.index else 0)
        left += images * (costs[index] if index in costs else _guess(config, index, costs))
    return left


def _seconds_per_image(config: TrainConfig, points: Sequence[Mapping[str, float]]) -> dict[int, float]:
    """Seconds per image of each phase that the log tells of."""
    speeds: dict[int, list[float]] = {}
    for point in points:
        seen, speed = point.get("images_seen", math.nan), point.get("images_per_s", math.nan)
        if seen > 0 and speed > 0 and math.isfinite(seen) and math.isfinite(speed):
            speeds.setdefault(moment_at(config.phases, int(seen) - 1).index, []).append(speed)
    return {index: 1 / median(found[-_RECENT:]) for index, found in speeds.items()}


def _guess(config: TrainConfig, index: int, costs: Mapping[int, float]) -> float:
    """Seconds per image of a phase that has not been trained at, from the latest one that has."""
    known = max(costs)
    return costs[known] * _work(config, config.phases[index]) / _work(config, config.phases[known])


def _work(config: TrainConfig, phase: Phase) -> float:
    """Multiplications of encoding and decoding one picture of a phase."""
    return float(sum(multiply_adds(config.model, phase.level)))
