"""Small switches: which ranges an attribute drives, and all of them at once."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from automod_studio.views_attributes import RangeToggle

_SIZE = (22, 20)


class AttributeToggles(QWidget):
    """One switch for each range, and one for all blocks.

    Signals:
        range_toggled(str): the switch of a range was clicked.
        all_toggled(): the switch for all blocks was clicked.
    """

    range_toggled = Signal(str)
    all_toggled = Signal()

    def __init__(self, name: str, ranges: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._shown: tuple[object, ...] = ()
        self.buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for range_name in ranges:
            button = self._make(range_name[:1].upper(), _SIZE[0])
            button.clicked.connect(lambda _on=False, which=range_name: self.range_toggled.emit(which))
            self.buttons[range_name] = button
            row.addWidget(button)
        self.all_button = self._make("All", _SIZE[0] + 8)
        self.all_button.clicked.connect(lambda: self.all_toggled.emit())
        row.addWidget(self.all_button)

    def show_view(self, toggles: Sequence[RangeToggle], *, drives_all: bool, restricted: bool) -> None:
        """Show which ranges are driven; nothing is emitted."""
        for toggle in toggles:  # also where nothing is new: a click may have turned them
            self.buttons[toggle.name].setChecked(toggle.state != "off")
        self.all_button.setChecked(drives_all)
        shown = (tuple(toggles), drives_all, restricted)
        if shown != self._shown:
            self._shown = shown
            self._describe(toggles, drives_all=drives_all, restricted=restricted)

    def _describe(self, toggles: Sequence[RangeToggle], *, drives_all: bool, restricted: bool) -> None:
        alone = sum(toggle.state != "off" for toggle in toggles) == 1
        for toggle in toggles:
            button = self.buttons[toggle.name]
            on = toggle.state != "off"
            button.setText(toggle.letter + ("·" if toggle.state == "partly" else ""))
            words = f"Drives the {toggle.name} range" if on else f"Leaves the {toggle.name} range alone"
            words = f"Drives a part of the {toggle.name} range" if toggle.state == "partly" else words
            last = on and alone and toggle.state == "on"
            tip = f"{words}; it is the only one" if last else f"{words}; click to change"
            button.setToolTip(tip)
            button.setAccessibleName(f"{self._name}: {toggle.name} range")
        self.all_button.setEnabled(not drives_all or restricted)
        self.all_button.setToolTip(
            "Drives all scales; click for the range it was made for" if drives_all else "Drive all scales, to compare"
        )
        self.all_button.setAccessibleName(f"{self._name}: all scales")

    def _make(self, text: str, width: int) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setFixedSize(width, _SIZE[1])
        button.setProperty("role", "toggle")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button
