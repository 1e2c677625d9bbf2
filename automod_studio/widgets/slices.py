"""Widgets that come and go in slices, so that mouse and keyboard never wait for a long row of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import shiboken6
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

_GONE_PER_TURN = 24  # widgets with what is in them


class Slices(QObject):
    """Makes what is missing, some of it at once and the rest a few pieces per turn of the event loop.

    What is discarded is hidden at once, and destroyed in such pieces too.
    """

    def __init__(self, at_once: int, per_turn: int, parent: QObject) -> None:
        """Nothing to do yet.

        Args:
            at_once: so many pieces, if there are no more, are made before `start` returns.
            per_turn: how many are made of more, and then in each turn of the event loop.
            parent: the owner.
        """
        super().__init__(parent)
        self._at_once, self._per_turn = at_once, per_turn
        self._planned: dict[Callable[[], bool], int] = {}  # who makes -> pieces left, in order
        self._gone: deque[QWidget] = deque()
        self._clock = QTimer(self)
        self._clock.setInterval(0)
        self._clock.timeout.connect(self._turn)

    def add(self, make_next: Callable[[], bool], pieces: int) -> None:
        """Plan work: `make_next` makes one of so many pieces, and returns False if there was none left to make."""
        self._planned[make_next] = pieces

    def drop(self, make_next: Callable[[], bool]) -> None:
        """Do not do what was planned, if it was."""
        self._planned.pop(make_next, None)

    def discard(self, widget: QWidget) -> None:
        """Take a widget away; what it would still say is not heard."""
        widget.blockSignals(True)
        widget.hide()
        self.destroy((widget,))

    def destroy(self, widgets: Iterable[QWidget]) -> None:
        """Let widgets cease to be, which nobody sees any more."""
        self._gone.extend(widgets)
        self._clock.start()

    def start(self) -> None:
        """Make all that was planned if it is little, else the first pieces of it."""
        self._make(self._at_once if sum(self._planned.values()) <= self._at_once else self._per_turn)
        if self._planned:
            self._clock.start()

    def _turn(self) -> None:
        self._make(self._per_turn)
        for _ in range(min(len(self._gone), _GONE_PER_TURN)):
            widget = self._gone.popleft()
            if shiboken6.isValid(widget):  # else it went with its parent
                widget.deleteLater()
        if not self._planned and not self._gone:
            self._clock.stop()

    def _make(self, pieces: int) -> None:
        while self._planned:
            make_next = next(iter(self._planned))
            if self._planned[make_next] < 1:
                del self._planned[make_next]
            elif not pieces:
                return
            else:
                pieces -= 1
                self._planned[make_next] = self._planned[make_next] - 1 if make_next() else 0
