"""What plots of a run need: lines from its log, the band that the margin allows, where phases begin. Only numpy."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automod_core.schedule import moment_at
from automod_core.train_config import TrainConfig

Numbers = NDArray[np.float64]  # (N,)

MOST_POINTS = 2000  # on a line: more than a plot has columns


def series(points: Iterable[Mapping[str, float]], name: str) -> tuple[Numbers, Numbers]:
    """Return the line of one value over the images seen.

    Args:
        points: lines of the log, oldest first (run_log.LogTail, report.read_scalars).
        name: of the value; lines without it are passed over.

    Returns:
        Images seen (N,), and the values (N,); NaN for one that is no finite number, so that the line breaks there.
    """
    found = [(_number(point.get("images_seen")), _number(point[name])) for point in points if name in point]
    pairs = np.array(found, dtype=np.float64).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs[:, 0])]
    return pairs[:, 0], pairs[:, 1]


def _number(value: object) -> float:
    """The value as a finite number; NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.nan
    return number if math.isfinite(number) else math.nan


def thinned(x: Numbers, y: Numbers, most: int = MOST_POINTS) -> tuple[Numbers, Numbers]:
    """Leave out points of a line so that no peak, no valley and no gap is lost.

    The line is cut into stretches of equally many points; of each the lowest and the highest are kept, and a point that
    is not finite, if there is one. The first and the last point stay.

    Args:
        x: (N,), ascending.
        y: (N,); NaN where the line has a gap.
        most: points at most, >= 8.

    Returns:
        x and y of what is kept, (M,) each, M <= most; the same arrays if there are few enough.
    """
    if most < 8:
        raise ValueError(f"most must be at least 8, got {most}")
    if len(x) <= most:
        return x, y
    length = -(-len(x) // ((most - 2) // 3))  # of a stretch
    padded = np.full(-(-len(x) // length) * length, math.nan)
    padded[: len(x)] = y
    rows = padded.reshape(-1, length)
    finite = np.isfinite(rows)
    lowest, highest = np.where(finite, rows, np.inf).argmin(axis=1), np.where(finite, rows, -np.inf).argmax(axis=1)
    starts, broken = np.arange(len(rows)) * length, ~finite.all(axis=1)
    gaps = starts[broken] + finite[broken].argmin(axis=1)
    chosen = np.unique(np.concatenate([[0, len(x) - 1], starts + lowest, starts + highest, gaps[gaps < len(x)]]))
    return x[chosen], y[chosen]


@dataclass(frozen=True, slots=True)
class Span:
    """A phase on the axis of images.

    Attributes:
        start, end: images seen at its beginning and its end.
        resolution: pixels per side.
        fade_end: images seen when its newest block has faded in; start if nothing fades in.
        batch: pictures per step.
        lr: step size.
        margin: as Phase.margin; 0 for none.
    """

    start: int
    end: int
    resolution: int
    fade_end: int
    batch: int
    lr: float
    margin: float


def phase_spans(config: TrainConfig) -> tuple[Span, ...]:
    """Return the phases of a run, one behind the other."""
    spans, start = [], 0
    for phase in config.phases:
        end = start + phase.images
        fade_end = start + phase.fade_images
        spans.append(Span(start, end, phase.resolution, fade_end, phase.batch, phase.lr, phase.margin))
        start = end
    return tuple(spans)


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Where kl_fake may lie: beyond it, the encoder gains nothing any more.

    Attributes:
        x: images seen (N,).
        low: kl_real (N,), in nats per dimension; NaN in a phase without a margin.
        high: kl_real plus the margin in the same units (N,); NaN there too.
    """

    x: Numbers
    low: Numbers
    high: Numbers


def margin_band(config: TrainConfig, points: Sequence[Mapping[str, float]]) -> Band:
    """Return the band that the margin allows for kl_fake above kl_real.

    Args:
        config: settings of the run; a log line that names its own margin is taken at its word, since the settings may
            have been changed since.
        points: lines of the log, oldest first.
    """
    x, real = series(points, "kl_real")
    told = dict(zip(*(values.tolist() for values in series(points, "margin")), strict=True))
    margins = np.array([_margin(config, at, told.get(at)) for at in x.tolist()], dtype=np.float64)
    width = margins / config.kl_weight if config.kl_weight else np.full_like(margins, math.nan)
    return Band(x, np.where(np.isnan(width), math.nan, real), real + width)


def _margin(config: TrainConfig, images_seen: float, told: float | None) -> float:
    """The margin at a line of the log, as Phase.margin; NaN for none."""
    margin = told
    if margin is None or math.isnan(margin):
        margin = moment_at(config.phases, max(int(images_seen) - 1, 0)).phase.margin
    return margin if margin > 0 else math.nan
