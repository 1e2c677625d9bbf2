# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A photo beside what the model makes of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from automod_core.later import numpy as np
from automod_studio.theme import colors_of
from automod_studio.widgets.images import to_pixmap

_GAP, _ROUND = 2, 4


class PicturePair(QWidget):
    """Two square pictures that touch: left the photo, right its reconstruction (or "…" until there is one).

    What is not on its way has no second square: of a saved mix there is only what the model makes.
    """

    def __init__(self, edge: int = 64, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edge = edge
        self._pictures: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
        self._pixmaps: dict[int, QPixmap] = {}
        self._busy = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_pictures(self, photo: np.ndarray | None, reconstruction: np.ndarray | None, busy: bool) -> None:
        """Show (H, W, 3) uint8 pictures; None is an empty square."""
        if photo is not self._pictures[0] or reconstruction is not self._pictures[1]:
            self._pictures, self._pixmaps = (photo, reconstruction), {}
        self._busy = busy
        self.updateGeometry()
        self.setAccessibleName("Photo and reconstruction" if self._is_pair() else "Reconstruction")
        self.update()

    def set_edge(self, edge: int) -> None:
        """Show them at this size."""
        if edge != self._edge:
            self._edge, self._pixmaps = edge, {}
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(2 * self._edge + _GAP if self._is_pair() else self._edge, self._edge)

    def _is_pair(self) -> bool:
        return self._busy or self._pictures[1] is not None or self._pictures[0] is None

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), _ROUND, _ROUND)
        painter.setClipPath(outline)
        for side, picture in enumerate(self._pictures[: 2 if self._is_pair() else 1]):
            square = self._square(side)
            if picture is None:
                painter.fillRect(square, QColor(colors.control))
                painter.setPen(QColor(colors.muted))
                painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "…" if self._busy else "")
                continue
            painter.drawPixmap(square.topLeft(), self._pixmap(side, picture))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            left = self._square(0).contains(event.pos())
            photo = left and self._is_pair()
            QToolTip.showText(event.globalPos(), "The photo" if photo else "What the model makes of it", self)
            return True
        return super().event(event)

    def _square(self, side: int) -> QRect:
        return QRect(QPoint(side * (self._edge + _GAP), 0), QSize(self._edge, self._edge))

    def _pixmap(self, side: int, picture: np.ndarray) -> QPixmap:
        scale = self.devicePixelRatioF()
        pixmap = self._pixmaps.get(side)
        if pixmap is None or pixmap.devicePixelRatio() != scale:
            pixmap = self._pixmaps[side] = to_pixmap(picture, self._edge, scale)
        return pixmap
