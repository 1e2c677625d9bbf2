"""A slider from 0 to 1 that belongs to no photo, with its number."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from automod_studio.widgets.share_groove import ShareGroove
from automod_studio.widgets.share_row import SLIDER_HELP, ShareRow

_INK = "#6a6bd6"  # between the accents of light and dark, so that it is seen on both


class PlainSlider(ShareRow):
    """A value from 0 to 1.

    Signals:
        edited(float, bool): the value asked for, and whether the gesture is over.
        reset(): a double-click.
    """

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        """A slider at 0.

        Args:
            name: for screen readers.
            tip: what it does.
            parent: the parent widget.
        """
        super().__init__(ShareGroove(_INK, _INK), parent)
        self.row.addWidget(self.groove, 1)
        self.row.addWidget(self.box)
        self.groove.setAccessibleName(name)
        self.groove.setToolTip(f"{tip}\n{SLIDER_HELP}")
        self.box.setAccessibleName(f"{name}, typed")
        self.box.setToolTip("Type a number from 0 to 1")

    def set_value(self, value: float) -> None:
        """Show a value (0..1); nothing is emitted."""
        self.set_share(value)
