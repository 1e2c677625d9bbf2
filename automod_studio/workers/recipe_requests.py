"""What the recipes ask of the worker, and what it answers. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automod_core.recipe import Recipe
from automod_core.recipe_batch import Order
from automod_studio.document.model import ModelRef, Source
from automod_studio.workers.requests import Trouble


@dataclass(frozen=True, slots=True, eq=False)
class ReadRecipe:
    """Read a recipe, and make cards for its photos.

    Attributes:
        model: the document's; the recipe has to be of the same.
        text: JSON, or empty: then `path` is read.
        path: a saved PNG.
        known: codes (as bytes) of photos that need no card, since the document has them.
    """

    id: int
    model: ModelRef
    text: str = ""
    path: str = ""
    known: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class RecipeRead:
    """Answer to ReadRecipe. `recipe` is None if it failed; `sources` have no letters yet."""

    id: int
    recipe: Recipe | None = None
    sources: tuple[Source, ...] = ()
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ApplyToFolder:
    """Apply a recipe to all photos of a folder; a batch, to be asked for in the background."""

    id: int
    model: ModelRef
    order: Order
    photos: Path
    out: Path


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Answer to ApplyToFolder after every photo; `refused` says in a sentence why one cannot be read."""

    id: int
    done: int  # pictures that are there, and photos that were refused
    total: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class BatchDone:
    """Last answer to ApplyToFolder: how many pictures were made, how many were there; or what went wrong."""

    id: int
    made: int = 0
    kept: int = 0
    total: int = 0
    trouble: Trouble | None = None
    notice: str = ""
