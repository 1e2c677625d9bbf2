"""Runs that wait for their turn, with their positions; hidden while there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.hairline import Hairline
from automod_studio.widgets.labels import ElidedLabel, hint_label, icon_button, link_button, title_label

_MOST_PX = 168  # in height: about four rows


@dataclass(frozen=True, slots=True)
class QueuedView:
    """A run that waits.

    Attributes:
        id: its name in the queue.
        name: for people.
        note: why it could not be started, or that it is starting; "" while it just waits.
        movable: whether it can be moved, taken out or started.
    """

    id: str
    name: str
    note: str = ""
    movable: bool = True


class QueueList(QWidget):
    """One row for each run that waits.

    Signals:
        remove_wanted(str): take this entry out.
        move_wanted(str, int): let it come earlier (-1) or later (+1).
        start_wanted(str): start it now, whatever else goes on.
    """

    remove_wanted = Signal(str)
    move_wanted = Signal(str, int)
    start_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: tuple[QueuedView, ...] = ()
        self.rows: list[QWidget] = []
        self.title = title_label("")
        self.reason = hint_label("", wrap=True)
        self._inner = QWidget()
        self._rows = QVBoxLayout(self._inner)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(GRID)
        self._rows.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self._inner)
        scroll.setMaximumHeight(_MOST_PX)
        self._scroll = scroll
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 0, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(Hairline())
        column.addSpacing(GRID)
        column.addWidget(self.title)
        column.addWidget(self.reason)
        column.addWidget(scroll)
        self.hide()

    def show_queue(self, views: Sequence[QueuedView], reason: str) -> None:
        """Show these, the next one first.

        Args:
            views: what waits.
            reason: why the next one does not start yet; "" if it just has its turn.
        """
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.setVisible(bool(views))
        if tuple(views) == self._views:
            return
        self._views = tuple(views)
        self.title.setText(f"Waiting · {len(views)}")
        for row in self.rows:
            self._rows.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = [self._make_row(place, view, len(views)) for place, view in enumerate(views)]
        for place, row in enumerate(self.rows):
            self._rows.insertWidget(place, row)
            row.show()  # now: a row that Qt shows a little later would not count in the height
        height = self._inner.sizeHint().height()
        self._scroll.setFixedHeight(min(height, _MOST_PX))

    def _make_row(self, place: int, view: QueuedView, count: int) -> QWidget:
        row = QWidget()
        line = QHBoxLayout()
        line.setSpacing(0)
        name = ElidedLabel(f"{place + 1}. {view.name}")
        name.setToolTip(view.name)
        line.addWidget(name, 1)
        up = icon_button("chevron-up", f"Let {view.name} come earlier", 24)
        down = icon_button("chevron-down", f"Let {view.name} come later", 24)
        remove = icon_button("close", f"Take {view.name} out of the queue", 24)
        up.setEnabled(view.movable and place > 0)
        down.setEnabled(view.movable and place < count - 1)
        remove.setEnabled(view.movable)
        up.clicked.connect(partial(self.move_wanted.emit, view.id, -1))
        down.clicked.connect(partial(self.move_wanted.emit, view.id, 1))
        remove.clicked.connect(partial(self.remove_wanted.emit, view.id))
        for button in (up, down, remove):
            line.addWidget(button)
        column = QVBoxLayout(row)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        if view.note:
            column.addWidget(hint_label(view.note, wrap=True))
        if view.movable and (place == 0 or view.note):
            start = link_button("Start now")
            start.setToolTip(f"Start {view.name} without waiting for its turn")
            start.clicked.connect(partial(self.start_wanted.emit, view.id))
            line.insertWidget(1, start)
        return row
