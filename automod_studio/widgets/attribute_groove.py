# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The track of an attribute: the range seen in the data, the picture's own value, and the value that is wanted."""

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

from automod_studio.theme import colors_of
from automod_studio.widgets.share_groove import TICKS, ShareGroove

_GROOVE_PX, _OWN_PX = 6, 2


class AttributeGroove(ShareGroove):
    """A ShareGroove over values from `bottom` to `top` instead of shares; its signals speak of shares still."""

    def __init__(self, parent: QWidget | None = None) -> None:
        colors = colors_of()
        super().__init__(colors.accent, colors.accent, parent)
        self._bottom, self._top = -1.0, 1.0
        self._low, self._high, self._own = -1.0, 1.0, 0.0

    def set_scale(self, bottom: float, top: float, low: float, high: float, own: float) -> None:
        """Say what the ends stand for, which values are usual, and which one the picture has by itself."""
        scale = (bottom, top, low, high, own)
        if scale != (self._bottom, self._top, self._low, self._high, self._own):
            self._bottom, self._top, self._low, self._high, self._own = scale
            self.update()

    def set_value(self, value: float) -> None:
        """Show a value without telling anyone."""
        self._first_color = self._last_color = colors_of(self).accent  # of the theme in use
        self.set_share(self.share_of(value))

    def share_of(self, value: float) -> float:
        """Where a value lies, 0 = left end, 1 = right end."""
        return (value - self._bottom) / max(self._top - self._bottom, 1e-9)

    def value_of(self, share: float) -> float:
        """The value at a place."""
        return self._bottom + share * (self._top - self._bottom)

    def sizeHint(self) -> QSize:
        return QSize(120, 20)

    def minimumSizeHint(self) -> QSize:
        return QSize(56, 20)

    def _paint_groove(self, painter: QPainter) -> None:
        colors = colors_of(self)
        half, middle = _GROOVE_PX / 2, self.height() / 2
        left, right = self._x_of(0), self._x_of(TICKS)
        painter.setBrush(QColor(colors.control))
        painter.drawRoundedRect(QRectF(left - 1, middle - 1.5, right - left + 2, 3), 1.5, 1.5)
        low, high = (self._x_of(TICKS * self.share_of(value)) for value in (self._low, self._high))
        painter.setBrush(QColor(colors.faint if colors.dark else colors.hairline).darker(100 if colors.dark else 112))
        painter.drawRoundedRect(QRectF(low - half, middle - half, high - low + _GROOVE_PX, _GROOVE_PX), half, half)
        own, now = self._x_of(TICKS * self.share_of(self._own)), self._x_of(self.value())
        painter.setBrush(QColor(colors.accent))
        painter.drawRect(QRectF(min(own, now), middle - half, abs(now - own), _GROOVE_PX))
        painter.setBrush(QColor(colors.text))
        painter.drawRoundedRect(QRectF(own - _OWN_PX / 2, middle - 7, _OWN_PX, 14), 1, 1)
