# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Every state of the edit as a tree, a search among them, and a way back to each."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_history import LineView, StateView
from automod_studio.widgets.history_tile import TILE_WIDTH, caption_rect
from automod_studio.widgets.history_tree import HistoryTree
from automod_studio.widgets.labels import hint_label, icon_button

_MAX_NAME = 200
_SEARCH_WIDTH = 200


class HistoryPanel(QWidget):
    """A tree of states with the current one marked; a field and a switch to find some of them.

    Signals:
        jumped(int): go to the state of this id.
        named(int, str): give it this name; "" takes it away.
        starred(int, bool): mark it, or not.
        compared(int): compare the picture with it.
    """

    jumped = Signal(int)
    named = Signal(int, str)
    starred = Signal(int, bool)
    compared = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tree = HistoryTree()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search steps and names")
        self.search.setAccessibleName("Search the history")
        self.search.setToolTip("Show the states with these words only (Esc shows all)")
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(_SEARCH_WIDTH)
        self.marked_button = icon_button("star", "Show starred and named states only")
        self.marked_button.setCheckable(True)
        self.count = hint_label("")
        self._editor: _NameEditor | None = None
        self._lay_out()
        self.search.textChanged.connect(self._search)
        self.marked_button.toggled.connect(self._search)
        self.tree.jumped.connect(self.jumped)
        self.tree.starred.connect(self.starred)
        self.tree.compared.connect(self.compared)
        self.tree.naming.connect(self.start_naming)
        self.setFocusProxy(self.tree)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN, 0, MARGIN, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.search, 1)
        row.addWidget(self.marked_button)
        row.addStretch(0)
        row.addWidget(self.count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.tree, 1)

    # ---- what is shown ----

    def show_states(self, views: Iterable[StateView], line: LineView) -> None:
        """Show another history; nothing is emitted."""
        self.stop_naming()
        self.tree.show_states(views, line)
        self._show_count()

    def add_states(self, views: Iterable[StateView]) -> None:
        """Show states that were made; their parents are here."""
        self.tree.add_states(views)
        self._show_count()

    def update_state(self, view: StateView) -> None:
        """Show a state's other name, star, words or picture."""
        self.tree.update_state(view)
        self._show_count()

    def show_line(self, line: LineView) -> None:
        """Show where the person is in the tree."""
        self.tree.show_line(line)

    def _search(self) -> None:
        self.stop_naming()
        marked = self.marked_button.isChecked()
        self.marked_button.setIcon(icon("star-filled" if marked else "star"))
        self.tree.search(self.search.text(), marked)
        self._show_count()

    def _show_count(self) -> None:
        found, every = self.tree.found, len(self.tree)
        states = "1 state" if every == 1 else f"{every:,} states"
        self.count.setText(states if found is None else f"{len(found):,} of {states}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and (self.search.text() or self.marked_button.isChecked()):
            self.search.clear()
            self.marked_button.setChecked(False)
            self.tree.setFocus()
        else:
            super().keyPressEvent(event)

    # ---- names ----

    def start_naming(self, state_id: int) -> None:
        """Let the person type a name where the words of the state are; Enter or a click elsewhere takes it."""
        self.stop_naming()
        tile = self.tree.tile_rect(state_id)
        if tile.isEmpty():
            return
        editor = self._editor = _NameEditor(self.tree, self.tree.view_of(state_id))
        words = caption_rect(tile).toRect()
        words.setWidth(round(1.5 * TILE_WIDTH))
        words.setHeight(editor.sizeHint().height())
        room = self.tree.viewport().rect()
        words.moveRight(min(words.right(), room.right()))
        words.moveBottom(min(words.bottom(), room.bottom()))
        editor.setGeometry(words)
        editor.finished.connect(self._name)
        editor.show()
        editor.setFocus()

    def stop_naming(self) -> None:
        """Give up a name that is being typed."""
        if self._editor is not None:
            self._editor.close_with(None)

    def _name(self, state_id: int, name: str | None) -> None:
        self._editor = None
        if name is not None:
            self.named.emit(state_id, name)


class _NameEditor(QLineEdit):
    finished = Signal(int, object)  # the state, and its name as a str; None if it was given up

    def __init__(self, tree: HistoryTree, view: StateView) -> None:
        super().__init__(view.name, tree.viewport())
        self._tree, self._view, self._open = tree, view, True
        self.setMaxLength(_MAX_NAME)
        self.setPlaceholderText(view.text)
        self.setAccessibleName(f"Name of {view.text}")
        self.selectAll()

    def close_with(self, name: str | None) -> None:
        if self._open:
            self._open = False
            self.finished.emit(self._view.id, None if name is None or name.strip() == self._view.name else name)
            if self.hasFocus():
                self._tree.setFocus()
            self.hide()
            self.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.close_with(self.text())
        elif event.key() == Qt.Key.Key_Escape:
            self.close_with(None)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.close_with(self.text())
