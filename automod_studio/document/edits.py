"""Edits: pure functions from a Document to a new one. None of them writes to its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from string import ascii_uppercase

from automod_core.later import numpy as np
from automod_core.recipe import AttributeEdit, Variation
from automod_studio.document.model import SOURCE_COLORS, Document, ModelRef, Source
from automod_studio.document.path import MotionPath

#: Shares that differ by no more than this are the same. Not np.allclose: it takes 0.1 ms, at every move of a slider.
SAME_SHARE = 1e-5


def default_weights(model: ModelRef, n_sources: int) -> np.ndarray:
    """The mix that Reset returns to, (n_blocks, n_sources).

    The first source gives the coarse range, and all share the others evenly: one face's pose and shape with something
    of everybody in features and colour. Looked at with the model that ships, this is the boldest mix that stays a
    clean face for any pair. Ranges taken whole from different faces often do not fit each other: light skin over
    shapes that were dark comes out chalky, and a bright face's colours burn in.
    """
    weights = np.full((model.n_blocks, n_sources), 1 / max(1, n_sources))
    if n_sources and len(model.scale_ranges) > 1:
        coarse = list(model.blocks_of(next(iter(model.scale_ranges))))
        weights[coarse] = 0.0
        weights[coarse, 0] = 1.0
    return weights


def is_default(document: Document) -> bool:
    """Whether nothing was moved since the sources came in."""
    if document.model is None:
        return True
    if document.variations or document.attributes:
        return False
    return has_default_weights(document)


def has_default_weights(document: Document) -> bool:
    """Whether no share was moved since the sources came in."""
    if document.model is None:
        return True
    default = default_weights(document.model, len(document.sources))
    return bool((np.abs(document.weights - default) <= SAME_SHARE).all())


def add_sources(document: Document, sources: Sequence[Source]) -> Document:
    """Append sources, with the next free letters and colours.

    They take the place of an untouched starter mix. An unmoved mix becomes the default for the new number;
    one that was moved stays as it is, and the new sources begin with no share.
    """
    if document.model is None:
        raise ValueError("a document without a model takes no sources")
    if not sources:
        return document
    kept = () if document.starter else document.sources
    letters, colors = {s.letter for s in kept}, [s.color_index for s in kept]
    named = []
    for source in sources:
        letter, color = _free_letter(letters), _free_color(colors)
        letters.add(letter)
        colors.append(color)
        named.append(replace(source, letter=letter, color_index=color))
    combined = (*kept, *named)
    if not kept or has_default_weights(document):
        weights = default_weights(document.model, len(combined))
    else:
        weights = np.concatenate([document.weights, np.zeros((document.model.n_blocks, len(named)))], axis=1)
    if document.starter:  # nothing of the samples stays
        document = replace(document, variations=(), attributes=())
    return replace(document, sources=combined, weights=weights, starter=False)


def remove_source(document: Document, source_id: int) -> Document:
    """Take a source out; its share goes to the others in their proportions. KeyError if it is not there."""
    index = document.index_of(source_id)
    sources = document.sources[:index] + document.sources[index + 1 :]
    if document.model is not None and has_default_weights(document):
        weights = default_weights(document.model, len(sources))
    else:
        weights = _normalised(np.delete(document.weights, index, axis=1))
    return replace(document, sources=sources, weights=weights, starter=False)


def replace_source(document: Document, source_id: int, source: Source) -> Document:
    """Put another photo in a source's place: it keeps the letter, the colour and the shares."""
    index = document.index_of(source_id)
    old = document.sources[index]
    new = replace(source, letter=old.letter, color_index=old.color_index)
    return replace(document, sources=(*document.sources[:index], new, *document.sources[index + 1 :]), starter=False)


def set_range_share(document: Document, range_name: str, index: int, share: float) -> Document:
    """Let a source give `share` (clipped to 0..1) in every block of a range; the others keep their proportions."""
    return _set_shares(document, _model(document).blocks_of(range_name), index, share)


def set_block_share(document: Document, block: int, index: int, share: float) -> Document:
    """Let a source give `share` (clipped to 0..1) in one block; the others keep their proportions."""
    return _set_shares(document, (block,), index, share)


def reset_range(document: Document, range_name: str) -> Document:
    """Return every block of a range to the default mix."""
    return _reset(document, _model(document).blocks_of(range_name))


def reset_block(document: Document, block: int) -> Document:
    """Return one block to the default mix."""
    return _reset(document, (block,))


def reset_all(document: Document) -> Document:
    """Return the whole mix to the default, and take variations and attributes away."""
    plain = replace(document, variations=(), attributes=())
    return _reset(plain, tuple(range(_model(document).n_blocks)))


def set_model(document: Document, model: ModelRef, sources: Sequence[Source]) -> Document:
    """Change the model; `sources` are the document's, encoded anew in the same order.

    Each new block takes the shares of the block that lay at the same place in the range of the same name. Variations,
    attributes, pins and keyframes are made of another model's codes: they go.
    """
    if [s.id for s in sources] != [s.id for s in document.sources]:
        raise ValueError("the sources must be the document's own, in order")
    if document.model is None or not sources:
        weights = default_weights(model, len(sources))
    else:
        rows = [_matching_block(document.model, model, block) for block in range(model.n_blocks)]
        weights = document.weights[rows].copy()
    changed = replace(document, model=model, sources=tuple(sources), weights=weights)
    if document.model is None or document.model.hash == model.hash:
        return changed
    return replace(
        changed,
        variations=(),
        attributes=(),
        gallery=replace(document.gallery, locked=frozenset(), pins=()),
        grid=replace(document.grid, range_name=""),
        path=MotionPath(),
    )


def set_weights(document: Document, weights: np.ndarray) -> Document:
    """Put shares in place, (n_blocks, n_sources) >= 0 with a positive sum per row; they are scaled to sum 1."""
    return replace(document, weights=_normalised(np.asarray(weights, dtype=np.float64)), starter=False)


def add_variation(document: Document, variation: Variation) -> Document:
    """Lay a variation over the picture. What it hides altogether is taken away."""
    kept = tuple(v for v in document.variations if variation.strength < 1 or set(v.blocks) - set(variation.blocks))
    return replace(document, variations=(*kept, variation), starter=False)


def set_variation_strength(document: Document, index: int, strength: float) -> Document:
    """Let a variation go another part of the way, 0..1 (clipped)."""
    old = document.variations[index]
    new = replace(old, strength=float(np.clip(strength, 0.0, 1.0)))
    variations = (*document.variations[:index], new, *document.variations[index + 1 :])
    return replace(document, variations=variations, starter=False)


def remove_variation(document: Document, index: int) -> Document:
    """Take a variation away."""
    variations = document.variations[:index] + document.variations[index + 1 :]
    return replace(document, variations=variations, starter=False)


def set_attribute(document: Document, attribute: AttributeEdit) -> Document:
    """Move an attribute: one of the same name is replaced in its place; an amount of 0 takes it away."""
    names = [a.name for a in document.attributes]
    if attribute.amount == 0:
        attributes = tuple(a for a in document.attributes if a.name != attribute.name)
    elif attribute.name in names:
        attributes = tuple(attribute if a.name == attribute.name else a for a in document.attributes)
    else:
        attributes = (*document.attributes, attribute)
    return replace(document, attributes=attributes, starter=False)


def in_place_of(before: Document, document: Document) -> Document:
    """A document that was opened, with the pins and the path of the one before if they are of the same model."""
    if before.model is None or document.model is None or before.model.hash != document.model.hash:
        return document
    return replace(document, gallery=before.gallery, path=before.path)


def adopt(document: Document, name: str, styles: np.ndarray) -> Document:
    """Make the picture exactly this one, (n_blocks, n) of norm 1, by one variation of all blocks; photos stay."""
    whole = Variation(name, tuple(range(_model(document).n_blocks)), styles)
    return replace(document, variations=(whole,), attributes=(), starter=False)


def _model(document: Document) -> ModelRef:
    if document.model is None:
        raise ValueError("the document has no model yet")
    return document.model


def _set_shares(document: Document, blocks: Sequence[int], index: int, share: float) -> Document:
    count = len(document.sources)
    if not 0 <= index < count:
        raise ValueError(f"source index must be in 0..{count - 1}, got {index}")
    share = 1.0 if count == 1 else min(max(share, 0.0), 1.0)
    weights = document.weights.copy()
    for block in blocks:
        others = weights[block].copy()
        others[index] = 0.0
        total = others.sum()
        if total <= 1e-9:  # nothing to keep in proportion: the others share evenly
            others[:] = 1.0
            others[index] = 0.0
            total = max(others.sum(), 1.0)
        weights[block] = others / total * (1.0 - share)
        weights[block, index] = share
    return replace(document, weights=weights, starter=False)


def _reset(document: Document, blocks: Sequence[int]) -> Document:
    weights = document.weights.copy()
    weights[list(blocks)] = default_weights(_model(document), len(document.sources))[list(blocks)]
    return replace(document, weights=weights, starter=False)


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Rows scaled to sum 1; a row of nothing is shared evenly. (n_blocks, n_sources) -> the same."""
    if weights.shape[1] == 0:
        return weights
    sums = weights.sum(axis=1, keepdims=True)
    even = np.full_like(weights, 1.0 / weights.shape[1])
    return np.where(sums > 1e-9, weights / np.where(sums > 1e-9, sums, 1.0), even)


def _matching_block(old: ModelRef, new: ModelRef, block: int) -> int:
    name = new.range_of(block)
    if name not in old.scale_ranges:
        return min(block, old.n_blocks - 1)
    theirs, ours = new.blocks_of(name), old.blocks_of(name)
    place = (block - theirs[0] + 0.5) / len(theirs)
    return ours[min(int(place * len(ours)), len(ours) - 1)]


def _free_letter(taken: set[str]) -> str:
    pairs = (a + b for a in ascii_uppercase for b in ascii_uppercase)
    numbers = (f"#{i}" for i in count())
    return next(letter for letter in chain(ascii_uppercase, pairs, numbers) if letter not in taken)


def _free_color(taken: Sequence[int]) -> int:
    """The palette's least used colour, the earliest of those."""
    used = [sum(c % len(SOURCE_COLORS) == i for c in taken) for i in range(len(SOURCE_COLORS))]
    return used.index(min(used))
