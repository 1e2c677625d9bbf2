"""Compare: two sides, each the original, the reconstruction, the result, or any state of the history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from automod_studio import thumbnails
from automod_studio.document.history import History, State
from automod_studio.document.model import Document, recipe_of, same_picture
from automod_studio.features.feature import Part
from automod_studio.studio import Studio
from automod_studio.views_compare import NAMES, RESULT, TWO_SIDED, Choice, CompareView
from automod_studio.windows.compare_bar import CompareBar
from automod_studio.workers.grid_requests import DrawRecipe, RecipeDrawn

_KEPT_PICTURES = 8
_MOST_OFFERED = 20


class ComparePart(Part):
    """Knows the sides; the canvas shows them, the bar chooses them.

    Signals:
        changed(CompareView): another way of comparing, or another side.
        pictured(int, array): the picture (H, W, 3) uint8 of side A (0) or B (1), if it is a state; None: there is none.
        flipped: the canvas is to show the other side, while they are shown in turn.
    """

    changed = Signal(object)
    pictured = Signal(int, object)
    flipped = Signal()

    def __init__(self, studio: Studio, window: QWidget) -> None:
        """Make the bar; the window puts it into its place."""
        super().__init__(studio, window)
        self.view = CompareView()
        self.bar = CompareBar()
        self._history: History = self.session.history
        self._asked = [0, 0]  # ids of requests, for each side
        self._pictures: OrderedDict[int, tuple[Document, np.ndarray]] = OrderedDict()  # of states, drawn
        self.bar.menu_opened.connect(lambda side: self.bar.offer(side, self.choices(side)))
        self.bar.chosen.connect(self.choose)
        self.bar.swapped.connect(self.swap)
        self.bar.gain_chosen.connect(lambda gain: self._show(replace(self.view, gain=gain)))
        self.bar.blink_chosen.connect(lambda blink_ms: self._show(replace(self.view, blink_ms=blink_ms)))
        self.session.history_changed.connect(self._history_changed)
        self.session.state_changed.connect(self._state_changed)

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Swap the sides; the window itself knows which mode is checked."""
        return {"swap_sides": self.swap}

    def flags(self) -> Mapping[str, bool]:
        """Whether there are two sides."""
        return {"is_comparing": self.view.mode in TWO_SIDED}

    # ---- intents ----

    def set_mode(self, mode: str) -> None:
        """Compare in another way, one of views_compare.MODES."""
        if mode != self.view.mode:
            self._show(replace(self.view, mode=mode))
            self._draw_sides()

    def choose(self, side: int, key: str | int) -> None:
        """Let side A (0) or B (1) show something else; `key` as in a Choice."""
        if isinstance(key, int) and key not in self.session.history:
            return
        sides = list(self.view.sides)
        sides[side] = self._choice(key)
        self._show(replace(self.view, sides=(sides[0], sides[1])))
        self._draw(side)

    def compare_with(self, state_id: int) -> None:
        """Set a state of the history against the result, in the way of comparing that is on."""
        self.choose(0, state_id)
        self.choose(1, RESULT)
        if self.view.mode not in TWO_SIDED:
            self.set_mode("wipe")

    def swap(self) -> None:
        """Let A be B; where they blink, show the other one at once, and no longer by itself."""
        if self.view.mode == "blink":
            self._show(replace(self.view, blink_ms=0))
            self.flipped.emit()
            return
        first, second = self.view.sides
        self._show(replace(self.view, sides=(second, first)))
        self._draw_sides()

    def choices(self, side: int) -> list[Choice]:
        """What a side can show: the three pictures, what it shows now, and the states that are starred or named."""
        current = self.view.sides[side].key
        marked = [s.id for s in self.session.history if s.starred or s.name][-_MOST_OFFERED:]
        if isinstance(current, int) and current not in marked:
            marked.insert(0, current)
        return [Choice(key, title) for key, title in NAMES.items()] + [self._choice(state_id) for state_id in marked]

    # ---- sides ----

    def _choice(self, key: str | int) -> Choice:
        if isinstance(key, str):
            return Choice(key, NAMES[key])
        state = self.session.history.state(key)
        return Choice(key, state.name or state.text)

    def _show(self, view: CompareView) -> None:
        if view != self.view:
            self.view = view
            self.bar.show_view(view)
            self.changed.emit(view)

    def _draw_sides(self) -> None:
        for side in range(2):
            self._draw(side)

    def _draw(self, side: int) -> None:
        """Give the canvas the picture of a side that is a state; the small one until it is drawn."""
        self.studio.service.cancel(self._asked[side])
        self._asked[side] = 0
        key = self.view.sides[side].key
        if isinstance(key, str) or self.view.mode not in TWO_SIDED:
            return
        state = self.session.history.state(key)
        picture = self._known(state)
        if picture is not None:
            self.pictured.emit(side, picture)
            return
        self.pictured.emit(side, thumbnails.decode(state.thumbnail))
        model = state.document.model
        if model is not None and state.document.sources:
            number = self._asked[side] = self.studio.service.next_id()
            request = DrawRecipe(number, model, recipe_of(state.document))
            self.studio.service.ask(request, partial(self._drawn, side, state, state.document))

    def _known(self, state: State) -> np.ndarray | None:
        shown = self.studio.shown
        if shown is not None and same_picture(shown[0], state.document):
            return shown[1]
        kept = self._pictures.get(state.id)
        return kept[1] if kept is not None and kept[0] is state.document else None

    def _drawn(self, side: int, state: State, document: Document, reply: RecipeDrawn) -> None:
        if reply.id != self._asked[side]:
            return  # another was asked for meanwhile
        self._asked[side] = 0
        if reply.picture is None:
            title = state.name or state.text
            self.studio.message.emit(f"“{title}” could not be drawn; its small picture is shown.", "", "warning")
            return
        self._pictures[state.id] = (document, reply.picture)
        self._pictures.move_to_end(state.id)
        while len(self._pictures) > _KEPT_PICTURES:
            self._pictures.popitem(last=False)
        self.pictured.emit(side, reply.picture)

    def _history_changed(self) -> None:
        if self.session.history is self._history:
            return
        self._history = self.session.history
        self._pictures.clear()  # the ids mean other states from now on
        plain = CompareView().sides
        for side in range(2):
            if isinstance(self.view.sides[side].key, int):
                self.choose(side, plain[side].key)

    def _state_changed(self, state_id: int) -> None:
        for side in range(2):
            if self.view.sides[side].key == state_id:
                self.choose(side, state_id)  # its name, or its picture, is another
