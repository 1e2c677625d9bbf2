# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The tray on the left: the photos that are mixed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.views import SourceView
from automod_studio.widgets.empty_tray import EmptyTray
from automod_studio.widgets.labels import action_button
from automod_studio.widgets.slices import Slices
from automod_studio.widgets.source_card import SourceCard

_TEXT_PX = 104  # what a card keeps for its texts
_AT_ONCE, _PER_TURN = 3, 2  # cards; one takes about 3 ms to make, lay out and paint
_SMALLEST_PX, _LARGEST_PX = 56, 112  # edge of a picture on a card


class SourceTray(QWidget):
    """One card per source, or the empty state. Where many come at once, the last cards are made later.

    Signals:
        add_clicked(): choose photos in a dialog.
        sample_clicked(str): the path of a sample.
        remove_clicked(int), replace_clicked(int), advice_clicked(int), selected(int): with the source's id.
    """

    add_clicked = Signal()
    sample_clicked = Signal(str)
    remove_clicked = Signal(int)
    replace_clicked = Signal(int)
    advice_clicked = Signal(int)
    selected = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: tuple[SourceView, ...] = ()
        self._cards: dict[int, SourceCard] = {}  # by the source's id
        self._slices = Slices(_AT_ONCE, _PER_TURN, self)
        self._edge = _SMALLEST_PX
        self.empty = EmptyTray()
        self.empty.add_clicked.connect(self.add_clicked)
        self.empty.sample_clicked.connect(self.sample_clicked)
        self.add_button = action_button(
            "add-photos", "Add photos…", "Add photos (Ctrl+O); or drop them anywhere on the window"
        )
        self.add_button.clicked.connect(lambda: self.add_clicked.emit())
        self._pages = QStackedWidget()
        self._pages.addWidget(_scrolling(self.empty))
        self._pages.addWidget(self._make_cards_page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self.setMinimumWidth(248)
        self.setAccessibleName("Photos")

    @property
    def cards(self) -> list[SourceCard]:
        """The cards that are made, from top to bottom."""
        return [self._cards[view.id] for view in self._views if view.id in self._cards]

    def show_view(self, views: Sequence[SourceView]) -> None:
        """Show these sources, one card each; nothing is emitted."""
        focused = next((index for index, card in enumerate(self.cards) if card.hasFocus()), None)
        self._views = tuple(views)
        kept = {view.id for view in views}
        for gone in [source for source in self._cards if source not in kept]:
            self._column.removeWidget(self._cards[gone])
            self._slices.discard(self._cards.pop(gone))
        place = 0
        for view in views:
            card = self._cards.get(view.id)
            if card is not None:
                self._put(card, place)
                card.show_view(view)
                place += 1
        if place < len(views):
            self._slices.add(self._make_next, len(views) - place)
            self._slices.start()
        self._fit_pictures()
        self._pages.setCurrentIndex(1 if views else 0)
        cards = self.cards
        if focused is not None and cards and not any(card.hasFocus() for card in cards):
            cards[min(focused, len(cards) - 1)].setFocus()  # the next card takes a removed one's place

    def show_samples(self, samples: Sequence[Path]) -> None:
        """Offer these pictures while there is no photo."""
        self.empty.show_samples(samples)

    def focus_parts(self) -> list[QWidget]:
        """What Tab goes through, from top to bottom; the cards were made in any order."""
        return [*self.cards, self.add_button, self.empty]

    def sizeHint(self) -> QSize:
        return QSize(280, 480)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_pictures()

    def _put(self, card: SourceCard, place: int) -> None:
        if self._column.indexOf(card) != place:
            self._column.insertWidget(place, card)

    def _make_next(self) -> bool:
        """Make one card, if one is missing."""
        place = next((i for i, view in enumerate(self._views) if view.id not in self._cards), None)
        if place is None:
            return False
        view = self._views[place]
        card = self._cards[view.id] = self._make_card(view)
        card.set_picture_edge(self._edge)
        self._put(card, place)  # all before it are there
        return True

    def _make_card(self, view: SourceView) -> SourceCard:
        card = SourceCard(view)
        card.selected.connect(self.selected)
        card.remove_clicked.connect(self.remove_clicked)
        card.replace_clicked.connect(self.replace_clicked)
        card.advice_clicked.connect(self.advice_clicked)
        card.step_wanted.connect(lambda step: self._step(card, step))
        return card

    def _step(self, card: SourceCard, step: int) -> None:
        cards = self.cards
        index = cards.index(card) + step
        if index >= len(cards):
            self.add_button.setFocus(Qt.FocusReason.TabFocusReason)
        elif index >= 0:
            cards[index].setFocus(Qt.FocusReason.TabFocusReason)
            self._area.ensureWidgetVisible(cards[index], 0, 0)

    def _fit_pictures(self) -> None:
        """A wider tray shows larger pictures."""
        room = (self.width() - 2 * MARGIN - _TEXT_PX - 2 * GRID) // 2
        self._edge = min(max(room // GRID * GRID, _SMALLEST_PX), _LARGEST_PX)
        for card in self._cards.values():
            card.set_picture_edge(self._edge)

    def _make_cards_page(self) -> QWidget:
        content = QWidget()
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        add = QVBoxLayout()
        add.setContentsMargins(MARGIN, 2 * GRID, MARGIN, MARGIN)
        add.addWidget(self.add_button)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, GRID, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._column)
        column.addLayout(add)
        column.addStretch(1)
        self._area = _scrolling(content)
        return self._area


def _scrolling(content: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    return area
