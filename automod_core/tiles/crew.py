"""Several threads for one piece of work."""

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
THREAD_NAME = "tiles"
_NOTHING: FloatArray = np.empty(0, np.float32)


class Space(threading.local):
    """Memory of a thread for what it needs in between, kept for the next time."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[FloatArray, int]] = {}  # with their addresses

    def address(self, name: str, values: int) -> int:
        """Where there is room for so many float32 values."""
        array, address = self._arrays.get(name, (_NOTHING, 0))
        if array.size < values:
            array = np.empty(values, np.float32)
            address = array.ctypes.data
            self._arrays[name] = array, address
        return address


space = Space()


@cache
def _helpers(process: int) -> ThreadPoolExecutor:  # noqa: ARG001 - threads do not come along into a forked process
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix=THREAD_NAME)


def share(part: Callable[[int], None], count: int) -> None:
    """Call part(0) ... part(count - 1) on as many threads as torch uses, this one among them, and wait for all."""
    threads = min(count, torch.get_num_threads())
    if threads == 1:
        for number in range(count):
            part(number)
        return
    numbers = itertools.count()

    def work() -> None:
        while (number := next(numbers)) < count:
            part(number)

    others = [_helpers(os.getpid()).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
