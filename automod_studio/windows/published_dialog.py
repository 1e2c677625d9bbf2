"""Get published models: the authors' five, fetched and converted when the person asks for one."""

import shutil
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from automod_core import paths
from automod_core.published import DOI, DOI_URL, PUBLISHED, RECORD_URL, PublishedModel, download, format_bytes
from automod_studio.model_library import describe, published_path
from automod_studio.theme import GRID, MARGIN
from automod_studio.windows.form_rows import short_path
from automod_studio.windows.import_dialog import Importer, default_importer
from automod_studio.windows.job_panel import JobPanel
from automod_studio.workers.jobs import JobControl, JobReply, JobRequest

#: Room for the converted model beside the download.
IMPORTED_BYTES = 300_000_000
_COLUMNS = ("Model", "Trained on", "Pixels", "Download", "")
_TABLE_STYLE = """
QTreeView::item { padding: 5px 6px; border: none; }
QTreeView::item:selected { background: palette(highlight); color: palette(highlighted-text); }
QHeaderView { background: transparent; }
QHeaderView::section { background: transparent; color: palette(placeholder-text); border: none;
    border-bottom: 1px solid palette(mid); padding: 5px 8px; }
"""


def fetch_and_import(
    model: PublishedModel,
    target: Path,
    downloads: Path,
    control: JobControl,
    *,
    record_url: str = RECORD_URL,
    importer: Importer | None = None,
) -> Path:
    """Download a checkpoint, convert it to `target`, and throw the download away. Runs on a job's thread.

    Raises:
        UserError: whatever went wrong, in one sentence.
        JobCancelled: the person cancelled during the conversion.
    """

    def downloading(done: int, total: int) -> None:
        if done < total:
            control.progress(done, total, f"{model.title}: {format_bytes(done)} of {format_bytes(total)}")
        else:
            control.progress(0, 0, "Checking the download")

    def converting(share: float, words: str) -> None:
        control.stop_if_cancelled()
        control.progress(share, 1.0, words)

    control.progress(0, 0, "Asking Zenodo")
    checkpoint = download(
        model,
        downloads,
        progress=downloading,
        cancelled=control.cancelled,
        record_url=record_url,
        reserve_bytes=IMPORTED_BYTES,
    )
    control.stop_if_cancelled()
    control.progress(0, 0, "Loading what converts it")
    convert = importer or default_importer()
    control.stop_if_cancelled()
    convert(checkpoint, target, name=None, progress=converting)
    checkpoint.unlink(missing_ok=True)  # 0.8 GB, mostly the optimisers' memory, that nobody needs again
    return target


class PublishedDialog(QDialog):
    """Lists the authors' models, downloads the chosen one and converts it.

    Closing it while it works cancels; what has arrived is kept and gone on with the next time.

    Signals:
        model_ready: the Path of a model file that can be loaded.
    """

    model_ready = Signal(object)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        folder: Path | None = None,
        downloads: Path | None = None,
        record_url: str = RECORD_URL,
        importer: Importer | None = None,
    ) -> None:
        """Build the dialog; nothing is fetched until Download is pressed.

        Args:
            parent: the window it belongs to.
            folder: where models go; the user's models folder if None.
            downloads: where unfinished downloads lie; in the user's cache folder if None.
            record_url: the record in Zenodo's API.
            importer: what converts a checkpoint; automod_core.legacy.import_model if None.
        """
        super().__init__(parent)
        self._folder = folder or paths.user_models_dir()
        self._downloads = downloads or paths.cache_dir() / "downloads"
        self._record_url, self._importer = record_url, importer
        self.setWindowTitle("Get published models")
        self.setMinimumWidth(720)

        self._table = self._make_table()
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setProperty("role", "hint")
        self._note.setAccessibleName("About the chosen model")
        self._panel = JobPanel()
        self._action, self._cancel, buttons = self._make_buttons()

        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        for label in self._make_heading():
            layout.addWidget(label)
        layout.addWidget(self._table, 1)
        layout.addWidget(self._note)
        layout.addWidget(self._panel)
        layout.addWidget(buttons)

        self._panel.started.connect(self._refresh)
        self._panel.finished.connect(self._finish)
        self._table.currentItemChanged.connect(self._choice_changed)
        self._table.itemActivated.connect(self._act)
        self.select(PUBLISHED[0].key)
        self._table.setFocus()

    @property
    def model(self) -> PublishedModel:
        """The chosen model."""
        return PUBLISHED[max(0, self._table.currentIndex().row())]

    @property
    def running(self) -> bool:
        """True while something is downloaded or converted."""
        return self._panel.running

    def select(self, key: str) -> None:
        """Choose a model by its key, e.g. "ffhq256"."""
        for index, model in enumerate(PUBLISHED):
            item = self._table.topLevelItem(index)
            if model.key == key and item is not None:
                self._table.setCurrentItem(item)

    def showEvent(self, event: QShowEvent) -> None:
        """Look again at what is on the disk: it may have changed since the dialog was last open."""
        self._fill_states()
        self._refresh()
        super().showEvent(event)

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: stop the work first."""
        self._panel.shut_down()
        self._refresh()
        super().done(result)

    def _make_heading(self) -> tuple[QLabel, QLabel]:
        title = QLabel("Models by the authors of “Deep Automodulators”")
        title.setProperty("role", "title")
        hint = QLabel(
            f'Downloaded from Zenodo (<a href="{DOI_URL}">{DOI}</a>) when you ask for one, checked, '
            "and converted to a model file on this computer."
        )
        hint.setProperty("role", "hint")
        hint.setWordWrap(True)
        hint.setOpenExternalLinks(True)
        hint.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        return title, hint

    def _make_table(self) -> QTreeWidget:
        table = QTreeWidget()
        table.setColumnCount(len(_COLUMNS))
        table.setHeaderLabels(list(_COLUMNS))
        table.setRootIsDecorated(False)
        table.setUniformRowHeights(True)
        table.setAllColumnsShowFocus(True)
        table.setStyleSheet(_TABLE_STYLE)
        table.setAccessibleName("Published models")
        table.setToolTip("Choose a model with the arrow keys; Enter downloads it")
        for model in PUBLISHED:
            exact, side = model.size_bytes, model.resolution
            size = format_bytes(exact) if exact else f"about {format_bytes(model.estimated_bytes)}"
            item = QTreeWidgetItem([model.title, model.trained_on, f"{side} × {side}", size, ""])
            item.setToolTip(1, model.licence)
            table.addTopLevelItem(item)
        header = table.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        for column in range(len(_COLUMNS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        table.ensurePolished()
        table.setMinimumHeight(table.sizeHintForRow(0) * len(PUBLISHED) + header.sizeHint().height() + 2 * GRID)
        table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        return table

    def _make_buttons(self) -> tuple[QPushButton, QPushButton, QDialogButtonBox]:
        box = QDialogButtonBox()
        action = box.addButton("&Download", QDialogButtonBox.ButtonRole.ActionRole)
        cancel = box.addButton("&Cancel", QDialogButtonBox.ButtonRole.ActionRole)
        cancel.setToolTip("Stop the download; what has arrived is kept for the next time")
        cancel.setAutoDefault(False)
        close = box.addButton(QDialogButtonBox.StandardButton.Close)
        close.setToolTip("Close; a running download stops and can be gone on with later (Esc)")
        close.setAutoDefault(False)
        action.setDefault(True)
        action.clicked.connect(self._act)
        cancel.clicked.connect(self._panel.cancel)
        box.rejected.connect(self.reject)
        return action, cancel, box

    def _fill_states(self) -> None:
        for index, model in enumerate(PUBLISHED):
            item = self._table.topLevelItem(index)
            if item is not None:
                item.setText(4, self._state(model))

    def _state(self, model: PublishedModel) -> str:
        if self._is_ready(model):
            return "Ready"
        return "Paused" if self._begun_bytes(model) else ""

    def _is_ready(self, model: PublishedModel) -> bool:
        path = published_path(model, self._folder)
        return path.is_file() and describe(path).usable  # a damaged one can be fetched again

    def _begun_bytes(self, model: PublishedModel) -> int:
        try:
            return max((p.stat().st_size for p in self._downloads.glob(f"{model.file_name}*")), default=0)
        except OSError:
            return 0

    def _choice_changed(self) -> None:
        if not self._panel.running:
            self._panel.clear()
        self._refresh()

    def _refresh(self) -> None:
        """Bring note and buttons in line with the chosen model and the work."""
        model, busy = self.model, self._panel.running
        ready = self._is_ready(model)
        begun = self._begun_bytes(model)
        self._table.setEnabled(not busy)
        self._cancel.setVisible(busy)
        self._action.setVisible(not busy)
        self._action.setText("&Use this model" if ready else "Go on with the &download" if begun else "&Download")
        self._action.setToolTip(
            f"Open {model.title} in the studio" if ready else f"Fetch and convert {model.title} in the background"
        )
        (self._cancel if busy else self._action).setDefault(True)
        licence = f"{model.licence} The record on Zenodo states the licence of the model itself."
        self._note.setText(f"{licence}\n{self._space_note(model, ready, begun)}")

    def _space_note(self, model: PublishedModel, ready: bool, begun: int) -> str:
        if ready:
            return f"Downloaded and converted: {short_path(published_path(model, self._folder))}"
        needed = max(0, (model.size_bytes or model.estimated_bytes) - begun) + IMPORTED_BYTES
        free = _free_bytes(self._downloads)
        arrived = f" {format_bytes(begun)} have arrived already." if begun else ""
        note = f"Needs about {format_bytes(needed)} of disk space"
        if free is None:
            return f"{note}.{arrived}"
        return (
            f"{note}, but only {format_bytes(free)} are free."
            if free < needed
            else (f"{note}; {format_bytes(free)} are free.{arrived}")
        )

    def _act(self) -> None:
        if self._panel.running:
            return
        model, target = self.model, published_path(self.model, self._folder)
        if self._is_ready(model):
            self._hand_over(target)
            return
        downloads, record_url, importer = self._downloads, self._record_url, self._importer

        def work(control: JobControl) -> Path:
            return fetch_and_import(model, target, downloads, control, record_url=record_url, importer=importer)

        self._panel.start(JobRequest(f"Getting {model.title}", work))

    def _finish(self, reply: JobReply) -> None:
        self._fill_states()
        self._refresh()
        if reply.ok:
            self._hand_over(reply.value)
        else:
            self._table.setFocus()

    def _hand_over(self, path: Path) -> None:
        self.model_ready.emit(path)
        self.accept()


def _free_bytes(folder: Path) -> int | None:
    """Free space where `folder` is or will be; None if that cannot be told."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
