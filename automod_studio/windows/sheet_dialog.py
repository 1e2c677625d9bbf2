"""Save a grid as a sheet: asks for paper and sharpness, tells how large it comes out, shows how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from automod_core.errors import UserError
from automod_core.grids import Grid
from automod_core.sheet_export import DEFAULT_DPI, MAX_DPI, MIN_DPI, PAPERS, PageSize, measure_page, parse_paper
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.labels import hint_label, title_label
from automod_studio.windows.export_dialog import ExportDialog
from automod_studio.windows.form_rows import form_rows, short_path
from automod_studio.windows.save import with_suffix
from automod_studio.workers.jobs import JobProgress

_HINT = "All cells in full size on one page, with the photos and their names at its edges."


class SheetDialog(ExportDialog):
    """Holds the grid as it was when the dialog was opened, so the person can go on editing.

    Signals:
        save_wanted: Path, str paper, int dots per inch, bool smooth.
    """

    save_wanted = Signal(object, str, int, bool)

    def __init__(
        self, grid: Grid, photos: Mapping[int, np.ndarray], settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._grid, self._photos, self._settings = grid, photos, settings
        self.setWindowTitle("Export the grid")
        self.paper = QComboBox()
        self.dpi = QSpinBox()
        self.pixels = QCheckBox("Show the model's own &pixels")
        self.measure = QLabel()
        self._set_up()
        self._lay_out()
        self._connect()
        self._refresh()

    def _set_up(self) -> None:
        self.paper.setEditable(True)
        self.paper.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.paper.addItems(list(PAPERS))
        self.paper.setCurrentText(self._settings.value("sheet/paper", "A4"))
        self.paper.setAccessibleName("Paper")
        self.paper.setToolTip("A sheet of paper, less 10 mm on each side, or a size in mm such as 180x240")
        self.dpi.setRange(MIN_DPI, MAX_DPI)
        self.dpi.setSingleStep(50)
        self.dpi.setSuffix(" dots per inch")
        kept = self._settings.value("sheet/dpi")
        self.dpi.setValue(int(kept) if kept.isdecimal() and len(kept) < 5 else DEFAULT_DPI)
        self.dpi.setAccessibleName("Dots per inch")
        self.dpi.setToolTip("300 is sharp at reading distance (arrows, wheel)")
        self.pixels.setChecked(self._settings.flag("sheet/pixels"))
        self.pixels.setToolTip("Enlarge without smoothing, so that the single pixels can be seen")
        self.measure.setWordWrap(True)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label(self._grid.title))
        layout.addWidget(hint_label(_HINT, wrap=True))
        layout.addSpacing(GRID)
        layout.addLayout(form_rows([("Pap&er", (self.paper,)), ("&Sharpness", (self.dpi,)), ("", (self.pixels,))]))
        layout.addWidget(self.measure)
        layout.addWidget(self.panel, 1)
        layout.addWidget(
            self._make_buttons(
                ("&Open the sheet", "Show the sheet in the program for pictures"),
                "Choose a file, and begin",
                "Stop; no file is written",
            )
        )

    def _connect(self) -> None:
        self.paper.editTextChanged.connect(self._refresh)
        self.dpi.valueChanged.connect(self._refresh)

    # ---- what is asked for ----

    def _size(self) -> PageSize | str:
        """How large the page comes out, or why it cannot be made."""
        try:
            return measure_page(self._grid, self._photos, parse_paper(self.paper.currentText()), self.dpi.value())
        except (UserError, ValueError) as error:
            sentence = str(error)
            return f"{sentence[0].upper()}{sentence[1:]}".rstrip(".") + "."

    def _save(self) -> None:
        if self._running or isinstance(self._size(), str):
            return
        start = self._saved or self._settings.last_folder("sheets") / "grid.png"
        name, _ = QFileDialog.getSaveFileName(self, "Save the sheet", str(start), "PNG (*.png)")
        if not name:
            return
        path = with_suffix(self, Path(name), ".png")
        if path is None:
            return
        self._settings.set_last_folder("sheets", path.parent)
        self._settings.set_value("sheet/paper", self.paper.currentText())
        self._settings.set_value("sheet/dpi", str(self.dpi.value()))
        self._settings.set_flag("sheet/pixels", self.pixels.isChecked())
        self._begin()
        self.save_wanted.emit(path, self.paper.currentText(), self.dpi.value(), not self.pixels.isChecked())

    # ---- how it goes ----

    def show_progress(self, done: int, total: int) -> None:
        """Show how many cells are drawn."""
        words = f"{done} of {total} cells" if done < total else "Writing the file…"
        self.panel.show_progress(JobProgress(done, total, words))

    def show_saved(self, path: Path, size_mm: tuple[float, float]) -> None:
        """Show that it is done."""
        self._saved = path
        width, height = size_mm
        self._finish(f"Saved {short_path(path)}, {width:.0f} x {height:.0f} mm.")

    def _refresh(self) -> None:
        size = self._size()
        fits = isinstance(size, PageSize)
        rows, columns = len(self._grid.rows), len(self._grid.columns)
        if isinstance(size, PageSize):
            page = f"{size.width_mm:.0f} x {size.height_mm:.0f} mm"
            self.measure.setText(f"{rows} x {columns} cells of {size.cell_mm:.0f} mm; the sheet takes {page}.")
        else:
            self.measure.setText(size)
        for widget in (self.paper, self.dpi, self.pixels):
            widget.setEnabled(not self._running)
        self._show_buttons(can_save=fits)
