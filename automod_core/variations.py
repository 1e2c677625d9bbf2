"""Variations of a picture: some of its blocks stay, one new random code per child drives all the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.canvas_cache import CanvasCache, canvas_keys, confidence_key
from automod_core.hashing import hashed
from automod_core.images import to_uint8
from automod_core.network_work import multiply_adds
from automod_core.recipe import Recipe, Variation
from automod_core.shared_decode import BATCH, decode_shared
from automod_core.styles import styles_of

_SEED_BITS = 63  # torch's generators take no more
_PURPOSE = 0x76617279  # "vary": with one key only, hashed would give no. 7 of seed 8 what it gives no. 8 of seed 7


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A variation, drawn.

    Attributes:
        index: its number in the series, from 0.
        recipe: all that its picture follows from.
        picture: (R, R, 3) uint8.
        styles: (n_blocks, n) float32, what the recipe means.
        confidence: -1..1, see `confidences`.
    """

    index: int
    recipe: Recipe
    picture: np.ndarray
    styles: np.ndarray
    confidence: float


def unlocked_blocks(locked: Collection[int], n_blocks: int) -> tuple[int, ...]:
    """The blocks that are drawn anew, ascending.

    Raises:
        ValueError: a locked block does not exist, or all are locked, so there is nothing to draw.
    """
    unknown = sorted(set(locked) - set(range(n_blocks)))
    if unknown:
        raise ValueError(f"blocks {unknown} do not exist: the model has blocks 0 to {n_blocks - 1}")
    blocks = tuple(block for block in range(n_blocks) if block not in locked)
    if not blocks:
        raise ValueError("every block is locked, so there is nothing to draw")
    return blocks


def draw_variations(
    model: Automodulator, locked: Collection[int], strength: float, seed: int, indices: Sequence[int]
) -> list[Variation]:
    """Draw children of a series.

    A child follows from the seed and its index alone: others may be left out, or more asked for later, and it stays
    the same. Its code comes from Automodulator.random_codes, so from the model's prior if it has one.

    Args:
        model: the model.
        locked: numbers of the blocks that stay as they are.
        strength: 0..1, how far the other blocks go along the great circle to the drawn code: 0 leaves the picture as
            it is, 1 forgets it.
        seed: names the series, >= 0.
        indices: which children, each >= 0.

    Raises:
        ValueError: the strength is out of bounds, or the locked blocks leave nothing to draw.

    Source: Deep Automodulators, Sec. 3.2 and Fig. 1 (right).
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be from 0 to 1, got {strength}")
    blocks = unlocked_blocks(locked, model.n_blocks)
    seeds = hashed(np.asarray(indices, dtype=np.int64), seed, _PURPOSE) >> np.uint64(64 - _SEED_BITS)
    drawn = []
    for index, own_seed in zip(indices, seeds, strict=True):
        code = model.random_codes(1, int(own_seed))[0].cpu().numpy()
        codes = np.broadcast_to(code, (len(blocks), len(code)))
        drawn.append(Variation(f"Seed {seed}, no. {index + 1}", blocks, codes, strength))
    return drawn


def with_variation(recipe: Recipe, variation: Variation) -> Recipe:
    """Lay a variation over those that a recipe has already; attributes stay on top."""
    return replace(recipe, variations=(*recipe.variations, variation))


def confidences(model: Automodulator, styles: Tensor, pictures: Tensor) -> list[float]:
    """How well the model recognises its own pictures: cos(z, phi(theta(z))), mean over the blocks, -1..1.

    A picture whose blocks have different styles has no single z: each style is compared with the code of the picture.
    Like what it is compared with, it says how far the model itself believes in the picture, not how pretty it is.

    Args:
        model: the model.
        styles: (B, n_blocks, n) of norm 1.
        pictures: (B, 3, R, R) in [-1, 1], what the model made of them.

    Source: Deep Automodulators, Sec. 3.1, the latent reconstruction term of Eq. 2.
    """
    z = model.encode(pictures.clamp(-1, 1))  # (B, n)
    cosines = (styles.to(z) * z[:, None]).sum(dim=2)  # (B, n_blocks)
    return [float(value) for value in cosines.mean(dim=1)]


def draw_children(
    model: Automodulator,
    recipe: Recipe,
    locked: Collection[int],
    strength: float,
    seed: int,
    indices: Sequence[int],
    batch: int = BATCH,
    cache: CanvasCache | None = None,
) -> Iterator[list[Child]]:
    """Draw children and their pictures, a few at a time, as they are finished.

    Blocks that all children have in common, such as a locked coarse range, are computed once.

    Args:
        model: the recipe's model.
        recipe: the picture that is varied; a child's recipe makes children of the child.
        locked: as in draw_variations.
        strength: as in draw_variations.
        seed: as in draw_variations.
        indices: which children.
        batch: most pictures at once.
        cache: as in decode_shared.

    Yields:
        Lists of children, every child once, in any order; some lists are empty: a breath between blocks.

    Raises:
        ValueError: as draw_variations.
    """
    variations = draw_variations(model, locked, strength, seed, indices)
    return draw_pictures(model, [with_variation(recipe, variation) for variation in variations], indices, batch, cache)


def draw_pictures(
    model: Automodulator,
    recipes: Sequence[Recipe],
    indices: Sequence[int],
    batch: int = BATCH,
    cache: CanvasCache | None = None,
) -> Iterator[list[Child]]:
    """Draw the pictures of recipes, each with its confidence; yields as draw_children does.

    Args:
        model: the recipes' model.
        recipes: what to draw.
        indices: their numbers in the answer.
        batch: most pictures at once.
        cache: as in decode_shared.
    """
    if not recipes:
        return
    styles = torch.stack([styles_of(recipe) for recipe in recipes])  # (N, n_blocks, n)
    for numbers, pictures in decode_shared(model, styles, batch=batch, breaths=True, cache=cache):
        likely = _known_confidences(model, styles[numbers], pictures, cache) if numbers else []
        yield [
            Child(indices[number], recipes[number], pixels, styles[number].numpy(), confidence)
            for number, pixels, confidence in zip(numbers, to_uint8(pictures), likely, strict=True)
        ]


def _known_confidences(
    model: Automodulator, styles: Tensor, pictures: Tensor, cache: CanvasCache | None
) -> list[float]:
    """As `confidences`, which encodes the pictures; those that the cache knows were encoded before."""
    if cache is None:
        return confidences(model, styles, pictures)
    keys = [confidence_key(canvas_keys(model, each, alone=False)[-1]) for each in styles.cpu().numpy()]
    known = {i: value for i, key in enumerate(keys) if (value := cache.get(key)) is not None}
    missing = [i for i in range(len(keys)) if i not in known]
    if missing:
        encoding, _ = multiply_adds(model.card.architecture, model.card.architecture.n_levels - 1)
        for i, confidence in zip(missing, confidences(model, styles[missing], pictures[missing]), strict=True):
            known[i] = torch.tensor(confidence, dtype=torch.float64)
            cost = encoding * known[i].nbytes / pictures[i].nbytes  # it goes at about the time its picture goes
            cache.put(keys[i], known[i], cost)
    return [float(known[i]) for i in range(len(keys))]
