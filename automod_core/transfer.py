"""A recipe carried from one face to another: the face changes, what was done to it stays.

A recipe is about one of its photos, its subject: the others lend something to it. Carried over, another face takes the
subject's place and shares; the other photos, the variations and the attributes come along. Or only in some blocks: the
others keep what they had. Neither torch nor a model is needed here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from automod_core.errors import UserError
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation

_NO_MEAN = 1e-6  # as in latent.mix: codes that cancel out, so that the heaviest is taken

Layer = TypeVar("Layer", Variation, AttributeEdit)


def usual_subject(recipe: Recipe, coarsest: tuple[int, int]) -> int:
    """The number, from 0, of the photo that a recipe is most likely about.

    It is the one with the largest share of the coarsest range, which gives pose and shape; the first of those, if
    there are several.

    Args:
        recipe: any.
        coarsest: first and last block of the model's coarsest range, both included.
    """
    rows = shares(recipe)[coarsest[0] : coarsest[1] + 1]
    return int(np.round(rows.sum(axis=0), 9).argmax())


def shares(recipe: Recipe) -> np.ndarray:
    """The weights, each row scaled to sum 1: (n_blocks, n_sources) float64."""
    return recipe.weights / recipe.weights.sum(axis=1, keepdims=True)


def transferred(
    recipe: Recipe, target: Recipe, *, subject: int, blocks: Collection[int] | None = None, face: int | None = None
) -> Recipe:
    """Do to a picture what a recipe did to its subject.

    In the blocks that are taken over, the picture's photos stand in for the subject, and its variations and attributes
    give way to those of the recipe. The other blocks stay as they are.

    Args:
        recipe: what is carried over.
        target: the picture that it is carried to.
        subject: number of the recipe's source whose place is taken, from 0.
        blocks: the blocks that are taken over; None = all.
        face: number of the target's source that takes the place, from 0; None = the mix of the target, as it is in
            each block.

    Returns:
        A recipe with all sources of the target, first and in their order, then those of the recipe that have a share
        in the blocks; a source with the same code as one of the target's is that one. Rows of weights that are taken
        over sum to 1. An attribute of the target whose name the recipe uses for something else is numbered.

    Raises:
        UserError: the recipes are of different models, or together they are too much for one recipe.
        ValueError: a number of a block or of a source does not exist.
    """
    check_same_model(recipe, target.model_hash, target.model_name, target.n_blocks, target.codes.shape[1])
    chosen = sorted(set(range(recipe.n_blocks) if blocks is None else blocks))
    if not set(chosen) <= set(range(recipe.n_blocks)):
        raise ValueError(f"blocks {chosen} do not exist: there are blocks 0 to {recipe.n_blocks - 1}")
    if not 0 <= subject < len(recipe.sources) or not (face is None or 0 <= face < len(target.sources)):
        raise ValueError(f"there is no source {subject} in the recipe, or none of number {face} in the target")
    rest = [block for block in range(recipe.n_blocks) if block not in chosen]
    sources, weights = _mixed(recipe, target, subject, chosen, face)
    variations = _one_over_another(_within(target.variations, rest), _within(recipe.variations, chosen))
    attributes = _side_by_side(_within(target.attributes, rest), _within(recipe.attributes, chosen))
    try:
        return replace(target, sources=sources, weights=weights, variations=variations, attributes=attributes)
    except ValueError as error:
        raise UserError(f"The recipe cannot be carried over to this picture: {error}.") from error


def check_same_model(recipe: Recipe, model_hash: str, model_name: str, n_blocks: int, code_size: int) -> None:
    """Refuse a recipe for another model than its own.

    Raises:
        UserError: the model is another one, or the recipe does not fit it; one sentence.
    """
    if recipe.model_hash != model_hash:
        raise UserError(
            f"The recipe was made with the model “{recipe.model_name}” ({recipe.model_hash[:8]}), not with "
            f"“{model_name}” ({model_hash[:8]})."
        )
    if recipe.n_blocks != n_blocks or recipe.codes.shape[1] != code_size:
        raise UserError(f"The recipe does not fit the model “{model_name}”: it was changed or is damaged.")


# ---- the mix ----


def _mixed(
    recipe: Recipe, target: Recipe, subject: int, chosen: Sequence[int], face: int | None
) -> tuple[tuple[RecipeSource, ...], np.ndarray]:
    """Sources, and weights (n_blocks, n_sources)."""
    taken = shares(recipe)[chosen]  # (c, n_sources of the recipe)
    sources = list(target.sources)
    columns = {source.code.tobytes(): column for column, source in reversed(list(enumerate(sources)))}
    weights = np.zeros((target.n_blocks, len(sources) + len(recipe.sources)))
    weights[:, : len(sources)] = target.weights
    weights[chosen] = 0
    weights[chosen, : len(target.sources)] = taken[:, subject, None] * _stand_in(target, face)[chosen]
    for number, source in enumerate(recipe.sources):
        if number == subject or not taken[:, number].any():
            continue
        column = columns.setdefault(source.code.tobytes(), len(sources))
        if column == len(sources):
            sources.append(source)
        weights[chosen, column] += taken[:, number]
    weights[chosen] /= weights[chosen].sum(axis=1, keepdims=True)
    return tuple(sources), weights[:, : len(sources)]


def _stand_in(target: Recipe, face: int | None) -> np.ndarray:
    """What takes the place of the subject's code in each block: weights (n_blocks, n_sources) of the target's sources.

    A mix has a norm below 1 before it is put back on the sphere. Its weights are enlarged by that, so that it has the
    pull of a single code of norm 1.
    """
    if face is not None:
        return np.eye(len(target.sources))[[face] * target.n_blocks]
    weights = shares(target)
    norms = np.linalg.norm(weights @ target.codes.astype(np.float64), axis=1, keepdims=True)
    pure = (weights > 0).sum(axis=1, keepdims=True) == 1
    heaviest = np.eye(len(target.sources))[weights.argmax(axis=1)]
    return np.where(pure | (norms < _NO_MEAN), heaviest, weights / np.maximum(norms, _NO_MEAN))


# ---- variations and attributes ----


def _within(layers: Sequence[Layer], blocks: Sequence[int]) -> list[Layer]:
    """What layers do in some blocks; those that do nothing there are gone."""
    limited = []
    for layer in layers:
        kept = [place for place, block in enumerate(layer.blocks) if block in blocks]
        numbers = tuple(layer.blocks[place] for place in kept)
        if not kept:
            continue
        if len(kept) == len(layer.blocks):
            limited.append(layer)
        elif isinstance(layer, Variation):
            limited.append(replace(layer, blocks=numbers, codes=layer.codes[kept]))
        else:
            limited.append(replace(layer, blocks=numbers))
    return limited


def _one_over_another(kept: Sequence[Variation], added: Sequence[Variation]) -> tuple[Variation, ...]:
    """Two lists of variations of different blocks as one; parts of the same one come together where the order allows.

    Each list keeps its order, so in every block they lie over one another as before.
    """
    merged = list(kept)
    end = len(merged)  # what is added next comes before this place
    for layer in reversed(added):
        match = next((i for i in reversed(range(end)) if _same_variation(merged[i], layer)), None)
        if match is None:
            merged.insert(end, layer)
        else:
            merged[match] = _joined(merged[match], layer)
            end = match
    return tuple(merged)


def _side_by_side(kept: Sequence[AttributeEdit], added: Sequence[AttributeEdit]) -> tuple[AttributeEdit, ...]:
    """Two lists of attributes of different blocks as one; their order means nothing. No name stands for two things."""
    merged = list(added)
    for layer in kept:
        match = next((i for i, other in enumerate(merged) if _same_attribute(other, layer)), None)
        if match is None:
            merged.append(layer)
        else:
            merged[match] = _joined(merged[match], layer)
    return _named_apart(merged)


def _joined(a: Layer, b: Layer) -> Layer:
    """One layer of the blocks of both."""
    order = np.argsort((*a.blocks, *b.blocks))
    blocks = tuple(sorted((*a.blocks, *b.blocks)))
    if isinstance(a, Variation) and isinstance(b, Variation):
        return replace(a, blocks=blocks, codes=np.concatenate([a.codes, b.codes])[order])
    return replace(a, blocks=blocks)


def _same_variation(a: Variation, b: Variation) -> bool:
    return a.name == b.name and a.strength == b.strength


def _same_attribute(a: AttributeEdit, b: AttributeEdit) -> bool:
    numbers = (a.name, a.center, a.scale, a.amount) == (b.name, b.center, b.scale, b.amount)
    return numbers and a.direction.tobytes() == b.direction.tobytes()


def _named_apart(attributes: Sequence[AttributeEdit]) -> tuple[AttributeEdit, ...]:
    """Number those whose name an earlier one has: "Smile", "Smile 2"."""
    taken: set[str] = set()
    named = []
    for attribute in attributes:
        name, number = attribute.name, 1
        while name in taken:
            number += 1
            name = f"{attribute.name} {number}"
        taken.add(name)
        named.append(attribute if name == attribute.name else replace(attribute, name=name))
    return tuple(named)
