"""What the page of a run has done on other threads: reading its settings, judging its curves, loading the plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from automod_core.config_file import load_config
from automod_core.errors import UserError
from automod_core.remedies import Replay
from automod_core.run_folder import CONFIG
from automod_core.train_config import TrainConfig
from automod_core.watchdog import Trouble
from automod_studio.workers.jobs import Job, JobControl, JobReply, JobRequest


class SettingsReader(QObject):
    """Reads the settings of a run. Methods are for the GUI thread only.

    Signals:
        found(object, object): Path of the run, and its TrainConfig; None if it cannot be read.
    """

    found = Signal(object, object)

    def read(self, folder: Path) -> None:
        """Read them; returns at once."""
        job = Job(JobRequest(f"Settings of {folder.name}", partial(_settings, folder)))
        job.finished.connect(partial(self._has_read, folder))
        job.start()

    def _has_read(self, folder: Path, reply: JobReply) -> None:
        emit_if_alive(self, self.found, folder, reply.value)


class Judge(QObject):
    """Looks at the curves of a run whose own watchdog does not. Methods are for the GUI thread only.

    Signals:
        judged(object): the Trouble that was found, or None after a log that came anew.
    """

    judged = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._replay: Replay | None = None
        self._waiting: list[tuple[Sequence[Mapping[str, float]], bool]] = []
        self._job: Job | None = None

    def begin(self, config: TrainConfig | None) -> None:
        """Judge another run, or none; its whole log has to come from now on."""
        self._replay = Replay(config) if config is not None else None
        self._waiting.clear()
        self._job = None

    def look(self, points: Sequence[Mapping[str, float]], anew: bool = False) -> None:
        """Judge these log lines; `judged` follows if there is something to tell. Returns at once."""
        if self._replay is not None and (points or anew):
            self._waiting.append((points, anew))
            self._next()

    def _next(self) -> None:
        if self._job is not None or not self._waiting or self._replay is None:
            return
        points, anew = self._waiting.pop(0)
        job = self._job = Job(JobRequest("Judge the curves", partial(_judge, self._replay, points, anew)))
        job.finished.connect(partial(self._has_judged, job, anew))
        job.start()

    def _has_judged(self, job: Job, anew: bool, reply: JobReply) -> None:
        if job is not self._job:  # another run is shown
            return
        self._job = None
        trouble = reply.value if isinstance(reply.value, Trouble) else None
        if trouble is not None or anew:
            emit_if_alive(self, self.judged, trouble)
        self._next()


class PlotsLoader(QObject):
    """Imports what draws the curves: half a second, on another thread.

    Signals:
        loaded(str): "" once it is there, or why it is not.
    """

    loaded = Signal(str)

    def load(self) -> None:
        """Begin; returns at once."""
        job = Job(JobRequest("Load the curves", _import_plots))
        job.finished.connect(self._has_loaded)
        job.start()

    def _has_loaded(self, reply: JobReply) -> None:
        emit_if_alive(self, self.loaded, reply.error)


def emit_if_alive(owner: QObject, signal: object, *values: object) -> None:
    """Emit unless the owner was destroyed while the work went on: nobody is left to hear then."""
    try:
        owner.objectName()
    except RuntimeError:
        return
    signal.emit(*values)  # type: ignore[attr-defined]


def _settings(folder: Path, _: JobControl) -> TrainConfig | None:
    try:
        return load_config(folder / CONFIG)
    except UserError:  # the run's own look tells what is wrong
        return None


def _judge(replay: Replay, points: Sequence[Mapping[str, float]], anew: bool, _: JobControl) -> Trouble | None:
    return replay.look(points, anew)


def _import_plots(_: JobControl) -> None:
    import automod_studio.widgets.run_curves  # noqa: F401 - this is what takes long
