"""The path: states of the document, one after another, and how the picture moves from each to the next."""

from __future__ import annotations

from dataclasses import dataclass

from automod_core.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A state that the path goes through.

    Attributes:
        name: for people.
        recipe: the picture.
        seconds: how long the way to the next keyframe takes.
        state_id: the state of the history that it was taken from; None if it came from elsewhere.
    """

    name: str
    recipe: Recipe
    seconds: float = 2.0
    state_id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RangeTiming:
    """When a range moves within each segment: from `start` to `end`, 0..1."""

    range_name: str
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class MotionPath:
    """Keyframes with their timing.

    Attributes:
        keyframes: in order.
        timings: one per range whose timing is not the whole segment.
        easing: name of an easing of automod_core.animation.
        loop: "once", "loop" or "ping-pong".
    """

    keyframes: tuple[Keyframe, ...] = ()
    timings: tuple[RangeTiming, ...] = ()
    easing: str = "smooth"
    loop: str = "once"
