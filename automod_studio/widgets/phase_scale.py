"""Where images lie on a chart of phases: in proportion, but no phase so narrow that it cannot be seen. No Qt."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class PhaseScale:
    """Maps images seen to pixels and back, phase by phase."""

    def __init__(self, lengths: Sequence[int], left: float, width: float, least: float) -> None:
        """Spread phases over a width.

        Args:
            lengths: images of each phase, 1 or more.
            left: pixels left of the first phase.
            width: pixels of all phases together.
            least: pixels of the shortest phase, if there is room.
        """
        widths = _widths(lengths, width, min(least, width / len(lengths)))
        self._images = [0, *accumulate(lengths)]
        self._px = [left, *(left + done for done in accumulate(widths))]

    @property
    def right(self) -> float:
        """Where the last phase ends, in pixels."""
        return self._px[-1]

    def x_of(self, images: float) -> float:
        """Pixels of a number of images seen; past the end it goes on as in the last phase."""
        part = self._part(bisect_right(self._images, images) - 1)
        return self._px[part] + (images - self._images[part]) / self.images_per_px(part)

    def images_at(self, x: float) -> float:
        """Images seen at a pixel; left of the first phase these are negative."""
        part = self._part(bisect_right(self._px, x) - 1)
        return self._images[part] + (x - self._px[part]) * self.images_per_px(part)

    def images_per_px(self, part: int) -> float:
        """How many images a pixel stands for within a phase."""
        return (self._images[part + 1] - self._images[part]) / (self._px[part + 1] - self._px[part])

    def part_at(self, x: float) -> int:
        """The phase at a pixel: the first or the last one beyond the ends."""
        return self._part(bisect_right(self._px, x) - 1)

    def _part(self, part: int) -> int:
        return min(max(part, 0), len(self._images) - 2)


def _widths(lengths: Sequence[int], width: float, least: float) -> list[float]:
    """Pixels of each phase; those that would be too narrow take theirs from the others."""
    narrow: set[int] = set()
    while True:
        wide = [n for n in range(len(lengths)) if n not in narrow]
        left, total = width - least * len(narrow), sum(lengths[n] for n in wide)
        more = {n for n in wide if left * lengths[n] / total < least}
        if not more or len(more) == len(wide):
            share = left / total if wide else 0.0
            return [least if n in narrow else lengths[n] * share for n in range(len(lengths))]
        narrow |= more
