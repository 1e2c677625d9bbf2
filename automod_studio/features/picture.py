"""What becomes of the picture: saved, copied, dragged to another program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QWidget

from automod_core.errors import UserError
from automod_studio.document.model import Document, same_picture
from automod_studio.features.feature import Part
from automod_studio.studio import Studio
from automod_studio.windows import save
from automod_studio.workers.requests import SavePicture

_NOT_DRAWN = "The picture could not be drawn: what is seen is a preview of it."


class PicturePart(Part):
    """The picture of the document as it is now."""

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(studio, window)
        self.drag_out = save.DragOut()
        self._copied: Document | None = None  # its picture goes to the clipboard as soon as it is there
        studio.picture_shown.connect(self._copy_awaited)

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Save, save as, copy."""
        return {"save": self.save, "save_as": self.save_as, "copy": self.copy}

    def save(self) -> None:
        """Save to the file that was saved to before, or ask for one."""
        if self.studio.saved_path is None:
            self.save_as()
        elif self.studio.shown is not None:
            self.studio.save(self.studio.saved_path)

    def save_as(self) -> None:
        """Ask for a file and save the picture there."""
        if self.studio.shown is None:
            return
        path = save.ask_where(self.window, self.document, self.studio.settings, self.studio.saved_path)
        if path is not None:
            self.studio.save(path)

    def copy(self) -> None:
        """Put the picture on the clipboard; while a preview is on the canvas, once the picture is there."""
        self._copied, drawn = self.document, self.studio.on_canvas
        if drawn is not None and drawn.trouble is not None:
            self._copied = None
            self.studio.message.emit(_NOT_DRAWN, "", "warning")
        self._copy_awaited()

    def _copy_awaited(self) -> None:
        shown, wanted = self.studio.shown, self._copied
        if wanted is None:
            return
        if not same_picture(wanted, self.document):
            self._copied = None  # it was changed before it was there
        elif shown is not None and same_picture(shown[0], wanted):
            self._copied = None
            save.copy_picture(shown[1])
            self.studio.message.emit("Copied the picture.", "", "info")

    def start_drag(self, widget: QWidget) -> None:
        """Drag the picture out of a widget; returns when it was dropped or given up."""
        drawn = self.studio.on_canvas
        if drawn is not None and drawn.preview:  # the last full picture is another one than what is seen
            wait = "The picture is still being drawn: drag it out in a moment."
            self.studio.message.emit(_NOT_DRAWN if drawn.trouble else wait, "", "warning" if drawn.trouble else "info")
            return
        if self.studio.shown is None:
            return
        document, image = self.studio.shown
        try:
            self.drag_out.start(widget, document, image, partial(self._draw_anew, document))
        except UserError as error:
            self.studio.message.emit(str(error), "", "error")

    def _draw_anew(self, document: Document, path: Path) -> None:
        """While a file is dragged, put the picture into it as exactly as it would be saved; that may take a second."""
        drawn = self.studio.on_canvas
        if drawn is not None and drawn.precision != "float32":
            service = self.studio.service
            service.ask(SavePicture(service.next_id(), path, document), lambda _reply: None)

    def close(self) -> None:
        """Delete the files that were dragged out."""
        self.drag_out.clean_up()
