"""From a recipe to the styles that the decoder takes: the one place that says what a recipe means."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from automod_core import latent
from automod_core.recipe import Recipe
from automod_core.recipe_parts import AttributeEdit, Variation


def styles_of(recipe: Recipe) -> Tensor:
    """The styles of a recipe: the mix, then the variations one after another, then all attributes at once.

    Returns:
        (n_blocks, n) float32 of norm 1, on the CPU. A recipe without variations and attributes gives exactly
        latent.mix.
    """
    styles = torch.from_numpy(latent.mix_arrays(recipe.weights, recipe.codes))
    for variation in recipe.variations:
        styles = with_variation(styles, variation)
    return with_attributes(styles, recipe.attributes)


def with_variation(styles: Tensor, variation: Variation) -> Tensor:
    """Lay a variation over styles (n_blocks, n): each of its blocks goes `strength` of the way to its code."""
    varied = styles.clone()
    blocks = list(variation.blocks)
    codes = torch.tensor(variation.codes).to(styles)
    varied[blocks] = latent.slerp(styles[blocks], codes, variation.strength)
    return varied


def with_attributes(styles: Tensor, attributes: tuple[AttributeEdit, ...]) -> Tensor:
    """Move attributes in styles (..., n_blocks, n), all at once; their order does not matter. See latent.steer."""
    if not attributes:
        return styles
    changes = torch.zeros(styles.shape[-2], len(attributes), dtype=torch.float64)
    for column, attribute in enumerate(attributes):
        changes[list(attribute.blocks), column] = attribute.amount * attribute.scale
    directions = torch.tensor(np.stack([attribute.direction for attribute in attributes]))
    return latent.steer(styles, directions.to(styles.device), changes.to(styles.device))


def value_of(styles: Tensor, attribute: AttributeEdit) -> float:
    """The value of an attribute in styles (n_blocks, n): the mean over the attribute's blocks."""
    chosen = styles[list(attribute.blocks)].double().cpu()
    projection = float((chosen @ torch.tensor(attribute.direction).double()).mean())
    return (projection - attribute.center) / attribute.scale
