"""The row between picture and buttons while two sides are compared: which they are, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from automod_studio.theme import GRID
from automod_studio.views_compare import BLINKS_MS, GAINS, TWO_SIDED, Choice, CompareView
from automod_studio.widgets.labels import hint_label, icon_button

_MOST_LETTERS = 24
_HINTS = {"wipe": "Drag the line, or ← →", "side_by_side": "Zoom and move both at once"}


class CompareBar(QWidget):
    """Shows a CompareView; it is hidden while one picture is shown.

    Signals:
        menu_opened(int): the choices for side A (0) or B (1) are wanted: answer with `offer`.
        chosen(int, object): this side is to show what this key of a Choice means.
        swapped: A is to be B.
        gain_chosen(int), blink_chosen(int): see CompareView.
    """

    menu_opened = Signal(int)
    chosen = Signal(int, object)
    swapped = Signal()
    gain_chosen = Signal(int)
    blink_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = CompareView()
        self.buttons = (self._side_button(0), self._side_button(1))
        self.swap_button = icon_button("swap", "Swap A and B; while they blink, show the other one (X)")
        self.swap_button.clicked.connect(self.swapped)
        self.gain, self.blink, self.hint = QComboBox(), QComboBox(), hint_label("")
        for gain in GAINS:
            self.gain.addItem(f"Gain ×{gain}", gain)
        for blink_ms in BLINKS_MS:
            self.blink.addItem(f"Every {blink_ms / 1000:g} s" if blink_ms else "By key: X", blink_ms)
        self._name(self.gain, "Gain", "How much differences are enlarged (arrows, wheel)")
        self._name(self.blink, "Blink", "How long each side is shown (arrows, wheel); X shows the other one")
        self.gain.currentIndexChanged.connect(lambda index: self.gain_chosen.emit(GAINS[index]))
        self.blink.currentIndexChanged.connect(lambda index: self.blink_chosen.emit(BLINKS_MS[index]))
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID, 2 * GRID, 0)
        row.setSpacing(GRID)
        for widget in (self.buttons[0], self.swap_button, self.buttons[1]):
            row.addWidget(widget)
        row.addStretch(1)
        for last in (self.hint, self.gain, self.blink):
            row.addWidget(last)
        self.show_view(self._view)

    def show_view(self, view: CompareView) -> None:
        """Show what is compared; nothing is emitted."""
        self._view = view
        self.setVisible(view.mode in TWO_SIDED)
        for letter, button, side in zip("AB", self.buttons, view.sides, strict=True):
            short = side.title if len(side.title) <= _MOST_LETTERS else side.title[: _MOST_LETTERS - 1] + "…"
            button.setText(f"{letter}  {short} ▾".replace("&", "&&"))
            button.setAccessibleName(f"Side {letter}: {side.title}")
            button.setToolTip(f"Side {letter}: {side.title}. Click to choose another.")
        with QSignalBlocker(self.gain), QSignalBlocker(self.blink):
            self.gain.setCurrentIndex(GAINS.index(view.gain))
            self.blink.setCurrentIndex(BLINKS_MS.index(view.blink_ms))
        self.gain.setVisible(view.mode == "difference")
        self.blink.setVisible(view.mode == "blink")
        self.hint.setText(_HINTS.get(view.mode, ""))

    def offer(self, side: int, choices: Sequence[Choice]) -> None:
        """Fill the menu of a side."""
        menu = self.buttons[side].menu()
        menu.clear()
        group = QActionGroup(menu)
        for choice in choices:
            if isinstance(choice.key, int) and group.actions() and not isinstance(group.actions()[-1].data(), int):
                menu.addSeparator()
            action = menu.addAction(choice.title.replace("&", "&&"))
            action.setData(choice.key)
            action.setCheckable(True)
            action.setChecked(choice.key == self._view.sides[side].key)
            group.addAction(action)
        menu.addSeparator()
        menu.addAction("Other states: C in the history").setEnabled(False)

    def _side_button(self, side: int) -> QToolButton:
        button = QToolButton()
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        menu = QMenu(button)
        menu.aboutToShow.connect(lambda: self.menu_opened.emit(side))
        menu.triggered.connect(lambda action: self.chosen.emit(side, action.data()))
        button.setMenu(menu)
        return button

    @staticmethod
    def _name(box: QComboBox, name: str, tip: str) -> None:
        box.setAccessibleName(name)
        box.setToolTip(tip)
