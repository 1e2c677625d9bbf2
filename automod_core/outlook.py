"""How much longer a run will take, from how fast it has been so far. Imports no torch."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import median

from automod_core.network_work import multiply_adds
from automod_core.schedule import moment_at
from automod_core.train_config import TrainConfig

_RECENT = 9  # lines of the log that the speed of a phase is taken from

Point = Mapping[str, float]


def seconds_left(config: TrainConfig, images_seen: int, points: Sequence[Point]) -> float | None:
    """Estimate the seconds until a run is done.

    The speed of a phase is the median of its latest lines, so that a machine that slept for an hour counts for one
    line. That of a phase to come follows from the multiplications of the networks.

    Args:
        config: the run.
        images_seen: where it stands.
        points: lines of its log by "images_seen", each with "images_per_s"; those without tell nothing.

    Returns:
        None if no line tells a speed yet; 0 for a run that is done.
    """
    if images_seen >= config.total_images:
        return 0.0
    known = _known_steps(config, points)
    if not known:
        return None
    now = moment_at(config.phases, images_seen)
    left = 0.0
    for index in range(now.index, len(config.phases)):
        phase = config.phases[index]
        images = phase.images - (now.images_into if index == now.index else 0)
        step_s = known[index] if index in known else _guess(config, index, known)
        left += images / phase.batch * step_s
    return left


def _known_steps(config: TrainConfig, points: Sequence[Point]) -> dict[int, float]:
    """Seconds of a step of each phase that the log tells of."""
    known, begin = {}, 0
    for index, end in enumerate(accumulate(phase.images for phase in config.phases)):
        last = bisect_right(points, float(end), lo=begin, key=lambda point: point.get("images_seen", -math.inf))
        speeds = [point.get("images_per_s", math.nan) for point in points[max(begin, last - _RECENT) : last]]
        usable = [speed for speed in speeds if 0 < speed < math.inf]
        if usable:
            known[index] = config.phases[index].batch / median(usable)
        begin = last
    return known


def _guess(config: TrainConfig, index: int, known: Mapping[int, float]) -> float:
    """Seconds of a step of a phase that has not begun: part of a step costs the same at any size, the rest its work."""
    latest = max(known)
    work, seconds = _work(config, latest), known[latest]
    smallest = min(known, key=lambda other: _work(config, other))
    before, cheap = _work(config, smallest), known[smallest]
    fixed = 0.0
    if work > before and seconds > cheap:
        fixed = max(0.0, seconds - (seconds - cheap) / (work - before) * work)
    return fixed + (seconds - fixed) * _work(config, index) / work


def _work(config: TrainConfig, index: int) -> float:
    """Multiplications of encoding and decoding a batch of a phase."""
    phase = config.phases[index]
    return float(phase.batch * sum(multiply_adds(config.model, phase.level)))
