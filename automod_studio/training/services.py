"""All that has to do with runs, for one window."""

from __future__ import annotations

from PySide6.QtCore import QObject

from automod_studio.training.run_actions import RunActions
from automod_studio.training.run_library import RunLibrary
from automod_studio.training.run_queue import RunQueue
from automod_studio.training.run_starter import RunStarter


class TrainingServices(QObject):
    """Starter, library, queue and actions, wired together: what one of them does, the library sees at once.

    Attributes:
        starter: starts runs.
        library: knows all runs.
        queue: starts those that wait; it begins with this object.
        actions: changes runs.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.starter = RunStarter(self)
        self.library = RunLibrary(self)
        self.queue = RunQueue(self)
        self.actions = RunActions(self)
        for signal in (
            self.starter.started,
            self.starter.cancelled,
            self.queue.started,
            self.actions.done,
            self.actions.failed,
        ):
            signal.connect(self.library.refresh)
        for signal in (self.actions.done, self.library.trashed):
            signal.connect(self.queue.look)
        self.queue.watch()

    def close(self) -> None:
        """Look and start no more: the window closes. The runs go on."""
        self.library.watch(False)
        self.queue.watch(False)
