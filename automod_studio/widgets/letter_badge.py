# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The round letter that a source wears wherever it appears."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.theme import on_color


class LetterBadge(QWidget):
    """A letter on a disc in the source's colour."""

    def __init__(self, letter: str, color: str, name: str = "", edge: int = 20, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._letter, self._color, self._edge = letter, color, edge
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.show_source(letter, color, name)

    def show_source(self, letter: str, color: str, name: str) -> None:
        """Wear another letter, colour and tooltip."""
        self._letter, self._color = letter, color
        self.setToolTip(f"{letter}: {name}" if name else letter)
        self.setAccessibleName(f"Photo {letter}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._edge, self._edge)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._color))
        if not self.isEnabled():
            painter.setOpacity(0.4)
        painter.drawEllipse(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        font = QFont(self.font())
        font.setPixelSize(round(self._edge * 0.58))
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(on_color(self._color))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._letter)
