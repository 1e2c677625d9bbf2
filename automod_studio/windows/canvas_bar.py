"""The row under the picture: zoom on the left, compare in the middle, what becomes of the picture on the right."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID
from automod_studio.widgets.labels import hint_label

_ICON_PX = 18
_COMPARISONS = ("side_by_side", "wipe", "blink", "difference", "original")
_WORDS_FROM_PX = 720


class CanvasBar(QWidget):
    """Buttons for the window's own actions; it owns no truth and emits nothing."""

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.zoom_label = hint_label("")
        self.zoom_label.setMinimumWidth(44)
        self.zoom_label.setAccessibleName("Zoom")
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        row.setSpacing(GRID)
        for name in ("zoom_fit", "zoom_100"):
            row.addWidget(_tool_button(actions[name]))
        row.addWidget(self.zoom_label)
        row.addStretch(1)
        self.compare_buttons = [_tool_button(actions[name]) for name in _COMPARISONS]
        for button in self.compare_buttons:
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(_tool_button(actions["copy"]))
        row.addWidget(_push_button(actions["save"]))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Where there is no room for words, the icons have to do."""
        wide = event.size().width() >= _WORDS_FROM_PX
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if wide else Qt.ToolButtonStyle.ToolButtonIconOnly
        for button in self.compare_buttons:
            button.setToolButtonStyle(style)

    def show_zoom(self, zoom: float) -> None:
        """Show screen pixels per pixel of the picture, as a percentage."""
        self.zoom_label.setText(f"{zoom * 100:.0f} %")


def _tool_button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setIconSize(QSize(_ICON_PX, _ICON_PX))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setAccessibleName(action.iconText())
    return button


def _push_button(action: QAction) -> QPushButton:
    button = QPushButton(icon("save"), "Save…")
    button.setToolTip(action.toolTip())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    button.setEnabled(action.isEnabled())
    return button


def exclusive(actions: Mapping[str, QAction], names: tuple[str, ...], parent: QWidget) -> QActionGroup:
    """At most one of these checkable actions is on."""
    group = QActionGroup(parent)
    group.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
    for name in names:
        group.addAction(actions[name])
    return group
