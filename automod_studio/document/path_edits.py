"""Edits of the path: pure functions from a Document to a new one, and what the path means. Neither Qt nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automod_core.animation import (
    EASINGS,
    LOOPS,
    MAX_KEYFRAMES,
    MAX_SECONDS,
    MIN_SECONDS,
    MIN_SPAN,
    WHOLE,
    PathKeyframe,
    RecipePath,
    Span,
    spans_of_ranges,
)
from automod_core.recipe import AttributeEdit, Recipe, Variation
from automod_studio.document.history import State
from automod_studio.document.model import Document, ModelRef, recipe_of, same_picture
from automod_studio.document.path import Keyframe, MotionPath, RangeTiming

USUAL_SECONDS = 2.0

# ---- what there is ----


def has_path(document: Document) -> bool:
    """Whether there are keyframes enough to go from one to another."""
    return document.model is not None and len(document.path.keyframes) >= 2


def recipe_path(document: Document) -> RecipePath | None:
    """The path as the library takes it; None if there are not two keyframes.

    Timings of ranges that the model lacks are passed over, and so is an easing or a loop that is not known.
    """
    path, model = document.path, document.model
    if model is None or not has_path(document):
        return None
    keyframes = tuple(PathKeyframe(k.recipe, _seconds(k.seconds)) for k in path.keyframes)
    spans = spans_of_ranges(model.scale_ranges, timings_of(document), model.n_blocks)
    return RecipePath(keyframes, spans, easing_of(path), loop_of(path))


def easing_of(path: MotionPath) -> str:
    """The easing, if it is known."""
    return path.easing if path.easing in EASINGS else "smooth"


def loop_of(path: MotionPath) -> str:
    """The loop, if it is known."""
    return path.loop if path.loop in LOOPS else LOOPS[0]


def timings_of(document: Document) -> dict[str, Span]:
    """Start and end of every range of the model, coarse first."""
    if document.model is None:
        return {}
    kept = {timing.range_name: _span(timing.start, timing.end) for timing in document.path.timings}
    return {name: kept.get(name, WHOLE) for name in document.model.scale_ranges}


def staggered(model: ModelRef) -> dict[str, Span]:
    """Each range takes half of the way; the coarsest begins and the finest ends: first the pose, last the texture."""
    names = list(model.scale_ranges)
    if len(names) < 2:
        return dict.fromkeys(names, WHOLE)
    starts = np.linspace(0.0, 0.5, len(names)).round(2)
    return {name: (float(start), float(start) + 0.5) for name, start in zip(names, starts, strict=True)}


def is_plain(path: MotionPath) -> bool:
    """Whether timing, easing and loop are those of a new path."""
    plain = MotionPath()
    return not path.timings and (path.easing, path.loop) == (plain.easing, plain.loop)


def shows(document: Document, recipe: Recipe) -> bool:
    """Whether the picture of a document is the one of a recipe."""
    sources = document.sources
    return (
        document.model is not None
        and document.model.hash == recipe.model_hash
        and len(sources) == len(recipe.sources)
        and np.array_equal(document.weights, recipe.weights)
        and all(_equal(a.code, b.code) for a, b in zip(sources, recipe.sources, strict=True))
        and _all_same(document.variations, recipe.variations)
        and _all_same(document.attributes, recipe.attributes)
    )


def origin_of(state: State) -> State:
    """The first state that had the picture of this one, going back: later steps did not touch the picture."""
    while state.parent is not None and same_picture(state.parent.document, state.document):
        state = state.parent
    return state


# ---- keyframes ----


def add_keyframe(document: Document, name: str, state_id: int | None, at: int | None = None) -> Document:
    """Take the picture as it is now as a keyframe.

    Args:
        document: with a picture.
        name: for people.
        state_id: the state of the history whose picture it is.
        at: its place, 0 being the first; None puts it at the end.

    Raises:
        ValueError: there is no picture, or the path is full.
    """
    keyframes = document.path.keyframes
    if len(keyframes) >= MAX_KEYFRAMES:
        raise ValueError(f"a path has at most {MAX_KEYFRAMES} keyframes")
    place = len(keyframes) if at is None else min(max(at, 0), len(keyframes))
    before = keyframes[place - 1].seconds if place else keyframes[0].seconds if keyframes else USUAL_SECONDS
    new = Keyframe(name, recipe_of(document), before, state_id)
    return _with_keyframes(document, (*keyframes[:place], new, *keyframes[place:]))


def remove_keyframe(document: Document, index: int) -> Document:
    """Take a keyframe out, with the way that leads from it to the next. IndexError if there is none."""
    keyframes = document.path.keyframes
    _check(keyframes, index)
    return _with_keyframes(document, keyframes[:index] + keyframes[index + 1 :])


def move_keyframe(document: Document, index: int, to: int) -> Document:
    """Put a keyframe at another place (clipped); the seconds stay where they are. IndexError if there is none."""
    keyframes = document.path.keyframes
    _check(keyframes, index)
    order = list(range(len(keyframes)))
    order.insert(min(max(to, 0), len(keyframes) - 1), order.pop(index))
    if order == list(range(len(keyframes))):
        return document
    moved = (replace(keyframes[old], seconds=keyframes[new].seconds) for new, old in enumerate(order))
    return _with_keyframes(document, tuple(moved))


def replace_keyframe(document: Document, index: int, name: str, state_id: int | None) -> Document:
    """Put the picture as it is now in a keyframe's place; its seconds stay. IndexError if there is none."""
    keyframes = document.path.keyframes
    _check(keyframes, index)
    if shows(document, keyframes[index].recipe):
        return document
    new = Keyframe(name, recipe_of(document), keyframes[index].seconds, state_id)
    return _with_keyframes(document, (*keyframes[:index], new, *keyframes[index + 1 :]))


def set_seconds(document: Document, index: int, seconds: float) -> Document:
    """Let the way from a keyframe to the next take so long (clipped). IndexError if there is no such keyframe."""
    keyframes = document.path.keyframes
    _check(keyframes, index)
    seconds = _seconds(seconds)
    if seconds == keyframes[index].seconds:
        return document
    new = replace(keyframes[index], seconds=seconds)
    return _with_keyframes(document, (*keyframes[:index], new, *keyframes[index + 1 :]))


def go_to(document: Document, keyframe: Keyframe, state: Document | None, styles: np.ndarray | None) -> Document:
    """Make the picture that of a keyframe; the path and all other panels stay as they are.

    Args:
        document: as it is.
        keyframe: of the same model.
        state: what the history holds under the keyframe's state; taken over if it shows the keyframe's picture.
        styles: (n_blocks, n) of the keyframe, for want of that: one variation gives exactly these.

    Raises:
        ValueError: there is neither.
    """
    if shows(document, keyframe.recipe):
        return document
    if state is not None and shows(state, keyframe.recipe):
        return replace(
            document,
            sources=state.sources,
            weights=state.weights,
            variations=state.variations,
            attributes=state.attributes,
            starter=state.starter,
        )
    if styles is None:
        raise ValueError("the picture of the keyframe is not known")
    whole = Variation(keyframe.name, tuple(range(len(styles))), styles)
    return replace(document, variations=(whole,), attributes=(), starter=False)


# ---- motion ----


def set_timing(document: Document, range_name: str, start: float, end: float) -> Document:
    """Say when a range moves on its way: from start to end, 0..1. KeyError for a range the model lacks."""
    timings = timings_of(document)
    if timings[range_name] == _span(start, end):
        return document
    return set_timings(document, {**timings, range_name: _span(start, end)})


def set_timings(document: Document, timings: dict[str, Span]) -> Document:
    """Say when each range moves; those that take the whole of the way need not be named."""
    kept = tuple(RangeTiming(name, *_span(*span)) for name, span in timings.items() if _span(*span) != WHOLE)
    return replace(document, path=replace(document.path, timings=kept))


def set_easing(document: Document, easing: str) -> Document:
    """Choose an easing of automod_core.animation. ValueError if there is no such one."""
    if easing not in EASINGS:
        raise ValueError(f"the easing must be one of {', '.join(EASINGS)}, not {easing!r}")
    same = easing == document.path.easing
    return document if same else replace(document, path=replace(document.path, easing=easing))


def set_loop(document: Document, loop: str) -> Document:
    """Choose what happens at the end. ValueError if there is no such loop."""
    if loop not in LOOPS:
        raise ValueError(f"the loop must be one of {', '.join(LOOPS)}, not {loop!r}")
    return document if loop == document.path.loop else replace(document, path=replace(document.path, loop=loop))


def reset_motion(document: Document) -> Document:
    """Put timing, easing and loop back; the keyframes and their seconds stay."""
    if is_plain(document.path):
        return document
    return replace(document, path=MotionPath(document.path.keyframes))


def clear(document: Document) -> Document:
    """Take all keyframes away; timing, easing and loop stay."""
    return _with_keyframes(document, ()) if document.path.keyframes else document


def _with_keyframes(document: Document, keyframes: tuple[Keyframe, ...]) -> Document:
    return replace(document, path=replace(document.path, keyframes=keyframes))


def _check(keyframes: Sequence[Keyframe], index: int) -> None:
    if not 0 <= index < len(keyframes):
        raise IndexError(f"there is no keyframe {index}, only {len(keyframes)}")


def _seconds(seconds: float) -> float:
    return round(min(max(float(seconds), MIN_SECONDS), MAX_SECONDS), 2)


def _span(start: float, end: float) -> Span:
    """Within 0..1, to the hundredth, and never too short."""
    start = round(min(max(float(start), 0.0), 1.0 - MIN_SPAN), 2)
    end = round(min(max(float(end), 0.0), 1.0), 2)
    return start, max(end, round(start + MIN_SPAN, 2))


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or np.array_equal(a, b)


def _all_same(a: Sequence[Variation | AttributeEdit], b: Sequence[Variation | AttributeEdit]) -> bool:
    return len(a) == len(b) and all(one is other or _same(one, other) for one, other in zip(a, b, strict=True))


def _same(a: Variation | AttributeEdit, b: Variation | AttributeEdit) -> bool:
    if isinstance(a, Variation) and isinstance(b, Variation):
        return (a.blocks, a.strength) == (b.blocks, b.strength) and _equal(a.codes, b.codes)
    if isinstance(a, AttributeEdit) and isinstance(b, AttributeEdit):
        numbers = (a.center, a.scale, a.blocks, a.amount) == (b.center, b.scale, b.blocks, b.amount)
        return numbers and _equal(a.direction, b.direction)
    return False
