"""What the gallery of variations asks of the worker, and what it answers. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automod_core.recipe import Recipe
from automod_studio.document.model import ModelRef
from automod_studio.workers.requests import Trouble

if TYPE_CHECKING:
    from automod_core.variations import Child  # imports torch


@dataclass(frozen=True, slots=True, eq=False)
class DrawChildren:
    """Draw children of a picture; see automod_core.variations."""

    id: int
    model: ModelRef
    recipe: Recipe
    locked: frozenset[int]
    strength: float
    seed: int
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DrawPins:
    """Draw pictures that were kept, such as after opening a session."""

    id: int
    model: ModelRef
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChildrenDrawn:
    """Part of the answer to DrawChildren or DrawPins; `last` marks the final part."""

    id: int
    children: tuple[Child, ...] = ()
    last: bool = False
    trouble: Trouble | None = None
