"""An attribute is one small .safetensors file: direction, means and example as arrays, all else as JSON.

Reading needs no torch; nothing in a file is executed, and sizes are bounded before anything is read.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from automod_core.attributes import Attribute, Trial
from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.later import numpy as np
from automod_core.recipe_parts import MAX_CODE_SIZE, check

SUFFIX = ".safetensors"
FORMAT_VERSION = 1

_METADATA_KEY = "automod_attribute"
_MAX_BYTES = 8 << 20  # three codes of 16,384 numbers and a picture of 1024 x 1024 are 3.4 MB
_MAX_TRIALS = 1024
_ARRAYS = {"direction": ("F32", 1), "means": ("F32", 2), "example": ("U8", 3)}  # name -> type, dimensions


def write_attribute(path: Path | str, attribute: Attribute) -> None:
    """Write an attribute, atomically.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = {"direction": attribute.direction, "means": attribute.means}
    if attribute.example is not None:
        arrays["example"] = np.ascontiguousarray(attribute.example)
    data = save(arrays, metadata={_METADATA_KEY: json.dumps(_to_json(attribute), allow_nan=False)})
    write_atomically(Path(path), lambda file: file.write(data))


def read_attribute(path: Path | str) -> Attribute:
    """Read what `write_attribute` wrote, trusting nothing.

    Raises:
        UserError: the file is missing, damaged, too large, newer, or no attribute; one sentence.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f"{path} is not there, so no attribute can be read from it.")
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path.name} is not an attribute: it is too large for one.")
        return _read(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged or not an attribute ({_first_line(error)}).") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{path.name} is not an attribute that can be used: {_first_line(error)}.") from error


def find_attributes(folders: Sequence[Path], model_hash: str) -> list[tuple[Path, Attribute]]:
    """The attributes of a model that lie in folders, by file name in each; files that are none are passed over."""
    found: list[tuple[Path, Attribute]] = []
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                attribute = read_attribute(path)
            except UserError:
                continue
            if attribute.model_hash == model_hash:
                found.append((path, attribute))
    return found


def file_name(name: str) -> str:
    """A file name for an attribute of this name, such as "hair-length.safetensors"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return ("-".join(words)[:80] or "attribute") + SUFFIX


# ---- reading and writing ----


def _to_json(attribute: Attribute) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "name": attribute.name,
        "model": {"hash": attribute.model_hash, "name": attribute.model_name},
        "blocks": list(attribute.blocks),
        "n_blocks": attribute.n_blocks,
        "low": attribute.low,
        "high": attribute.high,
        "n_with": attribute.n_with,
        "n_without": attribute.n_without,
        "method": attribute.method,
        "accuracy": attribute.accuracy,
        "trials": [[trial.first, trial.last, trial.effect, trial.drift] for trial in attribute.trials],
        "figures": dict(attribute.figures),
        "origin": attribute.origin,
    }


def _read(path: Path) -> Attribute:
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get(_METADATA_KEY)
        if text is None:
            raise ValueError("it is a safetensors file of something else")
        data = _parse(text)
        names = set(file.keys())
        check({"direction", "means"} <= names <= set(_ARRAYS), f"it holds the arrays {', '.join(sorted(names))[:80]}")
        for name in names:
            _check_array(name, file.get_slice(name))
        arrays = {name: file.get_tensor(name) for name in names}
    return _from_data(data, arrays)


def _check_array(name: str, part: Any) -> None:
    kind, dimensions = _ARRAYS[name]
    shape = part.get_shape()
    fits = part.get_dtype() == kind and len(shape) == dimensions and math.prod(shape) <= max(4 * MAX_CODE_SIZE, 3 << 20)
    check(fits, f"its {name} is {part.get_dtype()} {list(shape)}")


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("its text is not valid JSON") from error
    check(isinstance(data, dict), "its text is no object")
    version = data.get("format_version")
    check(type(version) is int and version >= 1, "its version is not a number")
    check(version <= FORMAT_VERSION, f"it has format {version}, made by a newer version of the program")
    return dict(data)


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _from_data(data: dict[str, Any], arrays: dict[str, np.ndarray]) -> Attribute:
    model, figures = data.get("model"), data.get("figures", {})
    if not isinstance(model, dict) or not isinstance(figures, dict):
        raise ValueError("the model or the figures are missing")
    blocks = _list(data, "blocks", MAX_CODE_SIZE)
    accuracy = None if data.get("accuracy") is None else _number(data.get("accuracy"), "accuracy")
    return Attribute(
        name=data.get("name", ""),
        model_hash=model.get("hash", ""),
        model_name=model.get("name", ""),
        direction=arrays["direction"],
        means=arrays["means"],
        blocks=tuple(blocks),
        n_blocks=data.get("n_blocks", 0),
        low=_number(data.get("low"), "low"),
        high=_number(data.get("high"), "high"),
        n_with=data.get("n_with", 0),
        n_without=data.get("n_without", 0),
        method=data.get("method", ""),
        accuracy=accuracy,
        trials=tuple(_trial(row) for row in _list(data, "trials", _MAX_TRIALS)),
        figures={name: _number(number, "a figure") for name, number in figures.items()},
        origin=data.get("origin", ""),
        example=arrays.get("example"),
    )


def _trial(row: Any) -> Trial:
    check(isinstance(row, list) and len(row) == 4, "a trial is not four numbers")
    first, last, effect, drift = row
    check(type(first) is int and type(last) is int, "a trial has no blocks")
    return Trial(first, last, _number(effect, "an effect"), _number(drift, "a drift"))


def _list(data: dict[str, Any], key: str, limit: int) -> list[Any]:
    values = data.get(key)
    if not isinstance(values, list) or len(values) > limit:
        raise ValueError(f"{key} is no list, or too long")
    return values


def _number(value: Any, what: str) -> float:
    check(type(value) in (int, float), f"{what} is not a number")
    return float(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
