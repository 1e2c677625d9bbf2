# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Says where a drop will go, while something is dragged over the window."""

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import MARGIN, colors_of

_ICON_PX = 40


class DropOverlay(QWidget):
    """Covers its parent, lets every event through, and is hidden until show_target."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = ""
        self._covered = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        parent.installEventFilter(self)
        self.hide()

    def show_target(self, text: str) -> None:
        """Say what a drop would do ("Add 2 photos", "Replace B: ben.png")."""
        self._text = text
        self.setAccessibleName(text)
        self.setGeometry(self._covered.rect())
        self.raise_()
        self.show()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self._covered:
            self.setGeometry(self._covered.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(colors.window)
        veil.setAlpha(200)
        painter.fillRect(self.rect(), veil)
        pen = QPen(QColor(colors.accent), 2, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN), 12, 12)
        self._paint_label(painter)

    def _paint_label(self, painter: QPainter) -> None:
        colors = colors_of(self)
        font = painter.font()
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        centre = QRectF(self.rect()).center()
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        room = QRectF(0, 0, min(360.0, self.width() - 8.0 * MARGIN), 200)
        text = painter.boundingRect(room, flags, self._text)
        box = QRectF(0, 0, max(240.0, text.width() + 4 * MARGIN), text.height() + _ICON_PX + 4 * MARGIN)
        box.moveCenter(centre)
        painter.setPen(QPen(QColor(colors.hairline), 1))
        painter.setBrush(QColor(colors.window))
        painter.drawRoundedRect(box, 12, 12)
        sign = icon_pixmap("add-photos", QColor(colors.accent), _ICON_PX, self.devicePixelRatioF())
        painter.drawPixmap(round(centre.x() - _ICON_PX / 2), round(box.top() + MARGIN), sign)
        painter.setPen(QColor(colors.text))
        label = box.adjusted(2 * MARGIN, _ICON_PX + MARGIN, -2 * MARGIN, -MARGIN)
        painter.drawText(label, flags, self._text)
