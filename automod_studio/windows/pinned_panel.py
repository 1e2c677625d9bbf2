# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Photos that are pinned to a run: chosen, dropped, listed and removed. The run's folder is read by jobs alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import shiboken6
from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from automod_core.photos import SUFFIXES
from automod_core.pinned_photos import MOST_PINNED, PINNED_LIST
from automod_core.run_folder import PINNED
from automod_studio.pinning import SmallPhoto, look_at_photos, pinned_to
from automod_studio.settings import Settings
from automod_studio.widgets.drop_overlay import DropOverlay
from automod_studio.widgets.pinned_list import PinnedList
from automod_studio.workers.jobs import Job, JobControl, JobReply, JobRequest

_PATIENCE_MS = 3000  # after which the list shows what is on the disk, whatever became of a wish
_FILTER = f"Photos ({' '.join(f'*{suffix}' for suffix in sorted(SUFFIXES))});;All files (*)"
_NO_FILES = "Only files can be pinned: save the picture first, then drop the file."


class PinnedPanel(QObject):
    """The list, and what is behind it. Drops anywhere on its page are taken.

    Signals:
        pin_wanted(tuple[Path, ...]): as of FilmPage.
        chosen(str, int): a photo is to be looked at: its name, and which of those with this name, from 0.
        needed(): something was added to the list, or could not be: it ought to be seen.
        counted(int): how many photos are in the list now.
    """

    pin_wanted = Signal(object)
    chosen = Signal(str, int)
    needed = Signal()
    counted = Signal(int)

    def __init__(self, page: QWidget, settings: Settings) -> None:
        """Attach a list to a page.

        Args:
            page: where photos may be dropped; the owner.
            settings: remember the folder of photos.
        """
        super().__init__(page)
        self._page, self._settings = page, settings
        self._folder: Path | None = None
        self._photos: tuple[SmallPhoto, ...] = ()
        self._stamp: tuple[int, int] | None = None  # of the list on the disk that is shown
        self._reading: Job | None = None
        self._looking: Job | None = None
        self.list = PinnedList()
        self.list.add_clicked.connect(self.ask)
        self.list.removed.connect(self.remove)
        self.list.chosen.connect(self._choose)
        self._overlay = DropOverlay(page)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.reload)
        page.setAcceptDrops(True)
        page.installEventFilter(self)

    @property
    def busy(self) -> bool:
        """Whether files are being read."""
        return self._reading is not None or self._looking is not None

    @property
    def photos(self) -> tuple[SmallPhoto, ...]:
        """The photos in the list."""
        return self._photos

    def show_folder(self, folder: Path) -> None:
        """Show the photos of another run."""
        self._folder, self._stamp = folder, None
        self._patience.stop()
        self._show(())
        self.list.show_problems(())
        self.reload()

    # ---- from the disk ----

    def look(self) -> None:
        """Read the list again if it has changed on the disk: by this window, another one, or the command line."""
        if self._folder is not None and self._reading is None and _stamp(self._folder) != self._stamp:
            self.reload()

    def reload(self) -> None:
        """Read which photos are pinned, in the background."""
        if self._folder is None:
            return
        folder, stamp = self._folder, _stamp(self._folder)
        job = Job(JobRequest("Read the pinned photos", lambda control: pinned_to(folder)))
        job.finished.connect(lambda reply: self._has_read(job, folder, stamp, reply))
        self._reading = job
        job.start()

    def _has_read(self, job: Job, folder: Path, stamp: tuple[int, int] | None, reply: JobReply) -> None:
        if job is not self._reading or not shiboken6.isValid(self):
            return  # another one was asked for since, or the page is gone
        self._reading = None
        if folder == self._folder and reply.ok:
            self._patience.stop()
            self._stamp = stamp
            photos, problems = reply.value
            self._show(photos)
            if problems:
                self.list.show_problems(problems)

    # ---- what the person wants ----

    def ask(self) -> None:
        """Let the person choose photos in a dialog."""
        start = str(self._settings.last_folder("photos"))
        names, _ = QFileDialog.getOpenFileNames(self._page.window(), "Pin photos", start, _FILTER)
        if names:
            self._settings.set_last_folder("photos", Path(names[0]).parent)
            self.add([Path(name) for name in names])

    def add(self, paths: Sequence[Path]) -> None:
        """Look at files and folders in the background, and pin the photos in them behind those that are."""
        if self._folder is None:
            return
        folder, chosen, room = self._folder, tuple(paths), MOST_PINNED - len(self._photos)

        def work(control: JobControl) -> tuple[tuple[SmallPhoto, ...], tuple[str, ...]]:
            return look_at_photos(chosen, room, control.cancelled)

        if self._looking is not None:
            self._looking.cancel()
        job = Job(JobRequest("Look at photos to pin", work))
        job.finished.connect(lambda reply: self._has_looked(job, folder, reply))
        self._looking = job
        job.start()

    def _has_looked(self, job: Job, folder: Path, reply: JobReply) -> None:
        if job is not self._looking or not shiboken6.isValid(self):
            return
        self._looking = None
        if folder != self._folder or reply.cancelled:
            return
        photos, problems = reply.value if reply.ok else ((), (reply.error,))
        known = {photo.path for photo in self._photos}
        new = [photo for photo in photos if photo.path not in known]
        self.list.show_problems(problems)
        self.needed.emit()
        if new:
            self._want((*self._photos, *new)[:MOST_PINNED])

    def remove(self, number: int) -> None:
        """Pin all but this photo, by its number from 0."""
        if 0 <= number < len(self._photos):
            self.list.show_problems(())
            self._want(self._photos[:number] + self._photos[number + 1 :])

    def _want(self, photos: tuple[SmallPhoto, ...]) -> None:
        """Show a set as if it were pinned already, and ask for it."""
        self._show(photos)
        self._patience.start()
        self.pin_wanted.emit(tuple(photo.path for photo in photos))

    def _show(self, photos: tuple[SmallPhoto, ...]) -> None:
        self._photos = photos
        self.list.show_photos(photos)
        self.counted.emit(len(photos))

    def _choose(self, number: int) -> None:
        name = self._photos[number].name
        self.chosen.emit(name, [photo.name for photo in self._photos[:number]].count(name))

    # ---- drops ----

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            return self._enter(event)
        if isinstance(event, QDragMoveEvent):
            _accept(event)
            return True
        if isinstance(event, QDropEvent):
            self._drop(event)
            return True
        if isinstance(event, QDragLeaveEvent):
            self._overlay.hide()
        return False

    def _enter(self, event: QDragEnterEvent) -> bool:
        mime = event.mimeData()
        if self._folder is None or not (mime.hasUrls() or mime.hasImage()):
            return False
        _accept(event)
        self._overlay.show_target(_target_text(mime, MOST_PINNED - len(self._photos)))
        return True

    def _drop(self, event: QDropEvent) -> None:
        self._overlay.hide()
        _accept(event)
        mime = event.mimeData()
        paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
        if paths:
            self.add(paths)
        else:
            self.list.show_problems([_NO_FILES])
            self.needed.emit()


def _accept(event: QDropEvent) -> None:
    event.setDropAction(Qt.DropAction.CopyAction)  # file managers propose to move
    event.accept()


def _target_text(mime: QMimeData, room: int) -> str:
    names = [Path(url.toLocalFile()).name for url in mime.urls() if url.isLocalFile()]
    if room < 1:
        return f"{MOST_PINNED} photos are pinned already"
    return f"Pin {names[0]} to this run" if len(names) == 1 else f"Pin {len(names) or 'these'} photos to this run"


def _stamp(folder: Path) -> tuple[int, int] | None:
    """When the list of pinned photos was written, and its size; None if there is none. One look at the disk."""
    try:
        status = (folder / PINNED / PINNED_LIST).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
