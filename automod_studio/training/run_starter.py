"""Starts runs and lets them go on, without the window waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from automod_core.errors import UserError
from automod_studio.training import launch, run_ask
from automod_studio.training.errand import Errand
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.run_list import forget_run, note_run
from automod_studio.training.start_plan import StartPlan
from automod_studio.workers.jobs import JobControl

_REAP_EVERY_MS = 1000
_LOOK_EVERY_S = 0.1


class RunStarter(QObject):
    """Starts the processes of runs; they outlive this program. Methods are for the GUI thread only.

    Signals:
        started: Path, folder of a run that lives now.
        failed: Path, str sentence, str details: it does not.
        cancelled: Path of a run whose start was called off: in place of the others.
    """

    started = Signal(object)
    failed = Signal(object, str, str)
    cancelled = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._under_way: dict[Path, Errand] = {}
        self._called_off: set[Path] = set()
        self._reaper = QTimer(self, interval=_REAP_EVERY_MS)
        self._reaper.timeout.connect(launch.reap)
        self._reaper.start()

    def start(self, plan: StartPlan) -> None:
        """Start a new run; one of the signals follows."""
        self._send(plan.folder.absolute(), "Start", lambda control: self._start(plan, control))

    def _start(self, plan: StartPlan, control: JobControl) -> Path:
        """On the thread of a job: start it, and take it back if it was called off meanwhile."""
        folder = start_run(plan, control)
        if folder.absolute() in self._called_off:
            launch.take_back(folder)
            _forget_if_gone(folder)
        return folder

    def resume(self, folder: Path, options: ResumeOptions | None = None) -> None:
        """Go on with a run; one of the signals follows."""
        folder, how = folder.absolute(), options or ResumeOptions()
        self._send(folder, "Resume", lambda control: resume_run(folder, how, control))

    def is_starting(self, folder: Path) -> bool:
        """Whether this window is about to start that run."""
        return folder.absolute() in self._under_way

    def cancel(self, folder: Path) -> None:
        """Call a start off: its process is ended. One that trains already saves and stops."""
        folder = folder.absolute()
        if folder in self._under_way and folder not in self._called_off:
            self._called_off.add(folder)
            Errand(folder, f"Call off {folder.name}", lambda control: self._end(folder, control), self).start()

    def _end(self, folder: Path, control: JobControl) -> None:
        """On the thread of a job: end the process as soon as there is one."""
        while folder in self._under_way:
            begun = launch.read_launch(folder)
            if begun.is_alive:
                run_ask.end_process(begun.process)
                return
            control.stop_if_cancelled()
            time.sleep(_LOOK_EVERY_S)

    def _send(self, folder: Path, verb: str, work: Callable[[JobControl], Path]) -> None:
        if folder in self._under_way:
            self.failed.emit(folder, f"“{folder.name}” is being started already.", "")
            return
        errand = self._under_way[folder] = Errand(folder, f"{verb} {folder.name}", work, self)
        errand.succeeded.connect(self._has_started)
        errand.failed.connect(self._has_failed)
        errand.ended.connect(self._has_ended)
        errand.start()

    def _has_started(self, folder: Path, _: object) -> None:
        self._under_way.pop(folder, None)
        if not self._was_called_off(folder):
            self.started.emit(folder)

    def _has_failed(self, folder: Path, sentence: str, details: str) -> None:
        self._under_way.pop(folder, None)
        if not self._was_called_off(folder):
            self.failed.emit(folder, sentence, details)

    def _was_called_off(self, folder: Path) -> bool:
        if folder not in self._called_off:
            return False
        self._called_off.discard(folder)
        self.cancelled.emit(folder)
        return True

    def _has_ended(self, errand: Errand) -> None:
        self._under_way.pop(errand.folder, None)


def start_run(plan: StartPlan, control: JobControl) -> Path:
    """Start a new run, and see to it that it is found again; for threads of jobs. UserError if it does not start."""
    launch.check_new(plan.folder)  # before it is noted: a folder of something else is no run
    note_run(plan.folder)  # first, so that a run is found again even if the window closes while it starts
    try:
        return launch.launch_plan(plan, control)
    except UserError:
        _forget_if_gone(plan.folder)  # nothing came of it
        raise


def _forget_if_gone(folder: Path) -> None:
    if not folder.exists():
        with suppress(UserError):
            forget_run(folder)


def resume_run(folder: Path, options: ResumeOptions, control: JobControl) -> Path:
    """Go on with a run; for threads of jobs. UserError if it does not start."""
    note_run(folder)
    return launch.launch_again(folder, options, control)
