"""What a recipe is made of: sources, variations, attributes. Arrays in them are never written to."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from automod_core.later import numpy as np

MAX_CODE_SIZE = 1 << 14
MAX_NAME_LENGTH = 4096
MAX_AMOUNT = 100.0
MIN_SCALE, MAX_SCALE = 1e-6, 1e6  # of attributes: projections are at most 1, so these are far away from any real one

_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class RecipeSource:
    """One of the pictures that were mixed: its name for people, and its code (n,) float32 of norm 1."""

    name: str
    code: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", _float32(self.code))


@dataclass(frozen=True, slots=True, eq=False)
class Variation:
    """Codes that were drawn anew for some blocks; each block goes part of the way from the mix to its code.

    Attributes:
        name: for people: "Seed 7, no. 3".
        blocks: numbers of the blocks, ascending, at least one.
        codes: (len(blocks), n) float32 of norm 1.
        strength: 0..1, how far along the great circle: 0 leaves the mix, 1 gives the codes.

    Source: Deep Automodulators, Sec. 3.2, conditional sampling.
    """

    name: str
    blocks: tuple[int, ...]
    codes: np.ndarray
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", _float32(self.codes))
        object.__setattr__(self, "blocks", tuple(self.blocks))


@dataclass(frozen=True, slots=True, eq=False)
class AttributeEdit:
    """An attribute, and how far it is moved.

    The value of the attribute in a style s of norm 1 is (<s, direction> - center) / scale.

    Attributes:
        name: for people: "Smile".
        direction: (n,) float32 of norm 1.
        center: <s, direction> where the value is 0; at most 1e6 away from 0.
        scale: change of <s, direction> per unit of the value, 1e-6..1e6.
        blocks: numbers of the blocks that are moved, ascending, at least one.
        amount: how much the value changes in each of them, -100..100; 0 = not at all.

    Source: Deep Automodulators, Sec. 4, attribute vectors limited to some scales.
    """

    name: str
    direction: np.ndarray
    center: float
    scale: float
    blocks: tuple[int, ...]
    amount: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", _float32(self.direction))
        object.__setattr__(self, "blocks", tuple(self.blocks))


# ---- checks ----


def name_problems(names: list[Any]) -> Iterator[str]:
    """What is wrong with names."""
    if not all(isinstance(text, str) and len(text) <= MAX_NAME_LENGTH for text in names):
        yield f"names must be text of at most {MAX_NAME_LENGTH} letters"


def variation_problems(variation: Variation, n_blocks: int, code_size: int) -> Iterator[str]:
    """What is wrong with a variation of a recipe with so many blocks, and codes of this size."""
    yield from _block_problems(variation.blocks, n_blocks)
    if variation.codes.shape != (len(variation.blocks), code_size):
        yield f"codes of a variation must be {(len(variation.blocks), code_size)}, not {variation.codes.shape}"
    elif not of_norm_one(variation.codes):
        yield "codes of a variation must have norm 1"
    if not 0 <= variation.strength <= 1:
        yield f"the strength of a variation must be from 0 to 1, not {variation.strength}"


def attribute_problems(attribute: AttributeEdit, n_blocks: int, code_size: int) -> Iterator[str]:
    """What is wrong with an attribute of a recipe with so many blocks, and codes of this size."""
    yield from _block_problems(attribute.blocks, n_blocks)
    if attribute.direction.shape != (code_size,):
        yield f"the direction of an attribute must be {(code_size,)}, not {attribute.direction.shape}"
    elif not of_norm_one(attribute.direction):
        yield "the direction of an attribute must have norm 1"
    if not (abs(attribute.center) <= MAX_SCALE and MIN_SCALE <= attribute.scale <= MAX_SCALE):
        yield f"the scale of an attribute must be from {MIN_SCALE:g} to {MAX_SCALE:g}, and its center at most that"
    if not abs(attribute.amount) <= MAX_AMOUNT:
        yield f"the amount of an attribute must be from {-MAX_AMOUNT:g} to {MAX_AMOUNT:g}, not {attribute.amount}"


def _block_problems(blocks: tuple[int, ...], n_blocks: int) -> Iterator[str]:
    known = all(type(block) is int and 0 <= block < n_blocks for block in blocks)
    if not known or not blocks or list(blocks) != sorted(set(blocks)):
        yield f"blocks must be at least one, ascend, and be from 0 to {n_blocks - 1}"


def of_norm_one(vectors: np.ndarray) -> bool:
    """Whether vectors (..., n) are finite and have norm 1, but for rounding."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    return bool((np.abs(norms - 1) <= _NORM_TOLERANCE).all())  # False for what is not finite


# ---- JSON ----


def variation_to_json(variation: Variation) -> dict[str, Any]:
    """Plain JSON values; codes in base64, so no bit is lost."""
    return {
        "name": variation.name,
        "blocks": list(variation.blocks),
        "codes": [encode_code(code) for code in variation.codes],
        "strength": float(variation.strength),
    }


def variation_from_json(data: Any) -> Variation:
    """Read what `variation_to_json` gave, trusting nothing. Raises ValueError."""
    check(isinstance(data, dict), "a variation is not an object")
    codes: Any = data.get("codes")
    check(isinstance(codes, list) and len(codes) == len(_blocks(data)) >= 1, "a variation has no codes")
    rows = [decode_code(code) for code in codes]
    check(len({len(row) for row in rows}) == 1, "the codes of a variation differ in size")
    return Variation(_text(data, "name"), _blocks(data), np.stack(rows), _number(data, "strength"))


def attribute_to_json(attribute: AttributeEdit) -> dict[str, Any]:
    """Plain JSON values; the direction in base64, so no bit is lost."""
    return {
        "name": attribute.name,
        "direction": encode_code(attribute.direction),
        "center": float(attribute.center),
        "scale": float(attribute.scale),
        "blocks": list(attribute.blocks),
        "amount": float(attribute.amount),
    }


def attribute_from_json(data: Any) -> AttributeEdit:
    """Read what `attribute_to_json` gave, trusting nothing. Raises ValueError."""
    check(isinstance(data, dict), "an attribute is not an object")
    center, scale, amount = (_number(data, key) for key in ("center", "scale", "amount"))
    direction = decode_code(data.get("direction"))
    return AttributeEdit(_text(data, "name"), direction, center, scale, _blocks(data), amount)


def encode_code(code: np.ndarray) -> str:
    """A code (n,) as base64 of little-endian float32."""
    return base64.b64encode(code.astype("<f4").tobytes()).decode("ascii")


def decode_code(text: Any) -> np.ndarray:
    """Base64 text -> (n,) float32. Raises ValueError."""
    check(type(text) is str, "a code is missing")
    check(len(text) <= 6 * MAX_CODE_SIZE, "a code is too long")
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("a code is not valid base64") from error
    check(len(raw) % 4 == 0, "a code is cut short")
    return np.frombuffer(raw, dtype="<f4").astype(np.float32)


def check(holds: bool, problem: str) -> None:
    """Raise ValueError with the problem unless something holds."""
    if not holds:
        raise ValueError(problem)


def _text(data: dict[str, Any], key: str) -> str:
    text = data.get(key)
    check(type(text) is str, f"{key} is not text")
    return str(text)


def _number(data: dict[str, Any], key: str) -> float:
    number: Any = data.get(key)
    check(type(number) in (int, float), f"{key} is not a number")
    return float(number)


def _blocks(data: dict[str, Any]) -> tuple[int, ...]:
    blocks: Any = data.get("blocks")
    check(isinstance(blocks, list) and all(type(block) is int for block in blocks), "blocks are not numbers")
    return tuple(blocks)


def _float32(array: np.ndarray) -> np.ndarray:
    if np.ndim(array) > 2:  # before it is copied: it may be a large picture
        raise ValueError(f"codes have at most two dimensions, not {np.ndim(array)}")
    with np.errstate(over="ignore"):  # to infinity, which is refused later
        return np.array(array, dtype=np.float32)
