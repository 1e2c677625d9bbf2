"""The page of the training dialog for the plan: phases as a chart and as a table, and what the run will take."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from automod_core.command_line import train_arguments
from automod_core.train_config import TrainConfig
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.training.cli_process import JsonLinesProcess
from automod_studio.views_plan import (
    MOST_PHASES,
    NOWHERE,
    Place,
    PlanDraft,
    check,
    count_words,
    draft_of,
    phase_words,
    tight_phases,
    with_copy,
    with_end,
    with_fade,
    with_new,
    with_pieces,
    with_typed,
    without,
)
from automod_studio.widgets.estimate_panel import EstimatePanel, MakeProcess
from automod_studio.widgets.hairline import Hairline
from automod_studio.widgets.labels import action_button, hint_label, icon_button, title_label
from automod_studio.widgets.phase_chart import PhaseChart
from automod_studio.widgets.phase_table import PhaseTable

_MOST_UNDO = 200


class TrainPlanPage(QWidget):
    """Shows the phases of a configuration and lets them be edited.

    What is typed and does not fit stays to be seen, with what is wrong with it, until it is mended or undone; the
    configuration keeps the phases from before meanwhile.

    Signals:
        config_edited(TrainConfig): other phases.
        problem_changed(str): what is wrong with the plan, one sentence; "" once it is mended.
    """

    config_edited = Signal(object)
    problem_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, make_process: MakeProcess = JsonLinesProcess) -> None:
        super().__init__(parent)
        self._config: TrainConfig | None = None
        self._preset, self._data, self._device, self._threads = "", "", "auto", 0
        self._draft = PlanDraft(())
        self._problems: Mapping[Place, str] = {}
        self._selected = 0
        self._undo: list[tuple[PlanDraft, int]] = []  # the draft, and the phase that was chosen
        self._redo: list[tuple[PlanDraft, int]] = []
        self._grip: PlanDraft | None = None  # as it was when the drag began
        self.chart, self.table = PhaseChart(), PhaseTable()
        self.estimate = EstimatePanel(make_process=make_process)
        self.summary = hint_label("")
        self._make_buttons()
        self._lay_out()
        self._connect()

    # ---- what the dialog calls ----

    @property
    def problem(self) -> str:
        """What is wrong with the plan, one sentence; "" if nothing is."""
        if not self._problems:
            return ""
        (phase, _), sentence = min(self._problems.items())
        return f"Phase {phase + 1}: {sentence}" if phase >= 0 else sentence

    def show_config(self, config: TrainConfig, preset: str) -> None:
        """Show a configuration, and the preset that it began with; nothing is emitted.

        Phases from elsewhere, such as those of another preset, replace what is here, wrong words and undo too.
        """
        before, self._config, self._preset = self._config, config, preset
        if before == config:
            return
        if before is None or before.phases != config.phases:
            self._draft, self._undo, self._redo, self._grip = draft_of(config.phases), [], [], None
            self._selected = min(self._selected, len(config.phases) - 1)
        self.estimate.outdate()
        self._show()

    def set_request(self, data: str, device: str, threads: int) -> None:
        """Tell what the estimate is to be made with, beside the settings: pictures, device and threads (0: any)."""
        if (data, device, threads) != (self._data, self._device, self._threads):
            self._data, self._device, self._threads = data, device, threads
            self.estimate.outdate()

    def stop(self) -> None:
        """End the estimate, if one is under way; returns at once."""
        self.estimate.stop()

    # ---- assembly ----

    def _make_buttons(self) -> None:
        self.undo_button = icon_button("undo", "Undo the last change of the plan (Ctrl+Z)")
        self.redo_button = icon_button("redo", "Redo what was undone (Ctrl+Shift+Z)")
        self.add_button = action_button("plus", "Add", "Add a phase after the chosen one, at twice its resolution")
        self.copy_button = action_button("copy", "Duplicate", "The chosen phase once more, without its fade (Ctrl+D)")
        self.remove_button = action_button("remove", "Remove", "Remove the chosen phase (Delete)")
        for button in (self.add_button, self.copy_button, self.remove_button):
            button.setAutoDefault(False)
            button.setProperty("role", "quiet")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(title_label("Phases"))
        head.addSpacing(GRID)
        head.addWidget(self.summary, 1)
        for button in (self.undo_button, self.redo_button, self.add_button, self.copy_button, self.remove_button):
            head.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addLayout(head)
        layout.addWidget(self.chart, 3)
        layout.addWidget(self.table, 2)
        layout.addWidget(Hairline())
        layout.addWidget(self.estimate)
        self.setFocusProxy(self.chart)

    def _connect(self) -> None:
        self.chart.selected.connect(self._choose)
        self.chart.end_moved.connect(self._move_end)
        self.chart.fade_moved.connect(self._move_fade)
        self.chart.cancelled.connect(self._let_go)
        self.table.selected.connect(self._choose)
        self.table.typed.connect(self._type)
        self.estimate.wanted.connect(self._estimate)
        self.estimate.pieces_wanted.connect(self.use_smaller_pieces)
        self.estimate.changed.connect(self._show_estimate)
        buttons: tuple[tuple[QPushButton, object], ...] = (
            (self.add_button, self.add_phase),
            (self.copy_button, self.copy_phase),
            (self.remove_button, self.remove_phase),
        )
        for button, act in buttons:
            button.clicked.connect(act)
        self.undo_button.clicked.connect(self.undo)
        self.redo_button.clicked.connect(self.redo)
        for remover in (self.chart, self.table):
            remover.remove_wanted.connect(self.remove_phase)
        keys = QKeySequence.StandardKey
        for key, act in ((keys.Undo, self.undo), (keys.Redo, self.redo), ("Ctrl+D", self.copy_phase)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    # ---- edits ----

    def add_phase(self) -> None:
        """Add a phase after the chosen one."""
        if self._config is not None:
            self._edit(with_new(self._draft, self._selected, self._config.model.resolution), self._selected + 1)

    def copy_phase(self) -> None:
        """Add the chosen phase once more, without a fade."""
        if self._draft.phases:
            self._edit(with_copy(self._draft, self._selected), self._selected + 1)

    def remove_phase(self) -> None:
        """Remove the chosen phase; the last one stays."""
        if self._draft.phases:
            self._edit(without(self._draft, self._selected), max(0, self._selected - 1))

    def use_smaller_pieces(self) -> None:
        """Halve the pieces of the phases that did not fit into memory, and estimate again."""
        tight = [index for index in tight_phases(self.estimate.plan) if index < len(self._draft.phases)]
        draft = with_pieces(self._draft, tight)
        if draft != self._draft:
            self._edit(draft, self._selected)
            self._estimate()

    def undo(self) -> None:
        """Take the last change of the plan back."""
        self._step(self._undo, self._redo)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._step(self._redo, self._undo)

    def _type(self, index: int, name: str, text: str) -> None:
        if index < len(self._draft.phases):
            self._edit(with_typed(self._draft, index, name, text), self._selected)
            self._show()  # also where nothing has changed: the words are replaced by the value as it is written here

    def _move_end(self, index: int, end: int, along: bool, finished: bool) -> None:
        start = self._grip or self._draft
        self._drag(with_end(start, index, end, moves_later=along), finished)

    def _move_fade(self, index: int, images: int, finished: bool) -> None:
        self._drag(with_fade(self._grip or self._draft, index, images), finished)

    def _drag(self, draft: PlanDraft, finished: bool) -> None:
        """One change of a gesture, which is one step to undo."""
        if self._grip is None:
            self._grip = self._draft
        if not finished:
            self._draft = draft
            self._show()
            return
        self._draft, self._grip = self._grip, None
        self._edit(draft, self._selected)
        self._show()

    def _let_go(self) -> None:
        """Break a gesture off: everything is as it was before."""
        if self._grip is not None:
            self._draft, self._grip = self._grip, None
            self._show()

    def _edit(self, draft: PlanDraft, selected: int) -> None:
        if draft == self._draft:
            return
        self._undo = [*self._undo[1 - _MOST_UNDO :], (self._draft, self._selected)]
        self._redo = []
        self._take(draft, selected)

    def _step(self, back: list[tuple[PlanDraft, int]], forth: list[tuple[PlanDraft, int]]) -> None:
        if not back or self._grip is not None:
            return
        forth.append((self._draft, self._selected))
        self._take(*back.pop())

    def _take(self, draft: PlanDraft, selected: int) -> None:
        """Put a draft in place, and tell of it if its phases are fine."""
        assert self._config is not None
        self._draft, self._selected = draft, min(selected, len(draft.phases) - 1)
        config = check(self._config, draft).config
        edited = config is not None and config != self._config
        if edited:
            assert config is not None
            self._config = config
            self.estimate.outdate()
        self._show()
        if edited:
            self.config_edited.emit(config)

    def _choose(self, index: int) -> None:
        if index != self._selected and index < len(self._draft.phases):
            self._selected = index
            self._show()

    # ---- the estimate ----

    def _estimate(self) -> None:
        if self._config is None or self._problems:
            return
        arguments = train_arguments(
            self._config,
            preset=self._preset,
            data=self._data,
            out=None,
            device=self._device,
            threads=self._threads,
            plan=True,
        )
        self.estimate.start([*arguments, "--json"])

    def _show_estimate(self) -> None:
        plan = self.estimate.plan
        words = [phase_words(plan, index) for index in range(len(self._draft.phases))]
        self.table.show_estimate(words, stale=self.estimate.stale)

    # ---- what is shown ----

    def _show(self) -> None:
        if self._config is None:
            return
        before = self.problem
        self._problems = check(self._config, self._draft).problems
        self.chart.show_plan(
            self._draft, self._config.cooldown_images, self._selected, frozenset(n for n, _ in self._problems)
        )
        self.table.show_plan(self._draft, self._selected, self._problems)
        self._show_estimate()
        self.estimate.set_ready(not self._problems)
        elsewhere = self._problems.get(NOWHERE, "")
        self.summary.setText(elsewhere or count_words(self._draft))
        self.summary.setStyleSheet(f"color: {colors_of(self).poor}" if elsewhere else "")
        self.undo_button.setEnabled(bool(self._undo))
        self.redo_button.setEnabled(bool(self._redo))
        self.remove_button.setEnabled(len(self._draft.phases) > 1)
        for button in (self.add_button, self.copy_button):
            button.setEnabled(len(self._draft.phases) < MOST_PHASES)
        if self.problem != before:
            self.problem_changed.emit(self.problem)
