"""The library of attributes as files: renamed, deleted, exported, imported; each on the worker, with an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from automod_core.attribute_file import SUFFIX
from automod_core.attributes import MAX_NAME_LENGTH, Attribute
from automod_studio.attribute_library import Entry
from automod_studio.document.model import ModelRef
from automod_studio.studio import Studio
from automod_studio.windows import help
from automod_studio.windows.save import with_suffix
from automod_studio.workers.attribute_requests import (
    ChangeAttribute,
    DeleteAttribute,
    ExportAttribute,
    ImportAttribute,
    LibraryListed,
    SaveAttribute,
)

_FOLDER = "attributes"
_IMPORT_FILTER = "Attributes (*.safetensors *.pth *.pt);;All files (*)"


class AttributeFiles(QObject):
    """Asks the person, then the worker.

    Signals:
        listed: LibraryListed, the library after a change.
        renamed(str, str): an attribute has another name: the old one, the new one.
    """

    listed = Signal(object)
    renamed = Signal(str, str)

    def __init__(self, studio: Studio, window: QWidget, parent: QObject) -> None:
        """`window` is the owner of dialogs."""
        super().__init__(parent)
        self._studio, self._window = studio, window

    # ---- what the person is asked ----

    def ask_name(self, entry: Entry) -> None:
        """Ask for another name."""
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle("Rename attribute")
        dialog.setLabelText(f"Another name for “{entry.name}”:")
        dialog.setTextValue(entry.name)
        dialog.textValueSelected.connect(lambda text: self.rename(entry, text))
        help.show_dialog(dialog)

    def ask_delete(self, entry: Entry) -> None:
        """Ask whether it is meant: no undo brings a file back."""
        box = QMessageBox(self._window)
        box.setWindowTitle("Delete attribute")
        box.setText(f"Delete “{entry.name}” from your library?")
        box.setInformativeText("Pictures that use it stay as they are.")
        box.setStandardButtons(QMessageBox.StandardButton.Cancel)
        box.addButton("&Delete", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.accepted.connect(lambda: self.delete(entry))
        help.show_dialog(box)

    def ask_export(self, entry: Entry) -> None:
        """Ask for a file, and write the attribute to it."""
        name = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", entry.name)[:80].strip() or "attribute"
        start = self._studio.settings.last_folder(_FOLDER) / f"{name}{SUFFIX}"
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Export attribute", str(start), f"Attribute (*{SUFFIX})")
        path = with_suffix(self._window, Path(chosen), SUFFIX) if chosen else None
        if path is not None:
            self._studio.settings.set_last_folder(_FOLDER, path.parent)
            self.export(entry, path)

    def ask_import(self, model: ModelRef) -> None:
        """Ask for files, and take them into the library."""
        folder = self._studio.settings.last_folder(_FOLDER)
        chosen, _ = QFileDialog.getOpenFileNames(self._window, "Import attributes", str(folder), _IMPORT_FILTER)
        for name in chosen:
            self._studio.settings.set_last_folder(_FOLDER, Path(name).parent)
            self.take_in(Path(name), model)

    # ---- what the worker is asked ----

    def rename(self, entry: Entry, name: str) -> None:
        """Give it another name; an empty one changes nothing."""
        name = name.strip()[:MAX_NAME_LENGTH]
        if name and name != entry.name:
            request = ChangeAttribute(self._studio.service.next_id(), entry.path, entry.attribute.renamed(name))
            self._ask(request, f"“{entry.name}” is now “{name}”.", lambda _saved: self.renamed.emit(entry.name, name))

    def keep_blocks(self, entry: Entry, blocks: tuple[int, ...]) -> None:
        """Let it drive these blocks from now on."""
        request = ChangeAttribute(self._studio.service.next_id(), entry.path, entry.attribute.with_blocks(blocks))
        self._ask(request, f"“{entry.name}” drives these ranges from now on.")

    def delete(self, entry: Entry) -> None:
        """Take it out of the library."""
        request = DeleteAttribute(self._studio.service.next_id(), entry.path, entry.attribute.model_hash)
        self._ask(request, f"Deleted “{entry.name}”.")

    def export(self, entry: Entry, path: Path) -> None:
        """Write it to a file."""
        request = ExportAttribute(self._studio.service.next_id(), entry.attribute, path)
        self._ask(request, f"Exported “{entry.name}” as {path.name}.")

    def take_in(self, path: Path, model: ModelRef) -> None:
        """Import a file."""
        self._ask(ImportAttribute(self._studio.service.next_id(), path, model), "Imported “{name}”.")

    def save(self, attribute: Attribute) -> None:
        """Put a new one into the library."""
        self._ask(
            SaveAttribute(self._studio.service.next_id(), attribute), "Saved “{name}”: its slider is in the panel."
        )

    def _ask(
        self,
        request: ChangeAttribute | DeleteAttribute | ExportAttribute | ImportAttribute | SaveAttribute,
        sentence: str,
        then: Callable[[Attribute | None], None] | None = None,
    ) -> None:
        self._studio.service.ask(request, partial(self._answered, sentence, then))

    def _answered(self, sentence: str, then: Callable[[Attribute | None], None] | None, reply: LibraryListed) -> None:
        if reply.trouble is not None:
            self._studio.message.emit(reply.trouble.sentence, reply.trouble.details, "warning")
        else:
            name = reply.saved.name if reply.saved is not None else ""
            self._studio.message.emit(sentence.replace("{name}", name), "", "info")
            if then is not None:
                then(reply.saved)
        self.listed.emit(reply)
