"""The pictures of a collection that need a word: those that cannot be used, and those that are there more than once."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from automod_studio.views_pictures import counted

_MOST_LISTED = 1000  # of each kind; more are counted


class PictureList(QTreeWidget):
    """Two headings with a line per picture: its name, and why it is here."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName("Pictures that cannot be used, or are there more than once")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumHeight(88)
        self.setStyleSheet("QTreeWidget::item { padding: 2px 0; }")
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.header().resizeSection(0, 280)
        self._bad: QTreeWidgetItem | None = None
        self._n_bad = 0

    def clear(self) -> None:
        """Show none."""
        super().clear()
        self._bad, self._n_bad = None, 0

    def add_bad(self, new: Sequence[tuple[str, str]]) -> None:
        """Add pictures that cannot be used: (name, reason) each."""
        if self._bad is None:
            self._bad = self._add_heading()
        room = max(0, _MOST_LISTED - self._n_bad)
        self._bad.addChildren([_line(name, reason) for name, reason in new[:room]])
        self._n_bad += len(new)
        self._bad.setText(0, counted(self._n_bad, "file cannot be used", "files cannot be used") + self._listed())

    def show_all(self, bad: Sequence[tuple[str, str]], duplicates: Sequence[Sequence[str]]) -> None:
        """Show all there is.

        Args:
            bad: (name, reason) of what cannot be used.
            duplicates: the names of one picture, group by group.
        """
        self.clear()
        if bad:
            self.add_bad(bad)
        if duplicates:
            heading = self._add_heading()
            words = counted(len(duplicates), "picture is there more than once", "pictures are there more than once")
            more = f", {_MOST_LISTED:,} of them listed" if len(duplicates) > _MOST_LISTED else ""
            heading.setText(0, words + more)
            lines = [_line(group[0], f"the same as {', '.join(group[1:6])}") for group in duplicates[:_MOST_LISTED]]
            heading.addChildren(lines)

    def _listed(self) -> str:
        return f", {_MOST_LISTED:,} of them listed" if self._n_bad > _MOST_LISTED else ""

    def _add_heading(self) -> QTreeWidgetItem:
        heading = QTreeWidgetItem(self)
        heading.setFirstColumnSpanned(True)
        heading.setExpanded(True)
        return heading


def _line(name: str, words: str) -> QTreeWidgetItem:
    line = QTreeWidgetItem([name, words])
    line.setToolTip(0, name)
    line.setToolTip(1, words)
    return line
