# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Two sources on one slider: from all of the first to all of the second."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from automod_studio.theme import GRID
from automod_studio.widgets.letter_badge import LetterBadge
from automod_studio.widgets.share_box import ShareBox
from automod_studio.widgets.share_groove import ShareGroove

_HELP = "Double-click resets · wheel and arrow keys nudge · Shift is finer"


class BalanceSlider(QWidget):
    """The share of the second of two sources; the first gives the rest.

    Signals:
        edited(float, bool): the second source's share (0..1), and whether the gesture is over.
        reset(): a double-click on the slider or a letter.
    """

    edited = Signal(float, bool)
    reset = Signal()

    def __init__(
        self,
        first: tuple[str, str, str],
        second: tuple[str, str, str],
        what: str = "",
        letters: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """A slider at the first source.

        Args:
            first: letter, name and colour ("#rrggbb") of the source on the left.
            second: those of the source on the right.
            what: what is mixed ("Coarse", "16 px"), for screen readers.
            letters: whether the ends wear their letters.
            parent: the parent widget.
        """
        super().__init__(parent)
        self.groove = ShareGroove(first[2], second[2])
        self.box = ShareBox()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        if letters:
            row.addWidget(LetterBadge(first[0], first[2], first[1]))
        row.addWidget(self.groove, 1)
        if letters:
            row.addWidget(LetterBadge(second[0], second[2], second[1]))
        row.addWidget(self.box)
        self.setFocusProxy(self.groove)

        label = f"{what}: balance from {first[0]} to {second[0]}".removeprefix(": ")
        self.groove.setAccessibleName(label)
        self.groove.setAccessibleDescription(_HELP)
        self.groove.setToolTip(f"From {first[0]} ({first[1]}) to {second[0]} ({second[1]})\n{_HELP}")
        self.box.setAccessibleName(f"{what}: share of {second[0]}, typed".removeprefix(": "))
        self.box.setToolTip(f"How much {second[0]} gives, from 0 to 1; {first[0]} gives the rest")

        self.groove.edited.connect(self._groove_edited)
        self.groove.reset.connect(self.reset)
        self.box.edited.connect(self._box_edited)

    def set_share(self, share: float) -> None:
        """Show the second source's share (0..1); nothing is emitted."""
        self.groove.set_share(share)
        self.box.set_share(share)

    def share(self) -> float:
        """The second source's share that is shown."""
        return self.groove.share()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()

    def _groove_edited(self, share: float, finished: bool) -> None:
        self.box.set_share(share)
        self.edited.emit(share, finished)

    def _box_edited(self, share: float) -> None:
        self.groove.set_share(share)
        self.edited.emit(share, True)
