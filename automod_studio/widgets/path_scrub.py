# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Where the path is in time, with a tick for each keyframe."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.theme import colors_of
from automod_studio.views_path import length_words

_GROOVE_PX, _HANDLE_PX = 4, 14
_KEY_STEP_S, _FINE_STEP_S = 0.1, 1 / 30
_HELP = "Drag to look at any moment · arrows step a tenth of a second, Shift a frame · Page keys go to keyframes"


class PathScrub(QWidget):
    """A slider over the length of the path.

    Signals:
        scrubbed(float, bool): seconds from the beginning that are to be shown, and whether the gesture is over.
    """

    scrubbed = Signal(float, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seconds = 0.0
        self._length = 0.0
        self._ticks: tuple[float, ...] = ()
        self._held = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setToolTip(f"Time\n{_HELP}")
        self.setAccessibleDescription(_HELP)
        self.show_time(0.0)

    def show_length(self, length_s: float, ticks_s: tuple[float, ...]) -> None:
        """Show how long the path is, and when it passes its keyframes; nothing is emitted."""
        self._length, self._ticks = length_s, ticks_s
        self.setEnabled(length_s > 0)
        self.show_time(min(self.seconds, length_s))

    def show_time(self, seconds: float) -> None:
        """Show where the path is; nothing is emitted."""
        self.seconds = seconds
        self.setAccessibleName(f"Time: {seconds:.1f} of {length_words(self._length)}")
        self.update()

    def _go(self, seconds: float, finished: bool) -> None:
        seconds = min(max(seconds, 0.0), self._length)
        self.show_time(seconds)
        self.scrubbed.emit(seconds, finished)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._held = True
            self._go(self._time_at(event.position().x()), False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held:
            self._go(self._time_at(event.position().x()), False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._held:
            self._held = False
            self._go(self._time_at(event.position().x()), True)

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._go(self.seconds + notches * (_FINE_STEP_S if fine else _KEY_STEP_S), True)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _FINE_STEP_S if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else _KEY_STEP_S
        later = [t for t in self._ticks if t > self.seconds + 1e-6]
        earlier = [t for t in self._ticks if t < self.seconds - 1e-6]
        to = {
            Qt.Key.Key_Right: self.seconds + step,
            Qt.Key.Key_Left: self.seconds - step,
            Qt.Key.Key_Home: 0.0,
            Qt.Key.Key_End: self._length,
            Qt.Key.Key_PageDown: later[0] if later else self._length,
            Qt.Key.Key_PageUp: earlier[-1] if earlier else 0.0,
        }
        if event.key() in to:
            self._go(to[Qt.Key(event.key())], True)
        else:
            super().keyPressEvent(event)

    # ---- geometry and painting ----

    def sizeHint(self) -> QSize:
        return QSize(160, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 24)

    def _run(self) -> float:
        return max(1.0, self.width() - _HANDLE_PX - 4.0)

    def _x_of(self, seconds: float) -> float:
        return 2 + _HANDLE_PX / 2 + self._run() * (seconds / self._length if self._length else 0.0)

    def _time_at(self, x: float) -> float:
        return (x - 2 - _HANDLE_PX / 2) / self._run() * self._length

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        middle, half = self.height() / 2, _GROOVE_PX / 2
        here = self._x_of(self.seconds)
        painter.setPen(Qt.PenStyle.NoPen)
        for left, right, color in (
            (self._x_of(0), self._x_of(self._length) if self._length else self.width() - 9.0, colors.control),
            (self._x_of(0), here, colors.accent),
        ):
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(QRectF(left - half, middle - half, right - left + 2 * half, 2 * half), half, half)
            if not self._length:
                return
        for tick in self._ticks:
            painter.fillRect(QRectF(self._x_of(tick) - 1, middle - 6, 2, 12), QColor(colors.faint))
        radius = _HANDLE_PX / 2
        painter.setPen(QPen(QColor(colors.text if self.hasFocus() else colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(QPointF(here, middle), radius, radius)
