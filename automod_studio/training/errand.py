"""One piece of work for one run, on a thread of its own: whoever asked for it may be gone when it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Signal

from automod_studio.workers.jobs import Job, JobControl, JobProgress, JobReply, JobRequest


class Errand(QObject):
    """A job that remembers which run it is for. Methods are for the GUI thread only.

    It belongs to its parent; if that is destroyed, the work goes on to its end and nobody is told.

    Signals:
        progressed: Path of the run, str what is being done.
        succeeded: Path, and what the work returned.
        failed: Path, str sentence, str details.
        ended: this errand, after one of the others, or alone if the work was cancelled.
    """

    progressed = Signal(object, str)
    succeeded = Signal(object, object)
    failed = Signal(object, str, str)
    ended = Signal(object)

    def __init__(self, folder: Path, title: str, work: Callable[[JobControl], Any], parent: QObject) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            folder: of the run.
            title: for the log: "Pause anna".
            work: runs on the job's thread; must not touch the parent.
            parent: Qt owner.
        """
        super().__init__(parent)
        self.folder = folder
        self._job = Job(JobRequest(title, work))
        self._job.progressed.connect(self._has_progressed)
        self._job.finished.connect(self._has_finished)

    def start(self) -> None:
        """Begin; an errand runs once."""
        self._job.start()

    def cancel(self) -> None:
        """Ask the work to stop. Returns at once."""
        self._job.cancel()

    def _has_progressed(self, progress: JobProgress) -> None:
        self.progressed.emit(self.folder, progress.text)

    def _has_finished(self, reply: JobReply) -> None:
        if reply.ok:
            self.succeeded.emit(self.folder, reply.value)
        elif not reply.cancelled:
            self.failed.emit(self.folder, reply.error, reply.details)
        if shiboken6.isValid(self):  # whoever was told may have closed the window, and this with it
            self.ended.emit(self)
            self.deleteLater()
