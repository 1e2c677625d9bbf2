"""Work done on threads for things that are taken one after another: photos are decoded while others are encoded."""

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_THREADS = 8  # more would not be fed by a disk, and each may hold a whole photo
_NICE = 5  # how far gentle threads step back: where cores are short, one of the usual priority gets three times as much


def usable_cores() -> int:
    """Cores of the processor that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reading_threads() -> int:
    """As many threads as there are cores to decode pictures on, within reason."""
    return min(_MOST_THREADS, usable_cores())


class ReadAhead(Generic[Item, Result]):
    """Results of some work on items, in their order, worked out on threads ahead of who takes them.

    For one thread only. To be closed, which joins the threads.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        threads: int,
        ahead: int,
        gentle: bool = False,
    ) -> None:
        """Start with the first items.

        Args:
            work: called on a thread with each item; what it raises is raised again by `next`.
            items: taken one by one, on the thread that takes the results.
            threads: how many items are worked on at once.
            ahead: how many items are worked on, or wait for being taken, together.
            gentle: let threads of the usual priority go first, where the system can (Linux); but the first item is
                what someone waits for.
        """
        self._work, self._items, self._gentle = work, iter(items), gentle
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="read ahead")
        self._ahead = ahead
        self._waiting: deque[Future[Result]] = deque()
        self._fill(is_first=True)

    def __iter__(self) -> Iterator[Result]:
        """Take the results."""
        return self

    def __next__(self) -> Result:
        """Take the next result; waits for it."""
        if not self._waiting:
            raise StopIteration
        try:
            return self._waiting.popleft().result()
        finally:
            self._fill()  # also after one that failed, else the last ones would never be begun

    def is_ready(self, timeout_s: float = 0.0) -> bool:
        """Wait a little for the next result, and tell whether `next` would return at once."""
        if not self._waiting:
            return True
        return bool(wait(islice(self._waiting, 1), timeout_s).done)

    def close(self) -> None:
        """Leave out what was not begun, and wait for the rest. Nothing is to be taken from then on."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()

    def _fill(self, *, is_first: bool = False) -> None:
        for item in islice(self._items, max(0, self._ahead - len(self._waiting))):
            self._waiting.append(self._pool.submit(self._do, item, gently=self._gentle and not is_first))
            is_first = False

    def _do(self, item: Item, *, gently: bool) -> Result:
        if gently:
            _step_back()
        return self._work(item)


def _step_back() -> None:
    """Lower the priority of this thread alone; other systems than Linux know one priority for all threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, max(_NICE, os.getpriority(os.PRIO_PROCESS, thread)))
