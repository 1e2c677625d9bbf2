"""Python's cyclic garbage collection, on the GUI thread only.

Python collects on whichever thread allocates when a threshold is passed. On the worker thread that would destroy
widgets and timers that belong to the GUI thread, which Qt answers with warnings or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_INTERVAL_MS = 1000
#: At the start, torch brings in a million objects that stay: to go through them takes 0.3 s of the time till the model
#: is ready. Collections begin when `freeze` says that all is loaded, or after this.
_START_MS = 20_000


class GuiGarbage(QObject):
    """Switches automatic collection off and collects by a timer instead, for as long as it lives."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._collect)
        self._clock.start(_START_MS)

    def freeze(self) -> None:
        """Spare what is loaded by now from later collections: with torch there, they take long otherwise.

        Nor is anything collected here: to find 2 MB of garbage among all that was imported would hold the window up
        for 0.2 s, just when the person begins.
        """
        gc.freeze()
        self._clock.start(_INTERVAL_MS)

    def stop(self) -> None:
        """Leave collection to Python again."""
        self._clock.stop()
        gc.unfreeze()
        gc.enable()

    def _collect(self) -> None:
        """Collect the generations that are due, as Python itself would."""
        self._clock.setInterval(_INTERVAL_MS)
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [g for g in range(3) if thresholds[g] and counts[g] > thresholds[g]]
        if due:
            gc.collect(max(due))
