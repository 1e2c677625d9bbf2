"""The log lines of a run as growing lines of numbers, made for drawing: a point more costs next to nothing. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

#: The curves, by their names in the log, and the margin, which bounds one of them.
NAMES = ("reconstruction", "kl_real", "kl_fake", "code_cosine", "layer", "images_per_s", "memory", "margin")

_FIRST_ROOM = 256
_ABSENT = -math.inf
Numbers = NDArray[np.float64]  # (N,)


class CurvePoints:
    """The lines of a run. A log line that lacks a value leaves it out; a value that is no finite number is a gap."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._last = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._lines = {name: _Line() for name in NAMES}
        self._last = 0.0

    def add(self, points: Sequence[Mapping[str, float]]) -> None:
        """Append log lines as run_log.LogTail gives them, oldest first; 10,000 take about 10 ms."""
        if not points:
            return
        images = np.array([point["images_seen"] for point in points], dtype=np.float64)
        for name, line in self._lines.items():
            values = np.array([point.get(name, _ABSENT) for point in points], dtype=np.float64)
            there = values != _ABSENT
            line.add(images[there], np.where(np.isfinite(values), values, math.nan)[there])
        self._last = max(self._last, float(images[-1]))

    @property
    def last_images(self) -> float:
        """Images seen at the last log line; 0 without lines."""
        return self._last

    def has(self, name: str) -> bool:
        """Whether the line has a point at all; logs of older runs lack some."""
        return self._lines[name].count > 0

    def at(self, name: str, images: float) -> float:
        """The value at the point nearest to `images`; NaN if there is none."""
        x, y = self._lines[name].points
        if not len(x):
            return math.nan
        after = int(np.searchsorted(x, images))
        near = [index for index in (after - 1, after) if 0 <= index < len(x)]
        return float(y[min(near, key=lambda index: abs(x[index] - images))])

    def between(self, name: str, start: float, end: float) -> tuple[Numbers, Numbers]:
        """The part of a line that is seen, with a point more on either side, so that it reaches the edges.

        Args:
            name: one of NAMES.
            start: images seen at the left edge.
            end: images seen at the right edge.

        Returns:
            Images seen and values, (M,) each.
        """
        x, y = self._lines[name].points
        first = max(int(np.searchsorted(x, start)) - 1, 0)
        last = int(np.searchsorted(x, end, side="right")) + 1
        return x[first:last], y[first:last]


class _Line:
    """Points with room to grow."""

    def __init__(self) -> None:
        self._table = np.empty((2, _FIRST_ROOM))
        self.count = 0

    @property
    def points(self) -> tuple[Numbers, Numbers]:
        return self._table[0, : self.count], self._table[1, : self.count]

    def add(self, x: Numbers, y: Numbers) -> None:
        end = self.count + len(x)
        if end > self._table.shape[1]:
            wider = np.empty((2, max(end, 2 * self._table.shape[1])))
            wider[:, : self.count] = self._table[:, : self.count]
            self._table = wider
        self._table[:, self.count : end] = x, y
        self.count = end


def alone(y: Numbers) -> NDArray[np.bool_]:
    """Which points no line reaches, as their neighbours are missing: they have to be drawn as dots.

    Args:
        y: (N,); what is not finite is a gap.

    Returns:
        (N,), True for a finite value between two gaps or ends.
    """
    there = np.concatenate([[False], np.isfinite(y), [False]])
    return there[1:-1] & ~there[:-2] & ~there[2:]


def smoothed(x: Numbers, y: Numbers, bins: int) -> tuple[Numbers, Numbers]:
    """The means of a line over stretches of equally many points, so that a noisy one shows where it goes.

    Args:
        x: (N,), ascending.
        y: (N,); what is not finite counts for nothing.
        bins: at most this many stretches.

    Returns:
        Means of x and of y, (M,) each, M <= bins; NaN where a stretch has no finite value.
    """
    edges = np.unique(np.linspace(0, len(x), bins + 1).round().astype(np.int64))[:-1]
    if not len(edges):
        return x, y
    finite = np.isfinite(y)
    counts = np.add.reduceat(finite.astype(np.float64), edges)
    sums = np.add.reduceat(np.where(finite, y, 0.0), edges)
    lengths = np.diff(np.append(edges, len(x)))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, sums / counts, math.nan)
    return np.add.reduceat(x, edges) / lengths, means
