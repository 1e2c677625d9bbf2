"""How the phases of a plan are drawn: steps of resolution with fades, and below them batch, step size and margin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from automod_core.schedule import cooldown_factor
from automod_studio.theme import GRID, Colors, blend
from automod_studio.views_plan import PlanDraft, exact, short
from automod_studio.widgets.phase_scale import PhaseScale

LANES = (("batch", "Batch"), ("lr", "Step size"), ("margin", "Margin"))
LANE_PX, AXIS_PX, HEAD_PX = 32, 20, 40  # heights: of a lane, of the axis, of the labels above the highest step
RIGHT_PX = 16
_BAR_PX = 12  # of a lane, for the highest value
_ABOVE_STEP_PX = 7  # between a label and the step, so that a handle does not cover it
_HANDLE_PX, _SMALL_HANDLE_PX = 5.0, 3.0


@dataclass(frozen=True, slots=True)
class ChartLook:
    """All that a chart shows.

    Attributes:
        draft: the phases.
        cooldown: last images over which the step size falls.
        selected: the phase that is chosen.
        hot: what the pointer is on, or holds: ("end" or "fade", phase); None for neither.
        wrong: phases with a problem.
    """

    draft: PlanDraft
    cooldown: int = 0
    selected: int = 0
    hot: tuple[str, int] | None = None
    wrong: frozenset[int] = frozenset()


class ChartPlaces:
    """Where the parts of a chart lie, in pixels."""

    def __init__(self, look: ChartLook, scale: PhaseScale, height: float) -> None:
        self._look, self.scale = look, scale
        self.top, self.bottom = float(HEAD_PX), height - AXIS_PX - LANE_PX * len(LANES) - 2 * GRID
        sizes = [phase["resolution"] for phase in look.draft.phases]
        self._low = math.log2(min(sizes)) - 1
        self._span = max(1.0, math.log2(max(sizes)) - self._low)

    def y_of(self, resolution: float) -> float:
        """Height of a step."""
        return self.bottom - (self.bottom - self.top) * max(0.0, math.log2(resolution) - self._low) / self._span

    def lane(self, number: int) -> float:
        """Upper edge of a lane."""
        return self.bottom + 2 * GRID + number * LANE_PX

    def edges(self, index: int) -> tuple[float, float]:
        """Left and right edge of a phase."""
        start = self._look.draft.start(index)
        return self.scale.x_of(start), self.scale.x_of(start + self._look.draft.phases[index]["images"])

    def fade_handle(self, index: int) -> QPointF | None:
        """Where a fade ends; None where there is nothing to fade from."""
        phase = self._look.draft.phases[index]
        if phase["resolution"] <= 4:
            return None
        fade = min(phase["fade_images"], phase["images"])
        return QPointF(self.scale.x_of(self._look.draft.start(index) + fade), self.y_of(phase["resolution"]))


class PhasePainter:
    """Draws a chart once."""

    def __init__(self, painter: QPainter, look: ChartLook, places: ChartPlaces, colors: Colors, fonts: Fonts) -> None:
        self._painter, self._look, self._places, self._colors = painter, look, places, colors
        self._fonts, self._phases = fonts, look.draft.phases
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def draw(self) -> None:
        """Draw everything but the note of a drag."""
        for index in range(len(self._phases)):
            self._step(index)
        self._borders()
        for index in range(len(self._phases)):
            self._handle(index)
            self._label(index)
        for number, (name, title) in enumerate(LANES):
            self._lane(number, name, title)
        self._axis()

    # ---- steps ----

    def _step(self, index: int) -> None:
        places, phase, colors = self._places, self._phases[index], self._colors
        left, right = places.edges(index)
        top, handle = places.y_of(phase["resolution"]), places.fade_handle(index)
        faded = left if handle is None else handle.x()
        before = self._phases[index - 1]["resolution"] if index else phase["resolution"] / 2
        low = max(top, places.y_of(before))
        strength = 0.34 if index == self._look.selected else 0.15
        tone = colors.poor if index in self._look.wrong else colors.accent
        self._painter.setPen(Qt.PenStyle.NoPen)
        ramp = [QPointF(left, places.bottom), QPointF(left, low), QPointF(faded, top), QPointF(faded, places.bottom)]
        self._painter.setBrush(blend(colors.window, tone, strength * 0.55))
        self._painter.drawPolygon(QPolygonF(ramp))
        self._painter.setBrush(blend(colors.window, tone, strength))
        self._painter.drawRect(QRectF(faded, top, max(0.0, right - faded), places.bottom - top))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(blend(colors.window, tone, 1.0 if index == self._look.selected else 0.6), 2))
        self._painter.drawPolyline(QPolygonF([QPointF(left, low), QPointF(faded, top), QPointF(right, top)]))

    def _borders(self) -> None:
        places, colors = self._places, self._colors
        down = places.lane(len(LANES)) - GRID
        for index in range(len(self._phases)):
            x = places.edges(index)[1]
            hot = self._look.hot == ("end", index)
            self._painter.setPen(QPen(QColor(colors.accent if hot else colors.hairline), 2 if hot else 1))
            self._painter.drawLine(QPointF(x, places.y_of(self._phases[index]["resolution"])), QPointF(x, down))
        self._painter.setPen(QPen(QColor(colors.hairline), 1))
        self._painter.drawLine(QPointF(places.edges(0)[0], places.bottom), QPointF(self._right, places.bottom))

    def _handle(self, index: int) -> None:
        handle, colors = self._places.fade_handle(index), self._colors
        if handle is None:
            return
        hot = self._look.hot == ("fade", index)
        large = hot or index == self._look.selected
        self._painter.setPen(QPen(QColor(colors.accent), 2))
        self._painter.setBrush(QColor(colors.accent if hot else colors.base))
        radius = _HANDLE_PX if large else _SMALL_HANDLE_PX
        self._painter.drawEllipse(handle, radius, radius)

    def _label(self, index: int) -> None:
        """The resolution and the length, above the stable part if they fit there, else above all of the phase."""
        phase, (left, right) = self._phases[index], self._places.edges(index)
        handle = self._places.fade_handle(index)
        bottom = self._places.y_of(phase["resolution"]) - _ABOVE_STEP_PX
        pixels = f"{phase['resolution']} px"
        for text, font, color in (
            (short(phase["images"]), self._fonts.small, self._colors.muted),
            (pixels, self._fonts.bold, self._colors.text),
        ):
            letters = QFontMetricsF(font)
            need = letters.horizontalAdvance(text) + GRID
            if need > right - left and text == pixels:
                text = str(phase["resolution"])
                need = letters.horizontalAdvance(text)
            faded = left if handle is None else handle.x()
            start = faded if need <= right - faded else left
            if need <= right - left:
                box = QRectF(start, bottom - letters.height(), right - start, letters.height())
                self._write(box, text, font, color, Qt.AlignmentFlag.AlignCenter)
                bottom -= letters.height() - 1

    # ---- lanes ----

    def _lane(self, number: int, name: str, title: str) -> None:
        top, colors = self._places.lane(number), self._colors
        gutter = QRectF(0, top, self._places.edges(0)[0] - 2 * GRID, LANE_PX - GRID)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
        self._write(gutter, title, self._fonts.small, colors.muted, right)
        most = max((phase[name] for phase in self._phases), default=0) or 1
        for index, phase in enumerate(self._phases):
            self._bar(index, top + LANE_PX - GRID, phase[name] / most, cools=name == "lr")
        for first, last in self._runs(name):
            self._value(first, last, top, lane_words(name, self._phases[first]))
        if name == "lr" and self._look.cooldown:
            self._name_cooldown(top)

    def _bar(self, index: int, bottom: float, share: float, *, cools: bool) -> None:
        left, right = self._places.edges(index)
        colors, tone = self._colors, 0.75 if index == self._look.selected else 0.45
        draft, scale = self._look.draft, self._places.scale
        tops = [(left, 1.0), (right, 1.0)]
        if cools:
            cooldown = self._look.cooldown
            tops = [(scale.x_of(n), cooldown_factor(n, draft.total, cooldown)) for n in self._bends(index)]
        points = [(x, bottom - max(1.0, _BAR_PX * share * factor)) for x, factor in tops]
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(blend(colors.window, colors.accent, tone))
        outline = [(left, bottom), *points, (right, bottom)]
        self._painter.drawPolygon(QPolygonF([QPointF(min(x, right - 1), y) for x, y in outline]))

    def _bends(self, index: int) -> Sequence[int]:
        """Where the step size changes its course within a phase, in images: both ends, and where it begins to fall."""
        draft = self._look.draft
        start, end = draft.start(index), draft.start(index) + draft.phases[index]["images"]
        falls = draft.total - self._look.cooldown
        return (start, falls, end) if self._look.cooldown and start < falls < end else (start, end)

    def _runs(self, name: str) -> list[tuple[int, int]]:
        """First and last of the phases that follow each other with the same value."""
        starts = [n for n, phase in enumerate(self._phases) if not n or phase[name] != self._phases[n - 1][name]]
        return list(zip(starts, [n - 1 for n in (*starts[1:], len(self._phases))], strict=True))

    def _value(self, first: int, last: int, top: float, text: str) -> None:
        """Write a value above its bars, if there is room."""
        left, right = self._places.edges(first)[0], self._places.edges(last)[1]
        if self._fonts.small_width(text) > right - left:
            return
        width = self._fonts.small_width(text)
        box = QRectF((left + right - width) / 2, top, width, LANE_PX - GRID - _BAR_PX)
        self._painter.fillRect(box.adjusted(-2, 1, 2, 0), QColor(self._colors.window))  # no border through a number
        self._write(box, text, self._fonts.small, self._colors.text, Qt.AlignmentFlag.AlignCenter)

    def _name_cooldown(self, top: float) -> None:
        """Say "cool-down" at the right end, if the value of the last phases leaves room for it."""
        draft, (first, last) = self._look.draft, self._runs("lr")[-1]
        left, right = self._places.edges(first)[0], self._places.edges(last)[1]
        text = f"cool-down {short(min(self._look.cooldown, draft.total))}"
        value = self._fonts.small_width(lane_words("lr", self._phases[last]))
        if (right - left - value) / 2 < self._fonts.small_width(text) + 2 * GRID:
            return
        box = QRectF(left, top, right - left - 2, LANE_PX - GRID - _BAR_PX)
        end = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._write(box, text, self._fonts.small, self._colors.muted, end)

    # ---- axis ----

    def _axis(self) -> None:
        """Images at the borders, as many as fit; those of the end always."""
        draft, top = self._look.draft, self._places.lane(len(LANES))
        gutter = QRectF(0, top, self._places.edges(0)[0] - 2 * GRID, AXIS_PX - GRID)
        end = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._write(gutter, "Images", self._fonts.small, self._colors.muted, end)
        ends = [draft.start(index) for index in range(len(draft.phases))]
        last = self._tick(draft.total, top)
        free = float(-GRID)
        for images in ends:
            box = self._tick(images, top)
            if box.left() >= free and box.right() + 2 * GRID <= last.left():
                self._write(box, short(images), self._fonts.small, self._colors.muted, Qt.AlignmentFlag.AlignCenter)
                free = box.right() + 2 * GRID
        self._write(last, short(draft.total), self._fonts.small, self._colors.text, Qt.AlignmentFlag.AlignCenter)

    def _tick(self, images: int, top: float) -> QRectF:
        width = self._fonts.small_width(short(images)) + 2
        middle = self._places.scale.x_of(images)
        return QRectF(min(middle - width / 2, self._right + RIGHT_PX - GRID - width), top, width, AXIS_PX - GRID)

    @property
    def _right(self) -> float:
        return self._places.edges(len(self._phases) - 1)[1]

    def _write(self, box: QRectF, text: str, font: QFont, color: str, where: Qt.AlignmentFlag) -> None:
        self._painter.setFont(font)
        self._painter.setPen(QColor(color))
        self._painter.drawText(box, int(where) | int(Qt.TextFlag.TextDontClip), text)


class Fonts:
    """The fonts of a chart, and how wide small text is."""

    def __init__(self, bold: QFont, small: QFont) -> None:
        self.bold, self.small = bold, small
        self._letters = QFontMetricsF(small)

    def small_width(self, text: str) -> float:
        """Pixels of a small text."""
        return self._letters.horizontalAdvance(text)

    @property
    def gutter(self) -> float:
        """Pixels for the names of the lanes."""
        return max(self.small_width(title) for _, title in (*LANES, ("", "Images"))) + 3 * GRID


def lane_words(name: str, phase: Mapping[str, Any]) -> str:
    """A value of a lane: a margin of 0 is none."""
    return "none" if name == "margin" and not phase[name] else exact(phase[name])


def note_of(painter: QPainter, at: QPointF, text: str, font: QFont, colors: Colors, room: QRectF) -> None:
    """Write what a drag does beside the pointer, within the chart."""
    letters = QFontMetricsF(font)
    box = QRectF(at.x() + 3 * GRID, at.y() - 8 * GRID, letters.horizontalAdvance(text) + 4 * GRID, 6 * GRID)
    if box.right() > room.right():
        box.moveRight(at.x() - 3 * GRID)
    box.moveLeft(max(room.left(), box.left()))
    box.moveTop(min(max(room.top(), box.top()), room.bottom() - box.height()))
    painter.setPen(QPen(QColor(colors.hairline), 1))
    painter.setBrush(QColor(colors.raised))
    painter.drawRoundedRect(box, GRID, GRID)
    painter.setFont(font)
    painter.setPen(QColor(colors.text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
