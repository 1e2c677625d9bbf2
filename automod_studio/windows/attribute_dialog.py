"""The dialog that makes an attribute from two piles of pictures, and shows what it does before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_core.attributes import MAX_NAME_LENGTH, Attribute
from automod_studio.document.attribute_edits import toggled_range
from automod_studio.document.model import ModelRef, Source
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.views import block_text
from automod_studio.views_attributes import found_text, range_toggles
from automod_studio.widgets.attribute_curve import AttributeCurve
from automod_studio.widgets.attribute_pile import AttributePile
from automod_studio.widgets.attribute_table import AttributeTable
from automod_studio.widgets.attribute_toggles import AttributeToggles
from automod_studio.widgets.labels import hint_label, title_label
from automod_studio.windows.form_rows import form_rows
from automod_studio.windows.job_panel import ProgressPanel
from automod_studio.workers.attribute_requests import PilePhoto, TableRead
from automod_studio.workers.jobs import JobProgress

_HINT = "Two piles of pictures that differ in one thing: 4 to 32 of each are enough, more are better."
_FOLDER = "attribute pictures"
_MOST_LISTED = 200
_FIRST_HEIGHT = 480


class AttributeDialog(QDialog):
    """Collects the piles, shows how it goes and what came of it; the work is done elsewhere.

    Signals:
        make_wanted(str, object, object): name, and the pictures with it and without it (tuples of PilePhoto).
        stop_wanted(): whatever is under way is to end; also when the dialog is closed.
        table_wanted(object): Path of a factors.csv to read.
        save_wanted(object): the Attribute, to be kept.
    """

    make_wanted = Signal(str, object, object)
    stop_wanted = Signal()
    table_wanted = Signal(object)
    save_wanted = Signal(object)

    def __init__(
        self, model: ModelRef, sources: Sequence[Source], settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._model, self._settings = model, settings
        self._running = False
        self._refused: list[str] = []
        self.made: Attribute | None = None
        self.setWindowTitle("New attribute")
        self.setMinimumWidth(600)
        self.resize(600, _FIRST_HEIGHT)
        self.name = QLineEdit()
        self.name.setAccessibleName("Name of the attribute")
        self.name.setPlaceholderText("Smile")
        self.name.setMaxLength(MAX_NAME_LENGTH)
        self.having = AttributePile("With it", "Drop pictures or folders here: faces that smile, say", sources)
        self.lacking = AttributePile("Without it", "Drop pictures or folders here: faces that do not", sources)
        self.table = AttributeTable()
        self.panel = ProgressPanel()
        self.found, self.curve = hint_label("", wrap=True), AttributeCurve()
        self.toggles = AttributeToggles("New attribute", tuple(model.scale_ranges))
        self.outcome = self._make_result()
        self._lay_out()
        self._connect()
        self._refresh()

    # ---- assembly ----

    def _lay_out(self) -> None:
        piles = QHBoxLayout()
        piles.setSpacing(MARGIN)
        piles.addWidget(self.having, 1)
        piles.addWidget(self.lacking, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label("Make an attribute"))
        layout.addWidget(hint_label(_HINT, wrap=True))
        layout.addLayout(form_rows([("&Name", (self.name,))]))
        layout.addLayout(piles, 1)
        layout.addWidget(self.table)
        layout.addWidget(self.panel)
        layout.addWidget(self.outcome)
        layout.addWidget(self._make_buttons())

    def _make_result(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout()
        row.addWidget(hint_label("Drives"))
        row.addWidget(self.toggles)
        row.addStretch(1)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.found)
        column.addWidget(self.curve)
        column.addLayout(row)
        return box

    def _make_buttons(self) -> QDialogButtonBox:
        box, role = QDialogButtonBox(), QDialogButtonBox.ButtonRole.ActionRole
        self.make_button = box.addButton("&Make", role)
        self.make_button.setToolTip("Look at the pictures, and find out what sets the piles apart")
        self.stop_button = box.addButton("S&top", role)
        self.stop_button.setToolTip("Stop; the piles stay as they are")
        self.save_button = box.addButton("&Save", role)
        self.save_button.setToolTip("Keep it in your library: a slider for it comes into the panel")
        close = box.addButton(QDialogButtonBox.StandardButton.Close)
        close.setToolTip("Close (Esc); what was not saved is gone")
        for button in (self.make_button, self.stop_button, self.save_button, close):
            button.setAutoDefault(False)
        box.rejected.connect(self.reject)
        return box

    def _connect(self) -> None:
        self.name.textChanged.connect(self._refresh)
        for pile in (self.having, self.lacking):
            pile.changed.connect(self._piles_changed)
            pile.files_wanted.connect(lambda chosen=pile: self._choose_files(chosen))
            pile.folder_wanted.connect(lambda chosen=pile: self._choose_folder(chosen))
        self.table.file_wanted.connect(self._choose_table)
        self.table.split.connect(self._split)
        self.toggles.range_toggled.connect(self._toggle_range)
        self.toggles.all_toggled.connect(self._toggle_all)
        self.make_button.clicked.connect(self._make)
        self.stop_button.clicked.connect(self._stop)
        self.save_button.clicked.connect(self._save)

    # ---- what the person does ----

    @property
    def running(self) -> bool:
        """Whether an attribute is being made."""
        return self._running

    def _make(self) -> None:
        self._running, self._refused, self.made = True, [], None
        self.panel.begin()
        self._refresh()
        self.make_wanted.emit(self._name(), self.having.photos, self.lacking.photos)

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self.panel.end("Stopped: the piles are as they were.", self._details())
            self._refresh()
            self.stop_wanted.emit()

    def _save(self) -> None:
        if self.made is not None:
            self.save_wanted.emit(self.made.renamed(self._name()))
            self.accept()

    def _name(self) -> str:
        return self.name.text().strip()

    def _piles_changed(self) -> None:
        self.made = None  # it was made of others
        if not self._running:
            self.panel.clear()
        self._refresh()

    def _toggle_range(self, name: str) -> None:
        if self.made is not None:
            self._show_made(self.made.with_blocks(toggled_range(self._model, self.made.blocks, name)))

    def _toggle_all(self) -> None:
        if self.made is not None:
            blocks = self._found_blocks if self.made.drives_all else tuple(range(self._model.n_blocks))
            self._show_made(self.made.with_blocks(blocks))

    def _choose_files(self, pile: AttributePile) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Choose pictures", str(self._settings.last_folder(_FOLDER)))
        if names:
            self._settings.set_last_folder(_FOLDER, Path(names[0]).parent)
            pile.add_paths([Path(name) for name in names])

    def _choose_folder(self, pile: AttributePile) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a folder", str(self._settings.last_folder(_FOLDER)))
        if name:
            self._settings.set_last_folder(_FOLDER, Path(name))
            pile.add_paths([Path(name)])

    def _choose_table(self) -> None:
        start = str(self._settings.last_folder(_FOLDER))
        name, _ = QFileDialog.getOpenFileName(self, "Choose a table of demo faces", start, "Tables (*.csv)")
        if name:
            self._settings.set_last_folder(_FOLDER, Path(name).parent)
            self.table_wanted.emit(Path(name))

    def _split(self, having: tuple[PilePhoto, ...], lacking: tuple[PilePhoto, ...], column: str) -> None:
        """Fill the piles from the table; the column names the attribute unless the person did."""
        if not self._name() or self._name() == self._suggested:
            self._suggested = column.replace("_", " ").capitalize()
            self.name.setText(self._suggested)
        self.having.set_photos(having)
        self.lacking.set_photos(lacking)

    _suggested = ""  # the last name that a table gave
    _found_blocks: tuple[int, ...] = ()  # that the attribute drove as it was made

    # ---- what comes back ----

    def show_table(self, reply: TableRead) -> None:
        """Let a column of a table be chosen."""
        if reply.trouble is not None:
            self.panel.show_error(reply.trouble.sentence, reply.trouble.details)
        else:
            values = reply.values if reply.values is not None else np.zeros((0, 0))
            self.table.show_table(reply.path, reply.pictures, reply.columns, values)

    def show_progress(self, done: float, total: float, text: str, refused: str) -> None:
        """Show how far it is; `refused` says why a picture could not be read."""
        if refused:
            self._refused.append(refused)
        failed = f" · {len(self._refused)} could not be read" if self._refused else ""
        self.panel.show_progress(JobProgress(done, total, text + failed))

    def show_made(self, attribute: Attribute) -> None:
        """Show what came of it; it is not kept yet."""
        self._running, self._found_blocks = False, attribute.blocks
        left = len(self._refused)
        words = f"Made. {left} pictures could not be read." if left > 1 else "Made." if not left else ""
        self.panel.end(words or "Made. One picture could not be read.", self._details())
        self._show_made(attribute)

    def show_trouble(self, sentence: str, details: str) -> None:
        """Show why there is none."""
        self._running = False
        self.panel.end(sentence, details or self._details(), is_error=True)
        self._refresh()

    def _show_made(self, attribute: Attribute) -> None:
        self.made = attribute
        labels = [block_text(self._model, block) for block in range(self._model.n_blocks)]
        self.found.setText(found_text(attribute, self._model))
        self.curve.show_trials(attribute.trials, labels, attribute.blocks)
        restricted = len(self._found_blocks) < self._model.n_blocks
        toggles = range_toggles(self._model, attribute.blocks)
        self.toggles.show_view(toggles, drives_all=attribute.drives_all, restricted=restricted)
        self._refresh()

    def _details(self) -> str:
        more = len(self._refused) - _MOST_LISTED
        return "\n".join([*self._refused[:_MOST_LISTED], *([f"… and {more} more."] if more > 0 else [])])

    def _refresh(self) -> None:
        done = self.made is not None
        for widget in (self.name, self.having, self.lacking, self.table):
            widget.setEnabled(not self._running)
        both = bool(self.having.photos) and bool(self.lacking.photos)
        self.make_button.setVisible(not self._running)
        self.make_button.setEnabled(both and bool(self._name()) and not done)
        self.stop_button.setVisible(self._running)
        self.save_button.setEnabled(done and bool(self._name()))
        self.outcome.setVisible(done)
        self.curve.setVisible(done and bool(self.curve.points))
        if done:
            self.resize(self.width(), max(self.height(), self.sizeHint().height()))
        buttons: tuple[tuple[QPushButton, bool], ...] = (
            (self.stop_button, self._running), (self.save_button, done), (self.make_button, True),
        )  # fmt: skip
        next(button for button, wanted in buttons if wanted).setDefault(True)

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: stop the work first."""
        self._stop()
        super().done(result)
