"""When panels show the document anew: at once, but in mid-drag only after the picture that is waited for."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

#: In mid-drag, panels wait for a picture no longer than this; two frames of a screen.
_PATIENCE_MS = 33


class PanelClock(QObject):
    """Lets a picture pass before panels while a slider is held: on two cores, what they do would hold it up.

    Signals:
        due: who waited may show the document now.
    """

    due = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self.due)

    @property
    def waits(self) -> bool:
        """Whether a picture comes first; `due` follows."""
        return self._patience.isActive()

    def picture_asked(self, *, moving: bool) -> None:
        """The document has another picture; `moving`: a slider is held."""
        if not moving:
            self._patience.stop()  # now everybody shows the document at once
        elif not self.waits:  # moves that follow one another do not put it off
            self._patience.start()

    def picture_painted(self) -> None:
        """A picture, or a preview, is on the screen."""
        if self.waits:
            self._patience.stop()
            self.due.emit()
