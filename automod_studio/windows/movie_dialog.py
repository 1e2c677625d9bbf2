"""Save a path as a movie: asks for format and size, tells how long it gets, shows how far it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from automod_core.animation import RecipePath
from automod_core.errors import UserError
from automod_core.movie import MAX_FPS, MAX_SIZE, MIN_SIZE, MoviePlan, MovieSettings, default_size, plan_movie
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_path import length_words
from automod_studio.widgets.labels import hint_label, title_label
from automod_studio.windows.export_dialog import ExportDialog
from automod_studio.windows.form_rows import form_rows, short_path
from automod_studio.windows.save import with_suffix
from automod_studio.workers.jobs import JobProgress

_FORMATS = {
    ".mp4": ("MP4 video", "Small, and played everywhere"),
    ".gif": ("GIF", "Moves in every message and page; few colours, large"),
    ".webp": ("WebP", "Moves in web pages; all colours"),
    "": ("PNG pictures", "A new folder with one picture per frame, each of which can be opened again as a mix"),
}
_HAS_QUALITY = (".mp4", ".webp")
_FILTERS = {".mp4": "MP4 (*.mp4)", ".gif": "GIF (*.gif)", ".webp": "WebP (*.webp)", "": "New folder (*)"}


class MovieDialog(ExportDialog):
    """Holds the path as it was when the dialog was opened, so the person can go on editing.

    Signals:
        save_wanted: MoviePlan.
    """

    save_wanted = Signal(object)
    stopped_words = "Stopped; nothing was saved."

    def __init__(
        self, path: RecipePath, resolution: int, name: str, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._path, self._resolution, self._name, self._settings = path, resolution, name, settings
        self.setWindowTitle("Export the path")
        self.format = QComboBox()
        self.size_px, self.fps, self.quality = QSpinBox(), QSpinBox(), QSpinBox()
        self.measure = QLabel()
        self._set_up()
        self._lay_out()
        self._connect()
        self._choose_format()

    def _set_up(self) -> None:
        for suffix, (title, tip) in _FORMATS.items():
            self.format.addItem(title, suffix)
            self.format.setItemData(self.format.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        kept = self.format.findData(self._settings.value("movie/format", ".mp4").removeprefix("folder"))
        self.format.setCurrentIndex(max(0, kept))
        for box, name, tip, suffix, limits in (
            (self.size_px, "Size", "Pixels per side (arrows, wheel)", " pixels", (MIN_SIZE, MAX_SIZE)),
            (self.fps, "Speed", "30 is smooth; 12 keeps a GIF small (arrows, wheel)", " frames per second", (1, 120)),
            (self.quality, "Quality", "80 looks like the original (arrows, wheel)", "", (1, 100)),
        ):
            box.setRange(*limits)
            box.setSuffix(suffix)
            box.setAccessibleName(name)
            box.setToolTip(tip)
        self.size_px.setSingleStep(64)
        self.fps.setValue(self._kept("fps", 30))
        self.quality.setValue(self._kept("quality", 80))
        self.measure.setWordWrap(True)

    def _kept(self, key: str, default: int) -> int:
        text = self._settings.value(f"movie/{key}")
        return int(text) if text.isdecimal() and len(text) < 5 else default

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        count = len(self._path.keyframes)
        layout.addWidget(title_label(f"{count} pictures, {length_words(self._path.seconds)}"))
        self._hint = hint_label("", wrap=True)
        layout.addWidget(self._hint)
        layout.addSpacing(GRID)
        rows = [
            ("&Format", (self.format,)), ("Si&ze", (self.size_px,)), ("S&peed", (self.fps,)),
            ("&Quality", (self.quality,)),
        ]  # fmt: skip
        layout.addLayout(form_rows(rows))
        layout.addWidget(self.measure)
        layout.addWidget(self.panel, 1)
        layout.addWidget(
            self._make_buttons(
                ("&Open the movie", "Show it in the program that plays it"),
                "Choose where, and begin",
                "Stop; nothing is left behind",
            )
        )

    def _connect(self) -> None:
        self.format.currentIndexChanged.connect(self._choose_format)
        for box in (self.size_px, self.fps, self.quality):
            box.valueChanged.connect(self._refresh)

    # ---- what is asked for ----

    @property
    def suffix(self) -> str:
        """The format: ".mp4", ".gif", ".webp", or "" for pictures."""
        return str(self.format.currentData())

    def _choose_format(self) -> None:
        self.size_px.setValue(default_size(self._resolution, self.suffix))
        self.fps.setMaximum(MAX_FPS[self.suffix])
        self._hint.setText(_FORMATS[self.suffix][1] + ".")
        self._refresh()

    def _plan(self, target: Path) -> MoviePlan | str:
        """What will be made, or why it cannot be."""
        settings = MovieSettings(fps=self.fps.value(), size=self.size_px.value(), quality=self.quality.value())
        try:
            return plan_movie(target, self._path, self._resolution, settings, self.suffix)
        except UserError as error:
            return str(error)

    def _save(self) -> None:
        if self._running:
            return
        suffix = self.suffix
        start = self._settings.last_folder("movies") / (self._name + (suffix or " frames"))
        title = "Save the movie" if suffix else "Name a new folder for the pictures"
        name, _ = QFileDialog.getSaveFileName(self, title, str(self._saved or start), _FILTERS[suffix])
        if not name:
            return
        target = with_suffix(self, Path(name), suffix)
        if target is None:
            return
        plan = self._plan(target)
        if isinstance(plan, str):
            self.panel.show_error(plan)
            return
        self._remember(target)
        self._begin()
        self.save_wanted.emit(plan)

    def _remember(self, target: Path) -> None:
        self._settings.set_last_folder("movies", target.parent)
        self._settings.set_value("movie/format", self.suffix or "folder")
        self._settings.set_value("movie/fps", str(self.fps.value()))
        self._settings.set_value("movie/quality", str(self.quality.value()))

    # ---- how it goes ----

    def show_progress(self, done: int, total: int) -> None:
        """Show how many frames are done."""
        words = f"{done} of {total} frames" if done < total else "Completing the file…"
        self.panel.show_progress(JobProgress(done, total, words))

    def show_saved(self, target: Path) -> None:
        """Show that it is done."""
        self._saved = target
        self._finish(f"Saved {short_path(target)}.")

    def _refresh(self) -> None:
        plan = self._plan(Path("movie" + self.suffix) if self.suffix else Path("no such folder"))
        if isinstance(plan, MoviePlan):
            frames = "1 frame" if plan.n_frames == 1 else f"{plan.n_frames} frames"
            length = length_words(plan.n_frames / plan.fps)
            self.measure.setText(f"{frames}, {length}, {plan.size} x {plan.size} pixels.")
        else:
            self.measure.setText(plan)
        for widget in (self.format, self.size_px, self.fps):
            widget.setEnabled(not self._running)
        self.quality.setEnabled(not self._running and self.suffix in _HAS_QUALITY)
        self._show_buttons(can_save=isinstance(plan, MoviePlan))
