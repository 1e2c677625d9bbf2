"""The docks of the window. Panels that are seen at first are made at once, the others after the first paint."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from automod_studio.features.feature import Feature, leaving_errors
from automod_studio.features.table import PANELS
from automod_studio.studio import Studio

_WIDTHS = {"Photos": 288, "Mix": 320}
_BELOW_HEIGHT = 220


class Panels:
    """Makes the docks, all of them, and fills them with features.

    Attributes:
        docks: title -> dock.
        features: title -> what fills its dock, in the order of the table; those only that are made by now.
    """

    def __init__(self, window: QMainWindow, studio: Studio, photos: QWidget) -> None:
        """Make the docks of `window`; `photos` is what is on the left."""
        self._window, self._studio = window, studio
        self.features: dict[str, Feature] = {}
        self.docks = {"Photos": self._make_dock("Photos", Qt.DockWidgetArea.LeftDockWidgetArea)}
        self.docks["Photos"].setWidget(photos)
        self._below = [row.title for row in PANELS if row.area == Qt.DockWidgetArea.BottomDockWidgetArea]
        for row in PANELS:
            self.docks[row.title] = self._make_dock(row.title, row.area)
        for first, second in zip(self._below, self._below[1:], strict=False):
            window.tabifyDockWidget(self.docks[first], self.docks[second])
        self.raise_first_tab()

    def _make_dock(self, title: str, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(title.lower())  # saveState needs it
        self._window.addDockWidget(area, dock)
        return dock

    def raise_first_tab(self) -> None:
        """Bring the first of the panels that share a place to the front."""
        self.docks[self._below[0]].raise_()

    def size(self) -> None:
        """Give the docks the sizes that they have at first."""
        window, docks = self._window, self.docks
        window.resizeDocks([docks[t] for t in _WIDTHS], list(_WIDTHS.values()), Qt.Orientation.Horizontal)
        window.resizeDocks([docks[self._below[-1]]], [_BELOW_HEIGHT], Qt.Orientation.Vertical)
        self.raise_first_tab()

    # ---- what fills them ----

    def make_seen(self) -> None:
        """Make the panels that are seen once the window is shown, as the docks are now."""
        self._make({title for title, dock in self.docks.items() if not dock.isHidden()} - self._behind_others())

    def make_others(self) -> None:
        """Make the panels that are not there yet."""
        self._make(set(self.docks))

    def _make(self, titles: set[str]) -> None:
        made = dict(self.features)
        for row in PANELS:
            if row.title in titles and row.title not in made:
                with leaving_errors():
                    feature = row.kind()(self._studio, self._window)
                    feature.put_into(self.docks[row.title])
                    made[row.title] = feature
        self.features = {row.title: made[row.title] for row in PANELS if row.title in made}

    def _behind_others(self) -> set[str]:
        """Titles of the docks that lie behind the tab of another."""
        # A layout that is restored leaves the bar of the one before: what is in front in either counts.
        bars = self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        in_front = {bar.tabText(bar.currentIndex()) for bar in bars}
        return {title for title, dock in self.docks.items() if self._window.tabifiedDockWidgets(dock)} - in_front
