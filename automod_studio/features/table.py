"""The panels of the window, in the order of their tabs; each is imported when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt

from automod_studio.features.feature import Feature


@dataclass(frozen=True, slots=True)
class Panel:
    """A dock, and what fills it.

    Attributes:
        title: of the dock, and of its entry in the View menu.
        area: where the dock is at first.
        kind: imports the feature.
    """

    title: str
    area: Qt.DockWidgetArea
    kind: Callable[[], type[Feature]]


def _mix() -> type[Feature]:
    from automod_studio.features.mix import MixFeature

    return MixFeature


def _attributes() -> type[Feature]:
    from automod_studio.features.attributes import AttributesFeature

    return AttributesFeature


def _variations() -> type[Feature]:
    from automod_studio.features.variations import VariationsFeature

    return VariationsFeature


def _grid() -> type[Feature]:
    from automod_studio.features.grids import GridFeature

    return GridFeature


def _path() -> type[Feature]:
    from automod_studio.features.paths import PathFeature

    return PathFeature


def _history() -> type[Feature]:
    from automod_studio.features.history import HistoryFeature

    return HistoryFeature


_RIGHT, _BELOW = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
PANELS = (
    Panel("Mix", _RIGHT, _mix),
    Panel("Attributes", _RIGHT, _attributes),
    Panel("Variations", _BELOW, _variations),
    Panel("Grid", _BELOW, _grid),
    Panel("Path", _BELOW, _path),
    Panel("History", _BELOW, _history),
)
