"""Edits of the gallery of variations, and adopting one of them. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from automod_core.later import numpy as np
from automod_core.recipe import Recipe
from automod_studio.document.edits import adopt
from automod_studio.document.gallery import MAX_CHILDREN, MAX_SEED, MIN_CHILDREN, Gallery, Pin
from automod_studio.document.model import Document


def set_locked(document: Document, blocks: Collection[int], locked: bool) -> Document:
    """Lock blocks, or let them be drawn anew. Blocks that the model lacks are passed over."""
    known = range(document.model.n_blocks if document.model else 0)
    now = {block for block in document.gallery.locked if block in known}
    wanted = {block for block in blocks if block in known}
    return _with(document, locked=frozenset(now | wanted if locked else now - wanted))


def set_strength(document: Document, strength: float) -> Document:
    """Let children go another part of the way, 0..1 (clipped)."""
    return _with(document, strength=float(np.clip(strength, 0.0, 1.0)))


def set_seed(document: Document, seed: int) -> Document:
    """Name another series, 0..MAX_SEED (clipped)."""
    return _with(document, seed=int(np.clip(seed, 0, MAX_SEED)))


def set_count(document: Document, count: int) -> Document:
    """Draw another number of children, MIN_CHILDREN..MAX_CHILDREN (clipped)."""
    return _with(document, count=int(np.clip(count, MIN_CHILDREN, MAX_CHILDREN)))


def reset_settings(document: Document) -> Document:
    """Lock nothing, and go back to the first strength, seed and number; pins stay."""
    return replace(document, gallery=Gallery(pins=document.gallery.pins))


def add_pin(document: Document, pin: Pin) -> Document:
    """Keep a child; one of the same picture is there once."""
    if any(_same_picture(old.recipe, pin.recipe) for old in document.gallery.pins):
        return document
    return _with(document, pins=(*document.gallery.pins, pin))


def remove_pin(document: Document, index: int) -> Document:
    """Let a child go. IndexError if there is none."""
    pins = document.gallery.pins
    if not 0 <= index < len(pins):
        raise IndexError(index)
    return _with(document, pins=pins[:index] + pins[index + 1 :])


def adopt_recipe(document: Document, name: str, recipe: Recipe, styles: np.ndarray) -> Document:
    """Make the picture that of a recipe of the same model.

    Where all photos that it is made of are at hand, it is taken over as it is: shares, variations and attributes can be
    moved on. Otherwise the document keeps its photos, and one variation of all blocks gives the picture.

    Args:
        document: with a model and sources.
        name: of that variation.
        recipe: the picture.
        styles: its styles, (n_blocks, n) of norm 1.
    """
    weights = _weights_of(document, recipe)
    if weights is None:
        return adopt(document, name, styles)
    return replace(document, weights=weights, variations=recipe.variations, attributes=recipe.attributes, starter=False)


def shows(document: Document, recipe: Recipe) -> bool:
    """Whether the picture of a document is that of a recipe which was adopted, and nothing was moved since."""
    if document.variations is not recipe.variations or document.attributes is not recipe.attributes:
        return False
    weights = _weights_of(document, recipe)
    return weights is not None and np.allclose(weights, document.weights, atol=1e-6)


def _weights_of(document: Document, recipe: Recipe) -> np.ndarray | None:
    """The shares of a recipe for the photos of a document, (n_blocks, n_sources); None if one of its photos is gone."""
    columns = {source.code.tobytes(): number for number, source in reversed(list(enumerate(document.sources)))}
    weights = np.zeros_like(document.weights)
    for number, source in enumerate(recipe.sources):
        if not recipe.weights[:, number].any():
            continue
        column = columns.get(source.code.tobytes())
        if column is None:
            return None
        weights[:, column] += recipe.weights[:, number]
    return weights / weights.sum(axis=1, keepdims=True)


def _with(document: Document, **settings: object) -> Document:
    gallery: Gallery = replace(document.gallery, **settings)  # type: ignore[arg-type]
    unchanged = all(getattr(document.gallery, name) == value for name, value in settings.items() if name != "pins")
    if unchanged and "pins" not in settings:
        return document
    return replace(document, gallery=gallery)


def _same_picture(a: Recipe, b: Recipe) -> bool:
    """Children differ in what was drawn; the whole of them is compared only where that is the same."""
    drawn = [[variation.codes.tobytes() for variation in recipe.variations] for recipe in (a, b)]
    return a is b or (drawn[0] == drawn[1] and a.to_json() == b.to_json())
