"""Recipes that are pasted: edits that do to this picture what a recipe did to its own. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from automod_core.errors import UserError
from automod_core.recipe import Recipe, RecipeSource
from automod_core.transfer import check_same_model, shares, transferred, usual_subject
from automod_studio.document.edits import add_sources
from automod_studio.document.model import Document, ModelRef, Source, recipe_of


def subject_of(recipe: Recipe, model: ModelRef) -> int:
    """The number of the photo of a recipe that another takes the place of, from 0."""
    coarsest = next(iter(model.scale_ranges.values()), (0, model.n_blocks - 1))
    return usual_subject(recipe, coarsest)


def missing_codes(
    document: Document, recipe: Recipe, blocks: Collection[int] | None = None, face_id: int | None = None
) -> set[bytes]:
    """Codes, as bytes, of the photos that a paste brings along and that the document has no card for.

    Raises:
        UserError: the recipe cannot be pasted here.
    """
    if not document.sources:
        _check_model(document, recipe)
        return {source.code.tobytes() for source in _taking_part(recipe).sources}
    pasted = _pasted(document, recipe, blocks, face_id)
    return {source.code.tobytes() for source in pasted.sources[len(document.sources) :]}


def paste_recipe(
    document: Document,
    recipe: Recipe,
    cards: Sequence[Source],
    *,
    blocks: Collection[int] | None = None,
    face_id: int | None = None,
    most_photos: int = 100,
) -> Document:
    """Do to the picture what a recipe did to its subject; see automod_core.transfer.

    Without photos there is nobody to do it to: then the recipe's own picture becomes the document's.

    Args:
        document: with a model.
        recipe: of the same model.
        cards: sources for the photos that the document lacks, found by their codes; others are passed over.
        blocks: the blocks that are taken over; None = all.
        face_id: the document's source that takes the place of the subject; None = the picture as it is.
        most_photos: a document may not have more.

    Raises:
        UserError: the recipe cannot be pasted here; one sentence.
        KeyError: a card is missing, or there is no source of this id.
    """
    if document.sources:
        pasted = _pasted(document, recipe, blocks, face_id)
    else:
        _check_model(document, recipe)
        pasted = _taking_part(recipe)
    by_code = {card.code.tobytes(): card for card in cards}
    new = [by_code[source.code.tobytes()] for source in pasted.sources[len(document.sources) :]]
    if new and len(document.sources) + len(new) > most_photos:
        raise UserError(
            f"The recipe brings {len(new)} photos along, and a mix can have {most_photos}: remove some photos first."
        )
    grown = add_sources(replace(document, starter=False), new)
    return replace(
        grown,
        weights=np.array(shares(pasted)),
        variations=pasted.variations,
        attributes=pasted.attributes,
        starter=False,
    )


def _check_model(document: Document, recipe: Recipe) -> None:
    assert document.model is not None
    model, size = document.model, recipe.codes.shape[1]  # without photos, nothing tells the size of the codes
    check_same_model(recipe, model.hash, model.name, model.n_blocks, size)


def _pasted(document: Document, recipe: Recipe, blocks: Collection[int] | None, face_id: int | None) -> Recipe:
    assert document.model is not None  # it has sources
    face = None if face_id is None else document.index_of(face_id)
    subject = subject_of(recipe, document.model)
    return transferred(recipe, recipe_of(document), subject=subject, blocks=blocks, face=face)


def _taking_part(recipe: Recipe) -> Recipe:
    """A recipe without the photos that have no share, and with every photo once."""
    columns: dict[bytes, int] = {}
    weights = np.zeros_like(recipe.weights)
    sources: list[RecipeSource] = []
    for number, source in enumerate(recipe.sources):
        if not recipe.weights[:, number].any():
            continue
        column = columns.setdefault(source.code.tobytes(), len(sources))
        if column == len(sources):
            sources.append(source)
        weights[:, column] += recipe.weights[:, number]
    return replace(recipe, sources=tuple(sources), weights=weights[:, : len(sources)])
