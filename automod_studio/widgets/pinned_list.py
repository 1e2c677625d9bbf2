# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The photos that are pinned to a run: on every sheet, chosen by the person."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from automod_core.pinned_photos import MOST_PINNED
from automod_studio.pinning import SmallPhoto
from automod_studio.theme import GRID, colors_of
from automod_studio.widgets.dashed_area import DashedArea
from automod_studio.widgets.images import to_pixmap
from automod_studio.widgets.labels import ElidedLabel, action_button, hint_label, icon_button, title_label

EDGE_PX = 40  # of a picture in the list
_WIDTH_PX = 208
_HINT = "They come first on every sheet. Drop photos anywhere here to add them."


class PinnedList(QWidget):
    """A row per photo, and what was wrong with the last ones.

    Signals:
        add_clicked(): choose photos in a dialog.
        removed(int): number of the photo that is to go, from 0.
        chosen(int): number of the photo that is to be looked at.
    """

    add_clicked = Signal()
    removed = Signal(int)
    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[PinnedRow] = []
        self.count_label = hint_label("")
        self.add_button = action_button("add-photos", "Add photos…", "Choose photos to follow; or drop them here")
        self.add_button.clicked.connect(lambda: self.add_clicked.emit())
        self.problem = hint_label("", wrap=True)
        self.problem.hide()
        self.empty = self._make_empty()
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        self._lay_out()
        self.setFixedWidth(_WIDTH_PX)
        self.setAccessibleName("Pinned photos")
        self.show_photos(())

    def show_photos(self, photos: Sequence[SmallPhoto]) -> None:
        """Show these, in this order; nothing is emitted."""
        focused = next((number for number, row in enumerate(self.rows) if row.hasFocus()), None)
        for row in self.rows[len(photos) :]:
            row.hide()
            self._column.removeWidget(row)
            row.deleteLater()
        del self.rows[len(photos) :]
        while len(self.rows) < len(photos):
            self.rows.append(self._make_row(len(self.rows)))
            self._column.addWidget(self.rows[-1])
        for row, photo in zip(self.rows, photos, strict=True):
            row.show_photo(photo)
        self.empty.setVisible(not photos)
        self._area.setVisible(bool(photos))
        self.count_label.setText(f"{len(photos)} of {MOST_PINNED}" if photos else "")
        self.add_button.setEnabled(len(photos) < MOST_PINNED)
        if focused is not None and self.rows:
            self.rows[min(focused, len(self.rows) - 1)].setFocus()  # the next one takes a removed one's place

    def show_problems(self, problems: Sequence[str]) -> None:
        """Say what was wrong with photos, in one sentence or two; no problems take it away."""
        more = len(problems) - 1
        words = problems[0] if problems else ""
        if more > 0:
            words += f" {more} more file{'s' if more > 1 else ''} could not be pinned."
        self.problem.setText(words)
        self.problem.setToolTip("\n".join(problems[:30]) if more > 0 else "")
        self.problem.setVisible(bool(words))
        self.problem.setAccessibleName(words)

    def _make_row(self, number: int) -> PinnedRow:
        row = PinnedRow()
        row.removed.connect(lambda: self.removed.emit(number))
        row.chosen.connect(lambda: self.chosen.emit(number))
        row.step_wanted.connect(lambda step: self._step(number + step))
        return row

    def _step(self, number: int) -> None:
        if 0 <= number < len(self.rows):
            self.rows[number].setFocus(Qt.FocusReason.TabFocusReason)
            self._area.ensureWidgetVisible(self.rows[number], 0, 0)

    def _make_empty(self) -> QWidget:
        area = DashedArea()
        words = hint_label("Drop up to 16 photos here, and watch what becomes of them from sheet to sheet.", wrap=True)
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(area)
        column.setContentsMargins(3 * GRID, 4 * GRID, 3 * GRID, 4 * GRID)
        column.addWidget(words)
        return area

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(title_label("Pinned photos"), 1)
        head.addWidget(self.count_label)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(2 * GRID)
        inner.addLayout(self._column)
        inner.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setToolTip(_HINT)
        self._area.setWidget(content)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * GRID)
        column.addLayout(head)
        column.addWidget(self.empty)
        column.addWidget(self._area, 1)
        column.addWidget(self.problem)
        column.addWidget(self.add_button)
        column.addStretch(0)


class PinnedRow(QWidget):
    """A photo and its name. Enter shows it over time, Delete removes it.

    Signals:
        removed(), chosen(): as of PinnedList.
        step_wanted(int): go to the row so many places further down.
    """

    removed = Signal()
    chosen = Signal()
    step_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._photo: SmallPhoto | None = None
        self.picture = QLabel()
        self.picture.setFixedSize(QSize(EDGE_PX, EDGE_PX))
        self.name = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.remove_button = icon_button("remove", "Do not follow this photo (Del)")
        self.remove_button.clicked.connect(lambda: self.removed.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, GRID, GRID, GRID)
        row.setSpacing(2 * GRID)
        row.addWidget(self.picture)
        row.addWidget(self.name, 1)
        row.addWidget(self.remove_button)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def show_photo(self, photo: SmallPhoto) -> None:
        """Show a photo; nothing is emitted."""
        if photo is self._photo:
            return
        self._photo = photo
        self.picture.setPixmap(to_pixmap(photo.picture, EDGE_PX, self.devicePixelRatioF(), GRID))
        self.name.setText(photo.name)
        self.remove_button.setAccessibleName(f"Do not follow {photo.name}")
        self.setAccessibleName(f"Pinned photo {photo.name}")
        self.setToolTip(f"{photo.name}\nShow it over time (Enter)")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit()
        elif key == Qt.Key.Key_Delete:
            self.removed.emit()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.step_wanted.emit(1 if key == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(QColor(colors.accent), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.raised) if self.underMouse() else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(place, 4, 4)
