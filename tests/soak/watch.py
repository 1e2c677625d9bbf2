"""What goes wrong while the window is used: stalls of the GUI thread with their causes, exceptions, warnings, leaks."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import shiboken6
from PySide6.QtCore import QMessageLogContext, QObject, Qt, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

_BEAT_MS = 4
_LOOK_EVERY_S = 0.004
_LOOK_AFTER_S = 0.02  # of silence: from then on the stack is looked at
STALL_MS = 50.0
_FRAMES = 6
_FRAME = re.compile(r'File "(.+)", line (\d+) in (\S+)')
_PACKAGES = ("automod_studio", "automod_core", "tests/soak")
_HARMLESS = tuple(
    f"does not support {what}" for what in ("propagateSizeHints", "raise", "grabbing the keyboard", "requestActivate")
)


@dataclass(frozen=True, slots=True)
class Stall:
    """The GUI thread answered nothing for a while.

    Attributes:
        ms: how long.
        cpu_ms: how much of it the GUI thread itself computed; the rest it waited for the interpreter or a processor.
        action: what the user did last.
        where: the stack that was seen most often, innermost first.
    """

    ms: float
    cpu_ms: float
    action: str
    where: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What is there after collection, with the window in a state that is the same each time."""

    actions: int
    threads: tuple[str, ...]
    tasks: int
    widgets: int
    qobjects: int
    objects: int
    rss_mb: float
    kinds: Counter[str] = field(repr=False)
    shown_kinds: Counter[str] = field(repr=False)  # of widgets


class Watch(QObject):
    """Measures while it lives; `close` puts everything back."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.actions = "start", 0
        self.stalls: list[Stall] = []
        self.longest: dict[str, float] = {}  # per kind of action, ms
        self.troubles: list[tuple[str, str]] = []  # action, what: exceptions, Qt warnings, errors in the log
        self._gui = threading.get_ident()
        self._paused, self._seen = 0, Counter[str]()
        self._beat_s, self._cpu_s = time.perf_counter(), time.thread_time()
        self._end = threading.Event()
        self._looker = threading.Thread(target=self._look, name="soak looks", daemon=True)
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._beat)
        self._log = _LogEar(self)
        logging.getLogger().addHandler(self._log)
        self._qt_before = qInstallMessageHandler(self._hear_qt)
        self._clock.start(_BEAT_MS)
        self._looker.start()

    def close(self) -> None:
        """Stop measuring."""
        self._clock.stop()
        self._end.set()
        self._looker.join()
        logging.getLogger().removeHandler(self._log)
        qInstallMessageHandler(self._qt_before)

    def trouble(self, text: str) -> None:
        """Remember something that must not happen."""
        self.troubles.append((f"action {self.actions} ({self.action})", text))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done here is the test's own work: it is no stall."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1
            self._restart()

    # ---- stalls ----

    def _restart(self) -> None:
        self._seen.clear()
        self._beat_s, self._cpu_s = time.perf_counter(), time.thread_time()

    def _beat(self) -> None:
        ms = (time.perf_counter() - self._beat_s) * 1000
        if not self._paused:
            kind = self.action.split(":")[0]
            self.longest[kind] = max(ms, self.longest.get(kind, 0.0))
            if ms > STALL_MS:
                where = self._seen.most_common(1)[0][0] if self._seen else "nothing was seen: the interpreter was held"
                self.stalls.append(Stall(ms, (time.thread_time() - self._cpu_s) * 1000, self.action, where))
        self._restart()

    def _look(self) -> None:
        with tempfile.TemporaryFile("w+") as file:
            while not self._end.wait(_LOOK_EVERY_S):
                if not self._paused and time.perf_counter() - self._beat_s > _LOOK_AFTER_S:
                    self._seen[_stack(file, self._gui)] += 1

    # ---- what is said ----

    def _hear_qt(self, kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not any(h in text for h in _HARMLESS):
            self.trouble(f"Qt: {text}")

    # ---- leaks ----

    def count(self) -> Counts:
        """Collect garbage and count what is left."""
        with self.aside():
            for _ in range(3):
                gc.collect()
            everything = gc.get_objects()
            kinds = Counter(_kind(o) for o in everything)
            alive = sum(1 for o in everything if isinstance(o, QObject) and shiboken6.isValid(o))
            widgets = QApplication.allWidgets()
            total = sum(1 + len(w.findChildren(QObject)) for w in QApplication.topLevelWidgets())
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            return Counts(
                actions=self.actions,
                threads=tuple(sorted(t.name for t in threading.enumerate())),
                tasks=len(os.listdir("/proc/self/task")),
                widgets=len(widgets),
                qobjects=max(alive, total),
                objects=len(everything),
                rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
                kinds=kinds,
                shown_kinds=Counter(w.metaObject().className() for w in widgets),
            )


def _kind(thing: object) -> str:
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    return kind if not isinstance(thing, QObject) or shiboken6.isValid(thing) else f"{kind} (deleted)"


class _LogEar(logging.Handler):
    """Hears of bugs that a boundary caught and wrote to the log."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.ERROR)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._watch.trouble(f"log: {text}")


def _stack(file: IO[str], thread: int) -> str:
    """The innermost frame of a thread, and those of the program below it, innermost first.

    Not by sys._current_frames: a frame that this thread holds keeps the painters in it alive, and ends them here.
    """
    file.seek(0)
    file.truncate()
    faulthandler.dump_traceback(file, all_threads=True)
    file.seek(0)
    _, _, mine = file.read().partition(f"{thread:016x} ")
    lines: list[str] = []
    for name, line, function in _FRAME.findall(mine.partition("\n\n")[0]):
        place = next((name[name.rindex(p) :] for p in _PACKAGES if p in name), "")
        if place or not lines:
            lines.append(f"{place or '/'.join(name.split('/')[-2:])}:{line} {function}")
    return " < ".join(lines[:_FRAMES])
