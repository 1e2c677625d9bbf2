"""Documents as JSON and pictures, and back.

What is shared stays shared: dataclasses, rows of dataclasses and arrays are written once, as numbered parts, and where
they occur stands only the number. So a thousand states that have their photos in common take little room, and read
back they have them in common again, by identity. Nothing that is read is trusted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from automod_studio.document.codec_types import Codec, plain_codec

MAX_PIXELS = 1 << 29  # of all pictures together, 1.5 GB
MAX_NUMBERS = 1 << 28  # of all arrays that are no pictures, as often as they occur, 2 GB: what holds one may copy it
MAX_WAITING_BYTES = 1 << 26  # of parts that nothing has referred to yet


class Encoder:
    """Numbers what it meets and writes each part once. Keeps all it met alive, since it knows things by identity."""

    def __init__(
        self, put_part: Callable[[int, Any], object], put_picture: Callable[[str, np.ndarray], object]
    ) -> None:
        """Begin with nothing written.

        Args:
            put_part: called with number and JSON value of each part, those it refers to first.
            put_picture: called once per picture, before the part that needs it, with name (64 hex digits) and pixels.
        """
        self._put_part, self._put_picture = put_part, put_picture
        self._numbers: dict[tuple[int, int], tuple[int, Any]] = {}  # ids of value and codec -> number, and the value
        self._arrays: dict[Hashable, int] = {}  # arrays of equal content are one part
        self._pictures: set[str] = set()
        self._next = 1

    def number_of(self, value: Any, hint: Any) -> int:
        """Write a value of a dataclass, unless it was written before, and return its number."""
        return self.share(value, plain_codec(hint))

    def share(self, value: Any, codec: Codec) -> int:
        """See Encode."""
        key = (id(value), id(codec))  # of both: () is one object, whatever it is a row of
        known = self._numbers.get(key)
        if known is not None:
            return known[0]
        if isinstance(value, np.ndarray):
            number = self._share_array(value, codec)
        else:
            number = self._write(codec.encode(value, self))
        self._numbers[key] = (number, value)
        return number

    def picture(self, pixels: np.ndarray) -> str:
        """See Encode."""
        name = picture_name(pixels)
        if name not in self._pictures:
            self._put_picture(name, pixels)
            self._pictures.add(name)
        return name

    def _share_array(self, array: np.ndarray, codec: Codec) -> int:
        key = (array.dtype.str, array.shape, picture_name(array))
        if key not in self._arrays:
            self._arrays[key] = self._write(codec.encode(array, self))
        return self._arrays[key]

    def _write(self, data: Any) -> int:
        number, self._next = self._next, self._next + 1
        self._put_part(number, data)
        return number


class Decoder:
    """Takes parts in their order, and makes values of them when they are asked for."""

    def __init__(
        self,
        get_picture: Callable[[str, tuple[int, int, int]], np.ndarray],
        made: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """Begin without parts.

        Args:
            get_picture: name and (H, W, 3) -> uint8 pixels of this shape; ValueError if they cannot be had.
            made: may put something else in the place of each dataclass that was read.
        """
        self._get_picture, self.made = get_picture, made
        self._data: dict[int, tuple[Any, int]] = {}  # what was not asked for yet, and its size in the file
        self._count, self._waiting_bytes = 0, 0
        self._values: dict[int, tuple[Codec, Any]] = {}
        self._pictures: dict[str, np.ndarray] = {}
        self._pixels = self._numbers = 0
        self._ceiling = math.inf  # a part refers to earlier ones only, so there are no circles

    def add(self, number: Any, data: Any, size: int = 0) -> None:
        """Take the next part, which had `size` bytes. ValueError if it is out of order, or too many are for nothing."""
        if type(number) is not int or number != self._count + 1:
            raise ValueError(f"part {number!r} is out of order"[:80])
        self._waiting_bytes += size
        if self._waiting_bytes > MAX_WAITING_BYTES:
            raise ValueError("it is too large")
        self._count += 1
        self._data[number] = (data, size)

    def value_of(self, number: Any, hint: Any) -> Any:
        """The value of a part that holds a dataclass. ValueError if it does not."""
        return self.part(number, plain_codec(hint))

    def part(self, number: Any, codec: Codec) -> Any:
        """See Decode."""
        if type(number) is not int or not 1 <= number <= self._count or number >= self._ceiling:
            raise ValueError(f"there is no part {number!r}"[:80])
        known = self._values.get(number)
        if known is not None:
            if known[0] is not codec:
                raise ValueError(f"part {number} is used as two things")
            return self._counted(known[1])
        ceiling, self._ceiling = self._ceiling, number
        data, size = self._data.pop(number)
        try:
            value = codec.decode(data, self)
        finally:
            self._ceiling = ceiling
        self._waiting_bytes -= size
        self._values[number] = (codec, value)
        return self._counted(value)

    def _counted(self, value: Any) -> Any:
        """Count the numbers of an array; pictures, of three dimensions, are nowhere copied."""
        if isinstance(value, np.ndarray) and value.ndim < 3:
            self._numbers += value.size
            if self._numbers > MAX_NUMBERS:
                raise ValueError("its numbers are too many")
        return value

    def picture(self, name: str, shape: tuple[int, int, int]) -> np.ndarray:
        """See Decode."""
        known = self._pictures.get(name)
        if known is None:
            self._pixels += shape[0] * shape[1]
            if self._pixels > MAX_PIXELS:
                raise ValueError("its pictures are too large")
            known = self._pictures[name] = self._get_picture(name, shape)
        if known.shape != shape or known.dtype != np.uint8 or picture_name(known) != name:
            raise ValueError("a picture is not the one that was saved")
        return known


def picture_name(pixels: np.ndarray) -> str:
    """SHA-256 of the values of an array, 64 hex digits."""
    values = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
    return hashlib.sha256(values.data).hexdigest()
