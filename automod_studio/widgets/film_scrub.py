# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A slider over all sheets of a run, with a tick where its pictures grew."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from automod_studio.theme import colors_of

_GROOVE_PX, _HANDLE_PX, _TICK_PX = 4, 14, 12


class FilmScrub(QSlider):
    """Its value is the number of a sheet, from 0. A press anywhere goes there; arrows, Page keys, Home and End step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._ticks: tuple[int, ...] = ()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Moment of the run")
        self.setToolTip("Drag to any moment (arrows step, Page keys leap, Home and End go to the first and the newest)")

    def show_count(self, count: int, ticks: Sequence[int]) -> None:
        """Show how many sheets there are, and at which of them pictures have grown; nothing is emitted."""
        blocked = self.blockSignals(True)
        self._ticks = tuple(ticks)
        self.setRange(0, max(0, count - 1))
        self.setPageStep(max(1, count // 10))
        self.setEnabled(count > 1)
        self.blockSignals(blocked)
        self.update()

    def show_value(self, value: int, words: str) -> None:
        """Show which sheet is shown, in words too; nothing is emitted."""
        blocked = self.blockSignals(True)
        self.setValue(value)
        self.blockSignals(blocked)
        self.setAccessibleDescription(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        leap = {Qt.Key.Key_PageDown: self.pageStep(), Qt.Key.Key_PageUp: -self.pageStep()}.get(Qt.Key(event.key()))
        if leap is None:
            super().keyPressEvent(event)
        else:
            self.setValue(self.value() + leap)  # down is later, as in every list; a slider has it the other way round

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def sizeHint(self) -> QSize:
        return QSize(160, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 24)

    def _go_to(self, x: float) -> None:
        share = (x - 2 - _HANDLE_PX / 2) / self._run()
        self.setValue(round(min(max(share, 0.0), 1.0) * self.maximum()))

    def _run(self) -> float:
        return max(1.0, self.width() - _HANDLE_PX - 4.0)

    def _x_of(self, value: int) -> float:
        return 2 + _HANDLE_PX / 2 + self._run() * (value / self.maximum() if self.maximum() else 1.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        middle, half, here = self.height() / 2, _GROOVE_PX / 2, self._x_of(self.value())
        painter.setPen(Qt.PenStyle.NoPen)
        start = 2 + _HANDLE_PX / 2
        for right, color in ((start + self._run(), colors.control), (here, colors.accent)):
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(QRectF(start - half, middle - half, right - start + 2 * half, 2 * half), half, half)
        for tick in self._ticks:
            painter.fillRect(QRectF(self._x_of(tick) - 1, middle - _TICK_PX / 2, 2, _TICK_PX), QColor(colors.faint))
        painter.setPen(QPen(QColor(colors.text if self.hasFocus() else colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(QPointF(here, middle), _HANDLE_PX / 2, _HANDLE_PX / 2)
