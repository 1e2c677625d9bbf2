"""Small things that the dialogs share: rows of a form, and how a path is shown."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from automod_studio.theme import GRID, MARGIN

_FIELD_HEIGHT = 7 * GRID


def form_rows(rows: Sequence[tuple[str, Sequence[QWidget]]]) -> QGridLayout:
    """Labels on the left, fields on the right, every row centred on one line.

    Args:
        rows: (label with its "&", fields); the first field belongs to the label and takes the room that is left. An
            empty label leaves its place empty.
    """
    grid = QGridLayout()
    grid.setHorizontalSpacing(MARGIN)
    grid.setVerticalSpacing(2 * GRID)
    grid.setColumnStretch(1, 1)
    columns = max(len(fields) for _, fields in rows)
    for row, (text, fields) in enumerate(rows):
        if text:
            label = QLabel(text)
            label.setBuddy(fields[0])
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignVCenter)
            fields[0].setMinimumHeight(_FIELD_HEIGHT)
        for column, field in enumerate(fields, start=1):
            span = columns - len(fields) + 1 if column == 1 else 1
            grid.addWidget(field, row, column if column == 1 else column + columns - len(fields), 1, span)
    return grid


def disable_choice(box: QComboBox, value: str, reason: str) -> None:
    """Show a choice of a list grey, with the reason as its tooltip."""
    index, model = box.findData(value), box.model()
    if isinstance(model, QStandardItemModel):
        model.item(index).setEnabled(False)
        model.item(index).setToolTip(reason)


def short_path(path: Path) -> str:
    """The path with the home folder as "~", so that it fits a line."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)
