"""Several runs one after another: the next one starts when none is trained on this computer any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from automod_core.errors import UserError
from automod_core.run_state import RunGlance
from automod_studio.training import run_list
from automod_studio.training.errand import Errand
from automod_studio.training.kept_file import KeptFile
from automod_studio.training.launch import ResumeOptions, StartError, is_being_trained
from automod_studio.training.queue_file import QueueEntry, QueueFile, new_entry
from automod_studio.training.run_starter import resume_run, start_run
from automod_studio.training.start_plan import StartPlan
from automod_studio.workers.jobs import JobControl

_LOOK_EVERY_MS = 3000


class RunQueue(QObject):
    """Starts runs one after another. Methods are for the GUI thread only.

    The next run starts when none is trained on this computer, whether the last one finished, failed or was stopped. A
    run that was paused lets the queue wait: the person wants the computer. Two windows share the queue, and each entry
    is started once. An entry that cannot be started stays, with its problem, and the next one has its turn.

    Signals:
        changed: tuple[QueueEntry, ...], the next one first; also when `waits_for` is another.
        started: Path, folder of a run that was started from the queue.
        failed: QueueEntry | None, str sentence, str details: it could not be started, or something that was asked for
            could not be done.
    """

    changed = Signal(object)
    started = Signal(object)
    failed = Signal(object, str, str)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        file: QueueFile | None = None,
        runs: KeptFile | None = None,
        home: Path | None = None,
    ) -> None:
        """Prepare; nothing is started before `watch`.

        Args:
            parent: Qt owner.
            file: the queue; the user's own if None.
            runs: where runs elsewhere are noted; the user's own if None.
            home: the folder of runs; the user's own if None.
        """
        super().__init__(parent)
        self._file, self._runs, self._home = file or QueueFile(), runs, home
        self._entries: tuple[QueueEntry, ...] = ()
        self._waits_for: RunGlance | None = None
        self._looking = self._look_again = False
        self._told = ""
        self._empty = 0  # the stamp of a file in which nothing waits: no thread is needed to look at that again
        self._clock = QTimer(self, interval=_LOOK_EVERY_MS)
        self._clock.timeout.connect(self.look)

    @property
    def entries(self) -> tuple[QueueEntry, ...]:
        """The queue as it was seen last, the next one first."""
        return self._entries

    @property
    def waits_for(self) -> RunGlance | None:
        """The run that keeps the next one from its turn; None if there is none, or nothing waits."""
        return self._waits_for

    def watch(self, on: bool = True) -> None:
        """Begin to start runs when it is their turn, or no more."""
        if on:
            self.look()
            self._clock.start()
        else:
            self._clock.stop()

    def add(self, plan: StartPlan) -> None:
        """Put a new run at the end."""
        self._change("Queue", lambda: self._file.add(new_entry(plan)))

    def add_resume(self, folder: Path, options: ResumeOptions | None = None) -> None:
        """Put a run that shall go on at the end."""
        self._change("Queue", lambda: self._file.add(new_entry(folder, options)))

    def remove(self, id: str) -> None:
        """Take an entry out; one that is about to start stays."""
        self._change("Unqueue", lambda: self._file.remove(id))

    def move(self, id: str, by: int) -> None:
        """Let an entry come earlier (negative) or later."""
        self._change("Move", lambda: self._file.move(id, by))

    def start_now(self, id: str) -> None:
        """Start an entry whatever else is going on, also one that could not be started before."""
        self._look(id)

    def look(self) -> None:
        """See whether it is the turn of the next run. Returns at once."""
        if self._looking:
            self._look_again = True
        elif self._entries or self._file.stamp() != self._empty:
            self._looking = True
            self._look("").ended.connect(self._look_ended)

    # ---- what goes on ----

    def _change(self, verb: str, edit: Callable[[], tuple[QueueEntry, ...]]) -> None:
        errand = Errand(Path(), f"{verb} a run", _without_control(edit), self)
        errand.succeeded.connect(self._has_changed)
        errand.failed.connect(self._has_failed)
        errand.start()

    def _look(self, chosen: str) -> Errand:
        file, runs, home = self._file, self._runs, self._home
        errand = Errand(Path(), "Start the next run", lambda c: take_turn(file, runs, home, chosen, c), self)
        errand.progressed.connect(self._is_starting)
        errand.succeeded.connect(self._has_looked)
        errand.failed.connect(self._looked_in_vain)
        errand.start()
        return errand

    def _is_starting(self) -> None:
        self._change("Read", self._file.read)

    def _has_changed(self, _: Path, entries: tuple[QueueEntry, ...]) -> None:
        self._show(entries, self._waits_for)
        self.look()

    def _has_failed(self, _: Path, sentence: str, details: str) -> None:
        self.failed.emit(None, sentence, details)

    def _has_looked(self, _: Path, turn: Turned) -> None:
        self._empty = -1 if turn.entries else turn.stamp
        self._show(turn.entries, turn.holder)
        if turn.started is not None:
            self.started.emit(turn.started)
        if turn.failed is not None:
            self.failed.emit(turn.failed, turn.failed.problem, turn.details)
        if turn.started is not None or turn.failed is not None:
            self.look()

    def _looked_in_vain(self, _: Path, sentence: str, details: str) -> None:
        if sentence != self._told:  # once, not every few seconds
            self._told = sentence
            self.failed.emit(None, sentence, details)

    def _look_ended(self) -> None:
        self._looking = False
        if self._look_again:
            self._look_again = False
            self.look()

    def _show(self, entries: tuple[QueueEntry, ...], holder: RunGlance | None) -> None:
        if trouble := self._file.take_trouble():
            self.failed.emit(None, trouble, "")
        before = (self._entries, self._waits_for and self._waits_for.folder)
        self._entries, self._waits_for = entries, holder if entries else None
        if before != (entries, self._waits_for and self._waits_for.folder):
            self.changed.emit(entries)


# ---- on the threads of jobs ----


@dataclass(frozen=True)
class Turned:
    """What became of a look at the queue.

    Attributes:
        entries: the queue after it.
        holder: the run that it waits for.
        started: folder of the run that was started.
        failed: the entry that could not be started, with its problem.
        details: what is known of that.
        stamp: of the file in which nothing waited.
    """

    entries: tuple[QueueEntry, ...]
    holder: RunGlance | None = None
    started: Path | None = None
    failed: QueueEntry | None = None
    details: str = ""
    stamp: int = -1


def take_turn(file: QueueFile, runs: KeptFile | None, home: Path | None, chosen: str, control: JobControl) -> Turned:
    """Start the run whose turn it is, if there is one. UserError if the queue cannot be read or written."""
    stamp = file.stamp()
    if not stamp or not file.read():
        return Turned((), stamp=stamp)
    turn = file.take(run_list.run_folders(runs, home), chosen)
    entry = turn.taken
    if entry is None:
        return Turned(turn.entries, turn.holder)
    control.progress(0, 0, entry.name)  # so that it is seen to be starting
    try:
        if not is_being_trained(entry.folder):  # else the window that started it was closed before it could say so
            _start(entry, control)
    except UserError as error:
        problem = str(error)
        return Turned(file.done(entry.id, problem), failed=replace(entry, problem=problem), details=_details(error))
    except BaseException:  # the program ends, or a bug: nobody waits for this entry any more
        if is_being_trained(entry.folder):
            file.done(entry.id)
        else:
            file.put_back(entry.id)
        raise
    return Turned(file.done(entry.id), started=entry.folder)


def _start(entry: QueueEntry, control: JobControl) -> None:
    if entry.plan is not None:
        start_run(entry.plan, control)
    else:
        resume_run(entry.folder, entry.options, control)


def _details(error: UserError) -> str:
    return error.details if isinstance(error, StartError) else ""


def _without_control(work: Callable[[], Any]) -> Callable[[JobControl], Any]:
    return lambda control: work()
