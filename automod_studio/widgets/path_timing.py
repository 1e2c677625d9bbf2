# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""When a range moves on the way from one keyframe to the next: a bar with a start and an end."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from automod_core.animation import MIN_SPAN
from automod_studio.theme import GRID, colors_of
from automod_studio.views_path import TimingView
from automod_studio.widgets.labels import hint_label

_TITLE_PX, _FIGURE_PX = 52, 58
_GROOVE_PX, _HANDLE_PX = 6, 12
_KEY_STEP, _PAGE_STEP, _FINE_STEP = 0.05, 0.25, 0.01
_SETTLE_MS = 300  # a burst of wheel notches is one edit
_HELP = (
    "Drag an end, or the bar between · arrows move the marked end, Tab goes to the other · "
    "wheel moves both · Shift is finer · double-click resets"
)
_STEPS = {
    Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Down: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP, Qt.Key.Key_Up: _KEY_STEP,
    Qt.Key.Key_PageUp: _PAGE_STEP, Qt.Key.Key_PageDown: -_PAGE_STEP, Qt.Key.Key_Home: -1.0, Qt.Key.Key_End: 1.0,
}  # fmt: skip


class TimingBar(QWidget):
    """A groove that stands for the whole way; the part in colour is when the range moves.

    Signals:
        edited(float, float, bool): the start and end asked for (0..1), and whether the gesture is over.
        reset(): a double-click.
    """

    edited = Signal(float, float, bool)
    reset = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.start, self.end = 0.0, 1.0
        self.playhead: float | None = None
        self._marked = 0  # the end that the keys move: 0 the start, 1 the end
        self._held: int | None = None  # 0, 1, or 2 for the bar between
        self._grabbed_at, self._before = 0.0, (0.0, 1.0)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self._finish)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleDescription(_HELP)

    def show_span(self, title: str, start: float, end: float) -> None:
        """Show when a range moves; nothing is emitted."""
        if self._held is None and (start, end) != (self.start, self.end):
            self._settling.stop()
        if self._held is None:
            self.start, self.end = start, end
        self.setAccessibleName(f"{title} moves from {round(100 * start)} to {round(100 * end)} % of the way")
        self.setToolTip(f"When {title.lower()} moves on the way from one keyframe to the next\n{_HELP}")
        self.update()

    def show_playhead(self, done: float | None) -> None:
        """Mark where the path is on its way, 0..1; None where it stands."""
        if done != self.playhead:
            self.playhead = done
            self.update()

    # ---- gestures ----

    def _move(self, start: float, end: float) -> None:
        """Put both ends in place without letting them meet or leave the groove."""
        span = (round(min(max(start, 0.0), 1 - MIN_SPAN), 2), round(min(max(end, MIN_SPAN), 1.0), 2))
        if span != (self.start, self.end):
            self.start, self.end = span
            self.edited.emit(*span, False)
            self.update()

    def _move_end(self, which: int, to: float) -> None:
        if which == 0:
            self._move(min(to, self.end - _KEY_STEP), self.end)
        else:
            self._move(self.start, max(to, self.start + _KEY_STEP))

    def _shift(self, start: float) -> None:
        length = self.end - self.start
        start = min(max(start, 0.0), 1.0 - length)
        self._move(start, start + length)

    def _finish(self) -> None:
        self._settling.stop()
        self.edited.emit(self.start, self.end, True)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        if self._settling.isActive():
            self._finish()
        x = event.position().x()
        near = [abs(x - self._x_of(self.start)), abs(x - self._x_of(self.end))]
        nearest = 0 if near[0] < near[1] else 1
        if near[nearest] <= _HANDLE_PX or not self.start < self._part_at(x) < self.end:
            self._held = self._marked = nearest
        else:
            self._held = 2
        self._before = (self.start, self.end)
        self._grabbed_at = self._part_at(x) - (self.end if self._held == 1 else self.start)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            return
        to = self._part_at(event.position().x()) - self._grabbed_at
        if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            to = round(to / _KEY_STEP) * _KEY_STEP  # whole steps are what one wants; Shift goes between
        if self._held == 2:
            self._shift(to)
        else:
            self._move_end(self._held, to)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._held is not None:
            self._held = None
            if (self.start, self.end) != self._before:
                self._finish()
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        if not notches or not self.hasFocus():
            event.ignore()
            return
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        before = (self.start, self.end)
        self._shift(self.start + notches * (_FINE_STEP if fine else _KEY_STEP))
        if (self.start, self.end) != before:
            self._settling.start(_SETTLE_MS)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape or event.key() not in _STEPS:
            super().keyPressEvent(event)
            return
        step = _STEPS[Qt.Key(event.key())]
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step = _FINE_STEP if step > 0 else -_FINE_STEP
        before = (self.start, self.end)
        self._move_end(self._marked, (self.start, self.end)[self._marked] + step)
        if (self.start, self.end) != before:
            if event.isAutoRepeat():
                self._settling.start(_SETTLE_MS)
            else:
                self._finish()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes to the other end first."""
        if self.hasFocus() and self._marked == (0 if forward else 1):
            self._marked = 1 - self._marked
            self.update()
            return True
        return super().focusNextPrevChild(forward)

    def focusInEvent(self, event: QFocusEvent) -> None:
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._marked = 0 if event.reason() == Qt.FocusReason.TabFocusReason else 1
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._settling.isActive():
            self._finish()
        super().focusOutEvent(event)

    # ---- geometry and painting ----

    def sizeHint(self) -> QSize:
        return QSize(96, 20)

    def minimumSizeHint(self) -> QSize:
        return QSize(64, 20)

    def _run(self) -> float:
        return max(1.0, self.width() - _HANDLE_PX - 4.0)

    def _x_of(self, part: float) -> float:
        return 2 + _HANDLE_PX / 2 + self._run() * part

    def _part_at(self, x: float) -> float:
        return (x - 2 - _HANDLE_PX / 2) / self._run()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        middle, half = self.height() / 2, _GROOVE_PX / 2
        painter.setPen(Qt.PenStyle.NoPen)
        for start, end, color in ((0.0, 1.0, colors.control), (self.start, self.end, colors.accent)):
            left, right = self._x_of(start), self._x_of(end)
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(QRectF(left - half, middle - half, right - left + 2 * half, 2 * half), half, half)
        if self.playhead is not None:
            x = self._x_of(self.playhead)
            painter.fillRect(QRectF(x - 1, 1, 2, self.height() - 2), QColor(colors.text))
        for which, part in enumerate((self.start, self.end)):
            self._paint_handle(painter, QPointF(self._x_of(part), middle), self.hasFocus() and which == self._marked)

    def _paint_handle(self, painter: QPainter, centre: QPointF, marked: bool) -> None:
        colors = colors_of(self)
        radius = _HANDLE_PX / 2
        painter.setPen(QPen(QColor(colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(centre, radius, radius)
        if marked:
            painter.setPen(QPen(QColor(colors.text), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(centre, radius, radius)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.EnabledChange:
            self.update()
        super().changeEvent(event)


class TimingRow(QWidget):
    """A bar with the name of its range and its figures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = TimingBar()
        self._title, self._figure = hint_label(""), hint_label("")
        self._title.setFixedWidth(_TITLE_PX)
        self._figure.setFixedWidth(_FIGURE_PX)
        self._figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._title)
        row.addWidget(self.bar, 1)
        row.addWidget(self._figure)
        self.bar.edited.connect(lambda start, end, _finished: self._show_figure(start, end))

    def show_view(self, view: TimingView) -> None:
        """Show when a range moves; nothing is emitted."""
        self._title.setText(view.title)
        self._title.setToolTip(view.title)
        self.bar.show_span(view.title, view.start, view.end)
        self._show_figure(view.start, view.end)

    def _show_figure(self, start: float, end: float) -> None:
        self._figure.setText(f"{round(100 * start)}–{round(100 * end)} %")
