# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The keyframes of the path side by side, with the seconds between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QLocale, QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QWidget

from automod_core.animation import MAX_SECONDS, MIN_SECONDS
from automod_studio.document.path_edits import USUAL_SECONDS
from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views_path import KeyframeView, PathView
from automod_studio.widgets.labels import hint_label
from automod_studio.widgets.path_tile import KeyframeTile

_MIN_EDGE, _MAX_EDGE = 56, 128
_BESIDE_PX = 46  # height that is no picture: name, ring, scroll bar, margins
_SECONDS_PX = 46

_TEACHING = (
    "A path goes from picture to picture. Add the picture as it is now, change the mix, and add it again.",
    "Now change the mix, or go to another state of the history, and add the next picture.",
)
_NONE = KeyframeView("", None, False)


class SecondsBox(QDoubleSpinBox):
    """How long the way from one keyframe to the next takes.

    Signals:
        edited(float): seconds that were typed or stepped to.
    """

    edited = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(MIN_SECONDS, MAX_SECONDS)
        self.setDecimals(2)
        self.setSingleStep(0.1)
        self.setLocale(QLocale.c())  # a point in every country, as on the command line
        self.setKeyboardTracking(False)
        self.setSuffix(" s")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(_SECONDS_PX, 22)
        self.lineEdit().installEventFilter(self)
        self.valueChanged.connect(self.edited)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonDblClick and watched is self.lineEdit():
            self.setValue(USUAL_SECONDS)
            return True
        return super().eventFilter(watched, event)

    def show_seconds(self, number: int, following: int, seconds: float) -> None:
        """Show the seconds from a keyframe to the following one without telling anyone."""
        blocked = self.blockSignals(True)
        self.setValue(seconds)
        self.blockSignals(blocked)
        self.setAccessibleName(f"Seconds from keyframe {number} to {following}")
        self.setToolTip(f"Seconds from {number} to {following} (type, arrows, wheel; double-click resets)")

    def textFromValue(self, value: float) -> str:
        return f"{value:g}"

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # the strip scrolls


class KeyframeStrip(QScrollArea):
    """Tiles of keyframes, seconds between them, and a button that adds the picture as it is now.

    Signals:
        chosen(int), removed(int), replaced(int): number of a keyframe, from 0.
        moved(int, int): a keyframe is to go to another place.
        seconds_edited(int, float): the way from this keyframe to the next is to take so long.
        add_wanted(): the picture as it is now is to be the next keyframe.
    """

    chosen = Signal(int)
    removed = Signal(int)
    replaced = Signal(int)
    moved = Signal(int, int)
    seconds_edited = Signal(int, float)
    add_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles: list[KeyframeTile] = []
        self.seconds: list[SecondsBox] = []
        self._count, self._edge = 0, 72
        self._count_shown = -1
        self.add_button = QPushButton(icon("plus"), "")
        self.add_button.setIconSize(QSize(20, 20))
        self.add_button.setAccessibleName("Add this picture")
        self.add_button.setToolTip("Add the picture as it is now (K)")
        self.add_button.clicked.connect(lambda: self.add_wanted.emit())
        self.teaching: QLabel = hint_label(_TEACHING[0], wrap=True)
        self._content = _Content()
        self._row = QHBoxLayout(self._content)
        self._row.setContentsMargins(MARGIN - 3, GRID, GRID, 0)
        self._row.setSpacing(GRID)
        self._row.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(self.teaching, 1, Qt.AlignmentFlag.AlignVCenter)
        self._row.addStretch(0)
        self.setWidget(self._content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Keyframes")
        self._set_edge(self._edge)

    def show_view(self, view: PathView) -> None:
        """Show the keyframes; nothing is emitted."""
        self._count = count = len(view.keyframes)
        focused = next((i for i, tile in enumerate(self.tiles) if tile.hasFocus()), None)
        while len(self.tiles) < count:
            self._add_tile()
        for number, tile in enumerate(self.tiles):
            keyframe = view.keyframes[number] if number < count else None
            if tile.view == keyframe and self._count_shown == count:
                continue  # as at nearly every move of a slider
            tile.setVisible(keyframe is not None)
            keyframe = keyframe or _NONE
            tile.show_view(number + 1, keyframe)
            self.seconds[number].setVisible(keyframe.seconds is not None)
            if keyframe.seconds is not None:
                self.seconds[number].show_seconds(number + 1, (number + 1) % count + 1, keyframe.seconds)
        if focused is not None and focused >= count:
            (self.tiles[count - 1] if count else self.add_button).setFocus()
        self._count_shown = count
        self.add_button.setEnabled(view.can_add)
        self.add_button.setText("" if count else " Add this picture")
        self._size_add_button()
        self.teaching.setVisible(count < 2)
        self.teaching.setText(_TEACHING[min(count, 1)])

    def show_pictures(self, pictures: Sequence[np.ndarray | None]) -> None:
        """Give the tiles their pictures, in order; None where it is not known yet."""
        for tile, picture in zip(self.tiles, pictures, strict=False):
            tile.show_picture(picture)

    def focus_tile(self, number: int) -> None:
        """Give the focus to a tile (clipped), and scroll to it."""
        if self._count:
            tile = self.tiles[min(max(number, 0), self._count - 1)]
            tile.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.ensureWidgetVisible(tile)

    def show_end(self) -> None:
        """Scroll to what was added last."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.add_button))  # once it has its place

    # ---- inside ----

    def _add_tile(self) -> None:
        number = len(self.tiles)
        tile, box = KeyframeTile(), SecondsBox()
        tile.set_edge(self._edge)
        tile.clicked.connect(lambda: self.chosen.emit(number))
        tile.removed.connect(lambda: self.removed.emit(number))
        tile.replaced.connect(lambda: self.replaced.emit(number))
        tile.moved.connect(lambda step: self._move(number, number + step))
        tile.stepped.connect(lambda step: self.focus_tile(number + step))
        tile.dragged.connect(lambda where: self._show_drop(number, where))
        tile.dropped.connect(lambda where: self._drop(number, where))
        box.edited.connect(lambda seconds: self.seconds_edited.emit(number, seconds))
        self.tiles.append(tile)
        self.seconds.append(box)
        place = self._row.indexOf(self.add_button)
        self._row.insertWidget(place, tile, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.insertWidget(place + 1, box, 0, Qt.AlignmentFlag.AlignVCenter)

    def _move(self, number: int, to: int) -> None:
        if 0 <= to < self._count and to != number:
            self.moved.emit(number, to)
            self.focus_tile(to)

    def _gap_at(self, where: QPoint) -> int:
        """Before which tile a pointer on the screen is: 0..count."""
        x = self._content.mapFromGlobal(where).x()
        return sum(1 for tile in self.tiles[: self._count] if x > tile.geometry().center().x())

    def _show_drop(self, _number: int, where: QPoint) -> None:
        gap = self._gap_at(where)
        if gap < self._count:
            self._content.mark = self.tiles[gap].geometry().left() - GRID
        else:
            self._content.mark = self.tiles[self._count - 1].geometry().right() + GRID
        self._content.update()
        x = self._content.mapFromGlobal(where).x()
        self.ensureVisible(x, 0, 2 * MARGIN, 0)

    def _drop(self, number: int, where: QPoint) -> None:
        gap = self._gap_at(where)
        self._content.mark = None
        self._content.update()
        self._move(number, gap - 1 if gap > number else gap)

    # ---- geometry ----

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        edge = min(max(self.height() - _BESIDE_PX, _MIN_EDGE), _MAX_EDGE)
        if edge != self._edge:
            self._set_edge(edge)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - turned)
        event.accept()

    def _set_edge(self, edge: int) -> None:
        self._edge = edge
        for tile in self.tiles:
            tile.set_edge(edge)
        self._size_add_button()

    def _size_add_button(self) -> None:
        first = not self._count
        self.add_button.setFixedSize(
            self.add_button.sizeHint().width() if first else self._edge * 2 // 5, self._edge + 6
        )


class _Content(QWidget):
    """Holds the tiles, and marks where one would be dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.mark: int | None = None

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.mark is not None:
            painter = QPainter(self)
            painter.fillRect(self.mark - 1, GRID, 3, self.height() - 2 * GRID, QColor(colors_of(self).accent))
