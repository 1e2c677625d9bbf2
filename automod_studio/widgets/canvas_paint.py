"""What the canvas paints beside pictures: labels, the handle, the line of the wipe, messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QRegion
from PySide6.QtWidgets import QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, MARGIN, colors_of, small_font
from automod_studio.widgets.canvas_layers import Tile

#: Edge of the corner by which a picture is dragged out.
HANDLE_PX = 32
_LINES_OF_ONE_THREAD = 90  # of the screen; from 96 on, Qt takes several
_SMALL_PX = 1_000_000  # of the screen: one thread paints as many in 3 ms


def paint_ground(painter: QPainter, widget: QWidget, region: QRegion, pictures: Sequence[tuple[Tile, QRectF]]) -> None:
    """Fill what no picture covers of a region; each picture with where it lies."""
    for tile, where in pictures:
        seen = where.intersected(tile.seen)
        left, top = math.ceil(seen.left()), math.ceil(seen.top())
        region -= QRegion(left, top, math.floor(seen.right()) - left, math.floor(seen.bottom()) - top)
    if not region.isEmpty():
        painter.setClipRegion(region)
        painter.fillRect(widget.rect(), QColor(colors_of(widget).canvas))
        painter.setClipping(False)


def paint_tile(painter: QPainter, widget: QWidget, tile: Tile, where: QRectF) -> None:
    """Paint the picture of a tile, of which there must be one, and its label."""
    assert tile.layer.picture is not None
    scale = max(where.width(), where.height()) * widget.devicePixelRatioF() / max(tile.layer.picture.shape[:2])
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    paint_image(painter, where, tile.layer.image(scale), tile.seen)
    painter.restore()
    if tile.label:
        seen = where.intersected(tile.area)
        at_right = tile.clip is not None and tile.clip.left() > 0
        x = seen.right() - HANDLE_PX - 3 * GRID if at_right else seen.left() + 2 * GRID
        paint_chip(painter, widget, tile.label, QPointF(x, seen.top() + 2 * GRID), at_right)


def paint_image(painter: QPainter, where: QRectF, image: QImage, clip: QRectF) -> None:
    """Paint an image as large as `where`, as far as it is seen within `clip`; leaves the painter clipped.

    Qt scales with several threads where it has enough lines at a time. To wake them, and to wait for the last one,
    takes long where the processor has other things to do: a small picture is painted a few lines at a time.
    """
    seen = where.intersected(clip)
    scale = painter.device().devicePixelRatioF()
    lines = _LINES_OF_ONE_THREAD / scale if seen.width() * seen.height() * scale**2 <= _SMALL_PX else seen.height()
    top = seen.top()
    while top < seen.bottom():
        painter.setClipRect(QRectF(seen.left(), top, seen.width(), min(lines, seen.bottom() - top)))
        painter.drawImage(where, image, QRectF(image.rect()))
        top += lines


def paint_chip(painter: QPainter, widget: QWidget, text: str, corner: QPointF, at_right: bool = False) -> None:
    """Write a few words onto a picture; `corner` is the top left of their box, or its top right."""
    painter.setFont(small_font(widget.font()))
    metrics = QFontMetricsF(painter.font())
    chip = QRectF(corner.x(), corner.y(), metrics.horizontalAdvance(text) + 4 * GRID, metrics.height() + 2 * GRID)
    if at_right:
        chip.moveRight(corner.x())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(chip, GRID, GRID)
    painter.setPen(QColor("#ffffff"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)


def paint_drag_handle(painter: QPainter, where: QRectF, scale: float) -> None:
    """Paint what the picture is dragged out by; `scale`: device pixels per pixel."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(where, GRID, GRID)
    edge = 18
    corner = QPointF(where.center().x() - edge / 2, where.center().y() - edge / 2)
    painter.drawPixmap(corner, icon_pixmap("drag-out", QColor("#ffffff"), edge, scale))


def paint_message(painter: QPainter, widget: QWidget, sentence: str, over: QRectF | None) -> None:
    """Say something in the middle of a widget; `over`: the picture to darken behind it, if there is one."""
    colors = colors_of(widget)
    painter.setFont(widget.font())
    metrics = QFontMetricsF(widget.font())
    room = QRectF(0, 0, max(80.0, min(420.0, widget.width() - 8.0 * MARGIN)), 400)
    flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
    text = metrics.boundingRect(room, flags, sentence)
    box = QRectF(0, 0, text.width() + 4 * MARGIN, text.height() + 2 * MARGIN)
    box.moveCenter(QRectF(widget.rect()).center())
    if over is not None:
        painter.fillRect(over, QColor(0, 0, 0, 70))
    background = QColor(colors.window)
    background.setAlpha(235)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(background)
    painter.drawRoundedRect(box, 2 * GRID, 2 * GRID)
    painter.setPen(QColor(colors.text))
    painter.drawText(box.adjusted(MARGIN, 0, -MARGIN, 0), flags, sentence)


def paint_divider(painter: QPainter, x: float, seen: QRectF) -> None:
    """Paint the line of the wipe, with a grip in its middle: dark at its edges, so that it shows on any picture."""
    top, bottom = QPointF(x, seen.top()), QPointF(x, seen.bottom())
    painter.setPen(QPen(QColor(0, 0, 0, 120), 4))
    painter.drawLine(top, bottom)
    painter.setPen(QPen(QColor("#ffffff"), 2))
    painter.drawLine(top, bottom)
    middle = QPointF(x, seen.center().y())
    painter.setPen(QPen(QColor(0, 0, 0, 120), 1))
    painter.setBrush(QColor("#ffffff"))
    painter.drawEllipse(middle, 11, 11)
    painter.setPen(QPen(QColor("#333338"), 1.75, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    for side in (-1, 1):
        tip = QPointF(middle.x() + 7 * side, middle.y())
        painter.drawLine(tip, QPointF(tip.x() - 3 * side, tip.y() - 3))
        painter.drawLine(tip, QPointF(tip.x() - 3 * side, tip.y() + 3))
