"""The panel of the path: play and scrub above, keyframes on the left, when what moves on the right."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_path import EASING_TITLES, LOOP_TITLES, PathView, length_words
from automod_studio.widgets.labels import action_button, hint_label, icon_button, link_button, outdented
from automod_studio.widgets.path_scrub import PathScrub
from automod_studio.widgets.path_strip import KeyframeStrip
from automod_studio.widgets.path_timing import TimingRow

_MOTION_PX, _TIME_PX = 264, 88


class PathPanel(QWidget):
    """Shows a PathView, and where the path is in time.

    Signals:
        play_wanted(), stop_wanted(): play or pause; end the preview.
        easing_chosen(str), loop_chosen(str): by their names.
        timing_edited(str, float, float, bool): range, start, end (0..1), whether the gesture is over.
        timing_reset(str): a range is to take the whole of the way.
        stagger_wanted(): one range after the other.
        reset_wanted(): timing, easing and loop as at first.
        export_wanted(): save it as a movie.
    """

    play_wanted = Signal()
    stop_wanted = Signal()
    easing_chosen = Signal(str)
    loop_chosen = Signal(str)
    timing_edited = Signal(str, float, float, bool)
    timing_reset = Signal(str)
    stagger_wanted = Signal()
    reset_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip, self.scrub = KeyframeStrip(), PathScrub()
        self.play_button = icon_button("play", "", 28)
        self.stop_button = icon_button("stop", "Stop, and show the picture again (Esc)", 28)
        self.time = hint_label("")
        self.export_button = action_button("movie", "Export…", "Save the path as MP4, GIF, WebP or pictures")
        self.easing = _box("Easing", "How each range begins and ends to move", EASING_TITLES)
        self.loop = _box("At the end", "What happens at the end", LOOP_TITLES)
        self.stagger_button = link_button("Pose first, texture last")
        self.stagger_button.setToolTip("Let one range move after the other: coarse first, fine last")
        self.reset_button = icon_button("reset", "Reset timing, easing and loop")
        self.rows: list[TimingRow] = []
        self._names: tuple[str, ...] = ()
        self._length = 0.0
        self._lay_out()
        self._connect()
        self.setAccessibleName("Path")
        self.setFocusProxy(self.strip.add_button)
        self.show_playing(playing=False, previewing=False)

    def show_view(self, view: PathView) -> None:
        """Show the path; nothing is emitted."""
        self._length = view.seconds
        self.strip.show_view(view)
        self.scrub.show_length(view.seconds, view.ticks)
        self._show_boxes({self.easing: view.easing, self.loop: view.loop})
        names = tuple(timing.name for timing in view.timings)
        if names != self._names:
            self._make_rows(names)
        for row, timing in zip(self.rows, view.timings, strict=True):
            row.show_view(timing)
        self.motion.setVisible(bool(view.keyframes))
        self.play_button.setEnabled(view.can_play)
        self.export_button.setEnabled(view.can_play)
        self.reset_button.setEnabled(not view.plain)
        self.stagger_button.setEnabled(not view.staggered and len(names) > 1)
        self.show_time(self.scrub.seconds)

    def show_time(self, seconds: float, done: float | None = None) -> None:
        """Show where the path is, in seconds and in parts of the way between two keyframes; nothing is emitted."""
        self.scrub.show_time(seconds)
        self.time.setText(f"{seconds:.1f} / {length_words(self._length)}" if self._length else "")
        for row in self.rows:
            row.bar.show_playhead(done)

    def show_playing(self, *, playing: bool, previewing: bool) -> None:
        """Show whether the path plays, and whether the canvas shows a moment of it."""
        self.play_button.setIcon(icon("pause" if playing else "play"))
        words = "Pause (P)" if playing else "Play the path (P)"
        self.play_button.setToolTip(words)
        self.play_button.setAccessibleName(words.partition(" (")[0])
        self.stop_button.setEnabled(previewing)

    def _show_boxes(self, values: Mapping[QComboBox, str]) -> None:
        for box, value in values.items():
            with QSignalBlocker(box):
                box.setCurrentIndex(box.findData(value))

    def _make_rows(self, names: tuple[str, ...]) -> None:
        for row in self.rows:
            self._bars.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._names, self.rows = names, []
        for name in names:
            row = TimingRow()
            row.bar.edited.connect(
                lambda start, end, finished, name=name: self.timing_edited.emit(name, start, end, finished)
            )
            row.bar.reset.connect(lambda name=name: self.timing_reset.emit(name))
            self._bars.addWidget(row)
            self.rows.append(row)

    def _connect(self) -> None:
        self.play_button.clicked.connect(lambda: self.play_wanted.emit())
        self.stop_button.clicked.connect(lambda: self.stop_wanted.emit())
        self.export_button.clicked.connect(lambda: self.export_wanted.emit())
        self.easing.activated.connect(lambda index: self.easing_chosen.emit(self.easing.itemData(index)))
        self.loop.activated.connect(lambda index: self.loop_chosen.emit(self.loop.itemData(index)))
        self.stagger_button.clicked.connect(lambda: self.stagger_wanted.emit())
        self.reset_button.clicked.connect(lambda: self.reset_wanted.emit())

    # ---- layout ----

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(MARGIN, 0, MARGIN, 0)
        top.setSpacing(GRID)
        for widget in (self.play_button, self.stop_button):
            top.addWidget(widget)
        top.addWidget(self.scrub, 1)
        self.time.setFixedWidth(_TIME_PX)
        self.time.setAlignment(Qt.AlignmentFlag.AlignCenter)
        top.addWidget(self.time)
        top.addWidget(self.export_button)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(self.strip, 1)
        self.motion = self._make_motion()
        below.addWidget(self.motion)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GRID, 0, GRID)
        column.setSpacing(GRID)
        column.addLayout(top)
        column.addLayout(below, 1)

    def _make_motion(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, 0, MARGIN, 0)
        column.setSpacing(2)
        boxes = QHBoxLayout()
        boxes.setSpacing(GRID)
        boxes.addWidget(self.easing, 1)
        boxes.addWidget(self.loop, 1)
        boxes.addWidget(self.reset_button)
        column.addLayout(boxes)
        self._bars = QVBoxLayout()
        self._bars.setSpacing(0)
        column.addLayout(self._bars)
        column.addLayout(outdented(self.stagger_button))
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.setFixedWidth(_MOTION_PX)
        return area


def _box(name: str, tip: str, titles: Mapping[str, str]) -> QComboBox:
    box = QComboBox()
    for value, title in titles.items():
        box.addItem(title, value)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.setAccessibleName(name)
    box.setToolTip(f"{name}: {tip[0].lower()}{tip[1:]}")
    return box
