# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A quiet fact in a corner: the device that runs, and the time of the last render."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.theme import GRID, colors_of, small_font

_DOT_PX = 6


class StatusBadge(QWidget):
    """A dot (filled with the accent while busy) and a short text, "CPU · 9 ms"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._busy, self._widest = "", False, 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_status(self, text: str, busy: bool = False, tooltip: str = "") -> None:
        """Show a text; the dot tells whether something is being done."""
        metrics = QFontMetrics(small_font(self.font()))
        if metrics.horizontalAdvance(text) > self._widest:  # never narrower: figures that change must not jump
            self._widest = metrics.horizontalAdvance(text)
            self.updateGeometry()
        self._text, self._busy = text, busy
        self.setAccessibleName(text)
        self.setToolTip(tooltip)
        self.update()

    def text(self) -> str:
        """The text that is shown."""
        return self._text

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(small_font(self.font()))
        return QSize(_DOT_PX + 2 * GRID + self._widest + 2 * GRID, metrics.height() + 2 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._text:
            return
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.accent if self._busy else colors.faint))
        left = self.width() - self._widest - 2 * GRID
        painter.drawEllipse(QPointF(left - GRID - _DOT_PX / 2, self.height() / 2), _DOT_PX / 2, _DOT_PX / 2)
        painter.setFont(small_font(self.font()))
        painter.setPen(QColor(colors.muted))
        painter.drawText(QRectF(left, 0, self._widest + GRID, self.height()), Qt.AlignmentFlag.AlignVCenter, self._text)
