# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The picture in the middle: zoom, pan, compare, and a message where there is nothing to show."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from automod_core.later import numpy as np
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views_compare import (
    MODES,
    NAMES,
    ORIGINAL,
    PREVIEW,
    RECONSTRUCTION,
    RESULT,
    CompareView,
    described,
)
from automod_studio.widgets.canvas_layers import DifferenceLayer, Layer, Tile
from automod_studio.widgets.canvas_paint import (
    HANDLE_PX,
    paint_divider,
    paint_drag_handle,
    paint_ground,
    paint_message,
    paint_tile,
)

#: Zoom limits, in screen pixels per pixel of the picture.
MIN_ZOOM, MAX_ZOOM = 0.05, 64.0

_WHEEL_STEP = 1.25  # zoom factor per notch
_PAN_STEP_PX = 40
_GRIP_PX = 8  # how near the line of the wipe has to be pressed
_WIPE_STEP, _FINE_WIPE_STEP = 0.02, 0.004  # parts of the picture


class Canvas(QWidget):
    r"""Shows the result, the original, or two sides to compare; never blank between two pictures.

    Keys: 1 is 100 %, F fits, + and - zoom, arrows pan; Space or \ shows the original while held.
    While a line divides two sides, left and right move it, with Shift finely; a double-click centres it.
    The wheel zooms to the pointer; the left or middle button pans; Ctrl with the left button drags the picture out,
    as does the handle in the corner that appears under the pointer.

    Signals:
        zoom_changed(float): screen pixels per pixel of the result; 1 is 100 %.
        drag_out_started(): the person drags the picture out of the window.
        picture_painted(): the first repaint after a new result is over.
    """

    zoom_changed = Signal(float)
    drag_out_started, picture_painted = Signal(), Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result, self._original, self._reconstruction = Layer(), Layer(), Layer()
        self._full_size = QSize(0, 0)  # size in pixels that zoom refers to
        self._states, self._difference = (Layer(), Layer()), DifferenceLayer()  # sides that are states of the history
        self._view, self._peeking, self._message, self._is_new = CompareView(), False, "", False
        self._result_title, self._covered = NAMES[RESULT], 0  # covered: pixels at the bottom
        self._wipe, self._wiping, self._second_seen = 0.5, False, False
        self._blink_clock = QTimer(self)
        self._blink_clock.timeout.connect(self.flip)
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

    def show_image(self, picture: np.ndarray, full_edge: int | None = None, *, is_last: bool = False) -> None:
        """Show a result in place of the last one, and take away any message.

        Args:
            picture: (H, W, 3) uint8.
            full_edge: the longer edge of the final picture, for a preview of lower resolution: it is shown as large.
            is_last: no picture will follow this preview, so it is marked as what it is.
        """
        height, width = picture.shape[:2]
        grow = 1.0 if full_edge is None else full_edge / max(height, width)
        before = self._message, self._result_title, self._result.picture is not None
        is_alone = self._view.mode == "result" and not self._peeking and not self._message
        self._result.show(picture, is_preview=grow > 1)
        self._message, self._result_title, self._is_new = "", PREVIEW if is_last else NAMES[RESULT], True
        size = QSize(round(width * grow), round(height * grow))
        changed, self._full_size = size != self._full_size, size
        if changed:
            self._rescaled()
        if before != ("", self._result_title, True):
            self._describe()
        stays = is_alone and before[1] == self._result_title  # its label may be wider than the picture
        self.update(self.picture_rect().toAlignedRect() if stays else self.rect())

    def clear(self) -> None:
        """Forget every picture."""
        for layer in (self._result, self._original, self._reconstruction, *self._states):
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
        """Show one of views_compare.MODES, with the sides as they are.

        Raises:
            ValueError: another mode.
        """
        self.show_comparison(replace(self._view, mode=mode))

    def show_comparison(self, view: CompareView) -> None:
        """Show two sides, or one picture. Pictures of states are given by `set_side`.

        Raises:
            ValueError: another mode.
        """
        if view.mode not in MODES:
            raise ValueError(f"compare must be one of {', '.join(MODES)}, got {view.mode!r}")
        before, self._view = self._view, view
        if view.mode != before.mode:
            self._second_seen = self._wiping = False
        if view.mode == "blink" and view.blink_ms:
            self._blink_clock.start(view.blink_ms)
        else:
            self._blink_clock.stop()
        self._rescaled()
        self._describe()

    def set_side(self, side: int, picture: np.ndarray | None) -> None:
        """The picture (H, W, 3) uint8 of side A (0) or B (1), where that is a state of the history."""
        self._states[side].show(picture)
        self.update()

    def flip(self) -> None:
        """Show the other side, while they are shown in turn."""
        self._second_seen = not self._second_seen
        self.update()

    def set_peek(self, held: bool) -> None:
        """Show the original for as long as a key or a button is held."""
        if held != self._peeking:
            self._peeking = held
            self._describe()
            self.update()

    @property
    def compare(self) -> str:
        """The mode of set_compare."""
        return self._view.mode

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
        centre = self._tile_at(anchor).area.center()
        anchor = centre if anchor is None else anchor
        from_picture = anchor - centre - self._offset
        self._fit, self._zoom = False, zoom
        self._offset = anchor - self._tile_at(anchor).area.center() - from_picture * (zoom / before)
        self._rescaled()

    def cover(self, height: int) -> None:
        """Something lies over so many pixels at the bottom, or over none: a picture that fits keeps out of there."""
        if height != self._covered:
            self._covered = height
            self._rescaled()

    def picture_rect(self) -> QRectF:
        """Where the (first) picture is painted, in widget coordinates."""
        return self._picture_rect(self._tiles()[0])

    def handle_rect(self) -> QRectF:
        """The corner of the result from which it can be dragged out."""
        tile = self._tiles()[-1]
        seen = self._picture_rect(tile).intersected(tile.area)
        return QRectF(seen.right() - HANDLE_PX - GRID, seen.top() + GRID, HANDLE_PX, HANDLE_PX)

    def _rescaled(self) -> None:
        self._keep_in_sight()
        self.zoom_changed.emit(self.zoom)
        self.update()

    def _fitting_zoom(self) -> float:
        if self._full_size.isEmpty():
            return 1.0
        area = self._first_area().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        scale = min(area.width() / self._full_size.width(), area.height() / self._full_size.height())
        return min(max(scale * self.devicePixelRatioF(), MIN_ZOOM), MAX_ZOOM)

    def _first_area(self) -> QRectF:
        columns = self._view.mode == "side_by_side" and not self._peeking
        return self._tiles()[0].area if columns else self._whole()

    def _whole(self) -> QRectF:
        """Where pictures are."""
        return QRectF(self.rect()).adjusted(0, 0, 0, -self._covered if self._fit else 0)

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

    def _tiles(self) -> list[Tile]:
        whole, mode = self._whole(), self._view.mode
        has_original = self._original.picture is not None
        if mode == "original" or (self._peeking and has_original):
            shown = (NAMES[ORIGINAL], self._original) if has_original else (self._result_title, self._result)
            return [Tile(*shown, whole)]
        if mode == "result" or self._result.picture is None:
            return [Tile(self._result_title if self._result_title == PREVIEW else "", self._result, whole)]
        if mode == "difference":
            (_, first), (_, second) = self._sides()
            self._difference.compare(first, second, self._view.gain)
            return [Tile(f"Difference ×{self._view.gain}", self._difference, whole)]
        if mode == "blink":
            label, layer = self._sides()[self._second_seen]
            return [Tile(f"{'AB'[self._second_seen]}  {label}", layer, whole)]
        if mode == "wipe":
            return self._halves(whole)
        return self._columns(whole)

    def _columns(self, whole: QRectF) -> list[Tile]:
        """Sides beside one another; between the original and the result stands what the model made of it alone."""
        shown = list(self._sides())
        if self._view.is_plain and self._reconstruction.picture is not None and shown[0][1] is self._original:
            shown.insert(1, (NAMES[RECONSTRUCTION], self._reconstruction))
        if shown[0][1] is shown[-1][1]:
            del shown[1:]
        width = whole.width() / len(shown)
        return [
            Tile(label, layer, QRectF(index * width, 0, width, whole.height()))
            for index, (label, layer) in enumerate(shown)
        ]

    def _halves(self, whole: QRectF) -> list[Tile]:
        x = self._divider_x()
        (first, left), (second, right) = self._sides()
        left_of, right_of = QRectF(whole), QRectF(whole)
        left_of.setRight(x)
        right_of.setLeft(x)
        return [Tile(first, left, whole, left_of), Tile(second, right, whole, right_of)]

    def _sides(self) -> tuple[tuple[str, Layer], tuple[str, Layer]]:
        """Label and picture of A and B; the result stands in for what there is not."""
        fixed = {ORIGINAL: self._original, RECONSTRUCTION: self._reconstruction, RESULT: self._result}
        found = []
        for choice, state in zip(self._view.sides, self._states, strict=True):
            layer = fixed[choice.key] if isinstance(choice.key, str) else state
            missing = layer.picture is None
            is_result = missing or layer is self._result
            found.append((self._result_title, self._result) if is_result else (choice.title, layer))
        return found[0], found[1]

    def _divider_x(self) -> float:
        where = self._rect_in(self._whole())
        return where.left() + self._wipe * where.width()

    def set_wipe(self, part: float) -> None:
        """Put the line of the wipe at this part, 0..1, of the picture's width."""
        self._wipe = min(max(part, 0.0), 1.0)
        self.update()

    @property
    def wipe(self) -> float:
        """Where the line of the wipe is, 0..1."""
        return self._wipe

    def _is_at_divider(self, where: QPointF) -> bool:
        at = self._view.mode == "wipe" and not self._peeking and self._result.picture is not None
        return at and abs(where.x() - self._divider_x()) <= _GRIP_PX

    def _wipe_to(self, x: float) -> None:
        where = self._rect_in(self._whole())
        self.set_wipe((x - where.left()) / max(1.0, where.width()))

    def _tile_at(self, where: QPointF | None) -> Tile:
        tiles = self._tiles()
        return next((tile for tile in tiles if where is not None and tile.area.contains(where)), tiles[0])

    def _picture_rect(self, tile: Tile) -> QRectF:
        return self._rect_in(tile.area)

    def _rect_in(self, area: QRectF) -> QRectF:
        """Where a picture lies in an area, aligned to screen pixels: edges are sharp, frames do not jitter."""
        device = self.devicePixelRatioF()
        zoom = self.zoom / device
        width, height = self._full_size.width() * zoom, self._full_size.height() * zoom
        centre = area.center() + self._offset
        left, top = round((centre.x() - width / 2) * device), round((centre.y() - height / 2) * device)
        return QRectF(left / device, top / device, round(width * device) / device, round(height * device) / device)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        has_picture = self._result.picture is not None
        tiles = [(tile, self._picture_rect(tile)) for tile in self._tiles() if tile.layer.picture is not None]
        paint_ground(painter, self, event.region(), tiles)
        for tile, where in tiles:
            paint_tile(painter, self, tile, where)
        if self._view.mode == "wipe" and not self._peeking and has_picture:
            seen = self._rect_in(self._whole()).intersected(self._whole())
            paint_divider(painter, min(max(self._divider_x(), seen.left()), seen.right()), seen)
        if self.underMouse() and has_picture and not self._message:
            paint_drag_handle(painter, self.handle_rect(), self.devicePixelRatioF())
        if self._message:
            paint_message(painter, self, self._message, self.picture_rect() if has_picture else None)
        if self._ringed:
            painter.setPen(QPen(QColor(colors_of(self).accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        if self._is_new:
            self._is_new = False
            self.picture_painted.emit()

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
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._view.mode == "wipe":
            fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            step = _FINE_WIPE_STEP if fine else _WIPE_STEP
            self.set_wipe(self._wipe + (step if key == Qt.Key.Key_Right else -step))
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
        self._wiping = left and not self._drag_out_armed and self._is_at_divider(event.position())
        self._panning = not self._drag_out_armed and not self._wiping

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over_handle = self._result.picture is not None and self.handle_rect().contains(event.position())
        self.setToolTip("Drag the picture to a folder or another program (or Ctrl+drag it)" if over_handle else "")
        if self._pressed_at is None or self._wiping:
            grips = self._wiping or self._is_at_divider(event.position())
            plain = Qt.CursorShape.SplitHCursor if grips else Qt.CursorShape.ArrowCursor
            self.setCursor(Qt.CursorShape.OpenHandCursor if over_handle and not grips else plain)
            if self._wiping:
                self._wipe_to(event.position().x())
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
        self._pressed_at, self._drag_out_armed, self._panning, self._wiping = None, False, False, False
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._is_at_divider(event.position()):
            self.set_wipe(0.5)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.zoom_to_actual() if self._fit else self.zoom_to_fit()

    def _pan(self, by: QPointF) -> None:
        if self._fit:
            return  # all of it is in sight
        self._offset += by
        self._keep_in_sight()
        self.update()

    def _describe(self) -> None:
        """Tell screen readers what can be seen."""
        has_picture, is_preview = self._result.picture is not None, self._result_title == PREVIEW
        told = described(self._view, peeking=self._peeking, has_picture=has_picture, is_preview=is_preview)
        self.setAccessibleDescription(self._message or told)
