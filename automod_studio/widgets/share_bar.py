# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A thin bar that shows how a whole is shared out."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from automod_studio.theme import colors_of


class ShareBar(QWidget):
    """One coloured piece per source, as long as its share; together always the full width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: tuple[tuple[str, float], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_shares(self, sources: Sequence[tuple[str, str, str]], shares: Sequence[float]) -> None:
        """Show the shares (any non-negative numbers) of sources given as (letter, name, colour)."""
        total = sum(shares) or 1.0
        self._parts = tuple((source[2], share / total) for source, share in zip(sources, shares, strict=True))
        told = ", ".join(f"{source[0]} {share / total:.2f}" for source, share in zip(sources, shares, strict=True))
        self.setToolTip(f"Together 1: {told}")
        self.setAccessibleName(told)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), self.height() / 2, self.height() / 2)
        painter.setClipPath(outline)
        painter.fillRect(self.rect(), QColor(colors_of(self).control))
        left = 0.0
        painter.setPen(Qt.PenStyle.NoPen)
        for color, share in self._parts:
            width = share * self.width()
            painter.fillRect(QRectF(left, 0, max(0.0, width - 1), self.height()), QColor(color))  # 1 px apart
            left += width
