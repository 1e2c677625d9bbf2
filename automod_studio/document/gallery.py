"""The gallery of variations: what is locked, how far the children go, which of them are pinned."""

from __future__ import annotations

from dataclasses import dataclass

from automod_core.recipe import Recipe

MIN_CHILDREN, MAX_CHILDREN = 4, 36
MAX_SEED = 999_999


@dataclass(frozen=True, slots=True, eq=False)
class Pin:
    """A child that is kept: the whole picture, as a recipe, so that it stays the same whatever becomes of the mix."""

    name: str  # "Seed 7, no. 3"
    recipe: Recipe
    confidence: float | None = None  # -1..1, see automod_core.variations


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """What the children are drawn with.

    Attributes:
        locked: blocks that stay as they are.
        strength: 0..1, from "the same" to "anything".
        seed: names the series, 0..MAX_SEED.
        count: children, MIN_CHILDREN to MAX_CHILDREN.
        pins: children that are kept.
    """

    locked: frozenset[int] = frozenset()
    strength: float = 0.6
    seed: int = 1
    count: int = 12
    pins: tuple[Pin, ...] = ()
