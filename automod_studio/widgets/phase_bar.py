# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The phases of a run over the time axis of its curves: which resolution when, where a block fades in, events."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from automod_core.curves import Span
from automod_core.run_log import Event
from automod_studio.theme import blend, colors_of, small_font
from automod_studio.views_run import event_text, span_text

_HEIGHT, _MARK_PX = 20, 4
_NEAR_PX = 6


class PhaseBar(QWidget):
    """One band for each phase, with its resolution; a fade is hatched, an event has a mark.

    Args:
        left: where the time axis of the plot below begins, in pixels.
        right: how far from the right edge it ends.
    """

    def __init__(self, left: int, right: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._left, self._right = left, right
        self._range = (0.0, 1.0)
        self._spans: tuple[Span, ...] = ()
        self._events: tuple[Event, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Phases of the run")
        self.setFont(small_font(self.font()))

    def sizeHint(self) -> QSize:
        return QSize(120, _HEIGHT)

    def show_spans(self, spans: Sequence[Span]) -> None:
        """Show these phases."""
        self._spans = tuple(spans)
        self.setAccessibleDescription("; ".join(span_text(n, span) for n, span in enumerate(spans, 1)))
        self.update()

    def show_events(self, events: Sequence[Event]) -> None:
        """Mark these events."""
        self._events = tuple(events)
        self.update()

    def show_range(self, start: float, end: float) -> None:
        """Show the time from `start` to `end` images."""
        if (start, end) != self._range:
            self._range = (start, end)
            self.update()

    def text_at(self, x: float) -> str:
        """What the tooltip says there: the phase, and the events nearby."""
        lines = [event_text(event) for event in self._events if abs(self._x_of(event.images_seen) - x) <= _NEAR_PX]
        images = self._images_at(x)
        for number, span in enumerate(self._spans, 1):
            if span.start <= images < span.end:
                lines.append(span_text(number, span))
        return "\n".join(lines)

    def _x_of(self, images: float) -> float:
        start, end = self._range
        width = self.width() - self._left - self._right
        return self._left + (images - start) / max(end - start, 1e-9) * width

    def _images_at(self, x: float) -> float:
        start, end = self._range
        width = max(self.width() - self._left - self._right, 1)
        return start + (x - self._left) / width * (end - start)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), wrapped_tip(self.text_at(event.pos().x())), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setClipRect(QRectF(self._left, 0, self.width() - self._left - self._right, self.height()))
        for number, span in enumerate(self._spans):
            self._paint_span(painter, number, span)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = colors_of(self)
        painter.setPen(Qt.PenStyle.NoPen)
        for happened in self._events:
            painter.setBrush(QColor(colors.poor if happened.kind == "trouble" else colors.muted))
            x, bottom = self._x_of(happened.images_seen), float(self.height())
            tip = [QPointF(x - _MARK_PX, bottom - _MARK_PX - 1), QPointF(x + _MARK_PX, bottom - _MARK_PX - 1)]
            painter.drawPolygon(QPolygonF([*tip, QPointF(x, bottom)]))

    def _paint_span(self, painter: QPainter, number: int, span: Span) -> None:
        colors = colors_of(self)
        left, right = self._x_of(span.start), self._x_of(span.end)
        shown = QRectF(left, 0, right - left, self.height() - 4).intersected(
            QRectF(self._left, 0, self.width() - self._left - self._right, self.height())
        )
        if shown.width() <= 0:
            return
        ground = blend(colors.window, colors.control, 1.0 if number % 2 else 0.55)
        painter.fillRect(shown, ground)
        fade = QRectF(left, 0, self._x_of(span.fade_end) - left, self.height() - 4).intersected(shown)
        if fade.width() > 0:
            painter.fillRect(fade, QBrush(QColor(colors.faint), Qt.BrushStyle.BDiagPattern))
        painter.setPen(QPen(QColor(colors.text)))
        text = f"{span.resolution} px"
        room = shown.adjusted(4, 0, -4, 0)
        for words in (text, str(span.resolution)):
            if self.fontMetrics().horizontalAdvance(words) <= room.width():
                self._paint_text(painter, room, words, ground)
                break

    def _paint_text(self, painter: QPainter, room: QRectF, words: str, ground: QColor) -> None:
        """On a plate of the band's colour, so that the hatching does not run through it."""
        width = self.fontMetrics().horizontalAdvance(words) + 8
        painter.fillRect(QRectF(room.left() - 4, 0, width, room.height()), ground)
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), words)


def wrapped_tip(text: str) -> str:
    """A tooltip that breaks its lines where there is no room: plain ones grow as wide as the screen."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>" if text else ""
