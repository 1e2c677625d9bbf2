"""The boundary between the document and the window: a QObject that holds the current Document and its undo stack."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from automod_studio.commands import MERGE_WITHIN_S, SwapDocument
from automod_studio.document.model import Document
from automod_studio.views import HistoryView


class Session(QObject):
    """The one owner of the current Document.

    Signals:
        changed: the document is another one, also in mid-drag.
        history_changed: steps were made, undone, redone or forgotten.
    """

    changed = Signal()
    history_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self._document = Document()
        self._base_text = "Start"
        # In mid-drag: the document before it, and the control that is dragged. Each move is applied to
        # the former, so that passing through a share of 1 does not forget the others' proportions.
        self._drag: tuple[Hashable, str, Document] | None = None
        self.stack.indexChanged.connect(self._index_changed)

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self._document

    @property
    def in_drag(self) -> bool:
        """Whether a slider is held."""
        return self._drag is not None

    def start(self, document: Document, text: str = "Start") -> None:
        """Begin anew with a document; its history is empty."""
        self._drag = None
        self._base_text = text
        self.stack.clear()
        self._put(document)
        self.history_changed.emit()

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
            self.stack.push(SwapDocument(text, before, after, self._put, key, merge_within_s))

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
        self._drag = (key, text, base)
        self._put(edit(base))
        if finished:
            self.finish_drag()

    def finish_drag(self) -> None:
        """Make a step of what was dragged so far, if anything is."""
        if self._drag is None:
            return
        _key, text, base = self._drag
        self._drag = None
        if self._document is not base:
            self.stack.push(SwapDocument(text, base, self._document, self._put))

    def undo(self) -> None:
        """Take back one step."""
        self.finish_drag()
        self.stack.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        self.finish_drag()
        self.stack.redo()

    def jump(self, index: int) -> None:
        """Go to any entry of the history; 0 is the state before the first step."""
        self.finish_drag()
        self.stack.setIndex(index)

    def history(self) -> HistoryView:
        """What the history panel shows."""
        steps = tuple(self.stack.text(i) for i in range(self.stack.count()))
        return HistoryView((self._base_text, *steps), self.stack.index())

    def _index_changed(self, _index: int) -> None:
        self.history_changed.emit()

    def _put(self, document: Document) -> None:
        if document is not self._document:
            self._document = document
            self.changed.emit()
