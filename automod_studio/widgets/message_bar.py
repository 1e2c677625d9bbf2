# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One sentence at the bottom of the picture, with the rest behind a button."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, MARGIN, Colors, colors_of
from automod_studio.widgets.labels import ElidedLabel, icon_button, link_button

LEVELS = ("info", "warning", "error")

_INFO_STAYS_MS = 8000  # what went well need not be waved away
_DETAILS_PX = 132
_ICON_PX = 16


class MessageBar(QWidget):
    """Hidden while there is nothing to say. Esc or the cross closes it; Details opens below, nothing is modal.

    It lies over the bottom of its parent and takes no room from it in the layout: the parent is told how much it hides.

    Signals:
        closed(): the message went away.
        covers(int): so many pixels at the bottom of the parent are hidden from now on, 0 once the message went away.
    """

    closed = Signal()
    covers = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level = "info"
        self._sign = QLabel()
        self.sentence = ElidedLabel()
        self.details_button: QPushButton = link_button("Details")
        self.details_button.setCheckable(True)
        self.details_button.setToolTip("Show the rest")
        self.close_button = icon_button("close", "Close this message (Esc)", 20)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFixedHeight(_DETAILS_PX)
        self.details.setAccessibleName("Details")
        self.details.setTabChangesFocus(True)
        self.details.hide()
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.timeout.connect(self.clear)
        self._lay_out()
        self.details_button.toggled.connect(self._show_details)
        self.close_button.clicked.connect(self.clear)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if parent is not None:
            parent.installEventFilter(self)
        self.hide()

    def show_message(self, sentence: str, details: str = "", level: str = "info") -> None:
        """Say one sentence in place of the last one; "" hides the bar.

        Args:
            sentence: plain text, for the user.
            details: what the Details button shows; "" for no button.
            level: "info" (goes away by itself), "warning" or "error" (stay).

        Raises:
            ValueError: another level.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
        if not sentence:
            self.clear()
            return
        self._level = level
        self.sentence.setText(sentence)
        self.sentence.setToolTip(sentence)
        self.details.setPlainText(details)
        self.details_button.setChecked(False)
        self.details_button.setVisible(bool(details))
        self.setAccessibleName(f"{level.capitalize()}: {sentence}")
        self._paint_sign()
        self._clock.stop()
        if level == "info":
            self._clock.start(_INFO_STAYS_MS)
        self.show()
        self._settle()
        self.raise_()
        self.update()  # a bar that is there already may change its colour

    def clear(self) -> None:
        """Take the message away."""
        self._clock.stop()
        if not self.isHidden():
            self.hide()
            self.covers.emit(0)
            self.closed.emit()

    def _show_details(self, shown: bool) -> None:
        self._clock.stop()
        self.details.setVisible(shown)
        self.details_button.setText("Hide details" if shown else "Details")
        self._settle()

    def _settle(self) -> None:
        """Take the place at the bottom of the parent that what is shown needs."""
        ground, layout = self.parentWidget(), self.layout()
        if ground is None or layout is None:
            return
        layout.activate()
        height = layout.sizeHint().height()
        self.setGeometry(0, ground.height() - height, ground.width(), height)
        if not self.isHidden():
            self.covers.emit(height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.parentWidget():
            self._settle()
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # not for the picture below

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(self._sign)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.details_button)
        row.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, GRID, 2 * GRID, GRID)
        column.setSpacing(GRID)
        column.addLayout(row)
        column.addWidget(self.details)

    def _paint_sign(self) -> None:
        ink = QColor(_ink(self._level, colors_of(self)))
        self._sign.setPixmap(icon_pixmap(self._level, ink, _ICON_PX, self.devicePixelRatioF()))
        self._sign.setFixedSize(QSize(_ICON_PX, _ICON_PX))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_sign"):
            self._paint_sign()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        tint = QColor(_ink(self._level, colors))
        tint.setAlpha(28 if self._level != "info" else 14)
        painter.fillRect(self.rect(), QColor(colors.window))
        painter.fillRect(self.rect(), tint)
        painter.fillRect(0, 0, self.width(), 1, QColor(colors.hairline))


def _ink(level: str, colors: Colors) -> str:
    return {"warning": colors.fair, "error": colors.poor}.get(level, colors.accent)
