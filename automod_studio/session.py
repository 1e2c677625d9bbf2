"""The boundary between the document and the window: a QObject that holds the current Document and its history."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from PySide6.QtCore import QObject, Signal

from automod_studio.document.history import History, State
from automod_studio.document.model import Document

#: Nudges of the same control that follow one another within this time are one step.
MERGE_WITHIN_S = 0.8


class Session(QObject):
    """The one owner of the current Document.

    Signals:
        changed: the document is another one, also in mid-drag.
        history_changed: steps were made, undone, redone or forgotten.
        state_changed(int): a state of the history got another name, star, thumbnail or document; its id.
        clean_changed: the document became, or ceased to be, the one that was saved.
    """

    changed = Signal()
    history_changed = Signal()
    state_changed = Signal(int)
    clean_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.history = History(Document())
        self._document = self.history.current.document
        self._clean: Document | None = self._document
        self.revision = 0  # grows with all that a session file would hold, drags and small pictures left aside
        # In mid-drag: the document before it, and the control that is dragged. Each move is applied to
        # the former, so that passing through a share of 1 does not forget the others' proportions.
        self._drag: tuple[Hashable, str, Document] | None = None
        self._last_step: tuple[Hashable, float, State] | None = None  # what a nudge may be merged with

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self._document

    @property
    def in_drag(self) -> bool:
        """Whether a slider is held."""
        return self._drag is not None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self.history.current.parent is not None or self.in_drag

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return self.history.current.onward is not None and not self.in_drag

    @property
    def is_clean(self) -> bool:
        """Whether the document is the one that was saved."""
        return self._document is self._clean

    def start(self, document: Document, text: str = "Start") -> None:
        """Begin anew with a document; its history is empty."""
        self.restore(History(document, text))

    def restore(self, history: History, *, saved: bool = True) -> None:
        """Put a whole history in place, such as that of a session file. `saved`: its current state is in some file."""
        self._drag = self._last_step = None
        self.history = history
        self.revision += 1
        self._clean = history.current.document if saved else None
        self._put(history.current.document)
        self.history_changed.emit()
        self.clean_changed.emit()

    def edit(
        self,
        text: str,
        edit: Callable[[Document], Document],
        key: Hashable | None = None,
        merge_within_s: float = MERGE_WITHIN_S,
    ) -> None:
        """Apply an edit as one step. Steps of equal keys that follow one another in time become one."""
        self.finish_drag()
        before = self._document
        after = edit(before)
        if after is not before:
            self._step(text, after, key, merge_within_s)

    def drag(self, key: Hashable, text: str, edit: Callable[[Document], Document], finished: bool) -> None:
        """Apply one move of a drag; all moves until `finished` are one step.

        Args:
            key: the control that is dragged.
            text: the step's name, as of this move.
            edit: applied to the document before the drag.
            finished: the control was let go.
        """
        if self._drag is not None and self._drag[0] != key:
            self.finish_drag()
        if self._drag is None:
            if finished:  # a click, a key, the wheel: no drag came before
                self.edit(text, edit, key)
                return
            self._drag = (key, text, self._document)
        base = self._drag[2]
        after = edit(base)
        if not finished:
            self._drag = (key, text, base)
            self._put(after)
            return
        self._drag = None  # before the document changes, so that whoever hears of that knows that the hand is gone
        if after is base:
            self._put(base)
        else:
            self._step(text, after, None, 0)

    def finish_drag(self) -> None:
        """Make a step of what was dragged so far, if anything is."""
        if self._drag is None:
            return
        _key, text, base = self._drag
        self._drag = None
        if self._document is not base:
            self._step(text, self._document, None, 0)

    def undo(self) -> None:
        """Take back one step."""
        self.finish_drag()
        if self.history.undo():
            self._arrived()

    def redo(self) -> None:
        """Do again what was taken back."""
        self.finish_drag()
        if self.history.redo():
            self._arrived()

    def jump(self, state_id: int) -> None:
        """Go to any state of the history. KeyError if there is none of this id."""
        self.finish_drag()
        state = self.history.state(state_id)
        if state is not self.history.current:
            self.history.go(state)
            self._arrived()

    def set_clean(self) -> None:
        """Remember the document as the one that was saved."""
        self._clean = self._document
        self.clean_changed.emit()

    def rename_state(self, state_id: int, name: str) -> None:
        """Give a state a name; "" takes it away. KeyError if there is no such state."""
        self.history.state(state_id).name = name.strip()
        self.revision += 1
        self.state_changed.emit(state_id)

    def star_state(self, state_id: int, starred: bool) -> None:
        """Mark a state, or not. KeyError if there is no such state."""
        self.history.state(state_id).starred = starred
        self.revision += 1
        self.state_changed.emit(state_id)

    def set_thumbnail(self, state_id: int, thumbnail: bytes) -> None:
        """Give a state its small picture, the bytes of an image file. KeyError if there is no such state."""
        self.history.state(state_id).thumbnail = thumbnail
        self.state_changed.emit(state_id)

    def _step(self, text: str, after: Document, key: Hashable | None, merge_within_s: float) -> None:
        self.revision += 1
        now, last, current = time.monotonic(), self._last_step, self.history.current
        merges = last is not None and key is not None and key == last[0] and now - last[1] <= merge_within_s
        if merges and last is not None and last[2] is current and not current.children:
            self.history.replace(after, text)
            self.state_changed.emit(current.id)
        else:
            self.history.add(after, text)
        self._last_step = (key, now, self.history.current)
        self._put(after)
        self.history_changed.emit()

    def _arrived(self) -> None:
        self._last_step = None
        self.revision += 1
        self._put(self.history.current.document)
        self.history_changed.emit()

    def _put(self, document: Document) -> None:
        if document is not self._document:
            was_clean = self.is_clean
            self._document = document
            self.changed.emit()
            if was_clean != self.is_clean:
                self.clean_changed.emit()
