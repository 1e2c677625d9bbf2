# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""How faithful a reconstruction is: four dots and a number."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, colors_of, small_font

_DOTS, _DOT_PX, _STEP_PX, _SIGN_PX = 4, 7, 10, 14
_WORDS = {"good": "a good likeness", "fair": "a fair likeness", "poor": "a poor likeness"}


def filled_dots(fidelity: float, level: str) -> int:
    """How many of the four dots are filled, so that levels can be told apart without their colours."""
    if level == "good":
        return 4 if fidelity >= 0.93 else 3
    return {"fair": 2, "poor": 1}.get(level, 0)


class FidelityDots(QWidget):
    """Filled and hollow dots in the colour of the level, the number, and a warning sign when it is poor."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fidelity: float | None = None
        self._level = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_fidelity(self, fidelity: float | None, level: str) -> None:
        """Show a fidelity (0..1; None is unknown) and its level ("good", "fair", "poor" or "")."""
        self._fidelity, self._level = fidelity, level
        if fidelity is None:
            text = "Likeness not known yet"
        else:
            text = f"Likeness {fidelity:.2f} of 1: {_WORDS.get(level, 'not rated')}"
        self.setAccessibleName(text)
        self.setToolTip(f"{text}\nHow closely the model can redraw this photo" if fidelity is not None else "")
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(small_font(self.font()))
        width = _DOTS * _STEP_PX + GRID + metrics.horizontalAdvance("0.00") + GRID + _SIGN_PX
        return QSize(width, max(_SIGN_PX, metrics.height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._fidelity is None:
            return
        colors = colors_of(self)
        ink = {"good": colors.good, "fair": colors.fair, "poor": colors.poor}.get(self._level, colors.muted)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(ink), 1.2))
        middle = self.height() / 2
        for dot in range(_DOTS):
            full = dot < filled_dots(self._fidelity, self._level)
            painter.setBrush(QColor(ink) if full else Qt.BrushStyle.NoBrush)
            radius = _DOT_PX / 2 - 0.6
            painter.drawEllipse(QPointF(_DOT_PX / 2 + dot * _STEP_PX, middle), radius, radius)
        painter.setFont(small_font(self.font()))
        painter.setPen(QColor(colors.text))
        left = _DOTS * _STEP_PX + GRID
        room = QRectF(left, 0, self.width() - left, self.height())
        text = f"{self._fidelity:.2f}"
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        if self._level == "poor":
            left += painter.fontMetrics().horizontalAdvance(text) + GRID
            sign = icon_pixmap("warning", QColor(ink), _SIGN_PX, self.devicePixelRatioF())
            painter.drawPixmap(QPointF(left, middle - _SIGN_PX / 2), sign)
