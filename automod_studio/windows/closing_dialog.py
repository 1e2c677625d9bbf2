"""Asked when the window closes while a model is being trained: go on without it, or pause."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.labels import hint_label, title_label

_SHOWN = 4  # runs that are named; more are counted


class ClosingDialog(QDialog):
    """Says what is being trained and what becomes of it.

    Signals:
        chosen: str, "go-on" or "pause" as in settings.AT_CLOSING, and bool, whether to do the same from now on. Nothing
            comes if the person would rather not close.
    """

    chosen = Signal(str, bool)

    def __init__(self, runs: Sequence[str], queued: int, parent: QWidget | None = None) -> None:
        """Build the dialog.

        Args:
            runs: what is being trained, each as "faces, 43 %"; at least one.
            queued: how many wait for their turn.
            parent: the window that is to be closed.
        """
        super().__init__(parent)
        self.setWindowTitle("Close Automod Studio")
        self.remember = QCheckBox("&Do the same from now on")
        self.remember.setToolTip("Edit › Settings changes it")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label("A model is being trained" if len(runs) == 1 else "Models are being trained"))
        more = [f"and {len(runs) - _SHOWN} more"] if len(runs) > _SHOWN else []
        layout.addWidget(hint_label("\n".join([*runs[:_SHOWN], *more])))
        words = "Training can go on without the window, and is found again at the next start."
        if queued:
            words += f" The {f'{queued} runs' if queued > 1 else 'run'} in the queue will wait until then."
        layout.addWidget(hint_label(words, wrap=True))
        layout.addSpacing(GRID)
        layout.addWidget(self.remember)
        layout.addSpacing(GRID)
        layout.addWidget(self._make_buttons())
        self.setMinimumWidth(440)

    def _make_buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox()
        self.go_on_button = box.addButton("&Go on without the window", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go_on_button.setToolTip("Close the window; training goes on")
        self.pause_button = box.addButton("&Pause and save", QDialogButtonBox.ButtonRole.DestructiveRole)
        self.pause_button.setToolTip("Close the window; training saves what it has, and can be resumed")
        self.cancel_button = box.addButton("Do&n't close", QDialogButtonBox.ButtonRole.RejectRole)
        self.cancel_button.setToolTip("Back to the window (Esc)")
        self.go_on_button.setDefault(True)
        self.go_on_button.clicked.connect(lambda: self._choose("go-on"))
        self.pause_button.clicked.connect(lambda: self._choose("pause"))
        box.rejected.connect(self.reject)
        return box

    def _choose(self, what: str) -> None:
        remember = self.remember.isChecked()
        self.accept()
        self.chosen.emit(what, remember)
