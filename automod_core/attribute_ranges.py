"""Which blocks an attribute is to drive: found by moving pictures and encoding them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.attributes import Attribute, Trial
from automod_core.errors import UserError
from automod_core.latent import expand
from automod_core.styles import with_attributes

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

Ranges = Mapping[str, tuple[int, int]]
Progress = Callable[[int, int], object]

ENOUGH = 0.75  # of the largest effect: blocks that do less than this are not chosen
ALIKE = 1.05  # times the least drift per effect: what drags no more than this along counts as equal, fewer blocks win
TRIAL_FACES = 32  # samples that a range is tried on, if no pictures are given
TRIAL_SEED = 20_200
_NO_EFFECT = 0.02  # change of the value per unit asked for, below which nothing was found


def candidates(ranges: Ranges) -> tuple[tuple[int, int], ...]:
    """First and last block of each range and of all neighbours joined: coarse, coarse + medium, ..., fine."""
    ordered = sorted(ranges.values())
    return tuple((a, b) for i, (a, _) in enumerate(ordered) for _, b in ordered[i:])


def trial_blocks(ranges: Ranges, n_blocks: int) -> tuple[tuple[int, int], ...]:
    """What is tried: the candidates, every single block, and all blocks; ascending, each once."""
    singles = ((block, block) for block in range(n_blocks))
    return tuple(sorted({*candidates(ranges), *singles, (0, n_blocks - 1)}))


def trial_steps(model: Automodulator, attribute: Attribute, codes: np.ndarray | None = None) -> Iterator[Trial]:
    """Try an attribute in some blocks after others, one per step, so that the caller may do other things between.

    Each face is moved by one unit towards the other side: up if its value is below 0, down if it is above. Its picture
    is decoded and encoded, as is that of the unmoved face, and the two codes are compared.

    Args:
        model: the attribute's model.
        attribute: the attribute; its blocks do not matter.
        codes: (N, n) of norm 1, of the faces to try it on; None takes samples of the model.

    Yields:
        One trial for each of `trial_blocks`.

    Raises:
        UserError: the attribute belongs to another model.
    """
    attribute.check_model(model.hash, model.card.name)
    z = model.random_codes(TRIAL_FACES, TRIAL_SEED) if codes is None else torch.as_tensor(codes, dtype=torch.float32)
    z = z.to(model.device)
    before = seen_again(model, expand(z, model.n_blocks))  # (N, n)
    signs = np.where(attribute.value(z.cpu().numpy()) < 0, 1.0, -1.0)  # (N,)
    for first, last in trial_blocks(model.scale_ranges, model.n_blocks):
        blocks = range(first, last + 1)
        after = seen_again(model, moved(z, attribute, signs, blocks))
        yield _trial(attribute, first, last, (after - before) * signs[:, None])


def best_blocks(trials: Sequence[Trial], ranges: Ranges, n_blocks: int) -> tuple[int, ...]:
    """Choose the blocks: of the ranges and joined ranges with enough effect, those with the least drift per effect.

    Enough is 0.75 of the largest effect of any of them. What is within 5 % of the least counts as equal; of those, the
    fewest blocks are chosen, so all blocks are driven where fewer would drag more along. Where nothing has an effect,
    all blocks are chosen.

    Args:
        trials: as `trial_steps` gives them.
        ranges: the model's ranges, name -> first and last block.
        n_blocks: number of blocks of the model.

    Source: this program; docs/adr/0012-attributes-from-two-piles.md says why.
    """
    wanted = {*candidates(ranges), (0, n_blocks - 1)}
    tried = [trial for trial in trials if (trial.first, trial.last) in wanted]
    largest = max((trial.effect for trial in tried), default=0.0)
    if largest < _NO_EFFECT:
        return tuple(range(n_blocks))
    enough = [trial for trial in tried if trial.effect >= ENOUGH * largest]
    least = min(trial.drift / trial.effect for trial in enough)
    calm = [trial for trial in enough if trial.drift / trial.effect <= ALIKE * least]
    return min(calm, key=lambda trial: (len(trial.blocks), trial.drift / trial.effect)).blocks


def with_trials(attribute: Attribute, trials: Sequence[Trial], ranges: Ranges) -> Attribute:
    """Keep the trials in an attribute, and let it drive the blocks that they speak for."""
    blocks = best_blocks(trials, ranges, attribute.n_blocks)
    return replace(attribute, trials=tuple(trials), blocks=blocks)


def find_range(
    model: Automodulator, attribute: Attribute, codes: np.ndarray | None = None, progress: Progress | None = None
) -> Attribute:
    """Try an attribute in all ranges, and let it drive those where it drags least along for what it does.

    Args:
        model: the attribute's model.
        attribute: the attribute.
        codes: as in `trial_steps`.
        progress: called with the trials done, and all.

    Raises:
        UserError: the attribute belongs to another model.
    """
    total = len(trial_blocks(model.scale_ranges, model.n_blocks))
    trials = []
    for trial in trial_steps(model, attribute, codes):
        trials.append(trial)
        if progress:
            progress(len(trials), total)
    return with_trials(attribute, trials, model.scale_ranges)


def blocks_named(text: str, ranges: Ranges, n_blocks: int) -> tuple[int, ...]:
    """Read "medium", "coarse,medium", "2-3", "0,4" or "all".

    Raises:
        UserError: a word names neither a range nor blocks of the model, or there is none.
    """
    chosen: set[int] = set()
    numbers = [str(block) for block in range(n_blocks)]
    for word in (part.strip() for part in text.split(",")):
        low, dash, high = (part.strip() for part in word.partition("-"))
        if word in ranges:
            first, last = ranges[word]
        elif word == "all":
            first, last = 0, n_blocks - 1
        elif low in numbers and (high in numbers or not dash):
            first, last = int(low), int(high or low)
        else:
            first, last = 0, -1
        if not 0 <= first <= last < n_blocks:
            there = f"{', '.join(ranges)}, and blocks 0 to {n_blocks - 1}"
            raise UserError(f"The model has no blocks {word!r}: it has {there}.")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def seen_again(model: Automodulator, styles: torch.Tensor) -> np.ndarray:
    """What the model sees in the pictures of styles (N, n_blocks, n): their codes (N, n), float64."""
    codes = [model.encode(model.decode(part).clamp(-1, 1)) for part in styles.split(TRIAL_FACES)]
    return torch.cat(codes).double().cpu().numpy()


def moved(z: torch.Tensor, attribute: Attribute, amounts: np.ndarray, blocks: Sequence[int]) -> torch.Tensor:
    """Styles (N, n_blocks, n) of codes z (N, n), each with its amount (N,) of the attribute in some blocks."""
    styles = expand(z, attribute.n_blocks).clone()
    for amount in sorted(set(amounts.tolist())):
        rows = torch.from_numpy(amounts == amount).to(z.device)
        styles[rows] = with_attributes(styles[rows], (attribute.edit(amount, blocks),))
    return styles


def _trial(attribute: Attribute, first: int, last: int, change: np.ndarray) -> Trial:
    """Effect and drift from the change (N, n) of codes, per unit."""
    direction = attribute.direction.astype(np.float64)
    along = change @ direction
    rest = change - along[:, None] * direction
    effect, drift = along.mean() / attribute.scale, np.linalg.norm(rest, axis=1).mean() / attribute.scale
    return Trial(first, last, float(effect), float(drift))
