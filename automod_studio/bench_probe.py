"""One measured start of the window, in a process of its own: what `bench_window` starts. Prints its finds as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QMimeData,
    QObject,
    QPointF,
    Qt,
    QTimer,
    QUrl,
    Signal,
    qVersion,
)
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QWidget

from automod_studio import app
from automod_studio.bench_window import REST, phase_of
from automod_studio.features.mix import MixFeature
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.requests import Render, Rendered

_MOVES_PER_S = 60
_REST_MS = 30  # from a painted picture to the next step, as a hand that waits for it
_SETTLE_MS = 1000  # what a start does after its first picture is over by then
_PICTURE_LIMIT_MS = 60_000
_STRIDE_PX = 3
_WINDOW_SIZE = (1440, 900)
_PAINTED = QEvent.Type(QEvent.registerEventType())


class FirstPaint(QObject):
    """Tells when the window is on the screen, before anything that waits for this is done.

    Signals:
        over: the first repaint is.
    """

    over = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QCoreApplication.postEvent(self, QEvent(_PAINTED), Qt.EventPriority.HighEventPriority.value)
        return False

    def customEvent(self, event: QEvent) -> None:  # noqa: D102 - Qt's
        self.over.emit()


class Follower(QObject):
    """Follows every move from its event to the end of the repaint that shows its picture.

    Signals:
        painted: a picture is on the screen: Rendered.
    """

    painted = Signal(object)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.moved_s = 0.0  # time.perf_counter() of the event that is being handled
        self.first_ms: list[float] = []
        self.full_ms: list[float] = []
        self.pictures = 0
        self._waits_for_first: dict[int, float] = {}  # id of a render -> when its event came
        self._waits_for_full: dict[int, float] = {}
        self._to_paint: Rendered | None = None
        self._ask = window.studio.service.render
        window.studio.service.render = self._asked  # type: ignore[method-assign]
        window.studio.picture_shown.connect(self._shown)
        window.canvas.installEventFilter(self)

    @property
    def waits(self) -> bool:
        """Whether a move has no full picture yet."""
        return bool(self._waits_for_full)

    def begin(self) -> None:
        """Forget what was measured."""
        self.first_ms, self.full_ms, self.pictures = [], [], 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's
        if event.type() == QEvent.Type.Paint and self._to_paint is not None:
            # Handled when the repaint of the whole window, and its way to the screen, are over.
            QCoreApplication.postEvent(self, QEvent(_PAINTED), Qt.EventPriority.HighEventPriority.value)
        return False

    def customEvent(self, event: QEvent) -> None:  # noqa: D102 - Qt's
        reply, self._to_paint = self._to_paint, None
        if event.type() != _PAINTED or reply is None:
            return
        now, self.pictures = time.perf_counter(), self.pictures + 1
        _settle(self._waits_for_first, reply.id, now, self.first_ms)
        if not reply.preview:
            _settle(self._waits_for_full, reply.id, now, self.full_ms)
        self.painted.emit(reply)

    def _asked(self, request: Render) -> None:
        if self.moved_s:
            self._waits_for_first[request.id] = self._waits_for_full[request.id] = self.moved_s
        self._ask(request)

    def _shown(self, reply: Rendered) -> None:
        self._to_paint = reply


class Beat(QObject):
    """A timer of 1 ms on the window's thread: what lies between two beats held the window up."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.phases: dict[str, dict[str, list[float]]] = {}
        self._last_s = self._own_s = 0.0
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._beat)

    def begin(self, phase: str) -> None:
        """Count for this phase from now on."""
        self._now = self.phases.setdefault(phase, {"gaps_ms": [], "own_ms": []})
        self._last_s, self._own_s = time.perf_counter(), time.thread_time()
        self._clock.start(1)

    def _beat(self) -> None:
        now, own = time.perf_counter(), time.thread_time()
        self._now["gaps_ms"].append((now - self._last_s) * 1000)
        self._now["own_ms"].append((own - self._own_s) * 1000)
        self._last_s, self._own_s = now, own


class Course:
    """What is done with the window, from its start to its end."""

    def __init__(self, window: MainWindow, options: argparse.Namespace, started_s: float) -> None:
        self.window, self._options, self._started_s = window, options, started_s
        self._follower, self._beat = Follower(window), Beat(window)
        if QGuiApplication.platformName() == "offscreen":  # its screen is smaller than people's
            window.resize(*_WINDOW_SIZE)
        self._last: Rendered | None = None
        self.found: dict[str, Any] = {"marks": {}, "processor": {}, "slider": {}, "pictures_per_s": {}}
        once = Qt.ConnectionType.SingleShotConnection
        self._paint = FirstPaint(window)
        self._paint.over.connect(self._painted, once)
        window.studio.ready.connect(lambda: self._mark("model_ready"), once)
        window.studio.message.connect(self._told)
        self._follower.painted.connect(self._pictured, once)
        self._follower.painted.connect(self._remember)

    def _mark(self, name: str, since_s: float | None = None) -> None:
        began = self._started_s if since_s is None else since_s
        self.found["marks"][name] = (time.perf_counter() - began) * 1000
        self.found["processor"][name] = time.process_time() * 1000

    def _painted(self) -> None:
        self._mark("first_paint")
        self._beat.begin("start")

    def _pictured(self, _reply: Rendered) -> None:
        self._mark("first_picture")
        QTimer.singleShot(_SETTLE_MS, self._go)

    def _remember(self, reply: Rendered) -> None:
        self._last = reply

    def _told(self, sentence: str, details: str, level: str) -> None:
        if level == "error":
            sys.stderr.write(f"{sentence}\n{details}\n")
            self.window.close()  # without finds: what started this sees that it broke off

    def _go(self) -> None:
        try:
            self._beat.begin(REST)
            wait(_SETTLE_MS)
            if self._options.steps:
                for name, groove in self._grooves().items():
                    self._move(name, groove)
            self._beat.begin("drop of a photo")
            self._drop(self._options.photo)
            self._finish()
        finally:  # also when something broke: the process ends, and what started it sees that finds are missing
            self.window.close()

    def _grooves(self) -> dict[str, QWidget]:
        """One slider of every range, coarse first."""
        mix = self.window.features["Mix"]
        assert isinstance(mix, MixFeature)
        return {name: section.rows.controls()[0] for name, section in mix.widget.sections.items()}

    def _move(self, name: str, groove: QWidget) -> None:
        follower, hand = self._follower, Hand(self.window, groove, self._follower)
        ways: dict[str, Callable[[int], None]] = {"steps": hand.step, "drag": hand.drag}
        for way, do in ways.items():
            self._beat.begin(phase_of(name, way))
            follower.begin()
            began = time.perf_counter()
            do(self._options.steps)
            self.found["slider"].setdefault(name, {})[way] = {"first": follower.first_ms, "full": follower.full_ms}
        self.found["pictures_per_s"][name] = follower.pictures / (time.perf_counter() - began)

    def _drop(self, photo: Path) -> None:
        """Drop a photo, as a file manager does, until the picture that is made of it is painted."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(photo))])
        where, none = self.window.rect().center(), Qt.KeyboardModifier.NoModifier
        left, copy = Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction
        QCoreApplication.sendEvent(self.window, QDragEnterEvent(where, copy, mime, left, none))
        began = time.perf_counter()
        QCoreApplication.sendEvent(self.window, QDropEvent(QPointF(where), copy, mime, left, none))
        wait_for(self._follower, lambda: any(s.name == photo.name for s in self.window.studio.document.sources))
        self._mark("first_reconstruction", began)
        wait(_SETTLE_MS)

    def _finish(self) -> None:
        studio, model, last = self.window.studio, self.window.studio.document.model, self._last
        assert model is not None
        peak, rest = memory_mb()
        self.found |= {
            "platform": QGuiApplication.platformName(),
            "qt": qVersion(),
            "model": model.name,
            "resolution": model.resolution,
            "device": studio.device,
            "precision": last.precision if last else "",
            "stalls": self._beat.phases,
            "peak_mb": peak,
            "rest_mb": rest,
        }


class Hand:
    """Moves a slider with events of the mouse, given to the window as the desktop gives them."""

    def __init__(self, window: MainWindow, groove: QWidget, follower: Follower) -> None:
        self._window, self._groove, self._follower = window, groove, follower
        self._x, self._stride = groove.width() // 2, _STRIDE_PX

    def step(self, count: int) -> None:
        """Moves that wait for their picture."""
        self._press()
        for _ in range(count):
            self._move(time.perf_counter())
            wait_for(self._follower, lambda: not self._follower.waits)
            wait(_REST_MS)
        self._release()

    def drag(self, count: int) -> None:
        """Moves at a steady pace. Counted from when each was due: a window that is held up gets it late."""
        self._press()
        began, loop, done = time.perf_counter(), QEventLoop(), 0
        clock = QTimer()
        clock.setTimerType(Qt.TimerType.PreciseTimer)

        def move() -> None:
            nonlocal done
            due = min(count, 1 + int((time.perf_counter() - began) * _MOVES_PER_S))
            if due > done:  # of moves that came while the window was busy, the desktop tells the last one only
                self._move(began + done / _MOVES_PER_S)
                done = due
            if done == count:
                loop.quit()

        clock.timeout.connect(move)
        clock.start(1)
        loop.exec()
        clock.stop()
        wait_for(self._follower, lambda: not self._follower.waits)
        self._release()

    def _press(self) -> None:
        self._send(QEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton)
        wait_for(self._follower, lambda: not self._follower.waits)

    def _release(self) -> None:
        self._send(QEvent.Type.MouseButtonRelease, Qt.MouseButton.LeftButton)
        wait(_REST_MS)

    def _move(self, due_s: float) -> None:
        margin = self._groove.width() // 5
        if not margin < self._x + self._stride < self._groove.width() - margin:
            self._stride = -self._stride
        self._x += self._stride
        self._follower.moved_s = due_s
        self._send(QEvent.Type.MouseMove, Qt.MouseButton.NoButton)
        self._follower.moved_s = 0.0

    def _send(self, kind: QEvent.Type, button: Qt.MouseButton) -> None:
        at = QPointF(self._groove.mapTo(self._window, self._groove.rect().center()))
        at.setX(self._groove.mapTo(self._window, self._groove.rect().topLeft()).x() + self._x)
        released = kind == QEvent.Type.MouseButtonRelease
        held = Qt.MouseButton.NoButton if released else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, at, self._window.mapToGlobal(at), button, held, Qt.KeyboardModifier.NoModifier)
        QCoreApplication.sendEvent(self._window.windowHandle(), event)


def run_course(options: argparse.Namespace) -> int:
    """Start the window, do all there is to do, print the finds. Returns the exit status."""
    started_s = time.perf_counter() - (time.monotonic() - options.spawned)
    courses: list[Course] = []
    arguments = [str(options.model)] if options.model is not None else []
    if options.device != "auto":
        arguments += ["--device", options.device]
    status = app.run(arguments, started_s, lambda window: courses.append(Course(window, options, started_s)))
    found = courses[0].found
    if status or "peak_mb" not in found:
        return status or 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def memory_mb() -> tuple[float, float]:
    """The most memory that this process had at a time, and what it has now, in MB."""
    import psutil

    rest = psutil.Process().memory_info().rss / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return psutil.Process().memory_info().peak_wset / 1e6, rest
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return max(peak, rest), rest  # Linux brings the peak up to date a little late


def wait(ms: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def wait_for(follower: Follower, reached: Callable[[], bool]) -> None:
    """Let the window live until something is so when a picture is painted.

    Raises:
        TimeoutError: it never came.
    """
    if not follower.waits and reached():
        return
    loop, clock = QEventLoop(), QTimer()
    clock.setSingleShot(True)
    clock.timeout.connect(lambda: loop.exit(1))
    look = follower.painted.connect(lambda _reply: loop.quit() if reached() else None)
    clock.start(_PICTURE_LIMIT_MS)
    late = loop.exec()
    follower.painted.disconnect(look)
    if late:
        raise TimeoutError("a picture did not come")


def _settle(waiting: dict[int, float], number: int, now_s: float, times_ms: list[float]) -> None:
    """What waited for this picture, or for an older one, has it now."""
    for known in [n for n in waiting if n <= number]:
        times_ms.append((now_s - waiting.pop(known)) * 1000)
