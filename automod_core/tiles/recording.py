"""Calls of compiled functions that are noted down once, and then made again in one go, for other tensors.

A small network spends much of its time between its functions, and gives its place to other threads at each of them.
But what a block calls for a picture is always the same, but for a few addresses.

Source: the idea is that of CUDA graphs.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from torch import Tensor

from automod_core.tiles import machine

_ADDRESSES = 1 << 24  # numbers from here on are addresses


class Room:
    """Memory for what calls need in between, shared by recordings of which one is played at a time.

    Attributes:
        arrays: name -> array, float32, and its address.
        busy: held while a recording is made or played.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, tuple[np.ndarray, int]] = {}
        self.busy = threading.Lock()


class Recording:
    """What was called while it was the current one of its thread.

    Everything that the calls read and write has to be named by `keep`, and stays as long as the recording does.

    Attributes:
        room: memory for what calls need in between.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._calls: list[tuple[int, tuple[int, ...]]] = []
        self._owners: list[Tensor | np.ndarray] = []
        self._whole = True
        self._numbers = self._table = np.empty(0, np.int64)
        self._moving: list[tuple[np.ndarray, np.ndarray, object]] = []  # where what is used, how far in, how it lies

    def note(self, function: int, numbers: tuple[int, ...]) -> None:
        """A function, at an address, was called with some numbers."""
        self._calls.append((function, numbers))

    def keep(self, owners: Iterable[object]) -> None:
        """What owns the memory that calls work on: tensors and arrays; other objects are passed over."""
        self._owners += [owner for owner in owners if isinstance(owner, Tensor | np.ndarray)]

    def spoil(self) -> None:
        """Something was done that cannot be repeated."""
        self._whole = False

    def finish(self, moving: Sequence[Tensor]) -> bool:
        """Prepare for being played.

        Args:
            moving: what is read or written, and is somewhere else each time.

        Returns:
            Whether it can be played: nothing spoiled it, all memory that it needs is kept, and it reads what moves.
        """
        numbers = [number for _, own in self._calls for number in own]
        firsts = np.cumsum([0, *(len(own) for _, own in self._calls)])[:-1]
        self._numbers = np.array(numbers, np.int64)
        functions = np.array([function for function, _ in self._calls], np.int64)
        self._table = np.stack([functions, self._numbers.ctypes.data + firsts * machine.NUMBER_BYTES], axis=1)
        known = self._numbers < _ADDRESSES
        for owner in self._owners:
            known |= self._within(owner)
        for tensor in moving:
            places = np.flatnonzero(self._within(tensor))
            self._moving.append((places, self._numbers[places] - tensor.data_ptr(), _layout(tensor)))
        starts = {tensor.data_ptr() for tensor in moving}
        self._owners = [owner for owner in self._owners if _span(owner)[0] not in starts]
        self._calls = []
        return self._whole and bool(known.all()) and all(len(places) for places, _, _ in self._moving)

    def _within(self, owner: Tensor | np.ndarray) -> np.ndarray:
        first, last = _span(owner)
        return (self._numbers >= first) & (self._numbers < last)

    def play(self, moving: Sequence[Tensor]) -> bool:
        """Make all calls again, for these tensors.

        Returns:
            False, with nothing done, if one of the tensors lies in another way, or while the room is used.
        """
        if any(_layout(tensor) != layout for tensor, (_, _, layout) in zip(moving, self._moving, strict=True)):
            return False
        if not self.room.busy.acquire(blocking=False):
            return False
        try:
            for tensor, (places, offsets, _) in zip(moving, self._moving, strict=True):
                self._numbers[places] = offsets + tensor.data_ptr()
            machine.play(self._table)
        finally:
            self.room.busy.release()
        return True


def _layout(tensor: Tensor) -> object:
    return tensor.shape, tensor.stride(), tensor.dtype


def _span(owner: Tensor | np.ndarray) -> tuple[int, int]:
    """Addresses of the first byte and of the one after the last."""
    if isinstance(owner, np.ndarray):
        return owner.ctypes.data, owner.ctypes.data + owner.nbytes
    return owner.data_ptr(), owner.data_ptr() + owner.numel() * owner.element_size()


def keep(*owners: object) -> None:
    """Tell the recording of this thread, if there is one, what calls work on."""
    if machine.now.recording is not None:
        machine.now.recording.keep(owners)


def record(work: Callable[[], Tensor], moving: Sequence[Tensor], room: Room) -> tuple[Tensor, Recording | None] | None:
    """Do some work, and note down what it calls.

    Args:
        work: gives a tensor, a new one each time.
        moving: other tensors that will be others.
        room: memory to work in.

    Returns:
        What the work gave; and a recording to be played with `moving` and that tensor, unless it cannot be repeated.
        None, with nothing done, while the room is used.
    """
    if not room.busy.acquire(blocking=False):
        return None
    recording = Recording(room)
    try:
        machine.now.recording = recording
        result = work()
    finally:
        machine.now.recording = None
        room.busy.release()
    return result, recording if recording.finish([*moving, result]) else None
