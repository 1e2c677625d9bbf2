"""The corner at the top right: what is being trained, which model, which device, how long the last picture took."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.labels import hint_label


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
        self.speed.setMinimumWidth(self.speed.fontMetrics().horizontalAdvance("Loading the model…"))
        self.speed.setAccessibleName("Device and time of the last picture")
        self._device = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, MARGIN, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.training_button)
        row.addWidget(self.model_button)
        row.addWidget(self.speed)
        self.show_model("", 0)

    def show_model(self, name: str, resolution: int) -> bool:
        """Name the model in use, "" while there is none, and tell whether that is news."""
        text = f"{name} · {resolution} px" if name else "No model"
        if text == self.model_button.text():
            return False
        self.model_button.setText(text)
        self.model_button.setToolTip(f"Model: {text}. Click to choose another")
        self.model_button.setAccessibleName(f"Model: {text}")
        return True

    def show_training(self, text: str, tip: str) -> bool:
        """Say what is being trained, "" while nothing is, and tell whether that is news."""
        if text == self.training_button.text() and self.training_button.isHidden() == (not text):
            return False
        self.training_button.setText(text)
        self.training_button.setToolTip(tip)
        self.training_button.setAccessibleName(f"{text}. Click for the training runs")
        self.training_button.setVisible(bool(text))
        return True

    def show_device(self, device: str) -> None:
        """Name the device before anything was rendered on it."""
        if device != self._device:
            self._device = device
            self.speed.setText(device)

    def show_render(self, device: str, elapsed_ms: float) -> None:
        """Show what rendered the last picture, and in how many milliseconds."""
        self._device = device
        self.speed.setText(f"{device} · {elapsed_ms:.0f} ms" if elapsed_ms >= 0.95 else f"{device} · < 1 ms")
        self.speed.setToolTip("Where the last picture was computed, and how long that took")

    def show_busy(self, text: str) -> None:
        """Show what one waits for; "" brings the device back."""
        self.speed.setText(text or self._device)
