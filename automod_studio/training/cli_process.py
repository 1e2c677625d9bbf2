"""Short helpers: commands of the command line that talk in lines of JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QProcess, QProcessEnvironment, QTimer, Signal

from automod_studio.training.cli_call import environment, lower_priority_of, program, way_of_ending, working_folder

log = logging.getLogger(__name__)

_KILL_AFTER_MS = 3000  # a helper that does not end when it is asked to
_MOST_LINE_BYTES = 1 << 24
_MOST_ERROR_BYTES = 1 << 16


class JsonLinesProcess(QObject):
    """Runs a command that prints lines of JSON, such as a scan or a plan. Methods are for the GUI thread only.

    When this object goes away, the command is ended too.

    Signals:
        line: dict[str, Any], one object that the command printed. What is no JSON object is passed over.
        finished: bool ok, str sentence; comes exactly once, after the last line. Not ok and without a sentence: it was
            stopped.
    """

    line = Signal(object)
    finished = Signal(bool, str)

    def __init__(
        self, arguments: Sequence[str], parent: QObject | None = None, *, command: Sequence[str] | None = None
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            arguments: the words after "automod"; paths in them are absolute.
            parent: Qt owner.
            command: what to start in place of `program()`, for tests.
        """
        super().__init__(parent)
        self._child = _Child([*(command or program()), *arguments])
        self._child.line.connect(self.line)
        self._child.finished.connect(self.finished)
        self.destroyed.connect(self._child.stop)

    @property
    def running(self) -> bool:
        """True from start until `finished`."""
        return self._child.running

    @property
    def details(self) -> str:
        """What the command printed to its error output, at most its end."""
        return self._child.errors()

    def start(self) -> None:
        """Begin; a process runs once."""
        self._child.start()

    def stop(self) -> None:
        """Ask the command to end; `finished` follows. Returns at once."""
        self._child.stop()


class _Child(QObject):
    """Owns the QProcess: it outlives whoever started it, until the process is gone and nothing can warn or crash."""

    line = Signal(object)
    finished = Signal(bool, str)

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words = list(words)
        self._process = QProcess(self)
        self._buffer, self._errors = b"", b""
        self._started = self._stopped = self._ended = False
        self._patience = QTimer(self, singleShot=True, interval=_KILL_AFTER_MS)
        self._patience.timeout.connect(self._process.kill)
        self._process.started.connect(self._has_started)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._has_finished)
        self._process.errorOccurred.connect(self._has_failed)

    @property
    def running(self) -> bool:
        return self._started and not self._ended

    def start(self) -> None:
        if self._started:
            return
        self._started = True
        _end_with_the_program()
        _children.add(self)
        variables = QProcessEnvironment()
        for name, value in environment().items():
            variables.insert(name, value)
        self._process.setProcessEnvironment(variables)
        self._process.setWorkingDirectory(str(working_folder()))
        self._process.start(self._words[0], self._words[1:])

    def stop(self) -> None:
        self._stopped = True
        if self.running:
            self._process.terminate()
            self._patience.start()

    def end_now(self, timeout_ms: int) -> None:
        """Kill it, and wait for that: the program ends."""
        self._stopped = True
        self._process.kill()
        self._process.waitForFinished(timeout_ms)

    def errors(self) -> str:
        return self._errors.decode(errors="replace")

    def _has_started(self) -> None:
        if self._stopped:
            self._process.terminate()
            return
        lower_priority_of(int(self._process.processId()))

    def _read(self) -> None:
        self._buffer += bytes(self._process.readAllStandardOutput().data())
        *lines, self._buffer = self._buffer.split(b"\n")
        for text in lines:
            self._tell(text)
        if len(self._buffer) > _MOST_LINE_BYTES:
            self._buffer = b""

    def _tell(self, text: bytes) -> None:
        try:
            value: Any = json.loads(text)
        except ValueError:
            log.debug("no JSON: %r", text[:200])
            return
        if isinstance(value, dict) and not self._stopped:
            self.line.emit(value)

    def _read_errors(self) -> None:
        self._errors = (self._errors + bytes(self._process.readAllStandardError().data()))[-_MOST_ERROR_BYTES:]

    def _has_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        self._tell(self._buffer)
        self._read_errors()
        killed = status == QProcess.ExitStatus.CrashExit
        ok = code == 0 and not killed and not self._stopped
        self._end(ok, "" if ok or self._stopped else way_of_ending(-code if killed else code, self.errors()))

    def _has_failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:  # after all others, `finished` comes too
            self._end(False, f"{self._words[0]} cannot be started: {self._process.errorString()}.")

    def _end(self, ok: bool, sentence: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._patience.stop()
        QTimer.singleShot(0, self._leave)  # not now: this may be called by the process that would go with it
        self.finished.emit(ok, sentence)

    def _leave(self) -> None:
        _children.discard(self)


_children: set[_Child] = set()


def end_all(timeout_ms: int = 1000) -> None:
    """End every helper; for the end of the program."""
    for child in list(_children):
        child.end_now(timeout_ms)


def _end_with_the_program() -> None:
    application = QCoreApplication.instance()
    if application is not None and not application.property("ends_helpers"):
        application.setProperty("ends_helpers", True)
        application.aboutToQuit.connect(end_all)
