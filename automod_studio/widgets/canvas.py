# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The picture in the middle: zoom, pan, compare, and a message where there is nothing to show."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from automod_studio.icons import icon_pixmap
from automod_studio.theme import GRID, MARGIN, colors_of, small_font
from automod_studio.widgets.images import check_picture, preparation, prepared, to_qimage

#: What the canvas can show.
COMPARISONS = ("result", "original", "side_by_side")
#: Zoom limits, in screen pixels per pixel of the picture.
MIN_ZOOM, MAX_ZOOM = 0.05, 64.0

_WHEEL_STEP = 1.25  # zoom factor per notch
_PAN_STEP_PX = 40
_HANDLE_PX = 32


class _Layer:
    """One picture, with the resampled image that was painted last."""

    def __init__(self) -> None:
        self.picture: np.ndarray | None = None
        self._image: QImage | None = None
        self._step = 0.0

    def show(self, picture: np.ndarray | None) -> None:
        if picture is not None:
            check_picture(picture)
        self.picture, self._image = picture, None

    def image(self, scale: float) -> QImage:
        """The image to paint at `scale` (screen pixels per pixel); there must be a picture."""
        assert self.picture is not None
        step = preparation(max(self.picture.shape[:2]), scale)
        if self._image is None or step != self._step:
            self._image, self._step = to_qimage(prepared(self.picture, scale)), step
        return self._image


@dataclass(frozen=True, slots=True)
class _Tile:
    """A column of the canvas with one picture in it."""

    label: str
    layer: _Layer
    area: QRectF


class Canvas(QWidget):
    r"""Shows the result, the original, or them all side by side; never blank between two pictures.

    Keys: 1 is 100 %, F fits, + and - zoom, arrows pan; Space or \ shows the original while held.
    The wheel zooms to the pointer; the left or middle button pans; Ctrl with the left button drags the picture out,
    as does the handle in the corner that appears under the pointer.

    Signals:
        zoom_changed(float): screen pixels per pixel of the result; 1 is 100 %.
        drag_out_started(): the person drags the picture out of the window.
    """

    zoom_changed = Signal(float)
    drag_out_started = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result, self._original, self._reconstruction = _Layer(), _Layer(), _Layer()
        self._full_size = QSize(0, 0)  # size in pixels that zoom refers to
        self._compare, self._peeking, self._message = "result", False, ""
        self._fit, self._zoom, self._offset = True, 1.0, QPointF(0, 0)  # offset: of the centre, in view pixels
        self._pressed_at: QPointF | None = None
        self._drag_out_armed, self._panning = False, False
        self._ringed = False  # a ring shows where the keyboard has got to, not what was clicked
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAccessibleName("Result")
        self._describe()

    # What is shown

    def show_image(self, picture: np.ndarray, full_edge: int | None = None) -> None:
        """Show a result in place of the last one, and take away any message.

        Args:
            picture: (H, W, 3) uint8.
            full_edge: the longer edge of the final picture, for a preview of lower resolution: it is shown as large.
        """
        self._result.show(picture)
        height, width = picture.shape[:2]
        grow = 1.0 if full_edge is None else full_edge / max(height, width)
        self._message = ""
        size = QSize(round(width * grow), round(height * grow))
        changed, self._full_size = size != self._full_size, size
        if changed:
            self._rescaled()
        self._describe()
        self.update()

    def clear(self) -> None:
        """Forget every picture."""
        for layer in (self._result, self._original, self._reconstruction):
            layer.show(None)
        self._describe()
        self.update()

    def show_message(self, sentence: str) -> None:
        """Say something over the picture, or instead of it; "" takes it away."""
        self._message = sentence
        self._describe()
        self.update()

    def set_original(self, picture: np.ndarray | None) -> None:
        """The photo that the result is compared with, (H, W, 3) uint8."""
        self._original.show(picture)
        self.update()

    def set_reconstruction(self, picture: np.ndarray | None) -> None:
        """The model's own version of that photo, shown between the original and the result."""
        self._reconstruction.show(picture)
        self.update()

    def set_compare(self, mode: str) -> None:
        """Show "result", "original" or "side_by_side".

        Raises:
            ValueError: another mode.
        """
        if mode not in COMPARISONS:
            raise ValueError(f"compare must be one of {', '.join(COMPARISONS)}, got {mode!r}")
        self._compare = mode
        self._rescaled()
        self._describe()

    def set_peek(self, held: bool) -> None:
        """Show the original for as long as a key or a button is held."""
        if held != self._peeking:
            self._peeking = held
            self._describe()
            self.update()

    @property
    def compare(self) -> str:
        """The mode of set_compare."""
        return self._compare

    @property
    def peeking(self) -> bool:
        """Whether the original is shown for a moment."""
        return self._peeking

    # Zoom

    @property
    def zoom(self) -> float:
        """Screen pixels per pixel of the result."""
        return self._fitting_zoom() if self._fit else self._zoom

    @property
    def fits(self) -> bool:
        """Whether the picture follows the size of the window."""
        return self._fit

    def zoom_to_fit(self) -> None:
        """Show the whole picture, and keep doing so."""
        self._fit, self._offset = True, QPointF(0, 0)
        self._rescaled()

    def zoom_to_actual(self) -> None:
        """Show one pixel of the picture as one pixel of the screen."""
        self.set_zoom(1.0)

    def set_zoom(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Zoom so that what lies under `anchor` (in widget coordinates; the centre by default) stays there."""
        before = self.zoom
        zoom = min(max(zoom, MIN_ZOOM), MAX_ZOOM)
        area = self._tile_at(anchor).area
        from_centre = (anchor or area.center()) - area.center()
        self._offset = from_centre - (from_centre - self._offset) * (zoom / before)
        self._fit, self._zoom = False, zoom
        self._rescaled()

    def picture_rect(self) -> QRectF:
        """Where the (first) picture is painted, in widget coordinates."""
        return self._picture_rect(self._tiles()[0])

    def handle_rect(self) -> QRectF:
        """The corner of the result from which it can be dragged out."""
        tile = self._tiles()[-1]
        seen = self._picture_rect(tile).intersected(tile.area)
        return QRectF(seen.right() - _HANDLE_PX - GRID, seen.top() + GRID, _HANDLE_PX, _HANDLE_PX)

    def _rescaled(self) -> None:
        self._keep_in_sight()
        self.zoom_changed.emit(self.zoom)
        self.update()

    def _fitting_zoom(self) -> float:
        if self._full_size.isEmpty():
            return 1.0
        area = self._tiles()[0].area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        scale = min(area.width() / self._full_size.width(), area.height() / self._full_size.height())
        return min(max(scale * self.devicePixelRatioF(), MIN_ZOOM), MAX_ZOOM)

    def _keep_in_sight(self) -> None:
        """Limit panning: an edge of the picture never passes the middle of its column."""
        if self._fit:
            self._offset = QPointF(0, 0)
            return
        size = QPointF(self._full_size.width(), self._full_size.height()) * (self.zoom / self.devicePixelRatioF() / 2)
        x = min(max(self._offset.x(), -size.x()), size.x())
        y = min(max(self._offset.y(), -size.y()), size.y())
        self._offset = QPointF(x, y)

    # Geometry

    def _tiles(self) -> list[_Tile]:
        whole = QRectF(self.rect())
        original = [("Original", self._original)] if self._original.picture is not None else []
        if self._peeking and original:
            shown = original
        elif self._compare == "original":
            shown = original or [("Result", self._result)]
        elif self._compare == "side_by_side":
            middle = [("Reconstruction", self._reconstruction)] if self._reconstruction.picture is not None else []
            shown = [*original, *middle, ("Result", self._result)]
        else:
            shown = [("", self._result)]
        width = whole.width() / len(shown)
        return [
            _Tile(label, layer, QRectF(index * width, 0, width, whole.height()))
            for index, (label, layer) in enumerate(shown)
        ]

    def _tile_at(self, where: QPointF | None) -> _Tile:
        tiles = self._tiles()
        return next((tile for tile in tiles if where is not None and tile.area.contains(where)), tiles[0])

    def _picture_rect(self, tile: _Tile) -> QRectF:
        """Aligned to screen pixels, so that edges are sharp and frames do not jitter."""
        device = self.devicePixelRatioF()
        zoom = self.zoom / device
        width, height = self._full_size.width() * zoom, self._full_size.height() * zoom
        centre = tile.area.center() + self._offset
        left, top = round((centre.x() - width / 2) * device), round((centre.y() - height / 2) * device)
        return QRectF(left / device, top / device, round(width * device) / device, round(height * device) / device)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colors.canvas))
        for tile in self._tiles():
            if tile.layer.picture is not None:
                self._paint_tile(painter, tile)
        if self.underMouse() and self._result.picture is not None and not self._message:
            self._paint_handle(painter)
        if self._message:
            self._paint_message(painter)
        if self._ringed:
            painter.setPen(QPen(QColor(colors.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _paint_tile(self, painter: QPainter, tile: _Tile) -> None:
        assert tile.layer.picture is not None
        where = self._picture_rect(tile)
        pixels = max(tile.layer.picture.shape[:2])
        scale = max(where.width(), where.height()) * self.devicePixelRatioF() / pixels
        painter.save()
        painter.setClipRect(tile.area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        image = tile.layer.image(scale)
        painter.drawImage(where, image, QRectF(image.rect()))
        painter.restore()
        if tile.label:
            seen = where.intersected(tile.area)
            self._paint_chip(painter, tile.label, QPointF(seen.left() + 2 * GRID, seen.top() + 2 * GRID))

    def _paint_chip(self, painter: QPainter, text: str, corner: QPointF) -> None:
        painter.setFont(small_font(self.font()))
        metrics = QFontMetricsF(painter.font())
        chip = QRectF(corner.x(), corner.y(), metrics.horizontalAdvance(text) + 4 * GRID, metrics.height() + 2 * GRID)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(chip, GRID, GRID)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_handle(self, painter: QPainter) -> None:
        where = self.handle_rect()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(where, GRID, GRID)
        edge = 18
        corner = QPointF(where.center().x() - edge / 2, where.center().y() - edge / 2)
        painter.drawPixmap(corner, icon_pixmap("drag-out", QColor("#ffffff"), edge, self.devicePixelRatioF()))

    def _paint_message(self, painter: QPainter) -> None:
        colors = colors_of(self)
        bare = self._result.picture is None
        painter.setFont(self.font())
        metrics = QFontMetricsF(self.font())
        room = QRectF(0, 0, max(80.0, min(420.0, self.width() - 8.0 * MARGIN)), 400)
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        text = metrics.boundingRect(room, flags, self._message)
        box = QRectF(0, 0, text.width() + 4 * MARGIN, text.height() + 2 * MARGIN)
        box.moveCenter(QRectF(self.rect()).center())
        if not bare:
            painter.fillRect(self.picture_rect(), QColor(0, 0, 0, 70))
        background = QColor(colors.window)
        background.setAlpha(235)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(background)
        painter.drawRoundedRect(box, 2 * GRID, 2 * GRID)
        painter.setPen(QColor(colors.text))
        painter.drawText(box.adjusted(MARGIN, 0, -MARGIN, 0), flags, self._message)

    # Events

    def sizeHint(self) -> QSize:
        return QSize(640, 640)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 240)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._rescaled()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        if notches and self._result.picture is not None:
            self.set_zoom(self.zoom * _WHEEL_STEP**notches, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        pans = {Qt.Key.Key_Left: (1, 0), Qt.Key.Key_Right: (-1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
        if key == Qt.Key.Key_1:
            self.zoom_to_actual()
        elif key == Qt.Key.Key_F:
            self.zoom_to_fit()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_zoom(self.zoom * _WHEEL_STEP)
        elif key == Qt.Key.Key_Minus:
            self.set_zoom(self.zoom / _WHEEL_STEP)
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Backslash):
            self.set_peek(True)
        elif key in pans:
            x, y = pans[Qt.Key(key)]
            self._pan(QPointF(x, y) * _PAN_STEP_PX)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Backslash) and not event.isAutoRepeat():
            self.set_peek(False)
        else:
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ringed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ringed = False
        self.set_peek(False)  # the release of the key would go elsewhere
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        if not left and event.button() != Qt.MouseButton.MiddleButton:
            super().mousePressEvent(event)
            return
        self._pressed_at = event.position()
        out = event.modifiers() & Qt.KeyboardModifier.ControlModifier or self.handle_rect().contains(event.position())
        self._drag_out_armed = left and bool(out) and self._result.picture is not None
        self._panning = not self._drag_out_armed

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over_handle = self._result.picture is not None and self.handle_rect().contains(event.position())
        self.setToolTip("Drag the picture to a folder or another program (or Ctrl+drag it)" if over_handle else "")
        if self._pressed_at is None:
            self.setCursor(Qt.CursorShape.OpenHandCursor if over_handle else Qt.CursorShape.ArrowCursor)
            return
        moved = event.position() - self._pressed_at
        if self._drag_out_armed:
            if moved.manhattanLength() >= QApplication.startDragDistance():
                self._drag_out_armed, self._pressed_at = False, None
                self.drag_out_started.emit()
        elif self._panning:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._pressed_at = event.position()
            self._pan(moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_at, self._drag_out_armed, self._panning = None, False, False
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.zoom_to_actual() if self._fit else self.zoom_to_fit()

    def _pan(self, by: QPointF) -> None:
        if self._fit:
            return  # all of it is in sight
        self._offset += by
        self._keep_in_sight()
        self.update()

    def _describe(self) -> None:
        """Tell screen readers what can be seen."""
        shown = "the original photo" if self._peeking or self._compare == "original" else "the mixed picture"
        if self._compare == "side_by_side":
            shown = "the original and the mixed picture side by side"
        if self._result.picture is None:
            shown = "no picture yet"
        self.setAccessibleDescription(self._message or f"Shows {shown}.")
