# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Choosing the photos of a grid: a button with a menu in which several are ticked, and a box for one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

from automod_studio.views_grid import PartView
from automod_studio.widgets.grid_headers import paint_badge

_BADGE_PX = 16

_PartKey = tuple[int, str, str, str]  # what a menu shows of a part


class PartsButton(QPushButton):
    """Which photos are rows, or columns: "3 rows". The menu stays open while photos are ticked.

    Signals:
        toggled_part(int): a photo is to be one of them, or no longer; its id.
        all_wanted(): back to all photos.
    """

    toggled_part = Signal(int)
    all_wanted = Signal()

    def __init__(self, title: str, tip: str, parent: QWidget | None = None) -> None:
        """`title` such as "rows"; `tip` says what they give."""
        super().__init__(parent)
        self._title = title
        self._parts: tuple[_PartKey, ...] = ()
        self._chosen: frozenset[int] = frozenset()
        self.stay_open_menu = _StayOpenMenu(self)
        self.stay_open_menu.setToolTipsVisible(True)
        self.setMenu(self.stay_open_menu)
        self.setToolTip(tip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QPushButton { padding: 4px 8px 4px 6px; text-align: left; }")

    def show_parts(self, parts: Sequence[PartView], chosen: Sequence[int]) -> None:
        """Show which are chosen; nothing is emitted."""
        if (keys := _keys(parts)) != self._parts:
            self._parts = keys
            self._fill(parts)
        self._chosen = frozenset(chosen)
        for action in self.stay_open_menu.actions():
            if action.isCheckable():
                action.setChecked(action.data() in self._chosen)
        count = len(self._chosen)
        self.setText(f"{count} {self._title if count != 1 else self._title.removesuffix('s')}")
        names = [part.name for part in parts if part.id in self._chosen]
        self.setAccessibleName(f"{self._title.capitalize()}: {', '.join(names)}")

    def _fill(self, parts: Sequence[PartView]) -> None:
        menu = self.stay_open_menu
        menu.clear()
        for part in parts:
            letter = f"{part.letter}   " if part.picture is not None else ""
            action = QAction(f"{letter}{part.name}".replace("&", "&&"), menu)
            action.setCheckable(True)
            action.setData(part.id)
            action.triggered.connect(lambda _on, part_id=part.id: self.toggled_part.emit(part_id))
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction("All photos").triggered.connect(lambda: self.all_wanted.emit())


class PartBox(QComboBox):
    """Which photo a corner is.

    Signals:
        chosen(int): the id of the photo.
    """

    chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """`name` such as "Upper left corner"."""
        super().__init__(parent)
        self._parts: tuple[_PartKey, ...] = ()
        self._name = name
        self.setAccessibleName(name)
        self.setIconSize(QSize(_BADGE_PX, _BADGE_PX))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QComboBox { padding: 4px 4px; } QComboBox::drop-down { width: 14px; }")
        self.setMinimumWidth(40)
        self.activated.connect(lambda index: self.chosen.emit(self.itemData(index)))

    def show_parts(self, parts: Sequence[PartView], chosen: int) -> None:
        """Show which is chosen; nothing is emitted."""
        if (keys := _keys(parts)) != self._parts:
            self._parts = keys
            self.clear()
            for part in parts:
                self.addItem(badge_icon(part), part.name, part.id)
        self.setCurrentIndex(self.findData(chosen))
        name = next((part.name for part in parts if part.id == chosen), "")
        self.setAccessibleName(f"{self._name}: {name}")
        self.setToolTip(f"{self._name}: {name}")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Only the letter: there is no room for the name, which the list and the tooltip tell."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = ""
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def showPopup(self) -> None:
        """The list is as wide as its names, whatever the width of the box."""
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 2 * _BADGE_PX)
        super().showPopup()


class _StayOpenMenu(QMenu):
    """A tick does not close it."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._tick():
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ticks = event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if not (ticks and self._tick()):
            super().keyPressEvent(event)

    def _tick(self) -> bool:
        action = self.activeAction()
        if action is None or not action.isCheckable() or not action.isEnabled():
            return False
        action.trigger()
        return True


def _keys(parts: Sequence[PartView]) -> tuple[_PartKey, ...]:
    return tuple((part.id, part.letter, part.name, part.color) for part in parts)


def badge_icon(part: PartView) -> QIcon:
    """The letter of a photo on a disc in its colour."""
    scale = 2  # sharp on screens of twice the density too
    pixmap = QPixmap(_BADGE_PX * scale, _BADGE_PX * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_badge(painter, QRect(0, 0, _BADGE_PX, _BADGE_PX), part)
    painter.end()
    return QIcon(pixmap)
