# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""What goes wrong with a run, in plain words, with what a person can do about it in one click."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.run_alarms import Alarm, Help
from automod_studio.theme import GRID, MARGIN, blend, colors_of
from automod_studio.widgets.labels import icon_button, title_label

_ICON_PX, _TINT = 16, 0.1


class AlarmBar(QWidget):
    """Shows the first alarm that was not closed; hidden without one. Esc or the cross closes it.

    Signals:
        help_wanted(object): the value of the Help that was clicked.
        closed(object): the key of the alarm that was closed.
    """

    help_wanted = Signal(object)
    closed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.alarm: Alarm | None = None
        self.buttons: list[QPushButton] = []
        self._alarms: tuple[Alarm, ...] = ()
        self._closed: set[object] = set()
        self._sign = QLabel()
        self._sign.setFixedSize(QSize(_ICON_PX, _ICON_PX))
        self.title = title_label("")
        self.sentence = QLabel()
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = icon_button("close", "Close this message (Esc)", 20)
        self.close_button.clicked.connect(self.close_alarm)
        self._lay_out()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(2 * GRID)
        top.addWidget(self._sign)
        top.addWidget(self.title, 1)
        top.addWidget(self.close_button)
        self._row = QHBoxLayout()
        self._row.setSpacing(2 * GRID)
        self._row.addStretch(1)
        below = QVBoxLayout()
        below.setContentsMargins(_ICON_PX + 2 * GRID, 0, 0, 0)
        below.setSpacing(2 * GRID)
        below.addWidget(self.sentence)
        below.addLayout(self._row)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addLayout(top)
        column.addLayout(below)

    def show_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Show the first of these that was not closed."""
        self._alarms = tuple(alarms)
        alarm = next((alarm for alarm in alarms if alarm.key not in self._closed), None)
        if alarm == self.alarm:
            return
        self.alarm = alarm
        self._take_buttons_away()
        if alarm is None:
            self.hide()
            return
        self.title.setText(alarm.title)
        self.sentence.setText(alarm.sentence)
        self.sentence.setVisible(bool(alarm.sentence))
        self.setAccessibleName(f"{alarm.title}. {alarm.sentence}")
        for help_ in alarm.helps:
            self._add_button(help_)
        self._paint_sign()
        self.show()
        self.updateGeometry()
        self.update()

    def close_alarm(self) -> None:
        """Take the alarm away for good, and show the next one if there is one."""
        if self.alarm is not None:
            key = self.alarm.key
            self._closed.add(key)
            self.show_alarms(self._alarms)
            self.closed.emit(key)

    def _add_button(self, help_: Help) -> None:
        button = QPushButton(help_.label)
        button.setToolTip(help_.tip)
        button.setEnabled(help_.enabled)
        button.clicked.connect(self._wants(help_.value))
        self._row.insertWidget(self._row.count() - 1, button)
        self.buttons.append(button)

    def _wants(self, value: object) -> Callable[[], None]:
        return lambda: self.help_wanted.emit(value)

    def _take_buttons_away(self) -> None:
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []

    def _ink(self) -> str:
        colors = colors_of(self)
        level = self.alarm.level if self.alarm is not None else "info"
        return {"warning": colors.fair, "error": colors.poor}.get(level, colors.accent)

    def _paint_sign(self) -> None:
        if self.alarm is not None:
            pixmap = icon_pixmap(self.alarm.level, QColor(self._ink()), _ICON_PX, self.devicePixelRatioF())
            self._sign.setPixmap(pixmap)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_alarm()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_row"):
            self._paint_sign()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.fillRect(self.rect(), blend(colors.window, self._ink(), _TINT))
        painter.fillRect(0, 0, 3, self.height(), QColor(self._ink()))
