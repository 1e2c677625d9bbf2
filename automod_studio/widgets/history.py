# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Every step of the edit, and a way back to each."""

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views import HistoryView

_ROW_PX, _DOT_X = 26, 18
_Index = QModelIndex | QPersistentModelIndex


class HistoryPanel(QWidget):
    """A list of steps with the current one marked; those that were undone are pale.

    Signals:
        jumped(int): go to this entry (a click, or Enter).
    """

    jumped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps = _Steps(self)
        self.list = _StepList()
        self.list.setModel(self.steps)
        self.list.setItemDelegate(_StepPainter(self.list))
        self.list.clicked.connect(lambda index: self._ask(index.row()))
        self.list.entered_row.connect(self._ask)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list)
        self.show_view(HistoryView((), 0))

    def show_view(self, view: HistoryView) -> None:
        """Show the steps; nothing is emitted."""
        self.steps.show_view(view)
        if view.entries:
            index = self.steps.index(view.current)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def _ask(self, row: int) -> None:
        if row != self.steps.view.current:
            self.jumped.emit(row)


class _Steps(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.view = HistoryView((), 0)

    def show_view(self, view: HistoryView) -> None:
        self.beginResetModel()
        self.view = view
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.view.entries)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        text = self.view.entries[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{text}, current" if index.row() == self.view.current else text
        return None


class _StepList(QListView):
    entered_row = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QListView { border: none; background: transparent; }")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("History")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.entered_row.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)


class _StepPainter(QStyledItemDelegate):
    """A thread of dots with a text beside each."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(120, _ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        assert isinstance(model, _Steps)
        view, row = model.view, index.row()
        colors = colors_of()
        rect, state = QRectF(option.rect), option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_MouseOver or row == view.current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(rect.adjusted(GRID, 1, -GRID, -1), GRID, GRID)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(colors.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(GRID, 1, -GRID, -1), GRID, GRID)
        _paint_dot(painter, rect, view, row)
        painter.setPen(QColor(colors.text if row <= view.current else colors.faint))
        room = rect.adjusted(_DOT_X + MARGIN, 0, -MARGIN, 0)
        text = option.fontMetrics.elidedText(view.entries[row], Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()


def _paint_dot(painter: QPainter, rect: QRectF, view: HistoryView, row: int) -> None:
    colors = colors_of()
    centre = QPointF(rect.left() + _DOT_X + 0.5, rect.center().y())
    painter.setPen(QPen(QColor(colors.faint), 1))
    if row:
        painter.drawLine(QPointF(centre.x(), rect.top()), QPointF(centre.x(), centre.y() - 6))
    if row < len(view.entries) - 1:
        painter.drawLine(QPointF(centre.x(), centre.y() + 6), QPointF(centre.x(), rect.bottom()))
    current = row == view.current
    painter.setPen(QPen(QColor(colors.accent if current else colors.faint), 1.5))
    painter.setBrush(QColor(colors.accent) if current else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(centre, 4 if current else 3, 4 if current else 3)
