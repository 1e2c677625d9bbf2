# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The list of runs: a small picture, the name, what it is doing and its size on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from automod_core.run_state import RunGlance
from automod_studio.run_thumbnails import sheet_thumbnail
from automod_studio.theme import GRID, Colors, blend, colors_of, small_font
from automod_studio.views_run import RowView, row_view
from automod_studio.widgets.images import to_pixmap
from automod_studio.workers.jobs import Job, JobControl, JobReply, JobRequest

THUMBNAIL_PX = 48
_ROW_PX, _ROUNDING = THUMBNAIL_PX + 4 * GRID, 4
_VIEW_ROLE = Qt.ItemDataRole.UserRole + 1
_FOLDER_ROLE = Qt.ItemDataRole.UserRole + 2
_AnyIndex = QModelIndex | QPersistentModelIndex


class RunList(QListView):
    """Shows runs; owns no truth.

    Signals:
        chosen(object): Path of the run that the person picks.
        menu_wanted(object, object): Path of a run, and where on the screen its menu is to open.
        delete_wanted(object): Path of the run; the Delete key.
    """

    chosen = Signal(object)
    menu_wanted = Signal(object, object)
    delete_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _RunModel(self)
        self._thumbnails = _Thumbnails(self)
        self.setModel(self._model)
        self.setItemDelegate(_RunDelegate(self))
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Runs")
        self.customContextMenuRequested.connect(self._ask_for_menu)
        self.selectionModel().currentChanged.connect(self._pick)

    @property
    def folders(self) -> list[Path]:
        """Of the runs, from top to bottom."""
        return [run.folder for run in self._model.runs]

    def show_runs(self, runs: Sequence[RunGlance], sizes: Mapping[Path, int], busy: Mapping[Path, str]) -> None:
        """Show these runs; what was chosen stays so, and nothing is emitted.

        Args:
            runs: from top to bottom.
            sizes: bytes on the disk of those that were measured.
            busy: what is under way, for some of them: actions of views_run.
        """
        folder = self.current
        blocked = self.selectionModel().blockSignals(True)
        self._model.show_runs(runs, sizes, busy)
        self.selectionModel().blockSignals(blocked)
        if folder is not None:
            self.choose(folder)
        for run in runs:
            self._thumbnails.look(run)

    @property
    def current(self) -> Path | None:
        """Folder of the run that is chosen."""
        folder = self.currentIndex().data(_FOLDER_ROLE)
        return folder if isinstance(folder, Path) else None

    def choose(self, folder: Path) -> None:
        """Mark a run as chosen, if it is there; nothing is emitted."""
        if folder in self.folders:
            index = self._model.index(self.folders.index(folder))
            if index == self.currentIndex() and self.selectionModel().isSelected(index):
                return
            blocked = self.selectionModel().blockSignals(True)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.selectionModel().blockSignals(blocked)
            self.viewport().update()

    def show_thumbnail(self, folder: Path, pixmap: QPixmap) -> None:
        """Put this picture beside a run."""
        self._model.show_thumbnail(folder, pixmap)

    def _pick(self, index: QModelIndex) -> None:
        if isinstance(folder := index.data(_FOLDER_ROLE), Path):
            self.chosen.emit(folder)

    def _ask_for_menu(self, where: QPoint) -> None:
        folder = self.indexAt(where).data(_FOLDER_ROLE)
        if isinstance(folder, Path):
            self.menu_wanted.emit(folder, self.viewport().mapToGlobal(where))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.current is not None:
            self.delete_wanted.emit(self.current)
        else:
            super().keyPressEvent(event)


class _RunModel(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.runs: tuple[RunGlance, ...] = ()
        self._views: list[RowView] = []
        self._pixmaps: dict[Path, QPixmap] = {}

    def show_runs(self, runs: Sequence[RunGlance], sizes: Mapping[Path, int], busy: Mapping[Path, str]) -> None:
        views = [row_view(run, sizes.get(run.folder), busy.get(run.folder, "")) for run in runs]
        same = [run.folder for run in runs] == [run.folder for run in self.runs]
        if not same:
            self.beginResetModel()
        self.runs, before, self._views = tuple(runs), self._views, views
        self._pixmaps = {run.folder: self._pixmaps[run.folder] for run in runs if run.folder in self._pixmaps}
        if not same:
            self.endResetModel()
            return
        for row, (old, new) in enumerate(zip(before, views, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(row), self.index(row))

    def show_thumbnail(self, folder: Path, pixmap: QPixmap) -> None:
        self._pixmaps[folder] = pixmap
        for row, run in enumerate(self.runs):
            if run.folder == folder:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: _AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self.runs)

    def data(self, index: _AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.runs):
            return None
        run, view = self.runs[index.row()], self._views[index.row()]
        words = f"{view.name}, {view.state}, {view.size}"
        table = {
            _FOLDER_ROLE: run.folder,
            _VIEW_ROLE: view,
            Qt.ItemDataRole.DisplayRole: view.name,
            Qt.ItemDataRole.AccessibleTextRole: words,
            Qt.ItemDataRole.ToolTipRole: "\n".join(filter(None, (words, run.sentence, str(run.folder)))),
            Qt.ItemDataRole.DecorationRole: self._pixmaps.get(run.folder),
        }
        return table.get(role)


class _RunDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _AnyIndex) -> QSize:
        return QSize(160, _ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _AnyIndex) -> None:
        view, pixmap = index.data(_VIEW_ROLE), index.data(Qt.ItemDataRole.DecorationRole)
        if not isinstance(view, RowView):
            return
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        font: QFont = option.font
        colors = colors_of()
        painter.save()
        self._paint_ground(painter, rect, state, colors)
        self._paint_picture(painter, QRect(rect.topLeft() + QPoint(8, 8), QSize(THUMBNAIL_PX, THUMBNAIL_PX)), pixmap)
        text = rect.adjusted(THUMBNAIL_PX + 5 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
        self._paint_words(painter, text, view, font, colors)
        painter.restore()

    def _paint_ground(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag, colors: Colors) -> None:
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, blend(colors.base, colors.accent, 0.18))
            painter.fillRect(QRect(rect.topLeft(), QSize(3, rect.height())), QColor(colors.accent))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(colors.raised))

    def _paint_picture(self, painter: QPainter, place: QRect, pixmap: object) -> None:
        if isinstance(pixmap, QPixmap) and not pixmap.isNull():
            painter.drawPixmap(place, pixmap)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors_of().control))
        painter.drawRoundedRect(place, _ROUNDING, _ROUNDING)

    def _paint_words(self, painter: QPainter, place: QRect, view: RowView, font: QFont, colors: Colors) -> None:
        strong, small = QFont(font), small_font(font)
        strong.setWeight(QFont.Weight.DemiBold)
        height, elide = place.height() // 2, Qt.TextElideMode.ElideRight
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setFont(strong)
        painter.setPen(QColor(colors.text))
        upper = QRect(place.topLeft(), QSize(place.width(), height))
        painter.drawText(upper, align, QFontMetrics(strong).elidedText(view.name, elide, place.width()))
        painter.setFont(small)
        metrics = QFontMetrics(small)
        size_px = metrics.horizontalAdvance(view.size)
        lower = QRect(place.left(), place.top() + height - 2, place.width(), height - 2)
        painter.setPen(QColor(colors.muted))
        painter.drawText(lower, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), view.size)
        painter.setPen(QColor(level_color(view.level, colors)))
        painter.drawText(lower, align, metrics.elidedText(view.state, elide, place.width() - size_px - 2 * GRID))
        if view.done is not None:
            bar = QRect(place.left(), place.bottom() - 1, place.width(), 3)
            painter.fillRect(bar, QColor(colors.control))
            painter.fillRect(QRect(bar.topLeft(), QSize(round(bar.width() * view.done), 3)), QColor(colors.accent))


def level_color(level: str, colors: Colors) -> str:
    """The colour "#rrggbb" of a state: RowView.level."""
    table = {"busy": colors.accent, "good": colors.good, "fair": colors.fair, "poor": colors.poor}
    return table.get(level, colors.muted)


class _Thumbnails:
    """Reads the pictures of runs on another thread, one at a time, and again when there is a newer sheet."""

    def __init__(self, shown: RunList) -> None:
        self._list = shown
        self._wanted: dict[Path, Path] = {}  # folder -> sheet
        self._done: dict[Path, Path] = {}
        self._reading = False

    def look(self, run: RunGlance) -> None:
        """Read the picture of a run if there is another one than before."""
        if run.sheet is not None and self._done.get(run.folder) != run.sheet:
            self._wanted[run.folder] = run.sheet
            self._next()

    def _next(self) -> None:
        if self._reading or not self._wanted:
            return
        folder = next(iter(self._wanted))
        sheet = self._done[folder] = self._wanted.pop(folder)
        self._reading = True
        edge = round(THUMBNAIL_PX * self._list.devicePixelRatioF())
        job = Job(JobRequest(f"Picture of {folder.name}", partial(_read, sheet, edge)))
        job.finished.connect(partial(self._has_read, folder))
        job.start()

    def _has_read(self, folder: Path, reply: JobReply) -> None:
        self._reading = False
        try:
            if isinstance(reply.value, np.ndarray):
                scale = self._list.devicePixelRatioF()
                self._list.show_thumbnail(folder, to_pixmap(reply.value, THUMBNAIL_PX, scale, _ROUNDING))
            else:
                self._done.pop(folder, None)  # it may have been written just then: the next look tries again
        except RuntimeError:  # the list is gone: nobody wants to see it
            return
        self._next()


def _read(sheet: Path, edge: int, _: JobControl) -> np.ndarray | None:
    return sheet_thumbnail(sheet, edge)
