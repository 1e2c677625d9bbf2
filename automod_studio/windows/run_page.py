# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One run: its header, what there is to tell of it, its curves, its film and its log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from automod_core.run_folder import OUTPUT
from automod_core.run_log import Event
from automod_core.run_state import TRAINING, RunGlance
from automod_core.sheet_layout import Sheet
from automod_core.train_config import TrainConfig
from automod_core.watchdog import Trouble
from automod_studio.run_alarms import EDIT, TROUBLE, alarms_of, has_given_up
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_run import header_view, log_line
from automod_studio.widgets.alarm_bar import AlarmBar
from automod_studio.widgets.labels import hint_label, link_button
from automod_studio.widgets.run_header import RunHeader
from automod_studio.windows.run_background import Judge, PlotsLoader, SettingsReader

if TYPE_CHECKING:
    from automod_studio.training.run_follower import RunNews
    from automod_studio.widgets.run_curves import RunCurves
    from automod_studio.windows.film_page import FilmPage

CURVES, FILM, LOG = range(3)  # the tabs
_MOST_LOG_LINES = 5000


class RunPage(QWidget):
    """Shows what a follower tells of one run; asks for everything by signal.

    Signals:
        action_wanted(str): one of views_run.ACTIONS.
        help_wanted(object): the remedy that was chosen: a RunEdit, or views_run.RESUME.
        compare_wanted(object): Path of the run whose curves are wanted beside these; None for none.
        pin_wanted(object): tuple of Path: the photos that every sheet is to show.
        sheet_wanted(): draw a sheet now.
        first_sheet_wanted(): draw one, so that the run has a picture; nobody has asked for it.
    """

    action_wanted = Signal(str)
    help_wanted = Signal(object)
    compare_wanted = Signal(object)
    pin_wanted = Signal(object)
    sheet_wanted = Signal()
    first_sheet_wanted = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._remembered = settings
        self.glance: RunGlance | None = None
        self.config: TrainConfig | None = None
        self.events: tuple[Event, ...] = ()
        self.sheets: tuple[Sheet, ...] = ()
        self._trouble: Trouble | None = None
        self._busy = ""
        self._points: list[Mapping[str, float]] = []  # all of the run, for the curves and the judge that come later
        self._others: tuple[Sequence[tuple[str, Path]], Path | None] = ((), None)
        self._compared: list[Mapping[str, float]] = []
        self._judging = False
        self._has_asked: set[Path] = set()  # runs whose first sheet was asked for
        self.header, self.alarms = RunHeader(), AlarmBar()
        self.curves: RunCurves | None = None
        self.film: FilmPage | None = None
        self._settings, self._judge, self._plots = SettingsReader(self), Judge(self), PlotsLoader(self)
        self._plots_asked = False
        self._lay_out()
        self._connect()

    # ---- assembly ----

    def _lay_out(self) -> None:
        self._curves_place = QStackedWidget()
        self._loading = QLabel("The curves are being loaded…")
        self._loading.setProperty("role", "hint")
        self._loading.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self._curves_place.addWidget(self._loading)
        self._film_place = QStackedWidget()
        self.tabs = QTabWidget()
        self.tabs.addTab(self._curves_place, "Curves")
        self.tabs.addTab(self._film_place, "Film")
        self.tabs.addTab(self._make_log(), "Log")
        for number, tip in enumerate(("How well it learns", "What its pictures look like over time", "What happened")):
            self.tabs.setTabToolTip(number, tip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.alarms)
        column.addSpacing(GRID)
        column.addWidget(self.tabs, 1)

    def _make_log(self) -> QWidget:
        box = QWidget()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MOST_LOG_LINES)
        self.log.setAccessibleName("What happened to this run")
        self.log.setTabChangesFocus(True)
        self.log.setPlaceholderText("Nothing has happened yet that needs telling.")
        output = link_button("What the training program printed")
        output.setToolTip(f"Open {OUTPUT}")
        output.clicked.connect(self._open_output)
        row = QHBoxLayout()
        row.addWidget(hint_label("Steps back, changes and checkpoints that were asked for"))
        row.addStretch(1)
        row.addWidget(output)
        column = QVBoxLayout(box)
        column.setContentsMargins(MARGIN, 2 * GRID, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addLayout(row)
        column.addWidget(self.log, 1)
        return box

    def _connect(self) -> None:
        self.header.action_wanted.connect(self.action_wanted)
        self.alarms.help_wanted.connect(self.help_wanted)
        self.tabs.currentChanged.connect(self._fill_tab)
        self._settings.found.connect(self._show_settings)
        self._judge.judged.connect(self._show_trouble)
        self._plots.loaded.connect(self._make_curves)

    # ---- what is shown ----

    def show_run(self, glance: RunGlance, busy: str = "") -> None:
        """Turn to another run; what is in its log comes by show_news."""
        self.glance, self._busy = glance, busy
        self.config, self.events, self.sheets, self._trouble = None, (), (), None
        self._points, self._judging = [], False
        self._judge.begin(None)
        self.log.clear()
        if self.curves is not None:
            self.curves.clear()
        self._settings.read(glance.folder)
        self._show_film()
        self._show_state()

    def show_glance(self, glance: RunGlance, busy: str) -> None:
        """Show what the run does now."""
        self.glance, self._busy = glance, busy
        self._show_state()

    def show_news(self, news: RunNews) -> None:
        """Show what is new about the run that is shown."""
        if self.glance is None or news.glance.folder != self.glance.folder:
            return
        self.glance = news.glance
        if news.anew:
            self._points, self.events = [], ()
            self._trouble = None
            self.log.clear()
        self._points.extend(news.points)
        if self.curves is not None and (news.points or news.anew):
            self.curves.add_points(news.points, news.anew)
        if news.events or news.anew:
            self._add_events(news.events, news.anew)
        if self._judging:
            self._judge.look(news.points, news.anew)
        if self.config is None:  # a run that is just about to start has none yet
            self._settings.read(news.glance.folder)
        if news.sheets != self.sheets:
            self.sheets = news.sheets
        self._show_film()
        self._show_state()
        self._ask_for_first_sheet()

    def _ask_for_first_sheet(self) -> None:
        """A run has a picture once there is something to see, not only when its first sheet is due."""
        run = self.glance
        if run is None or run.condition != TRAINING or self.sheets or not self._points or run.folder in self._has_asked:
            return
        self._has_asked.add(run.folder)
        self.first_sheet_wanted.emit()

    def _add_events(self, events: Sequence[Event], anew: bool) -> None:
        self.events = (*self.events, *events)
        now = time.time()
        text = "\n".join(log_line(event, now) for event in events)
        if text:
            self.log.appendPlainText(text)
        if self.curves is not None:
            self.curves.show_events(self.events)
        if any(event.kind == EDIT for event in events):
            self._judging, self._trouble = False, None  # what was found before has been dealt with
        if self.glance is not None and (anew or any(event.kind in (EDIT, TROUBLE) for event in events)):
            self._settings.read(self.glance.folder)

    def show_others(self, others: Sequence[tuple[str, Path]], chosen: Path | None) -> None:
        """Offer the runs that this one can be compared with.

        Args:
            others: name and folder of each.
            chosen: the one that is compared now.
        """
        if chosen != self._others[1]:
            self._compared = []
        self._others = (others, chosen)
        if self.curves is not None:
            self.curves.show_runs(*self._others)

    def show_compared(self, points: Sequence[Mapping[str, float]], anew: bool) -> None:
        """Draw what is new of the run that this one is compared with."""
        if anew:
            self._compared = []
        self._compared.extend(points)
        if self.curves is not None:
            self.curves.add_compared(points, anew)

    def _show_state(self) -> None:
        if self.glance is None:
            return
        alarms = alarms_of(self.glance, self.events, self._trouble, self.config, bool(self._busy))
        self.alarms.show_alarms(alarms)
        why, alarm = self.glance.sentence, self.alarms.alarm
        told = bool(why) and alarm is not None and why in alarm.sentence
        self.header.show_view(header_view(self.glance, self._busy), sentence_shown=not told)

    def _show_settings(self, folder: Path, config: TrainConfig | None) -> None:
        if self.glance is None or folder != self.glance.folder:
            return
        changed, self.config = config != self.config, config
        if self.curves is not None:
            self.curves.show_config(config)
        wanted = config is not None and (not config.watchdog or has_given_up(self.events))
        if wanted and (changed or not self._judging):
            self._judge.begin(config)
            self._trouble = None
            changed_at = max((event.images_seen for event in self.events if event.kind == EDIT), default=-1)
            self._judge.look([point for point in self._points if point["images_seen"] > changed_at])
        elif not wanted:
            self._judge.begin(None)
            self._trouble = None
        self._judging = wanted
        self._show_state()

    def _show_trouble(self, trouble: Trouble | None) -> None:
        self._trouble = trouble
        self._show_state()

    def focus_parts(self) -> list[QWidget]:
        """What Tab goes through, in the order in which it is read."""
        tab = self.tabs.currentWidget()
        alarm = [*self.alarms.buttons, self.alarms.close_button]
        return [self.header, *alarm, self.tabs.tabBar(), *([tab] if tab is not None else [])]

    # ---- tabs ----

    def _fill_tab(self) -> None:
        """What a tab shows is made when it is first seen."""
        if not self.isVisible():
            return
        if self.tabs.currentIndex() == CURVES and not self._plots_asked:
            self._plots_asked = True
            self._plots.load()
        if self.tabs.currentIndex() == FILM:
            self._make_film()
            self._show_film()

    def _make_curves(self, trouble: str) -> None:
        if trouble:
            self._loading.setText(f"The curves cannot be shown. {trouble}")
            return
        from automod_studio.widgets.run_curves import RunCurves

        curves = self.curves = RunCurves()
        curves.compare_wanted.connect(self.compare_wanted)
        self._curves_place.addWidget(curves)
        self._curves_place.setCurrentWidget(curves)
        curves.show_config(self.config)
        curves.show_events(self.events)
        curves.add_points(tuple(self._points), anew=True)
        curves.show_runs(*self._others)
        curves.add_compared(tuple(self._compared), anew=True)

    def _make_film(self) -> None:
        if self.film is not None:
            return
        from automod_studio.windows.film_page import FilmPage

        film = self.film = FilmPage(settings=self._remembered)
        film.pin_wanted.connect(self.pin_wanted)
        film.sheet_wanted.connect(self.sheet_wanted)
        self._film_place.addWidget(film)

    def _show_film(self) -> None:
        if self.film is not None and self.glance is not None:
            self.film.show_run(self.glance.folder, self.sheets, self.glance.condition == TRAINING)

    def _open_output(self) -> None:
        if self.glance is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.glance.folder / OUTPUT)))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fill_tab()
