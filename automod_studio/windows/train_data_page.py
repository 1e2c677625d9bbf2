"""The page on which pictures to learn from are chosen, looked through, and shown as training will see them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from automod_core.paths import assets_dir
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.training.cli_process import JsonLinesProcess
from automod_studio.views_pictures import (
    DEMO,
    Scanned,
    chosen_data,
    data_name,
    facts_words,
    pictures_problem,
    warnings,
)
from automod_studio.widgets.crop_strip import CropStrip
from automod_studio.widgets.dashed_area import DashedArea
from automod_studio.widgets.labels import ElidedLabel, action_button, hint_label, link_button, title_label
from automod_studio.widgets.picture_list import PictureList
from automod_studio.windows.form_rows import short_path
from automod_studio.windows.job_panel import ProgressPanel
from automod_studio.workers.jobs import JobProgress

log = logging.getLogger(__name__)

_CROPS = 24
_FOLDER = "training pictures"  # key of the folder that was used last
_FILTER = "Collections (*.zip *.h5 *.hdf5 data.mdb);;All files (*)"
_DROP_HINT = "Some hundred or more of one kind of thing: faces, birds, rooms. Folders in it count too."
_DEMO_WORDS = "Faces drawn by the program, as many as training needs: no photos are used."

Scanner = Callable[[Sequence[str], QObject], Any]  # arguments, parent -> something like a JsonLinesProcess


class TrainDataPage(QWidget):
    """Holds the name of the collection, and what a scan in a process of its own says of it.

    Signals:
        data_changed(): another collection was chosen.
        scan_changed(): the scan has told something on which it depends whether training can begin.
    """

    data_changed = Signal()
    scan_changed = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None, *, scanner: Scanner | None = None) -> None:
        """Show the place to drop a folder.

        Args:
            settings: remembers the folder of the file dialogs.
            parent: the dialog.
            scanner: what starts `automod scan`; a JsonLinesProcess if None.
        """
        super().__init__(parent)
        self._settings, self._make_scanner = settings, scanner or JsonLinesProcess
        self.data, self.trouble = "", ""
        self.scanned: Scanned | None = None
        self._resolution = 64
        self._process: Any = None
        self._crops_folder: QTemporaryDir | None = None
        self.folder_button = action_button("open", "Choose a folder…", "Choose a folder of photos")
        self.file_button = action_button("open", "Choose a file…", "Choose a .zip of photos, an .h5, or an LSUN lmdb")
        self.demo_button = link_button("Use drawn faces")
        self.title, self.path = title_label(""), ElidedLabel()
        self.note, self.facts, self.cautions = hint_label("", wrap=True), QLabel(), QLabel()
        self.panel, self.strip, self.listing = ProgressPanel(), CropStrip(), PictureList()
        self.change_folder, self.change_file = link_button("Folder…"), link_button("File…")
        self.change_demo, self.stop_button = link_button("Drawn faces"), link_button("Stop looking")
        self._lay_out()
        self._connect()

    # ---- assembly ----

    def _lay_out(self) -> None:
        self.stack = QStackedLayout(self)
        self.stack.addWidget(self._make_empty())
        self.stack.addWidget(self._make_chosen())

    def _make_empty(self) -> QWidget:
        area, ground = DashedArea(), QWidget()
        title = title_label("Drop a folder of photos here")
        rows: tuple[QWidget | QHBoxLayout, ...] = (
            title, hint_label(_DROP_HINT), _centred(self.folder_button, self.file_button),
            _centred(hint_label("No photos at hand?"), self.demo_button),
        )  # fmt: skip
        column = QVBoxLayout(area)
        column.setSpacing(2 * GRID)
        column.addStretch(1)
        for row in rows:
            if isinstance(row, QWidget):
                column.addLayout(_centred(row))
            else:
                column.addSpacing(GRID)
                column.addLayout(row)
        column.addStretch(1)
        self.demo_button.setToolTip("Learn from faces that the program draws")
        around = QVBoxLayout(ground)
        around.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        around.addWidget(area)
        return ground

    def _make_chosen(self) -> QWidget:
        ground = QWidget()
        for button, tip in (
            (self.change_folder, "Choose another folder of photos"),
            (self.change_file, "Choose a .zip of photos, an .h5, or an LSUN lmdb"),
            (self.change_demo, "Learn from faces that the program draws"),
            (self.stop_button, "Stop looking through the pictures; training can begin all the same"),
        ):
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setAutoDefault(False)
        self.path.setProperty("role", "hint")
        head = QHBoxLayout()
        head.setSpacing(2 * GRID)
        head.addWidget(self.title)
        head.addWidget(self.path, 1)
        head.addWidget(hint_label("Choose another:"))
        for button in (self.change_folder, self.change_file, self.change_demo):
            head.addWidget(button)
        self.facts.setWordWrap(True)
        self.cautions.setWordWrap(True)
        self.crops_title = hint_label("As training sees them")
        looking = QHBoxLayout()
        looking.addWidget(self.panel, 1)
        looking.addWidget(self.stop_button)
        column = QVBoxLayout(ground)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 2 * GRID)
        column.setSpacing(2 * GRID)
        column.addLayout(head)
        for widget in (self.note, self.facts, self.cautions):
            column.addWidget(widget)
        column.addLayout(looking)
        column.addWidget(self.crops_title)
        column.addWidget(self.strip)
        column.addWidget(self.listing, 1)
        column.addStretch()
        return ground

    def _connect(self) -> None:
        for button, action in (
            (self.folder_button, self.choose_folder), (self.change_folder, self.choose_folder),
            (self.file_button, self.choose_file), (self.change_file, self.choose_file),
            (self.demo_button, self.use_demo), (self.change_demo, self.use_demo),
        ):  # fmt: skip
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, action=action: action())
        self.stop_button.clicked.connect(self.stop_scan)

    # ---- what is chosen ----

    @property
    def problem(self) -> str:
        """Why training cannot begin on this; "" if it can."""
        return pictures_problem(self.data, self.scanned, self.trouble)

    @property
    def is_demo(self) -> bool:
        """Whether the drawn faces were chosen."""
        return self.data == DEMO

    def take_paths(self, paths: Sequence[Path]) -> None:
        """Take what was dropped or chosen, and look through it."""
        data, note = chosen_data(paths)
        if data:
            self.set_data(data, note)

    def use_demo(self) -> None:
        """Take the drawn faces."""
        self.set_data(DEMO)

    def set_data(self, data: str, note: str = "") -> None:
        """Take a collection, and look through it.

        Args:
            data: "demo", or the path of a folder, .zip, .h5 or lmdb.
            note: a sentence to show beside it.
        """
        self._forget_scan()
        self.data, self.trouble, self.scanned = data, "", None
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.title.setText("Drawn faces" if data == DEMO else data_name(data))
        self.path.setText("" if data == DEMO else short_path(Path(data)))
        self.path.setToolTip(self.path.text())
        for widget in (self.facts, self.cautions, self.listing):
            widget.hide()
        self.panel.clear()
        self.panel.hide()
        self.strip.clear()
        self.listing.clear()
        self.change_demo.setVisible(data != DEMO)
        self.stack.setCurrentIndex(1)
        if data == DEMO:
            self._show_demo()
        else:
            self._scan()
        self.data_changed.emit()

    def set_resolution(self, resolution: int) -> None:
        """Say what matters at this resolution (pixels) from now on."""
        if resolution != self._resolution:
            self._resolution = resolution
            self._show_report()

    def choose_folder(self) -> None:
        """Ask for a folder."""
        start = str(self._settings.last_folder(_FOLDER))
        name = QFileDialog.getExistingDirectory(self, "Choose a folder of photos", start)
        if name:
            self._settings.set_last_folder(_FOLDER, Path(name))
            self.take_paths([Path(name)])

    def choose_file(self) -> None:
        """Ask for a collection in one file."""
        start = str(self._settings.last_folder(_FOLDER))
        name, _ = QFileDialog.getOpenFileName(self, "Choose a collection of photos", start, _FILTER)
        if name:
            self._settings.set_last_folder(_FOLDER, Path(name).parent)
            self.take_paths([Path(name)])

    # ---- the scan ----

    def stop_scan(self) -> None:
        """End the scan; what it has found stays, and training can begin all the same."""
        if self._process is not None:
            process, self._process = self._process, None
            process.line.disconnect(self._take_line)
            process.finished.disconnect(self._scan_ended)
            process.stop()
            self.panel.end("Stopped looking; training can begin all the same.")
            self.stop_button.hide()

    def shut_down(self) -> None:
        """End the scan, and remove what it has left, for closing the dialog."""
        self._forget_scan()

    @property
    def scanning(self) -> bool:
        """Whether a scan is under way."""
        return self._process is not None

    def _scan(self) -> None:
        self.scanned = Scanned()
        self._crops_folder = QTemporaryDir()
        words = ["scan", self.data, "--json", "--crops", str(_CROPS), self._crops_folder.path()]
        self._process = self._make_scanner(words, self)
        self._process.line.connect(self._take_line)
        self._process.finished.connect(self._scan_ended)
        self.panel.show()
        self.panel.begin()
        self.stop_button.show()
        self.crops_title.hide()
        self._process.start()

    def _forget_scan(self) -> None:
        self.stop_scan()
        if self._crops_folder is not None:
            self._crops_folder.remove()
            self._crops_folder = None

    def _take_line(self, line: Mapping[str, Any]) -> None:
        if self.scanned is None:
            return
        if isinstance(crop := line.get("crop"), Mapping):
            if self.strip.add_file(Path(str(crop.get("file", ""))), str(crop.get("name", ""))):
                self.crops_title.show()
            return
        try:
            new = self.scanned.take(line)
        except ValueError as error:
            log.warning("%s", error)
            return
        if new:
            self.listing.add_bad(new, self.scanned.bad_count)
            self.listing.show()
        self.panel.show_progress(JobProgress(self.scanned.done, self.scanned.total, self.scanned.words))
        if self.scanned.report is not None:
            self._show_report()

    def _scan_ended(self, ok: bool, sentence: str) -> None:
        self._process = None
        self.stop_button.hide()
        if ok:
            self.panel.hide()
        else:
            self.trouble = sentence or "The pictures could not be looked through."
            self.panel.end(self.trouble, is_error=True)
        self.scan_changed.emit()

    # ---- what is shown ----

    def _show_demo(self) -> None:
        self.stop_button.hide()
        self.facts.setText(_DEMO_WORDS)
        self.facts.show()
        self.crops_title.show()
        for path in sorted((assets_dir() / "samples").glob("*.png")):
            self.strip.add_file(path, "")

    def _show_report(self) -> None:
        report = self.scanned.report if self.scanned is not None else None
        if report is None:
            return
        self.facts.setText(facts_words(report))
        self.facts.show()
        self.cautions.setText("\n".join(warnings(report, self._resolution)))
        self.cautions.setVisible(bool(self.cautions.text()))
        self.listing.show_report(report)
        self.listing.setVisible(bool(report.bad_count or report.copies))
        self._tint()
        self.scan_changed.emit()

    def _tint(self) -> None:
        palette = self.cautions.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(colors_of().fair))
        self.cautions.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        """Keep the colour of what should be known right when the theme changes."""
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "cautions"):
            self._tint()
        super().changeEvent(event)


def _centred(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(2 * GRID)
    row.addStretch(1)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
