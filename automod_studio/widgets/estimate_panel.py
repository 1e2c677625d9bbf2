# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""What a run will take, from a dry run in a child process: asked for by a button, greyed once the settings change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from automod_core import paths
from automod_core.plan_result import Plan
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.training.cli_process import JsonLinesProcess
from automod_studio.views_plan import disk_words, estimate_words, fit_words, tight_phases
from automod_studio.widgets.labels import hint_label

MakeProcess = Callable[[Sequence[str], QObject], Any]  # of what JsonLinesProcess is

_ASK = "How long will it take, and does it fit?"
_ASK_NOTE = "A dry run takes a few steps of each phase on this computer: a minute or so. Nothing is written."
_STALE = "The settings have changed since this estimate."


class EstimatePanel(QWidget):
    """Shows the estimate of a run, or how far the dry run is.

    Signals:
        wanted(): the button was pressed; whoever knows the settings answers by `start`.
        pieces_wanted(): the phases that do not fit into memory are to be worked on in smaller pieces.
        changed(): there is another estimate, or it has become stale: see `plan` and `stale`.
    """

    wanted = Signal()
    pieces_wanted = Signal()
    changed = Signal()

    def __init__(self, parent: QWidget | None = None, *, make_process: MakeProcess = JsonLinesProcess) -> None:
        super().__init__(parent)
        self.plan: Plan | None = None
        self.stale = False
        self._make_process = make_process
        self._process: Any = None
        self._found: Plan | None = None  # by the process that runs
        self._trouble, self._progress, self._ready = "", "", True
        self.title, self.note = QLabel(), hint_label("", wrap=True)
        self.title.setProperty("role", "title")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setWordWrap(True)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the estimate")
        self.button = QPushButton()
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._press)
        self.pieces_button = QPushButton("S&maller pieces")
        self.pieces_button.setToolTip("Halve the pieces of the phases that do not fit, and estimate again (Alt+M)")
        self.pieces_button.setAutoDefault(False)
        self.pieces_button.clicked.connect(self.pieces_wanted)
        self._lay_out()
        self._show()

    @property
    def running(self) -> bool:
        """Whether the dry run is under way."""
        return self._process is not None

    def start(self, arguments: Sequence[str]) -> None:
        """Begin a dry run; one that is under way ends.

        Args:
            arguments: the words after "automod", of `train --plan --json`.
        """
        self.stop()
        self._found, self._trouble, self.stale = None, "", False
        process = self._make_process(arguments, self)
        process.line.connect(self._read)
        process.finished.connect(self._finish)
        self._process = process
        self.bar.setRange(0, 0)
        self._progress = "Starting…"
        self._show()
        process.start()

    def stop(self) -> None:
        """End the dry run, if there is one; what was known before stays. Returns at once."""
        process, self._process = self._process, None
        if process is None:
            return
        process.line.disconnect(self._read)
        process.finished.disconnect(self._finish)
        process.stop()
        process.deleteLater()
        self.stale = self.plan is not None
        self._show()

    def outdate(self) -> None:
        """The settings have changed: a dry run that is under way is of no use, and the estimate is stale."""
        self.stop()
        self._trouble = ""
        if self.plan is not None and not self.stale:
            self.stale = True
            self.changed.emit()
        self._show()

    def set_ready(self, ready: bool) -> None:
        """Tell whether the settings can be tried; the button is off while something is wrong with them."""
        self._ready = ready
        self._show()

    # ---- the process ----

    def _press(self) -> None:
        if self.running:
            self.stop()
        else:
            self.wanted.emit()

    def _read(self, line: dict[str, Any]) -> None:
        if "plan" in line:
            try:
                self._found = Plan.from_dict(line["plan"])
            except ValueError as error:
                self._trouble = f"The estimate cannot be read: {error}."
        progress = line.get("progress")
        if isinstance(progress, dict) and isinstance(done := progress.get("done"), int):
            total = int(progress.get("total", 0))
            self.bar.setRange(0, total)
            self.bar.setValue(done)
            self._progress = f"Trying phase {min(done + 1, total)} of {total}…"
            self._show()

    def _finish(self, ok: bool, sentence: str) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        if ok and self._found is not None:
            self.plan, self.stale = self._found, False
            self.changed.emit()
        elif not self._trouble:
            self._trouble = sentence or "The dry run ended without an estimate."
            self.stale = self.plan is not None
        self._show()

    # ---- what is shown ----

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.note)
        words.addWidget(self.bar)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(MARGIN)
        layout.addLayout(words, 1)
        buttons = QVBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addStretch(1)
        buttons.addWidget(self.pieces_button)
        buttons.addWidget(self.button)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        self.setMinimumHeight(self.title.fontMetrics().height() * 2 + 2 * GRID)

    def _show(self) -> None:
        self.bar.setVisible(self.running)
        self.note.setVisible(not self.running)
        self.pieces_button.setVisible(not (self.running or self.stale) and bool(tight_phases(self.plan)))
        colors, tip = colors_of(self), ""
        title, note, color, note_color = _ASK, _ASK_NOTE, colors.text, colors.muted
        if self.running:
            title = self._progress
        elif self._trouble:
            title, note, color = self._trouble, _ASK_NOTE, colors.poor
        elif self.plan is not None:
            line, basis = estimate_words(self.plan)
            fits, sentence = fit_words(self.plan, _free_disk())
            title, note, tip = line, f"{sentence} {basis}" if fits else sentence, disk_words(self.plan)
            note_color = colors.muted if fits else colors.poor
            if self.stale:
                note, color, note_color = _STALE, colors.faint, colors.muted
        self.title.setText(title)
        self.title.setAccessibleName(f"{title} {note}")
        self.title.setToolTip(tip)
        self.note.setText(note)
        self.note.setToolTip(tip)
        _tint(self.title, color)
        _tint(self.note, note_color)
        self._show_button()

    def _show_button(self) -> None:
        text, tip = "&Estimate", "Take a few steps of each phase, and tell time, memory and disk (Alt+E)"
        if self.running:
            text, tip = "St&op", "End the dry run (Alt+O)"
        elif self.plan is not None:
            text, tip = "&Estimate again", "Take a few steps of each phase with the present settings (Alt+E)"
        self.button.setText(text)
        self.button.setToolTip(tip if self._ready or self.running else "Mend what is wrong with the settings first")
        self.button.setAccessibleName(text.replace("&", ""))
        self.button.setEnabled(self._ready or self.running)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "button"):
            self._show()


def _tint(label: QLabel, color: str) -> None:
    """Give a text a colour: a rule of its own, since the style sheet of the theme has one for hints."""
    rule = f"color: {color}"
    if label.styleSheet() != rule:
        label.setStyleSheet(rule)


def _free_disk() -> int | None:
    """Bytes that are free where runs are kept; None if nobody can tell."""
    folder = Path(paths.runs_dir())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
