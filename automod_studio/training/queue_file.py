"""Runs that wait for their turn, in a file that all windows share. No Qt.

Blocks on the disk: for the threads of jobs.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from automod_core import paths
from automod_core.errors import UserError
from automod_core.run_process import Process, is_alive, this_process
from automod_core.run_state import PAUSED, RunGlance
from automod_studio.training.kept_file import KeptFile
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.run_look import look_at
from automod_studio.training.start_plan import StartPlan

_ENTRIES = "entries"
_MOST_ENTRIES = 1000
_LONGEST_START_S = 600.0  # no start takes so long: it was given up, and could not be noted on a full disk


@dataclass(frozen=True, kw_only=True)
class QueueEntry:
    """A run that waits for its turn.

    Attributes:
        id: its name in the queue.
        plan: the new run; None for one that goes on.
        resume: folder of the run that goes on; None for a new one.
        options: how it goes on.
        starter: the window that is about to start it; None while it waits.
        taken: when that window took it, in seconds since 1970.
        problem: one sentence: why it could not be started; it waits for the person then.
    """

    id: str
    plan: StartPlan | None = None
    resume: Path | None = None
    options: ResumeOptions = ResumeOptions()
    starter: Process | None = None
    taken: float = 0.0
    problem: str = ""

    @property
    def folder(self) -> Path:
        """Of the run."""
        if self.plan is not None:
            return self.plan.folder
        assert self.resume is not None
        return self.resume

    @property
    def name(self) -> str:
        """What the person calls it."""
        return self.plan.name if self.plan is not None else self.folder.name

    @property
    def is_starting(self) -> bool:
        """Whether a window that lives is about to start it; one of another computer is believed for a while."""
        took_s = time.time() - self.taken
        return self.starter is not None and is_alive(self.starter) is not False and took_s < _LONGEST_START_S

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "id": self.id,
            "plan": self.plan and self.plan.to_dict(),
            "resume": self.resume and str(self.resume),
            "options": asdict(self.options),
            "starter": self.starter and asdict(self.starter),
            "taken": self.taken,
            "problem": self.problem,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> QueueEntry:
        """Read what to_dict wrote.

        Raises:
            UserError: something is missing, unknown or of another type.
        """
        try:
            plan, resume, starter = values["plan"], values["resume"], values["starter"]
            entry = cls(
                id=str(values["id"]),
                plan=None if plan is None else StartPlan.from_dict(plan),
                resume=None if resume is None else Path(resume),
                options=ResumeOptions(**values["options"]),
                starter=None if starter is None else Process(**starter),
                taken=float(values.get("taken", 0.0)),
                problem=str(values["problem"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise UserError(f"An entry of the queue cannot be read ({error}).") from error
        if (entry.plan is None) == (entry.resume is None):
            raise UserError("An entry of the queue names no run, or two.")
        return entry


def new_entry(run: StartPlan | Path, options: ResumeOptions | None = None) -> QueueEntry:
    """An entry for a new run, or for the folder of one that goes on."""
    name = secrets.token_hex(8)
    if isinstance(run, StartPlan):
        return QueueEntry(id=name, plan=run)
    return QueueEntry(id=name, resume=run.absolute(), options=options or ResumeOptions())


class QueueFile:
    """The queue as all windows see it. Each method raises UserError if the file cannot be read or written."""

    def __init__(self, path: Path | None = None) -> None:
        """Prepare; `path` is the user's own file if None."""
        self._file = KeptFile(path or paths.state_dir() / "queue.json", "The queue of runs")

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def stamp(self) -> int:
        """Tells whether the file has changed: when it was written, in ns; 0 if it is not there. Costs one stat."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def take_trouble(self) -> str:
        """What had to be kept aside since the last call, as one sentence; "" for nothing."""
        return self._file.take_trouble()

    def read(self) -> tuple[QueueEntry, ...]:
        """All entries, the next one first."""
        return self.change(lambda entries: entries)

    def change(self, edit: Callable[[tuple[QueueEntry, ...]], Iterable[QueueEntry]]) -> tuple[QueueEntry, ...]:
        """Put what `edit` makes of the entries in place of them, while other windows wait."""
        with self._file.held() as values:
            try:
                found = values.get(_ENTRIES, [])
                before = tuple(QueueEntry.from_dict(entry) for entry in found)
            except (UserError, TypeError, AttributeError):
                self._file.set_aside("is damaged")
                before = ()
                values.clear()
            after = tuple(edit(before))[:_MOST_ENTRIES]
            if after != before or values.get(_ENTRIES):
                values[_ENTRIES] = [entry.to_dict() for entry in after]
        return after

    def add(self, entry: QueueEntry) -> tuple[QueueEntry, ...]:
        """Put an entry at the end; a run that waits already is refused with a UserError."""

        def edit(entries: tuple[QueueEntry, ...]) -> tuple[QueueEntry, ...]:
            if any(other.folder == entry.folder for other in entries):
                raise UserError(f"“{entry.name}” is in the queue already.")
            return (*entries, entry)

        return self.change(edit)

    def remove(self, id: str) -> tuple[QueueEntry, ...]:
        """Take an entry out; one that is about to start stays."""
        return self.change(lambda entries: (e for e in entries if e.id != id or e.is_starting))

    def move(self, id: str, by: int) -> tuple[QueueEntry, ...]:
        """Let an entry come earlier (negative) or later, as far as there is room."""

        def edit(entries: tuple[QueueEntry, ...]) -> list[QueueEntry]:
            moved = list(entries)
            for place, entry in enumerate(entries):
                if entry.id == id:
                    moved.insert(min(max(place + by, 0), len(entries) - 1), moved.pop(place))
            return moved

        return self.change(edit)

    def take(self, folders: Iterable[Path], chosen: str = "") -> Turn:
        """Take the entry whose turn it is, so that no other window starts it; `done` has to follow.

        Args:
            folders: of all runs: one that is trained on this computer, or paused, lets the queue wait.
            chosen: the entry that the person wants now, whatever else is going on.
        """
        taken: list[QueueEntry] = []
        holder: list[RunGlance] = []

        def edit(entries: tuple[QueueEntry, ...]) -> tuple[QueueEntry, ...]:
            ready = [e for e in entries if not e.is_starting and (e.id == chosen if chosen else not e.problem)]
            if not ready or (not chosen and any(e.is_starting for e in entries)):
                return entries
            if not chosen and (found := _holder(folders, ready[0].folder)) is not None:
                holder.append(found)
                return entries
            taken.append(replace(ready[0], starter=this_process(), taken=time.time(), problem=""))
            return tuple(taken[0] if e.id == taken[0].id else e for e in entries)

        entries = self.change(edit)
        return Turn(entries, taken[0] if taken else None, holder[0] if holder else None)

    def done(self, id: str, problem: str = "") -> tuple[QueueEntry, ...]:
        """Say that an entry that was taken has been started, or why it could not be: it waits then."""

        def edit(entries: tuple[QueueEntry, ...]) -> Iterable[QueueEntry]:
            for entry in entries:
                if entry.id != id:
                    yield entry
                elif problem:
                    yield replace(entry, starter=None, problem=problem)

        return self.change(edit)

    def put_back(self, id: str) -> tuple[QueueEntry, ...]:
        """Say that an entry that was taken was not started after all; it waits as before."""
        return self.change(lambda entries: (replace(e, starter=None) if e.id == id else e for e in entries))


@dataclass(frozen=True)
class Turn:
    """What QueueFile.take found.

    Attributes:
        entries: the queue.
        taken: the entry that is to be started now; None if it is nobody's turn.
        holder: the run that the queue waits for, if that is why.
    """

    entries: tuple[QueueEntry, ...]
    taken: QueueEntry | None = None
    holder: RunGlance | None = None


def _holder(folders: Iterable[Path], but: Path) -> RunGlance | None:
    """A run that is trained on this computer, or was paused on it; one that runs before one that is paused."""
    here, paused = socket.gethostname(), None
    for folder in folders:
        run = look_at(folder)
        elsewhere = run.state.process is not None and run.state.process.host != here
        if run.is_running and not elsewhere:
            return run
        if run.condition == PAUSED and folder != but:
            paused = paused or run
    return paused
