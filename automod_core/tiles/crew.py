"""Several threads for one piece of work."""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

import numpy as np
from numpy.typing import NDArray

from automod_core.tiles.machine import now

FloatArray = NDArray[np.float32]
THREAD_NAME = "tiles"
_NOTHING: FloatArray = np.empty(0, np.float32)


class Space(threading.local):
    """Memory of a thread for what it needs in between, kept for the next time."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[FloatArray, int]] = {}  # with their addresses

    def address(self, name: str, values: int) -> int:
        """Where there is room for so many float32 values."""
        arrays = self._arrays if now.recording is None else now.recording.room.arrays
        array, address = arrays.get(name, (_NOTHING, 0))
        if array.size < values:
            array = np.empty(values, np.float32)
            address = array.ctypes.data
            arrays[name] = array, address
        if now.recording is not None:
            now.recording.keep([array])
        return address


space = Space()


@cache
def _helpers(process: int) -> ThreadPoolExecutor:  # noqa: ARG001 - threads do not come along into a forked process
    others = max(1, (os.cpu_count() or 1) - 1)
    return ThreadPoolExecutor(others, thread_name_prefix=THREAD_NAME)


def share(part: Callable[[int], None], count: int, threads: int, owners: Sequence[object] = ()) -> None:
    """Call part(0) ... part(count - 1) on some threads, this one among them, and wait for all.

    Args:
        part: does a part; may raise.
        count: number of parts.
        threads: at most so many.
        owners: what owns the memory that parts work on; kept until the last thread has ended, whatever happens here.
    """
    if now.recording is not None:
        if min(count, threads) > 1:
            now.recording.spoil()
        now.recording.keep(owners)
    numbers = itertools.count()

    def work(owners: Sequence[object] = owners) -> None:  # noqa: ARG001 - kept
        while (number := next(numbers)) < count:
            part(number)

    others: list[Future[None]] = []
    try:
        while len(others) < min(count, threads) - 1:
            others.append(_helpers(os.getpid()).submit(work))
    except RuntimeError:
        pass  # no more threads, or the interpreter is ending: those that are there do it
    try:
        work()
    finally:
        working = [other for other in others if not other.cancel()]  # nothing is left for those that have not begun
        wait(working)
    for other in working:
        other.result()
