"""The history: every state of the document, and a way back to each."""

from __future__ import annotations

from automod_studio import views
from automod_studio.features.feature import Feature
from automod_studio.widgets.history import HistoryPanel


class HistoryFeature(Feature):
    """States of the document."""

    title = "History"
    widget: HistoryPanel

    def make_widget(self) -> HistoryPanel:
        """Make the panel, and jump where it is clicked."""
        panel = HistoryPanel()
        panel.jumped.connect(lambda row: self.session.jump(self.session.history.line()[row].id))
        self.session.history_changed.connect(self._refresh_if_seen)
        return panel

    def refresh(self) -> None:
        """Show the states."""
        self.widget.show_view(views.history_view(self.session.history))
