# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A question above the picture that may be answered or left alone: nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.widgets.labels import ElidedLabel, icon_button

_ICON_PX = 16
_TINT = 22  # of the accent over the window's colour, 0..255


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A button: what it says, what the tooltip adds, and what it does."""

    text: str
    tip: str
    do: Callable[[], object]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A sentence with its choices, the usual one first."""

    sentence: str
    choices: tuple[Choice, ...]
    icon: str = "history"


class OfferBar(QWidget):
    """Hidden while there is nothing to ask. A choice or the cross closes it.

    It stands above the picture, which makes room for it: what is asked may take a while to be answered.

    Signals:
        closed(): it went away.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offer: Offer | None = None
        self._waiting: list[Offer] = []
        self._sign = QLabel()
        self._sign.setFixedSize(QSize(_ICON_PX, _ICON_PX))
        self.sentence = ElidedLabel()
        self.buttons: list[QPushButton] = []
        self.close_button = icon_button("close", "Not now", 20)
        self.close_button.clicked.connect(self.clear)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(MARGIN, 2 * GRID, 2 * GRID, 2 * GRID)
        self._row.setSpacing(2 * GRID)
        self._row.addWidget(self._sign)
        self._row.addWidget(self.sentence, 1)
        self._row.addWidget(self.close_button)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_offer(self, offer: Offer) -> None:
        """Ask this in the place of what was asked before."""
        self._take_buttons_away()
        self.offer = offer
        self.sentence.setText(offer.sentence)
        self.sentence.setToolTip(offer.sentence)
        self.setAccessibleName(offer.sentence)
        for choice in offer.choices:
            button = QPushButton(choice.text)
            button.setToolTip(choice.tip)
            button.clicked.connect(self._chooses(choice))
            self._row.insertWidget(self._row.count() - 1, button)
            self.buttons.append(button)
        self._paint_sign()
        self.show()

    def show_after(self, offer: Offer) -> None:
        """Ask this now, or once what is being asked went away."""
        if self.offer is None:
            self.show_offer(offer)
        else:
            self._waiting.append(offer)

    def clear(self) -> None:
        """Take the question away; the next one takes its place."""
        self._go_away()
        self._ask_next()

    def _go_away(self) -> None:
        self.offer = None
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def _ask_next(self) -> None:
        if self.offer is None and self._waiting:
            self.show_offer(self._waiting.pop(0))

    def _chooses(self, choice: Choice) -> Callable[[], None]:
        def choose() -> None:
            self._go_away()
            choice.do()  # which may ask something else
            self._ask_next()

        return choose

    def _take_buttons_away(self) -> None:
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []

    def _paint_sign(self) -> None:
        if self.offer is not None:
            ink = QColor(colors_of(self).accent)
            self._sign.setPixmap(icon_pixmap(self.offer.icon, ink, _ICON_PX, self.devicePixelRatioF()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Cancel):
            self.clear()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_row"):
            self._paint_sign()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        tint = QColor(colors.accent)
        tint.setAlpha(_TINT)
        painter.fillRect(self.rect(), QColor(colors.window))
        painter.fillRect(self.rect(), tint)
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(colors.hairline))
