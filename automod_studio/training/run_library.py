"""All runs that there are, looked at in the background."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from PySide6.QtCore import QFile, QObject, QTimer, Signal

from automod_core.errors import UserError
from automod_core.run_lock import only_one
from automod_core.run_state import RunGlance, size_on_disk
from automod_studio.training import run_list
from automod_studio.training.errand import Errand
from automod_studio.training.kept_file import KeptFile
from automod_studio.training.launch import is_being_trained
from automod_studio.training.run_look import look_at
from automod_studio.workers.jobs import JobControl

log = logging.getLogger(__name__)

_WATCH_EVERY_MS = 2000
_SIZE_AGAIN_S = 30.0  # a run that grows is measured no more often


class RunLibrary(QObject):
    """The runs in the user's folder of runs, and those elsewhere that were added. Methods are for the GUI thread only.

    Signals:
        changed: tuple[RunGlance, ...]: running ones first, then the latest. Comes after the first look, and whenever
            something is new.
        sizes_changed: dict[Path, int]: bytes on disk of the runs that were measured so far.
        trashed: Path of a run that lies in the trash now.
        failed: Path, str sentence, str details: something that was asked for could not be done.
    """

    changed = Signal(object)
    sizes_changed = Signal(object)
    trashed = Signal(object)
    failed = Signal(object, str, str)

    def __init__(
        self, parent: QObject | None = None, *, file: KeptFile | None = None, home: Path | None = None
    ) -> None:
        """Prepare; nothing is read before `refresh`.

        Args:
            parent: Qt owner.
            file: where runs elsewhere are noted; the user's own if None.
            home: the folder of runs; the user's own if None.
        """
        super().__init__(parent)
        self._file, self._home = file or run_list.list_file(), home
        self._runs: tuple[RunGlance, ...] = ()
        self._sizes: dict[Path, int] = {}
        self._measured: dict[Path, tuple[float, float]] = {}  # folder -> when it had changed, when it was measured
        self._looked = self._looking = self._look_again = self._measuring = False
        self._told = ""  # the trouble that was told last
        self._clock = QTimer(self, interval=_WATCH_EVERY_MS)
        self._clock.timeout.connect(self.refresh)

    @property
    def runs(self) -> tuple[RunGlance, ...]:
        """What the last look found."""
        return self._runs

    @property
    def sizes(self) -> Mapping[Path, int]:
        """Bytes on disk of the runs that were measured so far."""
        return self._sizes

    def size(self, folder: Path) -> int | None:
        """Bytes on disk of a run; None if it was not measured yet."""
        return self._sizes.get(folder)

    def run(self, folder: Path) -> RunGlance | None:
        """What the last look found of a run."""
        return next((run for run in self._runs if run.folder == folder), None)

    def watch(self, on: bool = True) -> None:
        """Look again every two seconds, or no more."""
        if on:
            self.refresh()
            self._clock.start()
        else:
            self._clock.stop()

    def refresh(self) -> None:
        """Look at all runs; `changed` follows if something is new. Returns at once."""
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        file, home = self._file, self._home
        errand = Errand(Path(), "Look for runs", lambda control: look_at_all(file, home, control), self)
        errand.succeeded.connect(self._has_looked)
        errand.failed.connect(self._looked_in_vain)
        errand.ended.connect(self._look_ended)
        errand.start()

    def add(self, folder: Path) -> None:
        """Show a run that lies elsewhere, or all runs in a folder."""
        file, home = self._file, self._home
        self._change(folder, "Add", lambda control: _add(folder, file, home))

    def forget(self, folder: Path) -> None:
        """Show a run no more; it is not touched."""
        file, home = self._file, self._home
        self._change(folder, "Forget", lambda control: run_list.forget_run(folder, file, home))

    def trash(self, folder: Path) -> None:
        """Move a run to the trash; one that is being trained stays. `trashed` or `failed` follows."""
        file, home = self._file, self._home
        self._change(folder, "Delete", lambda control: _trash(folder, file, home)).succeeded.connect(self._has_trashed)

    # ---- what comes back ----

    def _change(self, folder: Path, verb: str, work: Callable[[JobControl], object]) -> Errand:
        errand = Errand(folder, f"{verb} {folder.name}", work, self)
        errand.failed.connect(self.failed)
        errand.ended.connect(self.refresh)
        errand.start()
        return errand

    def _has_trashed(self, folder: Path, _: object) -> None:
        self._runs = tuple(run for run in self._runs if run.folder != folder)
        self._sizes.pop(folder, None)
        self.trashed.emit(folder)
        self.changed.emit(self._runs)

    def _has_looked(self, _: Path, runs: tuple[RunGlance, ...]) -> None:
        if runs != self._runs or not self._looked:
            self._looked, self._runs = True, runs
            self.changed.emit(runs)
        if trouble := self._file.take_trouble():
            self.failed.emit(self._file.path, trouble, "")
        self._measure()

    def _looked_in_vain(self, _: Path, sentence: str, details: str) -> None:
        if sentence != self._told:  # once, not every two seconds
            self._told = sentence
            self.failed.emit(self._file.path, sentence, details)

    def _look_ended(self) -> None:
        self._looking = False
        if self._look_again:
            self._look_again = False
            self.refresh()

    def _measure(self) -> None:
        """Measure the runs that have changed since, one after another."""
        now = time.monotonic()
        due = [run for run in self._runs if self._is_due(run, now)]
        if self._measuring or not due:
            return
        self._measuring = True
        for run in due:
            self._measured[run.folder] = (run.changed, now)
        folders = [run.folder for run in due]
        errand = Errand(Path(), "Measure runs", lambda control: _sizes_of(folders, control), self)
        errand.succeeded.connect(self._has_measured)
        errand.ended.connect(self._measure_ended)
        errand.start()

    def _is_due(self, run: RunGlance, now: float) -> bool:
        changed, measured = self._measured.get(run.folder, (-1.0, -_SIZE_AGAIN_S))
        return run.changed != changed and now - measured >= _SIZE_AGAIN_S

    def _has_measured(self, _: Path, sizes: dict[Path, int]) -> None:
        there = {run.folder for run in self._runs}
        self._sizes = {folder: size for folder, size in (self._sizes | sizes).items() if folder in there}
        self.sizes_changed.emit(dict(self._sizes))

    def _measure_ended(self) -> None:
        self._measuring = False


# ---- on the threads of jobs ----


def look_at_all(file: KeptFile | None, home: Path | None, control: JobControl) -> tuple[RunGlance, ...]:
    """Look at every run: running ones first, by name, then the latest. UserError if the notes cannot be read."""
    found = []
    for folder in run_list.run_folders(file, home):
        control.stop_if_cancelled()
        found.append(look_at(folder))
    return tuple(sorted(found, key=_order))


def _order(run: RunGlance) -> tuple[bool, float, str]:
    return not run.is_running, 0.0 if run.is_running else -run.changed, run.name.casefold()


def _sizes_of(folders: list[Path], control: JobControl) -> dict[Path, int]:
    found = {}
    for folder in folders:
        control.stop_if_cancelled()
        found[folder] = size_on_disk(folder)
    return found


def _add(folder: Path, file: KeptFile, home: Path | None) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder.")
    if not run_list.holds_runs(folder):
        raise UserError(f"There is no run in {folder}.")
    run_list.add_folder(folder, file, home)


def _trash(folder: Path, file: KeptFile, home: Path | None) -> None:
    """Move a run to the trash. UserError if it is being trained, or there is no trash: nothing is deleted then."""
    if not folder.exists():
        run_list.forget_run(folder, file, home)
        return
    if look_at(folder).is_running or is_being_trained(folder):
        raise UserError(f"“{folder.name}” is being trained; stop it first, then it can be deleted.")
    # Windows does not move a folder in which a file is open.
    with nullcontext() if sys.platform == "win32" else only_one(folder):
        moved = QFile.moveToTrash(str(folder))
    if not (moved[0] if isinstance(moved, tuple) else moved) or folder.exists():
        raise UserError(
            f"“{folder.name}” cannot be moved to the trash, perhaps since there is none on its disk; nothing was "
            f"deleted. It lies in {folder}."
        )
    run_list.forget_run(folder, file, home)
