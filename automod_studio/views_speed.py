"""What the corner of the window says of the speed, from the pictures that came. No Qt, no torch."""

from __future__ import annotations

from collections import deque

from automod_studio.workers.requests import Rendered

_KEPT = 100  # steps that the 95 % are of
_PRECISIONS = {"float32": "32-bit numbers", "bfloat16": "16-bit numbers", "int16": "16-bit whole numbers"}


class SpeedFigures:
    """Remembers how long pictures took to compute, and puts it into words."""

    def __init__(self) -> None:
        self._last: Rendered | None = None
        self._full: Rendered | None = None
        self._preview: Rendered | None = None
        self._steps_ms: deque[float] = deque(maxlen=_KEPT)  # of the first picture of each step

    def take(self, reply: Rendered) -> None:
        """Take note of a picture that is shown; one that was only looked up, as at the end of a drag, tells nothing."""
        if self._last is not None and reply.n_blocks and reply.first_block >= reply.n_blocks:
            return
        if self._last is not None and _what_draws(self._last) != _what_draws(reply):
            self._full = self._preview = None
            self._steps_ms.clear()
        if self._last is None or reply.id != self._last.id:
            self._steps_ms.append(reply.elapsed_ms)
        self._last = reply
        if reply.preview:
            self._preview = reply
        else:
            self._full = reply

    @property
    def text(self) -> str:
        """Device and time of the picture that is shown: "CPU · 38 ms"; "" before the first."""
        return "" if self._last is None else f"{self._last.device} · {milliseconds(self._last.elapsed_ms)}"

    @property
    def tip(self) -> str:
        """All that is known, in a few lines."""
        if self._last is None:
            return ""
        lines = [" · ".join(self._pictures())]
        if len(self._steps_ms) > 1:
            lines.append(f"95 % of the last {len(self._steps_ms)} within {milliseconds(percentile_95(self._steps_ms))}")
        if self._last.n_blocks:
            lines.append(_reused(self._last.first_block, self._last.n_blocks))
        lines.append(", ".join(filter(None, (self._last.device, _PRECISIONS.get(self._last.precision, "")))))
        return "\n".join(lines)

    def _pictures(self) -> list[str]:
        """What the last preview and the last full picture took."""
        parts = []
        if self._preview is not None:
            parts.append(f"Preview {milliseconds(self._preview.elapsed_ms)} ({self._preview.size} px)")
        if self._full is not None:
            parts.append(f"{'full' if parts else 'Full'} picture {milliseconds(self._full.elapsed_ms)}")
        return parts


def milliseconds(time_ms: float) -> str:
    """A time for people, in five figures at most: "38 ms", "< 1 ms", "12 s"."""
    if time_ms >= 9999.5:
        return f"{time_ms / 1000:.0f} s"
    return f"{time_ms:.0f} ms" if time_ms >= 0.95 else "< 1 ms"


def percentile_95(times: deque[float]) -> float:
    """The smallest of the times that 95 % of them do not exceed; there is at least one."""
    ordered = sorted(times)
    return ordered[-(len(ordered) // 20) - 1]


def _what_draws(reply: Rendered) -> tuple[object, ...]:
    """Pictures of another device or model tell nothing of this one."""
    return reply.device, reply.full_size, reply.n_blocks, reply.precision


def _reused(first_block: int, n_blocks: int) -> str:
    return f"Restarted at block {first_block + 1} of {n_blocks}" if first_block else f"All {n_blocks} blocks anew"
