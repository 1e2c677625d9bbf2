# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Small pictures side by side, as many rows as they need: how training sees a collection."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from automod_studio.theme import GRID

EDGE_PX, _GAP_PX = 72, GRID


class CropStrip(QWidget):
    """Shows square pictures that come one by one; each tells its name under the pointer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures: list[tuple[str, QPixmap]] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._tell()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the pictures on show."""
        return tuple(name for name, _ in self._pictures)

    def add_file(self, file: Path, name: str) -> bool:
        """Show one more picture, a small file; False if it cannot be read."""
        image = QImage(str(file))
        if image.isNull():
            return False
        pixels = round(EDGE_PX * self.devicePixelRatioF())
        smooth = Qt.TransformationMode.SmoothTransformation
        pixmap = QPixmap.fromImage(image.scaled(pixels, pixels, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        self._pictures.append((name, pixmap))
        self._tell()
        return True

    def clear(self) -> None:
        """Show none."""
        self._pictures.clear()
        self._tell()

    def _tell(self) -> None:
        count = len(self._pictures)
        self.setAccessibleName(f"{count} pictures as training sees them")
        self.updateGeometry()
        self.update()

    def _per_row(self, width: int) -> int:
        return max(1, (width + _GAP_PX) // (EDGE_PX + _GAP_PX))

    def _place(self, number: int) -> QRect:
        row, column = divmod(number, self._per_row(self.width()))
        step = EDGE_PX + _GAP_PX
        return QRect(column * step, row * step, EDGE_PX, EDGE_PX)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        rows = -(-len(self._pictures) // self._per_row(width))
        return max(0, rows * (EDGE_PX + _GAP_PX) - _GAP_PX)

    def sizeHint(self) -> QSize:
        return QSize(8 * (EDGE_PX + _GAP_PX), self.heightForWidth(max(self.width(), EDGE_PX)))

    def minimumSizeHint(self) -> QSize:
        return QSize(EDGE_PX, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for number, (_, pixmap) in enumerate(self._pictures):
            place = self._place(number)
            if place.top() == 0 or place.bottom() < self.height():  # no row is cut in half
                painter.drawPixmap(place, pixmap)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._name_at(event.pos()), self)
            return True
        return super().event(event)

    def _name_at(self, point: QPoint) -> str:
        found = (name for number, (name, _) in enumerate(self._pictures) if self._place(number).contains(point))
        return next(found, "")
