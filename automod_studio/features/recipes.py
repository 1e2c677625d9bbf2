"""Recipes: copied from one face and pasted onto another, within the program and beyond; or applied to a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from automod_core.errors import UserError
from automod_core.recipe import Recipe
from automod_studio.document.model import Document, ModelRef, recipe_of
from automod_studio.document.transfer_edits import missing_codes, paste_recipe
from automod_studio.features.feature import Part
from automod_studio.studio import MAX_PHOTOS, Studio
from automod_studio.windows import drops
from automod_studio.workers.recipe_requests import ApplyToFolder, BatchDone, BatchProgress, ReadRecipe, RecipeRead

if TYPE_CHECKING:
    from automod_core.recipe_batch import Order
    from automod_studio.windows.apply_dialog import ApplyDialog

_NONE_THERE = "There is no recipe on the clipboard: copy one (Ctrl+Shift+C), or copy a PNG that was saved here."


@dataclass(frozen=True, slots=True)
class _Paste:
    """What is to be pasted onto what."""

    text: str = ""
    path: str = ""
    range_name: str = ""  # empty: the whole recipe
    face_id: int | None = None


class RecipesPart(Part):
    """Copy, paste and apply recipes."""

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(studio, window)
        self._reading = 0  # id of the request
        self._batch = 0
        self._dialog: ApplyDialog | None = None
        self._menu = QMenu("Paste recipe of a ran&ge", window)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill_menu)

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """The rows of the menus."""
        return {"copy_recipe": self.copy, "paste_recipe": self.paste, "apply_to_folder": self.apply_to_folder}

    def inserts(self) -> Mapping[str, list[QAction]]:
        """The ranges of the model, each to be pasted alone."""
        return {"paste_recipe_range": [self._menu.menuAction()]}

    def take(self, dropped: drops.Dropped) -> None:
        """Paste a recipe that was dropped, or pasted in the usual way."""
        if dropped.recipe:
            self._ask(_Paste(text=dropped.recipe, face_id=self.studio.selected_id))

    # ---- copy and paste ----

    def copy(self) -> None:
        """Put the recipe on the clipboard, as text that any program can keep."""
        if self.document.model is None or not self.document.sources:
            return
        text = recipe_of(self.document).to_json()
        mime = QMimeData()
        mime.setText(text)
        mime.setData(drops.RECIPE_TYPE, text.encode())
        QGuiApplication.clipboard().setMimeData(mime)
        self._say("Copied the recipe: paste it onto another face, here or in another window.")

    def paste(self, range_name: str = "") -> None:
        """Do to the selected photo, or to the picture, what the recipe on the clipboard did to its own.

        Args:
            range_name: only in this range of the model; empty = everywhere.
        """
        mime = drops.on_clipboard()
        text, path = drops.recipe_in(mime), _single_file(mime)
        if text or path:
            self._ask(_Paste(text, "" if text else path, range_name, self.studio.selected_id))
        else:
            self._say(_NONE_THERE, level="warning")

    def _ask(self, paste: _Paste) -> None:
        model = self.document.model
        if model is None:
            self._say("A recipe can be pasted once there is a model: open one, or get one.", level="warning")
            return
        self.studio.service.cancel(self._reading)
        self._reading = self.studio.service.next_id()
        known = frozenset(source.code.tobytes() for source in self.document.sources)
        request = ReadRecipe(self._reading, model, paste.text, paste.path, known)
        self.studio.service.ask(request, partial(self._take_in, paste))

    def _take_in(self, paste: _Paste, reply: RecipeRead) -> None:
        document, recipe = self.document, reply.recipe
        if recipe is None or document.model is None:
            if reply.trouble is not None:
                self._say(reply.trouble.sentence, reply.trouble.details, "warning")
            return
        face_id = paste.face_id if paste.face_id in [s.id for s in document.sources] else None
        try:
            blocks = document.model.blocks_of(paste.range_name) if paste.range_name else None
            if not missing_codes(document, recipe, blocks, face_id) <= {s.code.tobytes() for s in reply.sources}:
                self._ask(paste)  # photos were removed meanwhile
                return
            edited = partial(
                paste_recipe,
                recipe=recipe,
                cards=reply.sources,
                blocks=blocks,
                face_id=face_id,
                most_photos=MAX_PHOTOS,
            )
            self._put(document, recipe, edited, paste, face_id)
        except UserError as error:
            self._say(str(error), level="warning")
        except KeyError:  # another model came meanwhile, without this range
            self._say(f"The model in use has no range “{paste.range_name}”.", level="warning")
        if reply.notice:
            self._say(reply.notice, level="warning")

    def _put(
        self,
        document: Document,
        recipe: Recipe,
        edited: Callable[[Document], Document],
        paste: _Paste,
        face_id: int | None,
    ) -> None:
        """Make the edit, and say what happened."""
        if face_id is None and document.sources and recipe_of(document).to_json() == recipe.to_json():
            self._say("This picture is made by that recipe: choose the photo that it is to be pasted onto.")
            return
        face = document.sources[document.index_of(face_id)].name if face_id is not None else ""
        of = f" ({paste.range_name})" if paste.range_name else ""
        self.session.edit(f"Paste recipe{of}{f' on {face}' if face else ''}", edited)
        came = len(self.document.sources) - len(document.sources)
        words = f"Pasted the recipe{of} onto {face or 'this picture'}." if document.sources else "Opened the recipe."
        if came and document.sources:
            words += f" {'One photo' if came == 1 else f'{came} photos'} came along."
        self._say(words)

    def _fill_menu(self) -> None:
        self._menu.clear()
        model = self.document.model
        for name in model.scale_ranges if model else ():
            action = self._menu.addAction(name.capitalize())
            action.setToolTip(f"Paste the {name} range only; the others stay as they are")
            action.setEnabled(bool(self.document.sources))
            action.triggered.connect(partial(self._paste_range, name))
        if self._menu.isEmpty():
            self._menu.addAction("The model names no ranges").setEnabled(False)

    def _paste_range(self, name: str, _checked: bool = False) -> None:
        self.paste(name)

    # ---- folders ----

    def apply_to_folder(self) -> None:
        """Show the dialog that applies the recipe to a folder; there is only one."""
        if self._dialog is not None:
            self._dialog.show()
            self._dialog.activateWindow()
        elif self.document.model is not None and self.document.sources:
            from automod_studio.windows.apply_dialog import ApplyDialog  # only now: it would hold up the start

            self._dialog = dialog = ApplyDialog(self.document, self.studio.settings, self.window)
            model = self.document.model
            dialog.apply_wanted.connect(lambda order, photos, out: self._start_batch(model, order, photos, out))
            dialog.stop_wanted.connect(self._stop_batch)
            dialog.finished.connect(self._forget_dialog)
            dialog.show()

    def _start_batch(self, model: ModelRef, order: Order, photos: Path, out: Path) -> None:
        self._batch = self.studio.service.next_id()
        request = ApplyToFolder(self._batch, model, order, photos, out)
        self.studio.service.ask(request, self._show_batch, background=True)

    def _stop_batch(self) -> None:
        self.studio.service.cancel(self._batch)

    def _show_batch(self, reply: BatchProgress | BatchDone) -> None:
        dialog = self._dialog
        if dialog is None or not dialog.running:
            return
        if isinstance(reply, BatchProgress):
            dialog.show_progress(reply.done, reply.total, reply.refused)
        elif reply.trouble is not None:
            dialog.show_trouble(reply.trouble.sentence, reply.trouble.details)
        else:
            dialog.show_end(reply.made, reply.kept, reply.total)
            if reply.notice:
                self._say(reply.notice, level="warning")

    def _forget_dialog(self) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.deleteLater()

    def _say(self, sentence: str, details: str = "", level: str = "info") -> None:
        self.studio.message.emit(sentence, details, level)


def _single_file(mime: QMimeData) -> str:
    """The path of the only file that was copied; empty if there is none, or several."""
    paths = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
    return paths[0] if len(paths) == 1 else ""
