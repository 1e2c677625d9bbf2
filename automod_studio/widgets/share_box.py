# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The box in which a share can be typed."""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QWidget

_DECIMALS = 2


class ShareBox(QDoubleSpinBox):
    """A number from 0 to 1 with two decimals.

    Signals:
        edited(float): a share that was typed or stepped to.
    """

    edited = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(0.0, 1.0)
        self.setDecimals(_DECIMALS)
        self.setSingleStep(0.01)
        self.setLocale(QLocale.c())  # a point in every country, as in the recipe and on the command line
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(48, 22)
        self.setToolTip("Type a share from 0 to 1")
        self.valueChanged.connect(self.edited)

    def set_share(self, share: float) -> None:
        """Show a share without telling anyone."""
        if round(share, _DECIMALS) == self.value():
            return  # to write the text anew takes its time
        blocked = self.blockSignals(True)
        self.setValue(share)
        self.blockSignals(blocked)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # the panel scrolls
