"""Which smaller picture, if any, is shown before a full one that takes too long. Free of Qt and of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: A picture that comes within this time after a move feels like an answer; milliseconds. Nielsen, Usability
#: Engineering, 1993, Ch. 5: 0.1 second is about the limit for having the user feel that the system reacts at once.
DEADLINE_MS = 100.0
#: Faces of fewer pixels per side tell nothing.
LEAST_SIDE = 32

_STAYS = 1.2  # the size of the last preview is kept up to this part of the deadline ...
_GROWS = 0.8  # ... and a larger one needs less than this: estimates waver, and the sharpness should not
_WORTH_IT = 0.5  # a preview that is late itself is shown if it takes less than this part of the full picture's time


class PreviewChoice:
    """Chooses the sizes of previews; remembers the last one, so that sizes do not change from move to move."""

    def __init__(self, deadline_ms: float | None = None) -> None:
        """No preview was shown yet. `deadline_ms`: another deadline than DEADLINE_MS."""
        self._deadline_ms = DEADLINE_MS if deadline_ms is None else deadline_ms
        self._last = 0

    def side(
        self, full_ms: float | None, sides: Sequence[int], predict_ms: Callable[[int], float | None]
    ) -> int | None:
        """The pixels per side of the preview to show first; None if the full picture comes alone.

        Args:
            full_ms: milliseconds that the full picture will take; None if nobody knows: then it is drawn, and one does.
            sides: sizes of previews in which the change can be seen, ascending.
            predict_ms: milliseconds that a preview of a size will take; None if nobody knows.
        """
        if full_ms is None or full_ms <= self._deadline_ms:
            return None
        known = {side: ms for side in sides if side >= LEAST_SIDE and (ms := predict_ms(side)) is not None}
        if not known:
            return None
        self._last = self._chosen(known)
        late = known[self._last] > _STAYS * self._deadline_ms
        return None if late and known[self._last] > _WORTH_IT * full_ms else self._last

    def _chosen(self, known: dict[int, float]) -> int:
        """The largest that meets the deadline; of those that miss it, the smallest."""
        part = {side: ms / self._deadline_ms for side, ms in known.items()}
        best = max((side for side in part if part[side] <= 1), default=min(part))
        if self._last in part and best < self._last and part[self._last] <= _STAYS:
            return self._last
        if self._last in part and best > self._last:
            return max(side for side in part if side == self._last or (side > self._last and part[side] <= _GROWS))
        return best
