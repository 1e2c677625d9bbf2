# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Small pictures of all sheets side by side, over time. However many there are, only those in sight are painted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from automod_core.sheet_layout import Sheet
from automod_studio.film_pictures import FilmReply, FilmRequest, cuts_at
from automod_studio.theme import GRID, colors_of, small_font
from automod_studio.views_film import Subject, moment_words, short_count, tile_cells
from automod_studio.widgets.images import to_qimage

_EDGE, _STEP = 64, 64 + 2 * GRID
_RING = 3  # around the tile that is shown, and for the focus
_LABEL_PX = 18
_MOST_TILES = 600  # that are kept: 10 MB on a usual screen
_RUN_ON_MS = 60  # from tile to tile while a drag is held beyond an end
_HELP = "Drag to go through time (arrows step, Page keys leap, Home and End go to the first and the newest)"


class FilmStrip(QWidget):
    """Tiles in the order of time; the one that is shown wears a ring.

    Signals:
        scrubbed(int): this sheet is to be shown.
        wanted(tuple[FilmRequest, ...]): pictures of tiles in sight that are missing, in the order of need.
    """

    scrubbed = Signal(int)
    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheets: tuple[Sheet, ...] = ()
        self._subject: Subject | None = None
        self._current, self._offset = 0, 0  # number of a tile; pixels that are scrolled out to the left
        self._tiles: OrderedDict[Hashable, tuple[QPixmap | None, ...]] = OrderedDict()
        self._pressed, self._beyond = False, 0  # beyond: -1 or 1 while a drag is held past an end
        self._asked: tuple[Hashable, ...] = ()
        self._ask_soon = QTimer(self)
        self._ask_soon.setSingleShot(True)
        self._ask_soon.setInterval(0)
        self._ask_soon.timeout.connect(self._ask)
        self._run_on = QTimer(self)
        self._run_on.setInterval(_RUN_ON_MS)
        self._run_on.timeout.connect(lambda: self._go(self._current + self._beyond))
        self._wheel = 0  # eighths of a degree that have not made a step yet
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Film")

    @property
    def current(self) -> int:
        """The number of the tile that is shown, from 0."""
        return self._current

    # ---- what is shown ----

    def show_sheets(self, sheets: tuple[Sheet, ...], subject: Subject | None) -> None:
        """Show these sheets, oldest first, or of each the picture of one photo; nothing is emitted but `wanted`."""
        self._sheets, self._subject = sheets, subject
        self.setEnabled(bool(sheets))
        self._asked = ()
        self.show_current(min(self._current, max(0, len(sheets) - 1)))

    def show_current(self, number: int) -> None:
        """Show which of them is shown large, and scroll it into sight."""
        self._current = number
        left = number * _STEP
        beside = _STEP if self.width() >= 4 * _STEP else 0  # what comes before and after is seen too
        self._scroll_to(min(max(self._offset, left + _STEP + beside - self._room()), left - beside))
        sheet = self._sheets[number] if self._sheets else None
        words = "" if sheet is None else f"{moment_words(sheet)}, {number + 1} of {len(self._sheets)}"
        self.setAccessibleDescription(words)
        self.update()

    def show_tile(self, reply: FilmReply) -> None:
        """Put the pictures of a tile in their place; one that cannot be read stays empty."""
        pixmaps = tuple(None if picture is None else QPixmap(to_qimage(picture)) for picture in reply.pictures)
        self._tiles[reply.request.key] = pixmaps
        while len(self._tiles) > _MOST_TILES:
            self._tiles.popitem(last=False)
        self.update()

    def tile_count(self) -> int:
        """How many tiles have their pictures in memory."""
        return len(self._tiles)

    def sizeHint(self) -> QSize:
        return QSize(8 * _STEP, _EDGE + 2 * _RING + _LABEL_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * _STEP, self.sizeHint().height())

    # ---- scrubbing ----

    def _go(self, number: int) -> None:
        number = min(max(number, 0), len(self._sheets) - 1)
        if number != self._current and number >= 0:
            self.show_current(number)
            self.scrubbed.emit(number)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = True
            self._drag_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed:
            self._drag_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._beyond = False, 0
            self._run_on.stop()

    def _drag_to(self, x: float) -> None:
        self._beyond = -1 if x < 0 else 1 if x >= self.width() else 0
        if self._beyond:
            self._run_on.start()
            return
        self._run_on.stop()
        self._go(self._number_at(x))

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._wheel += event.angleDelta().y() or -event.angleDelta().x()
        steps = int(self._wheel / 120)
        self._wheel -= steps * 120
        self._go(self._current - steps)  # towards the person is later, as a page is scrolled
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        leap = max(1, len(self._sheets) // 10)
        to = {
            Qt.Key.Key_Right: self._current + 1,
            Qt.Key.Key_Left: self._current - 1,
            Qt.Key.Key_PageDown: self._current + leap,
            Qt.Key.Key_PageUp: self._current - leap,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: len(self._sheets) - 1,
        }
        if event.key() in to:
            self._go(to[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    # ---- geometry ----

    def _room(self) -> int:
        return max(self.width(), _STEP)

    def _scroll_to(self, offset: int) -> None:
        most = max(0, len(self._sheets) * _STEP - self._room())
        self._offset = min(max(offset, 0), most)
        self._ask_soon.start()

    def _number_at(self, x: float) -> int:
        return int((x + self._offset) // _STEP)

    def _in_sight(self) -> range:
        last = self._number_at(self._room() - 1)
        return range(max(self._number_at(0), 0), min(last + 1, len(self._sheets)))

    def _place(self, number: int) -> QRect:
        return QRect(number * _STEP - self._offset + (_STEP - _EDGE) // 2, _RING, _EDGE, _EDGE)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.show_current(self._current)

    # ---- pictures ----

    def _key(self, number: int) -> Hashable:
        sheet = self._sheets[number]
        return (sheet.png, sheet.changed, self._subject, self.devicePixelRatioF())

    def _ask(self) -> None:
        """Ask for what is in sight and not there yet, what is nearest to the one that is shown first."""
        missing = [n for n in self._in_sight() if self._key(n) not in self._tiles]
        missing.sort(key=lambda number: abs(number - self._current))
        keys = tuple(map(self._key, missing))
        if keys == self._asked:
            return
        self._asked = keys
        requests = []
        for key, number in zip(keys, missing, strict=True):
            sheet = self._sheets[number]
            cells = [(c.box, c.width, c.height, c.resolution) for c in tile_cells(sheet, self._subject, _EDGE)]
            if cells:
                cuts = cuts_at(cells, self.devicePixelRatioF())
                requests.append(FilmRequest(key, sheet.png, sheet.changed, cuts))
            else:
                self._tiles[key] = ()
        self.wanted.emit(tuple(requests))

    # ---- painting ----

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self._number_at(event.pos().x())
            words = moment_words(self._sheets[number]) if 0 <= number < len(self._sheets) else ""
            QToolTip.showText(event.globalPos(), f"{words}\n{_HELP}".strip(), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setFont(small_font(self.font()))
        for number in self._in_sight():
            place = self._place(number)
            self._paint_tile(painter, number, place)
            chosen = number == self._current
            if chosen:
                ink = colors.text if self.hasFocus() else colors.accent
                painter.setPen(QPen(QColor(ink), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(QRectF(place).adjusted(-2, -2, 2, 2))
            below = QRect(place.left() - GRID, place.bottom() + _RING, _STEP, _LABEL_PX)
            if self.rect().contains(below):  # a number of which half is seen says something wrong
                painter.setPen(QColor(colors.text if chosen else colors.muted))
                words = short_count(self._sheets[number].images_seen)
                painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), words)

    def _paint_tile(self, painter: QPainter, number: int, place: QRect) -> None:
        sheet = self._sheets[number]
        key = self._key(number)
        pixmaps = self._tiles.get(key)
        if pixmaps is not None:
            self._tiles.move_to_end(key)  # what is in sight is kept
        if not pixmaps:
            painter.fillRect(place, QColor(colors_of(self).raised))
            return
        for cell, pixmap in zip(tile_cells(sheet, self._subject, _EDGE), pixmaps, strict=False):
            if pixmap is None:
                continue
            target = QRect(cell.x, cell.y, cell.width, cell.height).translated(place.topLeft())
            if cell.box is None:  # a whole sheet, which is no square
                size = pixmap.size().scaled(target.size(), Qt.AspectRatioMode.KeepAspectRatio)
                target = QRect(target.center() - QPoint(size.width() // 2, size.height() // 2), size)
            painter.drawPixmap(target, pixmap)
