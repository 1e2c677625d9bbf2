# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The table of mixes: cells that fill in as they come, to look at, to walk through, and to adopt."""

from __future__ import annotations

import math
import time

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QFrame, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from automod_studio.theme import GRID, colors_of
from automod_studio.views_grid import CellsView
from automod_studio.widgets.grid_headers import CornerHeader, LeftHeader, TopHeader, paint_badge
from automod_studio.widgets.images import to_pixmap, to_qimage

MIN_EDGE, MAX_EDGE = 24, 512  # of a cell, in device-independent pixels
_FIT_EDGE = MIN_EDGE  # cells are not made smaller by themselves
_GAP = 2
_WHEEL_STEP = 1.2
_ROUNDING = 3
_SCALING_S = 0.015  # of one painting; all the cells of a large grid take longer
_NO_CELLS = CellsView((), (), (), (), (), None)

_Index = QModelIndex | QPersistentModelIndex
_Cell = tuple[int, int]


class GridTable(QTableView):
    """Shows a CellsView and pictures. Arrows walk, Enter or a click adopts, the wheel zooms, 0 fits.

    Signals:
        adopted(int, int): make this cell the picture (row, column).
        looked_at(int, int): the pointer or the keyboard is on this cell.
        looked_away(): on none any more.
        zoomed(): the size of the cells was changed by hand, or set back to fit.
    """

    adopted = Signal(int, int)
    looked_at = Signal(int, int)
    looked_away = Signal()
    zoomed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _CellModel(self)
        self._fits, self._edge = True, _FIT_EDGE
        self._looked_at: _Cell | None = None
        self._dragged_from: QPoint | None = None
        self.setModel(self._model)
        self.setItemDelegate(_CellPainter(self))
        self.left_header, self.top_header = LeftHeader(self), TopHeader(self)
        self.setVerticalHeader(self.left_header)
        self.setHorizontalHeader(self.top_header)
        self.corner = CornerHeader(self)
        self._set_up()
        self.entered.connect(lambda index: self._look_at((index.row(), index.column())))
        self.clicked.connect(lambda index: self.adopted.emit(index.row(), index.column()))

    def _set_up(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QTableView { border: none; background: transparent; }")
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Grid of mixes")

    # ---- what is shown ----

    def show_view(self, view: CellsView) -> None:
        """Show another table; pictures stay where its shape is the same. Nothing is emitted."""
        same_shape = view.shape == self._model.view.shape
        current = self.currentIndex()
        place = (current.row(), current.column())
        self._model.show_view(view)
        for header in (self.left_header, self.top_header):
            header.show_view(view)
        if not same_shape:
            self._looked_at = None
            place = (min(max(place[0], 0), view.shape[0] - 1), min(max(place[1], 0), view.shape[1] - 1))
            self._resize_cells()
        if not self.currentIndex().isValid() and all(view.shape):
            self.setCurrentIndex(self._model.index(*place))
        self.viewport().update()

    def set_picture(self, row: int, column: int, picture: np.ndarray | None, *, stale: bool = False) -> None:
        """Show a picture (S, S, 3) uint8 in a cell; a stale one is pale, until its successor comes."""
        self._model.set_picture((row, column), picture, stale=stale)

    def picture(self, row: int, column: int) -> np.ndarray | None:
        """The picture of a cell, if it is there."""
        return self._model.pictures.get((row, column))

    def is_stale(self, row: int, column: int) -> bool:
        """Whether a cell shows what it was before."""
        return (row, column) in self._model.stale

    # ---- size ----

    @property
    def edge(self) -> int:
        """Pixels per side of a cell."""
        return self._edge

    @property
    def fits(self) -> bool:
        """Whether the cells follow the size of the panel."""
        return self._fits

    def zoom_to_fit(self) -> None:
        """Make the cells as large as there is room for, and keep doing so."""
        self._fits = True
        self._resize_cells()
        self.zoomed.emit()

    def set_edge(self, edge: float, anchor: QPoint | None = None) -> None:
        """Make the cells this large; what lies under `anchor`, a point of the viewport, stays there."""
        before, anchor = self._edge, anchor or self.viewport().rect().center()
        over = [bar.value() for bar in (self.horizontalScrollBar(), self.verticalScrollBar())]
        self._fits = False
        self._apply_edge(round(min(max(edge, MIN_EDGE), MAX_EDGE)))
        for bar, value, at in zip(
            (self.horizontalScrollBar(), self.verticalScrollBar()), over, (anchor.x(), anchor.y()), strict=True
        ):
            bar.setValue(round((value + at) * (self._edge + _GAP) / (before + _GAP) - at))
        self.zoomed.emit()

    def _resize_cells(self) -> None:
        if not self._fits:
            self._apply_edge(self._edge)
            return
        rows, columns = self._model.view.shape
        if not rows or not columns:
            return
        edge = self._edge
        for _ in range(2):  # the headers depend on the cells, and the other way round
            width = self.width() - self.left_header.width_for(edge)
            height = self.height() - self.top_header.height_for(edge)
            edge = min(width // columns, height // rows) - _GAP
            edge = min(max(edge, _FIT_EDGE), MAX_EDGE)
        self._apply_edge(edge)

    def _apply_edge(self, edge: int) -> None:
        self._edge = edge
        self.left_header.set_edge(edge)
        self.top_header.set_edge(edge)
        for header in (self.left_header, self.top_header):
            header.setDefaultSectionSize(edge + _GAP)
        step = max(20, (edge + _GAP) // 2)
        self.horizontalScrollBar().setSingleStep(step)
        self.verticalScrollBar().setSingleStep(step)
        self.viewport().update()

    # ---- looking ----

    def _look_at(self, cell: _Cell | None) -> None:
        if cell == self._looked_at:
            return
        self._looked_at = cell
        if cell is None:
            self.looked_away.emit()
        else:
            self.looked_at.emit(*cell)

    @property
    def cell_looked_at(self) -> _Cell | None:
        """Where the pointer or the keyboard is."""
        return self._looked_at

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        super().currentChanged(current, previous)
        if self.hasFocus() and current.isValid():
            self._look_at((current.row(), current.column()))

    # ---- events ----

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own_key(event):
            event.accept()  # keys of the canvas, which the table has a use for while it has the focus
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, current = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and current.isValid():
            self.adopted.emit(current.row(), current.column())
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_edge(self._edge * _WHEEL_STEP)
        elif key == Qt.Key.Key_Minus:
            self.set_edge(self._edge / _WHEEL_STEP)
        elif key == Qt.Key.Key_0:
            self.zoom_to_fit()
        elif key == Qt.Key.Key_Escape and self._looked_at is not None:
            self._look_at(None)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel zooms; with Shift, or sideways, it scrolls."""
        notches = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or not notches:
            super().wheelEvent(event)
            return
        self.set_edge(self._edge * math.pow(_WHEEL_STEP, notches), event.position().toPoint())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._dragged_from = event.position().toPoint()
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is not None:
            here = event.position().toPoint()
            moved, self._dragged_from = here - self._dragged_from, here
            self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - moved.x())
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() - moved.y())
            return
        super().mouseMoveEvent(event)
        if not self.indexAt(event.position().toPoint()).isValid():
            self._look_at(None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = None
        super().mouseReleaseEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._model.begin_painting()
        super().paintEvent(event)
        if self._model.is_late:
            QTimer.singleShot(0, self.viewport(), self.viewport().update)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._look_at(None)
        return super().viewportEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        current = self.currentIndex()
        if current.isValid():
            self._look_at((current.row(), current.column()))
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._look_at(None)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fits:
            self._resize_cells()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look_at(None)

    def updateGeometries(self) -> None:
        super().updateGeometries()
        left, top = self.verticalHeader().width(), self.horizontalHeader().height()
        self.corner.setGeometry(0, 0, left, top)


def _is_own_key(event: QKeyEvent) -> bool:
    plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
    own = (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus, Qt.Key.Key_0)
    return event.key() in own and (plain or event.modifiers() == Qt.KeyboardModifier.ShiftModifier)


class _CellModel(QAbstractTableModel):
    """Names and pictures of the cells."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.view = _NO_CELLS
        self.pictures: dict[_Cell, np.ndarray] = {}
        self.stale: set[_Cell] = set()
        self._scaled: dict[_Cell, tuple[int, QPixmap]] = {}
        self._until_s = 0.0  # when enough time of this painting went into scaling
        self.is_late = False  # some pictures were painted as they were, not scaled

    def begin_painting(self) -> None:
        """Scale pictures for a short while only; the others follow with the next painting."""
        self._until_s, self.is_late = time.monotonic() + _SCALING_S, False

    def show_view(self, view: CellsView) -> None:
        if view.shape != self.view.shape:
            self.beginResetModel()
            self.view = view
            self.pictures.clear()
            self.stale.clear()
            self._scaled.clear()
            self.endResetModel()
        else:
            self.view = view

    def set_picture(self, cell: _Cell, picture: np.ndarray | None, *, stale: bool) -> None:
        known = self.pictures.get(cell)
        (self.stale.add if stale else self.stale.discard)(cell)
        if picture is None:
            self.pictures.pop(cell, None)
        else:
            self.pictures[cell] = picture
        if known is not picture:
            self._scaled.pop(cell, None)
        index = self.index(*cell)
        self.dataChanged.emit(index, index)

    def pixmap(self, cell: _Cell, edge: int, scale: float) -> QPixmap | None:
        """The picture of a cell at its size on the screen, or for the moment at the size that it had before."""
        picture, pixels = self.pictures.get(cell), max(1, round(edge * scale))
        if picture is None:
            return None
        kept = self._scaled.get(cell)
        if kept is None or kept[0] != pixels:
            if time.monotonic() > self._until_s:
                self.is_late = True
                return kept[1] if kept is not None else None
            kept = self._scaled[cell] = (pixels, _scaled(picture, edge, scale))
        return kept[1]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else self.view.shape[0]

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else self.view.shape[1]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        name = self.view.name(index.row(), index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{name[0].upper()}{name[1:]} (Enter adopts)"
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{name}, the picture now" if self.view.current == (index.row(), index.column()) else name
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        if orientation == Qt.Orientation.Horizontal:
            parts, words = self.view.top[section], self.view.top_words[section]
        else:
            parts, words = self.view.left[section], ""
        return words or ", then ".join(f"{part.letter} {part.name}" for part in parts)


class _CellPainter(QStyledItemDelegate):
    """A picture with round corners; a ring for the picture that is now, and one for the keyboard."""

    def __init__(self, table: GridTable) -> None:
        super().__init__(table)
        self._table = table

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        edge = self._table.edge + _GAP
        return QSize(edge, edge)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        table, model = self._table, self._table._model
        cell, colors = (index.row(), index.column()), colors_of(table)
        edge = table.edge
        corner = option.rect.topLeft()
        rect = QRect(corner, QSize(edge, edge))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pixmap = model.pixmap(cell, edge, table.devicePixelRatioF())
        if pixmap is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(rect, _ROUNDING, _ROUNDING)
        else:
            painter.setOpacity(0.55 if cell in model.stale else 1.0)
            painter.drawPixmap(rect, pixmap)
            painter.setOpacity(1.0)
        self._paint_corner(painter, rect, cell)
        if model.view.current == cell:
            _ring(painter, rect, QColor(colors.accent), 3)
        if table.hasFocus() and index == table.currentIndex():
            _ring(painter, rect, QColor(colors.text), 1.5)
        elif table.cell_looked_at == cell:
            _ring(painter, rect, QColor(colors.muted), 1.5)
        painter.restore()

    def _paint_corner(self, painter: QPainter, rect: QRect, cell: _Cell) -> None:
        view = self._table._model.view
        if not view.corners:
            return
        row, column = cell
        if row in (0, view.shape[0] - 1) and column in (0, view.shape[1] - 1):
            part = view.corners[2 * (row > 0) + (column > 0)]
            edge = min(18, max(12, rect.width() // 3))
            paint_badge(painter, QRect(rect.left() + GRID // 2, rect.top() + GRID // 2, edge, edge), part)


def _ring(painter: QPainter, rect: QRect, color: QColor, width: float) -> None:
    inset = width / 2
    painter.setPen(QPen(color, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(rect).adjusted(inset, inset, -inset, -inset), _ROUNDING, _ROUNDING)


def _scaled(picture: np.ndarray, edge: int, scale: float) -> QPixmap:
    """A picture as a pixmap of so many device-independent pixels; shrunk by Qt, which takes a tenth of the time."""
    pixels = max(1, round(edge * scale))
    if len(picture) < pixels:
        return to_pixmap(picture, edge, scale)
    mode = Qt.TransformationMode.SmoothTransformation
    image = to_qimage(picture).scaled(pixels, pixels, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
    pixmap = QPixmap.fromImage(image)
    pixmap.setDevicePixelRatio(scale)
    return pixmap
