"""The dialog in which a model is trained: which pictures, which settings, which plan; then Start.

It holds the one truth, a TrainDraft: its pages show it and say what is asked for. Training itself is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QIcon,
    QKeyEvent,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import QDialog, QPushButton, QTabWidget, QVBoxLayout, QWidget

from automod_core.command_line import shell_line
from automod_core.train_config import TrainConfig
from automod_studio.icons import icon
from automod_studio.settings import Settings
from automod_studio.training.start_plan import StartPlan, chosen_threads
from automod_studio.views_pictures import DEMO, data_name
from automod_studio.views_train import (
    PHASES,
    PLACES,
    Place,
    TrainDraft,
    check,
    default_preset,
    kept_draft,
    kept_text,
    preset_draft,
    ready_words,
    trouble_words,
)
from automod_studio.widgets.drop_overlay import DropOverlay
from automod_studio.widgets.hairline import Hairline
from automod_studio.widgets.message_bar import MessageBar
from automod_studio.windows.focus_order import go_to_next
from automod_studio.windows.train_data_page import Scanner, TrainDataPage
from automod_studio.windows.train_footer import TrainFooter

if TYPE_CHECKING:
    from automod_studio.windows.train_plan_page import TrainPlanPage
    from automod_studio.windows.train_profiles import ProfilesButton
    from automod_studio.windows.train_settings_form import TrainSettingsForm

PICTURES, SETTINGS, PLAN = range(3)  # the pages
_TABS = ("&1 Pictures", "&2 Settings", "&3 Plan")
_KEPT = "training/kept"  # key of the settings: what was changed in a dialog that was closed without a start
_STARTING = "Starting… Loading takes a moment. It goes on if you close this window."
_CALLED_OFF = "Calling it off…"
_IDLE_MS = 200
_LATER = (
    "automod_core.profiles",
    "automod_studio.windows.train_settings_form",
    "automod_studio.windows.train_profiles",
    "automod_studio.widgets.phase_chart",
    "automod_studio.windows.train_plan_page",
)
_SIZE, _SMALLEST = QSize(1000, 700), QSize(820, 620)


class TrainDialog(QDialog):
    """Puts a StartPlan together. Its pages Settings and Plan are made when they are first shown.

    Signals:
        start_wanted(object): the StartPlan of a run that is to start now. show_started or show_trouble answers.
        queue_wanted(object): the StartPlan of a run that is to wait for its turn.
        cancel_wanted(object): Path of the run whose start is to be called off. show_cancelled or show_started answers.
    """

    start_wanted = Signal(object)
    queue_wanted = Signal(object)
    cancel_wanted = Signal(object)

    def __init__(
        self,
        settings: Settings,
        parent: QWidget | None = None,
        *,
        data: str = "",
        waiting: Collection[Path] = (),
        scanner: Scanner | None = None,
    ) -> None:
        """Build the dialog.

        Args:
            settings: what is remembered from the last time.
            parent: the window that it belongs to.
            data: pictures to begin with: "demo", or the path of a collection; "" for none.
            waiting: folders of the runs that wait for their turn: their names are taken.
            scanner: what starts `automod scan`; a JsonLinesProcess if None.
        """
        super().__init__(parent)
        self._settings = settings
        self.draft: TrainDraft = preset_draft(default_preset(is_demo=False))
        self.config: TrainConfig | None = self.draft.start  # None while something in the draft is wrong
        self._problems: Mapping[Place, str] = {}
        self._shown_config: TrainConfig = self.draft.start  # the last one without problems: the plan shows it
        self._aside = kept_draft(settings.value(_KEPT))  # changes that can be brought back
        self._aside_words = "{} left from last time."
        self._starting: Path | None = None  # folder of a run that is on its way
        self._preset_chosen, self._called_off, self._running = False, False, ""
        self.data_page = TrainDataPage(settings, scanner=scanner)
        self.footer = TrainFooter(settings)
        self.footer.waiting = waiting
        self.settings_form: TrainSettingsForm | None = None
        self.profiles: ProfilesButton | None = None
        self.plan_page: TrainPlanPage | None = None
        self.tabs = QTabWidget()
        self.message, self._overlay = MessageBar(self.tabs), DropOverlay(self)
        self._lay_out()
        self._connect()
        self._draft_changed()
        self.data_page.folder_button.setFocus()
        self._unread = list(_LATER)
        QTimer.singleShot(_IDLE_MS, self, self._read_next)
        if data:
            self.open_data(data)

    # ---- assembly ----

    def _lay_out(self) -> None:
        self.setWindowTitle("Train a model")
        self.resize(_SIZE)
        self.setAcceptDrops(True)
        self.setModal(False)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setIconSize(QSize(14, 14))  # no higher than the text: the page must not move when one comes
        for number, title in enumerate(_TABS):
            self.tabs.addTab(self.data_page if number == PICTURES else _Page(), title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tabs, 1)
        column.addWidget(Hairline())
        column.addWidget(self.footer)
        self.setMinimumSize(_SMALLEST.expandedTo(self.minimumSizeHint()))  # larger with a larger font
        self.footer.start_button.setDefault(True)  # for its looks: see keyPressEvent

    def _connect(self) -> None:
        self.tabs.currentChanged.connect(self._page_changed)
        self.data_page.data_changed.connect(self._data_changed)
        self.data_page.scan_changed.connect(self._refresh)
        self.footer.changed.connect(self._footer_changed)
        self.footer.start_wanted.connect(self._start)
        self.footer.queue_wanted.connect(self._queue)
        self.footer.copy_wanted.connect(self._copy)
        self.footer.cancel_wanted.connect(self._cancel)
        self.footer.show_wanted.connect(self._show_problem)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(keys), self).activated.connect(self.footer.start_button.click)

    def _page_changed(self, number: int) -> None:
        if number == SETTINGS and self.settings_form is None:
            self._make_settings_form()
        elif number == PLAN:
            if self.plan_page is None:
                self._make_plan_page()
            self._show_plan()

    def _read_next(self) -> None:
        """Bring in one more module of the pages that are made later, so that they come at once when they are asked for.

        Each takes some hundredths of a second, which nobody notices between two things that they do.
        """
        if self._unread:
            import_module(self._unread.pop(0))
            QTimer.singleShot(_IDLE_MS, self, self._read_next)

    def _make_settings_form(self) -> None:
        from automod_studio.windows.train_profiles import ProfilesButton
        from automod_studio.windows.train_settings_form import TrainSettingsForm

        form, profiles = TrainSettingsForm(), ProfilesButton()
        self.settings_form, self.profiles = form, profiles
        form.presets.add_beside(profiles)
        profiles.chosen.connect(lambda config, preset, _name: self.set_config(config, preset))
        profiles.told.connect(self._tell)
        form.edited.connect(self._edit)
        form.reset_wanted.connect(lambda places: self._put(self.draft.without(places)))
        form.preset_wanted.connect(self.choose_preset)
        form.undo_wanted.connect(self._undo_preset)
        form.plan_wanted.connect(self._show_phases)
        self._fill(SETTINGS, form)
        self._show_settings()

    def _make_plan_page(self) -> None:
        from automod_studio.windows.train_plan_page import TrainPlanPage

        page = self.plan_page = TrainPlanPage()
        page.config_edited.connect(self._plan_edited)
        page.problem_changed.connect(lambda _: self._refresh())
        self._fill(PLAN, page)

    def _fill(self, number: int, page: QWidget) -> None:
        """Put a page that has just been made into its tab."""
        tab = self.tabs.widget(number)
        if tab is not None and (layout := tab.layout()) is not None:
            layout.addWidget(page)
            page.show()  # now: who made it may want to give the focus to something in it

    # ---- what the person asks for ----

    def open_data(self, data: str) -> None:
        """Take a collection: "demo", or the path of a folder, a .zip, an .h5, an lmdb, or of a photo in a folder."""
        if data == DEMO:
            self.data_page.use_demo()
        else:
            self.data_page.take_paths([Path(data)])
        self.tabs.setCurrentIndex(PICTURES)

    def choose_preset(self, name: str) -> None:
        """Start from a preset; what had been changed can be brought back."""
        self._preset_chosen = True
        self._aside, self._aside_words = (self.draft if self.draft.changes else None), "{} replaced."
        self._put(preset_draft(name), keep_aside=True)

    def set_config(self, config: TrainConfig, preset: str) -> None:
        """Take a whole configuration, such as one that was saved, and the preset that it began with."""
        self._preset_chosen = True
        self._put(preset_draft(preset or self.draft.preset).with_config(config))

    def _undo_preset(self) -> None:
        if self._aside is not None:
            self._put(self._aside)

    def _edit(self, place: Place, value: Any) -> None:
        self._put(self.draft.with_value(place, value))

    def _plan_edited(self, config: TrainConfig) -> None:
        self._put(self.draft.edited_to(self._shown_config, config))

    def _put(self, draft: TrainDraft, *, keep_aside: bool = False) -> None:
        if not keep_aside:
            self._aside = None
        self.draft = draft
        self._draft_changed()

    # ---- what follows from it ----

    def _draft_changed(self) -> None:
        self.config, self._problems = check(self.draft)
        if self.config is not None:
            self._shown_config = self.config
            self.data_page.set_resolution(max(phase.resolution for phase in self.config.phases))
        self._show_settings()
        self._show_plan()
        self._refresh()

    def _data_changed(self) -> None:
        self.footer.suggest_name(data_name(self.data_page.data))
        wanted = default_preset(self.data_page.is_demo)
        if not self._preset_chosen and not self.draft.changes and wanted != self.draft.preset:
            self._put(preset_draft(wanted), keep_aside=True)
        self._show_request()
        self._refresh()

    def _footer_changed(self) -> None:
        self._show_request()
        self._refresh()

    def _show_settings(self) -> None:
        if self.settings_form is not None and self.profiles is not None:
            count = self._aside.changes if self._aside is not None else 0
            aside = self._aside_words.format("1 change was" if count == 1 else f"{count} changes were") if count else ""
            self.settings_form.show_draft(self.draft, self._problems, aside=aside)
            self.profiles.show_config(self.config, self.draft.preset)

    def _show_plan(self) -> None:
        if self.plan_page is not None:
            self.plan_page.show_config(self._shown_config, self.draft.preset)
            self._show_request()

    def _show_request(self) -> None:
        if self.plan_page is not None:
            threads = chosen_threads(self.footer.threads.value())
            self.plan_page.set_request(self.data_page.data, self._device, threads)

    @property
    def _device(self) -> str:
        return str(self.footer.device.currentData())

    def plan(self) -> StartPlan | None:
        """What would be started; None while something is missing or wrong."""
        return None if self.config is None or self._problem()[0] else self._made(self.config)

    def _made(self, config: TrainConfig) -> StartPlan:
        footer = self.footer
        return StartPlan(
            name=footer.run_name,
            folder=footer.run_folder if footer.run_name else footer.run_folder / "run",
            data=self.data_page.data,
            config=config,
            preset=self.draft.preset,
            device=self._device,
            threads=footer.threads.value(),
            low_priority=footer.low_priority.isChecked(),
            pins=footer.pins,
        )

    def _problem(self) -> tuple[str, Callable[[], None] | None]:
        """Why a run cannot start, and what leads to where that can be mended; ("", None) if it can."""
        if words := self.data_page.problem:
            return words, None if self.tabs.currentIndex() == PICTURES else self._show_pictures
        if words := trouble_words(self._problems):
            return words, self._show_setting
        if self._plan_problem:
            return self._plan_problem, None if self.tabs.currentIndex() == PLAN else self._show_phases
        if self.draft.value(("invariance",)) == "pairs":
            return "Pairs from a list can be trained only from the command line, with --pairs.", self._show_pairs
        return self.footer.problem, None

    @property
    def _plan_problem(self) -> str:
        """What was typed into the plan and does not fit."""
        return self.plan_page.problem if self.plan_page is not None else ""

    def _refresh(self) -> None:
        words, way = self._problem()
        ready = not words and self._starting is None
        if self._starting is not None:
            words = _CALLED_OFF if self._called_off else _STARTING
        elif ready and self.config is not None:
            words = ready_words(self.draft, self.config, self._running)
        self.footer.show_state(
            words,
            is_ready=ready,
            can_copy=self.config is not None and bool(self.data_page.data),
            can_show=way is not None and self._starting is None,
            can_cancel=self._starting is not None and not self._called_off,
        )
        for number, wrong in (
            (PICTURES, bool(self.data_page.data and self.data_page.problem)),
            (SETTINGS, any(place in PLACES for place in self._problems)),
            (PLAN, PHASES in self._problems or bool(self._plan_problem)),
        ):
            self.tabs.setTabIcon(number, icon("warning") if wrong else QIcon())

    # ---- going to a problem ----

    def _show_problem(self) -> None:
        way = self._problem()[1]
        if way is not None:
            way()

    def _show_pictures(self) -> None:
        self.tabs.setCurrentIndex(PICTURES)

    def _show_phases(self) -> None:
        self.tabs.setCurrentIndex(PLAN)

    def _show_pairs(self) -> None:
        self.show_place(("invariance",))

    def _show_setting(self) -> None:
        place = next((place for place in self._problems if place in PLACES), None)
        if place is None:
            self._show_phases()
        else:
            self.show_place(place)

    def show_place(self, place: Place) -> None:
        """Go to the field of a setting."""
        self.tabs.setCurrentIndex(SETTINGS)
        if self.settings_form is not None:
            self.settings_form.show_place(place)

    # ---- the buttons ----

    def _start(self) -> None:
        plan = self.plan()
        if plan is not None and self._starting is None:
            self._starting, self._called_off = plan.folder, False
            self.message.clear()
            self._refresh()
            self.start_wanted.emit(plan)

    def _cancel(self) -> None:
        if self._starting is not None and not self._called_off:
            self._called_off = True
            self._refresh()
            self.cancel_wanted.emit(self._starting)

    def _queue(self) -> None:
        plan = self.plan()
        if plan is not None:
            self.queue_wanted.emit(plan)

    def _copy(self) -> None:
        if self.config is None:
            return
        plan = self._made(self.config)
        QGuiApplication.clipboard().setText(shell_line(plan.arguments()))
        self.message.show_message("The command line is on the clipboard: it does the same in a terminal.")

    # ---- what comes back ----

    def _tell(self, sentence: str, is_error: bool) -> None:
        self.message.show_message(sentence, level="error" if is_error else "info")

    def show_trouble(self, sentence: str, details: str = "") -> None:
        """Show why the run could not be started; everything asked for stays as it is."""
        self._starting = None
        self.message.show_message(sentence, details, "error")
        self._refresh()

    def show_cancelled(self) -> None:
        """The start was called off; everything asked for stays as it is."""
        self._starting = None
        self.message.show_message("It was not started.")
        self.footer.suggest_name(data_name(self.data_page.data))  # what has begun to train keeps its name
        self._refresh()

    def show_running(self, name: str) -> None:
        """Say that a run is trained already, "" for none: two at once are slow."""
        if name != self._running:
            self._running = name
            self._refresh()

    def show_started(self) -> None:
        """The run is on its way: there is nothing left to ask."""
        self._starting = None
        self.accept()

    def done(self, result: int) -> None:
        """Close, whichever way it was asked for: end the scan first."""
        if result == QDialog.DialogCode.Accepted or self.draft.changes:
            begun = result == QDialog.DialogCode.Accepted
            self._settings.set_value(_KEPT, "" if begun else kept_text(self.draft, self._shown_config))
        self.data_page.shut_down()
        if self.plan_page is not None:
            self.plan_page.stop()
        super().done(result)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes as one reads: the page, then what is below it; pages that are made late are not last."""
        page = self.tabs.currentWidget()
        parts = [part for part in (self.tabs.tabBar(), page, self.footer) if part is not None]
        moved = go_to_next(parts, self, forward=forward)
        if self.settings_form is not None:
            self.settings_form.show_focus()
        return moved

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return in a line must not start anything: that takes Ctrl+Return, or the button itself."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not isinstance(self.focusWidget(), QPushButton):
            event.accept()
            return
        super().keyPressEvent(event)

    # ---- drops ----

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders from the file manager, as a copy."""
        paths = _dropped(event)
        if paths:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            more = len(paths) > 1
            self._overlay.show_target("Train on these photos" if more else f"Train on {paths[0].name}")

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the sign away."""
        self._overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take what was dropped as the pictures."""
        self._overlay.hide()
        paths = _dropped(event)
        if paths:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.tabs.setCurrentIndex(PICTURES)
            self.data_page.take_paths(paths)


class _Page(QWidget):
    """An empty tab, for a page that is made when it is first shown."""

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)


def _dropped(event: QDragEnterEvent | QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
