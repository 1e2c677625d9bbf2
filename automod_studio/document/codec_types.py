"""One codec per type: from values to plain JSON and back, by the type hints of dataclasses. Nothing read is trusted.

Types: str, int, float, bool, Literal, X | None, tuple, frozenset, Mapping, numpy arrays and dataclasses of these. The
last three and rows of dataclasses are shared: see automod_studio.document.codec.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import math
import operator
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Protocol, Union

import numpy as np

MAX_TEXT = 1 << 16  # letters
MAX_ITEMS = 1 << 16  # of a row, a set or a mapping
MAX_ARRAY_BYTES = 1 << 22  # of one that is not a picture
MAX_PICTURE_SIDE = 1 << 13
_MAX_INT = 1 << 53  # what every reader of JSON keeps exactly
_MAX_FLOAT = 1e300

_DTYPES = {"<f4", "<f8", "|u1", "<i4", "<i8", "|b1"}


class Encode(Protocol):
    """What an encoder offers to the codecs of types."""

    def share(self, value: Any, codec: Codec) -> int:
        """The number of the part that holds a value; written first if it is new."""
        ...

    def picture(self, pixels: np.ndarray) -> str:
        """The name under which a picture is kept."""
        ...


class Decode(Protocol):
    """What a decoder offers to the codecs of types."""

    def part(self, number: Any, codec: Codec) -> Any:
        """The value of a part. ValueError if there is none of this number."""
        ...

    def picture(self, name: str, shape: tuple[int, int, int]) -> np.ndarray:
        """A picture by its name and shape. ValueError if it is not there or another."""
        ...

    def made(self, value: Any) -> Any:
        """What takes the place of a dataclass that was read."""
        ...


class Codec(Protocol):
    """One type: to plain JSON values, and back."""

    def encode(self, value: Any, to: Encode) -> Any:
        """Plain JSON values. ValueError for what cannot be written."""
        ...

    def decode(self, data: Any, of: Decode) -> Any:
        """What `encode` gave, checked. ValueError for anything else."""
        ...


def shareable_types(hint: Any) -> set[type]:
    """The dataclasses that may occur in a value of a type. TypeError for a type that cannot be written."""
    found: set[type] = set()
    waiting = [hint]
    while waiting:
        kind = waiting.pop()
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            if kind not in found:
                found.add(kind)
                waiting.extend(_hints_of(kind).values())
        else:
            codec_of(kind)
            inner = typing.get_args(kind) if typing.get_origin(kind) is not Literal else ()
            waiting.extend(part for part in inner if part not in (Ellipsis, type(None)))
    return found


# ---- one codec per type ----


@functools.cache
def codec_of(hint: Any) -> Codec:
    """The codec of a type. TypeError for a type that cannot be written."""
    plain = plain_codec(hint)
    return _Shared(plain) if _is_shared(hint) else plain


@functools.cache
def plain_codec(hint: Any) -> Codec:
    """The codec of a type as if it were not shared. TypeError for a type that cannot be written."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if origin in (Union, types.UnionType) and len(inner) == 2 and type(None) in inner:
        return _Optional(codec_of(next(kind for kind in inner if kind is not type(None))))
    if origin is Literal:
        return _Choice(inner)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _Row(codec_of(inner[0]))
    if origin is tuple and inner:
        return _Tuple(tuple(map(codec_of, inner)))
    if origin is frozenset:
        return _Set(codec_of(inner[0]))
    if origin in (Mapping, dict) and inner[0] in (str, int):
        return _Map(_SIMPLE[inner[0]], codec_of(inner[1]))
    if _is_array(hint):
        return _ARRAY
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _Record(hint)
    raise TypeError(f"{hint} cannot be written to a file")


def _is_shared(hint: Any) -> bool:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return dataclasses.is_dataclass(inner[0])
    return _is_array(hint) or dataclasses.is_dataclass(hint)


def _is_array(hint: Any) -> bool:
    return hint is np.ndarray or typing.get_origin(hint) is np.ndarray


@dataclasses.dataclass(frozen=True)
class _Shared:
    inner: Codec

    def encode(self, value: Any, to: Encode) -> int:
        return to.share(value, self.inner)

    def decode(self, data: Any, of: Decode) -> Any:
        return of.part(data, self.inner)


class _Whole:
    def encode(self, value: Any, _to: Encode) -> int:
        return int(operator.index(value))

    def decode(self, data: Any, _of: Decode) -> int:
        if type(data) is not int or abs(data) > _MAX_INT:
            raise ValueError("something is not a whole number")
        return data


class _Number:
    def encode(self, value: Any, _to: Encode) -> float:
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written")
        return float(value)

    def decode(self, data: Any, _of: Decode) -> float:
        if type(data) not in (int, float) or not abs(data) <= _MAX_FLOAT:
            raise ValueError("something is not a number")
        return float(data)


class _Truth:
    def encode(self, value: Any, _to: Encode) -> bool:
        return bool(value)

    def decode(self, data: Any, _of: Decode) -> bool:
        if type(data) is not bool:
            raise ValueError("something is neither true nor false")
        return data


class _Text:
    def encode(self, value: Any, _to: Encode) -> str:
        return str(value)[:MAX_TEXT].encode("utf-8", "replace").decode()  # file names may hold what is no text

    def decode(self, data: Any, _of: Decode) -> str:
        if type(data) is not str or len(data) > MAX_TEXT:
            raise ValueError("something is not text")
        data.encode()  # ValueError for half a letter
        return data


@dataclasses.dataclass(frozen=True)
class _Optional:
    inner: Codec

    def encode(self, value: Any, to: Encode) -> Any:
        return None if value is None else self.inner.encode(value, to)

    def decode(self, data: Any, of: Decode) -> Any:
        return None if data is None else self.inner.decode(data, of)


@dataclasses.dataclass(frozen=True)
class _Choice:
    choices: tuple[Any, ...]

    def encode(self, value: Any, to: Encode) -> Any:
        return self.decode(value, to)

    def decode(self, data: Any, _of: object) -> Any:
        for choice in self.choices:
            if type(choice) is type(data) and choice == data:
                return choice
        raise ValueError(f"something is none of {', '.join(map(str, self.choices))}")


@dataclasses.dataclass(frozen=True)
class _Row:
    inner: Codec

    def encode(self, value: Any, to: Encode) -> list[Any]:
        return [self.inner.encode(item, to) for item in value]

    def decode(self, data: Any, of: Decode) -> tuple[Any, ...]:
        return tuple([self.inner.decode(item, of) for item in _list(data)])


@dataclasses.dataclass(frozen=True)
class _Tuple:
    inner: tuple[Codec, ...]

    def encode(self, value: Any, to: Encode) -> list[Any]:
        return [codec.encode(item, to) for codec, item in zip(self.inner, value, strict=True)]

    def decode(self, data: Any, of: Decode) -> tuple[Any, ...]:
        if len(_list(data)) != len(self.inner):
            raise ValueError(f"a row should have {len(self.inner)} items")
        return tuple([codec.decode(item, of) for codec, item in zip(self.inner, data, strict=True)])


@dataclasses.dataclass(frozen=True)
class _Set:
    inner: Codec

    def encode(self, value: Any, to: Encode) -> list[Any]:
        return [self.inner.encode(item, to) for item in sorted(value)]

    def decode(self, data: Any, of: Decode) -> frozenset[Any]:
        return frozenset([self.inner.decode(item, of) for item in _list(data)])


@dataclasses.dataclass(frozen=True)
class _Map:
    key: Codec
    inner: Codec

    def encode(self, value: Any, to: Encode) -> list[Any]:
        return [
            [self.key.encode(key, to), self.inner.encode(item, to)] for key, item in value.items()
        ]  # in their order

    def decode(self, data: Any, of: Decode) -> dict[str, Any]:
        pairs = [_list(pair) for pair in _list(data)]
        if not all(len(pair) == 2 for pair in pairs):
            raise ValueError("something is not a pair")
        return {self.key.decode(key, of): self.inner.decode(item, of) for key, item in pairs}


class _Array:
    """Pictures (H, W, 3) uint8 by name; other arrays as base64, so that no bit is lost."""

    def encode(self, value: Any, to: Encode) -> dict[str, Any]:
        if _is_picture(value.dtype.str, value.shape):
            return {"shape": list(value.shape), "picture": to.picture(value)}
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        if little.dtype.str not in _DTYPES or little.nbytes > MAX_ARRAY_BYTES:
            raise ValueError(f"an array {little.shape} of {little.dtype} cannot be written")
        text = base64.b64encode(little.tobytes()).decode("ascii")
        return {"shape": list(value.shape), "dtype": little.dtype.str, "data": text}

    def decode(self, data: Any, of: Decode) -> np.ndarray:
        shape = _shape(data)
        name = data.get("picture")
        if name is None:
            return _array(data, shape)
        if type(name) is not str or len(name) != 64 or set(name) - set("0123456789abcdef"):
            raise ValueError("a picture has no name")
        if not _is_picture("|u1", shape) or max(shape) > MAX_PICTURE_SIDE:
            raise ValueError(f"a picture cannot be {shape}")
        return of.picture(name, (shape[0], shape[1], 3))


class _Record:
    """A dataclass, field by field; what is missing gets its default, what is unknown is passed over."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    @functools.cached_property
    def _fields(self) -> dict[str, tuple[Codec, bool]]:
        """Name -> codec, and whether it must be there. Made late, as dataclasses may name each other."""
        missing = dataclasses.MISSING
        needed = {f.name: f.default is missing and f.default_factory is missing for f in dataclasses.fields(self._kind)}
        return {name: (codec_of(hint), needed[name]) for name, hint in _hints_of(self._kind).items()}

    def encode(self, value: Any, to: Encode) -> dict[str, Any]:
        if type(value) is not self._kind:
            raise TypeError(f"{value!r} should be a {self._kind.__name__}")
        return {name: codec.encode(getattr(value, name), to) for name, (codec, _) in self._fields.items()}

    def decode(self, data: Any, of: Decode) -> Any:
        if type(data) is not dict:
            raise ValueError(f"a {self._kind.__name__} is missing")
        values = {}
        for name, (codec, needed) in self._fields.items():
            if name in data:
                values[name] = codec.decode(data[name], of)
            elif needed:
                raise ValueError(f"a {self._kind.__name__} lacks “{name}”")
        try:
            value = self._kind(**values)
        except (TypeError, LookupError, ArithmeticError) as error:  # its own checks did not expect such values
            raise ValueError(f"a {self._kind.__name__} does not hold together") from error
        return of.made(value)


_ARRAY = _Array()
_SIMPLE: dict[Any, Codec] = {int: _Whole(), float: _Number(), bool: _Truth(), str: _Text()}


def _hints_of(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind) if f.init}


def _list(data: Any) -> list[Any]:
    if type(data) is not list or len(data) > MAX_ITEMS:
        raise ValueError("something is not a row")
    return data


def _shape(data: Any) -> tuple[int, ...]:
    if type(data) is not dict:
        raise ValueError("an array is missing")
    shape = _list(data.get("shape"))
    if len(shape) > 8 or not all(type(size) is int and 0 <= size <= MAX_ARRAY_BYTES for size in shape):
        raise ValueError("an array has no shape")
    return tuple(shape)


def _is_picture(dtype: str, shape: tuple[int, ...]) -> bool:
    return dtype == "|u1" and len(shape) == 3 and shape[2] == 3 and min(shape) > 0


def _array(data: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    text, dtype = data.get("data"), data.get("dtype")
    if type(text) is not str or type(dtype) is not str or dtype not in _DTYPES or len(text) > 2 * MAX_ARRAY_BYTES:
        raise ValueError("an array has no values")
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("an array is not valid base64") from error
    if len(raw) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError("an array is cut short")
    array = np.frombuffer(raw, dtype=dtype).reshape(shape).copy()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("a number is not finite")
    return array
