# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The phases of a run over the images that it sees: borders and fades can be dragged, a click chooses a phase."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from automod_studio.theme import colors_of, small_font
from automod_studio.views_plan import FIELD, PlanDraft, count_words, exact, nice_step
from automod_studio.widgets.phase_paint import (
    AXIS_PX,
    HEAD_PX,
    LANE_PX,
    LANES,
    RIGHT_PX,
    ChartLook,
    ChartPlaces,
    Fonts,
    PhasePainter,
    lane_words,
    note_of,
)
from automod_studio.widgets.phase_scale import PhaseScale

_LEAST_PHASE_PX = 22
_BORDER_PX, _HANDLE_PX = 5, 8  # how near the pointer has to be
_SNAP_PX = 2.0  # a drag moves in round numbers of about so many pixels
_KEY_STEPS = 100  # presses of an arrow key over the whole run
_HELP = (
    "Click to choose a phase · drag a border, or the dot at the end of a fade\n"
    "While dragging: Shift moves the later phases along, Esc breaks off\n"
    "Arrows choose a phase · Ctrl+arrows move its end, with Shift the later phases too · Alt+arrows change its fade"
)

Handle = tuple[str, int]  # "end" or "fade", and the phase


@dataclass(frozen=True, slots=True)
class _Drag:
    """A gesture of the mouse: what is held, and how the chart was when it began."""

    handle: Handle
    scale: PhaseScale
    offset: float  # pixels from the pointer to what it holds
    step: int  # images


class PhaseChart(QWidget):
    """Shows the phases of a PlanDraft, reports intent.

    Signals:
        selected(int): a phase is chosen.
        end_moved(int, object, bool, bool): phase, images from the beginning of the run where it is to end, whether the
            later phases move along, and whether the gesture is over.
        fade_moved(int, object, bool): phase, images that its fade is to last, and whether the gesture is over.
        cancelled(): the gesture was broken off by Esc: everything is to be as before it.
        remove_wanted(): the chosen phase is to go.
    """

    selected = Signal(int)
    end_moved = Signal(int, object, bool, bool)
    fade_moved = Signal(int, object, bool)
    cancelled = Signal()
    remove_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look: ChartLook | None = None
        self._drag: _Drag | None = None
        self._pointer = QPointF()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleDescription(_HELP)

    def show_plan(self, draft: PlanDraft, cooldown: int, selected: int, wrong: frozenset[int] = frozenset()) -> None:
        """Show phases, the images of the cool-down, the phase that is chosen, and those with a problem."""
        hot = None if self._look is None else self._look.hot
        self._look = ChartLook(draft, cooldown, selected, hot, wrong)
        number = f"phase {selected + 1} of {len(draft.phases)}: {self._words(selected)}"
        self.setAccessibleName(f"Phases: {count_words(draft)}; {number}")
        self.update()

    # ---- where things are ----

    def sizeHint(self) -> QSize:
        return QSize(640, 248)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, HEAD_PX + 56 + LANE_PX * len(LANES) + AXIS_PX)

    def border_x(self, index: int) -> float:
        """Pixels where a phase ends."""
        return self._places().edges(index)[1]

    def fade_point(self, index: int) -> QPointF | None:
        """The dot at the end of a fade; None where there is nothing to fade from."""
        return self._places().fade_handle(index)

    def _fonts(self) -> Fonts:
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        return Fonts(bold, small_font(self.font()))

    def _scale(self) -> PhaseScale:
        assert self._look is not None
        left = self._fonts().gutter
        lengths = [phase["images"] for phase in self._look.draft.phases]
        return PhaseScale(lengths, left, max(self.width() - left - RIGHT_PX, 64.0), _LEAST_PHASE_PX)

    def _places(self) -> ChartPlaces:
        """While a border is held, the others stay where they are, as long as the end is to be seen."""
        assert self._look is not None
        scale = self._scale()
        if self._drag is not None and self._drag.scale.x_of(self._look.draft.total) <= scale.right:
            scale = self._drag.scale
        return ChartPlaces(self._look, scale, self.height())

    def handle_at(self, at: QPointF) -> Handle | None:
        """What can be dragged at a point; fades lie above borders."""
        if self._look is None:
            return None
        places = self._places()
        near: list[tuple[float, Handle]] = []
        for index in range(len(self._look.draft.phases)):
            dot = places.fade_handle(index)
            if dot is not None and (dot - at).manhattanLength() <= _HANDLE_PX:
                near.append(((dot - at).manhattanLength() - 2 * _HANDLE_PX, ("fade", index)))
            distance = abs(places.edges(index)[1] - at.x())
            if distance <= _BORDER_PX and HEAD_PX <= at.y() <= places.lane(len(LANES)):
                near.append((distance, ("end", index)))
        return min(near)[1] if near else None

    # ---- mouse ----

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._look is None:
            return
        at = event.position()
        handle, scale = self.handle_at(at), self._places().scale
        if handle is None:
            if at.x() >= scale.x_of(0):
                self.selected.emit(scale.part_at(at.x()))
            return
        index = handle[1]
        held = self.border_x(index) if handle[0] == "end" else self._places().fade_handle(index)
        x = held.x() if isinstance(held, QPointF) else float(held or 0.0)
        step = nice_step(_SNAP_PX * scale.images_per_px(index))
        self.selected.emit(index)
        self._drag = _Drag(handle, scale, x - at.x(), step)
        self._pointer = at
        self._heat(handle)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None:
            self._heat(self.handle_at(event.position()))
            return
        self._pointer = event.position()
        self._pull(event, finished=False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._drag is not None:
            self._pull(event, finished=True)
            self._drag = None
            self._heat(self.handle_at(event.position()))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        if self._drag is None:
            self._heat(None)

    def _pull(self, event: QMouseEvent, *, finished: bool) -> None:
        drag = self._drag
        assert drag is not None
        assert self._look is not None
        kind, index = drag.handle
        images = drag.scale.images_at(event.position().x() + drag.offset)
        if kind == "end":
            along = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.end_moved.emit(index, _rounded(images, drag.step), along, finished)
        else:
            self.fade_moved.emit(index, _rounded(images - self._look.draft.start(index), drag.step), finished)

    def _heat(self, handle: Handle | None) -> None:
        if self._look is None:
            return
        if self._look.hot != handle:
            self._look = replace(self._look, hot=handle)
            self.update()
        self.setCursor(Qt.CursorShape.SplitHCursor if handle else Qt.CursorShape.ArrowCursor)

    # ---- keys ----

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._drag is not None:
            if event.key() == Qt.Key.Key_Escape:
                self._drag = None
                self.cancelled.emit()
        elif self._look is None or not self._answer_key(event):
            super().keyPressEvent(event)

    def _answer_key(self, event: QKeyEvent) -> bool:
        assert self._look is not None
        key, last, index = event.key(), len(self._look.draft.phases) - 1, self._look.selected
        way = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key), 0)
        if way and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            end = self._look.draft.start(index) + self._look.draft.phases[index]["images"]
            along = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.end_moved.emit(index, self._stepped(end, way), along, True)
        elif way and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            if self.fade_point(index) is not None:
                fade = self._look.draft.phases[index]["fade_images"]
                self.fade_moved.emit(index, max(0, self._stepped(fade, way)), True)
        elif way:
            self.selected.emit(min(max(index + way, 0), last))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.selected.emit(0 if key == Qt.Key.Key_Home else last)
        elif key == Qt.Key.Key_Delete:
            self.remove_wanted.emit()
        else:
            return False
        return True

    def _stepped(self, images: int, way: int) -> int:
        """The next round number in a direction."""
        assert self._look is not None
        step = nice_step(self._look.draft.total / _KEY_STEPS)
        return images // step * step + step if way > 0 else -(-images // step) * step - step

    # ---- words ----

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._look is not None:
            index = self._scale().part_at(event.pos().x())
            QToolTip.showText(event.globalPos(), f"Phase {index + 1}: {self._words(index)}\n\n{_HELP}", self)
            return True
        return super().event(event)

    def _words(self, index: int) -> str:
        assert self._look is not None
        phase, start = self._look.draft.phases[index], self._look.draft.start(index)
        end = start + phase["images"]
        parts = [f"{phase['resolution']} pixels, {phase['images']:,} images, from {start:,} to {end:,}"]
        if phase["fade_images"]:
            parts.append(f"the first {phase['fade_images']:,} fade in")
        parts += [f"{FIELD[name].label.lower()} {lane_words(name, phase)}" for name, _ in LANES]
        return "; ".join(parts)

    def _note(self) -> str:
        """What the drag does, for beside the pointer."""
        assert self._look is not None
        assert self._drag is not None
        kind, index = self._drag.handle
        phase = self._look.draft.phases[index]
        if kind == "fade":
            return f"Fade {exact(phase['fade_images'])}"
        return f"{exact(phase['images'])} images, until {exact(self._look.draft.start(index) + phase['images'])}"

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._look is None:
            return
        painter, colors, fonts = QPainter(self), colors_of(self), self._fonts()
        PhasePainter(painter, self._look, self._places(), colors, fonts).draw()
        if self._drag is not None:
            note_of(
                painter, self._pointer, self._note(), fonts.small, colors, QRectF(self.rect()).adjusted(1, 1, -1, -1)
            )
        elif self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colors.accent), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)


def _rounded(images: float, step: int) -> int:
    return round(images / step) * step
