# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The curves of a run, six plots over one time axis, and those of a second run beside them.

Importing this imports pyqtgraph, which takes half a second: run_page does it on another thread, when first shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QCursor, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from automod_core.curves import Span, margin_band, phase_spans, thinned
from automod_core.run_log import Event
from automod_core.train_config import TrainConfig
from automod_studio.curve_points import CurvePoints
from automod_studio.theme import GRID, MARGIN, colors_of, small_font
from automod_studio.views_run import PLOTS, PlotSpec, event_text, time_line, value_text
from automod_studio.widgets.curve_plot import LEFT_PX, RIGHT_PX, CurvePlot, curve_colors
from automod_studio.widgets.labels import ElidedLabel, hint_label
from automod_studio.widgets.phase_bar import PhaseBar, wrapped_tip

_COLUMNS = 2
_MOST_OF_BAND = 300  # points
_SHORTEST = 16.0  # images that the plots show at least
_NO_COMPARISON = "No other run"
_HINT = "Images seen · wheel zooms, drag moves, double-click shows everything"
_NO_POINTS = "The first values come a little after training has begun"
_LINES_AT_ONCE = 4000
_MAKE_EVERY_MS = 20  # a plot: it takes as long to make one
_PLOT_HEIGHT = 72
_REST_MS = 30  # several changes at once are drawn once


class RunCurves(QWidget):
    """Plots, phases, events and the values under the pointer.

    Signals:
        compare_wanted(object): Path of the run whose curves are wanted beside these; None for none.
        ready(): all plots are there; they are made one by one, so that the window stays quick.
    """

    compare_wanted = Signal(object)
    ready = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plots: list[CurvePlot] = []
        self.points = (CurvePoints(), CurvePoints())  # of the run, and of the one it is compared with
        self._config: TrainConfig | None = None
        self.spans: tuple[Span, ...] = ()
        self.events: tuple[Event, ...] = ()
        self.range = (0.0, 1.0)
        self._whole, self._follows = True, True
        self._at: float | None = None
        self._chosen: Path | None = None
        self._offered: list[tuple[str, Path | None]] = []
        self._titles: list[QLabel] = []
        self._places: list[QWidget] = []
        self.bars = [PhaseBar(LEFT_PX, RIGHT_PX) for _ in range(_COLUMNS)]
        self.readout = ElidedLabel(_HINT)
        self._drawing = QTimer(self)
        self._drawing.setSingleShot(True)
        self._drawing.setInterval(_REST_MS)
        self._drawing.timeout.connect(self.draw)
        self._coming: list[tuple[int, Sequence[Mapping[str, float]]]] = []
        self._taking = QTimer(self)
        self._taking.setSingleShot(True)
        self._taking.timeout.connect(self._take_next)
        self._undrawn: list[CurvePlot] = []
        self._drawing_next = QTimer(self)
        self._drawing_next.setSingleShot(True)
        self._drawing_next.timeout.connect(self._draw_next)
        self._making = QTimer(self)  # not singleShot(0): what that posts, one after the other, lets nothing in between
        self._making.setSingleShot(True)
        self._making.setInterval(_MAKE_EVERY_MS)
        self._making.timeout.connect(self._make_next)
        self._lay_out()
        self._show_titles()
        self._making.start()

    # ---- assembly ----

    def _lay_out(self) -> None:
        self.follow_button = QPushButton("Follow")
        self.follow_button.setCheckable(True)
        self.follow_button.setChecked(True)
        self.follow_button.setProperty("role", "quiet")
        self.follow_button.setToolTip("Keep the newest values at the right edge")
        self.follow_button.clicked.connect(self._follow)
        self.whole_button = QPushButton("Show all")
        self.whole_button.setProperty("role", "quiet")
        self.whole_button.setToolTip("From the first image to the newest (Home, or a double-click)")
        self.whole_button.clicked.connect(self.show_whole)
        self.compare_box = QComboBox()
        self.compare_box.setAccessibleName("Compare with")
        self.compare_box.setToolTip("Draw the curves of another run dashed beside these")
        self.compare_box.setMinimumWidth(160)
        self.compare_box.addItem(_NO_COMPARISON, None)
        self.compare_box.activated.connect(lambda row: self.compare_wanted.emit(self.compare_box.itemData(row)))
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        top = QHBoxLayout()
        top.setSpacing(2 * GRID)
        top.addWidget(hint_label("Compare with"))
        top.addWidget(self.compare_box)
        top.addWidget(self.legend, 1)
        top.addWidget(self.whole_button)
        top.addWidget(self.follow_button)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(MARGIN)
        self._grid.setVerticalSpacing(0)
        for column, bar in enumerate(self.bars):
            self._grid.addWidget(bar, 0, column)
            self._grid.setColumnStretch(column, 1)
        for number in range(len(PLOTS)):
            self._make_place(number)
        self.readout.setFont(small_font(self.font()))
        self.readout.setProperty("role", "hint")
        column_box = QVBoxLayout(self)
        column_box.setContentsMargins(MARGIN, 2 * GRID, MARGIN, 2 * GRID)
        column_box.setSpacing(GRID)
        column_box.addLayout(top)
        column_box.addLayout(self._grid, 1)
        column_box.addWidget(self.readout)

    def _make_place(self, number: int) -> None:
        """Title of a plot, and the place that the plot will take: what comes later moves nothing."""
        row, column = divmod(number, _COLUMNS)
        title = QLabel()
        title.setTextFormat(Qt.TextFormat.RichText)
        title.setFont(small_font(self.font()))
        title.setToolTip(PLOTS[number].help)
        title.setContentsMargins(LEFT_PX, GRID, 0, 0)
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # values must not move the columns
        place = QWidget()
        place.setMinimumHeight(_PLOT_HEIGHT)
        QVBoxLayout(place).setContentsMargins(0, 0, 0, 0)
        self._grid.addWidget(title, 1 + 2 * row, column)
        self._grid.addWidget(place, 2 + 2 * row, column)
        self._grid.setRowStretch(2 + 2 * row, 1)
        self._titles.append(title)
        self._places.append(place)

    def _make_next(self) -> None:
        """A plot takes 20 ms to make: one each time the window has a moment."""
        number = len(self.plots)
        plot = CurvePlot(PLOTS[number], shows_images=number >= len(PLOTS) - _COLUMNS)
        place = self._places[number].layout()
        assert place is not None
        place.addWidget(plot)
        plot.range_wanted.connect(self._move_to)
        plot.hovered.connect(self._hover)
        plot.left.connect(lambda: self._hover(None))
        plot.whole_wanted.connect(self.show_whole)
        self.plots.append(plot)
        self._furnish(plot)
        if len(self.plots) < len(PLOTS):
            self._making.start()
        else:
            self.ready.emit()

    def _furnish(self, plot: CurvePlot) -> None:
        plot.show_spans(self.spans)
        plot.show_events(self.events)
        self._draw_plot(plot)

    # ---- what is shown ----

    def clear(self) -> None:
        """Show nothing: another run is coming."""
        self._add(0, (), anew=True)
        self.show_config(None)
        self.show_events(())
        self._whole = self._follows = True
        self.draw()

    def show_config(self, config: TrainConfig | None) -> None:
        """Show the phases and the margin of these settings; None while they are not known."""
        self._config = config
        self.spans = phase_spans(config) if config is not None else ()
        for bar in self.bars:
            bar.show_spans(self.spans)
        for plot in self.plots:
            plot.show_spans(self.spans)
        self._draw_soon()

    def add_points(self, points: Sequence[Mapping[str, float]], anew: bool = False) -> None:
        """Append log lines of the run; `anew` if they take the place of all before."""
        self._add(0, points, anew)

    def show_events(self, events: Sequence[Event]) -> None:
        """Mark these events."""
        self.events = tuple(events)
        for bar in self.bars:
            bar.show_events(self.events)
        for plot in self.plots:
            plot.show_events(self.events)

    def add_compared(self, points: Sequence[Mapping[str, float]], anew: bool = False) -> None:
        """Append log lines of the other run."""
        self._add(1, points, anew)

    def _add(self, which: int, points: Sequence[Mapping[str, float]], anew: bool) -> None:
        """A long log is taken in parts: 30,000 lines at once would hold up the window for 100 ms."""
        if anew:
            self._coming = [part for part in self._coming if part[0] != which]
            self.points[which].clear()
        parts = range(0, len(points), _LINES_AT_ONCE)
        self._coming += [(which, points[start : start + _LINES_AT_ONCE]) for start in parts]
        self._take_next()

    def _take_next(self) -> None:
        if self._coming:
            which, points = self._coming.pop(0)
            self.points[which].add(points)
        if self._coming:
            self._taking.start()
        else:
            self._draw_soon()

    def show_runs(self, others: Sequence[tuple[str, Path]], chosen: Path | None) -> None:
        """Offer the runs that this one can be compared with.

        Args:
            others: name and folder of each other run.
            chosen: the one that is compared now.
        """
        rows: list[tuple[str, Path | None]] = [(_NO_COMPARISON, None), *others]
        with QSignalBlocker(self.compare_box):
            if rows != self._offered:
                self._offered = rows
                self.compare_box.clear()
                for text, folder in rows:
                    self.compare_box.addItem(text, folder)
            folders = [folder for _, folder in rows]
            self.compare_box.setCurrentIndex(folders.index(chosen) if chosen in folders else 0)
        if chosen != self._chosen:
            self._add(1, (), anew=True)
        self._chosen = chosen
        self._show_legend()
        self._draw_soon()

    # ---- time ----

    def show_whole(self) -> None:
        """Show all that there is, and follow."""
        self._whole = self._follows = True
        self._draw_soon()

    def _follow(self, on: bool) -> None:
        self._follows = on
        if not on:
            self._whole = False
        self._draw_soon()

    def _move_to(self, start: float, end: float) -> None:
        """The person wants this stretch: within the run, never shorter than a few images."""
        last = max(self._end(), self.spans[-1].end if self.spans else 0.0)
        width = min(max(end - start, _SHORTEST), last)
        start = min(max(start, 0.0), last - width)
        self._whole = False
        self.range = (start, start + width)
        self._follows = self.points[0].last_images > 0 and start + width >= self.points[0].last_images
        self.draw()

    def _end(self) -> float:
        return max(self.points[0].last_images, self.points[1].last_images, _SHORTEST)

    def _settle_range(self) -> None:
        if self._whole:
            self.range = (0.0, self._end())
        elif self._follows:
            width = self.range[1] - self.range[0]
            end = max(self.points[0].last_images, width)
            self.range = (end - width, end)

    # ---- drawing ----

    def _draw_soon(self) -> None:
        if not self._drawing.isActive():
            self._drawing.start()

    def draw(self) -> None:
        """Draw what is seen now; while hidden, nothing is drawn until it is shown again."""
        self._drawing.stop()
        if not self.isVisible():
            return
        self._settle_range()
        self.follow_button.setChecked(self._follows)
        for bar in self.bars:
            bar.show_range(*self.range)
        self._show_titles()
        self._show_hint()
        self._undrawn = list(self.plots)
        self._draw_next()

    def _draw_next(self) -> None:
        """Drawing and painting a plot takes about 10 ms: one at a time, so that nothing else has to wait for all."""
        if self._undrawn:
            self._draw_plot(self._undrawn.pop(0))
        if self._undrawn and not self._drawing_next.isActive():
            self._drawing_next.start()

    def _draw_plot(self, plot: CurvePlot) -> None:
        start, end = self.range
        for which, points in enumerate(self.points):
            plot.show_points(which, points, start, end)
        if "kl_real" in plot.spec.names:
            self._draw_band(plot)
        plot.show_range(start, end)

    def _draw_band(self, plot: CurvePlot) -> None:
        points, config = self.points[0], self._config
        if config is None:
            plot.show_band(None)
            return
        x, real = thinned(*points.between("kl_real", *self.range), _MOST_OF_BAND)
        lines = [
            {"images_seen": at, "kl_real": value, "margin": points.at("margin", at)}
            for at, value in zip(x.tolist(), real.tolist(), strict=True)
        ]
        plot.show_band(margin_band(config, lines))

    def _show_titles(self) -> None:
        for title, spec in zip(self._titles, PLOTS, strict=True):
            title.setText(self._title_of(spec))

    def _title_of(self, spec: PlotSpec) -> str:
        """Name, and the values under the pointer or the newest ones, each in the colour of its curve."""
        colors = colors_of()
        parts = [f'<span style="color:{colors.text}"><b>{escape(spec.title)}</b></span>']
        for which, points in enumerate(self.points):
            at = points.last_images if self._at is None else self._at
            for name, label, ink in zip(spec.names, spec.labels, curve_colors(colors.dark)[which], strict=False):
                if points.has(name):
                    said = "" if which else label  # the other run's stand in the same order
                    words = f"{said} {value_text(points.at(name, at) / spec.unit)}".strip()
                    parts.append(f'<span style="color:{ink}">{("━", "╍")[which]} {words}</span>')
        if self.points[0].last_images and len(parts) == 1:
            parts.append(f'<span style="color:{colors.muted}">not in this log</span>')
        return "&nbsp;&nbsp;".join(parts)

    def _show_legend(self) -> None:
        self.legend.clear()
        if self._chosen is not None:
            inks = curve_colors(colors_of().dark)
            self.legend.setText(
                f'<span style="color:{inks[0][0]}">━ this run</span>&nbsp;&nbsp; '
                f'<span style="color:{inks[1][0]}">╍ the other</span>'
            )

    # ---- the pointer ----

    def _hover(self, images: float | None) -> None:
        if images == self._at:
            return
        self._at = images
        for plot in self.plots:
            plot.show_cross(images)
        self._show_titles()
        if images is None:
            self._show_hint()
            return
        events = self.plots[0].near(images, self.events)
        sentences = [event_text(event) for event in events]
        self.readout.setText(" · ".join([time_line(max(images, 0.0), self.spans), *sentences]))
        if sentences:
            QToolTip.showText(QCursor.pos() + QPoint(12, 12), wrapped_tip("\n".join(sentences)), self)

    def _show_hint(self) -> None:
        if self._at is None:
            self.readout.setText(_HINT if self.points[0].last_images else _NO_POINTS)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_soon()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_grid"):
            for plot in self.plots:
                plot.dress()
            self._show_titles()
            self._show_legend()
