# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""How much one source gives: its letter, a slider in its colour, and the share as a number."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from automod_studio.theme import GRID
from automod_studio.widgets.letter_badge import LetterBadge
from automod_studio.widgets.share_box import ShareBox
from automod_studio.widgets.share_groove import ShareGroove

_HELP = "Double-click resets · wheel and arrow keys nudge · Shift is finer"


class ShareSlider(QWidget):
    """One source's share of a range or a block.

    Signals:
        edited(float, bool): the share asked for (0..1), and whether the gesture is over.
        reset(): a double-click on the slider or the letter.
    """

    edited = Signal(float, bool)
    reset = Signal()

    def __init__(self, letter: str, color: str, name: str, what: str = "", parent: QWidget | None = None) -> None:
        """A slider at 0.

        Args:
            letter: of the source.
            color: of the source, "#rrggbb".
            name: of the source, for tooltips.
            what: what is mixed ("Coarse", "16 px"), for screen readers.
            parent: the parent widget.
        """
        super().__init__(parent)
        self.badge = LetterBadge(letter, color, name)
        self.groove = ShareGroove(color, color)
        self.box = ShareBox()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.badge)
        row.addWidget(self.groove, 1)
        row.addWidget(self.box)
        self.setFocusProxy(self.groove)

        label = f"{what}: share of {letter}".removeprefix(": ").strip()
        self.groove.setAccessibleName(label)
        self.box.setAccessibleName(f"{label}, typed")
        self.groove.setAccessibleDescription(_HELP)
        self.groove.setToolTip(f"How much {letter} ({name}) gives\n{_HELP}")

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
        self.box.set_share(share)
        self.edited.emit(share, finished)

    def _box_edited(self, share: float) -> None:
        self.groove.set_share(share)
        self.edited.emit(share, True)
