# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The edges of the table of mixes: small photos with their letters."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QHeaderView, QWidget

from automod_studio.theme import GRID, colors_of, on_color, small_font
from automod_studio.views_grid import CellsView, PartView
from automod_studio.widgets.images import to_pixmap

_MOST_PX, _LEAST_PX = 56, 24  # of a photo
_WORDS_PX = 20
_NO_CELLS = CellsView((), (), (), (), (), None)


class _PartHeader(QHeaderView):
    """Photos along one edge. They are not larger than the cells."""

    def __init__(self, orientation: Qt.Orientation, parent: QWidget) -> None:
        super().__init__(orientation, parent)
        self._view, self._edge = _NO_CELLS, _LEAST_PX
        self._pixmaps: dict[tuple[int, int], tuple[np.ndarray, QPixmap]] = {}  # (id, pixels) -> picture, pixmap
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumSectionSize(1)
        self.setSectionsClickable(False)
        self.setHighlightSections(False)
        self.setStyleSheet("QHeaderView { background: transparent; border: none; }")

    def show_view(self, view: CellsView) -> None:
        """Show what stands at the edge."""
        self._view = view
        self.set_edge(self._edge)
        self.viewport().update()

    def set_edge(self, edge: int) -> None:
        """Fit to cells of this size."""
        raise NotImplementedError

    def paint_part(self, painter: QPainter, part: PartView, corner: QPoint, edge: int) -> None:
        """Draw a photo and its letter; of the mix itself, only the letter."""
        rect = QRect(corner, QSize(edge, edge))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if part.picture is not None:
            painter.drawPixmap(rect, self._pixmap(part, part.picture, edge))
            badge = min(16, max(10, edge // 2))
            paint_badge(painter, QRect(rect.left(), rect.bottom() - badge + 1, badge, badge), part)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors_of(self).control))
            painter.drawRoundedRect(rect, 3, 3)
            painter.setPen(QColor(colors_of(self).text))
            font = small_font(self.font())
            painter.setFont(font)
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, "mix")

    def _pixmap(self, part: PartView, picture: np.ndarray, edge: int) -> QPixmap:
        key = part.id, edge
        kept = self._pixmaps.get(key)
        if kept is None or kept[0] is not picture:
            if len(self._pixmaps) > 256:
                self._pixmaps.clear()
            kept = self._pixmaps[key] = (picture, to_pixmap(picture, edge, self.devicePixelRatioF(), rounding=3))
        return kept[1]


class TopHeader(_PartHeader):
    """Photos, or words, above the columns."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName("Columns")

    def height_for(self, edge: int) -> int:
        """Pixels that it takes above cells of this size."""
        if any(self._view.top):
            return min(edge, _MOST_PX) + GRID + 2
        return _WORDS_PX if any(self._view.top_words) else GRID

    def set_edge(self, edge: int) -> None:
        self._edge = edge
        self.setFixedHeight(self.height_for(edge))

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        painter.save()
        parts, words = self._view.top[logical], self._view.top_words[logical]
        if parts:
            edge = min(self._edge, _MOST_PX)
            corner = QPoint(rect.left() + (self._edge - edge) // 2, rect.top() + 2)
            self.paint_part(painter, parts[0], corner, edge)
        elif words:
            painter.setFont(small_font(self.font()))
            painter.setPen(QColor(colors_of(self).muted))
            short = words.removeprefix("to ").removesuffix(" px") if self._edge < 56 else words
            painter.drawText(rect.adjusted(0, 0, -2, 0), Qt.AlignmentFlag.AlignCenter, short)
        painter.restore()


class LeftHeader(_PartHeader):
    """Photos at the left of the rows: one, or those of both ends."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setAccessibleName("Rows")

    def width_for(self, edge: int) -> int:
        """Pixels that it takes beside cells of this size."""
        most = max((len(parts) for parts in self._view.left), default=0)
        return most * (min(edge, _MOST_PX) + GRID) + GRID if most else GRID

    def set_edge(self, edge: int) -> None:
        self._edge = edge
        self.setFixedWidth(self.width_for(edge))

    def sizeHint(self) -> QSize:
        return QSize(self.width_for(self._edge), super().sizeHint().height())

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        painter.save()
        edge = min(self._edge, _MOST_PX)
        for number, part in enumerate(self._view.left[logical]):
            x = rect.left() + GRID // 2 + number * (edge + GRID)
            self.paint_part(painter, part, QPoint(x, rect.top() + (self._edge - edge) // 2), edge)
        painter.restore()


class CornerHeader(QWidget):
    """Where both edges meet: nothing, but in the colour of the panel, so that no photo shines through."""

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), QColor(colors_of(self).window))


def paint_badge(painter: QPainter, rect: QRect, part: PartView) -> None:
    """A letter on a disc in the colour of its photo."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(part.color))
    painter.drawEllipse(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5))
    font = QFont(painter.font())
    font.setPixelSize(max(7, round(rect.width() * 0.62)))
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(on_color(part.color))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, part.letter)
