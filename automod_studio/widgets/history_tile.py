"""One state of the history as it is painted: its small picture, its words, and what marks it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen, QPixmap

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, Colors, colors_of, small_font
from automod_studio.views_history import StateView

#: Size of a tile, and of the picture in it.
TILE_WIDTH, TILE_HEIGHT, PICTURE = 108, 61, 42
_TOP = 4
_STAR = 14
_KEPT_PICTURES = 600  # decoded, each up to 16 KB


class Thumbnails:
    """Small pictures of states, decoded when they are first painted; those that were not seen for long are dropped."""

    def __init__(self, most: int = _KEPT_PICTURES) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[bytes, QPixmap]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def pixmap(self, view: StateView) -> QPixmap | None:
        """The picture of a state; None if there is none yet, or it cannot be read."""
        if not view.thumbnail:
            return None
        kept = self._kept.get(view.id)
        if kept is None or kept[0] is not view.thumbnail:
            image = QImage.fromData(view.thumbnail)
            kept = (view.thumbnail, QPixmap.fromImage(image))
            self._kept[view.id] = kept
        self._kept.move_to_end(view.id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return None if kept[1].isNull() else kept[1]

    def forget(self) -> None:
        """Drop all: the ids mean other states from now on."""
        self._kept.clear()


@dataclass(frozen=True, slots=True)
class Look:
    """How a state stands out.

    Attributes:
        current: it is what the window shows.
        away: undo and redo do not pass through it.
        hovered: it is under the pointer.
        focused: the keyboard is at it.
    """

    current: bool = False
    away: bool = False
    hovered: bool = False
    focused: bool = False


def picture_rect(tile: QRectF) -> QRectF:
    """Where the picture of a tile is."""
    return QRectF(round(tile.center().x() - PICTURE / 2), tile.top() + _TOP, PICTURE, PICTURE)


def caption_rect(tile: QRectF) -> QRectF:
    """Where the words of a tile are."""
    top = tile.top() + _TOP + PICTURE + 2
    return QRectF(tile.left() + 3, top, tile.width() - 6, tile.bottom() - top)


def paint_tile(painter: QPainter, tile: QRectF, view: StateView, pixmap: QPixmap | None, look: Look) -> None:
    """Paint a state; `pixmap` is None while it has no picture."""
    colors = colors_of()
    if look.hovered:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.raised))
        painter.drawRoundedRect(tile.adjusted(1, 0, -1, -1), GRID, GRID)
    where = picture_rect(tile)
    painter.setOpacity(0.6 if look.away and not look.hovered else 1.0)
    _paint_picture(painter, where, pixmap, colors)
    painter.setOpacity(1.0)
    if look.current:
        _paint_ring(painter, where, QPen(QColor(colors.accent), 2.5), 1.75)
    if look.focused:
        _paint_ring(painter, where, QPen(QColor(colors.text), 1.25), 3.5)
    if view.starred:
        _paint_star(painter, where, colors)
    _paint_caption(painter, caption_rect(tile), view, look, colors)


def _paint_picture(painter: QPainter, where: QRectF, pixmap: QPixmap | None, colors: Colors) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(where, GRID, GRID)
    if pixmap is None:
        painter.fillPath(shape, QColor(colors.control))
        return
    painter.save()
    painter.setClipPath(shape, Qt.ClipOperation.IntersectClip)
    painter.fillRect(where, QColor(colors.control))
    painter.drawPixmap(where, pixmap, QRectF(pixmap.rect()))
    painter.restore()


def _paint_ring(painter: QPainter, where: QRectF, pen: QPen, distance: float) -> None:
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    grown = where.adjusted(-distance, -distance, distance, distance)
    painter.drawRoundedRect(grown, GRID + distance, GRID + distance)


def _paint_star(painter: QPainter, where: QRectF, colors: Colors) -> None:
    disc = QRectF(where.right() - _STAR + 3, where.top() - 3, _STAR + 2, _STAR + 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colors.window))
    painter.drawEllipse(disc)
    device = painter.device()
    scale = device.devicePixelRatioF() if device is not None else 1.0
    star = icon_pixmap("star-filled", QColor(colors.fair), _STAR - 2, scale)
    painter.drawPixmap(disc.topLeft() + QPointF(2, 2), star)


def _paint_caption(painter: QPainter, room: QRectF, view: StateView, look: Look, colors: Colors) -> None:
    font = small_font(painter.font())
    font.setWeight(QFont.Weight.DemiBold if view.name else QFont.Weight.Normal)
    painter.save()
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    dot = 9.0 if view.color else 0.0
    words = metrics.elidedText(view.title, Qt.TextElideMode.ElideRight, room.width() - dot)
    width = metrics.horizontalAdvance(words) + dot
    left = room.center().x() - width / 2
    if view.color:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(view.color))
        painter.drawEllipse(QPointF(left + 3, room.center().y() + 0.5), 3, 3)
    painter.setPen(QColor(colors.text if look.current or not look.away else colors.muted))
    flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    painter.drawText(QRectF(left + dot, room.top(), room.width(), room.height()), flags, words)
    painter.restore()
