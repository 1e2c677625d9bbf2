"""The corner at the top right: what is being trained, which model, which device, how long the last picture took."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QMenuBar, QToolButton, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_speed import SpeedFigures
from automod_studio.widgets.labels import hint_label
from automod_studio.workers.requests import Rendered

_WAITING = "Loading the model…"  # the longest of what one waits for
_TELL_MS = 100  # after a picture: no figure can be read that stays for less


class StatusCorner(QWidget):
    """Buttons for what is being trained and for the models, and a quiet line beside them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.training_button = QToolButton()
        self.training_button.setIcon(icon("train"))
        self.training_button.setIconSize(QSize(16, 16))
        self.training_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.training_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.training_button.hide()
        self.model_button = QToolButton()
        self.model_button.setIcon(icon("model"))
        self.model_button.setIconSize(QSize(16, 16))
        self.model_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.model_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.model_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.speed = hint_label("")
        self.speed.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.speed.setAccessibleName("Device and time of the last picture")
        self._figures, self._device = SpeedFigures(), ""
        self._tells_soon = QTimer(self, singleShot=True, interval=_TELL_MS)
        self._tells_soon.timeout.connect(self._tell_speed)
        self._make_room()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, MARGIN, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.training_button)
        row.addWidget(self.model_button)
        row.addWidget(self.speed)
        self.show_model("", 0)

    def show_model(self, name: str, resolution: int) -> None:
        """Name the model in use, "" while there is none."""
        text = f"{name} · {resolution} px" if name else "No model"
        if text == self.model_button.text():
            return
        self.model_button.setText(text)
        self.model_button.setToolTip(f"Model: {text}. Click to choose another")
        self.model_button.setAccessibleName(f"Model: {text}")
        self._ask_for_room()

    def show_training(self, text: str, tip: str) -> None:
        """Say what is being trained, "" while nothing is."""
        if text == self.training_button.text() and self.training_button.isHidden() == (not text):
            return
        self.training_button.setText(text)
        self.training_button.setToolTip(tip)
        self.training_button.setAccessibleName(f"{text}. Click for the training runs")
        self.training_button.setVisible(bool(text))
        self._ask_for_room()

    def show_device(self, device: str) -> None:
        """Name the device before anything was rendered on it."""
        if device != self._device:
            self._device = device
            self.speed.setText(device)
            self._make_room()

    def show_render(self, reply: Rendered) -> None:
        """Show what rendered the last picture, and in how many milliseconds: soon, not before it is painted."""
        self._figures.take(reply)
        if reply.device != self._device:
            self._device = reply.device
            self._tell_speed()
            self._make_room()
        elif not self._tells_soon.isActive():
            self._tells_soon.start()

    def show_busy(self, text: str) -> None:
        """Show what one waits for; "" brings the device back."""
        if text:
            self._tells_soon.stop()
        self.speed.setText(text or self._device)  # of a picture that has just come, the figure follows soon

    def _tell_speed(self) -> None:
        self.speed.setText(self._figures.text)
        self.speed.setToolTip(self._figures.tip)

    def changeEvent(self, event: QEvent) -> None:  # noqa: D102 - Qt's
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._make_room()

    def _make_room(self) -> None:
        """Give the line a size of its own, so that a figure does not lay the whole window out anew."""
        self.speed.ensurePolished()  # its letters are smaller than others
        letters = self.speed.fontMetrics()
        texts = (_WAITING, f"{self._device} · 0000 ms")
        size = QSize(max(map(letters.horizontalAdvance, texts)) + GRID, letters.height())
        if size != self.speed.minimumSize():
            self.speed.setFixedSize(size)
            self._ask_for_room()

    def _ask_for_room(self) -> None:
        bar = self.parentWidget()
        if isinstance(bar, QMenuBar):  # it gives its corner new room only when that is set
            bar.setCornerWidget(self)
