"""Follows one run while it is shown: a thread looks at its folder, and says what is new."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal

from automod_core.errors import UserError
from automod_core.run_folder import LOG
from automod_core.run_log import Event, LogNews, LogTail
from automod_core.run_state import RunGlance
from automod_core.sheet_layout import Sheet, list_sheets
from automod_studio.training.run_look import look_at

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RunNews:
    """What is new about a run.

    Attributes:
        glance: what it is doing.
        points: those of its curves that are new: name -> value, `images_seen` among them.
        events: those that are new.
        anew: forget all points and events of before: the run was resumed or went back, and all come again.
        sheets: all sample sheets, oldest first.
    """

    glance: RunGlance
    points: tuple[Mapping[str, float], ...] = ()
    events: tuple[Event, ...] = ()
    anew: bool = False
    sheets: tuple[Sheet, ...] = ()


class RunFollower(QObject):
    """Looks at a run twice a second on a thread of its own. Methods are for the GUI thread only.

    Nothing here waits for the thread, nor for the disk; whoever deletes this object need not stop it first.

    Signals:
        news: RunNews; the first one comes soon after `start` and holds everything.
    """

    news = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None, *, interval_s: float = LOOK_EVERY_S) -> None:
        """Prepare; nothing is read before `start`.

        Args:
            folder: of the run.
            parent: Qt owner.
            interval_s: from one look to the next.
        """
        super().__init__(parent)
        self.folder = folder
        self._interval_s = interval_s
        self._lookout: _Lookout | None = None

    @property
    def running(self) -> bool:
        """Whether it follows."""
        return self._lookout is not None

    def start(self) -> None:
        """Begin to follow; after `stop`, everything is read anew."""
        if self._lookout is not None:
            return
        self._lookout = lookout = _Lookout(self.folder, self._interval_s)
        lookout.found.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self.destroyed.connect(lookout.stop)
        lookout.start()

    def stop(self) -> None:
        """End; nothing is told any more. Returns at once, while the thread may still be at its last look."""
        if self._lookout is not None:
            lookout, self._lookout = self._lookout, None
            lookout.stop()

    def look(self) -> None:
        """Look at once, such as after something was asked of the run."""
        if self._lookout is not None:
            self._lookout.look()

    def wait(self, timeout_ms: int) -> bool:
        """Block until no thread of any follower runs that was stopped, and tell whether that is so. For tests."""
        return wait_for_stopped(timeout_ms)

    def _deliver(self, lookout: object, news: RunNews) -> None:
        if lookout is self._lookout:  # else it was stopped meanwhile
            self.news.emit(news)


class _Lookout(QObject):
    """A thread that looks at one run. It keeps itself alive until its thread has ended: signals of it need it."""

    found = Signal(object, object)  # this, RunNews; emitted on the thread
    _ended = Signal()

    def __init__(self, folder: Path, interval_s: float) -> None:
        super().__init__()
        self._folder, self._interval_s = folder, interval_s
        self._stopped, self._wake = threading.Event(), threading.Event()
        self.thread_ = threading.Thread(target=self._run, name=f"follow {folder.name}", daemon=True)
        self._ended.connect(self._leave, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        _stop_with_the_program()
        _alive.add(self)
        self.thread_.start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    def look(self) -> None:
        self._wake.set()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def _leave(self) -> None:
        self.thread_.join()  # it has nothing left to do
        _alive.discard(self)

    # ---- on the thread ----

    def _run(self) -> None:
        view = _View(self._folder)
        try:
            while not self._stopped.is_set():
                self._wake.clear()
                news = view.look()
                if news is not None and not self._stopped.is_set():
                    self.found.emit(self, news)
                self._wake.wait(self._interval_s)
            self._ended.emit()
        except RuntimeError:  # Qt was torn down while this went on: nobody is left to hear
            log.debug("the follower of %s ended after the program", self._folder)


class _View:
    """What was seen of a run so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tail = LogTail(folder / LOG)
        self._last: tuple[RunGlance, tuple[Sheet, ...]] | None = None
        self._told = ""

    def look(self) -> RunNews | None:
        """What is new; None if nothing is. Never raises."""
        try:
            glance, sheets, lines = look_at(self._folder), list_sheets(self._folder), self._lines()
        except Exception:  # noqa: BLE001 - thread boundary: a run that cannot be followed must not end the program
            log.exception("%s cannot be followed", self._folder)
            return None
        if (glance, sheets) == self._last and not (lines.points or lines.events or lines.anew):
            return None
        self._last = (glance, sheets)
        return RunNews(glance, tuple(lines.points), tuple(lines.events), lines.anew, sheets)

    def _lines(self) -> LogNews:
        try:
            return self._tail.read()
        except UserError as error:  # a disk that is gone: the glance tells of it
            if str(error) != self._told:
                self._told = str(error)
                log.info("%s", error)
            return LogNews([], [])


_alive: set[_Lookout] = set()


def stop_all(timeout_ms: int = 2000) -> bool:
    """Stop every follower and wait for their threads; for the end of the program. True if all have ended."""
    for lookout in list(_alive):
        lookout.stop()
    return wait_for_stopped(timeout_ms)


def wait_for_stopped(timeout_ms: int) -> bool:
    """Block until the threads of all followers that were stopped have ended, and tell whether they have."""
    deadline = time.monotonic() + timeout_ms / 1000
    threads = [lookout.thread_ for lookout in list(_alive) if lookout.is_stopped]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _stop_with_the_program() -> None:
    application = QCoreApplication.instance()
    if application is not None and not application.property("stops_followers"):
        application.setProperty("stops_followers", True)
        application.aboutToQuit.connect(stop_all)
