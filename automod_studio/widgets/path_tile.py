# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One keyframe of the path: its picture, number and name, and what can be done with it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QWidget

from automod_studio.theme import GRID, colors_of, small_font
from automod_studio.views_path import KeyframeView
from automod_studio.widgets.images import to_pixmap
from automod_studio.widgets.labels import icon_button

_RING_PX, _NAME_PX, _BUTTON_PX = 3, 18, 20
_KEYS = {
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Delete, Qt.Key.Key_Backspace,
    Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_R,
}  # fmt: skip


class KeyframeTile(QAbstractButton):
    """A picture to click, to drag and to walk to with the arrows.

    Signals:
        removed, replaced: it is to go, or to be the picture as it is now.
        moved(int): it is to go so many places to the right.
        stepped(int): the focus is to go so many places to the right; large numbers mean the ends.
        dragged(QPoint), dropped(QPoint): where the pointer is, on the screen.
    """

    removed = Signal()
    replaced = Signal()
    moved = Signal(int)
    stepped = Signal(int)
    dragged = Signal(QPoint)
    dropped = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = KeyframeView("", None, False)
        self._number, self._edge = 1, 72
        self._picture: np.ndarray | None = None
        self._pixmap: QPixmap | None = None
        self._pressed_at: QPoint | None = None
        self._dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.remove_button = icon_button("close", "Remove this keyframe (Del)", _BUTTON_PX)
        self.replace_button = icon_button("replace", "Put the picture as it is now in its place (R)", _BUTTON_PX)
        for button in (self.remove_button, self.replace_button):
            button.setParent(self)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setStyleSheet("QToolButton { background: palette(window); border-radius: 4px; }")
            button.hide()
        self.remove_button.clicked.connect(self.removed)
        self.replace_button.clicked.connect(self.replaced)
        self.set_edge(self._edge)

    def show_view(self, number: int, view: KeyframeView) -> None:
        """Show a keyframe, the first being number 1; nothing is emitted."""
        self._number, self.view = number, view
        current = ", the picture as it is now" if view.current else ""
        self.setAccessibleName(f"Keyframe {number}: {view.name}{current}")
        self.setToolTip(
            f"{number}: {view.name}\nClick to go there · drag or Ctrl+arrows move it · R replaces it · Del removes it"
        )
        self.replace_button.setEnabled(not view.current)
        self.update()

    def show_picture(self, picture: np.ndarray | None) -> None:
        """Show its picture (S, S, 3) uint8, or that there is none yet."""
        if picture is not self._picture:
            self._picture, self._pixmap = picture, None
            self.update()

    def set_edge(self, edge: int) -> None:
        """Choose the edge of the picture, in pixels."""
        self._edge, self._pixmap = edge, None
        self.setFixedSize(self.sizeHint())
        self.remove_button.move(_RING_PX + edge - _BUTTON_PX, _RING_PX)
        self.replace_button.move(_RING_PX, _RING_PX)

    def sizeHint(self) -> QSize:
        return QSize(self._edge + 2 * _RING_PX, self._edge + 2 * _RING_PX + _NAME_PX)

    # ---- gestures ----

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at, self._dragging = event.position().toPoint(), False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        start = self._pressed_at
        if start is None:
            super().mouseMoveEvent(event)
            return
        far = (event.position().toPoint() - start).manhattanLength() >= QApplication.startDragDistance()
        self._dragging = self._dragging or far
        if self._dragging:
            self.setDown(False)
            self.dragged.emit(event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        dragging, self._dragging, self._pressed_at = self._dragging, False, None
        if dragging:
            self.setDown(False)
            self.dropped.emit(event.globalPosition().toPoint())
        else:
            super().mouseReleaseEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addAction("Go there").triggered.connect(self.click)
        replace = menu.addAction("Replace with this picture")
        replace.triggered.connect(self.replaced)
        replace.setEnabled(not self.view.current)
        menu.addSeparator()
        menu.addAction("Move left").triggered.connect(lambda: self.moved.emit(-1))
        menu.addAction("Move right").triggered.connect(lambda: self.moved.emit(1))
        menu.addSeparator()
        menu.addAction("Remove").triggered.connect(self.removed)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in _KEYS:
            event.accept()  # Del would take a photo out of the mix
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = -1 if key == Qt.Key.Key_Left else 1
            (self.moved if control else self.stepped).emit(step)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.stepped.emit(-10_000 if key == Qt.Key.Key_Home else 10_000)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif key == Qt.Key.Key_R and not self.view.current:
            self.replaced.emit()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._show_buttons(True)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._show_buttons(False)
        super().leaveEvent(event)

    def _show_buttons(self, on: bool) -> None:
        self.remove_button.setVisible(on)
        self.replace_button.setVisible(on)

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRect(_RING_PX, _RING_PX, self._edge, self._edge)
        if self._picture is not None:
            if self._pixmap is None:
                self._pixmap = to_pixmap(self._picture, self._edge, self.devicePixelRatioF(), GRID)
            painter.setOpacity(0.5 if self._dragging else 1.0)
            painter.drawPixmap(place, self._pixmap)
            painter.setOpacity(1.0)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.control))
            painter.drawRoundedRect(place, GRID, GRID)
        if self.hasFocus() or self.view.current:
            painter.setPen(QPen(QColor(colors.accent if self.hasFocus() else colors.muted), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(place).adjusted(-2, -2, 2, 2), GRID + 1, GRID + 1)
        self._paint_name(painter)

    def _paint_name(self, painter: QPainter) -> None:
        colors = colors_of(self)
        painter.setFont(small_font(self.font()))
        painter.setPen(QColor(colors.text if self.view.current else colors.muted))
        room = QRect(_RING_PX, self.height() - _NAME_PX, self._edge, _NAME_PX)
        words = f"{self._number}  {self.view.name}"
        shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
