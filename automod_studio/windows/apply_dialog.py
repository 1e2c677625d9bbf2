"""Apply the recipe of the picture to a folder: asks what and where, shows how far it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_core.recipe import Recipe
from automod_core.recipe_batch import Order
from automod_studio.document.model import Document, recipe_of
from automod_studio.document.transfer_edits import subject_of
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.labels import hint_label, link_button, outdented, title_label
from automod_studio.windows.ask_files import typed_path
from automod_studio.windows.form_rows import form_rows, short_path
from automod_studio.windows.job_panel import ProgressPanel
from automod_studio.workers.jobs import JobProgress

_HINT = (
    "Every photo of the folder takes the place of one photo of this mix; the others, and all variations and "
    "attributes, come along. Your photos stay as they are: each picture is a new PNG file."
)
_MOST_LISTED = 1000  # photos that could not be read


class ApplyDialog(QDialog):
    """Holds the recipe as it was when the dialog was opened, so the person can go on editing.

    Signals:
        apply_wanted: Order, Path of the folder of photos, Path of the folder for the pictures.
        stop_wanted: what is under way is to end; also when the dialog is closed.
    """

    apply_wanted = Signal(object, object, object)
    stop_wanted = Signal()

    def __init__(self, document: Document, settings: Settings, parent: QWidget | None = None) -> None:
        """Build the dialog; the document has a model and photos."""
        super().__init__(parent)
        assert document.model is not None
        self._model, self._recipe, self._settings = document.model, recipe_of(document), settings
        self._running = False
        self._done = 0
        self._refused: list[str] = []
        self.setWindowTitle("Apply to a folder")
        self.setMinimumWidth(520)
        self.subject = _subjects(document, self._recipe)
        self.ranges = {name: _range_box(name) for name in self._model.scale_ranges}
        self.photos, self._browse_photos = _folder_row("Folder of photos", "Folder of photos")
        self.out, self._browse_out = _folder_row("Folder for the pictures", "Made if it is not there")
        self.panel = ProgressPanel()
        self.open_button = link_button("&Open the folder")
        self.open_button.setToolTip("Show the pictures in the file manager")
        self._own_out = False  # the person chose it
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        ranges = QWidget()
        row = QHBoxLayout(ranges)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(MARGIN)
        for box in self.ranges.values():
            row.addWidget(box)
        row.addStretch(1)
        rows: list[tuple[str, tuple[QWidget, ...]]] = [
            ("&Photos", (self.photos, self._browse_photos)),
            ("Pictures &to", (self.out, self._browse_out)),
            ("&In place of", (self.subject,)),
        ]
        if self.ranges:
            rows.append(("&Ranges", (ranges,)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label("Do to many photos what was done here"))
        layout.addWidget(hint_label(_HINT, wrap=True))
        layout.addSpacing(GRID)
        layout.addLayout(form_rows(rows))
        layout.addWidget(self.panel, 1)
        last = QHBoxLayout()
        last.addLayout(outdented(self.open_button))
        last.addWidget(self._make_buttons())
        layout.addLayout(last)

    def _make_buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox()
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.apply_button = box.addButton("&Apply", role)
        self.apply_button.setToolTip("Begin; pictures that are there already are passed over")
        self.stop_button = box.addButton("&Stop", role)
        self.stop_button.setToolTip("Stop; the pictures that are done stay")
        close = box.addButton(QDialogButtonBox.StandardButton.Close)
        close.setToolTip("Close (Esc); what is under way stops, and what is done stays")
        for button in (self.open_button, self.stop_button, close):
            button.setAutoDefault(False)
        box.rejected.connect(self.reject)
        return box

    def _connect(self) -> None:
        self._browse_photos.clicked.connect(lambda: self._choose(self.photos, "batch photos"))
        self._browse_out.clicked.connect(lambda: self._choose(self.out, "batch pictures"))
        self.photos.textChanged.connect(self._suggest_out)
        self.out.textEdited.connect(lambda text: setattr(self, "_own_out", bool(text.strip())))
        for field in (self.photos, self.out):
            field.textChanged.connect(self._refresh)
        for box in self.ranges.values():
            box.toggled.connect(self._refresh)
        self.apply_button.clicked.connect(self._apply)
        self.stop_button.clicked.connect(self._stop)
        self.open_button.clicked.connect(self._open_folder)

    # ---- what is asked for ----

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._running

    def order(self) -> Order:
        """What is to be done to every photo."""
        names = [name for name, box in self.ranges.items() if box.isChecked()]
        if len(names) == len(self.ranges):
            blocks = tuple(range(self._model.n_blocks))  # also those that no range names
        else:
            blocks = tuple(sorted({block for name in names for block in self._model.blocks_of(name)}))
        return Order(self._recipe, int(self.subject.currentData()), blocks)

    def _apply(self) -> None:
        photos, out = _path(self.photos), _path(self.out)
        if photos is None or out is None or self._running:
            return
        if not photos.is_dir():
            self.panel.show_error(f"{short_path(photos)} is not a folder.")
            return
        self._settings.set_last_folder("batch photos", photos)
        self._running, self._done, self._refused = True, 0, []
        self.panel.begin()
        self._refresh()
        self.apply_wanted.emit(self.order(), photos, out)

    def _stop(self) -> None:
        if not self._running:
            return
        self._running = False
        words = f"Stopped: {_pictures(self._done - len(self._refused))} done. Apply goes on from there."
        self.panel.end(words, self._details())
        self._refresh()
        self.stop_wanted.emit()

    # ---- how it goes ----

    def show_progress(self, done: int, total: int, refused: str) -> None:
        """Show how many photos are through; `refused` says why one could not be read."""
        self._done = done
        if refused:
            self._refused.append(refused)
        failed = f" · {len(self._refused)} could not be read" if self._refused else ""
        self.panel.show_progress(JobProgress(done, total, f"{done} of {total}{failed}"))

    def show_end(self, made: int, kept: int, total: int) -> None:
        """Show that it is over."""
        words = f"{made + kept} of {_pictures(total)} done"
        words += f", {kept} of them before" if kept else ""
        words += f" · {len(self._refused)} could not be read." if self._refused else "."
        self._finish(words, self._details())

    def show_trouble(self, sentence: str, details: str) -> None:
        """Show what broke it off; what was done stays."""
        self._finish(sentence, details or self._details(), is_error=True)

    def _finish(self, words: str, details: str, *, is_error: bool = False) -> None:
        self._running = False
        self.panel.end(words, details, is_error=is_error)
        self._refresh()

    def _details(self) -> str:
        more = len(self._refused) - _MOST_LISTED
        return "\n".join([*self._refused[:_MOST_LISTED], *([f"… and {more} more."] if more > 0 else [])])

    # ---- the form ----

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: stop the work first."""
        self._stop()
        super().done(result)

    def _refresh(self) -> None:
        fields = (self.photos, self.out, self._browse_photos, self._browse_out, self.subject, *self.ranges.values())
        for widget in fields:
            widget.setEnabled(not self._running)
        some_range = not self.ranges or any(box.isChecked() for box in self.ranges.values())
        self.apply_button.setVisible(not self._running)
        self.apply_button.setEnabled(_path(self.photos) is not None and _path(self.out) is not None and some_range)
        self.stop_button.setVisible(self._running)
        (self.stop_button if self._running else self.apply_button).setDefault(True)
        self.open_button.setVisible(self._done > len(self._refused))

    def _choose(self, field: QLineEdit, purpose: str) -> None:
        start = _path(field) or self._settings.last_folder(purpose)
        name = QFileDialog.getExistingDirectory(self, field.accessibleName(), str(start))
        if name:
            self._settings.set_last_folder(purpose, Path(name))
            self._own_out = self._own_out or field is self.out
            field.setText(name)

    def _suggest_out(self) -> None:
        """Beside the photos, until the person chose another folder."""
        photos = _path(self.photos)
        if not self._own_out:
            self.out.setText(str(photos.with_name(f"{photos.name} mixed")) if photos and photos.name else "")

    def _open_folder(self) -> None:
        out = _path(self.out)
        if out is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(out)))


def _subjects(document: Document, recipe: Recipe) -> QComboBox:
    assert document.model is not None
    box = QComboBox()
    box.setAccessibleName("Photo whose place the others take")
    box.setToolTip("The photo of this mix whose place each photo of the folder takes")
    for number, source in enumerate(document.sources):
        if recipe.weights[:, number].any():
            box.addItem(f"{source.letter}  {source.name}", number)
    box.setCurrentIndex(box.findData(subject_of(recipe, document.model)))
    return box


def _range_box(name: str) -> QCheckBox:
    box = QCheckBox(name.capitalize())
    box.setChecked(True)
    box.setToolTip(f"Take the {name} range from this mix; without it, each photo keeps its own")
    return box


def _folder_row(name: str, placeholder: str) -> tuple[QLineEdit, QPushButton]:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setPlaceholderText(placeholder)
    browse = QPushButton("Browse…")
    browse.setAccessibleName(f"Browse: {name}")
    browse.setToolTip(f"Choose the {name[0].lower()}{name[1:]}")
    browse.setAutoDefault(False)
    return field, browse


def _path(field: QLineEdit) -> Path | None:
    return typed_path(field.text())


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
