"""One piece of long work in the background: a frozen request goes in, progress and one frozen reply come out.

For work that lasts seconds to minutes and is not a render: downloads, imports, exports. Each job has a thread of its
own that ends with the job.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal

from automod_core.errors import UserError

log = logging.getLogger(__name__)

_PROGRESS_INTERVAL_S = 0.05  # more often than 20 times a second helps nobody and floods the event queue


class JobCancelled(Exception):
    """Raised inside the work to leave it, once the person has cancelled."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What is to be done, captured by value on the GUI thread."""

    title: str  # for the log: "Download Faces 512"
    work: Callable[["JobControl"], Any]  # runs on the job's thread; must not touch widgets


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far the work is."""

    done: float
    total: float  # 0: unknown
    text: str = ""  # the step: "Importing…"


@dataclass(frozen=True, slots=True, eq=False)
class JobReply:
    """How the work ended; exactly one comes for every started job."""

    value: Any = None  # what the work returned; None unless it succeeded
    error: str = ""  # one sentence for the person
    details: str = ""  # the whole story, for "Details"
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        """True if the work came to its end."""
        return not self.error and not self.cancelled


class JobControl:
    """The work's end of the line: report progress, ask whether to stop. Used on the job's thread only."""

    def __init__(self, report: Callable[[JobProgress], None], stop: threading.Event) -> None:
        self._report, self._stop = report, stop
        self._last_text, self._last_time = "", 0.0

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Say how far the work is; what comes too often is dropped, the end and a new text never are."""
        now = time.monotonic()
        if now - self._last_time < _PROGRESS_INTERVAL_S and text == self._last_text and done < total:
            return
        self._last_text, self._last_time = text, now
        self._report(JobProgress(done, total, text))

    def cancelled(self) -> bool:
        """True once the person has cancelled."""
        return self._stop.is_set()

    def stop_if_cancelled(self) -> None:
        """Leave the work by JobCancelled once the person has cancelled."""
        if self._stop.is_set():
            raise JobCancelled


def answer(request: JobRequest, control: JobControl) -> JobReply:
    """Do the work and turn however it ends into a reply; never raises."""
    try:
        return JobReply(value=request.work(control))
    except Exception as error:  # noqa: BLE001 - thread boundary
        if control.cancelled():
            return JobReply(cancelled=True)
        details = traceback.format_exc()
        if isinstance(error, UserError):
            log.info("%s: %s", request.title, error)
            return JobReply(error=str(error), details=details)
        if isinstance(error, MemoryError):
            return JobReply(error=f"{request.title}: there is not enough memory.", details=details)
        log.exception("%s failed", request.title)
        return JobReply(error=f"{request.title}: something unexpected went wrong.", details=details)


class Job(QObject):
    """Runs one request on a thread of its own. Methods are for the GUI thread only.

    A started job keeps itself alive until its reply is delivered or the program ends, so that whoever started it may
    go away in the meantime.

    Signals:
        progressed: a JobProgress.
        finished: the JobReply; comes exactly once, on the GUI thread.
    """

    progressed = Signal(object)
    finished = Signal(object)
    _progress_arrived = Signal(object)  # emitted on the job's thread
    _reply_arrived = Signal(object)  # emitted on the job's thread

    def __init__(self, request: JobRequest) -> None:
        super().__init__()
        self._request = request
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job: {request.title}", daemon=True)
        queued = Qt.ConnectionType.QueuedConnection
        self._progress_arrived.connect(self._deliver_progress, queued)
        self._reply_arrived.connect(self._deliver_reply, queued)

    @property
    def running(self) -> bool:
        """True from start until the reply is delivered."""
        return self in _alive

    def start(self) -> None:
        """Begin; a job runs once."""
        if not _alive:
            _stop_with_the_program()
        _alive.add(self)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; the reply then comes with `cancelled` set. Returns at once."""
        self._stop.set()

    def wait(self, timeout_ms: int) -> bool:
        """Block until the thread has ended, and tell whether it did. The reply comes through the event loop later."""
        self._thread.join(timeout_ms / 1000)
        return not self._thread.is_alive()

    def _run(self) -> None:
        reply = answer(self._request, JobControl(self._emit_progress, self._stop))
        try:
            self._reply_arrived.emit(reply)
        except RuntimeError:  # Qt was torn down while the work went on: nobody is left to hear
            log.debug("%s ended after the program", self._request.title)

    def _emit_progress(self, progress: JobProgress) -> None:
        try:
            self._progress_arrived.emit(progress)
        except RuntimeError as error:
            raise JobCancelled from error

    def _deliver_progress(self, progress: JobProgress) -> None:
        if not self._stop.is_set():  # after a cancel the bar must not jump once more
            self.progressed.emit(progress)

    def _deliver_reply(self, reply: JobReply) -> None:
        self._thread.join()  # it has nothing left to do
        _alive.discard(self)
        self.finished.emit(reply)


_alive: set[Job] = set()


def cancel_all(timeout_ms: int = 5000) -> bool:
    """Cancel every job and wait for their threads; for the end of the program. True if all have ended."""
    jobs = list(_alive)
    for job in jobs:
        job.cancel()
    deadline = time.monotonic() + timeout_ms / 1000
    return all(job.wait(max(0, round((deadline - time.monotonic()) * 1000))) for job in jobs)


def _stop_with_the_program() -> None:
    application = QCoreApplication.instance()
    if application is not None and not application.property("stops_jobs"):
        application.setProperty("stops_jobs", True)
        application.aboutToQuit.connect(cancel_all)
