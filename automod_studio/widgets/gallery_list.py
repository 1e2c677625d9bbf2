# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The gallery of children: pictures that fill in as they come, to look at, to pin, and to adopt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, colors_of
from automod_studio.views_gallery import FAIRLY_SURE, SURE, ChildView
from automod_studio.widgets.images import to_pixmap

MIN_EDGE, MAX_EDGE = 44, 160  # of a picture, in device-independent pixels
_GAP, _BAR_PX, _ROUNDING, _PIN_PX = 6, 3, 4, 18
_HELP = "Click adopts it · P pins it"

_Index = QModelIndex | QPersistentModelIndex
Key = tuple[str, int]


class GalleryList(QListView):
    """Shows ChildViews. A click or Enter adopts; P, or the corner of a picture, pins.

    Signals:
        adopted(object): make this child the picture; its key.
        pin_toggled(object): keep it, or let it go; its key.
        children_wanted(object): adopt it, and draw children of it; its key.
        looked_at(object): the pointer or the keyboard is on this child; its key.
        looked_away(): on none any more.
    """

    adopted = Signal(object)
    pin_toggled = Signal(object)
    children_wanted = Signal(object)
    looked_at = Signal(object)
    looked_away = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edge = MIN_EDGE
        self._model = _Children(self)
        self._looked_at: Key | None = None
        self.setModel(self._model)
        self.setItemDelegate(_ChildPainter(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QListView { border: none; background: transparent; }")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Variations")
        self.entered.connect(lambda index: self._look_at(self._model.items[index.row()].key))

    def show_children(self, children: Sequence[ChildView]) -> None:
        """Show these pictures; nothing is emitted."""
        current = self.current_key()
        if not self._model.show_children(tuple(children)):
            return  # as at a move of a slider
        self._fit()
        keys = [child.key for child in children]
        if current in keys:
            self.setCurrentIndex(self._model.index(keys.index(current)))
        if self._looked_at is not None and self._looked_at not in keys:
            self._look_away()

    def current_key(self) -> Key | None:
        """The child that the keyboard is on."""
        row = self.currentIndex().row()
        return self._model.items[row].key if 0 <= row < len(self._model.items) else None

    def rect_of(self, row: int) -> QRect:
        """Where the picture of a child is, in the viewport."""
        corner = self.visualRect(self._model.index(row)).topLeft()
        return QRect(corner + QPoint(_GAP // 2, _GAP // 2), QSize(self.edge, self.edge))

    def pin_rect(self, picture: QRect) -> QRect:
        """The corner of a picture that pins it."""
        return QRect(picture.right() - _PIN_PX - 1, picture.top() + 2, _PIN_PX, _PIN_PX)

    # ---- size ----

    def _fit(self) -> None:
        """The largest pictures with which all are in sight, within bounds."""
        room = self.maximumViewportSize()
        width, height = room.width() - self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent), room.height()
        count = max(1, len(self._model.items))
        fitting = (edge for edge in range(MAX_EDGE, MIN_EDGE, -2) if _room(width, height, edge) >= count)
        edge = next(fitting, MIN_EDGE)
        if edge != self.edge or self.gridSize().isEmpty():
            self.edge = edge
            self.setGridSize(QSize(edge + _GAP, edge + _GAP + _BAR_PX + 2))
            self._model.pixmaps.clear()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    # ---- events ----

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()  # P plays the path elsewhere
            return True
        return super().event(event)

    def _takes(self, event: QKeyEvent) -> bool:
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        return plain and event.key() == Qt.Key.Key_P and self.current_key() is not None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = self.current_key()
        if key is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.adopted.emit(key)
        elif key is not None and event.key() == Qt.Key.Key_P:
            self.pin_toggled.emit(key)
        elif event.key() == Qt.Key.Key_Escape and self._looked_at is not None:
            self._look_away()
        else:
            super().keyPressEvent(event)
            if (moved := self.current_key()) is not None and moved != key:
                self._look_at(moved)

    def keyboardSearch(self, search: str) -> None:
        """Letters are shortcuts here."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            super().mousePressEvent(event)
            return
        super().mousePressEvent(event)
        key = self._model.items[index.row()].key
        if self.pin_rect(self.rect_of(index.row())).contains(event.position().toPoint()):
            self.pin_toggled.emit(key)
        else:
            self.adopted.emit(key)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        point = event.pos()
        index = self.indexAt(point) if event.reason() == QContextMenuEvent.Reason.Mouse else self.currentIndex()
        if not index.isValid():
            return
        child = self._model.items[index.row()]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Adopt").triggered.connect(lambda: self.adopted.emit(child.key))
        menu.addAction("Children of this one").triggered.connect(lambda: self.children_wanted.emit(child.key))
        menu.addAction("Unpin" if child.pinned else "Pin").triggered.connect(lambda: self.pin_toggled.emit(child.key))
        menu.popup(event.globalPos())

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._look_away()
        return super().viewportEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._look_away()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look_away()

    def _look_at(self, key: Key) -> None:
        self._looked_at = key
        self.looked_at.emit(key)

    def _look_away(self) -> None:
        if self._looked_at is not None:
            self._looked_at = None
            self.looked_away.emit()


def _room(width: int, height: int, edge: int) -> int:
    """How many pictures of this edge are in sight at once."""
    columns = max(1, (width - 2) // (edge + _GAP))
    return columns * math.floor(height / (edge + _GAP + _BAR_PX + 2))


class _Children(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.items: tuple[ChildView, ...] = ()
        self.pixmaps: dict[tuple[int, int], tuple[object, QPixmap]] = {}  # id of a picture, edge -> it, and scaled

    def show_children(self, children: tuple[ChildView, ...]) -> bool:
        """Tell whether they are others than before, or look otherwise."""
        if list(map(_look, children)) == list(map(_look, self.items)):
            return False
        same = [child.key for child in children] == [child.key for child in self.items]
        if not same:
            self.beginResetModel()
        self.items = children
        if not same:
            self.endResetModel()
        elif children:
            self.dataChanged.emit(self.index(0), self.index(len(children) - 1))
        shown = {id(child.picture) for child in children}
        self.pixmaps = {key: kept for key, kept in self.pixmaps.items() if key[0] in shown}
        return True

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        child = self.items[index.row()]
        sure = child.words if child.confidence is None else f"{child.words}, {child.confidence:.2f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{child.name} · {sure}\n{_HELP}"
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.DisplayRole):
            return f"{child.name}, {sure}" + (", pinned" if child.pinned else "") + (", shown" if child.current else "")
        return None

    def pixmap(self, child: ChildView, edge: int, scale: float) -> QPixmap | None:
        if child.picture is None:
            return None
        key = id(child.picture), edge
        if key not in self.pixmaps:
            self.pixmaps[key] = child.picture, to_pixmap(child.picture, edge, scale, _ROUNDING)
        return self.pixmaps[key][1]


class _ChildPainter(QStyledItemDelegate):
    """A picture, a bar as long as the model is sure, and a pin."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        edge = self._list().edge
        return QSize(edge + _GAP, edge + _GAP + _BAR_PX + 2)

    def _list(self) -> GalleryList:
        parent = self.parent()
        assert isinstance(parent, GalleryList)
        return parent

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        view, colors = self._list(), colors_of()
        child = view._model.items[index.row()]
        rect = QRect(option.rect.topLeft() + QPoint(_GAP // 2, _GAP // 2), QSize(view.edge, view.edge))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pixmap = view._model.pixmap(child, view.edge, view.devicePixelRatioF())
        painter.setPen(Qt.PenStyle.NoPen)
        if pixmap is None:
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(rect, _ROUNDING, _ROUNDING)
        else:
            painter.setOpacity(0.35 if child.stale else 1.0)
            painter.drawPixmap(rect, pixmap)
            painter.setOpacity(1.0)
        _paint_bar(painter, rect, child.confidence)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if child.pinned or hovered:
            _paint_pin(painter, view.pin_rect(rect), filled=child.pinned)
        focused = view.hasFocus() and view.currentIndex() == index
        if child.current or focused:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(
                QPen(QColor(colors.accent), 2, Qt.PenStyle.SolidLine if child.current else Qt.PenStyle.DotLine)
            )
            painter.drawRoundedRect(QRectF(rect).adjusted(-1, -1, 1, 1), _ROUNDING, _ROUNDING)
        painter.restore()


def _paint_bar(painter: QPainter, picture: QRect, confidence: float | None) -> None:
    colors = colors_of()
    bar = QRectF(picture.left(), picture.bottom() + GRID, picture.width(), _BAR_PX)
    painter.setBrush(QColor(colors.control))
    painter.drawRoundedRect(bar, 1.5, 1.5)
    if confidence is None:
        return
    ink = colors.good if confidence >= SURE else colors.fair if confidence >= FAIRLY_SURE else colors.poor
    painter.setBrush(QColor(ink))
    painter.drawRoundedRect(QRectF(bar.topLeft(), QSize(round(bar.width() * max(confidence, 0.04)), _BAR_PX)), 1.5, 1.5)


def _paint_pin(painter: QPainter, rect: QRect, *, filled: bool) -> None:
    colors = colors_of()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colors.accent if filled else colors.window))
    painter.drawEllipse(rect)
    ink = QColor(colors.on_accent if filled else colors.text)
    edge = rect.width() - 6
    painter.drawPixmap(rect.adjusted(3, 3, -3, -3), icon_pixmap("pin", ink, edge, 2.0))


def _look(child: ChildView) -> tuple[object, ...]:
    """All that is seen of a child; equal for those that look the same."""
    return child.key, child.name, id(child.picture), child.confidence, child.current, child.stale
