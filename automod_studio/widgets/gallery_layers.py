"""The variations that were adopted: a button that opens a list, each with its strength and a way to remove it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget, QWidgetAction

from automod_studio.theme import GRID, MARGIN
from automod_studio.views_gallery import LayerView
from automod_studio.widgets.labels import ElidedLabel, hint_label, icon_button
from automod_studio.widgets.plain_slider import PlainSlider

_WIDTH_PX, _NAME_PX = 340, 108


class LayersButton(QToolButton):
    """Says how many variations lie over the mix, and opens their list; hidden while there are none.

    Signals:
        strength_edited(int, float, bool): number of a variation, strength asked for, whether the gesture is over.
        removed(int): number of a variation.
    """

    strength_edited = Signal(int, float, bool)
    removed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[_LayerRow] = []
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip("The variations that were adopted: how strong each is, or remove it")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._list = QWidget()
        self._list.setFixedWidth(_WIDTH_PX)
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(MARGIN, 2 * GRID, MARGIN, 2 * GRID)
        self._column.setSpacing(GRID)
        self._column.addWidget(hint_label("Adopted, the last one on top of the others"))
        self._popup = QMenu(self)
        action = QWidgetAction(self._popup)
        action.setDefaultWidget(self._list)
        self._popup.addAction(action)
        self.setMenu(self._popup)
        self.show_layers(())

    def show_layers(self, layers: tuple[LayerView, ...]) -> None:
        """Show the list; nothing is emitted."""
        while len(self.rows) > len(layers):
            row = self.rows.pop()
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self.rows) < len(layers):
            self._add_row(len(self.rows))
        for row, layer in zip(self.rows, layers, strict=True):
            row.show_layer(layer)
        self.setText(f"{len(layers)} adopted")
        self.setAccessibleName(f"{len(layers)} adopted variations")
        self.setVisible(bool(layers))
        if not layers:
            self._popup.hide()
        self._list.adjustSize()

    def _add_row(self, number: int) -> None:
        row = _LayerRow()
        row.slider.edited.connect(lambda value, done: self.strength_edited.emit(number, value, done))
        row.slider.reset.connect(lambda: self.strength_edited.emit(number, 1.0, True))
        row.remove_button.clicked.connect(lambda: self.removed.emit(number))
        self._column.addWidget(row)
        self.rows.append(row)


class _LayerRow(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.name = ElidedLabel()
        self.name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.name.setFixedWidth(_NAME_PX)
        self.slider = PlainSlider("Strength", "How far this variation goes")
        self.remove_button = icon_button("remove", "Remove this variation")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.remove_button)

    def show_layer(self, layer: LayerView) -> None:
        self.name.setText(layer.name)
        self.name.setToolTip(f"{layer.name}: {layer.blocks}")
        self.slider.set_value(layer.strength)
        self.slider.groove.setAccessibleName(f"Strength of {layer.name}")
        self.remove_button.setAccessibleName(f"Remove {layer.name}")
