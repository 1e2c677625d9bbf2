"""What the panel of the path shows, and the pure functions that make it from a Document. No Qt, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from automod_studio.document import path_edits
from automod_studio.document.model import Document

EASING_TITLES = {
    "smooth": "Smooth",
    "linear": "Even",
    "ease-in": "Slow start",
    "ease-out": "Slow end",
    "ease-in-out": "Slow both",
}
LOOP_TITLES = {"once": "Once", "loop": "Loop", "ping-pong": "There and back"}


@dataclass(frozen=True, slots=True)
class KeyframeView:
    """One keyframe: its name, and the way to the next one; `seconds` is None where no way leads on."""

    name: str
    seconds: float | None
    current: bool


@dataclass(frozen=True, slots=True)
class TimingView:
    """When a range moves, 0..1."""

    name: str
    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PathView:
    """The whole panel.

    Attributes:
        keyframes: in order.
        timings: of the ranges, coarse first.
        seconds: length of the whole, there and back for "ping-pong"; 0 without a path.
        ticks: when each keyframe is passed, in seconds.
        can_add: there is a picture to add.
        plain: timing, easing and loop are those of a new path.
        staggered: the ranges move one after another as `path_edits.staggered` has it.
    """

    keyframes: tuple[KeyframeView, ...] = ()
    timings: tuple[TimingView, ...] = ()
    easing: str = "smooth"
    loop: str = "once"
    seconds: float = 0.0
    ticks: tuple[float, ...] = ()
    can_add: bool = False
    plain: bool = True
    staggered: bool = False

    @property
    def can_play(self) -> bool:
        """Whether there is something to play."""
        return len(self.keyframes) >= 2


def path_view(document: Document) -> PathView:
    """The panel of a document."""
    path, model = document.path, document.model
    timings = path_edits.timings_of(document)
    loop = path_edits.loop_of(path)
    count = len(path.keyframes)
    last = count if loop == "loop" and count >= 2 else count - 1  # keyframes before this one have a way that leads on
    keyframes = tuple(
        KeyframeView(k.name, k.seconds if number < last else None, path_edits.shows(document, k.recipe))
        for number, k in enumerate(path.keyframes)
    )
    ways = [k.seconds for k in keyframes if k.seconds is not None] if count >= 2 else []
    forward = sum(ways)
    ticks = tuple(accumulate(ways, initial=0.0)) if ways else ()
    return PathView(
        keyframes,
        tuple(TimingView(name, name.capitalize(), *span) for name, span in timings.items()),
        path_edits.easing_of(path),
        loop,
        2 * forward if loop == "ping-pong" else forward,
        ticks,
        model is not None and bool(document.sources),
        path_edits.is_plain(path),
        model is not None and timings == path_edits.staggered(model),
    )


def length_words(seconds: float) -> str:
    """A length for people: "6.5 s", "1:05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
