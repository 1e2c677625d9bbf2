"""Two sources on one slider: from all of the first to all of the second."""

from PySide6.QtWidgets import QWidget

from automod_studio.widgets.letter_badge import LetterBadge
from automod_studio.widgets.share_groove import ShareGroove
from automod_studio.widgets.share_row import SLIDER_HELP, ShareRow


class BalanceSlider(ShareRow):
    """The share of the second of two sources; the first gives the rest.

    Signals:
        edited(float, bool): the second source's share (0..1), and whether the gesture is over.
        reset(): a double-click on the slider or a letter.
    """

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
        super().__init__(ShareGroove(first[2], second[2]), parent)
        self._what = what
        self._badges = [LetterBadge(letter, color, name) for letter, name, color in (first, second) if letters]
        for badge in self._badges[:1]:
            self.row.addWidget(badge)
        self.row.addWidget(self.groove, 1)
        for badge in self._badges[1:]:
            self.row.addWidget(badge)
        self.row.addWidget(self.box)
        self.show_sources(first, second)

    def show_sources(self, first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
        """Balance two others; arguments as at first."""
        what = self._what
        for badge, (letter, name, color) in zip(self._badges, (first, second), strict=False):
            badge.show_source(letter, color, name)
        self.groove.set_colors(first[2], second[2])
        label = f"{what}: balance from {first[0]} to {second[0]}".removeprefix(": ")
        self.groove.setAccessibleName(label)
        self.groove.setToolTip(f"From {first[0]} ({first[1]}) to {second[0]} ({second[1]})\n{SLIDER_HELP}")
        self.box.setAccessibleName(f"{what}: share of {second[0]}, typed".removeprefix(": "))
        self.box.setToolTip(f"How much {second[0]} gives, from 0 to 1; {first[0]} gives the rest")
