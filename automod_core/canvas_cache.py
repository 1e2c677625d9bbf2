"""Canvases and pictures that may be wanted again, within a bounded number of bytes."""

import heapq
import itertools
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

_MIB = 1 << 20
_KEY_BYTES = 16  # two different beginnings of styles never share a key: not in 2**64 pictures
_STALE_PER_ENTRY = 4  # the heap is made anew when it holds more out-of-date rows than this for each tensor


@dataclass(slots=True)
class _Entry:
    """A tensor that is kept; `stamp` names the only row of the heap that is not out of date."""

    tensor: Tensor
    n_bytes: int
    density: float  # multiplications per byte
    stamp: int


class CanvasCache:
    """Tensors by key, at most `limit_bytes` of them; the least recently used go first.

    Among those that were used at about the same time, the ones go first that are cheap to make again for their size:
    a finished picture of 3 MB saves more than a canvas of 33 MB. For this, every tensor has a worth, the cost of its
    making per byte on top of a floor; using it brings it up to today's floor, and the floor rises to the worth of
    whatever had to go. Without costs that is the plain "least recently used". For one thread only.

    Source: GreedyDual-Size, Cao and Irani, Cost-Aware WWW Proxy Caching Algorithms, USITS 1997, Sec. 4.

    Attributes:
        limit_bytes: most bytes that are kept.
        hits: how often `get` found something.
        misses: how often it did not.
    """

    def __init__(self, limit_bytes: int = 76 * _MIB) -> None:
        self.limit_bytes = limit_bytes
        self.hits, self.misses = 0, 0
        self._entries: dict[bytes, _Entry] = {}
        self._queue: list[tuple[float, int, bytes]] = []  # heap of worth, stamp, key
        self._stamps = itertools.count()
        self._floor = 0.0
        self._used_bytes = 0

    @property
    def used_bytes(self) -> int:
        """Bytes of the tensors that are kept."""
        return self._used_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        """Whether a tensor is there; this is no use of it."""
        return key in self._entries

    def get(self, key: bytes) -> Tensor | None:
        """Return the tensor of a key, which must not be changed in place; None if it is not there (any more)."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._use(key, entry)
        return entry.tensor

    def put(self, key: bytes, tensor: Tensor, cost: float = 0.0) -> None:
        """Keep a tensor, which must not be changed from now on, unless all that it would push out is worth more.

        Args:
            key: what it is found by. A key stands for one value: where it is there already, that counts as a use.
            tensor: of any shape. A view of a larger one is copied, so that it does not hold the rest of it.
            cost: multiplications that it takes to make it again.
        """
        entry = self._entries.get(key)
        n_bytes = tensor.numel() * tensor.element_size()
        if entry is None and n_bytes > self.limit_bytes:
            return
        if entry is None:
            if tensor.untyped_storage().nbytes() > n_bytes:
                tensor = tensor.clone()
            entry = _Entry(tensor, n_bytes, cost / max(n_bytes, 1), 0)
            self._entries[key] = entry
            self._used_bytes += n_bytes
        self._use(key, entry)
        self._make_room(self.limit_bytes)

    def make_room(self, n_bytes: int) -> None:
        """Let go now of what would have to go if so many bytes came; of nothing if there can never be as many."""
        if n_bytes <= self.limit_bytes:
            self._make_room(self.limit_bytes - n_bytes)

    def clear(self) -> None:
        """Forget everything; the counters stay."""
        self._entries.clear()
        self._queue.clear()
        self._floor, self._used_bytes = 0.0, 0

    def _use(self, key: bytes, entry: _Entry) -> None:
        entry.stamp = next(self._stamps)
        heapq.heappush(self._queue, (self._floor + entry.density, entry.stamp, key))
        if len(self._queue) > (1 + _STALE_PER_ENTRY) * len(self._entries):
            self._queue = [row for row in self._queue if self._is_current(row)]
            heapq.heapify(self._queue)

    def _is_current(self, row: tuple[float, int, bytes]) -> bool:
        _, stamp, key = row
        return key in self._entries and self._entries[key].stamp == stamp

    def _make_room(self, limit_bytes: int) -> None:
        """Let go of what is worth least, which may be what has just come, until so many bytes are left."""
        while self._used_bytes > limit_bytes:
            row = heapq.heappop(self._queue)
            if self._is_current(row):
                worth, _, key = row
                self._floor = max(self._floor, worth)
                self._used_bytes -= self._entries.pop(key).n_bytes


def canvas_keys(model: "Automodulator", styles: np.ndarray, *, alone: bool) -> list[bytes]:
    """Name the canvases that leave the blocks of one picture: equal keys, equal canvases.

    A key is a digest of the one before and of the block's style, so that it stands for all styles up to its block.

    Args:
        model: what draws; its weights, number format and device are parts of the keys.
        styles: (n_blocks, n) float32, of norm 1.
        alone: whether the picture is drawn by itself. One that is drawn among others may differ in its last digits,
            and has other keys.
    """
    traits = (model.hash, model.precision, str(model.device), "alone" if alone else "among others")
    key = _digest(*(trait.encode() for trait in traits))
    return [key := _digest(key, np.ascontiguousarray(style).tobytes()) for style in styles]


def picture_key(canvas_key: bytes, level: int) -> bytes:
    """Name the picture that the head of a level makes of a canvas."""
    return _digest(canvas_key, b"picture", str(level).encode())


def confidence_key(canvas_key: bytes) -> bytes:
    """Name the confidence (see variations.py) in the picture of the last canvas."""
    return _digest(canvas_key, b"confidence")


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=_KEY_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(4, "little") + part)
    return digest.digest()
