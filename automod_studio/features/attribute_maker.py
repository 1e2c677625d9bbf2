"""The dialog that makes attributes, and what it asks of the worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from automod_studio.document.model import ModelRef
from automod_studio.studio import Studio
from automod_studio.workers.attribute_requests import (
    AttributeMade,
    MakeAttribute,
    MakingProgress,
    PilePhoto,
    ReadTable,
    TableRead,
)

if TYPE_CHECKING:
    from automod_studio.windows.attribute_dialog import AttributeDialog


class AttributeMaker(QObject):
    """Shows the dialog; there is only one.

    Signals:
        made: Attribute, to be kept.
    """

    made = Signal(object)

    def __init__(self, studio: Studio, window: QWidget, parent: QObject) -> None:
        """`window` is the owner of the dialog."""
        super().__init__(parent)
        self._studio, self._window = studio, window
        self._making = self._reading = 0  # ids of requests
        self.dialog: AttributeDialog | None = None

    def show(self, model: ModelRef) -> None:
        """Show the dialog for a model."""
        if self.dialog is not None:
            self.dialog.show()
            self.dialog.activateWindow()
            return
        sources = self._studio.document.sources
        from automod_studio.windows.attribute_dialog import AttributeDialog  # only now: it would hold up the start

        self.dialog = dialog = AttributeDialog(model, sources, self._studio.settings, self._window)
        dialog.make_wanted.connect(lambda name, having, lacking: self._make(model, name, having, lacking))
        dialog.stop_wanted.connect(lambda: self._studio.service.cancel(self._making))
        dialog.table_wanted.connect(self._read_table)
        dialog.save_wanted.connect(self.made)
        dialog.finished.connect(self._forget_dialog)
        dialog.show()

    def _make(self, model: ModelRef, name: str, having: tuple[PilePhoto, ...], lacking: tuple[PilePhoto, ...]) -> None:
        self._making = self._studio.service.next_id()
        request = MakeAttribute(self._making, model, name, having, lacking)
        self._studio.service.ask(request, self._show_making, background=True)

    def _show_making(self, reply: MakingProgress | AttributeMade) -> None:
        dialog = self.dialog
        if dialog is None or not dialog.running or reply.id != self._making:
            return
        if isinstance(reply, MakingProgress):
            dialog.show_progress(reply.done, reply.total, reply.text, reply.refused)
        elif reply.attribute is not None:
            dialog.show_made(reply.attribute)
            if reply.notice:
                self._studio.message.emit(reply.notice, "", "warning")
        elif reply.trouble is not None:
            dialog.show_trouble(reply.trouble.sentence, reply.trouble.details)

    def _read_table(self, path: Path) -> None:
        self._studio.service.cancel(self._reading)
        self._reading = self._studio.service.next_id()
        self._studio.service.ask(ReadTable(self._reading, path), self._show_table)

    def _show_table(self, reply: TableRead) -> None:
        if self.dialog is not None and reply.id == self._reading:
            self.dialog.show_table(reply)

    def _forget_dialog(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()
