"""Where the picture goes: the file dialog, the clipboard, a drag to another program."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QWidget

from automod_core.images import SAVE_SUFFIXES
from automod_studio.document.model import Document
from automod_studio.settings import Settings
from automod_studio.widgets.images import to_pixmap, to_qimage
from automod_studio.workers import saved_picture

_FILTERS = {
    "PNG, can be opened again as a mix (*.png)": ".png",
    "JPEG (*.jpg *.jpeg)": ".jpg",
    "WebP (*.webp)": ".webp",
}
_DRAG_EDGE = 96  # pixels of the small picture under the pointer


def suggested_name(document: Document) -> str:
    """A file name that tells who is in the picture: "anna + ben.png"."""
    names = [Path(s.name).stem for i, s in enumerate(document.sources) if document.weights[:, i].any()]
    joined = " + ".join(names[:3]) or "mix"
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", joined)[:80].strip() + ".png"


def ask_where(parent: QWidget, document: Document, settings: Settings, current: Path | None) -> Path | None:
    """Ask for a file; None if the person cancels. A name without a suffix gets that of the chosen format."""
    start = current or settings.last_folder("save") / suggested_name(document)
    chosen = next((f for f, suffix in _FILTERS.items() if suffix == start.suffix.lower()), next(iter(_FILTERS)))
    name, used = QFileDialog.getSaveFileName(parent, "Save the picture", str(start), ";;".join(_FILTERS), chosen)
    if not name:
        return None
    path = Path(name)
    if path.suffix.lower() not in SAVE_SUFFIXES:
        return _remembered(settings, with_suffix(parent, path, _FILTERS.get(used, ".png")))
    return _remembered(settings, path)


def with_suffix(parent: QWidget, path: Path, suffix: str) -> Path | None:
    """A path from a file dialog, with a suffix if it lacks that.

    The dialog has asked about the name that was typed only; if the longer one is that of a file, the person is asked
    whether to replace it, and None means no.
    """
    if not suffix or path.suffix.lower() == suffix:
        return path
    path = path.with_name(path.name + suffix)
    if not path.exists():
        return path
    question = f"{path.name} already exists. Do you want to replace it?"
    yes = QMessageBox.StandardButton.Yes
    return path if QMessageBox.question(parent, "Replace the file", question) == yes else None


def _remembered(settings: Settings, path: Path | None) -> Path | None:
    if path is not None:
        settings.set_last_folder("save", path.parent)
    return path


def copy_picture(image: np.ndarray) -> None:
    """Put a picture (H, W, 3) uint8 on the clipboard."""
    QApplication.clipboard().setImage(to_qimage(image).copy())


class DragOut:
    """Drags the picture out of the window, as a PNG file with its recipe.

    The files live until the program ends: who received one may copy it later.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def mime(self, document: Document, image: np.ndarray) -> QMimeData:
        """Write the picture and describe it. Raises UserError if it cannot be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="automod-", ignore_cleanup_errors=True)
        path = Path(self._folder.name) / suggested_name(document)
        saved_picture.write(path, image, document)
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        mime.setImageData(to_qimage(image).copy())
        return mime

    def start(
        self, widget: QWidget, document: Document, image: np.ndarray, written: Callable[[Path], None] | None = None
    ) -> None:
        """Run the drag; returns when the picture was dropped or the drag was given up.

        Args:
            widget: that is dragged from.
            document: what is in the picture.
            image: (H, W, 3) uint8.
            written: told the file before the drag begins.

        Raises:
            UserError: the file cannot be written.
        """
        drag = QDrag(widget)
        mime = self.mime(document, image)
        if written is not None:
            written(Path(mime.urls()[0].toLocalFile()))
        drag.setMimeData(mime)
        drag.setPixmap(to_pixmap(image, _DRAG_EDGE, widget.devicePixelRatioF()))
        drag.setHotSpot(QPoint(_DRAG_EDGE // 2, _DRAG_EDGE // 2))
        drag.exec(Qt.DropAction.CopyAction)

    def clean_up(self) -> None:
        """Delete the files."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
