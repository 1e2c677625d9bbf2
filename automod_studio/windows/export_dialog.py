"""What dialogs have in common that make one file and show how far it is: buttons, progress, how it ended."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QWidget

from automod_studio.widgets.labels import link_button
from automod_studio.windows.job_panel import ProgressPanel


class ExportDialog(QDialog):
    """A subclass asks for what is to be made, and emits its own `save_wanted`; `_refresh` shows its fields.

    Signals:
        stop_wanted: what is under way is to end; also when the dialog is closed.
    """

    stop_wanted = Signal()
    stopped_words = "Stopped."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running = False
        self._saved: Path | None = None
        self.setMinimumWidth(440)
        self.panel = ProgressPanel()

    @property
    def running(self) -> bool:
        """Whether a file is being made."""
        return self._running

    def show_trouble(self, sentence: str, details: str) -> None:
        """Show what broke it off; nothing was saved."""
        self._finish(sentence, details, is_error=True)

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: stop the work first."""
        self._stop()
        super().done(result)

    def _make_buttons(self, open_words: tuple[str, str], save_tip: str, stop_tip: str) -> QDialogButtonBox:
        """Open, save, stop and close; the first has a text and a tooltip of its own."""
        box = QDialogButtonBox()
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.open_button = link_button(open_words[0])
        self.open_button.setToolTip(open_words[1])
        self.open_button.hide()
        self.open_button.clicked.connect(self._open)
        box.addButton(self.open_button, QDialogButtonBox.ButtonRole.HelpRole)
        self.save_button = box.addButton("Sa&ve…", role)
        self.save_button.setToolTip(save_tip)
        self.save_button.clicked.connect(self._save)
        self.stop_button = box.addButton("S&top", role)
        self.stop_button.setToolTip(stop_tip)
        self.stop_button.clicked.connect(self._stop)
        close = box.addButton(QDialogButtonBox.StandardButton.Close)
        close.setToolTip("Close (Esc); what is under way stops")
        for button in (self.open_button, self.stop_button, close):
            button.setAutoDefault(False)
        box.rejected.connect(self.reject)
        return box

    def _show_buttons(self, *, can_save: bool) -> None:
        self.save_button.setVisible(not self._running)
        self.save_button.setEnabled(can_save)
        self.stop_button.setVisible(self._running)
        (self.stop_button if self._running else self.save_button).setDefault(True)
        self.open_button.setVisible(self._saved is not None)

    def _begin(self) -> None:
        self._running, self._saved = True, None
        self.panel.begin()
        self._refresh()

    def _stop(self) -> None:
        if self._running:
            self._finish(self.stopped_words)
            self.stop_wanted.emit()

    def _finish(self, words: str, details: str = "", *, is_error: bool = False) -> None:
        self._running = False
        self.panel.end(words, details, is_error=is_error)
        self._refresh()

    def _open(self) -> None:
        if self._saved is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._saved)))

    def _save(self) -> None:
        raise NotImplementedError

    def _refresh(self) -> None:
        raise NotImplementedError
