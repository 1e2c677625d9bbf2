"""Edits of attributes: how far each is moved, in which blocks, and what has to stay as it is while it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from automod_core.later import numpy as np
from automod_core.recipe import AttributeEdit, Recipe
from automod_studio.document import edits
from automod_studio.document.model import Document, ModelRef, recipe_of

if TYPE_CHECKING:
    from automod_core.attributes import Attribute

#: Changes of the value smaller than this are none: they could not be read off the box, which shows two decimals.
NO_CHANGE = 0.005
_ORTHOGONAL = (
    1e-3  # most that directions of norm 1, kept as float32, have in common when one was taken out of the other
)


def edit_of(document: Document, name: str) -> AttributeEdit | None:
    """How the attribute of a name is moved; None if it is not."""
    return next((edit for edit in document.attributes if edit.name == name), None)


def own_recipe(document: Document) -> Recipe:
    """The recipe without attributes: that from which the picture's own values are read.

    Raises:
        ValueError: as recipe_of.
    """
    return recipe_of(replace(document, attributes=()))


def set_amount(document: Document, plain: AttributeEdit, amount: float) -> Document:
    """Change the value of an attribute by `amount`; one that is moved already keeps its blocks and direction.

    Args:
        document: the document.
        plain: what the attribute is if it is not moved yet.
        amount: change of the value; next to nothing takes the attribute away.
    """
    if abs(amount) < NO_CHANGE:
        amount = 0.0
    old = edit_of(document, plain.name)
    if old is None and amount == 0:
        return document
    return edits.set_attribute(document, replace(old or plain, amount=amount))


def set_blocks(document: Document, name: str, blocks: Sequence[int]) -> Document:
    """Let an attribute that is moved drive other blocks."""
    old = edit_of(document, name)
    if old is None or old.blocks == tuple(blocks):
        return document
    return edits.set_attribute(document, replace(old, blocks=tuple(blocks)))


def toggled_range(model: ModelRef, blocks: Sequence[int], range_name: str) -> tuple[int, ...]:
    """Blocks with those of a range, or without them if all were among them; never none at all."""
    own = set(model.blocks_of(range_name))
    changed = set(blocks) - own if own <= set(blocks) else set(blocks) | own
    return tuple(sorted(changed)) or tuple(blocks)


def kept_by(edit: AttributeEdit, others: Sequence[Attribute]) -> tuple[str, ...]:
    """Names of the other attributes whose direction has nothing in common with that of an edit."""
    return tuple(other.name for other in others if abs(float(other.direction @ edit.direction)) < _ORTHOGONAL)


def keep_others(document: Document, attribute: Attribute, others: Sequence[Attribute]) -> Document:
    """Move an attribute along the part of its direction that leaves others alone; no others: along all of it.

    Raises:
        UserError: nothing of it would be left.
    """
    old = edit_of(document, attribute.name)
    if old is None:
        return document
    from automod_core.attributes import orthogonalised  # there are none before the first paint

    new = orthogonalised(attribute, others).edit(old.amount, old.blocks)
    return document if np.array_equal(new.direction, old.direction) else edits.set_attribute(document, new)


def renamed(document: Document, old: str, new: str) -> Document:
    """Give an attribute that is moved another name, unless another one has it."""
    if edit_of(document, old) is None or edit_of(document, new) is not None:
        return document
    return replace(
        document, attributes=tuple(replace(a, name=new) if a.name == old else a for a in document.attributes)
    )


def remove_all(document: Document) -> Document:
    """Let every attribute have the picture's own value."""
    return replace(document, attributes=(), starter=False) if document.attributes else document
