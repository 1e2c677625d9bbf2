"""When panels show the document anew: at once, but in mid-drag only after the picture that is waited for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

#: In mid-drag, panels wait for a picture no longer than this; two frames of a screen.
_PATIENCE_MS = 33


class PanelClock(QObject):
    """Lets a picture pass before panels while a slider is dragged: on two cores, what they do would hold it up.

    Wheel, keys and clicks do not wait. Their gestures end by a timer, which a panel stops that finds another value.

    Signals:
        due: who waited may show the document now.

    Attributes:
        is_dragged: whether what is asked for now comes from a move of the mouse.
    """

    due = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_dragged: Callable[[], bool] = lambda: False
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self.due)

    @property
    def waits(self) -> bool:
        """Whether a picture comes first; `due` follows."""
        return self._patience.isActive()

    def picture_asked(self) -> None:
        """The document has another picture."""
        if not self.is_dragged():
            self._patience.stop()  # now everybody shows the document at once
        elif not self.waits:  # moves that follow one another do not put it off
            self._patience.start()

    def picture_painted(self) -> None:
        """A picture, or a preview, is on the screen."""
        if self.waits:
            self._patience.stop()
            self.due.emit()
