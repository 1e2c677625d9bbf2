"""What an edit drags along: which other attributes move with those that were meant to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.attribute_ranges import TRIAL_FACES, TRIAL_SEED, moved, seen_again
from automod_core.attributes import Attribute
from automod_core.latent import expand
from automod_core.styles import styles_of

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Leak:
    """What became of one attribute.

    Attributes:
        name: the attribute.
        before: its value in the picture without any attribute moved.
        after: its value in the picture with them.
        asked: how much of it was asked for, in the mean over the blocks; 0 = nothing.
    """

    name: str
    before: float
    after: float
    asked: float = 0.0

    @property
    def change(self) -> float:
        """How far it moved, in units of its value."""
        return self.after - self.before


def leakage(model: Automodulator, recipe: Recipe, attributes: Sequence[Attribute]) -> tuple[Leak, ...]:
    """Measure what the attributes of a recipe do to others, in the pictures: both are decoded and encoded again.

    Args:
        model: the recipe's model.
        recipe: a recipe; its attributes are what is judged.
        attributes: whose values are read; those that the recipe moves may be among them.

    Returns:
        One for each attribute, in their order.

    Raises:
        UserError: an attribute belongs to another model.
    """
    for attribute in attributes:
        attribute.check_model(model.hash, model.card.name)
    styles = torch.stack([styles_of(replace(recipe, attributes=())), styles_of(recipe)])
    before, after = seen_again(model, styles.to(model.device))
    asked: dict[str, float] = {}
    for edit in recipe.attributes:
        asked[edit.name] = asked.get(edit.name, 0.0) + edit.amount * len(edit.blocks) / recipe.n_blocks
    return tuple(
        Leak(a.name, float(a.value(before)), float(a.value(after)), asked.get(a.name, 0.0)) for a in attributes
    )


def mean_leakage(
    model: Automodulator,
    attribute: Attribute,
    others: Sequence[Attribute],
    codes: np.ndarray | None = None,
    amount: float = 1.0,
) -> tuple[float, ...]:
    """Mean change of other attributes' values when one is moved up, over many faces.

    Args:
        model: the model of all attributes.
        attribute: the one that is moved, in its blocks.
        others: whose values are read.
        codes: (N, n) of norm 1, of the faces; None takes samples of the model.
        amount: how far it is moved.

    Raises:
        UserError: an attribute belongs to another model.
    """
    for each in (attribute, *others):
        each.check_model(model.hash, model.card.name)
    z = model.random_codes(TRIAL_FACES, TRIAL_SEED) if codes is None else torch.as_tensor(codes, dtype=torch.float32)
    z = z.to(model.device)
    before = seen_again(model, expand(z, model.n_blocks))
    after = seen_again(model, moved(z, attribute, np.full(len(z), amount), attribute.blocks))
    return tuple(float((other.value(after) - other.value(before)).mean()) for other in others)
