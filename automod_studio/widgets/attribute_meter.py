# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A small bar that shows how far an attribute moved, as the model sees it in the picture."""

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.theme import colors_of

_BAR_PX = 4
#: A move of this part of the range in the data is one that people see; above, the bar warns.
NOTICEABLE = 0.15


class AttributeMeter(QWidget):
    """A bar from the middle to the left or the right; nothing moved, nothing shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part: float | None = None
        self._wanted = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_move(self, part: float | None, *, wanted: bool) -> None:
        """Show a move.

        Args:
            part: in parts of the range in the data, signed; None = not measured.
            wanted: the attribute is moved on purpose; else it moves along.
        """
        if (part, wanted) != (self.part, self._wanted):
            self.part, self._wanted = part, wanted
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(56, _BAR_PX + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.part is None:
            return
        colors, painter = colors_of(self), QPainter(self)
        middle, top = self.width() / 2, float(self.height() - _BAR_PX - 1)
        painter.fillRect(QRectF(0, top + _BAR_PX / 2 - 0.5, self.width(), 1), QColor(colors.control))
        length = max(-1.0, min(1.0, self.part)) * (middle - 1)
        color = colors.accent if self._wanted else colors.fair if abs(self.part) >= NOTICEABLE else colors.muted
        painter.fillRect(QRectF(min(middle, middle + length), top, abs(length), _BAR_PX), QColor(color))
        painter.fillRect(QRectF(middle - 0.5, top - 1, 1, _BAR_PX + 2), QColor(colors.faint))
