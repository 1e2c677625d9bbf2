"""The row in which a preset is chosen: by its title, under headings, with a sentence on what it is for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from automod_core import presets
from automod_studio.theme import GRID
from automod_studio.widgets.labels import ElidedLabel, hint_label, link_button

_BOX_PX = 232


class PresetRow(QWidget):
    """Shows the preset in use and how much was changed since.

    Signals:
        preset_wanted(str): the name of the preset that was chosen.
        reset_wanted(): everything is to be as the preset says.
        undo_wanted(): the values that were put aside are to come back.
    """

    preset_wanted = Signal(str)
    reset_wanted = Signal()
    undo_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = _preset_box()
        self.box.activated.connect(lambda _: self.preset_wanted.emit(str(self.box.currentData())))
        self.summary = hint_label("", wrap=True)
        self.changes = ElidedLabel()
        self.changes.setProperty("role", "hint")
        self.changes.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.reset_button = link_button("Set all back")
        self.reset_button.setToolTip("Give every setting, and the plan, the preset's values")
        self.reset_button.setAutoDefault(False)
        self.reset_button.clicked.connect(lambda: self.reset_wanted.emit())
        self.undo_button = link_button("Bring back")
        self.undo_button.setToolTip("Use the values again that were changed before")
        self.undo_button.setAutoDefault(False)
        self.undo_button.clicked.connect(lambda: self.undo_wanted.emit())
        self._lay_out()

    def _lay_out(self) -> None:
        label = QLabel("Pr&eset")
        label.setBuddy(self.box)
        self._row = QHBoxLayout()
        self._row.setSpacing(2 * GRID)
        self._row.addWidget(label)
        self._row.addWidget(self.box)
        self._row.addWidget(self.changes, 1)
        self._row.addWidget(self.undo_button)
        self._row.addWidget(self.reset_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(self._row)
        column.addWidget(self.summary)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def add_beside(self, widget: QWidget) -> None:
        """Put another control beside the presets, such as the saved profiles."""
        self._row.insertWidget(2, widget)
        for button in (self.undo_button, self.reset_button):
            button.raise_()  # children are gone through in this order by the Tab key

    def show_preset(self, name: str, changes: int, aside: str) -> None:
        """Show which preset is in use.

        Args:
            name: its name.
            changes: settings that differ from it.
            aside: a sentence on changes that were put aside and can be brought back; "" for none.
        """
        index = self.box.findData(name)
        if index != self.box.currentIndex():
            self.box.setCurrentIndex(index)
        self.summary.setText(presets.about(name).summary)
        changed = "1 setting changed" if changes == 1 else f"{changes} settings changed"
        self.changes.setText(changed if changes else aside)
        self.reset_button.setVisible(changes > 0)
        self.undo_button.setVisible(bool(aside) and not changes)


def _preset_box() -> QComboBox:
    box = QComboBox()
    box.setAccessibleName("Preset")
    box.setToolTip("Settings to start from (arrows, wheel)")
    box.setMinimumWidth(_BOX_PX)
    box.setMaxVisibleItems(24)
    group = ""
    for about in presets.shown():
        if about.group != group:
            group = about.group
            _add_heading(box, group)
        box.addItem(about.title, about.name)
        box.setItemData(box.count() - 1, about.summary, Qt.ItemDataRole.ToolTipRole)
    return box


def _add_heading(box: QComboBox, text: str) -> None:
    """Add a line that cannot be chosen."""
    box.addItem(text.upper())
    model = box.model()
    if isinstance(model, QStandardItemModel):
        model.item(box.count() - 1).setEnabled(False)
