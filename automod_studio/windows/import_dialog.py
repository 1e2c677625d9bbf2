"""Import a model: turn a checkpoint of the 2020 release (.pth) into a model file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_core import paths
from automod_studio.model_library import SUFFIX, new_model_path
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.windows.ask_files import typed_path
from automod_studio.windows.form_rows import form_rows, short_path
from automod_studio.windows.job_panel import JobPanel
from automod_studio.workers.jobs import JobControl, JobReply, JobRequest

_RESOLUTIONS = (64, 128, 256, 512, 1024)

Importer = Callable[..., Any]  # automod_core.legacy.import_model


def default_importer() -> Importer:
    """The real conversion; brings torch in, so it is fetched on a job's thread and not before it is needed."""
    from automod_core.legacy import import_model

    return import_model


def run_import(
    source: Path,
    target: Path,
    name: str | None,
    resolution: int | None,
    control: JobControl,
    importer: Importer | None = None,
) -> Path:
    """Convert a checkpoint on a job's thread and return `target`.

    Raises:
        UserError: the file cannot be imported, in one sentence.
        JobCancelled: the person cancelled.
    """

    def converting(share: float, words: str) -> None:
        control.stop_if_cancelled()
        control.progress(share, 1.0, words)

    control.progress(0, 0, "Loading what converts it")
    convert = importer or default_importer()
    control.stop_if_cancelled()
    convert(source, target, name=name, resolution=resolution, progress=converting)
    return target


class ImportDialog(QDialog):
    """Asks for a checkpoint, a name and a resolution, and converts it in the background.

    Signals:
        model_ready: the Path of the model file made.
    """

    model_ready = Signal(object)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        source: Path | None = None,
        folder: Path | None = None,
        settings: Settings | None = None,
        importer: Importer | None = None,
    ) -> None:
        """Build the dialog.

        Args:
            parent: the window it belongs to.
            source: a checkpoint to begin with, e.g. one that was dropped on the window.
            folder: where the model goes; the user's models folder if None.
            settings: remembers the folder of the file dialog.
            importer: what converts a checkpoint; automod_core.legacy.import_model if None.
        """
        super().__init__(parent)
        self._folder = folder or paths.user_models_dir()
        self._settings, self._importer = settings, importer
        self.setWindowTitle("Import a model")
        self.setMinimumWidth(520)
        self.setAcceptDrops(True)

        self._source = QLineEdit()
        self._source.setPlaceholderText("Drop a .pth file here, or browse")
        self._source.setAccessibleName("Checkpoint file")
        self._source.setAcceptDrops(False)  # the whole dialog takes drops; the line edit would paste the address
        self._browse = QPushButton("&Browse…")
        self._browse.setAutoDefault(False)
        self._browse.setToolTip("Choose the .pth file of a model")
        self._name = QLineEdit()
        self._name.setPlaceholderText("Taken from the file")
        self._name.setAccessibleName("Name of the model")
        self._name.setMaxLength(80)
        self._resolution = self._make_resolution()
        self._panel = JobPanel()
        self._import, self._cancel, buttons = self._make_buttons()
        self._lay_out(buttons)

        self._source.textChanged.connect(self._source_changed)
        self._browse.clicked.connect(self._choose)
        self._panel.started.connect(self._refresh)
        self._panel.finished.connect(self._finish)
        self._refresh()
        if source is not None:
            self.set_source(source)

    @property
    def running(self) -> bool:
        """True while a checkpoint is converted."""
        return self._panel.running

    def set_source(self, path: Path) -> None:
        """Fill in the file to import."""
        if not self._panel.running:
            self._source.setText(str(path))
            self._import.setFocus()

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: stop the work first."""
        self._panel.shut_down()
        self._refresh()
        super().done(result)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files from the file manager, as a copy."""
        if _first_file(event) is not None and not self._panel.running:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        """Fill in the file that was dropped."""
        path = _first_file(event)
        if path is not None:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.set_source(path)

    def _make_resolution(self) -> QComboBox:
        choice = QComboBox()
        choice.setAccessibleName("Size of the pictures")
        choice.setToolTip("A smaller size makes a smaller, faster model")
        choice.addItem("As large as it was trained for", None)
        for size in _RESOLUTIONS:
            choice.addItem(f"{size} × {size} pixels", size)
        return choice

    def _make_buttons(self) -> tuple[QPushButton, QPushButton, QDialogButtonBox]:
        box = QDialogButtonBox()
        start = box.addButton("&Import", QDialogButtonBox.ButtonRole.ActionRole)
        start.setToolTip("Convert the file in the background")
        cancel = box.addButton("&Cancel", QDialogButtonBox.ButtonRole.ActionRole)
        cancel.setToolTip("Stop; nothing is kept")
        cancel.setAutoDefault(False)
        close = box.addButton(QDialogButtonBox.StandardButton.Close)
        close.setToolTip("Close; a running import stops (Esc)")
        close.setAutoDefault(False)
        start.clicked.connect(self._start)
        cancel.clicked.connect(self._panel.cancel)
        box.rejected.connect(self.reject)
        return start, cancel, box

    def _lay_out(self, buttons: QDialogButtonBox) -> None:
        title = QLabel("Import a model of the 2020 release")
        title.setProperty("role", "title")
        hint = QLabel(
            "The file is read as plain data: no code in it is run, and it stays as it is. "
            f"The model made from it goes to\n{short_path(self._folder)}"
        )
        hint.setProperty("role", "hint")
        hint.setWordWrap(True)
        form = form_rows(
            (
                ("&File", (self._source, self._browse)),
                ("&Name", (self._name,)),
                ("&Size", (self._resolution,)),
            )
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title)
        layout.addWidget(hint)
        layout.addSpacing(GRID)
        layout.addLayout(form)
        layout.addWidget(self._panel, 1)
        layout.addWidget(buttons)

    def _source_path(self) -> Path | None:
        return typed_path(self._source.text())

    def _source_changed(self) -> None:
        self._panel.clear()
        self._refresh()

    def _refresh(self) -> None:
        busy = self._panel.running
        for widget in (self._source, self._browse, self._name, self._resolution):
            widget.setEnabled(not busy)
        self._import.setVisible(not busy)
        self._import.setEnabled(self._source_path() is not None)
        self._cancel.setVisible(busy)
        (self._cancel if busy else self._import).setDefault(True)

    def _choose(self) -> None:
        folder = self._settings.last_folder("models") if self._settings else Path.home()
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Choose a model to import", str(folder), "Checkpoints (*.pth *.pt);;All files (*)"
        )
        if chosen:
            if self._settings:
                self._settings.set_last_folder("models", Path(chosen))
            self.set_source(Path(chosen))

    def _start(self) -> None:
        source = self._source_path()
        if source is None or self._panel.running:
            return
        if not source.is_file():
            self._panel.show_error(f"{source} is not there.")
            return
        if source.suffix == SUFFIX:
            self._panel.show_error(f"{source.name} is a model file already: open it instead of importing it.")
            return
        name = self._name.text().strip() or None
        resolution: int | None = self._resolution.currentData()
        target = new_model_path(name or source.stem, self._folder)
        importer = self._importer

        def work(control: JobControl) -> Path:
            return run_import(source, target, name, resolution, control, importer)

        self._panel.start(JobRequest(f"Importing {source.name}", work))

    def _finish(self, reply: JobReply) -> None:
        self._refresh()
        if reply.ok:
            self.model_ready.emit(reply.value)
            self.accept()
        else:
            self._source.setFocus()


def _first_file(event: QDropEvent) -> Path | None:
    for url in event.mimeData().urls():
        if url.isLocalFile():
            return Path(url.toLocalFile())
    return None
