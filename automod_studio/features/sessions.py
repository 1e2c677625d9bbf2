"""Session files: save, open, the recent ones; and what was kept without being asked: recovery and the last session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from automod_core.errors import UserError
from automod_studio import session_jobs
from automod_studio.autosave import Autosave
from automod_studio.document.history_lines import snapshots_of
from automod_studio.document.session_file import ModelHint
from automod_studio.features.feature import Part
from automod_studio.journal import Kept
from automod_studio.model_library import list_models
from automod_studio.session_jobs import Read, Wanted
from automod_studio.studio import Studio
from automod_studio.views_sessions import kept_text, offer_text
from automod_studio.widgets.offer_bar import Choice, Offer
from automod_studio.windows import ask_files
from automod_studio.windows.drops import Dropped
from automod_studio.workers.jobs import Job, JobControl, JobProgress, JobReply, JobRequest
from automod_studio.workers.session_requests import ModelPrepared, PrepareModel

_QUIET_S = 0.6  # work that is done before needs no progress
_CLOSE_WAIT_MS = 60_000  # for a file that is being written when the window is closed


class SessionsPart(Part):
    """What the File menu offers for sessions, and the autosave behind it.

    Signals:
        offered: Offer, a question for the window.
        changed: another file, or saved, or not any more: the title is another.
    """

    offered = Signal(object)
    changed = Signal()

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(studio, window)
        self.path: Path | None = None  # the session file that is open
        self.kept: tuple[Kept, ...] = ()  # sessions that may be opened again, the newest first
        self.autosave = Autosave(self.session, parent=self)
        self._clean_revision = 0
        self._job: Job | None = None
        self._job_is_saving = False
        self._preparing = 0  # the newest request for a model
        self._offers_crashed = True  # at the start, and after one was discarded
        self._hints_at_kept = True  # at the start
        self.recent_menu = QMenu("Open &recent session", window)
        self.recent_menu.setToolTipsVisible(True)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self.autosave.found.connect(self._found)
        self.autosave.troubled.connect(lambda sentence, details: studio.message.emit(sentence, details, "warning"))
        self.autosave.recovered.connect(lambda: studio.message.emit("Your work is kept again.", "", "info"))
        studio.session_asked.connect(self.open)
        self.session.history_changed.connect(self.changed)
        self.session.state_changed.connect(self.changed)

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Save, save as, reopen."""
        return {"save_session": self.save, "save_session_as": self.save_as, "reopen_session": self.reopen_last}

    def flags(self) -> Mapping[str, bool]:
        """Whether there is something to save, and something to open."""
        return {"has_session": bool(self.document.sources), "has_kept_session": bool(self.kept)}

    def inserts(self) -> Mapping[str, list[QAction]]:
        """The menu of recent sessions."""
        return {"recent_sessions": [self.recent_menu.menuAction()]}

    def take(self, dropped: Dropped) -> None:
        """Open a session that was dropped."""
        if dropped.sessions:
            self.open(dropped.sessions[-1])

    @property
    def is_modified(self) -> bool:
        """Whether the session differs from its file."""
        return self.session.revision != self._clean_revision

    def start(self) -> None:
        """Keep the session from now on; look for what was left."""
        self.autosave.start()

    def close(self) -> None:
        """For the end of the program: what is being written is finished, what was made is kept."""
        if self._job is not None:
            if not self._job_is_saving:
                self._job.cancel()
            self._job.wait(_CLOSE_WAIT_MS)
            QCoreApplication.sendPostedEvents(self._job)  # its reply
        self.autosave.stop()

    def stop(self) -> bool:
        """Stop reading or writing; everything stays as it was."""
        if self._job is None:
            return False
        self._job.cancel()
        return True

    # ---- save ----

    def save(self) -> None:
        """Save to the file of the session, or ask for one."""
        if self.path is None:
            self.save_as()
        else:
            self.save_to(self.path)

    def save_as(self) -> None:
        """Ask for a file and save there."""
        path = ask_files.ask_for_new_session(self.window, self.studio.settings, self.document, self.path)
        if path is not None:
            self.save_to(path)

    def save_to(self, path: Path) -> None:
        """Write the session, on a thread of its own."""
        self.session.finish_drag()
        history, revision = self.session.history, self.session.revision
        states, current = snapshots_of(history), history.current.id

        def work(control: JobControl) -> None:
            session_jobs.write(path, states, current, _progress(control))

        def done(_value: None) -> None:
            if self.session.history is history:  # and not another that was opened meanwhile
                self.path, self._clean_revision = path, revision
                self.autosave.saved(path, complete=self.session.revision == revision)
            self.studio.settings.add_recent_session(path)
            self.studio.message.emit(f"Saved the session {path.name}.", str(path), "info")
            self.changed.emit()

        self._run(f"Saving {path.name}", work, done, saving=True)

    # ---- open ----

    def open(self, path: Path) -> None:
        """Open a session file in the place of the present session, which is kept."""
        self._read(Wanted(path=path))

    def reopen_last(self) -> None:
        """Open what was kept last."""
        if self.kept:
            self._read(Wanted(kept=self.kept[0]))

    def restore(self, kept: Kept) -> None:
        """Open a session that a crash left."""
        self._read(Wanted(kept=kept))

    def _read(self, wanted: Wanted, missing: ModelHint | None = None) -> None:
        recent = self.studio.settings.recent_models

        def work(control: JobControl) -> Read:
            known = [str(entry.path) for entry in list_models(recent) if entry.usable]
            return session_jobs.read(wanted, known, _progress(control))

        def failed() -> None:
            if missing is not None:  # the file that was chosen is another model: ask again
                self._ask_for_model(wanted, missing)
            elif wanted.path is not None and not wanted.path.exists():
                self.studio.settings.forget_recent_session(wanted.path)

        what = wanted.path.name if wanted.path is not None else "the session"
        self._run(f"Opening {what}", work, partial(self._was_read, wanted), failed)

    def _was_read(self, wanted: Wanted, read: Read) -> None:
        if read.missing is not None:
            self._ask_for_model(wanted, read.missing)
            return
        assert read.history is not None
        model = read.history.current.document.model
        self._preparing = self.studio.service.next_id()
        if model is None:
            self._show(wanted, read, ModelPrepared(self._preparing))
            return
        self.studio.busy.emit("Loading the model…")
        request = PrepareModel(self._preparing, model, read.max_source_id)
        self.studio.service.ask(request, partial(self._show, wanted, read))

    def _show(self, wanted: Wanted, read: Read, reply: ModelPrepared) -> None:
        """Put what was read in the place of the present session, unless its model fails or another is newer."""
        self.studio.busy.emit("")
        if reply.trouble is not None or reply.id != self._preparing or read.history is None:
            if read.claim is not None:
                read.claim.release()
            if reply.trouble is not None:
                self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
            return
        had_work = len(self.session.history) > 1
        self.autosave.next_is(read.file, read.in_file, read.claim)
        self.path = read.file
        self.studio.show_history(read.history, reply.device, saved=read.in_file)
        self._clean_revision = self.session.revision if read.in_file else -1
        if wanted.path is not None:
            self.studio.settings.add_recent_session(wanted.path)
        self._tell_opened(wanted, read, had_work, reply.notice)
        self.changed.emit()

    def _tell_opened(self, wanted: Wanted, read: Read, had_work: bool, notice: str) -> None:
        if read.damage:
            sentence = "The end of the session was damaged; all before it is here."
            self.studio.message.emit(sentence, read.damage, "warning")
        elif notice:
            self.studio.message.emit(notice, "", "warning")
        else:
            back = " File › Reopen last session brings back the one before." if had_work else ""
            what = wanted.path.name if wanted.path is not None else "the session"
            self.studio.message.emit(f"Opened {what}.{back}", "", "info")

    def _ask_for_model(self, wanted: Wanted, missing: ModelHint) -> None:
        def choose() -> None:
            path = ask_files.ask_for_model(self.window, self.studio.settings)
            if path is None:
                self._ask_for_model(wanted, missing)
            else:
                self._read(replace(wanted, model_path=str(path)), missing)

        sentence = f"{wanted.title} needs the model “{missing.name}”, which is not here."
        tip = f"It was at {missing.path}" if missing.path else "The file of that model"
        self.offered.emit(Offer(sentence, (Choice("Choose its file…", tip, choose),), icon="model"))

    # ---- what was left ----

    def _found(self, kept: tuple[Kept, ...]) -> None:
        self.kept = kept
        crashed = next((k for k in kept if k.crashed), None)
        if crashed is not None and self._offers_crashed:
            self._offer(crashed)
        elif self._hints_at_kept and kept and not kept[0].in_file:
            self.studio.message.emit("Your last session is kept: File › Reopen last session.", "", "info")
        self._offers_crashed = self._hints_at_kept = False
        self.changed.emit()

    def _offer(self, kept: Kept) -> None:
        choices = (
            Choice("Restore", "Open it as it was before the crash", partial(self.restore, kept)),
            Choice("Discard", "Delete it", partial(self._discard, kept)),
        )
        self.offered.emit(Offer(offer_text(kept, time.time()), choices))

    def _discard(self, kept: Kept) -> None:
        self._offers_crashed = True  # the next one
        self.autosave.discard(kept)

    def _fill_recent(self) -> None:
        menu = self.recent_menu
        menu.clear()
        for path in self.studio.settings.recent_sessions:
            action = menu.addAction(path.name.replace("&", "&&"))
            action.setToolTip(str(path))
            action.triggered.connect(_calls(self.open, path))
        if menu.isEmpty():
            menu.addAction("No session was saved yet").setEnabled(False)
        if self.kept:
            menu.addSeparator()
            menu.addAction("Kept without being saved:").setEnabled(False)
        for kept in self.kept:
            action = menu.addAction(kept_text(kept, time.time()))
            action.setToolTip("After a crash" if kept.crashed else "From an earlier run, or before another was opened")
            action.triggered.connect(_calls(self.restore, kept))

    # ---- jobs ----

    def _run(
        self,
        title: str,
        work: Callable[[JobControl], Any],
        done: Callable[[Any], object],
        failed: Callable[[], object] = lambda: None,
        *,
        saving: bool = False,
    ) -> None:
        """Do some work on a thread of its own, and show how it goes; one at a time."""
        if self._job is not None:
            self.studio.message.emit("One moment: another session is being opened or saved.", "", "info")
            return
        began_s = time.monotonic()

        def show(progress: JobProgress) -> None:
            if time.monotonic() - began_s > _QUIET_S:
                self.studio.message.emit(f"{title}: {progress.done:.0%} (Esc stops)", "", "info")

        def finished(reply: JobReply) -> None:
            self._job = None
            if reply.cancelled:
                self.studio.message.emit("Stopped: everything is as it was.", "", "info")
            elif reply.ok and not isinstance(reply.value, UserError):
                done(reply.value)
            else:
                self.studio.message.emit(reply.error or str(reply.value), reply.details, "error")
                failed()

        self._job, self._job_is_saving = Job(JobRequest(title, _with_errors_as_values(work))), saving
        self._job.progressed.connect(show)
        self._job.finished.connect(finished)
        self._job.start()


def _progress(control: JobControl) -> Callable[[float], None]:
    def tell(share: float) -> None:
        control.stop_if_cancelled()
        control.progress(share, 1.0)

    return tell


def _with_errors_as_values(work: Callable[[JobControl], Any]) -> Callable[[JobControl], Any]:
    """Work that returns its UserError, whose sentence says it all: nobody wants its traceback."""

    def guarded(control: JobControl) -> Any:
        try:
            return work(control)
        except UserError as error:
            return error

    return guarded


def _calls(do: Callable[[Any], object], value: object) -> Callable[[], None]:
    def call() -> None:
        do(value)

    return call
