# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""A pile of pictures: filled by buttons, by dropping files and folders, and from the photos of the window."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QIcon, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_studio.document.model import Source
from automod_studio.icons import icon
from automod_studio.theme import GRID, colors_of
from automod_studio.widgets.images import to_pixmap
from automod_studio.widgets.labels import icon_button, title_label
from automod_studio.workers.attribute_requests import PilePhoto

_THUMBNAIL_PX = 20
#: A pile of a table may hold thousands: so many are listed, the others are counted.
_MOST_LISTED = 300


class _List(QListWidget):
    """A list that takes files, and says what it is for while it is empty."""

    dropped = Signal(list)
    remove_wanted = Signal()

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint
        self.setAcceptDrops(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(_THUMBNAIL_PX, _THUMBNAIL_PX))
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit([Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_wanted.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(colors_of(self).muted)
            room = self.viewport().rect().adjusted(12, 12, -12, -12)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._hint)


class AttributePile(QWidget):
    """One of the two piles.

    Signals:
        changed: pictures came or went.
        files_wanted(), folder_wanted(): the person wants to choose some.
    """

    changed = Signal()
    files_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self, title: str, hint: str, sources: Sequence[Source], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._sources = title, tuple(sources)
        self._photos: list[PilePhoto] = []
        self._title = title_label(title)
        self.list = _List(hint)
        self.list.setAccessibleName(title)
        self.list.setMinimumHeight(112)
        self.list.dropped.connect(self.add_paths)
        self.list.remove_wanted.connect(self._remove_selected)
        self.files_button, self.folder_button = QPushButton("Files…"), QPushButton("Folder…")
        self.photos_button = QPushButton("Photos")
        self.clear_button = icon_button("remove", f"{title}: remove the selected ones, or all (Del)")
        self._prepare_buttons()
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self.clear_button)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for button in (self.files_button, self.folder_button, self.photos_button):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(head)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        self._show()

    @property
    def photos(self) -> tuple[PilePhoto, ...]:
        """What lies in it; a folder counts as one, until the worker opens it."""
        return tuple(self._photos)

    def add_paths(self, paths: Sequence[Path]) -> None:
        """Put files and folders on the pile; what lies there already is passed over."""
        known = {photo.path for photo in self._photos}
        self._add([PilePhoto(path.name, str(path)) for path in paths if str(path) not in known])

    def add_source(self, source: Source) -> None:
        """Put a photo of the window on the pile."""
        if not any(photo.code is source.code for photo in self._photos):
            self._add([PilePhoto(source.name, source.origin, source.code, source.crop)])

    def set_photos(self, photos: Sequence[PilePhoto]) -> None:
        """Put others in the place of all that lie there."""
        self._photos = []
        self._add(list(photos))

    def _add(self, photos: list[PilePhoto]) -> None:
        self._photos += photos
        self._show()
        self.changed.emit()

    def _remove_selected(self) -> None:
        """Take away what is selected; if nothing is, all."""
        rows = {self.list.row(item) for item in self.list.selectedItems()}
        self._photos = [p for number, p in enumerate(self._photos) if number not in rows] if rows else []
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self.list.clear()
        for photo in self._photos[:_MOST_LISTED]:
            item = QListWidgetItem(self._icon(photo), photo.name)
            item.setToolTip(photo.path or photo.name)
            self.list.addItem(item)
        more = len(self._photos) - _MOST_LISTED
        if more > 0:
            item = QListWidgetItem(f"… and {more} more")
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        count = len(self._photos)
        self._title.setText(f"{self._name} · {count}" if count else self._name)
        self.clear_button.setEnabled(count > 0)

    def _icon(self, photo: PilePhoto) -> QIcon:
        if photo.crop is not None:
            return QIcon(to_pixmap(photo.crop, _THUMBNAIL_PX, self.devicePixelRatioF()))
        return icon("add-photos" if Path(photo.path).suffix else "open")

    def _prepare_buttons(self) -> None:
        self.files_button.setToolTip(f"Choose pictures for “{self._name}”")
        self.folder_button.setToolTip(f"Take all pictures of a folder for “{self._name}”")
        self.photos_button.setToolTip(f"Take photos of this window for “{self._name}”")
        self.photos_button.setEnabled(bool(self._sources))
        menu = QMenu(self.photos_button)
        for source in self._sources:
            action = menu.addAction(f"{source.letter}  {source.name}".replace("&", "&&"))
            action.triggered.connect(lambda _on=False, chosen=source: self.add_source(chosen))
        self.photos_button.setMenu(menu)
        for button in (self.files_button, self.folder_button, self.photos_button):
            button.setAccessibleName(f"{self._name}: {button.text().rstrip('…')}")
            button.setAutoDefault(False)
        self.files_button.clicked.connect(lambda: self.files_wanted.emit())
        self.folder_button.clicked.connect(lambda: self.folder_wanted.emit())
        self.clear_button.clicked.connect(self._remove_selected)
