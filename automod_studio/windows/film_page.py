# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The film of a run: its sample sheets over time, whole or one photo, and the photos that are pinned to it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from automod_core.sheet_layout import Sheet
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_film import Subject, moment_words, ranges_of, subjects_of
from automod_studio.widgets.film_scrub import FilmScrub
from automod_studio.widgets.film_strip import FilmStrip
from automod_studio.widgets.film_view import FilmView
from automod_studio.widgets.labels import ElidedLabel
from automod_studio.windows.pinned_panel import PinnedPanel
from automod_studio.workers.film_reader import FilmReader

_LOOK_MS = 1000  # from one look at whether other photos are pinned to the next
_NOTHING_MS = 1500  # after which a run without sheets is told to have none
_NARROW_PX = 720  # below which the pictures need the room of the list
_NO_SHEETS = "The first sheet is drawn a little after training has begun."
_DRAW_TIP = "Draw a sheet of the run as it is at this moment"
_NO_SHEETS_STOPPED = "This run has drawn no sheet yet; the first comes a little after training has begun."


class FilmPage(QWidget):
    """Stays at the newest sheet until the person goes back in time, and then where they are.

    Signals:
        pin_wanted(tuple[Path, ...]): these photos, and no others, are to be on every sheet from now on; in this order.
            Those that were pinned already are named by their files in the run's folder.
        sheet_wanted(): a sheet is to be drawn now.
    """

    pin_wanted = Signal(object)
    sheet_wanted = Signal()

    def __init__(self, parent: QWidget | None = None, *, settings: Settings | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._sheets: tuple[Sheet, ...] = ()
        self._following = False
        self._index = -1
        self._at_newest = True
        self._nothing_comes = QTimer(self)  # those of another run are a moment on their way
        self._nothing_comes.setSingleShot(True)
        self._nothing_comes.setInterval(_NOTHING_MS)
        self._nothing_comes.timeout.connect(self._say_nothing_comes)
        self._was_shown = False
        self._subject: Subject | None = None
        self._subjects: tuple[Subject, ...] = ()
        self.reader = FilmReader(self)
        self.view = FilmView()
        self.strip = FilmStrip()
        self.scrub = FilmScrub()
        self.panel = PinnedPanel(self, settings or Settings())
        self._make_buttons()
        self._lay_out()
        self._connect()
        self._show_mode()
        self._clear()

    # ---- what is shown ----

    def show_run(self, folder: Path, sheets: tuple[Sheet, ...], following: bool) -> None:
        """Show the sheets of a run, oldest first; may be called at every news of it.

        Args:
            folder: the run's folder. Another one than before is shown from its newest sheet on.
            sheets: as sheet_layout.list_sheets returns them.
            following: whether the run is trained now, so that a sheet can be drawn at once.
        """
        self._following = following
        if folder != self._folder:
            self._folder, self._sheets, self._at_newest, self._index = folder, (), True, -1
            self._subject = None
            self.panel.show_folder(folder)
            self._clear()
        self.draw_button.setEnabled(following)
        self.draw_button.setToolTip(_DRAW_TIP if following else "Only a run that is being trained can draw a sheet")
        if sheets is not self._sheets or not sheets:
            self._take(sheets)

    @property
    def shown(self) -> Sheet | None:
        """The sheet that is shown."""
        return self._sheets[self._index] if self._sheets else None

    @property
    def at_newest(self) -> bool:
        """Whether what is drawn next will be shown."""
        return self._at_newest

    def reload_pinned(self) -> None:
        """Look again which photos are pinned to the run; the page does so by itself every second."""
        self.panel.reload()

    def _take(self, sheets: tuple[Sheet, ...]) -> None:
        before = self.shown
        if not sheets and before is None:
            if self.view.canvas.message:
                self._say_nothing_comes()  # it may be trained now, or no more
            return
        self._sheets = sheets
        if not sheets:
            self._clear()
            return
        if self._at_newest or before is None:
            self._index = len(sheets) - 1
        else:  # stay at the moment, though a step back may have removed the sheet
            seen = before.images_seen
            self._index = min(range(len(sheets)), key=lambda n: abs(sheets[n].images_seen - seen))
        self._list_subjects()
        self.scrub.show_count(len(sheets), _growths(sheets))
        self.strip.show_sheets(sheets, self._subject)
        self._show_moment()

    def _clear(self) -> None:
        self._index = -1
        self.scrub.show_count(0, ())
        self.strip.show_sheets((), None)
        self.view.show_message("")
        self._nothing_comes.start()
        self.moment.setText("")
        self._list_subjects()
        self._show_buttons()

    def _say_nothing_comes(self) -> None:
        if not self._sheets:
            self.view.show_message(_NO_SHEETS if self._following else _NO_SHEETS_STOPPED)

    def _show_moment(self) -> None:
        sheet = self._sheets[self._index]
        self.strip.show_current(self._index)
        words = moment_words(sheet)
        self.scrub.show_value(self._index, f"{words}, sheet {self._index + 1} of {len(self._sheets)}")
        self.moment.setText(f"{words} · sheet {self._index + 1:,} of {len(self._sheets):,}")
        self.view.show_sheet(sheet, self._subject, ranges_of(self._sheets))
        self._show_buttons()

    def _show_buttons(self) -> None:
        there = bool(self._sheets)
        self.newest_button.setEnabled(there and not self._at_newest)
        self.sheet_button.setEnabled(there)
        self.photo_button.setEnabled(bool(self._subjects))
        self.subject_box.setEnabled(bool(self._subjects))

    # ---- over time ----

    def go_to(self, number: int) -> None:
        """Show a sheet by its number, from 0; at the last one the film follows the run."""
        if not self._sheets:
            return
        self._index = min(max(number, 0), len(self._sheets) - 1)
        self._at_newest = self._index == len(self._sheets) - 1
        self._show_moment()

    def go_to_newest(self) -> None:
        """Show the newest sheet, and each that is drawn from now on."""
        self.go_to(len(self._sheets) - 1)

    # ---- whom ----

    def follow(self, subject: Subject | None) -> None:
        """Show one photo over time, on the newest sheet or not; None for whole sheets."""
        if subject is not None and not self._sheets:
            return
        self._subject = subject
        self._list_subjects()
        if self._sheets:
            self.strip.show_sheets(self._sheets, subject)
            self._show_moment()

    def _list_subjects(self) -> None:
        """Offer those whom the newest sheet shows; whoever is followed stays, pinned still or not."""
        subjects = subjects_of(self._sheets[-1].layout) if self._sheets else ()
        if self._subject is not None and self._subject not in subjects:
            subjects = (self._subject, *subjects) if self._sheets else ()
        if not subjects:
            self._subject = None
        if subjects != self._subjects:
            self._subjects = subjects
            blocked = self.subject_box.blockSignals(True)
            self.subject_box.clear()
            self.subject_box.addItems([subject.label for subject in subjects])
            self.subject_box.blockSignals(blocked)
        self._show_mode()

    def _show_mode(self) -> None:
        blocked = self.subject_box.blockSignals(True)
        if self._subject is not None:
            self.subject_box.setCurrentIndex(self._subjects.index(self._subject))
        self.subject_box.blockSignals(blocked)
        (self.sheet_button if self._subject is None else self.photo_button).setChecked(True)
        self.subject_box.setVisible(self._subject is not None)

    def _follow_chosen(self, number: int) -> None:
        if 0 <= number < len(self._subjects):
            self.follow(self._subjects[number])

    def _follow_pinned(self, name: str, number: int) -> None:
        self.follow(Subject(name, number))

    # ---- parts ----

    def _make_buttons(self) -> None:
        self.sheet_button = _mode_button("Whole sheet", "Show everything that was drawn")
        self.photo_button = _mode_button("One photo", "Show what becomes of one photo over time")
        self._modes = QButtonGroup(self)
        self._modes.addButton(self.sheet_button)
        self._modes.addButton(self.photo_button)
        self.subject_box = QComboBox()
        self.subject_box.setAccessibleName("Photo to follow")
        self.subject_box.setToolTip("Which photo to follow (arrow keys)")
        self.subject_box.setMinimumContentsLength(12)
        self.subject_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.draw_button = QPushButton("Draw now")
        self.draw_button.setToolTip(_DRAW_TIP)
        self.newest_button = QPushButton("Newest")
        self.newest_button.setToolTip("Go to the newest sheet, and follow the run (End)")
        self.panel_button = _mode_button("Pinned photos", "Show or hide the list of pinned photos")
        self.moment = ElidedLabel()
        self.moment.setAccessibleName("Moment")

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(GRID)
        for button in (self.sheet_button, self.photo_button):
            top.addWidget(button)
        top.addSpacing(GRID)
        top.addWidget(self.subject_box)
        top.addStretch(1)
        top.addWidget(self.draw_button)
        top.addSpacing(GRID)
        top.addWidget(self.panel_button)
        middle = QHBoxLayout()
        middle.setSpacing(MARGIN)
        middle.addWidget(self.view, 1)
        middle.addWidget(self.panel.list)
        when = QHBoxLayout()
        when.setSpacing(2 * GRID)
        when.addWidget(self.moment, 1)
        when.addWidget(self.newest_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(2 * GRID)
        column.addLayout(top)
        column.addLayout(middle, 1)
        column.addLayout(when)
        column.addWidget(self.strip)
        column.addWidget(self.scrub)
        self.setMinimumSize(480, 360)

    def _connect(self) -> None:
        self.view.canvas.pressed.connect(self.strip.setFocus)  # and the arrows go through time
        self.view.wanted.connect(self.reader.want_large)
        self.strip.wanted.connect(self.reader.want_small)
        self.reader.large_ready.connect(self.view.show_reply)
        self.reader.small_ready.connect(self.strip.show_tile)
        self.strip.scrubbed.connect(self.go_to)
        self.scrub.valueChanged.connect(self.go_to)
        self.newest_button.clicked.connect(self.go_to_newest)
        self.draw_button.clicked.connect(lambda: self.sheet_wanted.emit())
        self.sheet_button.clicked.connect(lambda: self.follow(None))
        self.photo_button.clicked.connect(self._follow_someone)
        self.subject_box.currentIndexChanged.connect(self._follow_chosen)
        self.panel.pin_wanted.connect(self.pin_wanted)
        self.panel.chosen.connect(self._follow_pinned)
        self.panel.needed.connect(self._show_panel)
        self.panel.counted.connect(self._show_count)
        self.panel_button.setChecked(True)
        self.panel_button.toggled.connect(self.panel.list.setVisible)
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self.panel.look)

    def _follow_someone(self) -> None:
        if self._subject is None and self._subjects:
            self.follow(self._subjects[max(self.subject_box.currentIndex(), 0)])

    def _show_count(self, count: int) -> None:
        self.panel_button.setText(f"Pinned photos ({count})" if count else "Pinned photos")

    def _show_panel(self) -> None:
        self.panel_button.setChecked(True)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._was_shown and self.width() < _NARROW_PX:
            self.panel_button.setChecked(False)
        self._was_shown = True
        self._look.start()
        self.panel.look()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look.stop()


def _mode_button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("role", "quiet")
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def _growths(sheets: tuple[Sheet, ...]) -> list[int]:
    """The numbers of the sheets whose pictures are larger than those of the sheet before."""
    sizes = [sheet.layout.resolution if sheet.layout else 0 for sheet in sheets]
    return [number for number, (before, after) in enumerate(pairwise(sizes), 1) if before and after > before]
