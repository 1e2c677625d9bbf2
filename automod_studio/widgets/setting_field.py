# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One setting of a run: its name, something to change it with, what it is for, and what is wrong with it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from automod_core.settings import Setting
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views_train import PLACES, FieldView, Place, limits_words, meant, tip_of
from automod_studio.widgets.labels import hint_label, icon_button

_NUMBER_LETTERS, _CHOICE_LETTERS, _LIST_LETTERS = 17, 36, 48  # room in a line, of average width
_MARK_PX = 3
_MOST_LETTERS = 400
#: What the choices of the settings mean to people who do not know them.
_CHOICES = {
    "l1": "l1 (mean error)", "l2": "l2 (squared error)", "none": "none", "flip": "flip (mirror images)",
    "pairs": "pairs (from a list)", "auto": "automatic",
}  # fmt: skip


class _Choices(QComboBox):
    """A list of choices that the wheel scrolls past, unless it was entered: scrolling a form must not change it."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SettingField(QWidget):
    """A row of the form: shows a FieldView, reports what is typed, owns no truth.

    Signals:
        edited(object, object): the place of the setting, and the value asked for; it may be wrong.
        reset_wanted(object): the place whose value is to be the preset's again.
    """

    edited = Signal(object, object)
    reset_wanted = Signal(object)

    def __init__(self, place: Place, setting: Setting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.place, self.setting = place, setting
        self.editor = self._make_editor()
        self.reset_button = icon_button("reset", "Back to the preset's value", 24)
        self.reset_button.clicked.connect(lambda: self.reset_wanted.emit(self.place))
        policy = self.reset_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # nothing moves when a value is changed
        self.reset_button.setSizePolicy(policy)
        self.reset_button.hide()
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.hide()
        self._lay_out()
        self._connect()

    # ---- assembly ----

    def _make_editor(self) -> QCheckBox | QComboBox | QLineEdit:
        editor: QCheckBox | QComboBox | QLineEdit
        if self.setting.kind is bool:
            editor = QCheckBox()
        elif self.setting.choices:
            editor = _Choices()
            editor.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            for choice in self.setting.choices:
                editor.addItem(_CHOICES.get(choice, choice), choice)
        else:
            editor = QLineEdit()
            editor.setMaxLength(_MOST_LETTERS)
        if not isinstance(editor, QCheckBox):
            short = _CHOICE_LETTERS if isinstance(editor, QComboBox) else _NUMBER_LETTERS
            letters = _LIST_LETTERS if self.setting.is_list else short
            editor.setFixedWidth(letters * self.fontMetrics().averageCharWidth() + 2 * GRID)
        editor.setMinimumHeight(7 * GRID)
        editor.setAccessibleName(self.setting.label)
        editor.setToolTip(tip_of(self.place))
        return editor

    def _lay_out(self) -> None:
        label = QLabel(self.setting.label)
        label.setFixedWidth(_label_width(self.fontMetrics()))
        label.setBuddy(self.editor)
        label.setToolTip(self.editor.toolTip())
        unit = hint_label(limits_words(self.setting))
        help_line = hint_label(f"{self.setting.help[:1].upper()}{self.setting.help[1:]}", wrap=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(MARGIN, GRID, GRID, GRID)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(unit, 0, 2)
        grid.addWidget(self.reset_button, 0, 3)
        grid.addWidget(self.problem, 1, 1, 1, 4)
        grid.addWidget(help_line, 2, 1, 1, 4)
        grid.setColumnStretch(4, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def _connect(self) -> None:
        if isinstance(self.editor, QCheckBox):
            self.editor.toggled.connect(lambda on: self.edited.emit(self.place, on))
        elif isinstance(self.editor, QComboBox):
            self.editor.currentIndexChanged.connect(lambda _: self.edited.emit(self.place, self.editor.currentData()))
        else:
            self.editor.textEdited.connect(lambda text: self.edited.emit(self.place, meant(self.setting, text)))

    # ---- what is shown ----

    @property
    def shown(self) -> FieldView | None:
        """What is on show; None before the first time."""
        return self._view

    _view: FieldView | None = None

    def show_view(self, view: FieldView) -> None:
        """Show a value and what is wrong with it; nothing is emitted. What is being typed stays as it was typed."""
        self._show_value(view.value)
        if view == self._view:
            return
        self._view = view
        usual = view.usual or "none"
        self.reset_button.setVisible(view.is_changed)
        self.reset_button.setToolTip(f"Back to the preset's value: {usual}")
        self.reset_button.setAccessibleName(f"Set {self.setting.label} back to {usual}")
        self.problem.setText(view.problem)
        self.problem.setVisible(bool(view.problem))
        changed = f"Changed; the preset's value is {usual}. " if view.is_changed else ""
        self.editor.setAccessibleDescription(f"{view.problem} {changed}{self.setting.help}".strip())
        self._tint()
        self.update()

    def _show_value(self, value: bool | str) -> None:
        editor = self.editor
        before = editor.blockSignals(True)  # a view must not come back as an edit
        if isinstance(editor, QCheckBox):
            editor.setChecked(bool(value))
            editor.setText("On" if value else "Off")
        elif isinstance(editor, QComboBox):
            editor.setCurrentIndex(editor.findData(value))
        elif editor.text() != value and not self._says_the_same(editor.text(), str(value)):
            editor.setText(str(value))
            editor.setCursorPosition(0)  # the first digits are those that matter
        editor.blockSignals(before)

    def _says_the_same(self, text: str, value: str) -> bool:
        """Whether what was typed means this value in other letters, such as "0." or "20 000"."""
        return self._view is not None and meant(self.setting, text) == meant(self.setting, value)

    def _tint(self) -> None:
        palette = self.problem.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(colors_of().poor))
        self.problem.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "problem"):
            self._tint()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A bar at the left marks what was changed, and what is wrong."""
        if self._view is None or not (self._view.is_changed or self._view.problem):
            return
        colors = colors_of(self)
        color = QColor(colors.poor if self._view.problem else colors.accent)
        QPainter(self).fillRect(0, GRID, _MARK_PX, self.height() - 2 * GRID, color)


def _label_width(metrics: QFontMetrics) -> int:
    """Room for the longest label of all, so that the fields stand in one column."""
    return max(metrics.horizontalAdvance(setting.label) for setting in PLACES.values()) + 2 * GRID
