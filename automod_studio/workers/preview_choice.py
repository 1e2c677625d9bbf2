"""Which smaller picture, if any, is shown before a full one that takes too long. Free of Qt and of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: A picture that comes within this time after a move feels like an answer; milliseconds. Nielsen, Usability
#: Engineering, 1993, Ch. 5: 0.1 second is about the limit for having the user feel that the system reacts at once.
DEADLINE_MS = 100.0
#: Faces of fewer pixels per side tell nothing.
LEAST_SIDE = 32

# Estimates waver, and neither the sharpness nor whether there are previews should change from move to move:
_STAYS = 1.2  # the size of the last preview is kept up to this part of the deadline ...
_GROWS = 0.8  # ... and a larger one, or the picture alone, needs less than this.
_WORTH_IT = 0.5  # a preview that is late itself is shown if it takes less than this part of the full picture's time ...
_STILL_WORTH_IT = 0.75  # ... and after another preview, less than this


class PreviewChoice:
    """Chooses the sizes of previews; remembers the last one, so that they do not change from move to move."""

    def __init__(self, deadline_ms: float | None = None) -> None:
        """No preview was shown yet. `deadline_ms`: another deadline than DEADLINE_MS."""
        self._deadline_ms = DEADLINE_MS if deadline_ms is None else deadline_ms
        self._last: int | None = None

    def side(
        self, full_ms: float | None, sides: Sequence[int], predict_ms: Callable[[int], float | None]
    ) -> int | None:
        """The pixels per side of the preview to show first; None if the full picture comes alone.

        Args:
            full_ms: milliseconds that the full picture will take; None if nobody knows: then it is drawn, and one does.
            sides: sizes of previews in which the change can be seen, ascending.
            predict_ms: milliseconds that a preview of a size will take; None if nobody knows.
        """
        self._last = None if full_ms is None else self._chosen(full_ms, sides, predict_ms)
        return self._last

    def _chosen(self, full_ms: float, sides: Sequence[int], predict_ms: Callable[[int], float | None]) -> int | None:
        if full_ms <= self._deadline_ms * (1.0 if self._last is None else _GROWS):
            return None
        known = {side: ms for side in sides if side >= LEAST_SIDE and (ms := predict_ms(side)) is not None}
        if not known:
            return None
        side = self._size({side: ms / self._deadline_ms for side, ms in known.items()})
        late = known[side] > _STAYS * self._deadline_ms
        worth_it = known[side] <= full_ms * (_WORTH_IT if self._last is None else _STILL_WORTH_IT)
        return side if worth_it or not late else None

    def _size(self, parts: dict[int, float]) -> int:
        """Of sizes and the parts of the deadline that they take: the largest that meets it, or else the smallest."""
        best = max((side for side, part in parts.items() if part <= 1), default=min(parts))
        last = self._last
        if last in parts and best < last and parts[last] <= _STAYS:
            return last
        if last in parts and best > last:
            return max(side for side, part in parts.items() if side == last or (side > last and part <= _GROWS))
        return best
