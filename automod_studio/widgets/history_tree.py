# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The states of a history as a tree that grows to the right, or those that were searched for, row by row."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QMenu, QToolTip, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views_history import LineView, Place, StateView, TreeLayout, matches, time_text
from automod_studio.widgets.history_tile import (
    PICTURE,
    TILE_HEIGHT,
    TILE_WIDTH,
    Look,
    Thumbnails,
    paint_tile,
    picture_rect,
)

_EDGE = 4  # around all tiles
_OWN_KEYS = {
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End,
    Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2, Qt.Key.Key_S, Qt.Key.Key_C,
}  # fmt: skip


class HistoryTree(QAbstractScrollArea):
    """Paints only what is in sight, so that thousands of states cost what dozens do.

    Keys: arrows walk along the tree, Home and End go to its start and to the current state, Enter goes to a state,
    F2 names it, S stars it, C compares with it.

    Signals:
        jumped(int): go to the state of this id.
        naming(int): the person wants to name it.
        starred(int, bool): mark it, or not.
        compared(int): compare the picture with it.
    """

    jumped = Signal(int)
    naming = Signal(int)
    starred = Signal(int, bool)
    compared = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: dict[int, StateView] = {}
        self._children: dict[int, list[int]] = {}
        self._layout = TreeLayout()
        self._line = LineView()
        self._words, self._marked_only = "", False
        self._found: list[int] | None = None  # ids of what was searched for; None: the whole tree
        self._cursor, self._hovered = 0, 0
        self.thumbnails = Thumbnails()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.horizontalScrollBar().setSingleStep(TILE_WIDTH // 2)
        self.verticalScrollBar().setSingleStep(TILE_HEIGHT // 2)
        self.setAccessibleName("History")

    # ---- what is shown ----

    def show_states(self, views: Iterable[StateView], line: LineView) -> None:
        """Show another history."""
        self._views, self._children, self._layout = {}, {}, TreeLayout()
        self.thumbnails.forget()
        self._cursor = self._hovered = 0
        self._line = LineView()
        for view in views:
            self._put(view)
        self._search_again()
        self.show_line(line)

    def add_states(self, views: Iterable[StateView]) -> None:
        """Show states that were made; their parents are here."""
        for view in views:
            self._put(view)
            if self._found is not None and matches(view, self._words, self._marked_only):
                self._found.append(view.id)
        self._fit_bars()
        self.viewport().update()

    def update_state(self, view: StateView) -> None:
        """Show a state's other name, star, words or picture."""
        before = self._views[view.id]
        self._views[view.id] = view
        if self._found is not None and (before.title, before.text, before.starred) != (
            view.title,
            view.text,
            view.starred,
        ):
            self._search_again()
        if view.id == self._cursor:
            self._describe()
        self.viewport().update(self.tile_rect(view.id).toAlignedRect() if self._found is None else QRect())

    def show_line(self, line: LineView) -> None:
        """Show where the person is in the tree."""
        moved = line.current != self._line.current
        self._line = line
        if moved:
            self._set_cursor(line.current)
        self.viewport().update()

    def search(self, words: str, marked_only: bool) -> None:
        """Show the states with these words, or those that are starred or named; "" and False show the whole tree."""
        if (words, marked_only) != (self._words, self._marked_only):
            self._words, self._marked_only = words, marked_only
            self._search_again()
            self._keep_in_sight(self._cursor)

    @property
    def found(self) -> Sequence[int] | None:
        """Ids of the states that were searched for; None while all are shown."""
        return self._found

    @property
    def cursor_id(self) -> int:
        """Id of the state at which the keyboard is; 0 if there is none."""
        return self._cursor

    def view_of(self, state_id: int) -> StateView:
        """What is shown of a state. KeyError if there is none."""
        return self._views[state_id]

    def __len__(self) -> int:
        return len(self._views)

    def _put(self, view: StateView) -> None:
        self._views[view.id] = view
        self._children.setdefault(view.parent, []).append(view.id)
        self._layout.add(view.id, view.parent)

    def _search_again(self) -> None:
        searching = bool(self._words.strip()) or self._marked_only
        every = self._views.values()
        self._found = [v.id for v in every if matches(v, self._words, self._marked_only)] if searching else None
        self._fit_bars()
        self.viewport().update()

    # ---- geometry: a column of places is a step of the tree, or a column of what was found ----

    def tile_rect(self, state_id: int) -> QRectF:
        """Where a state is painted, in the viewport; empty if it was not found."""
        if self._found is None:
            place = self._layout.place_of(state_id)
        elif state_id in self._found:
            index = self._found.index(state_id)
            place = Place(index % self._columns(), index // self._columns())
        else:
            return QRectF()
        return self._rect_at(place.depth, place.lane)

    def state_at(self, point: QPoint) -> int:
        """The state at a point of the viewport; 0 if there is none."""
        column = (point.x() + self.horizontalScrollBar().value() - _EDGE) // TILE_WIDTH
        row = (point.y() + self.verticalScrollBar().value() - _EDGE) // TILE_HEIGHT
        return self._id_at(column, row)

    def _rect_at(self, column: int, row: int) -> QRectF:
        left = _EDGE + column * TILE_WIDTH - self.horizontalScrollBar().value()
        top = _EDGE + row * TILE_HEIGHT - self.verticalScrollBar().value()
        return QRectF(left, top, TILE_WIDTH, TILE_HEIGHT)

    def _id_at(self, column: int, row: int) -> int:
        if column < 0 or row < 0:
            return 0
        if self._found is None:
            return self._layout.at(column, row)
        index = row * self._columns() + column
        return self._found[index] if column < self._columns() and index < len(self._found) else 0

    def _columns(self) -> int:
        return max(1, (self.viewport().width() - 2 * _EDGE) // TILE_WIDTH)

    def _fit_bars(self) -> None:
        if self._found is None:
            columns, rows = self._layout.depths, self._layout.lanes
        else:
            columns, rows = 1, -(-len(self._found) // self._columns())
        for bar, size, room in (
            (self.horizontalScrollBar(), columns * TILE_WIDTH, self.viewport().width()),
            (self.verticalScrollBar(), rows * TILE_HEIGHT, self.viewport().height()),
        ):
            bar.setPageStep(room)
            bar.setRange(0, max(0, size + 2 * _EDGE - room))

    def _keep_in_sight(self, state_id: int) -> None:
        if state_id not in self._views:
            return
        tile = self.tile_rect(state_id)
        if tile.isEmpty():
            return
        before = TILE_WIDTH if self._found is None else 0  # some of what led here, too
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() + _shift(tile.left() - before, tile.right() + before / 2, across.pageStep()))
        down.setValue(down.value() + _shift(tile.top() - _EDGE, tile.bottom(), down.pageStep()))

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        dirty = event.rect()
        if self._found is None:
            self._paint_lines(painter, dirty)
        for state_id, tile in self._tiles_in(dirty):
            view = self._views[state_id]
            look = Look(
                current=state_id == self._line.current,
                away=state_id not in self._line.done and (self._found is None or state_id not in self._line.ahead),
                hovered=state_id == self._hovered,
                focused=state_id == self._cursor and self.hasFocus(),
            )
            paint_tile(painter, tile, view, self.thumbnails.pixmap(view), look)
        hint = self._hint()
        if hint:
            left = _EDGE + TILE_WIDTH + MARGIN if self._found is None else MARGIN
            room = QRectF(self.viewport().rect()).adjusted(left, 0, -MARGIN, 0)
            painter.setPen(QColor(colors_of(self).muted))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), hint)

    def _hint(self) -> str:
        if self._found is None:
            every = "Every step comes here. Go back to any of them; going on from there keeps the others."
            return every if len(self) == 1 else ""
        if self._found:
            return ""
        if self._words.strip():
            return f"Nothing here is called “{self._words.strip()}”."
        return "Nothing is starred or named yet: S stars a state, F2 names it, and the right button offers both."

    def _columns_and_rows(self, dirty: QRect) -> tuple[range, range]:
        left = dirty.left() + self.horizontalScrollBar().value() - _EDGE
        top = dirty.top() + self.verticalScrollBar().value() - _EDGE
        most_columns, most_rows = self._layout.depths, self._layout.lanes
        if self._found is not None:
            most_columns = self._columns()
            most_rows = -(-len(self._found) // most_columns)
        columns = range(max(0, left // TILE_WIDTH), min(most_columns, (left + dirty.width()) // TILE_WIDTH + 1))
        rows = range(max(0, top // TILE_HEIGHT), min(most_rows, (top + dirty.height()) // TILE_HEIGHT + 1))
        return columns, rows

    def _tiles_in(self, dirty: QRect) -> Iterator[tuple[int, QRectF]]:
        columns, rows = self._columns_and_rows(dirty)
        for row in rows:
            for column in columns:
                state_id = self._id_at(column, row)
                if state_id:
                    yield state_id, self._rect_at(column, row)

    def _paint_lines(self, painter: QPainter, dirty: QRect) -> None:
        """The lines between states; those that undo and redo follow lie over the others."""
        columns, rows = self._columns_and_rows(dirty.adjusted(0, 0, TILE_WIDTH, 0))
        colors = colors_of(self)
        strokes: dict[str, list[tuple[QPointF, QPointF]]] = {colors.faint: [], colors.muted: [], colors.accent: []}
        for column in columns:
            for first, last in self._layout.branches(column):
                if first < rows.stop and last >= rows.start:
                    trunk = self._trunk_x(column, first)
                    ends = self._middle_y(first), self._middle_y(last)
                    strokes[colors.faint].append((QPointF(trunk, ends[0]), QPointF(trunk, ends[1])))
            for row in rows:
                self._add_strokes(strokes, column, row)
        for color, lines in strokes.items():
            painter.setPen(QPen(QColor(color), 1.5))
            for start, end in lines:
                painter.drawLine(start, end)

    def _add_strokes(self, strokes: dict[str, list[tuple[QPointF, QPointF]]], column: int, row: int) -> None:
        state_id = self._layout.at(column, row)
        view = self._views.get(state_id)
        if view is None or not view.parent:
            return
        colors = colors_of(self)
        done, ahead = state_id in self._line.done, state_id in self._line.ahead
        lines = strokes[colors.accent if done else colors.muted if ahead else colors.faint]
        parent = self._layout.place_of(view.parent)
        start = picture_rect(self._rect_at(parent.depth, parent.lane)).right() + 1
        end = picture_rect(self._rect_at(column, row)).left() - 1
        here, before = self._middle_y(row), self._middle_y(parent.lane)
        if row == parent.lane:
            lines.append((QPointF(start, here), QPointF(end, here)))
            return
        trunk = self._trunk_x(column, parent.lane)
        lines.append((QPointF(start, before), QPointF(trunk, before)))
        lines.append((QPointF(trunk, before), QPointF(trunk, here)))
        lines.append((QPointF(trunk, here), QPointF(end, here)))

    def _trunk_x(self, column: int, lane: int) -> float:
        """Where branches of a lane go down before a column: beside those of its neighbours."""
        return self._rect_at(column, 0).left() + (lane % 3 - 1) * 6

    def _middle_y(self, row: int) -> float:
        return picture_rect(self._rect_at(0, row)).center().y()

    # ---- walking ----

    def _set_cursor(self, state_id: int) -> None:
        if state_id in self._views:
            self._cursor = state_id
            self._keep_in_sight(state_id)
            self._describe()
            self.viewport().update()

    def _describe(self) -> None:
        """Tell screen readers where the keyboard is."""
        view = self._views.get(self._cursor)
        if view is None:
            return
        parts = [view.title, view.text if view.name else "", "starred" if view.starred else ""]
        if self._cursor == self._line.current:
            parts.append("current")
        if len(self._children.get(self._cursor, ())) > 1:
            parts.append("branches here")
        self.setAccessibleDescription(", ".join(part for part in parts if part))

    def _next(self, key: int) -> int:
        """The state to which a key leads from the cursor."""
        if self._found is not None:
            return self._next_found(key)
        view = self._views.get(self._cursor)
        if view is None or key == Qt.Key.Key_End:
            return self._line.current
        if key == Qt.Key.Key_Home:
            return self._layout.at(0, 0)
        if key == Qt.Key.Key_Left:
            return view.parent or self._cursor
        if key == Qt.Key.Key_Right:
            children = self._children.get(self._cursor, [self._cursor])
            line = self._line.done | self._line.ahead
            return next((child for child in children if child in line), children[0])
        return self._layout.beside(self._cursor, -1 if key == Qt.Key.Key_Up else 1)

    def _next_found(self, key: int) -> int:
        found = self._found or []
        if not found:
            return self._cursor
        if self._cursor not in found:
            return found[0]
        last, columns = len(found) - 1, self._columns()
        index = found.index(self._cursor)
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -columns, Qt.Key.Key_Down: columns}
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        wanted = ends.get(Qt.Key(key), index + steps.get(Qt.Key(key), 0))
        return found[wanted] if 0 <= wanted <= last else self._cursor

    def _ask_jump(self, state_id: int) -> None:
        if state_id in self._views and state_id != self._line.current:
            self.jumped.emit(state_id)

    # ---- events ----

    def event(self, event: QEvent) -> bool:
        overrides = event.type() == QEvent.Type.ShortcutOverride
        if overrides and isinstance(event, QKeyEvent) and _is_own(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, view = event.key(), self._views.get(self._cursor)
        if view is None or not _is_own(event):
            event.ignore()  # the area itself would scroll
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._ask_jump(self._cursor)
        elif key == Qt.Key.Key_F2:
            self.naming.emit(self._cursor)
        elif key == Qt.Key.Key_S:
            self.starred.emit(self._cursor, not view.starred)
        elif key == Qt.Key.Key_C:
            self.compared.emit(self._cursor)
        else:
            self._set_cursor(self._next(key))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        state_id = self.state_at(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and state_id:
            self._set_cursor(state_id)
            self._ask_jump(state_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)  # a second step is a second click

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.state_at(event.position().toPoint()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._hover(0)
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            state_id = self.state_at(event.pos())
            if state_id:
                QToolTip.showText(event.globalPos(), self._tooltip(self._views[state_id]), self.viewport())
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def _hover(self, state_id: int) -> None:
        if state_id != self._hovered:
            self._hovered = state_id
            shape = Qt.CursorShape.PointingHandCursor if state_id else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
            self.viewport().update()

    def _tooltip(self, view: StateView) -> str:
        lines = [view.name, view.text] if view.name else [view.text]
        lines.append(time_text(view.time_s, time.time()))
        now = view.id == self._line.current
        lines.append("This is what you see now." if now else "Click to go there; C compares with it.")
        return "\n".join(lines)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        state_id = self._cursor if by_key else self.state_at(event.pos())
        if state_id not in self._views:
            return
        self._set_cursor(state_id)
        tile = self.tile_rect(state_id).toRect()
        self.menu_of(state_id).popup(self.viewport().mapToGlobal(tile.center()) if by_key else event.globalPos())

    def menu_of(self, state_id: int) -> QMenu:
        """What can be done with a state."""
        view, current = self._views[state_id], state_id == self._line.current
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        go = menu.addAction("&Go here\tEnter")
        go.setEnabled(not current)
        go.triggered.connect(lambda: self.jumped.emit(state_id))
        menu.addAction(icon("side-by-side"), "&Compare with this\tC").triggered.connect(
            lambda: self.compared.emit(state_id)
        )
        menu.addSeparator()
        menu.addAction("Re&name…\tF2" if view.name else "&Name…\tF2").triggered.connect(
            lambda: self.naming.emit(state_id)
        )
        star = menu.addAction(icon("star"), "Take &star away\tS" if view.starred else "&Star\tS")
        star.triggered.connect(lambda: self.starred.emit(state_id, not view.starred))
        return menu

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The tree grows to the right, so that is where the wheel goes; with Shift, and in a list, up and down."""
        turned, down = event.angleDelta(), self._found is not None
        down = down or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        bar = self.verticalScrollBar() if down else self.horizontalScrollBar()
        amount = turned.y() or turned.x()
        bar.setValue(bar.value() - round(amount / 120 * bar.singleStep() * 2))
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_bars()
        self._keep_in_sight(self._cursor)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(6 * TILE_WIDTH, 2 * TILE_HEIGHT + 2 * _EDGE)

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * TILE_WIDTH, PICTURE + 6 * GRID)


def _is_own(event: QKeyEvent) -> bool:
    return event.key() in _OWN_KEYS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier


def _shift(start: float, end: float, room: int) -> int:
    """How far to scroll so that start..end is within 0..room; its start if it does not fit."""
    if start < 0 or end - start > room:
        return int(start)
    return int(max(0.0, end - room))
