"""How much one source gives: its letter, a slider in its colour, and the share as a number."""

from PySide6.QtWidgets import QWidget

from automod_studio.widgets.letter_badge import LetterBadge
from automod_studio.widgets.share_groove import ShareGroove
from automod_studio.widgets.share_row import SLIDER_HELP, ShareRow


class ShareSlider(ShareRow):
    """One source's share of a range or a block.

    Signals:
        edited(float, bool): the share asked for (0..1), and whether the gesture is over.
        reset(): a double-click on the slider or the letter.
    """

    def __init__(self, letter: str, color: str, name: str, what: str = "", parent: QWidget | None = None) -> None:
        """A slider at 0.

        Args:
            letter: of the source.
            color: of the source, "#rrggbb".
            name: of the source, for tooltips.
            what: what is mixed ("Coarse", "16 px"), for screen readers.
            parent: the parent widget.
        """
        super().__init__(ShareGroove(color, color), parent)
        self._what = what
        self._source: tuple[str, str, str] | None = None
        self.badge = LetterBadge(letter, color, name)
        self.row.addWidget(self.badge)
        self.row.addWidget(self.groove, 1)
        self.row.addWidget(self.box)
        self.show_source(letter, color, name)

    def show_source(self, letter: str, color: str, name: str) -> None:
        """Be another source's; arguments as at first."""
        if (letter, color, name) == self._source:
            return
        self._source = letter, color, name
        self.badge.show_source(letter, color, name)
        self.groove.set_colors(color, color)
        label = f"{self._what}: share of {letter}".removeprefix(": ").strip()
        self.groove.setAccessibleName(label)
        self.box.setAccessibleName(f"{label}, typed")
        self.groove.setToolTip(f"How much {letter} ({name}) gives\n{SLIDER_HELP}")
