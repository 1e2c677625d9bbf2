"""What the window of runs shows while there are none: what to do, and a button that does it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID
from automod_studio.widgets.labels import hint_label, title_label

_ICON_PX, _WORDS_PX = 48, 380
_WORDS = (
    "Teach a model with a folder of your own pictures: here you watch it learn, see what it makes of your photos, "
    "and take it into the editor whenever you like."
)


class RunsEmpty(QWidget):
    """A few words and a button.

    Signals:
        train_wanted(): the button.
    """

    train_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sign = QLabel()
        self.sign.setPixmap(_sign())
        words = hint_label(_WORDS, wrap=True)
        words.setFixedWidth(_WORDS_PX)
        words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.button = QPushButton("Train a model…")
        self.button.setToolTip("Choose pictures and begin (Ctrl+T)")
        self.button.setDefault(True)
        self.button.clicked.connect(self.train_wanted)
        column = QVBoxLayout(self)
        column.setSpacing(2 * GRID)
        column.addStretch(2)
        for part in (self.sign, title_label("Nothing has been trained yet"), words, self.button):
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(part)
            row.addStretch(1)
            column.addLayout(row)
        column.addStretch(3)


def _sign() -> QPixmap:
    return icon("train").pixmap(_ICON_PX, _ICON_PX)
