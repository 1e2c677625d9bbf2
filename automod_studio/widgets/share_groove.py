# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The coloured track that every share of the mixer is set with."""

from typing import ClassVar

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QSizePolicy, QSlider, QWidget

from automod_studio.theme import blend, colors_of

#: Steps of the slider per share of 1.
TICKS = 1000

_KEY_STEP, _PAGE_STEP = 10, 50  # ticks: 0.01 and 0.05
_FINE = 10  # Shift makes steps and drags this much smaller
_SETTLE_MS = 300  # a burst of wheel notches is one edit
_GROOVE_PX, _HANDLE_PX = 6, 16


class ShareGroove(QSlider):
    """A slider from 0 to 1 that tells a person's edits apart from the program's, and groups them.

    Mouse: press or drag; with Shift a drag moves a tenth as far. Double-click: back to the default. Wheel: 0.05 a
    notch, but only with the focus or when nothing around could scroll instead. Arrows: 0.01, Page keys: 0.05,
    Home and End: 0 and 1; with Shift a tenth of that.

    Signals:
        edited(float, bool): the share asked for, and whether this gesture is over. A gesture is any number of
            (share, False) and then one (share, True).
        reset(): a double-click.
    """

    edited = Signal(float, bool)
    reset = Signal()
    _moved: ClassVar[bool] = False

    def __init__(self, first_color: str, last_color: str, parent: QWidget | None = None) -> None:
        """A track between two colours; with one and the same, it is filled up to the handle instead."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._first_color, self._last_color = first_color, last_color
        self._exact_ticks = 0.0  # where a drag is, before rounding
        self._last_x = 0.0
        self._value_before, self._dragged = 0, False
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self._finish)
        self.setRange(0, TICKS)
        self.setSingleStep(_KEY_STEP)
        self.setPageStep(_PAGE_STEP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def set_share(self, share: float) -> None:
        """Show a share (0..1) without telling anyone."""
        ticks = round(min(max(share, 0.0), 1.0) * TICKS)
        if ticks == self.value():
            return
        if not self.isSliderDown():
            self._settling.stop()  # undone, or moved by another control: whoever did that has ended the gesture
        blocked = self.blockSignals(True)
        self.setValue(ticks)
        self.blockSignals(blocked)

    def share(self) -> float:
        """The share that is shown, 0..1."""
        return self.value() / TICKS

    @staticmethod
    def is_moved() -> bool:
        """Whether one of these tells of a move of the mouse right now: another one or its release follows for sure."""
        return ShareGroove._moved

    def set_colors(self, first: str, last: str) -> None:
        """Be a track between two other colours."""
        self._first_color, self._last_color = first, last
        self.update()

    def drop_gesture(self) -> None:
        """End the gesture in hand, and say nothing of it."""
        self._settling.stop()
        self.setSliderDown(False)

    # Gestures

    def _move_to(self, ticks: float) -> None:
        ticks = round(min(max(ticks, 0), TICKS))
        if ticks != self.value():
            self.setValue(ticks)
            self.edited.emit(self.share(), False)

    def _finish(self) -> None:
        """End the gesture in hand."""
        self._settling.stop()
        self.edited.emit(self.share(), True)

    def _settle(self) -> None:
        """End a gesture that is over but may turn out to go on."""
        if self._settling.isActive():
            self._finish()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._settle()
        self._value_before, self._dragged = self.value(), False
        self.setSliderDown(True)
        if not self._handle_rect().adjusted(-2, -2, 2, 2).contains(event.position()):
            self._move_to(self._ticks_at(event.position().x()))
        self._exact_ticks, self._last_x = float(self.value()), event.position().x()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self.isSliderDown():
            return
        moved = (event.position().x() - self._last_x) / self._run() * TICKS
        self._last_x = event.position().x()
        self._exact_ticks += moved / _FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else moved
        ShareGroove._moved = True
        try:
            self._move_to(self._exact_ticks)
        finally:
            ShareGroove._moved = False
        self._dragged = True

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self.isSliderDown():
            return
        self.setSliderDown(False)
        if self._dragged:
            self._finish()
        elif self.value() != self._value_before:  # a click beside the handle: the first half of a double-click?
            self._settling.start(QApplication.doubleClickInterval())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._settling.isActive():  # take back the first click, so that a reset is all that happened
            self.setValue(self._value_before)
            self._finish()
        self.reset.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120  # Alt or Shift may turn the axes
        if not notches or not self._may_take_wheel():
            event.ignore()
            return
        step = _PAGE_STEP / _FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else _PAGE_STEP
        before = self.value()
        self._move_to(before + notches * step)
        if self.value() != before:
            self._settling.start(_SETTLE_MS)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        steps = {
            Qt.Key.Key_Right: _KEY_STEP,
            Qt.Key.Key_Up: _KEY_STEP,
            Qt.Key.Key_Left: -_KEY_STEP,
            Qt.Key.Key_Down: -_KEY_STEP,
            Qt.Key.Key_PageUp: _PAGE_STEP,
            Qt.Key.Key_PageDown: -_PAGE_STEP,
            Qt.Key.Key_Home: -TICKS * _FINE,
            Qt.Key.Key_End: TICKS * _FINE,
        }
        if key not in steps:
            super().keyPressEvent(event)
            return
        self._settle()
        before = self.value()
        step = steps[Qt.Key(key)]
        self._move_to(before + (step / _FINE if fine else step))
        if self.value() != before:
            if event.isAutoRepeat():
                self._settling.start(_SETTLE_MS)
            else:
                self._finish()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        area = self._scroll_area()
        if area is not None and event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            getattr(area, "ensureWidgetVisible", lambda _widget: None)(self)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._settle()
        super().focusOutEvent(event)

    def _may_take_wheel(self) -> bool:
        area = self._scroll_area()
        return self.hasFocus() or area is None or area.verticalScrollBar().maximum() == 0

    def _scroll_area(self) -> QAbstractScrollArea | None:
        widget = self.parentWidget()
        while widget is not None and not isinstance(widget, QAbstractScrollArea):
            widget = widget.parentWidget()
        return widget

    # Geometry and painting

    def sizeHint(self) -> QSize:
        return QSize(120, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(56, 24)

    def _run(self) -> float:
        """Length of the way of the handle's centre."""
        return max(1.0, self.width() - _HANDLE_PX - 2.0)

    def _x_of(self, ticks: float) -> float:
        return 1 + _HANDLE_PX / 2 + self._run() * ticks / TICKS

    def _ticks_at(self, x: float) -> float:
        return (x - 1 - _HANDLE_PX / 2) / self._run() * TICKS

    def _handle_rect(self) -> QRectF:
        edge = float(_HANDLE_PX)
        return QRectF(self._x_of(self.value()) - edge / 2, (self.height() - edge) / 2, edge, edge)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if not self.isEnabled():
            painter.setOpacity(0.4)
        self._paint_groove(painter)

        share = self.share()
        ink = blend(self._first_color, self._last_color, share)
        handle = self._handle_rect()
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(handle.adjusted(0, 0, 0, 0))
        grown = 0.0 if self.isSliderDown() or self.underMouse() else 1.0
        painter.setPen(QPen(QColor("#ffffff") if not colors.dark else QColor(colors.window), 2))
        painter.setBrush(ink)
        painter.drawEllipse(handle.adjusted(2 + grown, 2 + grown, -2 - grown, -2 - grown))

    def _paint_groove(self, painter: QPainter) -> None:
        colors = colors_of(self)
        left, right = self._x_of(0), self._x_of(TICKS)
        half = _GROOVE_PX / 2
        groove = QRectF(left - half, self.height() / 2 - half, right - left + 2 * half, _GROOVE_PX)
        if self._first_color != self._last_color:
            gradient = QLinearGradient(groove.topLeft(), groove.topRight())
            gradient.setColorAt(0, QColor(self._first_color))
            gradient.setColorAt(1, QColor(self._last_color))
            painter.setBrush(gradient)
            painter.drawRoundedRect(groove, half, half)
            return
        painter.setBrush(QColor(colors.control))
        painter.drawRoundedRect(groove, half, half)
        groove.setRight(self._x_of(self.value()) + half)
        painter.setBrush(QColor(self._first_color))
        painter.drawRoundedRect(groove, half, half)
