"""Saved pictures: from a document to a file with its recipe, and back. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from automod_core.errors import UserError
from automod_core.images import save_image
from automod_core.model_file import read_card
from automod_core.recipe import KEYWORD, Recipe, read_recipe
from automod_studio.document.edits import add_sources, default_weights
from automod_studio.document.model import Document, ModelRef, Source, recipe_of


def write(path: Path, image: np.ndarray, document: Document) -> None:
    """Write a picture (R, R, 3) uint8; a PNG carries the recipe. Raises UserError."""
    try:
        recipe = recipe_of(document)
    except ValueError as error:
        raise UserError(f"{path.name} cannot be saved: {error}.") from error
    save_image(path, image, recipe)


def read(path: Path) -> Recipe | None:
    """The recipe in a picture file; None if it holds none. Raises UserError for a damaged or newer recipe."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"\x89PNG" or KEYWORD.encode() not in file.read():
                return None
    except OSError:  # whoever reads it as a photo says what is wrong
        return None
    return read_recipe(path)


def codes_for(recipe: Recipe, model: ModelRef, code_size: int) -> np.ndarray:
    """The recipe's codes (n_sources, n). Raises UserError if they do not fit the model."""
    codes = recipe.codes
    if recipe.weights.shape[0] != model.n_blocks or codes.shape[1] != code_size:
        raise UserError(f"The recipe does not fit the model “{model.name}”: it was changed or is damaged.")
    norms = np.linalg.norm(codes, axis=1, keepdims=True)
    if not (norms > 0).all():
        raise UserError("The recipe is damaged: one of its photos has an empty code.")
    return codes


def document_of(recipe: Recipe, model: ModelRef, pictures: np.ndarray, ids: Iterator[int]) -> Document:
    """The edit of a recipe.

    Args:
        recipe: as read.
        model: the model it was made with.
        pictures: (n_sources, R, R, 3) uint8, what the model makes of each code: they stand for the photos.
        ids: where the sources' ids come from.
    """
    sources = [
        Source(next(ids), source.name, "", 0, source.code, picture, picture)
        for source, picture in zip(recipe.sources, pictures, strict=True)
    ]
    document = add_sources(Document(model, (), default_weights(model, 0)), sources)
    return replace(
        document,
        weights=recipe.weights / recipe.weights.sum(axis=1, keepdims=True),
        variations=recipe.variations,
        attributes=recipe.attributes,
    )


def find_model(model_hash: str, paths: Iterable[str]) -> str | None:
    """The first of these model files whose weights have this hash."""
    for path in paths:
        try:
            if read_card(Path(path)).weights_sha256 == model_hash:
                return path
        except UserError:  # a damaged file in the list is not this picture's trouble
            continue
    return None


def missing_model_sentence(recipe: Recipe, file_name: str) -> str:
    """What to tell a person who opens a picture made with a model that is not here."""
    return (
        f"{file_name} was made with the model “{recipe.model_name}” ({recipe.model_hash[:8]}), which is not here: "
        "get or import that model first."
    )
