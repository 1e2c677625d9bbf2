# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One plot of a run's curves. This module and run_curves are all that imports pyqtgraph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from automod_core.curves import Band, Span, thinned
from automod_core.run_log import Event
from automod_studio.curve_points import CurvePoints, alone, smoothed
from automod_studio.theme import blend, colors_of, small_font
from automod_studio.views_run import PlotSpec, short_count, tick_text

#: Room for the values on the left, and the space on the right of every plot, in pixels.
LEFT_PX, RIGHT_PX = 46, 8

# After Okabe and Ito: told apart by eyes that do not see red or green. Curves of this run, then of the compared one.
_LIGHT = (("#0072b2", "#c75400"), ("#00805f", "#a8557f"))
_DARK = (("#56b4e9", "#f0a030"), ("#2fc79b", "#df9cc0"))
_MOST_POINTS = 600  # of a curve
_DENSE, _BINS = 400, 240  # with more points than this, the noise is drawn faint, and the mean of stretches over it
_FAINT = 70  # of 255
_VALUE_TICK_PX, _IMAGES_TICK_PX = 26, 64  # between two ticks at least
_PADDING = 0.06  # above and below the curves
_NEAR_PX = 6
_DOT_PX = 5  # a point without neighbours
_ZOOM_PER_NOTCH, _KEY_STEP = 0.85, 0.1


def curve_colors(dark: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    """The colours "#rrggbb" of a run's first and second curve in a plot, and those of the run it is compared with."""
    return _DARK if dark else _LIGHT


class CurvePlot(pg.PlotWidget):
    """The curves of one PlotSpec over images seen. The time axis belongs to RunCurves, which shows all plots alike.

    Signals:
        range_wanted(float, float): the person zooms or pans: the images at the edges.
        hovered(float): the pointer is over this point of the time axis.
        left(): the pointer is gone.
        whole_wanted(): a double-click: show everything.
    """

    range_wanted = Signal(float, float)
    hovered = Signal(float)
    left = Signal()
    whole_wanted = Signal()

    def __init__(self, spec: PlotSpec, shows_images: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent, viewBox=_TimeBox())
        self.spec = spec
        self._shows_images, self._has_scale = shows_images, True
        self._ground = _Ground()
        self._curves: list[list[pg.PlotCurveItem]] = []
        self._noise: list[list[pg.PlotCurveItem]] = []
        self._dots: list[list[pg.ScatterPlotItem]] = []
        self._reach: list[tuple[float, float] | None] = [None, None]  # least and greatest value that is seen
        self._cross = pg.InfiniteLine(angle=90, movable=False)
        self._cross.hide()
        self.setAccessibleName(f"Curve: {spec.title}")
        self.setAccessibleDescription(spec.help)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._prepare()
        self.dress()

    def _prepare(self) -> None:
        item, box = self.getPlotItem(), self.getViewBox()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.layout.setContentsMargins(0, 2, RIGHT_PX, 0)
        left, bottom = _ValueAxis("left"), _ImagesAxis("bottom")
        item.setAxisItems({"left": left, "bottom": bottom})
        left.setWidth(LEFT_PX)
        bottom.setStyle(showValues=self._shows_images)
        bottom.setHeight(18 if self._shows_images else 4)
        for axis in (left, bottom):
            axis.enableAutoSIPrefix(False)
            axis.setStyle(tickFont=small_font(self.font()), tickTextOffset=4, tickLength=0)
        item.showGrid(x=False, y=True, alpha=0.12)
        box.setMouseEnabled(x=True, y=False)
        box.disableAutoRange()  # it would paint everything twice
        box.wanted = self.range_wanted.emit
        item.addItem(self._ground, ignoreBounds=True)
        for which in range(2):
            for rows, height in ((self._noise, 1), (self._curves, 5)):
                rows.append([pg.PlotCurveItem(connect="finite") for _ in self.spec.names])
                for curve in rows[which]:
                    curve.setZValue(height - which)  # the run that is shown lies above
                    item.addItem(curve, ignoreBounds=True)
            self._dots.append([pg.ScatterPlotItem(size=_DOT_PX) for _ in self.spec.names])
            for dots in self._dots[which]:
                dots.setZValue(5 - which)
                item.addItem(dots, ignoreBounds=True)
        item.addItem(self._cross, ignoreBounds=True)
        self.scene().sigMouseMoved.connect(self._moved)

    # ---- showing ----

    def show_points(self, which: int, points: CurvePoints, start: float, end: float) -> None:
        """Draw the part of a run's curves that is seen.

        Args:
            which: 0 for the run, 1 for the one it is compared with.
            points: all of them.
            start: images at the left edge.
            end: images at the right edge.
        """
        reach = []
        parts = zip(self.spec.names, self._curves[which], self._noise[which], self._dots[which], strict=True)
        for name, curve, noise, dots in parts:
            x, y = points.between(name, start, end)
            thin_x, thin_y = thinned(x, y / self.spec.unit, _MOST_POINTS)
            if len(x) > _DENSE:
                noise.setData(thin_x, thin_y, connect="finite")
                mean_x, mean_y = smoothed(x, y / self.spec.unit, _BINS)
                curve.setData(mean_x, mean_y, connect="finite")
            else:
                noise.clear()
                curve.setData(thin_x, thin_y, connect="finite")
            lone = alone(thin_y)
            dots.setData(thin_x[lone], thin_y[lone])
            finite = thin_y[np.isfinite(thin_y)]
            if len(finite):
                reach.append((float(finite.min()), float(finite.max())))
        self._reach[which] = (min(low for low, _ in reach), max(high for _, high in reach)) if reach else None

    def show_band(self, band: Band | None) -> None:
        """Shade where a curve may lie; None for no band."""
        self._ground.show_band(band)

    def show_spans(self, spans: Sequence[Span]) -> None:
        """Tint the phases."""
        self._ground.show_spans(spans)

    def show_events(self, events: Sequence[Event]) -> None:
        """Draw a line at each event."""
        self._ground.show_events(events)

    def show_range(self, start: float, end: float) -> None:
        """Show the time between these images, and the values that the curves take there."""
        reach = [reach for reach in self._reach if reach is not None] or [(0.0, 1.0)]
        low, high = min(low for low, _ in reach), max(high for _, high in reach)
        low = min(low, 0.0) if self.spec.from_zero else low
        padding = _PADDING * (high - low) or 0.5 * abs(high) or 1.0
        below = 0.0 if self.spec.from_zero else padding
        self.setRange(xRange=(start, end), yRange=(low - below, high + padding), padding=0)
        self._show_scale(any(reach is not None for reach in self._reach))

    def _show_scale(self, has_values: bool) -> None:
        """Show the numbers of the axes, or none: those beside nothing mean nothing."""
        if has_values != self._has_scale:
            self._has_scale = has_values
            self.getPlotItem().getAxis("left").setStyle(showValues=has_values)
            self.getPlotItem().getAxis("bottom").setStyle(showValues=has_values and self._shows_images)

    def show_cross(self, images: float | None) -> None:
        """Put the vertical hair there; None takes it away."""
        self._cross.setVisible(images is not None)
        if images is not None:
            self._cross.setPos(images)

    def dress(self) -> None:
        """Take the colours of the theme."""
        colors = colors_of()
        self.setBackground(QColor(colors.base))
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(colors.hairline))
            axis.setTextPen(pg.mkPen(colors.muted))
        self._cross.setPen(pg.mkPen(colors.muted, style=Qt.PenStyle.DotLine))
        for row, inks in zip(self._curves, curve_colors(colors.dark), strict=True):
            for curve, ink in zip(row, inks, strict=False):
                curve.setPen(pg.mkPen(ink, width=1.5, style=_style(row is self._curves[1])))
        for dots_row, inks in zip(self._dots, curve_colors(colors.dark), strict=True):
            for dots, ink in zip(dots_row, inks, strict=False):
                dots.setPen(None)
                dots.setBrush(pg.mkBrush(ink))
        for row, inks in zip(self._noise, curve_colors(colors.dark), strict=True):
            for noise, ink in zip(row, inks, strict=False):
                faint = QColor(ink)
                faint.setAlpha(_FAINT)
                noise.setPen(pg.mkPen(faint))
        self._ground.dress()

    # ---- the pointer and keys ----

    def _moved(self, where: QPointF) -> None:
        box = self.getViewBox()
        if box.sceneBoundingRect().contains(where):
            self.hovered.emit(float(box.mapSceneToView(where).x()))
        else:
            self.left.emit()

    def images_per_pixel(self) -> float:
        """How much of the time axis a pixel stands for."""
        (start, end), width = self.getViewBox().viewRange()[0], self.getViewBox().width()
        return float((end - start) / max(width, 1))

    def near(self, images: float, events: Sequence[Event]) -> list[Event]:
        """The events that lie under the pointer."""
        reach = _NEAR_PX * self.images_per_pixel()
        return [event for event in events if abs(event.images_seen - images) <= reach]

    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self.left.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.whole_wanted.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        start, end = self.getViewBox().viewRange()[0]
        step, middle = _KEY_STEP * (end - start), (start + end) / 2
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            shift = step if key == Qt.Key.Key_Right else -step
            self.range_wanted.emit(start + shift, end + shift)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = 1 / _ZOOM_PER_NOTCH if key == Qt.Key.Key_Minus else _ZOOM_PER_NOTCH
            half = (end - start) / 2 * factor
            self.range_wanted.emit(middle - half, middle + half)
        elif key == Qt.Key.Key_Home:
            self.whole_wanted.emit()
        else:
            super().keyPressEvent(event)


def _style(dashed: bool) -> Qt.PenStyle:
    return Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine


class _TimeBox(pg.ViewBox):
    """Asks for another stretch of time instead of taking it: all plots move together, or none does."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.wanted = lambda start, end: None

    def wheelEvent(self, event: object, axis: int | None = None) -> None:
        start, end = self.viewRange()[0]
        middle = self.mapSceneToView(event.scenePos()).x()  # type: ignore[attr-defined]
        factor = _ZOOM_PER_NOTCH ** (event.delta() / 120)  # type: ignore[attr-defined]
        self.wanted(middle - (middle - start) * factor, middle + (end - middle) * factor)
        event.accept()  # type: ignore[attr-defined]

    def mouseDragEvent(self, event: object, axis: int | None = None) -> None:
        event.accept()  # type: ignore[attr-defined]
        shift = event.pos().x() - event.lastPos().x()  # type: ignore[attr-defined]
        start, end = self.viewRange()[0]
        images = shift / max(self.width(), 1) * (end - start)
        self.wanted(start - images, end - images)


def _tick_step(length: float, size: float, least_px: float) -> float:
    """A round distance of ticks: 1, 2 or 5 times a power of ten."""
    least = max(length, 1e-12) * least_px / max(size, 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * factor for factor in (1, 2, 5) if power * factor >= least), 10 * power)


class _ImagesAxis(pg.AxisItem):
    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:  # noqa: N803
        return [(max(_tick_step(maxVal - minVal, size, _IMAGES_TICK_PX), 1.0), 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [short_count(value) if value >= 0 else "" for value in values]


class _ValueAxis(pg.AxisItem):
    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:  # noqa: N803
        return [(_tick_step(maxVal - minVal, size, _VALUE_TICK_PX), 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [tick_text(value, spacing) for value in values]


class _Ground(pg.GraphicsObject):
    """What lies behind the curves: phases and fades, the band of the margin, lines of events."""

    def __init__(self) -> None:
        super().__init__()
        self._spans: tuple[Span, ...] = ()
        self._events: tuple[tuple[float, bool], ...] = ()
        self._band = QPainterPath()
        self._phase = self._fade = self._shade = QColor()
        self._line, self._trouble = QPen(), QPen()
        self.setZValue(-10)

    def show_spans(self, spans: Sequence[Span]) -> None:
        self._spans = tuple(spans)
        self.update()

    def show_events(self, events: Sequence[Event]) -> None:
        self._events = tuple((float(event.images_seen), event.kind == "trouble") for event in events)
        self.update()

    def show_band(self, band: Band | None) -> None:
        path = QPainterPath()
        if band is not None:
            for part in _stretches(band):
                low, high, x = band.low[part], band.high[part], band.x[part]
                around = np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])
                path.addPath(pg.arrayToQPath(*around, connect="all"))
        self._band = path
        self.update()

    def dress(self) -> None:
        colors = colors_of()
        self._phase = blend(colors.base, colors.control, 0.35)
        self._fade = blend(colors.base, colors.control, 0.8)
        self._shade = QColor(curve_colors(colors.dark)[0][1])
        self._shade.setAlpha(48)
        self._line = pg.mkPen(blend(colors.base, colors.muted, 0.6), style=Qt.PenStyle.DashLine)
        self._trouble = pg.mkPen(colors.poor, style=Qt.PenStyle.DashLine)
        self.update()

    def boundingRect(self) -> QRectF:
        return self.viewRect()

    def viewRangeChanged(self, *_: object) -> None:
        self.prepareGeometryChange()
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        seen = self.viewRect()
        for number, span in enumerate(self._spans):
            if number % 2:
                painter.fillRect(self._slice(seen, span.start, span.end), self._phase)
            if span.fade_end > span.start:
                painter.fillRect(self._slice(seen, span.start, span.fade_end), self._fade)
        painter.fillPath(self._band, self._shade)
        for images, trouble in self._events:
            if seen.left() <= images <= seen.right():
                painter.setPen(self._trouble if trouble else self._line)
                painter.drawLine(QPointF(images, seen.top()), QPointF(images, seen.bottom()))

    @staticmethod
    def _slice(seen: QRectF, start: float, end: float) -> QRectF:
        return QRectF(start, seen.top(), end - start, seen.height()).intersected(seen)


def _stretches(band: Band) -> list[slice]:
    """The parts of a band without a gap, each of two points or more."""
    finite = np.concatenate([[False], np.isfinite(band.low) & np.isfinite(band.high), [False]])
    edges: NDArray[np.int64] = np.flatnonzero(finite[1:] != finite[:-1])
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [slice(start, end) for start, end in pairs if end - start > 1]
