# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""What an attribute does if it drives one block or a range: its effect, and what else drifts."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_core.attributes import Trial
from automod_studio.theme import colors_of, small_font

_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 20, 20  # pixels around the plot


class AttributeCurve(QWidget):
    """Two lines over the blocks, coarse to fine; the blocks that are driven are shaded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.points: tuple[Trial, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._driven: frozenset[int] = frozenset()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_trials(self, trials: Sequence[Trial], labels: Sequence[str], driven: Sequence[int]) -> None:
        """Show what single blocks do.

        Args:
            trials: any; those of single blocks are drawn.
            labels: of all blocks: "4 px", ...
            driven: blocks that the attribute drives.
        """
        self.points = tuple(sorted((t for t in trials if t.first == t.last), key=lambda t: t.first))
        self._labels, self._driven = tuple(labels), frozenset(driven)
        self.setAccessibleName("Effect and drift of each block")
        told = [f"{labels[t.first]}: effect {t.effect:.2f}, drift {t.drift:.2f}" for t in self.points]
        self.setToolTip("Driven alone, per unit asked for:\n" + "\n".join(told) if told else "")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 104)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._labels:
            return
        colors, painter = colors_of(self), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small_font(self.font()))
        plot = QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        step = plot.width() / len(self._labels)
        for block, label in enumerate(self._labels):
            cell = QRectF(plot.left() + block * step, plot.top(), step, plot.height())
            if block in self._driven:
                painter.fillRect(cell, QColor(colors.raised))
            painter.setPen(QColor(colors.text if block in self._driven else colors.muted))
            painter.drawText(cell.adjusted(0, cell.height(), 0, _BOTTOM), Qt.AlignmentFlag.AlignCenter, label)
        painter.fillRect(QRectF(plot.left(), plot.bottom(), plot.width(), 1), QColor(colors.hairline))
        most = max([1e-6, *(max(t.effect, t.drift) for t in self.points)])
        effect, drift = [t.effect for t in self.points], [t.drift for t in self.points]
        self._line(painter, plot, step, [v / most for v in drift], QColor(colors.fair))
        self._line(painter, plot, step, [v / most for v in effect], QColor(colors.accent))
        self._legend(painter, colors.accent, colors.fair)

    def _line(self, painter: QPainter, plot: QRectF, step: float, heights: list[float], color: QColor) -> None:
        spots = [
            QPointF(plot.left() + (t.first + 0.5) * step, plot.bottom() - max(0.0, height) * (plot.height() - 4))
            for t, height in zip(self.points, heights, strict=True)
        ]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 2))
        painter.drawPolyline(QPolygonF(spots))
        painter.setBrush(color)
        for spot in spots:
            painter.drawEllipse(spot, 2.5, 2.5)

    def _legend(self, painter: QPainter, effect: str, drift: str) -> None:
        left, letters = float(_LEFT), painter.fontMetrics()
        for color, text in ((effect, "effect on it"), (drift, "drift of everything else")):
            painter.setPen(QPen(QColor(color), 2))
            painter.drawLine(QPointF(left, 8), QPointF(left + 12, 8))
            painter.setPen(QColor(colors_of(self).muted))
            painter.drawText(QRectF(left + 16, 0, 200, 16), Qt.AlignmentFlag.AlignVCenter, text)
            left += 32 + letters.horizontalAdvance(text)
