"""Undo commands: each swaps one Document for another."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from PySide6.QtGui import QUndoCommand

from automod_studio.document.model import Document

#: Nudges of the same control that follow one another within this time are one step.
MERGE_WITHIN_S = 0.8
_MERGEABLE = 1  # QUndoCommand.id() of all swaps: mergeWith decides by key and time


class SwapDocument(QUndoCommand):
    """Puts `after` in the place of `before`, and back.

    `key` names the control that was moved; None for edits that always are a step of their own.
    """

    def __init__(
        self,
        text: str,
        before: Document,
        after: Document,
        put: Callable[[Document], None],
        key: Hashable | None = None,
        merge_within_s: float = MERGE_WITHIN_S,
    ) -> None:
        super().__init__(text)
        self._before, self._after, self._put = before, after, put
        self._key, self._time, self._merge_within_s = key, time.monotonic(), merge_within_s

    def redo(self) -> None:
        """Show the document after the edit."""
        self._put(self._after)

    def undo(self) -> None:
        """Show the document before the edit."""
        self._put(self._before)

    def id(self) -> int:
        """Qt asks mergeWith only for commands of the same id; -1 means never."""
        return -1 if self._key is None else _MERGEABLE

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        """Take in a later nudge of the same control."""
        if not isinstance(other, SwapDocument) or other._key != self._key:
            return False
        if other._time - self._time > other._merge_within_s:
            return False
        self._after, self._time = other._after, other._time
        self.setText(other.text())
        return True
