"""Training: the dialog that starts a run, the window that shows all of them, and what becomes of them at closing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from automod_studio.features.feature import Part
from automod_studio.studio import Studio
from automod_studio.views_training import corner_words, end_words, percent_done, run_words
from automod_studio.widgets.offer_bar import Choice, Offer
from automod_studio.windows.closing_dialog import ClosingDialog

if TYPE_CHECKING:
    from automod_core.run_state import RunGlance
    from automod_studio.training.services import TrainingServices
    from automod_studio.training.start_plan import StartPlan
    from automod_studio.windows.runs_window import RunsWindow
    from automod_studio.windows.train_dialog import TrainDialog

_FIRST_LOOK_MS = 1000  # after the first model is there: the first picture comes first
_LATEST_LOOK_MS = 20_000  # after the window is on the screen, if there is no model
_LOOK_MS, _LOOK_IDLE_MS = 3000, 15_000  # from one look at all runs to the next; while nothing is trained
_LOAD_EVERY_MS = 40
#: Loaded one by one, so that the window answers in between: together they take a third of a second.
_LOADED_FIRST = (
    "automod_core.config_file",
    "automod_core.run_process",
    "automod_core.checkpoint_folders",
    "automod_core.run_state",
    "automod_core.data.pyramid",
    "automod_core.data.scan",
    "filelock",
    "automod_studio.training.launch",
    "automod_studio.training.run_library",
    "automod_studio.training.run_queue",
    "automod_studio.training.run_actions",
)
_LOADED_LATER = (  # after the first look at the runs
    "automod_studio.views_train",
    "automod_studio.windows.train_data_page",
    "automod_studio.windows.train_dialog",
    "automod_studio.views_film",
    "automod_studio.windows.pinned_panel",
    "automod_studio.windows.film_page",
    "automod_core.remedies",
    "automod_studio.views_run",
    "automod_studio.windows.run_dialogs",
    "automod_studio.windows.runs_window",
)
_OFFERED = "training/offered"  # key of the settings: the run that was offered last, and when it was cut off


class TrainingPart(Part):
    """Train a model, watch it, use it.

    Signals:
        offered: Offer, such as to go on with a run that was cut off.
        told: str, what is being trained in a few words, "" for nothing, and str, the same for a tooltip.
    """

    offered = Signal(object)
    told = Signal(str, str)

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(studio, window)
        self._services: TrainingServices | None = None
        self._runs_window: RunsWindow | None = None
        self._dialog: TrainDialog | None = None
        self._left = ""  # pictures of a dialog that was closed without a start
        self._runs: tuple[RunGlance, ...] = ()
        self._looked = False  # at the runs, once
        self._were_running: set[Path] = set()
        self._closing = False  # the person was asked
        self._first_look = QTimer(self)
        self._first_look.setSingleShot(True)
        self._first_look.timeout.connect(partial(self._load, _LOADED_FIRST, self._look_first))
        studio.ready.connect(self._look_soon)
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._look)

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """The rows of the menus."""
        return {"train": self.show_dialog, "runs": self.show_runs}

    def start(self) -> None:
        """Look for runs, once there is time for it: to load what that needs would hold up the first model."""
        self._first_look.start(_LATEST_LOOK_MS)

    def _look_soon(self) -> None:
        if self._first_look.isActive():
            self._first_look.start(_FIRST_LOOK_MS)

    def _load(self, modules: Sequence[str], then: Callable[[], object]) -> None:
        if modules:
            importlib.import_module(modules[0])
            QTimer.singleShot(_LOAD_EVERY_MS, self, partial(self._load, modules[1:], then))
        else:
            then()

    def _look_first(self) -> None:
        self._look()
        self._load(_LOADED_LATER, _read_preset)

    @property
    def services(self) -> TrainingServices:
        """What starts, follows and changes runs; made when it is needed first."""
        if self._services is None:
            from automod_studio.training.services import TrainingServices

            self._services = made = TrainingServices(self)
            made.library.changed.connect(self._runs_changed)
            made.queue.started.connect(self._started_from_queue)
            made.queue.failed.connect(self._queue_failed)
            made.queue.watch()
            made.actions.model_ready.connect(self._use)
            made.starter.started.connect(self._started)
            made.starter.failed.connect(self._not_started)
            made.starter.cancelled.connect(self._called_off)
            self._clock.start(_LOOK_IDLE_MS)
        return self._services

    # ---- windows ----

    def show_dialog(self, data: str = "") -> None:
        """Show the dialog in which a model is trained; one at a time."""
        from automod_studio.windows.train_dialog import TrainDialog

        if self._dialog is None:
            waiting = [entry.folder for entry in self.services.queue.entries]
            data = data or self._left  # closed by accident, with Esc perhaps: the pictures are there again
            dialog = self._dialog = TrainDialog(self.studio.settings, self.window, data=data, waiting=waiting)
            dialog.start_wanted.connect(self._start_run)
            dialog.queue_wanted.connect(self._queue_run)
            dialog.cancel_wanted.connect(self.services.starter.cancel)
            dialog.finished.connect(self._dialog_closed)
            dialog.show_running(self._running_name)
            dialog.show()
        elif data:
            self._dialog.open_data(data)
        self._dialog.raise_()
        self._dialog.activateWindow()

    def _dialog_closed(self, result: int) -> None:
        if self._dialog is not None:
            self._left = "" if result else self._dialog.data_page.data
            self._dialog.deleteLater()
            self._dialog = None

    def show_runs(self, folder: Path | None = None) -> None:
        """Show the window of all runs, with one of them chosen."""
        if self._runs_window is None:
            from automod_studio.windows.runs_window import RunsWindow

            services = self.services
            made = RunsWindow(services.library, services.queue, services.actions, self.studio.settings, self.window)
            made.model_wanted.connect(self._use)
            made.train_wanted.connect(self.show_dialog)
            self._runs_window = made
        if folder is not None:
            self._runs_window.show_run(folder)
        self._runs_window.show()
        self._runs_window.raise_()
        self._runs_window.activateWindow()

    # ---- runs begin ----

    def _start_run(self, plan: StartPlan) -> None:
        self.services.starter.start(plan)

    def _queue_run(self, plan: StartPlan) -> None:
        self.services.queue.add(plan)
        if self._dialog is not None:
            self._dialog.show_started()
        self._say(f"“{plan.name}” is in the queue.")
        self.show_runs(plan.folder)

    def _started(self, folder: Path) -> None:
        if self._dialog is not None:
            self._dialog.show_started()
        self._say(f"“{folder.name}” is being trained.")
        self.show_runs(folder)
        self._look()

    def _started_from_queue(self, folder: Path) -> None:
        self._say(f"“{folder.name}” is being trained: its turn has come.")
        self._look()

    def _queue_failed(self, _entry: object, sentence: str, details: str) -> None:
        if self._runs_window is None or not self._runs_window.isVisible():  # which says so itself
            self.studio.message.emit(sentence, details, "error")

    def _not_started(self, _folder: Path, sentence: str, details: str) -> None:
        if self._dialog is not None:
            self._dialog.show_trouble(sentence, details)
        else:
            self.studio.message.emit(sentence, details, "error")

    def _called_off(self, _folder: Path) -> None:
        if self._dialog is not None:
            self._dialog.show_cancelled()

    def _use(self, path: Path) -> None:
        self.studio.load_model(path)
        self.window.raise_()
        self.window.activateWindow()

    # ---- what goes on ----

    def _look(self) -> None:
        self.services.library.refresh()

    def _runs_changed(self, runs: Sequence[RunGlance]) -> None:
        self._runs = tuple(runs)
        running = self._running()
        self.told.emit(*corner_words(running))
        if self._dialog is not None:
            self._dialog.show_running(self._running_name)
        self._clock.start(_LOOK_MS if running else _LOOK_IDLE_MS)
        if self._looked:
            self._tell_ended()
        else:
            self._looked = True
            self._offer_cut_off()
        self._were_running = {run.folder for run in running}

    def _tell_ended(self) -> None:
        """Say of runs that were trained a moment ago how they ended, unless the person has asked for it."""
        from automod_core.run_state import FINISHED

        for run in self._runs:
            if run.folder in self._were_running and (sentence := end_words(run)):
                show = Choice("Show", "Open the window of all runs", partial(self.show_runs, run.folder))
                use = Choice("Use its model", "Open it in the editor", partial(self._use_model_of, run.folder))
                choices = (use, show) if run.condition == FINISHED else (show,)
                self.offered.emit(Offer(sentence, choices, icon="train"))

    def _use_model_of(self, folder: Path) -> None:
        self.services.actions.use_now(folder)

    def _running(self) -> list[RunGlance]:
        return [run for run in self._runs if run.is_running]

    @property
    def _running_name(self) -> str:
        return next((run.name for run in self._running()), "")

    def _offer_cut_off(self) -> None:
        """Offer to go on with the run that was cut off last, unless that was offered before."""
        from automod_core.run_state import CUT_OFF

        cut = max((run for run in self._runs if run.condition == CUT_OFF), key=lambda run: run.changed, default=None)
        if cut is None:
            return
        mark = f"{cut.folder}|{cut.state.updated:.0f}"
        if self.studio.settings.value(_OFFERED) == mark:
            return
        self.studio.settings.set_value(_OFFERED, mark)
        sentence = f"The training of “{cut.name}” was cut off at {percent_done(cut)}. It can go on from there."
        go_on = Choice("Go on", "Resume it from its last checkpoint", partial(self._resume, cut.folder))
        show = Choice("Show", "Open the window of all runs", partial(self.show_runs, cut.folder))
        self.offered.emit(Offer(sentence, (go_on, show), icon="train"))

    def _resume(self, folder: Path) -> None:
        self.services.actions.resume(folder)
        self.show_runs(folder)

    def _say(self, sentence: str) -> None:
        self.studio.message.emit(sentence, "", "info")

    # ---- the end ----

    def may_close(self) -> bool:
        """Ask what becomes of the runs, unless the settings say it."""
        running = self._running()
        if self._closing or not running:
            return True
        wanted = self.studio.settings.at_closing
        if wanted == "ask":
            self._ask(running)
            return False
        self._leave(wanted)
        return True

    def _ask(self, running: Sequence[RunGlance]) -> None:
        queued = len(self.services.queue.entries)
        dialog = ClosingDialog([run_words(run) for run in running], queued, self.window)
        dialog.chosen.connect(self._closing_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _closing_chosen(self, wanted: str, remember: bool) -> None:
        if remember:
            self.studio.settings.at_closing = wanted
        self._leave(wanted)
        self._closing = True
        self.window.close()

    def _leave(self, wanted: str) -> None:
        """Let the runs go on, or ask each to save and stop: they do so without the window."""
        if wanted == "pause":
            for run in self._running():
                self.services.actions.pause_and_forget(run.folder)

    def close(self) -> None:
        """Close the other windows; the runs are not touched."""
        self._first_look.stop()
        self._clock.stop()
        if self._dialog is not None:
            self._dialog.close()
        if self._runs_window is not None:
            self._runs_window.close()
        if self._services is not None:
            self._services.close()


def _read_preset() -> None:
    """Read what the dialog begins with, so that it opens at once."""
    from automod_studio.views_train import default_preset, preset_draft

    preset_draft(default_preset(is_demo=False))
