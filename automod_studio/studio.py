"""What the studio does, without a single widget: photos in, models changed, pictures rendered and saved.

Everything that takes time goes to the worker as a request; the answers come back as signals and end up in the Session.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from automod_core.later import numpy as np
from automod_core.paths import assets_dir, default_model_path
from automod_studio import views
from automod_studio.document import edits
from automod_studio.document.history import History
from automod_studio.document.model import SESSION_SUFFIX, Document, Source, recipe_of, same_picture
from automod_studio.panel_clock import PanelClock
from automod_studio.session import Session
from automod_studio.settings import Settings
from automod_studio.workers.engine_service import EngineService
from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    ModelLoaded,
    PhotoItem,
    PhotosFound,
    PhotosLoaded,
    PictureOpened,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
    Trouble,
)

log = logging.getLogger(__name__)

#: How many photos of the sample mix are on the canvas of a fresh start.
_STARTER_PHOTOS = 2
#: Cards shown for photos that are still being read; a folder may hold thousands.
_MAX_PENDING_CARDS = 12
#: While many photos are read, the panels are rebuilt no more often than this.
_TAKE_IN_EVERY_S = 0.7
#: A mix of more photos than this has no sense, and its sliders no place.
MAX_PHOTOS = 100


class Studio(QObject):
    """Turns intents into edits and requests, and answers into edits and news.

    Signals:
        sources_changed: other cards are to be shown, among them photos that are being read.
        picture_shown: Rendered, the picture of the document as it is now, or a preview; again if none can follow that.
        nothing_to_show: str, why there is no picture.
        model_changed: another model, or another device.
        busy: str, what is going on that one waits for; "" when it is over.
        message: str sentence, str details, str level ("info", "warning" or "error").
        previewed: (H, W, 3) uint8, a picture to show for a while in the place of the document's; None ends it.
        saved: Path of a picture that the person saved, or opened again.
        session_asked: Path of a session file that was named on the command line.
        ready: the first model is loaded.
    """

    sources_changed = Signal()
    picture_shown = Signal(object)
    nothing_to_show = Signal(str)
    model_changed = Signal()
    busy = Signal(str)
    message = Signal(str, str, str)
    previewed = Signal(object)
    saved = Signal(object)
    session_asked = Signal(object)
    ready = Signal()

    def __init__(self, service: EngineService, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = Session(self)
        self.panels = PanelClock(self)
        self.settings = settings
        self.device = ""  # short name of what renders
        self.shown: tuple[Document, np.ndarray] | None = None  # the last full picture, and what it is the picture of
        self.on_canvas: Rendered | None = None  # that one, or a preview since then
        self.saved_path: Path | None = None
        self.selected_id: int | None = None  # of the source whose card was selected last
        self.sample_paths = sample_paths()
        self.service = service
        self._rendering: dict[int, Document] = {}  # render request -> what it is the picture of
        self._asked: Document | None = None  # what was rendered last, or is being rendered
        self._sources_shown: tuple[Source, ...] = ()
        self._photo_requests: dict[int, _PhotoRequest] = {}
        self._waiting: list[_PhotoRequest] = []  # until there is a model
        self._model_request, self._model_device, self._loading = 0, "", False
        self._loading_first = True
        self._first_trouble: Trouble | None = None  # of the model that was asked for, while another is tried instead
        self._told_no_model = False
        service.rendered.connect(self._rendered)
        service.model_loaded.connect(self._model_loaded)
        service.photos_found.connect(self._photos_found)
        service.photos_loaded.connect(self._photos_loaded)
        service.picture_opened.connect(self._picture_opened)
        service.picture_saved.connect(self._picture_saved)
        service.broken.connect(self._engine_broken)
        self.session.changed.connect(self._document_changed)
        self.session.history_changed.connect(self._keep_thumbnail)
        self._take_in_clock = QTimer(self, singleShot=True)  # after the edit that ends a drag, not within it
        self._take_in_clock.timeout.connect(self._take_in_all_held)
        self.session.history_changed.connect(self._take_in_clock.start)

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self.session.document

    def source_views(self) -> tuple[views.SourceView, ...]:
        """The cards of the tray."""
        names = [name for request in self._photo_requests.values() for name in request.waiting][:_MAX_PENDING_CARDS]
        pending = [views.PendingSource(-1 - index, name) for index, name in enumerate(names)]
        return views.source_views(self.document, pending)

    # ---- models ----

    def start(self, paths: Sequence[Path] = ()) -> None:
        """Load the first model, and open what was named on the command line: photos, folders, a model, saved work."""
        models = [p for p in paths if p.suffix.lower() == ".safetensors"]
        sessions = [p for p in paths if p.suffix.lower() == SESSION_SUFFIX]
        photos = [p for p in paths if p not in models and p not in sessions]
        last = self.settings.last_model
        path = models[-1] if models else last if last and last.is_file() else default_model_path()
        if photos:
            self.add_photos([PhotoItem(path=str(p)) for p in photos])
        elif not sessions:
            samples = self.sample_paths[:_STARTER_PHOTOS]
            if samples:
                self._waiting.append(_PhotoRequest([PhotoItem(path=str(p)) for p in samples], starter=True))
        self.load_model(path)
        if sessions:
            self.session_asked.emit(sessions[-1])

    def load_model(self, path: Path, device: str | None = None) -> None:
        """Change the model; the sources are encoded anew. Until it is there, everything stays as it is."""
        self.session.finish_drag()
        self._model_request = self.service.next_id()
        self._loading = True
        self.busy.emit("Loading the model…")
        self._model_device = device or self.settings.device
        self.service.submit(LoadModel(self._model_request, str(path), self._model_device, self.document.sources))

    def set_device(self, device: str) -> None:
        """Let another device draw; `device` as in the settings."""
        if self.document.model is not None:
            self.load_model(Path(self.document.model.path), device)

    def _model_loaded(self, reply: ModelLoaded) -> None:
        if reply.id != self._model_request:
            return  # another was asked for meanwhile
        self._loading = False
        if reply.ref is None:
            self._model_failed(reply)
            return
        if [s.id for s in reply.sources] != [s.id for s in self.document.sources]:
            self.load_model(Path(reply.path))  # photos came or went in the meantime
            return
        self.busy.emit("")
        self.device, self._first_trouble = reply.device, None
        if self._told_no_model:
            self._told_no_model = False
            self.message.emit("", "", "info")  # the trouble is over
        ref, sources, path = reply.ref, reply.sources, Path(reply.path)
        if self.document.model is None:
            self.session.start(edits.set_model(Document(), ref, ()))
        elif self.document.model.hash != ref.hash:
            self.session.edit(f"Model: {ref.name}", lambda d: edits.set_model(d, ref, sources))
        else:
            self._render()
        self.settings.last_model = None if path == default_model_path() else path
        self.settings.add_recent_model(path)
        self.model_changed.emit()
        if reply.notice:
            self.message.emit(reply.notice, "", "warning")
        self._first_model_is_there()

    def _first_model_is_there(self) -> None:
        if self._loading_first:
            self._loading_first = False
            self.ready.emit()
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._submit(request)

    def _model_failed(self, reply: ModelLoaded) -> None:
        self.busy.emit("")
        self._first_trouble = self._first_trouble or reply.trouble
        self._report(self._first_trouble)
        if self.document.model is not None:
            self._first_trouble = None
            return  # it stays in use
        if self._model_device != "auto":  # chosen on another machine, or the card was taken out
            self.load_model(Path(reply.path), "auto")
        elif Path(reply.path) != default_model_path():
            self.load_model(default_model_path(), "auto")
        else:
            self._first_trouble, self._told_no_model = None, True
            self.nothing_to_show.emit("There is no model yet. Open one, or get one of the published models.")

    def _engine_broken(self, trouble: Trouble) -> None:
        self._loading = False
        self.busy.emit("")
        self._report(trouble)
        self.nothing_to_show.emit("Nothing can be drawn: PyTorch could not be started.")

    # ---- photos ----

    def add_photos(self, items: Sequence[PhotoItem], *, open_recipe: bool = True) -> None:
        """Add pictures, each a file, a folder or bytes. A single saved mix is opened as the edit it holds."""
        if items:
            request = _PhotoRequest(list(items), open_recipe=open_recipe and len(items) == 1)
            self._submit_or_wait(request)

    def replace_photo(self, source_id: int, item: PhotoItem) -> None:
        """Put another photo in a source's place."""
        self._submit_or_wait(_PhotoRequest([item], replaces=source_id))

    def _submit_or_wait(self, request: _PhotoRequest) -> None:
        if self.document.model is None:
            self._waiting.append(request)
            if not self._loading:
                self.message.emit("The photos wait until there is a model: open one, or get one.", "", "warning")
        else:
            self._submit(request)

    def _submit(self, request: _PhotoRequest) -> None:
        model = self.document.model
        assert model is not None
        request.model_hash = model.hash
        known: tuple[str, ...] = ()
        if request.open_recipe:
            from automod_studio.model_library import list_models

            known = tuple(str(e.path) for e in list_models(self.settings.recent_models) if e.usable)
        number = self.service.next_id()
        self._photo_requests[number] = request
        self.service.submit(LoadPhotos(number, tuple(request.items), model, request.open_recipe, known))

    @property
    def reading(self) -> bool:
        """Whether photos are being read."""
        return any(request.waiting for request in self._photo_requests.values())

    def stop_reading(self) -> None:
        """Leave out the photos that are not read yet."""
        for number in [n for n, request in self._photo_requests.items() if request.waiting]:
            self.service.cancel(number)
            request = self._photo_requests.pop(number)
            left = len(request.waiting)
            self.message.emit(f"Stopped: {_photos(len(request.added))} added, {left} left out.", "", "info")
        self.sources_changed.emit()

    def _photos_found(self, reply: PhotosFound) -> None:
        request = self._photo_requests[reply.id]
        if not request.starter and request.replaces is None:
            request.names = reply.names
            self.sources_changed.emit()

    def _photos_loaded(self, reply: PhotosLoaded) -> None:
        request = self._photo_requests[reply.id]
        request.failed.extend(reply.failed)
        request.held.extend(reply.sources)
        request.complete = reply.last
        if reply.notice:
            self.message.emit(reply.notice, "", "warning")
        if reply.total > _MAX_PENDING_CARDS and not reply.last:
            self.message.emit(f"Reading photos: {reply.done} of {reply.total}… (Esc stops)", "", "info")
        self._take_in_held(reply.id)

    def _take_in_all_held(self) -> None:
        for number in list(self._photo_requests):
            self._take_in_held(number)

    def _take_in_held(self, number: int) -> None:
        """Let what was read become part of the document: in few large steps, and never under a slider that is held."""
        request = self._photo_requests[number]
        now = time.monotonic()
        is_pause_over = now - request.taken_in_s > _TAKE_IN_EVERY_S
        due = request.complete or (request.held and is_pause_over and not request.starter)  # a starter comes whole
        if self.session.in_drag or not due:
            return
        sources, request.held, request.taken_in_s = tuple(request.held), [], now
        self._take_in(number, request, sources)
        if request.complete:
            del self._photo_requests[number]
            self._report_photos(request)
        elif len(self.document.sources) >= MAX_PHOTOS:
            self.stop_reading()
        self.sources_changed.emit()

    def _take_in(self, number: int, request: _PhotoRequest, sources: tuple[Source, ...]) -> None:
        """Let read photos become part of the document."""
        model = self.document.model
        if not sources or model is None:
            return
        if request.model_hash != model.hash:  # the model was changed meanwhile
            again = [PhotoItem(path=s.origin) for s in sources if s.origin] or request.items
            request.tried_again = True
            self._submit(_PhotoRequest(again, starter=request.starter, replaces=request.replaces))
            return
        request.added.extend(source.name for source in sources)
        if request.starter:
            if not self.document.sources:
                self.session.start(starter_of(self.document, sources))
        elif request.replaces is not None:
            replaced = request.replaces
            if any(s.id == replaced for s in self.document.sources):
                self.session.edit(
                    f"Replace with {sources[0].name}", lambda d: edits.replace_source(d, replaced, sources[0])
                )
        else:
            request.took_starter = request.took_starter or self.document.starter
            text = f"Add {request.added[0]}" if len(request.added) == 1 else f"Add {len(request.added)} photos"
            self.session.edit(text, lambda d: edits.add_sources(d, sources), ("photos", number), math.inf)

    def _report_photos(self, request: _PhotoRequest) -> None:
        added, failed = len(request.added), len(request.failed)
        if failed == 1 and added == 0:
            self._report(request.failed[0], "warning")
        elif failed:
            first = request.failed[0].sentence if failed == 1 else f"{failed} could not be read."
            details = "\n".join(t.sentence + (f"\n{t.details}" if t.details else "") for t in request.failed)
            self.message.emit(f"Added {_photos(added)} · {first}", details, "warning")
        elif request.took_starter and added:
            their = "photo takes" if added == 1 else "photos take"
            self.message.emit(f"Your {their} the place of the samples; Undo brings them back.", "", "info")
        elif added and not request.starter and request.replaces is None:
            self.message.emit(f"Added {_photos(added)}.", "", "info")
        elif not added and not request.starter and not request.tried_again:
            self.message.emit("There are no photos in that folder.", "", "warning")

    def _picture_opened(self, reply: PictureOpened) -> None:
        self._photo_requests.pop(reply.id, None)
        document = reply.document
        if document is None:
            self._report(reply.trouble)
            return
        model_before = self.document.model
        self.session.edit(f"Open {Path(reply.path).name}", lambda before: edits.in_place_of(before, document))
        if model_before is None or document.model is None or model_before.hash != document.model.hash:
            self.model_changed.emit()
        self.saved_path = path = Path(reply.path)
        self.session.set_clean()
        self.saved.emit(path)
        self.message.emit(f"Opened the mix in {path.name}; Undo brings back the one before.", "", "info")

    # ---- sessions ----

    def show_history(self, history: History, device: str, *, saved: bool) -> None:
        """Put the history of a session in the place of the present one.

        Args:
            history: its model is loaded.
            device: short name of what renders; empty without a model.
            saved: it is in a file.
        """
        for number in self._photo_requests:  # of the session that goes
            self.service.cancel(number)
        self._photo_requests.clear()
        self._waiting.clear()
        self._model_request, self._loading = 0, False
        self.saved_path, self.device = None, device or self.device
        self.session.restore(history, saved=saved)
        self.sources_changed.emit()
        self.model_changed.emit()
        model = self.document.model
        if model is not None:
            self.settings.add_recent_model(Path(model.path))
            self._first_model_is_there()

    # ---- rendering ----

    def _document_changed(self) -> None:
        if self.document.sources is not self._sources_shown:  # a slider leaves the cards alone
            self._sources_shown = self.document.sources
            self.sources_changed.emit()
        if self._asked is None or not same_picture(self.document, self._asked):
            self._render()
            self.panels.picture_asked()
        elif self.shown is not None and same_picture(self.document, self.shown[0]):
            self.shown = (self.document, self.shown[1])

    def _render(self) -> None:
        document = self._asked = self.document
        if document.model is None:
            return
        if not document.sources:
            self.service.forget_render()
            self._rendering.clear()
            self.shown = self.on_canvas = None
            self.nothing_to_show.emit("Drop photos here, or click a sample on the left.")
            return
        number = self.service.next_id()
        self._rendering[number] = document
        self.service.render(Render(number, document.model, recipe_of(document), moving=self.session.in_drag))

    def _rendered(self, reply: Rendered) -> None:
        document = self._rendering[reply.id]
        done = reply.id - 1 if reply.preview else reply.id  # after a preview comes the picture
        self._rendering = {number: d for number, d in self._rendering.items() if number > done}
        if reply.image is None:
            self._report(reply.trouble)
            if self.on_canvas is not None and self.on_canvas.preview:  # it stays, and has to be told from a picture
                self.on_canvas = replace(self.on_canvas, trouble=reply.trouble)
                self.picture_shown.emit(self.on_canvas)
            return
        if same_picture(document, self.document):
            document = self.document
        self.on_canvas, self.device = reply, reply.device
        if not reply.preview:
            self.shown = (document, reply.image)
            self._keep_thumbnail()
        self.picture_shown.emit(reply)
        if reply.notice:
            self.message.emit(reply.notice, "", "warning")

    def _keep_thumbnail(self) -> None:
        """Give the current state of the history its small picture, once its own picture is there."""
        state = self.session.history.current
        if self.shown is not None and self.shown[0] is state.document and not state.thumbnail:
            from automod_studio import thumbnails

            self.session.set_thumbnail(state.id, thumbnails.encode(self.shown[1]))

    # ---- saving ----

    def save(self, path: Path) -> None:
        """Write the picture of the document as it is now, with its recipe."""
        self.service.submit(SavePicture(self.service.next_id(), path, self.document))

    def _picture_saved(self, reply: PictureSaved) -> None:
        if reply.trouble is not None:
            self._report(reply.trouble)
            return
        self.saved_path = reply.path
        if reply.document is self.document:
            self.session.set_clean()
        self.saved.emit(reply.path)
        hint = "" if reply.path.suffix.lower() == ".png" else " Only a PNG can be opened again as a mix."
        self.message.emit(f"Saved {reply.path.name}.{hint}", str(reply.path), "info")

    def _report(self, trouble: Trouble | None, level: str = "error") -> None:
        if trouble is not None:
            self.message.emit(trouble.sentence, trouble.details, level)


@dataclass
class _PhotoRequest:
    """Pictures that arrived together, and what became of them."""

    items: list[PhotoItem]
    open_recipe: bool = False
    starter: bool = False
    replaces: int | None = None
    model_hash: str = ""
    added: list[str] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    names: tuple[str, ...] = ()  # of all, once they are known; empty where no cards are wanted
    held: list[Source] = field(default_factory=list)  # read, but not yet in the document
    taken_in_s: float = 0.0  # time.monotonic() when that was done last
    complete: bool = False
    took_starter: bool = False
    tried_again: bool = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of those that are neither in the document nor failed."""
        return self.names[len(self.added) + len(self.failed) :]


def sample_paths() -> list[Path]:
    """The sample pictures that ship, in order."""
    return sorted((assets_dir() / "samples").glob("*.png"))


def starter_of(document: Document, sources: Sequence[Source]) -> Document:
    """The document of a fresh start: the samples, mixed by default, to make way for the first photos."""
    return replace(edits.add_sources(document, sources), starter=True)


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
