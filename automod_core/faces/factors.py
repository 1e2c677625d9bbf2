"""The named ground-truth factors of the demo faces, and how they are sampled. Imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from automod_core.hashing import scramble

Scale = Literal["coarse", "medium", "fine"]
Kind = Literal["continuous", "binary"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Factor:
    """One scalar that the picture of a face depends on.

    Attributes:
        name: column name in `factors.csv`.
        scale: the range of a model that it belongs to.
        kind: "binary" factors are sampled as 0 or 1; values between fade the thing in.
        low: smallest value.
        high: largest value.
        help: what the low and the high end look like.
    """

    name: str
    scale: Scale
    kind: Kind
    low: float
    high: float
    help: str


def _signed(name: str, scale: Scale, help: str) -> Factor:
    return Factor(name, scale, "continuous", -1.0, 1.0, help)


def _unit(name: str, scale: Scale, help: str) -> Factor:
    return Factor(name, scale, "continuous", 0.0, 1.0, help)


def _binary(name: str, scale: Scale, help: str) -> Factor:
    return Factor(name, scale, "binary", 0.0, 1.0, help)


FACTORS: tuple[Factor, ...] = (
    _signed("turn", "coarse", "looks to the left of the picture … to the right"),
    _signed("tilt", "coarse", "head rolls to the left of the picture … to the right"),
    _signed("head_size", "coarse", "small … large head in the frame"),
    _signed("face_width", "coarse", "narrow … wide face"),
    _signed("face_length", "coarse", "short … long face"),
    _signed("jaw", "coarse", "pointed … square jaw"),
    _unit("hair_length", "coarse", "cropped … past the shoulders"),
    _unit("hair_volume", "coarse", "flat … full hair"),
    _unit("hair_curl", "coarse", "straight … curly hair"),
    _signed("parting", "coarse", "hair swept to the left … to the right of the picture"),
    _binary("bald", "coarse", "no hair on the head"),
    _binary("bun", "coarse", "hair tied up in a bun"),
    _unit("eye_size", "medium", "small … large eyes"),
    _signed("eye_spacing", "medium", "eyes close together … far apart"),
    _unit("eye_openness", "medium", "narrowed … wide open eyes"),
    _signed("brow_height", "medium", "low … raised brows"),
    _signed("brow_angle", "medium", "worried … stern brows"),
    _unit("brow_thickness", "medium", "thin … bushy brows"),
    _unit("nose_size", "medium", "small … large nose"),
    _signed("mouth_width", "medium", "narrow … wide mouth"),
    _unit("mouth_open", "medium", "closed … open mouth"),
    _signed("smile", "medium", "frown … broad smile"),
    _binary("glasses", "medium", "wears glasses"),
    _unit("glasses_round", "medium", "square … round lenses; seen only with glasses"),
    _binary("beard", "medium", "full beard"),
    _binary("moustache", "medium", "moustache"),
    _binary("fringe", "medium", "hair covers the forehead"),
    _unit("age", "medium", "no lines … deep lines in the face"),
    _unit("skin_tone", "fine", "very light … very dark skin"),
    _unit("hair_lightness", "fine", "black … blond hair"),
    _unit("hair_warmth", "fine", "ash … red hair; the hue of dyed hair"),
    _unit("grey", "fine", "no … all grey hair"),
    _binary("hair_dye", "fine", "hair dyed in a bright colour"),
    _unit("eye_colour", "fine", "dark brown … green … light blue eyes"),
    _unit("lip_colour", "fine", "natural … red lips"),
    _unit("freckles", "fine", "no … many freckles"),
    _unit("blush", "fine", "pale … rosy cheeks"),
    _signed("light_direction", "fine", "light from the left … from the right of the picture"),
    _unit("light_strength", "fine", "flat … strong light"),
    _unit("glasses_colour", "fine", "black … red … gold frame; seen only with glasses"),
    _unit("background_hue", "fine", "red … yellow … green … blue … purple background"),
    _unit("background_lightness", "fine", "dark … light background"),
    _unit("cloth_hue", "fine", "red … yellow … green … blue … purple clothes"),
    _unit("cloth_lightness", "fine", "dark … light clothes"),
)
FACTOR_NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)
_COLUMN = {name: column for column, name in enumerate(FACTOR_NAMES)}

_BINARY_CHANCE = {"bald": 0.08, "bun": 0.14, "glasses": 0.32, "beard": 0.25, "moustache": 0.1, "fringe": 0.38}


def factor_column(name: str) -> int:
    """Column of the factor `name` in an array of factors; ValueError if there is none of this name."""
    try:
        return _COLUMN[name]
    except KeyError:
        raise ValueError(f"there is no factor {name!r}") from None


def sample_factors(count: int, seed: int, start: int = 0) -> FloatArray:
    """Draw the factors of faces `start` … `start + count - 1` of the endless series that `seed` names.

    Face k of a seed is the same whatever `count` and `start` are, so ranges that do not overlap are disjoint sets.

    Args:
        count: how many faces, >= 0.
        seed: any integer.
        start: index of the first face, >= 0.

    Returns:
        (count, len(FACTORS)) float32, each column within its factor's limits.
    """
    if count < 0 or start < 0:
        raise ValueError(f"count and start must be >= 0, got {count} and {start}")
    return factors_at(np.arange(start, start + count, dtype=np.uint64), seed)


def factors_at(numbers: NDArray[np.uint64], seed: int) -> FloatArray:
    """Draw the factors of any faces of the endless series that `seed` names.

    Args:
        numbers: (count,), which faces, in any order.
        seed: any integer.

    Returns:
        (count, len(FACTORS)) float32, each column within its factor's limits.
    """
    draws = _uniforms(numbers, 3 * len(FACTORS), seed).reshape(len(numbers), len(FACTORS), 3)
    flat = draws[:, :, 0]  # (count, F), uniform in [0, 1)
    bell = draws.mean(axis=2)  # (count, F), bell-shaped around 0.5: extremes are rare
    even = 0.5 * (flat + bell)  # (count, F), between the two

    low = np.array([factor.low for factor in FACTORS])
    high = np.array([factor.high for factor in FACTORS])
    values = low + (high - low) * even
    _set_dependent(values, lambda name: flat[:, _COLUMN[name]])
    return np.clip(values, low, high).astype(np.float32)


def _set_dependent(values: NDArray[np.float64], flat: Callable[[str], NDArray[np.float64]]) -> None:
    """Overwrite, in place, the columns whose odds are uneven or hang together."""

    def put(name: str, column: NDArray[np.float64] | NDArray[np.bool_]) -> None:
        values[:, _COLUMN[name]] = column

    for name, chance in _BINARY_CHANCE.items():
        put(name, flat(name) < chance)
    beard = flat("beard") < _BINARY_CHANCE["beard"]
    put("moustache", flat("moustache") < np.where(beard, 0.75, 0.06))
    put("bald", flat("bald") < np.where(beard, 0.16, 0.06))
    put("hair_length", flat("hair_length") * np.where(beard, 0.55, 1.0))
    put("hair_curl", np.maximum(0.0, 1.5 * flat("hair_curl") - 0.5))  # a third has straight hair

    put("turn", 2.0 * flat("turn") - 1.0)
    put("smile", 1.0 - 2.0 * flat("smile") ** 2.0)  # more smiles than frowns
    put("mouth_open", np.maximum(0.0, 1.5 * flat("mouth_open") - 0.5))  # a third keeps the mouth closed
    put("age", flat("age") ** 1.5)
    put("grey", np.clip((flat("age") ** 1.5 - 0.52) * 2.2 + 0.4 * (flat("grey") - 0.5), 0.0, 1.0))

    dyed = flat("hair_dye") < np.where(flat("age") < 0.6, 0.07, 0.02)
    put("hair_dye", dyed)
    put("skin_tone", flat("skin_tone"))
    put("hair_lightness", flat("hair_lightness") ** (1.0 + 2.5 * flat("skin_tone")))  # darker skin, darker hair
    put("hair_warmth", np.where(dyed, flat("hair_warmth"), flat("hair_warmth") ** 1.7))
    put("eye_colour", flat("eye_colour") * (1.0 - 0.6 * flat("skin_tone")))
    put("lip_colour", np.maximum(0.0, 1.4 * flat("lip_colour") - 0.4) * np.where(beard, 0.2, 1.0))
    put("freckles", np.maximum(0.0, 2.0 * flat("freckles") - 1.0))  # half of the faces has none
    for name in ("light_direction", "background_hue", "background_lightness", "cloth_hue", "cloth_lightness"):
        factor = FACTORS[_COLUMN[name]]
        put(name, factor.low + (factor.high - factor.low) * flat(name))


def _uniforms(numbers: NDArray[np.uint64], columns: int, seed: int) -> NDArray[np.float64]:
    """Hash (seed, row number, column) to numbers in [0, 1), (rows, columns), without any generator state."""
    key = scramble(np.array([seed % 2**64], dtype=np.uint64))
    row = scramble(key + numbers)[:, None]
    column = np.arange(columns, dtype=np.uint64)[None, :]
    bits = scramble(row ^ scramble(column + np.uint64(1)))  # (rows, columns)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
