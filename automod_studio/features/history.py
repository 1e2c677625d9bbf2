"""The history: every state of the document, and a way back to each."""

from __future__ import annotations

from itertools import islice

from PySide6.QtCore import Signal

from automod_studio.document.history import History
from automod_studio.features.feature import Feature
from automod_studio.views_history import line_view, state_view
from automod_studio.widgets.history import HistoryPanel


class HistoryFeature(Feature):
    """States of the document. What is new is added to the panel; nothing is built twice.

    Signals:
        compared(int): the person wants to see the picture beside the state of this id.
    """

    compared = Signal(int)

    widget: HistoryPanel

    def make_widget(self) -> HistoryPanel:
        """Make the panel, and do what it reports."""
        self._shown: History | None = None
        self._line_stale = True
        self._changed: dict[int, None] = {}  # ids of states to be shown anew, in order
        panel = HistoryPanel()
        panel.jumped.connect(self.session.jump)
        panel.named.connect(self._name)
        panel.starred.connect(self.session.star_state)
        panel.compared.connect(self.compared)
        self.session.history_changed.connect(self._history_changed)
        self.session.state_changed.connect(self._state_changed)
        return panel

    def refresh(self) -> None:
        """Show what became of the states since the last time."""
        history = self.session.history
        if self._shown is not history:
            self._shown = history
            self.widget.show_states(map(state_view, history), line_view(history))
        else:
            known = len(self.widget.tree)
            if len(history) > known:
                self.widget.add_states([state_view(state) for state in islice(history, known, None)])
            for state_id in self._changed:
                self.widget.update_state(state_view(history.state(state_id)))
            if self._line_stale:
                self.widget.show_line(line_view(history))
        self._changed.clear()
        self._line_stale = False

    def _name(self, state_id: int, name: str) -> None:
        if self._shown is self.session.history:  # and not another, opened while the name was typed
            self.session.rename_state(state_id, name)

    def _history_changed(self) -> None:
        self._line_stale = True
        self._refresh_if_seen()

    def _state_changed(self, state_id: int) -> None:
        if self._shown is self.session.history:
            self._changed[state_id] = None
            self._refresh_if_seen()
