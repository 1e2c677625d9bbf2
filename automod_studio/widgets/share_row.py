# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A groove and a box that show one share: what ShareSlider and BalanceSlider have in common."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from automod_studio.theme import GRID
from automod_studio.widgets.share_box import ShareBox
from automod_studio.widgets.share_groove import ShareGroove

SLIDER_HELP = "Double-click resets · wheel and arrow keys nudge · Shift is finer"


class ShareRow(QWidget):
    """One share (0..1), as a slider and as a number that can be typed; whoever derives from it fills `row`.

    Signals:
        edited(float, bool): the share asked for, and whether the gesture is over.
        reset(): a double-click on the slider or beside it.
    """

    edited = Signal(float, bool)
    reset = Signal()

    def __init__(self, groove: ShareGroove, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.groove, self.box = groove, ShareBox()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(GRID)
        self.setFocusProxy(groove)
        groove.setAccessibleDescription(SLIDER_HELP)
        self.groove.edited.connect(self._groove_edited)
        self.groove.reset.connect(self.reset)
        self.box.edited.connect(self._box_edited)

    def set_share(self, share: float) -> None:
        """Show a share (0..1); nothing is emitted."""
        self.groove.set_share(share)
        self.box.set_share(share)

    def share(self) -> float:
        """The share that is shown."""
        return self.groove.share()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()

    def _groove_edited(self, share: float, finished: bool) -> None:
        self.edited.emit(share, finished)  # first of all: a picture is waited for
        self.box.set_share(self.share())  # what came of it, or in mid-drag, what was asked for

    def _box_edited(self, share: float) -> None:
        self.groove.set_share(share)
        self.edited.emit(share, True)
