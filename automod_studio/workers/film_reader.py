"""Reads pictures out of sample sheets off the GUI thread: what is asked for last comes first."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, Signal

from automod_studio.film_pictures import FilmPages, FilmReply, FilmRequest

log = logging.getLogger(__name__)


class FilmReader(QObject):
    """One large picture at a time, and small ones for the strip while none is wanted. For the GUI thread only.

    Its thread lives while there is something to read and ends by itself; nobody ever waits for it.

    Signals:
        large_ready: a FilmReply. While the person drags, requests come faster than they can be read: each that was read
            is told, so that the film moves, and those in between are left out.
        small_ready: a FilmReply; not for what was no longer wanted when its turn came.
    """

    large_ready = Signal(object)
    small_ready = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pages = FilmPages()
        self._lock = threading.Lock()  # guards the three below
        self._large: FilmRequest | None = None
        self._small: deque[FilmRequest] = deque()
        self._thread: threading.Thread | None = None
        self._courier = _Courier()
        self._courier.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def want_large(self, request: FilmRequest) -> None:
        """Read this next; what was wanted before and has not been read is dropped."""
        with self._lock:
            self._large = request
        self._work()

    def want_small(self, requests: Sequence[FilmRequest]) -> None:
        """Read these, in this order, and none of those that were wanted before."""
        with self._lock:
            self._small = deque(requests)
        self._work()

    def stop(self) -> None:
        """Want nothing any more."""
        with self._lock:
            self._large = None
            self._small.clear()

    def wait(self, timeout_ms: int) -> bool:
        """Block until everything is read, for tests; tell whether it is. Replies come through the event loop later."""
        deadline = time.monotonic() + timeout_ms / 1000
        thread = self._thread
        while thread is not None and time.monotonic() < deadline:
            thread.join(0.01)
            thread = self._thread
        return thread is None

    def _work(self) -> None:
        with self._lock:
            if self._thread is None and (self._large is not None or self._small):
                self._thread = threading.Thread(target=self._read, name="film reader", daemon=True)
                self._courier.sets_out(self._thread)
                self._thread.start()

    def _read(self) -> None:
        courier = self._courier
        try:
            while (wanted := self._next()) is not None:
                request, is_large = wanted
                courier.arrived.emit(self._answer(request), is_large)
            courier.ended.emit(threading.current_thread())
        except RuntimeError:  # Qt was torn down while this went on: nobody is left to show it
            log.debug("the film reader ended after the program")

    def _next(self) -> tuple[FilmRequest, bool] | None:
        """What to read now; with nothing left, the thread is given up in the same breath, so that nothing is missed."""
        with self._lock:
            if self._large is not None:
                request, self._large = self._large, None
                return request, True
            if self._small:
                return self._small.popleft(), False
            self._thread = None
            return None

    def _answer(self, request: FilmRequest) -> FilmReply:
        try:
            return self._pages.answer(request)
        except Exception:  # noqa: BLE001 - thread boundary
            log.exception("%s could not be shown", request.png)
            return FilmReply(request, error=f"The sheet {request.png.name} cannot be shown.")

    def _deliver(self, reply: FilmReply, is_large: bool) -> None:
        (self.large_ready if is_large else self.small_ready).emit(reply)


class _Courier(QObject):
    """Carries replies from the thread; whoever emits a signal of an object that is being destroyed may crash.

    The reader belongs to a page that may go away at any moment. This one keeps itself alive while a thread needs it.
    """

    arrived = Signal(object, bool)  # emitted on the thread: a FilmReply, whether it is a large one
    ended = Signal(object)  # emitted on the thread, last: the thread

    def __init__(self) -> None:
        super().__init__()
        self._threads: set[threading.Thread] = set()
        self.ended.connect(self._is_back, Qt.ConnectionType.QueuedConnection)

    def sets_out(self, thread: threading.Thread) -> None:
        """A thread begins; on the GUI thread."""
        self._threads.add(thread)
        _under_way.add(self)

    def _is_back(self, thread: threading.Thread) -> None:
        thread.join()  # it has nothing left to do, and must not be the last that knows of this
        self._threads.discard(thread)
        if not self._threads:
            _under_way.discard(self)


_under_way: set[_Courier] = set()
