"""The engine on its own thread: requests go in from the GUI thread, replies come back to it as signals."""

from __future__ import annotations

import functools
import itertools
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    ModelLoaded,
    PhotosFound,
    PhotosLoaded,
    PictureOpened,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
    Trouble,
)
from automod_studio.workers.work_queue import WorkQueue

log = logging.getLogger(__name__)

#: Python switches threads after 5 ms by default. With less, the worker begins sooner on what a move asks for, and the
#: GUI stays smoother while torch's Python side runs.
_SWITCH_INTERVAL_S = 0.0001
#: After it asked an idle worker for a picture, the GUI thread leaves Python to it for this long. A thread that is woken
#: would else wait for the whole interval before it may begin.
_LEAVE_S = 0.00005
#: While a hand moves, the full picture is begun this long after a preview, if no other move has come: the moves of a
#: hand are less than that apart, and what is begun holds up the next preview for up to one block.
_REST_S = 0.06

Request = LoadModel | LoadPhotos | SavePicture
Answered = Callable[[Any], None]


class HasId(Protocol):
    """A request of a panel: a frozen dataclass with an id of `EngineService.next_id`."""

    @property
    def id(self) -> int:
        """Unique; ids grow."""
        ...


class EngineLike(Protocol):
    """What the service asks of an engine. Neither method raises: errors are values in the replies."""

    def render(self, request: Render, cancelled: Callable[[], bool]) -> Iterator[Rendered]:
        """Yield a preview of a picture if that is slow, and the picture, unless `cancelled` becomes true before."""
        ...

    def answer(self, request: Any) -> Iterable[Any]:
        """Yield the replies to a request, doing a little work before each; None is a breath without a reply."""
        ...


class EngineService(QObject):
    """One long-lived worker thread. Its methods are for the GUI thread only.

    Signals:
        rendered: Rendered, previews too; never an older one than was shown, nor one for which a newer has come already.
        model_loaded: ModelLoaded.
        photos_found: PhotosFound.
        photos_loaded: PhotosLoaded, one for every small batch.
        picture_opened: PictureOpened.
        picture_saved: PictureSaved.
        broken: Trouble, the engine could not be started: no request will be answered.
    """

    rendered = Signal(object)
    model_loaded = Signal(object)
    photos_found = Signal(object)
    photos_loaded = Signal(object)
    picture_opened = Signal(object)
    picture_saved = Signal(object)
    broken = Signal(object)
    _arrived = Signal(object, object)  # any reply, and who wants it; emitted on the worker thread

    def __init__(
        self, make_engine: Callable[[], EngineLike], *, threaded: bool = True, parent: QObject | None = None
    ) -> None:
        """Prepare the service; nothing runs before `start`.

        Args:
            make_engine: called once on the worker thread: that is where torch is imported.
            threaded: False lets a test run the queue by hand.
            parent: Qt owner.
        """
        super().__init__(parent)
        self.queue = WorkQueue()
        self._make_engine, self._threaded = make_engine, threaded
        self._engine: EngineLike | None = None  # touched by the worker thread only
        self._ids = itertools.count(1)
        self._newest: Rendered | None = None  # the last picture that was finished; written by the worker
        self._forgotten = 0  # pictures up to this id are not to be shown
        self._cancelled: set[int] = set()  # ids of requests that are to end early
        self._thread: threading.Thread | None = None
        self._signals = {
            ModelLoaded: self.model_loaded,
            PhotosFound: self.photos_found,
            PhotosLoaded: self.photos_loaded,
            PictureOpened: self.picture_opened,
            PictureSaved: self.picture_saved,
            Trouble: self.broken,
        }
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the worker thread; work that was put before waits for this."""
        if self._thread is None and self._threaded:
            self._thread = threading.Thread(target=self._run, name="engine")
            self._thread.start()

    def _run(self) -> None:
        before = sys.getswitchinterval()
        try:
            engine = self._get_engine()  # now, since it takes longer than the first request is away
            if engine is not None:  # not before: two threads that import would only hold each other up
                sys.setswitchinterval(_SWITCH_INTERVAL_S)
            self.queue.run()
        finally:
            sys.setswitchinterval(before)

    def stop(self) -> None:
        """Forget what waits and join the worker thread."""
        self.queue.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def next_id(self) -> int:
        """A fresh id; ids grow."""
        return next(self._ids)

    def render(self, request: Render) -> None:
        """Ask for a picture. A request that still waits is dropped for it.

        A picture in the making is shown yet, so that a drag which is faster than the engine is followed all the same,
        one picture behind; but a full picture of which a preview was shown is given up.
        """
        if self.queue.put_render(self._render(request)):
            time.sleep(_LEAVE_S)

    def forget_render(self) -> None:
        """Show no picture that was asked for until now."""
        self._forgotten = self.next_id()

    def submit(self, request: Request) -> None:
        """Ask for anything else; answered in order, with renders passing in between."""
        self.queue.put_job(self._job(request))

    def ask(self, request: HasId, answered: Answered, *, fills: bool = False, background: bool = False) -> None:
        """Ask for what a panel needs; see workers/handlers.py.

        Args:
            request: its class has a handler.
            answered: called on the GUI thread with every reply, until the request is cancelled.
            fills: many pictures for a panel, which wait while photos, models or files are worked on.
            background: wait until nothing else is to be done, as exports do.
        """
        self.queue.put_job(self._job(request, answered), fills=fills, background=background)

    def cancel(self, request_id: int) -> None:
        """Let a submitted request end after the step it is in; no reply of it comes from now on. 0 is no request."""
        if request_id:
            self._cancelled.add(request_id)

    def _render(self, request: Render) -> Iterator[float]:
        engine = self._get_engine()
        if engine is None:
            return
        for reply in engine.render(request, lambda: self.queue.hurries or request.id <= self._forgotten):
            self._newest = reply
            self._arrived.emit(reply, None)
            yield _REST_S if reply.preview and request.moving else 0.0

    def _job(self, request: HasId, answered: Answered | None = None) -> Iterator[None]:
        engine = self._get_engine()
        if engine is None or request.id in self._cancelled:
            return
        replies = iter(engine.answer(request))
        try:
            for reply in replies:
                if request.id in self._cancelled:
                    return
                if reply is not None:
                    self._arrived.emit(reply, answered)
                yield
        finally:
            close = getattr(replies, "close", None)  # a handler that was stopped cleans up after itself
            if close is not None:
                close()

    def _get_engine(self) -> EngineLike | None:
        if self._engine is None:
            try:
                self._engine = self._make_engine()
            except Exception:  # noqa: BLE001 - thread boundary: a broken installation of torch raises anything
                log.exception("the engine could not be started")
                details = traceback.format_exc()
                self._arrived.emit(Trouble("PyTorch could not be started, so nothing can be drawn.", details), None)
        return self._engine

    def _deliver(self, reply: object, answered: Answered | None) -> None:
        if isinstance(reply, Rendered):
            if reply is self._newest and reply.id > self._forgotten:
                self.rendered.emit(reply)
        elif getattr(reply, "id", 0) not in self._cancelled:
            if answered is not None:
                if not _is_gone(answered):
                    answered(reply)
            else:
                self._signals[type(reply)].emit(reply)


def _is_gone(answered: Answered) -> bool:
    """Whether who asked was destroyed meanwhile, as a window that was closed is."""
    while isinstance(answered, functools.partial):
        answered = answered.func
    owner = getattr(answered, "__self__", None)
    return isinstance(owner, QObject) and not shiboken6.isValid(owner)
