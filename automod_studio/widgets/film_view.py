# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The large picture of the film: a whole sheet, or all that a sheet knows of one photo."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QToolTip, QWidget

from automod_core.sheet_layout import Sheet
from automod_studio.film_pictures import FilmReply, FilmRequest, cuts_at
from automod_studio.theme import GRID, colors_of, small_font
from automod_studio.views_film import FilmPlan, Subject, Words, moment_words, photo_plan, sheet_plan
from automod_studio.widgets.images import to_qimage

_MOST_WORDS_PX = 0.3  # of the width that words at a row may take
_WIDEST_WORDS = "A, medium from B"


class FilmView(QScrollArea):
    """Shows one sheet; the one before stays until its pictures have been read.

    Signals:
        wanted(FilmRequest): pictures that are missing.
    """

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheet: Sheet | None = None
        self._subject: Subject | None = None
        self._ranges: tuple[str, ...] = ()
        self._plans: dict[int, tuple[FilmPlan, str]] = {}  # asked for and not come: number -> plan, words
        self._numbers = count()
        self.canvas = FilmCanvas()
        self.setWidget(self.canvas)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._settled = QTimer(self)  # a drag of the window's edge asks once
        self._settled.setSingleShot(True)
        self._settled.setInterval(30)
        self._settled.timeout.connect(self._ask)

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that was asked for last."""
        return self._sheet

    @property
    def is_settled(self) -> bool:
        """Whether everything that was asked for is shown, for tests."""
        return not self._plans and not self._settled.isActive()

    def show_sheet(self, sheet: Sheet, subject: Subject | None, ranges: Sequence[str]) -> None:
        """Show a sheet, or of it one photo; its pictures are asked for.

        Args:
            sheet: what to show.
            subject: whom to show; None for the whole sheet.
            ranges: as of views_film.photo_plan.
        """
        wanted = (sheet, subject, tuple(ranges))
        if wanted == (self._sheet, self._subject, self._ranges):
            return
        self._sheet, self._subject, self._ranges = wanted
        if self.canvas.plan is None:
            self.canvas.show_message("")  # until its pictures are there
        self._ask()

    def show_message(self, text: str) -> None:
        """Show words, and no sheet."""
        self._sheet = None
        self._plans.clear()
        self.canvas.show_message(text)

    def show_reply(self, reply: FilmReply) -> None:
        """Show pictures that were asked for, unless newer ones are shown already."""
        number = reply.request.key
        if not isinstance(number, int) or number not in self._plans:
            return
        plan, words = self._plans[number]
        self._plans = {later: waiting for later, waiting in self._plans.items() if later > number}
        if reply.error:
            self.canvas.show_message(reply.error)
            return
        pixmaps = [None if picture is None else QPixmap(to_qimage(picture)) for picture in reply.pictures]
        self.canvas.show_pictures(plan, pixmaps, words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._sheet is not None:
            self._settled.start()

    def _ask(self) -> None:
        if self._sheet is None:
            return
        room = self.maximumViewportSize()
        plan = self._plan(room)
        if plan.scrolled:  # the bar takes some of the width
            plan = self._plan(QSize(room.width() - self.verticalScrollBar().sizeHint().width(), room.height()))
        number, who = next(self._numbers), self._subject.label if self._subject else "Whole sheet"
        self._plans[number] = plan, f"{who}, {moment_words(self._sheet)}"
        cells = [(cell.box, cell.width, cell.height, cell.resolution) for cell in plan.cells if not cell.missing]
        cuts = cuts_at(cells, self.devicePixelRatioF())
        self.wanted.emit(FilmRequest(number, plan.png, plan.changed, cuts))

    def _plan(self, room: QSize) -> FilmPlan:
        assert self._sheet is not None
        if self._subject is not None:
            return photo_plan(self._sheet, self._subject, self._ranges, room.width(), room.height())
        words_px = self.fontMetrics().horizontalAdvance(_WIDEST_WORDS) + GRID
        words_px = min(words_px, round(_MOST_WORDS_PX * room.width()))
        return sheet_plan(self._sheet, room.width(), room.height(), words_px)


class FilmCanvas(QWidget):
    """Pictures in their places, with their words; or only words.

    Signals:
        pressed(): the mouse went down on it.
    """

    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plan: FilmPlan | None = None
        self.message = ""
        self.pixmaps: list[QPixmap | None] = []  # one per cell of the plan
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Sheet")

    def show_pictures(self, plan: FilmPlan, pixmaps: Sequence[QPixmap | None], description: str) -> None:
        """Show a plan; `pixmaps` are those of its cells for which there is no word that they are missing."""
        found = iter(pixmaps)
        self.plan, self.message = plan, ""
        self.pixmaps = [None if cell.missing else next(found, None) for cell in plan.cells]
        self.setMinimumHeight(plan.scrolled)
        self.setAccessibleName(description)
        self.update()

    def show_message(self, text: str) -> None:
        """Show words and no pictures."""
        self.plan, self.message, self.pixmaps = None, text, []
        self.setMinimumHeight(0)
        self.setAccessibleName(text)
        self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos()), self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()

    def tip_at(self, point: QPoint) -> str:
        """What the picture under the pointer is."""
        cells = () if self.plan is None else self.plan.cells
        under = (cell.tip for cell in cells if QRect(cell.x, cell.y, cell.width, cell.height).contains(point))
        return next(under, "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self.plan is None:
            painter.setPen(QColor(colors_of(self).muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(24, 0, -24, 0), flags, self.message)
            return
        self._paint_cells(painter, event.rect())
        for words in self.plan.words:
            self._paint_words(painter, words)

    def _paint_cells(self, painter: QPainter, dirty: QRect) -> None:
        assert self.plan is not None
        colors = colors_of(self)
        for cell, pixmap in zip(self.plan.cells, self.pixmaps, strict=True):
            place = QRectF(cell.x, cell.y, cell.width, cell.height)
            if not place.intersects(QRectF(dirty)):
                continue
            if pixmap is None:
                painter.fillRect(place, QColor(colors.raised))
                if cell.missing:
                    painter.setPen(QColor(colors.muted))
                    painter.setFont(small_font(self.font()))
                    painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), cell.missing)
            else:
                target = _centred(pixmap, place, self.devicePixelRatioF()) if cell.box is None else place
                painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))

    def _paint_words(self, painter: QPainter, words: Words) -> None:
        colors = colors_of(self)
        painter.setPen(QColor(colors.muted if words.quiet else colors.text))
        painter.setFont(small_font(self.font()) if words.quiet else self.font())
        shown = painter.fontMetrics().elidedText(words.text, Qt.TextElideMode.ElideRight, words.width)
        across = Qt.AlignmentFlag.AlignHCenter if words.align == "centre" else Qt.AlignmentFlag.AlignRight
        flags = int(across | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
        painter.drawText(QRectF(words.x, words.y, words.width, words.height), flags, shown)


def _centred(pixmap: QPixmap, place: QRectF, scale: float) -> QRectF:
    """Where a whole sheet goes: in the middle, at its own size or smaller."""
    width, height = pixmap.width() / scale, pixmap.height() / scale
    shrink = min(1.0, place.width() / width, place.height() / height)
    target = QRectF(0, 0, width * shrink, height * shrink)
    target.moveCenter(QPointF(round(place.center().x()), round(place.center().y())))
    return target
