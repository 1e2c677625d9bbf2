"""Edits: pure functions from a Document to a new one. None of them writes to its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automod_studio.document.model import SOURCE_COLORS, Document, ModelRef, Source


def default_weights(model: ModelRef, n_sources: int) -> np.ndarray:
    """The mix that Reset returns to, (n_blocks, n_sources).

    The first source gives the coarse range, and all share the others evenly: one face's pose and shape with something
    of everybody in features and colour. Looked at with the model that ships, this is the boldest mix that stays a
    clean face for any pair. Ranges taken whole from different faces often do not fit each other: light skin over
    shapes that were dark comes out chalky, and a bright face's colours burn in.
    """
    weights = np.zeros((model.n_blocks, n_sources))
    if n_sources == 0:
        return weights
    coarsest = next(iter(model.scale_ranges), "")
    for block in range(model.n_blocks):
        if len(model.scale_ranges) > 1 and model.range_of(block) == coarsest:
            weights[block, 0] = 1.0
        else:
            weights[block] = 1 / n_sources
    return weights


def is_default(document: Document) -> bool:
    """Whether nothing was moved since the sources came in."""
    if document.model is None:
        return True
    return np.allclose(document.weights, default_weights(document.model, len(document.sources)), atol=1e-6)


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
    if not kept or is_default(document):
        weights = default_weights(document.model, len(combined))
    else:
        weights = np.concatenate([document.weights, np.zeros((document.model.n_blocks, len(named)))], axis=1)
    return replace(document, sources=combined, weights=weights, starter=False)


def remove_source(document: Document, source_id: int) -> Document:
    """Take a source out; its share goes to the others in their proportions. KeyError if it is not there."""
    index = document.index_of(source_id)
    sources = document.sources[:index] + document.sources[index + 1 :]
    if document.model is not None and is_default(document):
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
    """Return the whole mix to the default."""
    return _reset(document, tuple(range(_model(document).n_blocks)))


def set_model(document: Document, model: ModelRef, sources: Sequence[Source]) -> Document:
    """Change the model; `sources` are the document's, encoded anew in the same order.

    Each new block takes the shares of the block that lay at the same place in the range of the same name.
    """
    if [s.id for s in sources] != [s.id for s in document.sources]:
        raise ValueError("the sources must be the document's own, in order")
    if document.model is None or not sources:
        weights = default_weights(model, len(sources))
    else:
        rows = [_matching_block(document.model, model, block) for block in range(model.n_blocks)]
        weights = document.weights[rows].copy()
    return replace(document, model=model, sources=tuple(sources), weights=weights)


def _model(document: Document) -> ModelRef:
    if document.model is None:
        raise ValueError("the document has no model yet")
    return document.model


def _set_shares(document: Document, blocks: Sequence[int], index: int, share: float) -> Document:
    count = len(document.sources)
    if not 0 <= index < count:
        raise ValueError(f"source index must be in 0..{count - 1}, got {index}")
    share = 1.0 if count == 1 else float(np.clip(share, 0.0, 1.0))
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
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    singles = list(alphabet)
    return next(x for x in singles + [a + b for a in alphabet for b in alphabet] + [f"#{i}" for i in range(9999)]
                if x not in taken)  # fmt: skip


def _free_color(taken: Sequence[int]) -> int:
    """The palette's least used colour, the earliest of those."""
    used = [sum(c % len(SOURCE_COLORS) == i for c in taken) for i in range(len(SOURCE_COLORS))]
    return used.index(min(used))
