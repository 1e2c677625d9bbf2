"""Recipes: how a saved picture was made, exactly enough to open the edit again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automod_core.errors import UserError
from automod_core.later import numpy as np
from automod_core.png_text import NotPNG, read_png_text
from automod_core.recipe_parts import (
    MAX_CODE_SIZE,
    AttributeEdit,
    RecipeSource,
    Variation,
    attribute_from_json,
    attribute_problems,
    attribute_to_json,
    check,
    decode_code,
    encode_code,
    name_problems,
    of_norm_one,
    variation_from_json,
    variation_problems,
    variation_to_json,
)

__all__ = ["AttributeEdit", "Recipe", "RecipeSource", "Variation", "read_recipe"]

FORMAT = "automod-recipe"
FORMAT_VERSION = 2  # 1 had neither variations nor attributes
KEYWORD = "automod-recipe"  # of the PNG text chunk

MAX_SOURCES = 128
MAX_BLOCKS = 32
MAX_LAYERS = 256  # variations, and attributes
MAX_WEIGHT = 1e6
MAX_TEXT_BYTES = 16 << 20  # 128 codes of 16,384 numbers are 11 MB of base64


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that a picture follows from: which codes were mixed, how, what was done to the mix, and by which model.

    The styles are the mix, then the variations one after another, then all attributes at once; see
    automod_core.styles. Arrays are never written to.

    Attributes:
        model_hash: SHA-256 of the model's weights, hex.
        model_name: the model's name for people.
        sources: 1..128 sources whose codes have norm 1 and the same size.
        weights: (n_blocks, n_sources) float64, 0..1e6, each row with a positive sum; how much of each source each
            block takes.
        variations: codes drawn anew, in the order in which they are laid over the mix; at most 256.
        attributes: what is moved, in any order; at most 256.

    Raises:
        ValueError: anything above does not hold, or the recipe is too large for a picture; lists every problem, but
            of variations and attributes only the first that has any.
    """

    model_hash: str
    model_name: str
    sources: tuple[RecipeSource, ...]
    weights: np.ndarray
    variations: tuple[Variation, ...] = ()
    attributes: tuple[AttributeEdit, ...] = ()

    def __post_init__(self) -> None:
        if np.ndim(self.weights) > 2:  # before it is copied: it may be a large picture
            raise ValueError(f"weights have two dimensions, not {np.ndim(self.weights)}")
        object.__setattr__(self, "weights", np.array(self.weights, dtype=np.float64))
        problems = [*_text_problems(self), *_code_problems(self), *_weight_problems(self)]
        problems = problems or list(_layer_problems(self)) or list(_size_problems(self))
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def n_blocks(self) -> int:
        """Number of blocks of the model."""
        return len(self.weights)

    @property
    def codes(self) -> np.ndarray:
        """The codes of the sources, (n_sources, n) float32."""
        return np.stack([source.code for source in self.sources])

    def to_json(self) -> str:
        """ASCII text, the same for the same recipe; codes are base64 of little-endian float32, so no bit is lost."""
        return json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "model": {"hash": self.model_hash, "name": self.model_name},
                "sources": [{"name": source.name, "code": encode_code(source.code)} for source in self.sources],
                "weights": self.weights.tolist(),
                "variations": [variation_to_json(variation) for variation in self.variations],
                "attributes": [attribute_to_json(attribute) for attribute in self.attributes],
            },
            allow_nan=False,
        )

    @staticmethod
    def from_json(text: str, name: str = "The text") -> Recipe:
        """Read what `to_json` wrote, trusting nothing.

        Args:
            text: the JSON text.
            name: what messages call it: the name of the file that it was in.

        Raises:
            UserError: not JSON, not a recipe, damaged, or written by a newer version.
        """
        try:
            data = _parse(text)
            check(isinstance(data, dict) and data.get("format") == FORMAT, "it is not a recipe")
            version = data.get("format_version")
            check(type(version) is int and version >= 1, "its version is not a number")
            if version > FORMAT_VERSION:
                raise UserError(f"{name} was saved by a newer version of the program (recipe format {version}).")
            return _from_data(data)
        except (ValueError, OverflowError) as error:  # an integer of a thousand digits overflows a float
            raise UserError(f"{name} holds a damaged recipe: {error}.") from error


def read_recipe(path: Path | str) -> Recipe:
    """Read the recipe inside a PNG that was saved here.

    Reads only the text chunks, wherever they are; pictures are not decoded, and sizes are bounded.

    Raises:
        UserError: the file cannot be read, is no PNG, holds no recipe or a damaged one; one sentence.
    """
    path = Path(path)
    name = path.name or str(path)
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{name} is not a file.")
        text = read_png_text(path, KEYWORD, MAX_TEXT_BYTES)
    except NotPNG as error:
        raise UserError(f"{name} holds no recipe: only PNG files saved by this program do.") from error
    except FileNotFoundError as error:
        raise UserError(f"{name} was not found: it may have been moved or deleted.") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"{name} holds a damaged recipe: {error}.") from error
    if text is None:
        raise UserError(f"{name} holds no recipe: it was not saved by this program, or its metadata was removed.")
    return Recipe.from_json(text, name)


# ---- checks ----


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # nested too deeply, or a number of thousands of digits
        raise ValueError("it is not valid JSON") from error


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _texts(recipe: Recipe) -> list[str]:
    names = [s.name for s in recipe.sources] + [v.name for v in recipe.variations] + [a.name for a in recipe.attributes]
    return [recipe.model_hash, recipe.model_name, *names]


def _text_problems(recipe: Recipe) -> Iterator[str]:
    yield from name_problems(_texts(recipe))


def _code_problems(recipe: Recipe) -> Iterator[str]:
    if not 1 <= len(recipe.sources) <= MAX_SOURCES:
        yield f"there must be 1 to {MAX_SOURCES} sources, not {len(recipe.sources)}"
    shapes = {source.code.shape for source in recipe.sources}
    if len(shapes) > 1:
        yield "the codes differ in size"
    if not all(len(shape) == 1 and 1 <= shape[0] <= MAX_CODE_SIZE for shape in shapes):
        yield f"codes must be (n,) with n from 1 to {MAX_CODE_SIZE}"
    elif not all(of_norm_one(source.code) for source in recipe.sources):
        yield "a code is not finite, or its norm is not 1"


def _weight_problems(recipe: Recipe) -> Iterator[str]:
    weights = recipe.weights
    if weights.ndim != 2 or not 1 <= weights.shape[0] <= MAX_BLOCKS or weights.shape[1] != len(recipe.sources):
        yield f"weights must be (1 to {MAX_BLOCKS} blocks, {len(recipe.sources)} sources), not {weights.shape}"
    elif not np.isfinite(weights).all():
        yield "a weight is not finite"
    elif (weights < 0).any():
        yield "a weight is negative"
    elif (weights > MAX_WEIGHT).any():
        yield "a weight is too large"
    elif not (weights.sum(axis=1) > 0).all():
        yield "all weights of a block are 0"


def _layer_problems(recipe: Recipe) -> Iterator[str]:
    size = len(recipe.sources[0].code)
    if len(recipe.variations) > MAX_LAYERS or len(recipe.attributes) > MAX_LAYERS:
        yield f"there must be at most {MAX_LAYERS} variations, and as many attributes"
    found = [
        *(list(variation_problems(variation, recipe.n_blocks, size)) for variation in recipe.variations),
        *(list(attribute_problems(attribute, recipe.n_blocks, size)) for attribute in recipe.attributes),
    ]
    yield from next((problems for problems in found if problems), [])


def _size_problems(recipe: Recipe) -> Iterator[str]:
    """A recipe that was written must be read again, so none is made that would be passed over as too long."""
    vectors = [source.code for source in recipe.sources] + [attribute.direction for attribute in recipe.attributes]
    vectors += [code for variation in recipe.variations for code in variation.codes]
    n_parts = len(recipe.sources) + len(recipe.variations) + len(recipe.attributes)
    size = sum(6 * len(vector) + 16 for vector in vectors) + sum(len(json.dumps(text)) for text in _texts(recipe))
    size += 32 * recipe.weights.size + 400 * (n_parts + 1)
    if size > MAX_TEXT_BYTES:
        yield f"it would take {size / 2**20:.0f} MB, and at most {MAX_TEXT_BYTES >> 20} fit into a picture"


# ---- JSON ----


def _from_data(data: dict[str, Any]) -> Recipe:
    model: Any = data.get("model")
    sources: Any = data.get("sources")
    rows: Any = data.get("weights")
    check(isinstance(model, dict), "the model is missing")
    check(isinstance(sources, list) and 1 <= len(sources) <= MAX_SOURCES, f"there must be 1 to {MAX_SOURCES} sources")
    check(isinstance(rows, list) and 1 <= len(rows) <= MAX_BLOCKS, f"there must be 1 to {MAX_BLOCKS} rows of weights")
    check(all(isinstance(source, dict) for source in sources), "a source is not an object")
    check(all(isinstance(row, list) and len(row) == len(sources) for row in rows), "a row of weights has a wrong size")
    check(all(type(weight) in (int, float) for row in rows for weight in row), "a weight is not a number")
    check(all(type(model.get(key)) is str for key in ("hash", "name")), "the model has no name or no hash")
    check(all(type(source.get("name")) is str for source in sources), "a source has no name")
    variations, attributes = data.get("variations", []), data.get("attributes", [])  # version 1 has none
    check(isinstance(variations, list) and len(variations) <= MAX_LAYERS, "the variations are no list")
    check(isinstance(attributes, list) and len(attributes) <= MAX_LAYERS, "the attributes are no list")
    return Recipe(
        model_hash=model["hash"],
        model_name=model["name"],
        sources=tuple(RecipeSource(source["name"], decode_code(source.get("code"))) for source in sources),
        weights=np.array(rows, dtype=np.float64),
        variations=tuple(variation_from_json(entry) for entry in variations),
        attributes=tuple(attribute_from_json(entry) for entry in attributes),
    )
