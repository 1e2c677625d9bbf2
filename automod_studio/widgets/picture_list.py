"""The pictures of a collection that need a word: those that cannot be used, and those that are there more than once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from automod_core.data.scan import ScanReport
from automod_studio.views_pictures import bad_heading, copies_heading


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

    def clear(self) -> None:
        """Show none."""
        super().clear()
        self._bad = None

    def add_bad(self, new: Sequence[tuple[str, str]], count: int) -> None:
        """Add files that cannot be used.

        Args:
            new: (name, reason) of each.
            count: how many there are so far, listed or not.
        """
        if self._bad is None:
            self._bad = self._add_heading()
        self._bad.addChildren([_line(name, _without(name, reason)) for name, reason in new])
        self._bad.setText(0, bad_heading(count, self._bad.childCount()))

    def show_report(self, report: ScanReport) -> None:
        """Show what a whole scan has found."""
        self.clear()
        if report.bad_count:
            self.add_bad(report.bad, report.bad_count)
        if report.copies:
            heading = self._add_heading()
            heading.setText(0, copies_heading(report))
            heading.addChildren(
                [_line(copy, f"The same as “{group[0]}”") for group in report.duplicates for copy in group[1:]]
            )

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


def _without(name: str, reason: str) -> str:
    """The reason without the name at its beginning, which stands beside it."""
    rest = reason.removeprefix(f"{PurePath(name).name} ")
    return f"{rest[:1].upper()}{rest[1:]}"
