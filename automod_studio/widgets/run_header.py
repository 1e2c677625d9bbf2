# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""What a run is doing, how far it is, and what can be done with it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QFont, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QProgressBar, QPushButton, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views_run import (
    CHANGE,
    DELETE,
    EXTEND,
    FORGET,
    OPEN_FOLDER,
    PAUSE,
    ROLL_BACK,
    SNAPSHOT,
    STOP,
    USE,
    ActionView,
    HeaderView,
)
from automod_studio.widgets.labels import ElidedLabel, hint_label
from automod_studio.widgets.run_list import level_color

_BUTTONS = ((USE, "model"), (PAUSE, "pause"), (STOP, "stop"))
_KEYS = {USE: "Ctrl+U", PAUSE: "Ctrl+P"}
_MORE = (EXTEND, CHANGE, ROLL_BACK, SNAPSHOT, "", OPEN_FOLDER, DELETE, FORGET)
_STEPS = 1000


class RunHeader(QWidget):
    """Shows a HeaderView.

    Signals:
        action_wanted(str): one of views_run.ACTIONS.
    """

    action_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: HeaderView | None = None
        self.name = ElidedLabel()
        font = QFont(self.name.font())
        font.setWeight(QFont.Weight.DemiBold)
        self.name.setFont(font)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.progress = QProgressBar()
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self.seen = hint_label("")
        self.facts = ElidedLabel()
        self.facts.setProperty("role", "hint")
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.sentence = hint_label("", wrap=True)
        self.buttons: dict[str, QPushButton] = {}
        self.menu_actions: dict[str, QAction] = {}
        self._lay_out(self._make_buttons())

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        for action, drawing in _BUTTONS:
            button = QPushButton(icon(drawing), "")
            button.clicked.connect(partial(self.action_wanted.emit, action))
            self.buttons[action] = button
            if action in _KEYS:  # no shortcut of the button: each new text takes that away
                QShortcut(QKeySequence(_KEYS[action]), self).activated.connect(button.click)
            row.addWidget(button)
        self.more_button = QPushButton("More")
        self.more_button.setToolTip("What else can be done with this run")
        menu = QMenu(self.more_button)
        menu.setToolTipsVisible(True)
        for action in _MORE:
            if not action:
                menu.addSeparator()
                continue
            entry = menu.addAction("")
            entry.triggered.connect(partial(self.action_wanted.emit, action))
            self.menu_actions[action] = entry
        self.more_button.setMenu(menu)
        row.addWidget(self.more_button)
        return row

    def _lay_out(self, buttons: QHBoxLayout) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.name)
        words.addWidget(self.state)
        top = QHBoxLayout()
        top.setSpacing(MARGIN)
        top.addLayout(words, 1)
        top.addLayout(buttons)
        below = QHBoxLayout()
        below.setSpacing(MARGIN)
        below.addWidget(self.seen)
        below.addWidget(self.facts, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 2 * GRID)
        column.setSpacing(GRID)
        column.addLayout(top)
        column.addSpacing(GRID)
        column.addWidget(self.progress)
        column.addLayout(below)
        column.addWidget(self.sentence)

    def show_view(self, view: HeaderView, sentence_shown: bool = True) -> None:
        """Show a run.

        Args:
            view: the run.
            sentence_shown: False where its sentence stands in the alarm bar.
        """
        if (view, sentence_shown) == (self._view, not self.sentence.isHidden()):
            return
        self._view = view
        self.name.setText(view.name)
        self.name.setToolTip(view.name)
        self.state.setText(view.state)
        self.progress.setVisible(view.done is not None)
        self.progress.setValue(round(_STEPS * (view.done or 0)))
        self.progress.setToolTip(view.progress)
        self.seen.setText(view.progress)
        facts = " · ".join(value for _, value in view.facts)
        self.facts.setText(facts)
        self.facts.setToolTip("\n".join(f"{label}: {value}" for label, value in view.facts))
        self.seen.setVisible(bool(view.progress))
        self.facts.setVisible(bool(facts))
        self.sentence.setText(view.sentence)
        self.sentence.setVisible(sentence_shown and bool(view.sentence))
        self._show_actions(view)
        self._dress()

    def _show_actions(self, view: HeaderView) -> None:
        for action, button in self.buttons.items():
            shown = view.actions[action]
            button.setText(f" {shown.text}")
            button.setAccessibleName(shown.text)
            button.setToolTip(f"{shown.tip} ({_KEYS[action]})" if shown.enabled and action in _KEYS else shown.tip)
            button.setEnabled(shown.enabled)
        resumes = view.actions[PAUSE].text == "Resume"
        self.buttons[PAUSE].setIcon(icon("play" if resumes else "pause"))
        for action, entry in self.menu_actions.items():
            show_action(entry, view.actions[action])

    def _dress(self) -> None:
        if self._view is not None:
            palette = self.state.palette()
            palette.setColor(self.state.foregroundRole(), level_color(self._view.level, colors_of(self)))
            self.state.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "menu_actions"):
            self._dress()


def show_action(entry: QAction, view: ActionView) -> None:
    """Show a view in a line of a menu."""
    entry.setText(view.text)
    entry.setToolTip(view.tip)
    entry.setEnabled(view.enabled)
