"""Keeps every edit on the disk, on a thread of its own: the window only hands over what has changed."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from automod_core.paths import state_dir
from automod_studio import journal
from automod_studio.document.history import History, State
from automod_studio.document.history_lines import Snapshot, snapshot_of, snapshots_of
from automod_studio.journal import Claim, Journal, Kept
from automod_studio.session import Session

log = logging.getLogger(__name__)

_SYNC_EVERY_S = 1.0  # so much work may a power cut take; a kill takes none
_TRY_AGAIN_AFTER_S = 30.0
NOT_KEPT = "Your work is not kept for the case of a crash at the moment: {why}. Save it to a file."
_FIELDS = ("document", "text", "time_s", "name", "starred", "thumbnail")


def sessions_dir() -> Path:
    """Where sessions are kept."""
    return state_dir() / "sessions"


class Autosave(QObject):
    """Follows a Session. Its methods are for the GUI thread; the disk is touched on another only.

    Signals:
        found: tuple[Kept, ...], the sessions that may be opened again, the newest first.
        troubled: str sentence, str details: edits are not kept any more. Comes once, until they are again.
        recovered: after trouble, edits are kept again.
    """

    found = Signal(object)
    troubled = Signal(str, str)
    recovered = Signal()

    def __init__(self, session: Session, root: Path | None = None, parent: QObject | None = None) -> None:
        """Prepare; nothing is kept before `start`.

        Args:
            session: what is kept.
            root: folder of all sessions; the user's own if None.
            parent: Qt owner.
        """
        super().__init__(parent)
        self._session = session
        self._writer = _Writer(root or sessions_dir(), self)
        self._history: History | None = None
        self._known: dict[int, Snapshot] = {}  # the states as they were handed over last
        self._current = 0
        self._begun = False
        self._next: _Origin | None = None  # of the history that is restored next
        self._origin = _Origin()
        self._broken_since_s: float | None = None
        queued = Qt.ConnectionType.QueuedConnection
        self._writer.found.connect(self.found, queued)
        self._writer.failed.connect(self._has_failed, queued)
        self._writer.begun.connect(self._has_begun, queued)
        session.history_changed.connect(self._history_changed)
        session.state_changed.connect(self._state_changed)

    @property
    def asked(self) -> int:
        """How many changes were handed over."""
        return self._writer.asked

    @property
    def kept(self) -> int:
        """The last of them that is on the disk; grows on another thread."""
        return self._writer.kept

    def start(self) -> None:
        """Begin to work; looks for sessions that were left first."""
        self._writer.start()

    def stop(self) -> None:
        """Leave the session in good order and join the thread."""
        self._writer.stop()

    def flush(self) -> None:
        """Wait until all that was handed over is done. For tests and measurements."""
        self._writer.tasks.join()

    def next_is(self, file: Path | None, in_file: bool, claim: Claim | None = None) -> None:
        """Say of the history that is restored next where it comes from.

        Args:
            file: the session file that it belongs to.
            in_file: all of it is in there.
            claim: the kept session that it was read from; deleted as soon as all of it is kept anew.
        """
        self._next = _Origin(file, in_file, claim)

    def saved(self, file: Path, complete: bool) -> None:
        """The session was written to a file; `complete`: nothing has changed since."""
        self._origin = _Origin(file, complete)
        if self._begun:
            self._writer.ask(lambda j: j.saved(file, complete))

    def discard(self, kept: Kept) -> None:
        """Delete a session that was left."""
        self._writer.tasks.put(lambda: journal.remove(kept.folder))
        self._writer.look()

    # ---- what has changed ----

    def _history_changed(self) -> None:
        history = self._session.history
        if history is not self._history:
            self._leave()
            self._history = history
            self._origin = self._next or _Origin()
            if self._next is not None or len(history) > 1:
                self._begin()
            self._next = None
        elif self._broken_since_s is not None:
            if time.monotonic() - self._broken_since_s > _TRY_AGAIN_AFTER_S:
                self._broken_since_s = time.monotonic()
                self._begin()
        elif self._begun:
            self._hand_over(history.current)
        else:  # nothing is kept of a fresh start before the first edit
            self._origin = replace(self._origin, in_file=False)
            self._begin()

    def _hand_over(self, current: State) -> None:
        fresh: list[State] = []
        state: State | None = current
        while state is not None and state.id not in self._known:
            fresh.append(state)
            state = state.parent
        for state in reversed(fresh):
            snapshot = self._known[state.id] = snapshot_of(state)
            self._writer.ask(partial(Journal.add, state=snapshot))
        if not fresh and current.id != self._current:
            self._writer.ask(partial(Journal.go, current=current.id))
        self._current = current.id

    def _state_changed(self, state_id: int) -> None:
        known = self._known.get(state_id)
        if known is None or not self._begun or self._broken_since_s is not None:
            return
        state = snapshot_of(self._session.history.state(state_id))
        changed = [name for name in _FIELDS if getattr(state, name) is not getattr(known, name)]
        self._known[state_id] = state
        if changed:
            self._writer.ask(partial(Journal.update, state=state, names=changed))

    def _leave(self) -> None:
        """End what is kept so far: another history is here."""
        if self._begun:
            self._writer.leave()
        self._known, self._begun, self._broken_since_s = {}, False, None

    def _begin(self) -> None:
        states = snapshots_of(self._session.history)
        self._known = {state.id: state for state in states}
        self._current = self._session.history.current.id
        self._begun = True
        self._writer.begin(states, self._current, self._origin)
        self._origin = replace(self._origin, claim=None)

    # ---- trouble ----

    def _has_failed(self, sentence: str, details: str) -> None:
        if self._broken_since_s is None:
            self._broken_since_s = time.monotonic()
            self.troubled.emit(sentence, details)

    def _has_begun(self) -> None:
        if self._broken_since_s is not None:
            self._broken_since_s = None
            self.recovered.emit()


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a history comes from; see Autosave.next_is."""

    file: Path | None = None
    in_file: bool = False
    claim: Claim | None = None


class _Writer(QObject):
    """The thread that writes, and what it is asked for.

    Signals, emitted on that thread:
        found: tuple[Kept, ...].
        failed: str sentence, str details; nothing is kept until `begin`.
        begun: a session is kept, from its first state to its last.
    """

    found = Signal(object)
    failed = Signal(str, str)
    begun = Signal()

    def __init__(self, root: Path, parent: QObject) -> None:
        super().__init__(parent)
        self.tasks: queue.Queue[Callable[[], object] | None] = queue.Queue()
        self.asked, self.kept = 0, 0
        self._root = root
        self._thread = threading.Thread(target=self._run, name="autosave")
        self._journal: Journal | None = None
        self._failed: Journal | None = None  # has all until the failure; deleted once there is a better one
        self._unsynced, self._synced_s = False, 0.0

    def start(self) -> None:
        """Start the thread; what was asked for before is done then."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the session and the thread."""
        if self._thread.is_alive():
            self.tasks.put(self._end)
            self.tasks.put(None)
            self._thread.join()

    def look(self) -> None:
        """Look for sessions that were left."""
        self.tasks.put(self._look)

    def leave(self) -> None:
        """End the session in good order."""
        self.tasks.put(self._end)
        self.look()

    def begin(self, states: Sequence[Snapshot], current: int, origin: _Origin) -> None:
        """Keep a history from its first state on."""
        self.asked += 1
        self.tasks.put(partial(self._begin, self.asked, states, current, origin))

    def ask(self, change: Callable[[Journal], object]) -> None:
        """Keep one change."""
        self.asked += 1
        self.tasks.put(partial(self._keep, self.asked, change))

    # ---- on the thread ----

    def _run(self) -> None:
        while (task := self._next_task()) is not None:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - thread boundary
                self._fail(error)
            finally:
                self.tasks.task_done()
        self.tasks.task_done()

    def _next_task(self) -> Callable[[], object] | None:
        while True:
            if self._unsynced and time.monotonic() - self._synced_s > _SYNC_EVERY_S:
                self._sync()
            try:
                return self.tasks.get(timeout=_SYNC_EVERY_S if self._unsynced else None)
            except queue.Empty:
                pass

    def _look(self) -> None:
        self.found.emit(tuple(journal.tidy(self._root, journal.find_kept(self._root))))

    def _begin(self, number: int, states: Sequence[Snapshot], current: int, origin: _Origin) -> None:
        claim = origin.claim
        try:
            self._journal = Journal(self._root, states, current, origin.file, origin.in_file)
        except BaseException:
            if claim is not None:
                claim.release()
            raise
        self.kept, self._unsynced = number, True
        if claim is not None:
            claim.remove()
        if self._failed is not None:
            self._failed.remove()
            self._failed = None
        self.begun.emit()

    def _keep(self, number: int, change: Callable[[Journal], object]) -> None:
        if self._journal is not None:
            change(self._journal)
            self.kept, self._unsynced = number, True

    def _sync(self) -> None:
        self._unsynced, self._synced_s = False, time.monotonic()
        if self._journal is not None:
            try:
                self._journal.sync()
            except OSError as error:
                self._fail(error)

    def _end(self) -> None:
        for left in (self._journal, self._failed):
            if left is not None:
                left.end()
        self._journal, self._failed, self._unsynced = None, None, False

    def _fail(self, error: Exception) -> None:
        log.warning("the session is not kept", exc_info=error)
        if self._journal is not None:
            self._journal.abandon()
            self._failed, self._journal = self._journal, None
        if isinstance(error, OSError):
            why, details = error.strerror or str(error), ""
        else:
            why, details = "an unexpected error, see Details", "".join(traceback.format_exception(error))
        self.failed.emit(NOT_KEPT.format(why=why), details)
