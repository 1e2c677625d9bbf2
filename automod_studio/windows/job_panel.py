"""The lower part of a dialog that works in the background: progress, time left, and the error if there is one."""

import time
from collections import deque

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from automod_studio.theme import GRID, colors_of
from automod_studio.workers.jobs import Job, JobProgress, JobReply, JobRequest

_BAR_STEPS = 1000
_CLOSE_WAIT_MS = 3000
_DETAILS_HEIGHT = 30 * GRID


class EtaMeter:
    """Estimates the time left from the speed of the last seconds. No Qt."""

    def __init__(self, window_s: float = 8.0, settle_s: float = 1.5) -> None:
        """Look back `window_s`; say nothing before `settle_s`, when the speed is still a guess."""
        self._window_s, self._settle_s = window_s, settle_s
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now_s: float, done: float) -> None:
        """Note how far the work is at a time; going backwards starts over."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now_s, done))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > self._window_s:
            self._seen.popleft()

    def seconds_left(self, total: float) -> float | None:
        """Seconds until `total` at the present speed; None while that cannot be told."""
        if len(self._seen) < 2:
            return None
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        if last_s - first_s < self._settle_s or last <= first:
            return None
        return (total - last) * (last_s - first_s) / (last - first)


def time_left(seconds: float | None) -> str:
    """Words for a time to wait: "about 3 min left"; "" if it is not known."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {round(seconds / 3600)} h left"


class ProgressPanel(QWidget):
    """A bar, a sentence, and details behind a button. What is shown comes from elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._meter, self._meter_total = EtaMeter(), 0.0

        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details_button = QPushButton("Details")
        self._details_button.setProperty("role", "link")
        self._details_button.setCheckable(True)
        self._details_button.setAutoDefault(False)
        self._details_button.setToolTip("Show everything that is known about the error")
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setAccessibleName("Details of the error")
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._details.setTabChangesFocus(True)
        self._details.setFixedHeight(_DETAILS_HEIGHT)
        self._details_button.toggled.connect(self._open_details)

        line = QHBoxLayout()
        line.addWidget(self._status, 1, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._details_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(self._bar)
        layout.addLayout(line)
        layout.addWidget(self._details)
        self._details.hide()
        policy = self._bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # nothing jumps when the work begins
        self._bar.setSizePolicy(policy)
        self._status.setMinimumHeight(self._status.fontMetrics().height())
        self.clear()

    @property
    def text(self) -> str:
        """The sentence on show."""
        return self._status.text()

    def clear(self) -> None:
        """Show nothing."""
        self._bar.hide()
        self._show_text("")

    def show_error(self, sentence: str, details: str = "") -> None:
        """Show what went wrong in one sentence; the details open on demand."""
        self._show_text(sentence, is_error=True, details=details)

    def begin(self) -> None:
        """Show that work has begun."""
        self._meter, self._meter_total = EtaMeter(), 0.0
        self._bar.setRange(0, 0)
        self._bar.show()
        self._show_text("Starting…")

    def end(self, sentence: str, details: str = "", *, is_error: bool = False) -> None:
        """Show how the work ended; the details open on demand."""
        self._bar.hide()
        self._show_text(sentence, is_error=is_error, details=details)

    def show_progress(self, progress: JobProgress) -> None:
        """Show how far the work is, and how long it will take yet."""
        if progress.total <= 0:
            self._bar.setRange(0, 0)
            self._show_text(progress.text)
            return
        if progress.total != self._meter_total:  # another step, with another unit
            self._meter, self._meter_total = EtaMeter(), progress.total
        self._meter.add(time.monotonic(), progress.done)
        self._bar.setRange(0, _BAR_STEPS)
        self._bar.setValue(round(_BAR_STEPS * progress.done / progress.total))
        left = time_left(self._meter.seconds_left(progress.total)) if progress.done < progress.total else ""
        self._show_text(" · ".join(part for part in (progress.text, left) if part))

    def changeEvent(self, event: QEvent) -> None:
        """Keep the colour of the error right when the theme changes."""
        if event.type() == QEvent.Type.PaletteChange:
            self._tint_status()
        super().changeEvent(event)

    def _open_details(self, wanted: bool) -> None:
        if wanted == self._details.isVisibleTo(self):
            return
        self._details.setVisible(wanted)
        change = _DETAILS_HEIGHT + GRID
        window = self.window()
        window.resize(window.width(), window.height() + (change if wanted else -change))

    def _show_text(self, text: str, *, is_error: bool = False, details: str = "") -> None:
        self._status.setText(text)
        self._status.setAccessibleName(f"Error: {text}" if is_error else text)
        self._is_error = is_error
        self._details.setPlainText(details)
        self._details_button.setVisible(bool(details))
        if not details:
            self._details_button.setChecked(False)
        self._tint_status()

    def _tint_status(self) -> None:
        colors = colors_of()
        palette = self._status.palette()
        role = QPalette.ColorRole.WindowText
        wanted = colors.poor if self._is_error else colors.text
        if palette.color(role).name() != wanted:
            palette.setColor(role, wanted)
            self._status.setPalette(palette)


class JobPanel(ProgressPanel):
    """Runs one job at a time and shows how it goes.

    Signals:
        started: a job has begun.
        finished: the JobReply of the job; an error is shown already.
    """

    started = Signal()
    finished = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None

    @property
    def running(self) -> bool:
        """True while a job is under way."""
        return self._job is not None

    def start(self, request: JobRequest) -> None:
        """Begin a job; only when none is running.

        Raises:
            RuntimeError: one is running.
        """
        if self._job is not None:
            raise RuntimeError("a job is running already")
        self.begin()
        self._job = Job(request)
        self._job.progressed.connect(self.show_progress)
        self._job.finished.connect(self._finish)
        self._job.start()
        self.started.emit()

    def cancel(self) -> None:
        """Ask the job to stop; `finished` comes soon."""
        if self._job is not None:
            self._show_text("Stopping…")
            self._job.cancel()

    def shut_down(self) -> None:
        """For closing the dialog: stop the job and wait for its thread; no more signals come."""
        if self._job is None:
            return
        job, self._job = self._job, None
        job.progressed.disconnect(self.show_progress)
        job.finished.disconnect(self._finish)
        job.cancel()
        job.wait(_CLOSE_WAIT_MS)  # a thread that is stuck in the network for longer ends by itself
        self.clear()

    def _finish(self, reply: JobReply) -> None:
        self._job = None
        words = reply.error or ("Cancelled." if reply.cancelled else "Done.")
        self.end(words, reply.details if reply.error else "", is_error=bool(reply.error))
        self.finished.emit(reply)
