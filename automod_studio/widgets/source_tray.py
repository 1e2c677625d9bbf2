# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The tray on the left: the photos that are mixed."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.views import SourceView
from automod_studio.widgets.empty_tray import EmptyTray
from automod_studio.widgets.labels import action_button
from automod_studio.widgets.source_card import SourceCard

_TEXT_PX = 104  # what a card keeps for its texts
_SMALLEST_PX, _LARGEST_PX = 56, 112  # edge of a picture on a card


class SourceTray(QWidget):
    """One card per source, or the empty state.

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
        self.cards: list[SourceCard] = []
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

    def show_view(self, views: Sequence[SourceView]) -> None:
        """Show these sources, one card each; nothing is emitted."""
        focused = next((index for index, card in enumerate(self.cards) if card.hasFocus()), None)
        known = {card.source_id: card for card in self.cards}
        kept = {view.id for view in views}
        self.cards = [known.get(view.id) or self._make_card(view) for view in views]
        for gone in (card for source, card in known.items() if source not in kept):
            gone.blockSignals(True)
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for index, (card, view) in enumerate(zip(self.cards, views, strict=True)):
            if self._column.indexOf(card) != index:
                self._column.insertWidget(index, card)
            card.show_view(view)
        self._fit_pictures()
        self._pages.setCurrentIndex(1 if views else 0)
        if focused is not None and self.cards and not any(card.hasFocus() for card in self.cards):
            self.cards[min(focused, len(self.cards) - 1)].setFocus()  # the next card takes a removed one's place

    def show_samples(self, samples: Sequence[tuple[str, np.ndarray]]) -> None:
        """Offer these pictures while there is no photo: (path, (H, W, 3) uint8) each."""
        self.empty.show_samples(samples)

    def focus_parts(self) -> list[QWidget]:
        """What Tab goes through, from top to bottom; the cards were made in any order."""
        return [*self.cards, self.add_button, self.empty]

    def sizeHint(self) -> QSize:
        return QSize(280, 480)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_pictures()

    def _make_card(self, view: SourceView) -> SourceCard:
        card = SourceCard(view)
        card.selected.connect(self.selected)
        card.remove_clicked.connect(self.remove_clicked)
        card.replace_clicked.connect(self.replace_clicked)
        card.advice_clicked.connect(self.advice_clicked)
        card.step_wanted.connect(lambda step: self._step(card, step))
        return card

    def _step(self, card: SourceCard, step: int) -> None:
        index = self.cards.index(card) + step
        if index >= len(self.cards):
            self.add_button.setFocus(Qt.FocusReason.TabFocusReason)
        elif index >= 0:
            self.cards[index].setFocus(Qt.FocusReason.TabFocusReason)
            self._area.ensureWidgetVisible(self.cards[index], 0, 0)

    def _fit_pictures(self) -> None:
        """A wider tray shows larger pictures."""
        room = (self.width() - 2 * MARGIN - _TEXT_PX - 2 * GRID) // 2
        edge = min(max(room // GRID * GRID, _SMALLEST_PX), _LARGEST_PX)
        for card in self.cards:
            card.set_picture_edge(edge)

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
