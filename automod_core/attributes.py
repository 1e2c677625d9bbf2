"""Attributes: a direction on the sphere of codes that means something to people, and the blocks that it drives.

Neither torch nor a model is needed here. automod_core.attribute_making makes attributes from pictures,
automod_core.attribute_ranges finds their blocks, automod_core.attribute_file keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from automod_core.errors import UserError
from automod_core.later import numpy as np
from automod_core.recipe import MAX_BLOCKS
from automod_core.recipe_parts import MAX_CODE_SIZE, AttributeEdit

MEAN_DIFFERENCE, LINEAR_CLASSIFIER, IMPORTED = "mean difference", "linear classifier", "imported"
METHODS = (MEAN_DIFFERENCE, LINEAR_CLASSIFIER, IMPORTED)

MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 4096
MAX_FIGURES = 512
MAX_EXAMPLE_SIDE = 1024
MAX_PICTURES = 10**9
MAX_VALUE = 1e6
_NORM_TOLERANCE = 1e-3
_LEAST_LEFT = 0.05  # of a direction's norm, when others are taken out of it: with less, little of it is meant


@dataclass(frozen=True, slots=True)
class Trial:
    """What an attribute does if it drives only some blocks; measured by moving pictures and encoding them again.

    Attributes:
        first: first block that was driven.
        last: last one, included.
        effect: change of the value that the pictures show, per unit that was asked for; 1 = all of it.
        drift: how far their codes move in all other directions, per unit asked for, in units of the attribute's scale;
            0 = nothing else changes.
    """

    first: int
    last: int
    effect: float
    drift: float

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks that were driven."""
        return tuple(range(self.first, self.last + 1))


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """Something that pictures have more or less of, as a model sees it. Arrays are never written to.

    The value of a code z of norm 1 is (<z, direction> - center) / scale: 0 midway between the two piles of pictures
    that it was made from, -1 and 1 at their means.

    Attributes:
        name: for people: "Smile".
        model_hash: SHA-256 of the weights of the model that it belongs to, hex.
        model_name: the model's name for people.
        direction: (n,) float32 of norm 1.
        means: (2, n) float32, the mean codes of the pile without it and of the pile with it.
        blocks: numbers of the blocks that it drives, ascending, at least one.
        n_blocks: number of blocks of the model.
        low: 5th percentile of the values of the pictures that it was made from; for imported ones, of samples.
        high: 95th percentile.
        n_with: pictures with it; 0 = not known.
        n_without: pictures without it; 0 = not known.
        method: one of METHODS.
        accuracy: how often pictures that it was not made from are told apart, mean of both piles, 0..1, by
            cross-validation; None = not known, since there were too few.
        trials: what it does by blocks, single ones and ranges; () = not measured.
        figures: what else was measured, name -> value.
        origin: what it was made from, in words.
        example: a picture that shows it, (R, R, 3) uint8, or None.

    Raises:
        ValueError: anything above does not hold; lists every problem.

    Source: Deep Automodulators, Sec. 4.
    """

    name: str
    model_hash: str
    model_name: str
    direction: np.ndarray
    means: np.ndarray
    blocks: tuple[int, ...]
    n_blocks: int
    low: float
    high: float
    n_with: int = 0
    n_without: int = 0
    method: str = MEAN_DIFFERENCE
    accuracy: float | None = None
    trials: tuple[Trial, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""
    example: np.ndarray | None = None

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):  # to infinity, which is refused below
            object.__setattr__(self, "direction", np.array(self.direction, dtype=np.float32))
            object.__setattr__(self, "means", np.array(self.means, dtype=np.float32))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        object.__setattr__(self, "trials", tuple(self.trials))
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def center(self) -> float:
        """Projection <z, direction> of codes of value 0."""
        return float(self.means.astype(np.float64).mean(axis=0) @ self.direction.astype(np.float64))

    @property
    def scale(self) -> float:
        """Change of the projection per unit of the value, > 0."""
        return _scale(self.means, self.direction)

    @property
    def code_size(self) -> int:
        """Numbers per code."""
        return len(self.direction)

    @property
    def drives_all(self) -> bool:
        """Whether it drives every block, as attributes of other editors do."""
        return len(self.blocks) == self.n_blocks

    def value(self, codes: np.ndarray) -> np.ndarray:
        """Values (...,) float64 of codes (..., n) of norm 1."""
        projections = np.asarray(codes, dtype=np.float64) @ self.direction.astype(np.float64)
        return np.asarray((projections - self.center) / self.scale)

    def edit(self, amount: float, blocks: Sequence[int] | None = None) -> AttributeEdit:
        """For a recipe: change the value by `amount` in the attribute's blocks, or in others."""
        chosen = self.blocks if blocks is None else tuple(sorted(set(blocks)))
        return AttributeEdit(self.name, self.direction, self.center, self.scale, chosen, float(amount))

    def with_blocks(self, blocks: Sequence[int]) -> Attribute:
        """Let it drive other blocks."""
        return replace(self, blocks=tuple(sorted(set(blocks))))

    def all_scales(self) -> Attribute:
        """Let it drive every block."""
        return self.with_blocks(range(self.n_blocks))

    def renamed(self, name: str) -> Attribute:
        """Give it another name."""
        return replace(self, name=name)

    def check_model(self, model_hash: str, model_name: str) -> None:
        """Refuse to be used with another model than its own.

        Raises:
            UserError: the model is another one; the sentence names both.
        """
        if model_hash != self.model_hash:
            raise UserError(
                f"The attribute {self.name} belongs to the model {self.model_name} ({self.model_hash[:8]}), "
                f"not to {model_name} ({model_hash[:8]})."
            )


def orthogonalised(attribute: Attribute, others: Sequence[Attribute], codes: np.ndarray | None = None) -> Attribute:
    """Take the directions of other attributes out of one, so that moving it leaves their values as they are.

    Args:
        attribute: the one to change.
        others: of the same model; those without a part in it change nothing.
        codes: (N, n) of pictures or samples, from which the range of values is taken anew; None keeps the old one.

    Returns:
        The attribute with its direction nearest to the old one among those orthogonal to all others. The piles' means
        have values -1 and 1 again. What was measured of the old direction (accuracy, trials, figures) is dropped.

    Raises:
        UserError: it is of another model, or nearly nothing is left of it.
    """
    for other in others:
        other.check_model(attribute.model_hash, attribute.model_name)
    if not others:
        return attribute
    old = attribute.direction.astype(np.float64)
    directions = np.stack([other.direction for other in others]).astype(np.float64)  # (k, n)
    rest = old - np.linalg.lstsq(directions.T, old, rcond=1e-6)[0] @ directions
    size = float(np.linalg.norm(rest))
    if size < _LEAST_LEFT or _scale(attribute.means, rest) <= 0:
        names = ", ".join(other.name for other in others)
        raise UserError(f"The attribute {attribute.name} is nearly the same as {names}: nothing of it would be left.")
    fresh = replace(attribute, direction=rest / size, accuracy=None, trials=(), figures={})
    return fresh if codes is None else with_range_of(fresh, codes)


def with_range_of(attribute: Attribute, codes: np.ndarray) -> Attribute:
    """Take the range of values, 5th to 95th percentile, from codes (N, n)."""
    low, high = np.percentile(attribute.value(codes), [5, 95])
    return replace(attribute, low=float(low), high=float(high))


# ---- checks ----


def _scale(means: np.ndarray, direction: np.ndarray) -> float:
    without, with_it = means.astype(np.float64)
    return float((with_it - without) @ direction.astype(np.float64)) / 2


def _problems(attribute: Attribute) -> Iterator[str]:
    yield from _text_problems(attribute)
    yield from _array_problems(attribute)
    yield from _block_problems(attribute)
    yield from _number_problems(attribute)


def _text_problems(attribute: Attribute) -> Iterator[str]:
    texts = (attribute.name, attribute.model_hash, attribute.model_name)
    if not all(isinstance(text, str) and 1 <= len(text) <= MAX_NAME_LENGTH for text in texts):
        yield f"names must be text of 1 to {MAX_NAME_LENGTH} letters"
    if not isinstance(attribute.origin, str) or len(attribute.origin) > MAX_TEXT_LENGTH:
        yield f"the origin must be text of at most {MAX_TEXT_LENGTH} letters"
    if attribute.method not in METHODS:
        yield f"the method must be one of {', '.join(METHODS)}"


def _array_problems(attribute: Attribute) -> Iterator[str]:
    direction, means, example = attribute.direction, attribute.means, attribute.example
    if direction.ndim != 1 or not 1 <= len(direction) <= MAX_CODE_SIZE or means.shape != (2, len(direction)):
        yield f"direction (n,) and means (2, n) must fit, not {direction.shape} and {means.shape}"
    elif not (np.isfinite(direction).all() and np.isfinite(means).all()):
        yield "it holds a number that is not finite"
    elif abs(float(np.linalg.norm(direction.astype(np.float64))) - 1) > _NORM_TOLERANCE:
        yield "the direction must have norm 1"
    elif np.abs(means).max() > 1 + _NORM_TOLERANCE:
        yield "means of codes cannot be larger than 1"
    elif _scale(means, direction) <= 1e-6:
        yield "the pile with it must lie farther along the direction than the pile without"
    if example is not None and not (
        example.dtype == np.uint8
        and example.ndim == 3
        and example.shape[0] == example.shape[1] <= MAX_EXAMPLE_SIDE
        and example.shape[2] == 3
        and example.size
    ):
        yield f"the example must be a square picture of at most {MAX_EXAMPLE_SIDE} pixels"


def _block_problems(attribute: Attribute) -> Iterator[str]:
    blocks, n_blocks = attribute.blocks, attribute.n_blocks
    if type(n_blocks) is not int or not 1 <= n_blocks <= MAX_BLOCKS:
        yield f"a model has 1 to {MAX_BLOCKS} blocks, not {n_blocks}"
        return
    known = all(type(block) is int and 0 <= block < n_blocks for block in blocks)
    if not known or not blocks or list(blocks) != sorted(set(blocks)):
        yield f"blocks must be at least one, ascend and be from 0 to {n_blocks - 1}, not {list(blocks)}"
    if len(attribute.trials) > MAX_BLOCKS**2:
        yield "there are too many trials"
    for trial in attribute.trials:
        if not 0 <= trial.first <= trial.last < n_blocks:
            yield f"a trial drives blocks {trial.first} to {trial.last}, which the model lacks"
        if not all(abs(number) <= MAX_VALUE for number in (trial.effect, trial.drift)):
            yield "a trial holds a number that is too large, or none"


def _number_problems(attribute: Attribute) -> Iterator[str]:
    if not all(type(count) is int and 0 <= count <= MAX_PICTURES for count in (attribute.n_with, attribute.n_without)):
        yield f"numbers of pictures must be from 0 to {MAX_PICTURES}"
    if not -MAX_VALUE <= attribute.low <= attribute.high <= MAX_VALUE:
        yield "the lowest value must be at most the highest"
    if attribute.accuracy is not None and not 0 <= attribute.accuracy <= 1:
        yield "the accuracy must be from 0 to 1"
    named = all(isinstance(name, str) and len(name) <= MAX_NAME_LENGTH for name in attribute.figures)
    if len(attribute.figures) > MAX_FIGURES or not named:
        yield f"there must be at most {MAX_FIGURES} figures, with names of at most {MAX_NAME_LENGTH} letters"
    elif not all(math.isfinite(number) for number in attribute.figures.values()):
        yield "a figure is not finite"
